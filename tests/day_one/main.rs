//! What people miss in every such product, one file each: `d1.rs` to `d16.rs`.

mod d16;
mod d2;
mod d6;

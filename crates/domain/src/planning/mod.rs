//! Strategy and planning: when a change may start.
pub mod windows;

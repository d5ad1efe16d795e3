//! The whole judgement: held against servers, against other tools, and against bytes nobody meant.

mod fuzz;
mod grammar;
mod peers;
mod truth;

/// Inputs that once ended badly.
fn found() -> impl Iterator<Item = &'static [u8]> {
    const FOUND: &str = include_str!("../../../tests/migration/found.txt");
    FOUND.split("\n====\n").map(str::as_bytes)
}

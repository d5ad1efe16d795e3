//! Input that is made to hurt: clear errors or "unknown", in bounded time and memory.

use super::*;

#[test]
fn nesting_is_bounded() {
    for deep in
        [format!("{}{{}}{}", "{\"not\":".repeat(100_000), "}".repeat(100_000)), format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))]
    {
        let why = compared(&deep, "{}", Options::default()).unwrap_err();
        assert!(why.what.contains("nested"), "{why}");
    }
}

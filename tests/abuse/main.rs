//! What somebody might try, one file each. Every test here names a mutation in `tests/mutations/` under which it fails.

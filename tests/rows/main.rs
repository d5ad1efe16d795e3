//! One file a capability row, `rM_N.rs`, with tests `cli…`, `api…`, `page…` and `refuses…`: the row works when all four
//! passed (`cargo xtask rows`). The outcome is read through another channel than the one that acted. A row takes at most
//! five seconds.

mod ground;

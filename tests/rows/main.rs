//! One file a capability row, `rM_N.rs`, with tests `cli…`, `api…`, `page…` and `refuses…`: the row works when all four
//! passed (`cargo xtask rows`). The outcome is read through another channel than the one that acted. A row takes at most
//! five seconds.

mod ground;
mod r1_3;
mod r2_2;
mod r2_4;
mod r2_5;
mod r4_1;
mod r5_1;
mod r5_2;
mod r7_1;
mod r7_2;
mod r7_5;

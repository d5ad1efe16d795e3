//! What Holdpoint must survive. After each fault the exported ledger is judged by the independent checker
//! (`Holdpoint::check_ledger`). Names carry their kind: `kill_points…`, `proxy_survives…`, and `soak…` with
//! `#[ignore = "make soak"]` reading HOLDPOINT_SEEDS and HOLDPOINT_KILLS.

mod databases;
mod kill_points;
mod proxies;
mod several;
mod soak;
mod stage;
mod story;
mod workers;

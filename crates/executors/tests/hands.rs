//! Executors on real processes.

#[path = "hands/bench.rs"]
mod bench;
#[path = "hands/blobs.rs"]
mod blobs;
#[path = "hands/checkouts.rs"]
mod checkouts;
#[path = "hands/commands.rs"]
mod commands;
#[path = "hands/instances.rs"]
mod instances;
#[path = "hands/requests.rs"]
mod requests;
#[path = "hands/shifts.rs"]
mod shifts;

//! Executors on real processes.

#[path = "hands/blobs.rs"]
mod blobs;
#[path = "hands/bench.rs"]
mod bench;
#[path = "hands/checkouts.rs"]
mod checkouts;
#[path = "hands/commands.rs"]
mod commands;
#[path = "hands/instances.rs"]
mod instances;
#[path = "hands/requests.rs"]
mod requests;

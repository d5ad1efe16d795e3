//! Automation and orchestration: pipelines as durable runs, rollback, immutability, control.
pub mod definition;
pub mod gate_only;
pub mod lifecycle;
pub mod plan;
pub mod previous;
pub mod progress;
pub mod releases;
pub mod rollback;
pub mod runs;
pub mod slot;
pub mod watch;
pub mod workers;

//! Handlers by room. Each reads its input, names what may be written, and carries a decision of the domain.

pub mod account;
pub mod audit;
pub mod blobs;
pub mod board;
pub mod build;
pub mod compatibility;
pub mod environments;
pub mod events;
pub mod governance;
pub mod health;
pub mod releases;
pub mod runs;
pub mod scanning;
pub mod validation;
pub mod worker;

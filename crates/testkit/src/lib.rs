//! What tests stand on: PostgreSQL on demand, the real binary as a child process, an HTTP client, the command line, one
//! Chromium, and an independent checker of exported ledgers.
//!
//! Architecture invariant: this crate knows the product by process, HTTP and browser alone; it depends on none of its
//! crates. What a test saw, a user could have seen.
//! Architecture invariant: every component is started here, on a free port, in a temporary folder, and ended by its pid;
//! also when the test is killed (see [`watcher`]). A missing component fails the test unless HOLDPOINT_SKIP names it.
//!
//! It panics rather than return errors: a test that cannot be set up has failed, and says why.

pub mod browser;
pub mod checker;
pub mod client;
pub mod command_line;
pub mod component;
pub mod holdpoint;
pub mod pages;
pub mod postgres;
pub mod process;
pub mod proxy;
mod watcher;
mod wire;
pub mod worker;

pub use browser::{Browser, Page};
pub use client::{Answer, Client};
pub use command_line::{CommandLine, Output};
pub use holdpoint::{Holdpoint, Options};
pub use postgres::Postgres;
pub use process::eventually;
pub use proxy::Proxy;
pub use worker::Worker;

//! The hands: everything that reaches out of the server (processes, commands, HTTP, traffic).
//!
//! Architecture invariant: nothing here decides whether to retry; an executor runs one step and reports one outcome.

pub mod command;
pub mod http;
pub mod process;
pub mod proxy;
pub mod traffic;

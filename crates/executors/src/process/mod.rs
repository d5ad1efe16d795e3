//! Processes that outlive us: instances of components and commands, each in a directory of its own under a shim.
//!
//! The directory is the fence. Its name derives from the attempt; `claim` in it is created once, by the one shim that may
//! start the program; `spec.json` says what to run, `birth` and `state.json` what runs, `log` what it said. Whoever has the
//! worker's root can therefore find, join and end what another worker process began, and nobody can begin it twice.
//!
//! Deliberately no restarts: a process that ends has ended, and what to do about it is decided elsewhere.

use std::collections::BTreeMap;

pub mod directory;
mod health;
pub mod image;
pub mod proc;
pub mod shim;
pub mod start;
pub mod stop;
pub mod supervise;
pub mod verify;

use directory::{Cause, Exit};

/// What every program finds in its environment, and nothing of ours besides.
pub(crate) fn clean_env(home: &str) -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    BTreeMap::from([
        ("PATH".to_owned(), path.replace("${", "")),
        ("HOME".to_owned(), home.to_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
    ])
}

/// An end in words.
pub(crate) fn describe(exit: &Exit) -> String {
    match (exit.cause, exit.code, exit.signal) {
        (Cause::DigestMismatch, ..) => format!("nothing ran: {}", exit.detail),
        (Cause::NotStarted, ..) => format!("it could not be started: {}", exit.detail),
        (Cause::TimedOut, ..) => "it ran out of time and was ended".into(),
        (Cause::LeaseEnded, ..) => "its worker was lost and it was ended".into(),
        (Cause::Stopped, ..) => "it was stopped".into(),
        (Cause::Exited, Some(code), _) => format!("it ended with exit code {code}"),
        (Cause::Exited, None, Some(signal)) => format!("it was ended by signal {signal}"),
        (Cause::Exited, None, None) => "it ended".into(),
    }
}

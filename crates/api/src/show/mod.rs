//! What the page and the command line are shown: views over documents, with names in place of ids. Nothing is decided
//! here; where a view says that something may not be done, it is the domain's own refusal, asked without writing.

pub mod board;
pub mod canary;
pub mod release;
pub mod run;
pub mod words;

use crate::problem::{Answer, Problem};
use std::str::FromStr;

/// A fresh random identifier with this prefix.
pub fn id<T: FromStr>(prefix: &str) -> Answer<T> {
    format!("{prefix}_{}", holdpoint_engine::random_id()).parse().map_err(|_| Problem::broken(&"an identifier that does not fit its kind"))
}

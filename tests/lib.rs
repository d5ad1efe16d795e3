//! The world that tests of the whole product stand in: a real server, a real proxy per environment, people, an applied
//! organisation, and a small service whose versions differ by content.
//!
//! Architecture invariant: it acts as a user does (command line, HTTP, browser) and knows none of the product's crates.
//! It decides nothing about what is right: that is the tests'.

mod load;
mod organisation;
mod program;
mod world;

pub use load::{Answers, Load};
pub use organisation::Organisation;
pub use program::{Program, junit, sarif};
pub use world::{Release, World};

/// Most things here take milliseconds; this is for a machine with other work.
pub const SOON: std::time::Duration = std::time::Duration::from_secs(20);

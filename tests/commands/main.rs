//! Commands that need no server, run as a team's continuous integration would.

mod calendar;
mod compat_openapi;

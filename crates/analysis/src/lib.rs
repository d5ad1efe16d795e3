//! Judgement over numbers and structures: calendars, canary statistics, deployment order.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O, no async. `domain` asks these
//! modules inside its decisions, so each of them has bounded work and answers the same for the same input. The one
//! exception is [`calendar::zone`], which looks a time zone up by its IANA name in the system's database.
//!
//! What is not here: what the answers are used for (gates, triggers, plans) and how the inputs were gathered.

pub mod calendar;
pub mod canary;
pub mod graph;
pub mod histogram;

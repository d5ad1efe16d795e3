//! A crowd of customers with a fixed timetable, and the audit of what they were promised.
//!
//! Open model: when a request starts is decided beforehand and does not depend on earlier answers,
//! and its latency counts from that moment. A slow shop is therefore measured as slow.

pub mod audit;
pub mod crowd;
pub mod figures;
pub mod journal;
pub mod timetable;

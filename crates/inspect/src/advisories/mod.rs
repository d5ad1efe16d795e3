//! Known weaknesses of components: advisories in OSV's format, kept on disk, matched by each ecosystem's own version order.
//!
//! From records ([`osv`]) an [`index`] is built, in which [`judge`] looks the packages of components up; [`holdings`] goes the
//! other way, from a new advisory to the many inventories that it concerns. What cannot be decided (a version that its
//! ecosystem's order cannot read) is a finding of its own, never a pass. Deliberately absent: fetching a database.

pub mod archive;
mod codec;
pub mod holdings;
pub mod index;
pub mod inventory;
pub mod judge;
pub mod knowledge;
mod loose;
pub mod osv;
pub mod package;
pub mod ranges;
pub mod severity;
mod waiver;

pub use judge::{Answers, Budget, Judged, judge};
pub use waiver::{Waiver, WaiverError, day_or_time_ends, purl_covers, read_waivers};

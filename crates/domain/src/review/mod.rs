//! Post-implementation review: how a release ended.
pub mod closure;

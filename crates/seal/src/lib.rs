//! What Holdpoint proves and how anyone can check it: digests, canonical JSON, signed statements, keys, the Merkle
//! log and its checkpoints, the dossier of a release and its offline verification; and what others proved with Sigstore.
//!
//! This crate is for *judging bytes*. It deliberately has no clock, no randomness, no files and no network: callers
//! hand in bytes, the time and 32 random bytes where a key or a salt is made. That is what lets the same code run in
//! the server, in the command line on a bare machine, and in a test at any moment in time.
//!
//! Invariants:
//! - every parser refuses rather than repairs: duplicate keys, trailing bytes, non-canonical base64 and depth beyond
//!   [`json::DEPTH_MAX`] are errors, never warnings;
//! - a [`trust::Verified`] value exists only if the signature, the role and the receive time were checked;
//! - secrets ([`keys::SigningKey`], [`keys::SecretPem`]) have no `Display`, and their `Debug` shows no secret bytes.

pub mod base64;
pub mod canonical;
pub mod checkpoint;
pub mod digest;
pub mod dossier;
pub mod dsse;
pub mod export;
pub mod fact;
pub mod json;
pub mod keylist;
pub mod keys;
mod layout;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod report;
pub mod sigstore;
pub mod statement;
pub mod trust;

pub use digest::Digest;

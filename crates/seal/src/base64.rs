//! Base64 (RFC 4648) with exactly one accepted spelling per value.
//!
//! Padding is required and stray bits in the last character are refused, so that no character of a signed file can be
//! changed without changing the bytes.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The text is no base64 of the standard alphabet with padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64 (standard alphabet, with padding, no spaces)")]
pub struct Base64Error;

/// Standard alphabet, padded.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard alphabet, padded, canonical.
///
/// # Errors
/// [`Base64Error`] for anything [`encode`] would not have written.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// Standard or URL-safe alphabet, padded: DSSE (section "Envelope") lets producers choose.
///
/// # Errors
/// [`Base64Error`] for anything else, a mixture of both alphabets included.
pub fn decode_either(text: &str) -> Result<Vec<u8>, Base64Error> {
    decode(text).or_else(|_| URL_SAFE.decode(text).map_err(|_| Base64Error))
}

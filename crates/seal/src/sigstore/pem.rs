//! PEM (RFC 7468), one block: certificates and keys inside log entries.

use crate::base64;

/// Label and bytes of the one block of `text`; nothing but white space around it.
pub fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    let rest = text.trim().strip_prefix("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let body = rest.strip_suffix(&format!("-----END {label}-----"))?;
    if body.contains('-') {
        return None;
    }
    let joined: String = body.split_ascii_whitespace().collect();
    Some((label, base64::decode(&joined).ok()?))
}

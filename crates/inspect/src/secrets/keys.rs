//! Private keys: PEM blocks (RFC 7468) with a body, also in texts where line ends are escaped, and PuTTY's files.

use super::Hit;
use crate::finding::Severity;

const BEGIN: &[u8] = b"-----BEGIN ";
/// The most bytes of a header line and of a key.
const HEADER_MAX: usize = 40;
const KEY_MAX: usize = 32_768;
/// Fewer characters of base64 are no key.
const BODY_MIN: usize = 60;

fn find_from(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

pub(super) fn find(bytes: &[u8], hits: &mut Vec<Hit>) {
    let mut from = 0;
    while let Some(start) = find_from(bytes, BEGIN, from) {
        from = start + BEGIN.len();
        let header = bytes.get(from..bytes.len().min(from + HEADER_MAX)).unwrap_or_default();
        let Some(length) = find_from(header, b"-----", 0) else { continue };
        let label = header.get(..length).unwrap_or_default();
        if !(label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK") {
            continue;
        }
        let body_start = from + length + 5;
        let window = bytes.get(body_start..bytes.len().min(body_start + KEY_MAX)).unwrap_or_default();
        // A block that is cut off is still a key; what follows the next mark is not.
        let body = window.get(..find_from(window, b"-----", 0).unwrap_or(window.len())).unwrap_or_default();
        if !has_body(body) {
            continue;
        }
        let encrypted = label.starts_with(b"ENCRYPTED") || find_from(body, b"ENCRYPTED", 0).is_some();
        let (what, severity) =
            if encrypted { ("an encrypted private key", Severity::Medium) } else { ("a private key", Severity::Critical) };
        let end = body_start + body.len();
        hits.push(Hit { rule: "private-key", what, severity, start, end, shown: BEGIN.len() + length + 5 });
        from = end;
    }
    if bytes.starts_with(b"PuTTY-User-Key-File-")
        && let Some(at) = find_from(bytes, b"Private-Lines:", 0)
    {
        hits.push(Hit {
            rule: "private-key",
            what: "a PuTTY private key",
            severity: Severity::Critical,
            start: at,
            end: bytes.len().min(at + KEY_MAX),
            shown: 14,
        });
    }
}

/// Enough base64 that is not one letter over and over.
fn has_body(body: &[u8]) -> bool {
    let mut characters = Vec::new();
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        // `\n`, `\r` written out, as in a JSON document.
        if *byte == b'\\' {
            at += 2;
            continue;
        }
        if byte.is_ascii_alphanumeric() || b"+/=".contains(byte) {
            characters.push(*byte);
        }
        at += 1;
    }
    characters.len() >= BODY_MIN && super::text::entropy(&characters) > 3.5 && !body.windows(3).any(|window| window == b"...")
}

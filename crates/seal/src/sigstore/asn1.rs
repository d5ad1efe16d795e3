//! DER (X.690) seen as tags and bytes, for what is hashed as it lies there: a certificate's signed part, a timestamp's
//! attributes.
//!
//! Reads with `der`, which refuses what is not DER. Structures whose *meaning* is asked for are read by `x509-cert`.

use x509_cert::der::{self, Reader as _, SliceReader};

pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OID: u8 = 0x06;
pub const GENERALIZED_TIME: u8 = 0x18;

/// A sequence has at most this many members.
const MEMBERS_MAX: usize = 512;

/// One value with its tag and its whole encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The first octet; tags beyond 30 are refused.
    pub tag: u8,
    /// What is inside.
    pub value: &'a [u8],
    /// Tag and length included.
    pub full: &'a [u8],
}

/// Not DER, or not of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDer;

impl From<der::Error> for NotDer {
    fn from(_: der::Error) -> NotDer {
        NotDer
    }
}

/// All values of `bytes`, which holds nothing else.
pub fn all(bytes: &[u8]) -> Result<Vec<Tlv<'_>>, NotDer> {
    let mut reader = SliceReader::new(bytes)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        if found.len() == MEMBERS_MAX {
            return Err(NotDer);
        }
        let full = reader.tlv_bytes()?;
        let [tag, ..] = full else { return Err(NotDer) };
        if tag & 0x1F == 0x1F {
            return Err(NotDer);
        }
        // The header is what is not the value, whose length `tlv_bytes` has checked against the header's.
        let header = match full.get(1) {
            Some(length) if *length < 0x80 => 2,
            Some(length) => 2 + usize::from(length & 0x7F),
            None => return Err(NotDer),
        };
        found.push(Tlv { tag: *tag, value: full.get(header..).ok_or(NotDer)?, full });
    }
    Ok(found)
}

/// The one value of `bytes`.
pub fn one(bytes: &[u8], tag: u8) -> Result<Tlv<'_>, NotDer> {
    match all(bytes)?.as_slice() {
        [only] if only.tag == tag => Ok(*only),
        _ => Err(NotDer),
    }
}

impl<'a> Tlv<'a> {
    /// What is inside, as values.
    pub fn members(&self) -> Result<Vec<Tlv<'a>>, NotDer> {
        all(self.value)
    }

    /// Itself, if its tag is `tag`.
    pub fn of(&self, tag: u8) -> Result<Tlv<'a>, NotDer> {
        if self.tag == tag { Ok(*self) } else { Err(NotDer) }
    }
}

/// A value with this tag around `parts`.
pub fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let used = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.push(0x80 | used.len() as u8);
        out.extend_from_slice(used);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let value = vec![7u8; length];
            let bytes = encode(OCTET_STRING, &[&value]);
            assert_eq!(one(&bytes, OCTET_STRING).unwrap().value, value);
            assert!(one(&bytes, SEQUENCE).is_err() && one(&bytes[..bytes.len() - 1], OCTET_STRING).is_err());
            assert!(one(&[&bytes[..], &[0]].concat(), OCTET_STRING).is_err());
        }
        // A length with a leading zero, an indefinite one, a long tag.
        for bytes in [&[4, 0x81, 1, 7][..], &[0x30, 0x80, 0, 0], &[0x3F, 0x81, 1, 0], &[4], &[4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]] {
            assert!(all(bytes).is_err(), "{bytes:?}");
        }
    }
}

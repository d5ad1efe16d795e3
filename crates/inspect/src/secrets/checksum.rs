//! Checks that some token formats carry in themselves: what fails them is no token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// How a match is checked beyond its pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Check {
    None,
    /// The last six characters are the CRC-32 of the thirty before, in base 62 (GitHub's and npm's tokens).
    Crc62,
    /// Bech32 with this checksum (age's keys, BIP 173).
    Bech32,
    /// Base64 of a macaroon that names pypi.org.
    PyPi,
    /// After a `=`, base64 of 64 bytes (Azure's storage keys).
    Base64Of64,
    /// Three parts of base64url, the first two JSON objects, the first with `alg` (RFC 7519).
    Jwt,
    /// The mark that all of OpenAI's keys have in their middle.
    OpenAi,
    /// Both letters and digits: prefixes that words may have, too.
    LettersAndDigits,
}

pub fn holds(check: Check, token: &[u8]) -> bool {
    match check {
        Check::None => true,
        Check::Crc62 => crc62(token),
        Check::Bech32 => bech32(token),
        Check::PyPi => {
            token.get(5..).is_some_and(|body| decode(body).is_some_and(|bytes| bytes.windows(8).any(|window| window == b"pypi.org")))
        }
        Check::Base64Of64 => {
            let key = token.iter().position(|byte| *byte == b'=').and_then(|at| token.get(at + 1..));
            key.and_then(decode).is_some_and(|bytes| bytes.len() == 64)
        }
        Check::OpenAi => token.windows(8).any(|window| window == b"T3BlbkFJ"),
        Check::Jwt => jwt(token),
        Check::LettersAndDigits => token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic),
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let trimmed = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let text = text.get(..trimmed)?;
    URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

fn crc62(token: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((body, check)) = token.len().checked_sub(36).and_then(|start| token.get(start..)).map(|tail| tail.split_at(30)) else {
        return false;
    };
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let mut rest = crc.sum();
    check.iter().rev().all(|byte| {
        let digit = DIGITS.get((rest % 62) as usize);
        rest /= 62;
        digit == Some(byte)
    })
}

fn bech32(token: &[u8]) -> bool {
    const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let lower = token.to_ascii_lowercase();
    let Some(split) = lower.iter().rposition(|byte| *byte == b'1') else { return false };
    let (prefix, data) = (lower.get(..split).unwrap_or_default(), lower.get(split + 1..).unwrap_or_default());
    let values = data.iter().map(|byte| DIGITS.iter().position(|digit| digit == byte).and_then(|at| u32::try_from(at).ok()));
    let Some(values) = values.collect::<Option<Vec<u32>>>() else { return false };
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let sum = high.chain([0]).chain(low).chain(values).fold(1u32, |sum, value| {
        let top = sum >> 25;
        let mixed = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(mixed, |mixed, (_, term)| mixed ^ term)
    });
    sum == 1
}

fn jwt(token: &[u8]) -> bool {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let [header, payload, signature] = parts.as_slice() else { return false };
    let object = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let (Some(header), Some(payload)) = (object(header), object(payload)) else { return false };
    let signed = header.get("alg").and_then(|alg| alg.as_str()).is_some_and(|alg| !alg.eq_ignore_ascii_case("none"));
    // The example of RFC 7519's tools has this subject.
    let documented = payload.get("sub").and_then(|sub| sub.as_str()) == Some("1234567890");
    signed && payload.is_object() && !documented && signature.len() >= 20
}

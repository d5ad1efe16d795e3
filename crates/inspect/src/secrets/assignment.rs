//! Random values given to names that say "secret": `api_key = "…"`. Either alone is no finding.

use super::Hit;
use super::text::{entropy, placeholder};
use crate::finding::Severity;

pub const RULE: &str = "assigned-secret";
/// Values beyond this are data, not secrets.
const VALUE_MAX: usize = 200;
const VALUE_MIN: usize = 16;
/// A line is looked at as far as this: minified code has no assignments that people wrote.
const LINE_MAX: usize = 4096;

/// Files whose values need no quotes.
const PLAIN: [&str; 9] = [".env", ".ini", ".cfg", ".conf", ".properties", ".toml", ".yaml", ".yml", ".netrc"];
/// What the last words of a name say.
const NAMES: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretkey",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authkey",
    "clientsecret",
    "encryptionkey",
    "signingkey",
    "credentials",
    "authtoken",
    "accesstoken",
    "apitoken",
    "apisecret",
    "masterkey",
    "secretaccesskey",
];
/// Names that end like a secret and are none.
const NOT_NAMES: [&str; 9] = [
    "nextpagetoken",
    "pagetoken",
    "csrftoken",
    "cancellationtoken",
    "publickeytoken",
    "synctoken",
    "continuationtoken",
    "pagingtoken",
    "resumetoken",
];

pub(super) fn find(path: &str, bytes: &[u8], hits: &mut Vec<Hit>) {
    let file = path.rsplit('/').next().unwrap_or(path);
    let plain = PLAIN.iter().any(|end| file.ends_with(end)) || file.starts_with(".env");
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.len() <= LINE_MAX {
            in_line(line, start, plain, hits);
        }
        start += line.len();
    }
}

fn in_line(line: &[u8], offset: usize, plain: bool, hits: &mut Vec<Hit>) {
    for (at, byte) in line.iter().enumerate() {
        if !b"=:".contains(byte) {
            continue;
        }
        let next = line.get(at + 1).copied().unwrap_or_default();
        // `==`, `::`, `://` and `=~` are no assignments; `=>` and `:=` are.
        let compares = b"=:/~".contains(&next) && !(*byte == b':' && next == b'=');
        let second_half = at > 0 && line.get(at - 1).is_some_and(|before| b"=!<>".contains(before));
        if compares || second_half {
            continue;
        }
        let Some(name) = name_before(line.get(..at).unwrap_or_default()) else { continue };
        if !says_secret(&name) {
            continue;
        }
        let mut from = at + 1;
        while line.get(from).is_some_and(|byte| b" \t=>".contains(byte)) {
            from += 1;
        }
        if let Some((start, end)) = value(line, from, plain)
            && random(line.get(start..end).unwrap_or_default())
        {
            hits.push(Hit {
                rule: RULE,
                what: "a random value under a name that says secret",
                severity: Severity::Medium,
                start: offset + start,
                end: offset + end,
                shown: 0,
            });
        }
    }
}

/// The name before the sign, in lower case and without separators; an environment's or object's prefix stays in it.
fn name_before(before: &[u8]) -> Option<String> {
    let end = before.iter().rposition(|byte| !b" \t\"'`]:".contains(byte))? + 1;
    let named = before.get(..end)?;
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let start = named.iter().rposition(|byte| !word(byte)).map_or(0, |at| at + 1);
    let name = named.get(start..)?;
    (!name.is_empty() && name.len() <= 100)
        .then(|| name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| byte.to_ascii_lowercase() as char).collect())
}

fn says_secret(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    NAMES.iter().any(|word| name.ends_with(word)) && !NOT_NAMES.iter().any(|word| name.ends_with(word))
}

fn value(line: &[u8], from: usize, plain: bool) -> Option<(usize, usize)> {
    let quote = *line.get(from)?;
    if b"\"'`".contains(&quote) {
        let start = from + 1;
        let end = line.get(start..)?.iter().position(|byte| *byte == quote).map(|at| start + at)?;
        return Some((start, end));
    }
    if !plain {
        return None;
    }
    let end =
        line.get(from..)?.iter().position(|byte| byte.is_ascii_whitespace() || b"#;,".contains(byte)).map_or(line.len(), |at| from + at);
    Some((from, end))
}

/// Whether a value looks drawn at random: long enough, of few kinds of characters, letters and digits mixed, evenly spread.
fn random(value: &[u8]) -> bool {
    if !(VALUE_MIN..=VALUE_MAX).contains(&value.len()) || placeholder(value) {
        return false;
    }
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-.~!@^&*".contains(byte);
    let count = |kind: fn(&u8) -> bool| value.iter().filter(|byte| kind(byte)).count();
    let (digits, letters) = (count(u8::is_ascii_digit), count(u8::is_ascii_alphabetic));
    if !value.iter().all(fits) || digits < 2 || letters < 2 || is_uuid(value) || is_path_or_name(value) {
        return false;
    }
    let hexadecimal = value.iter().all(u8::is_ascii_hexdigit);
    let least = if hexadecimal { 3.0 } else { 3.6 };
    if hexadecimal && value.len() < 24 {
        return false;
    }
    entropy(value) >= least
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| if [8, 13, 18, 23].contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// `config/prod/token-v2.json`, `my-service-token-2024`, `com.example.Auth2Token`: words with separators, not one random text.
fn is_path_or_name(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let words: Vec<&str> = text.split(['/', '.', '-', '_', '@', '&']).filter(|word| !word.is_empty()).collect();
    let plain_word = |word: &&str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        // A word, or a number; with few changes between small and capital letters.
        let changes = letters
            .as_bytes()
            .windows(2)
            .filter(|pair| pair.first().is_some_and(u8::is_ascii_lowercase) != pair.get(1).is_some_and(u8::is_ascii_lowercase))
            .count();
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && changes <= 1 + letters.len() / 5
    };
    words.len() > 1 && words.iter().filter(|word| plain_word(word)).count() * 4 >= words.len() * 3
}

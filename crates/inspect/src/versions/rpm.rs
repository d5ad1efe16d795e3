//! rpm's order: epoch, then version, then release, each by `rpmvercmp` (rpm.org manual, "Dependencies": versioning).

use super::number::Number;
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub struct Rpm {
    epoch: Number,
    version: String,
    release: String,
}

pub fn read(text: &str) -> Option<Rpm> {
    let text = text.trim();
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Number::read(epoch)?, rest),
        None => (Number::default(), text),
    };
    let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if version.is_empty() || !version.bytes().chain(release.bytes()).all(fits) {
        return None;
    }
    Some(Rpm { epoch, version: version.to_owned(), release: release.to_owned() })
}

fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let counts = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'~' || *byte == b'^';
        a = a.get(a.iter().position(counts).unwrap_or(a.len())..).unwrap_or_default();
        b = b.get(b.iter().position(counts).unwrap_or(b.len())..).unwrap_or_default();
        match (a.first(), b.first()) {
            // A tilde is below everything, the end too.
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            // A caret is above the end, and below everything else.
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(first), Some(second)) => {
                let numeric = first.is_ascii_digit();
                if numeric != second.is_ascii_digit() {
                    return if numeric { Ordering::Greater } else { Ordering::Less };
                }
                let same = |byte: &u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
                let (left, rest_a) = a.split_at(a.iter().position(|byte| !same(byte)).unwrap_or(a.len()));
                let (right, rest_b) = b.split_at(b.iter().position(|byte| !same(byte)).unwrap_or(b.len()));
                let order = if numeric {
                    let (left, right) = (without_zeros(left), without_zeros(right));
                    (left.len(), left).cmp(&(right.len(), right))
                } else {
                    left.cmp(right)
                };
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    digits.get(digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len())..).unwrap_or_default()
}

impl Ord for Rpm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(&self.version, &other.version))
            .then_with(|| compare_part(&self.release, &other.release))
    }
}

impl PartialOrd for Rpm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rpm {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rpm {}

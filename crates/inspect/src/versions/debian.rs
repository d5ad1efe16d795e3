//! dpkg's order (Debian policy manual, section 5.6.12): epoch, upstream version, revision.

use super::number::Number;
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub struct Debian {
    epoch: Number,
    upstream: String,
    revision: String,
}

pub fn read(text: &str) -> Option<Debian> {
    let text = text.trim();
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Number::read(epoch)?, rest),
        None => (Number::default(), text),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".+~-:".contains(&byte);
    if upstream.is_empty() || !upstream.bytes().chain(revision.bytes()).all(fits) {
        return None;
    }
    Some(Debian { epoch, upstream: upstream.to_owned(), revision: revision.to_owned() })
}

/// `~` is below the end, the end below letters, letters below everything else.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        b'0'..=b'9' => 0,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let not_digit = |bytes: &[u8]| bytes.first().is_some_and(|byte| !byte.is_ascii_digit());
    while !a.is_empty() || !b.is_empty() {
        while not_digit(a) || not_digit(b) {
            let of = |bytes: &[u8]| bytes.first().map_or(0, |byte| weight(*byte));
            let order = of(a).cmp(&of(b));
            if order.is_ne() {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let (number_a, rest_a) = take_number(a);
        let (number_b, rest_b) = take_number(b);
        let order = (number_a.len(), number_a).cmp(&(number_b.len(), number_b));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The digits at the beginning, without zeros before them, and what follows.
fn take_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at(end);
    let zeros = digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    (digits.get(zeros..).unwrap_or_default(), rest)
}

impl Ord for Debian {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(&self.upstream, &other.upstream))
            .then_with(|| compare_part(&self.revision, &other.revision))
    }
}

impl PartialOrd for Debian {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Debian {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Debian {}

//! Decimal numbers of any length: versions have dates and hashes in them, and a number must not overflow.

use std::cmp::Ordering;

/// Digits without leading zeros; zero is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Number(String);

impl Number {
    /// `None` for anything but one or more ASCII digits.
    pub fn read(text: &str) -> Option<Number> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| Number(text.trim_start_matches('0').to_owned()))
    }
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two lists of numbers, the shorter filled up with zeros.
pub fn compare_filled(a: &[Number], b: &[Number]) -> Ordering {
    let zero = Number::default();
    (0..a.len().max(b.len()))
        .map(|at| a.get(at).unwrap_or(&zero).cmp(b.get(at).unwrap_or(&zero)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// `text` cut where digits begin or end.
pub fn digit_runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.bytes().next()?.is_ascii_digit();
        let end = rest.bytes().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}

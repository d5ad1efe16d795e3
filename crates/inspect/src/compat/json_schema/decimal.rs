//! Exact decimal numbers, as JSON texts write them: a bound of 0.1 is a tenth, and `multipleOf` divides without rounding.
//!
//! Deliberately bounded: 36 significant digits and exponents within ±100,000; what does not fit is refused, never rounded.

use std::cmp::Ordering;
use std::fmt;

/// Significant digits that a number may have.
const DIGITS_MAX: usize = 36;
const EXPONENT_MAX: i64 = 100_000;

/// `mantissa × 10^exponent`; the mantissa has no trailing zeros, zero is `0 × 10^0`: equal numbers are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    pub const ZERO: Decimal = Decimal { mantissa: 0, exponent: 0 };
    pub const ONE: Decimal = Decimal { mantissa: 1, exponent: 0 };

    fn normal(mut mantissa: i128, mut exponent: i64) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self::ZERO);
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let fits = exponent.abs() <= EXPONENT_MAX && mantissa.unsigned_abs() < 10u128.pow(DIGITS_MAX as u32);
        fits.then_some(Self { mantissa, exponent: exponent as i32 })
    }
    /// `None` where it is no JSON number or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (sign, number) = match number.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let part = part.trim_end_matches('0');
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(part.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        Self::normal(sign * mantissa, exponent.checked_sub(part.len() as i64)?)
    }
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }
    pub fn is_integer(self) -> bool {
        self.exponent >= 0
    }
    /// As a count, where it is a whole number from 0 to 2^63.
    pub fn count(self) -> Option<u64> {
        if self.mantissa < 0 || self.exponent < 0 || self.exponent > 18 {
            return None;
        }
        let number = self.mantissa.checked_mul(10i128.checked_pow(self.exponent as u32)?)?;
        u64::try_from(number).ok().filter(|number| *number < 1 << 63)
    }
    /// `self × 10^shift`.
    pub fn shifted(self, shift: i32) -> Option<Self> {
        Self::normal(self.mantissa, i64::from(self.exponent) + i64::from(shift))
    }
    /// Both as whole multiples of the same power of ten.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = match (self.is_zero(), other.is_zero()) {
            (true, _) => other.exponent,
            (_, true) => self.exponent,
            _ => self.exponent.min(other.exponent),
        };
        let scale = |one: Self| {
            if one.is_zero() {
                return Some(0);
            }
            one.mantissa.checked_mul(10i128.checked_pow(one.exponent.checked_sub(exponent)?.try_into().ok()?)?)
        };
        Some((scale(self)?, scale(other)?, exponent))
    }
    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, exponent) = self.aligned(other)?;
        Self::normal(a.checked_add(b)?, exponent.into())
    }
    pub fn minus(self, other: Self) -> Option<Self> {
        let (a, b, exponent) = self.aligned(other)?;
        Self::normal(a.checked_sub(b)?, exponent.into())
    }
    pub fn times(self, factor: i128) -> Option<Self> {
        Self::normal(self.mantissa.checked_mul(factor)?, self.exponent.into())
    }
    /// Whether it is a whole multiple of `other`; `None` where that cannot be computed. Nothing is a multiple of zero.
    pub fn is_multiple_of(self, other: Self) -> Option<bool> {
        if self.is_zero() {
            return Some(true);
        }
        if other.is_zero() {
            return Some(false);
        }
        if other.exponent > self.exponent {
            // The mantissa has no factor ten left.
            return Some(false);
        }
        let modulus = other.mantissa.unsigned_abs();
        let mut rest = self.mantissa.unsigned_abs() % modulus;
        let mut left = self.exponent - other.exponent;
        while left > 0 && rest != 0 {
            let step = left.min(18);
            rest = rest.checked_mul(10u128.pow(step as u32))? % modulus;
            left -= step;
        }
        Some(rest == 0)
    }
    /// The least positive number of which both are divisors.
    pub fn common_multiple(self, other: Self) -> Option<Self> {
        let (a, b, exponent) = self.aligned(other)?;
        let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
        let (mut x, mut y) = (a, b);
        while y != 0 {
            (x, y) = (y, x % y);
        }
        let multiple = a.checked_div(x)?.checked_mul(b)?;
        Self::normal(i128::try_from(multiple).ok()?, exponent.into())
    }
    /// The greatest whole `k` with `k × step ≤ self`; `step` is positive.
    pub fn quotient(self, step: Self) -> Option<i128> {
        let (a, b, _) = self.aligned(step)?;
        (b > 0).then(|| a.div_euclid(b))
    }
    /// Decimal digits before the point, less one: the order of magnitude.
    fn magnitude(self) -> i64 {
        i64::from(self.mantissa.unsigned_abs().checked_ilog10().unwrap_or(0)) + i64::from(self.exponent)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if sign != Ordering::Equal || self.mantissa == 0 {
            return sign;
        }
        let size = match self.magnitude().cmp(&other.magnitude()) {
            // Of the same order: the exponents differ by at most the digits.
            Ordering::Equal => match self.aligned(*other) {
                Some((a, b, _)) => a.unsigned_abs().cmp(&b.unsigned_abs()),
                None => Ordering::Equal,
            },
            different => different,
        };
        if self.mantissa < 0 { size.reverse() } else { size }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        match self.exponent {
            0..=20 => write!(f, "{sign}{digits}{}", "0".repeat(self.exponent as usize)),
            -20..0 => {
                let places = self.exponent.unsigned_abs() as usize;
                let padded = format!("{digits:0>width$}", width = places + 1);
                let (whole, part) = padded.split_at(padded.len() - places);
                write!(f, "{sign}{whole}.{part}")
            }
            _ => write!(f, "{sign}{digits}e{}", self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_exactly() {
        for (text, told) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("100", "100"),
            ("1e3", "1000"),
            ("-12.5e-3", "-0.0125"),
            ("1.7976931348623157e308", "17976931348623157e292"),
            ("9007199254740993", "9007199254740993"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(decimal(text).to_string(), told, "{text}");
        }
        for text in ["", "-", "1e", "0x1", "1e99999999", "1234567890123456789012345678901234567890"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_exact_over_any_distance() {
        let sorted = ["-1e300", "-2", "-1.5", "-1e-300", "0", "1e-300", "0.1", "0.10000000000000000001", "2", "19", "20", "1e300"];
        for (place, one) in sorted.iter().enumerate() {
            for (other_place, other) in sorted.iter().enumerate() {
                assert_eq!(decimal(one).cmp(&decimal(other)), place.cmp(&other_place), "{one} {other}");
            }
        }
    }

    #[test]
    fn multiples_do_not_round() {
        for (number, step, is) in [
            ("0.3", "0.1", true),
            ("1e308", "0.01", true),
            ("19.99", "0.01", true),
            ("19.995", "0.01", false),
            ("5", "10", false),
            ("0", "7", true),
        ] {
            assert_eq!(decimal(number).is_multiple_of(decimal(step)), Some(is), "{number} {step}");
        }
        assert_eq!(decimal("0.4").common_multiple(decimal("0.6")), Some(decimal("1.2")));
        assert_eq!(decimal("-7").quotient(decimal("2")), Some(-4));
        assert_eq!(decimal("-7").is_multiple_of(decimal("7")), Some(true));
    }
}

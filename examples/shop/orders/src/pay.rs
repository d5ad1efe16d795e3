//! Payment: is this card good for this amount? The answer is an authorisation or a refusal.
//!
//! No money moves here and no card number is kept: the order stores the authorisation only.

use serde::Deserialize;

/// A card as the customer typed it.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    pub number: String,
    /// Month and year as printed on the card, `MM/YY`.
    pub expires: String,
}

/// A refused payment: the customer can do something about each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not 12 to 19 digits, or the check digit is wrong.
    Number,
    /// Not a month and a year.
    ExpiryUnreadable,
    Expired,
    /// Above what one order may charge.
    Amount,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Refused::Number => "the card number is not valid",
            Refused::ExpiryUnreadable => "the expiry date is not a month and a year (MM/YY)",
            Refused::Expired => "the card has expired",
            Refused::Amount => "the amount is above the limit of one payment",
        })
    }
}

/// Most that one payment may charge, in cents.
pub const LIMIT_CENTS: i64 = 500_000;

/// Authorises `cents` on a card. `today` is (year, month), because the clock is the caller's.
pub fn authorise(card: &Card, cents: i64, today: (u16, u8)) -> Result<String, Refused> {
    let digits = digits(&card.number).ok_or(Refused::Number)?;
    if !check_digit_is_right(&digits) {
        return Err(Refused::Number);
    }
    if expiry(&card.expires)? < today {
        return Err(Refused::Expired);
    }
    if !(1..=LIMIT_CENTS).contains(&cents) {
        return Err(Refused::Amount);
    }
    let last = digits.iter().skip(digits.len() - 4).fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    Ok(format!("auth-{last:04}-{cents}"))
}

/// The digits of a card number; spaces between groups are allowed.
fn digits(number: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = number
        .chars()
        .filter(|letter| *letter != ' ')
        .map(|letter| letter.to_digit(10).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    digits.filter(|digits| (12..=19).contains(&digits.len()))
}

/// ISO/IEC 7812-1, annex B: doubling every second digit from the right, the sum ends in 0.
fn check_digit_is_right(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// (year, month) of `MM/YY`. A card is good until the end of that month.
fn expiry(text: &str) -> Result<(u16, u8), Refused> {
    let (month, year) = text.split_once('/').ok_or(Refused::ExpiryUnreadable)?;
    let month: u8 = month.trim().parse().map_err(|_| Refused::ExpiryUnreadable)?;
    let year: u16 = year.trim().parse().map_err(|_| Refused::ExpiryUnreadable)?;
    if !(1..=12).contains(&month) || year > 99 {
        return Err(Refused::ExpiryUnreadable);
    }
    Ok((2000 + year, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: (u16, u8) = (2026, 11);

    fn pay(number: &str, expires: &str, cents: i64) -> Result<String, Refused> {
        authorise(&Card { number: number.to_owned(), expires: expires.to_owned() }, cents, TODAY)
    }

    #[test]
    fn a_good_card_is_authorised_for_the_amount() {
        assert_eq!(Ok("auth-1111-1250".to_owned()), pay("4111 1111 1111 1111", "12/29", 1250));
    }

    #[test]
    fn a_wrong_check_digit_is_refused() {
        assert_eq!(Err(Refused::Number), pay("4111 1111 1111 1112", "12/29", 1250));
    }

    #[test]
    fn letters_and_short_numbers_are_refused() {
        assert_eq!(Err(Refused::Number), pay("4111 1111 1111 111x", "12/29", 1250));
        assert_eq!(Err(Refused::Number), pay("42", "12/29", 1250));
    }

    #[test]
    fn a_card_is_good_until_the_end_of_its_month() {
        assert!(pay("4111111111111111", "11/26", 1250).is_ok());
        assert_eq!(Err(Refused::Expired), pay("4111111111111111", "10/26", 1250));
    }

    #[test]
    fn an_amount_above_the_limit_or_nothing_is_refused() {
        assert!(pay("4111111111111111", "12/29", LIMIT_CENTS).is_ok());
        assert_eq!(Err(Refused::Amount), pay("4111111111111111", "12/29", LIMIT_CENTS + 1));
        assert_eq!(Err(Refused::Amount), pay("4111111111111111", "12/29", 0));
    }

    // The customer types this text: whatever it is, the answer is a sentence.
    #[test]
    fn an_expiry_that_is_no_date_is_refused() {
        for text in ["", "1229", "12-29", "/", "13/29", "0/29", "ab/cd", "12/2029"] {
            assert_eq!(Err(Refused::ExpiryUnreadable), pay("4111111111111111", text, 1250), "{text:?}");
        }
    }
}

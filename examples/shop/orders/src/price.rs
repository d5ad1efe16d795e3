//! What an order costs. Whole cents throughout; nothing here reads the clock or the database.

use crate::catalogue::{self, MOST_PIECES};
use serde::Serialize;

/// A price as the customer sees it. All amounts are euro cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    pub sku: String,
    pub qty: u32,
    pub unit_cents: i64,
    pub total_cents: i64,
}

/// Why there is no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPrice {
    /// The catalogue has no such article.
    UnknownArticle(String),
    /// Nothing, or more pieces than one order may have.
    Pieces(u32),
    /// The shop's own tables do not add up: our mistake, not the customer's.
    Internal(&'static str),
}

impl std::fmt::Display for NoPrice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoPrice::UnknownArticle(sku) => write!(out, "there is no article {sku:?}"),
            NoPrice::Pieces(qty) => write!(out, "{qty} pieces: an order has 1 to {MOST_PIECES}"),
            NoPrice::Internal(what) => write!(out, "no price: {what}"),
        }
    }
}

/// The price of `qty` pieces of an article.
pub fn quote(sku: &str, qty: u32) -> Result<Quote, NoPrice> {
    let article = catalogue::find(sku).ok_or_else(|| NoPrice::UnknownArticle(sku.to_owned()))?;
    if !(1..=MOST_PIECES).contains(&qty) {
        return Err(NoPrice::Pieces(qty));
    }
    let goods = article.cents.checked_mul(i64::from(qty)).ok_or(NoPrice::Internal("the sum overflows"))?;
    Ok(Quote { sku: article.sku.to_owned(), qty, unit_cents: article.cents, total_cents: goods })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_costs_the_catalogue_price() {
        let quote = quote("mug-white", 1).unwrap();
        assert_eq!((1250, 1250), (quote.unit_cents, quote.total_cents));
    }

    #[test]
    fn three_pieces_cost_three_times_as_much() {
        assert_eq!(3 * 690, quote("tea-assam", 3).unwrap().total_cents);
    }

    #[test]
    fn no_piece_and_too_many_have_no_price() {
        assert_eq!(Err(NoPrice::Pieces(0)), quote("tea-assam", 0));
        assert_eq!(Err(NoPrice::Pieces(MOST_PIECES + 1)), quote("tea-assam", MOST_PIECES + 1));
    }

    #[test]
    fn an_unknown_article_is_named() {
        let sentence = quote("tea-moon", 1).unwrap_err().to_string();
        assert_eq!("there is no article \"tea-moon\"", sentence);
    }
}

//! What the shop sells. The list is part of the program: a change of assortment is a release.

use serde::Serialize;

/// One article and its price for one piece, in euro cents.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Article {
    pub sku: &'static str,
    pub name: &'static str,
    pub cents: i64,
}

const fn article(sku: &'static str, name: &'static str, cents: i64) -> Article {
    Article { sku, name, cents }
}

/// Every article, best sellers first.
pub const ARTICLES: &[Article] = &[
    article("tea-assam", "Assam, 100 g", 690),
    article("mug-white", "Mug, white", 1250),
    article("pot-glass", "Glass teapot, 1 l", 3490),
    article("iron-pot", "Cast iron pot, 9 l", 8900),
    article("tea-sencha", "Sencha, 100 g", 980),
    article("honey-lime", "Lime honey, 500 g", 850),
    article("mug-blue", "Mug, blue", 1250),
    article("kettle-steel", "Kettle, steel", 4450),
    article("filter-paper", "Paper filters, 100 pieces", 420),
    article("tea-oolong", "Oolong, 100 g", 1290),
    article("millstone", "Hand mill with granite stone", 18900),
    article("spoon-olive", "Spoon, olive wood", 640),
];

/// Most pieces of one article in one order.
pub const MOST_PIECES: u32 = 12;

/// The article with this SKU, as written in the catalogue.
pub fn find(sku: &str) -> Option<&'static Article> {
    ARTICLES.iter().find(|article| article.sku == sku)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sku_is_there_once_and_costs_something() {
        for article in ARTICLES {
            assert_eq!(1, ARTICLES.iter().filter(|other| other.sku == article.sku).count());
            assert!(article.cents > 0, "{} is free", article.sku);
        }
    }

    #[test]
    fn a_sku_is_found_as_written_only() {
        assert_eq!(Some("Mug, blue"), find("mug-blue").map(|article| article.name));
        assert!(find("MUG-BLUE").is_none());
        assert!(find("").is_none());
    }
}

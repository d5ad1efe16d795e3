//! Who comes when and wants what. All of it follows from the seed and the catalogue, nothing from the answers.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    pub fn fraction(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// An index, each as often as its weight says.
    pub fn pick(&mut self, weights: &[u32]) -> usize {
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut left = self.draw() % sum.max(1);
        for (index, weight) in weights.iter().enumerate() {
            if left < u64::from(*weight) {
                return index;
            }
            left -= u64::from(*weight);
        }
        0
    }
}

/// What a visitor wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Front,
    Product {
        sku: String,
        qty: u32,
    },
    /// Look at an order that was acknowledged; `which` selects among those there are by then.
    Order {
        which: u64,
    },
    Checkout {
        sku: String,
        qty: u32,
    },
    /// Click on "buy" again for an earlier checkout.
    Again {
        which: u64,
    },
}

/// One planned request: `at` counts from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub at: Duration,
    pub wish: Wish,
}

/// Sales by place in the catalogue, best sellers first, and by number of pieces (1, 2, 3 …), per 1000.
const SALES: [u32; 12] = [200, 150, 120, 60, 100, 90, 80, 60, 50, 40, 40, 10];
const PIECES: [u32; 12] = [330, 130, 70, 50, 33, 180, 20, 50, 12, 70, 5, 50];
/// Reads by kind, per 1000: front page, product, order.
const READS: [u32; 3] = [100, 750, 150];
/// Of 1000 writes, this many repeat an earlier one.
const AGAIN: u64 = 50;

/// An endless timetable with exponential gaps: arrivals of independent customers.
pub struct Timetable {
    chance: Chance,
    skus: Vec<String>,
    rate: f64,
    writes: f64,
    at: f64,
}

impl Timetable {
    /// `rate` in requests per second, `writes` as a share of them.
    pub fn new(seed: u64, skus: Vec<String>, rate: f64, writes: f64) -> Timetable {
        Timetable { chance: Chance::new(seed), skus, rate, writes, at: 0.0 }
    }

    fn wish(&mut self) -> Wish {
        if self.chance.fraction() < self.writes {
            if self.chance.draw() % 1000 < AGAIN {
                return Wish::Again { which: self.chance.draw() };
            }
            let (sku, qty) = self.basket();
            return Wish::Checkout { sku, qty };
        }
        match self.chance.pick(&READS) {
            0 => Wish::Front,
            1 => {
                let (sku, qty) = self.basket();
                Wish::Product { sku, qty }
            }
            _ => Wish::Order { which: self.chance.draw() },
        }
    }

    fn basket(&mut self) -> (String, u32) {
        let known = self.skus.len().min(SALES.len());
        let sku = self.skus.get(self.chance.pick(&SALES[..known])).cloned().unwrap_or_default();
        let qty = u32::try_from(self.chance.pick(&PIECES) + 1).unwrap_or(1);
        (sku, qty)
    }
}

impl Iterator for Timetable {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        self.at += -(1.0 - self.chance.fraction()).ln() / self.rate;
        let at = Duration::from_secs_f64(self.at);
        Some(Visit { at, wish: self.wish() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visits(seed: u64, count: usize) -> Vec<Visit> {
        let skus = (0..12).map(|number| format!("sku-{number}")).collect();
        Timetable::new(seed, skus, 240.0, 0.1).take(count).collect()
    }

    #[test]
    fn the_same_seed_is_the_same_timetable() {
        assert_eq!(visits(7, 500), visits(7, 500));
        assert_ne!(visits(7, 500), visits(8, 500));
    }

    #[test]
    fn the_rate_is_kept_on_average() {
        let last = visits(1, 24_000).pop().unwrap();
        assert!((95.0..105.0).contains(&last.at.as_secs_f64()), "{:?}", last.at);
    }

    #[test]
    fn a_tenth_are_writes() {
        let writes = visits(1, 20_000).iter().filter(|visit| matches!(visit.wish, Wish::Checkout { .. } | Wish::Again { .. })).count();
        assert!((1_850..2_150).contains(&writes), "{writes}");
    }

    #[test]
    fn weights_are_shares() {
        let mut chance = Chance::new(3);
        let second = (0..10_000).filter(|_| chance.pick(&[1, 3]) == 1).count();
        assert!((7_300..7_700).contains(&second), "{second}");
    }
}

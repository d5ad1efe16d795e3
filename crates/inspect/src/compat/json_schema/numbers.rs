//! Whether a number lies between bounds, on some grids and off others; and which.
//!
//! Exact: a grid is a decimal step, never a rounded one.

use super::decimal::Decimal;

/// Candidates that are looked at before the search is given up.
const LOOKED_AT_MAX: i128 = 20_000;

/// A bound and whether the bound itself is outside.
pub type Bound = (Decimal, bool);

/// What a number has to be.
#[derive(Debug, Default)]
pub struct Numbers {
    pub least: Option<Bound>,
    pub most: Option<Bound>,
    /// Steps of which it has to be a multiple; all positive.
    pub on: Vec<Decimal>,
    /// Steps of which it must be no multiple; all positive.
    pub off: Vec<Decimal>,
    pub not: Vec<Decimal>,
}

/// What a search among texts or numbers ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    One(T),
    None,
    /// There may be one.
    Unclear(&'static str),
}

const FAR: Found<Decimal> = Found::Unclear("the numbers are too far apart to be computed");

impl Numbers {
    pub fn at_least(&mut self, bound: Bound) {
        let tighter = self.least.is_none_or(|old| bound.0 > old.0 || bound.0 == old.0 && bound.1);
        if tighter {
            self.least = Some(bound);
        }
    }
    pub fn at_most(&mut self, bound: Bound) {
        let tighter = self.most.is_none_or(|old| bound.0 < old.0 || bound.0 == old.0 && bound.1);
        if tighter {
            self.most = Some(bound);
        }
    }
    fn inside(&self, number: Decimal) -> bool {
        let low = self.least.is_none_or(|(bound, outside)| number > bound || number == bound && !outside);
        low && self.most.is_none_or(|(bound, outside)| number < bound || number == bound && !outside)
    }
    fn fits(&self, number: Decimal) -> Option<bool> {
        if !self.inside(number) || self.not.contains(&number) {
            return Some(false);
        }
        for step in &self.on {
            if !number.is_multiple_of(*step)? {
                return Some(false);
            }
        }
        for step in &self.off {
            if number.is_multiple_of(*step)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// A number that fits, the plainest first.
    pub fn find(&self) -> Found<Decimal> {
        if let (Some((low, low_outside)), Some((high, high_outside))) = (self.least, self.most) {
            if low > high || low == high && (low_outside || high_outside) {
                return Found::None;
            }
            if low == high {
                return match self.fits(low) {
                    Some(true) => Found::One(low),
                    Some(false) => Found::None,
                    None => FAR,
                };
            }
        }
        let mut grid: Option<Decimal> = None;
        for step in &self.on {
            if step.is_zero() {
                return if self.fits(Decimal::ZERO) == Some(true) { Found::One(Decimal::ZERO) } else { Found::None };
            }
            grid = match grid {
                None => Some(*step),
                Some(grid) => match grid.common_multiple(*step) {
                    Some(common) => Some(common),
                    None => return FAR,
                },
            };
        }
        match grid {
            Some(grid) => self.on_grid(grid),
            None => self.anywhere(),
        }
    }

    /// Among the multiples of `grid`.
    fn on_grid(&self, grid: Decimal) -> Found<Decimal> {
        for step in &self.off {
            match grid.is_multiple_of(*step) {
                // Every multiple of the grid is one of this step, too.
                Some(true) => return Found::None,
                Some(false) => {}
                None => return FAR,
            }
        }
        let edge = |bound: Option<Bound>| match bound {
            Some((bound, _)) => bound.quotient(grid).map(Some).ok_or(()),
            None => Ok(None),
        };
        let (Ok(low), Ok(high)) = (edge(self.least), edge(self.most)) else { return FAR };
        let (from, direction, count) = match (low, high) {
            (None, None) => (0, 1, None),
            (Some(low), None) if low < 0 => (0, 1, None),
            (Some(low), None) => (low, 1, None),
            (None, Some(high)) if high > 0 => (0, -1, None),
            (None, Some(high)) => (high, -1, None),
            (Some(low), Some(high)) => (low, 1, high.checked_sub(low).and_then(|count| count.checked_add(1))),
        };
        for place in 0..LOOKED_AT_MAX.min(count.unwrap_or(i128::MAX)) {
            let Some(number) = grid.times(from + direction * place) else { return FAR };
            match self.fits(number) {
                Some(true) => return Found::One(number),
                Some(false) => {}
                None => return FAR,
            }
        }
        match count {
            Some(count) if count <= LOOKED_AT_MAX => Found::None,
            _ => Found::Unclear("too many numbers would have to be tried"),
        }
    }

    /// Where every number between the bounds is there, some number always fits: what is excluded are points.
    fn anywhere(&self) -> Found<Decimal> {
        let one = Decimal::ONE;
        let tries = self.not.len() as i64 + 16;
        for fineness in 0..12 {
            let (from, step) = match (self.least, self.most) {
                (Some((low, _)), Some((high, _))) => (Some(low), high.minus(low).and_then(|width| width.shifted(-fineness))),
                (Some((low, _)), None) => (Some(low), one.shifted(-fineness)),
                (None, Some((high, _))) => (Some(high), one.shifted(-fineness).and_then(|step| step.times(-1))),
                (None, None) => (Some(Decimal::ZERO), one.shifted(-fineness)),
            };
            let (Some(from), Some(step)) = (from, step) else { return FAR };
            if fineness == 0 {
                let whole = self.least.map_or(Decimal::ZERO, |(low, _)| low).quotient(one);
                let plain = [Some(Decimal::ZERO), Some(one), whole.and_then(|whole| one.times(whole + 1))];
                if let Some(number) = plain.into_iter().flatten().find(|number| self.fits(*number) == Some(true)) {
                    return Found::One(number);
                }
            }
            for place in 0..tries {
                let number = step.times(i128::from(place)).and_then(|distance| from.plus(distance));
                match number.map(|number| (number, self.fits(number))) {
                    Some((number, Some(true))) => return Found::One(number),
                    Some((_, Some(false))) => {}
                    _ => return FAR,
                }
            }
        }
        Found::Unclear("no number off the steps was found")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn numbers(least: Option<(&str, bool)>, most: Option<(&str, bool)>, on: &[&str], off: &[&str], not: &[&str]) -> Numbers {
        let all = |texts: &[&str]| texts.iter().map(|text| decimal(text)).collect();
        Numbers {
            least: least.map(|(text, outside)| (decimal(text), outside)),
            most: most.map(|(text, outside)| (decimal(text), outside)),
            on: all(on),
            off: all(off),
            not: all(not),
        }
    }

    #[test]
    fn a_number_is_found_where_there_is_one() {
        let there = [
            numbers(None, None, &[], &[], &["0", "1"]),
            numbers(Some(("0", true)), Some(("1", true)), &[], &[], &[]),
            numbers(Some(("0", true)), Some(("1", false)), &["1"], &[], &[]),
            numbers(Some(("5", false)), Some(("5", false)), &[], &[], &[]),
            numbers(None, None, &["2"], &["4"], &["2"]),
            numbers(Some(("0.1", true)), None, &["0.1"], &["0.2"], &[]),
            numbers(None, Some(("-3", false)), &["2", "3"], &[], &[]),
            numbers(Some(("0", false)), Some(("1", false)), &[], &["0.1", "0.25"], &[]),
        ];
        for one in there {
            match one.find() {
                Found::One(number) => assert_eq!(one.fits(number), Some(true), "{one:?} {number}"),
                other => panic!("{one:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn none_is_found_where_there_is_none() {
        let nowhere = [
            numbers(Some(("1", false)), Some(("0", false)), &[], &[], &[]),
            numbers(Some(("1", false)), Some(("1", true)), &[], &[], &[]),
            numbers(Some(("0", true)), Some(("1", true)), &["1"], &[], &[]),
            numbers(None, None, &["4"], &["2"], &[]),
            numbers(None, None, &["0.2"], &["0.1"], &[]),
            numbers(Some(("1", false)), Some(("3", false)), &["1"], &[], &["1", "2", "3"]),
            numbers(Some(("1", false)), Some(("1", false)), &[], &["0.5"], &[]),
        ];
        for one in nowhere {
            assert_eq!(one.find(), Found::None, "{one:?}");
        }
    }
}

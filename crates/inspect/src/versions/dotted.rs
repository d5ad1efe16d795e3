//! Numbers between dots and hyphens (CRAN, Hackage): compared one by one, and a longer one is above its beginning.

use super::number::Number;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dotted(Vec<Number>);

pub fn read(text: &str) -> Option<Dotted> {
    text.trim().split(['.', '-']).map(Number::read).collect::<Option<Vec<_>>>().map(Dotted)
}

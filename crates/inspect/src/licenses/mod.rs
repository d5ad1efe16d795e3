//! Licences: the SPDX list, licence expressions, and a policy over the components of an SBOM.
//!
//! Not here: finding out a licence from the text of a file; what is judged is what was declared.

pub mod expression;
pub mod list;
pub mod policy;

use crate::sbom::component::Licence;
use expression::Expression;

/// A declaration as it stands in a package: an expression where it is one of listed licences, a licence's full name as its
/// identifier, and otherwise words.
pub fn declared(text: &str) -> Licence {
    let text = text.trim();
    match Expression::parse(text) {
        Ok(expression) if expression.terms().iter().all(|term| !term.unknown) => Licence::Expression(expression.to_string()),
        _ => list::by_name(text).map_or_else(|| Licence::Name(text.to_owned()), |entry| Licence::Expression(entry.id.to_owned())),
    }
}

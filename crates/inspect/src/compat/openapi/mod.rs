//! OpenAPI 3.0, 3.1 and 3.2: whether clients of one description can live with another.
//!
//! By meaning, not by text: references are followed, `allOf` is merged, what can be said in several ways is the same in all
//! of them. Requests may get wider, responses narrower. What cannot be decided is `risky` and says so. Rules that oasdiff
//! has too carry its names.
//!
//! Swagger 2.0 is refused. Descriptions, examples, links and most extensions change nothing.

mod choices;
mod compare;
mod exchange;
mod lifecycle;
mod members;
mod operations;
mod pact;
mod report;
mod router;
mod schema;
mod security;
mod shape;
mod source;
mod usage;
mod validate;

pub use lifecycle::{Day, day};
pub use operations::OPERATIONS_MAX;
pub use pact::{Pact, verify};
pub use source::{FILES_MAX, Loading, Spec};
pub use usage::Usage;

use crate::document::ReadError;
use crate::finding::Finding;

/// What a judgement needs besides the two descriptions.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The day of the judgement; without it no announced day counts as past.
    pub today: Option<Day>,
}

/// What clients of `base` meet when `revision` takes its place; worst first.
pub fn compare(base: &Spec, revision: &Spec, options: &Options) -> Result<Vec<Finding>, ReadError> {
    let mut comparison = compare::Comparison::new(base, revision, options.today);
    let mut judge = operations::Judge { compare: &mut comparison, today: options.today, operations: Vec::new(), loose: Vec::new() };
    judge.all()?;
    let roots: Vec<usize> = judge.operations.iter().flat_map(|operation| &operation.roots).map(|edge| edge.to).collect();
    judge.compare.run(roots)?;
    Ok(report::findings(&judge))
}

//! M7.1 A closed release goes nowhere.

use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::ReleaseState;

pub const GATE: Gate = Gate { id: "lifecycle", title: "Life cycle", ask };

fn ask(question: &Question) -> Condition {
    match question.release.state {
        ReleaseState::Open => Atom::open("the release is open").into(),
        ReleaseState::Closed => Atom::shut(
            "REL-002",
            format!(
                "the release is closed ({})",
                serde_json::to_value(question.release.closure).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
            ),
            "make a new release",
        )
        .into(),
    }
}

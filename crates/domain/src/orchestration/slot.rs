//! M7.1 One run at a time for a service in an environment.

use crate::gate::{Atom, Condition, Gate, Question};
use serde_json::json;

pub const GATE: Gate = Gate { id: "slot", title: "Nobody else deploys", ask };

fn ask(question: &Question) -> Condition {
    let held = question.slot.as_ref().and_then(|slot| slot.held_by.as_ref());
    match held {
        Some(other) if question.run.as_ref().is_none_or(|run| run.id != *other) => Atom::waiting(
            "ORC-003",
            format!("{other} is deploying {} to {}", question.service.spec.name, question.stage.environment),
            "wait until it ends, or roll it back",
        )
        .with(json!({"run": other}))
        .into(),
        _ => Atom::open("free").into(),
    }
}

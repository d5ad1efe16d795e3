//! M7.1 Stages in order: what did not run well in the stage before does not go on.

use crate::gate::{Atom, Condition, Gate, Question};

pub const GATE: Gate = Gate { id: "previous", title: "Stage before", ask };

fn ask(question: &Question) -> Condition {
    let Some(before) = &question.previous else { return Atom::open("this is the first stage").into() };
    if !question.stage.gates.previous {
        return Atom::open("not asked for in this stage").into();
    }
    if question.release.succeeded_in(&before.environment) {
        return Atom::open(format!("ran in {} with this manifest", before.environment)).into();
    }
    Atom::waiting(
        "ORC-002",
        format!("has not run in {} with this manifest", before.environment),
        format!("deploy it to {} first", before.environment),
    )
    .into()
}

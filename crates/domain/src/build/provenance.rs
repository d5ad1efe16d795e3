//! M2.2 Versions and traceability (first depth): a component counts only with signed provenance of its very digest.

use crate::evidence;
use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::Summary;
use serde_json::json;

pub const GATE: Gate = Gate { id: "provenance", title: "Build provenance", ask };

fn ask(question: &Question) -> Condition {
    if !question.stage.gates.provenance {
        return Atom::open("not asked for in this stage").into();
    }
    let parts = question.release.manifest().components.iter().map(|(name, pin)| {
        let found = evidence::about(question, &pin.digest).find_map(|item| match &item.summary {
            Summary::Provenance { commit, builder, level, repository, .. } => Some((commit, builder, level, repository)),
            _ => None,
        });
        match found {
            Some((commit, builder, level, repository)) => {
                Atom::open(format!("{name} {} built by {builder} from {}", pin.digest.short(), short(commit))).with(
                    json!({"component": name, "digest": pin.digest, "commit": commit, "repository": repository, "slsa_build_level": level}),
                )
            }
            None => Atom::shut(
                "PROV-001",
                format!("no provenance for {name} {}", pin.digest.short()),
                format!("build {name} with a pipeline of this organisation, or add signed provenance of exactly this digest"),
            )
            .with(json!({"component": name, "digest": pin.digest})),
        }
        .into()
    });
    Condition::All(parts.collect())
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

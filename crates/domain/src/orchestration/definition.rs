//! M7.5 Immutability: the release's bytes and definitions are those it was sealed with.
//!
//! Components are digests already. Here the definitions (how it is run, and through which stages) are compared with the
//! digests in the manifest: a swapped command or pipeline after approval shuts.

use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::{PipelineSpec, ServiceSpec};
use holdpoint_seal::{canonical, digest::Digest};
use serde::Serialize;

pub const GATE: Gate = Gate { id: "immutability", title: "Immutability", ask };

/// Digest of a declaration: SHA-256 over its canonical JSON.
pub fn digest_of(value: &impl Serialize) -> Option<Digest> {
    canonical::to_vec(value).ok().map(|bytes| Digest::of(&bytes))
}

fn ask(question: &Question) -> Condition {
    let sealed = &question.release.manifest().definition;
    let service: &ServiceSpec = &question.service.spec;
    let pipeline: &PipelineSpec = &question.pipeline.spec;
    let check = |what: &str, now: Option<Digest>, then: &Digest| -> Condition {
        if now.as_ref() == Some(then) {
            Atom::open(format!("{what} as sealed ({})", then.short())).into()
        } else {
            Atom::shut(
                "IMM-001",
                format!("{what} changed since the manifest was sealed"),
                "amend the release to take the present definition; approvals are then asked again",
            )
            .into()
        }
    };
    Condition::All(vec![
        check("service definition", digest_of(service), &sealed.service),
        check("pipeline", digest_of(pipeline), &sealed.pipeline),
    ])
}

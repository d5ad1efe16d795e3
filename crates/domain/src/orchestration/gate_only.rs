//! D2 Gate-only mode: another tool asks, deploys by itself and reports back; we say yes or no, and remember.

use super::releases;
use crate::gate::Report;
use crate::gates;
use crate::kernel::{Actor, Decision, Kind, Refusal, Stop, Timestamp, View};
use crate::nouns::{Fact, Release, ReleaseState, Service, Slot};
use holdpoint_seal::digest::Digest;
use serde_json::json;

/// The open release of a service that contains a digest, newest first.
pub fn release_of(view: &View, service: &str, digest: &Digest) -> Result<Release, Stop> {
    let mut found: Vec<Release> = view
        .all::<Release>()?
        .into_iter()
        .filter(|release| release.state == ReleaseState::Open && release.manifest().service == service)
        .filter(|release| release.manifest().components.values().any(|pin| pin.digest == *digest) || release.manifest_digest() == digest)
        .collect();
    found.sort_by_key(|release| release.created_at);
    found.pop().ok_or_else(|| {
        Refusal::new(
            "GTE-001",
            format!("no open release of {service} contains {}", digest.short()),
            "make a release with this digest, so that there is evidence to judge",
        )
        .into()
    })
}

/// Asks every gate about a digest. Nothing is written.
pub fn check(view: &View, service: &str, environment: &str, digest: &Digest, now: Timestamp) -> Result<Report, Stop> {
    let release = release_of(view, service, digest)?;
    gates::report(view, release.id.as_str(), environment, None, now)
}

/// Another tool says what it deployed. `observed` is the version or digest that the running thing itself answered.
#[derive(Debug, Clone)]
pub struct Deployed {
    pub service: String,
    pub environment: String,
    pub digest: Digest,
    pub result: String,
    pub observed: Option<String>,
    pub actor: Actor,
}

/// Records it. A running digest that differs from the reported one is refused: the report is not true.
pub fn report(view: &View, told: &Deployed) -> Result<Decision, Stop> {
    let by = releases::person(&told.actor)?;
    releases::role(view, &by, &["ci", "operator", "release-manager", "admin"], "reporting a deployment")?;
    if view.get::<Service>(&told.service)?.is_none() {
        return Err(Refusal::new("ORG-001", format!("there is no service {:?}", told.service), "declare it").into());
    }
    if !matches!(told.result.as_str(), "succeeded" | "failed") {
        return Err(Refusal::new("GTE-002", format!("{:?} is no result", told.result), "say succeeded or failed").into());
    }
    observed(view, told)?;
    let key = Slot::key_of(&told.environment, &told.service);
    // The stream may be new; asking for it makes that known.
    let _slot: Option<Slot> = view.get(&key)?;
    let mut decision =
        Decision { answer: json!({"service": told.service, "environment": told.environment, "recorded": true}), ..Decision::default() };
    decision.fact(
        Kind::Slot,
        key,
        Fact::DeploymentReported {
            environment: told.environment.clone(),
            service: told.service.clone(),
            digest: told.digest,
            result: told.result.clone(),
            observed: told.observed.clone(),
            by,
        },
    );
    Ok(decision)
}

/// What runs must be what is said to have been deployed: the digest, or the version of the release that contains it. After
/// a failure anything may run.
fn observed(view: &View, told: &Deployed) -> Result<(), Stop> {
    let Some(observed) = told.observed.as_ref().filter(|_| told.result == "succeeded") else { return Ok(()) };
    let expected = if observed.starts_with("sha256:") {
        told.digest.to_string()
    } else {
        match release_of(view, &told.service, &told.digest) {
            Ok(release) => release.manifest().version.clone(),
            // Of bytes that no open release contains no version is known.
            Err(Stop::Refused(_)) => return Ok(()),
            Err(other) => return Err(other),
        }
    };
    if *observed == expected {
        return Ok(());
    }
    Err(Refusal::new(
        "GTE-003",
        format!(
            "{} in {} was reported as deployed, and what runs there says that it is {observed:?}, not {expected}",
            told.digest.short(),
            told.environment
        ),
        "report what runs, or report the deployment as failed",
    )
    .with(json!({"observed": observed, "expected": expected}))
    .into())
}

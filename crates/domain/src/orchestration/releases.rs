//! M7.1 Releases: sealed at creation, amended with a difference, promoted when asked.

use super::definition::digest_of;
use crate::kernel::{Actor, Decision, Kind, PersonId, Refusal, ReleaseId, Stop, Timestamp, View};
use crate::nouns::{ComponentPin, Definition, Fact, Manifest, Person, Pipeline, Release, ReleaseState, Service, Slot, Trigger};
use holdpoint_seal::digest::Digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a release is made of; definitions are taken from what is declared now.
#[derive(Debug, Clone)]
pub struct CreateRelease {
    pub id: ReleaseId,
    pub service: String,
    pub version: String,
    pub components: BTreeMap<String, Digest>,
    pub work_items: Vec<String>,
    pub config: BTreeMap<String, String>,
    pub triggers: Vec<Trigger>,
    pub actor: Actor,
}

/// Seals the manifest and opens the release.
pub fn create(view: &View, ask: &CreateRelease) -> Result<Decision, Stop> {
    let by = editor(view, &ask.actor)?;
    let (service, definition) = definition(view, &ask.service)?;
    check_version(&ask.version)?;
    let declared: Vec<&str> = service.spec.components.keys().map(String::as_str).collect();
    if let Some(unknown) = ask.components.keys().find(|name| !service.spec.components.contains_key(*name)) {
        return Err(Refusal::new(
            "REL-005",
            format!("service {} has no component {unknown:?}; it has {}", ask.service, declared.join(", ")),
            "name its components",
        )
        .into());
    }
    if ask.components.is_empty() {
        return Err(Refusal::new(
            "REL-005",
            "a release without components releases nothing",
            format!("pin at least one of {} by digest", declared.join(", ")),
        )
        .into());
    }
    let components = ask
        .components
        .iter()
        .map(|(name, digest)| (name.clone(), ComponentPin { digest: *digest, version: ask.version.clone() }))
        .collect();
    let manifest = Manifest {
        service: ask.service.clone(),
        version: ask.version.clone(),
        components,
        work_items: ask.work_items.clone(),
        config: ask.config.clone(),
        triggers: ask.triggers.clone(),
        definition,
    };
    let manifest_digest = seal(&manifest)?;
    let key = crate::kernel::DocKey::new(Kind::Release, ask.id.as_str());
    if view.position(&key)? != 0 {
        return Err(
            Refusal::new("REL-006", format!("release {} exists already", ask.id), "choose another version, or amend the release").into()
        );
    }
    let mut decision = Decision { answer: json!({"release": ask.id, "manifest_digest": manifest_digest}), ..Decision::default() };
    decision.pins.extend(manifest.components.values().map(|pin| pin.digest));
    decision.fact(Kind::Release, ask.id.as_str(), Fact::ReleaseCreated { id: ask.id.clone(), manifest, manifest_digest, by });
    Ok(decision)
}

/// Changes to a release that is open. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Amendment {
    pub components: BTreeMap<String, Digest>,
    /// Key -> new value; `None` takes the key out.
    pub config: BTreeMap<String, Option<String>>,
    pub work_items: Option<Vec<String>>,
    /// Take the service's and pipeline's present definitions.
    pub redefine: bool,
}

/// Seals a new manifest. Approvals of the old one stop counting.
pub fn amend(view: &View, release: &str, expected: &Digest, change: &Amendment, actor: &Actor) -> Result<Decision, Stop> {
    let by = editor(view, actor)?;
    let found: Release = get(view, release)?;
    if found.state != ReleaseState::Open {
        return Err(Refusal::new("REL-002", "the release is closed", "make a new release").into());
    }
    if found.manifest_digest() != expected {
        return Err(Refusal::new(
            "REL-007",
            format!("the manifest is {} now, you changed {}", found.manifest_digest().short(), expected.short()),
            "read the release again and repeat the change on it",
        )
        .into());
    }
    let mut manifest = found.manifest().clone();
    for (name, digest) in &change.components {
        let version = manifest.version.clone();
        if !manifest.components.contains_key(name) {
            return Err(Refusal::new("REL-005", format!("the release has no component {name:?}"), "name one of its components").into());
        }
        manifest.components.insert(name.clone(), ComponentPin { digest: *digest, version });
    }
    for (key, value) in &change.config {
        match value {
            Some(value) => manifest.config.insert(key.clone(), value.clone()),
            None => manifest.config.remove(key),
        };
    }
    if let Some(items) = &change.work_items {
        manifest.work_items.clone_from(items);
    }
    if change.redefine {
        manifest.definition = definition(view, &manifest.service)?.1;
    }
    let manifest_digest = seal(&manifest)?;
    let difference = diff(found.manifest(), &manifest);
    let mut decision =
        Decision { answer: json!({"release": release, "manifest_digest": manifest_digest, "diff": difference}), ..Decision::default() };
    if manifest_digest != *found.manifest_digest() {
        decision.pins.extend(manifest.components.values().map(|pin| pin.digest));
        decision.fact(Kind::Release, release, Fact::ManifestAmended { manifest, manifest_digest, by });
    }
    Ok(decision)
}

/// Asks for a promotion; the promoter opens the run once every gate is open. `at_once` refuses instead of waiting.
pub fn request(view: &View, release: &str, environment: &str, at_once: bool, actor: &Actor, now: Timestamp) -> Result<Decision, Stop> {
    let by = person(actor)?;
    role(view, &by, &["developer", "release-manager", "operator", "admin"], "promoting a release")?;
    let report = crate::gates::report(view, release, environment, None, now)?;
    let found: Release = get(view, release)?;
    if found.state != ReleaseState::Open {
        return Err(Refusal::new("REL-002", "the release is closed", "make a new release").into());
    }
    let slot: Option<Slot> = view.get(&Slot::key_of(environment, &report.service))?;
    if slot.and_then(|slot| slot.running).is_some_and(|running| running.manifest_digest.as_ref() == Some(found.manifest_digest())) {
        return Err(Refusal::new(
            "ORC-013",
            format!("{} {} runs in {environment} already, with this very manifest", report.service, report.version),
            "nothing to do; to change what runs there, amend the release or release another version",
        )
        .into());
    }
    if at_once && report.verdict != crate::gate::Light::Open {
        return Err(shut(&report));
    }
    let mut decision =
        Decision { answer: json!({"release": release, "environment": environment, "report": report}), ..Decision::default() };
    if !found.wanted.contains_key(environment) {
        decision.fact(Kind::Release, release, Fact::PromotionRequested { environment: environment.to_owned(), by });
    }
    Ok(decision)
}

/// The refusal that a report amounts to.
pub fn shut(report: &crate::gate::Report) -> Stop {
    let closed: Vec<String> = report
        .gates
        .iter()
        .filter(|gate| gate.light != crate::gate::Light::Open)
        .map(|gate| format!("{}: {}", gate.title, gate.sentence))
        .collect();
    let unblock: Vec<String> = report.gates.iter().filter_map(|gate| gate.unblock.clone()).collect();
    Refusal::new(
        "ORC-005",
        format!(
            "{} {} → {}: {} of {} gates are not open. {}",
            report.service,
            report.version,
            report.environment,
            closed.len(),
            report.gates.len(),
            closed.join("; ")
        ),
        unblock.join("; "),
    )
    .with(serde_json::to_value(report).unwrap_or(Value::Null))
    .into()
}

/// What differs between two manifests: `path`, `from`, `to`.
pub fn diff(old: &Manifest, new: &Manifest) -> Vec<Value> {
    let (old, new) = (serde_json::to_value(old).unwrap_or_default(), serde_json::to_value(new).unwrap_or_default());
    let mut found = Vec::new();
    compare("", &old, &new, &mut found);
    found
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<Value>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&place, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), found);
            }
        }
        _ if old == new => {}
        _ => found.push(json!({"path": path, "from": old, "to": new})),
    }
}

fn definition(view: &View, service: &str) -> Result<(Service, Definition), Stop> {
    let found: Service = view.get(service)?.filter(|found: &Service| !found.retired).ok_or_else(|| {
        Refusal::new("ORG-001", format!("there is no service {service:?}"), "declare it in the organisation folder and apply")
    })?;
    let pipeline: Pipeline = view
        .get(&found.spec.pipeline)?
        .ok_or_else(|| Refusal::new("ORG-001", format!("there is no pipeline {:?}", found.spec.pipeline), "declare it and apply"))?;
    match (digest_of(&found.spec), digest_of(&pipeline.spec)) {
        (Some(service), Some(pipeline)) => Ok((found, Definition { service, pipeline })),
        _ => Err(Stop::Unreadable { key: format!("service/{service}"), why: "its definition has no canonical form".to_owned() }),
    }
}

fn seal(manifest: &Manifest) -> Result<Digest, Stop> {
    digest_of(manifest).ok_or_else(|| Stop::Unreadable {
        key: "manifest".to_owned(),
        why: "it has no canonical form (a number that JSON cannot carry exactly?)".to_owned(),
    })
}

fn check_version(version: &str) -> Result<(), Stop> {
    let fits = (1..=64).contains(&version.len())
        && version.starts_with(|c: char| c.is_ascii_alphanumeric())
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'_'));
    if fits {
        return Ok(());
    }
    Err(Refusal::new(
        "REL-008",
        format!("{version:?} is no version"),
        "use 1 to 64 of letters, digits, '.', '-', '+', '_', beginning with a letter or digit",
    )
    .into())
}

fn editor(view: &View, actor: &Actor) -> Result<PersonId, Stop> {
    let by = person(actor)?;
    role(view, &by, &["developer", "release-manager", "admin", "ci"], "making or changing a release")?;
    Ok(by)
}

/// The account that acts; workers and the engine have none.
pub fn person(actor: &Actor) -> Result<PersonId, Stop> {
    actor.person.clone().ok_or_else(|| Refusal::new("AUTH-002", "this needs an account", "sign in, or use a token").into())
}

/// Refuses unless the account holds one of the roles now.
pub fn role(view: &View, by: &PersonId, roles: &[&str], what: &str) -> Result<(), Stop> {
    let found: Option<Person> = view.get(by.as_str())?;
    if found.is_some_and(|person| roles.iter().any(|role| person.has(role))) {
        return Ok(());
    }
    Err(Refusal::new(
        "AUTH-003",
        format!("{what} needs one of the roles {}", roles.join(", ")),
        "ask somebody who holds one, or have the role given to you in the organisation folder",
    )
    .into())
}

/// The release, or that there is none.
pub fn get(view: &View, release: &str) -> Result<Release, Stop> {
    view.get(release)?
        .ok_or_else(|| Refusal::new("REL-001", format!("there is no release {release:?}"), "list them: holdpoint release list").into())
}

//! Who may call: security schemes, and the alternatives of requirements by which an operation opens.
//!
//! A client of the base holds what one of the base's alternatives asks for. If no alternative of the revision is content
//! with that, the client is shut out.

use super::compare::{Found, Side};
use super::source::Spec;
use crate::document::{NodeId, ReadError};
use crate::finding::Severity::{self, Breaking, Info, Risky};
use std::collections::{BTreeMap, BTreeSet};

/// Scheme -> scopes; all of them are needed.
type Alternative<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn alternatives(spec: &Spec, list: Option<NodeId>) -> Vec<Alternative<'_>> {
    let Some(list) = list else { return vec![Alternative::new()] };
    let one = |node: &NodeId| {
        let scopes = |list: NodeId| spec.tree.items(list).iter().filter_map(|scope| spec.tree.scalar(*scope)).collect();
        spec.tree.entries(*node).map(|(scheme, list)| (scheme, scopes(list))).collect()
    };
    let found: Vec<Alternative<'_>> = spec.tree.items(list).iter().map(one).collect();
    if found.is_empty() { vec![Alternative::new()] } else { found }
}

/// Whether who satisfies `held` satisfies `asked`.
fn suffices(held: &Alternative<'_>, asked: &Alternative<'_>) -> bool {
    asked.iter().all(|(scheme, scopes)| held.get(scheme).is_some_and(|granted| scopes.is_subset(granted)))
}

fn words(alternative: &Alternative<'_>) -> String {
    if alternative.is_empty() {
        return "nothing".to_owned();
    }
    let one = |(scheme, scopes): (&&str, &BTreeSet<&str>)| {
        if scopes.is_empty() {
            (*scheme).to_owned()
        } else {
            format!("{scheme} ({})", scopes.iter().copied().collect::<Vec<_>>().join(", "))
        }
    };
    alternative.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// An operation's own requirements, where either side has some.
pub(super) fn operation(base: (&Spec, NodeId), revision: (&Spec, NodeId)) -> Result<Vec<Found>, ReadError> {
    let own = |side: (&Spec, NodeId)| side.0.tree.get(side.1, "security");
    let (old, new) = (own(base), own(revision));
    if old.is_none() && new.is_none() {
        return Ok(Vec::new());
    }
    let global = |spec: &Spec| spec.tree.get(spec.root, "security");
    let before = alternatives(base.0, old.or_else(|| global(base.0)));
    let after = alternatives(revision.0, new.or_else(|| global(revision.0)));
    Ok(compared(&before, &after, (Side::Revision, new.unwrap_or(revision.1)), "api", Breaking))
}

fn compared(before: &[Alternative<'_>], after: &[Alternative<'_>], place: (Side, NodeId), prefix: &str, severity: Severity) -> Vec<Found> {
    let mut found = Vec::new();
    let more = if severity == Breaking { "" } else { " Whether it was asked for before without being written down is not known here." };
    for held in before {
        if after.iter().any(|asked| suffices(held, asked)) {
            continue;
        }
        let same_schemes = |asked: &&Alternative<'_>| asked.keys().eq(held.keys());
        let asks_more = |asked: &&Alternative<'_>| held.keys().all(|scheme| asked.contains_key(scheme));
        let (rule, message) = if let Some(asked) = after.iter().find(same_schemes) {
            ("security-scope-added", format!("{} was enough; {} is asked for.", words(held), words(asked)))
        } else if let Some(asked) = after.iter().find(asks_more) {
            ("security-added", format!("{} was enough; {} is asked for.", words(held), words(asked)))
        } else {
            let asked: Vec<String> = after.iter().map(words).collect();
            ("security-removed", format!("{} is not enough any more; {} is asked for.", words(held), asked.join(", or ")))
        };
        found.push(Found::new(format!("{prefix}-{rule}"), severity, place, message + more));
    }
    for asked in after {
        if before.iter().any(|held| held == asked) {
            continue;
        }
        let opens = before.iter().find(|held| suffices(held, asked));
        let (rule, message) = match opens {
            Some(held) if held.keys().eq(asked.keys()) => ("security-scope-removed", format!("{} is enough now.", words(asked))),
            Some(_) => ("security-removed", format!("{} is enough now.", words(asked))),
            // Reported above as what is asked for, unless it is one way more.
            None if before.iter().all(|held| after.iter().any(|asked| suffices(held, asked))) => {
                ("security-added", format!("{} is accepted besides.", words(asked)))
            }
            None => continue,
        };
        found.push(Found::new(format!("{prefix}-{rule}"), Info, place, message));
    }
    found
}

/// The requirements of the whole description, and the schemes themselves.
pub(super) fn schemes(base: &Spec, revision: &Spec) -> Result<Vec<Found>, ReadError> {
    let global = |spec: &Spec| spec.tree.get(spec.root, "security");
    let (old, new) = (global(base), global(revision));
    let place = (Side::Revision, new.unwrap_or(revision.root));
    let (before, after) = (alternatives(base, old), alternatives(revision, new));
    let mut found = compared(&before, &after, place, "api-global", Risky);
    let list = |spec: &Spec| -> Result<Option<NodeId>, ReadError> {
        Ok(spec.part(spec.root, "components")?.and_then(|components| spec.tree.get(components, "securitySchemes")))
    };
    let (old, new) = (list(base)?, list(revision)?);
    for (name, node) in old.into_iter().flat_map(|node| base.tree.entries(node)) {
        match new.and_then(|new| revision.tree.get(new, name)) {
            Some(other) => found.extend(scheme(name, (base, base.follow(node)?), (revision, revision.follow(other)?))?),
            None => {
                let place = (Side::Revision, new.unwrap_or(revision.root));
                found.push(Found::new("api-security-component-removed", Info, place, format!("The security scheme {name:?} was removed.")));
            }
        }
    }
    for (name, node) in new.into_iter().flat_map(|node| revision.tree.entries(node)) {
        if old.is_none_or(|old| base.tree.get(old, name).is_none()) {
            let message = format!("The security scheme {name:?} was added.");
            found.push(Found::new("api-security-component-added", Info, (Side::Revision, node), message));
        }
    }
    Ok(found)
}

fn scheme(name: &str, base: (&Spec, NodeId), revision: (&Spec, NodeId)) -> Result<Vec<Found>, ReadError> {
    let mut found = Vec::new();
    let text = |side: (&Spec, NodeId), key: &str| {
        side.0.tree.get(side.1, key).and_then(|node| side.0.tree.scalar(node)).unwrap_or_default().to_lowercase()
    };
    for key in ["type", "scheme", "in", "name"] {
        let (was, is) = (text(base, key), text(revision, key));
        if was != is {
            let message = format!("{key:?} of the security scheme {name:?} was {was:?}, is {is:?}: credentials are sent another way.");
            found.push(Found::new("api-security-component-type-changed", Breaking, (Side::Revision, revision.1), message));
        }
    }
    if text(base, "openIdConnectUrl") != text(revision, "openIdConnectUrl") {
        let message = format!("The discovery address of {name:?} changed.");
        found.push(Found::new("api-security-component-oauth-url-changed", Risky, (Side::Revision, revision.1), message));
    }
    let (Some(old), Some(new)) = (base.0.tree.get(base.1, "flows"), revision.0.tree.get(revision.1, "flows")) else { return Ok(found) };
    for (flow, node) in base.0.tree.entries(old) {
        let Some(other) = revision.0.tree.get(new, flow) else {
            if !flow.starts_with("x-") {
                let message = format!("The flow {flow:?} of {name:?} was removed.");
                found.push(Found::new("api-security-component-oauth-flow-removed", Breaking, (Side::Revision, new), message));
            }
            continue;
        };
        for (key, rule) in [
            ("authorizationUrl", "api-security-component-oauth-url-changed"),
            ("tokenUrl", "api-security-component-oauth-token-url-changed"),
        ] {
            if text((base.0, node), key) != text((revision.0, other), key) {
                found.push(Found::new(rule, Risky, (Side::Revision, other), format!("{key} of {name:?} changed.")));
            }
        }
        let scopes = |side: (&Spec, NodeId)| -> BTreeMap<String, String> {
            let map = side.0.tree.get(side.1, "scopes").into_iter().flat_map(|map| side.0.tree.entries(map));
            map.map(|(scope, text)| (scope.to_owned(), side.0.tree.scalar(text).unwrap_or_default().to_owned())).collect()
        };
        let (was, is) = (scopes((base.0, node)), scopes((revision.0, other)));
        let place = (Side::Revision, other);
        for scope in was.keys().filter(|scope| !is.contains_key(*scope)) {
            let message = format!("The scope {scope:?} of {name:?} was removed; clients that ask for it may be refused.");
            found.push(Found::new("api-security-component-oauth-scope-removed", Risky, place, message));
        }
        for scope in is.keys().filter(|scope| !was.contains_key(*scope)) {
            found.push(Found::new(
                "api-security-component-oauth-scope-added",
                Info,
                place,
                format!("The scope {scope:?} of {name:?} was added."),
            ));
        }
    }
    Ok(found)
}

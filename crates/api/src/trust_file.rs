//! The trust policy's file: whose signatures count for evidence that others bring, in which role, and for how long. YAML
//! (or JSON), read as strictly as organisation files. Pure; read once, at the server's start.

use crate::organisation::{FileError, options, sentence};
use holdpoint_domain::kernel::Timestamp;
use holdpoint_seal::fact::Micros;
use holdpoint_seal::keys::{KeyId, PublicKey};
use holdpoint_seal::trust::{PolicyError, Revocation, Role, TrustPolicy, TrustedKey};
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PolicyFile {
    keys: Vec<KeyEntry>,
    roles: BTreeMap<String, RoleEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KeyEntry {
    /// What roles call it.
    name: Spanned<String>,
    /// PEM, `PUBLIC KEY`.
    key: Spanned<String>,
    /// Ids under which other tools name it in their envelopes.
    #[serde(default)]
    key_ids: BTreeSet<String>,
    #[serde(default)]
    valid_from: Option<Timestamp>,
    #[serde(default)]
    valid_until: Option<Spanned<Timestamp>>,
    #[serde(default)]
    revoked: Option<RevokedEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RevokedEntry {
    at: Timestamp,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RoleEntry {
    keys: Vec<Spanned<String>>,
    #[serde(default = "one")]
    threshold: Spanned<usize>,
    predicate_types: Spanned<BTreeSet<String>>,
}

fn one() -> Spanned<usize> {
    Spanned::new(1, Location::UNKNOWN, Location::UNKNOWN)
}

fn micros(at: Timestamp) -> Micros {
    Micros(at.as_microsecond())
}

/// Reads a policy.
///
/// # Errors
/// [`FileError`] with the place, what was expected and what was found.
pub fn parse(file: &str, text: &str) -> Result<TrustPolicy, FileError> {
    let at = |line: u64, column: u64, message: String| FileError {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(column).unwrap_or(u32::MAX).max(1),
        message,
    };
    let wrong = |place: &Location, message: String| at(place.line(), place.column(), message);
    let read: PolicyFile = serde_saphyr::from_str_with_options(text, options()).map_err(|why| {
        let why = why.without_snippet();
        let (line, column) = why.location().map_or((1, 1), |place| (place.line(), place.column()));
        at(line, column, sentence(&why.to_string()))
    })?;
    if read.roles.is_empty() {
        return Err(at(1, 1, "expected at least one role: without one nobody's signature counts".to_owned()));
    }
    let mut names: BTreeMap<String, (KeyId, Location)> = BTreeMap::new();
    let mut keys = Vec::new();
    for entry in read.keys {
        let key = PublicKey::from_pem(&entry.key.value)
            .map_err(|why| wrong(&entry.key.referenced, format!("key {:?}: expected PEM, found {why}", entry.name.value)))?;
        if let Some(until) = entry.valid_until.as_ref().filter(|until| entry.valid_from.is_some_and(|from| from >= until.value)) {
            return Err(wrong(&until.referenced, format!("key {:?}: expected an end after its beginning", entry.name.value)));
        }
        if names.insert(entry.name.value.clone(), (key.id(), entry.name.referenced)).is_some() {
            return Err(wrong(&entry.name.referenced, format!("expected a name of its own, found a second key {:?}", entry.name.value)));
        }
        keys.push(TrustedKey {
            key,
            aliases: entry.key_ids,
            valid_from: entry.valid_from.map(micros),
            valid_until: entry.valid_until.map(|until| micros(until.value)),
            revoked: entry.revoked.map(|revoked| Revocation { at: micros(revoked.at), reason: revoked.reason }),
        });
    }
    let mut roles = BTreeMap::new();
    let mut places: BTreeMap<String, (Location, Location)> = BTreeMap::new();
    for (name, entry) in read.roles {
        let mut ids = BTreeSet::new();
        for key in &entry.keys {
            let (id, _) = names
                .get(&key.value)
                .ok_or_else(|| wrong(&key.referenced, format!("role {name:?}: expected the name of a key, found {:?}", key.value)))?;
            ids.insert(*id);
        }
        let types = entry.predicate_types;
        let threshold = match entry.threshold.referenced == Location::UNKNOWN {
            true => types.referenced,
            false => entry.threshold.referenced,
        };
        places.insert(name.clone(), (threshold, types.referenced));
        roles.insert(name, Role { keys: ids, threshold: entry.threshold.value, predicate_types: types.value });
    }
    TrustPolicy::new(keys, roles).map_err(|why| {
        let place = match &why {
            PolicyError::DuplicateKey(id) => names.values().filter(|(known, _)| known == id).map(|(_, place)| *place).next_back(),
            PolicyError::Threshold { role, .. } => places.get(role).map(|(threshold, _)| *threshold),
            PolicyError::NoPredicateTypes(role) => places.get(role).map(|(_, types)| *types),
            PolicyError::UnknownKey { .. } => None,
        };
        wrong(&place.unwrap_or(Location::UNKNOWN), why.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use holdpoint_seal::keys::SigningKey;

    fn text() -> String {
        let pem = |n: u8| SigningKey::ed25519(&[n; 32]).expect("a key").public().to_pem().trim_end().replace('\n', "\n      ");
        format!(
            "keys:\n  - name: first\n    key: |\n      {}\n    valid-from: 2026-01-01T00:00:00Z\n    valid-until: 2027-01-01T00:00:00Z\n  - name: second\n    key: |\n      {}\n    key-ids: [ours]\n    revoked: {{at: 2026-05-01T00:00:00Z, reason: lost}}\nroles:\n  builders:\n    keys: [first, second]\n    threshold: 2\n    predicate-types: [\"https://slsa.dev/provenance/v1\"]\n",
            pem(1),
            pem(2)
        )
    }

    #[test]
    fn a_policy_is_read_and_mistakes_have_a_place() {
        let good = text();
        let policy = parse("trust.yaml", &good).expect("a policy");
        assert_eq!((policy.roles()["builders"].threshold, policy.roles()["builders"].keys.len()), (2, 2));
        assert!(policy.roles()["builders"].keys.iter().filter_map(|id| policy.key(id)).any(|key| key.revoked.is_some()));
        for (from, to, line, says) in [
            ("threshold: 2", "threshold: 3", 19, "asks for 3 of 2"),
            ("threshold: 2", "treshold: 2", 19, "treshold"),
            ("[first, second]", "[first, third]", 18, "found \"third\""),
            ("name: second", "name: first", 9, "a second key"),
            ("2027-01-01", "2025-01-01", 8, "an end after its beginning"),
            ("[\"https://slsa.dev/provenance/v1\"]", "[]", 20, "no predicate type"),
            ("BEGIN PUBLIC KEY", "BEGIN PRIVATE KEY", 4, "not a public key"),
            ("roles:", "roles: {}\nmore:", 17, "more"),
        ] {
            let bad = good.replacen(from, to, 1);
            let error = parse("trust.yaml", &bad).expect_err(to);
            assert_eq!((error.file.as_str(), error.line), ("trust.yaml", line), "{to}: {error}");
            assert!(error.message.contains(says), "{to}: {error}");
        }
    }
}

//! Whose signature counts for what, and when: from an envelope to a [`Verified`] statement.
//!
//! The time that matters is the ledger's *receive time*, which the caller passes: what a signer claims about its own
//! time decides nothing. A [`Verified`] has private fields and no other constructor than this file, so that what was
//! not verified cannot reach a gate.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::dsse::{DsseError, Envelope, IN_TOTO, Signature};
use crate::fact::Micros;
use crate::keys::{KeyId, PublicKey};
use crate::statement::{ResourceDescriptor, Statement, StatementError};

/// A key was lost or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// From this receive time on its signatures are refused.
    pub at: Micros,
    /// Why, for people.
    pub reason: String,
}

/// A key someone decided to trust, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// Key id hints under which other tools name it, besides its own [`KeyId`].
    pub aliases: BTreeSet<String>,
    /// First receive time at which it counts; always if none.
    pub valid_from: Option<Micros>,
    /// First receive time at which it counts no more; never if none.
    pub valid_until: Option<Micros>,
    /// Set when revoked.
    pub revoked: Option<Revocation>,
}

impl TrustedKey {
    /// A key that counts at any time.
    pub fn always(key: PublicKey) -> TrustedKey {
        TrustedKey { key, aliases: BTreeSet::new(), valid_from: None, valid_until: None, revoked: None }
    }

    fn is_named(&self, keyid: &str) -> bool {
        self.key.id().to_string() == keyid || self.aliases.contains(keyid)
    }
}

/// Who may speak in a role, how many must, and about what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The keys that count.
    pub keys: BTreeSet<KeyId>,
    /// How many different ones must have signed; at least 1.
    pub threshold: usize,
    /// Predicate types the role may state; every other one is refused.
    pub predicate_types: BTreeSet<String>,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The same key, or the same alias, twice.
    #[error("key {0} or one of its aliases is declared twice")]
    DuplicateKey(KeyId),
    /// A role names a key that is not declared.
    #[error("role {role:?} names key {key}, which the policy does not declare")]
    UnknownKey {
        /// The role.
        role: String,
        /// The missing key.
        key: KeyId,
    },
    /// A threshold nobody or anybody could meet.
    #[error("role {role:?} asks for {threshold} of {keys} keys")]
    Threshold {
        /// The role.
        role: String,
        /// As asked.
        threshold: usize,
        /// As many keys as there are.
        keys: usize,
    },
    /// A role that may state nothing.
    #[error("role {0:?} names no predicate type")]
    NoPredicateTypes(String),
}

/// Roles and the keys behind them. Checked when made, so that using it cannot fail half-way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    keys: BTreeMap<KeyId, TrustedKey>,
    roles: BTreeMap<String, Role>,
}

impl TrustPolicy {
    /// Makes a policy.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(keys: Vec<TrustedKey>, roles: BTreeMap<String, Role>) -> Result<TrustPolicy, PolicyError> {
        let mut by_id = BTreeMap::new();
        let mut names = BTreeSet::new();
        for key in keys {
            let id = key.key.id();
            let mut own: BTreeSet<String> = key.aliases.clone();
            own.insert(id.to_string());
            if own.into_iter().any(|name| !names.insert(name)) || by_id.insert(id, key).is_some() {
                return Err(PolicyError::DuplicateKey(id));
            }
        }
        for (name, role) in &roles {
            if let Some(key) = role.keys.iter().find(|k| !by_id.contains_key(*k)) {
                return Err(PolicyError::UnknownKey { role: name.clone(), key: *key });
            }
            if role.threshold == 0 || role.threshold > role.keys.len() {
                let (threshold, keys) = (role.threshold, role.keys.len());
                return Err(PolicyError::Threshold { role: name.clone(), threshold, keys });
            }
            if role.predicate_types.is_empty() {
                return Err(PolicyError::NoPredicateTypes(name.clone()));
            }
        }
        Ok(TrustPolicy { keys: by_id, roles })
    }

    /// The roles by name.
    pub fn roles(&self) -> &BTreeMap<String, Role> {
        &self.roles
    }

    /// A declared key.
    pub fn key(&self, id: &KeyId) -> Option<&TrustedKey> {
        self.keys.get(id)
    }
}

/// Which check refused, and what would help ([`TrustError::unblock`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The envelope itself.
    #[error("the envelope is refused")]
    Envelope(#[from] DsseError),
    /// The payload.
    #[error("the statement is refused")]
    Statement(#[from] StatementError),
    /// The policy has no such role.
    #[error("the trust policy has no role {0:?}")]
    UnknownRole(String),
    /// The role may not state this.
    #[error("role {role:?} may not state predicates of type {predicate_type:?}")]
    Predicate {
        /// The role.
        role: String,
        /// The statement's.
        predicate_type: String,
    },
    /// A signature names a known key but is not that key's.
    #[error("a signature claims to be by key {0}, but is not")]
    FalseClaim(KeyId),
    /// Signed by a known key of another role.
    #[error("key {key} is not one of role {role:?}")]
    NotInRole {
        /// The key.
        key: KeyId,
        /// The role asked for.
        role: String,
    },
    /// Revoked by the time of receipt.
    #[error("key {key} was revoked at {at:?} (microseconds): {reason}")]
    Revoked {
        /// The key.
        key: KeyId,
        /// Since when.
        at: Micros,
        /// Why.
        reason: String,
    },
    /// Received before the key's time.
    #[error("key {key} counts only from {from:?} (microseconds)")]
    NotYetValid {
        /// The key.
        key: KeyId,
        /// Since when.
        from: Micros,
    },
    /// Received after the key's time.
    #[error("key {key} counted only until {until:?} (microseconds)")]
    Expired {
        /// The key.
        key: KeyId,
        /// Until when.
        until: Micros,
    },
    /// Too few of the role's keys signed.
    #[error("{have} of the role's keys signed, {need} must")]
    Threshold {
        /// As many as the role asks for.
        need: usize,
        /// As many as count.
        have: usize,
    },
    /// The statement does not speak of this artifact.
    #[error("the statement does not speak of {0}")]
    NotAbout(Digest),
}

impl TrustError {
    /// Stable name of the check that refused.
    pub fn check(&self) -> &'static str {
        match self {
            TrustError::Envelope(_) => "envelope",
            TrustError::Statement(_) => "statement",
            TrustError::UnknownRole(_) => "role",
            TrustError::Predicate { .. } => "predicate-type",
            TrustError::FalseClaim(_) => "signature",
            TrustError::NotInRole { .. } => "key-role",
            TrustError::Revoked { .. } => "key-revoked",
            TrustError::NotYetValid { .. } => "key-not-yet-valid",
            TrustError::Expired { .. } => "key-expired",
            TrustError::Threshold { .. } => "threshold",
            TrustError::NotAbout(_) => "subject",
        }
    }

    /// What would help, in one sentence.
    pub fn unblock(&self) -> &'static str {
        match self {
            TrustError::Envelope(_) => "Produce the envelope again with a tool that writes DSSE; do not edit it by hand.",
            TrustError::Statement(_) => "Produce an in-toto Statement v1 whose subjects each have a name of their own and a sha256.",
            TrustError::UnknownRole(_) => "Declare the role in the trust policy.",
            TrustError::Predicate { .. } => "Add the predicate type to the role, or sign with a key of the role that states it.",
            TrustError::FalseClaim(_) => "Remove the false signature, or sign again with the key it names.",
            TrustError::NotInRole { .. } => "Sign with a key of the role, or add the key to the role.",
            TrustError::Revoked { .. } => "Sign again with a key that is not revoked and submit the result.",
            TrustError::NotYetValid { .. } => "Submit again once the key is valid, or sign with a key that is valid now.",
            TrustError::Expired { .. } => "Sign again with a key that is valid now and submit the result.",
            TrustError::Threshold { .. } => "Let further keys of the role sign the same payload.",
            TrustError::NotAbout(_) => "Produce the evidence for this artifact's digest.",
        }
    }
}

/// A value whose signatures, role and receive time were checked. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T> {
    value: T,
    role: String,
    signers: BTreeSet<KeyId>,
    received_at: Micros,
    envelope: Digest,
}

impl<T> Verified<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The role whose threshold was met.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The keys that counted.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        &self.signers
    }

    /// The ledger's receive time for which the check holds.
    pub fn received_at(&self) -> Micros {
        self.received_at
    }

    /// SHA-256 of the envelope's bytes.
    pub fn envelope_digest(&self) -> Digest {
        self.envelope
    }
}

impl Verified<Statement> {
    /// The subject with this digest: evidence counts only for the artifact it names.
    ///
    /// # Errors
    /// [`TrustError::NotAbout`].
    pub fn about(&self, digest: &Digest) -> Result<&ResourceDescriptor, TrustError> {
        self.value.subject_with(digest).ok_or(TrustError::NotAbout(*digest))
    }
}

/// Checks everything between the bytes of an envelope and a statement that may be believed in `role`.
///
/// Of several signatures, unknown keys are ignored (as DSSE demands), a key counts once, and a signature that *names* a
/// known key without being its signature refuses the whole envelope, even if enough others are valid.
///
/// # Errors
/// [`TrustError`] with the first check that refused.
pub fn verify(envelope_bytes: &[u8], policy: &TrustPolicy, role: &str, received_at: Micros) -> Result<Verified<Statement>, TrustError> {
    let envelope = Envelope::parse(envelope_bytes)?;
    envelope.expect_type(IN_TOTO)?;
    let wanted = policy.roles.get(role).ok_or_else(|| TrustError::UnknownRole(role.to_owned()))?;

    let message = envelope.pae();
    let mut signers = BTreeSet::new();
    for signature in &envelope.signatures {
        signers.extend(signer(policy, &message, signature)?);
    }
    let mut counted = BTreeSet::new();
    let mut obstacle = None;
    for id in signers {
        match counts(policy, wanted, role, &id, received_at) {
            Ok(()) => {
                counted.insert(id);
            }
            Err(error) => {
                obstacle.get_or_insert(error);
            }
        }
    }
    if counted.len() < wanted.threshold {
        let few = TrustError::Threshold { need: wanted.threshold, have: counted.len() };
        return Err(obstacle.unwrap_or(few));
    }
    let statement = Statement::parse(&envelope.payload)?;
    if !wanted.predicate_types.contains(&statement.predicate_type) {
        let predicate_type = statement.predicate_type;
        return Err(TrustError::Predicate { role: role.to_owned(), predicate_type });
    }
    Ok(Verified { value: statement, role: role.to_owned(), signers: counted, received_at, envelope: Digest::of(envelope_bytes) })
}

/// Which known key made this signature. The hint only narrows the search; it is never believed.
fn signer(policy: &TrustPolicy, message: &[u8], signature: &Signature) -> Result<Option<KeyId>, TrustError> {
    if let Some(claimed) = policy.keys.values().find(|k| k.is_named(&signature.keyid)) {
        let id = claimed.key.id();
        let genuine = claimed.key.verifies(message, &signature.sig);
        return if genuine { Ok(Some(id)) } else { Err(TrustError::FalseClaim(id)) };
    }
    Ok(policy.keys.values().find(|k| k.key.verifies(message, &signature.sig)).map(|k| k.key.id()))
}

fn counts(policy: &TrustPolicy, wanted: &Role, role: &str, id: &KeyId, received_at: Micros) -> Result<(), TrustError> {
    let key = *id;
    if !wanted.keys.contains(id) {
        return Err(TrustError::NotInRole { key, role: role.to_owned() });
    }
    let Some(trusted) = policy.keys.get(id) else {
        return Err(TrustError::NotInRole { key, role: role.to_owned() });
    };
    if let Some(revoked) = trusted.revoked.as_ref().filter(|r| received_at >= r.at) {
        return Err(TrustError::Revoked { key, at: revoked.at, reason: revoked.reason.clone() });
    }
    if let Some(from) = trusted.valid_from.filter(|from| received_at < *from) {
        return Err(TrustError::NotYetValid { key, from });
    }
    if let Some(until) = trusted.valid_until.filter(|until| received_at >= *until) {
        return Err(TrustError::Expired { key, until });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;
    use serde_json::json;

    const NOW: Micros = Micros(1_000_000);

    fn key(n: u8) -> SigningKey {
        if n.is_multiple_of(2) { SigningKey::p256(&[n; 32]).unwrap() } else { SigningKey::ed25519(&[n; 32]).unwrap() }
    }

    fn role(keys: &[u8], threshold: usize) -> Role {
        let keys = keys.iter().map(|n| key(*n).id()).collect();
        Role { keys, threshold, predicate_types: BTreeSet::from(["scan/1".to_owned()]) }
    }

    fn policy(change: impl Fn(&mut TrustedKey)) -> TrustPolicy {
        let mut keys: Vec<TrustedKey> = (1..=4).map(|n| TrustedKey::always(key(n).public().clone())).collect();
        change(&mut keys[0]);
        let roles = [("one", role(&[1, 2], 1)), ("two", role(&[1, 2, 3], 2))];
        TrustPolicy::new(keys, roles.map(|(n, r)| (n.to_owned(), r)).into()).unwrap()
    }

    fn envelope(predicate_type: &str, keys: &[u8]) -> Envelope {
        let subject = vec![ResourceDescriptor::named("shop", &Digest::of(b"shop"))];
        let statement = Statement::new(subject, predicate_type, json!({})).unwrap();
        let keys: Vec<SigningKey> = keys.iter().map(|n| key(*n)).collect();
        Envelope::sign(IN_TOTO, statement.to_vec().unwrap(), &keys.iter().collect::<Vec<_>>()).unwrap()
    }

    fn check(keys: &[u8], role: &str) -> Result<Verified<Statement>, TrustError> {
        verify(&envelope("scan/1", keys).to_vec(), &policy(|_| ()), role, NOW)
    }

    #[test]
    fn counts_different_keys_of_the_role() {
        let verified = check(&[1], "one").unwrap();
        assert_eq!(verified.signers(), &BTreeSet::from([key(1).id()]));
        assert!(verified.about(&Digest::of(b"shop")).is_ok());
        assert_eq!(verified.about(&Digest::of(b"other")), Err(TrustError::NotAbout(Digest::of(b"other"))));
        assert!(check(&[1, 2], "two").is_ok());
        assert!(check(&[9, 1], "one").is_ok(), "unknown keys are ignored");
        assert_eq!(check(&[1], "two"), Err(TrustError::Threshold { need: 2, have: 1 }));
        assert_eq!(check(&[9], "one"), Err(TrustError::Threshold { need: 1, have: 0 }));
        assert_eq!(check(&[4], "one"), Err(TrustError::NotInRole { key: key(4).id(), role: "one".into() }));
        assert_eq!(check(&[1], "none"), Err(TrustError::UnknownRole("none".into())));

        // The same key twice under two names does not make two.
        let mut twice = envelope("scan/1", &[1]);
        let sig = key(1).sign(&twice.pae());
        twice.signatures.push(Signature { keyid: String::new(), sig });
        assert!(verify(&twice.to_vec(), &policy(|_| ()), "two", NOW).is_err());
    }

    #[test]
    fn a_false_claim_refuses_everything() {
        for (claimed, error) in [
            (key(3).id().to_string(), Some(TrustError::FalseClaim(key(3).id()))),
            ("alias".to_owned(), Some(TrustError::FalseClaim(key(1).id()))),
            ("unknown".to_owned(), None),
        ] {
            let mut extra = envelope("scan/1", &[2]);
            extra.signatures.push(Signature { keyid: claimed, sig: vec![1; 64] });
            let policy = policy(|k| k.aliases = BTreeSet::from(["alias".to_owned()]));
            assert_eq!(verify(&extra.to_vec(), &policy, "one", NOW).err(), error);
        }
        // Two keys that exchange their hints: each claim is false.
        let mut swapped = envelope("scan/1", &[1, 2]);
        let hints: Vec<String> = swapped.signatures.iter().rev().map(|s| s.keyid.clone()).collect();
        for (signature, hint) in swapped.signatures.iter_mut().zip(hints) {
            signature.keyid = hint;
        }
        assert!(matches!(verify(&swapped.to_vec(), &policy(|_| ()), "one", NOW), Err(TrustError::FalseClaim(_))));
    }

    #[test]
    fn time_is_the_receive_time() {
        let bytes = envelope("scan/1", &[1]).to_vec();
        let at = |change: fn(&mut TrustedKey), now: i64| verify(&bytes, &policy(change), "one", Micros(now)).map(|_| ());
        let (key_1, bound) = (key(1).id(), Micros(50));
        let from: fn(&mut TrustedKey) = |k| k.valid_from = Some(Micros(50));
        assert_eq!(at(from, 49), Err(TrustError::NotYetValid { key: key_1, from: bound }));
        assert_eq!(at(from, 50), Ok(()));
        let until: fn(&mut TrustedKey) = |k| k.valid_until = Some(Micros(50));
        assert_eq!(at(until, 49), Ok(()));
        assert_eq!(at(until, 50), Err(TrustError::Expired { key: key_1, until: bound }));
        let revoked: fn(&mut TrustedKey) = |k| k.revoked = Some(Revocation { at: Micros(50), reason: "lost".into() });
        assert_eq!(at(revoked, 49), Ok(()));
        assert_eq!(at(revoked, 50), Err(TrustError::Revoked { key: key_1, at: bound, reason: "lost".into() }));
        // Another key of the role still carries it.
        let both = envelope("scan/1", &[1, 2]).to_vec();
        assert!(verify(&both, &policy(revoked), "one", NOW).is_ok());
    }

    #[test]
    fn envelope_confusion_is_refused() {
        let policy = policy(|_| ());
        let ok = envelope("scan/1", &[1]);
        let sign = |payload_type: &str, payload: &[u8]| {
            let bytes = Envelope::sign(payload_type, payload.to_vec(), &[&key(1)]).unwrap().to_vec();
            verify(&bytes, &policy, "one", NOW).map(|_| ()).unwrap_err().check()
        };
        assert_eq!(sign("application/json", &ok.payload), "envelope");
        assert_eq!(sign(IN_TOTO, &[&ok.payload[..], b" {}"].concat()), "statement");
        assert_eq!(sign(IN_TOTO, b"{}"), "statement");
        let bytes = envelope("other/1", &[1]).to_vec();
        assert_eq!(verify(&bytes, &policy, "one", NOW).unwrap_err().check(), "predicate-type");
        let mut changed = ok.clone();
        changed.payload.push(b' ');
        assert_eq!(verify(&changed.to_vec(), &policy, "one", NOW).unwrap_err().check(), "signature");
        let mut trailing = ok.to_vec();
        trailing.push(b'0');
        assert_eq!(verify(&trailing, &policy, "one", NOW).unwrap_err().check(), "envelope");
    }

    #[test]
    fn policies_are_checked_when_made() {
        let one = || TrustedKey::always(key(1).public().clone());
        let make = |keys, role| TrustPolicy::new(keys, BTreeMap::from([("r".to_owned(), role)])).map(|_| ());
        assert_eq!(make(vec![one(), one()], role(&[1], 1)), Err(PolicyError::DuplicateKey(key(1).id())));
        assert!(matches!(make(vec![one()], role(&[2], 1)), Err(PolicyError::UnknownKey { .. })));
        assert!(matches!(make(vec![one()], role(&[1], 0)), Err(PolicyError::Threshold { .. })));
        assert!(matches!(make(vec![one()], role(&[1], 2)), Err(PolicyError::Threshold { .. })));
        let mut silent = role(&[1], 1);
        silent.predicate_types.clear();
        assert_eq!(make(vec![one()], silent), Err(PolicyError::NoPredicateTypes("r".into())));
    }
}

//! The list of a server's keys, signed by the exported root key.
//!
//! A verifier trusts the root only. The list says which key spoke for the log at which *log indexes*: a place in the
//! log cannot be back-dated, a clock can. Three rules make rotation safe: only the root signs lists, the root is never
//! in one (so no key vouches for itself), and a list may only continue its predecessor, with a version higher by one
//! and without rewriting what was said before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::dsse::{DsseError, Envelope};
use crate::json::{self, JsonError};
use crate::keys::{KeyId, PublicKey, SigningKey};

/// DSSE payload type of a key list.
pub const PAYLOAD_TYPE: &str = "application/vnd.holdpoint.keylist+json";

/// Key lists beyond this many bytes are not read.
pub const KEYLIST_BYTES_MAX: usize = 1 << 20;

const FORMAT: &str = "holdpoint-keylist/1";

/// What a server key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// Checkpoints of the log.
    Checkpoint,
    /// Dossiers of releases.
    Dossier,
    /// Evidence the server itself produces.
    Evidence,
}

/// From which index on a key counts no more, although its range would go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRevocation {
    /// The first log index at which its signatures are refused.
    pub from_index: u64,
    /// Why, for people.
    pub reason: String,
}

/// A key with what it may sign and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedKey {
    /// Base64 DER SubjectPublicKeyInfo.
    pub key: PublicKey,
    /// At least one.
    pub roles: BTreeSet<KeyRole>,
    /// First log index it speaks for.
    pub from_index: u64,
    /// First log index it does not speak for any more; open while none.
    pub until_index: Option<u64>,
    /// Set once a key is known to be lost.
    pub revoked: Option<IndexRevocation>,
}

/// The signed document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyList {
    /// Always `holdpoint-keylist/1`.
    format: String,
    /// Name of the log, the origin line of its checkpoints.
    pub log: String,
    /// Counts from 1.
    pub version: u64,
    /// Digest of the previous version's payload; none for version 1.
    pub previous: Option<Digest>,
    /// All keys there ever were.
    pub keys: Vec<ListedKey>,
}

/// Why a key list, or a key at a place, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyListError {
    /// Not signed by exactly the root key, or not in canonical form.
    #[error("the key list is not an envelope signed by the root key")]
    Envelope(#[from] DsseError),
    /// Not strict JSON of the expected shape.
    #[error("the key list's payload is unreadable")]
    Json(#[source] JsonError),
    /// Another format.
    #[error("the key list has format {0:?}, expected {FORMAT:?}")]
    Format(String),
    /// A rule about the list itself is broken.
    #[error("the key list is not sound: {0}")]
    Unsound(&'static str),
    /// The list does not continue its predecessor.
    #[error("version {found} of the key list does not continue version {known}: {why}")]
    Discontinuous {
        /// Version known before.
        known: u64,
        /// Version offered.
        found: u64,
        /// What is not continued.
        why: &'static str,
    },
    /// No such key in the list.
    #[error("key {0} is not in the key list")]
    UnknownKey(KeyId),
    /// The key may not sign this.
    #[error("key {0} may not sign for {1:?}")]
    Role(KeyId, KeyRole),
    /// The key does not speak for this index.
    #[error("key {key} does not speak for log index {index} (valid from {from} until {until:?})")]
    Range {
        /// The key.
        key: KeyId,
        /// The index in question.
        index: u64,
        /// First valid index.
        from: u64,
        /// First index beyond, if closed.
        until: Option<u64>,
    },
    /// The key was revoked before this index.
    #[error("key {key} is revoked from log index {from}: {reason}")]
    Revoked {
        /// The key.
        key: KeyId,
        /// First refused index.
        from: u64,
        /// Why.
        reason: String,
    },
}

impl KeyList {
    /// The first version of a log's list.
    pub fn first(log: &str, keys: Vec<ListedKey>) -> KeyList {
        KeyList { format: FORMAT.to_owned(), log: log.to_owned(), version: 1, previous: None, keys }
    }

    /// Signs with the root key and returns the envelope's bytes.
    ///
    /// # Errors
    /// [`KeyListError::Unsound`]: no keys, a key without roles, twice, with an empty range, or equal to the root.
    pub fn sign(&self, root: &SigningKey) -> Result<Vec<u8>, KeyListError> {
        self.check(&root.id())?;
        let payload = canonical::to_vec(self).map_err(|_| KeyListError::Unsound("an index is not below 2^53"))?;
        Ok(Envelope::sign(PAYLOAD_TYPE, payload, &[root])?.to_vec())
    }

    fn check(&self, root: &KeyId) -> Result<(), KeyListError> {
        if self.format != FORMAT {
            return Err(KeyListError::Format(self.format.clone()));
        }
        if self.version == 0 || (self.version == 1) != self.previous.is_none() {
            return Err(KeyListError::Unsound("version 1, and only version 1, has no previous list"));
        }
        if self.log.is_empty() {
            return Err(KeyListError::Unsound("the log has no name"));
        }
        if self.keys.is_empty() {
            return Err(KeyListError::Unsound("there are no keys"));
        }
        let mut seen = BTreeSet::new();
        for listed in &self.keys {
            if listed.key.id() == *root {
                return Err(KeyListError::Unsound("the root key cannot vouch for itself"));
            }
            if !seen.insert(listed.key.id()) {
                return Err(KeyListError::Unsound("a key is listed twice"));
            }
            if listed.roles.is_empty() {
                return Err(KeyListError::Unsound("a key has no role"));
            }
            if listed.until_index.is_some_and(|until| until <= listed.from_index) {
                return Err(KeyListError::Unsound("a key's range is empty"));
            }
        }
        Ok(())
    }
}

/// A key list whose signature by the root was checked. Only [`VerifiedKeyList::open`] and
/// [`VerifiedKeyList::succeed`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedKeyList {
    list: KeyList,
    root: PublicKey,
    digest: Digest,
}

impl VerifiedKeyList {
    /// Opens a list with nothing known but the root key; any version is taken.
    ///
    /// # Errors
    /// [`KeyListError`].
    pub fn open(envelope: &[u8], root: &PublicKey) -> Result<VerifiedKeyList, KeyListError> {
        let envelope = Envelope::open_own(envelope, PAYLOAD_TYPE, root)?;
        let list: KeyList = json::read(&envelope.payload, KEYLIST_BYTES_MAX).map_err(KeyListError::Json)?;
        list.check(&root.id())?;
        Ok(VerifiedKeyList { list, root: root.clone(), digest: envelope.payload_digest() })
    }

    /// Opens the next version. Keys stay, their range may be closed and they may be revoked, nothing else changes.
    ///
    /// # Errors
    /// [`KeyListError::Discontinuous`] in addition to those of [`VerifiedKeyList::open`].
    pub fn succeed(&self, envelope: &[u8]) -> Result<VerifiedKeyList, KeyListError> {
        let next = VerifiedKeyList::open(envelope, &self.root)?;
        match self.broken_promise(&next.list) {
            None => Ok(next),
            Some(why) => Err(KeyListError::Discontinuous { known: self.list.version, found: next.list.version, why }),
        }
    }

    fn broken_promise(&self, next: &KeyList) -> Option<&'static str> {
        if Some(next.version) != self.list.version.checked_add(1) {
            return Some("the version must rise by one");
        }
        if next.previous != Some(self.digest) {
            return Some("it names another previous list");
        }
        if next.log != self.list.log {
            return Some("it is about another log");
        }
        for old in &self.list.keys {
            let Some(new) = next.keys.iter().find(|k| k.key == old.key) else {
                return Some("a key disappeared");
            };
            if new.roles != old.roles || new.from_index != old.from_index {
                return Some("a key's roles or start changed");
            }
            if old.until_index.is_some() && new.until_index != old.until_index {
                return Some("a closed range changed");
            }
            if old.revoked.is_some() && new.revoked != old.revoked {
                return Some("a revocation changed");
            }
        }
        None
    }

    /// The next version to sign: this list with `keys` in place of its keys.
    pub fn next(&self, keys: Vec<ListedKey>) -> KeyList {
        KeyList { format: FORMAT.to_owned(), log: self.list.log.clone(), version: self.list.version + 1, previous: Some(self.digest), keys }
    }

    /// The list's content.
    pub fn list(&self) -> &KeyList {
        &self.list
    }

    /// Digest of the payload, by which the next version names it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The key with this id, if it may act in `role` for log index `index`.
    ///
    /// # Errors
    /// [`KeyListError::UnknownKey`], `Role`, `Range` or `Revoked`.
    pub fn key_for(&self, id: &KeyId, role: KeyRole, index: u64) -> Result<&PublicKey, KeyListError> {
        let listed = self.list.keys.iter().find(|k| k.key.id() == *id).ok_or(KeyListError::UnknownKey(*id))?;
        if !listed.roles.contains(&role) {
            return Err(KeyListError::Role(*id, role));
        }
        if let Some(revoked) = listed.revoked.as_ref().filter(|r| index >= r.from_index) {
            let reason = revoked.reason.clone();
            return Err(KeyListError::Revoked { key: *id, from: revoked.from_index, reason });
        }
        if index < listed.from_index || listed.until_index.is_some_and(|until| index >= until) {
            let (from, until) = (listed.from_index, listed.until_index);
            return Err(KeyListError::Range { key: *id, index, from, until });
        }
        Ok(&listed.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SigningKey {
        SigningKey::ed25519(&[n; 32]).unwrap()
    }

    fn listed(n: u8, from_index: u64) -> ListedKey {
        ListedKey {
            key: key(n).public().clone(),
            roles: BTreeSet::from([KeyRole::Checkpoint]),
            from_index,
            until_index: None,
            revoked: None,
        }
    }

    #[test]
    fn rotation_continues_and_only_the_root_signs() {
        let root = key(1);
        let first = KeyList::first("log", vec![listed(2, 0)]);
        let open = VerifiedKeyList::open(&first.sign(&root).unwrap(), root.public()).unwrap();

        let mut old = listed(2, 0);
        old.until_index = Some(10);
        let second = open.next(vec![old.clone(), listed(3, 10)]);
        let next = open.succeed(&second.sign(&root).unwrap()).unwrap();
        assert!(next.key_for(&key(2).id(), KeyRole::Checkpoint, 9).is_ok());
        assert!(matches!(next.key_for(&key(2).id(), KeyRole::Checkpoint, 10), Err(KeyListError::Range { .. })));
        assert!(matches!(next.key_for(&key(3).id(), KeyRole::Checkpoint, 9), Err(KeyListError::Range { .. })));
        assert!(matches!(next.key_for(&key(3).id(), KeyRole::Dossier, 10), Err(KeyListError::Role(..))));
        assert!(matches!(next.key_for(&key(4).id(), KeyRole::Checkpoint, 10), Err(KeyListError::UnknownKey(_))));

        // Signed by a listed key instead of the root: a key vouching for its own rotation.
        let by_listed = second.sign(&key(2));
        assert_eq!(by_listed, Err(KeyListError::Unsound("the root key cannot vouch for itself")));
        let payload = canonical::to_vec(&second).unwrap();
        let forged = Envelope::sign(PAYLOAD_TYPE, payload, &[&key(2)]).unwrap().to_vec();
        assert!(matches!(open.succeed(&forged), Err(KeyListError::Envelope(DsseError::NotSignedBy { .. }))));
    }

    #[test]
    fn history_is_not_rewritten() {
        let root = key(1);
        let mut revoked = listed(2, 0);
        revoked.revoked = Some(IndexRevocation { from_index: 5, reason: "laptop lost".into() });
        let first = KeyList::first("log", vec![revoked.clone()]);
        let open = VerifiedKeyList::open(&first.sign(&root).unwrap(), root.public()).unwrap();
        assert!(open.key_for(&key(2).id(), KeyRole::Checkpoint, 4).is_ok());
        assert!(matches!(open.key_for(&key(2).id(), KeyRole::Checkpoint, 5), Err(KeyListError::Revoked { .. })));

        let good = open.next(vec![revoked.clone(), listed(3, 5)]);
        assert!(open.succeed(&good.sign(&root).unwrap()).is_ok());
        let mut skipped = good.clone();
        skipped.version = 3;
        let mut same = good.clone();
        same.version = 1;
        same.previous = None;
        let mut fork = good.clone();
        fork.previous = Some(Digest::of(b"other"));
        let mut elsewhere = good.clone();
        elsewhere.log = "other".into();
        let mut lifted = revoked.clone();
        lifted.revoked = None;
        let mut earlier = revoked.clone();
        earlier.from_index = 1;
        for bad in [skipped, same, fork, elsewhere, open.next(vec![listed(3, 5)]), open.next(vec![lifted]), open.next(vec![earlier])] {
            let result = open.succeed(&bad.sign(&root).unwrap());
            assert!(matches!(result, Err(KeyListError::Discontinuous { .. })), "{bad:?} {result:?}");
        }
    }

    #[test]
    fn unsound_lists_are_not_signed() {
        let root = key(1);
        let mut no_roles = listed(2, 0);
        no_roles.roles.clear();
        let mut empty = listed(2, 3);
        empty.until_index = Some(3);
        for keys in [vec![], vec![listed(1, 0)], vec![listed(2, 0), listed(2, 5)], vec![no_roles], vec![empty]] {
            assert!(matches!(KeyList::first("log", keys).sign(&root), Err(KeyListError::Unsound(_))));
        }
    }
}

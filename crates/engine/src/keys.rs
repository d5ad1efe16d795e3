//! The server's keys: a root key that signs the list of server keys, and the server key that signs everything else.
//!
//! `verify` trusts the root only. The root's private half may be taken away once the list is signed; it is needed again
//! only to list another key.

use holdpoint_seal::digest::Digest;
use holdpoint_seal::dsse::Envelope;
use holdpoint_seal::keylist::{KeyList, KeyRole, ListedKey, VerifiedKeyList};
use holdpoint_seal::keys::{PublicKey, SigningKey};
use holdpoint_seal::statement::Statement;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// DSSE payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// See the module.
pub struct Keys {
    root: PublicKey,
    server: SigningKey,
    /// The signed list, as it goes into dossiers.
    list: Vec<u8>,
    origin: String,
    mac_key: Digest,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("no randomness from the operating system: {0}")]
    Random(String),
}

impl Keys {
    /// Loads the keys of a data directory, or makes them where there are none.
    pub fn load_or_make(dir: &Path, origin: &str) -> Result<Keys, KeysError> {
        let fault = |path: &Path, why: &dyn std::fmt::Display| KeysError::File { path: path.display().to_string(), why: why.to_string() };
        std::fs::create_dir_all(dir).map_err(|why| fault(dir, &why))?;
        let (list_file, server_file, root_file) = (dir.join("keylist.json"), dir.join("server.key"), dir.join("root.pub"));
        if !list_file.exists() {
            let root = SigningKey::ed25519(&random()?).map_err(|why| fault(&root_file, &why))?;
            let server = SigningKey::ed25519(&random()?).map_err(|why| fault(&server_file, &why))?;
            let roles = BTreeSet::from([KeyRole::Checkpoint, KeyRole::Dossier, KeyRole::Evidence]);
            let listed = ListedKey { key: server.public().clone(), roles, from_index: 0, until_index: None, revoked: None };
            let list = KeyList::first(origin, vec![listed]).sign(&root).map_err(|why| fault(&list_file, &why))?;
            for (path, key) in [(dir.join("root.key"), &root), (server_file.clone(), &server)] {
                let pem = key.to_pem().map_err(|why| fault(&path, &why))?;
                write_private(&path, pem.expose().as_bytes()).map_err(|why| fault(&path, &why))?;
            }
            std::fs::write(&root_file, root.public().to_pem()).map_err(|why| fault(&root_file, &why))?;
            // The list is written last: it says that the others are there.
            write_private(&list_file, &list).map_err(|why| fault(&list_file, &why))?;
        }
        let read = |path: &Path| std::fs::read(path).map_err(|why| fault(path, &why));
        let text = |path: &Path| read(path).and_then(|bytes| String::from_utf8(bytes).map_err(|why| fault(path, &why)));
        let root = PublicKey::from_pem(&text(&root_file)?).map_err(|why| fault(&root_file, &why))?;
        let server = SigningKey::from_pem(&text(&server_file)?).map_err(|why| fault(&server_file, &why))?;
        let list = read(&list_file)?;
        let opened = VerifiedKeyList::open(&list, &root).map_err(|why| fault(&list_file, &why))?;
        let secret = server.to_pem().map_err(|why| fault(&server_file, &why))?;
        let mac_key = Digest::of_parts(&[b"holdpoint-attempt/1\n", secret.expose().as_bytes()]);
        Ok(Keys { root, server, origin: opened.list().log.clone(), list, mac_key })
    }
    /// What verifiers trust.
    pub fn root(&self) -> &PublicKey {
        &self.root
    }
    /// Signs checkpoints, dossiers and the server's own evidence.
    pub fn server(&self) -> &SigningKey {
        &self.server
    }
    /// The signed key list.
    pub fn list(&self) -> &[u8] {
        &self.list
    }
    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }
    /// HMAC-SHA-256 (RFC 2104) with a key that only this server's key gives: for secrets that are checked, not stored.
    pub fn mac(&self, message: &[u8]) -> Digest {
        const BLOCK: usize = 64;
        let pad = |byte: u8| {
            let mut block = [byte; BLOCK];
            for (one, key) in block.iter_mut().zip(self.mac_key.as_bytes()) {
                *one ^= key;
            }
            block
        };
        let inner = Digest::of_parts(&[&pad(0x36), message]);
        Digest::of_parts(&[&pad(0x5c), inner.as_bytes()])
    }
    /// Signs a statement as the server's own evidence.
    pub fn attest(&self, statement: &Statement) -> Result<Vec<u8>, String> {
        let payload = statement.to_vec().map_err(|why| why.to_string())?;
        Ok(Envelope::sign(IN_TOTO, payload, &[&self.server]).map_err(|why| why.to_string())?.to_vec())
    }
}

/// 32 bytes from the operating system.
pub fn random() -> Result<[u8; 32], KeysError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|why| KeysError::Random(why.to_string()))?;
    Ok(bytes)
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

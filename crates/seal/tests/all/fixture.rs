//! A small log with a release, its run and other people's facts in between, and everything to make dossiers of it.

use std::collections::{BTreeMap, BTreeSet};

use holdpoint_seal::Digest;
use holdpoint_seal::checkpoint::Checkpoint;
use holdpoint_seal::dossier::{self, Contents};
use holdpoint_seal::dsse::{Envelope, IN_TOTO};
use holdpoint_seal::export;
use holdpoint_seal::fact::{FactEnvelope, LoggedFact, Micros, StreamHead, body_digest};
use holdpoint_seal::keylist::{KeyList, KeyRole, ListedKey};
use holdpoint_seal::keys::SigningKey;
use holdpoint_seal::merkle::{NodeId, Tree};
use holdpoint_seal::note::{OpenNote, Salt};
use holdpoint_seal::statement::{ResourceDescriptor, Statement};
use serde_json::{Value, json};

pub const LOG: &str = "holdpoint.example/log";

pub fn root_key() -> SigningKey {
    SigningKey::ed25519(&[1; 32]).unwrap()
}

pub fn server_key() -> SigningKey {
    SigningKey::ed25519(&[2; 32]).unwrap()
}

pub fn listed(key: &SigningKey) -> ListedKey {
    ListedKey {
        key: key.public().clone(),
        roles: BTreeSet::from([KeyRole::Checkpoint, KeyRole::Dossier]),
        from_index: 0,
        until_index: None,
        revoked: None,
    }
}

pub fn keylist() -> Vec<u8> {
    KeyList::first(LOG, vec![listed(&server_key())]).sign(&root_key()).unwrap()
}

#[derive(Clone, Default)]
pub struct Log {
    pub facts: Vec<LoggedFact>,
    pub tree: Tree,
    pub rows: BTreeMap<NodeId, Digest>,
    pub heads: BTreeMap<String, StreamHead>,
    pub attestations: Vec<Vec<u8>>,
    pub notes: Vec<OpenNote>,
}

impl Log {
    pub fn add(&mut self, stream: &str, fact_type: &str, body: Value) {
        let head = self.heads.entry(stream.to_owned()).or_default();
        let index = self.facts.len() as u64;
        let envelope = FactEnvelope {
            project: "default".into(),
            stream: stream.into(),
            position: head.positions + 1,
            prev: head.last_hash,
            fact_type: fact_type.into(),
            v: 1,
            at: Micros(1_764_000_000_000_000 + index as i64),
            actor: "per_1".into(),
            via: "cli".into(),
            body_digest: body_digest(&body).unwrap(),
        };
        let leaf = envelope.leaf_hash().unwrap();
        head.follow(&envelope, leaf).unwrap();
        self.rows.extend(self.tree.append(leaf));
        self.facts.push(LoggedFact { index, envelope, body });
    }

    /// Rebuilds hashes and tree over altered facts, as a server would that rewrites history.
    pub fn retold(facts: &[LoggedFact]) -> Log {
        let mut log = Log::default();
        for fact in facts {
            log.add(&fact.envelope.stream, &fact.envelope.fact_type, fact.body.clone());
        }
        log
    }

    pub fn checkpoint(&self) -> String {
        self.checkpoint_by(&server_key())
    }

    pub fn checkpoint_by(&self, key: &SigningKey) -> String {
        let (size, root) = (self.tree.size(), self.tree.root());
        Checkpoint { origin: LOG.into(), size, root, extensions: vec![] }.sign(key).unwrap()
    }

    pub fn node(&self, id: NodeId) -> Option<Digest> {
        self.rows.get(&id).copied()
    }

    /// The release's and the run's streams, not the others.
    pub fn contents(&self) -> Contents {
        let ours = |f: &&LoggedFact| f.envelope.stream == "release/rel_1" || f.envelope.stream == "run/run_1";
        Contents {
            project: "default".into(),
            subject: "rel_1".into(),
            facts: self.facts.iter().filter(ours).cloned().collect(),
            attestations: self.attestations.clone(),
            notes: self.notes.clone(),
            checkpoint: self.checkpoint(),
            keylist: keylist(),
        }
    }

    pub fn dossier(&self) -> Vec<u8> {
        self.dossier_of(self.contents())
    }

    pub fn dossier_of(&self, contents: Contents) -> Vec<u8> {
        dossier::build(contents, &|id| self.node(id), &server_key()).unwrap()
    }

    pub fn export(&self) -> Vec<u8> {
        let mut out = export::header_line(&keylist()).unwrap();
        for fact in &self.facts {
            out.extend(export::fact_line(fact).unwrap());
        }
        out.extend(export::checkpoint_line(&self.checkpoint()).unwrap());
        out
    }
}

fn attestation(suite: &str) -> Vec<u8> {
    let subject = vec![ResourceDescriptor::named("shop", &Digest::of(b"shop"))];
    let statement = Statement::new(subject, "https://holdpoint.dev/test/v1", json!({"suite": suite})).unwrap();
    let key = SigningKey::ed25519(&[3; 32]).unwrap();
    Envelope::sign(IN_TOTO, statement.to_vec().unwrap(), &[&key]).unwrap().to_vec()
}

/// `facts` facts: a release, a run and a stranger take turns; two pieces of evidence, two approvals with comments.
pub fn log(facts: usize) -> Log {
    let mut log = Log::default();
    for n in 0..facts {
        match n % 10 {
            3 | 6 => {
                let bytes = attestation(&format!("suite-{n}"));
                let body = json!({"id": format!("ev_{n}"), "envelope": Digest::of(&bytes), "summary": {"passed": n, "ratio": 0.25}});
                log.attestations.push(bytes);
                log.add("release/rel_1", "EvidenceReceived", body);
            }
            4 | 8 => {
                let salt = Salt::from_random(*Digest::of(&[n as u8]).as_bytes());
                let note = OpenNote { salt, text: format!("Looks good – \"{n}\"\n") };
                let body = json!({"by": "per_2", "environment": "production", "comment": note.commit().digest});
                log.notes.push(note);
                log.add("release/rel_1", "ApprovalGiven", body);
            }
            1 | 5 => log.add("run/run_1", "StepDone", json!({"step": n, "outcome": "done"})),
            2 | 7 => log.add("release/rel_2", "ReleaseCreated", json!({"other": true})),
            _ => log.add("release/rel_1", "ManifestAmended", json!({"components": {"shop": Digest::of(b"shop")}, "é\u{1F600}": null})),
        }
    }
    log
}

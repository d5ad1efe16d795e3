//! The exported dossier of a release: whole streams, proofs, attestations, signed by the server.

use crate::Engine;
use holdpoint_domain::kernel::{DocKey, Kind};
use holdpoint_domain::nouns::{Release, Run, Slot};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::dossier::{self, Contents};
use holdpoint_seal::merkle::NodeId;
use holdpoint_seal::note::OpenNote;
use holdpoint_store::{Filter, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

impl Engine {
    /// Builds a release's dossier: its own stream, its runs, the evidence about its manifests and components, the people
    /// who acted, its service, pipeline and environments. Waits until all of it is sealed.
    pub async fn dossier(&self, release: &Release) -> holdpoint_store::Result<Vec<u8>> {
        let streams = self.streams_of(release).await?;
        self.wait_until_sealed().await?;
        let checkpoint =
            self.store().checkpoint().await?.ok_or_else(|| StoreError::Unavailable("no checkpoint is signed yet".to_owned()))?;
        let mut facts = Vec::new();
        let mut envelopes: BTreeSet<Digest> = BTreeSet::new();
        let mut notes: BTreeSet<Digest> = BTreeSet::new();
        for key in streams {
            let mut after = 0;
            loop {
                let page = self.store().facts_of_stream(self.project(), &key, after, 500).await?;
                let Some(last) = page.last() else { break };
                after = last.envelope.position;
                let full = page.len() == 500;
                for fact in page {
                    let Some(logged) = fact.logged() else { break };
                    if logged.index >= checkpoint.size {
                        break;
                    }
                    let named = |name: &str| -> Option<Digest> { logged.body.get(name)?.as_str()?.parse().ok() };
                    envelopes.extend(named("envelope"));
                    notes.extend(["comment", "reason", "report"].into_iter().filter_map(named));
                    facts.push(logged);
                }
                if !full {
                    break;
                }
            }
        }
        let mut attestations = Vec::new();
        for digest in envelopes {
            if let Some(bytes) = self.store().blob_get(&digest).await? {
                attestations.push(bytes);
            }
        }
        let notes: Vec<OpenNote> =
            self.store().notes(self.project(), &notes.into_iter().collect::<Vec<_>>()).await?.into_values().collect();
        let indexes: Vec<u64> = facts.iter().map(|fact| fact.index).collect();
        let broken = |why: &dyn std::fmt::Display| StoreError::Broken(format!("the dossier cannot be made: {why}"));
        let needed: BTreeSet<NodeId> = dossier::needed_nodes(&indexes, checkpoint.size).map_err(|why| broken(&why))?;
        let nodes = self.store().log_nodes(&needed).await?;
        let contents = Contents {
            project: self.project().to_owned(),
            subject: release.id.to_string(),
            facts,
            attestations,
            notes,
            checkpoint: checkpoint.note,
            keylist: self.keys().list().to_vec(),
        };
        dossier::build(contents, &|id: NodeId| nodes.get(&id).copied(), self.keys().server()).map_err(|why| broken(&why))
    }

    async fn wait_until_sealed(&self) -> holdpoint_store::Result<()> {
        for _ in 0..200 {
            if self.store().unsealed().await? == 0 {
                return Ok(());
            }
            crate::sequencer::once(self).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(StoreError::Unavailable("facts are committed faster than they are sealed; ask again".to_owned()))
    }

    async fn streams_of(&self, release: &Release) -> holdpoint_store::Result<Vec<DocKey>> {
        let service = release.manifest().service.clone();
        let mut keys: BTreeSet<DocKey> =
            BTreeSet::from([DocKey::new(Kind::Release, release.id.as_str()), DocKey::new(Kind::Service, service.as_str())]);
        let mut digests: BTreeSet<String> = release.manifests.iter().map(|version| version.digest.to_string()).collect();
        digests.extend(release.manifests.iter().flat_map(|version| version.manifest.components.values()).map(|pin| pin.digest.to_string()));
        let mut cursor = None;
        loop {
            let filter = Filter { service: Some(service.clone()), cursor, limit: 500, ..Filter::default() };
            let (runs, next) = self.store().list::<Run>(self.project(), &filter).await?;
            for run in runs.into_iter().filter(|run| run.release.as_ref() == Some(&release.id)) {
                keys.insert(DocKey::new(Kind::Run, run.id.as_str()));
                if let Some(environment) = &run.environment {
                    keys.insert(DocKey::new(Kind::Environment, environment.as_str()));
                    keys.insert(DocKey::new(Kind::Slot, Slot::key_of(environment, &service)));
                }
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        for digest in digests {
            let key = DocKey::new(Kind::Subject, digest);
            if self.store().doc(self.project(), &key).await?.is_some() {
                keys.insert(key);
            }
        }
        for person in release.editors().chain(release.approvals.iter().map(|vote| &vote.by)) {
            keys.insert(DocKey::new(Kind::Person, person.as_str()));
        }
        if let Some(found) = self.store().get::<holdpoint_domain::nouns::Service>(self.project(), &service).await? {
            keys.insert(DocKey::new(Kind::Pipeline, found.spec.pipeline));
        }
        Ok(keys.into_iter().collect())
    }
}

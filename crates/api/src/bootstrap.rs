//! The first start: nobody can sign in yet, so one link is made for one administrator.

use crate::secrets::{new_secret, secret_hash};
use holdpoint_domain::kernel::{Actor, Decision, DocKey, Kind, PersonId, Timestamp};
use holdpoint_domain::nouns::{Fact, Person, PersonSpec};
use holdpoint_engine::Engine;
use holdpoint_store::{PersonRow, Request, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A one-time link: whoever holds it sets the account's password.
#[derive(Debug, Clone)]
pub struct SetupLink {
    pub token: String,
    pub expires: Timestamp,
}

impl SetupLink {
    /// The link below a base address. The token is in the fragment, so that it reaches no log.
    pub fn below(&self, base: &str) -> String {
        format!("{}/setup#{}", base.trim_end_matches('/'), self.token)
    }
}

/// What an invitation is for, kept beside it so that it can be shown before it is used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invited {
    pub person: PersonId,
    pub expires: Timestamp,
}

/// The setting under which an invitation is kept.
pub(crate) fn invited(hash: &str) -> String {
    format!("invite/{hash}")
}

const HOURS: i64 = 24;

/// Makes a one-time link for a person.
pub(crate) async fn invite(engine: &Engine, person: &PersonId) -> holdpoint_store::Result<SetupLink> {
    let now = engine.store().now().await?;
    let expires = now.checked_add(jiff::SignedDuration::from_hours(HOURS)).unwrap_or(now);
    let token = new_secret("");
    let hash = secret_hash(&token);
    engine.store().add_invite(engine.project(), &hash, person, expires).await?;
    let kept = serde_json::to_string(&Invited { person: person.clone(), expires }).map_err(|why| StoreError::Broken(why.to_string()))?;
    engine.store().put_setting(&invited(&hash), &kept).await?;
    Ok(SetupLink { token, expires })
}

/// Declares the person `root` with the role admin and returns a set-up link. Nothing once there is an account.
///
/// # Errors
/// What the store says.
pub async fn bootstrap(engine: &Engine) -> holdpoint_store::Result<Option<SetupLink>> {
    let (store, project) = (engine.store(), engine.project());
    if store.has_accounts().await? {
        return Ok(None);
    }
    let row = match store.person_by_handle(project, "root").await? {
        Some(row) => row,
        None => {
            let id = new_person()?;
            PersonRow { id, handle: "root".to_owned(), name: "Root".to_owned(), emails: Vec::new(), service_account: false, owner: None }
        }
    };
    let key = DocKey::new(Kind::Person, row.id.as_str());
    let spec = PersonSpec { id: row.id.clone(), roles: BTreeSet::from(["admin".to_owned()]), service_account: false, owner: None };
    let request = Request {
        point: "organisation.apply",
        project: project.to_owned(),
        actor: Actor::engine("bootstrap"),
        route: "bootstrap".to_owned(),
        idempotency: None,
        locks: vec![key.clone()],
    };
    let known = row.clone();
    store
        .decide(&request, move |view, _| {
            let mut decision = Decision { people: vec![known.clone()], ..Decision::default() };
            if view.get::<Person>(&key.key)?.is_none() {
                decision.fact(Kind::Person, key.key.as_str(), Fact::PersonDeclared(spec.clone()));
            }
            Ok(decision)
        })
        .await?;
    invite(engine, &row.id).await.map(Some)
}

/// A fresh random id for a person.
pub(crate) fn new_person() -> holdpoint_store::Result<PersonId> {
    format!("per_{}", holdpoint_engine::random_id()).parse().map_err(|_| StoreError::Broken("no identifier".to_owned()))
}

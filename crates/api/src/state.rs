//! What every handler has at hand, and the one way in which handlers commit: an actor, a route, a key, locks, a decision.

use crate::Settings;
use crate::problem::{Answer, Problem};
use crate::secrets::{Passwords, Throttle};
use crate::strict::Asked;
use axum::extract::FromRef;
use holdpoint_domain::kernel::{Actor, Decision, DocKey, Note, PersonId, Salt, Stop, Timestamp, View};
use holdpoint_engine::Engine;
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Request, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests at once; beyond that callers are asked to come again.
const AT_ONCE: usize = 2048;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    passwords: Passwords,
    throttle: Throttle,
    places: Arc<Semaphore>,
}

impl FromRef<Api> for () {
    fn from_ref(_: &Api) {}
}

impl Api {
    pub fn new(settings: Settings) -> Self {
        let inner =
            Inner { settings, passwords: Passwords::default(), throttle: Throttle::default(), places: Arc::new(Semaphore::new(AT_ONCE)) };
        Self { inner: Arc::new(inner) }
    }
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
    pub fn engine(&self) -> &Engine {
        &self.inner.settings.engine
    }
    pub fn store(&self) -> &Store {
        self.engine().store()
    }
    pub fn project(&self) -> &str {
        self.engine().project()
    }
    pub fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }
    pub fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }
    pub fn places(&self) -> &Arc<Semaphore> {
        &self.inner.places
    }
    fn secure(&self) -> bool {
        self.settings().public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
    /// A name that only this very host can set, where there is TLS.
    pub fn cookie_name(&self) -> &'static str {
        if self.secure() { "__Host-holdpoint" } else { "holdpoint" }
    }
    /// The session cookie; an empty value takes it away.
    pub fn cookie(&self, value: &str) -> String {
        let age = if value.is_empty() { 0 } else { self.settings().session_hours * 3600 };
        let secure = if self.secure() { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", self.cookie_name())
    }
    /// Where logs of attempts are kept while they grow. The name is a digest: nothing of a request becomes a path.
    pub fn log_file(&self, attempt: &str) -> PathBuf {
        self.settings().log_dir.join(Digest::of(attempt.as_bytes()).hex())
    }

    /// Decides and commits for an account.
    pub async fn decide<F>(&self, point: &'static str, actor: &Actor, asked: &Asked, locks: Vec<DocKey>, decide: F) -> Answer<Value>
    where
        F: for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static,
    {
        Ok(self.store().decide(&self.request(point, actor, asked, locks), decide).await?.answer)
    }

    /// A command of an account.
    pub fn request(&self, point: &'static str, actor: &Actor, asked: &Asked, locks: Vec<DocKey>) -> Request {
        Request {
            point,
            project: self.project().to_owned(),
            actor: actor.clone(),
            route: asked.route.clone(),
            idempotency: asked.idempotency.clone(),
            locks,
        }
    }

    /// What a decision would be refused with now; nothing is written.
    pub async fn refusal_of<T, F>(&self, decide: F) -> Option<Value>
    where
        F: Fn(&View, Timestamp) -> Result<T, Stop>,
    {
        match self.engine().ask(decide).await {
            Ok(_) => None,
            Err(why) => Some(Problem::from(why).short()),
        }
    }

    /// Handles by id, looked up one by one and once.
    pub async fn handles(&self, ids: Vec<PersonId>) -> Answer<BTreeMap<PersonId, String>> {
        let mut found = BTreeMap::new();
        for id in ids {
            if found.contains_key(&id) {
                continue;
            }
            if let Some(row) = self.store().person(self.project(), &id).await? {
                found.insert(id, row.handle);
            }
        }
        Ok(found)
    }
}

/// Free text with a fresh salt; the ledger keeps the commitment only.
pub fn note(text: &str) -> Answer<Note> {
    let mut salt = [0_u8; 32];
    getrandom::fill(&mut salt).map_err(|why| Problem::broken(&why))?;
    Ok(Note { salt: Salt::from_random(salt), text: text.to_owned() })
}

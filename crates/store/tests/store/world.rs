//! A store on a fresh database, and short words for what tests do with it.

use holdpoint_domain::kernel::{Actor, Decision, DocKey, Kind, PersonId, Stop, Timestamp, View};
use holdpoint_domain::nouns::{Environment, EnvironmentSpec, Fact};
use holdpoint_store::{Committed, Engine, Request, Store, StoreError};
use holdpoint_testkit::Postgres;
use serde_json::json;
use std::path::PathBuf;

pub const PROJECT: &str = "default";

pub struct World {
    pub store: Store,
    pub url: String,
    pub postgres: Option<Postgres>,
    pub folder: tempfile::TempDir,
}

impl World {
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::at(None).await,
            Engine::Postgres => {
                let server = tokio::task::spawn_blocking(Postgres::start).await.expect("PostgreSQL");
                Self::at(Some(server)).await
            }
        }
    }
    pub async fn at(postgres: Option<Postgres>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match &postgres {
            Some(server) => server.url(),
            None => format!("sqlite:{}", folder.path().join("holdpoint.db").display()),
        };
        let store = Store::open(&url, &folder.path().join("blobs")).await.expect("a store");
        Self { store, url, postgres, folder }
    }
    /// Another store on the same database, as another server would have it.
    pub async fn another(&self) -> Store {
        Store::open(&self.url, &self.blobs()).await.expect("another store")
    }
    pub fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }
    pub fn engine(&self) -> Engine {
        self.store.engine()
    }
    /// Changes the database behind the store's back.
    pub async fn tamper(&self, sql: &'static str) -> u64 {
        use sqlx::{Connection as _, Executor as _};
        match self.engine() {
            Engine::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url).await.expect("connects");
                conn.execute(sql).await.expect(sql).rows_affected()
            }
            Engine::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.url).await.expect("connects");
                conn.execute(sql).await.expect(sql).rows_affected()
            }
        }
    }
}

pub fn ada() -> Actor {
    use holdpoint_domain::kernel::{AccountKind, Via};
    Actor { kind: AccountKind::Person, person: Some(per("ada")), owner: None, name: "ada".to_owned(), via: Via::Session }
}

pub fn per(name: &str) -> PersonId {
    format!("per_{name}").parse().expect("an id")
}

pub fn environment(name: &str, order: u32) -> Fact {
    Fact::EnvironmentDeclared(EnvironmentSpec {
        name: name.to_owned(),
        production: false,
        zone: "UTC".to_owned(),
        order,
        pool: "default".to_owned(),
        windows: vec![],
        variables: Default::default(),
        traffic: None,
    })
}

pub fn env(name: &str) -> DocKey {
    DocKey::new(Kind::Environment, name)
}

pub fn request(locks: Vec<DocKey>) -> Request {
    Request { point: "test", project: PROJECT.to_owned(), actor: ada(), route: "test".to_owned(), idempotency: None, locks }
}

/// A decision that declares an environment with this order.
pub fn declares(name: &'static str, order: u32) -> impl for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static {
    move |_, _| {
        let mut decision = Decision { answer: json!({"order": order}), ..Decision::default() };
        decision.fact(Kind::Environment, name, environment(name, order));
        Ok(decision)
    }
}

/// A decision that adds one to an environment's order: what is lost if two of them read the same.
pub fn increments(name: &'static str) -> impl for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static {
    move |view, _| {
        let order = view.get::<Environment>(name)?.map_or(0, |environment| environment.spec.order) + 1;
        let mut decision = Decision { answer: json!({"order": order}), ..Decision::default() };
        decision.fact(Kind::Environment, name, environment(name, order));
        Ok(decision)
    }
}

pub async fn declare(store: &Store, name: &'static str, order: u32) -> Result<Committed, StoreError> {
    store.decide(&request(vec![env(name)]), declares(name, order)).await
}

pub async fn order(store: &Store, name: &str) -> u32 {
    store.get::<Environment>(PROJECT, name).await.expect("reads").map_or(0, |environment| environment.spec.order)
}

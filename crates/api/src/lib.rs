//! The HTTP API: routes, wire shapes, sessions and tokens, live events, the worker protocol, the embedded page.
//!
//! Architecture invariant: no rule of release management is here. A handler reads its input strictly, names the streams
//! that may be written, and hands a decision of the domain to the store.
//! Architecture invariant: who may come in is decided in a handler's type (see [`doors`]), never by a filter on paths.

mod bootstrap;
pub mod doors;
mod guard;
pub mod organisation;
mod page;
pub mod problem;
mod rest;
mod router;
mod routes;
pub mod secrets;
mod serve;
mod show;
mod state;
mod strict;
pub mod trust_file;

pub use bootstrap::{SetupLink, bootstrap};
pub use serve::serve;

use holdpoint_domain::nouns::Traffic;
use holdpoint_seal::trust::TrustPolicy;
use std::path::PathBuf;

/// What the API needs to know of its instance.
#[derive(Clone)]
pub struct Settings {
    pub engine: holdpoint_engine::Engine,
    /// As users reach it, e.g. `https://holdpoint.example`. With https, cookies are for TLS and this host only.
    pub public_url: Option<String>,
    /// Further names under which it answers. Addresses and `localhost` always work.
    pub allowed_hosts: Vec<String>,
    pub session_hours: u64,
    /// Folder for logs of attempts while they grow.
    pub log_dir: PathBuf,
    /// Whose signatures count for evidence that others bring; none: nobody's.
    pub trust_policy: Option<TrustPolicy>,
    /// What environments of the short form get as their load balancer: the embedded proxy.
    pub default_traffic: Option<Traffic>,
}

impl Settings {
    /// Usual settings over an engine.
    pub fn new(engine: holdpoint_engine::Engine, log_dir: PathBuf) -> Self {
        Self { engine, public_url: None, allowed_hosts: Vec::new(), session_hours: 12, log_dir, trust_policy: None, default_traffic: None }
    }
}

/// Everything, the embedded page included.
pub fn router(settings: Settings) -> axum::Router {
    router::build(settings)
}

/// The description of all routes, from the types that serve them.
pub fn openapi() -> utoipa::openapi::OpenApi {
    router::openapi()
}

//! Asking a load balancer for a split between versions, whether a version is drained, and what it counted.
//!
//! Two kinds stand behind one set of verbs: our own proxy (exact weights, latency histograms, its own memory) and
//! HAProxy by its runtime socket (see [`haproxy`]). Nothing here decides on weights or retries; a caller repeats
//! `set` with the same generation until it is answered, which is safe.

pub mod haproxy;
mod proxy;
mod token;

use std::collections::BTreeMap;
use std::path::Path;

use holdpoint_analysis::histogram::Histogram;
use serde::{Deserialize, Serialize};

pub use crate::proxy::Backend;
pub use haproxy::HaProxy;
pub use proxy::ProxyAdmin;
pub use token::Token;

/// A load balancer that splits the traffic of routes.
#[derive(Debug, Clone)]
pub enum TrafficControl {
    Proxy(ProxyAdmin),
    HaProxy(HaProxy),
}

/// Requests of one version that are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The version's weight; for HAProxy the sum of its servers' weights.
    pub weight: u32,
    pub in_flight: u64,
}

impl Drain {
    /// No new requests come and the old ones are over: its instances may be stopped.
    pub fn is_drained(&self) -> bool {
        self.weight == 0 && self.in_flight == 0
    }
}

/// What a `set` led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// False when this was in force before (a repeated call).
    pub changed: bool,
    /// Every version that has a weight or still requests in flight, and some that have neither.
    pub versions: BTreeMap<String, Drain>,
}

/// Counts of one route, cumulative since `start_id`. A changed `start_id`, or a count that fell, is a new beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStats {
    pub start_id: String,
    pub versions: BTreeMap<String, VersionStats>,
}

/// Counts of one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionStats {
    /// Requests that ended with an answer or by a fault of the backend. `errors <= requests` at every moment.
    pub requests: u64,
    /// Of these: status 5xx, not reachable, broken off, or silent for too long.
    pub errors: u64,
    /// Requests the client left before their end; not in `requests`.
    #[serde(default)]
    pub aborted: u64,
    /// Attempts beyond the first of a request, whatever became of it.
    #[serde(default)]
    pub retries: u64,
    pub in_flight: u64,
    /// From the arrival of the request's head to the end of the response, of answered requests (5xx too).
    /// `None`: the balancer keeps no distribution (HAProxy has averages only, which no percentile can be had from).
    pub latency: Option<Histogram>,
}

/// Why a balancer did not do or say what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("the address or token of the load balancer cannot be used: {0}")]
    Setting(String),
    #[error("the load balancer at {at} was not reached; nothing changed")]
    Unreachable { at: String, source: std::io::Error },
    /// The call may or may not have had its effect; repeating it tells.
    #[error("the load balancer at {at} did not answer to the end; whether it changed is not known")]
    Indeterminate { at: String },
    #[error("generation {wanted} does not rise above {current}, and says something else")]
    Overtaken { wanted: u64, current: u64 },
    #[error("the load balancer has no route {0}")]
    NoRoute(String),
    #[error("{needed} more server slots are needed in backend {backend}, {free} are free; nothing changed")]
    NoSlots { backend: String, needed: usize, free: usize },
    #[error("the load balancer refused: {0}")]
    Refused(String),
    #[error("the load balancer answered something unexpected: {0}")]
    Protocol(String),
}

impl TrafficError {
    /// Whether the call may have had its effect all the same.
    pub fn is_indeterminate(&self) -> bool {
        matches!(self, Self::Indeterminate { .. } | Self::Protocol(_))
    }
}

impl TrafficControl {
    /// Our own proxy at `admin` (`http://host:port`), with the token in `token_file`.
    pub fn proxy(admin: &str, token_file: &Path) -> Result<Self, TrafficError> {
        let token = Token::read(token_file).map_err(|error| TrafficError::Setting(format!("{}: {error}", token_file.display())))?;
        Ok(Self::Proxy(ProxyAdmin::new(admin, token)?))
    }

    /// HAProxy with its runtime socket and the names of its backends by route.
    pub fn haproxy(socket: &Path, backends: BTreeMap<String, String>) -> Result<Self, TrafficError> {
        Ok(Self::HaProxy(HaProxy::new(socket, backends)?))
    }

    /// Puts the split in force. Idempotent for the same generation and content; see [`Backend::weight`].
    /// A route set this way does not tell its version to clients.
    pub async fn set(&self, route: &str, generation: u64, backends: Vec<Backend>) -> Result<Applied, TrafficError> {
        let spec = crate::proxy::RouteSpec { generation, backends, expose_version: false };
        spec.check().map_err(TrafficError::Refused)?;
        match self {
            Self::Proxy(proxy) => proxy.set(route, &spec).await,
            Self::HaProxy(haproxy) => haproxy.set(route, &spec).await,
        }
    }

    /// Weight and requests in flight of a version; one that is not known is drained.
    pub async fn drained(&self, route: &str, version: &str) -> Result<Drain, TrafficError> {
        let versions = match self {
            Self::Proxy(proxy) => proxy.draining(route).await?,
            Self::HaProxy(haproxy) => haproxy.draining(route).await?,
        };
        Ok(versions.get(version).copied().unwrap_or(Drain { weight: 0, in_flight: 0 }))
    }

    /// What was counted.
    pub async fn stats(&self, route: &str) -> Result<RouteStats, TrafficError> {
        match self {
            Self::Proxy(proxy) => proxy.stats(route).await,
            Self::HaProxy(haproxy) => haproxy.stats(route).await,
        }
    }
}

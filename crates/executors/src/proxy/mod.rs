//! The traffic data plane: an HTTP/1.1 reverse proxy that splits requests between versions by weight.
//!
//! It runs as a process of its own and outlives the server: its routes are in `DIR/routes.json`, are loaded at
//! start, and are served until somebody puts a newer generation. It counts per version what a canary comparison needs.
//!
//! What it deliberately does not do: TLS and HTTP/2 (a load balancer in front does), caching, rewriting, stickiness,
//! active health checks (the engine's watchers look at instances; the proxy only avoids an address that just refused),
//! and trusting what a client says about itself: `X-Forwarded-*` is always ours.
//!
//! Rules worth knowing:
//! - A request is sent to a second backend only if no byte of it can have been acted upon: the connection was refused,
//!   or an idle connection turned out to be closed before the request was written. A bodyless `GET`, `HEAD` or `OPTIONS`
//!   that died on a *reused* connection without a byte of answer is also repeated, once (RFC 9110, 9.2.2). All are counted.
//! - Only `Upgrade: websocket` is passed through; a tunnel counts as in flight until it ends. Other upgrades are
//!   answered as if they had not been asked for, `CONNECT` with 501.
//! - The proxy never moves a request to *another version*: a version whose backends are all dead gives 502, and the
//!   errors are its own.
//! - A timeout is a time without progress, not a total: a long download is not cut.

mod admin;
mod body;
mod counters;
mod forward;
mod guard;
mod headers;
mod listener;
mod pool;
mod routes;
mod state;
mod upgrade;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub(crate) use routes::name_is_allowed;
pub use routes::{Backend, RouteSpec};

use crate::traffic::Token;

/// What `holdpoint proxy` is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Route name and address to listen on; a route may be listed more than once, port 0 takes a free port.
    pub listen: Vec<(String, SocketAddr)>,
    /// Where the admin API listens.
    pub admin: SocketAddr,
    /// The folder that holds `routes.json` and `lock`; made if missing.
    pub state_dir: PathBuf,
    /// A file that holds the admin token (surrounding white space is ignored).
    pub token_file: PathBuf,
}

/// Bounds on what one client or backend may take. The defaults are meant for production.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of clients over all routes; more of them wait in the listen queue.
    pub connections: usize,
    /// Bytes of request line and headers; above that 431.
    pub header_bytes: usize,
    /// From the first readiness to the end of the headers, also the idle time of a kept-alive client connection.
    pub header_timeout: Duration,
    /// Longest time without progress of a request, in either direction.
    pub request_timeout: Duration,
    /// Time to connect to a backend.
    pub connect_timeout: Duration,
    /// Idle connections kept per backend, and for how long.
    pub idle_per_backend: usize,
    pub idle_timeout: Duration,
    /// After this the remaining requests are cut when the proxy is told to stop.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            header_bytes: 32 * 1024,
            header_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(3),
            idle_per_backend: 256,
            idle_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(30),
        }
    }
}

/// Why the proxy did not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("cannot listen on {address} for {what}")]
    Listen { what: String, address: SocketAddr, source: std::io::Error },
    #[error("cannot use the state folder {}", path.display())]
    State { path: PathBuf, source: std::io::Error },
    #[error("another proxy uses the state folder {}", path.display())]
    Locked { path: PathBuf },
    #[error("cannot read the admin token from {}", path.display())]
    Token { path: PathBuf, source: std::io::Error },
    #[error("the route name {name:?} is not allowed: use letters, digits, '.', '_' and '-', at most 100")]
    RouteName { name: String },
    #[error("cannot draw random numbers from the operating system")]
    Random,
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) start_id: String,
    pub(crate) limits: Limits,
    pub(crate) routes: BTreeMap<String, Arc<routes::Route>>,
    pub(crate) store: Arc<tokio::sync::Mutex<state::StateFile>>,
    pub(crate) token: Token,
    pub(crate) bound: BTreeMap<String, Vec<SocketAddr>>,
}

/// A running proxy, for tests and for a server that embeds one.
pub struct Running {
    /// The bound addresses of each route.
    pub listen: BTreeMap<String, Vec<SocketAddr>>,
    /// The bound address of the admin API.
    pub admin: SocketAddr,
    /// Random name of this run; counters count since it began.
    pub start_id: String,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    grace: Duration,
}

impl Running {
    /// Stops accepting, lets requests end (up to the stop timeout), and returns.
    pub async fn stop(mut self) {
        // A receiver that is gone has nothing left to stop.
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, all).await.is_err() {
            tracing::warn!("requests were cut because they outlasted the stop timeout");
        }
    }
}

/// Binds, loads the last routes and begins to serve; returns at once.
pub async fn start(config: Config, limits: Limits) -> Result<Running, ProxyError> {
    let token = Token::read(&config.token_file).map_err(|source| ProxyError::Token { path: config.token_file.clone(), source })?;
    let mut store = state::StateFile::open(&config.state_dir)?;
    let kept = store.load();

    let mut listeners = Vec::new();
    let mut bound: BTreeMap<String, Vec<SocketAddr>> = BTreeMap::new();
    for (route, address) in &config.listen {
        if !name_is_allowed(route) {
            return Err(ProxyError::RouteName { name: route.clone() });
        }
        let listener = bind(route, *address).await?;
        let local = local_address(&listener, route, *address)?;
        bound.entry(route.clone()).or_default().push(local);
        listeners.push((route.clone(), listener));
    }
    let admin_listener = bind("admin", config.admin).await?;
    let admin = local_address(&admin_listener, "admin", config.admin)?;

    let live = bound.keys().map(|name| (name.clone(), Arc::new(routes::Route::new(name, kept.get(name), &limits)))).collect();
    let mut id = [0u8; 12];
    getrandom::fill(&mut id).map_err(|_| ProxyError::Random)?;
    let start_id = hex::encode(id);
    let grace = limits.stop_timeout;
    let connections = Arc::new(Semaphore::new(limits.connections));
    let shared = Arc::new(Shared {
        start_id: start_id.clone(),
        limits,
        routes: live,
        store: Arc::new(tokio::sync::Mutex::new(store)),
        token,
        bound: bound.clone(),
    });

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for (name, listener) in listeners {
        if let Some(route) = shared.routes.get(&name) {
            let service = listener::Front { shared: shared.clone(), route: route.clone() };
            tasks.spawn(listener::serve_route(listener, service, connections.clone(), stopped.clone()));
        }
    }
    tasks.spawn(listener::serve_admin(admin_listener, shared.clone(), stopped.clone()));
    tasks.spawn(listener::trim_pools(shared, stopped));
    Ok(Running { listen: bound, admin, start_id, stop, tasks, grace })
}

/// Serves until SIGTERM or SIGINT. Prints one JSON line with the bound addresses on standard output first.
pub async fn run(config: Config) -> Result<(), ProxyError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).map_err(ProxyError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProxyError::Signals)?;
    let running = start(config, Limits::default()).await?;
    // One address per route as a plain string, which is what almost everyone has; several as a list.
    let listen: BTreeMap<&String, serde_json::Value> = running
        .listen
        .iter()
        .map(|(route, addresses)| match addresses.as_slice() {
            [one] => (route, serde_json::json!(one)),
            many => (route, serde_json::json!(many)),
        })
        .collect();
    let line = serde_json::json!({
        "listen": listen,
        "admin": running.admin,
        "start_id": running.start_id,
        "pid": std::process::id(),
    });
    println!("{line}");
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await;
    Ok(())
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, ProxyError> {
    TcpListener::bind(address).await.map_err(|source| ProxyError::Listen { what: what.to_owned(), address, source })
}

fn local_address(listener: &TcpListener, what: &str, address: SocketAddr) -> Result<SocketAddr, ProxyError> {
    listener.local_addr().map_err(|source| ProxyError::Listen { what: what.to_owned(), address, source })
}

//! One backend address: its idle connections, its load, and whether it has just refused.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Limits;
use super::body::UploadBody;

pub(crate) type Connection = SendRequest<UploadBody>;

/// After a refused connection the address is only used when there is no other, for this long.
const SHUN: Duration = Duration::from_secs(1);
/// How long a pooled connection may take to become ready; it normally is after one turn of its task.
const READY: Duration = Duration::from_millis(100);

struct Idle {
    connection: Connection,
    since: Instant,
}

pub(crate) struct Upstream {
    pub(crate) address: String,
    open: AtomicBool,
    in_flight: AtomicU64,
    shunned_until_ms: AtomicU64,
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
}

impl Upstream {
    pub(crate) fn new(address: &str, idle_max: usize) -> Self {
        Self {
            address: address.to_owned(),
            open: AtomicBool::new(true),
            in_flight: AtomicU64::new(0),
            shunned_until_ms: AtomicU64::new(0),
            idle: Mutex::new(Vec::new()),
            idle_max,
        }
    }

    /// Whether new requests are sent here. Closing also closes the idle connections, so that a backend that stops
    /// gracefully does not wait for them.
    pub(crate) fn open(&self, open: bool) {
        self.open.store(open, Release);
        if !open {
            self.lock().clear();
        }
    }

    pub(crate) fn takes_new(&self) -> bool {
        self.open.load(Acquire)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    pub(crate) fn is_shunned(&self) -> bool {
        let until = self.shunned_until_ms.load(Relaxed);
        until != 0 && clock_ms() < until
    }

    pub(crate) fn shun(&self) {
        self.shunned_until_ms.store(clock_ms() + duration_ms(SHUN), Relaxed);
    }

    /// An idle connection that is still open, the most recently used first.
    pub(crate) async fn reuse(&self, limits: &Limits) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.lock().pop()?;
            if connection.is_closed() || since.elapsed() > limits.idle_timeout {
                continue;
            }
            if connection.is_ready() {
                return Some(connection);
            }
            if let Ok(Ok(())) = tokio::time::timeout(READY, connection.ready()).await {
                return Some(connection);
            }
        }
    }

    /// A new connection; the error says that nothing was sent.
    pub(crate) async fn connect(&self, limits: &Limits) -> std::io::Result<Connection> {
        let connected = tokio::time::timeout(limits.connect_timeout, TcpStream::connect(&self.address)).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.shun();
                return Err(error);
            }
            Err(_) => {
                self.shun();
                return Err(std::io::ErrorKind::TimedOut.into());
            }
        };
        stream.set_nodelay(true)?;
        if self.shunned_until_ms.load(Relaxed) != 0 {
            self.shunned_until_ms.store(0, Relaxed);
        }
        let (sender, connection) = http1::Builder::new()
            .max_header_size(64 * 1024)
            .max_buf_size(128 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // How it ended is told to the request that used it; an idle one that ends is of no interest.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    /// Gives a connection back after a complete exchange.
    pub(crate) fn give_back(&self, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let mut idle = self.lock();
        // Looked at under the lock: `open(false)` must not miss a connection that is just coming back.
        if self.takes_new() && idle.len() < self.idle_max {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Drops what is closed or has been idle too long.
    pub(crate) fn trim(&self, limits: &Limits) {
        self.lock().retain(|idle| !idle.connection.is_closed() && idle.since.elapsed() <= limits.idle_timeout);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one request on one address for as long as it lives.
pub(crate) struct Occupied(pub(crate) Arc<Upstream>);

impl Occupied {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        upstream.in_flight.fetch_add(1, AcqRel);
        Self(upstream)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, AcqRel);
    }
}

/// Milliseconds on a monotonic clock that starts with its first use, at 1.
pub(crate) fn clock_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    duration_ms(START.get_or_init(Instant::now).elapsed()) + 1
}

fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

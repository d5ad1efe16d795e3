//! What an executor is given; it can reach nothing else.
//!
//! Deliberately no access to the server, the lease or the ledger: a step knows its files, its output and its end.

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::outbound::Outbound;
use crate::output::OutputSink;
use crate::process::proc::boot_clock;

/// Everything one attempt may use.
#[derive(Clone)]
pub struct Context {
    /// The worker's own state directory, absolute; attempts and instances live below it and survive the worker.
    pub root: PathBuf,
    /// Name of the attempt, the same after every restart: directories derive from it. Letters, digits, `_`, `-`, `.`.
    pub attempt: String,
    pub blobs: Arc<dyn BlobSource>,
    /// Live output. A closed receiver is not an error, a slow one slows the step's reader, never its process.
    pub output: OutputSink,
    pub cancel: CancellationToken,
    /// End of the lease less the worker's margin. Extended by the worker at each heartbeat.
    pub deadline: Deadline,
    /// The program that supervises processes, e.g. `["/usr/bin/holdpoint", "shim"]`; `--dir DIR` is added.
    pub shim: Vec<String>,
    /// Where requests may go.
    pub outbound: Arc<Outbound>,
    /// For `${env.NAME}`.
    pub variables: BTreeMap<String, String>,
    /// What every command of this worker has in its environment besides PATH, HOME and LANG (e.g. CARGO_HOME).
    pub base_env: BTreeMap<String, String>,
    pub secrets: Secrets,
}

/// Where bytes come from and go to, by digest.
pub trait BlobSource: Send + Sync {
    /// Path of a file that claims to have this digest (`sha256:…`). It is hashed again, on the descriptor that is used.
    fn get<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<PathBuf, BlobError>>;
    /// Stores the file and answers with the digest of the bytes that were read.
    fn put<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<String, BlobError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("there is no blob {0}")]
    Missing(String),
    #[error("the blob store did not answer: {0}")]
    Broken(String),
}

/// A moment on the boot-time clock (which goes on while the machine sleeps), shared, and moved by whoever renews the lease.
#[derive(Clone, Debug)]
pub struct Deadline(Arc<AtomicU64>);

impl Deadline {
    pub fn after(span: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(boot_clock().saturating_add(nanos(span)))))
    }

    /// No lease: for programs that run a step by themselves.
    pub fn never() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// The lease was renewed: it now ends this long after now.
    pub fn extend(&self, span: Duration) {
        self.0.store(boot_clock().saturating_add(nanos(span)), Ordering::SeqCst);
    }

    /// Nanoseconds since boot.
    pub fn at(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn passed(&self) -> bool {
        boot_clock() >= self.at()
    }

    /// Returns once the deadline has passed, however often it was moved.
    pub async fn wait(&self) {
        loop {
            let left = self.at().saturating_sub(boot_clock());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_nanos(left).min(Duration::from_millis(200))).await;
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Secrets by name. They cannot be printed, and are masked in everything an executor puts out.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(values.into_iter().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The one way out, for the pipe to the shim.
    pub(crate) fn reveal(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.0.len())
    }
}

impl Context {
    /// The attempt's own directory; refuses a name that is not one plain path element.
    pub fn attempt_dir(&self) -> Result<PathBuf, String> {
        Ok(self.root.join("attempts").join(plain_name(&self.attempt)?))
    }
}

/// One path element without meaning to the file system: no separator, no leading dot or dash.
pub(crate) fn plain_name(name: &str) -> Result<&str, String> {
    let plain = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain { Ok(name) } else { Err(format!("{name:?} is not a plain name")) }
}

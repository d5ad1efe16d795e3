//! Processes that stay: server, worker, proxy, shim; and the rebuild of a server's state.

use super::Ended;
use crate::client::Connection;
use crate::out::{BadInput, Code, Out};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use holdpoint_engine::keys::Keys;
use holdpoint_engine::{Engine, sweeper, worker};
use holdpoint_executors::{Outbound, Secrets, proxy};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::trust::TrustPolicy;
use holdpoint_store::Store;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The project of this installation.
pub const PROJECT: &str = "default";

#[derive(Args)]
pub struct Serve {
    /// Folder for the database, blobs, keys, logs and the worker's state.
    #[arg(long, default_value = "holdpoint-data")]
    pub data: PathBuf,
    #[arg(long, default_value = "127.0.0.1:8300")]
    pub listen: SocketAddr,
    /// `postgres://…`; otherwise SQLite in the data folder.
    #[arg(long, env = "HOLDPOINT_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// How the address and the set-up link are announced on standard output.
    #[arg(long, value_enum, default_value_t = Announce::Text)]
    pub announce: Announce,
    /// Address by which people reach the server, if it is not the one it listens on.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Whose signatures count for evidence that others bring (`evidence add --kind dsse`): a YAML file, read at the start.
    #[arg(long, value_name = "FILE")]
    pub trust_policy: Option<PathBuf>,
    /// Run no worker in this process.
    #[arg(long)]
    pub no_worker: bool,
    #[command(flatten)]
    pub hands: Hands,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Announce {
    Text,
    Json,
}

/// What a worker may do.
#[derive(Args, Clone)]
pub struct Hands {
    /// `host:port` that HTTP and traffic steps may reach; may be given several times.
    #[arg(long = "allow", value_name = "HOST:PORT")]
    pub allow: Vec<String>,
    /// Environment variable that commands get from this process; may be given several times.
    #[arg(long = "pass", value_name = "NAME")]
    pub pass: Vec<String>,
    /// How many steps at once.
    #[arg(long, default_value_t = 4)]
    pub slots: usize,
}

#[derive(Args)]
pub struct WorkerArgs {
    #[arg(long, default_value = "default")]
    pool: String,
    #[arg(long)]
    name: String,
    /// File with the pool's key; the server keeps one in its data folder.
    #[arg(long, value_name = "FILE")]
    pool_key_file: PathBuf,
    /// Folder for attempts and instances.
    #[arg(long, default_value = "holdpoint-worker")]
    data: PathBuf,
    #[command(flatten)]
    hands: Hands,
}

#[derive(Args)]
pub struct ProxyArgs {
    /// `ROUTE=ADDRESS`; may be given several times. Port 0 takes a free one.
    #[arg(long = "listen", value_name = "ROUTE=ADDR", required = true)]
    listen: Vec<String>,
    /// Where weights are set and counts read.
    #[arg(long)]
    admin: SocketAddr,
    /// Folder that keeps the last routes.
    #[arg(long)]
    state: PathBuf,
    /// File with the token of the admin interface.
    #[arg(long)]
    token_file: PathBuf,
}

#[derive(Args)]
pub struct ShimArgs {
    #[arg(long)]
    dir: PathBuf,
}

#[derive(Args)]
pub struct Rebuild {
    /// Only compare; nothing is written.
    #[arg(long, required = true)]
    compare: bool,
    #[arg(long, default_value = "holdpoint-data")]
    data: PathBuf,
    #[arg(long, env = "HOLDPOINT_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}

fn logs() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("HOLDPOINT_LOG").unwrap_or_else(|_| EnvFilter::new("warn,holdpoint=info"));
    // A second subscriber is no fault: the demo starts several things in one process.
    let _already = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}

async fn stop_signal() {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(why) => {
            tracing::error!(%why, "no signals");
            return std::future::pending().await;
        }
    };
    tokio::select! { _ = term.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
}

async fn open(data: &Path, database: Option<&str>) -> anyhow::Result<(Store, Keys)> {
    std::fs::create_dir_all(data).with_context(|| data.display().to_string())?;
    let url = database.map_or_else(|| format!("sqlite:{}", data.join("holdpoint.db").display()), str::to_owned);
    let store = Store::open(&url, &data.join("blobs")).await.context("the database cannot be opened")?;
    let origin = format!("holdpoint/{}", store.instance());
    let keys = Keys::load_or_make(&data.join("keys"), &origin)?;
    Ok((store, keys))
}

impl Serve {
    pub fn run(self, out: &Out) -> Ended {
        logs();
        runtime()?.block_on(self.serve(out))
    }

    async fn serve(self, out: &Out) -> Ended {
        let trust_policy = self.trust_policy.as_deref().map(trust_policy).transpose()?;
        let (store, keys) = open(&self.data, self.database.as_deref()).await?;
        let verified = store.verify_start().await.context("the ledger does not verify")?;
        if let Some(first) = verified.differences.first() {
            // Nobody decides on facts that are not those that were sealed.
            let count = verified.differences.len();
            anyhow::bail!(
                "what is stored is not what was sealed ({count} differences, the first: {first:?}); see holdpoint rebuild --compare, then restore a backup"
            );
        }
        tracing::info!(?verified, "the ledger verifies from its last checkpoint");
        let engine = Engine::new(store, keys, PROJECT);
        let pool_key = pool_key(&engine, &self.data).await?;
        let listener =
            tokio::net::TcpListener::bind(self.listen).await.with_context(|| format!("{} cannot be listened on", self.listen))?;
        let address = format!("http://{}", listener.local_addr()?);
        let public = self.public_url.clone().unwrap_or_else(|| address.clone());
        let link = holdpoint_api::bootstrap(&engine).await?;
        let setup = link.map(|link| format!("{public}/setup#{}", link.token));
        engine.store().nobody_leads().await?;
        let tasks = engine.run();
        let stop = CancellationToken::new();
        let logs = tokio::spawn(sweeper::logs(self.data.join("logs"), stop.clone()));
        let hands = if self.no_worker { None } else { Some(tokio::spawn(worker::run(embedded(&self, &address, pool_key)?, stop.clone()))) };
        match self.announce {
            Announce::Json => println!("{}", json!({"listening": address, "setup": setup, "root_key": self.data.join("keys/root.pub")})),
            Announce::Text => {
                println!("Holdpoint {} listens on {public}", env!("CARGO_PKG_VERSION"));
                if let Some(setup) = &setup {
                    println!(
                        "Nobody has an account yet. Open this once, within 24 hours, to become the administrator \"root\":\n  {setup}"
                    );
                }
                println!("Root key for offline verification: {}", self.data.join("keys/root.pub").display());
            }
        }
        // Whoever reads the announcement through a pipe waits for it.
        std::io::Write::flush(&mut std::io::stdout())?;
        let mut settings = holdpoint_api::Settings::new(engine.clone(), self.data.join("logs"));
        settings.public_url = Some(public);
        settings.trust_policy = trust_policy;
        let ended = stop.clone();
        holdpoint_api::serve(listener, settings, async move {
            stop_signal().await;
            ended.cancel();
        })
        .await?;
        engine.stop();
        for task in tasks.into_iter().chain(hands).chain([logs]) {
            // Steps in progress are adopted by the next start; the process does not wait for them.
            let _late = tokio::time::timeout(std::time::Duration::from_secs(3), task).await;
        }
        let _ = out;
        Ok(Code::Done)
    }
}

/// Nobody's signature counts by a policy that cannot be read: the server does not start.
fn trust_policy(path: &Path) -> anyhow::Result<TrustPolicy> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|why| BadInput(format!("--trust-policy {name}: {why}")))?;
    Ok(holdpoint_api::trust_file::parse(&name, &text).map_err(|why| BadInput(why.to_string()))?)
}

/// The default pool's key: made once, kept readable by the owner only.
async fn pool_key(engine: &Engine, data: &Path) -> anyhow::Result<String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = data.join("pool.key");
    if !path.exists() {
        let key = format!("hpp_{}{}{}", holdpoint_engine::random_id(), holdpoint_engine::random_id(), holdpoint_engine::random_id());
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, key.as_bytes())?;
    }
    let key = std::fs::read_to_string(&path)?.trim().to_owned();
    engine.store().add_pool_key(PROJECT, "default", &Digest::of(key.as_bytes()).to_string()).await?;
    Ok(key)
}

fn shim() -> anyhow::Result<Vec<String>> {
    // The link to the running program survives its file being replaced; the path is what a later worker starts.
    Ok(vec![std::env::current_exe()?.display().to_string(), "shim".to_owned()])
}

fn base_env(pass: &[String]) -> BTreeMap<String, String> {
    pass.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
}

fn outbound(allow: &[String]) -> anyhow::Result<Arc<Outbound>> {
    Ok(Arc::new(Outbound::new(allow).map_err(|why| BadInput(format!("--allow: {why}")))?))
}

fn embedded(serve: &Serve, address: &str, pool_key: String) -> anyhow::Result<worker::Config> {
    Ok(worker::Config {
        server: address.to_owned(),
        pool: "default".to_owned(),
        name: "embedded".to_owned(),
        pool_key,
        root: absolute(&serve.data.join("worker"))?,
        slots: serve.hands.slots,
        shim: shim()?,
        outbound: outbound(&serve.hands.allow)?,
        base_env: base_env(&serve.hands.pass),
        secrets: Secrets::default(),
    })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path)?;
    Ok(path.canonicalize()?)
}

impl WorkerArgs {
    pub fn run(self, connection: &Connection) -> Ended {
        logs();
        let config = worker::Config {
            server: connection.address()?,
            pool: self.pool.clone(),
            name: self.name.clone(),
            pool_key: std::fs::read_to_string(&self.pool_key_file)
                .map_err(|why| BadInput(format!("{}: {why}", self.pool_key_file.display())))?
                .trim()
                .to_owned(),
            root: absolute(&self.data)?,
            slots: self.hands.slots,
            shim: shim()?,
            outbound: outbound(&self.hands.allow)?,
            base_env: base_env(&self.hands.pass),
            secrets: Secrets::default(),
        };
        runtime()?.block_on(async {
            let stop = CancellationToken::new();
            let ended = stop.clone();
            tokio::spawn(async move {
                stop_signal().await;
                ended.cancel();
            });
            worker::run(config, stop).await;
        });
        Ok(Code::Done)
    }
}

impl ProxyArgs {
    pub fn run(self) -> Ended {
        logs();
        let mut listen = Vec::new();
        for one in &self.listen {
            let (route, address) =
                one.split_once('=').ok_or_else(|| BadInput(format!("--listen: expected ROUTE=ADDRESS, found {one:?}")))?;
            let address: SocketAddr = address.parse().map_err(|why| BadInput(format!("--listen {one}: {why}")))?;
            listen.push((route.to_owned(), address));
        }
        runtime()?.block_on(proxy::run(proxy::Config { listen, admin: self.admin, state_dir: self.state, token_file: self.token_file }))?;
        Ok(Code::Done)
    }
}

impl ShimArgs {
    pub fn run(self) -> Ended {
        let ended = holdpoint_executors::process::shim::run(&self.dir);
        Ok(if ended == std::process::ExitCode::SUCCESS { Code::Done } else { Code::Blocked })
    }
}

impl Rebuild {
    pub fn run(self, out: &Out) -> Ended {
        let differences = runtime()?.block_on(async {
            let (store, _) = open(&self.data, self.database.as_deref()).await?;
            anyhow::Ok(store.rebuild_compare().await?)
        })?;
        let list: Vec<String> = differences.iter().map(|one| format!("{one:?}")).collect();
        let verdict = if list.is_empty() { "same" } else { "different" };
        out.result(&json!({"verdict": verdict, "differences": list}), || {
            if list.is_empty() {
                "0 differences: every document is the fold of its facts".to_owned()
            } else {
                format!("{} differences\n{}", list.len(), list.join("\n"))
            }
        });
        Ok(if list.is_empty() { Code::Done } else { Code::Blocked })
    }
}

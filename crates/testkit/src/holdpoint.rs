//! The real server: `holdpoint serve` with a folder of its own on a free port.

use crate::client::Client;
use crate::command_line::CommandLine;
use crate::process::{Process, end_all_below, folder};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(20);
/// Password of everyone in tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// How a server is started.
#[derive(Default, Clone)]
pub struct Options {
    /// A `postgres://` URL; none means the embedded database.
    pub database: Option<String>,
    /// Further arguments of `serve`.
    pub args: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// A running server.
pub struct Holdpoint {
    // Before the folder: it ends before its files go.
    process: Process,
    options: Options,
    url: String,
    setup: Option<String>,
    folder: TempDir,
}

impl Holdpoint {
    /// With the embedded database.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let folder = folder();
        let (process, url, setup) = launch(folder.path(), &options, "127.0.0.1:0");
        Self { process, options, url, setup, folder }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The key of the pool `default`, which the first start leaves in the data folder.
    pub fn pool_key(&self) -> String {
        let path = self.data().join("pool.key");
        std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).trim().to_owned()
    }

    /// A folder beside the data that goes with the server, for what a test writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// The one-time link of the first start.
    pub fn setup_link(&self) -> &str {
        self.setup.as_deref().expect("the server printed a set-up link")
    }

    /// A caller without credentials.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Redeems the set-up link: the first administrator.
    pub fn administrator(&self) -> Client {
        let client = self.client();
        client.set_up(self.setup_link(), PASSWORD);
        client
    }

    /// Invites a declared person and signs in as that person.
    pub fn person(&self, administrator: &Client, handle: &str) -> Client {
        let invitation = administrator.post(&format!("/v1/people/{handle}/invite"), &serde_json::json!({})).ok();
        let link = invitation["link"].as_str().unwrap_or_else(|| panic!("no link: {invitation}"));
        let client = self.client();
        client.set_up(link, PASSWORD);
        client
    }

    /// The command line of someone with this token; without one, of a stranger.
    pub fn cli(&self, token: Option<&str>) -> CommandLine {
        let home = self.folder.path().join("home");
        std::fs::create_dir_all(&home).expect("a home folder");
        let mut cli = CommandLine::new(self.folder.path())
            .env("HOME", &home.display().to_string())
            .env("XDG_CONFIG_HOME", &home.join("config").display().to_string())
            .env("HOLDPOINT_SERVER", &self.url);
        if let Some(token) = token {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Two people's tokens have the same length; their files must not be the same.
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let file = home.join(format!("token-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
            let mut open = std::fs::OpenOptions::new();
            let written = open.write(true).create(true).truncate(true).mode(0o600).open(&file);
            written.and_then(|mut opened| std::io::Write::write_all(&mut opened, token.as_bytes())).expect("a token file");
            cli = cli.env("HOLDPOINT_TOKEN_FILE", &file.display().to_string());
        }
        cli
    }

    /// `kill -9` of the server alone: instances and proxies live on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) {
        self.process.end();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// How it ended, if it has: a kill point ends it by itself.
    pub fn ended(&mut self) -> bool {
        self.process.status().is_some()
    }

    /// Starts it again on the same data and port, so that callers and pages go on.
    pub fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// Starts it again with other options (a kill point, another clock).
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Options)) {
        self.process.kill();
        change(&mut self.options);
        let listen = self.url.trim_start_matches("http://").to_owned();
        let (process, url, _) = launch(self.folder.path(), &self.options, &listen);
        self.process = process;
        self.url = url;
    }

    /// Asserts that the exported ledger satisfies the invariants; see [`crate::checker`].
    #[track_caller]
    pub fn check_ledger(&self, client: &Client) -> crate::checker::Summary {
        let text = export(client);
        let report = crate::checker::check(&text);
        assert!(report.violations.is_empty(), "the ledger breaks its invariants:\n{report}");
        report.summary
    }
}

impl Drop for Holdpoint {
    fn drop(&mut self) {
        self.process.kill();
        // What it deployed outlives it on purpose; a test's end is its end, too.
        end_all_below(self.folder.path());
    }
}

/// The whole sealed ledger as JSON lines with the checkpoint last, through the public interface.
pub fn export(client: &Client) -> String {
    let answer = client.get("/v1/ledger/export");
    assert_eq!(answer.status, 200, "{}: {}", answer.request, answer.text());
    answer.text()
}

fn launch(folder: &Path, options: &Options, listen: &str) -> (Process, String, Option<String>) {
    let mut cli = CommandLine::new(folder);
    for (name, value) in &options.environment {
        cli = cli.env(name, value);
    }
    let data = folder.join("data").display().to_string();
    let mut args = vec!["serve", "--data", &data, "--listen", listen, "--announce", "json"];
    if let Some(database) = &options.database {
        args.extend(["--database", database]);
    }
    args.extend(options.args.iter().map(String::as_str));
    let mut process = Process::start("holdpoint serve", cli.command(&args), Signal::SIGTERM);
    let line = process.line(START_LIMIT);
    let announced: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line:?} is no announcement: {why}"));
    let url = announced["listening"].as_str().unwrap_or_else(|| panic!("it does not say where it listens: {line}")).to_owned();
    (process, url, announced["setup"].as_str().map(str::to_owned))
}

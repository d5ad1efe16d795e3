//! What a leased step asks for and what comes back: plain serde types, the `spec` and the outcome of the worker protocol.
//!
//! The domain writes this JSON and an executor reads it. Nothing here acts, and nothing here holds a secret: a secret is
//! named by `${secret.NAME}` and put in on the worker, from what the worker holds.
//!
//! Placeholders are replaced inside single values, never by a shell:
//! `${artifact}` `${port}` `${dir}` `${version}` `${env.NAME}` `${config.KEY}` `${secret.NAME}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One step, by what carries it out. In JSON: `{"kind": "command", …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Spec {
    Command(CommandSpec),
    Http(HttpSpec),
    Start(StartSpec),
    Stop(StopSpec),
    Traffic(TrafficSpec),
    Verify(VerifySpec),
}

/// Runs one program to its end. Outputs: `exit_code`, `signal`, `artifacts` (name to digest), `junit` (`[{path, digest}]`),
/// and with a checkout `commit`, `base`, `tree`, `commits`, `commits_truncated`, `toolchain`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// The program and its arguments; each value stays one argument whatever is in it.
    pub argv: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where to run, relative to the checkout (or to the attempt's own directory). Never absolute, never `..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Checkout>,
    /// Digest of the file that `${artifact}` stands for; it is verified on the descriptor that is executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// JUnit files to keep, relative to where the command ran. Kept also when the command fails.
    #[serde(default)]
    pub junit: Vec<String>,
    /// Files to keep when the command succeeds: name to path, relative to where the command ran.
    #[serde(default)]
    pub artifacts: BTreeMap<String, String>,
    /// Asks after an interruption whether the effect is there: exit 0 it is, 1 it is not, anything else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Vec<String>>,
    #[serde(default = "ten_minutes")]
    pub timeout_s: u64,
    /// Whether running it twice does no harm. Says what an interruption means, never causes a second run here.
    #[serde(default)]
    pub idempotent: bool,
    /// For `${version}`.
    #[serde(default)]
    pub version: String,
    /// For `${env.NAME}`, over the worker's own variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// For `${config.KEY}`.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// A working tree at one commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkout {
    /// A URL (https, ssh, file) or an absolute path.
    pub repository: String,
    /// The full id: 40 or 64 lower-case hexadecimal digits.
    pub commit: String,
    /// The full id of the commit that was built before; the commits after it are listed. None: all up to the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// A commit as the repository tells it. Emails are lower case, as written by git and not mapped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub id: String,
    pub author_email: String,
    pub committer_email: String,
    pub co_author_emails: Vec<String>,
    pub subject: String,
}

/// One HTTP request. Outputs: `status`, `body` (the first 64 KiB, as text).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpSpec {
    pub method: String,
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Any of these; empty: 200 to 299.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// JSON pointer (`/state`) to the value that must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_json: BTreeMap<String, Value>,
    #[serde(default = "half_a_minute")]
    pub timeout_s: u64,
    /// None: as RFC 9110 9.2.2 says of the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// Starts instances of one component. Outputs: `instances`, a list of [`Instance`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StartSpec {
    pub component: String,
    pub version: String,
    /// `sha256:…` of the artifact.
    pub digest: String,
    pub argv: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The artifact is a text whose placeholders are replaced; the result's path is `${artifact}`, `argv[0]` the program.
    #[serde(default)]
    pub render: bool,
    #[serde(default)]
    pub health: Health,
    #[serde(default = "one")]
    pub instances: u32,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// When an instance counts as up: status 200 and, where `version_field` is given, the version that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    #[serde(default = "slash")]
    pub path: String,
    /// A top-level field of the JSON answer, or a JSON pointer when it begins with `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_field: Option<String>,
    /// How long an instance may take to become healthy.
    #[serde(default = "half_a_minute")]
    pub timeout_s: u64,
    #[serde(default = "quarter_second")]
    pub interval_ms: u64,
}

/// A started instance; the identity by which it is found again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub name: String,
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub pid: i32,
    /// Clock ticks after boot (field 22 of `/proc/PID/stat`): a pid alone may have been given to another process.
    pub start_time: u64,
    /// What was hashed on the descriptor that was executed.
    pub digest: String,
}

/// Stops instances of this worker. Outputs: `stopped`, `gone` (were not running), `killed` (did not end within the grace).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StopSpec {
    /// Names, as [`Instance::name`].
    pub instances: Vec<String>,
    /// How long a process may take to end after SIGTERM.
    #[serde(default = "ten")]
    pub drain_s: u64,
}

/// Sets the shares of one route. Outputs: `generation`, `drained` (whether all drains ended in time).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficSpec {
    pub control: ControlSpec,
    pub route: String,
    /// Rises with each change of the route, so that a late repetition changes nothing.
    pub generation: u64,
    pub backends: Vec<BackendSpec>,
    /// Versions whose requests in flight must end before the step is done.
    #[serde(default)]
    pub drain: Vec<String>,
    #[serde(default = "half_a_minute")]
    pub drain_timeout_s: u64,
}

/// Who moves the traffic. In JSON: `{"proxy": {"admin": "http://…", "token_file": "…"}}` or `{"haproxy": {"socket": "…", …}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlSpec {
    Proxy {
        /// Must be on the worker's allow-list, because the token goes there.
        admin: String,
        /// A `${secret.NAME}` of the worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// A file on the worker that holds the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_file: Option<String>,
    },
    HaProxy {
        socket: String,
        /// Route to HAProxy backend; a route that is not here is its own backend's name.
        #[serde(default)]
        backends: BTreeMap<String, String>,
    },
}

/// A place requests may go, and its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendSpec {
    pub version: String,
    pub address: String,
    pub weight: u32,
}

/// Looks whether what should run does run. Outputs: `checked`, `observed` (`[{url, status, version}]`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifySpec {
    /// URLs, or bare `host:port` (then `path` is added). On the worker's allow-list, public, or the address of one of
    /// `instances`.
    #[serde(default)]
    pub targets: Vec<String>,
    #[serde(default = "slash")]
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_field: Option<String>,
    /// The version each answer must name.
    #[serde(default)]
    pub version: String,
    /// How many answers in a row, per target.
    #[serde(default = "one")]
    pub times: u32,
    #[serde(default = "quarter_second")]
    pub interval_ms: u64,
    /// For the whole step.
    #[serde(default = "half_a_minute")]
    pub timeout_s: u64,
    /// Instances of this worker that must run, from the executable with this digest.
    #[serde(default)]
    pub instances: Vec<Instance>,
}

/// How a step ended. "Still running" is not an outcome: it is the heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    Done {
        outputs: Value,
    },
    Failed {
        reason: String,
        #[serde(default)]
        outputs: Value,
    },
    /// Nobody can say whether the effect is there. Never to be read as failure: what is not idempotent must not be repeated.
    Indeterminate {
        reason: String,
    },
}

impl Outcome {
    pub fn failed(reason: impl Into<String>) -> Self {
        Outcome::Failed { reason: reason.into(), outputs: Value::Null }
    }

    pub fn indeterminate(reason: impl Into<String>) -> Self {
        Outcome::Indeterminate { reason: reason.into() }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { path: slash(), version_field: None, timeout_s: half_a_minute(), interval_ms: quarter_second() }
    }
}

fn slash() -> String {
    "/".into()
}
fn one() -> u32 {
    1
}
fn ten() -> u64 {
    10
}
fn half_a_minute() -> u64 {
    30
}
fn ten_minutes() -> u64 {
    600
}
fn quarter_second() -> u64 {
    250
}

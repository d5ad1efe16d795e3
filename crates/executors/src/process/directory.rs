//! The directory of one supervised process: its files, and how they are read by someone who did not start it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::proc::{self, Identity};

/// `spec.json`: what the shim is to run. Holds names of secrets, never their values: those come through its standard input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShimSpec {
    pub mode: Mode,
    pub argv: Vec<String>,
    /// The whole environment, placeholders not yet replaced.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where to run; the directory itself when absent.
    #[serde(default)]
    pub work: Option<PathBuf>,
    #[serde(default)]
    pub artifact: Option<Artifact>,
    /// See `StartSpec::render`.
    #[serde(default)]
    pub render: bool,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// A command's; 0 is none.
    #[serde(default)]
    pub timeout_ms: u64,
    /// Between SIGTERM and SIGKILL.
    pub grace_ms: u64,
}

/// What ends a process besides itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Runs until it is stopped, whoever dies.
    #[default]
    Instance,
    /// Ends at its time-out, when `lease` in the directory has passed, and with its shim.
    Command,
}

/// A file and the digest it must have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    pub path: PathBuf,
    pub digest: String,
    /// What the process is called.
    #[serde(default)]
    pub name: String,
}

/// `state.json`, written by the shim, each time as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub state: Phase,
    pub shim: Identity,
    #[serde(default)]
    pub pid: Option<i32>,
    #[serde(default)]
    pub start_time_ticks: Option<u64>,
    /// What was executed (or rendered), hashed on the descriptor.
    #[serde(default)]
    pub exe_digest: Option<String>,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    pub exit: Option<Exit>,
    /// Bytes of the log that were left out.
    #[serde(default)]
    pub log_dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Starting,
    Running,
    Exited,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub cause: Cause,
    #[serde(default)]
    pub code: Option<i32>,
    #[serde(default)]
    pub signal: Option<i32>,
    #[serde(default)]
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// By itself.
    Exited,
    /// The artifact has another digest: nothing ran.
    DigestMismatch,
    /// Nothing ran, for another reason.
    NotStarted,
    TimedOut,
    /// The lease passed without renewal: the worker is lost.
    LeaseEnded,
    /// The shim was told to stop it.
    Stopped,
}

/// What a look at the directory shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// No shim has claimed it: nothing has run.
    Unclaimed,
    /// The shim lives; the state may say that the program is only about to start.
    Supervised(Option<State>),
    /// The program runs though its shim is dead.
    Orphaned {
        state: Option<State>,
        process: Identity,
    },
    Exited(State, Exit),
    /// The shim died before it executed anything.
    NeverBegan,
    /// Claimed, and neither shim nor program is there: nobody saw the end.
    Lost(Option<State>),
}

/// A supervised process's directory.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Creates it with its spec, or leaves the one that is there. Only its owner may look inside.
    pub fn prepare(&self, spec: &ShimSpec) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        if !self.0.join("spec.json").exists() {
            write_json(&self.0.join("spec.json"), spec)?;
        }
        Ok(())
    }

    pub fn spec(&self) -> io::Result<ShimSpec> {
        read_json(&self.0.join("spec.json"))
    }

    /// Becomes the one that may start the program. False: somebody was first.
    pub fn claim(&self) -> io::Result<bool> {
        // Linked as a whole: nobody sees a claim that does not yet say whose it is.
        let own = Identity::of(i32::try_from(std::process::id()).unwrap_or(0));
        let beside = self.0.join(format!("claim.{}", std::process::id()));
        write_json(&beside, &own)?;
        let linked = fs::hard_link(&beside, self.0.join("claim"));
        fs::remove_file(&beside)?;
        match linked {
            Ok(()) => {
                fs::File::open(&self.0)?.sync_all()?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn write_state(&self, state: &State) -> io::Result<()> {
        write_json(&self.0.join("state.json"), state)
    }

    pub fn state(&self) -> Option<State> {
        read_json(&self.0.join("state.json")).ok()
    }

    /// The moment on the boot clock at which a command ends by itself unless this is written again.
    pub fn write_lease(&self, at: u64) -> io::Result<()> {
        write_whole(&self.0.join("lease"), at.to_string().as_bytes())
    }

    /// A lease that cannot be read has ended; none at all was never given.
    pub fn lease(&self) -> Option<u64> {
        match fs::read_to_string(self.0.join("lease")) {
            Ok(text) => Some(text.trim().parse().unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => Some(0),
        }
    }

    /// The program's process as it noted itself between fork and exec.
    pub fn birth(&self) -> Option<Identity> {
        let text = fs::read(self.0.join("birth")).ok()?;
        let stat = proc::parse_stat(&String::from_utf8_lossy(&text))?;
        // `claim` is of the same boot as `birth`.
        let boot = self.shim().map(|shim| shim.boot).unwrap_or_else(proc::boot_id);
        Some(Identity { pid: stat.pid, start_time: stat.start_time, boot })
    }

    /// Who may start (and has started) the program.
    pub fn shim(&self) -> Option<Identity> {
        read_json::<Option<Identity>>(&self.0.join("claim")).ok().flatten()
    }

    /// From now on nothing starts here, and what runs is to be ended; the record will say that it was stopped.
    pub fn mark_stopped(&self) -> io::Result<()> {
        write_whole(&self.0.join("stop"), b"")
    }

    pub fn stop_marked(&self) -> bool {
        self.0.join("stop").exists()
    }

    pub fn look(&self) -> Seen {
        if !self.0.join("claim").exists() {
            return Seen::Unclaimed;
        }
        // The shim first, the state second: a shim that ends in between has written its last state before.
        let shim = self.shim();
        let shim_lives = shim.as_ref().is_some_and(Identity::alive);
        let state = self.state();
        if let Some(state) = &state
            && let Some(exit) = state.exit.clone()
        {
            return Seen::Exited(state.clone(), exit);
        }
        if shim_lives {
            return Seen::Supervised(state);
        }
        match self.birth() {
            Some(process) if process.alive() => Seen::Orphaned { state, process },
            // The program notes its birth before it is executed, and within one boot nothing that was written gets lost.
            None if shim.is_some_and(|shim| shim.boot == proc::boot_id()) => Seen::NeverBegan,
            _ => Seen::Lost(state),
        }
    }

    /// The last bytes of the log, as text.
    pub fn log_tail(&self, bytes: usize) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(bytes)..]).into_owned()
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)
}

pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(value)?)
}

/// All or nothing, also when the power goes.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("new{}", std::process::id()));
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    if let Some(parent) = path.parent() {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

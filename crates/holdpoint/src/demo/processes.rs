//! What the demo started, so that all of it can be ended: now, at Ctrl-C, or by the next demo when this one was killed.
//!
//! A process is known by pid and start time. Children lead process groups of their own, so that Ctrl-C on a terminal
//! reaches the demo alone and it ends the others in order. Instances of the shop outlive the server on purpose; they are
//! found through the worker's folder, where each leaves who supervises it.

use super::patience::Patience;
use anyhow::{Context as _, anyhow};
use holdpoint_executors::process::proc::{self, Identity};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(50);
/// Between SIGTERM and SIGKILL: the proxy lets requests end, an instance drains.
const GRACE: Duration = Duration::from_secs(8);
/// Order in which they are ended: whoever asks before whoever answers.
const ORDER: [&str; 4] = ["load", "server", "proxy", ""];

struct Started {
    name: String,
    child: Child,
    identity: Identity,
}

/// See the module.
pub struct Processes {
    folder: PathBuf,
    started: Vec<Started>,
}

fn pids(folder: &Path) -> PathBuf {
    folder.join("pids")
}

/// The worker's folder below the demo's.
fn worker(folder: &Path) -> PathBuf {
    folder.join("server/worker")
}

impl Processes {
    /// Takes the folder over: this very process is the first that is written down.
    pub fn new(folder: &Path) -> anyhow::Result<Processes> {
        let processes = Processes { folder: folder.to_owned(), started: Vec::new() };
        let own = Identity::of(i32::try_from(std::process::id())?).context("/proc says nothing of this process")?;
        processes.record("demo", &own)?;
        Ok(processes)
    }

    fn record(&self, name: &str, identity: &Identity) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(pids(&self.folder))?;
        writeln!(file, "{}", serde_json::json!({"name": name, "process": identity}))?;
        Ok(())
    }

    /// Where a child's output goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    fn spawn(&mut self, name: &str, mut command: Command, stdout: Stdio) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log(name))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let pid = i32::try_from(child.id())?;
        let identity = Identity::of(pid).ok_or_else(|| anyhow!("{program} ended before it was seen"))?;
        self.record(name, &identity)?;
        self.started.push(Started { name: name.to_owned(), child, identity });
        Ok(())
    }

    /// Starts what stays; answers with the JSON line by which it says where it listens.
    pub fn announced(&mut self, patience: &Patience, name: &str, command: Command) -> anyhow::Result<Value> {
        let path = self.folder.join("logs").join(format!("{name}.out"));
        self.spawn(name, command, File::create(&path)?.into())?;
        let log = self.log(name);
        patience.until(&format!("{name} to say where it listens"), Duration::from_secs(60), LOOK, || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(Some(serde_json::from_str(line).with_context(|| format!("{name} announced {line:?}"))?));
            }
            match self.ended(name) {
                Some(status) => Err(anyhow!("{name} ended at its start ({status}); its log: {}\n{}", log.display(), tail(&log))),
                None => Ok(None),
            }
        })
    }

    /// Starts what stays and says nothing.
    pub fn start(&mut self, name: &str, command: Command, stdout: &Path) -> anyhow::Result<()> {
        self.spawn(name, command, File::create(stdout)?.into())
    }

    /// How a child ended, if it has.
    pub fn ended(&mut self, name: &str) -> Option<ExitStatus> {
        self.started.iter_mut().rev().find(|one| one.name == name).and_then(|one| one.child.try_wait().ok().flatten())
    }

    /// Runs a command to its end; standard output goes to its log as well.
    pub fn run(&mut self, patience: &Patience, name: &str, command: Command, limit: Duration) -> anyhow::Result<ExitStatus> {
        let log = OpenOptions::new().create(true).append(true).open(self.log(name))?;
        self.spawn(name, command, log.into())?;
        let done = patience.until(&format!("{name} to end"), limit, LOOK, || Ok(self.ended(name)));
        if done.is_ok() {
            self.started.retain(|one| one.name != name);
        }
        done
    }

    /// The same, where anything but success is an error.
    pub fn succeed(&mut self, patience: &Patience, name: &str, command: Command, limit: Duration) -> anyhow::Result<()> {
        let status = self.run(patience, name, command, limit)?;
        if status.success() {
            return Ok(());
        }
        let log = self.log(name);
        Err(anyhow!("{name} failed ({status}); its log: {}\n{}", log.display(), tail(&log)))
    }

    /// Ends one child with SIGTERM and waits for it.
    pub fn stop(&mut self, patience: &Patience, name: &str) -> anyhow::Result<ExitStatus> {
        if let Some(one) = self.started.iter().rev().find(|one| one.name == name) {
            proc::signal_one(one.identity.pid, Signal::SIGTERM);
        }
        let status = patience.until(&format!("{name} to end"), Duration::from_secs(20), LOOK, || Ok(self.ended(name)))?;
        self.started.retain(|one| one.name != name);
        Ok(status)
    }

    /// Ends everything, and waits until it has ended.
    pub fn end(&mut self) {
        let patience = Patience::default();
        for kind in ORDER {
            let (mut now, later): (Vec<Started>, Vec<Started>) =
                std::mem::take(&mut self.started).into_iter().partition(|one| one.name.starts_with(kind));
            self.started = later;
            for one in &now {
                // What runs to its end has children of its own; what stays ends itself in order.
                if kind.is_empty() {
                    proc::signal_group(one.identity.pid, Signal::SIGTERM)
                } else {
                    proc::signal_one(one.identity.pid, Signal::SIGTERM)
                }
            }
            let end = Instant::now() + GRACE;
            while Instant::now() < end && now.iter_mut().any(|one| one.child.try_wait().is_ok_and(|status| status.is_none())) {
                let _ = patience.pause(LOOK);
            }
            for one in &mut now {
                if one.child.try_wait().is_ok_and(|status| status.is_none()) {
                    proc::signal_group(one.identity.pid, Signal::SIGKILL);
                    let _ = one.child.wait();
                }
            }
        }
        end_all(supervised(&worker(&self.folder)));
        // Nothing is left for the next demo to look for.
        let _ = std::fs::remove_file(pids(&self.folder));
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last lines of a log.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].iter().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
}

/// The shims of all attempts and instances below a worker's folder.
fn supervised(worker: &Path) -> Vec<Identity> {
    let mut found = Vec::new();
    let mut folders = vec![(worker.join("instances"), 0), (worker.join("attempts"), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if let Ok(identity) = read(&folder.join("claim")) {
            found.push(identity);
        }
        if depth < 2 {
            folders.extend(std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| (entry.path(), depth + 1)));
        }
    }
    found
}

fn read(path: &Path) -> anyhow::Result<Identity> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// The supervisor of an attempt's command.
pub fn shim_of(folder: &Path, attempt: &str) -> anyhow::Result<Identity> {
    let path = worker(folder).join("attempts").join(attempt).join("run/claim");
    read(&path).with_context(|| format!("nobody has claimed {}", path.display()))
}

/// SIGTERM, then SIGKILL to what is still there.
fn end_all(mut list: Vec<Identity>) {
    let patience = Patience::default();
    for (signal, grace) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, Duration::from_secs(2))] {
        list.retain(Identity::alive);
        for one in &list {
            proc::signal_one(one.pid, signal);
        }
        let end = Instant::now() + grace;
        while Instant::now() < end && list.iter().any(Identity::alive) {
            let _ = patience.pause(LOOK);
        }
    }
}

/// Ends what a former demo left running in this folder, also when it was killed; answers how many there were.
pub fn end_former(folder: &Path) -> usize {
    let text = std::fs::read_to_string(pids(folder)).unwrap_or_default();
    let known: Vec<(String, Identity)> = text
        .lines()
        .filter_map(|line| {
            let value: Value = serde_json::from_str(line).ok()?;
            Some((value["name"].as_str()?.to_owned(), serde_json::from_value(value["process"].clone()).ok()?))
        })
        .collect();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let alive = |demo: bool| {
        known
            .iter()
            .filter(move |(name, one)| (name == "demo") == demo && one.pid != own && one.alive())
            .map(|(_, one)| one.clone())
            .collect::<Vec<_>>()
    };
    // A demo that still runs ends its own; what it leaves is ended after it.
    let (demos, others) = (alive(true), alive(false));
    let instances: Vec<Identity> = supervised(&worker(folder)).into_iter().filter(Identity::alive).collect();
    let count = demos.len() + others.len() + instances.len();
    end_all(demos);
    // Each of them led a group: a build that was under way has children.
    others.iter().filter(|one| one.alive()).for_each(|one| proc::signal_group(one.pid, Signal::SIGTERM));
    end_all(others);
    end_all(instances);
    count
}

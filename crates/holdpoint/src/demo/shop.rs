//! The shop from its users' side: load and its journal, the audit of what was promised, and the schema of its database.

use super::processes::shim_of;
use super::scene::Scene;
use anyhow::{Context as _, anyhow};
use holdpoint_executors::process::proc;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const RATE: u32 = 240;

/// One request, as the client wrote it down.
#[derive(Deserialize)]
pub struct Entry {
    /// Planned start, since 1970.
    pub intended_us: u64,
    pub latency_us: u64,
    pub status: u16,
    #[serde(default)]
    pub key: Option<String>,
}

impl Entry {
    pub fn failed(&self) -> bool {
        !(200..300).contains(&self.status)
    }
    /// When the answer was there.
    pub fn ended_us(&self) -> u64 {
        self.intended_us.saturating_add(self.latency_us)
    }
}

/// What the load has done so far.
#[derive(Default, Clone, Copy)]
pub struct Sofar {
    pub answered: u64,
    pub failed: u64,
}

/// Where a backfill of the shop's schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Backfill {
    pub filled: i64,
    pub last_id: i64,
    /// Times that migration 2 is noted as applied.
    pub applied: i64,
}

/// Reads the shop's own schema tables, by a program that is none of ours. Prints null where migration 2 has not begun.
const SCHEMA: &str = r#"
import json, sqlite3, sys
base = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=5)
one = lambda sql: base.execute(sql).fetchone()
begun = one("select count(*) from sqlite_schema where name = 'schema_backfill'")[0]
row = one("select filled, last_id from schema_backfill where number = 2") if begun else None
applied = one("select count(*) from schema_migration where number = 2")[0] if row else 0
print(json.dumps(row and {"filled": row[0], "last_id": row[1], "applied": applied}))
"#;

fn journal(folder: &Path) -> PathBuf {
    folder.join("journal.jsonl")
}

impl Scene {
    /// Customers, from now on.
    pub fn start_load(&mut self, client: &Path) -> anyhow::Result<()> {
        let storefront = self.proxies.get("production").map(|proxy| proxy.storefront.clone()).unwrap_or_default();
        let mut command = Command::new(client);
        command.args(["load", "--url", &format!("http://{storefront}"), "--rate", &RATE.to_string(), "--writes", "0.10", "--journal"]);
        command.arg(journal(&self.folder)).arg("--status").arg(self.folder.join("load.jsonl"));
        let summary = self.folder.join("load.json");
        self.processes.start("load", command, &summary)
    }

    /// What was answered until the last full second.
    pub fn load(&mut self) -> anyhow::Result<Sofar> {
        if let Some(status) = self.processes.ended("load") {
            return Err(anyhow!("expected the load to go on; its client ended ({status})"));
        }
        let text = std::fs::read_to_string(self.folder.join("load.jsonl")).unwrap_or_default();
        let last: Option<Value> = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        let number = |name: &str| last.as_ref().and_then(|last| last[name].as_u64()).unwrap_or(0);
        Ok(Sofar { answered: number("answered"), failed: number("failed") })
    }

    /// Ends the load and reads its whole journal.
    pub fn stop_load(&mut self) -> anyhow::Result<Vec<Entry>> {
        let status = self.processes.stop(&self.patience, "load")?;
        if !status.success() {
            return Err(anyhow!("the load's client ended with {status}"));
        }
        let text = std::fs::read_to_string(journal(&self.folder))?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("journal: {line}"))).collect()
    }

    /// The client's own comparison of its journal with the database.
    pub fn audit(&mut self, client: &Path) -> anyhow::Result<Value> {
        let mut command = Command::new(client);
        command.arg("check").arg("--journal").arg(journal(&self.folder)).arg("--database").arg(self.database());
        let answer = self.folder.join("audit.json");
        self.processes.start("audit", command, &answer)?;
        self.patience
            .until("the audit of all orders", Duration::from_secs(120), Duration::from_millis(50), || Ok(self.processes.ended("audit")))?;
        let text = std::fs::read_to_string(answer)?;
        serde_json::from_str(&text).with_context(|| format!("the audit printed {text:?}"))
    }

    /// Production's database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("data/production/orders.db")
    }

    /// Where migration 2 is; none before it has begun.
    pub fn backfill(&self) -> anyhow::Result<Option<Backfill>> {
        let asked = Command::new("python3").args(["-I", "-S", "-c", SCHEMA]).arg(self.database()).output()?;
        if !asked.status.success() {
            return Err(anyhow!("the shop's schema cannot be read: {}", String::from_utf8_lossy(&asked.stderr)));
        }
        Ok(serde_json::from_slice(&asked.stdout)?)
    }

    /// Kills the migration and its supervisor with SIGKILL, as a machine that fails would; answers how far it had come.
    pub fn kill_migration(&self, attempt: &str) -> anyhow::Result<Backfill> {
        let middle =
            self.patience.until("the migration to be in its middle", Duration::from_secs(60), Duration::from_millis(10), || {
                Ok(self.backfill()?.filter(|so_far| so_far.filled * 3 >= so_far.last_id))
            })?;
        if middle.applied > 0 {
            return Err(anyhow!("expected to meet the migration in its middle; it was through already"));
        }
        let shim = shim_of(&self.folder, attempt)?;
        let mut all = proc::descendants(shim.pid);
        all.insert(0, shim.pid);
        for pid in all {
            proc::signal_one(pid, Signal::SIGKILL);
        }
        self.patience
            .until("the migration to be gone", Duration::from_secs(10), Duration::from_millis(10), || Ok((!shim.alive()).then_some(())))?;
        self.backfill()?
            .filter(|at_kill| at_kill.applied == 0)
            .ok_or_else(|| anyhow!("expected the migration to be killed in its middle; it was through already"))
    }

    /// Runs `orders migrate --check` of a released program on production's database.
    pub fn check_schema(&mut self, version: &str, digest: &str) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let program = self.folder.join(format!("orders-{version}"));
        std::fs::write(&program, self.people.linus.bytes(&format!("/v1/blobs/{}", crate::client::enc(digest)))?)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        let mut command = Command::new(&program);
        command.args(["migrate", "--check"]).env("DATABASE", self.database());
        self.processes
            .succeed(&self.patience, &format!("check-{version}"), command, Duration::from_secs(30))
            .context("the schema lacks something")
    }
}

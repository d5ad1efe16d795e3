//! `scan licenses`: what was declared, against a policy file.

use crate::commands::{Ended, sbom};
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use holdpoint_inspect::licenses::policy::{self, Policy};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Licenses {
    /// A CycloneDX document, a lock file that names licences, or a folder.
    path: PathBuf,
    /// The policy: `allow`, `deny`, `names`, `ignore_scopes`, `exceptions` (YAML).
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The time by which exceptions expire (RFC 3339); otherwise the clock.
    #[arg(long, value_name = "T")]
    now: Option<String>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Licenses {
    pub fn run(self, out: &Out) -> Ended {
        let policy = Policy::read(&read(&self.policy)?).map_err(|why| BadInput(format!("{}: {why}", self.policy.display())))?;
        let now = super::moment(self.now.as_deref())?;
        let today = jiff::tz::TimeZone::UTC.to_datetime(now).date().to_string();
        let inventory = sbom::load(&self.path)?;
        let judged = policy::judge(&policy, &inventory.components, &today);
        let clean = judged.clean();
        let mut more = serde_json::Map::new();
        more.insert("components".to_owned(), json!(judged.components));
        more.insert("ignored".to_owned(), json!(judged.ignored));
        more.insert("licences".to_owned(), json!(judged.licences));
        out.say(format!("{} components judged, {} of ignored scopes", judged.components, judged.ignored));
        let verdict = if clean { "clean" } else { "found" };
        self.reporting.end(out, &Judgement { command: "scan licenses", verdict, blocks: !clean, findings: judged.findings, more })
    }
}

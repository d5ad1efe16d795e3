//! `holdpoint scan vulnerabilities`.

use super::repository::Clone;
use super::{database, inventory, moment};
use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Args;
use holdpoint_domain::kernel::Span;
use holdpoint_inspect::advisories::index::{Index, Summary};
use holdpoint_inspect::advisories::inventory::Inventory;
use holdpoint_inspect::advisories::judge::{Answer, Weakness, judge_commit};
use holdpoint_inspect::advisories::package::{Subject, repository_key};
use holdpoint_inspect::advisories::{Answers, Budget, Judged, judge, read_waivers};
use holdpoint_inspect::finding::{self, Finding, Severity};
use holdpoint_inspect::sbom::component::Scope;
use holdpoint_inspect::vex;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// How many components without an ecosystem are named.
const UNMATCHED_NAMED: usize = 20;

#[derive(Args)]
pub struct Vulnerabilities {
    /// CycloneDX documents (JSON) or lock files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// OSV records: a folder with *.json or *.zip, or one such file.
    #[arg(long, value_name = "DIR")]
    advisories: Option<PathBuf>,
    /// Index of the database: used where it fits, else built. Alone it stands for the database.
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// Statements about weaknesses: OpenVEX, CycloneDX or CSAF. May be given several times.
    #[arg(long, value_name = "FILE")]
    vex: Vec<PathBuf>,
    /// Waivers with reason and expiry (YAML).
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// How many of each severity may be there, such as critical=0,high=2. Without it, none.
    #[arg(long, value_name = "CLASS=N,…")]
    max: Option<Budget>,
    /// The database is too old when its newest record is, such as 7d.
    #[arg(long, value_name = "LENGTH")]
    max_age: Option<Span>,
    /// Judge by this time instead of the clock's (RFC 3339).
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Leave out what is needed for development only.
    #[arg(long)]
    without_development: bool,
    /// Also judge our own repository by the advisories about its commits: its URL, and a clone.
    #[arg(long, value_name = "URL", requires = "clone")]
    repository: Option<String>,
    /// The clone of --repository.
    #[arg(long, value_name = "DIR")]
    clone: Option<PathBuf>,
    /// The commit of --repository.
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    commit: String,
    #[command(flatten)]
    reporting: Reporting,
}

impl Vulnerabilities {
    pub fn run(self, out: &Out) -> Ended {
        let now = moment(self.now.as_deref())?;
        let mut inventory = inventory::read_all(&self.files)?;
        let all = inventory.components.len();
        if self.without_development {
            inventory.components.retain(|component| component.scope != Scope::Excluded);
        }
        let left_out = all - inventory.components.len();
        let mut statements = Vec::new();
        for file in &self.vex {
            statements.extend(vex::read(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?);
        }
        let waivers = match &self.waivers {
            Some(file) => read_waivers(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?,
            None => Vec::new(),
        };

        let mut wanted: std::collections::HashSet<String> =
            inventory.components.iter().filter_map(Subject::of).map(|subject| subject.key()).collect();
        wanted.extend(self.repository.as_deref().map(repository_key));
        let source = database::source(self.advisories.as_deref(), self.index.as_deref(), wanted, out)?;
        let database = self.advisories.as_ref().or(self.index.as_ref()).map(|path| path.display().to_string()).unwrap_or_default();
        let unreadable = |why: holdpoint_inspect::advisories::index::IndexError| BadInput(format!("{database}: {why}"));
        let index = source.open().map_err(unreadable)?;
        if index.summary.advisories == 0 {
            return Err(BadInput(format!("{database}: it holds no advisories; nothing could be found")).into());
        }
        let answers = Answers { statements: &statements, waivers: &waivers, now: now.as_second() };
        let mut judged = judge(&inventory, &index, answers).map_err(unreadable)?;
        judged.weaknesses.extend(self.own_weaknesses(&index)?);

        let file = self.files.first().map(|file| file.display().to_string()).unwrap_or_default();
        let mut findings: Vec<Finding> = judged.weaknesses.iter().map(|weakness| weakness.finding(&inventory, &file)).collect();
        let old = self.too_old(&index.summary, now, &database);
        let stale = old.is_some();
        findings.extend(old);
        finding::sort(&mut findings);

        let budget = self.max.unwrap_or_default();
        let exceeded = budget.exceeded(&judged.counts());
        let verdict = match (exceeded.is_empty(), stale) {
            (false, _) => "vulnerable",
            (true, true) => "stale",
            (true, false) => "clean",
        };
        let mut more = tell(&judged, &inventory, &index.summary, &waivers);
        more.insert("components".to_owned(), json!(inventory.components.len()));
        more.insert("left_out".to_owned(), json!(left_out));
        let over = |(class, found, allowed): &(_, usize, usize)| json!({"class": class, "found": found, "allowed": allowed});
        more.insert("exceeded".to_owned(), exceeded.iter().map(over).collect());
        say(out, &judged, &inventory);
        self.reporting.end(out, &Judgement { command: "scan vulnerabilities", verdict, blocks: verdict != "clean", findings, more })
    }

    /// Weaknesses of our own repository at its commit.
    fn own_weaknesses(&self, index: &Index<'_>) -> anyhow::Result<Vec<Weakness>> {
        let (Some(url), Some(folder)) = (&self.repository, &self.clone) else { return Ok(Vec::new()) };
        let clone = Clone::open(folder)?;
        let commit = clone.commit(&self.commit)?;
        Ok(judge_commit(url, &commit, index, &|older, newer| clone.contains(older, newer)).map_err(|why| BadInput(why.to_string()))?)
    }

    fn too_old(&self, summary: &Summary, now: Timestamp, database: &str) -> Option<Finding> {
        let age_max = self.max_age?;
        let newest = Timestamp::from_second(summary.newest).ok()?;
        let age = now.duration_since(newest);
        (age > age_max.signed()).then(|| {
            let message =
                format!("The newest advisory is of {newest}, {} days before {now}; at most {age_max} is allowed.", age.as_hours() / 24);
            Finding::new("database-too-old", Severity::High, message).at(database, None).mended_by("fetch the database anew")
        })
    }
}

/// Further members of the result.
fn tell(
    judged: &Judged,
    inventory: &Inventory,
    summary: &Summary,
    waivers: &[holdpoint_inspect::advisories::Waiver],
) -> Map<String, Value> {
    let component =
        |weakness: &Weakness| weakness.component.and_then(|place| inventory.components.get(place)).map(|one| one.reference.clone());
    let suppressed = judged.suppressed.iter().map(|(weakness, answer)| {
        let mut value = json!({"ids": weakness.ids, "component": component(weakness), "class": weakness.rating.class});
        match answer {
            Answer::Vex(statement) => {
                value["vex"] = json!({"status": statement.status, "justification": statement.justification, "author": statement.author});
            }
            Answer::Waived(waiver) => value["waiver"] = json!({"reason": waiver.reason, "by": waiver.by, "expires": waiver.expires}),
        }
        value
    });
    let counts: Map<String, Value> = judged.counts().into_iter().map(|(class, count)| (class.word().to_owned(), json!(count))).collect();
    let unmatched: Vec<String> =
        judged.unmatched.iter().take(UNMATCHED_NAMED).filter_map(|place| inventory.components.get(*place)).map(|one| one.label()).collect();
    let unused: Vec<String> = judged
        .unused_waivers
        .iter()
        .filter_map(|place| waivers.get(*place))
        .map(|waiver| format!("{} in {}", waiver.id, waiver.package))
        .collect();
    let mut more = Map::new();
    more.insert("counts".to_owned(), Value::Object(counts));
    more.insert("suppressed".to_owned(), suppressed.collect());
    more.insert("unmatched".to_owned(), json!({"count": judged.unmatched.len(), "first": unmatched}));
    more.insert("unused_waivers".to_owned(), json!(unused));
    let fingerprint: String = summary.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    let newest = Timestamp::from_second(summary.newest).map(|time| time.to_string()).unwrap_or_default();
    let database = json!({
        "fingerprint": format!("sha256:{fingerprint}"), "advisories": summary.advisories, "withdrawn": summary.withdrawn, "newest": newest,
    });
    more.insert("database".to_owned(), database);
    more
}

/// What a person should know beside the findings.
fn say(out: &Out, judged: &Judged, inventory: &Inventory) {
    if !judged.unmatched.is_empty() {
        let names: Vec<String> =
            judged.unmatched.iter().take(5).filter_map(|place| inventory.components.get(*place)).map(|one| one.label()).collect();
        out.say(format!("! {} components belong to no ecosystem that has advisories: {} …", judged.unmatched.len(), names.join(", ")));
    }
    if !judged.suppressed.is_empty() {
        out.say(format!("{} findings are answered by VEX or waived; --json lists them", judged.suppressed.len()));
    }
    if !judged.unused_waivers.is_empty() {
        out.say(format!("! {} waivers matched nothing", judged.unused_waivers.len()));
    }
}

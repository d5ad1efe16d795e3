//! `holdpoint compat openapi`: reads the files of two or more descriptions and has them compared.

use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Args;
use holdpoint_inspect::compat;
use holdpoint_inspect::compat::interface::consumers;
use holdpoint_inspect::compat::openapi::{Day, Loading, Options, Spec, Usage, compare, day, verify};
use holdpoint_inspect::finding::{self, Finding, Severity};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Examples:
  holdpoint compat openapi main.yaml branch.yaml
  holdpoint compat openapi --against running/ branch.yaml --both
  holdpoint compat openapi main.yaml branch.yaml --usage access.log --sarif compat.sarif")]
pub struct Openapi {
    /// One or more descriptions that run or may come back, then the one that is to run.
    #[arg(required = true, num_args = 1.., value_names = ["BASE", "REVISION"])]
    files: Vec<PathBuf>,
    /// Every description in this folder is a base, too.
    #[arg(long, value_name = "DIR")]
    against: Vec<PathBuf>,
    /// Also the way back: clients of the revision meet the base again.
    #[arg(long)]
    both: bool,
    /// The folder that `$ref` may not leave; otherwise each description's own folder.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Bytes for a remote `$ref`; nothing is fetched.
    #[arg(long, value_name = "URL=FILE")]
    allow_ref: Vec<String>,
    /// The day of the judgement, for announced removals (x-sunset); otherwise today.
    #[arg(long, value_name = "DATE")]
    now: Option<String>,
    /// Who uses what: an access log in the combined format, or JSON lines with method, path, time and consumer.
    #[arg(long, value_name = "FILE")]
    usage: Vec<PathBuf>,
    /// Also say for each consumer in the logs what hits it.
    #[arg(long, requires = "usage")]
    consumers: bool,
    /// Also verify that the revision keeps what this consumer contract expects (Pact 2, 3 or 4).
    #[arg(long, value_name = "FILE")]
    pact: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Openapi {
    pub fn run(self, out: &Out) -> Ended {
        let allowed = self.allowed()?;
        let today = self.today()?;
        let (bases, revision) = self.sides()?;
        let load = |path: &PathBuf| load(path, self.root.as_deref(), &allowed);
        let revised = load(&revision)?;
        let options = Options { today: Some(today) };
        let log = self.log()?;
        let mut findings: Vec<Finding> = Vec::new();
        let mut more = serde_json::Map::new();
        let mut against = Vec::new();
        for base in &bases {
            let spec = load(base)?;
            let name = base.display().to_string();
            let mut ways = vec![("forward", &spec, &revised)];
            if self.both {
                ways.push(("back", &revised, &spec));
            }
            for (way, from, to) in ways {
                let mut found = judge(from, to, &options)?;
                if let Some((file, bytes)) = &log {
                    let usage = Usage::read(from, file, bytes).map_err(|why| BadInput(why.to_string()))?;
                    usage.annotate(&mut found);
                    more.entry("observation").or_insert_with(|| json!(usage.observation()));
                }
                against.push(json!({"base": name, "way": way, "verdict": compat::verdict(&found), "findings": found.len()}));
                if bases.len() > 1 || self.both {
                    for finding in &mut found {
                        finding.more.insert("against".to_owned(), json!(name));
                        finding.more.insert("way".to_owned(), json!(way));
                    }
                }
                findings.append(&mut found);
            }
        }
        more.insert("against".to_owned(), json!(against));
        self.contracts(&revised, &mut findings, &mut more)?;
        finding::sort(&mut findings);
        let verdict = compat::verdict(&findings);
        if let Some(observation) = more.get("observation") {
            let days = observation["days"].as_f64().map_or("a period that the log does not say".to_owned(), |days| format!("{days} days"));
            out.say(format!("{} requests in {days} were looked at; unseen is not unused", observation["requests"]));
        }
        if self.consumers {
            let consumers = hits(&findings);
            for one in &consumers {
                let list = |key: &str| one[key].as_array().map_or(0, Vec::len);
                let consumer = one["consumer"].as_str().unwrap_or_default();
                out.say(format!(
                    "{consumer}: {} breaking, {} risky, last seen {}",
                    list("breaking"),
                    list("risky"),
                    one["last"].as_str().unwrap_or("at no known time")
                ));
            }
            more.insert("by_consumer".to_owned(), json!(consumers));
        }
        self.reporting.end(out, &Judgement { command: "compat openapi", verdict, blocks: verdict == "breaking", findings, more })
    }

    /// All logs as one, called by the first one's name.
    fn log(&self) -> anyhow::Result<Option<(String, Vec<u8>)>> {
        let Some(first) = self.usage.first() else { return Ok(None) };
        let mut bytes = Vec::new();
        for file in &self.usage {
            bytes.extend(read(file)?);
            bytes.push(b'\n');
        }
        Ok(Some((first.display().to_string(), bytes)))
    }

    /// What consumers expect of the revision.
    fn contracts(
        &self,
        revised: &Spec,
        findings: &mut Vec<Finding>,
        more: &mut serde_json::Map<String, serde_json::Value>,
    ) -> anyhow::Result<()> {
        let mut pacts = Vec::new();
        for file in &self.pact {
            let name = file.display().to_string();
            let mut pact = verify(revised, &name, &read(file)?).map_err(|why| BadInput(why.to_string()))?;
            pacts.push(json!({"file": name, "consumer": pact.consumer, "interactions": pact.interactions, "met": pact.met}));
            findings.append(&mut pact.findings);
        }
        if !pacts.is_empty() {
            more.insert("pacts".to_owned(), json!(pacts));
        }
        Ok(())
    }

    /// The bases and the revision.
    fn sides(&self) -> anyhow::Result<(Vec<PathBuf>, PathBuf)> {
        let mut bases = self.files.clone();
        let revision = bases.pop().ok_or_else(|| BadInput("expected BASE and REVISION".to_owned()))?;
        for folder in &self.against {
            let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", folder.display()));
            let mut found = Vec::new();
            for entry in std::fs::read_dir(folder).map_err(|why| bad(&why))? {
                let path = entry.map_err(|why| bad(&why))?.path();
                let described = matches!(path.extension().and_then(|end| end.to_str()), Some("yaml" | "yml" | "json"));
                if described && path.is_file() {
                    found.push(path);
                }
            }
            if found.is_empty() {
                return Err(bad(&"expected at least one .yaml, .yml or .json file").into());
            }
            found.sort();
            bases.append(&mut found);
        }
        if bases.is_empty() {
            return Err(BadInput("expected BASE and REVISION, or --against DIR and REVISION".to_owned()).into());
        }
        Ok((bases, revision))
    }

    fn allowed(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let one = |text: &String| {
            // An address may hold `=`; a file's name after the last one is the likelier reading.
            let (address, file) = text.rsplit_once('=').ok_or_else(|| BadInput(format!("--allow-ref {text}: expected URL=FILE")))?;
            Ok((address.to_owned(), PathBuf::from(file)))
        };
        self.allow_ref.iter().map(one).collect()
    }

    fn today(&self) -> anyhow::Result<Day> {
        let text = self.now.clone().unwrap_or_else(today);
        Ok(day(&text).ok_or_else(|| BadInput(format!("--now {text}: expected a date such as 2026-11-25")))?)
    }
}

/// What hits one consumer, as rule and place, and when it was last seen.
#[derive(Default)]
struct Hits {
    breaking: BTreeSet<String>,
    risky: BTreeSet<String>,
    last: Option<String>,
}

/// What hits each consumer: rules and places, by what was seen of it at the operations.
fn hits(findings: &[Finding]) -> Vec<Value> {
    let mut all: BTreeMap<String, Hits> = BTreeMap::new();
    for finding in findings {
        for (consumer, _, last) in consumers(&finding.more) {
            let hits = all.entry(consumer).or_default();
            hits.last = hits.last.take().max(last);
            let told = format!("{} at {}", finding.rule, finding.place());
            match finding.severity {
                Severity::Breaking => _ = hits.breaking.insert(told),
                Severity::Risky => _ = hits.risky.insert(told),
                _ => {}
            }
        }
    }
    all.into_iter()
        .map(|(consumer, hits)| json!({"consumer": consumer, "breaking": hits.breaking, "risky": hits.risky, "last": hits.last}))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a user's clock, in place of a date that somebody would type")]
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

fn judge(base: &Spec, revision: &Spec, options: &Options) -> anyhow::Result<Vec<Finding>> {
    Ok(compare(base, revision, options).map_err(|why| BadInput(why.to_string()))?)
}

/// Reads a description with the files that it refers to. None of them may lie outside the folder, links followed.
fn load(path: &Path, root: Option<&Path>, allowed: &[(String, PathBuf)]) -> anyhow::Result<Spec> {
    let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    let bytes = read(path)?;
    let (folder, own) = if path.as_os_str() == "-" {
        (PathBuf::from("."), PathBuf::from("-"))
    } else {
        let whole = path.canonicalize().map_err(|why| bad(&why))?;
        let folder = match root {
            Some(root) => root.canonicalize().map_err(|why| BadInput(format!("{}: {why}", root.display())))?,
            None => whole.parent().map(Path::to_path_buf).unwrap_or_default(),
        };
        let own = whole.strip_prefix(&folder).map_err(|_| bad(&format!("lies outside --root {}", folder.display())))?.to_path_buf();
        (folder, own)
    };
    let own = own.to_string_lossy().replace('\\', "/");
    let addresses = allowed.iter().map(|one| one.0.clone());
    let mut loading = Loading::begin(&path.display().to_string(), &own, &bytes, addresses).map_err(|why| BadInput(why.to_string()))?;
    while let Some(wanted) = loading.wanted().map(str::to_owned) {
        let (name, bytes) = match allowed.iter().find(|one| one.0 == wanted) {
            Some((_, file)) => (file.display().to_string(), Ok(read(file)?)),
            None => (shown(path, &own, &wanted), inside(&folder, &wanted)),
        };
        loading.supply(&wanted, &name, bytes.as_deref().map_err(Clone::clone)).map_err(|why| BadInput(why.to_string()))?;
    }
    Ok(loading.finish())
}

/// The bytes of a file in the folder.
fn inside(folder: &Path, wanted: &str) -> Result<Vec<u8>, String> {
    let whole = folder.join(wanted).canonicalize().map_err(|why| why.to_string())?;
    let within = folder.canonicalize().is_ok_and(|folder| whole.starts_with(folder));
    if !within {
        return Err(format!("{wanted} is a link that leads outside the folder"));
    }
    std::fs::read(&whole).map_err(|why| why.to_string())
}

/// How findings call a file: from where the description was named.
fn shown(main: &Path, own: &str, wanted: &str) -> String {
    let shared = own.rsplit_once('/').map_or("", |(folder, _)| folder);
    match wanted.strip_prefix(shared).filter(|_| !shared.is_empty()).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => main.with_file_name(rest).display().to_string(),
        None if shared.is_empty() => main.with_file_name(wanted).display().to_string(),
        None => wanted.to_owned(),
    }
}

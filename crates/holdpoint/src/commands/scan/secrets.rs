//! `holdpoint scan secrets`.

use super::history::{self, Commit};
use super::{moment, tree};
use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Args;
use holdpoint_inspect::finding::{self, Finding};
use holdpoint_inspect::secrets::{Baseline, FILE_BYTES_MAX, Known, Leak};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Args)]
pub struct Secrets {
    /// A folder or a file.
    path: PathBuf,
    /// Also what git's history added: all branches and tags.
    #[arg(long)]
    history: bool,
    /// Only these commits of the history, such as origin/main..HEAD.
    #[arg(long, value_name = "RANGE", requires = "history")]
    range: Option<String>,
    /// Known secrets with reason and expiry (YAML).
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what was found as a new baseline, with this reason, person and expiry, and end with 0.
    #[arg(long, value_name = "FILE", requires_all = ["reason", "by", "expires"])]
    write_baseline: Option<PathBuf>,
    #[arg(long, requires = "write_baseline")]
    reason: Option<String>,
    #[arg(long, value_name = "PERSON", requires = "write_baseline")]
    by: Option<String>,
    /// A day, such as 2026-12-31.
    #[arg(long, value_name = "DAY", requires = "write_baseline")]
    expires: Option<String>,
    /// Larger files are not read, and said.
    #[arg(long, value_name = "BYTES", default_value_t = FILE_BYTES_MAX)]
    file_bytes_max: u64,
    /// Judge by this time instead of the clock's (RFC 3339).
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    #[command(flatten)]
    reporting: Reporting,
}

/// A secret, where it is, and who brought it in.
struct Place {
    path: String,
    leak: Leak,
    in_tree: bool,
    commit: Option<Commit>,
}

impl Secrets {
    pub fn run(self, out: &Out) -> Ended {
        let now = moment(self.now.as_deref())?.as_second();
        let baseline = match &self.baseline {
            Some(file) => Baseline::read(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?,
            None => Baseline::default(),
        };
        let seen = tree::scan(&self.path, self.file_bytes_max, out)?;
        // By fingerprint: what is in the tree and in the history is one secret.
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (path, leak) in seen.leaks {
            places.entry(leak.fingerprint.clone()).or_default().push(Place { path, leak, in_tree: true, commit: None });
        }
        let mut commits = 0;
        if self.history {
            let walked = history::walk(&self.path, self.range.as_deref())?;
            commits = walked.commits;
            for (path, leak, commit) in walked.leaks {
                let known = places.entry(leak.fingerprint.clone()).or_default();
                match known.first_mut() {
                    Some(place) => place.commit = Some(commit),
                    None => known.push(Place { path, leak, in_tree: false, commit: Some(commit) }),
                }
            }
        }
        if let Some(file) = &self.write_baseline {
            return self.write(file, &places, out);
        }

        let mut findings = Vec::new();
        let mut suppressed: Vec<Value> = Vec::new();
        for place in places.values().flatten() {
            match baseline.about(&place.leak.fingerprint, now) {
                Some((known, true)) => suppressed.push(json!({
                    "fingerprint": known.fingerprint, "path": place.path, "line": place.leak.line, "rule": place.leak.rule,
                    "reason": known.reason, "by": known.by, "expires": known.expires,
                })),
                about => findings.push(self.finding(place, about.map(|(known, _)| known))),
            }
        }
        finding::sort(&mut findings);
        let unused: Vec<&str> = baseline.fingerprints().filter(|fingerprint| !places.contains_key(*fingerprint)).collect();
        let mut more = Map::new();
        more.insert("files".to_owned(), json!(seen.files));
        more.insert("bytes".to_owned(), json!(seen.bytes));
        more.insert("commits".to_owned(), json!(commits));
        more.insert("skipped".to_owned(), json!({"binary": seen.binary, "too_large": seen.too_large, "unreadable": seen.unreadable}));
        more.insert("suppressed".to_owned(), json!(suppressed));
        more.insert("unused_baseline".to_owned(), json!(unused));
        out.say(format!("{} files and {commits} commits scanned, {} binary files skipped", seen.files, seen.binary));
        for file in &seen.too_large {
            out.say(format!("! {file}: more than {} bytes, not scanned", self.file_bytes_max));
        }
        for file in &seen.unreadable {
            out.say(format!("! {file}: not scanned"));
        }
        // What could not be read may hold anything.
        if !seen.unreadable.is_empty() {
            return Err(
                BadInput(format!("{} files could not be read, the first: {}", seen.unreadable.len(), seen.unreadable.join("; "))).into()
            );
        }
        let verdict = if findings.is_empty() { "clean" } else { "found" };
        self.reporting.end(out, &Judgement { command: "scan secrets", verdict, blocks: verdict != "clean", findings, more })
    }

    fn finding(&self, place: &Place, expired: Option<&Known>) -> Finding {
        // As the file was named to the command, so that code hosts find it.
        let file = if self.path.is_file() { place.path.clone() } else { self.path.join(&place.path).display().to_string() };
        let file = file.strip_prefix("./").map(str::to_owned).unwrap_or(file);
        let mut finding = place.leak.finding(&file);
        if let Some(commit) = &place.commit {
            let day = commit.date.get(..10).unwrap_or(&commit.date);
            let short = commit.id.get(..12).unwrap_or(&commit.id);
            let gone = if place.in_tree { "" } else { " It is no longer in the tree." };
            finding.message.push_str(&format!(" Brought in by {} on {day} (commit {short}).{gone}", commit.author));
            finding = finding.with("commit", commit.id.as_str()).with("author", commit.author.as_str()).with("date", commit.date.as_str());
        }
        if let Some(known) = expired {
            finding.message.push_str(&format!(" The baseline's entry by {} expired on {}.", known.by, known.expires));
        }
        finding.with("in_tree", place.in_tree)
    }

    fn write(&self, file: &std::path::Path, places: &BTreeMap<String, Vec<Place>>, out: &Out) -> Ended {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let known = places.values().filter_map(|places| places.first()).map(|place| Known {
            fingerprint: place.leak.fingerprint.clone(),
            path: place.path.clone(),
            reason: text(&self.reason),
            by: text(&self.by),
            expires: text(&self.expires),
        });
        let secrets: Vec<Known> = known.collect();
        // JSON is YAML, and needs no writer of its own; read back so that nothing is written that would be refused.
        let document = format!("{:#}\n", json!({"secrets": secrets}));
        Baseline::read(document.as_bytes()).map_err(|why| BadInput(why.to_string()))?;
        std::fs::write(file, &document).map_err(|why| BadInput(format!("{}: {why}", file.display())))?;
        out.result(&json!({"verdict": "written", "secrets": secrets.len()}), || format!("{}: {} secrets", file.display(), secrets.len()));
        Ok(crate::out::Code::Done)
    }
}

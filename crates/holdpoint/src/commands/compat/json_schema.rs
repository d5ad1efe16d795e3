//! `holdpoint compat json-schema`: reads two schemas and what they refer to, and has them compared.

use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::{Args, ValueEnum};
use holdpoint_inspect::compat::json_schema::{Draft, Given, Mode, Options, Report, Side, compare};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Room for schemas as deep as are read at all.
const STACK_BYTES: usize = 256 << 20;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Way {
    /// The revision reads what the base allows.
    Backward,
    /// The base reads what the revision allows.
    Forward,
    /// Both.
    Full,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DraftName {
    #[value(name = "4")]
    Draft4,
    #[value(name = "6")]
    Draft6,
    #[value(name = "7")]
    Draft7,
    #[value(name = "2019-09")]
    Draft2019,
    #[value(name = "2020-12")]
    Draft2020,
}

#[derive(Args)]
#[command(after_help = "Examples:
  holdpoint compat json-schema old.json new.json
  holdpoint compat json-schema old.json new.json --mode full --sarif compat.sarif
  holdpoint compat json-schema old.json new.json --resource common.json
  holdpoint compat json-schema old.json new.json --revision-resource https://example.org/address=address.json")]
pub struct JsonSchema {
    /// The schema by which documents are written or read now, JSON or YAML.
    base: PathBuf,
    /// The schema that is to take its place.
    revision: PathBuf,
    /// Which documents have to be read by which schema.
    #[arg(long, value_enum, default_value_t = Way::Backward)]
    mode: Way,
    /// The draft of all files, whatever their $schema says; otherwise $schema, the other side's, 2020-12.
    #[arg(long, value_enum)]
    draft: Option<DraftName>,
    /// `format` is an assertion: one that is added or changed is not known to be harmless.
    #[arg(long)]
    formats: bool,
    /// A file that both schemas may refer to, by its name, its $id, or the address before `=`.
    #[arg(long, value_name = "[URI=]FILE")]
    resource: Vec<String>,
    /// A file that only the base refers to.
    #[arg(long, value_name = "[URI=]FILE")]
    base_resource: Vec<String>,
    /// A file that only the revision refers to.
    #[arg(long, value_name = "[URI=]FILE")]
    revision_resource: Vec<String>,
    /// Do not block where it could not be decided.
    #[arg(long)]
    allow_unknown: bool,
    #[command(flatten)]
    reporting: Reporting,
}

/// A file with the address under which it is known.
struct Read {
    name: String,
    uri: Option<String>,
    bytes: Vec<u8>,
}

impl Read {
    fn file(path: &Path, uri: Option<&str>) -> anyhow::Result<Read> {
        Ok(Read { name: path.display().to_string(), uri: uri.map(str::to_owned), bytes: read(path)? })
    }
    fn resource(named: &String) -> anyhow::Result<Read> {
        match named.rsplit_once('=') {
            Some((uri, file)) => Read::file(Path::new(file), Some(uri)),
            None => Read::file(Path::new(named), None),
        }
    }
    fn given(&self) -> Given<'_> {
        Given { name: &self.name, uri: self.uri.as_deref(), bytes: &self.bytes }
    }
}

/// A schema and what it may refer to.
struct Files {
    schema: Read,
    resources: Vec<Read>,
}

impl Files {
    fn side(&self) -> Side<'_> {
        Side { schema: self.schema.given(), resources: self.resources.iter().map(Read::given).collect() }
    }
}

impl JsonSchema {
    pub fn run(self, out: &Out) -> Ended {
        let side = |file: &Path, own: &[String]| -> anyhow::Result<Files> {
            let resources = self.resource.iter().chain(own).map(Read::resource).collect::<anyhow::Result<_>>()?;
            Ok(Files { schema: Read::file(file, None)?, resources })
        };
        let (base, revision) = (side(&self.base, &self.base_resource)?, side(&self.revision, &self.revision_resource)?);
        let draft = self.draft.map(|draft| match draft {
            DraftName::Draft4 => Draft::Draft4,
            DraftName::Draft6 => Draft::Draft6,
            DraftName::Draft7 => Draft::Draft7,
            DraftName::Draft2019 => Draft::Draft2019,
            DraftName::Draft2020 => Draft::Draft2020,
        });
        let mode = match self.mode {
            Way::Backward => Mode::Backward,
            Way::Forward => Mode::Forward,
            Way::Full => Mode::Full,
        };
        let options = Options { mode, draft, formats: self.formats, ..Options::default() };
        let report = compared(base, revision, options)?;
        let mut more = serde_json::Map::new();
        more.insert("mode".to_owned(), json!(self.mode.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())));
        let blocks = report.verdict == "breaking" || report.verdict == "unknown" && !self.allow_unknown;
        let judgement = Judgement { command: "compat json-schema", verdict: report.verdict, blocks, findings: report.findings, more };
        self.reporting.end(out, &judgement)
    }
}

/// In a thread of its own, for its stack.
fn compared(base: Files, revision: Files, options: Options) -> anyhow::Result<Report> {
    let work = move || compare(&base.side(), &revision.side(), &options);
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work)?;
    let report = thread.join().map_err(|_| anyhow::anyhow!("the comparison broke off"))?;
    Ok(report.map_err(|why| BadInput(why.to_string()))?)
}

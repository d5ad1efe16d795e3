//! Records of OSV's format (ossf.github.io/osv-schema, version 1.7): read strictly where matching depends on it.

use super::loose::{FirstLine, Specific, Text};
use super::severity::Rating;
use serde::Deserialize;

/// Larger records are refused: the largest public ones have 4 MB.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

/// Why a file is no OSV record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OsvError {
    #[error("the record has more than {RECORD_BYTES_MAX} bytes")]
    Size,
    #[error("not an OSV record: {0}")]
    Shape(String),
    #[error("`{field}` is {text:?}, expected a time such as 2024-01-31T12:00:00Z")]
    Time { field: &'static str, text: String },
}

/// One advisory, as far as matching and telling need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    pub id: String,
    /// Other names of the same weakness.
    pub aliases: Vec<String>,
    /// What a distribution's record was made from.
    pub upstream: Vec<String>,
    pub summary: String,
    /// Seconds since 1970.
    pub modified: i64,
    /// Withdrawn records are read, counted and never matched.
    pub withdrawn: bool,
    pub affected: Vec<Affected>,
}

/// One package that an advisory concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// With its release, such as `Debian:12`; empty where only repositories are named.
    pub ecosystem: String,
    pub name: String,
    pub rating: Rating,
    pub ranges: Vec<Range>,
    pub versions: Vec<String>,
    /// Functions without which the weakness cannot be reached; empty says nothing.
    pub functions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    SemVer,
    Ecosystem,
    Git,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub kind: RangeKind,
    /// For GIT: the repository's URL.
    pub repository: String,
    /// In the record's order.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Introduced,
    Fixed,
    LastAffected,
    Limit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    pub version: String,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    modified: Text<'a>,
    #[serde(borrow, default)]
    withdrawn: Option<Text<'a>>,
    #[serde(borrow, default)]
    aliases: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    upstream: Option<Vec<Text<'a>>>,
    #[serde(default)]
    summary: Option<FirstLine>,
    #[serde(default)]
    details: Option<FirstLine>,
    #[serde(borrow, default)]
    severity: Option<Vec<RecordSeverity<'a>>>,
    #[serde(borrow, default)]
    affected: Option<Vec<RecordAffected<'a>>>,
    #[serde(default)]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct RecordSeverity<'a> {
    #[serde(borrow)]
    score: Text<'a>,
}

#[derive(Deserialize)]
struct RecordAffected<'a> {
    #[serde(borrow, default)]
    package: Option<RecordPackage<'a>>,
    #[serde(borrow, default)]
    severity: Option<Vec<RecordSeverity<'a>>>,
    #[serde(borrow, default)]
    ranges: Option<Vec<RecordRange<'a>>>,
    #[serde(borrow, default)]
    versions: Option<Vec<Text<'a>>>,
    #[serde(default)]
    ecosystem_specific: Specific,
    #[serde(default)]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct RecordPackage<'a> {
    #[serde(borrow)]
    ecosystem: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct RecordRange<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    repo: Option<Text<'a>>,
    #[serde(borrow, default)]
    events: Option<Vec<RecordEvent<'a>>>,
}

#[derive(Deserialize)]
struct RecordEvent<'a> {
    #[serde(borrow, default)]
    introduced: Option<Text<'a>>,
    #[serde(borrow, default)]
    fixed: Option<Text<'a>>,
    #[serde(borrow, default)]
    last_affected: Option<Text<'a>>,
    #[serde(borrow, default)]
    limit: Option<Text<'a>>,
}

fn owned(texts: Option<Vec<Text<'_>>>) -> Vec<String> {
    texts.unwrap_or_default().into_iter().map(|text| text.0.into_owned()).collect()
}

fn seconds(field: &'static str, text: &str) -> Result<i64, OsvError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| OsvError::Time { field, text: text.chars().take(60).collect() })?;
    Ok(time.as_second())
}

/// Reads one record. A record without packages is one, too; it concerns nobody.
pub fn read(bytes: &[u8]) -> Result<Advisory, OsvError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(OsvError::Size);
    }
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|why| OsvError::Shape(why.to_string()))?;
    let id = record.id.0.trim().to_owned();
    if id.is_empty() {
        return Err(OsvError::Shape("`id` is empty".to_owned()));
    }
    if let Some(withdrawn) = &record.withdrawn {
        seconds("withdrawn", &withdrawn.0)?;
    }
    let vectors: Vec<&str> = record.severity.iter().flatten().map(|severity| severity.score.0.as_ref()).collect();
    let summary = record.summary.filter(|line| !line.0.is_empty()).or(record.details).unwrap_or_default().0;
    let affected = record
        .affected
        .unwrap_or_default()
        .into_iter()
        .map(|affected| read_affected(affected, &vectors, &record.database_specific))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Advisory {
        modified: seconds("modified", &record.modified.0)?,
        withdrawn: record.withdrawn.is_some(),
        aliases: owned(record.aliases),
        upstream: owned(record.upstream),
        id,
        summary,
        affected,
    })
}

fn read_affected(affected: RecordAffected<'_>, vectors: &[&str], database: &Specific) -> Result<Affected, OsvError> {
    let (own, specific) = (&affected.database_specific, &affected.ecosystem_specific);
    // What a package's own entry says goes before what the record says for all.
    let of_package: Vec<&str> = affected.severity.iter().flatten().map(|severity| severity.score.0.as_ref()).collect();
    let levels: [(Vec<&str>, Vec<&String>); 2] = [
        (
            of_package.iter().copied().chain(own.vectors.iter().chain(&specific.vectors).map(String::as_str)).collect(),
            own.words.iter().chain(&specific.words).collect(),
        ),
        (vectors.iter().copied().chain(database.vectors.iter().map(String::as_str)).collect(), database.words.iter().collect()),
    ];
    let rating = levels
        .iter()
        // A severity entry may hold a word instead of a vector (Ubuntu's priorities).
        .map(|(vectors, words)| Rating::of(vectors.iter().copied(), words.iter().map(|word| word.as_str()).chain(vectors.iter().copied())))
        .find(|rating| *rating != Rating::UNKNOWN)
        .unwrap_or(Rating::UNKNOWN);
    let mut ranges = Vec::new();
    for range in affected.ranges.unwrap_or_default() {
        let kind = match range.kind.0.as_ref() {
            "SEMVER" => RangeKind::SemVer,
            "ECOSYSTEM" => RangeKind::Ecosystem,
            "GIT" => RangeKind::Git,
            other => return Err(OsvError::Shape(format!("range type {other:?}, expected SEMVER, ECOSYSTEM or GIT"))),
        };
        let mut events = Vec::new();
        for event in range.events.unwrap_or_default() {
            let kinds = [
                (EventKind::Introduced, event.introduced),
                (EventKind::Fixed, event.fixed),
                (EventKind::LastAffected, event.last_affected),
                (EventKind::Limit, event.limit),
            ];
            events.extend(kinds.into_iter().filter_map(|(kind, version)| Some(Event { kind, version: version?.0.into_owned() })));
        }
        ranges.push(Range { kind, repository: range.repo.map(|url| url.0.into_owned()).unwrap_or_default(), events });
    }
    let (ecosystem, name) =
        affected.package.map(|package| (package.ecosystem.0.into_owned(), package.name.0.into_owned())).unwrap_or_default();
    let mut functions = affected.ecosystem_specific.functions;
    functions.extend(affected.database_specific.functions);
    Ok(Affected { ecosystem, name, rating, ranges, versions: owned(affected.versions), functions })
}

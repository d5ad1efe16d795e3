//! SARIF 2.1.0 results of scanners: tool, findings by level, places.
//!
//! A result's level is its own, else its rule's default, else `warning` (SARIF 3.27.10). Results that the tool itself
//! suppressed or that are not failures (`kind` other than `fail`) are not counted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Files beyond this many bytes are not read.
pub const BYTES_MAX: usize = 256 << 20;

/// What one tool found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanReport {
    pub tool: String,
    pub version: String,
    /// Level -> number.
    pub counts: BTreeMap<String, u32>,
    /// `rule path:line`, worst level first, at most 20.
    pub places: Vec<String>,
}

/// Why a file is no SARIF log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SarifError {
    #[error("the file has more than {BYTES_MAX} bytes")]
    Size,
    #[error("not a SARIF log: {0}")]
    Shape(String),
    #[error("expected SARIF version 2.1.0, found {0:?}")]
    Version(String),
    #[error("a SARIF log without runs says nothing about any tool")]
    Empty,
    #[error("tool {tool}: the run was not successful: {why}")]
    Unsuccessful { tool: String, why: String },
}

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    results: Option<Vec<Finding>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(default)]
    exit_code_description: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: String,
    version: Option<String>,
    semantic_version: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    level: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    suppressions: Vec<serde_json::Value>,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
}

/// Reads a log; one report per run, runs of the same tool added up.
pub fn read(bytes: &[u8]) -> Result<Vec<ScanReport>, SarifError> {
    if bytes.len() > BYTES_MAX {
        return Err(SarifError::Size);
    }
    let log: Log = serde_json::from_slice(bytes).map_err(|why| SarifError::Shape(why.to_string()))?;
    if log.version != "2.1.0" {
        return Err(SarifError::Version(log.version));
    }
    let mut found: Vec<ScanReport> = Vec::new();
    for run in log.runs {
        let tool = run.tool.driver.name.clone();
        if let Some(bad) = run.invocations.iter().find(|one| !one.execution_successful) {
            return Err(SarifError::Unsuccessful {
                tool,
                why: bad.exit_code_description.clone().unwrap_or_else(|| "no reason given".to_owned()),
            });
        }
        // A run without `results` did not look: SARIF 3.14.23 tells that apart from an empty list.
        let Some(results) = &run.results else {
            return Err(SarifError::Unsuccessful { tool, why: "it has no results, not even an empty list".to_owned() });
        };
        let version = run.tool.driver.semantic_version.clone().or_else(|| run.tool.driver.version.clone()).unwrap_or_default();
        let mut report = ScanReport { tool, version, counts: BTreeMap::new(), places: Vec::new() };
        let mut places: Vec<(u8, String)> = Vec::new();
        for finding in results {
            if !finding.suppressions.is_empty() || finding.kind.as_deref().is_some_and(|kind| kind != "fail") {
                continue;
            }
            let level = level(finding, &run.tool.driver.rules);
            *report.counts.entry(level.clone()).or_default() += 1;
            places.push((rank(&level), place(finding)));
        }
        places.sort();
        report.places = places.into_iter().map(|(_, place)| place).take(20).collect();
        match found.iter_mut().find(|known| known.tool == report.tool) {
            Some(known) => {
                for (level, count) in report.counts {
                    *known.counts.entry(level).or_default() += count;
                }
                known.places.extend(report.places);
                known.places.truncate(20);
            }
            None => found.push(report),
        }
    }
    if found.is_empty() { Err(SarifError::Empty) } else { Ok(found) }
}

fn level(finding: &Finding, rules: &[Rule]) -> String {
    if let Some(level) = &finding.level {
        return level.clone();
    }
    let by_index = finding.rule_index.and_then(|index| usize::try_from(index).ok()).and_then(|index| rules.get(index));
    let rule = by_index.or_else(|| finding.rule_id.as_ref().and_then(|id| rules.iter().find(|rule| rule.id == *id)));
    rule.and_then(|rule| rule.default_configuration.as_ref())
        .and_then(|configuration| configuration.level.clone())
        .unwrap_or_else(|| "warning".to_owned())
}

fn rank(level: &str) -> u8 {
    match level {
        "error" => 0,
        "warning" => 1,
        "note" => 2,
        _ => 3,
    }
}

fn place(finding: &Finding) -> String {
    let rule = finding.rule_id.clone().unwrap_or_default();
    let physical = finding.locations.first().and_then(|location| location.physical_location.as_ref());
    let uri = physical.and_then(|physical| physical.artifact_location.as_ref()).and_then(|artifact| artifact.uri.clone());
    let line = physical.and_then(|physical| physical.region.as_ref()).and_then(|region| region.start_line);
    match (uri, line) {
        (Some(uri), Some(line)) => format!("{rule} {uri}:{line}"),
        (Some(uri), None) => format!("{rule} {uri}"),
        _ => rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_by_level_with_the_rules_default() {
        let log = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "clippy", "version": "0.1", "rules": [
            {"id": "a", "defaultConfiguration": {"level": "error"}}, {"id": "b"}]}},
            "results": [
                {"ruleId": "a", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/pay.rs"}, "region": {"startLine": 88}}}]},
                {"ruleId": "b"}, {"ruleId": "b", "level": "note"}, {"ruleId": "a", "suppressions": [{"kind": "inSource"}]}, {"ruleId": "a", "kind": "pass"}]}]});
        let found = read(log.to_string().as_bytes()).unwrap();
        assert_eq!(found[0].counts, BTreeMap::from([("error".to_owned(), 1), ("note".to_owned(), 1), ("warning".to_owned(), 1)]));
        assert_eq!(found[0].places[0], "a src/pay.rs:88");
    }

    #[test]
    fn what_did_not_look_is_no_clean_result() {
        for log in [
            json!({"version": "2.1.0", "runs": []}),
            json!({"version": "2.0.0", "runs": []}),
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}}]}),
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [], "invocations": [{"executionSuccessful": false}]}]}),
            json!([]),
        ] {
            assert!(read(log.to_string().as_bytes()).is_err(), "{log} was taken");
        }
    }
}

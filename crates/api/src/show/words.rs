//! Evidence in one line.

use holdpoint_domain::nouns::{EvidenceItem, Summary};
use holdpoint_seal::digest::Digest;
use serde_json::{Value, json};

/// What a piece of evidence says, for people.
pub fn summary(summary: &Summary) -> String {
    match summary {
        Summary::Provenance { repository, commit, builder, commits, .. } => {
            let commit = commit.get(..8).unwrap_or(commit);
            format!("built by {builder} from {repository} at {commit} ({commits} commits)")
        }
        Summary::Tests { suite, environment, total, failed, errors, skipped } => {
            let place = environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
            format!("{suite}{place}: {total} tests, {} failed, {skipped} skipped", failed + errors)
        }
        Summary::Scan { tool, tool_version, counts, .. } => {
            let found: Vec<String> = counts.iter().map(|(level, count)| format!("{count} {level}")).collect();
            format!("{tool} {tool_version}: {}", if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") })
        }
        Summary::Components { format, count, .. } => format!("{format}: {count} components"),
        Summary::Vulnerabilities { counts, new, .. } => {
            let found: Vec<String> = counts.iter().map(|(class, count)| format!("{count} {class}")).collect();
            let since = if new.is_empty() { String::new() } else { format!("; new: {}", new.join(", ")) };
            format!("{}{since}", if found.is_empty() { "nothing known".to_owned() } else { found.join(", ") })
        }
        Summary::Interface { interface, format, .. } => format!("interface {interface} in {format}"),
        Summary::Usage { interface, environment, requests, consumers, from, until, .. } => {
            format!("{interface} in {environment}: {requests} requests of {consumers} consumers from {from} to {until}")
        }
        Summary::Compatibility { interface, environment, base, counts, .. } => {
            let found: Vec<String> = counts.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
            let found = if found.is_empty() { "compatible".to_owned() } else { found.join(", ") };
            format!("{interface} against {} for {environment}: {found}", base.short())
        }
        Summary::Deployment { environment, service, result, by } => format!("{service} in {environment}: {result}, told by {by}"),
        Summary::Canary { environment, verdict, .. } => format!("comparison in {environment}: {verdict}"),
    }
}

/// A piece of evidence as lists show it.
pub fn evidence(subject: &Digest, item: &EvidenceItem) -> Value {
    json!({
        "id": item.id, "kind": item.summary.kind(), "digest": item.envelope, "subject": subject, "at": item.received, "signer": item.signer,
        "summary": summary(&item.summary), "revoked": item.revoked,
    })
}

//! Findings for other readers: SARIF 2.1.0 for code hosts, and one self-contained HTML page for people.

use crate::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A SARIF 2.1.0 log with one run (OASIS SARIF 2.1.0, section 3.14). `tool` is the command, such as `compat openapi`.
pub fn sarif(tool: &str, version: &str, findings: &[Finding]) -> Value {
    let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    let results: Vec<Value> = findings.iter().map(sarif_result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": format!("holdpoint {tool}"),
                "version": version,
                "rules": rules.iter().map(|rule| json!({"id": rule})).collect::<Vec<_>>(),
            }},
            "invocations": [{"executionSuccessful": true}],
            "results": results,
        }],
    })
}

fn sarif_result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Breaking | Severity::Critical | Severity::High => "error",
        Severity::Unknown | Severity::Risky | Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    };
    let text = match &finding.fix {
        Some(fix) => format!("{} Fix: {fix}", finding.message),
        None => finding.message.clone(),
    };
    let mut location = json!({});
    if let Some(file) = &finding.file {
        location["physicalLocation"] = json!({"artifactLocation": {"uri": file}});
        if let Some(line) = finding.line {
            location["physicalLocation"]["region"] = json!({"startLine": line.max(1)});
        }
    }
    if let Some(path) = &finding.path {
        location["logicalLocations"] = json!([{"fullyQualifiedName": path}]);
    }
    let mut result = json!({"ruleId": finding.rule, "level": level, "message": {"text": text}, "locations": [location]});
    let mut properties = finding.more.clone();
    properties.insert("severity".to_owned(), json!(finding.severity.word()));
    result["properties"] = Value::Object(properties);
    result
}

/// One page, no script, no outside reference; every text from the document is escaped.
pub fn html(title: &str, verdict: &str, findings: &[Finding]) -> String {
    let mut page = String::new();
    let title = escape(title);
    _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}: {verdict}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
         <p class=\"verdict\">Verdict: <strong>{verdict}</strong>, {} findings</p>\n",
        findings.len(),
        verdict = escape(verdict),
    );
    if findings.is_empty() {
        page.push_str("<p>Nothing was found.</p>\n");
    } else {
        page.push_str(
            "<div role=\"region\" aria-label=\"Findings\" tabindex=\"0\"><table><caption>Findings, worst first</caption>\
             <thead><tr><th scope=\"col\">Severity</th><th scope=\"col\">Rule</th><th scope=\"col\">Place</th>\
             <th scope=\"col\">What</th></tr></thead><tbody>\n",
        );
        for finding in findings {
            let fix = finding.fix.as_ref().map(|fix| format!("<br><em>Fix: {}</em>", escape(fix))).unwrap_or_default();
            _ = writeln!(
                page,
                "<tr class=\"{}\"><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td>{}{fix}</td></tr>",
                finding.severity,
                finding.severity,
                escape(&finding.rule),
                escape(&finding.place()),
                escape(&finding.message),
            );
        }
        page.push_str("</tbody></table></div>\n");
    }
    page.push_str("</main></body></html>\n");
    page
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}main{max-width:70rem;margin:auto;\
    padding:1rem}div{overflow-x:auto}table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.5rem 0}\
    th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #ccc}code{overflow-wrap:anywhere}\
    tr.breaking td:first-child,tr.critical td:first-child,tr.high td:first-child{font-weight:700;color:#a40000}\
    @media (prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}\
    tr.breaking td:first-child,tr.critical td:first-child,tr.high td:first-child{color:#ff9d9d}}";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![Finding::new("field-removed", Severity::Breaking, "<b> went").at("a.proto", Some(3)).inside("m.f").mended_by("reserve 3")]
    }

    /// Our own reader of foreign SARIF takes what we write.
    #[test]
    fn sarif_is_read_back() {
        let log = sarif("compat protobuf", "1.0", &findings()).to_string();
        let read = crate::sarif::read(log.as_bytes()).expect("a log").remove(0);
        assert_eq!(read.tool, "holdpoint compat protobuf");
        assert_eq!(read.counts["error"], 1);
        assert_eq!(read.places, ["field-removed a.proto:3"]);
    }

    #[test]
    fn markup_in_a_document_stays_text() {
        let page = html("compat", "breaking", &findings());
        assert!(page.contains("&lt;b&gt; went") && !page.contains("<b>"), "{page}");
    }
}

//! From records and components to what counts.

use super::super::index::{Index, IndexError, Part, build};
use super::super::osv::OsvError;
use super::*;
use crate::advisories::read_waivers;
use crate::sbom::component::Ecosystem;
use serde_json::{Value, json};

const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

fn record(id: &str, ecosystem: &str, name: &str, fixed: &str) -> Value {
    let kind = if ecosystem == "npm" { "SEMVER" } else { "ECOSYSTEM" };
    json!({"schema_version": "1.7.0", "id": id, "modified": "2024-05-01T00:00:00Z", "summary": "It breaks",
           "affected": [{"package": {"ecosystem": ecosystem, "name": name},
                         "ranges": [{"type": kind, "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
}

fn with(mut record: Value, members: &[(&str, Value)]) -> Value {
    for (key, value) in members {
        record[*key] = value.clone();
    }
    record
}

fn index(records: &[Value]) -> Vec<u8> {
    let mut part = Part::default();
    for record in records {
        part.file("x.json", record.to_string().as_bytes());
        part.add(record.to_string().as_bytes()).unwrap();
    }
    build(&[part], [0; 32])
}

fn inventory(components: Vec<Component>) -> Inventory {
    Inventory { components, product: vec!["pkg:oci/shop".to_owned()] }
}

fn npm(name: &str, version: &str) -> Component {
    Component::new(Ecosystem::Npm, name, Some(version))
}

fn judged(records: &[Value], components: Vec<Component>, answers: Answers<'_>) -> Judged {
    let bytes = index(records);
    judge(&inventory(components), &Index::of_bytes(&bytes).unwrap(), answers).unwrap()
}

fn ids(judged: &Judged) -> Vec<Vec<&str>> {
    judged.weaknesses.iter().map(|weakness| weakness.ids.iter().map(String::as_str).collect()).collect()
}

#[test]
fn only_what_is_affected_is_found() {
    let records = [record("GHSA-1", "npm", "lodash", "4.17.21"), record("GHSA-2", "npm", "minimist", "1.2.6")];
    let judged = judged(&records, vec![npm("lodash", "4.17.20"), npm("minimist", "1.2.6"), npm("express", "4.0.0")], Answers::default());
    assert_eq!(ids(&judged), [["GHSA-1"]]);
    assert_eq!(judged.weaknesses[0].fixed.as_deref(), Some("4.17.21"));
    assert_eq!(judged.weaknesses[0].component, Some(0));
}

#[test]
fn withdrawn_records_are_not_matched() {
    let withdrawn = with(record("GHSA-1", "npm", "lodash", "4.17.21"), &[("withdrawn", json!("2024-06-01T00:00:00Z"))]);
    let bytes = index(&[withdrawn]);
    let index = Index::of_bytes(&bytes).unwrap();
    assert_eq!((index.summary.advisories, index.summary.withdrawn), (1, 1));
    assert!(judge(&inventory(vec![npm("lodash", "1.0.0")]), &index, Answers::default()).unwrap().weaknesses.is_empty());
}

#[test]
fn one_weakness_under_all_its_names() {
    let records = [
        with(record("PYSEC-1", "PyPI", "Django", "4.2"), &[("aliases", json!(["CVE-1"]))]),
        with(
            record("GHSA-1", "PyPI", "django", "4.2.1"),
            &[("aliases", json!(["CVE-1", "PYSEC-1"])), ("severity", json!([{"type": "CVSS_V3", "score": CRITICAL}]))],
        ),
        with(record("GHSA-2", "PyPI", "django", "4.3"), &[("aliases", json!(["CVE-2"]))]),
    ];
    let judged = judged(&records, vec![Component::new(Ecosystem::PyPi, "Django", Some("4.1"))], Answers::default());
    assert_eq!(ids(&judged), [vec!["GHSA-1", "PYSEC-1", "CVE-1"], vec!["GHSA-2", "CVE-2"]]);
    assert_eq!(judged.weaknesses[0].rating.class, Class::Critical);
    assert_eq!(judged.weaknesses[1].rating.class, Class::Unknown);
}

#[test]
fn a_bulletin_about_several_joins_none() {
    let debian = |id: &str, upstream: Value| with(record(id, "Debian:12", "openssl", "3.0.11-1~deb12u2"), &[("upstream", upstream)]);
    let records =
        [debian("DEBIAN-CVE-1", json!(["CVE-1"])), debian("DEBIAN-CVE-2", json!(["CVE-2"])), debian("DSA-1", json!(["CVE-1", "CVE-2"]))];
    let mut component = Component::new(Ecosystem::Debian, "libssl3", Some("3.0.11-1~deb12u1"));
    component.release = Some("12".to_owned());
    component.source = Some(("openssl".to_owned(), "3.0.11-1~deb12u1".to_owned()));
    assert_eq!(judged(&records, vec![component.clone()], Answers::default()).weaknesses.len(), 3);
    component.release = Some("11".to_owned());
    assert!(judged(&records, vec![component.clone()], Answers::default()).weaknesses.is_empty());
    component.release = None;
    assert!(judged(&records, vec![component], Answers::default()).weaknesses.iter().all(|weakness| weakness.release_open));
}

#[test]
fn severity_from_vector_word_or_nothing() {
    let severity = |members: &[(&str, Value)]| {
        let judged = judged(&[with(record("X-1", "npm", "a", "2.0.0"), members)], vec![npm("a", "1.0.0")], Answers::default());
        judged.weaknesses[0].rating.class
    };
    assert_eq!(severity(&[]), Class::Unknown);
    assert_eq!(severity(&[("database_specific", json!({"severity": "MODERATE", "cwe_ids": [1, {"a": null}]}))]), Class::Medium);
    assert_eq!(severity(&[("database_specific", json!("text"))]), Class::Unknown);
    assert_eq!(
        severity(&[("severity", json!([{"type": "CVSS_V3", "score": CRITICAL}])), ("database_specific", json!({"severity": "LOW"}))]),
        Class::Critical
    );
    assert_eq!(severity(&[("severity", json!([{"type": "Ubuntu", "score": "medium"}]))]), Class::Medium);
    let mut own = record("X-1", "npm", "a", "2.0.0");
    own["affected"][0]["severity"] = json!([{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:N/I:N/A:C"}]);
    own["affected"][0]["database_specific"] = json!({"informational": "unmaintained"});
    assert_eq!(severity(&[("affected", own["affected"].clone()), ("database_specific", json!({"severity": "LOW"}))]), Class::High);
    own["affected"][0]["severity"] = json!([]);
    assert_eq!(severity(&[("affected", own["affected"].clone())]), Class::None);
}

#[test]
fn functions_are_kept() {
    let mut go = record("GO-1", "Go", "golang.org/x/net", "0.17.0");
    go["affected"][0]["ecosystem_specific"] =
        json!({"imports": [{"path": "golang.org/x/net/http2", "symbols": ["Server.ServeConn"]}, {"path": "golang.org/x/net/h"}]});
    let mut rust = record("RUSTSEC-1", "crates.io", "smallvec", "1.6.1");
    rust["affected"][0]["ecosystem_specific"] = json!({"affects": {"functions": ["smallvec::SmallVec::insert_many"]}});
    let components = vec![
        Component::new(Ecosystem::Go, "golang.org/x/net", Some("v0.16.0")),
        Component::new(Ecosystem::Cargo, "smallvec", Some("1.6.0")),
    ];
    let judged = judged(&[go, rust], components, Answers::default());
    assert_eq!(judged.weaknesses[0].functions, ["golang.org/x/net/http2.Server.ServeConn", "golang.org/x/net/h"]);
    assert_eq!(judged.weaknesses[1].functions, ["smallvec::SmallVec::insert_many"]);
}

#[test]
fn what_cannot_be_compared_counts() {
    let records = [with(record("GHSA-1", "npm", "a", "2.0.0"), &[("severity", json!([{"type": "CVSS_V3", "score": CRITICAL}]))])];
    let odd = judged(&records, vec![npm("a", "file:../a"), Component::new(Ecosystem::Npm, "a", None)], Answers::default());
    assert_eq!(odd.weaknesses.len(), 2);
    assert!(odd.weaknesses.iter().all(|weakness| weakness.rating.class == Class::Unknown && weakness.undecided.is_some()));
    let unmatched = judged(&records, vec![Component::new(Ecosystem::Other, "thing", Some("1"))], Answers::default());
    assert_eq!(unmatched.unmatched, [0]);
}

#[test]
fn waivers_hold_until_they_expire() {
    let records = [with(record("GHSA-1", "npm", "a", "2.0.0"), &[("aliases", json!(["CVE-1"]))])];
    let file = b"waivers:\n- {id: CVE-1, package: 'pkg:npm/a', reason: r, by: grace, expires: 1970-01-01}\n- {id: CVE-9, package: b, reason: r, by: grace, expires: 1970-01-01}\n";
    let waivers = read_waivers(file).unwrap();
    let at = |now: i64| judged(&records, vec![npm("a", "1.0.0")], Answers { waivers: &waivers, now, ..Answers::default() });
    assert_eq!(at(86_399).weaknesses, []);
    assert!(matches!(at(86_399).suppressed.as_slice(), [(_, Answer::Waived(waiver))] if waiver.by == "grace"));
    assert_eq!(at(86_399).unused_waivers, [1]);
    assert_eq!(at(86_400).weaknesses[0].expired.as_ref().map(|waiver| waiver.id.as_str()), Some("CVE-1"));
}

#[test]
fn vex_suppresses_only_with_a_reason() {
    let records = [with(record("GHSA-1", "npm", "a", "2.0.0"), &[("aliases", json!(["CVE-1"]))])];
    let document = |status: &str, justification: Option<&str>| {
        let mut statement = json!({"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:npm/a"}], "status": status});
        if let Some(word) = justification {
            statement["justification"] = json!(word);
        }
        let document = json!({"@context": "https://openvex.dev/ns/v0.2.0", "author": "a", "timestamp": "2024-01-01T00:00:00Z", "statements": [statement]});
        crate::vex::read(document.to_string().as_bytes()).unwrap()
    };
    let counts = |statements: Vec<Statement>| {
        let judged = judged(&records, vec![npm("a", "1.0.0")], Answers { statements: &statements, ..Answers::default() });
        (judged.weaknesses.len(), judged.suppressed.len())
    };
    assert_eq!(counts(document("not_affected", Some("component_not_present"))), (0, 1));
    assert_eq!(counts(document("fixed", None)), (0, 1));
    assert_eq!(counts(document("not_affected", None)), (1, 0));
    assert_eq!(counts(document("under_investigation", None)), (1, 0));
}

#[test]
fn budgets() {
    let counts = |classes: &[Class]| {
        let mut counts = BTreeMap::new();
        classes.iter().for_each(|class| *counts.entry(*class).or_default() += 1);
        counts
    };
    let budget = |text: &str| text.parse::<Budget>().unwrap();
    assert_eq!(Budget::default().exceeded(&counts(&[Class::None])), [(Class::None, 1, 0)]);
    assert_eq!(budget("critical=0,high=2").exceeded(&counts(&[Class::High, Class::High, Class::Low])), []);
    assert_eq!(budget("critical=0,high=1").exceeded(&counts(&[Class::High, Class::High])), [(Class::High, 2, 1)]);
    assert_eq!(budget("high=5").exceeded(&counts(&[Class::Critical])), [(Class::Critical, 1, 0)]);
    assert_eq!(budget("critical=0").exceeded(&counts(&[Class::Unknown])), [(Class::Unknown, 1, 0)]);
    assert_eq!(budget("critical=0,unknown=3").exceeded(&counts(&[Class::Unknown])), []);
    for bad in ["", "critical", "severe=1", "high=x", "high=1,high=2"] {
        assert!(bad.parse::<Budget>().is_err(), "{bad}");
    }
}

#[test]
fn commits_of_the_own_repository() {
    let mut git = record("OSV-1", "", "", "");
    git["affected"] =
        json!([{"ranges": [{"type": "GIT", "repo": "https://github.com/a/b.git", "events": [{"introduced": "0"}, {"fixed": "ff"}]}]}]);
    let bytes = index(&[git]);
    let index = Index::of_bytes(&bytes).unwrap();
    let judge = |url: &str, commit: &str| judge_commit(url, commit, &index, &|older, newer| Some(older <= newer)).unwrap().len();
    assert_eq!(judge("git@github.com:A/b", "aa"), 1);
    assert_eq!(judge("git@github.com:A/b", "ff"), 0);
    assert_eq!(judge("https://github.com/a/c", "aa"), 0);
}

#[test]
fn the_index_does_not_depend_on_order_and_knows_its_content() {
    let (one, two) = (record("GHSA-1", "npm", "a", "1.0.0").to_string(), record("GHSA-2", "npm", "a", "2.0.0").to_string());
    let part = |records: &[&String]| {
        let mut part = Part::default();
        for record in records {
            part.file(if **record == one { "one.json" } else { "two.json" }, record.as_bytes());
            part.add(record.as_bytes()).unwrap();
        }
        part
    };
    let together = build(&[part(&[&one, &two])], [1; 32]);
    assert_eq!(build(&[part(&[&two]), part(&[&one])], [1; 32]), together);
    let fingerprint = |bytes: &[u8]| Index::of_bytes(bytes).unwrap().summary.fingerprint;
    assert_ne!(fingerprint(&build(&[part(&[&one])], [1; 32])), fingerprint(&together));
}

#[test]
fn damage_to_the_index_is_seen() {
    let bytes = index(&[record("GHSA-1", "npm", "a", "1.0.0"), record("GHSA-2", "npm", "b", "1.0.0")]);
    assert_eq!(Index::of_bytes(b"").err(), Some(IndexError::Foreign));
    assert_eq!(Index::of_bytes(&bytes[1..]).err(), Some(IndexError::Foreign));
    assert_eq!(Index::of_bytes(&bytes[..bytes.len() - 1]).err(), Some(IndexError::Damaged));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let looked_up = Index::of_bytes(&damaged).and_then(|index| Ok((index.about("npm\0a")?, index.about("npm\0b")?)));
        assert!(looked_up.is_err(), "byte {at}");
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let add = |text: &[u8]| Part::default().add(text);
    assert!(matches!(add(b"{}"), Err(OsvError::Shape(_))));
    assert!(matches!(add(b"[]"), Err(OsvError::Shape(_))));
    assert!(matches!(add(b"\xff"), Err(OsvError::Shape(_))));
    assert!(matches!(add(br#"{"id": "", "modified": "2024-01-01T00:00:00Z"}"#), Err(OsvError::Shape(_))));
    assert!(matches!(add(br#"{"id": "X", "modified": "yesterday"}"#), Err(OsvError::Time { field: "modified", .. })));
    let odd = with(
        record("X", "npm", "a", "1"),
        &[("affected", json!([{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "MAGIC"}]}]))],
    );
    assert!(matches!(add(odd.to_string().as_bytes()), Err(OsvError::Shape(_))));
    let deep = format!(r#"{{"id": "X", "modified": "2024-01-01T00:00:00Z", "details_": {}}}"#, "[".repeat(100_000));
    assert!(matches!(add(deep.as_bytes()), Err(OsvError::Shape(_))));
}

#[test]
fn a_finding_says_what_to_do() {
    let records = [with(record("GHSA-1", "npm", "a", "2.0.0"), &[("severity", json!([{"type": "CVSS_V3", "score": CRITICAL}]))])];
    let judged = judged(&records, vec![npm("a", "1.0.0")], Answers::default());
    let finding = judged.weaknesses[0].finding(&inventory(vec![npm("a", "1.0.0")]), "bom.json");
    assert_eq!(finding.rule, VULNERABLE);
    assert_eq!(finding.message, "a@1.0.0 has GHSA-1, critical (9.8): It breaks.");
    assert_eq!(finding.fix.as_deref(), Some("use 2.0.0 or later"));
    assert_eq!(finding.more["score"], json!(9.8));
    assert_eq!(finding.place(), "bom.json pkg:npm/a@1.0.0");
}

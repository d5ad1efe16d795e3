//! A sound ledger passes; each way of breaking it is found, by the right invariant.

use super::json::Json;
use super::log::{root, sha256, spell};
use super::{Report, check};
use serde_json::{Value, json};

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// Writes an export with right hashes from (stream, type, body).
fn export(facts: &[(&str, &str, Value)]) -> Vec<Value> {
    let mut lines: Vec<Value> = Vec::new();
    for (stream, kind, body) in facts {
        let before: Vec<&Value> = lines.iter().filter(|line| line["envelope"]["stream"] == *stream).collect();
        let prev = before.last().map_or(String::new(), |line| spell(&leaf(line)));
        let envelope = json!({
            "project": "default", "stream": stream, "position": before.len() + 1, "prev": prev, "type": kind, "v": 1,
            "at": 1_764_000_000_000_000u64, "actor": "per_1", "via": "cli", "body_digest": digest(body),
        });
        lines.push(json!({"index": lines.len(), "envelope": envelope, "body": body}));
    }
    let leaves: Vec<[u8; 32]> = lines.iter().map(leaf).collect();
    lines.push(json!({"checkpoint": {"size": leaves.len(), "root": spell(&root(&leaves))}}));
    lines
}

fn leaf(line: &Value) -> [u8; 32] {
    sha256(&[&[0], canonical(&line["envelope"]).as_bytes()])
}

fn digest(value: &Value) -> String {
    spell(&sha256(&[canonical(value).as_bytes()]))
}

fn canonical(value: &Value) -> String {
    Json::parse(&value.to_string()).expect("JSON").canonical()
}

fn judge(lines: &[Value]) -> Report {
    check(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

fn manifest(digest: &str) -> Value {
    json!({"service": "shop", "version": "1.0.0", "components": {"orders": {"digest": digest, "version": "1.0.0"}}})
}

fn opened(manifest: &Value, pinned: &str) -> Value {
    json!({
        "id": "run_1", "purpose": "deploy", "release": "rel_1", "environment": "production", "pool": "default", "manifest_digest": digest(manifest),
        "components": {"orders": {"digest": pinned, "version": "1.0.0"}}, "previous": null,
        "steps": [
            {"id": "migrate", "spec": {"do": "command"}, "forward": true, "idempotent": false},
            {"id": "start", "spec": {"do": "start", "component": "orders"}, "forward": true, "idempotent": true},
        ],
    })
}

fn lease(step: &str, attempt: &str) -> (&'static str, &'static str, Value) {
    ("run/run_1", "StepLeased", json!({"step": step, "attempt": attempt, "worker": "w"}))
}

fn finish(step: &str, attempt: &str, token: u64, result: &str) -> (&'static str, &'static str, Value) {
    (
        "run/run_1",
        "StepFinished",
        json!({"step": step, "attempt": attempt, "token": token, "outcome": {"result": result, "outputs": {"instances": [{"name": "a", "digest": DIGEST}]}}}),
    )
}

fn release() -> Vec<(&'static str, &'static str, Value)> {
    let manifest = manifest(DIGEST);
    vec![
        (
            "release/rel_1",
            "ReleaseCreated",
            json!({"id": "rel_1", "manifest": manifest, "manifest_digest": digest(&manifest), "by": "per_1"}),
        ),
        ("release/rel_1", "ApprovalGiven", json!({"by": "per_2", "environment": "production", "manifest_digest": digest(&manifest)})),
        ("run/run_1", "RunOpened", opened(&manifest, DIGEST)),
    ]
}

fn sound() -> Vec<(&'static str, &'static str, Value)> {
    let mut facts = release();
    facts.extend([
        lease("migrate", "att_1"),
        finish("migrate", "att_1", 2, "done"),
        lease("start", "att_2"),
        finish("start", "att_2", 4, "done"),
        ("run/run_1", "RunFinished", json!({"result": "succeeded"})),
    ]);
    facts
}

fn invariants(report: &Report) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = report.violations.iter().map(|violation| violation.invariant).collect();
    found.dedup();
    found
}

#[test]
fn a_sound_ledger_passes() {
    let report = judge(&export(&sound()));
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.summary.ended_runs["run/run_1"], "succeeded");
    assert_eq!((report.summary.facts, report.summary.streams["run/run_1"]), (8, 6));
}

#[test]
fn every_altered_line_is_found() {
    let lines = export(&sound());
    let changes: [(usize, &str, Value); 7] = [
        (0, "/body/manifest/version", json!("1.0.1")),
        (1, "/envelope/actor", json!("per_9")),
        (3, "/envelope/prev", json!("")),
        (4, "/envelope/position", json!(9)),
        (5, "/index", json!(9)),
        (8, "/checkpoint/size", json!(7)),
        (8, "/checkpoint/root", json!(DIGEST)),
    ];
    for (line, pointer, value) in changes {
        let mut lines = lines.clone();
        *lines[line].pointer_mut(pointer).expect("it is there") = value;
        assert!(invariants(&judge(&lines)).contains(&"I4"), "{pointer} of line {line}");
    }
    for gone in 0..lines.len() {
        let mut lines = lines.clone();
        lines.remove(gone);
        assert!(invariants(&judge(&lines)).contains(&"I4"), "line {gone} left out");
    }
}

#[test]
fn nothing_is_started_twice() {
    let after = |facts: &[(&'static str, &'static str, Value)]| {
        let mut all = release();
        all.extend(facts.iter().cloned());
        judge(&export(&all))
    };
    let resolved =
        |result: &str| ("run/run_1", "StepResolved", json!({"step": "migrate", "attempt": "att_1", "outcome": {"result": result}}));
    let lost = finish("migrate", "att_1", 2, "indeterminate");
    for (facts, fine) in [
        // observed under the same attempt, as often as it takes
        (vec![lease("migrate", "att_1"), lost.clone(), lease("migrate", "att_1"), finish("migrate", "att_1", 4, "done")], true),
        (vec![lease("migrate", "att_1"), lost.clone(), resolved("not-started"), lease("migrate", "att_2")], true),
        (vec![lease("start", "att_1"), finish("start", "att_1", 2, "indeterminate"), lease("start", "att_2")], true),
        (vec![lease("migrate", "att_1"), lost.clone(), lease("migrate", "att_2")], false),
        (vec![lease("migrate", "att_1"), lost, resolved("failed"), lease("migrate", "att_2")], false),
        (vec![lease("migrate", "att_1"), lease("migrate", "att_1")], false),
        (vec![lease("migrate", "att_1"), finish("migrate", "att_1", 2, "done"), lease("migrate", "att_1")], false),
        (vec![lease("migrate", "att_1"), finish("migrate", "att_1", 9, "done")], false),
        (vec![finish("migrate", "att_1", 1, "done")], false),
        (vec![lease("start", "att_1"), finish("start", "att_1", 2, "done"), lease("start", "att_2")], false),
    ] {
        let report = after(&facts);
        assert_eq!(invariants(&report), if fine { vec![] } else { vec!["I2"] }, "{facts:?}\n{report}");
    }
}

/// What a person did by hand is said of a step that nobody has begun, and only where its worker was missed.
#[test]
fn a_step_that_nobody_has_begun_is_resolved_only_where_its_worker_is_missed() {
    let held = |code: &str| {
        let cause = json!({"code": code, "sentence": "its worker is missed", "facts": {"step": "migrate"}});
        ("run/run_1", "RunHeld", json!({"cause": cause}))
    };
    let resolved = || ("run/run_1", "StepResolved", json!({"step": "migrate", "attempt": "", "outcome": {"result": "done"}}));
    let after = |more: &[(&'static str, &'static str, Value)]| {
        let mut facts = release();
        facts.extend(more.iter().cloned());
        judge(&export(&facts))
    };
    for (facts, fine) in [
        (vec![held("ORC-014"), resolved()], true),
        (vec![held("ORC-012"), resolved()], false),
        (vec![held("ORC-014"), lease("migrate", "att_1"), resolved()], false),
        (vec![resolved()], false),
    ] {
        let report = after(&facts);
        assert_eq!(invariants(&report), if fine { vec![] } else { vec!["I2"] }, "{facts:?}\n{report}");
    }
}

#[test]
fn only_what_was_approved_is_deployed() {
    let other = DIGEST.replace('1', "2");
    let changed = manifest(&other);
    let amended = ("release/rel_1", "ManifestAmended", json!({"manifest": changed, "manifest_digest": digest(&changed), "by": "per_1"}));
    let mut swapped = release();
    swapped[2].2 = opened(&manifest(DIGEST), &other);
    let mut unapproved = release();
    unapproved.insert(2, amended.clone());
    unapproved[3].2 = opened(&changed, &other);
    let mut lied = release();
    lied[0].2["manifest_digest"] = json!(other);
    let mut amended_meanwhile = release();
    amended_meanwhile.extend([amended, lease("migrate", "att_1")]);
    let mut other_bytes = release();
    let mut finished = finish("start", "att_1", 2, "done");
    finished.2["outcome"]["outputs"]["instances"][0]["digest"] = json!(other);
    other_bytes.extend([lease("start", "att_1"), finished]);
    for facts in [swapped, unapproved, lied, amended_meanwhile, other_bytes] {
        let report = judge(&export(&facts));
        assert_eq!(invariants(&report), ["I3"], "{report}");
    }
}

#[test]
fn somebody_is_named_who_moves_a_run() {
    let mut facts = release();
    assert_eq!(judge(&export(&facts)).summary.open_runs["run/run_1"], "a worker of pool default for step migrate");
    facts.push(("run/run_1", "RunHeld", json!({"cause": {"code": "DOOR-001", "sentence": "frozen until Monday"}})));
    assert_eq!(judge(&export(&facts)).summary.open_runs["run/run_1"], "DOOR-001: frozen until Monday");
    facts.push(("run/run_1", "RunHeld", json!({"cause": {}})));
    assert_eq!(invariants(&judge(&export(&facts))), ["I5"]);
    let mut stuck = sound();
    stuck.pop();
    assert_eq!(invariants(&judge(&export(&stuck))), ["I5"]);
}

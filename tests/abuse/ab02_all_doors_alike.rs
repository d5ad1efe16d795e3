//! AB02: what a person may do does not depend on the door, and every mutating route has its row. The table of statuses by
//! route and credential is the API crate's; here the real server is asked whether anything came of it.

use holdpoint_testkit::Client;
use holdpoint_tests::{Program, World};
use serde_json::{Value, json};

/// Mutating routes, and the roles that may pass the door with a body that says nothing useful. A new route without a row
/// fails the test.
const ROWS: [(&str, &[&str]); 33] = [
    ("DELETE /v1/freezes/{id}", &["admin", "release-manager", "operator"]),
    ("DELETE /v1/releases/{id}/approvals/mine", &["anybody"]),
    ("DELETE /v1/session", &["anybody"]),
    ("DELETE /v1/tokens/{id}", &["anybody"]),
    ("PATCH /v1/releases/{id}", &["developer", "release-manager", "admin", "ci"]),
    ("POST /v1/apply", &["admin"]),
    ("POST /v1/builds", &["developer", "release-manager", "admin", "ci"]),
    ("POST /v1/deployments/report", &["release-manager", "operator", "admin", "ci"]),
    ("POST /v1/evidence", &["developer", "release-manager", "admin", "ci"]),
    ("POST /v1/evidence/revocations", &["release-manager", "admin"]),
    ("POST /v1/freezes", &["admin", "release-manager", "operator"]),
    ("POST /v1/gates/check", &["anybody"]),
    ("POST /v1/people/{handle}/invite", &["admin"]),
    ("POST /v1/pools/{pool}/keys", &["admin"]),
    ("POST /v1/releases", &["developer", "release-manager", "admin", "ci"]),
    ("POST /v1/releases/{id}/approvals", &["release-manager"]),
    ("POST /v1/releases/{id}/deployments", &["developer", "release-manager", "operator", "admin"]),
    ("POST /v1/releases/{id}/promotions", &["developer", "release-manager", "operator", "admin"]),
    ("POST /v1/releases/{id}/rejections", &["release-manager"]),
    ("POST /v1/releases/{id}/withdraw", &["developer", "release-manager", "admin"]),
    ("POST /v1/runs/{id}/resolve", &["release-manager", "operator", "admin"]),
    ("POST /v1/runs/{id}/resume", &["release-manager", "operator", "admin"]),
    ("POST /v1/runs/{id}/rollback", &["release-manager", "operator", "admin"]),
    ("POST /v1/session", &["anybody"]),
    ("POST /v1/setup", &["anybody"]),
    ("POST /v1/tokens", &["anybody"]),
    ("POST /v1/advisories", &["ci", "security", "release-manager", "admin"]),
    ("POST /v1/waivers", &["security", "release-manager", "admin"]),
    ("DELETE /v1/waivers/{id}", &["security", "release-manager", "admin"]),
    ("POST /v1/worker/lease", &["a pool's key"]),
    ("POST /v1/worker/reclaim", &["a pool's key"]),
    ("POST /v1/worker/attempts", &["an attempt's secret"]),
    ("PUT /v1/blobs/{digest}", &["developer", "release-manager", "admin", "ci"]),
];

fn routes(client: &Client) -> Vec<(String, String)> {
    let document = client.get("/openapi.json").ok();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            let method = method.to_uppercase();
            if ["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                found.push((method, path.clone()));
            }
        }
    }
    found
}

/// An auditor reads. Through session and token, every change is refused, and the ledger keeps her refused
/// votes and nothing else.
#[test]
fn ab02_who_only_reads_changes_nothing_through_any_door() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let run = world.deployed("ada", &release, "test");
    let run = run["id"].as_str().expect("an id").to_owned();
    let freeze = world
        .person("grace")
        .post("/v1/freezes", &json!({"name": "kept", "environments": ["production"], "until": "2099-01-01T00:00:00Z"}))
        .ok();
    let freeze = freeze["freeze"].as_str().or(freeze["id"].as_str()).unwrap_or_else(|| panic!("{freeze}")).to_owned();
    world.approve("grace", &release, "production");
    let auditors = [("session", world.person("mary")), ("token", std::rc::Rc::new(world.api("mary")))];
    let before = settled(&world).as_u64().expect("a size");
    for (method, path) in routes(&world.server.client()) {
        let route = format!("{method} {path}");
        let row =
            ROWS.iter().find(|(known, _)| *known == route || (path.starts_with("/v1/worker/attempts/") && known.ends_with("attempts")));
        let (_, roles) = row.unwrap_or_else(|| panic!("{route} has no row: who may use it?"));
        // One's own session and tokens are anybody's, and a question changes nothing.
        if roles.contains(&"anybody") {
            continue;
        }
        let real = path
            .replace("/runs/{id}", &format!("/runs/{run}"))
            .replace("/freezes/{id}", &format!("/freezes/{freeze}"))
            .replace("/releases/{id}", &format!("/releases/{}", release.id))
            .replace("/waivers/{id}", "/waivers/wvr_1")
            .replace("{digest}", &release.digest)
            .replace("{handle}", "linus")
            .replace("{pool}", "default")
            .replace("{attempt}", "att_x_1");
        let real = if route == "POST /v1/evidence" { format!("{real}?kind=junit&subject={}", release.digest) } else { real };
        for (door, mary) in &auditors {
            let headers = [("Content-Type", "application/json"), ("If-Match", release.manifest.as_str())];
            let answer = mary.send(&method, &real, &headers, Some(body(&route, &world, &release).to_string().into_bytes()));
            let expected: &[u16] = if path.starts_with("/v1/worker/") { &[401] } else { &[403] };
            assert!(expected.contains(&answer.status), "{route} through {door}: {}\n{}", answer.status, answer.text());
        }
    }
    // Her two words through two doors are kept as what they are, refused votes. Nothing else came of anything.
    let after = settled(&world).as_u64().expect("a size");
    let page = world.api("root").get(&format!("/v1/ledger?limit={}", after - before)).ok();
    let entries = page["entries"].as_array().expect("a list");
    let told: Vec<&str> = entries.iter().rev().filter_map(|entry| entry["body"]["word"].as_str()).collect();
    assert!(entries.iter().all(|entry| entry["envelope"]["type"] == "ApprovalRefused" && entry["actor_name"] == "mary"), "{page:#}");
    assert_eq!(told, ["given", "given", "rejected", "rejected"], "{page:#}");
    assert_eq!(world.view(&release)["approvals"].as_array().map(Vec::len), Some(1), "Grace's alone");
}

/// Bodies that would be taken from somebody who may.
fn body(route: &str, world: &World, release: &holdpoint_tests::Release) -> Value {
    let report = || world.gates(release, "production");
    match route {
        "POST /v1/apply" => json!({"documents": [{"file": "a.yaml", "text": "person: mary\nroles: [admin]\n"}]}),
        "POST /v1/builds" => json!({"service": "web", "component": "app", "repository": "/srv/web", "commit": "b".repeat(40)}),
        "POST /v1/deployments/report" => json!({"digest": release.digest, "environment": "test", "service": "web", "result": "succeeded"}),
        "POST /v1/evidence/revocations" => json!({"subject": release.digest, "id": "evd_x", "reason": "none"}),
        "POST /v1/freezes" => json!({"name": "hers", "until": "2099-01-01T00:00:00Z"}),
        "POST /v1/releases" => json!({"service": "web", "version": "6.6.6", "components": {"app": release.digest}}),
        "PATCH /v1/releases/{id}" => json!({"config": {"hers": "yes"}}),
        "POST /v1/releases/{id}/approvals" | "POST /v1/releases/{id}/rejections" => {
            json!({"environment": "production", "manifest_digest": report()["manifest_digest"], "evidence_root": report()["evidence_root"], "comment": "hers"})
        }
        "POST /v1/releases/{id}/deployments" | "POST /v1/releases/{id}/promotions" => json!({"environment": "test"}),
        "POST /v1/runs/{id}/resolve" => json!({"step": "verify", "outcome": "done", "reason": "hers"}),
        "POST /v1/runs/{id}/rollback" | "DELETE /v1/freezes/{id}" | "DELETE /v1/waivers/{id}" | "POST /v1/releases/{id}/withdraw" => {
            json!({"reason": "hers"})
        }
        "POST /v1/waivers" => {
            json!({"advisory": "GHSA-1", "package": "pkg:npm/left-pad", "until": "2099-01-01T00:00:00Z", "reason": "hers"})
        }
        "POST /v1/worker/lease" => json!({"pool": "default", "worker": "hers"}),
        _ => json!({}),
    }
}

/// The ledger's size, once it has stopped growing by itself.
fn settled(world: &World) -> Value {
    let mut before = Value::Null;
    holdpoint_testkit::eventually("the ledger comes to rest", holdpoint_tests::SOON, || {
        std::thread::park_timeout(std::time::Duration::from_millis(700));
        let size = world.api("root").get("/v1/ledger/checkpoint").ok()["size"].clone();
        let rest = size == before;
        before = size.clone();
        rest.then_some(size)
    })
}

/// One thing, one answer, whichever door: session, token, command line.
#[test]
fn ab02_one_answer_through_every_door() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let path = format!("/v1/releases/{}/deployments", release.id);
    let body = json!({"environment": "production"});
    for handle in ["mary", "linus", "grace"] {
        let session = world.person(handle).post(&path, &body);
        let token = world.api(handle).post(&path, &body);
        assert_eq!((session.status, session.value()["code"].clone()), (token.status, token.value()["code"].clone()), "{handle}");
        let code = session.value()["code"].as_str().unwrap_or_default().to_owned();
        let cli = world.cli(handle).run(["--json", "release", "deploy", &release.id, "--to", "production"]);
        assert!(cli.code != 0 && (cli.stdout.contains(&code) || cli.stderr.contains(&code)), "{handle}: {code}\n{cli}");
    }
}

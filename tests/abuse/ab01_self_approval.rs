//! AB01: whoever wrote or edited a release cannot be counted as its approver, through no channel.

use holdpoint_testkit::{Answer, Browser, needs};
use holdpoint_tests::{Organisation, Program, Release, World};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn word(world: &World, release: &Release) -> Value {
    let report = world.gates(release, "production");
    json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": "fine"})
}

fn tested() -> (World, Release) {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    (world, release)
}

/// Refused votes as the exported ledger has them: (person, code, word, door), in the order in which they came.
fn attempts(world: &World, release: &Release) -> Vec<[String; 4]> {
    let stream = format!("release/{}", release.id);
    // What comes after them is sealed after them.
    world.vote("grace", release, "production", "rejections").ok();
    world
        .person("grace")
        .json("DELETE", &format!("/v1/releases/{}/approvals/mine?environment=production", release.id), &json!({}), &[])
        .ok();
    world.sealed(&stream, "ApprovalWithdrawn");
    let file = world.folder().join("ledger.jsonl");
    world.cli("linus").run(["ledger", "export", "--output", &file.display().to_string()]).code(0);
    let lines = std::fs::read_to_string(&file).expect("an export");
    let facts = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    // The ledger has ids; the audit page's entries have names beside them.
    let audit = world.person("root").get(&format!("/v1/ledger?stream={stream}&type=ApprovalRefused")).ok();
    let handle = |id: &Value| {
        let found = audit["entries"].as_array().expect("a list").iter().find(|entry| entry["envelope"]["actor"] == *id);
        found.and_then(|entry| entry["actor_name"].as_str()).unwrap_or_else(|| panic!("{id} is nobody: {audit:#}")).to_owned()
    };
    let mut found = Vec::new();
    for fact in facts.filter(|fact| fact["envelope"]["stream"] == stream.as_str() && fact["envelope"]["type"] == "ApprovalRefused") {
        let (envelope, body) = (&fact["envelope"], &fact["body"]);
        assert_eq!(envelope["actor"], body["by"], "{fact:#}");
        assert_eq!((body["environment"].as_str(), body["manifest_digest"].as_str()), (Some("production"), Some(release.manifest.as_str())));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        found.push([handle(&body["by"]), text(&body["code"]), text(&body["word"]), text(&envelope["via"])]);
    }
    found
}

/// Nothing counts, no word is recorded.
fn nothing_came_of_it(world: &World, release: &Release) {
    let gate = world.gate(release, "production", "approval");
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("waiting"), Some("GOV-001")), "{gate:#}");
    assert!(gate["sentence"].as_str().is_some_and(|text| text.contains("0 of 1")), "{gate:#}");
    assert_eq!(world.view(release)["approvals"], json!([]));
    let types = world.sealed(&format!("release/{}", release.id), "PromotionEnded");
    assert!(!types.iter().any(|one| one == "ApprovalGiven"), "{types:?}");
}

fn refused(answer: &Answer, code: &str, channel: &str) {
    assert_eq!(answer.status, 403, "{channel}: {}", answer.text());
    answer.refused(code);
}

/// Ada edited the manifest, and holds the role that counts.
#[test]
fn ab01_the_author_approves_through_every_channel() {
    let (world, release) = tested();
    let path = format!("/v1/releases/{}/approvals", release.id);
    let body = word(&world, &release);
    let session = world.person("ada");
    refused(&session.post(&path, &body), "GOV-003", "session");
    refused(&world.api("ada").post(&path, &body), "GOV-003", "token");
    let again = world.server.client();
    again.sign_in("ada", holdpoint_testkit::holdpoint::PASSWORD);
    refused(&again.post(&path, &body), "GOV-003", "second session");
    let second = session.post("/v1/tokens", &json!({"name": "another"})).ok();
    let second = world.server.client().with_token(second["token"].as_str().expect("a token"));
    refused(&second.post(&path, &body), "GOV-003", "second token");
    refused(&world.api("robot").post(&path, &body), "GOV-007", "a service account that she owns");
    let cli = world.cli("ada").run(["release", "approve", &release.id, "--environment", "production", "--yes"]);
    assert!(matches!(cli.code, 1 | 4) && cli.stderr.contains("self-approval"), "{cli}");
    // Grace's key and body, sent by Ada: keys are a principal's own.
    let grace = world.person("grace");
    let key = [("Idempotency-Key", "the-word-of-grace")];
    let other = json!({"environment": "production", "manifest_digest": body["manifest_digest"], "evidence_root": "sha256:".to_owned() + &"0".repeat(64), "comment": "fine"});
    assert_eq!(grace.json("POST", &path, &other, &key).status, 409, "Grace's own word fails, so that nothing counts in the end");
    refused(&session.json("POST", &path, &body, &key), "GOV-003", "a replay of another's key");
    refused(&session.json("POST", &path, &body, &key), "GOV-003", "the replay again");
    nothing_came_of_it(&world, &release);
    // Seven channels, seven entries; the replay of the replay is none.
    let of = |who: &str, code: &str, via: &str| [who, code, "given", via].map(str::to_owned);
    let (ada, own) = ("ada", "GOV-003");
    assert_eq!(
        attempts(&world, &release),
        [
            of(ada, own, "session"),
            of(ada, own, "token"),
            of(ada, own, "session"),
            of(ada, own, "token"),
            of("robot", "GOV-007", "token"),
            of(ada, own, "token"),
            of(ada, own, "session"),
        ]
    );
    let shown = world.cli("linus").run(["release", "show", &release.id]).code(0);
    assert!(shown.stdout.contains("refused 6 times: ada tried to approve for production"), "{shown}");
    // Who did not write it may.
    world.approve("grace", &release, "production");
    assert_eq!(world.gate(&release, "production", "approval")["state"], "open");
}

#[test]
fn ab01_the_author_approves_on_the_page() {
    needs!("chromium");
    let (world, release) = tested();
    let browser = Browser::start();
    let page = world.page(&browser, "ada");
    page.goto(&format!("/releases/{}/approvals?environment=production", release.id));
    page.sees("Your word on production");
    assert!(page.is_disabled("button", "Approve…"));
    assert!(page.description("button", "Approve…").contains("self-approval"));
    // Whoever goes around the button is seen there, and in the audit.
    let path = format!("/v1/releases/{}/approvals", release.id);
    refused(&world.person("ada").post(&path, &word(&world, &release)), "GOV-003", "session");
    page.reload();
    page.sees("Tried to approve, 1 time");
    page.sees("GOV-003: self-approval");
    page.portrait("refused-votes");
    world.sealed(&format!("release/{}", release.id), "ApprovalRefused");
    page.goto("/audit?type=ApprovalRefused");
    page.sees("ApprovalRefused: tried to approve for production: GOV-003: self-approval");
    page.portrait("refused-votes-audit");
    nothing_came_of_it(&world, &release);
}

/// A rejection is no approval: the author may stop what she wrote, and taking that back counts for nothing.
#[test]
fn ab01_an_authors_rejection_taken_back_counts_for_nothing() {
    let (world, release) = tested();
    world.vote("ada", &release, "production", "rejections").ok();
    assert_eq!(world.gate(&release, "production", "approval")["code"], "GOV-009");
    let session = world.person("ada");
    let path = format!("/v1/releases/{}/approvals/mine?environment=production", release.id);
    session.json("DELETE", &path, &json!({}), &[]).ok();
    let gate = world.gate(&release, "production", "approval");
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("waiting"), Some("GOV-001")), "{gate:#}");
}

fn git(folder: &Path, args: &[&str], author: &str, committer: &str) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]).args(args);
    for (role, name) in [("AUTHOR", author), ("COMMITTER", committer)] {
        command.env(format!("GIT_{role}_NAME"), name).env(format!("GIT_{role}_EMAIL"), format!("{name}@shop.example"));
    }
    let output = command.output().expect("git starts");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Author, committer, co-author: each of them wrote it, by the provenance of what is released.
#[test]
fn ab01_who_wrote_a_commit_cannot_approve_it() {
    for (author, committer, message) in
        [("grace", "linus", "mine"), ("linus", "grace", "picked"), ("linus", "linus", "pair\n\nCo-authored-by: Grace <GRACE@shop.example>")]
    {
        let component = "    build: {command: [cp, program.py, built.py], artifacts: {app: built.py}}\n".to_owned();
        let world = World::with(Organisation { component, test: "    gates: {previous: false}\n".to_owned(), ..Organisation::default() });
        let folder = world.folder().join("repository");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("program.py"), Program::new("1.0.0").bytes()).expect("a file");
        git(&folder, &["init", "-q"], author, committer);
        git(&folder, &["add", "."], author, committer);
        git(&folder, &["commit", "-q", "-m", message], author, committer);
        let path = folder.display().to_string();
        let built =
            world.cli("robot").run(["--json", "build", "start", "web", "app", "--repository", &path, "--commit", "main"]).code(0).json();
        let digest = built["artifacts"]["app"].as_str().unwrap_or_else(|| panic!("no digest: {built:#}")).to_owned();
        let body = json!({"service": "web", "version": "1.0.0", "components": {"app": digest}});
        // By the service account: nobody edits the manifest by hand.
        let made = world.api("robot").post("/v1/releases", &body).ok();
        let text = |name: &str| made[name].as_str().expect("a member").to_owned();
        let release = Release { id: text("release"), version: "1.0.0".to_owned(), digest, manifest: text("manifest_digest") };
        let refusal = world.vote("grace", &release, "production", "approvals").refused("GOV-003");
        assert!(refusal["detail"].as_str().is_some_and(|text| text.contains("wrote 1 of its commits")), "{refusal:#}");
        assert_eq!(world.view(&release)["approvals"], json!([]));
    }
}

/// What is refused for who asks is kept, and nothing else; and nobody fills the ledger by being refused.
fn refusals_are_kept_within_bounds(world: &World) {
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    let path = format!("/v1/releases/{}/approvals", release.id);
    let body = word(world, &release);
    let ada = world.api("ada");
    assert_eq!(world.server.client().post(&path, &body).status, 401);
    let stale = json!({"environment": "production", "manifest_digest": body["evidence_root"], "evidence_root": body["evidence_root"], "comment": ""});
    ada.post(&path, &stale).refused("GOV-005");
    // A key that a refusal came with hides nothing that is sent under it later.
    let key = [("Idempotency-Key", "one-key")];
    let other = |comment: &str| json!({"environment": "production", "manifest_digest": body["manifest_digest"], "evidence_root": body["evidence_root"], "comment": comment});
    for comment in ["first", "first", "second"] {
        refused(&ada.json("POST", &path, &other(comment), &key), "GOV-003", comment);
    }
    for _ in 0..22 {
        refused(&ada.json("POST", &path, &body, &[]), "GOV-003", "again and again");
    }
    refused(&world.api("linus").post(&path, &body), "GOV-008", "no role");
    refused(&world.api("linus").post(&format!("/v1/releases/{}/rejections", release.id), &body), "GOV-008", "no role");
    let found = attempts(world, &release);
    let count = |who: &str, word: &str| found.iter().filter(|one| one[0] == who && one[2] == word).count();
    assert_eq!((count("ada", "given"), count("linus", "given"), count("linus", "rejected"), found.len()), (20, 1, 1, 22), "{found:?}");
}

#[test]
fn ab01_refused_votes_are_kept_within_bounds() {
    refusals_are_kept_within_bounds(&World::start());
}

#[test]
fn ab01_refused_votes_are_kept_on_postgres() {
    needs!("postgres");
    refusals_are_kept_within_bounds(&World::on_postgres());
}

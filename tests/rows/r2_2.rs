//! 2.2 Versions and traceability (first depth): built from a commit, with signed provenance; from what runs back to the
//! commit and its author.

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Organisation, Program, Release, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository of this test's own.
struct Repository(PathBuf);

impl Repository {
    fn new(folder: &Path) -> Self {
        let repository = Self(folder.join("repository"));
        std::fs::create_dir_all(&repository.0).expect("a folder");
        repository.git(&["init", "--quiet", "--initial-branch=main"], "root");
        repository.write("build.sh", b"mkdir -p out && cp web.py out/app\n");
        repository
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).expect("a file");
    }

    fn git(&self, args: &[&str], who: &str) -> String {
        let mut git = Command::new("git");
        git.args(args).current_dir(&self.0).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", &self.0);
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@shop.example"));
        }
        let output = git.output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits the program as somebody; the commit.
    fn commit(&self, program: &Program, who: &str, message: &str) -> String {
        self.write("web.py", &program.bytes());
        self.git(&["add", "."], who);
        self.git(&["commit", "--quiet", "-m", message], who);
        self.git(&["rev-parse", "HEAD"], who)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

fn building() -> Organisation {
    let component = "    build: {command: [sh, build.sh], artifacts: {app: out/app}}\n".to_owned();
    let production = "    gates: {previous: false, provenance: true, approvals: [{role: release-manager, count: 1}]}\n".to_owned();
    Organisation { component, production, ..Organisation::open() }
}

/// Robot builds by command line; (digest, run).
fn build(world: &World, repository: &Repository, commit: &str, base: &str) -> (String, String) {
    let path = repository.path();
    let args = ["--json", "build", "start", "web", "app", "--repository", &path, "--commit", commit, "--base", base];
    let built = world.cli("robot").run(args).code(0).json();
    let digest = built["artifacts"]["app"].as_str().unwrap_or_else(|| panic!("no product: {built}")).to_owned();
    (digest, built["run"].as_str().unwrap_or_default().to_owned())
}

/// Robot, Ada's service account, seals what was built.
fn seal(world: &World, version: &str, digest: &str) -> Release {
    let body = json!({"service": "web", "version": version, "components": {"app": digest}});
    let made = world.api("robot").post("/v1/releases", &body).ok();
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Release { id: text("release"), version: version.to_owned(), digest: digest.to_owned(), manifest: text("manifest_digest") }
}

/// From a branch to running bytes, and from those back to the commit and its author.
#[test]
fn cli_builds_with_provenance_and_traces_back() {
    let world = World::with(building());
    let repository = Repository::new(world.folder());
    let base = repository.commit(&Program::new("1.0.0"), "ada", "first");
    let program = Program::new("1.1.0");
    let commit = repository.commit(&program, "linus", "second");
    let (digest, run) = build(&world, &repository, "main", &base);
    // The product is the file of that commit, and what the provenance says is signed about exactly that digest.
    let bytes = world.api("mary").get(&format!("/v1/blobs/{digest}")).body;
    assert_eq!(bytes, program.bytes());
    let listed = world.api("mary").get(&format!("/v1/evidence?subject={digest}")).ok();
    let envelope = listed["evidence"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let envelope: Value = world.api("mary").get(&format!("/v1/evidence/{envelope}")).value();
    let statement = decoded(envelope["payload"].as_str().unwrap_or_default());
    assert!(
        statement.contains("https://slsa.dev/provenance/v1") && statement.contains(&commit) && statement.contains(&digest[7..]),
        "{statement}"
    );
    let release = seal(&world, "1.1.0", &digest);
    world.approve("grace", &release, "production");
    world.deployed("grace", &release, "production");
    assert_eq!(world.answers("production"), "1.1.0");
    assert_eq!(world.processes(&program).len(), 1);
    // What runs -> commit, builder, author.
    let gate = world.gate(&release, "production", "provenance");
    assert_eq!(gate["atoms"][0]["facts"]["commit"], commit.as_str(), "{gate:#}");
    let authors = world.view(&release)["authors"].clone();
    let linus = authors.as_array().into_iter().flatten().find(|author| author["handle"] == "linus").cloned().unwrap_or_default();
    assert_eq!(linus["commits"], json!([commit]));
    let view = world.run(&run);
    assert_eq!((view["purpose"].as_str(), view["result"].as_str()), (Some("build"), Some("succeeded")));
}

/// Standard base64, enough for a payload.
fn decoded(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for byte in text.bytes() {
        let Some(value) = DIGITS.iter().position(|digit| *digit == byte) else { continue };
        bits = (bits << 6) | u32::try_from(value).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A build through the API; who wrote it never approves it, through no door.
#[test]
fn api_authors_of_commits_do_not_approve() {
    let more = "person: niklas\nname: Niklas\nemails: [niklas@shop.example]\nroles: [developer, release-manager]\n".to_owned();
    let world = World::with(Organisation { more, ..building() });
    let repository = Repository::new(world.folder());
    let base = repository.commit(&Program::new("1.0.0"), "ada", "first");
    let commit = repository.commit(&Program::new("1.1.0"), "niklas", "second");
    let body = json!({"service": "web", "component": "app", "repository": repository.path(), "commit": commit, "base": base});
    let run = world.api("robot").post("/v1/builds", &body).ok()["run"].as_str().unwrap_or_default().to_owned();
    let built = world.ended(&run);
    assert_eq!(built["result"], "succeeded", "{built:#}");
    let release = seal(&world, "1.1.0", built["outputs"]["artifacts"]["app"].as_str().unwrap_or_default());
    let problem = world.vote("niklas", &release, "production", "approvals").refused("GOV-003");
    assert!(problem["detail"].as_str().unwrap_or_default().contains(&commit[..8]), "{problem:#}");
    world.approve("grace", &release, "production");
    let said = world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(0);
    assert!(said.stdout.contains(&commit[..8]), "{said}");
}

#[test]
fn page_shows_authors_and_commits() {
    needs!("chromium");
    let world = World::with(building());
    let browser = Browser::start();
    let repository = Repository::new(world.folder());
    let base = repository.commit(&Program::new("1.0.0"), "ada", "first");
    let commit = repository.commit(&Program::new("1.1.0"), "linus", "second");
    let (digest, run) = build(&world, &repository, &commit, &base);
    let release = seal(&world, "1.1.0", &digest);
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/contents?environment=production", release.id));
    page.sees("linus");
    page.sees(&commit[..12]);
    page.is_sound();
    page.goto(&format!("/runs/{run}"));
    page.sees("Build of web");
    page.sees("Succeeded");
    page.is_sound();
}

#[test]
fn refuses_what_nobody_here_built() {
    let world = World::with(building());
    let repository = Repository::new(world.folder());
    let base = repository.commit(&Program::new("1.0.0"), "ada", "first");
    // Bytes from somewhere else.
    let foreign = world.bare_release(&Program::new("9.0.0"));
    assert_eq!(world.gate(&foreign, "production", "provenance")["code"], "PROV-001");
    // A commit of somebody whom nobody knows.
    let commit = repository.commit(&Program::new("1.1.0"), "stranger", "second");
    let (digest, _) = build(&world, &repository, &commit, &base);
    let release = seal(&world, "1.1.0", &digest);
    assert_eq!(world.gate(&release, "production", "provenance")["state"], "open");
    assert_eq!(world.gate(&release, "production", "approval")["code"], "GOV-004");
    // A branch's name is no commit, and a commit that is not there builds nothing.
    let ask = |commit: &str| {
        let body = json!({"service": "web", "component": "app", "repository": repository.path(), "commit": commit});
        world.api("robot").post("/v1/builds", &body)
    };
    ask("main").refused("BLD-002");
    let run = ask(&"1".repeat(40)).ok()["run"].as_str().unwrap_or_default().to_owned();
    assert_ne!(world.ended(&run)["result"], "succeeded");
    world
        .api("mary")
        .post("/v1/builds", &json!({"service": "web", "component": "app", "repository": "/", "commit": commit}))
        .refused("AUTH-003");
}

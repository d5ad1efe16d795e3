//! AB20: a tag or branch is resolved once; moved afterwards, it changes nothing in what was built or released.

use holdpoint_tests::{Organisation, Program, World};
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=Linus", "-c", "user.email=linus@shop.example", "-c", "init.defaultBranch=main"]);
    let output = command.args(args).output().expect("git starts");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn ab20_a_tag_moved_after_the_build_changes_nothing() {
    let component = "    build: {command: [cp, program.py, built.py], artifacts: {app: built.py}}\n".to_owned();
    let world = World::with(Organisation { component, ..Organisation::open() });
    let folder = world.folder().join("repository");
    std::fs::create_dir_all(&folder).expect("a folder");
    git(&folder, &["init", "-q"]);
    let commit = |version: &str| {
        std::fs::write(folder.join("program.py"), Program::new(version).bytes()).expect("a file");
        git(&folder, &["add", "."]);
        git(&folder, &["commit", "-q", "-m", version]);
        git(&folder, &["rev-parse", "HEAD"])
    };
    let good = commit("1.0.0");
    git(&folder, &["tag", "v1"]);
    let path = folder.display().to_string();
    let build =
        || world.cli("robot").run(["--json", "build", "start", "web", "app", "--repository", &path, "--commit", "v1"]).code(0).json();
    let built = build();
    assert_eq!(built["commit"], good.as_str());
    let digest = built["artifacts"]["app"].as_str().expect("a digest").to_owned();
    let made = world.api("ada").post("/v1/releases", &json!({"service": "web", "version": "1.0.0", "components": {"app": digest}})).ok();
    let id = made["release"].as_str().expect("a release").to_owned();
    // The tag moves, by force, to something else.
    let evil = commit("6.6.6");
    git(&folder, &["tag", "-f", "v1"]);
    let release = holdpoint_tests::Release {
        id,
        version: "1.0.0".to_owned(),
        digest,
        manifest: made["manifest_digest"].as_str().expect("a digest").to_owned(),
    };
    assert_eq!(world.view(&release)["manifest_digest"], release.manifest.as_str());
    world.deployed("ada", &release, "test");
    assert_eq!(world.answers("test"), "1.0.0");
    assert_eq!(world.processes(&Program::new("6.6.6")), Vec::<u32>::new());
    // What is built from it now says so: another commit, other bytes.
    let again = build();
    assert_eq!(again["commit"], evil.as_str());
    assert_ne!(again["artifacts"]["app"], release.digest.as_str());
    // The server itself takes no name that could move.
    for name in ["v1", "main", "HEAD", "latest", &good[..12]] {
        let body = json!({"service": "web", "component": "app", "repository": path, "commit": name});
        world.api("robot").post("/v1/builds", &body).refused("BLD-002");
    }
    for digest in ["latest", "web:1.0.0", "sha256:latest"] {
        let answer = world.api("ada").post("/v1/releases", &json!({"service": "web", "version": "2.0.0", "components": {"app": digest}}));
        assert!((400..500).contains(&answer.status), "{digest}: {}", answer.text());
    }
}

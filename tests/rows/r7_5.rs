//! 7.5 Immutability: the same bytes everywhere, and definitions as they were sealed.

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Organisation, Program, World};

/// What was uploaded once runs in both environments, by the operating system's account, and comes back byte by byte.
#[test]
fn cli_the_same_bytes_run_in_every_environment() {
    let world = World::with(Organisation::open());
    let program = Program::new("1.0.0");
    let release = world.bare_release(&program);
    for environment in ["test", "production"] {
        world.cli("ada").run(["release", "deploy", &release.id, "--to", environment, "--wait"]).code(0);
        assert_eq!(world.answers(environment), "1.0.0");
    }
    // Compared with the bytes of this test, not with a name.
    assert_eq!(world.processes(&program).len(), 2);
    let file = world.folder().join("back");
    world.cli("mary").run(["artifact", "get", &release.digest, "--output", &file.display().to_string()]).code(0);
    assert_eq!(std::fs::read(file).expect("the file"), program.bytes());
    for environment in ["test", "production"] {
        let run = world.runs(&release, environment).remove(0);
        let opened = world.facts(&format!("run/{run}")).into_iter().find(|fact| fact["envelope"]["type"] == "RunOpened").expect("a fact");
        assert_eq!(opened["body"]["components"]["app"]["digest"], release.digest.as_str());
    }
}

/// Somebody swaps the file in the store: the step stops before anything of it runs.
#[test]
fn refuses_a_swapped_file() {
    let world = World::with(Organisation::open());
    let sound = Program::new("1.0.0");
    world.deployed("ada", &world.bare_release(&sound), "test");
    let wanted = Program::new("1.1.0");
    let release = world.bare_release(&wanted);
    let other = Program::new("1.1.0").failing_one_in(1);
    let mut swapped = 0;
    for file in files(&world.server.data().join("blobs")) {
        if std::fs::read(&file).is_ok_and(|bytes| bytes == wanted.bytes()) {
            swap(&file, &other.bytes());
            swapped += 1;
        }
    }
    assert_eq!(swapped, 1, "the blob lies in the data folder");
    let run = world.ended(&world.deploy("ada", &release, "test"));
    assert_eq!(run["result"], "rolled-back", "{run:#}");
    let cause = run["cause"]["sentence"].as_str().unwrap_or_default();
    assert!(cause.contains("digest_mismatch"), "{cause}");
    assert!(world.processes(&other).is_empty() && world.processes(&wanted).is_empty());
    assert_eq!(world.answers("test"), "1.0.0");
}

fn swap(file: &std::path::Path, bytes: &[u8]) {
    // Stored files are read-only; whoever owns the disk does not mind.
    std::fs::remove_file(file).expect("the owner may");
    std::fs::write(file, bytes).expect("the owner may");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The command is swapped after the approval: shut, until the release takes the new definition and is approved again.
#[test]
fn api_a_changed_definition_shuts_the_gate() {
    let mut world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    world.approve("grace", &release, "production");
    assert_eq!(world.gates(&release, "production")["verdict"], "open");
    world.reorganise(|organisation| organisation.component = "    instances: 2\n".to_owned());
    let said = world.cli("mary").run(["--json", "gate", "explain", &release.id, "production"]).code(1).json();
    let gate = said["gates"].as_array().into_iter().flatten().find(|gate| gate["gate"] == "immutability").cloned().unwrap_or_default();
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("shut"), Some("IMM-001")), "{gate:#}");
    world.cli("ada").run(["release", "amend", &release.id, "--redefine"]).code(0);
    assert_eq!(world.gate(&release, "production", "immutability")["state"], "open");
    // The approval was for the old one.
    let vote = world.view(&release)["approvals"][0].clone();
    assert_eq!((vote["handle"].as_str(), vote["valid"].as_bool()), (Some("grace"), Some(false)));
    assert_eq!(world.gate(&release, "production", "approval")["code"], "GOV-005");
}

#[test]
fn page_says_that_the_definition_changed() {
    needs!("chromium");
    let mut world = World::start();
    let browser = Browser::start();
    let release = world.release(&Program::new("1.0.0"));
    world.reorganise(|organisation| organisation.component = "    instances: 2\n".to_owned());
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/gates?environment=test", release.id));
    page.sees("IMM-001");
    page.sees("service definition changed since the manifest was sealed");
    page.is_sound();
}

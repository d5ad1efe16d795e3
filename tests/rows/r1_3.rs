//! 1.3 Calendar (first depth): recurring windows in the environment's own zone, asked at the instant of every step.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, SOON, World};
use serde_json::json;

/// Open for one minute a year, at six in the morning of a summer's day in Berlin: that is 04:00 UTC, not 05:00.
const SUMMER: &str =
    "window: summer\nkind: allow\nrule: FREQ=YEARLY\nstart: \"2020-07-01T06:00:00\"\nduration: PT1M\nzone: Europe/Berlin\n";
/// Always.
const ALWAYS: &str = "window: always\nkind: allow\nrule: FREQ=DAILY\nstart: \"2020-01-01T00:00:00\"\nduration: PT24H\n";
const NEVER: &str = "window: audit\nkind: deny\nrule: FREQ=DAILY\nstart: \"2020-01-01T00:00:00\"\nduration: PT24H\n";

fn with(windows: &[&str], more: &str) -> Organisation {
    Organisation { windows: windows.iter().map(|name| (*name).to_owned()).collect(), more: more.to_owned(), ..Organisation::open() }
}

#[test]
fn cli_says_when_it_opens() {
    let world = World::with(with(&["summer"], SUMMER));
    let release = world.bare_release(&Program::new("1.0.0"));
    let said = world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(1).stdout;
    assert!(
        said.contains("WIN-001 outside \"summer\"") && said.contains("-07-01 06:00 Europe/Berlin") && said.contains("-07-01T04:00:00Z"),
        "{said}"
    );
    world.cli("mary").run(["gate", "explain", &release.id, "test"]).code(0);
    // The same by the offline calculator, from the file alone.
    let args = [
        "--json",
        "calendar",
        "expand",
        "--rule",
        "FREQ=YEARLY",
        "--start",
        "2020-07-01T06:00:00",
        "--zone",
        "Europe/Berlin",
        "--limit",
        "30",
    ];
    let expanded = world.cli("mary").run(args).code(0).stdout;
    let next = world.gates(&release, "production")["next_start"].as_str().unwrap_or_default().to_owned();
    assert!(expanded.contains(&next[..16]) || expanded.contains(&next[..10]), "{next}: {expanded}");
}

/// A window that is taken away in the middle of a run holds it; opened again, it goes on.
#[test]
fn api_asks_at_every_step() {
    let slow = "    gates: {previous: false}\n    steps-before: [{name: wait, idempotent: true, command: [sleep, \"0.6\"]}]\n".to_owned();
    let both = format!("{ALWAYS}---\n{NEVER}");
    let mut world = World::with(Organisation { production: slow, ..with(&["always"], &both) });
    let run = world.deploy("grace", &world.bare_release(&Program::new("1.0.0")), "production");
    world.reorganise(|organisation| organisation.windows.push("audit".to_owned()));
    let held = eventually("it is held", SOON, || Some(world.run(&run)).filter(|run| run["state"] == "held"));
    assert!(held["cause"]["sentence"].as_str().unwrap_or_default().contains("\"audit\" denies"), "{}", held["cause"]);
    assert!(world.processes(&Program::new("1.0.0")).is_empty());
    world.reorganise(|organisation| organisation.windows = vec!["always".to_owned()]);
    assert_eq!(world.ended(&run)["result"], "succeeded");
    assert_eq!(world.answers("production"), "1.0.0");
}

#[test]
fn page_shows_the_next_possible_start() {
    needs!("chromium");
    let world = World::with(with(&["summer"], SUMMER));
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/gates?environment=production", release.id));
    page.sees("outside \"summer\"");
    page.sees("Next possible start:");
    page.sees("WIN-001");
    page.is_sound();
    page.goto("/environments");
    page.sees("summer");
    page.portrait("environments");
}

#[test]
fn refuses_outside_and_what_is_no_window() {
    let world = World::with(with(&["always", "audit"], &format!("{ALWAYS}---\n{NEVER}")));
    let release = world.bare_release(&Program::new("1.0.0"));
    // Deny beats allow.
    let path = format!("/v1/releases/{}/deployments", release.id);
    let problem = world.api("grace").post(&path, &json!({"environment": "production"})).refused("ORC-005");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("\"audit\" denies"), "{problem:#}");
    assert_eq!(world.runs(&release, "production").len(), 0);
    let file = world.folder().join("wrong.yaml");
    for (text, code, says) in [
        (SUMMER.replace("FREQ=YEARLY", "FREQ=SOMETIMES"), 1, "ORG-002"),
        (SUMMER.replace("Europe/Berlin", "Europe/Atlantis"), 1, "ORG-002"),
        (SUMMER.replace("kind: allow", "kind: maybe"), 1, "ORG-002"),
        (SUMMER.replace("rule:", "role:"), 2, "wrong.yaml:3"),
    ] {
        std::fs::write(&file, &text).expect("a file");
        let said = world.cli("root").run(["apply", "-f", &file.display().to_string(), "--yes"]).code(code);
        assert!(said.stderr.contains(says) && said.stderr.contains("wrong.yaml:"), "{says}: {said}");
    }
}

//! D2 Gate-only mode: another tool deploys; it asks us first, by exit code, and reports afterwards.

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Program, World};
use serde_json::json;

/// A pipeline of somebody else's: ask, deploy, report.
#[test]
fn cli_another_tool_asks_by_exit_code() {
    let world = World::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let robot = world.cli("robot");
    let ask = |environment: &str| {
        robot.run(["--json", "gate", "check", "--digest", &release.digest, "--environment", environment, "--service", "web"])
    };
    let shut = ask("test").code(1).json();
    assert_eq!(shut["verdict"], "shut");
    world.unit_tests(&release, 3, 0);
    assert_eq!(ask("test").code(0).json()["verdict"], "open");
    // Production still waits for people, and says for whom.
    let waiting = ask("production").code(1).json();
    assert_eq!(waiting["verdict"], "waiting");
    assert!(waiting["report"].to_string().contains("1 more by release-manager"), "{waiting:#}");
    // Nothing was deployed by us.
    assert!(world.runs(&release, "test").is_empty());
    let args = [
        "gate",
        "report",
        "--digest",
        &release.digest,
        "--environment",
        "test",
        "--service",
        "web",
        "--result",
        "succeeded",
        "--observed",
        "1.0.0",
    ];
    robot.run(args).code(0);
    let facts = world.sealed("slot/test/web", "DeploymentReported");
    assert_eq!(facts, ["DeploymentReported"]);
    let fact = world.facts("slot/test/web").remove(0);
    assert_eq!((fact["actor_name"].as_str(), fact["body"]["digest"].as_str()), (Some("robot"), Some(release.digest.as_str())));
    assert_eq!((fact["body"]["result"].as_str(), fact["body"]["observed"].as_str()), (Some("succeeded"), Some("1.0.0")));
    world.server.check_ledger(&world.api("root"));
}

#[test]
fn page_shows_what_another_tool_reported() {
    needs!("chromium");
    let world = World::start();
    let browser = Browser::start();
    let release = world.release(&Program::new("1.0.0"));
    let body = json!({"digest": release.digest, "environment": "test", "service": "web", "result": "succeeded"});
    world.api("robot").post("/v1/deployments/report", &body).ok();
    world.sealed("slot/test/web", "DeploymentReported");
    let page = world.page(&browser, "mary");
    page.goto("/audit?stream=slot%2Ftest%2Fweb");
    page.sees("DeploymentReported");
    page.sees("robot");
    page.portrait("audit");
    page.viewport(320, 700);
    page.is_sound();
}

#[test]
fn refuses_unknown_bytes_and_untrue_reports() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let unknown = format!("sha256:{}", "0".repeat(64));
    world.cli("robot").run(["gate", "check", "--digest", &unknown, "--environment", "test", "--service", "web"]).code(1);
    let check = |digest: &str, environment: &str, service: &str| {
        world.api("robot").post("/v1/gates/check", &json!({"digest": digest, "environment": environment, "service": service}))
    };
    check(&unknown, "test", "web").refused("GTE-001");
    check(&release.digest, "moon", "web").refused("ORC-001");
    check(&release.digest, "test", "moon").refused("GTE-001");
    let report = |who: &str, result: &str| {
        let body = json!({"digest": release.digest, "environment": "test", "service": "web", "result": result});
        world.api(who).post("/v1/deployments/report", &body)
    };
    report("mary", "succeeded").refused("AUTH-003");
    report("linus", "succeeded").refused("AUTH-003");
    report("robot", "probably").refused("GTE-002");
    // What runs does not say what was reported.
    let untrue = json!({"digest": release.digest, "environment": "test", "service": "web", "result": "succeeded", "observed": "0.9.0"});
    world.api("robot").post("/v1/deployments/report", &untrue).refused("GTE-003");
    // A stranger's answer is neither yes nor no.
    world.server.cli(None).run(["gate", "check", "--digest", &release.digest, "--environment", "test", "--service", "web"]).code(4);
}

//! 2.5 Backward compatibility: what a release describes, against every version that runs or may come back, with who is hit.

mod kinds;

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, Release, SOON, World};
use serde_json::Value;

fn described() -> World {
    let production = "    gates: {previous: false, compatibility: {interfaces: [http]}}\n".to_owned();
    World::with(Organisation { production, ..Organisation::open() })
}

/// An API of parcels. `more` are further operations, `required` makes a parameter required.
fn openapi(version: &str, required: bool, more: &[&str]) -> String {
    let more: String =
        more.iter().map(|path| format!("  {path}:\n    get:\n      responses:\n        '200': {{description: ok}}\n")).collect();
    format!(
        "openapi: 3.0.3\ninfo: {{title: Parcels, version: {version}}}\npaths:\n  /parcels/{{id}}:\n    get:\n      parameters:\n        \
         - {{name: id, in: path, required: true, schema: {{type: string}}}}\n        \
         - {{name: expand, in: query, required: {required}, schema: {{type: string}}}}\n      responses:\n        '200': {{description: ok}}\n{more}"
    )
}

/// Two consumers at one operation, one of them at another.
const LOG: &str = "\
10.0.0.1 - - [01/Nov/2026:08:00:00 +0000] \"GET /parcels/17 HTTP/1.1\" 200 12 \"-\" \"courier-app/2.1\"
10.0.0.1 - - [02/Nov/2026:08:00:00 +0000] \"GET /parcels/18 HTTP/1.1\" 200 12 \"-\" \"courier-app/2.1\"
10.0.0.2 - shop-web [24/Nov/2026:08:00:00 +0000] \"GET /parcels/19?expand=all HTTP/1.1\" 200 12 \"-\" \"-\"
";

fn file(world: &World, name: &str, text: &str) -> String {
    let path = world.folder().join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// By the command line.
fn describe(world: &World, release: &Release, text: &str) {
    let path = file(world, "http.yaml", text);
    let args = ["evidence", "add", "--kind", "interface", "--interface", "http", "--subject", &release.digest, &path];
    assert!(world.cli("robot").run(args).code(0).stdout.contains("interface http in openapi"));
}

fn gate(world: &World, release: &Release) -> (String, String, String) {
    let gate = world.gate(release, "production", "compatibility");
    let text = |key: &str| gate[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("code"), text("sentence"))
}

fn becomes(world: &World, release: &Release, state: &str) -> (String, String, String) {
    eventually(&format!("the gate is {state}"), SOON, || Some(gate(world, release)).filter(|gate| gate.0 == state))
}

/// 1.0.0 runs in production with its description.
fn running(world: &World) -> Release {
    let first = world.bare_release(&Program::new("1.0.0"));
    describe(world, &first, &openapi("1.0.0", false, &["/old"]));
    becomes(world, &first, "open");
    world.deployed("grace", &first, "production");
    first
}

/// A break shuts with rule, place, version and consumers; what keeps everything opens.
#[test]
fn cli_a_break_is_named_with_the_consumers_it_hits() {
    let world = described();
    let first = running(&world);
    let log = file(&world, "access.log", LOG);
    let args =
        ["evidence", "add", "--kind", "usage", "--interface", "http", "--environment", "production", "--subject", &first.digest, &log];
    let said = world.cli("robot").run(args).code(0).stdout;
    assert!(said.contains("3 requests of 2 consumers from 2026-11-01T08:00:00Z to 2026-11-24T08:00:00Z"), "{said}");
    let second = world.bare_release(&Program::new("2.0.0"));
    describe(&world, &second, &openapi("2.0.0", true, &[]));
    becomes(&world, &second, "shut");
    let said = world.cli("mary").run(["gate", "explain", &second.id, "production"]).code(1).stdout;
    for expected in [
        "COM-003 app/http: ",
        "request-parameter-became-required at http:8 /paths/~1parcels~1{id}/get/parameters/1, against 1.0.0 (running in production)",
        "It hits courier-app (2 requests, last 2026-11-02T08:00:00Z), shop-web (once, at 2026-11-24T08:00:00Z).",
        "Nobody was seen using it from 2026-11-01T08:00:00Z to 2026-11-24T08:00:00Z; unseen is not unused.",
        "holdpoint waiver grant brk-",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    world.cli("grace").run(["release", "deploy", &second.id, "--to", "production"]).code(1);
    assert_eq!(world.answers("production"), "1.0.0");
    // What was there stays, what is new comes beside it: it goes, and says what a rollback would take away.
    let third = world.bare_release(&Program::new("2.0.1"));
    describe(&world, &third, &openapi("1.1.0", false, &["/old", "/new"]));
    let (_, _, sentence) = becomes(&world, &third, "open");
    assert!(sentence.contains("app/http goes with 1.0.0 (running in production); 1 risky") && sentence.contains("GET /new"), "{sentence}");
    world.deployed("grace", &third, "production");
    assert_eq!(world.answers("production"), "2.0.1");
}

/// Every version that may come back counts, not the last one alone; who bears a break bears it until it is taken back.
#[test]
fn api_versions_that_may_come_back_count_and_breaks_can_be_borne() {
    let world = described();
    let first = running(&world);
    let put = |release: &Release, text: &str| {
        let path = format!("/v1/evidence?kind=interface&interface=http&format=openapi&subject={}", release.digest);
        world.api("robot").upload("POST", &path, "application/yaml", text.as_bytes().to_vec()).ok()
    };
    let second = world.bare_release(&Program::new("1.1.0"));
    put(&second, &openapi("1.1.0", false, &[]));
    assert_eq!(becomes(&world, &second, "shut").1, "COM-003");
    let view = |release: &Release| -> Value {
        let all = world.api("mary").get(&format!("/v1/releases/{}/compatibility", release.id)).ok();
        all["environments"][0].clone()
    };
    let change = view(&second)["changes"][0].clone();
    assert_eq!((change["severity"].as_str(), change["way"].as_str()), (Some("breaking"), Some("forward")), "{change:#}");
    let id = change["id"].as_str().expect("an id").to_owned();
    let waive = |who: &str| {
        let args = [
            "waiver",
            "grant",
            &id,
            "--package",
            "app/http",
            "--environment",
            "production",
            "--until",
            "2026-12-31T00:00:00Z",
            "--reason",
            "nobody",
        ];
        world.cli(who).run(args)
    };
    waive("ada").code(0);
    assert_eq!(gate(&world, &second).0, "shut", "Ada made this release");
    let said = waive("grace").code(0).stdout;
    let (_, _, sentence) = becomes(&world, &second, "open");
    assert!(sentence.contains("app/http goes with 1.0.0 (running in production), 1 waived"), "{sentence}");
    world.deployed("grace", &second, "production");
    // Like 1.1.0, which runs, and unlike 1.0.0, which may come back.
    let third = world.bare_release(&Program::new("1.2.0"));
    put(&third, &openapi("1.2.0", false, &["/new"]));
    becomes(&world, &third, "open");
    let waiver = world.api("mary").get("/v1/waivers").ok()["waivers"][0]["id"].as_str().expect("an id").to_owned();
    assert!(said.contains(&waiver), "{said}");
    world.cli("grace").run(["waiver", "withdraw", &waiver, "--reason", "somebody after all"]).code(0);
    let (_, code, sentence) = becomes(&world, &third, "shut");
    assert_eq!(code, "COM-003");
    assert!(sentence.contains("against 1.0.0 (may come back in production)") && !sentence.contains("1.1.0"), "{sentence}");
    let rows = view(&third)["compared"].clone();
    let verdicts: Vec<(&str, &str)> =
        rows.as_array().into_iter().flatten().filter_map(|row| Some((row["version"].as_str()?, row["verdict"].as_str()?))).collect();
    assert_eq!(verdicts, [("1.1.0", "risky"), ("1.0.0", "breaking")], "{rows:#}");
    assert_eq!(view(&first)["compared"].as_array().map(Vec::len), Some(1));
}

#[test]
fn page_shows_changes_and_consumers() {
    needs!("chromium");
    let world = described();
    let browser = Browser::start();
    let first = running(&world);
    let path = format!("/v1/evidence?kind=usage&interface=http&environment=production&subject={}", first.digest);
    world.api("robot").upload("POST", &path, "text/plain", LOG.as_bytes().to_vec()).ok();
    let second = world.bare_release(&Program::new("2.0.0"));
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/compatibility", second.id));
    page.sees("Nothing is described. The stage asks for http");
    describe(&world, &second, &openapi("2.0.0", true, &["/new"]));
    for text in
        ["courier-app", "shop-web", "request-parameter-became-required", "after a rollback to 1.0.0", "Unseen is not unused", "nobody"]
    {
        page.sees(text);
    }
    page.portrait("compatibility");
    // By keyboard: from the release to what breaks, and on to the description itself.
    page.goto(&format!("/releases/{}", second.id));
    page.sees("Manifest");
    page.tab_to("Compatibility", 80);
    page.press("Enter");
    page.sees("request-parameter-became-required");
    page.tab_to("Download the description of app/http", 40);
}

/// What one release lost holds up that release and no other.
#[test]
fn refuses_to_pass_by_a_lost_description_and_goes_on_with_others() {
    let world = described();
    let first = world.bare_release(&Program::new("1.0.0"));
    describe(&world, &first, &openapi("1.0.0", false, &[]));
    let (lost, kept) = (world.bare_release(&Program::new("1.5.0")), world.bare_release(&Program::new("1.6.0")));
    let text = openapi("1.5.0", false, &["/lost"]);
    describe(&world, &lost, &text);
    let digest = world.upload(text.as_bytes());
    let hex = digest.trim_start_matches("sha256:");
    std::fs::remove_file(world.server.data().join("blobs/sha256").join(&hex[..2]).join(&hex[2..])).expect("it was there");
    becomes(&world, &first, "open");
    world.deployed("grace", &first, "production");
    describe(&world, &kept, &openapi("1.6.0", false, &["/kept"]));
    becomes(&world, &kept, "open");
    let (state, code, _) = gate(&world, &lost);
    assert_eq!((state.as_str(), code.as_str()), ("waiting", "COM-004"));
    let refusal = world.gate(&lost, "production", "compatibility");
    assert_eq!(refusal["atoms"][0]["facts"]["version"], "1.0.0", "{refusal:#}");
}

#[test]
fn refuses_what_is_missing_or_cannot_be_read() {
    let world = described();
    let first = world.bare_release(&Program::new("1.0.0"));
    let (state, code, sentence) = gate(&world, &first);
    assert_eq!((state.as_str(), code.as_str()), ("shut", "COM-001"), "{sentence}");
    world.cli("grace").run(["release", "deploy", &first.id, "--to", "production"]).code(1);
    let path = |kind: &str| format!("/v1/evidence?{kind}&interface=http&subject={}", first.digest);
    let send = |path: &str, text: &str| world.api("robot").upload("POST", path, "application/yaml", text.as_bytes().to_vec());
    let openapi_path = path("kind=interface&format=openapi");
    let remote = openapi("1.0.0", false, &[]).replace("schema: {type: string}", "schema: {$ref: 'https://example.com/all.yaml#/a'}");
    let said = send(&openapi_path, &remote).refused("EVD-004");
    assert!(said["detail"].as_str().unwrap_or_default().contains("which is not fetched"), "{said}");
    for bad in ["", "openapi: 3.0.3\npaths: [", "swagger: '2.0'", "{}", "PK\u{3}\u{4}", "openapi: 3.0.3\npaths: {$ref: ../out.yaml}"] {
        send(&openapi_path, bad).refused("EVD-004");
    }
    for (format, bad) in [
        ("avro", "{\"type\": \"record\"}"),
        ("protobuf", "message {"),
        ("graphql", "type Query {"),
        ("json-schema", "{\"type\": 7}"),
        ("json-schema", "{\"$ref\": \"https://example.com/a.json\"}"),
        ("wsdl", "<definitions/>"),
        ("avro", &openapi("1.0.0", false, &[])),
    ] {
        send(&path(&format!("kind=interface&format={format}")), bad).refused("EVD-004");
    }
    let good = openapi("1.0.0", false, &[]);
    send("/v1/evidence?kind=interface&interface=http&format=openapi", &good).refused("HTTP-011");
    send(&format!("/v1/evidence?kind=interface&format=openapi&subject={}", first.digest), &good).refused("HTTP-011");
    send(&format!("/v1/evidence?kind=interface&interface=a%2Fb&format=openapi&subject={}", first.digest), &good).refused("HTTP-011");
    send(&path("kind=interface"), &good).refused("HTTP-011");
    // A log is read by a description, and covers a period.
    send(&path("kind=usage&environment=production"), LOG).refused("EVD-004");
    assert_eq!(world.api("linus").upload("POST", &openapi_path, "application/yaml", good.as_bytes().to_vec()).status / 100, 2);
    let mute = "{\"method\": \"GET\", \"path\": \"/parcels/1\", \"consumer\": \"courier\"}\n";
    let said = send(&path("kind=usage&environment=production"), mute).refused("EVD-004");
    assert!(said["detail"].as_str().unwrap_or_default().contains("no period was observed"), "{said}");
    send(&path("kind=usage"), LOG).refused("HTTP-011");
    becomes(&world, &first, "open");
    world.deployed("grace", &first, "production");
    // The next one says nothing of what runs; the one after says it in another language.
    let second = world.bare_release(&Program::new("1.1.0"));
    assert_eq!(becomes(&world, &second, "shut").1, "COM-001");
    let third = world.bare_release(&Program::new("1.2.0"));
    let graph = format!("/v1/evidence?kind=interface&interface=http&format=graphql&subject={}", third.digest);
    send(&graph, "type Query { parcel: String }").ok();
    let (_, code, sentence) = becomes(&world, &third, "shut");
    assert!(code == "COM-003" && sentence.contains("two languages"), "{code} {sentence}");
}

//! `compat openapi`.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::folder;
use serde_json::json;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn pets(kind: &str) -> String {
    format!(
        "openapi: 3.1.0\ninfo: {{title: pets, version: '1'}}\npaths:\n  /pets/{{id}}:\n    get:\n      parameters:\n        - {{in: path, name: id, required: true, schema: {{type: string}}}}\n      responses:\n        '200':\n          description: a pet\n          content:\n            application/json:\n              schema:\n                type: object\n                required: [name]\n                properties:\n                  name:\n                    type: {kind}\n"
    )
}

#[test]
fn breaking_is_1_and_says_where_in_every_form() {
    let folder = folder();
    write(folder.path(), "old.yaml", &pets("string"));
    write(folder.path(), "new.yaml", &pets("integer"));
    let run = |args: &[&str]| CommandLine::new(folder.path()).run([&["compat", "openapi", "old.yaml"], args].concat());
    let said = run(&["new.yaml", "--json", "--sarif", "out.sarif", "--html", "out.html"]).code(1).json();
    assert_eq!(said["verdict"], "breaking");
    let finding = &said["findings"][0];
    assert_eq!(finding["rule"], "response-property-type-changed");
    assert_eq!((finding["file"].as_str(), finding["line"].as_u64()), (Some("new.yaml"), Some(18)));
    assert_eq!(finding["operations"], json!(["GET /pets/{id}"]));
    assert_eq!(said["against"], json!([{"base": "old.yaml", "way": "forward", "verdict": "breaking", "findings": 2}]));
    let sarif = std::fs::read_to_string(folder.path().join("out.sarif")).expect("SARIF");
    assert!(sarif.contains("\"startLine\": 18"), "{sarif}");
    assert!(std::fs::read_to_string(folder.path().join("out.html")).expect("a page").contains("response-property-type-changed"));
    let text = run(&["new.yaml"]).code(1).stdout;
    assert!(text.contains("breaking response-property-type-changed  new.yaml:18") && text.contains("✗ breaking"), "{text}");
    assert_eq!(run(&["old.yaml", "--json"]).code(0).json()["verdict"], "compatible");
}

#[test]
fn every_base_counts_and_the_way_back() {
    let folder = folder();
    write(folder.path(), "running/1.yaml", &pets("integer"));
    write(folder.path(), "running/2.yaml", &pets("number"));
    write(folder.path(), "new.yaml", &pets("integer"));
    let run = |args: &[&str]| {
        CommandLine::new(folder.path()).run([&["--json", "compat", "openapi", "--against", "running", "new.yaml"], args].concat())
    };
    let said = run(&[]).code(0).json();
    assert_eq!(said["against"].as_array().map(Vec::len), Some(2), "{said:#}");
    // Back to the second one, clients that were told integers get numbers.
    let said = run(&["--both"]).code(1).json();
    let broken: Vec<&serde_json::Value> =
        said["against"].as_array().into_iter().flatten().filter(|one| one["verdict"] == "breaking").collect();
    assert_eq!(broken.len(), 1, "{said:#}");
    assert_eq!((broken[0]["way"].as_str(), said["findings"][0]["way"].as_str()), (Some("back"), Some("back")));
    CommandLine::new(folder.path()).run(["compat", "openapi", "new.yaml"]).code(2);
}

#[test]
fn references_stay_in_the_folder() {
    let folder = folder();
    let main = |reference: &str| pets("string").replace("type: string\n", &format!("$ref: '{reference}'\n"));
    write(folder.path(), "api/parts/name.yaml", "Name: {type: string}\n");
    write(folder.path(), "api/main.yaml", &main("parts/name.yaml#/Name"));
    write(folder.path(), "api/out.yaml", &main("../secret.yaml"));
    write(folder.path(), "api/far.yaml", &main("https://x.example/name.yaml#/Name"));
    write(folder.path(), "secret.yaml", "type: string\n");
    let run = |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "openapi"], args].concat());
    assert_eq!(run(&["api/main.yaml", "api/main.yaml"]).code(0).json()["verdict"], "compatible");
    let why = run(&["api/main.yaml", "api/out.yaml"]).code(2).stderr;
    assert!(why.contains("api/out.yaml:18") && why.contains("outside the folder"), "{why}");
    // A wider folder may be given.
    run(&["api/main.yaml", "api/out.yaml", "--root", "."]).code(0);
    let why = run(&["api/main.yaml", "api/far.yaml"]).code(2).stderr;
    assert!(why.contains("not fetched"), "{why}");
    run(&["api/main.yaml", "api/far.yaml", "--allow-ref", "https://x.example/name.yaml=api/parts/name.yaml"]).code(0);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret.yaml", folder.path().join("api/link.yaml")).expect("a link");
        write(folder.path(), "api/linked.yaml", &main("link.yaml"));
        let why = run(&["api/main.yaml", "api/linked.yaml"]).code(2).stderr;
        assert!(why.contains("a link that leads outside"), "{why}");
    }
}

#[test]
fn an_announced_day_is_judged_by_the_given_one() {
    let folder = folder();
    let text = |paths: &str| format!("openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths: {paths}\n");
    write(folder.path(), "old.yaml", &text("{/a: {get: {deprecated: true, x-sunset: '2026-06-01', responses: {}}}}"));
    write(folder.path(), "new.yaml", &text("{}"));
    let run = |now: &str| CommandLine::new(folder.path()).run(["--json", "compat", "openapi", "old.yaml", "new.yaml", "--now", now]);
    assert_eq!(run("2026-05-31").code(1).json()["findings"][0]["rule"], "api-path-removed-before-sunset");
    assert_eq!(run("2026-06-01").code(0).json()["findings"][0]["rule"], "api-path-removed-with-deprecation");
    run("June").code(2);
}

#[test]
fn what_cannot_be_read_is_2_with_its_place() {
    let folder = folder();
    write(folder.path(), "good.yaml", &pets("string"));
    for (name, text, place) in [
        ("swagger.json", "{\"swagger\": \"2.0\"}", "swagger.json:1: Swagger 2.0"),
        ("deep.json", &"[".repeat(100_000), "deep.json:1: nested deeper"),
        ("broken.yaml", "openapi: 3.0.0\npaths: [\n", "broken.yaml:3: expected"),
        ("other.yaml", "a: b\n", "other.yaml:1: expected an OpenAPI description"),
    ] {
        write(folder.path(), name, text);
        let why = CommandLine::new(folder.path()).run(["compat", "openapi", "good.yaml", name]).code(2).stderr;
        assert!(why.contains(place), "{why}");
    }
    CommandLine::new(folder.path()).run(["compat", "openapi", "good.yaml", "absent.yaml"]).code(2);
}

#[test]
fn findings_name_the_consumers_that_were_seen() {
    let folder = folder();
    write(folder.path(), "old.yaml", &pets("string"));
    write(folder.path(), "new.yaml", &pets("integer"));
    let log = "192.0.2.1 - shop [20/Nov/2026:08:00:00 +0000] \"GET /pets/7?x=1 HTTP/1.1\" 200 12 \"-\" \"curl/8.0\"\n\
        192.0.2.1 - - [24/Nov/2026:20:00:00 +0000] \"GET /pets/8 HTTP/1.1\" 200 12 \"-\" \"app/2.1 (x)\"\n\
        192.0.2.1 - - [24/Nov/2026:20:00:00 +0000] \"\\x16\\x03\" 400 0 \"-\" \"-\"\n\
        192.0.2.1 - - [22/Nov/2026:20:00:00 +0000] \"GET /cats HTTP/1.1\" 404 12 \"-\" \"app/2.1\"\n";
    write(folder.path(), "access.log", log);
    write(
        folder.path(),
        "more.jsonl",
        "{\"method\": \"get\", \"path\": \"/pets/9\", \"consumer\": \"shop\", \"time\": \"2026-11-23T08:00:00Z\"}\n",
    );
    let run = |log: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "openapi", "old.yaml", "new.yaml"], log].concat());
    let said = run(&["--usage", "access.log", "--usage", "more.jsonl"]).code(1).json();
    let consumers = json!([
        {"consumer": "app", "requests": 1, "first": "2026-11-24T20:00:00Z", "last": "2026-11-24T20:00:00Z"},
        {"consumer": "shop", "requests": 2, "first": "2026-11-20T08:00:00Z", "last": "2026-11-23T08:00:00Z"},
    ]);
    assert_eq!(said["findings"][0]["consumers"], consumers);
    let message = said["findings"][0]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("Seen using it: app, shop."), "{message}");
    let observation = json!({"requests": 4, "first": "2026-11-20T08:00:00Z", "last": "2026-11-24T20:00:00Z", "days": 4.5,
        "consumers": ["app", "shop"], "unmatched": 1, "unreadable": 1});
    assert_eq!(said["observation"], observation);
    // Nobody seen changes no verdict.
    write(folder.path(), "quiet.jsonl", "");
    assert_eq!(run(&["--usage", "quiet.jsonl"]).code(1).json()["findings"][0]["consumers"], json!([]));
    write(folder.path(), "other.log", "what\nis\nthis\n");
    assert!(run(&["--usage", "other.log"]).code(2).stderr.contains("other.log:1: expected JSON lines"));
}

#[test]
fn consumer_contracts_are_kept_or_named() {
    let folder = folder();
    write(folder.path(), "new.yaml", &pets("string"));
    let interaction = |path: &str, body: serde_json::Value| {
        json!({"description": format!("a pet at {path}"), "request": {"method": "GET", "path": path},
            "response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body}})
    };
    let pact = json!({"consumer": {"name": "shop"}, "provider": {"name": "pets"}, "metadata": {"pactSpecification": {"version": "2.0.0"}},
    "interactions": [
        interaction("/pets/7", json!({"name": "Rex"})),
        interaction("/pets/8", json!({"name": 8})),
        interaction("/pets/9", json!({"age": 8})),
        interaction("/cats/9", json!({})),
    ]});
    write(folder.path(), "shop.json", &pact.to_string());
    let said =
        CommandLine::new(folder.path()).run(["--json", "compat", "openapi", "new.yaml", "new.yaml", "--pact", "shop.json"]).code(1).json();
    assert_eq!(said["pacts"], json!([{"file": "shop.json", "consumer": "shop", "interactions": 4, "met": 1}]), "{said:#}");
    let rules: Vec<&str> = said["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["rule"].as_str()).collect();
    assert_eq!(rules, ["pact-operation-missing", "pact-response-body-differs", "pact-response-body-differs"]);
    assert_eq!(said["findings"][0]["consumer"], "shop");
}

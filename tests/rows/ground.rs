//! The ground that rows stand on: a database that answers, a browser that sees and judges a page. No row of its own.

use holdpoint_testkit::pages::Pages;
use holdpoint_testkit::{Browser, Client, Holdpoint, Postgres, needs};

#[test]
fn postgres_answers() {
    needs!("postgres");
    let database = Postgres::start();
    let rows = database.query("SELECT current_setting('server_version_num')::int >= 130000, current_database()");
    assert_eq!(rows, [vec![Some("t".to_owned()), Some(database.database().to_owned())]]);
}

const SOUND: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Freight</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark }</style></head>
<body><main><h1>Freight</h1>
<form onsubmit="event.preventDefault(); document.querySelector('output').textContent = 'Sent ' + document.querySelector('input').value">
<label>Name <input></label> <button>Send</button>
<button type="button" disabled aria-describedby="why">Approve</button> <span id="why">you wrote it</span></form>
<output></output></main></body></html>"#;
const UNSOUND: &str = r#"<!doctype html><html><head><title></title></head><body><img src="data:,"><p style="color: #ddd; background: #fff">pale</p>
<script>throw new Error("broken")</script></body></html>"#;

#[test]
fn a_browser_uses_a_page_as_a_person_would() {
    needs!("chromium");
    let site = Pages::fixed(&[("/", "text/html", SOUND), ("/unsound", "text/html", UNSOUND)]);
    let browser = Browser::start();
    let page = browser.page(site.url());
    assert_eq!(page.goto("/"), 200);
    page.fill("Name", "orders");
    page.click("button", "Send");
    page.sees("Sent orders");
    assert!(page.is_disabled("button", "Approve"));
    assert_eq!(page.description("button", "Approve"), "you wrote it");
    assert_eq!(page.count("button", None), 2);
    page.portrait("ground");
    page.goto("/unsound");
    let rules: Vec<String> = page.accessibility_violations().iter().filter_map(|found| found["id"].as_str().map(str::to_owned)).collect();
    for rule in ["color-contrast", "document-title", "html-has-lang", "image-alt"] {
        assert!(rules.iter().any(|found| found == rule), "{rule} is not among {rules:?}");
    }
    assert!(page.problems().iter().any(|problem| problem.contains("broken")));
}

#[test]
fn a_client_keeps_its_session_and_says_what_it_does_once() {
    let site = Pages::start(|request| match request.path.as_str() {
        "/v1/session" => (200, "application/json", r#"{"csrf": "c5"}"#.to_owned()),
        _ => (200, "application/json", "{}".to_owned()),
    });
    let client = Client::new(site.url());
    client.sign_in("ada", "secret");
    client.post("/v1/apply", &serde_json::json!({"documents": []})).ok();
    client.with_token("t7").delete("/v1/freezes/frz_1").ok();
    let seen = site.seen();
    assert_eq!(seen[1].headers["x-holdpoint-csrf"], "c5");
    assert_eq!(seen[2].headers["authorization"], "Bearer t7");
    assert!(!seen[2].headers.contains_key("x-holdpoint-csrf"));
    assert_ne!(seen[1].headers["idempotency-key"], seen[2].headers["idempotency-key"]);
}

#[test]
fn the_server_starts_answers_and_comes_back_after_a_kill() {
    let mut server = Holdpoint::start();
    let root = server.administrator();
    assert_eq!(root.get("/healthz").status, 200);
    server.kill();
    server.restart();
    root.get("/v1/me").ok();
    server.check_ledger(&root);
}

/// Somebody without a session is asked to sign in, and is then where they wanted to go.
#[test]
fn a_stranger_signs_in() {
    needs!("chromium");
    let server = Holdpoint::start();
    server.administrator();
    let browser = Browser::start();
    let page = browser.page(server.url());
    page.goto("/freezes");
    page.sees_element("heading", "Sign in");
    // That nobody was signed in is no fault of the page's.
    _ = page.problems();
    page.portrait("sign-in");
    page.viewport(320, 700);
    page.is_sound();
    page.viewport(1440, 900);
    page.fill("Handle", "root");
    page.fill("Password", "not the password");
    page.press("Enter");
    page.sees("handle or password is wrong");
    page.fill("Password", holdpoint_testkit::holdpoint::PASSWORD);
    page.press("Enter");
    page.sees_element("heading", "Freezes");
}

//! AB03: what is no credential opens no door, on every route of the description.

use holdpoint_testkit::Client;
use holdpoint_tests::World;
use serde_json::Value;
use std::collections::BTreeSet;

/// They take no credential; there a false one is not looked at.
const OPEN: [&str; 6] = ["POST /v1/setup", "POST /v1/session", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"];

/// Signed by nobody, by a public key, for others, of another time.
fn fakes(genuine: &str) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let bearer = |value: &str| vec![("Authorization", format!("Bearer {value}"))];
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290IiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    let hs256 = "eyJhbGciOiJIUzI1NiIsImtpZCI6InJvb3QifQ.eyJzdWIiOiJyb290In0.c2lnbmVkIHdpdGggdGhlIHB1YmxpYyBrZXk";
    let mut flipped = genuine.to_owned();
    let last = if flipped.pop() == Some('0') { '1' } else { '0' };
    flipped.push(last);
    vec![
        ("none at all", vec![]),
        ("x", bearer("x")),
        ("empty", bearer("")),
        ("alg none", bearer(none)),
        ("HS256 with the public key", bearer(hs256)),
        ("one sign differs", bearer(&flipped)),
        ("half", bearer(&genuine[..genuine.len() / 2])),
        ("with a tail", bearer(&format!("{genuine}0"))),
        ("in upper case", bearer(&genuine.to_uppercase())),
        ("as Basic", vec![("Authorization", format!("Basic {genuine}"))]),
        ("as a cookie", vec![("Cookie", format!("holdpoint={genuine}"))]),
        ("another's cookie", vec![("Cookie", format!("holdpoint={}; __Host-holdpoint={}", "0".repeat(64), "0".repeat(64)))]),
        ("twice", vec![("Authorization", format!("Bearer {genuine}")), ("Authorization", "Bearer x".to_owned())]),
        ("by a proxy's word", vec![("X-Forwarded-User", "root".to_owned()), ("X-Remote-User", "root".to_owned())]),
        ("in the query", vec![]),
    ]
}

#[test]
fn ab03_no_route_opens_to_what_is_no_credential() {
    let world = World::start();
    let genuine = world.token("root");
    // It does open what it should, so the fakes fail for being fakes.
    world.api("root").get("/v1/me").ok();
    let revoked = revoked(&world);
    let document = world.server.client().get("/openapi.json").ok();
    let stranger = world.server.client();
    let mut asked = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys().map(|method| method.to_uppercase()) {
            let route = format!("{method} {path}");
            if OPEN.contains(&route.as_str()) {
                continue;
            }
            let mut all = fakes(&genuine);
            all.push(("revoked", vec![("Authorization", format!("Bearer {revoked}"))]));
            for (what, headers) in all {
                let path = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
                let path = if what == "in the query" { format!("{path}?token={genuine}&access_token={genuine}") } else { path };
                let answer = ask(&stranger, &method, &path, &headers);
                assert_eq!(answer.0, 401, "{route} with {what}: {}", answer.1);
            }
            asked.insert(route);
        }
    }
    assert!(asked.len() > 50, "the description has only {} routes", asked.len());
}

fn revoked(world: &World) -> String {
    let root = world.person("root");
    let made = root.post("/v1/tokens", &serde_json::json!({"name": "short"})).ok();
    let listed = root.get("/v1/tokens").ok();
    let id = made["id"].as_str().map(str::to_owned).or_else(|| {
        let tokens = listed["tokens"].as_array()?;
        tokens.iter().find(|token| token["name"] == "short")?["id"].as_str().map(str::to_owned)
    });
    let token = made["token"].as_str().expect("a token").to_owned();
    let id = id.unwrap_or_else(|| panic!("no id: {made} {listed}"));
    assert!(root.delete(&format!("/v1/tokens/{id}")).status < 300);
    assert_eq!(world.server.client().with_token(&token).get("/v1/me").status, 401, "a revoked token");
    token
}

fn ask(client: &Client, method: &str, path: &str, headers: &[(&str, String)]) -> (u16, String) {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = (method != "GET").then(|| Value::Object(serde_json::Map::new()).to_string().into_bytes());
    let answer = client.send(method, path, &headers, body);
    (answer.status, answer.text())
}

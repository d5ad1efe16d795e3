//! Accounts: one-time links, sessions, tokens, roles that are taken away.

use crate::bed::{Bed, PASSWORD};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_link_works_once_and_shows_whose_it_is() {
    let bed = Bed::bare().await;
    let anyone = bed.anyone();
    let shown = anyone.post("/v1/setup", &json!({"token": bed.setup})).await.ok();
    assert_eq!((shown["handle"].as_str(), shown["roles"][0].as_str()), (Some("root"), Some("admin")));
    anyone.post("/v1/setup", &json!({"token": bed.setup, "password": "too short"})).await.refused(422, "AUTH-009");
    let root = anyone.clone().set_up(&bed.setup).await;
    assert_eq!(root.get("/v1/me").await.ok()["csrf"], json!(root.csrf));
    anyone.post("/v1/setup", &json!({"token": bed.setup, "password": PASSWORD})).await.refused(401, "AUTH-008");
    anyone.post("/v1/setup", &json!({"token": "00", "password": PASSWORD})).await.refused(401, "AUTH-008");
    assert!(holdpoint_api::bootstrap(&bed.engine).await.expect("answers").is_none(), "a second set-up link was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_tells_nobody_which_names_exist_and_is_slowed_down() {
    let (bed, _root) = Bed::new().await;
    let anyone = bed.anyone();
    let wrong = anyone.post("/v1/session", &json!({"handle": "root", "password": "not the password"})).await.refused(401, "AUTH-004");
    let nobody = anyone.post("/v1/session", &json!({"handle": "nobody", "password": "not the password"})).await.refused(401, "AUTH-004");
    assert_eq!(wrong, nobody);
    let robot = anyone.post("/v1/session", &json!({"handle": "robot", "password": "not the password"})).await.refused(401, "AUTH-004");
    assert_eq!(wrong, robot);
    for handle in ["root", "nobody"] {
        for _ in 0..4 {
            anyone.post("/v1/session", &json!({"handle": handle, "password": "not the password"})).await.refused(401, "AUTH-004");
        }
        let slowed = anyone.post("/v1/session", &json!({"handle": handle, "password": PASSWORD})).await;
        slowed.refused(429, "AUTH-005");
        assert!(slowed.headers.contains_key("retry-after"));
    }
}

/// AB38: a cookie alone changes nothing, and nothing comes from elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn changes_by_a_session_need_its_token_and_this_site() {
    let (bed, root) = Bed::new().await;
    let cookie = root.cookie.clone().expect("a cookie");
    let mut bare = root.clone();
    bare.csrf = None;
    bare.get("/v1/me").await.ok();
    bare.post("/v1/tokens", &json!({"name": "x"})).await.refused(403, "AUTH-007");
    bare.csrf = Some("0".repeat(64));
    bare.post("/v1/tokens", &json!({"name": "x"})).await.refused(403, "AUTH-007");
    for (name, value) in [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        root.json(Method::POST, "/v1/tokens", &[(name, value)], &json!({"name": "x"})).await.refused(403, "HTTP-003");
    }
    root.json(Method::POST, "/v1/tokens", &[("origin", &bed.url)], &json!({"name": "x"})).await.ok();
    // A form of another site can send text without asking.
    let form = root.send(Method::POST, "/v1/tokens", &[("content-type", "text/plain")], Some(b"{\"name\":\"x\"}".to_vec())).await;
    form.refused(415, "HTTP-009");
    root.send(Method::GET, "/v1/me", &[("host", "evil.example")], None).await.refused(421, "HTTP-004");
    root.send(Method::DELETE, "/v1/session", &[], None).await.ok();
    let mut gone = bed.anyone();
    gone.cookie = Some(cookie);
    gone.get("/v1/me").await.refused(401, "AUTH-001");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_gone_at_once() {
    let (bed, root) = Bed::new().await;
    let ada = bed.person(&root, "ada").await;
    let token = ada.token(json!({"name": "laptop"})).await;
    let by_token = bed.with(&token);
    by_token.get("/v1/me").await.ok();
    by_token.post("/v1/tokens", &json!({"name": "another"})).await.refused(403, "AUTH-006");
    let id = ada.get("/v1/tokens").await.ok()["tokens"][0]["id"].as_str().expect("an id").to_owned();
    ada.send(Method::DELETE, &format!("/v1/tokens/{id}"), &[], None).await.ok();
    by_token.get("/v1/me").await.refused(401, "AUTH-001");
    // A role that is taken away counts no longer, in the session that is open.
    let blob = format!("/v1/blobs/{}", holdpoint_seal::digest::Digest::of(b"x"));
    ada.send(Method::PUT, &blob, &[], Some(b"x".to_vec())).await.ok();
    root.apply("person: ada\nname: Ada\nemails: [ada@shop.example]\nroles: []\n").await.ok();
    ada.send(Method::PUT, &blob, &[], Some(b"x".to_vec())).await.refused(403, "AUTH-003");
    assert_eq!(ada.get("/v1/me").await.ok()["roles"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_refused_with_their_line_and_compared_before_they_count() {
    let (_bed, root) = Bed::new().await;
    let dry = root
        .json(
            Method::POST,
            "/v1/apply?dry_run=true",
            &[],
            &json!({"documents": [{"file": "a.yaml", "text": "person: grace\nname: Grace H\nroles: [admin]\n"}]}),
        )
        .await
        .ok();
    assert_eq!(
        (dry["applied"].as_bool(), dry["changes"][0]["action"].as_str(), dry["changes"][0]["name"].as_str()),
        (Some(false), Some("change"), Some("grace"))
    );
    let paths: Vec<&str> = dry["changes"][0]["diff"].as_array().expect("a list").iter().filter_map(|one| one["path"].as_str()).collect();
    assert!(paths.contains(&"roles") && paths.contains(&"name"), "{dry:#}");
    let syntax = root.apply("person: ada\nrols: [admin]\n").await.refused(422, "ORG-003");
    assert_eq!((syntax["facts"]["errors"][0]["line"].as_u64(), syntax["facts"]["errors"][0]["file"].as_str()), (Some(2), Some("org.yaml")));
    let meaning = root
        .apply("environment: dev\n---\nservice: other\npipeline: nowhere\ncomponents:\n  web: {run: [web], health: {path: /}}\n")
        .await
        .refused(422, "ORG-002");
    assert_eq!(meaning["facts"]["line"], 3, "{meaning:#}");
    root.apply("person: linus\nemails: [ADA@shop.example]\n").await.refused(422, "ORG-004");
    let people = root.get("/v1/people").await.ok();
    let grace = people["people"].as_array().expect("a list").iter().find(|one| one["handle"] == "grace").expect("grace").clone();
    assert_eq!(grace["roles"], json!(["release-manager"]), "a refused or dry apply changed something");
    let freeze =
        "freeze: quarter-close\nenvironments: [production]\nfrom: 2026-01-01T00:00:00Z\nuntil: 2099-01-01T00:00:00Z\nreason: closing\n";
    assert_eq!(root.apply(freeze).await.ok()["changes"][0]["action"], "create");
    assert_eq!(root.apply(freeze).await.ok()["changes"][0]["action"], "same");
    let freezes = root.get("/v1/freezes").await.ok();
    assert_eq!((freezes["freezes"][0]["state"].as_str(), freezes["freezes"][0]["by"].as_str()), (Some("holds"), Some("root")));
}

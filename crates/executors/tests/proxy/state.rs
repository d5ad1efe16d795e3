//! The admin API, generations, and what outlives the process.

use std::sync::Arc;

use bytes::Bytes;
use holdpoint_executors::proxy::{self, Limits, ProxyError};
use holdpoint_executors::traffic::TrafficError;
use http::Request;
use http_body_util::Full;

use crate::bed::{Answer, Bed, Client, Server, TOKEN, config, get, raw};

pub async fn call(bed: &Bed, method: &str, path: &str, token: Option<&str>, body: String) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "admin");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    Client::new(bed.running.admin).await.call(request).await.unwrap()
}

pub async fn put(bed: &Bed, token: Option<&str>, body: String) -> Answer {
    call(bed, "PUT", "/routes/shop", token, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_and_changes_nothing() {
    let server = Server::start("1.2.3").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1.2.3", 1)]).await;
    let wrong = TOKEN.replace('f', "e");
    for token in [None, Some(""), Some("0123456789abcdef"), Some(wrong.as_str())] {
        for (method, path) in [
            ("GET", "/routes"),
            ("GET", "/stats"),
            ("PUT", "/routes/shop"),
            ("GET", "/routes/none"),
            ("GET", "/debug"),
            ("GET", "/metrics"),
        ] {
            let answer = call(&bed, method, path, token, "{}".into()).await;
            assert_eq!(answer.status, 401, "{method} {path} {token:?}");
            assert!(!answer.text().contains("shop") && !answer.text().contains("1.2.3"));
        }
    }
    for header in [format!("Basic {TOKEN}"), TOKEN.to_owned(), format!("Bearer {TOKEN} x")] {
        let request = format!("GET /routes HTTP/1.1\r\nHost: a\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n");
        let said = raw(bed.running.admin, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 401"), "{header}");
    }
    let health = call(&bed, "GET", "/healthz", None, String::new()).await;
    assert_eq!((health.status, health.text().as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(get(bed.front, "/").await.unwrap().text(), "1.2.3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_caller_is_told_what_is_in_force() {
    let (old, new) = (Server::start("1").await, Server::start("2").await);
    let bed = Bed::new().await;
    let first = vec![old.backend("1", 1)];
    assert!(bed.control.set("shop", 5, first.clone()).await.unwrap().changed);
    assert!(!bed.control.set("shop", 5, first.clone()).await.unwrap().changed, "a repeated call is no change");
    assert!(!bed.control.set("shop", 4, first.clone()).await.unwrap().changed, "and does not lower the generation");
    for generation in [4, 5] {
        let overtaken = bed.control.set("shop", generation, vec![new.backend("2", 1)]).await;
        assert!(matches!(overtaken, Err(TrafficError::Overtaken { current: 5, .. })), "{overtaken:?}");
    }
    let body = serde_json::json!({"generation": 5, "backends": []});
    let conflict = put(&bed, Some(TOKEN), body.to_string()).await;
    assert_eq!(conflict.status, 409);
    assert_eq!(conflict.json()["current"]["generation"], 5);
    assert_eq!(conflict.json()["current"]["backends"][0]["version"], "1");
    assert_eq!(get(bed.front, "/").await.unwrap().text(), "1");
    assert!(matches!(bed.control.set("none", 1, first).await, Err(TrafficError::NoRoute(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_bodies_are_refused_with_a_reason() {
    let bed = Bed::new().await;
    let backend = |version: &str, weight: u32| serde_json::json!({"version": version, "address": "127.0.0.1:1", "weight": weight});
    for (body, status) in [
        (String::new(), 400),
        ("{".into(), 400),
        ("null".into(), 400),
        ("\u{0}".into(), 400),
        ("[".repeat(100_000), 400),
        (serde_json::json!({"generation": -1, "backends": []}).to_string(), 400),
        (serde_json::json!({"generation": 1, "backends": [], "unknown": 1}).to_string(), 400),
        (serde_json::json!({"generation": 0, "backends": []}).to_string(), 422),
        (serde_json::json!({"generation": 1, "backends": [backend("a\r\nb", 1)]}).to_string(), 422),
        (serde_json::json!({"generation": 1, "backends": [backend("a", 1), backend("a", 1)]}).to_string(), 422),
        ("x".repeat(1024 * 1024 + 1), 413),
    ] {
        let answer = put(&bed, Some(TOKEN), body.clone()).await;
        assert_eq!(answer.status, status, "{}", &body[..body.len().min(80)]);
    }
    for path in ["/routes/..%2fshop", "/routes/none", "/routes/shop/x", "/", "/stats/x"] {
        assert_eq!(call(&bed, "PUT", path, Some(TOKEN), "{}".into()).await.status / 100, 4, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_routes_are_served_again_after_a_restart() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(7, vec![server.backend("1", 3)]).await;
    let (folder, first_id) = (bed.folder.clone(), bed.running.start_id.clone());
    bed.running.stop().await;

    let bed = Bed::in_folder(folder.clone(), Limits::default()).await;
    assert_ne!(bed.running.start_id, first_id);
    assert_eq!(get(bed.front, "/").await.unwrap().text(), "1");
    let late = bed.control.set("shop", 6, vec![]).await;
    assert!(matches!(late, Err(TrafficError::Overtaken { current: 7, .. })), "the generation outlives the process");
    assert_eq!(bed.control.stats("shop").await.unwrap().start_id, bed.running.start_id);

    // A proxy that listens for other routes does not forget this one.
    bed.running.stop().await;
    let mut other = config(folder.path());
    other.listen[0].0 = "other".into();
    let running = proxy::start(other, Limits::default()).await.unwrap();
    let locked = proxy::start(config(folder.path()), Limits::default()).await;
    assert!(matches!(locked, Err(ProxyError::Locked { .. })), "one proxy per folder");
    running.stop().await;
    let bed = Bed::in_folder(folder, Limits::default()).await;
    assert_eq!(get(bed.front, "/").await.unwrap().text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_state_is_set_aside_and_the_proxy_starts() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    for round in 1..=2 {
        std::fs::write(state.join("routes.json"), b"{\"format\":1,\"routes\":{\"shop\":{\"gen").unwrap();
        let bed = Bed::in_folder(folder.clone(), Limits::default()).await;
        assert_eq!(get(bed.front, "/").await.unwrap().status, 503);
        assert!(state.join(format!("routes.json.corrupt-{round}")).exists());
        let server = Server::start("1").await;
        bed.set(1, vec![server.backend("1", 1)]).await;
        assert_eq!(get(bed.front, "/").await.unwrap().text(), "1");
        bed.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_saved_is_not_in_force() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    // A folder in the place of the temporary file: works for any user, unlike permissions.
    std::fs::create_dir(bed.folder.path().join("state/routes.json.new")).unwrap();
    let refused = bed.control.set("shop", 2, vec![]).await;
    assert!(matches!(refused, Err(TrafficError::Refused(_))), "{refused:?}");
    assert_eq!(get(bed.front, "/").await.unwrap().text(), "1");
    std::fs::remove_dir(bed.folder.path().join("state/routes.json.new")).unwrap();
    assert!(bed.control.set("shop", 2, vec![]).await.unwrap().changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_protects_nothing_is_not_accepted() {
    for text in ["", "\n", "short"] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        std::fs::write(&config.token_file, text).unwrap();
        assert!(matches!(proxy::start(config, Limits::default()).await, Err(ProxyError::Token { .. })), "{text:?}");
    }
}

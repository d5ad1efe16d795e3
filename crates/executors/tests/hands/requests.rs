//! HTTP steps against a server that behaves and misbehaves.

use crate::bench::*;
use holdpoint_executors::spec::*;
use holdpoint_executors::{Observation, Outbound, Secrets, observe};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers every request with `answer`; None: reads it and closes.
async fn server(answer: Option<String>) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                if let Some(answer) = answer {
                    let echo = String::from_utf8_lossy(&request[..n]).into_owned();
                    let answer =
                        if answer == "echo" { format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{echo}", echo.len()) } else { answer };
                    let _ = stream.write_all(answer.as_bytes()).await;
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            });
        }
    });
    (place, count)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn request(method: &str, place: &str) -> HttpSpec {
    HttpSpec { method: method.into(), url: format!("http://{place}/x"), timeout_s: 1, ..HttpSpec::default() }
}

fn listing(place: &str) -> Bench {
    let mut bench = Bench::new();
    bench.outbound = Arc::new(Outbound::new([place]).unwrap());
    bench
}

#[tokio::test]
async fn a_lost_answer_is_undecided_unless_repeating_is_harmless() {
    for hang in [false, true] {
        let (place, count) = server(hang.then(String::new)).await;
        let bench = listing(&place);
        let cx = bench.context("att_1");
        let post = request("POST", &place);
        assert!(matches!(run(post.clone(), &cx).await, Outcome::Indeterminate { .. }));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        // The same attempt again, as after a crash: it is not sent a second time.
        assert!(matches!(observe(&Spec::Http(post.clone()), &cx).await, Observation::Unknown { .. }));
        assert!(matches!(run(post.clone(), &cx).await, Outcome::Indeterminate { .. }));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        failure(run(request("GET", &place), &bench.context("att_2")).await);
        failure(run(HttpSpec { idempotent: Some(true), ..post }, &bench.context("att_3")).await);
        let put = HttpSpec { idempotent: Some(false), ..request("PUT", &place) };
        assert!(matches!(run(put, &bench.context("att_4")).await, Outcome::Indeterminate { .. }));
    }
}

#[tokio::test]
async fn what_was_never_sent_has_failed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    let bench = listing(&place);
    let cx = bench.context("att_1");
    let reason = failure(run(request("POST", &place), &cx).await);
    assert!(reason.contains("no connection"), "{reason}");
}

#[tokio::test]
async fn an_unlisted_place_is_not_connected_to_and_redirects_are_not_followed() {
    let (inner, reached) = server(Some(ok("inner"))).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://{inner}/\r\nContent-Length: 0\r\n\r\n");
    let (place, _) = server(Some(redirect)).await;
    let bench = listing(&place);
    let reason = failure(run(request("GET", &inner), &bench.context("att_1")).await);
    assert!(reason.contains("not on the worker's allow-list"), "{reason}");
    let reason = failure(run(request("GET", &place), &bench.context("att_2")).await);
    assert!(reason.contains("status 302"), "{reason}");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    let check = VerifySpec { targets: vec![inner], times: 1, timeout_s: 1, ..VerifySpec::default() };
    assert!(failure(run(check, &bench.context("att_3")).await).contains("allow-list"));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_are_judged_by_status_and_content() {
    let (place, _) = server(Some(ok(r#"{"state":{"ready":true}}"#))).await;
    let bench = listing(&place);
    let expecting = |value| HttpSpec { expect_json: [("/state/ready".into(), value)].into(), ..request("GET", &place) };
    outputs(run(expecting(json!(true)), &bench.context("att_1")).await);
    let reason = failure(run(expecting(json!("true")), &bench.context("att_2")).await);
    assert!(reason.contains("has true, not \"true\""), "{reason}");
    let wrong = HttpSpec { expect_status: vec![204], ..request("GET", &place) };
    failure(run(wrong, &bench.context("att_3")).await);
}

#[tokio::test]
async fn a_secret_is_sent_and_not_told() {
    let (place, _) = server(Some("echo".into())).await;
    let mut bench = listing(&place);
    bench.secrets = Secrets::new([("TOKEN".to_owned(), "tok-5150-zz".to_owned())]);
    let mut spec = request("POST", &place);
    spec.headers.insert("authorization".into(), "Bearer ${secret.TOKEN}".into());
    let done = outputs(run(spec.clone(), &bench.context("att_1")).await);
    assert!(done["body"].as_str().unwrap().contains("authorization: Bearer ***"), "{done}");
    assert!(!bench.heard().await.contains("tok-5150"), "{}", bench.heard().await);
    spec.headers.insert("x".into(), "a\r\nb: c".into());
    assert!(failure(run(spec, &bench.context("att_2")).await).contains("line breaks"));
}

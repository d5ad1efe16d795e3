//! Hostile input at every door: malformed, huge, confusing, marked up.

use crate::bed::{Bed, release};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(holdpoint_api::openapi()).expect("JSON");
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in
            item.as_object().expect("methods").keys().filter(|name| ["get", "put", "post", "patch", "delete"].contains(&name.as_str()))
        {
            let path = path.replace("{digest}", &format!("sha256:{}", "0".repeat(64))).replace("{attempt}", "att_x");
            let path: String = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
            found.push((Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"), path));
        }
    }
    found
}

/// A generator of bytes that looks random and is the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn body(&mut self) -> Vec<u8> {
        let seeds: [&[u8]; 8] = [
            br#"{"service":"shop","version":"1","components":{"orders":"sha256:00"}}"#,
            br#"{"documents":[{"file":"a","text":"person: x\n---\n"}]}"#,
            br#"{"environment":"production","manifest_digest":"sha256:","evidence_root":null}"#,
            b"[[[[[[",
            b"{\"a\":1e999}",
            b"\xff\xfe\x00",
            br#"{"token":-1,"outcome":{"result":"x"}}"#,
            b"<testsuite><testcase name='a'/>",
        ];
        let mut body = seeds[(self.next() % 8) as usize].to_vec();
        for _ in 0..self.next() % 6 {
            let at = (self.next() as usize) % (body.len() + 1);
            match self.next() % 3 {
                0 => body.insert(at, (self.next() % 256) as u8),
                1 => body.truncate(at.max(1)),
                _ => body.extend_from_within(..at.min(body.len())),
            }
        }
        body
    }
}

/// AB37: whatever comes, the answer is a refusal and the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_input_never_kills() {
    let (bed, root) = Bed::new().await;
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    for (method, path) in routes().into_iter().filter(|(method, _)| *method != Method::GET) {
        if path == "/v1/session" && method == Method::DELETE {
            continue;
        }
        for _ in 0..12 {
            let query = ["", "?kind=junit&subject=sha256:00", "?dry_run=maybe", "?offset=-1", "?x=%00%ff"][(noise.next() % 5) as usize];
            let body = noise.body();
            let answer =
                root.send(method.clone(), &format!("{path}{query}"), &[("content-type", "application/json")], Some(body.clone())).await;
            assert!(!answer.status.is_server_error(), "{method} {path}{query} {}: {}", String::from_utf8_lossy(&body), answer.text);
            if answer.status.is_client_error() {
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{method} {path}");
            }
        }
    }
    bed.anyone().get("/healthz").await.ok();
    bed.anyone().get("/readyz").await.ok();
}

/// AB44: bombs are refused in no time, and others are served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_in_no_time() {
    let (bed, root) = Bed::new().await;
    let alias = {
        let mut text = "person: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in b'b'..=b'k' {
            let (name, before) = (char::from(at), char::from(at - 1));
            text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(",")));
        }
        json!({"documents": [{"file": "bomb.yaml", "text": text}]}).to_string()
    };
    let keys = format!("{{{}}}", (0..100_000).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(","));
    let million = (0..1_000_000).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(",");
    let bombs: Vec<(&str, String)> = vec![
        ("aliases", alias),
        ("depth", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("depth of YAML", json!({"documents": [{"file": "a", "text": format!("person: {}", "[".repeat(100_000))}]}).to_string()),
        ("keys", keys),
        ("a million keys", format!("{{{million}}}")),
        ("duplicate keys", "{\"documents\":[],\"documents\":[]}".to_owned()),
        ("a huge number", format!("{{\"documents\":{}}}", "9".repeat(100_000))),
        ("3 MB", "x".repeat(3 << 20)),
    ];
    for (what, body) in bombs {
        let begun = Instant::now();
        let answer = root.send(Method::POST, "/v1/apply", &[("content-type", "application/json")], Some(body.into_bytes())).await;
        let took = begun.elapsed();
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text);
        assert!(took < Duration::from_secs(1), "{what} took {took:?}");
    }
    // A head that never ends holds a connection for a while, not the server.
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut slow = tokio::net::TcpStream::connect(bed.url.trim_start_matches("http://")).await.expect("a connection");
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ").await.expect("sent");
    bed.anyone().get("/healthz").await.ok();
    let ended = tokio::time::timeout(Duration::from_secs(15), slow.read(&mut [0; 512])).await;
    assert!(ended.is_ok(), "a head was waited for beyond its time");
    // Something too long is refused by what it says of itself, before it comes.
    let mut big = tokio::net::TcpStream::connect(bed.url.trim_start_matches("http://")).await.expect("a connection");
    let head = format!(
        "POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 30
    );
    big.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 512];
    let length = tokio::time::timeout(Duration::from_secs(1), big.read(&mut answer)).await.expect("in time").expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 413"));
}

/// AB41: what people write stays text, and what they upload is never shown as a page.
#[tokio::test(flavor = "multi_thread")]
async fn stored_markup_stays_inert() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let html = b"<html><script>alert(1)</script></html>".to_vec();
    let digest = holdpoint_seal::digest::Digest::of(&html);
    linus.send(Method::PUT, &format!("/v1/blobs/{digest}"), &[("content-type", "text/html")], Some(html)).await.ok();
    let blob = linus.get(&format!("/v1/blobs/{digest}")).await;
    assert_eq!(blob.headers["content-type"], "application/octet-stream");
    assert!(blob.headers["content-disposition"].to_str().expect("text").starts_with("attachment"));
    assert!(blob.headers["content-security-policy"].to_str().expect("text").contains("sandbox"));
    let markup = "<img src=x onerror=alert(1)>\u{202e}\r\nSet-Cookie: a=b";
    let (id, manifest) = release(&linus, "1.0.0").await;
    linus
        .json(Method::PATCH, &format!("/v1/releases/{id}"), &[("if-match", &format!("\"{manifest}\""))], &json!({"work_items": [markup]}))
        .await
        .ok();
    let view = linus.get(&format!("/v1/releases/{id}")).await;
    assert_eq!(view.ok()["work_items"][0], markup);
    for answer in [
        &view,
        &blob,
        &linus.get("/").await,
        &linus.get("/v1/nothing").await,
        &linus.send(Method::GET, "/releases/x", &[("accept", "text/html")], None).await,
    ] {
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.headers.contains_key("content-security-policy") && answer.headers.contains_key("referrer-policy"));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    assert_eq!(view.headers["content-type"], "application/json");
    let policy = linus.send(Method::GET, "/releases/x", &[("accept", "text/html")], None).await;
    assert_eq!(policy.status, 200);
    assert!(!policy.headers["content-security-policy"].to_str().expect("text").contains("unsafe"));
}

/// AB43 and AB39: no field becomes a path, and no spelling of an address reaches a handler with fewer checks.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_request_is_a_path() {
    let (bed, root) = Bed::new().await;
    for name in ["..%2f..%2fetc%2fpasswd", "sha256:..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "sha256:%00", "sha256:zz"] {
        root.get(&format!("/v1/blobs/{name}")).await.refused(400, "HTTP-011");
        root.get(&format!("/v1/evidence/{name}")).await.refused(400, "HTTP-011");
    }
    for path in ["/../../etc/passwd", "/assets/..%2f..%2f..%2fCargo.toml", "/..%2fCargo.toml", "/assets//etc/passwd"] {
        let answer = bed.anyone().get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    let anyone = bed.anyone();
    for path in ["//v1/me", "/./v1/me", "/v1//me", "/v1/me/", "/V1/me", "/v1/me;.jsp", "/v1/%6de", "/v1/x/..;/me", "/v1/me%2f", "/v1/me."] {
        for headers in [&[][..], &[("x-original-url", "/healthz"), ("x-rewrite-url", "/healthz"), ("x-forwarded-for", "127.0.0.1")][..]] {
            let answer = anyone.send(Method::GET, path, headers, None).await;
            assert!(matches!(answer.status.as_u16(), 401 | 404), "{path}: {}", answer.status);
        }
    }
    let file = json!({"documents": [{"file": "../../../etc/passwd", "text": "person: ../../x\n"}]});
    root.post("/v1/apply", &file).await.refused(422, "ORG-004");
}

/// AB46: members that are the server's to say are not taken.
#[tokio::test(flavor = "multi_thread")]
async fn members_of_the_servers_are_refused() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let digest = holdpoint_seal::digest::Digest::of(b"x").to_string();
    for member in ["state", "approved_by", "tenant_id", "created_at", "actor", "id", "by"] {
        let mut body = json!({"service": "shop", "version": "1", "components": {"orders": digest}});
        body[member] = json!("x");
        let problem = linus.post("/v1/releases", &body).await.refused(422, "HTTP-012");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(member)), "{problem}");
    }
    for query in ["?sort=id;drop%20table%20facts", "?service='%20OR%201=1--", "?cursor=';--"] {
        let answer = linus.get(&format!("/v1/releases{query}")).await;
        let empty = answer.status.is_success() && answer.value()["releases"] == Value::Array(Vec::new());
        assert!(answer.status.is_client_error() || empty, "{query}: {}", answer.text);
    }
}

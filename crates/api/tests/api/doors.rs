//! AB02 and AB03: every route with every credential against a golden table. A new route without a row fails.
//! `HOLDPOINT_BLESS=1` writes the table anew; look at the difference before it is committed.

use crate::bed::{Bed, Caller};
use crate::work::lease;
use holdpoint_api::secrets::{new_secret, secret_hash};
use holdpoint_store::Token;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;

/// Routes that need no credential. Everything else answers 401 to every credential that is none.
const OPEN: [&str; 7] = ["POST /v1/setup", "POST /v1/session", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", ""];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_with_every_credential() {
    let (bed, root) = Bed::new().await;
    let (worker, lease) = lease(&bed, &root).await;
    let attempt = lease["attempt"].as_str().expect("an attempt").to_owned();
    let callers = callers(&bed, &root, worker, bed.with(lease["secret"].as_str().expect("a secret"))).await;
    let document = serde_json::to_value(holdpoint_api::openapi()).expect("JSON");
    let mut table = format!("{:<58} {}\n", "route", callers.iter().map(|(name, _, _)| *name).collect::<Vec<_>>().join(" "));
    for (template, item) in document["paths"].as_object().expect("paths") {
        for method in
            item.as_object().expect("methods").keys().filter(|name| ["get", "put", "post", "patch", "delete"].contains(&name.as_str()))
        {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let route = format!("{method} {template}");
            let path = template.replace("{attempt}", &attempt).replace("{digest}", &format!("sha256:{}", "0".repeat(64)));
            let path: String = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
            let path = match route.as_str() {
                "PATCH /v1/releases/{id}" => path,
                "DELETE /v1/releases/{id}/approvals/mine" => format!("{path}?environment=dev"),
                "GET /v1/releases/{id}/gates" => format!("{path}?environment=dev"),
                "POST /v1/evidence" => format!("{path}?kind=junit&subject=sha256:{}", "0".repeat(64)),
                _ => path,
            };
            let mut cells = Vec::new();
            for (name, caller, genuine) in &callers {
                let status = status(caller, &method, &path).await;
                if !genuine && !OPEN.contains(&route.as_str()) {
                    let expected =
                        if *name == "no-csrf" && method == Method::GET { None } else { Some(if *name == "no-csrf" { 403 } else { 401 }) };
                    let worker = template.starts_with("/v1/worker/");
                    let expected = if *name == "no-csrf" && worker { Some(401) } else { expected };
                    assert!(expected.is_none_or(|expected| expected == status), "{route} with {name}: {status}, expected {expected:?}");
                }
                cells.push(format!("{status:<width$}", width = name.len()));
            }
            table.push_str(&format!("{route:<58} {}\n", cells.join(" ").trim_end()));
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/doors.txt");
    if std::env::var_os("HOLDPOINT_BLESS").is_some() {
        std::fs::write(&golden, &table).expect("written");
    }
    let known = std::fs::read_to_string(&golden).unwrap_or_default();
    for (now, then) in table.lines().zip(known.lines().chain(std::iter::repeat("(no row)"))) {
        assert_eq!(now, then, "the table of doors changed; HOLDPOINT_BLESS=1 writes it anew");
    }
    assert_eq!(table.lines().count(), known.lines().count(), "a row is left over");
}

async fn status(caller: &Caller, method: &Method, path: &str) -> u16 {
    // Streams have no end: the head is enough.
    let request = caller
        .request(method.clone(), path)
        .header("content-type", "application/json")
        .header("if-match", format!("\"sha256:{}\"", "0".repeat(64)));
    let request = if *method == Method::GET {
        request
    } else {
        request.body(body(&format!("{method} {}", path.split('?').next().unwrap_or_default())).to_string())
    };
    request.send().await.expect("an answer").status().as_u16()
}

/// A body that is taken, so that what is refused is refused for who asks. Nothing of it exists.
fn body(route: &str) -> Value {
    let digest = format!("sha256:{}", "1".repeat(64));
    let word = json!({"environment": "production", "manifest_digest": digest, "evidence_root": digest});
    match route {
        "POST /v1/apply" => json!({"documents": []}),
        "POST /v1/builds" => json!({"service": "shop", "component": "orders", "repository": "/srv/shop", "commit": "b".repeat(40)}),
        "POST /v1/deployments/report" => json!({"digest": digest, "environment": "dev", "service": "shop", "result": "failed"}),
        "POST /v1/evidence/revocations" => json!({"subject": digest, "id": "evd_x", "reason": ""}),
        "POST /v1/freezes" => json!({"name": "table", "until": "2020-01-01T00:00:00Z"}),
        "POST /v1/gates/check" => json!({"digest": digest, "environment": "dev", "service": "shop"}),
        "POST /v1/releases" => json!({"service": "shop", "version": "9.9.9", "components": {}}),
        "POST /v1/releases/x/approvals" | "POST /v1/releases/x/rejections" => word,
        "POST /v1/releases/x/deployments" | "POST /v1/releases/x/promotions" => json!({"environment": "dev"}),
        "POST /v1/runs/x/resolve" => json!({"step": "x", "outcome": "done"}),
        "POST /v1/tokens" => json!({"name": "table"}),
        "POST /v1/waivers" => json!({"advisory": "CVE-1", "package": "a", "until": "2020-01-01T00:00:00Z", "reason": "table"}),
        "POST /v1/worker/lease" => json!({"pool": "default", "worker": "table"}),
        route if route.ends_with("/heartbeat") => json!({"token": 1}),
        _ => json!({}),
    }
}

/// Name, caller, and whether the credential is one.
async fn callers(bed: &Bed, root: &Caller, worker: Caller, attempt: Caller) -> Vec<(&'static str, Caller, bool)> {
    let raw = |value: &str| {
        let mut caller = bed.anyone();
        caller.bearer = Some(value.to_owned());
        caller
    };
    let token = |name: &'static str| async move {
        let person = bed.person(root, name).await;
        bed.with(&person.token(json!({"name": "table"})).await)
    };
    let store = bed.engine.store();
    let row = store.person_by_handle("default", "root").await.expect("answers").expect("root");
    let now = store.now().await.expect("a clock");
    let expired = new_secret("hpt_");
    let past = now.checked_sub(jiff::SignedDuration::from_secs(60)).expect("a time");
    let kept = Token {
        id: "tok_expired".to_owned(),
        project: "default".to_owned(),
        person: row.id.clone(),
        name: "old".to_owned(),
        created: past,
        expires: Some(past),
        revoked: None,
    };
    store.add_token(&kept, &secret_hash(&expired)).await.expect("added");
    let revoked = new_secret("hpt_");
    let kept = Token { id: "tok_revoked".to_owned(), expires: None, ..kept };
    store.add_token(&kept, &secret_hash(&revoked)).await.expect("added");
    assert!(store.revoke_token("default", &row.id, "tok_revoked").await.expect("answers"));
    let mut no_csrf = bed.anyone().sign_in("root").await;
    no_csrf.csrf = None;
    let admin = bed.with(&root.token(json!({"name": "table"})).await);
    vec![
        ("none", bed.anyone(), false),
        ("garbage", raw("x"), false),
        ("empty", raw(""), false),
        ("alg-none", raw("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290Iiwicm9sZXMiOlsiYWRtaW4iXX0."), false),
        ("expired", raw(&expired), false),
        ("revoked", raw(&revoked), false),
        ("no-csrf", no_csrf, false),
        ("auditor", token("audit").await, true),
        ("developer", token("linus").await, true),
        ("admin", admin, true),
        ("pool", worker, true),
        ("attempt", attempt, true),
    ]
}

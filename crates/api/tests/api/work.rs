//! Work: what a worker is given, tells, and may not do.

use crate::bed::{Bed, Caller, release};
use holdpoint_seal::digest::Digest;
use reqwest::Method;
use serde_json::{Value, json};

/// A pool's key, an enrolled worker's first lease of a build.
pub async fn lease(bed: &Bed, root: &Caller) -> (Caller, Value) {
    let key = root.post("/v1/pools/default/keys", &json!({})).await.ok()["key"].as_str().expect("a key").to_owned();
    let worker = bed.with(&key);
    let build = json!({"service": "shop", "component": "orders", "repository": "/srv/shop", "commit": "a".repeat(40)});
    root.post("/v1/builds", &build).await.ok();
    let lease = worker.post("/v1/worker/lease", &json!({"pool": "default", "worker": "w/0", "wait_ms": 5000})).await.ok();
    (worker, lease)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_goes_through_a_worker_and_becomes_evidence() {
    let (bed, root) = Bed::new().await;
    let (worker, lease) = lease(&bed, &root).await;
    let attempt = lease["attempt"].as_str().expect("an attempt");
    let mine = bed.with(lease["secret"].as_str().expect("a secret"));
    let (run, token) = (lease["run"].as_str().expect("a run"), &lease["token"]);
    let at = |what: &str| format!("/v1/worker/attempts/{attempt}/{what}");
    worker.post("/v1/worker/lease", &json!({"pool": "default", "worker": "w/1"})).await.ok();
    worker.post("/v1/worker/lease", &json!({"pool": "other", "worker": "w/1"})).await.refused(403, "AUTH-011");
    mine.post(&at("heartbeat"), &json!({"token": token})).await.ok();
    mine.post(&at("heartbeat"), &json!({"token": 999_999})).await.refused(409, "ORC-006");
    bed.with("not-the-secret-of-it").post(&at("heartbeat"), &json!({"token": token})).await.refused(401, "AUTH-001");
    mine.post("/v1/worker/attempts/att_other/heartbeat", &json!({"token": token})).await.refused(401, "AUTH-001");

    let say = |offset: usize, text: &'static str| {
        let path = format!("{}?offset={offset}", at("output"));
        let mine = mine.clone();
        async move { mine.send(Method::POST, &path, &[], Some(text.as_bytes().to_vec())).await.ok()["length"].as_u64() }
    };
    assert_eq!(say(0, "compiling <b>ö").await, Some(15));
    assert_eq!(say(0, "compiling <b>ö").await, Some(15), "the same piece again");
    assert_eq!(say(15, " done\n").await, Some(21));
    let log = root.get(&format!("/v1/runs/{run}/steps/build/log?offset=10")).await.ok();
    assert_eq!(log, json!({"text": "<b>ö done\n", "next_offset": 21, "complete": false}));

    let bytes = b"orders binary".to_vec();
    let product = Digest::of(&bytes).to_string();
    worker.send(Method::PUT, &format!("/v1/blobs/{product}"), &[], Some(b"other bytes".to_vec())).await.refused(422, "BLB-002");
    worker.get(&format!("/v1/blobs/{product}")).await.refused(404, "BLB-001");
    worker.send(Method::PUT, &format!("/v1/blobs/{product}"), &[], Some(bytes)).await.ok();
    assert_eq!(worker.get(&format!("/v1/blobs/{product}")).await.text, "orders binary");
    let outputs = json!({"commit": "a".repeat(40), "artifacts": {"orders": product}, "commits": [{"id": "a".repeat(40), "author_email": "ada@shop.example"}]});
    let outcome = json!({"token": token, "outcome": {"outcome": "done", "outputs": outputs}, "not_started": false});
    let told = mine.post(&at("outcome"), &outcome).await;
    told.ok();
    mine.post(&at("outcome"), &outcome).await.ok();
    let view = root.get(&format!("/v1/builds/{run}")).await.ok();
    assert_eq!(
        (view["result"].as_str(), view["steps"][0]["state"].as_str(), view["outputs"]["artifacts"]["orders"].as_str()),
        (Some("succeeded"), Some("done"), Some(product.as_str())),
        "{view:#}"
    );
    let log = root.get(&format!("/v1/runs/{run}/steps/build/log")).await.ok();
    assert_eq!((log["text"].as_str(), log["complete"].as_bool()), (Some("compiling <b>ö done\n"), Some(true)));
    let evidence = root.get(&format!("/v1/evidence?subject={product}")).await.ok();
    assert_eq!(evidence["evidence"][0]["kind"], "provenance");
    let envelope = root.get(&format!("/v1/evidence/{}", evidence["evidence"][0]["digest"].as_str().expect("a digest"))).await;
    assert!(
        envelope.text.contains("payloadType") && envelope.headers["content-security-policy"].to_str().expect("text").contains("sandbox")
    );
}

/// Events say that something happened, go on after the last one that was heard, and end with their credential.
#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_where_they_were() {
    let (bed, root) = Bed::new().await;
    let token = root.token(json!({"name": "stream"})).await;
    let listener = bed.with(&token);
    let mut live = listener.request(Method::GET, "/v1/events?after=0").send().await.expect("a stream");
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(&String::from_utf8_lossy(&live.chunk().await.expect("a piece").expect("more")));
    }
    let first = text.split("\n\n").next().expect("an event");
    assert!(first.contains("id: 1\n") || first.ends_with("id: 1"), "{first}");
    let data: Value = serde_json::from_str(first.lines().find_map(|line| line.strip_prefix("data: ")).expect("data")).expect("JSON");
    assert_eq!(data["index"], 1);
    assert!(data["stream"].is_string() && data["type"].is_string() && data["at"].is_string(), "{data}");
    let id = root.get("/v1/tokens").await.ok()["tokens"][0]["id"].as_str().expect("an id").to_owned();
    root.send(Method::DELETE, &format!("/v1/tokens/{id}"), &[], None).await.ok();
    let end =
        tokio::time::timeout(std::time::Duration::from_secs(12), async { while live.chunk().await.expect("a piece").is_some() {} }).await;
    assert!(end.is_ok(), "the stream outlived its token");
}

/// A deployment through the worker protocol: what its page, the board and the release show of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_shown_while_it_goes_and_after() {
    let (bed, root) = Bed::new().await;
    let key = root.post("/v1/pools/default/keys", &json!({})).await.ok()["key"].as_str().expect("a key").to_owned();
    let worker = bed.with(&key);
    let linus = bed.person(&root, "linus").await;
    let (id, _) = release(&linus, "1.0.0").await;
    let run = linus.post(&format!("/v1/releases/{id}/deployments"), &json!({"environment": "dev"})).await.ok()["run"]
        .as_str()
        .expect("a run")
        .to_owned();
    let view = linus.get(&format!("/v1/runs/{run}")).await.ok();
    assert_eq!(
        (view["state"].as_str(), view["steps"][0]["state"].as_str(), view["refusals"]["rollback"]["code"].as_str()),
        (Some("running"), Some("ready"), Some("AUTH-003"))
    );
    assert!(view["steps"][0]["waiting_for"].as_str().is_some_and(|text| text.contains("pool default")), "{view:#}");
    for _ in 0..view["steps"].as_array().map_or(0, Vec::len) {
        let lease = worker.post("/v1/worker/lease", &json!({"pool": "default", "worker": "w/0", "wait_ms": 5000})).await.ok();
        let outputs = json!({"instances": [{"name": "orders-1", "address": "127.0.0.1:0"}]});
        let outcome = json!({"token": lease["token"], "outcome": {"outcome": "done", "outputs": outputs}});
        let path = format!("/v1/worker/attempts/{}/outcome", lease["attempt"].as_str().expect("an attempt"));
        bed.with(lease["secret"].as_str().expect("a secret")).post(&path, &outcome).await.ok();
    }
    let view = linus.get(&format!("/v1/runs/{run}")).await.ok();
    assert_eq!(
        (view["result"].as_str(), view["instances"][0]["name"].as_str(), view["by"].as_str()),
        (Some("succeeded"), Some("orders-1"), Some("linus")),
        "{view:#}"
    );
    let cell = linus.get("/v1/board").await.ok()["rows"][0]["cells"]["dev"].clone();
    assert_eq!((cell["state"].as_str(), cell["version"].as_str()), (Some("live"), Some("1.0.0")), "{cell}");
    let seen = linus.get(&format!("/v1/releases/{id}")).await.ok();
    assert_eq!(
        (seen["environments"][0]["running"]["version"].as_str(), seen["runs"][0]["id"].as_str()),
        (Some("1.0.0"), Some(run.as_str()))
    );
    root.post(&format!("/v1/runs/{run}/rollback"), &json!({"reason": "try"})).await.refused(422, "RBK-004");
    linus.get(&format!("/v1/runs/{run}/canary")).await.refused(404, "HTTP-006");
}

//! Releases: made, amended, shown with what stands in their way.

use crate::bed::{Bed, release};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_made_once_seen_and_closed() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let bytes = b"orders 2.0.0".to_vec();
    let digest = holdpoint_seal::digest::Digest::of(&bytes).to_string();
    linus.send(Method::PUT, &format!("/v1/blobs/{digest}"), &[], Some(bytes)).await.ok();
    let body = json!({"service": "shop", "version": "2.0.0", "components": {"orders": digest}, "work_items": ["SHOP-1"]});
    let key = [("idempotency-key", "k1")];
    let first = linus.json(Method::POST, "/v1/releases", &key, &body).await.ok();
    assert_eq!(first["release"], "rel_shop-2.0.0");
    assert_eq!(linus.json(Method::POST, "/v1/releases", &key, &body).await.ok(), first, "the same key answered otherwise");
    let other = json!({"service": "shop", "version": "2.0.1", "components": {"orders": digest}});
    linus.json(Method::POST, "/v1/releases", &key, &other).await.refused(409, "STO-006");
    linus.post("/v1/releases", &body).await.refused(422, "REL-006");

    let view = linus.get("/v1/releases/rel_shop-2.0.0").await;
    assert_eq!(view.headers["etag"], format!("\"{}\"", first["manifest_digest"].as_str().expect("a digest")));
    let view = view.ok();
    assert_eq!(
        (view["created_by"].as_str(), view["work_items"][0].as_str(), view["authors"][0]["handle"].as_str()),
        (Some("linus"), Some("SHOP-1"), Some("linus"))
    );
    let production =
        view["environments"].as_array().expect("environments").iter().find(|one| one["name"] == "production").expect("production");
    assert_eq!(production["report"]["gates"].as_array().map(Vec::len), Some(holdpoint_domain::gates::GATES.len()));
    assert_eq!(production["refusals"]["deploy"]["code"], "ORC-005");
    assert_eq!(production["refusals"]["approve"]["code"], "GOV-003");
    assert!(
        production["report"]["gates"]
            .as_array()
            .expect("gates")
            .iter()
            .all(|gate| gate["atoms"].as_array().is_some_and(|atoms| !atoms.is_empty()))
    );
    linus.post("/v1/releases/rel_shop-2.0.0/deployments", &json!({"environment": "production"})).await.refused(422, "ORC-005");
    linus.get("/v1/releases/rel_none").await.refused(404, "REL-001");
    linus.get("/v1/releases/rel_shop-2.0.0/gates?environment=moon").await.refused(422, "ORC-001");
    let list = linus.get("/v1/releases?service=shop&state=open").await.ok();
    assert_eq!(list["releases"].as_array().map(Vec::len), Some(1));
    linus.post("/v1/releases/rel_shop-2.0.0/withdraw", &json!({"reason": "not needed"})).await.ok();
    assert_eq!(linus.get("/v1/releases/rel_shop-2.0.0").await.ok()["closure"], "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_manifest_has_a_difference() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let (id, digest) = release(&linus, "1.0.0").await;
    let path = format!("/v1/releases/{id}");
    let amended =
        linus.json(Method::PATCH, &path, &[("if-match", &format!("\"{digest}\""))], &json!({"config": {"limit": "9"}})).await.ok();
    let new = amended["manifest_digest"].as_str().expect("a digest").to_owned();
    let difference = linus.get(&format!("{path}/diff?from={digest}&to={new}")).await.ok();
    assert_eq!(difference["changes"], json!([{"path": "config.limit", "from": null, "to": "9"}]));
    let view = linus.get(&path).await.ok();
    assert_eq!((view["history"].as_array().map(Vec::len), view["history"][1]["by"].as_str()), (Some(2), Some("linus")));
}

/// The ledger, its proofs and the dossier are what the offline verifier takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_can_be_read_both_ways_and_proved() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let (id, _) = release(&linus, "1.0.0").await;
    let dossier = root.get(&format!("/v1/releases/{id}/dossier")).await;
    assert!(dossier.headers["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let report = holdpoint_seal::dossier::verify(dossier.text.as_bytes(), bed.engine.keys().root(), None);
    assert!(report.ok, "{report:?}");
    let checkpoint = root.get("/v1/ledger/checkpoint").await.ok();
    let size = checkpoint["size"].as_u64().expect("a size");
    let page = root.get("/v1/ledger?limit=1000").await.ok();
    let facts = page["facts"].as_array().expect("facts");
    assert_eq!((facts.len() as u64, page["entries"][0]["index"].as_u64()), (size, Some(size - 1)));
    let tail = root.get(&format!("/v1/ledger?after={}&limit=10", size - 2)).await.ok();
    assert_eq!(tail["facts"].as_array().map(Vec::len), Some(1));
    assert!(tail.get("entries").is_none());
    let one = root.get("/v1/ledger?before=1&limit=1").await.ok();
    assert_eq!((one["entries"][0]["index"].as_u64(), one["entries"].as_array().map(Vec::len)), (Some(0), Some(1)));
    let stream = root.get(&format!("/v1/ledger?stream=release/{id}")).await.ok();
    assert_eq!(
        (stream["entries"][0]["envelope"]["type"].as_str(), stream["entries"][0]["actor_name"].as_str()),
        (Some("ReleaseCreated"), Some("linus"))
    );
    let typed = root.get("/v1/ledger?type=ReleaseCreated").await.ok();
    assert_eq!(typed["entries"].as_array().map(Vec::len), Some(1));
    for index in [0, size - 1] {
        let proof = root.get(&format!("/v1/ledger/proof?index={index}&size={size}")).await;
        holdpoint_seal::proof::verify(proof.text.as_bytes()).expect("the proof verifies");
    }
    root.get(&format!("/v1/ledger/proof?index={size}&size={size}")).await.refused(404, "LED-001");
    let first = bed.engine.store().checkpoint_over(0).await.expect("answers").expect("a checkpoint").size;
    let proof = root.get(&format!("/v1/ledger/consistency?from={first}&to={size}")).await;
    holdpoint_seal::proof::verify(proof.text.as_bytes()).expect("the proof verifies");
    let keys = root.get("/v1/keys").await.ok();
    assert!(keys["root"].as_str().is_some_and(|pem| pem.contains("PUBLIC KEY")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_shows_what_comes_next() {
    let (bed, root) = Bed::new().await;
    let linus = bed.person(&root, "linus").await;
    let (id, _) = release(&linus, "1.0.0").await;
    let mut next = Value::Null;
    for _ in 0..100 {
        let board = linus.get("/v1/board").await.ok();
        assert_eq!(board["environments"][1]["production"], true);
        next = board["rows"][0]["cells"]["production"]["next"].clone();
        if !next.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!((next["release"].as_str(), next["verdict"].as_str()), (Some(id.as_str()), Some("shut")), "{next}");
    assert!(next["headline"].as_str().is_some_and(|text| text.starts_with("Tests: ")), "{next}");
    assert_eq!(linus.get("/v1/board?team=nobody").await.ok()["rows"], json!([]));
}

/// Gate-only mode: another tool asks and reports.
#[tokio::test(flavor = "multi_thread")]
async fn other_tools_ask_by_digest() {
    let (bed, root) = Bed::new().await;
    let ada = bed.person(&root, "ada").await;
    let robot = bed.with(&ada.token(json!({"name": "robot", "for": "robot"})).await);
    release(&ada, "1.0.0").await;
    let digest = holdpoint_seal::digest::Digest::of(b"orders 1.0.0");
    let asked = json!({"digest": digest, "environment": "production", "service": "shop"});
    assert_eq!(robot.post("/v1/gates/check", &asked).await.ok()["verdict"], "shut");
    let unknown = json!({"digest": holdpoint_seal::digest::Digest::of(b"?"), "environment": "production", "service": "shop"});
    robot.post("/v1/gates/check", &unknown).await.refused(422, "GTE-001");
    let told = json!({"digest": digest, "environment": "dev", "service": "shop", "result": "succeeded"});
    robot.post("/v1/deployments/report", &told).await.ok();
}

/// How long a board of 500 services in 5 environments takes; run it by name to see the number.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn the_board_at_size() {
    let (bed, root) = Bed::new().await;
    let places = ["a", "b", "c", "d", "e"];
    let mut text: String = places.iter().map(|name| format!("environment: {name}\n---\n")).collect();
    let stages: String = places.iter().map(|name| format!("  - environment: {name}\n")).collect();
    text.push_str(&format!("pipeline: five\nstages:\n{stages}"));
    root.apply(&text).await.ok();
    let services: String = (0..500)
        .map(|i| format!("service: s{i}\npipeline: five\ncomponents:\n  web: {{run: [web], health: {{path: /}}}}\n---\n"))
        .collect();
    root.apply(&services).await.ok();
    let digest = holdpoint_seal::digest::Digest::of(b"web").to_string();
    root.send(Method::PUT, &format!("/v1/blobs/{digest}"), &[], Some(b"web".to_vec())).await.ok();
    for i in 0..500 {
        let body = json!({"service": format!("s{i}"), "version": "1", "components": {"web": digest}});
        root.post("/v1/releases", &body).await.ok();
    }
    bed.engine.stop();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let rows = root.get("/v1/board?limit=500").await.ok()["rows"].as_array().map(Vec::len);
        println!("{rows:?} rows in {:?}", begun.elapsed());
    }
}

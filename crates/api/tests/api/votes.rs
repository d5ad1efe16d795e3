//! Votes: nobody approves what they wrote, by whatever door they come.

use crate::bed::{Bed, Caller, release};
use reqwest::Method;
use serde_json::{Value, json};

async fn shown(caller: &Caller, release: &str) -> Value {
    let report = caller.get(&format!("/v1/releases/{release}/gates?environment=production")).await.ok()["report"].clone();
    json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"]})
}

async fn approval_gate(caller: &Caller, release: &str) -> Value {
    let report = caller.get(&format!("/v1/releases/{release}/gates?environment=production")).await.ok();
    report["report"]["gates"].as_array().expect("gates").iter().find(|gate| gate["gate"] == "approval").expect("the gate").clone()
}

async fn tests_passed(caller: &Caller, subject: &str, name: &str) {
    let junit = format!("<testsuite name=\"unit\"><testcase name=\"{name}\"/></testsuite>");
    caller.send(Method::POST, &format!("/v1/evidence?kind=junit&suite=unit&subject={subject}"), &[], Some(junit.into_bytes())).await.ok();
}

/// AB01: whoever made it cannot approve it, through whatever door.
#[tokio::test(flavor = "multi_thread")]
async fn an_author_approves_through_no_door() {
    let (bed, root) = Bed::new().await;
    let ada = bed.person(&root, "ada").await;
    let (id, _) = release(&ada, "1.0.0").await;
    let body = shown(&ada, &id).await;
    let path = format!("/v1/releases/{id}/approvals");
    let session = ada.clone();
    let second_session = bed.anyone().sign_in("ada").await;
    let token = bed.with(&ada.token(json!({"name": "laptop"})).await);
    let second_token = bed.with(&second_session.token(json!({"name": "command line"})).await);
    let robot = bed.with(&ada.token(json!({"name": "robot", "for": "robot"})).await);
    let doors = [
        ("session", session),
        ("another session", second_session),
        ("token", token.clone()),
        ("another token", second_token),
        ("her service account", robot),
    ];
    for (door, caller) in doors {
        let problem = caller.post(&path, &body).await;
        assert_eq!(problem.status, 403, "{door}: {}", problem.text);
        let code = if door == "her service account" { "GOV-007" } else { "GOV-003" };
        problem.refused(403, code);
    }
    // Saying somebody else's name in the body, or in a header, is not another door.
    let mut named = body.clone();
    named["by"] = json!("per_grace");
    token.post(&path, &named).await.refused(422, "HTTP-012");
    token
        .json(Method::POST, &path, &[("x-forwarded-user", "grace"), ("x-original-url", "/v1/me"), ("x-http-method-override", "PUT")], &body)
        .await
        .refused(403, "GOV-003");
    assert_eq!(approval_gate(&ada, &id).await["sentence"], "0 of 1 approvals by release-manager");
    bed.person(&root, "grace").await.post(&path, &body).await.ok();
    assert_eq!(approval_gate(&ada, &id).await["state"], "open");
}

/// AB12: what is approved is what was shown.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_something_else_is_none() {
    let (bed, root) = Bed::new().await;
    let (linus, grace) = (bed.person(&root, "linus").await, bed.person(&root, "grace").await);
    let (id, digest) = release(&linus, "1.0.0").await;
    let path = format!("/v1/releases/{id}/approvals");
    let seen = shown(&grace, &id).await;
    tests_passed(&linus, &digest, "late").await;
    let problem = grace.post(&path, &seen).await.refused(409, "GOV-006");
    assert_ne!(problem["facts"]["shown"], problem["facts"]["current"]);
    let seen = shown(&grace, &id).await;
    linus
        .json(Method::PATCH, &format!("/v1/releases/{id}"), &[("if-match", &format!("\"{digest}\""))], &json!({"config": {"limit": "9"}}))
        .await
        .ok();
    grace.post(&path, &seen).await.refused(409, "GOV-005");
    linus
        .json(Method::PATCH, &format!("/v1/releases/{id}"), &[("if-match", &format!("\"{digest}\""))], &json!({"config": {}}))
        .await
        .refused(409, "REL-007");
    linus.json(Method::PATCH, &format!("/v1/releases/{id}"), &[], &json!({"config": {}})).await.refused(428, "HTTP-005");
    assert_eq!(approval_gate(&grace, &id).await["state"], "waiting");
}

/// AB13: evidence that changes after an approval voids it, visibly.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_changes_voids_the_approval() {
    let (bed, root) = Bed::new().await;
    let (linus, grace) = (bed.person(&root, "linus").await, bed.person(&root, "grace").await);
    let (id, digest) = release(&linus, "1.0.0").await;
    tests_passed(&linus, &digest, "first").await;
    grace.post(&format!("/v1/releases/{id}/approvals"), &shown(&grace, &id).await).await.ok();
    assert_eq!(approval_gate(&grace, &id).await["state"], "open");
    tests_passed(&linus, &digest, "second").await;
    assert_eq!(approval_gate(&grace, &id).await["state"], "waiting");
    let view = grace.get(&format!("/v1/releases/{id}")).await.ok();
    let vote = &view["approvals"][0];
    assert_eq!((vote["valid"].as_bool(), vote["handle"].as_str()), (Some(false), Some("grace")));
    assert!(vote["void_because"].as_str().is_some_and(|why| why.contains("evidence")), "{vote}");
    // Revoking evidence does the same.
    grace.post(&format!("/v1/releases/{id}/approvals"), &shown(&grace, &id).await).await.ok();
    let items = grace.get(&format!("/v1/evidence?subject={digest}")).await.ok();
    let revocation = json!({"subject": digest, "id": items["evidence"][0]["id"], "reason": "flaky"});
    grace.post("/v1/evidence/revocations", &revocation).await.ok();
    assert_eq!(approval_gate(&grace, &id).await["state"], "waiting");
    let key = format!("/v1/releases/{id}/approvals/mine?environment=production");
    grace.send(Method::DELETE, &key, &[], None).await.ok();
    assert_eq!(grace.get(&format!("/v1/releases/{id}")).await.ok()["approvals"][0]["state"], "withdrawn");
}

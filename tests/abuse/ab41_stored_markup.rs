//! AB41: what people write is shown, never acted upon; what they upload is never a page.

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Organisation, Program, World};
use serde_json::json;

const MARKUP: &str = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script><a href=\"javascript:document.title='pwned'\">x</a>";

fn world() -> (World, holdpoint_tests::Release) {
    let more = format!("person: eve\nname: {}\nroles: [developer]\n", json!(MARKUP));
    let world = World::with(Organisation { more, ..Organisation::default() });
    let digest = world.upload(&Program::new("1.0.0").bytes());
    let body = json!({"service": "web", "version": "1.0.0", "components": {"app": digest}, "config": {"NOTE": MARKUP}, "work_items": [MARKUP, "javascript:document.title='pwned'"]});
    let made = world.api("ada").post("/v1/releases", &body).ok();
    let text = |name: &str| made[name].as_str().expect("a member").to_owned();
    let release = holdpoint_tests::Release { id: text("release"), version: "1.0.0".to_owned(), digest, manifest: text("manifest_digest") };
    let suite = format!(
        "<testsuites><testsuite name=\"unit\" tests=\"1\" failures=\"1\"><testcase name=\"{0}\"><failure message=\"{0}\">{0}</failure></testcase></testsuite></testsuites>",
        MARKUP.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
    );
    let path = format!("/v1/evidence?kind=junit&suite=unit&subject={}", release.digest);
    world.api("robot").upload("POST", &path, "application/xml", suite.into_bytes()).ok();
    let report = world.gates(&release, "production");
    let word = json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": MARKUP});
    world.person("grace").post(&format!("/v1/releases/{}/rejections", release.id), &word).ok();
    let freeze = json!({"name": MARKUP, "environments": ["production"], "until": "2099-01-01T00:00:00Z", "reason": MARKUP});
    world.person("grace").post("/v1/freezes", &freeze).ok();
    (world, release)
}

#[test]
fn ab41_markup_is_text_on_every_page() {
    needs!("chromium");
    let (world, release) = world();
    let browser = Browser::start();
    let page = world.page(&browser, "grace");
    let at = format!("/releases/{}", release.id);
    let places = [
        "/".to_owned(),
        "/releases".to_owned(),
        at.clone(),
        format!("{at}/approvals?environment=production"),
        format!("{at}/evidence"),
        "/freezes".to_owned(),
        "/ledger".to_owned(),
    ];
    for place in places {
        page.goto(&place);
        page.sees_element("main", "");
        std::thread::park_timeout(std::time::Duration::from_millis(300));
        assert!(!page.title().contains("pwned"), "{place}: markup acted");
        // No complaint of the policy either: nothing was even tried.
        page.is_sound();
    }
    page.goto(&at);
    page.sees("onerror=");
}

/// Headers say so to every browser, also to one that is asked for the file itself.
#[test]
fn ab41_uploads_are_never_pages() {
    let (world, release) = world();
    let html = b"<!doctype html><script>alert(1)</script>".to_vec();
    let digest = world.upload(&html);
    let svg = world.upload(b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>");
    let ada = world.api("ada");
    let evidence = world.view(&release)["evidence"][0]["envelope"].as_str().map(str::to_owned);
    let mut paths = vec![
        format!("/v1/blobs/{digest}"),
        format!("/v1/blobs/{svg}"),
        format!("/v1/releases/{}/dossier", release.id),
        "/v1/ledger/export".to_owned(),
    ];
    paths.extend(evidence.map(|digest| format!("/v1/evidence/{digest}")));
    for path in paths {
        let answer = ada.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(header("content-disposition").starts_with("attachment"), "{path}: {:?}", header("content-disposition"));
        assert!(!header("content-type").contains("html") && !header("content-type").contains("svg"), "{path}: {}", header("content-type"));
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src")
                && !policy.contains("unsafe-inline")
                && (policy.contains("frame-ancestors 'none'") || policy.contains("sandbox")),
            "{path}: {policy}"
        );
    }
    // Neither is a refusal that repeats what was sent.
    let answer = ada.get(&format!("/v1/releases/{}", "%3Cscript%3Ealert(1)%3C%2Fscript%3E"));
    let kind = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((answer.status, kind), (404, "application/problem+json"));
    let page = world.server.client().get("/");
    let policy = page.headers.get("content-security-policy").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
}

//! AB37: malformed input is refused; nothing of it ends the process or makes an answer of 5xx, and a restart is clean.

use holdpoint_testkit::Client;
use holdpoint_tests::{Program, World, junit, sarif};
use serde_json::json;

/// xorshift: the same bytes in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
    /// A document with some of its bytes changed, cut or doubled.
    fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut spoilt = bytes.to_vec();
        for _ in 0..=self.below(4) {
            if spoilt.is_empty() {
                break;
            }
            let at = self.below(spoilt.len());
            match self.below(6) {
                0 => spoilt[at] = self.next().to_le_bytes()[0],
                1 => spoilt.truncate(at),
                2 => drop(spoilt.drain(at..(at + self.below(20)).min(spoilt.len()))),
                3 => {
                    let piece = spoilt[at..(at + self.below(40)).min(spoilt.len())].to_vec();
                    spoilt.splice(at..at, piece);
                }
                4 => drop(spoilt.splice(
                    at..at,
                    [b"\0".as_slice(), b"\xff\xfe", b"\xe2\x80\xae", b"{{{{[[[[", b"-1e999999"][self.below(5)].iter().copied(),
                )),
                _ => spoilt[at] ^= 1 << self.below(8),
            }
        }
        spoilt
    }
}

fn never_broken(client: &Client, method: &str, path: &str, kind: &str, body: Vec<u8>) {
    let answer = client.upload(method, path, kind, body.clone());
    assert!(answer.status < 500, "{method} {path} answered {}: {}\nfor {:?}", answer.status, answer.text(), String::from_utf8_lossy(&body));
}

#[test]
fn ab37_spoilt_bodies_are_refused_and_nothing_breaks() {
    let mut world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let report = world.gates(&release, "test");
    let digest = &release.digest;
    let seed = std::env::var("HOLDPOINT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    let mut noise = Noise(seed);
    let yaml = "service: web\npipeline: web\ncomponents:\n  app:\n    run: [python3, \"${artifact}\"]\n    health: {path: /healthz}\n";
    let good = [
        ("POST", "/v1/apply?dry_run=true".to_owned(), "application/json", json!({"documents": [{"file": "a.yaml", "text": yaml}]}).to_string().into_bytes()),
        ("POST", "/v1/releases".to_owned(), "application/json", json!({"service": "web", "version": "7.0.0", "components": {"app": digest}, "config": {"a": "b"}}).to_string().into_bytes()),
        ("POST", format!("/v1/releases/{}/approvals", release.id), "application/json", json!({"environment": "test", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": "c"}).to_string().into_bytes()),
        ("POST", "/v1/freezes".to_owned(), "application/json", json!({"name": "f", "environments": ["test"], "until": "2030-01-01T00:00:00Z"}).to_string().into_bytes()),
        ("POST", format!("/v1/evidence?kind=junit&suite=unit&subject={digest}"), "application/xml", junit("unit", 3, 1)),
        ("POST", format!("/v1/evidence?kind=sarif&subject={digest}"), "application/json", sarif("lint", 2)),
        ("POST", "/v1/evidence?kind=dsse".to_owned(), "application/json", json!({"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": [{"sig": "AA=="}]}).to_string().into_bytes()),
        ("POST", "/v1/gates/check".to_owned(), "application/json", json!({"digest": digest, "environment": "test", "service": "web"}).to_string().into_bytes()),
        ("POST", "/v1/worker/lease".to_owned(), "application/json", json!({"pool": "default", "worker": "w", "wait_ms": 0}).to_string().into_bytes()),
    ];
    let (root, worker) = (world.api("root"), world.server.client().with_token(&world.server.pool_key()));
    for _ in 0..60 {
        for (method, path, kind, body) in &good {
            let client = if path.starts_with("/v1/worker") { &worker } else { &root };
            never_broken(client, method, path, kind, noise.spoil(body));
        }
        // Paths and parameters, too.
        let path: String =
            String::from_utf8_lossy(&noise.spoil(format!("/v1/ledger?after=3&limit=9&stream=release/{}", release.id).as_bytes()))
                .chars()
                .map(|c| if c.is_ascii_graphic() && c != '#' { c.to_string() } else { format!("%{:02x}", u32::from(c) & 0xff) })
                .collect();
        if path.starts_with('/') {
            never_broken(&root, "GET", &path, "text/plain", Vec::new());
        }
    }
    assert!(!world.server.ended(), "the server has ended");
    assert!(!world.server.stderr().contains("panicked"), "{}", world.server.stderr());
    // What was taken in between can be read again by a new process.
    world.server.restart();
    root.get("/v1/me").ok();
    root.get(&format!("/v1/releases/{}", release.id)).ok();
    world.server.check_ledger(&root);
}

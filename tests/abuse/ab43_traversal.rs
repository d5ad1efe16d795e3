//! AB43: no field of a request is joined to a path of the server; bytes are addressed by digest only.

use holdpoint_tests::World;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { _ = found.insert(path) }
    }
}

const PATHS: [&str; 9] = [
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "%2fetc%2fpasswd",
    "sha256:..%2f..%2f..%2fpool.key",
    "sha256:%2e%2e",
    "....%2f%2f....%2f%2fpool.key",
    "x%00.json",
];

#[test]
fn ab43_paths_in_addresses_and_fields_reach_no_file() {
    let world = World::start();
    let root = world.api("root");
    // Everything the server writes by itself is there.
    root.get("/v1/me").ok();
    let data = world.server.data();
    let secret = world.server.pool_key();
    let mut before = BTreeSet::new();
    files(world.folder(), &mut before);
    for path in PATHS {
        for prefix in ["/v1/blobs/", "/v1/evidence/", "/v1/releases/", "/v1/runs/", "/assets/", "/", "/v1/worker/attempts/"] {
            let answer = root.get(&format!("{prefix}{path}"));
            let text = answer.text();
            assert!(!text.contains("root:x:0:0") && !text.contains(&secret), "{prefix}{path} shows a file");
            assert!(answer.status < 500, "{prefix}{path}: {}", answer.status);
        }
        let put = root.upload("PUT", &format!("/v1/blobs/{path}"), "application/octet-stream", b"x".to_vec());
        assert!((400..500).contains(&put.status), "PUT {path}: {}", put.status);
    }
    let worker = world.server.client().with_token(&secret);
    for name in ["../../../../tmp/x", "/etc/cron.d/x", "..", "a/../../b", "x\0"] {
        // A file's name in an application is for messages only.
        let document = json!({"documents": [{"file": name, "text": "person: zoe\nnme: Zoe\n"}]});
        let answer = root.post("/v1/apply", &document);
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        worker.post("/v1/worker/lease", &json!({"pool": name, "worker": name, "wait_ms": 0}));
        for door in ["output?offset=0", "heartbeat", "outcome"] {
            let path = format!("/v1/worker/attempts/{}/{door}", name.replace('/', "%2f").replace('\0', "%00"));
            // What a client itself makes of `..` is no such address at all.
            let status = worker.upload("POST", &path, "application/octet-stream", b"x".to_vec()).status;
            assert!(matches!(status, 401 | 404), "{path}: {status}");
        }
        root.post("/v1/releases", &json!({"service": name, "version": name, "components": {name: format!("sha256:{}", "1".repeat(64))}}));
        root.post("/v1/tokens", &json!({"name": name}));
        root.post(&format!("/v1/people/{}/invite", name.replace('/', "%2f").replace('\0', "%00")), &json!({}));
    }
    let mut after = BTreeSet::new();
    files(world.folder(), &mut after);
    let new: Vec<&PathBuf> = after.difference(&before).filter(|path| !path.starts_with(data.join("holdpoint.db"))).collect();
    let odd: Vec<&&PathBuf> = new.iter().filter(|path| !path.to_string_lossy().contains("holdpoint.db")).collect();
    assert!(odd.is_empty(), "files appeared: {odd:?}");
    assert!(!Path::new("/tmp/x").exists());
}

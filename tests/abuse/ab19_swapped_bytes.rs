//! AB19: the bytes are replaced between approval and deployment, in the store or in a worker's cache: nothing of them runs.

use holdpoint_tests::{Program, Release, World};
use std::path::{Path, PathBuf};

fn approved() -> (World, Release) {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    world.approve("grace", &release, "production");
    (world, release)
}

/// Every file below `folder` that holds these bytes.
fn holding(folder: &Path, bytes: &[u8], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, bytes, found);
        } else if std::fs::read(&path).is_ok_and(|read| read == bytes) {
            found.push(path);
        }
    }
}

/// The swapped program would say another version, and would leave a trace.
fn swapped(trace: &Path) -> Vec<u8> {
    let source = String::from_utf8(Program::new("1.0.0").bytes()).expect("text");
    format!("open({:?}, 'w').write('it ran')\n{source}", trace.display().to_string()).into_bytes()
}

fn swap(world: &World, below: &str, trace: &Path) -> usize {
    let mut files = Vec::new();
    holding(&world.server.data().join(below), &Program::new("1.0.0").bytes(), &mut files);
    for file in &files {
        // As an attacker with the disk would: permissions are no obstacle.
        _ = std::fs::remove_file(file);
        std::fs::write(file, swapped(trace)).expect("it can be written");
    }
    files.len()
}

#[test]
fn ab19_bytes_swapped_in_the_store_do_not_run() {
    let (world, release) = approved();
    let trace = world.folder().join("trace");
    assert!(swap(&world, "blobs", &trace) > 0, "the store's file was found");
    // The worker has read it before, for the first environment: that copy goes, so that it must ask the store again.
    let mut copies = Vec::new();
    holding(&world.server.data().join("worker"), &Program::new("1.0.0").bytes(), &mut copies);
    copies
        .iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "blobs"))
        .for_each(|path| std::fs::remove_file(path).expect("removed"));
    let run = world.ended(&world.deploy("grace", &release, "production"));
    assert_ne!(run["result"], "succeeded", "{run:#}");
    assert!(!trace.exists(), "the swapped program ran");
    assert!(world.weights("production").values().all(|weight| *weight == 0) || world.weights("production").is_empty());
}

#[test]
fn ab19_bytes_swapped_in_the_workers_cache_do_not_run() {
    let (world, release) = approved();
    let trace = world.folder().join("trace");
    assert!(swap(&world, "worker/blobs", &trace) > 0, "the worker's copy was found");
    // The store still has the right bytes: the worker notices, and takes those.
    let run = world.ended(&world.deploy("grace", &release, "production"));
    assert!(!trace.exists(), "the swapped program ran");
    if run["result"] == "succeeded" {
        assert_eq!(world.answers("production"), "1.0.0");
        assert_eq!(world.processes(&Program::new("1.0.0")).len(), 2, "both environments run the approved bytes");
    }
}

/// Bytes are stored under the digest that they have.
#[test]
fn ab19_bytes_are_not_stored_under_another_digest() {
    let world = World::start();
    let digest = world.upload(b"right");
    let put = world.api("ada").upload("PUT", &format!("/v1/blobs/{digest}"), "application/octet-stream", b"wrong".to_vec());
    assert!((400..500).contains(&put.status), "{}", put.text());
    let path = format!("/v1/blobs/sha256:{}", "1".repeat(64));
    let put = world.api("ada").upload("PUT", &path, "application/octet-stream", b"wrong".to_vec());
    assert!((400..500).contains(&put.status), "{}", put.text());
    assert_eq!(world.api("ada").get(&format!("/v1/blobs/{digest}")).body, b"right");
    assert_eq!(world.api("ada").get(&path).status, 404);
}

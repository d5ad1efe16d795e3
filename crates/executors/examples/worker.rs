//! A worker that can be killed, for the tests of this crate: `worker ROOT BLOBS SHIM ATTEMPT LEASE_MS SPEC.json`.
//! Renews its lease while it lives and prints the outcome.

use holdpoint_executors::{Context, Deadline, Outbound, OutputSink, Secrets, start};
use std::sync::Arc;
use std::time::Duration;

#[path = "../tests/hands/blobs.rs"]
mod blobs;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, blobs, shim, attempt, lease_ms, spec] = &arguments[..] else { panic!("six arguments") };
    let lease = Duration::from_millis(lease_ms.parse().unwrap());
    let deadline = Deadline::after(lease);
    let cx = Context {
        root: root.into(),
        attempt: attempt.clone(),
        blobs: Arc::new(blobs::Folder(blobs.into())),
        output: OutputSink::discard(),
        cancel: Default::default(),
        deadline: deadline.clone(),
        shim: vec![shim.clone()],
        outbound: Arc::new(Outbound::default()),
        variables: Default::default(),
        base_env: Default::default(),
        secrets: Secrets::default(),
    };
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(lease / 3).await;
            deadline.extend(lease);
        }
    });
    let spec = serde_json::from_str(&std::fs::read_to_string(spec).unwrap()).unwrap();
    println!("{}", serde_json::to_string(&start(&spec, &cx).await).unwrap());
}

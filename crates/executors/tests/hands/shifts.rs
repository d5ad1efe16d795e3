//! Traffic steps through our real proxy in front of real instances.

use crate::bench::*;
use holdpoint_executors::proxy::{Config, Limits, Running, start};
use holdpoint_executors::spec::*;
use holdpoint_executors::{Outbound, Secrets};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const TOKEN: &str = "0123456789abcdef-proxy";

async fn proxy(bench: &mut Bench) -> Running {
    let token_file = bench.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let state_dir = bench.path().join("proxy");
    let config = Config { listen: vec![("shop".into(), any)], admin: any, state_dir, token_file };
    let limits = Limits { stop_timeout: Duration::from_millis(100), ..Limits::default() };
    let running = start(config, limits).await.unwrap();
    bench.secrets = Secrets::new([("PROXY".to_owned(), TOKEN.to_owned())]);
    bench.outbound = Arc::new(Outbound::new([running.admin.to_string(), running.listen["shop"][0].to_string()]).unwrap());
    running
}

fn shares(proxy: &Running, generation: u64, backends: &[(&Instance, &str, u32)], drain: &[&str]) -> TrafficSpec {
    TrafficSpec {
        control: ControlSpec::Proxy { admin: format!("http://{}", proxy.admin), token: Some("${secret.PROXY}".into()), token_file: None },
        route: "shop".into(),
        generation,
        backends: backends
            .iter()
            .map(|(i, version, weight)| BackendSpec { version: (*version).into(), address: i.address.clone(), weight: *weight })
            .collect(),
        drain: drain.iter().map(|v| (*v).to_owned()).collect(),
        drain_timeout_s: 1,
    }
}

fn through(proxy: &Running, version: &str) -> VerifySpec {
    VerifySpec {
        targets: vec![format!("http://{}/", proxy.listen["shop"][0])],
        version_field: Some("version".into()),
        version: version.into(),
        times: 5,
        interval_ms: 10,
        timeout_s: 2,
        ..VerifySpec::default()
    }
}

#[tokio::test]
async fn traffic_moves_between_versions_and_waits_for_the_old_one() {
    let mut bench = Bench::new();
    let proxy = proxy(&mut bench).await;
    let old = instances(run(bench.service("1.0.0", &[]).await, &bench.context("att_old")).await).remove(0);
    let new = instances(run(bench.service("2.0.0", &[]).await, &bench.context("att_new")).await).remove(0);

    let first = shares(&proxy, 1, &[(&old, "1.0.0", 100)], &[]);
    outputs(run(first.clone(), &bench.context("att_1")).await);
    outputs(run(through(&proxy, "1.0.0"), &bench.context("att_2")).await);

    let second = shares(&proxy, 2, &[(&old, "1.0.0", 0), (&new, "2.0.0", 100)], &["1.0.0"]);
    let done = outputs(run(second.clone(), &bench.context("att_3")).await);
    assert_eq!(done["drained"], true, "{done}");
    outputs(run(through(&proxy, "2.0.0"), &bench.context("att_4")).await);
    failure(run(through(&proxy, "1.0.0"), &bench.context("att_5")).await);

    // A repetition changes nothing, one that comes late is refused.
    outputs(run(second, &bench.context("att_6")).await);
    let late = failure(run(first, &bench.context("att_7")).await);
    assert!(late.contains("generation"), "{late}");
    outputs(run(through(&proxy, "2.0.0"), &bench.context("att_8")).await);
    proxy.stop().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_reported_not_waited_for() {
    let mut bench = Bench::new();
    let proxy = proxy(&mut bench).await;
    let new = instances(run(bench.service("2.0.0", &[]).await, &bench.context("att_new")).await).remove(0);
    // Takes connections, never answers.
    let stuck = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let old = Instance { address: stuck.local_addr().unwrap().to_string(), ..Instance::default() };
    outputs(run(shares(&proxy, 1, &[(&old, "1.0.0", 1)], &[]), &bench.context("att_1")).await);
    let mut client = tokio::net::TcpStream::connect(proxy.listen["shop"][0]).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
    let _held = stuck.accept().await.unwrap();
    let second = shares(&proxy, 2, &[(&old, "1.0.0", 0), (&new, "2.0.0", 1)], &["1.0.0"]);
    let done = outputs(run(second, &bench.context("att_2")).await);
    assert_eq!((&done["drained"], &done["in_flight"]), (&false.into(), &1.into()), "{done}");
    outputs(run(through(&proxy, "2.0.0"), &bench.context("att_3")).await);
    proxy.stop().await;
}

#[tokio::test]
async fn the_token_goes_to_listed_places_only() {
    let mut bench = Bench::new();
    let proxy = proxy(&mut bench).await;
    let spec = shares(&proxy, 1, &[], &[]);
    bench.outbound = Arc::default();
    let reason = failure(run(spec.clone(), &bench.context("att_1")).await);
    assert!(reason.contains("allow-list"), "{reason}");
    // Public, but not named by the worker's owner.
    let mut elsewhere = spec;
    elsewhere.control = ControlSpec::Proxy { admin: "http://1.1.1.1:80".into(), token: Some("${secret.PROXY}".into()), token_file: None };
    let reason = failure(run(elsewhere, &bench.context("att_2")).await);
    assert!(reason.contains("allow-list"), "{reason}");
    proxy.stop().await;
}

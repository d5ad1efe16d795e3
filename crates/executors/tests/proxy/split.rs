//! Weights, changes under load, draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use crate::bed::{Bed, Client, Server, get, until};

#[tokio::test(flavor = "multi_thread")]
async fn five_percent_are_five_percent() {
    let (old, new) = (Server::start("1").await, Server::start("2").await);
    let bed = Bed::new().await;
    bed.set(1, vec![old.backend("1", 95), new.backend("2", 5)]).await;
    const EACH: u64 = 2_500;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let front = bed.front;
            tokio::spawn(async move {
                let mut client = Client::new(front).await;
                for _ in 0..EACH {
                    assert_eq!(client.get("/").await.unwrap().status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let (n, hits) = (4.0 * EACH as f64, new.hits() as f64);
    // Five standard deviations: wrong once in a million runs.
    let bound = 5.0 * (n * 0.05 * 0.95).sqrt();
    assert!((hits - n * 0.05).abs() < bound, "{hits} of {n}");
    let (one, two) = (bed.counts("1").await, bed.counts("2").await);
    assert_eq!((one.requests + two.requests, one.errors + two.errors), (4 * EACH, 0));
    assert_eq!((two.requests, two.timed), (new.hits(), new.hits()), "what is counted is what arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_not_a_share() {
    let old = [Server::start("1").await, Server::start("1").await, Server::start("1").await];
    let new = Server::start("2").await;
    let bed = Bed::new().await;
    let mut backends: Vec<_> = old.iter().map(|server| server.backend("1", 50)).collect();
    backends.push(new.backend("2", 50));
    bed.set(1, backends).await;
    let mut client = Client::new(bed.front).await;
    for _ in 0..2_000 {
        client.get("/").await.unwrap();
    }
    assert!((new.hits() as f64 - 1_000.0).abs() < 112.0, "half of the requests, not a quarter: {}", new.hits());
    for server in &old {
        assert!(server.hits() > 200, "every address of a version gets its part: {}", server.hits());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_change_under_load_without_a_failed_request() {
    let servers = [Server::start("1").await, Server::start("1").await, Server::start("2").await, Server::start("2").await];
    let bed = Bed::new().await;
    let wanted = |one: u32, two: u32, second: bool| {
        let mut backends = vec![servers[0].backend("1", one), servers[2].backend("2", two)];
        if second {
            backends.push(servers[1].backend("1", one));
            backends.push(servers[3].backend("2", two));
        }
        backends
    };
    bed.set(1, wanted(100, 0, true)).await;
    let (stop, failed, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..16)
        .map(|n| {
            let (front, stop, failed, done) = (bed.front, stop.clone(), failed.clone(), done.clone());
            tokio::spawn(async move {
                let mut client = Client::new(front).await;
                while !stop.load(SeqCst) {
                    let path = if n % 2 == 0 { "/" } else { "/slow?2" };
                    match client.get(path).await {
                        Ok(answer) if answer.status == 200 => done.fetch_add(1, SeqCst),
                        _ => failed.fetch_add(1, SeqCst),
                    };
                }
            })
        })
        .collect();
    let mut generation = 1;
    for round in 0..60u32 {
        for (one, two) in [(95, 5), (75, 25), (0, 100), (100, 0)] {
            generation += 1;
            bed.set(generation, wanted(one, two, round % 2 == 0)).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(failed.load(SeqCst), 0, "of {}", done.load(SeqCst));
    assert!(done.load(SeqCst) > 1_000);
    let (one, two) = (bed.counts("1").await, bed.counts("2").await);
    assert_eq!((one.errors, two.errors, one.aborted, two.aborted), (0, 0, 0, 0));
    assert!(two.requests > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_version_ends_what_it_began_and_gets_nothing_new() {
    let (old, new) = (Server::start("1").await, Server::start("2").await);
    let bed = Bed::new().await;
    bed.set(1, vec![old.backend("1", 1)]).await;
    let front = bed.front;
    let slow = tokio::spawn(async move { get(front, "/slow?600").await.unwrap().text() });
    until("the slow request is in flight", || async { bed.counts("1").await.in_flight == 1 }).await;

    bed.set(2, vec![old.backend("1", 0), new.backend("2", 1)]).await;
    let hits = old.hits();
    let mut client = Client::new(bed.front).await;
    for _ in 0..50 {
        assert_eq!(client.get("/").await.unwrap().text(), "2");
    }
    assert_eq!(old.hits(), hits);
    let drain = bed.control.drained("shop", "1").await.unwrap();
    assert_eq!((drain.weight, drain.in_flight, drain.is_drained()), (0, 1, false));

    // It may even leave the route: what is in flight is still known, and still ends well.
    bed.set(3, vec![new.backend("2", 1)]).await;
    assert!(!bed.control.drained("shop", "1").await.unwrap().is_drained());
    assert_eq!(slow.await.unwrap(), "1");
    until("drained", || async { bed.control.drained("shop", "1").await.unwrap().is_drained() }).await;
    assert_eq!(bed.counts("1").await.errors, 0);
    assert!(!bed.control.drained("shop", "2").await.unwrap().is_drained(), "weight counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_of_a_version_can_be_drained() {
    let (first, second) = (Server::start("1").await, Server::start("1").await);
    let bed = Bed::new().await;
    bed.set(1, vec![first.backend("1", 7), second.backend("1", 0)]).await;
    let mut client = Client::new(bed.front).await;
    for _ in 0..20 {
        client.get("/").await.unwrap();
    }
    assert_eq!((first.hits(), second.hits()), (20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_told_only_when_asked_for() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    assert!(!get(bed.front, "/").await.unwrap().headers.contains_key("holdpoint-version"));
    let body = serde_json::json!({"generation": 2, "expose_version": true, "backends": [server.backend("1", 1)]});
    let status = crate::state::put(&bed, Some(crate::bed::TOKEN), body.to_string()).await.status;
    assert_eq!(status, 200);
    assert_eq!(get(bed.front, "/").await.unwrap().headers["holdpoint-version"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_weight_says_so() {
    let bed = Bed::new().await;
    let answer = get(bed.front, "/").await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("PROXY-NO-VERSION")));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

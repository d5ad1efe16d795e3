//! Backends that die, break off, hang or close connections, and clients that leave.

use std::time::Duration;

use bytes::Bytes;
use holdpoint_executors::proxy::{Backend, Limits};
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bed::{Bed, Client, Server, get, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backend_is_replaced_by_its_siblings() {
    let (first, second) = (Server::start("1").await, Server::start("1").await);
    let bed = Bed::new().await;
    bed.set(1, vec![first.backend("1", 1), second.backend("1", 1)]).await;
    let mut client = Client::new(bed.front).await;
    for _ in 0..50 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    assert!(first.hits() > 0 && second.hits() > 0);
    first.kill().await;
    for _ in 0..200 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    assert_eq!(bed.counts("1").await.errors, 0);
    assert!(bed.counts("1").await.retries > 0);

    let address = second.address;
    second.kill().await;
    let answer = client.get("/").await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("PROXY-UNREACHABLE")));
    assert!(!answer.text().contains("127.0.0.1"), "addresses are not told");
    assert_eq!(bed.counts("1").await.errors, 1);

    // And it is used again when it is back, without being told.
    let back = Server::start_at("1", address).await;
    assert_eq!(client.get("/").await.unwrap().status, 200);
    assert_eq!(back.hits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_version_is_not_hidden_by_another() {
    let (old, new) = (Server::start("1").await, Server::start("2").await);
    let bed = Bed::new().await;
    bed.set(1, vec![old.backend("1", 50), new.backend("2", 50)]).await;
    new.kill().await;
    let mut client = Client::new(bed.front).await;
    let mut failed = 0;
    for _ in 0..200 {
        failed += u64::from(client.get("/").await.unwrap().status == 502);
    }
    let (one, two) = (bed.counts("1").await, bed.counts("2").await);
    assert_eq!((one.errors, two.errors, two.requests), (0, failed, failed));
    assert!(failed > 60, "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_may_have_been_acted_upon_is_not_sent_again() {
    let (first, second) = (Server::start("1").await, Server::start("1").await);
    let bed = Bed::new().await;
    bed.set(1, vec![first.backend("1", 1), second.backend("1", 1)]).await;
    let mut client = Client::new(bed.front).await;
    // With warm pools, so that the connections are reused ones.
    for _ in 0..10 {
        client.get("/").await.unwrap();
    }
    let before = first.hits() + second.hits();
    let post = Request::post("/drop").header("host", "a").body(Full::new(Bytes::from_static(b"pay"))).unwrap();
    let answer = client.call(post).await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("PROXY-BROKE-OFF")));
    assert_eq!(first.hits() + second.hits(), before + 1);
    // A GET on a reused connection is repeated, once.
    assert_eq!(client.get("/drop").await.unwrap().status, 502);
    assert_eq!(first.hits() + second.hits(), before + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_a_backend_closed_in_the_meantime_cost_nothing() {
    // Answers one request per connection and closes without having said so.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0u8; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            });
        }
    });
    let bed = Bed::new().await;
    bed.set(1, vec![Backend { version: "1".into(), address: address.to_string(), weight: 1 }]).await;
    let mut client = Client::new(bed.front).await;
    for _ in 0..300 {
        assert_eq!(client.get("/").await.unwrap().text(), "ok");
    }
    // One that says so is fine, too.
    let polite = Server::start("1").await;
    bed.set(2, vec![polite.backend("1", 1)]).await;
    for _ in 0..50 {
        assert_eq!(client.get("/last").await.unwrap().status, 200);
    }
    assert_eq!(bed.counts("1").await.errors, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_breaks_off_is_seen_by_the_client_and_counted() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let answer = get(bed.front, "/half?1000000").await;
    assert!(answer.is_err(), "half a body must not look like a whole one");
    until("counted", || async { bed.counts("1").await.in_flight == 0 }).await;
    let counts = bed.counts("1").await;
    assert_eq!((counts.requests, counts.errors, counts.aborted, counts.timed), (1, 1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_an_error_and_slowness_is_not() {
    let server = Server::start("1").await;
    let limits = Limits { request_timeout: Duration::from_millis(300), ..Limits::default() };
    let bed = Bed::with(limits).await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let answer = get(bed.front, "/slow?5000").await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (504, Some("PROXY-SILENT")));
    assert!(get(bed.front, "/stall").await.is_err());
    assert_eq!(bed.counts("1").await.errors, 2);
    // Longer in all than the timeout, but it moves.
    assert_eq!(get(bed.front, "/drip?150").await.unwrap().text(), ".....");
    assert_eq!(bed.counts("1").await.errors, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_clients_that_leave_are_counted_apart() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    for status in [200, 204, 304, 404, 500, 503] {
        assert_eq!(get(bed.front, &format!("/status?{status}")).await.unwrap().status, status);
    }
    for request in [
        "GET /slow?5000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /stall HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this",
    ] {
        let mut stream = TcpStream::connect(bed.front).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        until("in flight", || async { bed.counts("1").await.in_flight == 1 }).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(stream);
        until("over", || async { bed.counts("1").await.in_flight == 0 }).await;
    }
    let counts = bed.counts("1").await;
    assert_eq!((counts.requests, counts.errors, counts.aborted, counts.timed), (6, 2, 3, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_agree_at_every_moment() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let front = bed.front;
    let load = tokio::spawn(async move {
        let mut client = Client::new(front).await;
        for _ in 0..1_500 {
            client.get("/status?500").await.unwrap();
        }
    });
    let mut last = bed.counts("1").await;
    while !load.is_finished() {
        let now = bed.counts("1").await;
        assert!(now.errors <= now.requests, "{now:?}");
        assert!(now.requests >= last.requests && now.errors >= last.errors, "{now:?} after {last:?}");
        last = now;
    }
    load.await.unwrap();
    let counts = bed.counts("1").await;
    assert_eq!((counts.requests, counts.errors), (1_500, 1_500));
}

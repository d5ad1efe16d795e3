//! Bodies that are larger than memory should be, and tunnels.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{Bed, Server, get, until};

const SIZE: u64 = 512 * 1024 * 1024;

/// Resident memory of this process, which is client, proxy and backend in one.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_go_through_in_little_memory() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let before = resident_bytes();
    let stream = TcpStream::connect(bed.front).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);

    let piece = Bytes::from(vec![b'.'; 64 * 1024]);
    let frames = futures_util::stream::unfold(0u64, move |sent| {
        let piece = piece.clone();
        async move { (sent < SIZE).then(|| (Ok::<_, std::io::Error>(Frame::data(piece.clone())), sent + piece.len() as u64)) }
    });
    let body = BodyExt::boxed_unsync(StreamBody::new(frames));
    let request = Request::post("/upload").header("host", "a").body(body).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, SIZE.to_string().as_bytes());

    let nothing = BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::empty::<Result<Frame<Bytes>, std::io::Error>>()));
    let request = Request::get(format!("/big?{SIZE}")).header("host", "a").body(nothing).unwrap();
    sender.ready().await.unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let (mut count, mut most) = (0u64, 0u64);
    // A reader that dawdles at first: what it does not take must stay in the backend, not in the proxy.
    tokio::time::sleep(Duration::from_millis(300)).await;
    while let Some(frame) = body.frame().await {
        count += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
        most = most.max(resident_bytes());
    }
    assert_eq!(count, SIZE);
    // Other tests of the binary run beside this one, so the bound is loose; the body is eight times as large.
    assert!(most.saturating_sub(before) < 64 * 1024 * 1024, "{} MiB more", most.saturating_sub(before) >> 20);
    let counts = bed.counts("1").await;
    assert_eq!((counts.requests, counts.errors, counts.aborted), (2, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_goes_to_the_end_of_the_body() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    get(bed.front, "/drip?40").await.unwrap();
    until("over", || async { bed.counts("1").await.requests == 1 }).await;
    let stats = bed.control.stats("shop").await.unwrap();
    let latency = stats.versions["1"].latency.clone().unwrap();
    assert!(latency.quantile_us(1.0).unwrap() > 200_000, "{:?}", latency.quantile_us(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_a_tunnel_that_counts_as_in_flight() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let mut stream = TcpStream::connect(bed.front).await.unwrap();
    let request = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0u8; 4096];
    let read = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&buffer[..read]));
    for word in ["hello\r\n\r\n", "again"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..read]), word.to_uppercase());
    }
    bed.set(2, vec![server.backend("1", 0)]).await;
    assert!(!bed.control.drained("shop", "1").await.unwrap().is_drained());
    drop(stream);
    until("over", || async { bed.control.drained("shop", "1").await.unwrap().is_drained() }).await;
    let counts = bed.counts("1").await;
    assert_eq!((counts.requests, counts.errors, counts.timed), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_upgrades_are_not_passed_on() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let request = Request::get("/headers")
        .header("host", "a")
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA")
        .body(http_body_util::Full::default())
        .unwrap();
    let seen = crate::bed::Client::new(bed.front).await.call(request).await.unwrap().seen_headers();
    assert!(!seen.contains_key("upgrade") && !seen.contains_key("http2-settings"), "{seen:?}");
}

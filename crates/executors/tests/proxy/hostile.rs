//! Requests that want to be read in two ways, claims that are not true, and clients that never finish.

use std::time::{Duration, Instant};

use bytes::Bytes;
use holdpoint_executors::proxy::Limits;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{Bed, Client, Server, get, raw};

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_requests_are_refused_and_never_passed_on() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for head in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:chunked\r\nCONTENT-LENGTH:\t4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: 1\r\n\r\n",
    ] {
        let said = raw(bed.front, format!("{head}{SMUGGLED}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{head:?}: {said:?}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "one answer, then the end: {head:?}: {said:?}");
    }
    let said = raw(bed.front, b"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 501"), "{said}");
    assert_eq!(server.hits(), 0, "nothing reached the backend");
    assert_eq!(bed.counts("1").await.requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_request_behind_a_good_one_is_refused_too() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let mut stream = TcpStream::connect(bed.front).await.unwrap();
    for good in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        stream.write_all(good.as_bytes()).await.unwrap();
        let mut buffer = vec![0u8; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"), "{good:?}");
    }
    let bad = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n";
    stream.write_all(bad.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    assert_eq!(server.hits(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_claims_about_itself_is_replaced() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let request = Request::get("/headers")
        .header("host", "shop.example")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-forwarded-for", "7.7.7.7")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example")
        .header("x_forwarded_for", "6.6.6.6")
        .header("forwarded", "for=6.6.6.6")
        .header("x-real-ip", "6.6.6.6")
        .header("connection", "keep-alive, x-forwarded-for, x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=9")
        .header("proxy-authorization", "Basic eA==")
        .header("te", "trailers")
        .header("cookie", "a=b")
        .body(Full::<Bytes>::default())
        .unwrap();
    let seen = Client::new(bed.front).await.call(request).await.unwrap().seen_headers();
    let one = |value: &str| Some(vec![value.to_owned()]);
    assert_eq!(seen.get("x-forwarded-for").cloned(), one("127.0.0.1"));
    assert_eq!(seen.get("x-forwarded-proto").cloned(), one("http"));
    assert_eq!(seen.get("x-forwarded-host").cloned(), one("shop.example"));
    assert_eq!(seen.get("host").cloned(), one("shop.example"));
    assert_eq!(seen.get("cookie").cloned(), one("a=b"));
    for gone in ["x_forwarded_for", "forwarded", "x-real-ip", "x-hop", "connection", "keep-alive", "proxy-authorization", "te"] {
        assert!(!seen.contains_key(gone), "{gone}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish_their_headers_stand_in_nobodys_way() {
    let server = Server::start("1").await;
    let limits = Limits { header_timeout: Duration::from_millis(500), ..Limits::default() };
    let bed = Bed::with(limits).await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(bed.front).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
        slow.push(stream);
    }
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(get(bed.front, "/").await.unwrap().status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // A drop now and then does not keep the connection.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = slow[0].write_all(b"x").await;
    }
    let mut ended = 0;
    for stream in &mut slow {
        let mut buffer = [0u8; 256];
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut buffer)).await;
        ended += usize::from(matches!(read, Ok(Ok(_)) | Ok(Err(_))));
    }
    assert_eq!(ended, slow.len());
    assert_eq!(bed.counts("1").await.requests, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_allowed_wait_and_are_served() {
    let server = Server::start("1").await;
    let limits = Limits { connections: 4, header_timeout: Duration::from_millis(400), ..Limits::default() };
    let bed = Bed::with(limits).await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    let held: Vec<_> = [0; 4].map(|_| TcpStream::connect(bed.front)).into_iter().collect();
    let mut streams = Vec::new();
    for connecting in held {
        streams.push(connecting.await.unwrap());
    }
    let began = Instant::now();
    assert_eq!(get(bed.front, "/").await.unwrap().status, 200);
    assert!(began.elapsed() > Duration::from_millis(200), "it waited for one of the four to be given up");
    assert!(call_admin(&bed).await, "the admin API has connections of its own");
}

async fn call_admin(bed: &Bed) -> bool {
    bed.control.stats("shop").await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_a_size() {
    let server = Server::start("1").await;
    let bed = Bed::new().await;
    bed.set(1, vec![server.backend("1", 1)]).await;
    for (size, status) in [(16 * 1024, "200"), (40 * 1024, "431"), (2 * 1024 * 1024, "431")] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(size));
        let mut stream = TcpStream::connect(bed.front).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut said = Vec::new();
        let write = async { drop(writer.write_all(request.as_bytes()).await) };
        let read = async { drop(reader.read_to_end(&mut said).await) };
        tokio::join!(write, read);
        let said = String::from_utf8_lossy(&said);
        // A client that goes on writing after the refusal may see a reset instead of the answer.
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")) || (said.is_empty() && size > 1024 * 1024), "{size}: {said}");
    }
    assert_eq!(server.hits(), 1);
    assert_eq!(get(bed.front, "/").await.unwrap().status, 200);
}

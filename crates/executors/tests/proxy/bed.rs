//! What the tests stand on: backends that do as the path says, a proxy, and clients.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use holdpoint_executors::proxy::{self, Backend, Config, Limits, Running};
use holdpoint_executors::traffic::TrafficControl;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

type Body = BoxBody<Bytes, std::io::Error>;

/// A server that answers with its version, or as the path asks.
pub struct Server {
    pub address: SocketAddr,
    pub hits: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(version: &str) -> Self {
        Self::start_at(version, "127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn start_at(version: &str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicU64::new(0));
        let (version, counted) = (version.to_owned(), hits.clone());
        let task = tokio::spawn(async move {
            // Dropped with the task: all connections end with it, in the middle of whatever they do.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (version, hits) = (version.clone(), counted.clone());
                let service = service_fn(move |request| {
                    hits.fetch_add(1, SeqCst);
                    serve(version.clone(), request)
                });
                connections.spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
                });
            }
        });
        Self { address, hits, task }
    }

    /// As if the process had been killed.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub fn backend(&self, version: &str, weight: u32) -> Backend {
        Backend { version: version.into(), address: self.address.to_string(), weight }
    }

    pub fn hits(&self) -> u64 {
        self.hits.load(SeqCst)
    }
}

async fn serve(version: String, mut request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path().to_owned();
    let argument: u64 = request.uri().query().unwrap_or("0").parse().unwrap_or(0);
    match path.as_str() {
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(argument)).await;
            Ok(text(StatusCode::OK, version))
        }
        "/status" => Ok(text(StatusCode::from_u16(argument as u16).unwrap(), version)),
        "/headers" => {
            let headers: Vec<(String, String)> = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            Ok(text(StatusCode::OK, serde_json::to_string(&headers).unwrap()))
        }
        "/big" => Ok(Response::new(stream(argument, None))),
        // Says that there is more than it sends, then breaks off.
        "/half" => Ok(Response::new(stream(argument, Some(argument / 2)))),
        "/drip" => {
            let frames = futures_util::stream::unfold(0u64, move |n| async move {
                tokio::time::sleep(Duration::from_millis(argument)).await;
                (n < 5).then(|| (Ok(Frame::data(Bytes::from_static(b"."))), n + 1))
            });
            Ok(Response::new(BodyExt::boxed(StreamBody::new(frames))))
        }
        "/stall" => {
            let frames = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"x")))]).chain(futures_util::stream::pending());
            Ok(Response::new(BodyExt::boxed(StreamBody::new(frames))))
        }
        "/upload" => {
            let mut count = 0u64;
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(std::io::Error::other)?;
                count += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Ok(text(StatusCode::OK, count.to_string()))
        }
        "/drop" => Err(std::io::Error::other("dropped on request")),
        "/last" => {
            let mut response = text(StatusCode::OK, version);
            response.headers_mut().insert("connection", "close".parse().unwrap());
            Ok(response)
        }
        "/socket" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let Ok(upgraded) = upgrade.await else { return };
                let mut io = TokioIo::new(upgraded);
                let mut buffer = [0u8; 64];
                while let Ok(read @ 1..) = io.read(&mut buffer).await {
                    let shouted = buffer[..read].to_ascii_uppercase();
                    if io.write_all(&shouted).await.is_err() {
                        return;
                    }
                }
            });
            let mut response = text(StatusCode::SWITCHING_PROTOCOLS, String::new());
            response.headers_mut().insert("connection", "upgrade".parse().unwrap());
            response.headers_mut().insert("upgrade", "websocket".parse().unwrap());
            Ok(response)
        }
        _ => Ok(text(StatusCode::OK, version)),
    }
}

fn stream(bytes: u64, break_at: Option<u64>) -> Body {
    const PIECE: u64 = 64 * 1024;
    let frames = futures_util::stream::unfold(0u64, move |sent| async move {
        if break_at.is_some_and(|at| sent >= at) {
            return Some((Err(std::io::Error::other("broken on request")), bytes));
        }
        let piece = PIECE.min(bytes - sent);
        (piece > 0).then(|| (Ok(Frame::data(Bytes::from(vec![b'.'; piece as usize]))), sent + piece))
    });
    BodyExt::boxed(StreamBody::new(frames))
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {}).boxed());
    *response.status_mut() = status;
    response
}

/// A proxy with one route, `shop`.
pub struct Bed {
    pub running: Running,
    pub front: SocketAddr,
    pub control: TrafficControl,
    pub folder: Arc<tempfile::TempDir>,
}

impl Bed {
    pub async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::in_folder(Arc::new(tempfile::tempdir().unwrap()), limits).await
    }

    pub async fn in_folder(folder: Arc<tempfile::TempDir>, limits: Limits) -> Self {
        let running = proxy::start(config(folder.path()), limits).await.unwrap();
        let front = running.listen["shop"][0];
        let control = TrafficControl::proxy(&format!("http://{}", running.admin), &folder.path().join("token")).unwrap();
        Self { running, front, control, folder }
    }

    pub async fn set(&self, generation: u64, backends: Vec<Backend>) {
        self.control.set("shop", generation, backends).await.unwrap();
    }

    pub async fn counts(&self, version: &str) -> Counts {
        let stats = self.control.stats("shop").await.unwrap();
        let version = stats.versions.get(version).cloned().unwrap_or_default();
        Counts {
            requests: version.requests,
            errors: version.errors,
            aborted: version.aborted,
            retries: version.retries,
            in_flight: version.in_flight,
            timed: version.latency.map_or(0, |latency| latency.total()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub errors: u64,
    pub aborted: u64,
    pub retries: u64,
    pub in_flight: u64,
    pub timed: u64,
}

pub fn config(folder: &Path) -> Config {
    let token_file = folder.join("token");
    std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    Config { listen: vec![("shop".into(), any)], admin: any, state_dir: folder.join("state"), token_file }
}

/// A client with one kept-alive connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What `/headers` saw.
    pub fn seen_headers(&self) -> HashMap<String, Vec<String>> {
        let pairs: Vec<(String, String)> = serde_json::from_slice(&self.body).unwrap();
        let mut headers: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in pairs {
            headers.entry(name).or_default().push(value);
        }
        headers
    }
}

impl Client {
    pub async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub async fn call(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, hyper::Error> {
        let request = Request::get(path).header("host", "shop.example").body(Full::default()).unwrap();
        self.call(request).await
    }
}

pub async fn get(address: SocketAddr, path: &str) -> Result<Answer, hyper::Error> {
    Client::new(address).await.get(path).await
}

/// Sends bytes as they are and reads until the other side closes, at most five seconds.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Waits until `reached` holds, at most five seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    for _ in 0..500 {
        if reached().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not reached in time: {what}");
}

//! The client of our own proxy's admin API: plain HTTP on a trusted link (loopback, or a mesh that encrypts).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::{Applied, Drain, RouteStats, Token, TrafficError, VersionStats};
use crate::proxy::RouteSpec;

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Where the admin API is, and its token.
#[derive(Debug, Clone)]
pub struct ProxyAdmin {
    /// `host:port`.
    authority: String,
    token: Token,
}

#[derive(Deserialize)]
struct PutAnswer {
    changed: bool,
    versions: BTreeMap<String, Drain>,
}

#[derive(Deserialize)]
struct RoutesAnswer {
    routes: BTreeMap<String, RouteAnswer>,
}

#[derive(Deserialize)]
struct RouteAnswer {
    versions: BTreeMap<String, Drain>,
}

#[derive(Deserialize)]
struct StatsAnswer {
    start_id: String,
    routes: BTreeMap<String, RouteCounts>,
}

#[derive(Deserialize)]
struct RouteCounts {
    versions: BTreeMap<String, VersionStats>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
    current: Option<RouteSpec>,
}

impl ProxyAdmin {
    pub fn new(admin: &str, token: Token) -> Result<Self, TrafficError> {
        let uri: http::Uri = admin.parse().map_err(|_| TrafficError::Setting(format!("{admin:?} is not an address")))?;
        let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|authority| authority.port().is_some() && !authority.as_str().contains('@'));
        match authority {
            Some(authority) if plain => Ok(Self { authority: authority.to_string(), token }),
            _ => Err(TrafficError::Setting(format!("{admin:?} is not of the form http://host:port"))),
        }
    }

    pub(super) async fn set(&self, route: &str, spec: &RouteSpec) -> Result<Applied, TrafficError> {
        if !crate::proxy::name_is_allowed(route) {
            return Err(TrafficError::NoRoute(route.to_owned()));
        }
        let body = serde_json::to_vec(spec).map_err(|error| TrafficError::Protocol(error.to_string()))?;
        let (status, bytes) = self.call(Method::PUT, &format!("/routes/{route}"), body).await?;
        match status {
            StatusCode::OK => {
                let PutAnswer { changed, versions } = parse(&bytes)?;
                Ok(Applied { changed, versions })
            }
            StatusCode::CONFLICT => {
                let problem: Problem = parse(&bytes)?;
                let current = problem.current.map(|current| current.generation).unwrap_or_default();
                Err(TrafficError::Overtaken { wanted: spec.generation, current })
            }
            StatusCode::NOT_FOUND => Err(TrafficError::NoRoute(route.to_owned())),
            _ => Err(refused(status, &bytes)),
        }
    }

    pub(super) async fn draining(&self, route: &str) -> Result<BTreeMap<String, Drain>, TrafficError> {
        let mut answer: RoutesAnswer = self.get("/routes").await?;
        let route_answer = answer.routes.remove(route).ok_or_else(|| TrafficError::NoRoute(route.to_owned()))?;
        Ok(route_answer.versions)
    }

    pub(super) async fn stats(&self, route: &str) -> Result<RouteStats, TrafficError> {
        let StatsAnswer { start_id, mut routes } = self.get("/stats").await?;
        let counts = routes.remove(route).ok_or_else(|| TrafficError::NoRoute(route.to_owned()))?;
        Ok(RouteStats { start_id, versions: counts.versions })
    }

    async fn get<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<T, TrafficError> {
        let (status, bytes) = self.call(Method::GET, path, Vec::new()).await?;
        if status == StatusCode::OK { parse(&bytes) } else { Err(refused(status, &bytes)) }
    }

    /// One connection per call: calls are rare, and a kept one would only add a way to fail.
    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), TrafficError> {
        let unreachable = |source| TrafficError::Unreachable { at: self.authority.clone(), source };
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(&self.authority))
            .await
            .map_err(|_| unreachable(std::io::ErrorKind::TimedOut.into()))?
            .map_err(unreachable)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(std::io::Error::other(error)))?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| TrafficError::Setting(error.to_string()))?;
        let exchange = async {
            let response = sender.send_request(request).await.ok()?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
            Some((status, body.to_bytes()))
        };
        let answered = tokio::time::timeout(ANSWER, exchange).await.ok().flatten();
        driver.abort();
        answered.ok_or_else(|| TrafficError::Indeterminate { at: self.authority.clone() })
    }
}

fn parse<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, TrafficError> {
    serde_json::from_slice(bytes).map_err(|error| TrafficError::Protocol(error.to_string()))
}

fn refused(status: StatusCode, bytes: &[u8]) -> TrafficError {
    let detail = serde_json::from_slice::<Problem>(bytes).map(|problem| problem.detail).unwrap_or_default();
    TrafficError::Refused(format!("{} {detail}", status.as_u16()))
}

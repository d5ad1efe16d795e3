//! The orders service, as the storefront calls it.
//!
//! A call is repeated once when no connection could be used: every call is safe to repeat, because
//! reads change nothing and an order carries the customer's key. An answer is never repeated.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// Longest that a customer waits for the orders service, both tries together.
const PATIENCE: Duration = Duration::from_secs(8);
const BEFORE_AGAIN: Duration = Duration::from_millis(50);

/// Why there was no answer.
#[derive(Debug)]
pub enum NoAnswer {
    Unreachable(String),
    Late,
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoAnswer::Unreachable(why) => write!(out, "orders cannot be reached: {why}"),
            NoAnswer::Late => write!(out, "orders did not answer within {} s", PATIENCE.as_secs()),
        }
    }
}

#[derive(Clone)]
pub struct Orders {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Orders {
    /// `base` is an address without a slash at its end, such as `http://127.0.0.1:8081`.
    pub fn at(base: &str) -> Orders {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(15)).build(connector);
        Orders { base: base.trim_end_matches('/').to_owned(), client }
    }

    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), NoAnswer> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, json: Vec<u8>) -> Result<(StatusCode, Bytes), NoAnswer> {
        self.ask(Method::POST, path, Bytes::from(json)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), NoAnswer> {
        let tries = async {
            match self.once(&method, path, &body).await {
                Ok(answer) => Ok(answer),
                Err(_) => {
                    tokio::time::sleep(BEFORE_AGAIN).await;
                    self.once(&method, path, &body).await.map_err(NoAnswer::Unreachable)
                }
            }
        };
        tokio::time::timeout(PATIENCE, tries).await.unwrap_or(Err(NoAnswer::Late))
    }

    async fn once(&self, method: &Method, path: &str, body: &Bytes) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(body.clone())).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, bytes))
    }
}

//! A server on a free port with the sample organisation, and callers with every kind of credential.

use holdpoint_api::{Settings, bootstrap, serve};
use holdpoint_engine::Engine;
use holdpoint_engine::keys::Keys;
use holdpoint_store::Store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Once;

pub const PASSWORD: &str = "correct horse battery staple";

/// Everything that tests need of an organisation. Ada makes and may approve; the robot is hers.
pub const ORGANISATION: &str = r#"
person: ada
name: Ada
emails: [ada@shop.example]
roles: [developer, release-manager]
---
person: grace
name: Grace
emails: [grace@shop.example]
roles: [release-manager]
---
person: linus
roles: [developer]
---
person: audit
roles: [auditor]
---
person: robot
roles: [ci, release-manager]
service-account: true
owner: ada
---
environment: dev
order: 1
---
environment: production
production: true
order: 2
---
pipeline: standard
stages:
  - environment: dev
  - environment: production
    gates: {tests: {suites: [unit], max-age: 7d}, approvals: [{role: release-manager}]}
---
service: shop
owner: team-shop
pipeline: standard
components:
  orders:
    run: ["${artifact}", serve]
    health: {path: /healthz, version: version}
    build: {command: [make], artifacts: {orders: out/orders}}
"#;

pub struct Bed {
    pub url: String,
    pub engine: Engine,
    pub setup: String,
    _folder: tempfile::TempDir,
}

/// Somebody who calls.
#[derive(Clone)]
pub struct Caller {
    url: String,
    http: reqwest::Client,
    pub cookie: Option<String>,
    pub csrf: Option<String>,
    pub bearer: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Bed {
    /// A fresh server; nobody has set it up.
    pub async fn bare() -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("holdpoint.db").display());
        let store = Store::open(&url, &folder.path().join("blobs")).await.expect("a store");
        let keys = Keys::load_or_make(&folder.path().join("keys"), "holdpoint.example/log").expect("keys");
        let engine = Engine::new(store, keys, "default");
        engine.run();
        let setup = bootstrap(&engine).await.expect("a bootstrap").expect("a link").token;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let settings = Settings::new(engine.clone(), folder.path().join("logs"));
        tokio::spawn(serve(listener, settings, std::future::pending()));
        Bed { url, engine, setup, _folder: folder }
    }
    /// With the organisation applied by root.
    pub async fn new() -> (Bed, Caller) {
        let bed = Bed::bare().await;
        let root = bed.anyone().set_up(&bed.setup).await;
        root.apply(ORGANISATION).await.ok();
        (bed, root)
    }
    pub fn anyone(&self) -> Caller {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        Caller { url: self.url.clone(), http, cookie: None, csrf: None, bearer: None }
    }
    /// A declared person with a session.
    pub async fn person(&self, root: &Caller, handle: &str) -> Caller {
        let invited = root.post(&format!("/v1/people/{handle}/invite"), &json!({})).await.ok();
        let link = invited["link"].as_str().expect("a link").to_owned();
        self.anyone().set_up(link.split('#').nth(1).expect("a fragment")).await
    }
    pub fn with(&self, bearer: &str) -> Caller {
        Caller { bearer: Some(bearer.to_owned()), ..self.anyone() }
    }
}

impl Caller {
    pub async fn set_up(self, token: &str) -> Caller {
        let answer = self.post("/v1/setup", &json!({"token": token, "password": PASSWORD})).await;
        self.keep(&answer)
    }
    pub async fn sign_in(self, handle: &str) -> Caller {
        let answer = self.post("/v1/session", &json!({"handle": handle, "password": PASSWORD})).await;
        self.keep(&answer)
    }
    fn keep(mut self, answer: &Answer) -> Caller {
        let cookie = answer.headers.get("set-cookie").expect("a cookie").to_str().expect("text");
        self.cookie = cookie.split(';').next().map(str::to_owned);
        self.csrf = answer.ok()["csrf"].as_str().map(str::to_owned);
        self
    }
    pub async fn token(&self, body: Value) -> String {
        let made = self.post("/v1/tokens", &body).await.ok();
        made["token"].as_str().expect("a token").to_owned()
    }
    pub async fn apply(&self, text: &str) -> Answer {
        self.post("/v1/apply", &json!({"documents": [{"file": "org.yaml", "text": text}]})).await
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, &[], body).await
    }
    pub async fn json(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Some(body.to_string().into_bytes())).await
    }
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let (Some(csrf), true) = (&self.csrf, method != Method::GET) {
            request = request.header("x-holdpoint-csrf", csrf);
        }
        request
    }
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        // A refusal may come, and the connection close, while a long body is still being written: then it is asked again.
        let mut tries = 0;
        let response = loop {
            let again = request.try_clone().expect("a body that is bytes");
            match std::mem::replace(&mut request, again).send().await {
                Ok(response) => break response,
                Err(why) if tries < 5 && why.is_request() => tries += 1,
                Err(why) => panic!("an answer: {why:?}"),
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }
}

impl Answer {
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{} {why}: {}", self.status, self.text))
    }
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        if self.text.is_empty() { Value::Null } else { self.value() }
    }
    /// A complete problem with this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.value();
        assert_eq!(problem["code"], code, "{problem:#}");
        for member in ["type", "title", "detail", "unblock"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {problem:#}");
        }
        problem
    }
}

/// Stores bytes and makes a release of them.
pub async fn release(maker: &Caller, version: &str) -> (String, String) {
    let bytes = format!("orders {version}").into_bytes();
    let digest = holdpoint_seal::digest::Digest::of(&bytes).to_string();
    maker.send(Method::PUT, &format!("/v1/blobs/{digest}"), &[], Some(bytes)).await.ok();
    let made = maker.post("/v1/releases", &json!({"service": "shop", "version": version, "components": {"orders": digest}})).await.ok();
    (made["release"].as_str().expect("an id").to_owned(), made["manifest_digest"].as_str().expect("a digest").to_owned())
}

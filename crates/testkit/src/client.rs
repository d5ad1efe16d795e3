//! The HTTP API as a program would use it: JSON, an idempotency key on every mutation, a session cookie or a token.

use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// A caller. Anonymous until it signs in or is given a token.
pub struct Client {
    base: String,
    http: reqwest::blocking::Client,
    credentials: Mutex<Credentials>,
}

#[derive(Clone, Default)]
struct Credentials {
    /// `name=value` pairs of the session.
    cookies: Vec<(String, String)>,
    /// What mutations of a cookie session say in X-Holdpoint-CSRF.
    csrf: Option<String>,
    bearer: Option<String>,
}

/// One answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
    /// Method and path, for messages.
    pub request: String,
}

impl Client {
    pub fn new(base: &str) -> Self {
        static PROVIDER: Once = Once::new();
        // reqwest is built without a TLS provider of its own; the whole tree has one.
        PROVIDER.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::blocking::Client::builder()
            .timeout(LIMIT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .build()
            .expect("an HTTP client");
        Self { base: base.trim_end_matches('/').to_owned(), http, credentials: Mutex::default() }
    }

    /// The same server, with a token instead of a session.
    pub fn with_token(&self, token: &str) -> Self {
        let client = Self::new(&self.base);
        client.credentials().bearer = Some(token.to_owned());
        client
    }

    /// The same server, without credentials.
    pub fn anonymous(&self) -> Self {
        Self::new(&self.base)
    }

    pub fn url(&self) -> &str {
        &self.base
    }

    /// `name=value` pairs of the session, for a browser that goes on with it.
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.credentials().cookies.clone()
    }

    /// Opens a session.
    pub fn sign_in(&self, handle: &str, password: &str) -> Value {
        self.keep_csrf(self.post("/v1/session", &serde_json::json!({"handle": handle, "password": password})))
    }

    /// Redeems a one-time link (of the set-up or of an invitation) and opens a session. Takes the link or its token.
    pub fn set_up(&self, link: &str, password: &str) -> Value {
        let token = link.rsplit_once('#').map_or(link, |(_, token)| token);
        self.keep_csrf(self.post("/v1/setup", &serde_json::json!({"token": token, "password": password})))
    }

    fn keep_csrf(&self, answer: Answer) -> Value {
        let value = answer.ok();
        if let Some(csrf) = value.get("csrf").and_then(Value::as_str) {
            self.credentials().csrf = Some(csrf.to_owned());
        }
        value
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body, &[])
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body, &[])
    }

    pub fn patch(&self, path: &str, body: &Value, if_match: &str) -> Answer {
        self.json("PATCH", path, body, &[("If-Match", if_match)])
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// Bytes as they are: evidence, blobs.
    pub fn upload(&self, method: &str, path: &str, kind: &str, bytes: Vec<u8>) -> Answer {
        self.send(method, path, &[("Content-Type", kind)], Some(bytes))
    }

    /// JSON with headers of one's own; a header given here replaces ours (for example `Idempotency-Key`).
    pub fn json(&self, method: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Some(body.to_string().into_bytes()))
    }

    /// Any request. Panics only where no answer comes.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|why| panic!("{method} {path}: {why}"))
    }

    /// Any request; no answer is an error (the server may be down on purpose).
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Result<Answer, String> {
        let response = self.request(method, path, headers, body).send().map_err(|why| chain(&why))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        self.keep_cookies(&headers);
        let body = response.bytes().map_err(|why| chain(&why))?.to_vec();
        Ok(Answer { status, headers, body, request: format!("{method} {path}") })
    }

    /// A live answer (server-sent events) to read line by line.
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> std::io::BufReader<reqwest::blocking::Response> {
        let response = self.request("GET", path, headers, None).send().unwrap_or_else(|why| panic!("GET {path}: {}", chain(&why)));
        assert!(response.status().is_success(), "GET {path}: {}", response.status());
        std::io::BufReader::new(response)
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> reqwest::blocking::RequestBuilder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let verb = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(verb, format!("{}{path}", self.base));
        let given = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let credentials = self.credentials().clone();
        if let Some(bearer) = &credentials.bearer {
            request = request.bearer_auth(bearer);
        }
        if !credentials.cookies.is_empty() && !given("Cookie") {
            let pairs: Vec<String> = credentials.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", pairs.join("; "));
        }
        if !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            if !given("Idempotency-Key") {
                let key = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                request = request.header("Idempotency-Key", key);
            }
            if credentials.bearer.is_none() && !given("X-Holdpoint-CSRF") {
                request = request.header("X-Holdpoint-CSRF", credentials.csrf.as_deref().unwrap_or("1"));
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match body {
            Some(body) => request.body(body),
            None => request,
        }
    }

    fn keep_cookies(&self, headers: &reqwest::header::HeaderMap) {
        for value in headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            let pair = value.split(';').next().unwrap_or("");
            let Some((name, value)) = pair.split_once('=') else { continue };
            let mut credentials = self.credentials();
            credentials.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                credentials.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn credentials(&self) -> std::sync::MutexGuard<'_, Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, whatever the status.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|why| panic!("{} answered {} and no JSON ({why}): {}", self.request, self.status, self.text()))
    }

    /// The body of a success; `null` where it is empty.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} answered {}: {}", self.request, self.status, self.text());
        if self.body.is_empty() { Value::Null } else { self.value() }
    }

    /// The problem of a refusal with this code (RFC 9457), complete: what, why, and what would change it.
    #[track_caller]
    pub fn refused(&self, code: &str) -> Value {
        assert!((400..500).contains(&self.status), "{} answered {}, expected {code}: {}", self.request, self.status, self.text());
        let kind = self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        assert!(kind.starts_with("application/problem+json"), "{}: {kind}: {}", self.request, self.text());
        let problem = self.value();
        assert_eq!(problem["code"], code, "{}: {problem:#}", self.request);
        for member in ["title", "detail", "unblock"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "the refusal has no {member}: {problem:#}");
        }
        problem
    }
}

/// An error with its causes; reqwest's own text leaves them out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

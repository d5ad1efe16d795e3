//! The server from the command line's side: address, token, one call at a time, problems as errors.

use crate::out::{BadInput, Code};
use anyhow::{Context as _, anyhow};
use reqwest::blocking::{Client as Http, RequestBuilder, Response};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the command line was told about the server.
pub struct Connection {
    pub server: Option<String>,
    pub token_file: Option<PathBuf>,
}

/// A refusal or fault of the server, as RFC 9457 says it.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    pub status: u16,
    pub code: Option<String>,
    pub detail: String,
    pub unblock: Option<String>,
    pub facts: Value,
}

impl Problem {
    /// The exit code it leads to.
    pub fn exit(&self) -> Code {
        match (self.status, self.code.as_deref()) {
            (_, Some("STO-005")) => Code::Indeterminate,
            (401, _) => Code::Unauthorised,
            (403, Some(code)) if code.starts_with("AUTH-") => Code::Unauthorised,
            (400 | 413 | 415, _) => Code::BadInput,
            (400..=499, _) => Code::Blocked,
            _ => Code::Server,
        }
    }
}

/// What `login` remembers.
#[derive(serde::Serialize, serde::Deserialize, Default)]
struct Remembered {
    server: String,
    token: String,
}

/// Where `login` remembers it.
pub fn credentials_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("HOLDPOINT_CREDENTIALS") {
        return Some(PathBuf::from(file));
    }
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(config.join("holdpoint").join("credentials.json"))
}

fn remembered() -> Option<Remembered> {
    serde_json::from_slice(&std::fs::read(credentials_file()?).ok()?).ok()
}

/// Remembers a token, readable by its owner only.
pub fn remember(server: &str, token: &str) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = credentials_file().ok_or_else(|| anyhow!("neither HOME nor XDG_CONFIG_HOME is set"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, &serde_json::to_vec(&Remembered { server: server.to_owned(), token: token.to_owned() })?)?;
    Ok(path)
}

/// A server that is talked to.
pub struct Client {
    base: String,
    token: Option<String>,
    /// Cookie and CSRF token of a session.
    session: Option<(String, String)>,
    http: Http,
}

impl Connection {
    /// The address, without needing a token.
    pub fn address(&self) -> anyhow::Result<String> {
        let found = self
            .server
            .clone()
            .or_else(|| std::env::var("HOLDPOINT_SERVER").ok().filter(|text| !text.is_empty()))
            .or_else(|| remembered().map(|r| r.server));
        found.map(|url| url.trim_end_matches('/').to_owned()).ok_or_else(|| {
            BadInput(
                "no server is known: give --server URL, set HOLDPOINT_SERVER, or sign in with `holdpoint login --server URL HANDLE`"
                    .to_owned(),
            )
            .into()
        })
    }
    /// The server, with the token where one is known.
    pub fn client(&self) -> anyhow::Result<Client> {
        let base = self.address()?;
        let file = self.token_file.clone().or_else(|| std::env::var_os("HOLDPOINT_TOKEN_FILE").map(PathBuf::from));
        let token = match file {
            Some(path) => Some(read_token(&path)?),
            None => remembered().filter(|r| r.server == base).map(|r| r.token),
        };
        Client::new(&base, token)
    }
}

fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).map_err(|why| BadInput(format!("{}: {why}", path.display())))?;
    Ok(text.trim().to_owned())
}

impl Client {
    pub fn new(base: &str, token: Option<String>) -> anyhow::Result<Client> {
        let http = Http::builder().timeout(Duration::from_secs(120)).build().context("no HTTP client")?;
        Ok(Client { base: base.trim_end_matches('/').to_owned(), token, session: None, http })
    }
    pub fn base(&self) -> &str {
        &self.base
    }
    /// Opens a session with a password.
    pub fn sign_in(mut self, handle: &str, password: &str) -> anyhow::Result<Client> {
        let answer = self
            .send(self.http.post(format!("{}/v1/session", self.base)).json(&serde_json::json!({"handle": handle, "password": password})))?;
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(str::to_owned);
        let cookie = cookie.ok_or_else(|| anyhow!("{} opened no session", self.base))?;
        let csrf = answer.json::<Value>()?["csrf"].as_str().unwrap_or_default().to_owned();
        self.session = Some((cookie, csrf));
        Ok(self)
    }
    fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match (&self.token, &self.session) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some((cookie, csrf))) => request.header("Cookie", cookie).header("X-Holdpoint-CSRF", csrf),
            (None, None) => request,
        };
        let answer = request.send().map_err(|why| anyhow!("{} does not answer: {}", self.base, root(&why)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(problem(answer).into())
    }
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(self.http.get(format!("{}{path}", self.base)))?.json()?)
    }
    pub fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.send(self.http.get(format!("{}{path}", self.base)))?.bytes()?.to_vec())
    }
    /// A mutation; its key makes a repetition harmless.
    pub fn call(&self, method: reqwest::Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> anyhow::Result<Value> {
        let key = fresh_key()?;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("Idempotency-Key", key).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = self.send(request)?.text()?;
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::POST, path, body, &[])
    }
    /// Raw bytes up.
    pub fn upload(&self, method: reqwest::Method, path: &str, bytes: Vec<u8>) -> anyhow::Result<Value> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("Idempotency-Key", fresh_key()?)
            .body(bytes)
            .timeout(Duration::from_secs(600));
        let text = self.send(request)?.text()?;
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}

fn fresh_key() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|why| anyhow!("no randomness: {why}"))?;
    Ok(hex::encode(bytes))
}

fn root(why: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = why;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn problem(answer: Response) -> Problem {
    let status = answer.status().as_u16();
    let text = answer.text().unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let of = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    Problem {
        status,
        code: of("code"),
        detail: of("detail")
            .or_else(|| of("title"))
            .unwrap_or_else(|| if text.is_empty() { format!("status {status}") } else { text.chars().take(500).collect() }),
        unblock: of("unblock"),
        facts: body.get("facts").cloned().unwrap_or_default(),
    }
}

/// Percent-encodes one path segment or query value.
pub fn enc(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':') {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

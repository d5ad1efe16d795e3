//! Every "no" of the HTTP API as RFC 9457 problem+json: code, sentence, what would unblock it, facts. Nothing internal:
//! what broke is logged under an id, and the id is told.

use axum::response::{IntoResponse, Response};
use holdpoint_domain::kernel::Refusal;
use holdpoint_store::StoreError;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// What most handlers return.
pub type Answer<T> = Result<T, Problem>;

/// A refusal or a fault on its way out.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    pub code: String,
    pub detail: String,
    pub unblock: String,
    /// Boxed: most problems have none, and every handler carries one.
    pub facts: Box<Value>,
    /// Seconds after which asking again makes sense.
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), unblock: unblock.into(), facts: Box::default(), retry_after: None }
    }
    /// No credential that opens this door.
    pub fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "AUTH-001",
            "no valid credential came with this request",
            "sign in, or send a token that is neither revoked nor expired",
        )
    }
    pub fn not_found(detail: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "HTTP-006", detail, unblock)
    }
    pub fn parameter(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "HTTP-011", detail, "see GET /openapi.json for what this route takes")
    }
    #[must_use]
    pub fn with(mut self, facts: Value) -> Self {
        self.facts = Box::new(facts);
        self
    }
    #[must_use]
    pub fn retry(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
    /// Something broke. The reason goes to the log only.
    pub fn broken(why: &dyn std::fmt::Display) -> Self {
        let id = holdpoint_engine::random_id();
        tracing::error!(%why, id, "a request failed for an internal reason");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "STO-004",
            format!("something broke on the server (reference {id})"),
            "look the reference up in the server's log",
        )
    }
    /// Code, sentence and what unblocks, as pages show it beside a disabled control.
    pub fn short(&self) -> Value {
        json!({"code": self.code, "detail": self.detail, "unblock": self.unblock})
    }
    fn title(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "Not signed in",
            403 => "Not allowed",
            404 => "Not found",
            409 => "Conflict",
            413 => "Too large",
            429 => "Too many attempts",
            400..=499 => "Refused",
            503 => "Not available at present",
            507 => "No space left",
            _ => "Broken",
        }
    }
}

/// The status that a domain refusal has.
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal.code.as_str() {
        code if code.starts_with("AUTH-") => StatusCode::FORBIDDEN,
        "GOV-003" | "GOV-007" | "GOV-008" => StatusCode::FORBIDDEN,
        "REL-001" | "ORC-007" => StatusCode::NOT_FOUND,
        "GOV-005" | "GOV-006" | "REL-007" | "ORC-003" | "ORC-006" => StatusCode::CONFLICT,
        _ if refusal.sentence.starts_with("there is no ") => StatusCode::NOT_FOUND,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(&refusal);
        Self {
            status,
            code: refusal.code,
            detail: refusal.sentence,
            unblock: refusal.unblock,
            facts: Box::new(refusal.facts),
            retry_after: None,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => (*refusal).into(),
            StoreError::Full(why) => {
                tracing::error!(%why, "no space is left");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "STO-001",
                    "no space is left on the server; nothing was written",
                    "free space on the server's storage, then ask again",
                )
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(%why, "the database cannot be reached");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "STO-002",
                    "the database cannot be reached; nothing was written",
                    "ask again in a moment",
                )
                .retry(2)
            }
            StoreError::Conflict(why) => {
                tracing::warn!(%why, "a command met others too often");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "STO-003",
                    "the command met other changes of the same documents too often; nothing was written",
                    "ask again",
                )
                .retry(1)
            }
            StoreError::Indeterminate(why) => {
                tracing::error!(%why, "a commit's outcome is not known");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "STO-005",
                    "it is not known whether this was committed",
                    "send the same request again with the same Idempotency-Key: it is carried out at most once; or read what it would have changed",
                )
                .retry(1)
            }
            StoreError::KeyReused => Self::new(
                StatusCode::CONFLICT,
                "STO-006",
                "this Idempotency-Key was used before with a different body",
                "use a new key for a new command",
            ),
            StoreError::Broken(why) => Self::broken(&why),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:holdpoint:refusal:{}", self.code), "title": self.title(), "status": self.status.as_u16(), "code": self.code,
            "detail": self.detail, "unblock": self.unblock,
        });
        if let (Some(object), false) = (body.as_object_mut(), self.facts.is_null()) {
            object.insert("facts".to_owned(), *self.facts);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

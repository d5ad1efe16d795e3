//! Whom to trust: `trusted_root.json` of sigstore/protobuf-specs (`TrustedRoot`, versions 0.1 and 0.2).
//!
//! The file is believed as it is: how it came (TUF, a repository, a colleague) is the caller's matter. Members that the
//! format gained later are ignored; a missing `validFor.start` is an error, never "always".

use serde::Deserialize;

use crate::json::{self, JsonError};
use crate::sigstore::certificate::Certificate;
use crate::sigstore::key::ForeignKey;
use crate::sigstore::time::{self, Range};
use crate::sigstore::wire::{Bytes, Raw};

/// Files beyond this many bytes are not read.
pub const ROOT_BYTES_MAX: usize = 4 << 20;

/// At most so many authorities of a kind, and certificates in a chain.
const MEMBERS_MAX: usize = 64;

const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

/// A log, of signatures (Rekor) or of certificates (RFC 6962).
#[derive(Debug, Clone)]
pub struct Log {
    /// Where it is reached; for people.
    pub url: String,
    /// How entries name it.
    pub id: Vec<u8>,
    /// None for a kind of key that is not taken here.
    pub key: Option<ForeignKey>,
    /// When its key counts.
    pub valid: Range,
}

/// A certificate authority (Fulcio) or timestamp authority.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Where it is reached; for people.
    pub url: String,
    /// The issuer nearest to the leaf first, the anchor last.
    pub chain: Vec<Certificate>,
    /// When it counts.
    pub valid: Range,
}

/// Everything that is trusted.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    /// Rekor.
    pub tlogs: Vec<Log>,
    /// Fulcio.
    pub authorities: Vec<Authority>,
    /// Certificate transparency.
    pub ctlogs: Vec<Log>,
    /// RFC 3161.
    pub timestamps: Vec<Authority>,
}

/// Why a file is no trusted root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not strict JSON of the shape.
    #[error("not a Sigstore trusted root: {0}")]
    Json(JsonError),
    /// Another media type.
    #[error("not a Sigstore trusted root: mediaType is {0:?}, expected application/vnd.dev.sigstore.trustedroot+json;version=0.1")]
    MediaType(String),
    /// A member with its place.
    #[error("not a Sigstore trusted root: {0}: {1}")]
    Member(String, &'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRoot {
    media_type: String,
    tlogs: Option<Vec<WireLog>>,
    certificate_authorities: Option<Vec<WireAuthority>>,
    ctlogs: Option<Vec<WireLog>>,
    timestamp_authorities: Option<Vec<WireAuthority>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    #[serde(default)]
    base_url: String,
    public_key: WireKey,
    log_id: WireLogId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLogId {
    key_id: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: Bytes,
    #[serde(default)]
    key_details: String,
    valid_for: Option<WireRange>,
}

#[derive(Deserialize)]
struct WireRange {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    #[serde(default)]
    uri: String,
    cert_chain: WireChain,
    valid_for: Option<WireRange>,
}

#[derive(Deserialize)]
struct WireChain {
    certificates: Vec<Raw>,
}

fn range(place: &str, range: Option<WireRange>) -> Result<Range, RootError> {
    let bad = |why| RootError::Member(format!("{place}.validFor"), why);
    let range = range.ok_or(bad("is missing"))?;
    let start = range.start.ok_or(bad("has no start"))?;
    let instant = |text: String| time::parse(&text).ok_or(bad("is no pair of RFC 3339 instants in UTC"));
    let range = Range { start: instant(start)?, end: range.end.map(instant).transpose()? };
    if range.end.is_some_and(|end| end < range.start) {
        return Err(bad("ends before it starts"));
    }
    Ok(range)
}

fn logs(name: &str, logs: Option<Vec<WireLog>>) -> Result<Vec<Log>, RootError> {
    let logs = logs.unwrap_or_default();
    if logs.len() > MEMBERS_MAX {
        return Err(RootError::Member(name.to_owned(), "has more than 64 members"));
    }
    let one = |(i, log): (usize, WireLog)| {
        let place = format!("{name}[{i}]");
        if log.log_id.key_id.0.len() < 4 {
            return Err(RootError::Member(format!("{place}.logId"), "has fewer than 4 bytes"));
        }
        let bytes = &log.public_key.raw_bytes.0;
        let key = if log.public_key.key_details.starts_with("PKCS1_RSA") {
            ForeignKey::from_pkcs1(bytes).ok()
        } else {
            ForeignKey::from_spki_der(bytes).ok()
        };
        let valid = range(&format!("{place}.publicKey"), log.public_key.valid_for)?;
        Ok(Log { url: log.base_url, id: log.log_id.key_id.0, key, valid })
    };
    logs.into_iter().enumerate().map(one).collect()
}

fn authorities(name: &str, all: Option<Vec<WireAuthority>>) -> Result<Vec<Authority>, RootError> {
    let all = all.unwrap_or_default();
    if all.len() > MEMBERS_MAX {
        return Err(RootError::Member(name.to_owned(), "has more than 64 members"));
    }
    let one = |(i, authority): (usize, WireAuthority)| {
        let place = format!("{name}[{i}]");
        let certificates = authority.cert_chain.certificates;
        if certificates.is_empty() || certificates.len() > MEMBERS_MAX {
            return Err(RootError::Member(format!("{place}.certChain"), "has none or more than 64 certificates"));
        }
        let parse = |raw: Raw| Certificate::parse(&raw.raw_bytes.0);
        let chain: Result<Vec<Certificate>, _> = certificates.into_iter().map(parse).collect();
        let chain =
            chain.map_err(|_| RootError::Member(format!("{place}.certChain"), "has a member that is no X.509 certificate in DER"))?;
        Ok(Authority { url: authority.uri, chain, valid: range(&place, authority.valid_for)? })
    };
    all.into_iter().enumerate().map(one).collect()
}

impl TrustedRoot {
    /// Reads a trusted root of at most [`ROOT_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn parse(bytes: &[u8]) -> Result<TrustedRoot, RootError> {
        let wire: WireRoot = json::read(bytes, ROOT_BYTES_MAX).map_err(RootError::Json)?;
        if !MEDIA_TYPES.contains(&wire.media_type.as_str()) {
            return Err(RootError::MediaType(wire.media_type));
        }
        Ok(TrustedRoot {
            tlogs: logs("tlogs", wire.tlogs)?,
            authorities: authorities("certificateAuthorities", wire.certificate_authorities)?,
            ctlogs: logs("ctlogs", wire.ctlogs)?,
            timestamps: authorities("timestampAuthorities", wire.timestamp_authorities)?,
        })
    }
}

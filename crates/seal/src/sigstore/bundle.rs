//! Sigstore bundles, versions 0.1 to 0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`), as JSON.
//!
//! Reads the shape; believes nothing. Unlike protobuf's own readers it refuses members it does not know, because a
//! bundle's version says which there are, and a member that nobody looks at could say the contrary of one that counts.

use serde::Deserialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::json::{self, JsonError};
use crate::sigstore::wire::{Bytes, Chain, LogId, Natural, Raw};

/// Bundles beyond this many bytes are not read.
pub const BUNDLE_BYTES_MAX: usize = 32 << 20;

/// At most so many log entries, timestamps, certificates and hashes of a proof.
pub const MEMBERS_MAX: usize = 64;

/// The version of a bundle; later ones ask for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// An inclusion promise suffices.
    V01,
    /// Inclusion proofs with checkpoints.
    V02,
    /// One certificate instead of a chain.
    V03,
}

impl Version {
    /// The media type that Holdpoint writes for 0.3, and cosign and sigstore-python, too.
    pub const MEDIA_TYPE_V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

    fn of(media_type: &str) -> Option<Version> {
        match media_type {
            "application/vnd.dev.sigstore.bundle+json;version=0.1" => Some(Version::V01),
            "application/vnd.dev.sigstore.bundle+json;version=0.2" => Some(Version::V02),
            "application/vnd.dev.sigstore.bundle+json;version=0.3" | Version::MEDIA_TYPE_V03 => Some(Version::V03),
            _ => None,
        }
    }

    /// As in the media type.
    pub fn name(self) -> &'static str {
        match self {
            Version::V01 => "0.1",
            Version::V02 => "0.2",
            Version::V03 => "0.3",
        }
    }
}

/// By what the signature can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// DER, the leaf first.
    Certificates(Vec<Vec<u8>>),
    /// A hint which key it is; never believed.
    PublicKey(String),
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes that are elsewhere.
    Message {
        /// Algorithm and value that the bundle gives; unauthenticated.
        digest: Option<(String, Vec<u8>)>,
        /// Over the bytes themselves.
        signature: Vec<u8>,
    },
    /// An envelope.
    Dsse(Envelope),
}

/// A proof that an entry is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Index in this log's tree.
    pub log_index: u64,
    /// The root that the proof leads to.
    pub root: Digest,
    /// The tree's size.
    pub tree_size: u64,
    /// Nearest to the leaf first.
    pub hashes: Vec<Digest>,
    /// The log's signed note.
    pub checkpoint: Option<String>,
}

/// An entry of a transparency log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Index over all trees of the log.
    pub log_index: u64,
    /// Which log.
    pub log_id: Vec<u8>,
    /// Kind and version that the bundle claims.
    pub kind: Option<(String, String)>,
    /// Seconds since 1970; unauthenticated without a promise.
    pub integrated_time: Option<i64>,
    /// The signed entry timestamp.
    pub promise: Option<Vec<u8>>,
    /// The inclusion proof.
    pub proof: Option<Proof>,
    /// What the log has hashed.
    pub body: Vec<u8>,
}

/// A bundle; nothing of it is to be believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Of the media type.
    pub version: Version,
    /// See there.
    pub material: Material,
    /// Log entries.
    pub entries: Vec<Entry>,
    /// RFC 3161 responses, DER.
    pub timestamps: Vec<Vec<u8>>,
    /// See there.
    pub content: Content,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not strict JSON of the shape.
    #[error("not a Sigstore bundle: {0}")]
    Json(JsonError),
    /// Another media type.
    #[error("not a Sigstore bundle of version 0.1 to 0.3: mediaType is {0:?}")]
    MediaType(String),
    /// A member with its place.
    #[error("not a Sigstore bundle: {0} {1}")]
    Member(String, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBundle {
    #[serde(rename = "mediaType")]
    _media_type: String,
    verification_material: WireMaterial,
    message_signature: Option<WireMessage>,
    dsse_envelope: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial {
    public_key: Option<WireHint>,
    x509_certificate_chain: Option<Chain>,
    certificate: Option<Raw>,
    tlog_entries: Option<Vec<WireEntry>>,
    timestamp_verification_data: Option<WireTimestamps>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamps {
    rfc3161_timestamps: Option<Vec<WireTimestamp>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamp {
    signed_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEntry {
    #[serde(default = "zero")]
    log_index: Natural,
    log_id: LogId,
    kind_version: Option<WireKind>,
    integrated_time: Option<Natural>,
    inclusion_promise: Option<WirePromise>,
    inclusion_proof: Option<WireProof>,
    canonicalized_body: Bytes,
}

/// Protobuf leaves out what is zero: the first entry of a log has no `logIndex`.
fn zero() -> Natural {
    Natural(0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKind {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WirePromise {
    signed_entry_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireProof {
    #[serde(default = "zero")]
    log_index: Natural,
    root_hash: Bytes,
    tree_size: Natural,
    hashes: Option<Vec<Bytes>>,
    checkpoint: Option<WireCheckpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCheckpoint {
    envelope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessage {
    message_digest: Option<WireDigest>,
    signature: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDigest {
    algorithm: String,
    digest: Bytes,
}

fn bad(place: impl Into<String>, why: impl Into<String>) -> BundleError {
    BundleError::Member(place.into(), why.into())
}

fn material(version: Version, wire: &mut WireMaterial) -> Result<Material, BundleError> {
    let place = "verificationMaterial";
    match (wire.public_key.take(), wire.x509_certificate_chain.take(), wire.certificate.take()) {
        (Some(key), None, None) => Ok(Material::PublicKey(key.hint)),
        (None, Some(_), None) if version >= Version::V03 => {
            Err(bad(place, "has an x509CertificateChain, which version 0.3 replaces by certificate"))
        }
        (None, Some(chain), None) => {
            let all: Vec<Vec<u8>> = chain.certificates.into_iter().map(|raw| raw.raw_bytes.0).collect();
            if all.is_empty() || all.len() > MEMBERS_MAX {
                return Err(bad(format!("{place}.x509CertificateChain"), "has none or more than 64 certificates"));
            }
            Ok(Material::Certificates(all))
        }
        (None, None, Some(certificate)) => Ok(Material::Certificates(vec![certificate.raw_bytes.0])),
        _ => Err(bad(place, "has not exactly one of publicKey, x509CertificateChain and certificate")),
    }
}

fn proof(place: &str, wire: WireProof) -> Result<Proof, BundleError> {
    let digest = |bytes: &Bytes| Digest::from_slice(&bytes.0).ok_or_else(|| bad(place, "has a hash that is not 32 bytes"));
    let hashes = wire.hashes.unwrap_or_default();
    if hashes.len() > MEMBERS_MAX {
        return Err(bad(place, "has more than 64 hashes"));
    }
    Ok(Proof {
        log_index: wire.log_index.0,
        root: digest(&wire.root_hash)?,
        tree_size: wire.tree_size.0,
        hashes: hashes.iter().map(digest).collect::<Result<_, _>>()?,
        checkpoint: wire.checkpoint.map(|checkpoint| checkpoint.envelope),
    })
}

fn entry((i, wire): (usize, WireEntry)) -> Result<Entry, BundleError> {
    let place = format!("tlogEntries[{i}]");
    // Protobuf's zero says the same as nothing: Rekor 2 has no such time.
    let integrated_time = wire.integrated_time.map(|time| i64::try_from(time.0).unwrap_or(i64::MAX)).filter(|time| *time != 0);
    Ok(Entry {
        log_index: wire.log_index.0,
        log_id: wire.log_id.key_id.0,
        kind: wire.kind_version.map(|kind| (kind.kind, kind.version)),
        integrated_time,
        promise: wire.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0),
        proof: wire.inclusion_proof.map(|wire| proof(&format!("{place}.inclusionProof"), wire)).transpose()?,
        body: wire.canonicalized_body.0,
    })
}

/// Whether a document calls itself a bundle, rather than a bare envelope.
pub fn is_bundle(value: &Value) -> bool {
    value.get("mediaType").is_some() || value.get("verificationMaterial").is_some()
}

impl Bundle {
    /// Reads a bundle of at most [`BUNDLE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        Bundle::from_value(json::parse(bytes, BUNDLE_BYTES_MAX).map_err(BundleError::Json)?)
    }

    /// A bundle out of a document that was read strictly.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_value(value: Value) -> Result<Bundle, BundleError> {
        let media_type = value["mediaType"].as_str().unwrap_or_default();
        let version = Version::of(media_type).ok_or_else(|| BundleError::MediaType(media_type.to_owned()))?;
        let WireBundle { _media_type, verification_material: mut wire, message_signature, dsse_envelope } =
            json::shape(value).map_err(BundleError::Json)?;
        let material = material(version, &mut wire)?;
        let content = match (message_signature, dsse_envelope) {
            (Some(message), None) => Content::Message {
                digest: message.message_digest.map(|digest| (digest.algorithm, digest.digest.0)),
                signature: message.signature.0,
            },
            (None, Some(envelope)) => {
                let bytes = envelope.to_string().into_bytes();
                Content::Dsse(Envelope::parse(&bytes).map_err(|why| bad("dsseEnvelope", format!("is refused: {why}")))?)
            }
            _ => return Err(bad("the bundle", "has not exactly one of messageSignature and dsseEnvelope")),
        };
        let entries = wire.tlog_entries.unwrap_or_default();
        let timestamps = wire.timestamp_verification_data.and_then(|data| data.rfc3161_timestamps).unwrap_or_default();
        if entries.len() > MEMBERS_MAX || timestamps.len() > MEMBERS_MAX {
            return Err(bad("verificationMaterial", "has more than 64 log entries or timestamps"));
        }
        Ok(Bundle {
            version,
            material,
            entries: entries.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?,
            timestamps: timestamps.into_iter().map(|stamp| stamp.signed_timestamp.0).collect(),
            content,
        })
    }
}

/// A bundle of version 0.3 around an envelope signed with a key: `hint` is base64 of the key id's bytes, as cosign writes it.
pub fn with_key(envelope: &Envelope, hint: &str) -> Value {
    let envelope: Value = serde_json::from_slice(&envelope.to_vec()).unwrap_or_default();
    serde_json::json!({
        "mediaType": Version::MEDIA_TYPE_V03,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": envelope,
    })
}

//! What a log entry is about: its body compared with *this* signature, key and digest.
//!
//! Kinds of Rekor 1: `hashedrekord` 0.0.1, `dsse` 0.0.1, `intoto` 0.0.2; of Rekor 2: `hashedrekord` 0.0.2 and `dsse` 0.0.2.
//! The hash over the whole envelope that `dsse` and `intoto` carry depends on how the envelope was spelled when it was
//! sent, and cannot be compared; payload and signature are.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::base64;
use crate::json;
use crate::sigstore::bundle::Entry;
use crate::sigstore::pem;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::wire::{Bytes, Raw};

const RULE: &str = "log-entry";

/// What the entry must be about.
pub struct Signed<'a> {
    /// What the signature is over: the artifact's bytes, or the envelope's pre-authentication encoding.
    pub message: &'a [u8],
    /// The envelope's payload.
    pub payload: Option<&'a [u8]>,
    /// The signature's bytes.
    pub signature: &'a [u8],
    /// DER of the certificate, or of the public key.
    pub verifier: Verifier<'a>,
}

/// By what the signature was checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verifier<'a> {
    /// DER of the certificate.
    Certificate(&'a [u8]),
    /// DER of the SubjectPublicKeyInfo.
    Key(&'a [u8]),
}

/// SHA-2 of `bytes` by any of the spellings of its name.
pub fn digest(algorithm: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        "sha256" | "SHA2_256" => Some(Sha256::digest(bytes).to_vec()),
        "sha384" | "SHA2_384" => Some(Sha384::digest(bytes).to_vec()),
        "sha512" | "SHA2_512" => Some(Sha512::digest(bytes).to_vec()),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    api_version: String,
    kind: String,
    spec: Value,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedRekord1 {
    data: HashedData1,
    signature: HashedSignature1,
}

#[derive(Deserialize)]
struct HashedData1 {
    hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature1 {
    content: Bytes,
    public_key: Content,
}

#[derive(Deserialize)]
struct Content {
    content: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse1 {
    payload_hash: Hash,
    signatures: Vec<DsseSignature1>,
}

#[derive(Deserialize)]
struct DsseSignature1 {
    signature: Bytes,
    verifier: Bytes,
}

#[derive(Deserialize)]
struct Intoto2 {
    content: IntotoContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoContent {
    envelope: IntotoEnvelope,
    payload_hash: Hash,
}

#[derive(Deserialize)]
struct IntotoEnvelope {
    signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignature {
    public_key: Bytes,
    /// Base64 of base64.
    sig: Bytes,
}

#[derive(Deserialize)]
struct Data2 {
    algorithm: String,
    digest: Bytes,
}

#[derive(Deserialize)]
struct HashedRekord2 {
    data: Data2,
    signature: Signature2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse2 {
    payload_hash: Data2,
    signatures: Vec<Signature2>,
}

#[derive(Deserialize)]
struct Signature2 {
    content: Bytes,
    verifier: Verifier2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier2 {
    x509_certificate: Option<Raw>,
    public_key: Option<Raw>,
}

fn refuse(what: &str, found: impl Into<String>, expected: impl Into<String>) -> Refusal {
    Refusal::new(RULE, what, found, expected)
}

fn shape<T: for<'de> Deserialize<'de>>(kind: &str, value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|why| refuse("the log entry's body", why.to_string(), format!("a {kind}")))
}

fn same_hash(what: &str, algorithm: &str, found: &[u8], bytes: &[u8]) -> Result<(), Refusal> {
    let Some(expected) = digest(algorithm, bytes) else {
        return Err(refuse(what, format!("algorithm {algorithm:?}"), "sha256, sha384 or sha512"));
    };
    if expected == found { Ok(()) } else { Err(refuse(what, hex::encode(found), hex::encode(expected))) }
}

fn same_hex(what: &str, hash: &Hash, bytes: &[u8]) -> Result<(), Refusal> {
    let found = hex::decode(&hash.value).map_err(|_| refuse(what, hash.value.clone(), "hexadecimal digits"))?;
    same_hash(what, &hash.algorithm, &found, bytes)
}

fn same_signature(found: &[u8], signed: &Signed) -> Result<(), Refusal> {
    if found == signed.signature {
        return Ok(());
    }
    Err(refuse("the signature in the log entry", base64::encode(found), base64::encode(signed.signature)))
}

fn same_verifier(found: Option<Verifier<'_>>, signed: &Signed) -> Result<(), Refusal> {
    if found == Some(signed.verifier) {
        return Ok(());
    }
    let expected = match signed.verifier {
        Verifier::Certificate(_) => "the bundle's certificate",
        Verifier::Key(_) => "the public key",
    };
    Err(refuse("the key in the log entry", "another one", expected))
}

fn same_pem(text: &[u8], signed: &Signed) -> Result<(), Refusal> {
    let block = std::str::from_utf8(text).ok().and_then(pem::decode);
    let found = match &block {
        Some(("CERTIFICATE", der)) => Some(Verifier::Certificate(der)),
        Some(("PUBLIC KEY", der)) => Some(Verifier::Key(der)),
        _ => None,
    };
    same_verifier(found, signed)
}

fn payload<'a>(kind: &str, signed: &Signed<'a>) -> Result<&'a [u8], Refusal> {
    signed.payload.ok_or_else(|| refuse("the log entry's kind", kind, "hashedrekord, for a signature over an artifact"))
}

/// A bundle has one signature, and so has its entry: more could be anybody's.
fn only<T>(mut all: Vec<T>) -> Result<T, Refusal> {
    let count = all.len();
    match all.pop() {
        Some(one) if count == 1 => Ok(one),
        _ => Err(refuse("the log entry's signatures", format!("{count}"), "exactly one")),
    }
}

fn same_2(data: &Data2, signature: &Signature2, bytes: &[u8], signed: &Signed) -> Result<(), Refusal> {
    same_hash("the digest in the log entry", &data.algorithm, &data.digest.0, bytes)?;
    same_signature(&signature.content.0, signed)?;
    let found = match (&signature.verifier.x509_certificate, &signature.verifier.public_key) {
        (Some(certificate), None) => Some(Verifier::Certificate(&certificate.raw_bytes.0)),
        (None, Some(key)) => Some(Verifier::Key(&key.raw_bytes.0)),
        _ => None,
    };
    same_verifier(found, signed)
}

/// Compares an entry's body with what was signed.
///
/// # Errors
/// [`Refusal`] of the rule `log-entry`.
pub fn check(entry: &Entry, signed: &Signed) -> Result<(), Refusal> {
    let value = json::parse(&entry.body, entry.body.len()).map_err(|why| refuse("the log entry's body", why.to_string(), "strict JSON"))?;
    let body: Body = shape("log entry", value)?;
    let told = (body.kind.as_str(), body.api_version.as_str());
    if let Some((kind, version)) = &entry.kind
        && (kind.as_str(), version.as_str()) != told
    {
        return Err(refuse("the log entry's kindVersion", format!("{kind} {version}"), format!("{} {} of its body", told.0, told.1)));
    }
    match told {
        ("hashedrekord", "0.0.1") => {
            let spec: HashedRekord1 = shape("hashedrekord 0.0.1", body.spec)?;
            same_hex("the digest in the log entry", &spec.data.hash, signed.message)?;
            same_signature(&spec.signature.content.0, signed)?;
            same_pem(&spec.signature.public_key.content.0, signed)
        }
        ("dsse", "0.0.1") => {
            let spec: Dsse1 = shape("dsse 0.0.1", body.spec)?;
            same_hex("the payload's digest in the log entry", &spec.payload_hash, payload("dsse", signed)?)?;
            let signature = only(spec.signatures)?;
            same_signature(&signature.signature.0, signed)?;
            same_pem(&signature.verifier.0, signed)
        }
        ("intoto", "0.0.2") => {
            let spec: Intoto2 = shape("intoto 0.0.2", body.spec)?;
            same_hex("the payload's digest in the log entry", &spec.content.payload_hash, payload("intoto", signed)?)?;
            let signature = only(spec.content.envelope.signatures)?;
            let inner = std::str::from_utf8(&signature.sig.0).ok().and_then(|text| base64::decode_either(text).ok());
            let inner = inner.ok_or_else(|| refuse("the signature in the log entry", "no base64 of base64", "base64 of base64"))?;
            same_signature(&inner, signed)?;
            same_pem(&signature.public_key.0, signed)
        }
        ("hashedrekord", "0.0.2") => {
            let mut spec = body.spec;
            let spec: HashedRekord2 = shape("hashedrekord 0.0.2", spec["hashedRekordV002"].take())?;
            same_2(&spec.data, &spec.signature, signed.message, signed)
        }
        ("dsse", "0.0.2") => {
            let mut spec = body.spec;
            let spec: Dsse2 = shape("dsse 0.0.2", spec["dsseV002"].take())?;
            let signature = only(spec.signatures)?;
            same_2(&spec.payload_hash, &signature, payload("dsse", signed)?, signed)
        }
        (kind, version) => Err(refuse(
            "the log entry's kind",
            format!("{kind} {version}"),
            "hashedrekord 0.0.1 or 0.0.2, dsse 0.0.1 or 0.0.2, intoto 0.0.2",
        )),
    }
}

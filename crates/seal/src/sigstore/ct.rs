//! Signed certificate timestamps inside a certificate (RFC 6962, sections 3.2 and 3.3): a certificate transparency log
//! promised to show the certificate before it was issued.

use x509_cert::der::Decode as _;
use x509_cert::spki::ObjectIdentifier;

use crate::digest::Digest;
use crate::sigstore::asn1::{self, NotDer};
use crate::sigstore::certificate::Certificate;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::root::Log;
use crate::sigstore::time;

const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

const RULE: &str = "certificate-timestamp";

struct Timestamp<'a> {
    log: &'a [u8],
    /// Milliseconds since 1970.
    at: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Splits off `n` bytes.
fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(head)
}

/// Splits off what a length of two bytes announces.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(bytes, 2)?;
    take(bytes, usize::from(u16::from_be_bytes(length.try_into().ok()?)))
}

fn timestamp(mut bytes: &[u8]) -> Option<Timestamp<'_>> {
    // Version 1 is written 0.
    if take(&mut bytes, 1)? != [0] {
        return None;
    }
    let log = take(&mut bytes, 32)?;
    let at = u64::from_be_bytes(take(&mut bytes, 8)?.try_into().ok()?);
    let extensions = vector(&mut bytes)?;
    // SHA-256 with ECDSA or RSA (RFC 5246, section 7.4.1.4.1); which of both is the key's matter.
    if !matches!(take(&mut bytes, 2)?, [4, 1 | 3]) {
        return None;
    }
    let signature = vector(&mut bytes)?;
    bytes.is_empty().then_some(Timestamp { log, at, extensions, signature })
}

fn list(extension: &[u8]) -> Option<Vec<Timestamp<'_>>> {
    let inner = asn1::one(extension, asn1::OCTET_STRING).ok()?.value;
    let mut rest = inner;
    let mut all = vector(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    while !all.is_empty() {
        found.push(timestamp(vector(&mut all)?)?);
    }
    Some(found)
}

/// The signed part without the list of timestamps, as the log saw it before the certificate was issued.
fn precertificate(certificate: &Certificate) -> Result<Vec<u8>, NotDer> {
    let members = asn1::one(&certificate.tbs, asn1::SEQUENCE)?.members()?;
    let mut parts = Vec::with_capacity(members.len());
    for member in members {
        // Extensions are [3], explicitly tagged.
        if member.tag != 0xA3 {
            parts.push(member.full.to_vec());
            continue;
        }
        let mut kept = Vec::new();
        for extension in asn1::one(member.value, asn1::SEQUENCE)?.members()? {
            let [id, ..] = extension.members()?[..] else { return Err(NotDer) };
            if ObjectIdentifier::from_der(id.full)? != SCT_LIST {
                kept.push(extension.full);
            }
        }
        let sequence = asn1::encode(asn1::SEQUENCE, &kept);
        parts.push(asn1::encode(0xA3, &[&sequence]));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Ok(asn1::encode(asn1::SEQUENCE, &parts))
}

/// What the log signed.
fn message(timestamp: &Timestamp, issuer: &Certificate, precertificate: &[u8]) -> Option<Vec<u8>> {
    // Version 1, certificate timestamp; entry type precertificate.
    let mut out = vec![0, 0];
    out.extend_from_slice(&timestamp.at.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(Digest::of(&issuer.spki).as_bytes());
    let length = u32::try_from(precertificate.len()).ok().filter(|length| *length < 1 << 24)?;
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(precertificate);
    out.extend_from_slice(&u16::try_from(timestamp.extensions.len()).ok()?.to_be_bytes());
    out.extend_from_slice(timestamp.extensions);
    Some(out)
}

/// Checks that a log of `logs` promised to show this certificate. Timestamps of unknown logs are passed over; a known
/// log's has to be right.
///
/// # Errors
/// [`Refusal`] of the rule `certificate-timestamp`.
pub fn check<'a>(certificate: &Certificate, issuer: &Certificate, logs: &'a [Log]) -> Result<&'a Log, Refusal> {
    let what = "the certificate's signed timestamp (SCT)";
    let refuse = |found: &str, expected: &str| Refusal::new(RULE, what, found, expected);
    let extension =
        certificate.extension(SCT_LIST).ok_or_else(|| refuse("none", "one of a certificate transparency log of the trusted root"))?;
    let all = list(extension).ok_or_else(|| refuse("a malformed list", "a list of RFC 6962"))?;
    let precertificate = precertificate(certificate).map_err(|NotDer| refuse("a malformed certificate", "DER"))?;
    let mut good = None;
    for one in &all {
        let known: Vec<&Log> = logs.iter().filter(|log| log.id == one.log).collect();
        if known.is_empty() {
            continue;
        }
        let at = i64::try_from(one.at / 1000).unwrap_or(i64::MAX);
        let Some(log) = known.iter().copied().find(|log| log.valid.holds(at)) else {
            let ranges: Vec<String> = known.iter().map(|log| log.valid.show()).collect();
            return Err(refuse(&format!("one of {}", time::show(at)), &format!("in the log key's validity, {}", ranges.join(" or "))));
        };
        let message = message(one, issuer, &precertificate).ok_or_else(|| refuse("too long a certificate", "one below 16 MiB"))?;
        if !log.key.as_ref().is_some_and(|key| key.verifies(&message, one.signature)) {
            return Err(refuse(&format!("a signature that is not the log's ({})", log.url), "the log's signature over this certificate"));
        }
        good = Some(log);
    }
    good.ok_or_else(|| {
        let found: Vec<String> = all.iter().map(|one| hex::encode(one.log)).collect();
        refuse(&format!("logs {}", found.join(", ")), "a certificate transparency log of the trusted root")
    })
}

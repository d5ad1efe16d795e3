//! Timestamps of RFC 3161 (with RFC 5816) inside CMS (RFC 5652): an authority of the trusted root saw a signature at a time.
//!
//! Only DER; only SHA-2; exactly one signer; always with signed attributes. The authority's statement about its accuracy is
//! not used: certificates here live for minutes, accuracies are below a second.

use x509_cert::der::Decode as _;
use x509_cert::spki::ObjectIdentifier;

use crate::sigstore::asn1::{self, NotDer, Tlv};
use crate::sigstore::body;
use crate::sigstore::certificate::{self, Certificate};
use crate::sigstore::key;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::root::Authority;
use crate::sigstore::time::{self, Seconds};

const RULE: &str = "timestamp";
const WHAT: &str = "the signed timestamp (RFC 3161)";

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The parts of a response that are looked at.
struct Token<'a> {
    info: &'a [u8],
    certificates: Vec<Certificate>,
    signer: Tlv<'a>,
    digest: &'static str,
    /// With the tag under which they are signed.
    attributes: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: &'a [u8],
}

fn oid(tlv: &Tlv) -> Result<ObjectIdentifier, NotDer> {
    Ok(ObjectIdentifier::from_der(tlv.of(asn1::OID)?.full)?)
}

/// The algorithm of an AlgorithmIdentifier; parameters of digests are absent or NULL, and mean nothing.
fn algorithm(tlv: &Tlv) -> Result<ObjectIdentifier, NotDer> {
    oid(tlv.of(asn1::SEQUENCE)?.members()?.first().ok_or(NotDer)?)
}

fn digest_name(tlv: &Tlv) -> Result<&'static str, NotDer> {
    match algorithm(tlv)? {
        SHA256 => Ok("sha256"),
        SHA384 => Ok("sha384"),
        SHA512 => Ok("sha512"),
        _ => Err(NotDer),
    }
}

/// Reads a TimeStampResp down to its one signer.
fn token(bytes: &[u8]) -> Result<Token<'_>, NotDer> {
    let response = asn1::one(bytes, asn1::SEQUENCE)?.members()?;
    let [status, content] = response.as_slice() else { return Err(NotDer) };
    let status = status.of(asn1::SEQUENCE)?.members()?;
    // 0 granted, 1 granted with modifications.
    if !matches!(status.first().ok_or(NotDer)?.of(asn1::INTEGER)?.value, [0 | 1]) {
        return Err(NotDer);
    }
    let content = content.of(asn1::SEQUENCE)?.members()?;
    let [kind, explicit] = content.as_slice() else { return Err(NotDer) };
    if oid(kind)? != SIGNED_DATA {
        return Err(NotDer);
    }
    let signed = asn1::one(explicit.of(0xA0)?.value, asn1::SEQUENCE)?.members()?;
    let [_version, _digests, inner, rest @ ..] = signed.as_slice() else { return Err(NotDer) };
    let inner = inner.of(asn1::SEQUENCE)?.members()?;
    let [kind, explicit] = inner.as_slice() else { return Err(NotDer) };
    if oid(kind)? != TST_INFO {
        return Err(NotDer);
    }
    let info = asn1::one(explicit.of(0xA0)?.value, asn1::OCTET_STRING)?.value;
    let (signers, optional) = rest.split_last().ok_or(NotDer)?;
    let mut certificates = Vec::new();
    for set in optional.iter().filter(|set| set.tag == 0xA0) {
        certificates = set.members()?.iter().map(|one| Certificate::parse(one.full)).collect::<Result<_, _>>()?;
    }
    let signers = signers.of(asn1::SET)?.members()?;
    let [signer] = signers.as_slice() else { return Err(NotDer) };
    let members = signer.of(asn1::SEQUENCE)?.members()?;
    let [_version, signer, digest, attributes, algorithm_id, signature, ..] = members.as_slice() else { return Err(NotDer) };
    let digest = digest_name(digest)?;
    let algorithm = match (algorithm(algorithm_id)?, digest) {
        (key::RSA_ENCRYPTION, "sha256") => key::RSA_SHA256,
        (key::RSA_ENCRYPTION, "sha384") => key::RSA_SHA384,
        (key::RSA_ENCRYPTION, _) => key::RSA_SHA512,
        (other, _) => other,
    };
    Ok(Token {
        info,
        certificates,
        signer: *signer,
        digest,
        attributes: asn1::encode(asn1::SET, &[attributes.of(0xA0)?.value]),
        algorithm,
        signature: signature.of(asn1::OCTET_STRING)?.value,
    })
}

impl Token<'_> {
    /// The one value of an attribute.
    fn attribute(&self, id: ObjectIdentifier) -> Result<Option<Tlv<'_>>, NotDer> {
        let mut found = None;
        for attribute in asn1::one(&self.attributes, asn1::SET)?.members()? {
            let members = attribute.of(asn1::SEQUENCE)?.members()?;
            let [kind, values] = members.as_slice() else { return Err(NotDer) };
            if oid(kind)? != id {
                continue;
            }
            let values = values.of(asn1::SET)?.members()?;
            let [value] = values.as_slice() else { return Err(NotDer) };
            if found.replace(*value).is_some() {
                return Err(NotDer);
            }
        }
        Ok(found)
    }

    /// Whether the attributes are about this content.
    fn about_content(&self) -> Result<bool, NotDer> {
        let kind = self.attribute(CONTENT_TYPE)?.ok_or(NotDer)?;
        let digest = self.attribute(MESSAGE_DIGEST)?.ok_or(NotDer)?.of(asn1::OCTET_STRING)?.value;
        Ok(oid(&kind)? == TST_INFO && body::digest(self.digest, self.info).as_deref() == Some(digest))
    }

    fn names(&self, certificate: &Certificate) -> Result<bool, NotDer> {
        // [0] SubjectKeyIdentifier, or issuer and serial number.
        if self.signer.tag == 0x80 {
            let id = certificate.extension(SUBJECT_KEY_ID).ok_or(NotDer)?;
            return Ok(asn1::one(id, asn1::OCTET_STRING)?.value == self.signer.value);
        }
        let members = self.signer.of(asn1::SEQUENCE)?.members()?;
        let [issuer, serial] = members.as_slice() else { return Err(NotDer) };
        Ok(issuer.full == certificate.issuer && serial.of(asn1::INTEGER)?.value == certificate.serial)
    }

    /// The certificate that RFC 5035 lets the signer name by its hash, where it does.
    fn binds(&self, certificate: &Certificate) -> Result<bool, NotDer> {
        let Some(value) = self.attribute(SIGNING_CERTIFICATE_V2)? else { return Ok(true) };
        let outer = value.of(asn1::SEQUENCE)?.members()?;
        let list = outer.first().ok_or(NotDer)?.of(asn1::SEQUENCE)?.members()?;
        let first = list.first().ok_or(NotDer)?.of(asn1::SEQUENCE)?.members()?;
        let (algorithm, hash) = match first.as_slice() {
            [hash, ..] if hash.tag == asn1::OCTET_STRING => ("sha256", hash),
            [algorithm, hash, ..] => (digest_name(algorithm)?, hash),
            _ => return Err(NotDer),
        };
        Ok(body::digest(algorithm, &certificate.der).as_deref() == Some(hash.of(asn1::OCTET_STRING)?.value))
    }
}

/// Imprint (algorithm and value) and time of a TSTInfo.
fn info(bytes: &[u8]) -> Result<(&'static str, &[u8], Seconds), NotDer> {
    let members = asn1::one(bytes, asn1::SEQUENCE)?.members()?;
    let [version, policy, imprint, serial, at, ..] = members.as_slice() else { return Err(NotDer) };
    if version.of(asn1::INTEGER)?.value != [1] {
        return Err(NotDer);
    }
    oid(policy)?;
    serial.of(asn1::INTEGER)?;
    let imprint = imprint.of(asn1::SEQUENCE)?.members()?;
    let [algorithm, value] = imprint.as_slice() else { return Err(NotDer) };
    let text = std::str::from_utf8(at.of(asn1::GENERALIZED_TIME)?.value).map_err(|_| NotDer)?;
    Ok((digest_name(algorithm)?, value.of(asn1::OCTET_STRING)?.value, generalized_time(text).ok_or(NotDer)?))
}

/// `YYYYMMDDhhmmss[.f…]Z`.
fn generalized_time(text: &str) -> Option<Seconds> {
    let (digits, rest) = text.split_at_checked(14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &digits[from..to];
    time::parse(&format!("{}-{}-{}T{}:{}:{}{rest}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14)))
}

/// Checks a timestamp over `signature` by the authorities of the trusted root, and gives its time.
///
/// # Errors
/// [`Refusal`] of the rule `timestamp`, or of a rule `certificate-…` about the authority's certificates.
pub fn check(response: &[u8], signature: &[u8], authorities: &[Authority]) -> Result<Seconds, Refusal> {
    let refuse = |found: String, expected: &str| Refusal::new(RULE, WHAT, found, expected);
    let malformed = |NotDer| refuse("a malformed response".into(), "a granted response in DER with one signer and SHA-2");
    let token = token(response).map_err(malformed)?;
    let (algorithm, imprint, at) = info(token.info).map_err(malformed)?;
    let expected = body::digest(algorithm, signature).unwrap_or_default();
    if imprint != expected {
        return Err(refuse(format!("about {algorithm} {}", hex::encode(imprint)), &format!("{} of this signature", hex::encode(expected))));
    }
    if !token.about_content().map_err(malformed)? {
        return Err(refuse("signed attributes of another content".into(), "this content's digest"));
    }
    let mut obstacle = None;
    for authority in authorities {
        let candidates = authority.chain.iter().chain(&token.certificates);
        let signer = candidates
            .filter(|one| token.names(one).unwrap_or(false))
            .find(|one| one.key.as_ref().is_some_and(|key| key.verifies_by(token.algorithm, &token.attributes, token.signature)));
        let Some(signer) = signer else { continue };
        match authorised(&token, signer, authority, at) {
            Ok(()) => return Ok(at),
            Err(refusal) => obstacle = Some(refusal),
        }
    }
    Err(obstacle.unwrap_or_else(|| {
        let known: Vec<&str> = authorities.iter().map(|authority| authority.url.as_str()).collect();
        let known =
            if known.is_empty() { "a timestamp authority, of which the trusted root has none".to_owned() } else { known.join(" or ") };
        refuse("signed by another authority".into(), &known)
    }))
}

fn authorised(token: &Token, signer: &Certificate, authority: &Authority, at: Seconds) -> Result<(), Refusal> {
    let refuse = |found: String, expected: String| Refusal::new(RULE, WHAT, found, expected);
    if !token.binds(signer).unwrap_or(false) {
        return Err(refuse("bound to another certificate".into(), "the certificate that signed it".into()));
    }
    if !authority.valid.holds(at) {
        return Err(refuse(format!("of {}", time::show(at)), format!("in the validity of {}, {}", authority.url, authority.valid.show())));
    }
    certificate::path(signer, &token.certificates, &authority.chain, certificate::TIME_STAMPING, at).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_rfc_3161_writes_them() {
        assert_eq!(generalized_time("19700101000001Z"), Some(1));
        assert_eq!(generalized_time("19700101000001.5Z"), Some(1));
        for text in ["", "1970010100000Z", "197001010000010", "19700101000001+00", "1970010100000aZ", "19701301000001Z", "１9700101000001Z"]
        {
            assert_eq!(generalized_time(text), None, "{text}");
        }
    }
}

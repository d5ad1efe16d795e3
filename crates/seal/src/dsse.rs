//! DSSE: the Dead Simple Signing Envelope, protocol version 1 (github.com/secure-systems-lab/dsse, `protocol.md` and
//! `envelope.md`).
//!
//! This file knows signatures, not trust: whose keys count, for what and when, is [`crate::trust`]. Members of the
//! envelope that DSSE does not define are ignored, as its specification demands; nothing is ever read from them.

use serde::{Deserialize, Serialize};

use crate::base64;
use crate::canonical;
use crate::digest::Digest;
use crate::json::{self, JsonError};
use crate::keys::{KeyId, PublicKey, SigningKey};

/// Payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Envelopes beyond this many bytes are not read.
pub const ENVELOPE_BYTES_MAX: usize = 16 << 20;

/// An envelope carries at most this many signatures; each costs a verification.
pub const SIGNATURES_MAX: usize = 32;

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signer's hint which key it is; unauthenticated and possibly empty.
    pub keyid: String,
    /// The raw signature bytes.
    pub sig: Vec<u8>,
}

/// A parsed envelope; its payload is *not* yet to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is (part of what is signed).
    pub payload_type: String,
    /// The payload's bytes.
    pub payload: Vec<u8>,
    /// At least one signature.
    pub signatures: Vec<Signature>,
}

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not strict JSON of the envelope's shape.
    #[error("the envelope is no strict JSON of the DSSE shape")]
    Json(#[source] JsonError),
    /// A member is not base64.
    #[error("the envelope's {0} is no base64")]
    Base64(&'static str),
    /// `signatures` is empty.
    #[error("the envelope has no signature")]
    NoSignatures,
    /// More than [`SIGNATURES_MAX`].
    #[error("the envelope has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// The same key id or the same signature appears twice.
    #[error("the envelope has the same signature or key id twice")]
    DuplicateSignature,
    /// Another payload type than expected.
    #[error("the payload type is {found:?}, expected {expected:?}")]
    PayloadType {
        /// What the caller reads.
        expected: String,
        /// What the envelope says.
        found: String,
    },
    /// Not signed by exactly the expected key.
    #[error("the envelope is not signed by exactly the key {expected}")]
    NotSignedBy {
        /// The one key that had to sign.
        expected: KeyId,
    },
    /// The envelope is not in canonical form although its producer is ours.
    #[error("the envelope is not canonical JSON")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
struct WireEnvelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    #[serde(default)]
    keyid: Option<String>,
    sig: String,
}

/// Pre-authentication encoding: `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in decimal bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

impl Envelope {
    /// Signs `payload` with every key given; key ids are the keys' own.
    ///
    /// # Errors
    /// [`DsseError::NoSignatures`] without keys, [`DsseError::DuplicateSignature`] for a key given twice.
    pub fn sign(payload_type: &str, payload: Vec<u8>, keys: &[&SigningKey]) -> Result<Envelope, DsseError> {
        let message = pae(payload_type, &payload);
        let signatures = keys.iter().map(|key| Signature { keyid: key.id().to_string(), sig: key.sign(&message) }).collect();
        let envelope = Envelope { payload_type: payload_type.to_owned(), payload, signatures };
        envelope.check()?;
        Ok(envelope)
    }

    /// Reads an envelope of at most [`ENVELOPE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`DsseError`]: duplicate keys, trailing bytes and wrong shapes are `Json`; also no or too many signatures and
    /// base64 that is not canonical.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, DsseError> {
        let wire: WireEnvelope = json::read(bytes, ENVELOPE_BYTES_MAX).map_err(DsseError::Json)?;
        if wire.signatures.len() > SIGNATURES_MAX {
            return Err(DsseError::TooManySignatures);
        }
        let payload = base64::decode_either(&wire.payload).map_err(|_| DsseError::Base64("payload"))?;
        let mut signatures = Vec::with_capacity(wire.signatures.len());
        for signature in wire.signatures {
            let sig = base64::decode_either(&signature.sig).map_err(|_| DsseError::Base64("sig"))?;
            signatures.push(Signature { keyid: signature.keyid.unwrap_or_default(), sig });
        }
        let envelope = Envelope { payload_type: wire.payload_type, payload, signatures };
        envelope.check()?;
        Ok(envelope)
    }

    fn check(&self) -> Result<(), DsseError> {
        if self.signatures.is_empty() {
            return Err(DsseError::NoSignatures);
        }
        for (i, a) in self.signatures.iter().enumerate() {
            let twice = |b: &Signature| b.sig == a.sig || (!a.keyid.is_empty() && a.keyid == b.keyid);
            if self.signatures[..i].iter().any(twice) {
                return Err(DsseError::DuplicateSignature);
            }
        }
        Ok(())
    }

    /// The envelope as canonical JSON, standard base64.
    pub fn to_vec(&self) -> Vec<u8> {
        let wire = WireEnvelope {
            payload_type: self.payload_type.clone(),
            payload: base64::encode(&self.payload),
            signatures: self
                .signatures
                .iter()
                .map(|s| WireSignature { keyid: Some(s.keyid.clone()), sig: base64::encode(&s.sig) })
                .collect(),
        };
        // Strings and lists of strings always have a canonical form.
        canonical::to_vec(&wire).unwrap_or_default()
    }

    /// What the signatures are over.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// SHA-256 of the payload.
    pub fn payload_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// # Errors
    /// [`DsseError::PayloadType`] when it is another one.
    pub fn expect_type(&self, expected: &str) -> Result<(), DsseError> {
        if self.payload_type == expected {
            return Ok(());
        }
        Err(DsseError::PayloadType { expected: expected.to_owned(), found: self.payload_type.clone() })
    }

    /// Whether any signature is `key`'s over this payload. Says nothing about the other signatures; policies go through
    /// [`crate::trust::verify`].
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        let message = self.pae();
        self.signatures.iter().any(|s| key.verifies(&message, &s.sig))
    }

    /// For Holdpoint's own documents: canonical envelope bytes, this payload type, and exactly one signature, made by
    /// `key` and naming it. No byte of such an envelope can change unnoticed, the key id hint included.
    ///
    /// # Errors
    /// [`DsseError`].
    pub fn open_own(bytes: &[u8], payload_type: &str, key: &PublicKey) -> Result<Envelope, DsseError> {
        let envelope = Envelope::parse(bytes)?;
        envelope.expect_type(payload_type)?;
        let not_signed = DsseError::NotSignedBy { expected: key.id() };
        let [signature] = envelope.signatures.as_slice() else { return Err(not_signed) };
        if signature.keyid != key.id().to_string() || !key.verifies(&envelope.pae(), &signature.sig) {
            return Err(not_signed);
        }
        if envelope.to_vec() != bytes {
            return Err(DsseError::NotCanonical);
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "http://example.com/HelloWorld";

    /// The test vector of `protocol.md`: the published key (X, Y and d in hexadecimal), signature and envelope.
    #[test]
    fn the_published_vector() {
        assert_eq!(pae(TYPE, b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        let d = hex::decode("d73ec437fd6346e3619c5ebfdfff0f6916804955ad32ac9ac492b0ede1f6ffb7").unwrap();
        let x = hex::decode("67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238").unwrap();
        let y = hex::decode("0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74").unwrap();
        let key = SigningKey::p256(&d.try_into().unwrap()).unwrap();
        let spki = key.public().to_spki_der();
        assert_eq!(&spki[spki.len() - 64..], [x, y].concat());

        let bytes = br#"{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;
        let envelope = Envelope::parse(bytes).unwrap();
        assert_eq!(envelope.payload, b"hello world");
        assert_eq!(envelope.expect_type(TYPE), Ok(()));
        assert!(envelope.signed_by(key.public()));
        // The nonce is deterministic (RFC 6979), so ours is the published signature, in DER.
        let ours = Envelope::sign(TYPE, b"hello world".to_vec(), &[&key]).unwrap();
        let (r, s) = envelope.signatures[0].sig.split_at(32);
        let der = &ours.signatures[0].sig;
        assert!(der.windows(32).any(|w| w == r) && der.windows(32).any(|w| w == s));

        let other = Envelope { payload: b"hello worlD".to_vec(), ..envelope };
        assert!(!other.signed_by(key.public()));
    }

    #[test]
    fn refuses_confusing_envelopes() {
        let parse = |text: &str| Envelope::parse(text.as_bytes()).unwrap_err();
        let sig = r#"{"sig":"AAAA"}"#;
        let with = |signatures: &str| format!(r#"{{"payload":"e30=","payloadType":"t","signatures":[{signatures}]}}"#);
        assert!(Envelope::parse(with(sig).as_bytes()).is_ok());
        assert_eq!(parse(&with("")), DsseError::NoSignatures);
        assert_eq!(parse(&with(&format!("{sig},{sig}"))), DsseError::DuplicateSignature);
        assert_eq!(parse(&with(r#"{"keyid":"k","sig":"AAAA"},{"keyid":"k","sig":"BBBB"}"#)), DsseError::DuplicateSignature);
        assert_eq!(parse(&with(&vec![sig; SIGNATURES_MAX + 1].join(","))), DsseError::TooManySignatures);
        assert_eq!(parse(&with(r#"{"sig":"AAA"}"#)), DsseError::Base64("sig"));
        assert_eq!(parse(&with(sig).replace("e30=", "e31=")), DsseError::Base64("payload"));
        for text in [
            format!("{}x", with(sig)),
            format!("{}{{}}", with(sig)),
            with(sig).replace("\"payloadType\"", "\"payload\""),
            with(sig).replace("\"payloadType\":\"t\",", ""),
            with(r#"{"keyid":"k"}"#),
            with("\"AAAA\""),
            "[]".into(),
        ] {
            assert!(matches!(parse(&text), DsseError::Json(_)), "{text}");
        }
    }

    #[test]
    fn own_documents_have_one_spelling_and_one_signer() {
        let key = SigningKey::ed25519(&[1; 32]).unwrap();
        let other = SigningKey::ed25519(&[2; 32]).unwrap();
        let envelope = Envelope::sign("t", b"{}".to_vec(), &[&key]).unwrap();
        let bytes = envelope.to_vec();
        assert_eq!(Envelope::open_own(&bytes, "t", key.public()), Ok(envelope));
        assert_eq!(Envelope::open_own(&bytes, "t", other.public()), Err(DsseError::NotSignedBy { expected: other.id() }));
        assert!(matches!(Envelope::open_own(&bytes, "u", key.public()), Err(DsseError::PayloadType { .. })));
        let two = Envelope::sign("t", b"{}".to_vec(), &[&key, &other]).unwrap().to_vec();
        assert!(Envelope::open_own(&two, "t", key.public()).is_err());
        assert!(Envelope::sign("t", b"{}".to_vec(), &[&key, &key]).is_err());
        for i in 0..bytes.len() {
            for mask in [1u8, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[i] ^= mask;
                assert!(Envelope::open_own(&flipped, "t", key.public()).is_err(), "byte {i}");
            }
        }
    }
}

//! Other people's public keys: ECDSA P-256 and P-384 (FIPS 186-5), Ed25519 (RFC 8032), RSA of 2048 to 8192 bits (RFC 8017).
//!
//! Holdpoint itself signs with [`crate::keys`] only; here are the kinds that certificate authorities, logs and other
//! tools use. Verifies only. P-521, Ed25519ph and RSA below 2048 bits are not taken.

use ring::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned};

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::sigstore::{asn1, pem};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
/// Names a key in most places; CMS also means "PKCS 1 with the digest named elsewhere" by it (RFC 3370, section 3.2).
pub const RSA_ENCRYPTION: ObjectIdentifier = RSA;
pub const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
pub const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
pub const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// A public key of a kind named in the module's head.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    kind: Kind,
    spki: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Kind {
    /// The uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(PublicKey),
    /// PKCS 1 RSAPublicKey.
    Rsa(Vec<u8>),
}

/// Not a key that can be used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public key (SubjectPublicKeyInfo) of type ECDSA P-256 or P-384, Ed25519, or RSA")]
pub struct UnknownKey;

fn verified(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

impl ForeignKey {
    /// From a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    ///
    /// # Errors
    /// [`UnknownKey`].
    pub fn from_spki_der(der: &[u8]) -> Result<ForeignKey, UnknownKey> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| UnknownKey)?;
        ForeignKey::from_info(&info)
    }

    /// From the member of a certificate.
    ///
    /// # Errors
    /// [`UnknownKey`].
    pub fn from_info(info: &SubjectPublicKeyInfoOwned) -> Result<ForeignKey, UnknownKey> {
        let spki = info.to_der().map_err(|_| UnknownKey)?;
        let bits = info.subject_public_key.as_bytes().ok_or(UnknownKey)?;
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let point = |length: usize| if bits.len() == length && bits.first() == Some(&4) { Ok(bits.to_vec()) } else { Err(UnknownKey) };
        let kind = match (info.algorithm.oid, curve) {
            (EC, Some(P256)) => Kind::P256(point(65)?),
            (EC, Some(P384)) => Kind::P384(point(97)?),
            (ED25519, _) => Kind::Ed25519(PublicKey::from_spki_der(&spki).map_err(|_| UnknownKey)?),
            (RSA, _) => Kind::Rsa(bits.to_vec()),
            _ => return Err(UnknownKey),
        };
        Ok(ForeignKey { kind, spki })
    }

    /// From PKCS 1 RSAPublicKey (RFC 8017, appendix A.1.1), as older logs' keys are written.
    ///
    /// # Errors
    /// [`UnknownKey`].
    pub fn from_pkcs1(der: &[u8]) -> Result<ForeignKey, UnknownKey> {
        let bits = asn1::encode(asn1::BIT_STRING, &[&[0], der]);
        let algorithm = RSA.to_der().map_err(|_| UnknownKey)?;
        let algorithm = asn1::encode(asn1::SEQUENCE, &[&algorithm, &[5, 0]]);
        ForeignKey::from_spki_der(&asn1::encode(asn1::SEQUENCE, &[&algorithm, &bits]))
    }

    /// From PEM with the label `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`UnknownKey`].
    pub fn from_pem(text: &str) -> Result<ForeignKey, UnknownKey> {
        let (label, der) = pem::decode(text).ok_or(UnknownKey)?;
        if label != "PUBLIC KEY" {
            return Err(UnknownKey);
        }
        ForeignKey::from_spki_der(&der)
    }

    /// DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the DER form, in hexadecimal: how in-toto and cosign name keys.
    pub fn id(&self) -> String {
        Digest::of(&self.spki).hex()
    }

    /// What kind of key it is, for people.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::P256(_) => "ECDSA P-256",
            Kind::P384(_) => "ECDSA P-384",
            Kind::Ed25519(_) => "Ed25519",
            Kind::Rsa(_) => "RSA",
        }
    }

    /// Whether `signature` is this key's, by the algorithm that an X.509 or CMS structure names.
    pub fn verifies_by(&self, algorithm: ObjectIdentifier, message: &[u8], signature: &[u8]) -> bool {
        match (&self.kind, algorithm) {
            (Kind::P256(key), ECDSA_SHA256) => verified(&sig::ECDSA_P256_SHA256_ASN1, key, message, signature),
            (Kind::P256(key), ECDSA_SHA384) => verified(&sig::ECDSA_P256_SHA384_ASN1, key, message, signature),
            (Kind::P384(key), ECDSA_SHA256) => verified(&sig::ECDSA_P384_SHA256_ASN1, key, message, signature),
            (Kind::P384(key), ECDSA_SHA384) => verified(&sig::ECDSA_P384_SHA384_ASN1, key, message, signature),
            (Kind::Rsa(key), RSA_SHA256) => verified(&sig::RSA_PKCS1_2048_8192_SHA256, key, message, signature),
            (Kind::Rsa(key), RSA_SHA384) => verified(&sig::RSA_PKCS1_2048_8192_SHA384, key, message, signature),
            (Kind::Rsa(key), RSA_SHA512) => verified(&sig::RSA_PKCS1_2048_8192_SHA512, key, message, signature),
            (Kind::Ed25519(key), ED25519) => key.verifies(message, signature),
            _ => false,
        }
    }

    /// Whether `signature` is this key's with the hash that belongs to its kind: SHA-256, for P-384 SHA-384 or, as older
    /// tools do, SHA-256; for Ed25519 none. Logs, bundles and certificate transparency sign like that.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.kind {
            Kind::P256(_) => self.verifies_by(ECDSA_SHA256, message, signature),
            Kind::P384(_) => self.verifies_by(ECDSA_SHA384, message, signature) || self.verifies_by(ECDSA_SHA256, message, signature),
            Kind::Rsa(_) => self.verifies_by(RSA_SHA256, message, signature),
            Kind::Ed25519(_) => self.verifies_by(ED25519, message, signature),
        }
    }

    /// The same for a bare envelope, whose producers also write the 64 bytes r, s (DSSE's published vector, JOSE tools) and
    /// RSA-PSS (securesystemslib's default).
    pub fn verifies_envelope(&self, message: &[u8], signature: &[u8]) -> bool {
        let other = match &self.kind {
            Kind::P256(key) if signature.len() == 64 => verified(&sig::ECDSA_P256_SHA256_FIXED, key, message, signature),
            Kind::Rsa(key) => verified(&sig::RSA_PSS_2048_8192_SHA256, key, message, signature),
            _ => false,
        };
        other || self.verifies(message, signature)
    }
}

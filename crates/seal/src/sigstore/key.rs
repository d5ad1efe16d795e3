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
    Ed25519(Box<PublicKey>),
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
            (ED25519, _) => Kind::Ed25519(Box::new(PublicKey::from_spki_der(&spki).map_err(|_| UnknownKey)?)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64;

    // Made by `openssl genpkey` and `openssl dgst -sign` over "holdpoint\n".
    const P384: &str = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEWgvc1WFCJ/qNTc22J1MLkZPI2t9kHF+d\nJU8PXH4pIWz7CgEfjSpM7mvDFP7Ua1RtIXswmszKJh8AbEOUwzvepe/j9U2Oxpgp\n5ydwpiXhk4aorlriRMu+KnbcClfxgDqD\n-----END PUBLIC KEY-----\n";
    const P384_SHA384: &str = "MGUCMD07HUc+8iXLUtdYQtsTwntJpnoY0jIairkfl5eyL0ApD16v+0sEur8PNlhQ8o0EcgIxALQIQEmVCu9ROuv/2BmhJIgI+uAcYkG4wEOY5aM/eQx1/rQtEb+bV0NmAJJjrhq/UQ==";
    const P384_SHA256: &str = "MGQCMAmWDOfhQxXUZ1+P/237yCHmQ40PaSztMan/MBHqmV+6X0bVchgVCKseHOuS/44/twIwT7CM49keUXHXwIbuwF7Rhi8lOdWV7k2QPleLSAdBuZ2t1cTw4sKKFxkwutUcYBi0";
    const RSA: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtYrqJUhd4OgLt6NLLe1t\nb33+OXMC5PFvCgQT1ODTH1599TFU5DY5ZKCKyHlAZQxf7UMhh4z4kXiaXYsc33b+\nweR5DMB0wEqyshVj6FrT7mUp3TeEw0Mx/y/86R+sx5TE75L7akZWzWQtU4ja2cWL\nyJylEbuenZA6tvzIXTvh/jgLjPnYTyDo8kHGw6ZLL+PMk6OCCx96BkZ5UPxUkdVr\nX65XSjJNXMX1cjLZH8GR32eGmwEGS/0xoQJ+JW5x/pS7j3zX08qvEHg0bmly7Thd\n+keVdeb9ZwOE8Z+eu46Sd2xrPZFDmj4sw7deHu0QLX5kivB5xIBcYap4neEHMWmB\nIQIDAQAB\n-----END PUBLIC KEY-----\n";
    const RSA_PKCS1: &str = "Du3hG315uQaRmiDszdeZ2DtHnOH5MwB29lo3PMSGbExlwrJyf8PGzcMbLmniDDNEfq1My8wZ4L30/ZDReK87QSiyZn5LyXR8kRwm5kTiNztDk6ulsRTeP/RPqbWBK1Grm9asdPMbgbfQ8aIYNowcY8LInzK9Ser7FrnA+LplRKhrB3IcozwDD49Zy+w1NgRw4e4x2sb/tHbN6m6++BOrvOLD2eUnFMMx4G2q23kYU6avCxlnsscQzku+oretBA+E2V5YDAKrrLbvmanmkeMWhiUO7pe5BgSgwsOoIel29Zf1II+7FTvGiEr0ysqhYIp6BA9L89R4afP5WN1tRNXV7Q==";
    const RSA_PSS: &str = "K2UE8iDAqN4hWnNRhOc8Fw+GwfthfDcEaePgth4HOEoTj5V6XSNerzdmcocD/cW3N8VRCEyK46VRQt84oPXlHmAq2vLZNBd3w055flEYb+VYBkbhNkEiNi2V4tnte0IAXag/6sTenxq4A633iMt8PYRqo4W40sMfIg2xs8+FXvw+pBimea09zXGLLUU4s9BMqyIpY4H+G2lyeBt0Q88qw2scM4wW8mzmJFX2ekvK1sNwFoekzHBTtfaLelt9WWNClVeZB3Rx/aIZIkHLM3VmGHJ0kkfIwdoFZAiY5TKvqpl8miGsD55STx5l7UgBPknaLIujvyaxVzHRiiiO/DuNnw==";
    const P521: &str = "-----BEGIN PUBLIC KEY-----\nMIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAWzSEyvoAAZVerMqNBCoh17+5hNEP\ni+gCw7USmQIbHUOmUqTQC38AYWOih5452SPPso/EpLnlAlwxJVsnV1pSGc0ADGu4\nxxgusRvqkKNVIGm8yS0tV6sqm6HZHJn1YdWJQd61Y1AFT3C4or1YkIXPzZSFQl5l\nTqxVC4XWUewL0MFd6es=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_of_other_kinds() {
        let message = b"holdpoint\n";
        for (pem, signature, bare_only) in
            [(P384, P384_SHA384, false), (P384, P384_SHA256, false), (RSA, RSA_PKCS1, false), (RSA, RSA_PSS, true)]
        {
            let key = ForeignKey::from_pem(pem).unwrap();
            let signature = base64::decode(signature).unwrap();
            assert!(key.verifies_envelope(message, &signature));
            assert_eq!(key.verifies(message, &signature), !bare_only);
            assert!(!key.verifies_envelope(b"holdpoint", &signature) && !key.verifies(b"holdpoint", &signature));
            assert_eq!(ForeignKey::from_spki_der(key.spki()).unwrap().id(), key.id());
        }
        let inner = asn1::one(ForeignKey::from_pem(RSA).unwrap().spki(), asn1::SEQUENCE).unwrap().members().unwrap()[1].value[1..].to_vec();
        assert_eq!(ForeignKey::from_pkcs1(&inner).unwrap().id(), ForeignKey::from_pem(RSA).unwrap().id());
        for pem in [P521, "", &P384.replace("PUBLIC", "PRIVATE"), &format!("{P384}{P384}"), &P384.replace("MHY", "MHX")] {
            assert!(ForeignKey::from_pem(pem).is_err(), "{pem}");
        }
    }

    /// A raw r, s is one spelling more, and only bare envelopes may have it.
    #[test]
    fn bundles_have_one_spelling_of_a_signature() {
        let own = crate::keys::SigningKey::p256(&[7; 32]).unwrap();
        let key = ForeignKey::from_spki_der(&own.public().to_spki_der()).unwrap();
        let der = p256::ecdsa::Signature::from_der(&own.sign(b"x")).unwrap();
        assert!(key.verifies(b"x", &own.sign(b"x")) && key.verifies_envelope(b"x", &der.to_bytes()));
        assert!(!key.verifies(b"x", &der.to_bytes()));
    }
}

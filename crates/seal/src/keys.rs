//! Signing and public keys: Ed25519 (RFC 8032) and ECDSA P-256 with SHA-256 (FIPS 186-5).
//!
//! Keys come and go as PEM: PKCS#8 for secrets, SubjectPublicKeyInfo for public keys. Nothing here makes randomness
//! (callers give 32 random bytes) and nothing prints a secret. Whether a key may be *trusted* is [`crate::trust`] and
//! [`crate::keylist`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::elliptic_curve::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64;
use crate::digest::Digest;

/// SHA-256 of the DER form of the SubjectPublicKeyInfo, as 64 lowercase hexadecimal digits (in-toto's and cosign's way).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

impl KeyId {
    /// The 32 bytes as a digest.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeyId, KeyError> {
        Digest::from_hex(text).map(KeyId).map_err(|_| KeyError::KeyId)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Why bytes are no usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a PKCS#8 PEM of an Ed25519 or P-256 key (encrypted PEM and SEC 1 are not read).
    #[error("not an unencrypted PKCS#8 PEM (\"BEGIN PRIVATE KEY\") of an Ed25519 or ECDSA P-256 key")]
    Private,
    /// Not a SubjectPublicKeyInfo of an Ed25519 or P-256 key.
    #[error("not a public key (\"BEGIN PUBLIC KEY\", SubjectPublicKeyInfo) of type Ed25519 or ECDSA P-256")]
    Public,
    /// An Ed25519 point of small order, for which signatures prove nothing.
    #[error("a weak Ed25519 public key")]
    Weak,
    /// The 32 bytes are no scalar of the curve (about 1 in 2^32); draw again.
    #[error("these random bytes are no P-256 key; draw others")]
    Scalar,
    /// Not 64 lowercase hexadecimal digits.
    #[error("a key id has 64 lowercase hexadecimal digits")]
    KeyId,
}

/// The signature algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Ed25519, signatures of 64 bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, signatures in ASN.1 DER.
    EcdsaP256,
}

/// A public key. Equality, order and hash are those of its [`KeyId`]. Serialised as base64 of the DER
/// SubjectPublicKeyInfo.
#[derive(Clone)]
pub struct PublicKey {
    inner: PublicInner,
    id: KeyId,
}

#[derive(Clone)]
enum PublicInner {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl PublicKey {
    fn new(inner: PublicInner) -> Result<PublicKey, KeyError> {
        let der = spki_der(&inner)?;
        Ok(PublicKey { inner, id: KeyId(Digest::of(&der)) })
    }

    /// The key's own name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Which algorithm it verifies.
    pub fn algorithm(&self) -> Algorithm {
        match self.inner {
            PublicInner::Ed25519(_) => Algorithm::Ed25519,
            PublicInner::P256(_) => Algorithm::EcdsaP256,
        }
    }

    /// The 32 bytes of an Ed25519 key; none for other algorithms.
    pub fn ed25519_bytes(&self) -> Option<[u8; 32]> {
        match &self.inner {
            PublicInner::Ed25519(key) => Some(key.to_bytes()),
            PublicInner::P256(_) => None,
        }
    }

    /// From the 32 bytes of an Ed25519 key.
    ///
    /// # Errors
    /// [`KeyError::Public`] for no point, [`KeyError::Weak`] for a point of small order.
    pub fn from_ed25519_bytes(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Public)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        PublicKey::new(PublicInner::Ed25519(key))
    }

    /// From a DER SubjectPublicKeyInfo (RFC 5280, RFC 8410, RFC 5480).
    ///
    /// # Errors
    /// [`KeyError::Public`] or [`KeyError::Weak`].
    pub fn from_spki_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_der(der) {
            return PublicKey::from_ed25519_bytes(key.as_bytes());
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).map_err(|_| KeyError::Public)?;
        PublicKey::new(PublicInner::P256(key))
    }

    /// From PEM with the label `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`KeyError::Public`] or [`KeyError::Weak`].
    pub fn from_pem(pem: &str) -> Result<PublicKey, KeyError> {
        let pem = pem.trim();
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
            return PublicKey::from_ed25519_bytes(key.as_bytes());
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_pem(pem).map_err(|_| KeyError::Public)?;
        PublicKey::new(PublicInner::P256(key))
    }

    /// DER SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        // `new` has already encoded this key once, so encoding it again gives bytes.
        spki_der(&self.inner).unwrap_or_default()
    }

    /// PEM with the label `PUBLIC KEY` and a final newline.
    pub fn to_pem(&self) -> String {
        let body = base64::encode(&self.to_spki_der());
        let mut out = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out.push_str("-----END PUBLIC KEY-----\n");
        out
    }

    /// Whether `signature` is this key's over `message`. Ed25519 is verified strictly (canonical, no small-order
    /// points), so that a valid signature has no second spelling; ECDSA signatures are ASN.1 DER or the 64 bytes r, s
    /// (DSSE's published vector and JOSE tools use the latter).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.inner {
            PublicInner::Ed25519(key) => match ed25519_dalek::Signature::from_slice(signature) {
                Ok(signature) => key.verify_strict(message, &signature).is_ok(),
                Err(_) => false,
            },
            PublicInner::P256(key) => {
                let parsed = p256::ecdsa::Signature::from_der(signature);
                match parsed.or_else(|_| p256::ecdsa::Signature::from_slice(signature)) {
                    Ok(signature) => key.verify(message, &signature).is_ok(),
                    Err(_) => false,
                }
            }
        }
    }
}

fn spki_der(inner: &PublicInner) -> Result<Vec<u8>, KeyError> {
    let document = match inner {
        PublicInner::Ed25519(key) => key.to_public_key_der(),
        PublicInner::P256(key) => key.to_public_key_der(),
    };
    Ok(document.map_err(|_| KeyError::Public)?.as_bytes().to_vec())
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.id == other.id
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &PublicKey) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &PublicKey) -> std::cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?} {})", self.algorithm(), self.id)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::encode(&self.to_spki_der()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let der = base64::decode(&text).map_err(de::Error::custom)?;
        PublicKey::from_spki_der(&der).map_err(de::Error::custom)
    }
}

/// A secret key as PEM text. It has no `Display`; [`SecretPem::expose`] is the one door, so that every place where the
/// secret leaves can be found by name. Wiped from memory when dropped.
pub struct SecretPem(Zeroizing<String>);

impl SecretPem {
    /// The PEM text (`BEGIN PRIVATE KEY`), for writing it to the key file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPem(hidden)")
    }
}

/// A secret signing key. `Debug` shows only the algorithm and the public key's id. Wiped from memory when dropped.
pub struct SigningKey {
    inner: SigningInner,
    public: PublicKey,
}

enum SigningInner {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl SigningKey {
    fn from_ed25519(key: ed25519_dalek::SigningKey) -> Result<SigningKey, KeyError> {
        let public = PublicKey::new(PublicInner::Ed25519(key.verifying_key()))?;
        Ok(SigningKey { inner: SigningInner::Ed25519(Box::new(key)), public })
    }

    fn from_p256(key: p256::ecdsa::SigningKey) -> Result<SigningKey, KeyError> {
        let public = PublicKey::new(PublicInner::P256(*key.verifying_key()))?;
        Ok(SigningKey { inner: SigningInner::P256(Box::new(key)), public })
    }

    /// An Ed25519 key from 32 random bytes (the seed of RFC 8032).
    ///
    /// # Errors
    /// [`KeyError::Public`] if the public key cannot be encoded, which does not happen.
    pub fn ed25519(seed: &[u8; 32]) -> Result<SigningKey, KeyError> {
        SigningKey::from_ed25519(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// A P-256 key from 32 random bytes (the scalar).
    ///
    /// # Errors
    /// [`KeyError::Scalar`] when the bytes are zero or not below the order of the curve: draw again.
    pub fn p256(scalar: &[u8; 32]) -> Result<SigningKey, KeyError> {
        SigningKey::from_p256(p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| KeyError::Scalar)?)
    }

    /// From PKCS#8 PEM (RFC 5958), unencrypted.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pem(pem: &str) -> Result<SigningKey, KeyError> {
        let pem = pem.trim();
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(pem) {
            return SigningKey::from_ed25519(key);
        }
        SigningKey::from_p256(p256::ecdsa::SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Private)?)
    }

    /// PKCS#8 PEM, version 1 (without the public key), which every common tool reads.
    ///
    /// # Errors
    /// [`KeyError::Private`] if the key cannot be encoded, which does not happen.
    pub fn to_pem(&self) -> Result<SecretPem, KeyError> {
        let pem = match &self.inner {
            SigningInner::Ed25519(key) => KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_pem(LineEnding::LF),
            SigningInner::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
        };
        pem.map(SecretPem).map_err(|_| KeyError::Private)
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public half's id.
    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    /// Signs: 64 bytes for Ed25519; ASN.1 DER for P-256 with a deterministic nonce (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.inner {
            SigningInner::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            SigningInner::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?} {}, secret hidden)", self.public.algorithm(), self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `openssl genpkey -algorithm ed25519` and `… -algorithm EC -pkeyopt ec_paramgen_curve:P-256`; test keys only.
    const OPENSSL_ED25519: &str =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEiDEVvaPJ+kO3Gc6E3CY8j34nwGxCNr4wwyHAt/ZKX+\n-----END PRIVATE KEY-----\n";
    const OPENSSL_ED25519_PUBLIC: &str =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAGpF6rNbs9X77MwpIg6WUq5/JWcRmxiSiPKLNK7uWWA=\n-----END PUBLIC KEY-----\n";
    const OPENSSL_P256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8lpVRZ59VaSGOIQC\nYVsK8VDT0HE+PkOLLw134QgiteOhRANCAATjHiRUbw0VnmbBrtNUcs7/TGU3dnPn\nSiPSE145OzI7K3Zc6RkwiJjlQS2PHv1O2knawrm9D4hWhH2XIgnESzxO\n-----END PRIVATE KEY-----\n";
    const OPENSSL_P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4x4kVG8NFZ5mwa7TVHLO/0xlN3Zz\n50oj0hNeOTsyOyt2XOkZMIiY5UEtjx79TtpJ2sK5vQ+IVoR9lyIJxEs8Tg==\n-----END PUBLIC KEY-----\n";
    const OPENSSL_P256_SIGNATURE: &str = "MEQCIADOsxYf+WCoLO/6iHGpGLH56tPbpW6ONQIR97GNqGOFAiANtpM7anEeFdHD7zNmWDy8ngxV7Mb+n5XfY42ZDb0qYQ==";
    const OPENSSL_ED25519_SIGNATURE: &str = "Kc0JNTD+zLf3r+PVsCNcodGTM6UtUmcTVeBD3RqWDYdwTu/qH/BejzwJRqv7Iib9XP0o6O6kqOKsRv6PrfleBQ==";

    #[test]
    fn reads_what_openssl_writes_and_verifies_what_it_signs() {
        for (secret, public, signature) in [
            (OPENSSL_ED25519, OPENSSL_ED25519_PUBLIC, OPENSSL_ED25519_SIGNATURE),
            (OPENSSL_P256, OPENSSL_P256_PUBLIC, OPENSSL_P256_SIGNATURE),
        ] {
            let key = SigningKey::from_pem(secret).unwrap();
            assert_eq!(key.public().to_pem(), public);
            assert_eq!(PublicKey::from_pem(public).unwrap(), *key.public());
            assert_eq!(key.to_pem().unwrap().expose(), secret);
            assert!(key.public().verifies(b"holdpoint\n", &base64::decode(signature).unwrap()));
            assert!(!key.public().verifies(b"holdpoint", &base64::decode(signature).unwrap()));
        }
    }

    #[test]
    fn rfc_8032_test_1() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = SigningKey::ed25519(&seed.try_into().unwrap()).unwrap();
        assert_eq!(hex::encode(key.public().ed25519_bytes().unwrap()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(
            hex::encode(key.sign(b"")),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
    }

    #[test]
    fn round_trips_and_hides() {
        for key in [SigningKey::ed25519(&[7; 32]).unwrap(), SigningKey::p256(&[7; 32]).unwrap()] {
            let pem = key.to_pem().unwrap();
            let again = SigningKey::from_pem(pem.expose()).unwrap();
            assert_eq!(again.id(), key.id());
            assert_eq!(again.sign(b"x"), key.sign(b"x"));
            assert_eq!(PublicKey::from_spki_der(&key.public().to_spki_der()).unwrap(), *key.public());
            assert!(key.public().verifies(b"x", &key.sign(b"x")));
            for shown in [format!("{key:?}"), format!("{pem:?}")] {
                assert!(!shown.contains("07070707") && !shown.contains("BwcHBw") && !shown.contains("7, 7"), "{shown}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_key() {
        assert_eq!(SigningKey::p256(&[0; 32]).unwrap_err(), KeyError::Scalar);
        assert_eq!(SigningKey::p256(&[0xff; 32]).unwrap_err(), KeyError::Scalar);
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_ed25519_bytes(&identity).unwrap_err(), KeyError::Weak);
        assert_eq!(PublicKey::from_pem(OPENSSL_P256).unwrap_err(), KeyError::Public);
        assert_eq!(SigningKey::from_pem(OPENSSL_P256_PUBLIC).unwrap_err(), KeyError::Private);
        assert_eq!(SigningKey::from_pem("").unwrap_err(), KeyError::Private);
        let key = SigningKey::ed25519(&[7; 32]).unwrap();
        for n in [0, 63, 65] {
            assert!(!key.public().verifies(b"x", &vec![0; n]));
        }
    }
}

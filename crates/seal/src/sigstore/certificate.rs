//! Certificates and the path from one to a trusted authority (RFC 5280, section 6, in the profile that Fulcio and RFC 3161
//! authorities use).
//!
//! No revocation: such certificates live for minutes. No policies and no name constraints: a certificate that demands to
//! have them looked at (critical) is refused, as is every other critical extension that is not known here.

use std::collections::BTreeSet;

use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::spki::ObjectIdentifier;

use crate::sigstore::asn1::{self, NotDer};
use crate::sigstore::key::ForeignKey;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::time::{self, Range, Seconds};

/// Extended key usage of those who sign code.
pub const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// Extended key usage of timestamp authorities.
pub const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXT_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// A path has at most this many authorities.
const PATH_MAX: usize = 8;

/// A certificate that has been read, not yet believed.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// As it came.
    pub der: Vec<u8>,
    /// The signed part, as it lies in `der`.
    pub tbs: Vec<u8>,
    /// Its key; none for a kind that is not taken.
    pub key: Option<ForeignKey>,
    /// DER of the key.
    pub spki: Vec<u8>,
    /// DER of the name.
    pub subject: Vec<u8>,
    /// DER of the issuer's name.
    pub issuer: Vec<u8>,
    /// Contents of the serial number.
    pub serial: Vec<u8>,
    /// From the first to the last second.
    pub valid: Range,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// Reads DER of exactly one certificate.
    ///
    /// # Errors
    /// [`NotDer`]: also for two spellings of the signature's algorithm and for an extension that is there twice.
    pub fn parse(der: &[u8]) -> Result<Certificate, NotDer> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let members = asn1::one(der, asn1::SEQUENCE)?.members()?;
        let [tbs, _, _] = members.as_slice() else { return Err(NotDer) };
        let inner = parsed.tbs_certificate();
        if inner.signature() != parsed.signature_algorithm() {
            return Err(NotDer);
        }
        let mut seen = BTreeSet::new();
        if inner.extensions().into_iter().flatten().any(|extension| !seen.insert(extension.extn_id)) {
            return Err(NotDer);
        }
        let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| NotDer);
        let valid = Range { start: seconds(inner.validity().not_before)?, end: Some(seconds(inner.validity().not_after)?) };
        Ok(Certificate {
            der: der.to_vec(),
            tbs: tbs.full.to_vec(),
            key: ForeignKey::from_info(inner.subject_public_key_info()).ok(),
            spki: inner.subject_public_key_info().to_der()?,
            subject: inner.subject().to_der()?,
            issuer: inner.issuer().to_der()?,
            serial: inner.serial_number().as_bytes().to_vec(),
            valid,
            parsed,
        })
    }

    /// The subject for people, such as `CN=sigstore,O=sigstore.dev`; the serial number where it has none.
    pub fn name(&self) -> String {
        let name = self.parsed.tbs_certificate().subject().to_string();
        if name.is_empty() { format!("serial {}", hex::encode(&self.serial)) } else { name }
    }

    /// The issuer for people.
    pub fn issuer_name(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Contents of an extension, if it is there.
    pub fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let all = self.parsed.tbs_certificate().extensions()?;
        all.iter().find(|one| one.extn_id == id).map(|one| one.extn_value.as_bytes())
    }

    /// The alternative names; empty without the extension.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn alternative_names(&self) -> Result<Vec<x509_cert::ext::pkix::name::GeneralName>, NotDer> {
        match self.extension(SUBJECT_ALT_NAME) {
            Some(bytes) => Ok(SubjectAltName::from_der(bytes)?.0),
            None => Ok(Vec::new()),
        }
    }

    fn signed_by(&self, issuer: &Certificate) -> bool {
        let Some(key) = &issuer.key else { return false };
        let Some(signature) = self.parsed.signature().as_bytes() else { return false };
        self.issuer == issuer.subject && key.verifies_by(self.parsed.signature_algorithm().oid, &self.tbs, signature)
    }

    fn constraints(&self) -> Result<Option<BasicConstraints>, NotDer> {
        Ok(self.extension(BASIC_CONSTRAINTS).map(BasicConstraints::from_der).transpose()?)
    }

    fn key_usage(&self) -> Result<Option<KeyUsage>, NotDer> {
        Ok(self.extension(KEY_USAGE).map(KeyUsage::from_der).transpose()?)
    }

    fn purposes(&self) -> Result<Option<Vec<ObjectIdentifier>>, NotDer> {
        Ok(self.extension(EXT_KEY_USAGE).map(ExtendedKeyUsage::from_der).transpose()?.map(|usage| usage.0))
    }

    fn check_extensions(&self) -> Result<(), Refusal> {
        const KNOWN: [ObjectIdentifier; 4] = [BASIC_CONSTRAINTS, KEY_USAGE, EXT_KEY_USAGE, SUBJECT_ALT_NAME];
        let all = self.parsed.tbs_certificate().extensions();
        match all.into_iter().flatten().find(|one| one.critical && !KNOWN.contains(&one.extn_id)) {
            Some(odd) => Err(Refusal::new(
                "certificate-extension",
                format!("certificate {}", self.name()),
                format!("a critical extension {}", odd.extn_id),
                "only critical extensions that are known here",
            )),
            None => Ok(()),
        }
    }

    fn check_valid(&self, at: Seconds) -> Result<(), Refusal> {
        if self.valid.holds(at) {
            return Ok(());
        }
        Err(Refusal::new(
            "certificate-validity",
            format!("validity of certificate {:?}", self.name()),
            format!("signed at {}", time::show(at)),
            self.valid.show(),
        ))
    }

    /// The leaf's own properties: no authority, may sign, exactly for `purpose` among others.
    fn check_leaf(&self, purpose: ObjectIdentifier) -> Result<(), Refusal> {
        let bad = |found: &str, expected: &str| Err(Refusal::new("certificate-usage", "the signing certificate", found, expected));
        let unreadable = |_| Refusal::new("certificate-usage", "the signing certificate", "an extension that is no DER", "DER");
        if self.constraints().map_err(unreadable)?.is_some_and(|constraints| constraints.ca) {
            return bad("an authority's certificate (CA)", "an end entity's");
        }
        if !self.key_usage().map_err(unreadable)?.is_some_and(|usage| usage.digital_signature()) {
            return bad("no key usage digitalSignature", "digitalSignature");
        }
        match self.purposes().map_err(unreadable)? {
            Some(purposes) if purposes.contains(&purpose) => Ok(()),
            Some(purposes) => {
                let found: Vec<String> = purposes.iter().map(ToString::to_string).collect();
                bad(&format!("extended key usage {}", found.join(", ")), &format!("extended key usage {purpose}"))
            }
            None => bad("no extended key usage", &format!("extended key usage {purpose}")),
        }
    }

    /// An authority's properties, with `below` authorities between it and the leaf.
    fn check_authority(&self, purpose: ObjectIdentifier, below: usize) -> Result<(), Refusal> {
        let name = format!("authority {:?}", self.name());
        let bad = |found: String, expected: &str| Err(Refusal::new("certificate-chain", name.clone(), found, expected));
        let unreadable = |_| Refusal::new("certificate-chain", name.clone(), "an extension that is no DER", "DER");
        let Some(constraints) = self.constraints().map_err(unreadable)?.filter(|constraints| constraints.ca) else {
            return bad("a certificate that may not issue others".into(), "basic constraints CA");
        };
        if constraints.path_len_constraint.is_some_and(|most| below > usize::from(most)) {
            return bad(format!("{below} authorities below it"), "at most its path length constraint");
        }
        if self.key_usage().map_err(unreadable)?.is_some_and(|usage| !usage.key_cert_sign()) {
            return bad("no key usage keyCertSign".into(), "keyCertSign");
        }
        if self.purposes().map_err(unreadable)?.is_some_and(|purposes| !purposes.contains(&purpose)) {
            return bad("another extended key usage".into(), &format!("extended key usage {purpose}"));
        }
        self.check_extensions()
    }
}

/// The path from `leaf` to the last certificate of `trusted`, every certificate valid at `at`; gives the leaf's issuer.
/// `others` are certificates that came along and may stand between.
///
/// # Errors
/// [`Refusal`] with the first check that failed.
pub fn path<'a>(
    leaf: &'a Certificate,
    others: &'a [Certificate],
    trusted: &'a [Certificate],
    purpose: ObjectIdentifier,
    at: Seconds,
) -> Result<&'a Certificate, Refusal> {
    leaf.check_leaf(purpose)?;
    leaf.check_extensions()?;
    leaf.check_valid(at)?;
    let no_anchor = || Refusal::new("certificate-chain", "the certificate's path", "an authority without certificates", "at least one");
    let anchor = trusted.last().ok_or_else(no_anchor)?;
    let mut current = leaf;
    let mut first = None;
    for below in 0..PATH_MAX {
        let issuer = trusted.iter().chain(others).find(|one| one.der != current.der && current.signed_by(one));
        let Some(issuer) = issuer else {
            let known: Vec<String> = trusted.iter().map(Certificate::name).collect();
            return Err(Refusal::new(
                "certificate-chain",
                format!("the issuer of certificate {:?}", current.name()),
                format!("{:?}, whose signature no trusted authority of this name made", current.issuer_name()),
                format!("issued by {}", known.join(" or ")),
            ));
        };
        issuer.check_authority(purpose, below)?;
        issuer.check_valid(at)?;
        let nearest = *first.get_or_insert(issuer);
        if issuer.der == anchor.der {
            return Ok(nearest);
        }
        current = issuer;
    }
    Err(Refusal::new("certificate-chain", "the certificate's path", "more than 8 authorities", "at most 8"))
}

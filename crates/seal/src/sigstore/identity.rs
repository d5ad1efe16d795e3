//! Who signed: the identity in a Fulcio certificate (sigstore/fulcio, `docs/oid-info.md`).
//!
//! Both texts are compared as they are: no prefixes, no patterns, no letter case.

use x509_cert::der::Decode as _;
use x509_cert::der::asn1::Utf8StringRef;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::ObjectIdentifier;

use crate::sigstore::certificate::Certificate;
use crate::sigstore::refusal::Refusal;

/// The OIDC issuer, as the extension's raw bytes.
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// The OIDC issuer, as a DER UTF8String.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
/// A user name as an otherName.
const USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The subject alternative name: an address, a URI or a user name.
    pub name: String,
    /// The OIDC issuer that vouched for it.
    pub issuer: String,
}

fn name_of(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) | GeneralName::DnsName(text) => Some(text.to_string()),
        GeneralName::OtherName(other) if other.type_id == USERNAME => {
            other.value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned())
        }
        _ => None,
    }
}

/// The identity and the issuers that a certificate states, unverified. More than one issuer if its two extensions differ.
#[must_use]
pub fn stated(certificate: &Certificate) -> (Vec<String>, Vec<String>) {
    let names = certificate.alternative_names().unwrap_or_default();
    let names = names.iter().map(|name| name_of(name).unwrap_or_else(|| "a name of another kind".to_owned())).collect();
    let mut issuers = Vec::new();
    if let Some(raw) = certificate.extension(ISSUER_V1) {
        issuers.push(String::from_utf8_lossy(raw).into_owned());
    }
    if let Some(der) = certificate.extension(ISSUER_V2) {
        let text = Utf8StringRef::from_der(der).map_or_else(|_| "no DER text".to_owned(), |text| text.as_str().to_owned());
        if !issuers.contains(&text) {
            issuers.push(text);
        }
    }
    (names, issuers)
}

impl Identity {
    /// Whether the certificate states exactly this identity, one only, and exactly this issuer.
    ///
    /// # Errors
    /// [`Refusal`] of the rules `certificate-identity` and `certificate-issuer`.
    pub fn check(&self, certificate: &Certificate) -> Result<(), Refusal> {
        let (names, issuers) = stated(certificate);
        let show = |all: &[String]| match all {
            [] => "none".to_owned(),
            all => all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(" and "),
        };
        if names != [self.name.as_str()] {
            let what = "the certificate's identity (subject alternative name)";
            return Err(Refusal::new("certificate-identity", what, show(&names), format!("{:?}", self.name)));
        }
        if issuers != [self.issuer.as_str()] {
            let what = "the certificate's OIDC issuer";
            return Err(Refusal::new("certificate-issuer", what, show(&issuers), format!("{:?}", self.issuer)));
        }
        Ok(())
    }
}

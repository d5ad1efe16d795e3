//! Sigstore: bundles verified offline against a given trusted root (the client specification of sigstore/architecture-docs,
//! `client-spec.md`, section 4).
//!
//! A certificate lives for ten minutes, so what counts is that the signature was made while it was valid. Who says so is a
//! transparency log (its promise covers the time) or a timestamp authority; both have to be in the trusted root. Everything
//! that a bundle carries has to be right, not only as much as would suffice: what nobody looks at could be anything.
//!
//! Deliberately without a clock and without the network: neither the log nor a newer trusted root is asked for.

mod asn1;
mod body;
pub mod bundle;
pub mod certificate;
mod ct;
pub mod identity;
pub mod key;
mod pem;
pub mod refusal;
mod rekor;
pub mod root;
pub mod time;
mod timestamp;
mod wire;

#[cfg(test)]
mod tests;

use crate::digest::Digest;
use crate::dsse::{Envelope, IN_TOTO};
use crate::statement::Statement;
use body::{Signed, Verifier};
use bundle::{Bundle, Content, Material};
use certificate::Certificate;
use identity::Identity;
use key::ForeignKey;
use refusal::Refusal;
use root::TrustedRoot;
use time::Seconds;

/// Whose signature is asked for.
#[derive(Debug, Clone)]
pub enum Signer {
    /// Of this key.
    Key(ForeignKey),
    /// Of whoever has a certificate for this.
    Identity(Identity),
}

/// What was checked, and against what.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The statement of an envelope.
    pub statement: Option<Statement>,
    /// The artifact's digest, if there was one.
    pub artifact: Option<Digest>,
    /// Logs that have the signature.
    pub logs: Vec<Witness>,
    /// Times of timestamp authorities.
    pub timestamps: Vec<Seconds>,
    /// The certificate transparency log that knows the certificate.
    pub ct_log: Option<String>,
}

/// A transparency log's word about a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The log's address, as the trusted root has it.
    pub url: String,
    /// The entry's index.
    pub index: u64,
    /// When the log promised to include it.
    pub promised_at: Option<Seconds>,
    /// Whether an inclusion proof under the log's checkpoint was there, too.
    pub proved: bool,
}

/// Checks a bare envelope: one signature by the key suffices, others are not judged; but one that names the key and is
/// not its own refuses the envelope.
///
/// # Errors
/// [`Refusal`].
pub fn verify_envelope(envelope: &Envelope, key: &ForeignKey, artifact: Option<&[u8]>) -> Result<Verified, Refusal> {
    signed_by(envelope, key)?;
    statement(envelope, artifact)
}

fn signed_by(envelope: &Envelope, key: &ForeignKey) -> Result<(), Refusal> {
    let message = envelope.pae();
    let mut signed = false;
    for signature in &envelope.signatures {
        let genuine = key.verifies_envelope(&message, &signature.sig);
        if !genuine && signature.keyid == key.id() {
            let found = format!("one that names key {} and is not its signature", key.id());
            return Err(Refusal::new("signature", "the envelope's signatures", found, "only genuine ones under this key's name"));
        }
        signed |= genuine;
    }
    if signed {
        return Ok(());
    }
    let found = match envelope.signatures.len() {
        1 => "one that is not this key's over this payload".to_owned(),
        many => format!("{many}, none of them this key's over this payload"),
    };
    Err(Refusal::new("signature", "the envelope's signatures", found, format!("one by the {} key {}", key.kind(), key.id())))
}

/// Reads the statement of an envelope whose signature was checked.
fn statement(envelope: &Envelope, artifact: Option<&[u8]>) -> Result<Verified, Refusal> {
    if envelope.payload_type != IN_TOTO {
        return Err(Refusal::new("payload-type", "the payload's type", format!("{:?}", envelope.payload_type), format!("{IN_TOTO:?}")));
    }
    let statement = Statement::parse_any_version(&envelope.payload).map_err(|why| {
        let expected = "an in-toto statement (v1 or v0.1) whose subjects have a name and a sha256 of their own";
        Refusal::new("statement", "the payload", text_of(&why), expected)
    })?;
    let artifact = artifact.map(Digest::of);
    if let Some(digest) = artifact
        && statement.subject_with(&digest).is_none()
    {
        let found: Vec<String> = statement.subject.iter().take(8).filter_map(|one| one.sha256()).map(|one| one.to_string()).collect();
        return Err(Refusal::new("artifact", "the statement's subjects", found.join(", "), format!("{digest} of the artifact")));
    }
    Ok(Verified { statement: Some(statement), artifact, ..Verified::default() })
}

/// An error with what caused it.
fn text_of(why: &dyn std::error::Error) -> String {
    match why.source() {
        Some(source) => format!("{why}: {}", text_of(source)),
        None => why.to_string(),
    }
}

/// Checks a bundle. A certificate needs a trusted root; for a key it is optional: without one the log entries and timestamps
/// are not judged ([`Verified::logs`] is empty), with one there must be an entry.
///
/// # Errors
/// [`Refusal`] with the first check that failed.
pub fn verify(bundle: &Bundle, signer: &Signer, root: Option<&TrustedRoot>, artifact: Option<&[u8]>) -> Result<Verified, Refusal> {
    let material =
        |found: &str, expected: &str| Err(Refusal::new("verification-material", "what the bundle is verified by", found, expected));
    match (&bundle.material, signer, root) {
        (Material::PublicKey(_), Signer::Key(key), root) => by_key(bundle, key, root, artifact),
        (Material::Certificates(chain), Signer::Identity(identity), Some(root)) => by_certificate(bundle, chain, identity, root, artifact),
        (Material::Certificates(_), Signer::Identity(_), None) => material("a certificate", "a trusted root to verify it against"),
        (Material::PublicKey(_), Signer::Identity(_), _) => material("a public key", "a certificate with this identity"),
        (Material::Certificates(_), Signer::Key(_), _) => material("a certificate", "a public key"),
    }
}

fn by_key(bundle: &Bundle, key: &ForeignKey, root: Option<&TrustedRoot>, artifact: Option<&[u8]>) -> Result<Verified, Refusal> {
    let (message, signature, mut verified) = match &bundle.content {
        Content::Dsse(envelope) => {
            signed_by(envelope, key)?;
            let message = envelope.pae();
            let own = envelope.signatures.iter().find(|one| key.verifies_envelope(&message, &one.sig));
            let signature = own.map(|one| one.sig.as_slice()).unwrap_or_default();
            (message, signature, statement(envelope, artifact)?)
        }
        Content::Message { digest, signature } => {
            let verified = message_digest(digest.as_ref(), artifact)?;
            let message = artifact.unwrap_or_default().to_vec();
            if !key.verifies(&message, signature) {
                return Err(wrong_signature(&format!("the {} key {}", key.kind(), key.id())));
            }
            (message, signature.as_slice(), verified)
        }
    };
    if let Some(root) = root {
        let signed = Signed { message: &message, payload: payload(bundle), signature, verifier: Verifier::Key(key.spki()) };
        witnesses(bundle, root, &signed, &mut verified)?;
    }
    Ok(verified)
}

fn by_certificate(
    bundle: &Bundle,
    chain: &[Vec<u8>],
    identity: &Identity,
    root: &TrustedRoot,
    artifact: Option<&[u8]>,
) -> Result<Verified, Refusal> {
    let chain = certificates(chain)?;
    let Some((leaf, others)) = chain.split_first() else {
        return Err(Refusal::new("certificate", "the bundle's certificates", "none", "at least one"));
    };
    let (message, signature, mut verified) = match &bundle.content {
        Content::Dsse(envelope) => {
            // The certificate, the log entry and the timestamp are each about one signature.
            let [signature] = envelope.signatures.as_slice() else {
                let found = format!("{}", envelope.signatures.len());
                return Err(Refusal::new("signature", "signatures of an envelope in a bundle with a certificate", found, "exactly one"));
            };
            (envelope.pae(), signature.sig.as_slice(), statement(envelope, artifact)?)
        }
        Content::Message { digest, signature } => {
            (artifact.unwrap_or_default().to_vec(), signature.as_slice(), message_digest(digest.as_ref(), artifact)?)
        }
    };
    if !leaf.key.as_ref().is_some_and(|key| key.verifies(&message, signature)) {
        return Err(wrong_signature("the certificate's key"));
    }
    identity.check(leaf)?;
    let signed = Signed { message: &message, payload: payload(bundle), signature, verifier: Verifier::Certificate(&leaf.der) };
    let times = witnesses(bundle, root, &signed, &mut verified)?;
    if times.is_empty() {
        let found = "neither an inclusion promise nor a signed timestamp";
        return Err(Refusal::new("signing-time", "when the signature was made", found, "one that a log or a timestamp authority signed"));
    }
    for at in times {
        let issuer = issued(leaf, others, root, at)?;
        let log = ct::check(leaf, issuer, &root.ctlogs)?;
        verified.ct_log = Some(log.url.clone());
    }
    Ok(verified)
}

/// The leaf's issuer, by an authority that counts at `at`.
fn issued<'a>(leaf: &'a Certificate, others: &'a [Certificate], root: &'a TrustedRoot, at: Seconds) -> Result<&'a Certificate, Refusal> {
    let mut obstacle: Option<Refusal> = None;
    for authority in &root.authorities {
        match certificate::path(leaf, others, &authority.chain, certificate::CODE_SIGNING, at) {
            Ok(issuer) if authority.valid.holds(at) => return Ok(issuer),
            Ok(_) => {
                let expected = format!("in its validity, {}", authority.valid.show());
                let what = format!("when the certificate authority {} was used", authority.url);
                obstacle = Some(Refusal::new("authority-validity", what, time::show(at), expected));
            }
            // What another authority of the same name says is nearer to the matter than that this one has another name.
            Err(refusal) if obstacle.as_ref().is_none_or(|old| old.rule == "certificate-chain") => obstacle = Some(refusal),
            Err(_) => {}
        }
    }
    Err(obstacle.unwrap_or_else(|| Refusal::new("certificate-chain", "the trusted root", "no certificate authority", "at least one")))
}

/// Checks every log entry and timestamp, and gives the times that they vouch for.
fn witnesses(bundle: &Bundle, root: &TrustedRoot, signed: &Signed, verified: &mut Verified) -> Result<Vec<Seconds>, Refusal> {
    if bundle.entries.is_empty() {
        return Err(Refusal::new("log-entry-missing", "the bundle's transparency log entries", "none", "at least one"));
    }
    let mut times = Vec::new();
    for (i, entry) in bundle.entries.iter().enumerate() {
        if bundle.entries[..i].iter().any(|one| one.log_id == entry.log_id && one.log_index == entry.log_index) {
            return Err(Refusal::new("log-entry", "the bundle's log entries", format!("entry {} twice", entry.log_index), "each once"));
        }
        body::check(entry, signed)?;
        let logged = rekor::check(entry, bundle.version, root)?;
        times.extend(logged.promised_at);
        let rekor::Logged { log, promised_at, proved } = logged;
        verified.logs.push(Witness { url: log.url.clone(), index: entry.log_index, promised_at, proved });
    }
    for response in &bundle.timestamps {
        let at = timestamp::check(response, signed.signature, &root.timestamps)?;
        verified.timestamps.push(at);
        times.push(at);
    }
    Ok(times)
}

fn wrong_signature(of: &str) -> Refusal {
    Refusal::new("signature", "the bundle's signature", "one that is not over these bytes by this key", format!("a signature by {of}"))
}

fn payload(bundle: &Bundle) -> Option<&[u8]> {
    match &bundle.content {
        Content::Dsse(envelope) => Some(&envelope.payload),
        Content::Message { .. } => None,
    }
}

/// Compares the digest that a bundle gives for orientation with the artifact.
fn message_digest(given: Option<&(String, Vec<u8>)>, artifact: Option<&[u8]>) -> Result<Verified, Refusal> {
    let what = "what the signature is over";
    let Some(bytes) = artifact else {
        return Err(Refusal::new("artifact", what, "no artifact", "the artifact: this bundle holds only its signature"));
    };
    if let Some((algorithm, found)) = given {
        let expected = body::digest(algorithm, bytes).ok_or_else(|| {
            Refusal::new("artifact", "the bundle's messageDigest", format!("algorithm {algorithm:?}"), "SHA2_256, SHA2_384 or SHA2_512")
        })?;
        if *found != expected {
            let expected = format!("{} of the artifact", hex::encode(expected));
            return Err(Refusal::new("artifact", "the bundle's messageDigest", hex::encode(found), expected));
        }
    }
    Ok(Verified { artifact: Some(Digest::of(bytes)), ..Verified::default() })
}

/// The certificates of a bundle. None but the leaf's issuers may be among them, and never a root: trust comes from elsewhere.
fn certificates(chain: &[Vec<u8>]) -> Result<Vec<Certificate>, Refusal> {
    let mut all = Vec::with_capacity(chain.len());
    for (i, der) in chain.iter().enumerate() {
        let what = format!("certificate {i} of the bundle");
        let one = Certificate::parse(der)
            .map_err(|asn1::NotDer| Refusal::new("certificate", what.clone(), "bytes that are no certificate", "X.509 in DER"))?;
        if i > 0 && one.is_self_issued() {
            return Err(Refusal::new("certificate", what, "a root certificate", "none: roots come from the trusted root only"));
        }
        all.push(one);
    }
    Ok(all)
}

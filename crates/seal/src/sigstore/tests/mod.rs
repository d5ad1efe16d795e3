//! Bundles that verify, and every way known to us in which one does not.

mod fuzz;
mod pki;

use pki::{ARTIFACT, Case, IDENTITY, ISSUER, Spec, extension, make, statement, uri, usage};
use serde_json::{Value, json};

use super::*;
use crate::base64;

fn identity() -> Signer {
    Signer::Identity(Identity { name: IDENTITY.into(), issuer: ISSUER.into() })
}

/// The rule that refused; `unreadable` for what is no bundle or root; `None` when it verifies.
fn judge(case: &Case, signer: &Signer, artifact: Option<&[u8]>) -> Option<&'static str> {
    let Ok(root) = TrustedRoot::parse(case.root.to_string().as_bytes()) else { return Some("unreadable") };
    let Ok(bundle) = Bundle::parse(case.bundle.to_string().as_bytes()) else { return Some("unreadable") };
    let refusal = verify(&bundle, signer, Some(&root), artifact).err()?;
    assert!(!refusal.what.is_empty() && !refusal.found.is_empty() && !refusal.expected.is_empty(), "{refusal:?}");
    Some(refusal.rule)
}

fn refused(change: impl FnOnce(&mut Spec)) -> Option<&'static str> {
    let mut spec = Spec::default();
    change(&mut spec);
    judge(&make(&spec), &identity(), Some(ARTIFACT))
}

fn edited(change: impl FnOnce(&mut Case)) -> Option<&'static str> {
    let mut case = make(&Spec::default());
    change(&mut case);
    judge(&case, &identity(), Some(ARTIFACT))
}

#[test]
fn what_is_right_verifies() {
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|spec| spec.hashed = true), None);
    let case = make(&Spec::default());
    let root = TrustedRoot::parse(case.root.to_string().as_bytes()).unwrap();
    let bundle = Bundle::parse(case.bundle.to_string().as_bytes()).unwrap();
    let verified = verify(&bundle, &identity(), Some(&root), None).unwrap();
    assert_eq!(
        verified.logs,
        [Witness { url: "https://log4.example.com".into(), index: 7, promised_at: Some(pki::SIGNED_AT), proved: true }]
    );
    assert_eq!(verified.ct_log.as_deref(), Some("https://log3.example.com"));
    assert_eq!(verified.statement.unwrap().predicate_type, "test/1");
    assert_eq!(verify(&bundle, &identity(), None, None).unwrap_err().rule, "verification-material");
}

#[test]
fn identities_are_compared_exactly() {
    let case = make(&Spec::default());
    let with = |name: &str, issuer: &str| judge(&case, &Signer::Identity(Identity { name: name.into(), issuer: issuer.into() }), None);
    for name in
        [&IDENTITY[..IDENTITY.len() - 1], &format!("{IDENTITY}0"), &IDENTITY.to_uppercase(), "", ".*", "https://example.com/acme/app"]
    {
        assert_eq!(with(name, ISSUER), Some("certificate-identity"), "{name}");
    }
    for issuer in [&ISSUER[..ISSUER.len() - 1], &format!("{ISSUER}/"), "https://token.example.com.evil.example", ""] {
        assert_eq!(with(IDENTITY, issuer), Some("certificate-issuer"), "{issuer}");
    }
    // Two identities; one of each issuer.
    let both = asn1::encode(asn1::SEQUENCE, &[&asn1::encode(0x86, &[IDENTITY.as_bytes()]), &asn1::encode(0x81, &[b"eve@example.com"])]);
    assert_eq!(refused(|spec| spec.extensions[2] = extension("2.5.29.17", true, &both)), Some("certificate-identity"));
    assert_eq!(refused(|spec| spec.extensions[2] = uri("https://example.com/other")), Some("certificate-identity"));
    let other = extension("1.3.6.1.4.1.57264.1.1", false, b"https://other.example.com");
    assert_eq!(refused(|spec| spec.extensions[3] = other), Some("certificate-issuer"));
    assert_eq!(refused(|spec| spec.extensions.truncate(3)), Some("certificate-issuer"));
}

#[test]
fn certificates_count_only_within_their_bounds() {
    for (what, rule) in [
        (refused(|spec| spec.valid = ["230101000600Z", "230101001000Z"]), "certificate-validity"),
        (refused(|spec| spec.valid = ["230101000000Z", "230101000459Z"]), "certificate-validity"),
        (refused(|spec| spec.authority_valid = ["230101000600Z", "320101000000Z"]), "certificate-validity"),
        (refused(|spec| spec.integrated_at += 301), "certificate-validity"),
        (refused(|spec| spec.authority = 9), "certificate-chain"),
        (refused(|spec| spec.authority_extensions.truncate(0)), "certificate-chain"),
        (refused(|spec| spec.authority_extensions[1] = extension("2.5.29.15", true, &[3, 2, 7, 0x80])), "certificate-chain"),
        (refused(|spec| spec.authority_extensions.push(usage("1.3.6.1.5.5.7.3.1"))), "certificate-chain"),
        (refused(|spec| spec.extensions[1] = usage("1.3.6.1.5.5.7.3.8")), "certificate-usage"),
        (refused(|spec| spec.extensions[1] = usage("2.5.29.37.0")), "certificate-usage"),
        (refused(|spec| drop(spec.extensions.remove(1))), "certificate-usage"),
        (refused(|spec| drop(spec.extensions.remove(0))), "certificate-usage"),
        (refused(|spec| spec.extensions.push(extension("2.5.29.19", true, &[0x30, 3, 1, 1, 0xFF]))), "certificate-usage"),
        (refused(|spec| spec.extensions.push(extension("2.5.29.30", true, &[0x30, 0]))), "certificate-extension"),
        (refused(|spec| spec.extensions.push(spec.extensions[3].clone())), "certificate"),
        (refused(|spec| spec.sct = false), "certificate-timestamp"),
        (refused(|spec| spec.ct_key = 9), "certificate-timestamp"),
        (refused(|spec| spec.ct_at -= 800 * 86_400), "certificate-timestamp"),
        (edited(|case| case.root["ctlogs"] = json!([])), "certificate-timestamp"),
        (edited(|case| case.root["certificateAuthorities"] = json!([])), "certificate-chain"),
        (edited(|case| case.root["certificateAuthorities"][0]["validFor"]["end"] = json!("2023-01-01T00:04:59Z")), "authority-validity"),
        (edited(|case| drop(case.root["certificateAuthorities"][0].as_object_mut().unwrap().remove("validFor"))), "unreadable"),
    ] {
        assert_eq!(what, Some(rule));
    }
    assert_eq!(refused(|spec| spec.integrated_at += 300), None, "the last second belongs to it");
}

#[test]
fn log_entries_are_about_this_signature() {
    fn entry(case: &mut Case) -> &mut Value {
        &mut case.bundle["verificationMaterial"]["tlogEntries"][0]
    }
    let other = make(&Spec { statement: statement(&[b"other"]), ..Spec::default() });
    let foreign = other.bundle["verificationMaterial"]["tlogEntries"][0].clone();
    for (what, rule) in [
        (edited(|case| case.bundle["verificationMaterial"]["tlogEntries"] = json!([])), "log-entry-missing"),
        (edited(|case| *entry(case) = foreign), "log-entry"),
        (refused(|spec| spec.logged_payload = Some(b"{}".to_vec())), "log-entry"),
        (refused(|spec| spec.logged_certificate = Some(vec![0x30, 0])), "log-entry"),
        (refused(|spec| spec.kind = "rpm"), "log-entry"),
        (edited(|case| entry(case)["kindVersion"]["version"] = json!("0.0.2")), "log-entry"),
        (edited(|case| entry(case)["integratedTime"] = json!((pki::SIGNED_AT + 1).to_string())), "log-promise"),
        (edited(|case| entry(case)["logIndex"] = json!("8")), "log-promise"),
        (edited(|case| entry(case)["inclusionProof"]["logIndex"] = json!("0")), "log-proof"),
        (edited(|case| entry(case)["inclusionProof"]["treeSize"] = json!("3")), "log-proof"),
        (edited(|case| entry(case)["inclusionProof"] = Value::Null), "log-proof"),
        (edited(|case| entry(case)["inclusionProof"]["checkpoint"] = Value::Null), "log-checkpoint"),
        (edited(|case| entry(case)["inclusionPromise"] = Value::Null), "signing-time"),
        (edited(|case| case.root["tlogs"] = json!([])), "log-unknown"),
        (edited(|case| case.root["tlogs"][0]["publicKey"]["validFor"]["end"] = json!("2023-01-01T00:04:59Z")), "log-validity"),
        (edited(|case| entry(case)["later"] = json!(1)), "unreadable"),
    ] {
        assert_eq!(what, Some(rule));
    }
    // The same entry twice; a tree of the same shape under the checkpoint of another size.
    let twice = edited(|case| {
        let one = entry(case).clone();
        case.bundle["verificationMaterial"]["tlogEntries"] = json!([one, one]);
    });
    assert_eq!(twice, Some("log-entry"));
    let checkpoint = edited(|case| {
        let note = entry(case)["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap().replacen("\n2\n", "\n3\n", 1);
        entry(case)["inclusionProof"]["checkpoint"]["envelope"] = json!(note);
    });
    assert_eq!(checkpoint, Some("log-checkpoint"));
}

#[test]
fn envelopes_and_artifacts_are_not_confused() {
    let twice = statement(&[ARTIFACT, ARTIFACT]);
    let members = String::from_utf8(statement(&[ARTIFACT])).unwrap().replacen('{', "{\"predicateType\":\"other/1\",", 1);
    for (what, rule) in [
        (refused(|spec| spec.payload_type = "application/json"), "payload-type"),
        (refused(|spec| spec.statement = statement(&[])), "statement"),
        (refused(|spec| spec.statement = twice), "statement"),
        (refused(|spec| spec.statement = members.into_bytes()), "statement"),
        (refused(|spec| spec.statement.extend_from_slice(b"{}")), "statement"),
        (refused(|spec| spec.statement = statement(&[b"another"])), "artifact"),
        (judge(&make(&Spec { hashed: true, ..Spec::default() }), &identity(), Some(b"another")), "artifact"),
        (judge(&make(&Spec { hashed: true, ..Spec::default() }), &identity(), None), "artifact"),
        (edited(|case| case.bundle["dsseEnvelope"]["signatures"][0]["sig"] = json!("MAYCAQECAQE=")), "signature"),
        (edited(|case| case.bundle["dsseEnvelope"]["signatures"].as_array_mut().unwrap().push(json!({"sig": "AAAA"}))), "signature"),
        (edited(|case| case.bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.4+json")), "unreadable"),
        (edited(|case| case.bundle["messageSignature"] = json!({"signature": "AAAA"})), "unreadable"),
        (edited(|case| case.bundle["verificationMaterial"]["publicKey"] = json!({"hint": ""})), "unreadable"),
        (judge(&make(&Spec::default()), &Signer::Key(foreign(2)), None), "verification-material"),
    ] {
        assert_eq!(what, Some(rule));
    }
    let without_digest = |digest: Value| {
        let mut case = make(&Spec { hashed: true, ..Spec::default() });
        case.bundle["messageSignature"]["messageDigest"] = digest;
        judge(&case, &identity(), Some(ARTIFACT))
    };
    assert_eq!(without_digest(Value::Null), None);
    assert_eq!(without_digest(json!({"algorithm": "SHA2_256", "digest": "AAAA"})), Some("artifact"));
    assert_eq!(without_digest(json!({"algorithm": "MD5", "digest": "AAAA"})), Some("artifact"));
}

fn foreign(n: u8) -> ForeignKey {
    ForeignKey::from_spki_der(&pki::key(n).public().to_spki_der()).unwrap()
}

#[test]
fn keys_of_bundles() {
    let envelope = Envelope::sign(IN_TOTO, statement(&[ARTIFACT]), &[&pki::key(2)]).unwrap();
    let value = bundle::with_key(&envelope, "aGludA==");
    let bundle = Bundle::parse(value.to_string().as_bytes()).unwrap();
    let check = |n: u8, root: Option<&TrustedRoot>, artifact: &[u8]| {
        verify(&bundle, &Signer::Key(foreign(n)), root, Some(artifact)).map(|_| ()).map_err(|why| why.rule)
    };
    let root = TrustedRoot::parse(make(&Spec::default()).root.to_string().as_bytes()).unwrap();
    assert_eq!(check(2, None, ARTIFACT), Ok(()));
    assert_eq!(check(3, None, ARTIFACT), Err("signature"));
    assert_eq!(check(2, None, b"other"), Err("artifact"));
    assert_eq!(check(2, Some(&root), ARTIFACT), Err("log-entry-missing"));
    assert_eq!(verify(&bundle, &identity(), Some(&root), None).unwrap_err().rule, "verification-material");
}

#[test]
fn of_several_signatures_one_suffices_unless_one_lies() {
    let payload = statement(&[ARTIFACT]);
    let envelope = Envelope::sign(IN_TOTO, payload, &[&pki::key(5), &pki::key(2)]).unwrap();
    assert!(verify_envelope(&envelope, &foreign(2), Some(ARTIFACT)).is_ok());
    assert_eq!(verify_envelope(&envelope, &foreign(6), None).unwrap_err().rule, "signature");
    let mut lying = envelope.clone();
    lying.signatures[0].keyid = pki::key(2).id().to_string();
    lying.signatures[1].keyid = "other".into();
    assert_eq!(verify_envelope(&lying, &foreign(2), None).unwrap_err().rule, "signature");
}

/// No byte of certificate, body, promise, proof, checkpoint, envelope or signature can change unnoticed.
#[test]
fn every_byte_counts() {
    let case = make(&Spec::default());
    let places = [
        "/verificationMaterial/certificate/rawBytes",
        "/verificationMaterial/tlogEntries/0/logId/keyId",
        "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp",
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
        "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0",
        "/dsseEnvelope/payload",
        "/dsseEnvelope/signatures/0/sig",
    ];
    for place in places {
        let bytes = base64::decode(case.bundle.pointer(place).and_then(Value::as_str).unwrap()).unwrap();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1 << (i % 8);
            let mut case = Case { bundle: case.bundle.clone(), root: case.root.clone() };
            *case.bundle.pointer_mut(place).unwrap() = json!(base64::encode(&changed));
            assert!(judge(&case, &identity(), Some(ARTIFACT)).is_some(), "{place}, byte {i}");
        }
    }
    let place = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
    let note = case.bundle.pointer(place).and_then(Value::as_str).unwrap().as_bytes().to_vec();
    for i in 0..note.len() {
        let mut changed = note.clone();
        changed[i] ^= 1;
        let Ok(text) = String::from_utf8(changed) else { continue };
        let mut case = Case { bundle: case.bundle.clone(), root: case.root.clone() };
        *case.bundle.pointer_mut(place).unwrap() = json!(text);
        assert!(judge(&case, &identity(), Some(ARTIFACT)).is_some(), "checkpoint, byte {i}: {text}");
    }
}

const STAMPING: &str = "1.3.6.1.5.5.7.3.8";

#[test]
fn timestamps_are_about_this_signature_at_a_time_that_counts() {
    let with = |by: u8, at: &str, about: Option<&[u8]>, purpose: &str| {
        let case = make(&Spec::default());
        let signature = pki::signature(&case);
        let response = pki::timestamp(about.unwrap_or(&signature), by, at);
        pki::stamped(case, &response, purpose)
    };
    let rule = |case: &Case| judge(case, &identity(), Some(ARTIFACT));
    // Enough by itself: without the promise it is the one who says when.
    let mut alone = with(7, "20230101000500Z", None, STAMPING);
    alone.bundle["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"] = Value::Null;
    assert_eq!(rule(&alone), None);
    assert_eq!(rule(&with(7, "20230101000500Z", None, STAMPING)), None);
    assert_eq!(rule(&with(7, "20230101000500Z", Some(b"another"), STAMPING)), Some("timestamp"));
    assert_eq!(rule(&with(9, "20230101000500Z", None, STAMPING)), Some("timestamp"));
    assert_eq!(rule(&with(7, "20230101001001Z", None, STAMPING)), Some("certificate-validity"));
    assert_eq!(rule(&with(7, "20211231235959Z", None, STAMPING)), Some("timestamp"), "before the authority was trusted");
    assert_eq!(rule(&with(7, "20230101000500Z", None, "1.3.6.1.5.5.7.3.3")), Some("certificate-usage"));
    let mut unknown = with(7, "20230101000500Z", None, STAMPING);
    unknown.root["timestampAuthorities"] = json!([]);
    assert_eq!(rule(&unknown), Some("timestamp"));

    // A changed byte is refused, or is one that says nothing (versions, the list of digests); never another time.
    let case = with(7, "20230101000500Z", None, STAMPING);
    let root = TrustedRoot::parse(case.root.to_string().as_bytes()).unwrap();
    let signature = pki::signature(&case);
    let response = pki::timestamp(&signature, 7, "20230101000500Z");
    let mut without_weight = 0;
    for i in 0..response.len() {
        let mut changed = response.clone();
        changed[i] ^= 1 << (i % 8);
        match timestamp::check(&changed, &signature, &root.timestamps) {
            Ok(at) => {
                assert_eq!(at, pki::SIGNED_AT);
                without_weight += 1;
            }
            Err(refusal) => assert!(!refusal.found.is_empty()),
        }
    }
    assert!(without_weight < 30, "{without_weight} of {} bytes change nothing", response.len());
}

//! A certificate authority, two kinds of log and bundles, all made here: each knob is something that can be wrong.

use serde_json::{Value, json};

use crate::base64;
use crate::canonical;
use crate::digest::Digest;
use crate::dsse::pae;
use crate::keys::SigningKey;
use crate::merkle::{self, Tree};
use crate::sigstore::asn1::{self, encode};

pub const IDENTITY: &str = "https://example.com/acme/app/release.yml@refs/tags/v1";
pub const ISSUER: &str = "https://token.example.com";
pub const ARTIFACT: &[u8] = b"the artifact\n";
/// When everything is signed: 2023-01-01T00:05:00Z; the certificate is valid from :00 to :10.
pub const SIGNED_AT: i64 = 1_672_531_500;

pub fn key(n: u8) -> SigningKey {
    SigningKey::p256(&[n; 32]).unwrap()
}

fn oid(text: &str) -> Vec<u8> {
    let id = x509_cert::spki::ObjectIdentifier::new_unwrap(text);
    encode(asn1::OID, &[id.as_bytes()])
}

fn ecdsa_sha256() -> Vec<u8> {
    encode(asn1::SEQUENCE, &[&oid("1.2.840.10045.4.3.2")])
}

fn name(text: &str) -> Vec<u8> {
    let attribute = encode(asn1::SEQUENCE, &[&oid("2.5.4.3"), &encode(0x0C, &[text.as_bytes()])]);
    encode(asn1::SEQUENCE, &[&encode(asn1::SET, &[&attribute])])
}

pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xFF] } else { &[] };
    encode(asn1::SEQUENCE, &[&oid(id), flag, &encode(asn1::OCTET_STRING, &[value])])
}

pub fn usage(purpose: &str) -> Vec<u8> {
    extension("2.5.29.37", false, &encode(asn1::SEQUENCE, &[&oid(purpose)]))
}

pub fn uri(text: &str) -> Vec<u8> {
    extension("2.5.29.17", true, &encode(asn1::SEQUENCE, &[&encode(0x86, &[text.as_bytes()])]))
}

fn authority_extensions() -> Vec<Vec<u8>> {
    vec![extension("2.5.29.19", true, &encode(asn1::SEQUENCE, &[&[1, 1, 0xFF]])), extension("2.5.29.15", true, &[3, 2, 1, 6])]
}

fn tbs(serial: u8, issuer: &str, subject: &str, valid: [&str; 2], of: &SigningKey, extensions: &[Vec<u8>]) -> Vec<u8> {
    let validity = encode(asn1::SEQUENCE, &[&encode(0x17, &[valid[0].as_bytes()]), &encode(0x17, &[valid[1].as_bytes()])]);
    let parts: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    let extensions = encode(0xA3, &[&encode(asn1::SEQUENCE, &parts)]);
    let version = encode(0xA0, &[&[2, 1, 2]]);
    let (issuer, subject) = (name(issuer), name(subject));
    let spki = of.public().to_spki_der();
    encode(asn1::SEQUENCE, &[&version, &[2, 1, serial], &ecdsa_sha256(), &issuer, &validity, &subject, &spki, &extensions])
}

fn signed(tbs: &[u8], by: &SigningKey) -> Vec<u8> {
    let signature = encode(asn1::BIT_STRING, &[&[0], &by.sign(tbs)]);
    encode(asn1::SEQUENCE, &[tbs, &ecdsa_sha256(), &signature])
}

/// What a case is made of; the default verifies.
pub struct Spec {
    pub authority: u8,
    pub authority_extensions: Vec<Vec<u8>>,
    pub authority_valid: [&'static str; 2],
    pub valid: [&'static str; 2],
    pub extensions: Vec<Vec<u8>>,
    pub ct_key: u8,
    pub ct_at: i64,
    pub sct: bool,
    pub statement: Vec<u8>,
    pub payload_type: &'static str,
    pub integrated_at: i64,
    /// What the log was told to hash.
    pub logged_payload: Option<Vec<u8>>,
    pub logged_certificate: Option<Vec<u8>>,
    pub kind: &'static str,
    pub hashed: bool,
}

impl Default for Spec {
    fn default() -> Spec {
        let issuer_v2 = encode(0x0C, &[ISSUER.as_bytes()]);
        Spec {
            authority: 1,
            authority_extensions: authority_extensions(),
            authority_valid: ["220101000000Z", "320101000000Z"],
            valid: ["230101000000Z", "230101001000Z"],
            extensions: vec![
                extension("2.5.29.15", true, &[3, 2, 7, 0x80]),
                usage("1.3.6.1.5.5.7.3.3"),
                uri(IDENTITY),
                extension("1.3.6.1.4.1.57264.1.1", false, ISSUER.as_bytes()),
                extension("1.3.6.1.4.1.57264.1.8", false, &issuer_v2),
            ],
            ct_key: 3,
            ct_at: SIGNED_AT,
            sct: true,
            statement: statement(&[ARTIFACT]),
            payload_type: crate::dsse::IN_TOTO,
            integrated_at: SIGNED_AT,
            logged_payload: None,
            logged_certificate: None,
            kind: "dsse",
            hashed: false,
        }
    }
}

pub fn statement(artifacts: &[&[u8]]) -> Vec<u8> {
    let subject = |(i, bytes): (usize, &&[u8])| json!({"name": format!("a{i}"), "digest": {"sha256": Digest::of(bytes).hex()}});
    let subjects: Vec<Value> = artifacts.iter().enumerate().map(subject).collect();
    let value = json!({"_type": crate::statement::STATEMENT_V1, "subject": subjects, "predicateType": "test/1", "predicate": {}});
    value.to_string().into_bytes()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::encode(der))
}

fn sct(spec: &Spec, tbs: &[u8], issuer: &SigningKey) -> Vec<u8> {
    let log = Digest::of(&key(3).public().to_spki_der());
    let millis = (spec.ct_at as u64 * 1000).to_be_bytes();
    let length = (tbs.len() as u32).to_be_bytes();
    let issuer = Digest::of(&issuer.public().to_spki_der());
    let message = [&[0, 0][..], &millis, &[0, 1], issuer.as_bytes(), &length[1..], tbs, &[0, 0]].concat();
    let signature = key(spec.ct_key).sign(&message);
    let one = [&[0][..], log.as_bytes(), &millis, &[0, 0, 4, 3], &(signature.len() as u16).to_be_bytes(), &signature].concat();
    let list = [&(one.len() as u16).to_be_bytes()[..], &one].concat();
    let list = [&(list.len() as u16).to_be_bytes()[..], &list].concat();
    extension("1.3.6.1.4.1.11129.2.4.2", false, &encode(asn1::OCTET_STRING, &[&list]))
}

/// A bundle of version 0.3 and the trusted root that goes with it, as JSON.
pub struct Case {
    pub bundle: Value,
    pub root: Value,
}

/// Keys: 1 the authority, 2 the signer, 3 certificate transparency, 4 Rekor.
pub fn make(spec: &Spec) -> Case {
    let (root_key, leaf_key, rekor) = (key(1), key(2), key(4));
    let anchor = signed(&tbs(1, "root", "root", spec.authority_valid, &root_key, &spec.authority_extensions), &root_key);
    let mut extensions = spec.extensions.clone();
    if spec.sct {
        let before = tbs(2, "root", "", spec.valid, &leaf_key, &extensions);
        extensions.push(sct(spec, &before, &root_key));
    }
    let leaf = signed(&tbs(2, "root", "", spec.valid, &leaf_key, &extensions), &key(spec.authority));

    let (message, payload) =
        if spec.hashed { (ARTIFACT.to_vec(), None) } else { (pae(spec.payload_type, &spec.statement), Some(&spec.statement)) };
    let signature = base64::encode(&leaf_key.sign(&message));
    let verifier = base64::encode(pem("CERTIFICATE", spec.logged_certificate.as_ref().unwrap_or(&leaf)).as_bytes());
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": Digest::of(bytes).hex()});
    let logged = spec.logged_payload.as_ref().or(payload).unwrap_or(&message);
    let (kind, version, body) = if spec.hashed {
        let body = json!({"data": {"hash": hash(logged)}, "signature": {"content": signature, "publicKey": {"content": verifier}}});
        ("hashedrekord", "0.0.1", body)
    } else {
        let signatures = json!([{"signature": signature, "verifier": verifier}]);
        ("dsse", "0.0.1", json!({"envelopeHash": hash(b""), "payloadHash": hash(logged), "signatures": signatures}))
    };
    let body = json!({"apiVersion": version, "kind": if kind == "dsse" { spec.kind } else { kind }, "spec": body});
    let body = canonical::value_to_vec(&body).unwrap();

    let log_id = Digest::of(&rekor.public().to_spki_der());
    let promised = json!({"body": base64::encode(&body), "integratedTime": spec.integrated_at, "logID": log_id.hex(), "logIndex": 7});
    let promise = rekor.sign(&canonical::value_to_vec(&promised).unwrap());
    // Our entry is the second of two.
    let (other, ours) = (merkle::leaf_hash(b"other"), merkle::leaf_hash(&body));
    let mut tree = Tree::new();
    tree.append(other);
    tree.append(ours);
    let root = base64::encode(tree.root().as_bytes());
    let text = format!("rekor.example.com - 1\n2\n{root}\n");
    let line = [&log_id.as_bytes()[..4], &rekor.sign(text.as_bytes())].concat();
    let checkpoint = format!("{text}\n— rekor.example.com {}\n", base64::encode(&line));
    let content = if spec.hashed {
        let digest = base64::encode(Digest::of(ARTIFACT).as_bytes());
        ("messageSignature", json!({"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}))
    } else {
        let payload = base64::encode(&spec.statement);
        ("dsseEnvelope", json!({"payload": payload, "payloadType": spec.payload_type, "signatures": [{"sig": signature}]}))
    };
    let log_id = base64::encode(log_id.as_bytes());
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": base64::encode(&leaf)},
            "tlogEntries": [{
                "logIndex": "7", "logId": {"keyId": log_id}, "kindVersion": {"kind": kind, "version": version},
                "integratedTime": spec.integrated_at.to_string(),
                "inclusionPromise": {"signedEntryTimestamp": base64::encode(&promise)},
                "inclusionProof": {"logIndex": "1", "rootHash": root, "treeSize": "2", "hashes": [base64::encode(other.as_bytes())],
                    "checkpoint": {"envelope": checkpoint}},
                "canonicalizedBody": base64::encode(&body)
            }]
        },
        content.0: content.1
    });
    Case { bundle, root: trusted_root(&anchor) }
}

fn trusted_root(anchor: &[u8]) -> Value {
    let valid = json!({"start": "2022-01-01T00:00:00Z"});
    let log = |n: u8| {
        let spki = key(n).public().to_spki_der();
        let public = json!({"rawBytes": base64::encode(&spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid});
        json!([{"baseUrl": format!("https://log{n}.example.com"), "hashAlgorithm": "SHA2_256", "publicKey": public,
            "logId": {"keyId": base64::encode(Digest::of(&spki).as_bytes())}}])
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": log(4), "ctlogs": log(3),
        "certificateAuthorities": [{"uri": "https://ca.example.com", "validFor": valid,
            "certChain": {"certificates": [{"rawBytes": base64::encode(anchor)}]}}]
    })
}

/// A timestamp over `signature` at `YYYYMMDDhhmmssZ`, signed with key `by` in the name of the authority that has key 7.
pub fn timestamp(signature: &[u8], by: u8, at: &str) -> Vec<u8> {
    let sha256 = encode(asn1::SEQUENCE, &[&oid("2.16.840.1.101.3.4.2.1")]);
    let hash = |bytes: &[u8]| encode(asn1::OCTET_STRING, &[Digest::of(bytes).as_bytes()]);
    let imprint = encode(asn1::SEQUENCE, &[&sha256, &hash(signature)]);
    let at = encode(asn1::GENERALIZED_TIME, &[at.as_bytes()]);
    let info = encode(asn1::SEQUENCE, &[&[2, 1, 1], &oid("1.2.3"), &imprint, &[2, 1, 5], &at]);
    let attribute = |id: &str, value: &[u8]| encode(asn1::SEQUENCE, &[&oid(id), &encode(asn1::SET, &[value])]);
    let kind = oid("1.2.840.113549.1.9.16.1.4");
    let attributes = [attribute("1.2.840.113549.1.9.3", &kind), attribute("1.2.840.113549.1.9.4", &hash(&info))].concat();
    let signature = key(by).sign(&encode(asn1::SET, &[&attributes]));
    let signer = encode(asn1::SEQUENCE, &[&name("tsa root"), &[2, 1, 4]]);
    let signature = encode(asn1::OCTET_STRING, &[&signature]);
    let signer = encode(asn1::SEQUENCE, &[&[2, 1, 1], &signer, &sha256, &encode(0xA0, &[&attributes]), &ecdsa_sha256(), &signature]);
    let content = encode(asn1::SEQUENCE, &[&kind, &encode(0xA0, &[&encode(asn1::OCTET_STRING, &[&info])])]);
    let signed = encode(asn1::SEQUENCE, &[&[2, 1, 3], &encode(asn1::SET, &[&sha256]), &content, &encode(asn1::SET, &[&signer])]);
    let token = encode(asn1::SEQUENCE, &[&oid("1.2.840.113549.1.7.2"), &encode(0xA0, &[&signed])]);
    encode(asn1::SEQUENCE, &[&encode(asn1::SEQUENCE, &[&[2, 1, 0]]), &token])
}

/// A case with a timestamp, and with its authority, a certificate for `purpose`, in the trusted root.
pub fn stamped(mut case: Case, response: &[u8], purpose: &str) -> Case {
    let valid = ["220101000000Z", "320101000000Z"];
    let anchor = signed(&tbs(3, "tsa root", "tsa root", valid, &key(6), &authority_extensions()), &key(6));
    let extensions = [extension("2.5.29.15", true, &[3, 2, 7, 0x80]), usage(purpose)];
    let leaf = signed(&tbs(4, "tsa root", "tsa", valid, &key(7), &extensions), &key(6));
    let chain = json!({"certificates": [{"rawBytes": base64::encode(&leaf)}, {"rawBytes": base64::encode(&anchor)}]});
    let valid = json!({"start": "2022-01-01T00:00:00Z"});
    case.root["timestampAuthorities"] = json!([{"uri": "https://tsa.example.com", "certChain": chain, "validFor": valid}]);
    let stamps = json!([{"signedTimestamp": base64::encode(response)}]);
    case.bundle["verificationMaterial"]["timestampVerificationData"] = json!({"rfc3161Timestamps": stamps});
    case
}

/// The signature's bytes of a case's envelope.
pub fn signature(case: &Case) -> Vec<u8> {
    base64::decode(case.bundle["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap()).unwrap()
}

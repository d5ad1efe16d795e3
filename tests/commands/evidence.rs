//! `evidence sign`, `verify` and `show` without a server.

use holdpoint_testkit::command_line::{CommandLine, Output};
use holdpoint_testkit::process::folder;
use serde_json::{Value, json};

// Made by `openssl genpkey`; test keys only.
const ED25519: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEiDEVvaPJ+kO3Gc6E3CY8j34nwGxCNr4wwyHAt/ZKX+\n-----END PRIVATE KEY-----\n";
const ED25519_PUBLIC: &str =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAGpF6rNbs9X77MwpIg6WUq5/JWcRmxiSiPKLNK7uWWA=\n-----END PUBLIC KEY-----\n";
const P256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8lpVRZ59VaSGOIQC\nYVsK8VDT0HE+PkOLLw134QgiteOhRANCAATjHiRUbw0VnmbBrtNUcs7/TGU3dnPn\nSiPSE145OzI7K3Zc6RkwiJjlQS2PHv1O2knawrm9D4hWhH2XIgnESzxO\n-----END PRIVATE KEY-----\n";
const P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4x4kVG8NFZ5mwa7TVHLO/0xlN3Zz\n50oj0hNeOTsyOyt2XOkZMIiY5UEtjx79TtpJ2sK5vQ+IVoR9lyIJxEs8Tg==\n-----END PUBLIC KEY-----\n";

const ARTIFACT: &str = "the artifact\n";
const ARTIFACT_SHA256: &str = "bc7d9595113fde1cc84e2489f523da6184c8f1417a62ee5d8f2f2f98f6dd3854";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { folder: folder() };
        for (name, text) in
            [("ed.pem", ED25519), ("ed.pub", ED25519_PUBLIC), ("p256.pem", P256), ("p256.pub", P256_PUBLIC), ("artifact", ARTIFACT)]
        {
            desk.write(name, text);
        }
        desk.write("statement.json", &desk.statement().to_string());
        desk
    }
    fn statement(&self) -> Value {
        json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "artifact", "digest": {"sha256": ARTIFACT_SHA256}}],
            "predicateType": "https://example.com/reviewed/v1", "predicate": {"by": "two"}})
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }
    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join(name)).expect("a file")).expect("JSON")
    }
    fn run(&self, args: &[&str]) -> Output {
        CommandLine::new(self.folder.path()).run([&["--json", "evidence"][..], args].concat())
    }
    fn refused(&self, args: &[&str]) -> Value {
        let said = self.run(args).code(1).json();
        assert_eq!(said["verdict"], "refused");
        let finding = said["findings"][0].clone();
        for member in ["rule", "message", "found", "expected", "file"] {
            assert!(finding[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {finding}");
        }
        finding["rule"].clone()
    }
}

#[test]
fn what_is_signed_here_verifies_here() {
    let desk = Desk::new();
    for (key, public) in [("ed.pem", "ed.pub"), ("p256.pem", "p256.pub")] {
        for format in ["dsse", "bundle"] {
            let signed = desk.run(&["sign", "statement.json", "--key", key, "--format", format, "--output", "out.json"]).code(0).json();
            assert_eq!((&signed["verdict"], &signed["subjects"][0]), (&json!("signed"), &json!(format!("sha256:{ARTIFACT_SHA256}"))));
            let said = desk.run(&["verify", "out.json", "--key", public, "--artifact", "artifact"]).code(0).json();
            assert_eq!(said["verdict"], "verified");
            assert_eq!(said["predicate_type"], "https://example.com/reviewed/v1");
            assert_eq!(said["signer"]["key"], signed["key"]);
            let other = if public == "ed.pub" { "p256.pub" } else { "ed.pub" };
            assert_eq!(desk.refused(&["verify", "out.json", "--key", other]), "signature");
            assert_eq!(desk.refused(&["verify", "out.json", "--key", public, "--artifact", "ed.pub"]), "artifact");
            let shown = desk.run(&["show", "out.json"]).code(0).json();
            assert_eq!(shown["unverified"], true);
            assert_eq!(shown["statement"]["subjects"][0]["name"], "artifact");
            assert_eq!(shown["verdict"], Value::Null);
        }
    }
    let text = CommandLine::new(desk.folder.path()).run(["evidence", "show", "out.json"]).code(0).stdout;
    assert!(text.starts_with("Sigstore bundle 0.3, not verified"), "{text}");
}

#[test]
fn statements_that_could_be_misread_are_not_signed() {
    let desk = Desk::new();
    let mut empty = desk.statement();
    empty["subject"] = json!([]);
    let mut twice = desk.statement();
    twice["subject"] = json!([twice["subject"][0], twice["subject"][0]]);
    let double = desk.statement().to_string().replacen('{', "{\"subject\":[],", 1);
    for text in [empty.to_string(), twice.to_string(), double, format!("{} x", desk.statement()), "{}".to_owned()] {
        desk.write("odd.json", &text);
        let ran = desk.run(&["sign", "odd.json", "--key", "ed.pem", "--output", "odd.out"]).code(2);
        assert!(ran.stderr.contains("odd.json: "), "{}", ran.stderr);
        assert!(!desk.folder.path().join("odd.out").exists());
    }
    desk.run(&["sign", "statement.json", "--key", "ed.pub", "--output", "odd.out"]).code(2);
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let desk = Desk::new();
    desk.run(&["sign", "statement.json", "--key", "ed.pem", "--format", "bundle", "--output", "out.json"]).code(0);
    let good = desk.read("out.json");
    let mut version = good.clone();
    version["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=99.9");
    let mut unknown = good.clone();
    unknown["verificationMaterial"]["more"] = json!(1);
    let double = good.to_string().replacen('{', "{\"dsseEnvelope\":{},", 1);
    for text in [version.to_string(), unknown.to_string(), double, format!("{good}{good}"), "[]".to_owned(), String::new()] {
        desk.write("odd.json", &text);
        let ran = desk.run(&["verify", "odd.json", "--key", "ed.pub"]).code(2);
        assert!(ran.stderr.contains("odd.json: "), "{}", ran.stderr);
    }
    // Whose signature is asked for has to be said, once; a certificate needs somebody to trust.
    for args in [
        &["verify", "out.json"][..],
        &["verify", "out.json", "--key", "ed.pub", "--certificate-identity", "a", "--certificate-oidc-issuer", "b"],
        &["verify", "out.json", "--certificate-identity", "a", "--trusted-root", "ed.pub"],
        &["verify", "out.json", "--certificate-identity", "a", "--certificate-oidc-issuer", "b"],
        &["verify", "out.json", "--key", "ed.pem"],
        &["verify", "out.json", "--key", "ed.pub", "--trusted-root", "statement.json"],
        &["show"],
    ] {
        desk.run(args).code(2);
    }
}

#[test]
fn a_lie_beside_a_genuine_signature_refuses() {
    let desk = Desk::new();
    desk.run(&["sign", "statement.json", "--key", "ed.pem", "--output", "out.json"]).code(0);
    let mut envelope = desk.read("out.json");
    let genuine = envelope["signatures"][0].clone();
    envelope["signatures"] = json!([{"keyid": "somebody", "sig": "AAAA"}, genuine]);
    desk.write("two.json", &envelope.to_string());
    assert_eq!(desk.run(&["verify", "two.json", "--key", "ed.pub"]).code(0).json()["verdict"], "verified");
    envelope["signatures"] = json!([{"keyid": genuine["keyid"], "sig": "AAAA"}, {"sig": genuine["sig"]}]);
    desk.write("two.json", &envelope.to_string());
    assert_eq!(desk.refused(&["verify", "two.json", "--key", "ed.pub"]), "signature");
    // A log was asked for, and a bare envelope cannot be in one.
    let root = json!({"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"});
    desk.write("root.json", &root.to_string());
    assert_eq!(desk.refused(&["verify", "out.json", "--key", "ed.pub", "--trusted-root", "root.json"]), "log-entry-missing");
}

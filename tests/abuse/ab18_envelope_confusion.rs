//! AB18: an envelope counts for exactly what its signature covers and its statement names. Offline, by the command line,
//! with an envelope that the server itself signed.

use holdpoint_tests::{Program, World};
use serde_json::{Value, json};

struct Case {
    world: World,
    envelope: Value,
    key: String,
    artifact: String,
}

fn case() -> Case {
    let world = World::start();
    let program = Program::new("1.0.0");
    let release = world.bare_release(&program);
    let taken = world.unit_tests(&release, 7, 0);
    let digest = taken["evidence"][0]["digest"].as_str().unwrap_or_else(|| panic!("no digest: {taken:#}")).to_owned();
    let envelope = world.api("mary").get(&format!("/v1/evidence/{digest}")).ok();
    let artifact = world.folder().join("artifact");
    std::fs::write(&artifact, program.bytes()).expect("a file");
    // The key that signed, out of the signed list of keys.
    let keys = world.api("mary").get("/v1/keys").ok();
    let key = world.folder().join("key.pem");
    let pem = server_key(&keys).unwrap_or_else(|| panic!("no key of the server: {keys:#}"));
    std::fs::write(&key, pem).expect("a file");
    let (key, artifact) = (key.display().to_string(), artifact.display().to_string());
    Case { world, envelope, key, artifact }
}

/// The first key of the signed list, as PEM.
fn server_key(keys: &Value) -> Option<String> {
    let list: Value = serde_json::from_slice(&decode(keys["list"]["payload"].as_str()?)?).ok()?;
    let key = list["keys"][0]["key"].as_str()?;
    Some(format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n"))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use std::io::Write as _;
    let mut child = std::process::Command::new("base64")
        .arg("-d")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    Some(child.wait_with_output().ok()?.stdout)
}

fn encode(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("base64")
        .args(["-w", "0"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("base64 starts");
    child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout).into_owned()
}

impl Case {
    fn verify(&self, bytes: &[u8], artifact: &str) -> holdpoint_testkit::Output {
        let file = self.world.folder().join("envelope.json");
        std::fs::write(&file, bytes).expect("a file");
        self.world.cli("mary").run([
            "--json",
            "evidence",
            "verify",
            &file.display().to_string(),
            "--key",
            &self.key,
            "--artifact",
            artifact,
        ])
    }
    fn payload(&self) -> Vec<u8> {
        decode(self.envelope["payload"].as_str().expect("a payload")).expect("base64")
    }
}

#[test]
fn ab18_an_envelope_counts_for_what_it_is_about() {
    let case = case();
    let good = case.envelope.to_string();
    assert_eq!(case.verify(good.as_bytes(), &case.artifact).code(0).json()["verdict"], "verified");
    // Another artifact.
    let other = case.world.folder().join("other");
    std::fs::write(&other, b"other bytes").expect("a file");
    case.verify(good.as_bytes(), &other.display().to_string()).code(1);
    // Another type around the same signature.
    let mut wrong = case.envelope.clone();
    wrong["payloadType"] = json!("application/vnd.in-toto+json; charset=utf-8");
    case.verify(wrong.to_string().as_bytes(), &case.artifact).code(1);
    // One bit of the payload; a statement of one's own under the old signature.
    let mut payload = case.payload();
    let statement: Value = serde_json::from_slice(&payload).expect("a statement");
    let middle = payload.len() / 2;
    payload[middle] ^= 1;
    let mut wrong = case.envelope.clone();
    wrong["payload"] = json!(encode(&payload));
    assert!(matches!(case.verify(wrong.to_string().as_bytes(), &case.artifact).code, 1 | 2));
    let mut forged = statement.clone();
    forged["subject"] = json!([]);
    let mut wrong = case.envelope.clone();
    wrong["payload"] = json!(encode(forged.to_string().as_bytes()));
    case.verify(wrong.to_string().as_bytes(), &case.artifact).code(1);
    // No signature, and one that is none.
    let mut wrong = case.envelope.clone();
    wrong["signatures"] = json!([]);
    assert!(matches!(case.verify(wrong.to_string().as_bytes(), &case.artifact).code, 1 | 2));
    wrong["signatures"] = json!([{"sig": encode(&[0; 64])}]);
    case.verify(wrong.to_string().as_bytes(), &case.artifact).code(1);
    // Trailing bytes and duplicate members are no envelope.
    case.verify(format!("{good}{good}").as_bytes(), &case.artifact).code(2);
    let twice = good.replacen('{', &format!("{{\"payload\":\"{}\",", encode(forged.to_string().as_bytes())), 1);
    case.verify(twice.as_bytes(), &case.artifact).code(2);
}

/// The server takes signed statements only from whom its trust policy names: here, nobody.
#[test]
fn ab18_a_signed_statement_of_a_stranger_is_refused() {
    let case = case();
    let robot = case.world.api("robot");
    let sent = |bytes: Vec<u8>| robot.upload("POST", "/v1/evidence?kind=dsse", "application/json", bytes);
    let mut envelope = case.envelope.clone();
    envelope["signatures"] = json!([{"sig": encode(&[7; 64])}]);
    for bytes in [envelope.to_string().into_bytes(), case.envelope.to_string().into_bytes(), b"{}".to_vec()] {
        let answer = sent(bytes);
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
}

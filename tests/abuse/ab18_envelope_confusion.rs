//! AB18: an envelope counts for exactly what its signature covers and its statement names. Offline, by the command line,
//! with an envelope that the server itself signed.

use holdpoint_tests::{Organisation, Program, World};
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

/// Another installation builds something: its program's digest, the provenance it signed, its public key.
fn built_elsewhere() -> (String, Vec<u8>, String) {
    let component = "    build: {command: [cp, program.py, built.py], artifacts: {app: built.py}}\n".to_owned();
    let world = World::with(Organisation { component, ..Organisation::default() });
    let folder = world.folder().join("repository");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("program.py"), Program::new("1.0.0").bytes()).expect("a file");
    for args in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "program"]] {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(&folder).args(["-c", "user.name=Linus", "-c", "user.email=linus@shop.example", "-c", "init.defaultBranch=main"]);
        assert!(git.args(args).status().expect("git starts").success(), "git {args:?}");
    }
    let path = folder.display().to_string();
    let built =
        world.cli("robot").run(["--json", "build", "start", "web", "app", "--repository", &path, "--commit", "main"]).code(0).json();
    let digest = built["artifacts"]["app"].as_str().unwrap_or_else(|| panic!("no digest: {built:#}")).to_owned();
    let known = world.api("mary").get(&format!("/v1/evidence?subject={digest}")).ok();
    let envelope = known["evidence"][0]["digest"].as_str().unwrap_or_else(|| panic!("no provenance: {known:#}")).to_owned();
    let bytes = world.api("mary").get(&format!("/v1/evidence/{envelope}")).text().into_bytes();
    let key = server_key(&world.api("mary").get("/v1/keys").ok()).expect("a key of the server");
    (digest, bytes, key)
}

/// A policy with the key `theirs`: what is said of it, what its role may state.
fn policy(pem: &str, said: &str, types: &str) -> String {
    let pem = pem.trim_end().replace('\n', "\n      ");
    format!(
        "keys:\n  - name: theirs\n    key: |\n      {pem}\n{said}roles:\n  builders:\n    keys: [theirs]\n    predicate-types: [\"{types}\"]\n"
    )
}

/// Another's signature counts where the server's trust policy says so: by a key of the role, within its time, by the
/// ledger's receive time, and about what the role may state.
#[test]
fn ab18_a_strangers_signature_counts_as_the_policy_says() {
    const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    let (digest, bytes, theirs) = built_elsewhere();
    let mut world = World::start();
    let foreign = server_key(&world.api("mary").get("/v1/keys").ok()).expect("a key");
    let file = world.folder().join("trust.yaml");
    let envelope = world.folder().join("provenance.json");
    std::fs::write(&envelope, &bytes).expect("a file");
    let option = ["--trust-policy".to_owned(), file.display().to_string()];
    let mut options = Some(option);
    let mut add = |world: &mut World, policy: &str| {
        std::fs::write(&file, policy).expect("a file");
        world.server.restart_with(|server| server.args.extend(options.take().into_iter().flatten()));
        world.cli("robot").run(["evidence", "add", "--kind", "dsse", "--subject", &digest, &envelope.display().to_string()])
    };
    for (said, key, types, why) in [
        ("", &foreign, PROVENANCE, "0 of the role's keys signed"),
        ("    revoked: {at: 2026-01-01T00:00:00Z, reason: a lost laptop}\n", &theirs, PROVENANCE, "was revoked"),
        ("    valid-until: 2026-01-01T00:00:00Z\n", &theirs, PROVENANCE, "counted only until"),
        ("    valid-from: 2099-01-01T00:00:00Z\n", &theirs, PROVENANCE, "counts only from"),
        ("", &theirs, "https://slsa.dev/verification_summary/v1", "predicate type"),
    ] {
        let refused = add(&mut world, &policy(key, said, types));
        assert!(refused.code == 1 && refused.stderr.contains("EVD-005") && refused.stderr.contains(why), "{said}{why}: {refused}");
    }
    let known = |world: &World| world.api("mary").get(&format!("/v1/evidence?subject={digest}")).ok()["evidence"].take();
    assert_eq!(known(&world), json!([]), "nothing of it was recorded");
    let said = "    valid-from: 2026-01-01T00:00:00Z\n    valid-until: 2099-01-01T00:00:00Z\n    revoked: {at: 2098-01-01T00:00:00Z, reason: planned}\n";
    let taken = add(&mut world, &policy(&theirs, said, PROVENANCE));
    assert!(taken.code == 0 && taken.stdout.starts_with("provenance sha256:"), "{taken}");
    assert_eq!(known(&world).as_array().map(Vec::len), Some(1));
    assert_eq!(world.sealed(&format!("subject/{digest}"), "EvidenceReceived"), ["EvidenceReceived"]);
    // About another digest it says nothing, and changed it is nobody's.
    let other = format!("sha256:{}", "0".repeat(64));
    let args = |subject: &str| ["evidence", "add", "--kind", "dsse", "--subject", subject].map(str::to_owned).to_vec();
    let with = |mut args: Vec<String>, file: &std::path::Path| {
        args.push(file.display().to_string());
        world.cli("robot").run(args.iter().map(String::as_str))
    };
    assert!(with(args(&other), &envelope).stderr.contains("does not speak of"));
    let mut changed: Value = serde_json::from_slice(&bytes).expect("an envelope");
    let mut payload = decode(changed["payload"].as_str().expect("a payload")).expect("base64");
    payload.push(b' ');
    changed["payload"] = json!(encode(&payload));
    let changed_file = world.folder().join("changed.json");
    std::fs::write(&changed_file, changed.to_string()).expect("a file");
    assert!(with(args(&digest), &changed_file).stderr.contains("EVD-005"));
}

/// A policy that cannot be read trusts nobody by accident: the server says where, and does not start.
#[test]
fn ab18_a_policy_with_a_mistake_stops_the_start() {
    let world = World::start();
    let file = world.folder().join("trust.yaml");
    let data = world.folder().join("another").display().to_string();
    let pem = server_key(&world.api("mary").get("/v1/keys").ok()).expect("a key");
    let good = policy(&pem, "", "https://slsa.dev/provenance/v1");
    for (text, place) in [
        (good.replace("keys: [theirs]", "keys: [theirs, ours]"), ":9:20: role \"builders\": expected the name of a key, found \"ours\""),
        (good.replace("roles:", "rules:"), "rules"),
        (good.replace("PUBLIC KEY", "KEY"), ":4:7: key \"theirs\": expected PEM"),
    ] {
        std::fs::write(&file, text).expect("a file");
        let args = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--trust-policy", &file.display().to_string()];
        let said = world.cli("mary").run(args).code(2);
        assert!(said.stderr.contains("trust.yaml") && said.stderr.contains(place), "{place}: {said}");
    }
    let said = world.cli("mary").run(["serve", "--data", &data, "--trust-policy", "nowhere.yaml"]).code(2);
    assert!(said.stderr.contains("nowhere.yaml") && !std::path::Path::new(&data).exists(), "{said}");
}

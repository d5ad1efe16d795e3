//! AB47: whoever changes the ledger is found out: in the export, in a dossier, against an older checkpoint, in the database.

use holdpoint_testkit::{Browser, Output, eventually, needs};
use holdpoint_tests::{Program, Release, World};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

struct Kept {
    world: World,
    release: Release,
    root: String,
    export: Vec<String>,
}

fn kept() -> Kept {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.released(&release);
    world.sealed(&format!("release/{}", release.id), "ReleaseClosed");
    let root = world.server.data().join("keys/root.pub").display().to_string();
    let file = world.folder().join("ledger.jsonl");
    world.cli("mary").run(["ledger", "export", "-o", &file.display().to_string()]).code(0);
    let export = std::fs::read_to_string(&file).expect("the export").lines().map(str::to_owned).collect();
    Kept { world, release, root, export }
}

impl Kept {
    fn verify(&self, lines: &[String], older: &[&Path]) -> Output {
        let file = self.world.folder().join("changed.jsonl");
        std::fs::write(&file, lines.join("\n") + "\n").expect("a file");
        let mut args = vec![
            "--json".to_owned(),
            "ledger".to_owned(),
            "verify".to_owned(),
            file.display().to_string(),
            "--root".to_owned(),
            self.root.clone(),
        ];
        for one in older {
            args.extend(["--older".to_owned(), one.display().to_string()]);
        }
        // Offline: no server is named.
        self.world.cli("mary").env("HOLDPOINT_SERVER", "http://127.0.0.1:9").run(args)
    }
    /// The line of the fact with this index; a header stands before it.
    fn line(&self, index: usize) -> usize {
        let wanted = format!("\"index\":{index}");
        self.export
            .iter()
            .position(|line| line.contains(&format!("{wanted},")) || line.contains(&format!("{wanted}}}")))
            .expect("the fact's line")
    }
    fn facts(&self) -> usize {
        self.export.iter().filter(|line| line.contains("\"envelope\"")).count()
    }
}

fn bad_at(output: &Output, index: usize) {
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(output.json()["first_bad_index"], index, "{output}");
}

#[test]
fn ab47_a_changed_export_is_found_with_its_first_bad_index() {
    let kept = kept();
    assert_eq!(kept.verify(&kept.export, &[]).code(0).json()["verdict"], "verified");
    let at = kept.facts() / 2;
    let place = kept.line(at);
    // Another body; another actor in the envelope.
    let mut edited = kept.export.clone();
    edited[place] = edit(&edited[place], "body");
    bad_at(&kept.verify(&edited, &[]), at);
    let mut edited = kept.export.clone();
    edited[place] = edit(&edited[place], "envelope");
    bad_at(&kept.verify(&edited, &[]), at);
    let mut deleted = kept.export.clone();
    deleted.remove(place);
    bad_at(&kept.verify(&deleted, &[]), at);
    let mut inserted = kept.export.clone();
    inserted.insert(place, kept.export[kept.line(0)].clone());
    bad_at(&kept.verify(&inserted, &[]), at);
    let mut swapped = kept.export.clone();
    swapped.swap(place, place + 1);
    bad_at(&kept.verify(&swapped, &[]), at);
    // Without its end: the checkpoint covers more than is there; without the checkpoint there is nothing to trust.
    let mut cut = kept.export.clone();
    let last = cut.len() - 2;
    cut.remove(last);
    assert_eq!(kept.verify(&cut, &[]).code, 1);
    assert_ne!(kept.verify(&kept.export[..kept.export.len() - 1], &[]).code, 0);
    // By nobody's key.
    let other = kept.world.folder().join("other.pub");
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    std::fs::write(&other, pem).expect("a file");
    let file = kept.world.folder().join("ledger.jsonl").display().to_string();
    let refused = kept.world.cli("mary").run(["ledger", "verify", &file, "--root", &other.display().to_string()]);
    assert_eq!(refused.code, 1, "{refused}");
}

/// One letter of a value of a member changes.
fn edit(line: &str, member: &str) -> String {
    let mut fact: serde_json::Value = serde_json::from_str(line).expect("a fact");
    if member == "body" {
        fact["body"] = serde_json::json!({"changed": true});
    } else {
        fact["envelope"]["at"] = serde_json::json!(1);
    }
    fact.to_string()
}

/// A restored older state is a beginning of the log that a newer checkpoint does not accept as the whole.
#[test]
fn ab47_an_older_state_is_found_by_a_newer_checkpoint() {
    let kept = kept();
    let checkpoint = |name: &str| -> PathBuf {
        let note = kept.world.api("mary").get("/v1/ledger/checkpoint").ok()["note"].as_str().expect("a note").to_owned();
        let file = kept.world.folder().join(name);
        std::fs::write(&file, note).expect("a file");
        file
    };
    let old = checkpoint("old.txt");
    let before = kept.export.clone();
    let more = kept.world.release(&Program::new("2.0.0"));
    kept.world.sealed(&format!("release/{}", more.id), "ReleaseCreated");
    let new = checkpoint("new.txt");
    let file = kept.world.folder().join("newer.jsonl");
    kept.world.cli("mary").run(["ledger", "export", "-o", &file.display().to_string()]).code(0);
    let after: Vec<String> = std::fs::read_to_string(&file).expect("the export").lines().map(str::to_owned).collect();
    assert_eq!(kept.verify(&after, &[&old, &new]).code, 0);
    assert_eq!(kept.verify(&before, &[&old]).code, 0);
    assert_eq!(kept.verify(&before, &[&new]).code, 1, "an older backup passes as the present");
}

#[test]
fn ab47_a_changed_dossier_is_refused() {
    let kept = kept();
    let file = kept.world.folder().join("dossier.json");
    kept.world.cli("mary").run(["release", "dossier", &kept.release.id, "-o", &file.display().to_string()]).code(0);
    let text = std::fs::read_to_string(&file).expect("the dossier");
    let verify = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        kept.world.cli("mary").env("HOLDPOINT_SERVER", "http://127.0.0.1:9").run([
            "--json",
            "verify",
            &file.display().to_string(),
            "--root",
            &kept.root,
        ])
    };
    assert_eq!(verify(&text).code(0).json()["verdict"], "verified");
    // An approval that was never given, an approver who was another, a digest that was another.
    for (from, to) in [
        ("ApprovalGiven", "ApprovalTaken"),
        ("\"production\"", "\"productiom\""),
        (&kept.release.digest[8..40], "00000000000000000000000000000000"),
    ] {
        assert!(text.contains(from), "{from} is not in the dossier");
        let output = verify(&text.replacen(from, to, 1));
        assert!(output.code == 1 || output.code == 2, "{from} → {to}\n{output}");
    }
    // A fact left out.
    let mut dossier: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(leave_out(&mut dossier), "no list of facts in the dossier");
    let output = verify(&dossier.to_string());
    assert!(output.code == 1 || output.code == 2, "{output}");
}

/// Removes the last element of the first list of facts.
fn leave_out(value: &mut serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(list) if list.iter().any(|one| one.get("envelope").is_some()) => list.pop().is_some(),
        serde_json::Value::Array(list) => list.iter_mut().any(leave_out),
        serde_json::Value::Object(members) => members.values_mut().any(leave_out),
        _ => false,
    }
}

fn sql(database: &Path, statement: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nn = c.execute(sys.argv[2]).rowcount\nc.commit()\nassert n > 0, 'nothing changed'";
    let output = Command::new("python3").args(["-c", script]).arg(database).arg(statement).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whoever has the disk changes a fact in the database: the export does not verify, the server does not start on it.
#[test]
fn ab47_a_changed_database_is_found() {
    for statement in [
        "UPDATE facts SET body = replace(body, 'production', 'productiom') WHERE type = 'ApprovalGiven'",
        "UPDATE facts SET actor = (SELECT actor FROM facts WHERE type = 'ReleaseCreated' LIMIT 1) WHERE type = 'ApprovalGiven'",
        "DELETE FROM facts WHERE type = 'ApprovalGiven'",
    ] {
        let mut kept = kept();
        let database = kept.world.server.data().join("holdpoint.db");
        let good = kept.export.clone();
        let at = good
            .iter()
            .filter(|line| line.contains("\"envelope\""))
            .position(|line| line.contains("\"ApprovalGiven\""))
            .expect("an approval");
        sql(&database, statement);
        // The running server's export says what it has, and what it has does not verify.
        let answer = kept.world.api("mary").try_send("GET", "/v1/ledger/export", &[], None);
        // An export that finds a gap breaks off.
        if let Some(answer) = answer.ok().filter(|answer| answer.status == 200) {
            let lines: Vec<String> = answer.text().lines().map(str::to_owned).collect();
            let output = kept.verify(&lines, &[]);
            assert_eq!(output.code, 1, "{statement}\n{output}");
            let first = output.json()["first_bad_index"].as_u64();
            assert!(first.is_none() || first == Some(at as u64), "{statement}\n{output}");
        }
        kept.world.server.kill();
        let data = kept.world.server.data().display().to_string();
        let output = holdpoint_testkit::command_line::CommandLine::new(kept.world.folder()).run(["rebuild", "--compare", "--data", &data]);
        assert_eq!(output.code, 1, "{statement}: the comparison does not notice\n{output}");
        assert!(!starts(&kept.world), "{statement}: the server starts on a changed ledger");
    }
}

/// Whether `serve` comes up on this data: it announces itself within a second, or ends.
fn starts(world: &World) -> bool {
    let data = world.server.data().display().to_string();
    let args = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--announce", "json", "--no-worker"];
    let mut command = holdpoint_testkit::command_line::CommandLine::new(world.folder()).command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line);
    _ = child.kill();
    let status = child.wait().expect("it ends");
    let began = read.is_ok() && line.contains("listening");
    assert!(began || status.code() == Some(3), "{status}");
    began
}

/// A world in which one stored file was changed and another one is gone, its server just started; the files, the digests.
fn damaged() -> (World, [PathBuf; 2], [String; 2]) {
    let mut world = World::start();
    let digests = [world.upload(b"bytes that will be changed"), world.upload(b"bytes that will be gone")];
    let data = world.server.data();
    let files = digests.each_ref().map(|digest| {
        let hex = digest.trim_start_matches("sha256:");
        data.join("blobs/sha256").join(&hex[..2]).join(&hex[2..])
    });
    std::fs::write(&files[0], b"bytes that have been changed").expect("a file");
    std::fs::remove_file(&files[1]).expect("it was there");
    world.server.restart();
    (world, files, digests)
}

/// Rounds are ten seconds apart.
const LATE: Duration = Duration::from_secs(60);

/// Found without anybody asking for the files: in the API and in the log. The server goes on working. Put back, they are
/// fine again.
#[test]
fn ab47_a_damaged_blob_is_found() {
    let (world, files, [changed, gone]) = damaged();
    let scrub = || world.person("mary").get("/v1/ledger/scrub").ok();
    let found = eventually("the damage is found", LATE, || Some(scrub()).filter(|found| found["blobs"]["differences"][1].is_string()));
    let mut told: Vec<&str> = found["blobs"]["differences"].as_array().expect("a list").iter().filter_map(|one| one.as_str()).collect();
    told.sort_unstable_by_key(|one| one.contains("not there"));
    assert_eq!(told, [format!("blob {changed}: its file has 28 bytes, not 26"), format!("blob {gone}: its file is not there")]);
    assert_eq!((found["verdict"].as_str(), found["ledger"]["differences"].as_array().map(Vec::len)), (Some("damaged"), Some(0)));
    assert!(world.server.stderr().contains("a blob is not what it is named"));
    assert_eq!(world.server.client().get("/readyz").status, 200, "everything else works");
    std::fs::write(&files[0], b"bytes that will be changed").expect("a file");
    std::fs::write(&files[1], b"bytes that will be gone").expect("a file");
    eventually("a round finds nothing", LATE, || (scrub()["verdict"] == "sound").then_some(()));
}

#[test]
fn ab47_a_damaged_blob_is_told_on_the_audit_page() {
    needs!("chromium");
    let (world, _, [_, gone]) = damaged();
    let browser = Browser::start();
    let page = world.page(&browser, "mary");
    eventually("it is found", LATE, || (world.person("mary").get("/v1/ledger/scrub").ok()["verdict"] == "damaged").then_some(()));
    page.goto("/audit");
    page.sees("2 stored files are not what their names say.");
    page.sees(&format!("blob {gone}: its file is not there"));
    page.portrait("damaged-files");
}

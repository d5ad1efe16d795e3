//! F10, F13, F14: a database that restarts, is shared by two servers, or is busy.

use crate::stage::{Hand, PATIENCE, pause};
use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::{Process, eventually};
use holdpoint_testkit::{Client, Holdpoint, Options, Postgres, needs};
use holdpoint_tests::Program;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const ORGANISATION: &str = "person: root\nroles: [admin, developer, release-manager]\n---\nenvironment: test\norder: 1\n---\nservice: web\npipeline: web\n\
    components:\n  app:\n    run: [python3, -I, -S, \"${artifact}\", \"${port}\"]\n    health: {path: /healthz, version: version}\n---\n\
    pipeline: web\nstages:\n  - environment: test\n    gates: {previous: false}\n";

struct Bed {
    server: Holdpoint,
    root: Client,
    token: String,
    digest: String,
}

fn bed(database: Option<String>, args: &[&str], more: &str) -> Bed {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    let server = Holdpoint::with(Options { database, args, ..Options::default() });
    let session = server.administrator();
    let text = format!("{ORGANISATION}{more}");
    session.post("/v1/apply", &json!({"documents": [{"file": "all.yaml", "text": text}]})).ok();
    let token = session.post("/v1/tokens", &json!({"name": "tests"})).ok();
    let token = token["token"].as_str().expect("a token").to_owned();
    let root = server.client().with_token(&token);
    let bytes = Program::new("1.0.0").bytes();
    let digest = crate::story::digest_of(&bytes);
    root.upload("PUT", &format!("/v1/blobs/{digest}"), "application/octet-stream", bytes).ok();
    Bed { server, root, token, digest }
}

/// What a caller that repeats itself saw of one command.
struct Told {
    version: String,
    id: String,
    tries: u32,
    unknown: u32,
}

/// Creates a release, asking again under the same key until it is answered for good.
fn create(client: &Client, digest: &str, version: &str) -> Told {
    let body = json!({"service": "web", "version": version, "components": {"app": digest}}).to_string().into_bytes();
    let key = format!("create-{version}");
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    let (until, mut tries, mut unknown) = (Instant::now() + PATIENCE, 0, 0);
    loop {
        tries += 1;
        match client.try_send("POST", "/v1/releases", &headers, Some(body.clone())) {
            Ok(answer) if answer.status == 201 => {
                let id = answer.value()["release"].as_str().expect("an id").to_owned();
                return Told { version: version.to_owned(), id, tries, unknown };
            }
            Ok(answer) if matches!(answer.status, 503 | 401) => {
                unknown += u32::from(answer.text().contains("STO-005"));
                // A door that cannot look does not open: 401 would be a lie, so it is counted, too.
                assert_ne!(answer.status, 401, "a database that is away is told as a wrong token: {}", answer.text());
            }
            Ok(answer) => panic!("{version}: {} {}", answer.status, answer.text()),
            Err(_) => {}
        }
        assert!(Instant::now() < until, "{version} has no answer");
        pause(Duration::from_millis(20));
    }
}

/// Users who create releases until told to stop; what each of them was told.
fn under_load(clients: &[Client], digest: &str, users: usize, during: impl FnOnce()) -> Vec<Told> {
    let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..users)
            .map(|user| {
                let (stop, count, client) = (&stop, &count, &clients[user % clients.len()]);
                scope.spawn(move || {
                    let mut told = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let version = format!("2.{user}.{}", count.fetch_add(1, Ordering::Relaxed));
                        told.push(create(client, digest, &version));
                    }
                    told
                })
            })
            .collect();
        during();
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("a user")).collect()
    })
}

/// I1 and no double effects: each command that was answered is there exactly once.
fn judge(bed: &Bed, told: &[Told]) {
    eprintln!(
        "{} commands, {} tries, {} of them unknown",
        told.len(),
        told.iter().map(|one| one.tries).sum::<u32>(),
        told.iter().map(|one| one.unknown).sum::<u32>()
    );
    assert!(told.len() > 20, "hardly any load: {}", told.len());
    let ids: BTreeSet<&str> = told.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), told.len());
    for one in told {
        let view = bed.root.get(&format!("/v1/releases/{}", one.id)).ok();
        assert_eq!(view["version"], one.version.as_str());
    }
    let summary = eventually("everything is sealed", PATIENCE, || {
        let summary = bed.server.check_ledger(&bed.root);
        (summary.types.get("ReleaseCreated").copied().unwrap_or(0) >= told.len() as u64).then_some(summary)
    });
    assert_eq!(summary.types["ReleaseCreated"], told.len() as u64, "a command had its effect twice");
    for one in told {
        assert_eq!(summary.streams.get(&format!("release/{}", one.id)), Some(&1), "{}", one.id);
    }
}

#[test]
fn f10_postgres_is_killed_and_restarted_under_load() {
    needs!("postgres");
    let database = Postgres::alone();
    let bed = bed(Some(database.url()), &["--no-worker"], "");
    let clients: Vec<Client> = (0..4).map(|_| again(&bed)).collect();
    let told = under_load(&clients, &bed.digest, 8, || {
        for _ in 0..3 {
            pause(Duration::from_millis(700));
            database.kill();
            pause(Duration::from_millis(300));
            database.restart();
        }
        pause(Duration::from_millis(700));
    });
    judge(&bed, &told);
}

/// The same token, by a connection of its own.
fn again(bed: &Bed) -> Client {
    bed.server.client().with_token(&bed.token)
}

/// Somebody else holds the write lock of the embedded database for half of the time.
#[test]
fn f14_a_busy_database_loses_nothing() {
    let bed = bed(None, &["--no-worker"], "");
    let script = "import sqlite3, sys, time\nend = time.time() + float(sys.argv[2])\nwhile time.time() < end:\n    \
        c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)\n    c.execute('BEGIN IMMEDIATE')\n    time.sleep(0.08)\n    c.execute('COMMIT')\n    c.close()\n    time.sleep(0.04)\n";
    let file = bed.server.data().join("holdpoint.db");
    let mut others: Vec<std::process::Child> =
        (0..3).map(|_| Command::new("python3").args(["-c", script]).arg(&file).arg("4").spawn().expect("python3 starts")).collect();
    let clients: Vec<Client> = (0..4).map(|_| again(&bed)).collect();
    let told = under_load(&clients, &bed.digest, 6, || {
        for other in &mut others {
            assert!(other.wait().expect("it ends").success(), "the other process was not served");
        }
    });
    judge(&bed, &told);
}

/// A second server beside the first: the same keys and blobs, its own process and folder.
struct Second {
    process: Process,
    url: String,
}

fn second(first: &Holdpoint, database: &str, folder: &Path) -> Second {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    let copied = Command::new("cp")
        .arg("-R")
        .arg(first.data().join("keys"))
        .arg(first.data().join("pool.key"))
        .arg(&data)
        .status()
        .expect("cp starts");
    assert!(copied.success());
    std::os::unix::fs::symlink(first.data().join("blobs"), data.join("blobs")).expect("blobs are shared");
    let text = data.display().to_string();
    let args = ["serve", "--data", &text, "--listen", "127.0.0.1:0", "--announce", "json", "--no-worker", "--database", database];
    let mut process =
        Process::start("second holdpoint serve", CommandLine::new(folder).command(args), "SIGTERM".parse().expect("a signal"));
    let line = process.line(Duration::from_secs(20));
    let announced: Value = serde_json::from_str(&line).expect("an announcement");
    Second { process, url: announced["listening"].as_str().expect("an address").to_owned() }
}

#[test]
fn f13_two_servers_share_one_database() {
    needs!("postgres");
    let database = Postgres::start();
    let folder = tempfile::tempdir().expect("a folder");
    let effects = folder.path().join("effects");
    let steps: String = (0..4)
        .map(|n| {
            format!(
                "      - name: s{n}\n        command: [\"/bin/sh\", \"-c\", 'echo \"s{n} $1\" >> {}', s, \"${{version}}\"]\n",
                effects.display()
            )
        })
        .collect();
    let more: String = (0..4)
        .map(|n| {
            format!(
                "---\nservice: web{n}\npipeline: web{n}\ncomponents:\n  app:\n    run: [python3, -I, -S, \"${{artifact}}\", \"${{port}}\"]\n    \
                 health: {{path: /healthz}}\n---\npipeline: web{n}\nstages:\n  - environment: test\n    gates: {{previous: false}}\n    steps-before:\n{steps}"
            )
        })
        .collect();
    let mut bed = bed(Some(database.url()), &["--no-worker"], &more);
    let mut other = second(&bed.server, &database.url(), folder.path());
    let there = Client::new(&other.url).with_token(&bed.token);
    // A worker at each server, both of one pool and on one machine.
    let here = Hand::beside(&bed.server, "machine");
    let _there = Hand::on(&other.url, &bed.server.pool_key(), "machine", Some(here.data.clone()));
    let deploy = |client: &Client, service: &str, version: &str| -> String {
        let made = client.post("/v1/releases", &json!({"service": service, "version": version, "components": {"app": bed.digest}})).ok();
        let id = made["release"].as_str().expect("a release").to_owned();
        client.post(&format!("/v1/releases/{id}/promotions"), &json!({"environment": "test"})).ok();
        id
    };
    let releases: Vec<String> =
        (0..4).map(|n| deploy(if n % 2 == 0 { &bed.root } else { &there }, &format!("web{n}"), &format!("1.0.{n}"))).collect();
    let ended = |client: &Client, release: &str| {
        eventually("it is released", PATIENCE, || {
            let runs = client.get(&format!("/v1/runs?release={release}")).ok();
            let all = runs["runs"].as_array().cloned().unwrap_or_default();
            assert!(all.len() <= 1, "two runs of one promotion: {all:#?}");
            all.first().filter(|run| run["state"] == "ended").map(|run| assert_eq!(run["result"], "succeeded", "{run:#}"))
        });
    };
    for release in &releases {
        // Each is seen at the other server.
        ended(&there, release);
        ended(&bed.root, release);
    }
    let lines = std::fs::read_to_string(&effects).expect("the effects");
    let unique: BTreeSet<&str> = lines.lines().collect();
    assert_eq!((lines.lines().count(), unique.len()), (16, 16), "a step ran twice or not at all:\n{lines}");
    // The one that seals may go: the other takes over, and the log is one.
    bed.server.kill();
    let began = Instant::now();
    let late = deploy(&there, "web0", "2.0.0");
    eventually("it is released", PATIENCE, || {
        let runs = there.get(&format!("/v1/runs?release={late}")).ok();
        (runs["runs"][0]["state"] == "ended").then_some(())
    });
    let took = began.elapsed();
    eprintln!("the other server took over and released within {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(40), "{took:?}");
    bed.server.restart();
    let summary = eventually("everything is sealed", PATIENCE, || {
        let summary = bed.server.check_ledger(&bed.root);
        (summary.open_runs.is_empty() && summary.ended_runs.len() >= 5).then_some(summary)
    });
    assert_eq!(summary.ended_runs.len(), 5);
    other.process.end();
}

//! What takes longer: random kills under load, a full disk, a disk that fails now and then. `make soak`.

use crate::stage::{Base, Dies, PATIENCE, Stage, pause};
use crate::story::{Story, digest_of};
use holdpoint_testkit::process::{eventually, folder};
use holdpoint_testkit::{Answer, Client, Holdpoint, Options};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn kills() -> u64 {
    std::env::var("HOLDPOINT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// F02: the story again and again while whoever may die dies at random moments.
fn random_kills(base: Base, dies: Dies, kills: u64) {
    let (mut done, mut stories) = (0, 0_u64);
    let mut slowest = Duration::ZERO;
    while done < kills {
        stories += 1;
        let mut stage = Stage::start(base, dies);
        stage.at_random(stories, (kills - done).min(12));
        let stage = Story::tell(stage);
        assert!(stage.killed() > 0, "a story without a death");
        done += stage.killed();
        slowest = slowest.max(stage.slowest_start);
    }
    eprintln!("{base:?} {dies:?}: {done} kills in {stories} stories, slowest start {:.2} s", slowest.as_secs_f64());
    assert!(slowest < Duration::from_secs(5), "a start took {slowest:?}");
}

#[test]
#[ignore = "make soak"]
fn soak_f02_random_kills_of_the_server() {
    random_kills(Base::Sqlite, Dies::Both, kills() / 2);
    random_kills(Base::Sqlite, Dies::Server, kills() / 4);
}

#[test]
#[ignore = "make soak"]
fn soak_f02_random_kills_on_postgres() {
    holdpoint_testkit::needs!("postgres");
    random_kills(Base::Postgres, Dies::Both, kills() / 4);
}

#[test]
#[ignore = "make soak"]
fn soak_f02_random_kills_of_the_worker() {
    random_kills(Base::Sqlite, Dies::Worker, (kills() / 4).min(100));
}

// ---- F06: a full disk

/// A file system of a few megabytes: a tmpfs where we may mount one, else a limit on the size of files.
enum Small {
    Mounted(PathBuf),
    Limited,
}

fn mount(at: &Path) -> Small {
    std::fs::create_dir_all(at).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(at).status();
    if mounted.is_ok_and(|status| status.success()) { Small::Mounted(at.to_owned()) } else { Small::Limited }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Self::Mounted(at) = self {
            _ = Command::new("umount").arg("-l").arg(at).status();
        }
    }
}

const ORGANISATION: &str = "person: root\nroles: [admin, developer, release-manager]\n---\nenvironment: test\norder: 1\n---\nservice: web\npipeline: web\n\
    components:\n  app:\n    run: [python3, \"${artifact}\", \"${port}\"]\n    health: {path: /healthz}\n---\n\
    pipeline: web\nstages:\n  - environment: test\n    gates: {previous: false}\n";

fn create(client: &Client, digest: &str, version: &str) -> Result<Answer, String> {
    let body = json!({"service": "web", "version": version, "components": {"app": digest}}).to_string().into_bytes();
    let key = format!("soak-{version}");
    client.try_send("POST", "/v1/releases", &[("Content-Type", "application/json"), ("Idempotency-Key", &key)], Some(body))
}

/// The disk of the database and of the blobs fills up: changes are refused and say why, reading goes on, what was
/// acknowledged is there, and with space again everything goes on without a restart.
#[test]
#[ignore = "make soak"]
fn soak_f06_a_full_disk() {
    let place = folder();
    let data = place.path().join("data");
    let small = mount(&data);
    let Small::Mounted(at) = &small else { panic!("no tmpfs can be mounted here; run it as root, with mount") };
    eprintln!("F06 on a tmpfs of 12 MiB");
    let args =
        ["serve", "--data", &data.display().to_string(), "--listen", "127.0.0.1:0", "--announce", "json", "--no-worker"].map(str::to_owned);
    let command = holdpoint_testkit::command_line::CommandLine::new(place.path()).command(args);
    let mut process = holdpoint_testkit::process::Process::start("holdpoint serve", command, "SIGTERM".parse().expect("a signal"));
    let line: serde_json::Value = serde_json::from_str(&process.line(Duration::from_secs(20))).expect("an announcement");
    let session = Client::new(line["listening"].as_str().expect("an address"));
    session.set_up(line["setup"].as_str().expect("a link"), holdpoint_testkit::holdpoint::PASSWORD);
    session.post("/v1/apply", &json!({"documents": [{"file": "all.yaml", "text": ORGANISATION}]})).ok();
    let token = session.post("/v1/tokens", &json!({"name": "tests"})).ok();
    let root = session.with_token(token["token"].as_str().expect("a token"));
    let digest = digest_of(b"bytes");
    root.upload("PUT", &format!("/v1/blobs/{digest}"), "application/octet-stream", b"bytes".to_vec()).ok();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        // Something else takes all that is left.
        let fill = at.join("fill");
        let filled = Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", fill.display())).output().expect("dd starts");
        assert!(!filled.status.success(), "the disk has no end");
        let mut refused = 0;
        for n in 0..60 {
            let version = format!("1.{round}.{n}");
            match create(&root, &digest, &version) {
                Ok(answer) if answer.status == 201 => {
                    acknowledged.push((version, answer.value()["release"].as_str().expect("an id").to_owned()))
                }
                Ok(answer) => {
                    refused += 1;
                    assert!(matches!(answer.status, 503 | 507), "{}: {}", answer.status, answer.text());
                    assert!(!answer.value()["detail"].as_str().unwrap_or_default().is_empty());
                }
                Err(why) => panic!("no answer: {why}\n{}", process.stderr()),
            }
            // Reading goes on.
            assert_eq!(root.get("/v1/releases").status, 200);
        }
        assert!(refused > 0, "nothing was refused on a full disk");
        // An upload is refused, too, and nothing of it can be seen.
        let large = vec![u8::try_from(round).unwrap_or(0); 300_000];
        let wanted = digest_of(&large);
        let other = session.with_token(token["token"].as_str().expect("a token"));
        let put = other.upload("PUT", &format!("/v1/blobs/{wanted}"), "application/octet-stream", large);
        assert!(matches!(put.status, 503 | 507), "{}: {}", put.status, put.text());
        // By a connection of its own: the server closes one whose body it has not read.
        let fresh = session.with_token(token["token"].as_str().expect("a token"));
        assert_eq!(fresh.get(&format!("/v1/blobs/{wanted}")).status, 404);
        std::fs::remove_file(&fill).expect("removed");
        eventually("changes are taken again", PATIENCE, || {
            let version = format!("2.{round}.0");
            let answer = create(&root, &digest, &version).ok().filter(|answer| answer.status == 201)?;
            acknowledged.push((version, answer.value()["release"].as_str()?.to_owned()));
            Some(())
        });
        for (version, id) in &acknowledged {
            assert_eq!(root.get(&format!("/v1/releases/{id}")).ok()["version"], version.as_str(), "an acknowledged release is gone");
        }
    }
    assert!(process.status().is_none(), "the server has ended");
    eventually("the ledger is whole", PATIENCE, || {
        let report = holdpoint_testkit::checker::check(&holdpoint_testkit::holdpoint::export(&root));
        assert!(report.violations.is_empty(), "{report}");
        (report.summary.types.get("ReleaseCreated").copied().unwrap_or(0) >= acknowledged.len() as u64).then_some(())
    });
    process.end();
}

// ---- F07: a disk that fails now and then

/// Once in a while a write fails, or writes less than it was given; an fsync fails. Only files below FAULTY_BELOW.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static __thread unsigned long state;
static int concerned(int fd) {
    static const char *below;
    char link[64], path[512];
    if (!below) { below = getenv("FAULTY_BELOW"); if (!below) below = "/nowhere"; }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strncmp(path, below, strlen(below)) == 0 && access(getenv("FAULTY_ON"), F_OK) == 0;
}
static int strikes(void) {
    if (!state) state = (unsigned long)&state ^ ((unsigned long)getpid() << 20) ^ 88172645463325252ul;
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return state % 100 == 0;
}
#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *buf, size_t n) {
    REAL(write);
    if (concerned(fd) && strikes()) { if (n > 1 && state % 3) return real(fd, buf, n / 2); errno = EIO; return -1; }
    return real(fd, buf, n);
}
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at) {
    REAL(pwrite64);
    if (concerned(fd) && strikes()) { if (n > 1 && state % 3) return real(fd, buf, n / 2, at); errno = EIO; return -1; }
    return real(fd, buf, n, at);
}
ssize_t pwrite(int fd, const void *buf, size_t n, off_t at) {
    REAL(pwrite);
    if (concerned(fd) && strikes()) { if (n > 1 && state % 3) return real(fd, buf, n / 2, at); errno = EIO; return -1; }
    return real(fd, buf, n, at);
}
int fsync(int fd) { REAL(fsync); if (concerned(fd) && strikes()) { errno = EIO; return -1; } return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); if (concerned(fd) && strikes()) { errno = EIO; return -1; } return real(fd); }
"#;

fn shim(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("faulty.c"), folder.join("faulty.so"));
    std::fs::write(&source, SHIM).expect("a file");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .output()
        .expect("cc starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// What was acknowledged is there, what is there was asked for, and nothing has happened twice.
#[test]
#[ignore = "make soak"]
fn soak_f07_a_disk_that_fails_now_and_then() {
    let place = folder();
    let library = shim(place.path());
    let on = place.path().join("on");
    let mut server = Holdpoint::with(Options { args: vec!["--no-worker".to_owned()], ..Options::default() });
    let session = server.administrator();
    session.post("/v1/apply", &json!({"documents": [{"file": "all.yaml", "text": ORGANISATION}]})).ok();
    let token = session.post("/v1/tokens", &json!({"name": "tests"})).ok();
    let root = server.client().with_token(token["token"].as_str().expect("a token"));
    let digest = digest_of(b"bytes");
    root.upload("PUT", &format!("/v1/blobs/{digest}"), "application/octet-stream", b"bytes".to_vec()).ok();
    let below = server.data().display().to_string();
    server.restart_with(|options| {
        options.environment = vec![
            ("LD_PRELOAD".to_owned(), library.display().to_string()),
            ("FAULTY_BELOW".to_owned(), below),
            ("FAULTY_ON".to_owned(), on.display().to_string()),
        ];
    });
    let (mut acknowledged, mut errors, mut restarts) = (Vec::new(), 0_u32, 0_u32);
    let rounds = kills().clamp(20, 400) * 10;
    std::fs::write(&on, "").expect("a file");
    for n in 0..rounds {
        let version = format!("1.0.{n}");
        let until = Instant::now() + PATIENCE;
        loop {
            match create(&root, &digest, &version) {
                Ok(answer) if answer.status == 201 => {
                    acknowledged.push((version, answer.value()["release"].as_str().expect("an id").to_owned()));
                    break;
                }
                Ok(answer) => {
                    errors += 1;
                    assert!(answer.status >= 500, "{}: {}", answer.status, answer.text());
                }
                Err(_) => errors += 1,
            }
            assert!(Instant::now() < until, "{version} is never taken\n{}", server.stderr());
            if server.ended() {
                // A server may end itself rather than go on with a file that it cannot trust.
                restarts += 1;
                std::fs::remove_file(&on).expect("removed");
                server.restart();
                std::fs::write(&on, "").expect("a file");
            }
            pause(Duration::from_millis(20));
        }
    }
    std::fs::remove_file(&on).expect("removed");
    eprintln!("F07: {rounds} commands, {errors} errors, {restarts} restarts");
    assert!(errors > 0, "nothing ever failed: the shim does not act");
    server.restart_with(|options| options.environment.clear());
    for (version, id) in &acknowledged {
        assert_eq!(root.get(&format!("/v1/releases/{id}")).ok()["version"], version.as_str(), "an acknowledged release is gone");
    }
    let summary = eventually("everything is sealed", PATIENCE, || {
        let summary = server.check_ledger(&root);
        (summary.types.get("ReleaseCreated").copied().unwrap_or(0) >= acknowledged.len() as u64).then_some(summary)
    });
    assert_eq!(summary.types["ReleaseCreated"], acknowledged.len() as u64, "a command had its effect twice");
}

//! What the store must survive: other schemas, clocks that jump, kills, full disks, held locks, a database that restarts.

use crate::world::*;
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Request, SCHEMA_VERSION, Store, StoreError};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

pub async fn newer_schemas_are_refused(world: World) {
    world.tamper("UPDATE meta SET value = '99' WHERE name = 'schema'").await;
    Store::open(&world.url, &world.blobs()).await.expect("an expanded schema still works");
    world.tamper("UPDATE meta SET value = '98' WHERE name = 'min_binary'").await;
    let why = Store::open(&world.url, &world.blobs()).await.err().expect("refuses").to_string();
    assert!(why.contains("schema 99") && why.contains("schema 98 or later") && why.contains(&format!("knows {SCHEMA_VERSION}")), "{why}");
    assert!(matches!(Store::open("mysql://x", &world.blobs()).await, Err(StoreError::Broken(_))));
}

pub async fn a_clock_that_steps_back_is_noticed(world: World) {
    declare(&world.store, "dev", 1).await.expect("commits");
    assert!(!world.store.clock_jump());
    world.tamper("UPDATE facts SET at_us = at_us + 3600000000").await;
    let later = world.another().await;
    later.now().await.expect("tells");
    assert!(later.clock_jump() && later.clock_doubtful());
    let doubted = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = doubted.clone();
    later
        .decide(&request(vec![]), move |view, _| {
            seen.store(view.clock_doubtful(), std::sync::atomic::Ordering::SeqCst);
            Ok(holdpoint_domain::kernel::Decision::default())
        })
        .await
        .expect("decides");
    assert!(doubted.load(std::sync::atomic::Ordering::SeqCst), "a decision is not told");
    declare(&later, "test", 1).await.expect("goes on");
    world.tamper("UPDATE facts SET at_us = at_us - 3600000000").await;
    let right = world.another().await;
    right.now().await.expect("tells");
    assert!(!right.clock_jump());
}

/// Runs [`child`] in a process of its own.
fn child(url: &str, point: &str, what: &str) -> ExitStatus {
    let program = std::env::current_exe().expect("own program");
    Command::new(program)
        .args(["--exact", "faults::child_process", "--nocapture"])
        .env("STORE_CHILD", what)
        .env("STORE_CHILD_URL", url)
        .env("HOLDPOINT_KILL_POINT", point)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the child starts")
}

/// Nothing, unless a test starts it in a process of its own.
#[test]
fn child_process() {
    let (Ok(what), Ok(url)) = (std::env::var("STORE_CHILD"), std::env::var("STORE_CHILD_URL")) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        match what.as_str() {
            "increment" => {
                let store = Store::open(&url, folder.path()).await.expect("opens");
                store.decide(&keyed(), increments("dev")).await.expect("commits");
            }
            "fill" => fill(std::path::Path::new(&url)).await,
            other => panic!("no child does {other}"),
        }
    });
}

fn keyed() -> Request {
    Request { idempotency: Some(("k".to_owned(), Digest::of(b"body"))), ..request(vec![env("dev")]) }
}

pub async fn kill_points_end_the_process(world: World) {
    use std::os::unix::process::ExitStatusExt as _;
    let status = child(&world.url, "test:before", "increment");
    assert_eq!(status.signal(), Some(9), "{status}");
    assert_eq!(order(&world.store, "dev").await, 0, "what was not committed is not there");
    let status = child(&world.url, "test:after", "increment");
    assert_eq!(status.signal(), Some(9), "{status}");
    assert_eq!(order(&world.store, "dev").await, 1, "what was committed is there, though nobody was told");
    // Who asks again with the same key gets the answer and no second effect.
    let again = world.store.decide(&keyed(), increments("dev")).await.expect("answers");
    assert!(again.replayed);
    assert_eq!(again.answer["order"].as_u64(), Some(1));
    assert_eq!(world.store.rebuild_compare().await.expect("compares"), []);
}

/// SQLite on a small file system of its own, which is filled and emptied under the store's feet.
#[test]
fn a_full_disk_is_said_and_passes() {
    // A mount of its own name space: nobody else sees it, and it goes with the process.
    let program = std::env::current_exe().expect("own program");
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size=6m tmpfs {folder} && exec {program} --exact faults::child_process --nocapture",
        folder = folder.path().display(),
        program = program.display()
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .env("STORE_CHILD", "fill")
        .env("STORE_CHILD_URL", folder.path())
        .output()
        .expect("unshare starts");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

async fn fill(folder: &std::path::Path) {
    let store = Store::open(&format!("sqlite:{}", folder.join("holdpoint.db").display()), &folder.join("blobs")).await.expect("opens");
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0u8; 4 << 20]).expect("ballast");
    let mut acknowledged = 0;
    let full = loop {
        match store.decide(&request(vec![env("dev")]), increments("dev")).await {
            Ok(_) => acknowledged += 1,
            Err(why) => break why,
        }
        assert!(acknowledged < 100_000, "it never fills");
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    // Reading goes on, and blobs are refused without leaving a part.
    assert_eq!(order(&store, "dev").await, acknowledged);
    let blob = store.blob_put(&vec![1u8; 3 << 20]).await.expect_err("no space");
    assert!(matches!(blob, StoreError::Full(_)), "{blob:?}");
    assert_eq!(std::fs::read_dir(folder.join("blobs/incoming")).expect("a folder").count(), 0);
    std::fs::remove_file(&ballast).expect("space");
    for _ in 0..20 {
        store.decide(&request(vec![env("dev")]), increments("dev")).await.expect("works again without a restart");
    }
    assert_eq!(order(&store, "dev").await, acknowledged + 20);
    assert_eq!(store.rebuild_compare().await.expect("compares"), []);
    store.blob_put(&vec![1u8; 1 << 20]).await.expect("works again");
}

/// Bytes of SQLite's file that change at rest: found at start, in the text of a fact and in the tree of a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_are_found_at_start() {
    use sqlx::{Connection as _, Executor as _};
    let world = World::new(holdpoint_store::Engine::Sqlite).await;
    for number in 0..300 {
        declare(&world.store, "dev", number).await.expect("commits");
    }
    assert_eq!(world.store.verify_start().await.expect("verifies").differences, []);
    let path = world.folder.path().join("holdpoint.db");
    let mut conn = sqlx::SqliteConnection::connect(&world.url).await.expect("connects");
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("all is in the file");
    let whole = std::fs::read(&path).expect("reads");
    let text = b"\"order\":177,";
    let at = whole.windows(text.len()).position(|window| window == text).expect("the fact is in the file");
    for (offset, value) in [(at + 9, b'2'), (at / 4096 * 4096 + 3, 0xff)] {
        let copy = tempfile::tempdir().expect("a folder");
        let mut bytes = whole.clone();
        bytes[offset] = value;
        std::fs::write(copy.path().join("holdpoint.db"), bytes).expect("writes");
        let url = format!("sqlite:{}", copy.path().join("holdpoint.db").display());
        // Refused at once, or opened and found.
        if let Ok(store) = Store::open(&url, copy.path()).await {
            let found = store.verify_start().await.map(|verified| verified.differences);
            assert!(!found.as_ref().is_ok_and(Vec::is_empty), "{found:?}");
        }
    }
}

/// Another process holds SQLite's write lock again and again, sometimes longer than anyone likes to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_write_lock_is_waited_for() {
    use sqlx::{Connection as _, Executor as _};
    let world = World::new(holdpoint_store::Engine::Sqlite).await;
    let url = world.url.clone();
    let storm = tokio::spawn(async move {
        let mut conn = sqlx::SqliteConnection::connect(&url).await.expect("connects");
        for held_ms in [300, 50, 6500, 10, 700, 200] {
            conn.execute("BEGIN IMMEDIATE").await.expect("the storm gets the lock");
            tokio::time::sleep(Duration::from_millis(held_ms)).await;
            conn.execute("ROLLBACK").await.expect("lets go");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200u64 {
        let store = world.store.clone();
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_millis(number * 40)).await;
            store.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits in the end")
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    storm.await.expect("no panic");
    assert_eq!(order(&world.store, "dev").await, 200);
    assert_eq!(world.store.rebuild_compare().await.expect("compares"), []);
}

/// Where a [`cutter`] cuts a connection.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// The commit never arrives.
    BeforeCommit,
    /// The commit is done, its answer never arrives.
    AfterCommit,
}

/// Stands between store and server and cuts the connection at each of the first `cuts` commits.
async fn cutter(port: u16, cut: Cut, cuts: Arc<AtomicI64>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let own = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
            tokio::spawn(pass(client, server, cut, Arc::clone(&cuts)));
        }
    });
    own
}

async fn pass(mut client: tokio::net::TcpStream, mut server: tokio::net::TcpStream, cut: Cut, cuts: Arc<AtomicI64>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = asked[..length].windows(6).any(|window| window == b"COMMIT") && cuts.fetch_sub(1, Ordering::SeqCst) > 0;
                if is_commit && cut == Cut::BeforeCommit {
                    return;
                }
                server.write_all(&asked[..length]).await.expect("writes");
                if is_commit {
                    _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                _ = client.write_all(&answered[..length]).await;
            }
        }
    }
}

/// Commands without a key, whose commit is lost on the way there or on the way back: one effect each, and an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_commits_have_one_effect() {
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let world = World::new(holdpoint_store::Engine::Postgres).await;
        let server = world.postgres.as_ref().expect("a server");
        let cuts = Arc::new(AtomicI64::new(0));
        let port = cutter(server.port(), cut, Arc::clone(&cuts)).await;
        let url = world.url.replace(&server.port().to_string(), &port.to_string());
        let store = Store::open(&url, &world.blobs()).await.expect("opens");
        cuts.store(5, Ordering::SeqCst);
        for number in 1..=8u32 {
            let committed = store.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits");
            assert_eq!((committed.answer["order"].as_u64(), committed.replayed), (Some(u64::from(number)), false));
        }
        assert!(cuts.load(Ordering::SeqCst) <= 0, "nothing was cut");
        assert_eq!(order(&world.store, "dev").await, 8);
        assert_eq!(world.store.rebuild_compare().await.expect("compares"), []);
    }
}

/// `kill -9` of PostgreSQL under load, twice. Every answer is honest: what was acknowledged is there, what was refused is
/// not, and a repeat with the same key has one effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn postgres_restarts_under_load() {
    let server = tokio::task::spawn_blocking(holdpoint_testkit::Postgres::alone).await.expect("PostgreSQL");
    let world = World::at(Some(server)).await;
    let server = world.postgres.as_ref().expect("a server");
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (store, stop) = (world.store.clone(), Arc::clone(&stop));
        tasks.spawn(async move {
            let (mut effects, mut unsure, mut failed) = (0u32, 0u32, 0u32);
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let key = Some((format!("{worker}-{number}"), Digest::of(b"body")));
                let request = Request { idempotency: key, ..request(vec![env("dev")]) };
                // Asks until it knows, as a careful client does.
                loop {
                    match store.decide(&request, increments("dev")).await {
                        Ok(_) => break effects += 1,
                        Err(StoreError::Indeterminate(_)) => unsure += 1,
                        Err(StoreError::Unavailable(_) | StoreError::Conflict(_)) => failed += 1,
                        Err(why) => panic!("{why:?}"),
                    }
                }
            }
            (effects, unsure, failed)
        });
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.restart();
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.store(true, Ordering::SeqCst);
    let mut total = (0, 0, 0);
    while let Some(done) = tasks.join_next().await {
        let (effects, unsure, failed) = done.expect("no panic");
        total = (total.0 + effects, total.1 + unsure, total.2 + failed);
    }
    println!("{} effects, {} answers unsure, {} refused for the moment", total.0, total.1, total.2);
    assert!(total.0 > 50);
    assert_eq!(order(&world.store, "dev").await, total.0, "one effect for each key");
    assert_eq!(world.store.counts().await.expect("counts").facts, u64::from(total.0));
    assert_eq!(world.store.rebuild_compare().await.expect("compares"), []);
}

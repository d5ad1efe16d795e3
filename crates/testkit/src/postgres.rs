//! A real PostgreSQL server: Debian's programs, a temporary folder, a free port, trust authentication on loopback.
//!
//! [`Postgres::start`] shares one server per test process and gives each call a fresh database. [`Postgres::alone`] is a
//! server of one's own, to be killed and started again. `fsync` is off (a test never survives a power cut), commits are
//! synchronous (a killed server loses nothing that was acknowledged).

use crate::component::program;
use crate::process::{Process, eventually, folder, free_port, pause, target_folder};
use crate::wire::{Connection, Row};
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

const READY_LIMIT: Duration = Duration::from_secs(30);

/// A database of a running server.
pub struct Postgres {
    server: Arc<Server>,
    database: String,
}

struct Server {
    bin: PathBuf,
    // Before the folder: the server ends before its files go.
    running: Mutex<Option<Process>>,
    port: AtomicU32,
    folder: TempDir,
}

impl Postgres {
    /// A fresh, empty database on this process's shared server.
    pub fn start() -> Self {
        static SHARED: OnceLock<Arc<Server>> = OnceLock::new();
        Self::on(SHARED.get_or_init(|| Arc::new(Server::start())).clone())
    }

    /// A fresh, empty database on a server of its own.
    pub fn alone() -> Self {
        Self::on(Arc::new(Server::start()))
    }

    fn on(server: Arc<Server>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.query("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0"));
        Self { server, database }
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// `postgres://postgres@127.0.0.1:PORT/DATABASE`
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port(), self.database)
    }

    /// Runs statements and gives their rows as text, by a protocol reader of our own.
    pub fn query(&self, sql: &str) -> Vec<Row> {
        self.server.query(&self.database, sql)
    }

    /// Like [`Postgres::query`], but an error of the server is an answer.
    pub fn try_query(&self, sql: &str) -> Result<Vec<Row>, String> {
        Connection::open(self.port(), &self.database)?.query(sql)
    }

    /// Where the server's own programs are (`pg_dump`, `psql`, …).
    pub fn bin(&self) -> &Path {
        &self.server.bin
    }

    /// `kill -9` of the server process. Its sessions end with it.
    pub fn kill(&self) {
        if let Some(mut process) = self.server.lock().take() {
            process.kill();
        }
    }

    /// Starts the killed server again on the same port; it recovers by itself.
    pub fn restart(&self) {
        let mut running = self.server.lock();
        assert!(running.is_none(), "the server still runs: kill it first");
        let port = self.server.port();
        *running = Some(eventually("the port is free again", READY_LIMIT, || self.server.launch(port).ok()));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // On a shared server the databases of finished tests would pile up; the last one goes with the server.
        if Arc::strong_count(&self.server) > 1 && self.server.lock().is_some() {
            _ = Connection::open(self.port(), "postgres")
                .and_then(|mut connection| connection.query(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database)));
        }
    }
}

impl Server {
    fn start() -> Self {
        let bin = bin();
        let owner = owner();
        let folder = folder();
        // The server runs as another user than root, who must be able to pass through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let data = folder.path().join("data");
        copy(&template(&bin, owner), &data, owner);
        let server = Self { bin, running: Mutex::new(None), port: AtomicU32::new(0), folder };
        // Another process may take the free port before the server does.
        let mut started = server.launch(free_port());
        for _ in 0..9 {
            if started.is_err() {
                started = server.launch(free_port());
            }
        }
        *server.lock() = Some(started.unwrap_or_else(|why| panic!("PostgreSQL does not start:\n{why}")));
        server
    }

    fn port(&self) -> u16 {
        u16::try_from(self.port.load(Ordering::Relaxed)).expect("a port")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason where it ended at once: the port was taken, or the last server is not quite gone.
    fn launch(&self, port: u16) -> Result<Process, String> {
        let mut command = Command::new(self.bin.join("postgres"));
        command.arg("-D").arg(self.folder.path().join("data")).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]);
        for setting in ["fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB", "max_wal_size=256MB"] {
            command.args(["-c", setting]);
        }
        command.stdin(std::process::Stdio::null()).current_dir(self.folder.path());
        as_user(&mut command, owner());
        // SIGQUIT: at once, without waiting for sessions.
        let mut process = Process::start("PostgreSQL", command, Signal::SIGQUIT);
        self.port.store(u32::from(port), Ordering::Relaxed);
        let until = std::time::Instant::now() + READY_LIMIT;
        while std::time::Instant::now() < until {
            if process.status().is_some() {
                return Err(process.stderr());
            }
            if Connection::open(port, "postgres").is_ok() {
                return Ok(process);
            }
            pause(Duration::from_millis(10));
        }
        panic!("PostgreSQL is not ready within {READY_LIMIT:?}:\n{}", process.stderr());
    }

    fn query(&self, database: &str, sql: &str) -> Vec<Row> {
        let answer = Connection::open(self.port(), database).and_then(|mut connection| connection.query(sql));
        answer.unwrap_or_else(|why| panic!("{why}\nfor: {sql}\nin database {database}"))
    }
}

/// The newest installed server.
fn bin() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    let found = versions.pop().map(|(_, bin)| bin);
    found.unwrap_or_else(|| program("postgres", &["/usr/lib/postgresql/*/bin/initdb"]))
}

/// (user, group) of the server: PostgreSQL refuses root. `None` where we are not root ourselves.
fn owner() -> Option<(u32, u32)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|name| nix::unistd::User::from_name(name).ok().flatten());
    let user = user.expect("a user postgres or nobody");
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

fn as_user(command: &mut Command, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
}

/// A data folder right after initdb, made once per version and kept in the target folder: initdb costs a second, a copy
/// some milliseconds.
fn template(bin: &Path, owner: Option<(u32, u32)>) -> PathBuf {
    let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("0").to_owned();
    let kept = target_folder().join("testkit").join(format!("postgres-{version}"));
    if kept.join("PG_VERSION").is_file() {
        return kept;
    }
    let folder = folder();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(&data, Some(user), Some(group)).expect("chown");
    }
    let mut command = Command::new(bin.join("initdb"));
    command.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
    command.current_dir(folder.path());
    as_user(&mut command, owner);
    let output = command.output().expect("initdb starts");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    // Other test processes may do the same at this moment: the first rename wins, all results are alike.
    let parent = kept.parent().expect("a parent");
    std::fs::create_dir_all(parent).expect("the target folder can be written");
    let draft = parent.join(format!("postgres-{version}-{}", std::process::id()));
    copy(&data, &draft, None);
    if std::fs::rename(&draft, &kept).is_err() {
        _ = std::fs::remove_dir_all(&draft);
    }
    kept
}

/// Copies a data folder and gives it to the server's user.
fn copy(from: &Path, to: &Path, owner: Option<(u32, u32)>) {
    let status = Command::new("cp").args(["-R", "--reflink=auto"]).arg(from).arg(to).status().expect("cp starts");
    assert!(status.success(), "cp -R {} {}", from.display(), to.display());
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).expect("permissions");
    if let Some((user, group)) = owner {
        let status = Command::new("chown").args(["-R", &format!("{user}:{group}")]).arg(to).status().expect("chown starts");
        assert!(status.success(), "chown -R {}", to.display());
    }
}

#[cfg(test)]
mod tests {
    use super::Postgres;

    #[test]
    fn databases_are_fresh_and_apart() {
        let (one, two) = (Postgres::start(), Postgres::start());
        one.query("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)");
        let rows = one.query("SELECT a, b FROM t ORDER BY a");
        assert_eq!(rows, [vec![Some("1".to_owned()), Some("x".to_owned())], vec![Some("2".to_owned()), None]]);
        assert_eq!(one.port(), two.port());
        let why = two.try_query("SELECT * FROM t").expect_err("another database");
        assert!(why.contains("42P01"), "{why}");
    }

    #[test]
    fn what_was_committed_survives_a_kill() {
        let server = Postgres::alone();
        server.query("CREATE TABLE t (a int); INSERT INTO t VALUES (7)");
        server.kill();
        assert!(server.try_query("SELECT 1").is_err());
        server.restart();
        assert_eq!(server.query("SELECT a FROM t"), [[Some("7".to_owned())]]);
    }
}

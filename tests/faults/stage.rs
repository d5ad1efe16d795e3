//! What a fault happens to: a server, perhaps a worker of its own, a proxy, a database; callers that ask until they are
//! answered, with the same idempotency key, and whoever has died is started again.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::pages::Pages;
use holdpoint_testkit::process::{Process, end_all_below, folder};
use holdpoint_testkit::{Answer, Client, Holdpoint, Options, Postgres, Proxy};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A lost lease is granted again 17 s after it was; the machine may be busy besides.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How long a point that was armed is waited for before the next one is.
const SOON: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Sqlite,
    Postgres,
}

/// Whose process ends when a point is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dies {
    /// The server; its worker is a process of its own and lives on.
    Server,
    /// The worker, a process of its own.
    Worker,
    /// Both at once: the worker is in the server's process.
    Both,
}

/// `name:when[:nth]`, as HOLDPOINT_KILL_POINT takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub when: &'static str,
    pub nth: u32,
}

impl Point {
    pub fn new(name: &str, when: &'static str) -> Self {
        Self { name: name.to_owned(), when, nth: 1 }
    }
    fn visit(&self) -> String {
        format!("{}:{}", self.name, self.when)
    }
    fn target(&self) -> String {
        format!("{}:{}:{}", self.name, self.when, self.nth)
    }
    /// What a worker passes itself; everything else is the server's.
    fn of_worker(&self) -> bool {
        self.name.starts_with("act.")
    }
}

/// See the module.
pub struct Stage {
    // In the order of dropping: who speaks to whom ends first.
    pub server: Holdpoint,
    pub worker: Option<Hand>,
    pub proxy: Option<Proxy>,
    // Ends after the server.
    _database: Option<Postgres>,
    pub pages: Pages,
    pub dies: Dies,
    pub root: Client,
    /// Points that are still to be died at.
    pending: VecDeque<Point>,
    /// The one that is armed, and how many visits of it there had been.
    armed: Option<(Point, usize)>,
    pub died: Vec<Point>,
    /// Seed and number of kills at random moments, before they begin.
    random: Option<(u64, u64)>,
    killer: Option<Killer>,
    pub slowest_start: Duration,
    visits: PathBuf,
    count: u32,
    started: Instant,
    lists: TempDir,
}

impl Stage {
    /// A server with its first administrator; nothing is declared yet.
    pub fn start(base: Base, dies: Dies) -> Self {
        let proxy = Proxy::start(&["web.app"]);
        let pages = Pages::fixed(&[("/told", "text/plain", "heard\n")]);
        let database = (base == Base::Postgres).then(Postgres::start);
        let lists = folder();
        let visits = lists.path().join("visits");
        let mut args = allowed(&proxy, &pages);
        if dies != Dies::Both {
            args.push("--no-worker".to_owned());
        }
        let environment = vec![("HOLDPOINT_KILL_VISITS".to_owned(), visits.display().to_string())];
        let server = Holdpoint::with(Options { database: database.as_ref().map(Postgres::url), args, environment });
        let root = server.administrator();
        let mut stage = Self {
            worker: None,
            lists,
            proxy: Some(proxy),
            _database: database,
            pages,
            dies,
            root,
            pending: VecDeque::new(),
            armed: None,
            died: Vec::new(),
            random: None,
            killer: None,
            slowest_start: Duration::ZERO,
            visits,
            count: 0,
            started: Instant::now(),
            server,
        };
        if dies != Dies::Both {
            stage.worker = Some(stage.hand("apart"));
        }
        stage
    }

    /// A worker of its own, not armed.
    pub fn hand(&self, name: &str) -> Hand {
        let own = folder();
        let mut hand = Hand {
            process: None,
            name: name.to_owned(),
            key: self.server.pool_key(),
            server: self.server.url().to_owned(),
            args: self.proxy.as_ref().map(|proxy| allowed(proxy, &self.pages)).unwrap_or_default(),
            visits: self.visits.display().to_string(),
            data: own.path().join("data"),
            folder: own,
        };
        hand.start(None);
        hand
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("the proxy")
    }

    // ---- dying

    /// Who dies, dies at these points, one after the other, as soon as the story comes to one of `names`.
    pub fn plan(&mut self, points: impl IntoIterator<Item = Point>) {
        self.pending.extend(points);
    }

    /// The story comes to these names now.
    pub fn arm(&mut self, names: &[&str]) {
        let wanted = |point: &Point| names.contains(&point.name.as_str());
        if !self.pending.iter().any(wanted) {
            return;
        }
        // What passes in the background may be about to die at the point before this one, or have died unnoticed.
        let until = Instant::now() + SOON;
        while self.armed.is_some() && Instant::now() < until {
            self.tick();
            pause(Duration::from_millis(20));
        }
        if let Some((point, _)) = self.armed.take() {
            self.pending.push_front(point);
        }
        let Some(next) = self.pending.iter().position(wanted).and_then(|next| self.pending.remove(next)) else { return };
        self.arm_point(next);
    }

    fn arm_point(&mut self, point: Point) {
        let by_itself = self.dies != Dies::Worker;
        let seen = self.seen(&point);
        if self.dies == Dies::Worker && point.of_worker() {
            self.hand_of_own().start(Some(point.target()));
        } else if point.of_worker() && self.dies == Dies::Server {
            // The server does not pass it; it dies when the worker does pass it.
        } else if by_itself {
            let target = point.target();
            self.server.restart_with(|options| options.environment.push(("HOLDPOINT_KILL_POINT".to_owned(), target)));
        }
        self.armed = Some((point, seen));
    }

    fn hand_of_own(&mut self) -> &mut Hand {
        self.worker.as_mut().expect("a worker of its own")
    }

    fn seen(&self, point: &Point) -> usize {
        let text = std::fs::read_to_string(&self.visits).unwrap_or_default();
        let visit = point.visit();
        text.lines().filter(|line| *line == visit).count()
    }

    /// Names that were passed, each with before or after.
    pub fn visited(&self) -> BTreeSet<String> {
        std::fs::read_to_string(&self.visits).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Whoever dies, dies at so many random moments, once [`Stage::let_loose`] was called.
    pub fn at_random(&mut self, seed: u64, count: u64) {
        self.random = Some((seed, count));
    }

    /// The story has begun: from now on every request is repeated until it is answered.
    pub fn let_loose(&mut self) {
        if let Some((seed, count)) = self.random.take() {
            self.killer = Some(Killer::start(seed, count));
        }
        self.aim();
    }

    fn aim(&self) {
        let pid = match self.dies {
            Dies::Worker => self.worker.as_ref().map_or(0, Hand::pid),
            Dies::Server | Dies::Both => self.server.pid(),
        };
        if let Some(killer) = &self.killer {
            killer.target.store(pid, Ordering::SeqCst);
        }
    }

    /// How often somebody was killed at a random moment.
    pub fn killed(&self) -> u64 {
        self.killer.as_ref().map_or(0, |killer| killer.killed.load(Ordering::SeqCst))
    }

    /// Whoever has died is started again; whoever must die now, does.
    pub fn tick(&mut self) {
        // Two processes: the one that passes the point is not the one that dies, so it is watched from here.
        let other = self.armed.as_ref().is_some_and(|(point, seen)| {
            let watched = match self.dies {
                Dies::Both => false,
                Dies::Server => point.of_worker(),
                Dies::Worker => !point.of_worker(),
            };
            watched && self.seen(point) > *seen
        });
        if other {
            match self.dies {
                Dies::Server => self.server.kill(),
                _ => self.hand_of_own().kill(),
            }
        }
        if self.worker.as_mut().is_some_and(Hand::ended) {
            self.note_death();
            self.hand_of_own().start(None);
            self.aim();
            self.arm_same();
        }
        if self.server.ended() {
            self.note_death();
            let began = Instant::now();
            self.server.restart_with(|options| options.environment.retain(|(name, _)| name != "HOLDPOINT_KILL_POINT"));
            self.slowest_start = self.slowest_start.max(began.elapsed());
            self.aim();
            self.arm_same();
        }
    }

    fn note_death(&mut self) {
        if let Some((point, _)) = self.armed.take() {
            self.died.push(point);
        }
    }

    /// The other half of the same name, before the story goes on.
    fn arm_same(&mut self) {
        let Some(name) = self.died.last().map(|point| point.name.clone()) else { return };
        self.arm(&[&name]);
    }

    /// Points of these names that the story has not come to.
    pub fn left(&self) -> Vec<Point> {
        self.armed.iter().map(|(point, _)| point.clone()).chain(self.pending.iter().cloned()).collect()
    }

    // ---- asking

    /// Asks until there is an answer that is not "come again"; always with the same key.
    pub fn ask(&mut self, who: &Client, method: &str, path: &str, body: &Value) -> Answer {
        self.count += 1;
        let key = format!("story-{}", self.count);
        self.ask_as(who, method, path, &[("Content-Type", "application/json"), ("Idempotency-Key", &key)], body.to_string().into_bytes())
    }

    /// The same with any body.
    pub fn ask_as(&mut self, who: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let until = Instant::now() + PATIENCE;
        loop {
            let send = (method != "GET").then(|| body.clone());
            match who.try_send(method, path, headers, send) {
                // Not now, or nobody knows: the same again, under the same key.
                Ok(answer) if matches!(answer.status, 503 | 507) => {}
                Ok(answer) => {
                    self.tick();
                    return answer;
                }
                Err(_) => {}
            }
            assert!(Instant::now() < until, "{method} {path} has no answer within {PATIENCE:?}\n{}", self.server.stderr());
            self.tick();
            pause(Duration::from_millis(20));
        }
    }

    pub fn get(&mut self, who: &Client, path: &str) -> Value {
        self.ask_as(who, "GET", path, &[], Vec::new()).ok()
    }

    /// Asks again and again until `look` finds something.
    pub fn until<T>(&mut self, what: &str, who: &Client, path: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(who, path);
            if let Some(found) = look(&answer) {
                return found;
            }
            assert!(
                Instant::now() < until,
                "not within {PATIENCE:?}: {what}\n{answer:#}\n--- died at {:?}, left {:?}\n--- server\n{}\n--- worker\n{}",
                self.died,
                self.left(),
                self.server.stderr(),
                self.worker.as_ref().map(Hand::stderr).unwrap_or_default()
            );
            self.tick();
            pause(Duration::from_millis(30));
        }
    }

    /// A folder for what the story writes.
    pub fn folder(&self) -> &std::path::Path {
        self.lists.path()
    }

    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

fn allowed(proxy: &Proxy, pages: &Pages) -> Vec<String> {
    [proxy.admin_url(), pages.url().to_owned()]
        .iter()
        .flat_map(|url| ["--allow".to_owned(), url.trim_start_matches("http://").to_owned()])
        .collect()
}

/// Kills one process after the other at random moments, from a thread of its own: also in the middle of a request.
struct Killer {
    target: Arc<AtomicU32>,
    killed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Killer {
    fn start(seed: u64, count: u64) -> Self {
        let (target, killed, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let shared = (target.clone(), killed.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (target, killed, stop) = shared;
            while !stop.load(Ordering::SeqCst) && killed.load(Ordering::SeqCst) < count {
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                pause(Duration::from_millis(chance % 1200));
                // Each process once: its number may be another's later.
                let pid = target.swap(0, Ordering::SeqCst);
                if pid != 0
                    && std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().is_ok_and(|status| status.success())
                {
                    killed.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { target, killed, stop, thread: Some(thread) }
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// A worker of its own, whose folder survives it.
pub struct Hand {
    process: Option<Process>,
    name: String,
    key: String,
    server: String,
    args: Vec<String>,
    visits: String,
    /// Attempts and instances.
    pub data: PathBuf,
    folder: TempDir,
}

impl Hand {
    /// In the default pool of a server.
    pub fn beside(server: &Holdpoint, name: &str) -> Self {
        Self::at(server.url(), &server.pool_key(), name)
    }

    /// The same by address and key.
    pub fn at(url: &str, key: &str, name: &str) -> Self {
        Self::on(url, key, name, None)
    }

    /// On the machine of another worker: what one has begun, the other sees.
    pub fn on(url: &str, key: &str, name: &str, data: Option<PathBuf>) -> Self {
        let lists = folder();
        let visits = lists.path().join("visits").display().to_string();
        let mut hand = Self {
            process: None,
            name: name.to_owned(),
            key: key.to_owned(),
            server: url.to_owned(),
            args: Vec::new(),
            visits,
            data: data.unwrap_or_else(|| lists.path().join("data")),
            folder: lists,
        };
        hand.start(None);
        hand
    }

    /// SIGSTOP, SIGCONT and the like, by name.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name.parse().expect("a signal"));
        }
    }

    /// Starts it (again), armed or not.
    pub fn start(&mut self, point: Option<String>) {
        self.process = None;
        let key = self.folder.path().join("pool-key");
        std::fs::write(&key, &self.key).expect("a key file");
        let (key, data) = (key.display().to_string(), self.data.display().to_string());
        let mut cli = CommandLine::new(self.folder.path()).env("HOLDPOINT_KILL_VISITS", &self.visits);
        if let Some(point) = point {
            cli = cli.env("HOLDPOINT_KILL_POINT", &point);
        }
        let mut args = vec!["--server", &self.server, "worker", "--name", &self.name, "--pool-key-file", &key, "--data", &data];
        args.extend(self.args.iter().map(String::as_str));
        self.process = Some(Process::start("holdpoint worker", cli.command(args), "SIGTERM".parse().expect("a signal")));
    }

    pub fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    pub fn ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.status().is_some())
    }

    pub fn stderr(&self) -> String {
        self.process.as_ref().map(Process::stderr).unwrap_or_default()
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.kill();
        end_all_below(self.folder.path());
    }
}

/// The runner's clock, not a sleep that a test waits for in vain.
pub fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

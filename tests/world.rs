//! See the crate. People, tokens and pages are made when a test first asks for them: each costs a password hash.

use crate::organisation::Organisation;
use crate::program::{Program, junit};
use crate::{Load, SOON};
use holdpoint_testkit::{Browser, Client, CommandLine, Holdpoint, Options, Page, Postgres, Proxy, Worker, eventually};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// In the order of the pipeline.
pub const ENVIRONMENTS: [&str; 2] = ["test", "production"];

/// A release that a test made.
#[derive(Debug, Clone)]
pub struct Release {
    pub id: String,
    pub version: String,
    /// Of its one component.
    pub digest: String,
    /// As it was sealed at first.
    pub manifest: String,
}

/// See the crate.
pub struct World {
    // In the order of dropping: the server ends before proxies and database.
    pub server: Holdpoint,
    worker: Option<Worker>,
    proxies: BTreeMap<&'static str, Proxy>,
    organisation: Organisation,
    people: RefCell<BTreeMap<String, Rc<Client>>>,
    tokens: RefCell<BTreeMap<String, String>>,
    _database: Option<Postgres>,
}

impl World {
    /// Embedded database, the usual organisation.
    pub fn start() -> Self {
        Self::with(Organisation::default())
    }

    /// Embedded database, an organisation of the test's own.
    pub fn with(organisation: Organisation) -> Self {
        Self::build(organisation, Options::default(), None)
    }

    /// The usual organisation on a real PostgreSQL.
    pub fn on_postgres() -> Self {
        let database = Postgres::start();
        let options = Options { database: Some(database.url()), ..Options::default() };
        Self::build(Organisation::default(), options, Some(database))
    }

    /// Everything of one's own. `options` are completed by what the proxies need.
    pub fn build(organisation: Organisation, mut options: Options, database: Option<Postgres>) -> Self {
        let proxies = Self::proxies(&organisation);
        options.args.extend(allowed(&proxies));
        Self::assemble(organisation, options, proxies, database)
    }

    /// The server runs no worker; one runs beside it and survives it, as on a machine of its own.
    pub fn apart(organisation: Organisation) -> Self {
        let proxies = Self::proxies(&organisation);
        let more = allowed(&proxies);
        let options = Options { args: vec!["--no-worker".to_owned()], ..Options::default() };
        let mut world = Self::assemble(organisation, options, proxies, None);
        world.worker = Some(Worker::start_with(&world.server, "apart", "default", &world.server.pool_key(), &more));
        world
    }

    fn proxies(organisation: &Organisation) -> BTreeMap<&'static str, Proxy> {
        let route = organisation.route();
        std::thread::scope(|scope| {
            let started = ENVIRONMENTS.map(|name| (name, scope.spawn(|| Proxy::start(&[&route]))));
            started.into_iter().map(|(name, proxy)| (name, proxy.join().expect("a proxy starts"))).collect()
        })
    }

    fn assemble(organisation: Organisation, options: Options, proxies: BTreeMap<&'static str, Proxy>, database: Option<Postgres>) -> Self {
        let server = Holdpoint::with(options);
        let root = server.administrator();
        let people = RefCell::new(BTreeMap::from([("root".to_owned(), Rc::new(root))]));
        let world = Self { server, worker: None, proxies, organisation, people, tokens: RefCell::default(), _database: database };
        world.apply_folder();
        world
    }

    /// The worker of a world whose server runs none.
    pub fn worker(&mut self) -> &mut Worker {
        self.worker.as_mut().expect("this world's server has a worker of its own")
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.organisation.service
    }

    // ---- people

    /// Somebody's browser session; an invitation is redeemed at the first call.
    pub fn person(&self, handle: &str) -> Rc<Client> {
        if let Some(known) = self.people.borrow().get(handle) {
            return known.clone();
        }
        let root = self.people.borrow()["root"].clone();
        let client = Rc::new(self.server.person(&root, handle));
        self.people.borrow_mut().insert(handle.to_owned(), client.clone());
        client
    }

    /// A token of somebody's; of the service account `robot`, made by its owner.
    pub fn token(&self, handle: &str) -> String {
        if let Some(known) = self.tokens.borrow().get(handle) {
            return known.clone();
        }
        let (maker, body) = match handle {
            "robot" => (self.person("ada"), json!({"name": "tests", "for": "robot"})),
            _ => (self.person(handle), json!({"name": "tests"})),
        };
        let made = maker.post("/v1/tokens", &body).ok();
        let token = made["token"].as_str().unwrap_or_else(|| panic!("no token: {made}")).to_owned();
        self.tokens.borrow_mut().insert(handle.to_owned(), token.clone());
        token
    }

    /// The API by somebody's token: what a script would use.
    pub fn api(&self, handle: &str) -> Client {
        self.server.client().with_token(&self.token(handle))
    }

    /// The command line of somebody, by a token file of their own.
    pub fn cli(&self, handle: &str) -> CommandLine {
        let file = self.folder().join(format!("token-of-{handle}"));
        std::fs::write(&file, self.token(handle)).expect("a token file");
        self.server.cli(None).env("HOLDPOINT_TOKEN_FILE", &file.display().to_string())
    }

    /// A page on which somebody is signed in.
    pub fn page(&self, browser: &Browser, handle: &str) -> Page {
        browser.page_of(&self.person(handle))
    }

    // ---- the organisation

    /// Where its files are; the world's own folder goes with it.
    pub fn organisation_folder(&self) -> PathBuf {
        self.folder().join("organisation")
    }

    /// A folder for what a test writes.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Changes the organisation and applies its folder again.
    pub fn reorganise(&mut self, change: impl FnOnce(&mut Organisation)) {
        change(&mut self.organisation);
        self.apply_folder();
    }

    fn apply_folder(&self) {
        let places: Vec<(&str, String, String)> = ENVIRONMENTS
            .iter()
            .map(|name| {
                let proxy = self.proxy(name);
                (*name, proxy.admin_url(), proxy.token_file().display().to_string())
            })
            .collect();
        let folder = self.organisation_folder();
        self.organisation.write(&folder, &places);
        self.cli("root").run(["apply", "-f", &folder.display().to_string(), "--yes"]).code(0);
    }

    // ---- releases

    /// Stores bytes; their digest.
    pub fn upload(&self, bytes: &[u8]) -> String {
        let file = self.folder().join("upload");
        std::fs::write(&file, bytes).expect("a file to upload");
        let put = self.cli("ada").run(["--json", "artifact", "put", &file.display().to_string()]).code(0).json();
        put["digest"].as_str().unwrap_or_else(|| panic!("no digest: {put}")).to_owned()
    }

    /// Ada seals a release of this program. Nothing is known about it yet.
    pub fn bare_release(&self, program: &Program) -> Release {
        let digest = self.upload(&program.bytes());
        let body =
            json!({"service": self.service(), "version": program.version(), "components": {"app": digest}, "config": {}, "work_items": []});
        let made = self.api("ada").post("/v1/releases", &body).ok();
        let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("no {name}: {made}")).to_owned();
        Release { id: text("release"), version: program.version().to_owned(), digest, manifest: text("manifest_digest") }
    }

    /// The same, with unit tests that passed.
    pub fn release(&self, program: &Program) -> Release {
        let release = self.bare_release(program);
        self.unit_tests(&release, 7, 0);
        release
    }

    /// A report of the suite `unit` about the release's component, brought by the service account.
    pub fn unit_tests(&self, release: &Release, passed: u32, failed: u32) -> Value {
        let path = format!("/v1/evidence?kind=junit&suite=unit&subject={}", release.digest);
        self.api("robot").upload("POST", &path, "application/xml", junit("unit", passed, failed)).ok()
    }

    /// All gates, asked now.
    pub fn gates(&self, release: &Release, environment: &str) -> Value {
        let answer = self.api("root").get(&format!("/v1/releases/{}/gates?environment={environment}", release.id)).ok();
        answer["report"].clone()
    }

    /// One gate of a report.
    pub fn gate(&self, release: &Release, environment: &str, gate: &str) -> Value {
        let report = self.gates(release, environment);
        let found = report["gates"].as_array().into_iter().flatten().find(|one| one["gate"] == gate).cloned();
        found.unwrap_or_else(|| panic!("no gate {gate}: {report:#}"))
    }

    /// Somebody approves what is there now.
    pub fn approve(&self, handle: &str, release: &Release, environment: &str) {
        self.vote(handle, release, environment, "approvals").ok();
    }

    /// A vote as the API answers it: `approvals` or `rejections`.
    pub fn vote(&self, handle: &str, release: &Release, environment: &str, door: &str) -> holdpoint_testkit::Answer {
        let report = self.gates(release, environment);
        let body = json!({
            "environment": environment, "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"],
            "comment": "looked at it",
        });
        self.person(handle).post(&format!("/v1/releases/{}/{door}", release.id), &body)
    }

    /// The whole view of a release.
    pub fn view(&self, release: &Release) -> Value {
        self.api("root").get(&format!("/v1/releases/{}", release.id)).ok()
    }

    // ---- runs

    /// Somebody deploys; the run's id.
    pub fn deploy(&self, handle: &str, release: &Release, environment: &str) -> String {
        let asked = self.api(handle).post(&format!("/v1/releases/{}/deployments", release.id), &json!({"environment": environment})).ok();
        match asked["run"].as_str() {
            Some(run) => run.to_owned(),
            None => eventually("a run is opened", SOON, || self.runs(release, environment).into_iter().next()),
        }
    }

    /// Ids of a release's runs in an environment, newest first.
    pub fn runs(&self, release: &Release, environment: &str) -> Vec<String> {
        let all = self.api("root").get(&format!("/v1/runs?release={}&environment={environment}", release.id)).ok();
        all["runs"].as_array().into_iter().flatten().filter_map(|run| run["id"].as_str().map(str::to_owned)).collect()
    }

    pub fn run(&self, id: &str) -> Value {
        self.api("root").get(&format!("/v1/runs/{id}")).ok()
    }

    /// Waits until a run ended; its view.
    pub fn ended(&self, id: &str) -> Value {
        self.ended_within(id, SOON)
    }

    /// Likewise, for a run that takes its time.
    pub fn ended_within(&self, id: &str, patience: std::time::Duration) -> Value {
        let api = self.api("root");
        let path = format!("/v1/runs/{id}");
        let mut last = Value::Null;
        let until = std::time::Instant::now() + patience;
        eventually("the run ends", patience + std::time::Duration::from_secs(1), || {
            last = api.get(&path).ok();
            assert!(std::time::Instant::now() < until, "the run does not end:\n{last:#}\n--- server\n{}", self.server.stderr());
            (last["state"] == "ended").then(|| last.clone())
        })
    }

    /// Deploys and waits; panics with the run where it did not succeed.
    pub fn deployed(&self, handle: &str, release: &Release, environment: &str) -> Value {
        let run = self.ended(&self.deploy(handle, release, environment));
        assert_eq!(run["result"], "succeeded", "{run:#}\n--- server\n{}", self.server.stderr());
        run
    }

    /// Through both environments, with Grace's approval for production.
    pub fn released(&self, release: &Release) {
        self.deployed("ada", release, "test");
        self.approve("grace", release, "production");
        self.deployed("grace", release, "production");
    }

    // ---- what users meet

    pub fn proxy(&self, environment: &str) -> &Proxy {
        self.proxies.get(environment).unwrap_or_else(|| panic!("no proxy for {environment}"))
    }

    /// Where users reach the service.
    pub fn url(&self, environment: &str) -> String {
        self.proxy(environment).url(&self.organisation.route())
    }

    /// The version that answers a user now.
    pub fn answers(&self, environment: &str) -> String {
        let body = Client::new(&self.url(environment)).get("/work").ok();
        body["worked"].as_str().unwrap_or_else(|| panic!("no version: {body}")).to_owned()
    }

    /// Users who ask all the time.
    pub fn load(&self, environment: &str, users: usize) -> Load {
        Load::on(&self.url(environment), users)
    }

    /// The proxy's own weights: version to share, deployments of one version added up.
    pub fn weights(&self, environment: &str) -> BTreeMap<String, u64> {
        let routes = self.proxy(environment).admin().get("/routes").ok();
        let route = &routes["routes"][self.organisation.route()];
        let backends = route["backends"].as_array().unwrap_or_else(|| panic!("no backends: {routes:#}"));
        let mut weights = BTreeMap::new();
        for backend in backends {
            // `1.0.0~run`: the proxy tells deployments of one version apart.
            let version = backend["version"].as_str().unwrap_or_default().split('~').next().unwrap_or_default().to_owned();
            *weights.entry(version).or_default() += backend["weight"].as_u64().unwrap_or(0);
        }
        weights
    }

    /// Processes of this world's instances whose program is this version, by the operating system's own account.
    pub fn processes(&self, program: &Program) -> Vec<u32> {
        let bytes = program.bytes();
        let roots: Vec<&Path> = std::iter::once(self.folder()).chain(self.worker.as_ref().map(Worker::folder)).collect();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
                let below = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| roots.iter().any(|root| cwd.starts_with(root)));
                // The script is a descriptor of the process: what it holds open is what it runs.
                let script = words.iter().find_map(|word| std::str::from_utf8(word).ok()?.strip_prefix("/proc/self/"));
                below && script.is_some_and(|script| std::fs::read(format!("/proc/{pid}/{script}")).is_ok_and(|read| read == bytes))
            })
            .collect()
    }

    // ---- the ledger

    /// Facts of a stream, oldest first, by the API's own page of the ledger.
    pub fn facts(&self, stream: &str) -> Vec<Value> {
        let page = self.api("mary").get(&format!("/v1/ledger?stream={stream}&limit=1000")).ok();
        let mut entries = page["entries"].as_array().cloned().unwrap_or_default();
        entries.reverse();
        entries
    }

    /// Types of the facts of a stream, once it is sealed at least so far that `last` is among them.
    pub fn sealed(&self, stream: &str, last: &str) -> Vec<String> {
        eventually(&format!("{last} is sealed in {stream}"), SOON, || {
            let types: Vec<String> =
                self.facts(stream).iter().filter_map(|fact| fact["envelope"]["type"].as_str().map(str::to_owned)).collect();
            types.iter().any(|one| one == last).then_some(types)
        })
    }
}

/// What a worker may reach besides its own instances: the proxies' admin interfaces.
fn allowed(proxies: &BTreeMap<&'static str, Proxy>) -> Vec<String> {
    proxies.values().flat_map(|proxy| ["--allow".to_owned(), proxy.admin_url().trim_start_matches("http://").to_owned()]).collect()
}

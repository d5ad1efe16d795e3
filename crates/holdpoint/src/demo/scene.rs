//! What the demo stands on: a folder, a server, one proxy for each environment, accounts, the organisation, and the
//! shop's repository. All of it is started and set up as a user would do it.

use super::patience::Patience;
use super::people::{self, People};
use super::processes::{self, Processes};
use super::tell::Tell;
use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];
const QUICK: Duration = Duration::from_secs(60);

/// Where a proxy listens.
pub struct Proxy {
    pub admin: String,
    pub orders: String,
    pub storefront: String,
}

/// See the module.
pub struct Scene {
    pub tell: Tell,
    pub patience: Patience,
    pub processes: Processes,
    /// The demo's state, absolute.
    pub folder: PathBuf,
    /// The shop's files, absolute.
    pub shop: PathBuf,
    /// Where everything of the shop is compiled, kept from one demo to the next.
    pub cache: PathBuf,
    pub repository: PathBuf,
    /// Tag -> commit.
    pub commits: BTreeMap<String, String>,
    pub server: String,
    pub proxies: BTreeMap<&'static str, Proxy>,
    pub people: People,
}

/// What exists before the server does.
pub struct Ground {
    pub tell: Tell,
    pub patience: Patience,
    pub processes: Processes,
    folder: PathBuf,
    shop: PathBuf,
    cache: PathBuf,
}

fn own() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("this program does not know where it is")
}

/// The shop beside the current folder, or beside the program in its repository.
fn find_shop() -> anyhow::Result<PathBuf> {
    let from = [std::env::current_dir()?, own()?];
    let found = from
        .iter()
        .flat_map(|path| path.ancestors())
        .map(|folder| folder.join("examples/shop"))
        .find(|folder| folder.join("history/make.py").is_file());
    found.ok_or_else(|| anyhow!("expected examples/shop of Holdpoint's repository above the current folder: run the demo there"))
}

/// Empties the demo's folder, after ending what a former demo left running; answers how many processes that were. Only
/// what is known to be a demo's is removed.
fn take_over(folder: &Path) -> anyhow::Result<usize> {
    let mark = folder.join("this-is-a-holdpoint-demo");
    let mut ended = 0;
    if folder.exists() {
        let empty = fs::read_dir(folder)?.next().is_none();
        if !mark.exists() && !empty {
            return Err(anyhow!("{} is not a demo's folder; move it away and start again", folder.display()));
        }
        ended = processes::end_former(folder);
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder.join("logs"))?;
    fs::write(mark, "Emptied at the start of each demo.\n")?;
    Ok(ended)
}

impl Ground {
    /// A fresh folder, and everything that is needed to begin.
    pub fn new(tell: Tell, patience: Patience, folder: &Path) -> anyhow::Result<Ground> {
        for (program, what_for) in [
            ("git", "the shop's repository"),
            ("python3", "the shop's tests"),
            ("cargo", "building the shop"),
            ("flock", "building the shop"),
        ] {
            if Command::new(program).arg("--version").output().is_err() {
                return Err(anyhow!("{program} is needed for {what_for} and is not there"));
            }
        }
        let shop = find_shop()?.canonicalize()?;
        let ended = take_over(folder)?;
        let folder = folder.canonicalize()?;
        let cache = shop.join("../../target/shop");
        fs::create_dir_all(&cache)?;
        let processes = Processes::new(&folder)?;
        if ended > 0 {
            tell.say(format!("ended {ended} processes of a former demo"));
        }
        Ok(Ground { tell, patience, processes, folder, shop, cache: cache.canonicalize()? })
    }

    fn token(&self, name: &str) -> anyhow::Result<PathBuf> {
        let mut random = [0_u8; 24];
        getrandom::fill(&mut random).map_err(|why| anyhow!("no randomness: {why}"))?;
        let path = self.folder.join(format!("{name}.token"));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, hex::encode(random).as_bytes())?;
        Ok(path)
    }

    fn proxy(&mut self, environment: &str) -> anyhow::Result<Proxy> {
        let mut command = Command::new(own()?);
        command.args(["proxy", "--listen", "shop.orders=127.0.0.1:0", "--listen", "shop.storefront=127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.arg("--state").arg(self.folder.join(format!("proxy-{environment}"))).arg("--token-file").arg(self.token(environment)?);
        let said = self.processes.announced(&self.patience, &format!("proxy-{environment}"), command)?;
        let at = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| anyhow!("the proxy of {environment} announced {said}"));
        Ok(Proxy {
            admin: at(&said["admin"])?,
            orders: at(&said["listen"]["shop.orders"])?,
            storefront: at(&said["listen"]["shop.storefront"])?,
        })
    }

    /// The repository with all versions of the shop.
    fn repository(&mut self) -> anyhow::Result<(PathBuf, BTreeMap<String, String>)> {
        let path = self.folder.join("repository");
        let listed = self.folder.join("commits.json");
        let mut command = Command::new("python3");
        command.arg(self.shop.join("history/make.py")).arg(&path);
        self.processes.start("history", command, &listed)?;
        let status = self
            .patience
            .until("the shop's history to be written", QUICK, Duration::from_millis(50), || Ok(self.processes.ended("history")))?;
        let text = fs::read_to_string(&listed)?;
        if !status.success() {
            return Err(anyhow!("the shop's history could not be written:\n{}", processes::tail(&self.processes.log("history"))));
        }
        Ok((path, serde_json::from_str(&text).with_context(|| format!("make.py printed {text:?}"))?))
    }

    /// Starts everything and sets it up.
    pub fn scene(mut self) -> anyhow::Result<Scene> {
        self.tell.busy("starting the server and a proxy for each environment");
        let mut proxies = BTreeMap::new();
        for environment in ENVIRONMENTS {
            proxies.insert(environment, self.proxy(environment)?);
            fs::create_dir_all(self.folder.join("data").join(environment))?;
        }
        let mut command = Command::new(own()?);
        command.arg("serve").arg("--data").arg(self.folder.join("server")).args([
            "--listen",
            "127.0.0.1:0",
            "--announce",
            "json",
            "--pass",
            "PATH",
        ]);
        command.env_remove("HOLDPOINT_DATABASE");
        for proxy in proxies.values() {
            command.args(["--allow", &proxy.admin]);
        }
        let said = self.processes.announced(&self.patience, "server", command)?;
        let (Some(server), Some(link)) = (said["listening"].as_str(), said["setup"].as_str()) else {
            return Err(anyhow!("expected an address and a set-up link, found {said}"));
        };
        let server = server.to_owned();
        let root = self
            .patience
            .until("the server to be ready", QUICK, Duration::from_millis(100), || Ok(people::root(&self.folder, &server, link).ok()))?;
        self.tell.say(format!("Holdpoint demo · embedded database · {server}"));
        let documents = self.organisation(&proxies)?;
        root.post("/v1/apply?dry_run=false", &json!({"documents": documents})).context("the organisation was refused")?;
        let people = people::invited(&self.folder, root)?;
        self.tell.busy("writing the shop's repository");
        let (repository, commits) = self.repository()?;
        let Ground { tell, patience, processes, folder, shop, cache } = self;
        Ok(Scene { tell, patience, processes, folder, shop, cache, repository, commits, server, proxies, people })
    }

    /// The organisation's files with this demo's addresses and folders in them.
    fn organisation(&self, proxies: &BTreeMap<&'static str, Proxy>) -> anyhow::Result<Vec<Value>> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (environment, proxy) in proxies {
            let place = environment.to_uppercase();
            let path = |path: PathBuf| path.display().to_string();
            names.insert(format!("PROXY_{place}"), format!("http://{}", proxy.admin));
            names.insert(format!("PROXY_{place}_TOKEN"), path(self.folder.join(format!("{environment}.token"))));
            names.insert(format!("ORDERS_{place}"), proxy.orders.clone());
            names.insert(format!("STOREFRONT_{place}"), proxy.storefront.clone());
            names.insert(format!("DATA_{place}"), path(self.folder.join("data").join(environment)));
        }
        names.insert("SHOP".to_owned(), self.shop.display().to_string());
        names.insert("BUILD_CACHE".to_owned(), self.cache.display().to_string());
        names.insert("DEMO_START".to_owned(), local_now("Europe/Berlin")?);
        names.insert("CARGO_HOME".to_owned(), toolchain("CARGO_HOME", ".cargo")?);
        names.insert("RUSTUP_HOME".to_owned(), toolchain("RUSTUP_HOME", ".rustup")?);
        let mut documents = Vec::new();
        // The freeze is declared later, for the demo's own purpose.
        for file in ["people.yaml", "windows.yaml", "environments.yaml", "pipeline.yaml", "service.yaml"] {
            let text = fs::read_to_string(self.shop.join("organisation").join(file)).with_context(|| format!("organisation/{file}"))?;
            documents.push(json!({"file": file, "text": fill(&text, &names)?}));
        }
        Ok(documents)
    }
}

/// Where the Rust tool chain keeps its things: a build finds nothing of its user's by itself.
fn toolchain(variable: &str, usual: &str) -> anyhow::Result<String> {
    let set = std::env::var_os(variable).map(PathBuf::from);
    let path = set.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(usual)));
    Ok(path.ok_or_else(|| anyhow!("neither {variable} nor HOME is set"))?.display().to_string())
}

/// The present local time in whole seconds, as windows are written.
fn local_now(zone: &str) -> anyhow::Result<String> {
    Ok(now().in_tz(zone)?.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// The wall clock, for what a user types as a date. Nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "a user's clock, in place of a date that somebody would type")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Replaces `@NAME@` for every known name; a name that is left over is an error.
pub fn fill(text: &str, names: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (name, value) in names {
        text = text.replace(&format!("@{name}@"), value);
    }
    let left = text.split('@').skip(1).find(|part| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    left.map_or(Ok(text.clone()), |name| Err(anyhow!("nothing is known for @{name}@")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_a_name_nobody_knows_is_told() {
        let names = BTreeMap::from([("A_B".to_owned(), "7".to_owned())]);
        assert_eq!("x: 7, ada@shop.example", fill("x: @A_B@, ada@shop.example", &names).unwrap());
        assert!(fill("x: @OTHER@", &names).unwrap_err().to_string().contains("@OTHER@"));
    }
}

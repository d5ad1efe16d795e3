//! `holdpoint proxy` as a process of its own, and its admin interface.

use crate::client::Client;
use crate::command_line::CommandLine;
use crate::process::{Process, end_all_below, folder};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(10);
const TOKEN: &str = "test-proxy-token-of-this-test-only";

/// A running proxy.
pub struct Proxy {
    process: Process,
    routes: Vec<String>,
    listen: BTreeMap<String, String>,
    admin: String,
    folder: TempDir,
}

impl Proxy {
    /// With these routes, each on a free port.
    pub fn start(routes: &[&str]) -> Self {
        let folder = folder();
        std::fs::write(folder.path().join("token"), TOKEN).expect("a token file");
        let mut proxy = Self::launch(folder, &routes.iter().map(|route| format!("{route}=127.0.0.1:0")).collect::<Vec<_>>(), "127.0.0.1:0");
        proxy.routes = routes.iter().map(|route| (*route).to_owned()).collect();
        proxy
    }

    fn launch(folder: TempDir, listen: &[String], admin: &str) -> Self {
        let state = folder.path().join("state").display().to_string();
        let token = folder.path().join("token").display().to_string();
        let mut args =
            vec!["proxy".to_owned(), "--admin".to_owned(), admin.to_owned(), "--state".to_owned(), state, "--token-file".to_owned(), token];
        for address in listen {
            args.extend(["--listen".to_owned(), address.clone()]);
        }
        let mut process = Process::start("holdpoint proxy", CommandLine::new(folder.path()).command(args), Signal::SIGTERM);
        let line = process.line(START_LIMIT);
        let announced: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line:?} is no announcement: {why}"));
        let listen = announced["listen"].as_object().unwrap_or_else(|| panic!("no addresses: {line}"));
        let listen = listen.iter().map(|(route, address)| (route.clone(), address.as_str().unwrap_or_default().to_owned())).collect();
        let admin = announced["admin"].as_str().unwrap_or_else(|| panic!("no admin address: {line}")).to_owned();
        Self { process, routes: Vec::new(), listen, admin, folder }
    }

    /// `http://127.0.0.1:PORT` of a route.
    pub fn url(&self, route: &str) -> String {
        format!("http://{}", self.listen.get(route).unwrap_or_else(|| panic!("no route {route}")))
    }

    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// The admin interface, authorised.
    pub fn admin(&self) -> Client {
        Client::new(&self.admin_url()).with_token(TOKEN)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the killed proxy again on the same ports and state.
    pub fn restart(self) -> Self {
        let Self { mut process, routes, listen, admin, folder } = self;
        process.kill();
        let listen: Vec<String> = listen.iter().map(|(route, address)| format!("{route}={address}")).collect();
        let mut proxy = Self::launch(folder, &listen, &admin);
        proxy.routes = routes;
        proxy
    }

    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// Ends what was started below its folder.
    pub fn end(mut self) {
        self.process.end();
        end_all_below(self.folder.path());
    }
}

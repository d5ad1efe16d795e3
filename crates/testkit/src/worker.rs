//! `holdpoint worker` as a process of its own: it speaks to the server over HTTP like any worker.

use crate::command_line::CommandLine;
use crate::holdpoint::Holdpoint;
use crate::process::{Process, end_all_below, folder};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A running worker.
pub struct Worker {
    process: Process,
    folder: TempDir,
}

impl Worker {
    /// Enrolled in `pool` by the key in this text.
    pub fn start(server: &Holdpoint, name: &str, pool: &str, pool_key: &str) -> Self {
        Self::start_with(server, name, pool, pool_key, &[])
    }

    /// With further arguments of `worker`, for example what it may reach.
    pub fn start_with(server: &Holdpoint, name: &str, pool: &str, pool_key: &str, more: &[String]) -> Self {
        let folder = folder();
        std::fs::write(folder.path().join("pool-key"), pool_key).expect("a key file");
        let data = folder.path().join("data").display().to_string();
        let key = folder.path().join("pool-key").display().to_string();
        let mut args = vec!["worker", "--server", server.url(), "--pool", pool, "--name", name, "--pool-key-file", &key, "--data", &data];
        args.extend(more.iter().map(String::as_str));
        let process = Process::start("holdpoint worker", CommandLine::new(folder.path()).command(args), Signal::SIGTERM);
        Self { process, folder }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it keeps its state; what it started works below.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// `kill -9` of the worker alone: what it started lives on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
        end_all_below(self.folder.path());
    }
}

//! A child process of a test: started in a group of its own, its output kept, ended by pid.

use crate::watcher;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Output beyond this is dropped from its middle's end: the beginning of a failure says most.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
const LINES_WAITING_MAX: usize = 4096;

/// A running child.
pub struct Process {
    name: String,
    child: Child,
    /// How it is asked to end.
    signal: Signal,
    ended: Option<ExitStatus>,
    stderr: Arc<Mutex<Vec<u8>>>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts `command` with piped output. `signal` is how it is asked to end; after five seconds it is killed.
    pub fn start(name: &str, mut command: Command, signal: Signal) -> Self {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{name} does not start: {why} ({command:?})"));
        watcher::watch(child.id(), signal.as_str().trim_start_matches("SIG"));
        let stderr = Arc::new(Mutex::new(Vec::new()));
        if let Some(pipe) = child.stderr.take() {
            let kept = stderr.clone();
            std::thread::spawn(move || keep(pipe, &kept));
        }
        let (sender, lines) = sync_channel(LINES_WAITING_MAX);
        if let Some(pipe) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    // A test that does not read is no reason to stop the child: lines that find no room are dropped.
                    _ = sender.try_send(String::from_utf8_lossy(&line).into_owned());
                }
            });
        }
        Self { name: name.to_owned(), child, signal, ended: None, stderr, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard input, once, if the command piped it.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The next line of its standard output; panics with its standard error where none comes.
    pub fn line(&mut self, limit: Duration) -> String {
        match self.lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{} printed no line within {limit:?}; stderr:\n{}", self.name, self.stderr()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or_else(|why| why.to_string(), |status| status.to_string());
                panic!("{} ended ({status}) without the expected line; stderr:\n{}", self.name, self.stderr())
            }
        }
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
            if self.ended.is_some() {
                watcher::forget(self.child.id());
            }
        }
        self.ended
    }

    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // It may just have ended; then there is nothing to tell.
            _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
        }
    }

    /// `kill -9`, and waits until it is gone. Its own children are left alone: that is what a crash does.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait(Duration::from_secs(5))
    }

    /// Asks it to end and waits; kills it after five seconds.
    pub fn end(&mut self) -> ExitStatus {
        if let Some(status) = self.status() {
            return status;
        }
        self.signal(self.signal);
        let limit = Instant::now() + Duration::from_secs(5);
        while self.status().is_none() && Instant::now() < limit {
            pause(Duration::from_millis(5));
        }
        self.kill()
    }

    fn wait(&mut self, limit: Duration) -> ExitStatus {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            assert!(Instant::now() < until, "{} does not end", self.name);
            pause(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let status = self.end();
        // A test that fails shows what its children said.
        if std::thread::panicking() {
            let signal = status.signal().map_or(String::new(), |signal| format!(", signal {signal}"));
            eprintln!("--- stderr of {} ({status}{signal})\n{}", self.name, self.stderr());
        }
    }
}

fn keep(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// Asks until there is an answer; panics with `what` after `limit`. Polls every 10 ms.
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        pause(Duration::from_millis(10));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are threads of their own, and what they wait for is another process")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A temporary folder that is removed when dropped, and also when the test process is killed.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("holdpoint-test-").tempdir().expect("a temporary folder");
    watcher::folder(folder.path());
    folder
}

/// A port that was free a moment ago. For programs that cannot bind port 0 themselves: start them again on another
/// port when this one was taken meanwhile.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Ends every process that works in `folder` or names it in its arguments: SIGTERM, then SIGKILL after two seconds.
/// For what a server under test has deployed; it outlives the server on purpose.
pub fn end_all_below(folder: &Path) {
    let mut rounds = 0;
    loop {
        let pids = pids_below(folder);
        if pids.is_empty() {
            return;
        }
        let signal = if rounds < 100 { Signal::SIGTERM } else { Signal::SIGKILL };
        assert!(rounds < 300, "{pids:?} below {} do not end", folder.display());
        if rounds % 50 == 0 {
            for pid in pids {
                // It may just have ended.
                _ = kill(pid, signal);
            }
        }
        rounds += 1;
        pause(Duration::from_millis(20));
    }
}

fn pids_below(folder: &Path) -> Vec<Pid> {
    let own = std::process::id().cast_signed();
    let name = folder.as_os_str().as_encoded_bytes();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let below = entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let path = entry.path();
        let named = std::fs::read(path.join("cmdline")).is_ok_and(|line| line.windows(name.len()).any(|window| window == name));
        let works_there = std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let zombie =
            std::fs::read_to_string(path.join("stat")).is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")));
        (pid != own && !zombie && (named || works_there)).then(|| Pid::from_raw(pid))
    });
    below.collect()
}

/// The cargo target folder this test was built into.
pub fn target_folder() -> std::path::PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    program.ancestors().find(is_target).map_or_else(std::env::temp_dir, Path::to_owned)
}

/// The repository: the first folder above this program's sources that holds the workspace.
pub fn repository() -> std::path::PathBuf {
    // Tests run in their package's folder; a compiled-in path would be wrong after a move.
    let here = std::env::current_dir().expect("a current folder");
    here.ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .map_or_else(|| panic!("no Cargo.lock above {}", here.display()), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Process, eventually, folder};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Command;
    use std::time::Duration;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Process::start("sh", command, Signal::SIGTERM)
    }

    #[test]
    fn output_is_kept_and_the_end_is_known() {
        let mut process = shell("echo one; echo two >&2; exit 3");
        assert_eq!(process.line(Duration::from_secs(5)), "one");
        let status = eventually("it ends", Duration::from_secs(5), || process.status());
        assert_eq!(status.code(), Some(3));
        eventually("stderr is kept", Duration::from_secs(5), || (process.stderr() == "two\n").then_some(()));
    }

    #[test]
    fn a_child_that_does_not_listen_is_killed() {
        let mut process = shell("trap '' TERM; echo ready; while :; do sleep 0.1; done");
        process.line(Duration::from_secs(5));
        let pid = Pid::from_raw(process.pid().cast_signed());
        assert!(kill(pid, None).is_ok());
        drop(process);
        assert!(kill(pid, None).is_err());
    }

    /// This very test program is started again, killed, and must leave nothing behind.
    #[test]
    fn nothing_is_left_when_the_test_process_is_killed() {
        let program = std::env::current_exe().expect("a path");
        let mut command = Command::new(program);
        command.args(["--exact", "process::tests::victim", "--ignored", "--nocapture"]);
        let mut victim = Process::start("victim", command, Signal::SIGTERM);
        let line = eventually("it reports", Duration::from_secs(10), || {
            Some(victim.line(Duration::from_secs(10))).filter(|line| line.starts_with("victim "))
        });
        let words: Vec<&str> = line.split(' ').collect();
        let child = Pid::from_raw(words[1].parse().expect("a pid"));
        assert!(kill(child, None).is_ok());
        victim.kill();
        eventually("its child ends", Duration::from_secs(5), || kill(child, None).err());
        eventually("its folder goes", Duration::from_secs(5), || (!std::path::Path::new(words[2]).exists()).then_some(()));
    }

    #[test]
    #[ignore = "started by nothing_is_left_when_the_test_process_is_killed"]
    fn victim() {
        let folder = folder();
        let child = shell("while :; do sleep 0.1; done");
        println!("victim {} {}", child.pid(), folder.path().display());
        super::pause(Duration::from_secs(30));
    }
}

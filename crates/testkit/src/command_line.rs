//! The command line as a person or a script would use it.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How to call the binary: environment and folder of one user.
#[derive(Clone)]
pub struct CommandLine {
    binary: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    command: String,
}

impl CommandLine {
    /// The product's binary: HOLDPOINT_BIN, or beside this test in the target folder.
    pub fn new(folder: &Path) -> Self {
        // No colours and no questions: what a script gets.
        let environment = [("NO_COLOR", "1"), ("HOLDPOINT_NO_INPUT", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { binary: binary(), folder: folder.to_owned(), environment: environment.to_vec() }
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// The command, not yet started.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(&self.folder).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run_with(args, b"")
    }

    /// Runs a command with this standard input.
    pub fn run_with<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let mut stdin = child.stdin.take().expect("a standard input");
        let input = input.to_owned();
        // In a thread of its own: the child may fill its output before it has read all.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("it ends");
        // A child that does not read its input is none of ours.
        _ = writer.join();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: format!("{command:?}"),
        }
    }
}

impl Output {
    /// The one JSON object that `--json` prints.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON ({why})\n{self}"))
    }

    /// Asserts the exit code: 0 done, 1 a finding or refusal, 2 bad input, 3 server, 4 not authorised, 5 indeterminate.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "\n{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "$ {}\nexit {}\n--- stdout\n{}\n--- stderr\n{}", self.command, self.code, self.stdout, self.stderr)
    }
}

/// Where the product's binary is.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HOLDPOINT_BIN") {
        return path.into();
    }
    let program = std::env::current_exe().expect("this program has a path");
    // target/debug/deps/rows-0123 -> target/debug/holdpoint
    let path = program.ancestors().skip(1).map(|folder| folder.join("holdpoint")).find(|path| path.is_file());
    path.unwrap_or_else(|| panic!("the binary is not built: `cargo build -p holdpoint` (looked above {})", program.display()))
}

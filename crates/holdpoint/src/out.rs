//! What a command says: results on standard output, talk on standard error, and an exit code that agrees.

use crate::client::Problem;
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Done,
    Blocked,
    BadInput,
    Server,
    Unauthorised,
    Indeterminate,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(match code {
            Code::Done => 0,
            Code::Blocked => 1,
            Code::BadInput => 2,
            Code::Server => 3,
            Code::Unauthorised => 4,
            Code::Indeterminate => 5,
        })
    }
}

/// Input that cannot be read, with place and expectation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// See the module.
pub struct Out {
    pub json: bool,
    /// Whether questions may be asked.
    pub input: bool,
}

impl Out {
    /// The result: one JSON object, or the text.
    pub fn result(&self, value: &Value, text: impl FnOnce() -> String) {
        let text = if self.json { value.to_string() } else { text() };
        if !text.is_empty() {
            // Whoever reads us through a pipe may have read enough.
            let _read_enough = writeln!(std::io::stdout(), "{}", text.trim_end());
        }
    }
    /// Talk.
    pub fn say(&self, text: impl AsRef<str>) {
        eprintln!("{}", text.as_ref());
    }
    /// Whether standard error is a terminal that may show progress.
    pub fn lively(&self) -> bool {
        std::io::stderr().is_terminal() && !self.json
    }
    /// Asks; without a terminal or with --no-input the answer is no.
    pub fn confirm(&self, question: &str) -> bool {
        if !self.input || !std::io::stdin().is_terminal() {
            return false;
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
    /// Says what went wrong, and with which code the command ends.
    pub fn fail(&self, why: &anyhow::Error) -> ExitCode {
        if let Some(problem) = why.downcast_ref::<Problem>() {
            if self.json {
                println!(
                    "{}",
                    json!({"verdict": "refused", "status": problem.status, "code": problem.code, "detail": problem.detail, "unblock": problem.unblock, "facts": problem.facts})
                );
            }
            eprintln!("✗ {}{}", problem.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default(), problem.detail);
            if let Some(unblock) = &problem.unblock {
                eprintln!("  unblock: {unblock}");
            }
            return problem.exit().into();
        }
        let code = if why.downcast_ref::<BadInput>().is_some() { Code::BadInput } else { Code::Server };
        if self.json {
            println!("{}", json!({"verdict": "error", "detail": format!("{why:#}")}));
        }
        eprintln!("✗ {why:#}");
        code.into()
    }
}

/// Reads a file, or standard input for `-`.
pub fn read(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map_err(|why| bad(&why))?;
        return Ok(bytes);
    }
    Ok(std::fs::read(path).map_err(|why| bad(&why))?)
}

//! `make fresh`: is the README true for a newcomer? Clones HEAD into a temporary folder, runs the two commands of the
//! README there and writes their exit codes and seconds to `target/fresh.json`.

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The commands in the README's order; it must name both, in a code block.
const COMMANDS: [&str; 2] = ["make demo", "make test"];

pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    if let Some(unknown) = args.iter().find(|arg| !["--warm", "--keep"].contains(&arg.as_str())) {
        bail!("fresh takes --warm and --keep, not {unknown:?}");
    }
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let folder = std::env::temp_dir().join(format!("holdpoint-fresh-{}", std::process::id()));
    let clone = folder.join("holdpoint");
    std::fs::create_dir_all(&folder)?;
    let status =
        Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(root).arg(&clone).status().context("running git clone")?;
    if !status.success() {
        bail!("git clone failed");
    }
    let readme = std::fs::read_to_string(clone.join("README.md")).context("the clone has no README.md")?;
    let mut runs = Vec::new();
    let rounds = if flag("--warm") { &["cold", "warm"][..] } else { &["cold"][..] };
    for round in rounds {
        for command in COMMANDS {
            if !readme.lines().any(|line| line.trim_start().trim_start_matches("$ ").starts_with(command)) {
                bail!("README.md does not have the command `{command}`");
            }
            runs.push(run_one(&clone, command, round)?);
        }
    }
    let fine = runs.iter().all(|run| run["exit"] == 0);
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&clone).output()?;
    let result = json!({"commit": String::from_utf8_lossy(&head.stdout).trim(), "runs": runs});
    std::fs::create_dir_all(root.join("target"))?;
    std::fs::write(root.join("target/fresh.json"), format!("{result:#}\n"))?;
    println!("{result:#}");
    if flag("--keep") || !fine {
        println!("the clone is kept: {}", clone.display());
    } else {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(fine)
}

fn run_one(clone: &Path, command: &str, round: &str) -> Result<serde_json::Value> {
    eprintln!("fresh: {command} ({round})");
    let mut words = command.split_whitespace();
    let program = words.next().context("an empty command")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(words)
        .current_dir(clone)
        // The demo stays open for its reader; here nobody reads, so it ends after its last act.
        .env("DEMO_EXIT", "1")
        // What the outer cargo says about this crate must not reach the inner one.
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("running {command}"))?;
    let seconds = started.elapsed().as_secs();
    Ok(json!({"command": command, "round": round, "exit": status.code().unwrap_or(-1), "seconds": seconds}))
}

//! A stand-in for nextest where it is not installed: builds the test binaries and starts each test as its own process.
//!
//! Deliberately absent: retries. A test that fails once has failed.

use crate::report::{Case, JUNIT, State, write_junit};
use crate::test_run::Selection;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// As in .config/nextest.toml.
const TIME_LIMIT: Duration = Duration::from_secs(300);
const TIME_LIMIT_SEPARATE: Duration = Duration::from_secs(3600);

struct Binary {
    label: String,
    path: PathBuf,
    /// Tests run in their package's folder, as with cargo.
    folder: PathBuf,
}

struct Test<'a> {
    binary: &'a Binary,
    name: String,
}

pub fn run(root: &Path, selection: &Selection, skipped: &Path) -> Result<bool> {
    let binaries = build(root, selection)?;
    let mut tests = Vec::new();
    for binary in &binaries {
        tests.extend(list(binary, selection)?.into_iter().map(|name| Test { binary, name }));
    }
    let limit = if selection.ignored { TIME_LIMIT_SEPARATE } else { TIME_LIMIT };
    println!("{} tests in {} binaries", tests.len(), binaries.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Case)>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(index) else { return };
                    let case = run_one(test, limit, skipped, selection.ignored);
                    if case.state == State::Failed {
                        println!("FAILED {} {}\n{}", case.binary, case.name, case.output);
                    }
                    if let Ok(mut results) = results.lock() {
                        results.push((index, case));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    let cases: Vec<Case> = results.into_iter().map(|(_, case)| case).collect();
    write_junit(&root.join(JUNIT), &cases)?;
    Ok(cases.iter().all(|case| case.state == State::Passed))
}

/// Builds all tests of the workspace; cargo says where they are.
fn build(root: &Path, selection: &Selection) -> Result<Vec<Binary>> {
    let output = Command::new("cargo")
        .args(["test", "--lib", "--bins", "--tests", "--no-run", "--locked", "--message-format", "json-render-diagnostics"])
        .args(selection.packages())
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo test --no-run")?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(path), Some(manifest)) = (message["executable"].as_str(), message["manifest_path"].as_str()) else { continue };
        if message["profile"]["test"] != true {
            continue;
        }
        let folder = Path::new(manifest).parent().context("a manifest without a folder")?.to_owned();
        binaries.push(Binary { label: label(&message, &folder), path: path.into(), folder });
    }
    Ok(binaries)
}

/// nextest's name of a test binary: the package alone for its library, else package and target.
fn label(message: &Value, folder: &Path) -> String {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let package = manifest.lines().find_map(|line| line.strip_prefix("name = \"")).map_or("?", |rest| rest.trim_end_matches('"'));
    let target = message["target"]["name"].as_str().unwrap_or("?");
    match message["target"]["kind"][0].as_str() {
        Some("lib") => package.to_owned(),
        Some("bin") => format!("{package}::bin/{target}"),
        _ => format!("{package}::{target}"),
    }
}

fn list(binary: &Binary, selection: &Selection) -> Result<Vec<String>> {
    let names = |ignored: bool| -> Result<Vec<String>> {
        let mut command = Command::new(&binary.path);
        command.args(["--list", "--format", "terse"]).current_dir(&binary.folder);
        if ignored {
            command.arg("--ignored");
        }
        let output = command.output().with_context(|| format!("listing {}", binary.label))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let ignored = names(true)?;
    let mut chosen = if selection.ignored { ignored } else { names(false)?.into_iter().filter(|name| !ignored.contains(name)).collect() };
    if let Some(word) = &selection.word {
        chosen.retain(|name| name.contains(word.as_str()));
    }
    Ok(chosen)
}

fn run_one(test: &Test<'_>, limit: Duration, skipped: &Path, ignored: bool) -> Case {
    let started = Instant::now();
    let case = |state, output| Case {
        binary: test.binary.label.clone(),
        name: test.name.clone(),
        seconds: Some(started.elapsed().as_secs_f64()),
        state,
        output,
    };
    match try_one(test, limit, skipped, ignored) {
        Ok((true, _)) => case(State::Passed, String::new()),
        Ok((false, output)) => case(State::Failed, output),
        Err(why) => case(State::Failed, format!("it could not be run: {why:#}")),
    }
}

fn try_one(test: &Test<'_>, limit: Duration, skipped: &Path, ignored: bool) -> Result<(bool, String)> {
    let log = std::env::temp_dir().join(format!("xtask-test-{}-{:?}.log", std::process::id(), std::thread::current().id()));
    let file = std::fs::File::create(&log)?;
    let mut command = Command::new(&test.binary.path);
    command.args([test.name.as_str(), "--exact", "--nocapture"]).current_dir(&test.binary.folder);
    if ignored {
        command.arg("--ignored");
    }
    command.env("CARGO_MANIFEST_DIR", &test.binary.folder).env("HOLDPOINT_SKIPPED_LOG", skipped);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
    let mut child = command.spawn()?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > limit {
            // Its children end with it: they are in its process group or watched by the testkit.
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status()?;
            child.wait()?;
            break None;
        }
        pause(if started.elapsed().as_millis() < 200 { 2 } else { 20 });
    };
    let mut output = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    std::fs::remove_file(&log)?;
    if status.is_none() {
        output.push_str(&format!("\nended after {} s: over the time limit\n", limit.as_secs()));
    }
    Ok((status.is_some_and(|status| status.success()), output))
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own waits for one process, and no portable wait has a time limit")]
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

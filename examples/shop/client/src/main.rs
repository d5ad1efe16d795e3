//! `shop-client load …` sends traffic and journals the answers, `shop-client check …` audits them.

use client::crowd::{self, Plan};
use client::{audit, journal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage:
  shop-client load --url URL [--url URL …] [--rate 240] [--writes 0.10] [--seconds N] [--seed 1] [--timeout 10]
                   [--journal FILE] [--status FILE]
      Without --seconds it runs until SIGTERM. Progress: one JSON line per second, to FILE or standard error.
      The summary is one JSON line on standard output.
  shop-client check --journal FILE [--journal FILE …] --database PATH
      Exit code 1 when an acknowledged order is not in the database exactly once.";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let flags = flags(arguments);
    let done = match (command.as_deref(), flags) {
        (Some("load"), Ok(flags)) => load(&flags),
        (Some("check"), Ok(flags)) => check(&flags),
        (_, Err(wrong)) => Err(wrong),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("shop-client: {failure}");
        ExitCode::from(3)
    })
}

type Flags = Vec<(String, String)>;

fn flags(mut arguments: impl Iterator<Item = String>) -> Result<Flags, Failure> {
    let mut flags = Vec::new();
    while let Some(argument) = arguments.next() {
        let name = argument.strip_prefix("--").ok_or_else(|| format!("{argument:?} is not a flag\n{USAGE}"))?;
        let value = arguments.next().ok_or_else(|| format!("--{name} needs a value"))?;
        flags.push((name.to_owned(), value));
    }
    Ok(flags)
}

fn all<'a>(flags: &'a Flags, name: &'a str) -> impl Iterator<Item = &'a str> {
    flags.iter().filter(move |(flag, _)| flag == name).map(|(_, value)| value.as_str())
}

fn number(flags: &Flags, name: &str, default: f64) -> Result<f64, Failure> {
    match all(flags, name).last() {
        Some(text) => text.parse().map_err(|_| format!("--{name} {text}: not a number").into()),
        None => Ok(default),
    }
}

fn urls(flags: &Flags) -> Result<Vec<String>, Failure> {
    let urls: Vec<String> = all(flags, "url").map(|url| url.trim_end_matches('/').to_owned()).collect();
    if urls.is_empty() { Err("--url is missing".into()) } else { Ok(urls) }
}

fn load(flags: &Flags) -> Result<ExitCode, Failure> {
    let seconds = number(flags, "seconds", 0.0)?;
    let plan = Plan {
        urls: urls(flags)?,
        rate: Some(number(flags, "rate", 240.0)?).filter(|rate| *rate > 0.0).ok_or("--rate has to be above 0")?,
        writes: number(flags, "writes", 0.10)?,
        lasts: (seconds > 0.0).then(|| Duration::from_secs_f64(seconds)),
        seed: all(flags, "seed").last().unwrap_or("1").parse()?,
        timeout: Duration::from_secs_f64(number(flags, "timeout", 10.0)?),
        journal: all(flags, "journal").last().map(PathBuf::from),
        status: all(flags, "status").last().map(PathBuf::from),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let summary = runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        crowd::run(plan, async move {
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        })
        .await
    })?;
    println!("{}", serde_json::to_string(&summary)?);
    Ok(ExitCode::SUCCESS)
}

fn check(flags: &Flags) -> Result<ExitCode, Failure> {
    let mut entries = Vec::new();
    for path in all(flags, "journal") {
        entries.extend(journal::read(path.as_ref())?);
    }
    if entries.is_empty() {
        return Err("no entries: --journal names no journal, or an empty one".into());
    }
    let database = all(flags, "database").last().ok_or("--database is missing")?;
    let audit = audit::audit(&entries, database.as_ref())?;
    println!("{}", serde_json::to_string(&audit)?);
    Ok(if audit.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

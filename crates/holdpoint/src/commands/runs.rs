//! Following a run until it ends.

use crate::client::{Client, enc};
use crate::out::{Code, Out};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Follows a run; says each step as it changes. Ends with the run, or when it is held for a person.
pub fn follow(client: &Client, out: &Out, run: &str, timeout: Duration) -> anyhow::Result<(Value, Code)> {
    let end = Instant::now() + timeout;
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    let mut held = String::new();
    loop {
        let view = client.get(&format!("/v1/runs/{}", enc(run)))?;
        for step in view["steps"].as_array().into_iter().flatten() {
            let (id, state) = (step["id"].as_str().unwrap_or_default(), step["state"].as_str().unwrap_or_default());
            if state != "pending" && state != "skipped" && said.get(id).map(String::as_str) != Some(state) {
                said.insert(id.to_owned(), state.to_owned());
                let mark = match state {
                    "done" => "✓",
                    "failed" => "✗",
                    "indeterminate" => "?",
                    _ => "…",
                };
                out.say(format!(" {mark} {:<14} {}", state, step["title"].as_str().unwrap_or(id)));
            }
        }
        let state = view["state"].as_str().unwrap_or_default().to_owned();
        if state == "ended" {
            let code = if view["result"] == "succeeded" { Code::Done } else { Code::Blocked };
            return Ok((view, code));
        }
        let cause = view["cause"]["sentence"].as_str().unwrap_or_default().to_owned();
        if state == "held" && cause != held {
            out.say(format!(" ⏳ held          {cause}"));
            held = cause;
        }
        if Instant::now() >= end {
            return Ok((view, Code::Indeterminate));
        }
        pause(Duration::from_millis(200));
    }
}

/// Between two looks at the server.
#[allow(clippy::disallowed_methods, reason = "a client command has one thread, and it waits for the server")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}

//! Looks at this machine and at a server, and says what is missing.

use super::Ended;
use crate::client::Connection;
use crate::out::{Code, Out};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Doctor {}

struct Check {
    what: String,
    fine: bool,
    found: String,
    fix: &'static str,
}

impl Doctor {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let mut checks = vec![program("git", "builds clone repositories with it: apt install git")];
        checks.push(Check {
            what: "time zone of windows".to_owned(),
            fine: jiff::tz::TimeZone::get("Europe/Berlin").is_ok(),
            found: "IANA zones are known".to_owned(),
            fix: "the zone database is part of the program; this is a fault",
        });
        if let Ok(address) = connection.address() {
            checks.extend(server(connection, &address));
        } else {
            checks.push(Check {
                what: "server".to_owned(),
                fine: true,
                found: "none is named; give --server to look at one".to_owned(),
                fix: "",
            });
        }
        let fine = checks.iter().all(|check| check.fine);
        let list: Vec<Value> =
            checks.iter().map(|check| json!({"what": check.what, "fine": check.fine, "found": check.found, "fix": check.fix})).collect();
        out.result(&json!({"verdict": if fine { "fine" } else { "missing" }, "checks": list}), || {
            checks
                .iter()
                .map(|check| {
                    if check.fine {
                        format!(" ✓ {:<22} {}", check.what, check.found)
                    } else {
                        format!(" ✗ {:<22} {}\n   {:<22} {}", check.what, check.found, "", check.fix)
                    }
                })
                .collect::<Vec<_>>()
                .join("\n")
        });
        Ok(if fine { Code::Done } else { Code::Blocked })
    }
}

fn program(name: &str, fix: &'static str) -> Check {
    let answer = std::process::Command::new(name).arg("--version").output();
    match answer {
        Ok(answer) if answer.status.success() => {
            Check { what: name.to_owned(), fine: true, found: String::from_utf8_lossy(&answer.stdout).trim().to_owned(), fix }
        }
        _ => Check { what: name.to_owned(), fine: false, found: "not found".to_owned(), fix },
    }
}

fn server(connection: &Connection, address: &str) -> Vec<Check> {
    let client = match connection.client() {
        Ok(client) => client,
        Err(why) => {
            return vec![Check {
                what: "server".to_owned(),
                fine: false,
                found: format!("{why:#}"),
                fix: "check --server and the token file",
            }];
        }
    };
    let ready = client.bytes("/readyz");
    let mut checks = vec![Check {
        what: "server is ready".to_owned(),
        fine: ready.is_ok(),
        found: ready.err().map_or_else(|| address.to_owned(), |why| format!("{why:#}")),
        fix: "start it: holdpoint serve",
    }];
    let me = client.get("/v1/me");
    checks.push(Check {
        what: "signed in".to_owned(),
        fine: me.is_ok(),
        found: me.as_ref().map_or_else(|why| format!("{why:#}"), |me| me["handle"].as_str().unwrap_or_default().to_owned()),
        fix: "holdpoint login HANDLE",
    });
    checks
}

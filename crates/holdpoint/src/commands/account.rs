//! Signing in, tokens, one-time links.

use super::Ended;
use crate::client::{Client, Connection, enc, remember};
use crate::out::{BadInput, Code, Out};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::BufRead as _;

#[derive(Args)]
pub struct Login {
    /// Your handle.
    handle: String,
}

#[derive(Subcommand)]
pub enum Token {
    /// Makes a token; it is shown once. Asks for your password: a token cannot make tokens.
    Create {
        /// Your handle.
        handle: String,
        /// What it is for.
        name: String,
        /// A service account that you own.
        #[arg(long = "for", value_name = "HANDLE")]
        account: Option<String>,
        /// Days until it expires.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
}

/// Reads a password from standard input.
fn password(out: &Out, handle: &str, server: &str) -> anyhow::Result<String> {
    if out.lively() {
        eprint!("Password of {handle} at {server}: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(BadInput("expected the password on standard input".to_owned()).into());
    }
    Ok(line.to_owned())
}

/// Opens a session, makes a token in it, and closes it.
fn make_token(server: &str, handle: &str, password: &str, body: &Value) -> anyhow::Result<Value> {
    let client = Client::new(server, None)?.sign_in(handle, password)?;
    let made = client.post("/v1/tokens", body)?;
    // The token is made; a session left open would be a second key for nothing.
    client.call(reqwest::Method::DELETE, "/v1/session", &json!({}), &[])?;
    Ok(made)
}

#[derive(Subcommand)]
pub enum Person {
    /// A one-time link by which somebody who is declared gets an account, or a new password.
    Invite { handle: String },
    /// Everybody who is declared.
    List,
}

impl Login {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let server = connection.address()?;
        let password = password(out, &self.handle, &server)?;
        let made = make_token(&server, &self.handle, &password, &json!({"name": "command line", "days": 90}))?;
        let path = remember(&server, made["token"].as_str().unwrap_or_default())?;
        out.result(&json!({"server": server, "handle": self.handle, "credentials": path}), || {
            format!("signed in as {}; the token is in {}", self.handle, path.display())
        });
        Ok(Code::Done)
    }
}

impl Token {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let Token::Create { handle, name, account, days } = self;
        let server = connection.address()?;
        let password = password(out, &handle, &server)?;
        let made = make_token(&server, &handle, &password, &json!({"name": name, "for": account, "days": days}))?;
        out.result(&made, || made["token"].as_str().unwrap_or_default().to_owned());
        Ok(Code::Done)
    }
}

impl Person {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Person::Invite { handle } => {
                let made = client.post(&format!("/v1/people/{}/invite", enc(&handle)), &json!({}))?;
                out.result(&made, || made["link"].as_str().unwrap_or_default().to_owned());
            }
            Person::List => {
                let people = client.get("/v1/people")?;
                out.result(&people, || {
                    let rows = people["people"].as_array().into_iter().flatten();
                    rows.map(|one| {
                        let roles: Vec<&str> = one["roles"].as_array().into_iter().flatten().filter_map(|role| role.as_str()).collect();
                        format!(
                            "{:<16} {:<24} {}",
                            one["handle"].as_str().unwrap_or_default(),
                            one["name"].as_str().unwrap_or_default(),
                            roles.join(", ")
                        )
                    })
                    .collect::<Vec<_>>()
                    .join("\n")
                });
            }
        }
        Ok(Code::Done)
    }
}

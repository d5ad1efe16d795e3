//! Accounts, made as anybody makes them: a set-up link, invitations, a password each, and a token for the demo to act by.

use crate::client::{Client, enc};
use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Those who act in the demo.
pub struct People {
    pub root: Client,
    pub ada: Client,
    pub grace: Client,
    pub linus: Client,
}

/// Where handles and passwords are kept, for whoever wants to look around afterwards.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("accounts.txt")
}

/// The first account, by the link that the server announced.
pub fn root(folder: &Path, server: &str, link: &str) -> anyhow::Result<Client> {
    account(folder, server, "root", link)
}

/// Everybody else, invited by root.
pub fn invited(folder: &Path, root: Client) -> anyhow::Result<People> {
    let server = root.base().to_owned();
    let invite = |handle: &str| -> anyhow::Result<Client> {
        let answer = root.post(&format!("/v1/people/{}/invite", enc(handle)), &json!({}))?;
        let link = answer["link"].as_str().ok_or_else(|| anyhow!("expected a link for {handle}, found {answer}"))?;
        account(folder, &server, handle, link)
    };
    let (ada, grace, linus) = (invite("ada")?, invite("grace")?, invite("linus")?);
    Ok(People { root, ada, grace, linus })
}

/// Redeems a one-time link with a new password, and makes a token in the session that this opens.
fn account(folder: &Path, server: &str, handle: &str, link: &str) -> anyhow::Result<Client> {
    let (_, one_time) =
        link.split_once('#').ok_or_else(|| anyhow!("expected a link with a one-time token for {handle}, found {link:?}"))?;
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random).map_err(|why| anyhow!("no randomness: {why}"))?;
    let password = format!("{handle}-{}", hex::encode(random));
    let http = reqwest::blocking::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let answer = http.post(format!("{server}/v1/setup")).json(&json!({"token": one_time, "password": password})).send()?;
    let status = answer.status();
    let cookie =
        answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).and_then(|text| text.split(';').next()).map(str::to_owned);
    let body: Value = answer.json().with_context(|| format!("setting up {handle}: status {status}"))?;
    let (Some(cookie), Some(csrf)) = (cookie, body["csrf"].as_str()) else {
        return Err(anyhow!("expected a session for {handle}, found {status}: {body}"));
    };
    let answer = http
        .post(format!("{server}/v1/tokens"))
        .header("cookie", cookie)
        .header("x-holdpoint-csrf", csrf)
        .json(&json!({"name": "demo", "days": 1}))
        .send()?;
    let body: Value = answer.json()?;
    let token = body["token"].as_str().ok_or_else(|| anyhow!("expected a token for {handle}, found {body}"))?;
    let mut kept = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file(folder))?;
    writeln!(kept, "{handle:<8} {password}")?;
    Client::new(server, Some(token.to_owned()))
}

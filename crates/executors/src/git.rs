//! A working tree at one commit, and what the repository itself says about it.
//!
//! Nothing from outside becomes an option: commits are full hexadecimal ids, the repository follows `--`. No hooks, no
//! configuration of this machine's users, no submodules, no transport but file, https, http and ssh.

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncReadExt;

use crate::context::Context;
use crate::process::proc;
use crate::spec::{Checkout, Commit};

/// More commits than this are cut off, and the outputs say so.
pub const COMMITS_MAX: usize = 5_000;

/// What was found, before any command ran in the tree.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub commit: String,
    pub base: Option<String>,
    /// Id of the tree: the same files have the same.
    pub tree: String,
    /// Seconds since 1970: for SOURCE_DATE_EPOCH.
    pub committed_at: i64,
    pub commits: Vec<Commit>,
    pub commits_truncated: bool,
    pub git: String,
}

/// Only a full id names one commit for ever.
pub(crate) fn full_id(id: &str) -> Result<&str, String> {
    let full = matches!(id.len(), 40 | 64) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if full { Ok(id) } else { Err(format!("{id:?} is not a full commit id (40 or 64 lower-case hexadecimal digits)")) }
}

async fn place(repository: &str, cx: &Context) -> Result<Vec<String>, String> {
    let wrong = |why: &str| Err(format!("{repository:?} is not a repository to clone from: {why}"));
    if repository.chars().any(char::is_control) || repository.starts_with('-') {
        return wrong("it has control characters or begins with a dash");
    }
    if repository.starts_with('/') || repository.starts_with("file:///") {
        return Ok(vec![]);
    }
    match repository.split_once("://") {
        Some(("https" | "http", _)) => {
            // Judged here and pinned for git, so that the name cannot point elsewhere when git asks.
            let judged = cx.outbound.judge(repository).await.map_err(|e| e.to_string())?;
            let url = &judged.url;
            let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
                return wrong("it has no host");
            };
            let addresses: Vec<String> = judged.addresses.iter().map(|a| a.ip().to_string()).collect();
            Ok(vec![
                "-c".into(),
                format!("http.curloptResolve={host}:{port}:{}", addresses.join(",")),
                "-c".into(),
                "http.followRedirects=false".into(),
            ])
        }
        // ssh has no pinning: the host must be on the list.
        Some(("ssh", rest)) => {
            let host = rest.split('/').next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            if host.starts_with('-') {
                return wrong("its host begins with a dash");
            }
            let place = if host.contains(':') { host.to_owned() } else { format!("{host}:22") };
            cx.outbound.lists(&format!("http://{place}/")).map_err(|e| e.to_string())?;
            Ok(vec![])
        }
        _ => wrong("an absolute path or a URL of file, https, http or ssh is expected"),
    }
}

/// Makes `tree` a working tree of the repository at the commit.
pub(crate) async fn check_out(checkout: &Checkout, tree: &Path, cx: &Context) -> Result<Facts, String> {
    let commit = full_id(&checkout.commit)?;
    let base = checkout.base.as_deref().map(full_id).transpose()?;
    let extra = place(&checkout.repository, cx).await?;
    if tree.exists() {
        // From an attempt that was interrupted before it ran anything.
        std::fs::remove_dir_all(tree).map_err(|e| format!("the old working tree cannot be removed: {e}"))?;
    }
    let tree_text = tree.to_string_lossy().into_owned();
    let at = Path::new("/");
    let git = |dir: &Path, args: &[&str]| {
        let mut all: Vec<String> = extra.clone();
        all.extend(args.iter().map(|a| (*a).to_owned()));
        run(dir.to_owned(), all, cx)
    };
    cx.output.line(&format!("checking out {} of {}", commit, checkout.repository)).await;
    git(at, &["clone", "--quiet", "--no-checkout", "--template=", "--", &checkout.repository, &tree_text]).await?;
    for id in std::iter::once(commit).chain(base) {
        let named = format!("{id}^{{commit}}");
        if git(tree, &["cat-file", "-e", &named]).await.is_err() {
            // Not on any branch or tag: many servers hand it out all the same.
            git(tree, &["fetch", "--quiet", "origin", id]).await.map_err(|e| format!("commit {id} is not there: {e}"))?;
            git(tree, &["cat-file", "-e", &named]).await?;
        }
    }
    git(tree, &["checkout", "--quiet", "--force", "--detach", commit]).await?;
    let head = git(tree, &["rev-parse", "HEAD", "HEAD^{tree}"]).await?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let (found, tree_id) = head.trim().split_once('\n').unwrap_or_default();
    if found != commit {
        return Err(format!("the working tree is at {found}, not at {commit}"));
    }
    let time = git(tree, &["show", "--no-patch", "--format=%ct", commit]).await?;
    let (commits, commits_truncated) = commits(tree, commit, base, cx).await?;
    let version = git(at, &["--version"]).await?;
    Ok(Facts {
        commit: commit.to_owned(),
        base: base.map(str::to_owned),
        tree: tree_id.to_owned(),
        committed_at: String::from_utf8_lossy(&time).trim().parse().unwrap_or(0),
        commits,
        commits_truncated,
        git: String::from_utf8_lossy(&version).trim().to_owned(),
    })
}

/// Fields end with NUL, the one byte that no name, mail address or subject can hold.
const FORMAT: &str = "--format=tformat:%H%x00%ae%x00%ce%x00%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x01)%x00%s";

async fn commits(tree: &Path, commit: &str, base: Option<&str>, cx: &Context) -> Result<(Vec<Commit>, bool), String> {
    let range = base.map_or_else(|| commit.to_owned(), |base| format!("{base}..{commit}"));
    let limit = format!("--max-count={}", COMMITS_MAX + 1);
    let args = ["-c", "log.showSignature=false", "log", "-z", "--no-mailmap", &limit, FORMAT, &range, "--"];
    let text = run(tree.to_owned(), args.iter().map(|a| (*a).to_owned()).collect(), cx).await?;
    let mut commits = parse_commits(&String::from_utf8_lossy(&text))?;
    let truncated = commits.len() > COMMITS_MAX;
    commits.truncate(COMMITS_MAX);
    Ok((commits, truncated))
}

fn parse_commits(text: &str) -> Result<Vec<Commit>, String> {
    let mut fields: Vec<&str> = text.split('\0').collect();
    fields.pop();
    if !fields.len().is_multiple_of(5) {
        return Err("the list of commits cannot be read".into());
    }
    fields
        .chunks_exact(5)
        .map(|f| {
            full_id(f[0])?;
            Ok(Commit {
                id: f[0].to_owned(),
                author_email: f[1].trim().to_lowercase(),
                committer_email: f[2].trim().to_lowercase(),
                co_author_emails: f[3].split('\x01').filter_map(email_of).collect(),
                subject: f[4].chars().take(200).collect(),
            })
        })
        .collect()
}

/// `Name <mail>` or a bare address.
fn email_of(trailer: &str) -> Option<String> {
    let text = match (trailer.rfind('<'), trailer.rfind('>')) {
        (Some(from), Some(to)) if from < to => &trailer[from + 1..to],
        _ => trailer,
    };
    let text = text.trim().to_lowercase();
    (!text.is_empty()).then_some(text)
}

const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// Runs git; its errors go to the step's output. Ends with the step and, at the latest, with the worker.
async fn run(dir: std::path::PathBuf, args: Vec<String>, cx: &Context) -> Result<Vec<u8>, String> {
    let mut command = tokio::process::Command::new("git");
    command.env_clear().envs(crate::process::clean_env("/nonexistent"));
    command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]);
    command.envs([("GIT_ASKPASS", "true"), ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"), ("GIT_NO_REPLACE_OBJECTS", "1")]);
    if let Some(agent) = cx.base_env.get("SSH_AUTH_SOCK") {
        command.env("SSH_AUTH_SOCK", agent);
    }
    for setting in [
        "protocol.allow=never",
        "protocol.file.allow=always",
        "protocol.https.allow=always",
        "protocol.http.allow=always",
        "protocol.ssh.allow=always",
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "safe.directory=*",
        "gc.auto=0",
        "advice.detachedHead=false",
    ] {
        command.arg("-c").arg(setting);
    }
    let name = args.iter().find(|a| !a.starts_with('-') && !a.contains('=')).cloned().unwrap_or_default();
    command.args(args).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    #[expect(unsafe_code, reason = "between fork and exec; prctl is a system call and allocates nothing")]
    // SAFETY: the closure makes one system call.
    unsafe {
        command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?));
    }
    let mut child = command.spawn().map_err(|e| format!("git cannot be started: {e}"))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0));
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("git has no output".into());
    };
    let (mut text, mut errors) = (Vec::new(), Vec::new());
    let (mut out, mut err) = (out.take(OUTPUT_BYTES_MAX), err.take(1 << 20));
    let all = async { tokio::join!(out.read_to_end(&mut text), err.read_to_end(&mut errors), child.wait()) };
    let (_, _, status) = tokio::select! {
        all = all => all,
        () = cx.cancel.cancelled() => return Err("cancelled".into()),
        () = cx.deadline.wait() => return Err("the lease ended".into()),
    };
    drop(group);
    cx.output.write(&errors).await;
    let errors = String::from_utf8_lossy(&errors).trim().to_owned();
    match status {
        Ok(status) if status.success() => Ok(text),
        Ok(status) => Err(format!("git {name} ended with {status}: {errors}")),
        Err(error) => Err(format!("git {name}: {error}")),
    }
}

/// Ends git's helpers when the step is given up.
struct Group(i32);

impl Drop for Group {
    fn drop(&mut self) {
        proc::signal_group(self.0, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_ids_are_commits() {
        for (id, good) in [
            ("0123456789abcdef0123456789abcdef01234567", true),
            (&"a".repeat(64), true),
            ("HEAD", false),
            ("main", false),
            ("0123456", false),
            ("--upload-pack=touch /tmp/x", false),
            ("0123456789ABCDEF0123456789abcdef01234567", false),
            ("0123456789abcdef0123456789abcdef0123456\n", false),
        ] {
            assert_eq!(full_id(id).is_ok(), good, "{id}");
        }
    }

    #[test]
    fn trailers_in_any_spelling_give_addresses() {
        let id = "a".repeat(40);
        let text = format!("{id}\0Ada@Shop.example\0c@x\0Grace <GRACE@shop.example>\x01linus@shop.example\0a subject\0");
        let commits = parse_commits(&text).unwrap();
        assert_eq!(commits[0].author_email, "ada@shop.example");
        assert_eq!(commits[0].co_author_emails, ["grace@shop.example", "linus@shop.example"]);
        assert!(parse_commits("a\0b\0").is_err());
        assert_eq!(parse_commits("").unwrap(), []);
    }
}

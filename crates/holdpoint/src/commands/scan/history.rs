//! What git's history added, commit by commit, oldest first: secrets stay known after they were taken out.
//!
//! Reads `git log -p` as it comes. Added lines alone are scanned; a merge counts by what it adds to its first parent.

use super::repository::Clone;
use crate::out::BadInput;
use holdpoint_inspect::secrets::{self, Leak};
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

/// A longer line is cut: it is data.
const LINE_MAX: u64 = 16 << 20;
/// Added lines of one place are scanned together up to so many bytes.
const HUNK_MAX: usize = 32 << 20;

/// Who added something, when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub author: String,
    /// RFC 3339, the author's.
    pub date: String,
}

#[derive(Default)]
pub struct History {
    /// Each secret once, where it first came in: (path, secret, commit).
    pub leaks: Vec<(String, Leak, Commit)>,
    pub commits: usize,
}

/// Walks all branches and tags, or a range such as `main..feature`; limited to the folder where that is not the whole clone.
pub fn walk(folder: &Path, range: Option<&str>) -> anyhow::Result<History> {
    let clone = Clone::open(folder)?;
    let mut command = clone.git();
    command.args(["-c", "core.quotePath=false", "-c", "log.showSignature=false", "log", "--reverse", "--no-color", "--no-ext-diff"]);
    command.args(["--no-textconv", "--no-renames", "--diff-merges=first-parent", "--patch", "--unified=0", "--relative"]);
    command.args(["--src-prefix=a/", "--dst-prefix=b/", "--format=%x00%H%x00%an <%ae>%x00%aI"]);
    match range {
        Some(range) => command.args(["--end-of-options", range]),
        None => command.arg("--all"),
    };
    command.args(["--", "."]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: git log: {why}", folder.display()));
    let mut child = command.spawn().map_err(|why| bad(&why))?;
    let stdout = child.stdout.take().ok_or_else(|| bad(&"no output"))?;
    let mut stderr = child.stderr.take().ok_or_else(|| bad(&"no output"))?;
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        // What cannot be read as text is said by the exit code alone.
        _ = stderr.by_ref().take(64 << 10).read_to_string(&mut text);
        text
    });
    let mut reading = Reading::default();
    let mut lines = BufReader::with_capacity(1 << 20, stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).map_err(|why| bad(&why))?;
        if read == 0 {
            break;
        }
        reading.line(&line);
    }
    reading.flush();
    let status = child.wait().map_err(|why| bad(&why))?;
    let said = errors.join().unwrap_or_default();
    if !status.success() {
        return Err(bad(&said.trim()).into());
    }
    Ok(reading.history)
}

/// The state of reading one patch after another.
#[derive(Default)]
struct Reading {
    history: History,
    commit: Commit,
    path: String,
    /// Lines of the hunk that are still to come: removed, added.
    left: (u64, u64),
    /// Where the added lines begin, and they themselves.
    start: u32,
    added: Vec<u8>,
    known: HashSet<String>,
}

impl Reading {
    fn line(&mut self, line: &[u8]) {
        // Inside a hunk every line is content, whatever it looks like.
        if self.left != (0, 0) {
            match line.first() {
                Some(b'+') => {
                    self.left.1 = self.left.1.saturating_sub(1);
                    if self.added.len() < HUNK_MAX {
                        self.added.extend_from_slice(line.get(1..).unwrap_or_default());
                    }
                }
                Some(b'-') => self.left.0 = self.left.0.saturating_sub(1),
                _ => {}
            }
            return;
        }
        if let Some(header) = line.strip_prefix(b"\0") {
            self.flush();
            let text = String::from_utf8_lossy(header).into_owned();
            let mut parts = text.trim_end().split('\0').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            self.commit = Commit { id: next(), author: next(), date: next() };
            self.history.commits += 1;
        } else if let Some(path) = line.strip_prefix(b"+++ ") {
            self.flush();
            self.path = path_of(path);
        } else if line.starts_with(b"@@ ") {
            self.flush();
            if let Some((left, start)) = hunk(&String::from_utf8_lossy(line)) {
                (self.left, self.start) = (left, start);
            }
        }
    }

    /// Scans what was gathered.
    fn flush(&mut self) {
        let added = std::mem::take(&mut self.added);
        if added.is_empty() {
            return;
        }
        let Ok(text) = secrets::readable(&added) else { return };
        for mut leak in secrets::scan(&self.path, &text) {
            leak.line = leak.line.saturating_add(self.start).saturating_sub(1);
            if self.known.insert(leak.fingerprint.clone()) {
                self.history.leaks.push((self.path.clone(), leak, self.commit.clone()));
            }
        }
    }
}

/// `@@ -1,2 +3,4 @@`: lines to come (removed, added), and where the added ones begin.
fn hunk(line: &str) -> Option<((u64, u64), u32)> {
    let mut parts = line.split(' ').skip(1);
    let (old, new) = (parts.next()?.strip_prefix('-')?, parts.next()?.strip_prefix('+')?);
    let count = |text: &str| text.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok());
    let start = new.split(',').next()?.parse().ok()?;
    Some(((count(old)?, count(new)?), start))
}

/// `b/path`, or `"b/p\303\244th"` as git quotes names with control characters, quotes or backslashes.
fn path_of(text: &[u8]) -> String {
    let text = text.trim_ascii_end();
    let plain = match text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) {
        None => text.to_vec(),
        Some(quoted) => {
            let mut plain = Vec::new();
            let mut bytes = quoted.iter().copied().peekable();
            while let Some(byte) = bytes.next() {
                if byte != b'\\' {
                    plain.push(byte);
                    continue;
                }
                match bytes.next() {
                    Some(b't') => plain.push(b'\t'),
                    Some(b'n') => plain.push(b'\n'),
                    Some(digit @ b'0'..=b'7') => {
                        let mut value = u32::from(digit - b'0');
                        while let Some(digit) = bytes.next_if(|next| (b'0'..=b'7').contains(next)) {
                            value = value * 8 + u32::from(digit - b'0');
                        }
                        plain.push((value & 0xff) as u8);
                    }
                    Some(other) => plain.push(other),
                    None => {}
                }
            }
            plain
        }
    };
    let path = String::from_utf8_lossy(&plain).into_owned();
    path.strip_prefix("b/").map(str::to_owned).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, u32, String)> {
        let mut reading = Reading::default();
        text.as_bytes().split_inclusive(|byte| *byte == b'\n').for_each(|line| reading.line(line));
        reading.flush();
        reading.history.leaks.into_iter().map(|(path, leak, commit)| (path, leak.line, commit.id)).collect()
    }

    #[test]
    fn added_lines_with_their_place_and_commit() {
        let secret = ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
        let patch = format!(
            "\0c1\0ada <a@b>\02026-01-01T00:00:00Z\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +5,2 @@\n-old {secret}\n+one\n+two {secret}\n\
             \0c2\0ada <a@b>\02026-01-02T00:00:00Z\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +9 @@\n+again {secret}\n"
        );
        assert_eq!(read(&patch), [("x".to_owned(), 6, "c1".to_owned())]);
    }

    #[test]
    fn content_that_looks_like_a_header_is_content() {
        let secret = ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
        let patch = format!("\0c1\0a\0d\n+++ b/real\n@@ -0,0 +1,3 @@\n+++ b/forged\n+@@ -1 +100 @@\n+{secret}\n");
        assert_eq!(read(&patch), [("real".to_owned(), 3, "c1".to_owned())]);
    }

    #[test]
    fn quoted_paths() {
        assert_eq!(path_of(b"b/plain name.txt\n"), "plain name.txt");
        assert_eq!(path_of(b"\"b/t\\tab \\\"q\\\" \\303\\244\"\n"), "t\tab \"q\" \u{e4}");
        assert_eq!(path_of(b"/dev/null\n"), "/dev/null");
    }
}

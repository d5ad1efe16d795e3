//! Unified diffs, as `git diff` and `diff -u` write them: which lines of the new files were added or changed.
//!
//! Hunks are counted against their headers, so a diff that was cut is refused. Merges (`diff --cc`) have no single old
//! file and are refused, too.

use std::collections::BTreeSet;

/// One file of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Path of the new file, with `/`, without the diff's `b/`; of a deleted file the old one.
    pub path: String,
    pub change: Change,
    /// Added or changed lines, by number from 1 in the new file, and whether they are blank.
    pub added: Vec<(u32, bool)>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    New,
    Modified,
    Renamed,
    Deleted,
    Binary,
}

/// Why bytes are no unified diff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub struct DiffError {
    pub line: usize,
    pub expected: String,
    pub found: String,
}

struct Reading {
    files: Vec<Changed>,
    seen: BTreeSet<String>,
    open: Option<Open>,
    /// Line of the diff, from 1.
    line: usize,
}

/// A file whose hunks are being read.
#[derive(Default)]
struct Open {
    /// The two paths of `diff --git`, which carry prefixes where they differ.
    git: bool,
    header: String,
    old: Option<String>,
    new: Option<String>,
    renamed_to: Option<String>,
    change: Option<Change>,
    added: Vec<(u32, bool)>,
    /// Old and new lines that the hunk still owes, and the next new line.
    owed: (u32, u32),
    next: u32,
    hunks: usize,
}

pub fn read(bytes: &[u8]) -> Result<Vec<Changed>, DiffError> {
    let mut reading = Reading { files: Vec::new(), seen: BTreeSet::new(), open: None, line: 0 };
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        reading.line += 1;
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        reading.take(raw)?;
    }
    reading.close()?;
    if reading.files.is_empty() && !bytes.trim_ascii().is_empty() {
        return Err(reading.refuse("a unified diff (diff --git, or --- and +++)", "no file header"));
    }
    Ok(reading.files)
}

impl Reading {
    fn refuse(&self, expected: impl Into<String>, found: impl Into<String>) -> DiffError {
        DiffError { line: self.line, expected: expected.into(), found: found.into() }
    }

    fn take(&mut self, raw: &[u8]) -> Result<(), DiffError> {
        if let Some(open) = &mut self.open
            && open.owed != (0, 0)
        {
            return match open.body(raw) {
                true => Ok(()),
                false => Err(self.refuse("a line of the hunk (space, + or -)", shown(raw))),
            };
        }
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_end_matches('\r');
        if let Some(rest) = text.strip_prefix("diff --git ") {
            self.close()?;
            self.open = Some(Open { git: true, header: rest.to_owned(), ..Open::default() });
        } else if text.starts_with("diff --cc ") || text.starts_with("diff --combined ") || text.starts_with("@@@") {
            return Err(self.refuse("a diff between two versions", "a merge (compare with one parent: git diff BASE HEAD)"));
        } else if let Some(rest) = text.strip_prefix("--- ") {
            if self.open.as_ref().is_none_or(|open| !open.git || open.old.is_some()) {
                self.close()?;
                self.open = Some(Open::default());
            }
            let path = self.path(rest)?;
            if let Some(open) = &mut self.open {
                open.old = Some(path);
            }
        } else if let Some(rest) = text.strip_prefix("+++ ") {
            let path = self.path(rest)?;
            match &mut self.open {
                Some(open) if open.old.is_some() && open.new.is_none() => open.new = Some(path),
                _ => return Err(self.refuse("--- before +++", shown(raw))),
            }
        } else if let Some(rest) = text.strip_prefix("@@ ") {
            let header = hunk(rest).ok_or_else(|| self.refuse("@@ -<line>[,<count>] +<line>[,<count>] @@", shown(raw)))?;
            match &mut self.open {
                Some(open) if open.new.is_some() => open.hunk(header),
                _ => return Err(self.refuse("--- and +++ before a hunk", shown(raw))),
            }
        } else if self.open.is_some() {
            self.extended(text)?;
        }
        Ok(())
    }

    /// git's extended header lines; what else stands between files is not the diff's.
    fn extended(&mut self, text: &str) -> Result<(), DiffError> {
        let renamed = text.strip_prefix("rename to ").or(text.strip_prefix("copy to ")).map(|path| self.path(path)).transpose()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        if renamed.is_some() {
            open.renamed_to = renamed;
            open.change = Some(Change::Renamed);
        } else if text.starts_with("new file mode") {
            open.change = Some(Change::New);
        } else if text.starts_with("deleted file mode") {
            open.change = Some(Change::Deleted);
        } else if text.starts_with("Binary files ") || text == "GIT binary patch" {
            open.change = Some(Change::Binary);
        }
        Ok(())
    }

    /// A path of a header: quoted in C's way, or up to the tab that comes before a time.
    fn path(&self, text: &str) -> Result<String, DiffError> {
        if text.starts_with('"') {
            return unquote(text).map(|(path, _)| path).ok_or_else(|| self.refuse("a path in quotes", text));
        }
        Ok(text.split('\t').next().unwrap_or_default().trim_end().to_owned())
    }

    fn close(&mut self) -> Result<(), DiffError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let (old, new) = open.owed;
        if (old, new) != (0, 0) {
            let expected = format!("{old} old and {new} new lines more in the hunk");
            return Err(self.refuse(expected, "the end"));
        }
        if open.old.is_some() && (open.new.is_none() || open.hunks == 0) {
            return Err(self.refuse(if open.new.is_none() { "+++ after ---" } else { "a hunk (@@) after +++" }, "none"));
        }
        let Some((path, change)) = open.named() else { return Err(self.refuse("the paths of the file", open.header)) };
        if !self.seen.insert(path.clone()) {
            let expected = format!("{path} once (one diff of two versions, such as git diff BASE HEAD, no series of patches)");
            return Err(self.refuse(expected, "it again"));
        }
        self.files.push(Changed { path, change, added: open.added });
        Ok(())
    }
}

impl Open {
    fn hunk(&mut self, (old, new_start, new): (u32, u32, u32)) {
        self.owed = (old, new);
        self.next = new_start;
        self.hunks += 1;
    }

    /// One line of a hunk; false for what cannot be one.
    fn body(&mut self, raw: &[u8]) -> bool {
        let (old, new) = self.owed;
        match raw.first() {
            Some(b'+') if new > 0 => {
                self.added.push((self.next, raw[1..].trim_ascii().is_empty()));
                self.owed.1 -= 1;
                self.next = self.next.saturating_add(1);
            }
            Some(b'-') if old > 0 => self.owed.0 -= 1,
            // Mail programs cut the space of an empty context line.
            Some(b' ' | b'\r') | None if old > 0 && new > 0 => {
                self.owed = (old - 1, new - 1);
                self.next = self.next.saturating_add(1);
            }
            Some(b'\\') => {}
            _ => return false,
        }
        true
    }

    fn named(&self) -> Option<(String, Change)> {
        const NOTHING: &str = "/dev/null";
        if let Some(to) = &self.renamed_to {
            return Some((to.clone(), Change::Renamed));
        }
        let (old, new) = match (&self.old, &self.new) {
            (Some(old), Some(new)) => (old.clone(), new.clone()),
            // Without hunks (modes, binaries, empty files) the header is all there is.
            _ => both(&self.header)?,
        };
        let prefixed = self.git && is_prefixed(&both(&self.header), &old, &new);
        let bare = |path: &str| {
            if prefixed { path.get(2..).unwrap_or(path).to_owned() } else { path.strip_prefix("./").unwrap_or(path).to_owned() }
        };
        Some(match (old.as_str(), new.as_str()) {
            (old, NOTHING) => (bare(old), Change::Deleted),
            (NOTHING, new) => (bare(new), Change::New),
            (_, new) => (bare(new), self.change.unwrap_or(Change::Modified)),
        })
    }
}

/// Whether paths carry `a/` and `b/` (or git's mnemonic `i/ w/ c/ o/`). The two sides always differ; the same letter
/// twice is a folder of that name in a diff without prefixes.
fn is_prefixed(header: &Option<(String, String)>, old: &str, new: &str) -> bool {
    let letter =
        |path: &str| path.as_bytes().first().copied().filter(|_| path.as_bytes().get(1) == Some(&b'/')).filter(|b| b"abiwco".contains(b));
    let (a, b) = match header {
        Some((a, b)) => (letter(a), letter(b)),
        None => (letter(old), letter(new)),
    };
    a.is_some() && b.is_some() && a != b
}

/// The two paths of `diff --git A B`. Without quotes and with spaces they are told apart by being the same name.
fn both(header: &str) -> Option<(String, String)> {
    if header.starts_with('"') {
        let (old, rest) = unquote(header)?;
        let rest = rest.strip_prefix(' ')?;
        let new = if rest.starts_with('"') { unquote(rest)?.0 } else { rest.to_owned() };
        return Some((old, new));
    }
    if let Some(at) = header.find(" \"") {
        return Some((header[..at].to_owned(), unquote(&header[at + 1..])?.0));
    }
    let half = header.len() / 2;
    if header.len() % 2 == 1 && header.is_char_boundary(half) && header.as_bytes()[half] == b' ' {
        let (old, new) = (&header[..half], &header[half + 1..]);
        let same = |at: usize| old.get(at..).is_some() && old.get(at..) == new.get(at..);
        if same(2) || same(0) {
            return Some((old.to_owned(), new.to_owned()));
        }
    }
    let (old, new) = header.split_once(' ')?;
    (!new.contains(' ')).then(|| (old.to_owned(), new.to_owned()))
}

/// A string in git's C quoting (`"a/gr\303\274n"`), and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some((String::from_utf8_lossy(&out).into_owned(), text.get(at + 1..)?)),
            b'\\' => {
                at += 1;
                match *bytes.get(at)? {
                    digit @ b'0'..=b'3' => {
                        let rest = (bytes.get(at + 1)?, bytes.get(at + 2)?);
                        let (b'0'..=b'7', b'0'..=b'7') = rest else { return None };
                        out.push((digit - b'0') * 64 + (rest.0 - b'0') * 8 + (rest.1 - b'0'));
                        at += 2;
                    }
                    b'n' => out.push(b'\n'),
                    b't' => out.push(b'\t'),
                    b'r' => out.push(b'\r'),
                    b'a' => out.push(7),
                    b'b' => out.push(8),
                    b'v' => out.push(11),
                    b'f' => out.push(12),
                    other @ (b'"' | b'\\') => out.push(other),
                    _ => return None,
                }
            }
            other => out.push(other),
        }
        at += 1;
    }
}

/// `-<line>[,<count>] +<line>[,<count>] @@…` as (old count, new start, new count).
fn hunk(text: &str) -> Option<(u32, u32, u32)> {
    let (ranges, _) = text.split_once(" @@")?;
    let (old, new) = ranges.split_once(' ')?;
    let range = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    let (_, old) = range(old.strip_prefix('-')?)?;
    let (start, new) = range(new.strip_prefix('+')?)?;
    Some((old, start, new))
}

fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

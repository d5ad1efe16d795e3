//! The repository's own text files in memory. Rules read this and never the disk, so a violation can be planted without
//! touching anything.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Folders that are built, downloaded or private to a checkout.
const SKIPPED_FOLDERS: [&str; 7] = [".git", "target", "node_modules", "dist", ".demo", "peers", ".mutants"];
const TEXT: [&str; 20] = [
    "rs", "toml", "md", "ts", "tsx", "mts", "mjs", "js", "css", "html", "json", "yaml", "yml", "sh", "py", "txt", "sql", "xml", "bash",
    "npmrc",
];
const TEXT_NAMES: [&str; 5] = ["Makefile", "run", "LICENSE-MIT", "LICENSE-APACHE", ".gitignore"];
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Paths are relative to the root, with `/`.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    pub fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && is_text(&name) && entry.metadata()?.len() <= BYTES_MAX {
                // Another program may be writing right now: a file that has gone or is no text is none of ours.
                if let Ok(text) = std::fs::read_to_string(entry.path()) {
                    self.files.insert(path, text);
                }
            }
        }
        Ok(())
    }

    pub fn from_files<P: Into<String>>(files: impl IntoIterator<Item = (P, String)>) -> Self {
        Self { files: files.into_iter().map(|(path, text)| (path.into(), text)).collect() }
    }

    /// The same tree with some files put in or replaced.
    pub fn with<P: Into<String>>(&self, files: impl IntoIterator<Item = (P, String)>) -> Self {
        let mut tree = self.clone();
        tree.files.extend(files.into_iter().map(|(path, text)| (path.into(), text)));
        tree
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// All files whose path starts with `prefix` and whose name ends with one of `ends`.
    pub fn under<'a>(&'a self, prefix: &'a str, ends: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .range(prefix.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(prefix))
            .filter(move |(path, _)| ends.is_empty() || ends.iter().any(|end| path.ends_with(end)))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn is_text(name: &str) -> bool {
    TEXT_NAMES.contains(&name) || name.rsplit_once('.').is_some_and(|(_, end)| TEXT.contains(&end))
}

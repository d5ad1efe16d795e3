//! The SPDX licence list: identifiers, names, exceptions. The data is `spdx.txt` beside this file.

use std::collections::HashMap;
use std::sync::OnceLock;

const DATA: &str = include_str!("spdx.txt");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Licence,
    Exception,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// As SPDX spells it.
    pub id: &'static str,
    /// Empty for exceptions.
    pub name: &'static str,
    pub kind: Kind,
    /// SPDX has a better identifier for the same text.
    pub deprecated: bool,
    /// Approved by the Open Source Initiative; never said of deprecated identifiers.
    pub osi: bool,
}

struct List {
    exact: HashMap<&'static str, Entry>,
    folded: HashMap<String, Entry>,
    names: HashMap<String, Entry>,
}

fn entries() -> impl Iterator<Item = Entry> {
    DATA.lines().filter_map(|line| {
        let (kind, rest) = line.split_once(' ').filter(|(kind, _)| *kind != "#")?;
        let (id, name) = rest.split_once(' ').unwrap_or((rest, ""));
        let exception = matches!(kind, "x" | "y");
        let deprecated = matches!(kind, "d" | "y");
        Some(Entry { id, name, kind: if exception { Kind::Exception } else { Kind::Licence }, deprecated, osi: kind == "o" })
    })
}

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List {
        exact: entries().map(|entry| (entry.id, entry)).collect(),
        folded: entries().map(|entry| (entry.id.to_ascii_lowercase(), entry)).collect(),
        names: entries().filter(|entry| !entry.name.is_empty()).map(|entry| (plain(entry.name), entry)).collect(),
    })
}

/// Whether it is an identifier of the list, spelled as there.
pub fn known(id: &str) -> bool {
    list().exact.contains_key(id)
}

/// A licence by its identifier; case does not matter (SPDX 2.3, annex D.2).
pub fn licence(id: &str) -> Option<Entry> {
    list().folded.get(&id.to_ascii_lowercase()).copied().filter(|entry| entry.kind == Kind::Licence)
}

/// An exception by its identifier; case does not matter.
pub fn exception(id: &str) -> Option<Entry> {
    list().folded.get(&id.to_ascii_lowercase()).copied().filter(|entry| entry.kind == Kind::Exception)
}

/// Whether some identifier begins so; case does not matter.
pub fn begins(begin: &str) -> bool {
    let begin = begin.to_ascii_lowercase();
    list().folded.keys().any(|id| id.starts_with(&begin))
}

/// A licence by its full name on the list, apart from case, punctuation and the words `the` and `version`.
pub fn by_name(name: &str) -> Option<Entry> {
    list().names.get(&plain(name)).copied()
}

fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|character: char| !character.is_alphanumeric() && character != '.' && character != '+');
    let kept = words.filter(|word| !matches!(*word, "" | "the" | "version" | "v" | "license" | "licence"));
    kept.map(|word| word.strip_prefix('v').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit())).unwrap_or(word))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        assert!(entries().filter(|entry| entry.kind == Kind::Licence).count() > 700);
        assert!(entries().filter(|entry| entry.kind == Kind::Exception).count() > 60);
        assert_eq!(licence("mit").map(|entry| entry.id), Some("MIT"));
        assert!(licence("GPL-2.0").is_some_and(|entry| entry.deprecated) && licence("GPL-2.0-only").is_some_and(|entry| !entry.deprecated));
        assert!(licence("Apache-2.0").is_some_and(|entry| entry.osi) && licence("JSON").is_some_and(|entry| !entry.osi));
        assert!(exception("classpath-exception-2.0").is_some() && licence("Classpath-exception-2.0").is_none());
        assert!(known("MIT") && !known("mit"));
    }

    #[test]
    fn names_find_their_licence() {
        let id = |name: &str| by_name(name).map(|entry| entry.id);
        assert_eq!(id("The Apache License, Version 2.0"), Some("Apache-2.0"));
        assert_eq!(id("MIT License"), Some("MIT"));
        assert_eq!(id("Eclipse Public License v2.0"), Some("EPL-2.0"));
        assert_eq!(id("BSD"), None);
    }
}

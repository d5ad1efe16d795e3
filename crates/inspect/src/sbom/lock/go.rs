//! Go modules: `go.mod` (since Go 1.17 it names the whole build list) and `go.sum`.
//!
//! `go.sum` also names versions that were only considered; beside a `go.mod` it is not read. Its `h1:` values are hashes of
//! a list of files and not of an archive, so they are not told as hashes of the component.

use super::{Format, Inventory, ReadError, file_name, utf8};
use crate::sbom::component::{Component, Ecosystem};
use std::collections::HashMap;

pub const MODULE: Format = Format { name: "go.mod", takes: |path| file_name(path) == "go.mod", read: read_module };
pub const SUMS: Format = Format { name: "go.sum", takes: |path| file_name(path) == "go.sum", read: read_sums };

/// A path, and a version where one is named.
type Module<'a> = (&'a str, Option<&'a str>);

/// A module path or version, perhaps quoted.
fn plain(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}

fn read_module(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory::default();
    let mut block: Option<&str> = None;
    let mut wanted: Vec<(usize, &str, &str, bool)> = Vec::new();
    let mut replaced: HashMap<Module, Module> = HashMap::new();
    let mut seen_module = false;
    for (number, line) in utf8(bytes)?.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let (content, comment) = line.split_once("//").unwrap_or((line, ""));
        let mut words: Vec<&str> = content.split_whitespace().map(plain).collect();
        if words.is_empty() {
            continue;
        }
        if words == [")"] {
            block = None;
            continue;
        }
        let verb = match block {
            Some(verb) => verb,
            None => words.remove(0),
        };
        if words == ["("] {
            block = Some(verb);
            continue;
        }
        match (verb, words.as_slice()) {
            ("module", [_]) => seen_module = true,
            ("require", [path, version]) => wanted.push((number, path, version, comment.trim().starts_with("indirect"))),
            ("require", _) => return Err(ReadError::at(number, "expected `require PATH VERSION`")),
            ("replace", words) => {
                let Some(arrow) = words.iter().position(|word| *word == "=>") else {
                    return Err(ReadError::at(number, "expected `replace PATH [VERSION] => PATH [VERSION]`"));
                };
                let (old, new) = (words.get(..arrow).unwrap_or_default(), words.get(arrow + 1..).unwrap_or_default());
                let (Some(old_path), Some(new_path)) = (old.first(), new.first()) else {
                    return Err(ReadError::at(number, "expected `replace PATH [VERSION] => PATH [VERSION]`"));
                };
                replaced.insert((old_path, old.get(1).copied()), (new_path, new.get(1).copied()));
            }
            _ => {}
        }
    }
    if !seen_module {
        return Err(ReadError::new("there is no `module` line: this is no go.mod"));
    }
    for (number, path, version, indirect) in wanted {
        let line = u32::try_from(number).ok();
        let replacement = replaced.get(&(path, Some(version))).or_else(|| replaced.get(&(path, None)));
        let (path, version) = match replacement {
            Some((path, Some(version))) => (*path, *version),
            Some((folder, None)) => {
                inventory.unresolved(format!("{path} => {folder}"), "it is replaced by a folder", line);
                continue;
            }
            None => (path, version),
        };
        let mut component = Component::new(Ecosystem::Go, path, Some(version));
        component.line = line;
        if !indirect {
            inventory.direct.push(component.reference.clone());
        }
        inventory.add(component);
    }
    Ok(inventory)
}

fn read_sums(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory::default();
    for (number, line) in utf8(bytes)?.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            // Only the go.mod of this version was looked at.
            [_, version, _] if version.ends_with("/go.mod") => {}
            [path, version, hash] if hash.starts_with("h1:") => {
                let mut component = Component::new(Ecosystem::Go, *path, Some(version));
                component.line = u32::try_from(number).ok();
                inventory.add(component);
            }
            _ => return Err(ReadError::at(number, "expected `PATH VERSION h1:HASH`")),
        }
    }
    Ok(inventory)
}

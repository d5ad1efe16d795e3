//! `yarn.lock`: version 1 in its own notation, and the YAML of Yarn 2 and later. Neither says which are for development.

use super::{Format, Inventory, ReadError, file_name, integrity, own, utf8, yaml};
use crate::sbom::component::{Algorithm, Component, Ecosystem, Hash};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

pub const FORMAT: Format = Format { name: "yarn.lock", takes: |path| file_name(path) == "yarn.lock", read };

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let text = utf8(bytes)?;
    if text.lines().any(|line| line.starts_with("__metadata:")) { read_berry(bytes) } else { read_classic(text) }
}

#[derive(Default)]
struct Entry {
    /// `name@range`, several where they resolve to the same.
    keys: Vec<String>,
    line: usize,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    dependencies: Vec<(String, String)>,
}

/// A word, perhaps quoted, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (mut value, mut escaped) = (String::new(), false);
        for (at, character) in quoted.char_indices() {
            match character {
                _ if escaped => {
                    value.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => return Some((value, quoted.get(at + 1..)?)),
                other => value.push(other),
            }
        }
        return None;
    }
    let end = text.find([' ', ',', ':']).unwrap_or(text.len());
    // A colon ends a key only at the end of the line: ranges such as npm:x@1 have one inside.
    let end = if text.get(end..)?.starts_with(':') { text.find([' ', ',']).unwrap_or(text.len()) } else { end };
    Some((text.get(..end)?.trim_end_matches(':').to_owned(), text.get(end..)?))
}

fn read_classic(text: &str) -> Result<Inventory, ReadError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_dependencies = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let wrong = || ReadError::at(number, "expected an entry of yarn.lock");
        match line.len() - content.len() {
            0 => {
                let mut entry = Entry { line: number, ..Entry::default() };
                let mut rest = content.strip_suffix(':').ok_or_else(wrong)?;
                loop {
                    let (key, after) = word(rest).ok_or_else(wrong)?;
                    entry.keys.push(key);
                    match after.trim_start().strip_prefix(',') {
                        Some(next) => rest = next,
                        None => break,
                    }
                }
                entries.push(entry);
                in_dependencies = false;
            }
            2 => {
                let entry = entries.last_mut().ok_or_else(wrong)?;
                let (key, rest) = word(content).ok_or_else(wrong)?;
                in_dependencies = matches!(key.as_str(), "dependencies" | "optionalDependencies");
                let value = word(rest).map(|(value, _)| value).filter(|value| !value.is_empty());
                match key.as_str() {
                    "version" => entry.version = value,
                    "resolved" => entry.resolved = value,
                    "integrity" => entry.integrity = Some(rest.trim().to_owned()),
                    _ => {}
                }
            }
            4 if in_dependencies => {
                let entry = entries.last_mut().ok_or_else(wrong)?;
                let (name, rest) = word(content).ok_or_else(wrong)?;
                let (range, _) = word(rest).ok_or_else(wrong)?;
                entry.dependencies.push((name, range));
            }
            4 => {}
            _ => return Err(wrong()),
        }
    }
    classic_inventory(&entries)
}

/// `name` of `name@range`; the first `@` may begin a scope. An alias `a@npm:b@1` is a package b.
fn name_of(key: &str) -> &str {
    let cut = |key: &'_ str| key.char_indices().skip(1).find(|(_, character)| *character == '@').map(|(at, _)| at);
    let Some(at) = cut(key) else { return key };
    let (name, range) = key.split_at(at);
    match range.strip_prefix("@npm:").filter(|alias| cut(alias).is_some()) {
        Some(alias) => alias.split_at(cut(alias).unwrap_or(alias.len())).0,
        None => name,
    }
}

fn classic_inventory(entries: &[Entry]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_key: HashMap<&str, String> = HashMap::new();
    let mut made = Vec::new();
    for entry in entries {
        let name = entry.keys.first().map(|key| name_of(key)).unwrap_or_default();
        let Some(version) = entry.version.as_deref() else {
            return Err(ReadError::at(entry.line, format!("{name} has no version")));
        };
        let mut component = Component::new(Ecosystem::Npm, name, Some(version));
        component.line = u32::try_from(entry.line).ok();
        component.hashes = entry.integrity.as_deref().map(integrity).unwrap_or_default();
        // Old entries have SHA-1 behind the address.
        if let Some(hash) =
            entry.resolved.as_deref().and_then(|at| at.rsplit_once('#')).and_then(|(_, hex)| Hash::from_hex(Algorithm::Sha1, hex))
            && component.hashes.is_empty()
        {
            component.hashes.push(hash);
        }
        entry.keys.iter().for_each(|key| _ = by_key.insert(key, component.reference.clone()));
        made.push((entry, component));
    }
    for (entry, mut component) in made {
        for (name, range) in &entry.dependencies {
            match by_key.get(format!("{name}@{range}").as_str()) {
                Some(reference) => component.dependencies.push(reference.clone()),
                None => inventory.unresolved(format!("{name}@{range}"), format!("{} needs it, nothing locks it", component.label()), None),
            }
        }
        inventory.add(component);
    }
    Ok(inventory)
}

#[derive(Deserialize)]
struct Berry {
    #[serde(rename = "__metadata")]
    _metadata: serde::de::IgnoredAny,
    #[serde(flatten)]
    entries: BTreeMap<String, BerryEntry>,
}

#[derive(Deserialize)]
struct BerryEntry {
    version: String,
    resolution: String,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

fn read_berry(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: Berry = yaml(bytes)?;
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_key: HashMap<String, String> = HashMap::new();
    let mut made = Vec::new();
    for (keys, entry) in &lock.entries {
        let workspace = entry.resolution.contains("@workspace:");
        let name = name_of(&entry.resolution);
        let component = if workspace { own(name, None) } else { Component::new(Ecosystem::Npm, name, Some(&entry.version)) };
        if workspace {
            inventory.direct.push(component.reference.clone());
        }
        for key in keys.split(", ") {
            by_key.insert(key.to_owned(), component.reference.clone());
        }
        made.push((entry, component));
    }
    for (entry, mut component) in made {
        for (name, range) in &entry.dependencies {
            // Yarn 2 and 3 leave `npm:` out here.
            let found = by_key.get(&format!("{name}@{range}")).or_else(|| by_key.get(&format!("{name}@npm:{range}")));
            component.dependencies.extend(found.cloned());
        }
        inventory.add(component);
    }
    Ok(inventory)
}

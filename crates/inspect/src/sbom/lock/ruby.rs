//! `Gemfile.lock` and `gems.locked`.

use super::{Format, Inventory, ReadError, file_name, tagged_hash, utf8};
use crate::sbom::component::{Component, Ecosystem};
use std::collections::{HashMap, HashSet};

pub const FORMAT: Format = Format { name: "Gemfile.lock", takes: |path| matches!(file_name(path), "Gemfile.lock" | "gems.locked"), read };

/// `name (version)`, or a name alone.
fn parts(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" (") {
        Some((name, version)) => (name, version.strip_suffix(')')),
        None => (text, None),
    }
}

/// `1.15.4-x86_64-linux` is version 1.15.4 for a platform; gem versions have no `-`.
fn without_platform(version: &str) -> (&str, Option<&str>) {
    version.split_once('-').map_or((version, None), |(version, platform)| (version, Some(platform)))
}

struct Spec<'a> {
    line: usize,
    name: &'a str,
    version: &'a str,
    section: &'a str,
    remote: &'a str,
    revision: &'a str,
    needs: Vec<&'a str>,
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let (mut section, mut remote, mut revision) = ("", "", "");
    let mut specs: Vec<Spec> = Vec::new();
    let mut direct: HashSet<&str> = HashSet::new();
    let mut sums: HashMap<&str, Vec<&str>> = HashMap::new();
    for (number, line) in utf8(bytes)?.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let content = line.trim_start();
        match (line.len() - content.len(), section) {
            (_, _) if content.is_empty() => {}
            (0, _) => (section, remote, revision) = (content, "", ""),
            (2, "DEPENDENCIES") => _ = direct.insert(parts(content).0.trim_end_matches('!')),
            (2, "CHECKSUMS") => {
                let (package, hashes) = content.split_once(") ").unwrap_or((content, ""));
                sums.entry(package).or_default().extend(hashes.split(','));
            }
            (2, _) => {
                remote = content.strip_prefix("remote: ").unwrap_or(remote);
                revision = content.strip_prefix("revision: ").unwrap_or(revision);
            }
            (4, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let (name, Some(version)) = parts(content) else { return Err(ReadError::at(number, "expected `name (version)`")) };
                specs.push(Spec { line: number, name, version, section, remote, revision, needs: Vec::new() });
            }
            (6, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let spec = specs.last_mut().ok_or_else(|| ReadError::at(number, "a dependency stands before any gem"))?;
                spec.needs.push(parts(content).0);
            }
            _ => {}
        }
    }
    if !bytes.is_empty() && specs.is_empty() && direct.is_empty() {
        return Err(ReadError::new("there is neither a gem nor DEPENDENCIES: this is no Gemfile.lock"));
    }
    Ok(inventory(&specs, &direct, &sums))
}

fn inventory(specs: &[Spec], direct: &HashSet<&str>, sums: &HashMap<&str, Vec<&str>>) -> Inventory {
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_name: HashMap<&str, Vec<String>> = HashMap::new();
    let mut made = Vec::new();
    for spec in specs {
        let (version, platform) = without_platform(spec.version);
        let mut component = if spec.section == "PATH" {
            super::own(spec.name, Some(version))
        } else {
            Component::new(Ecosystem::RubyGems, spec.name, Some(version))
        };
        let mut qualify = |key: &str, value: &str| {
            component.purl = component.purl.take().map(|purl| purl.with(key, value));
        };
        if spec.section != "PATH" {
            qualify("platform", platform.unwrap_or_default());
            if spec.section == "GIT" {
                qualify("vcs_url", &format!("git+{}@{}", spec.remote, spec.revision));
            }
            component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        component.line = u32::try_from(spec.line).ok();
        let sum = sums.get(format!("{} ({}", spec.name, spec.version).as_str()).into_iter().flatten();
        component.hashes = sum.filter_map(|hash| tagged_hash(&hash.replacen('=', ":", 1))).collect();
        by_name.entry(spec.name).or_default().push(component.reference.clone());
        made.push((spec, component));
    }
    let mut names: Vec<&&str> = direct.iter().collect();
    names.sort();
    inventory.direct = names.into_iter().filter_map(|name| by_name.get(*name)).flatten().cloned().collect();
    for (spec, mut component) in made {
        component.dependencies = spec.needs.iter().filter_map(|name| by_name.get(name)).flatten().cloned().collect();
        inventory.add(component);
    }
    inventory
}

//! `pnpm-lock.yaml`, versions 5 to 9.

use super::{Format, Inventory, ReadError, file_name, integrity, yaml};
use crate::sbom::component::{Component, Ecosystem, Scope};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

pub const FORMAT: Format = Format { name: "pnpm-lock.yaml", takes: |path| file_name(path) == "pnpm-lock.yaml", read };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    lockfile_version: serde_json::Value,
    #[serde(default)]
    importers: BTreeMap<String, Importer>,
    #[serde(flatten)]
    alone: Importer,
    #[serde(default)]
    packages: BTreeMap<String, Package>,
    #[serde(default)]
    snapshots: BTreeMap<String, Package>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Importer {
    dependencies: BTreeMap<String, Wanted>,
    optional_dependencies: BTreeMap<String, Wanted>,
    dev_dependencies: BTreeMap<String, Wanted>,
}

/// The version as text (5), or beside its specifier (6 and later).
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Version(String),
    Specified { version: String },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    name: Option<String>,
    version: Option<String>,
    resolution: Resolution,
    dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    optional: bool,
    dev: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resolution {
    integrity: Option<String>,
}

/// `/@scope/name@1.0.0(peer@2)`, `/name/1.0.0_peer@2`, `name@1.0.0`: name and version.
fn parts(key: &str) -> Option<(&str, &str)> {
    let key = key.strip_prefix('/').unwrap_or(key);
    let key = key.split_once('(').map_or(key, |(key, _)| key);
    let after_scope = if key.starts_with('@') { key.find('/')? + 1 } else { 0 };
    let cut = key.get(after_scope..)?.find(['@', '/'])? + after_scope;
    let version = key.get(cut + 1..)?;
    Some((key.get(..cut)?, version.split_once('_').map_or(version, |(version, _)| version)))
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: Lock = yaml(bytes)?;
    let version = match &lock.lockfile_version {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if !(5..=9).contains(&major) {
        return Err(ReadError::new(format!("lockfileVersion {version:?} is none of 5 to 9")));
    }
    // From version 9 on, what was resolved is in `packages`, what needs what in `snapshots`.
    let nodes = if lock.snapshots.is_empty() { &lock.packages } else { &lock.snapshots };
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut references: HashMap<&str, String> = HashMap::new();
    let mut made: Vec<(&String, &Package, Component)> = Vec::new();
    for (key, node) in nodes {
        let plain = key.split_once('(').map_or(key.as_str(), |(key, _)| key);
        let resolved = lock.packages.get(key).or_else(|| lock.packages.get(plain)).unwrap_or(node);
        let named = resolved.name.as_deref().zip(resolved.version.as_deref());
        let Some((name, version)) = named.or_else(|| parts(key)) else {
            inventory.unresolved(key.as_str(), "its key gives no name and version", None);
            continue;
        };
        let mut component = Component::new(Ecosystem::Npm, name, Some(resolved.version.as_deref().unwrap_or(version)));
        component.hashes = resolved.resolution.integrity.as_deref().map(integrity).unwrap_or_default();
        component.scope = match (node.dev.or(resolved.dev), node.optional || resolved.optional) {
            (Some(true), _) => Scope::Excluded,
            (_, true) => Scope::Optional,
            _ => Scope::Required,
        };
        references.insert(key, component.reference.clone());
        made.push((key, node, component));
    }
    // A dependency is `version`, or a whole key where the package goes by another name.
    let find = |name: &str, version: &str| -> Option<&String> {
        [version.to_owned(), format!("{name}@{version}"), format!("/{name}@{version}"), format!("/{name}/{version}"), format!("/{version}")]
            .iter()
            .find_map(|key| references.get(key.as_str()))
    };
    let needs = |node: &Package| -> Vec<String> {
        node.dependencies.iter().chain(&node.optional_dependencies).filter_map(|(name, version)| find(name, version).cloned()).collect()
    };
    let mut development: Vec<String> = Vec::new();
    for importer in lock.importers.values().chain([&lock.alone]) {
        for (group, dev) in [(&importer.dependencies, false), (&importer.optional_dependencies, false), (&importer.dev_dependencies, true)]
        {
            for (name, wanted) in group {
                let (Wanted::Version(version) | Wanted::Specified { version }) = wanted;
                match find(name, version) {
                    Some(reference) => if dev { &mut development } else { &mut inventory.direct }.push(reference.clone()),
                    None if version.starts_with("link:") || version.starts_with("file:") => {}
                    None => inventory.unresolved(format!("{name}@{version}"), "the lock file does not resolve it", None),
                }
            }
        }
    }
    for (_, node, mut component) in made {
        component.dependencies = needs(node);
        inventory.add(component);
    }
    if major >= 9 {
        super::reach::exclude_what_only(&mut inventory, &development);
    }
    super::extend(&mut inventory.direct, development);
    Ok(inventory)
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_of_every_version() {
        for (key, name, version) in [
            ("/@babel/core/7.1.0_debug@4.3.4", "@babel/core", "7.1.0"),
            ("/chalk/4.1.2", "chalk", "4.1.2"),
            ("/@babel/core@7.1.0(debug@4.3.4)", "@babel/core", "7.1.0"),
            ("chalk@4.1.2", "chalk", "4.1.2"),
        ] {
            assert_eq!(super::parts(key), Some((name, version)), "{key}");
        }
        assert_eq!(super::parts("@babel"), None);
    }
}

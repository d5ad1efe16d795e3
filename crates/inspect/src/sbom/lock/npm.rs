//! `package-lock.json` and `npm-shrinkwrap.json`, versions 2 and 3. Version 1 is refused: it lacks what version 2 added.

use super::{Format, Inventory, ReadError, file_name, integrity, json, own};
use crate::sbom::component::{Component, Ecosystem, Licence, Scope};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const FORMAT: Format = Format {
    name: "package-lock.json",
    takes: |path| matches!(file_name(path), "package-lock.json" | "npm-shrinkwrap.json" | ".package-lock.json"),
    read,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    lockfile_version: Option<u32>,
    packages: Option<BTreeMap<String, Package>>,
}

type Needs = BTreeMap<String, serde::de::IgnoredAny>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    license: Option<serde_json::Value>,
    link: bool,
    dev: bool,
    optional: bool,
    dev_optional: bool,
    dependencies: Needs,
    optional_dependencies: Needs,
    peer_dependencies: Needs,
    dev_dependencies: Needs,
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: Lock = json(bytes)?;
    let Some(packages) = lock.packages else {
        return Err(ReadError::new(match lock.lockfile_version {
            Some(1) => "lockfileVersion 1 is not read; `npm install --package-lock-only --lockfile-version 3` writes it anew",
            _ => "there is no \"packages\": this is no package-lock.json of version 2 or 3",
        }));
    };
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let references: BTreeMap<&str, String> = packages
        .iter()
        .filter(|(_, package)| !package.link)
        .map(|(path, package)| (path.as_str(), component(path, package).reference))
        .collect();
    let target = |path: &str| -> Option<String> {
        let package = packages.get(path)?;
        let path = if package.link { package.resolved.as_deref()? } else { path };
        references.get(path).cloned()
    };
    for (path, package) in packages.iter().filter(|(_, package)| !package.link) {
        let mut component = component(path, package);
        let own = !path.contains("node_modules/");
        // Development dependencies of what was installed are not installed themselves.
        let groups = [Some(&package.dependencies), Some(&package.optional_dependencies), Some(&package.peer_dependencies)];
        let groups = groups.into_iter().chain([own.then_some(&package.dev_dependencies)]).flatten();
        for name in groups.flat_map(|group| group.keys()) {
            if let Some(reference) = resolve(path, name, |at| packages.contains_key(at)).and_then(|at| target(&at))
                && !component.dependencies.contains(&reference)
            {
                component.dependencies.push(reference);
            }
        }
        if path.is_empty() {
            inventory.direct = std::mem::take(&mut component.dependencies);
            continue;
        }
        if component.version.is_none() && !own {
            inventory.unresolved(path.as_str(), "the lock file gives no version", None);
        }
        inventory.add(component);
    }
    Ok(inventory)
}

/// Node's lookup: the nearest `node_modules` from the package's own folder upwards.
fn resolve(from: &str, name: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    let mut folder = from;
    loop {
        let candidate = if folder.is_empty() { format!("node_modules/{name}") } else { format!("{folder}/node_modules/{name}") };
        if exists(&candidate) {
            return Some(candidate);
        }
        if folder.is_empty() {
            return None;
        }
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

fn component(path: &str, package: &Package) -> Component {
    let installed = path.rsplit_once("node_modules/").map(|(_, name)| name);
    let name = package.name.as_deref().or(installed).unwrap_or(path);
    if installed.is_none() {
        return own(name, package.version.as_deref());
    }
    let mut component = Component::new(Ecosystem::Npm, name, package.version.as_deref());
    // What does not come from a registry has no version there.
    if let Some(resolved) = package.resolved.as_deref().filter(|resolved| resolved.starts_with("git") || resolved.starts_with("file:")) {
        component.purl = component.purl.map(|purl| purl.with("vcs_url", resolved));
        component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
    }
    component.hashes = package.integrity.as_deref().map(integrity).unwrap_or_default();
    component.licences = licences(package.license.as_ref());
    component.scope = match package {
        Package { dev: true, .. } => Scope::Excluded,
        Package { optional: true, .. } | Package { dev_optional: true, .. } => Scope::Optional,
        _ => Scope::Required,
    };
    component
}

/// A text, `{type}`, or a list of either from old packages.
fn licences(value: Option<&serde_json::Value>) -> Vec<Licence> {
    use serde_json::Value;
    match value {
        Some(Value::String(text)) => vec![crate::licenses::declared(text)],
        Some(Value::Array(many)) => many.iter().flat_map(|one| licences(Some(one))).collect(),
        Some(Value::Object(one)) => one.get("type").and_then(Value::as_str).map(crate::licenses::declared).into_iter().collect(),
        _ => Vec::new(),
    }
}

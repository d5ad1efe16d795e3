//! `Cargo.lock`, versions 1 to 4. It does not tell development dependencies apart, so all are required.

use super::toml_file::Toml;
use super::{Format, Inventory, ReadError, file_name, own};
use crate::sbom::component::{Algorithm, Component, Ecosystem, Hash};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

pub const FORMAT: Format = Format { name: "Cargo.lock", takes: |path| file_name(path) == "Cargo.lock", read };

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    /// Versions 1 and 2 keep checksums here: `checksum NAME VERSION (SOURCE)`.
    #[serde(default)]
    metadata: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: Spanned<String>,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let toml = Toml::new(bytes)?;
    let lock: Lock = toml.read()?;
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut made: Vec<Component> = lock.package.iter().map(component).collect();
    // A dependency names as much as is needed to be unique: `name`, `name version` or `name version (source)`.
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, package) in lock.package.iter().enumerate() {
        by_name.entry(package.name.get_ref()).or_default().push(index);
    }
    let references: Vec<String> = made.iter().map(|component| component.reference.clone()).collect();
    for (package, component) in lock.package.iter().zip(&mut made) {
        component.line = Some(toml.line(package.name.span().start));
        let checksum = package.checksum.clone().or_else(|| {
            let key = format!("checksum {} {} ({})", package.name.get_ref(), package.version, package.source.as_deref()?);
            lock.metadata.get(&key)?.as_str().map(str::to_owned)
        });
        component.hashes = checksum.and_then(|hex| Hash::from_hex(Algorithm::Sha256, &hex)).into_iter().collect();
        for dependency in &package.dependencies {
            let mut words = dependency.splitn(3, ' ');
            let (name, version, source) = (words.next().unwrap_or_default(), words.next(), words.next());
            let source = source.map(|source| source.trim_start_matches('(').trim_end_matches(')'));
            let found = by_name.get(name).into_iter().flatten().find(|index| {
                lock.package.get(**index).is_some_and(|other| {
                    version.is_none_or(|version| version == other.version)
                        && source.is_none_or(|source| Some(source) == other.source.as_deref())
                })
            });
            match found.and_then(|index| references.get(*index)) {
                Some(reference) => component.dependencies.push(reference.clone()),
                None => {
                    let line = component.line.and_then(|line| usize::try_from(line).ok()).unwrap_or(1);
                    return Err(ReadError::at(line, format!("{} needs {dependency:?}, which is not locked", component.label())));
                }
            }
        }
    }
    inventory.direct =
        made.iter().filter(|component| component.ecosystem == Ecosystem::Other).map(|component| component.reference.clone()).collect();
    made.into_iter().for_each(|component| inventory.add(component));
    Ok(inventory)
}

fn component(package: &Package) -> Component {
    let name = package.name.get_ref();
    let Some(source) = package.source.as_deref() else { return own(name, Some(&package.version)) };
    let mut component = Component::new(Ecosystem::Cargo, name.as_str(), Some(&package.version));
    let (kind, address) = source.split_once('+').unwrap_or(("", source));
    let public = address.trim_end_matches('/').ends_with("github.com/rust-lang/crates.io-index") || address.contains("index.crates.io");
    if !public {
        let key = if kind == "git" { "vcs_url" } else { "repository_url" };
        let value = if kind == "git" { source } else { address };
        component.purl = component.purl.map(|purl| purl.with(key, value));
        component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
    }
    component
}

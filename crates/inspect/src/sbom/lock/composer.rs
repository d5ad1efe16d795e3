//! `composer.lock`.

use super::{Format, Inventory, ReadError, file_name, json};
use crate::licenses;
use crate::sbom::component::{Algorithm, Component, Ecosystem, Hash, Scope};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

pub const FORMAT: Format = Format { name: "composer.lock", takes: |path| file_name(path) == "composer.lock", read };

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lock {
    packages: Vec<Package>,
    packages_dev: Option<Vec<Package>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    license: Vec<String>,
    #[serde(default)]
    require: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    provide: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    replace: BTreeMap<String, serde::de::IgnoredAny>,
    dist: Option<Dist>,
}

#[derive(Deserialize)]
struct Dist {
    shasum: Option<String>,
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: Lock = json(bytes)?;
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_name: HashMap<&str, String> = HashMap::new();
    let mut made = Vec::new();
    let shipped = lock.packages.iter().map(|package| (package, Scope::Required));
    let development = lock.packages_dev.iter().flatten().map(|package| (package, Scope::Excluded));
    for (package, scope) in shipped.chain(development) {
        let mut component = Component::new(Ecosystem::Composer, package.name.to_lowercase(), Some(&package.version));
        component.scope = scope;
        component.hashes =
            package.dist.as_ref().and_then(|dist| Hash::from_hex(Algorithm::Sha1, dist.shasum.as_deref()?)).into_iter().collect();
        // Several licences of one package are a choice among them (composer.json, "license").
        component.licences = match package.license.as_slice() {
            [] => Vec::new(),
            [one] => vec![licenses::declared(one)],
            many => vec![licenses::declared(&many.join(" OR "))],
        };
        by_name.insert(&package.name, component.reference.clone());
        for other in package.provide.keys().chain(package.replace.keys()) {
            by_name.entry(other).or_insert_with(|| component.reference.clone());
        }
        made.push((package, component));
    }
    for (package, mut component) in made {
        let needed = package.require.keys().filter_map(|name| by_name.get(name.as_str()));
        component.dependencies = needed.filter(|reference| **reference != component.reference).cloned().collect();
        inventory.add(component);
    }
    Ok(inventory)
}

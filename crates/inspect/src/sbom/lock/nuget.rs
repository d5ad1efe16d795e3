//! NuGet's `packages.lock.json`, versions 1 and 2. Its `contentHash` leaves out a package's signature, so it is not told as the
//! package's hash.

use super::{Format, Inventory, ReadError, file_name, json, own};
use crate::sbom::component::{Component, Ecosystem};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

pub const FORMAT: Format = Format {
    name: "packages.lock.json",
    takes: |path| {
        let name = file_name(path);
        name == "packages.lock.json" || (name.starts_with("packages.") && name.ends_with(".lock.json"))
    },
    read,
};

#[derive(Deserialize)]
struct Lock {
    /// By target framework, then by package.
    dependencies: BTreeMap<String, BTreeMap<String, Package>>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(rename = "type")]
    kind: String,
    resolved: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, serde::de::IgnoredAny>,
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: Lock = json(bytes)?;
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    for (framework, packages) in &lock.dependencies {
        // Names are compared without case.
        let mut by_name: HashMap<String, String> = HashMap::new();
        let mut made = Vec::new();
        for (name, package) in packages {
            let component = match (&package.resolved, package.kind.as_str()) {
                (_, "Project") => own(name, None),
                (Some(version), _) => Component::new(Ecosystem::NuGet, name.as_str(), Some(version)),
                (None, _) => {
                    inventory.unresolved(name.as_str(), format!("{framework} does not resolve it"), None);
                    continue;
                }
            };
            by_name.insert(name.to_lowercase(), component.reference.clone());
            if package.kind == "Direct" {
                super::extend(&mut inventory.direct, vec![component.reference.clone()]);
            }
            made.push((package, component));
        }
        for (package, mut component) in made {
            component.dependencies = package.dependencies.keys().filter_map(|name| by_name.get(&name.to_lowercase())).cloned().collect();
            inventory.add(component);
        }
    }
    Ok(inventory)
}

//! Records of single installed packages: Python's `METADATA` (PEP 566) and the `package.json` of a `node_modules` folder.

use super::{Format, Inventory, ReadError, json, utf8};
use crate::licenses;
use crate::sbom::component::{Component, Ecosystem};
use serde::Deserialize;

pub const PYTHON: Format = Format {
    name: "installed Python package",
    takes: |path| path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO"),
    read: read_python,
};
pub const NODE: Format = Format { name: "installed Node package", takes: is_node, read: read_node };

/// `node_modules/NAME/package.json` or `node_modules/@SCOPE/NAME/package.json`.
fn is_node(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    if parts.next() != Some("package.json") {
        return false;
    }
    let (_, above) = (parts.next(), parts.next());
    above == Some("node_modules") || (above.is_some_and(|scope| scope.starts_with('@')) && parts.next() == Some("node_modules"))
}

fn read_python(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let text = utf8(bytes)?;
    let header = text.lines().take_while(|line| !line.trim().is_empty());
    let value = |key: &str| {
        header.clone().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim).filter(|value| !value.is_empty())
    };
    let (Some(name), Some(version)) = (value("Name"), value("Version")) else {
        return Err(ReadError::new("there is no Name or no Version"));
    };
    let mut component = Component::new(Ecosystem::PyPi, name, Some(version));
    // `License` may hold the whole text; classifiers name families.
    let declared = value("License-Expression").or_else(|| value("License").filter(|text| text.len() < 100 && *text != "UNKNOWN"));
    component.licences = declared.map(licenses::declared).into_iter().collect();
    let mut inventory = Inventory::default();
    inventory.add(component);
    Ok(inventory)
}

#[derive(Deserialize)]
struct Package {
    name: Option<String>,
    version: Option<String>,
    license: Option<serde_json::Value>,
}

fn read_node(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let package: Package = json(bytes)?;
    let mut inventory = Inventory::default();
    // Without both it is no package but a marker, such as {"type": "module"}.
    if let (Some(name), Some(version)) = (package.name, package.version) {
        let mut component = Component::new(Ecosystem::Npm, name, Some(&version));
        component.licences = package.license.as_ref().and_then(serde_json::Value::as_str).map(licenses::declared).into_iter().collect();
        inventory.add(component);
    }
    Ok(inventory)
}

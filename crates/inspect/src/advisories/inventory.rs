//! CycloneDX documents (JSON, 1.2 to 1.7) as far as matching needs them: components, whose product it is, and what the
//! document itself says about weaknesses.
//!
//! Not a validator: a document is judged by `sbom validate`; here an unknown member is no reason not to look.

use crate::sbom::component::{Component, Ecosystem, Scope};
use crate::sbom::purl::Purl;
use serde::Deserialize;

/// Larger documents are refused.
pub const BYTES_MAX: usize = 512 << 20;
/// More components than this are no product's.
pub const COMPONENTS_MAX: usize = 2_000_000;

/// Why a file is no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    #[error("the document has more than {BYTES_MAX} bytes")]
    Size,
    #[error("not a CycloneDX document: {0}")]
    Shape(String),
    #[error("the document has more than {COMPONENTS_MAX} components")]
    Components,
}

/// A document's components, nested ones too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    pub components: Vec<Component>,
    /// What the document is about: its reference and purl, as far as given.
    pub product: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "bomFormat")]
    format: String,
    #[serde(rename = "serialNumber")]
    serial: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    group: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    components: Option<Vec<Part>>,
    #[serde(default)]
    properties: Option<Vec<Property>>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<String>,
}

/// Whether the bytes look like a CycloneDX document rather than a lock file.
pub fn looks_like(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    bytes.trim_ascii_start().starts_with(b"{") && beginning.windows(11).any(|part| part == b"\"bomFormat\"")
}

pub fn read(bytes: &[u8]) -> Result<Inventory, InventoryError> {
    if bytes.len() > BYTES_MAX {
        return Err(InventoryError::Size);
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|why| InventoryError::Shape(why.to_string()))?;
    if document.format != "CycloneDX" {
        return Err(InventoryError::Shape(format!("bomFormat is {:?}", document.format)));
    }
    let mut inventory = Inventory::default();
    inventory.product.extend(document.serial);
    if let Some(root) = document.metadata.and_then(|metadata| metadata.component) {
        inventory.product.extend(root.reference.clone());
        inventory.product.extend(root.purl.clone());
        for part in root.components.into_iter().flatten() {
            add(&mut inventory.components, part)?;
        }
    }
    for part in document.components.into_iter().flatten() {
        add(&mut inventory.components, part)?;
    }
    Ok(inventory)
}

/// Nesting is bounded by the JSON reader's own depth.
fn add(components: &mut Vec<Component>, part: Part) -> Result<(), InventoryError> {
    if components.len() >= COMPONENTS_MAX {
        return Err(InventoryError::Components);
    }
    let purl: Option<Purl> = part.purl.as_deref().and_then(|text| text.parse().ok());
    let mut component = match &purl {
        Some(purl) => {
            let (ecosystem, name, release) = purl.package();
            let mut component = Component::new(ecosystem, name, purl.version.as_deref().or(part.version.as_deref()));
            component.release = release;
            component
        }
        None => {
            let name = match part.group.as_deref().filter(|group| !group.is_empty()) {
                Some(group) => format!("{group}/{}", part.name),
                None => part.name.clone(),
            };
            let mut component = Component::new(Ecosystem::Other, name, part.version.as_deref());
            component.purl = None;
            component
        }
    };
    component.source = source(purl.as_ref(), part.properties.as_deref().unwrap_or_default());
    if purl.is_some() {
        component.purl = purl;
    }
    if let Some(reference) = part.reference {
        component.reference = reference;
    }
    component.scope = match part.scope.as_deref() {
        Some("optional") => Scope::Optional,
        Some("excluded") => Scope::Excluded,
        _ => Scope::Required,
    };
    // Files of a package are listed beside it and have no advisories of their own.
    if part.kind.as_deref() != Some("file") {
        components.push(component);
    }
    part.components.into_iter().flatten().try_for_each(|nested| add(components, nested))
}

/// The source package: the purl's `upstream` (`openssl@3.0.11-1`), or the properties that image scanners write.
fn source(purl: Option<&Purl>, properties: &[Property]) -> Option<(String, String)> {
    if let Some(upstream) = purl.and_then(|purl| purl.qualifier("upstream")) {
        let (name, version) = upstream.rsplit_once('@').unwrap_or((upstream, ""));
        return Some((name.to_owned(), version.to_owned()));
    }
    let property = |suffix: &str| {
        let named = |property: &&Property| property.name.as_deref().is_some_and(|name| name.ends_with(suffix));
        properties.iter().find(named).and_then(|property| property.value.as_deref()).filter(|value| !value.is_empty())
    };
    let name = property(":SrcName")?;
    let mut version = property(":SrcVersion").unwrap_or_default().to_owned();
    if let Some(epoch) = property(":SrcEpoch").filter(|epoch| *epoch != "0") {
        version = format!("{epoch}:{version}");
    }
    if let Some(release) = property(":SrcRelease") {
        version = format!("{version}-{release}");
    }
    Some((name.to_owned(), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_nested_ones_too() {
        let document = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "urn:uuid:1",
            "metadata": {"component": {"name": "shop", "bom-ref": "root", "purl": "pkg:oci/shop@1"}},
            "components": [
                {"type": "library", "name": "lodash", "version": "4.17.20", "purl": "pkg:npm/lodash@4.17.20", "bom-ref": "a"},
                {"type": "library", "name": "libssl3", "version": "3", "purl": "pkg:deb/debian/libssl3@3.0.1-1?distro=debian-12&upstream=openssl%403.0.1-2",
                 "components": [{"type": "file", "name": "x.so"}, {"type": "library", "group": "g", "name": "inner"}]},
                {"type": "library", "name": "zlib1g", "version": "1", "purl": "pkg:deb/debian/zlib1g@1.2-1", "scope": "excluded",
                 "properties": [{"name": "aquasecurity:trivy:SrcName", "value": "zlib"}, {"name": "aquasecurity:trivy:SrcVersion", "value": "1.2"},
                                {"name": "aquasecurity:trivy:SrcRelease", "value": "1"}, {"name": "aquasecurity:trivy:SrcEpoch", "value": "1"}]}
            ]}"#;
        let inventory = read(document.as_bytes()).unwrap();
        let names: Vec<&str> = inventory.components.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["lodash", "libssl3", "g/inner", "zlib1g"]);
        assert_eq!(inventory.product, ["urn:uuid:1", "root", "pkg:oci/shop@1"]);
        assert_eq!(inventory.components[1].source, Some(("openssl".to_owned(), "3.0.1-2".to_owned())));
        assert_eq!(inventory.components[1].release.as_deref(), Some("12"));
        assert_eq!(inventory.components[3].source, Some(("zlib".to_owned(), "1:1.2-1".to_owned())));
        assert_eq!(inventory.components[3].scope, Scope::Excluded);
    }

    #[test]
    fn what_is_no_inventory() {
        assert!(matches!(read(b"{}"), Err(InventoryError::Shape(_))));
        assert!(matches!(read(br#"{"bomFormat": "SPDX", "components": []}"#), Err(InventoryError::Shape(_))));
        assert!(matches!(read(b"\xff\xfe"), Err(InventoryError::Shape(_))));
        let part = r#"{"name":"x","components":["#;
        let deep = format!(r#"{{"bomFormat":"CycloneDX","components":[{}{}]}}"#, part.repeat(100_000), "]}".repeat(100_000));
        assert!(matches!(read(deep.as_bytes()), Err(InventoryError::Shape(_))));
    }
}

//! CycloneDX 1.4 to 1.7 as JSON. The same inventory gives the same bytes: no random number, no clock; a component a line.

use super::component::{Component, Ecosystem, Licence, Scope};
use super::lock::Inventory;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Versions that are written, oldest first.
pub const VERSIONS: [&str; 4] = ["1.4", "1.5", "1.6", "1.7"];

/// What the document says beside the inventory.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// One of [`VERSIONS`].
    pub spec: &'a str,
    /// The product.
    pub name: &'a str,
    pub version: Option<&'a str>,
    /// `urn:uuid:…`.
    pub serial: Option<&'a str>,
    /// RFC 3339.
    pub timestamp: Option<&'a str>,
    /// Version of this program.
    pub tool: &'a str,
}

/// The whole document.
pub fn cyclonedx(inventory: &Inventory, about: &About<'_>) -> String {
    let mut components: Vec<&Component> = inventory.components.iter().collect();
    components.sort_by(|a, b| a.reference.cmp(&b.reference));
    let root = root_reference(inventory, about);
    let mut text = format!(
        "{{\n  \"$schema\": \"http://cyclonedx.org/schema/bom-{spec}.schema.json\",\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"{spec}\",\n",
        spec = about.spec
    );
    if let Some(serial) = about.serial {
        _ = writeln!(text, "  \"serialNumber\": {},", json!(serial));
    }
    _ = writeln!(text, "  \"version\": 1,\n  \"metadata\": {},", metadata(about, &root));
    lines(&mut text, "components", components.iter().map(|component| component_value(component, about.spec)));
    text.push_str(",\n");
    let mut direct = inventory.direct.clone();
    if direct.is_empty() && !inventory.graph {
        // Without a graph, all that is known is that the product needs these.
        direct = components.iter().map(|component| component.reference.clone()).collect();
    }
    let graph = std::iter::once(dependency(&root, &direct));
    let graph = graph.chain(components.iter().filter(|_| inventory.graph).map(|one| dependency(&one.reference, &one.dependencies)));
    lines(&mut text, "dependencies", graph);
    if !inventory.unresolved.is_empty() {
        text.push_str(",\n");
        lines(&mut text, "compositions", std::iter::once(json!({"aggregate": "incomplete", "assemblies": [root]})));
    }
    text.push_str("\n}\n");
    text
}

/// A list with one element a line.
fn lines(text: &mut String, name: &str, elements: impl Iterator<Item = Value>) {
    _ = write!(text, "  \"{name}\": [");
    for (index, element) in elements.enumerate() {
        _ = write!(text, "{}\n    {element}", if index == 0 { "" } else { "," });
    }
    text.push_str("\n  ]");
}

fn root_reference(inventory: &Inventory, about: &About<'_>) -> String {
    let mut reference = format!("root:{}", about.name);
    while inventory.get(&reference).is_some() {
        reference.push('\'');
    }
    reference
}

fn metadata(about: &About<'_>, root: &str) -> Value {
    let mut metadata = Map::new();
    if let Some(timestamp) = about.timestamp {
        metadata.insert("timestamp".to_owned(), json!(timestamp));
    }
    let tools = match about.spec {
        "1.4" => json!([{"vendor": "Holdpoint", "name": "holdpoint", "version": about.tool}]),
        _ => json!({"components": [{"type": "application", "name": "holdpoint", "version": about.tool}]}),
    };
    metadata.insert("tools".to_owned(), tools);
    let mut component = json!({"type": "application", "bom-ref": root, "name": about.name});
    if let Some(version) = about.version {
        component["version"] = json!(version);
    }
    metadata.insert("component".to_owned(), component);
    Value::Object(metadata)
}

fn dependency(reference: &str, on: &[String]) -> Value {
    let mut on: Vec<&str> = on.iter().map(String::as_str).collect();
    on.sort_unstable();
    on.dedup();
    json!({"ref": reference, "dependsOn": on})
}

/// Group and name, as tools for these ecosystems write them.
fn group(component: &Component) -> (Option<&str>, &str) {
    let cut = match component.ecosystem {
        Ecosystem::Maven => component.name.split_once(':'),
        Ecosystem::Npm | Ecosystem::Composer => component.name.split_once('/'),
        _ => None,
    };
    cut.map_or((None, &component.name), |(group, name)| (Some(group), name))
}

fn component_value(component: &Component, spec: &str) -> Value {
    let kind = if component.is_own() { "application" } else { "library" };
    let mut value = json!({"type": kind, "bom-ref": component.reference});
    let (group, name) = group(component);
    if let Some(group) = group {
        value["group"] = json!(group);
    }
    value["name"] = json!(name);
    if let Some(version) = &component.version {
        value["version"] = json!(version);
    }
    if component.scope != Scope::Required {
        value["scope"] = json!(component.scope.word());
    }
    if !component.hashes.is_empty() {
        value["hashes"] = component.hashes.iter().map(|hash| json!({"alg": hash.algorithm.word(), "content": hash.hex})).collect();
    }
    if !component.licences.is_empty() {
        value["licenses"] = licences(&component.licences);
    }
    if let Some(purl) = &component.purl {
        value["purl"] = json!(purl.to_string());
    }
    if let Some(file) = &component.file {
        match spec {
            "1.4" => value["properties"] = json!([{"name": "holdpoint:location", "value": file}]),
            "1.5" => value["evidence"] = json!({"occurrences": [{"location": file}]}),
            _ => {
                let mut occurrence = json!({"location": file});
                if let Some(line) = component.line {
                    occurrence["line"] = json!(line);
                }
                value["evidence"] = json!({"occurrences": [occurrence]});
            }
        }
    }
    value
}

/// One expression may stand alone; of several licences, each is an identifier or a name.
fn licences(licences: &[Licence]) -> Value {
    let listed = |text: &str| crate::licenses::list::licence(text).is_some_and(|entry| entry.id == text);
    match licences {
        [Licence::Expression(text)] if !listed(text) => json!([{"expression": text}]),
        many => many
            .iter()
            .map(|one| match one {
                Licence::Expression(text) if listed(text) => json!({"license": {"id": text}}),
                Licence::Expression(text) | Licence::Name(text) => json!({"license": {"name": text}}),
            })
            .collect(),
    }
}

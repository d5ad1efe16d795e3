//! The inventory of a CycloneDX document (JSON, any version from 1.2).
//!
//! Takes what it understands and does not validate: [`super::validate`] does. The purl decides what a component is; without
//! one it has no ecosystem, and no advisory matches it by a guess.

use super::component::{Algorithm, Component, Ecosystem, Hash, Licence, Scope};
use super::json::{Json, Kind};
use super::lock::{COMPONENTS_MAX, Inventory, ReadError};
use super::purl::Purl;
use std::collections::HashMap;

/// Reads a document.
pub fn cyclonedx(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let json = Json::read(bytes).map_err(|why| ReadError { line: Some(why.line), what: why.what })?;
    let root = json.root();
    if json.text_of(root, "bomFormat").as_deref() != Some("CycloneDX") {
        return Err(ReadError::new("bomFormat is not \"CycloneDX\""));
    }
    let mut reader = Reader { json, inventory: Inventory::default(), dependencies: HashMap::new() };
    if let Some(list) = json.member(root, "dependencies") {
        json.array(list, |_, at| {
            let on = json.member(at, "dependsOn").map(|on| reader.texts(on)).unwrap_or_default();
            if let Some(reference) = json.text_of(at, "ref") {
                reader.inventory.graph |= !on.is_empty();
                reader.dependencies.entry(reference.into_owned()).or_default().extend(on);
            }
            json.skip(at)
        });
    }
    let subject = json.member(root, "metadata").and_then(|metadata| json.member(metadata, "component"));
    if let Some(reference) = subject.and_then(|subject| json.text_of(subject, "bom-ref")) {
        reader.inventory.direct = reader.dependencies.remove(reference.as_ref()).unwrap_or_default();
    }
    if let Some(list) = json.member(root, "components") {
        reader.components(list)?;
    }
    if let Some(list) = subject.and_then(|subject| json.member(subject, "components")) {
        reader.components(list)?;
    }
    Ok(reader.inventory)
}

struct Reader<'a> {
    json: Json<'a>,
    inventory: Inventory,
    dependencies: HashMap<String, Vec<String>>,
}

impl Reader<'_> {
    fn texts(&self, at: usize) -> Vec<String> {
        let mut texts = Vec::new();
        self.json.array(at, |_, at| {
            if self.json.kind(at) == Kind::Text {
                texts.push(self.json.text(at).into_owned());
            }
            self.json.skip(at)
        });
        texts
    }
    /// The depth of the document is bounded by its reader.
    fn components(&mut self, list: usize) -> Result<(), ReadError> {
        let json = self.json;
        let mut inner = Vec::new();
        json.array(list, |_, at| {
            if json.kind(at) == Kind::Object {
                self.component(at);
                inner.extend(json.member(at, "components"));
            }
            json.skip(at)
        });
        if self.inventory.components.len() > COMPONENTS_MAX {
            return Err(ReadError::new(format!("more than {COMPONENTS_MAX} components")));
        }
        inner.into_iter().try_for_each(|list| self.components(list))
    }
    fn component(&mut self, at: usize) {
        let json = self.json;
        let text = |key: &str| json.text_of(at, key).filter(|text| !text.is_empty());
        let purl: Option<Purl> = text("purl").and_then(|purl| purl.parse().ok());
        let name = match (text("group"), text("name")) {
            (Some(group), Some(name)) => format!("{group}/{name}"),
            (_, name) => name.unwrap_or_default().into_owned(),
        };
        let version = text("version").map(std::borrow::Cow::into_owned);
        let (ecosystem, name, release) = purl.as_ref().map_or((Ecosystem::Other, name, None), Purl::package);
        let version = purl.as_ref().and_then(|purl| purl.version.clone()).or(version);
        let source = purl.as_ref().and_then(|purl| purl.qualifier("upstream")).map(|upstream| {
            let (source, own) = upstream.split_once('@').map_or((upstream, None), |(source, version)| (source, Some(version)));
            (source.to_owned(), own.map(str::to_owned).or_else(|| version.clone()).unwrap_or_default())
        });
        let made = purl.as_ref().map(ToString::to_string);
        let mut reference = text("bom-ref").map(std::borrow::Cow::into_owned).or(made);
        if reference.is_none() {
            reference = Some(format!("{name}@{}", version.as_deref().unwrap_or_default()));
        }
        let reference = reference.unwrap_or_default();
        let component = Component {
            dependencies: self.dependencies.remove(&reference).unwrap_or_default(),
            reference,
            name,
            version,
            ecosystem,
            release,
            source,
            purl,
            licences: self.licences(at),
            hashes: self.hashes(at),
            scope: match json.text_of(at, "scope").as_deref() {
                Some("optional") => Scope::Optional,
                Some("excluded") => Scope::Excluded,
                _ => Scope::Required,
            },
            file: None,
            line: None,
        };
        self.inventory.add(component);
    }
    fn hashes(&self, at: usize) -> Vec<Hash> {
        let mut hashes = Vec::new();
        if let Some(list) = self.json.member(at, "hashes") {
            self.json.array(list, |_, at| {
                let algorithm = self.json.text_of(at, "alg").and_then(|word| Algorithm::from_word(&word));
                let content = self.json.text_of(at, "content");
                hashes.extend(algorithm.zip(content).and_then(|(algorithm, content)| Hash::from_hex(algorithm, &content)));
                self.json.skip(at)
            });
        }
        hashes
    }
    fn licences(&self, at: usize) -> Vec<Licence> {
        let json = self.json;
        let mut licences = Vec::new();
        if let Some(list) = json.member(at, "licenses") {
            json.array(list, |_, at| {
                let inner = json.member(at, "license");
                let id = inner.and_then(|inner| json.text_of(inner, "id")).or_else(|| json.text_of(at, "expression"));
                let name = inner.and_then(|inner| json.text_of(inner, "name"));
                match (id, name) {
                    (Some(id), _) => licences.push(Licence::Expression(id.into_owned())),
                    (None, Some(name)) => licences.push(crate::licenses::declared(&name)),
                    (None, None) => {}
                }
                json.skip(at)
            });
        }
        licences
    }
}

#[cfg(test)]
mod tests {
    use super::super::{validate, write};
    use super::*;

    fn sample() -> Inventory {
        let mut all = Inventory::default();
        for (path, bytes) in [
            ("package-lock.json", include_bytes!("lock/fixtures/npm-v3.json").as_slice()),
            ("Cargo.lock", include_bytes!("lock/fixtures/cargo.lock")),
            ("requirements.txt", b"unpinned>=1\nzope.interface==5\n"),
            ("installed", b"P:libx\nV:1\nA:x86_64\nL:GPL-2.0-only AND Weird\no:x\n"),
        ] {
            all.absorb(super::super::lock::read(path, bytes).expect("a format").expect("a lock file"), path);
        }
        all
    }

    #[test]
    fn what_is_written_is_valid_and_read_back() {
        let inventory = sample();
        for spec in write::VERSIONS {
            let about = write::About {
                spec,
                name: "demo",
                version: Some("1.0"),
                serial: Some("urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"),
                timestamp: Some("2026-01-01T00:00:00Z"),
                tool: "0.1.0",
            };
            let text = write::cyclonedx(&inventory, &about);
            assert_eq!(text, write::cyclonedx(&inventory, &about));
            let validation = validate::validate(text.as_bytes()).expect("JSON");
            assert!(validation.valid() && validation.findings.is_empty(), "{spec}: {:#?}", validation.findings);
            let read = cyclonedx(text.as_bytes()).expect("a document");
            let plain = |inventory: &Inventory| {
                let mut components = inventory.components.clone();
                for component in &mut components {
                    (component.file, component.line) = (None, None);
                    component.dependencies.sort();
                }
                components.sort_by(|a, b| a.reference.cmp(&b.reference));
                components
            };
            assert_eq!(plain(&read), plain(&inventory), "{spec}");
        }
    }

    #[test]
    fn foreign_documents_are_taken_as_far_as_they_go() {
        let text = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
            {"type": "library", "name": "a", "version": "1", "components": [{"type": "file", "name": "b"}]},
            {"type": "library", "group": "org.x", "name": "c", "purl": "pkg:maven/org.x/c@2", "licenses": [{"license": {"name": "Apache License 2.0"}}]}, 7]}"#;
        let read = cyclonedx(text.as_bytes()).expect("a document");
        let told: Vec<(Ecosystem, &str)> = read.components.iter().map(|one| (one.ecosystem, one.name.as_str())).collect();
        assert_eq!(told, [(Ecosystem::Other, "a"), (Ecosystem::Maven, "org.x:c"), (Ecosystem::Other, "b")]);
        assert_eq!(read.components[1].licences, [Licence::Expression("Apache-2.0".to_owned())]);
        assert!(cyclonedx(b"{}").is_err());
    }
}

//! Maven's `pom.xml`: the direct dependencies, with versions as far as this one file fixes them.
//!
//! No parent or imported bill of materials is fetched and no transitive dependency resolved: what a build would add is not in
//! the file. Said as unresolved: versions from elsewhere, unknown properties, ranges.

use super::{Format, Inventory, ReadError, file_name, utf8};
use crate::sbom::component::{Component, Ecosystem, Scope};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::collections::HashMap;

pub const FORMAT: Format =
    Format { name: "pom.xml", takes: |path| file_name(path) == "pom.xml" || file_name(path).ends_with(".pom"), read };

const DEPTH_MAX: usize = 32;
/// Properties refer to properties; deeper chains and loops are unresolved.
const EXPANSIONS_MAX: usize = 16;

#[derive(Default)]
struct Element {
    name: String,
    line: usize,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }
    fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }
    fn all<'a>(&'a self, list: &'a str, item: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == list).flat_map(|child| &child.children).filter(move |one| one.name == item)
    }
}

fn parse(text: &str) -> Result<Element, ReadError> {
    let line_at = |at: u64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
        text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    };
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Element::default()];
    // Lines are counted on the way: asking for each element anew would be quadratic.
    let (mut line, mut counted) = (1, 0);
    loop {
        let event =
            reader.read_event().map_err(|why| ReadError::at(line_at(reader.error_position()), format!("not well-formed XML: {why}")))?;
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        line += text.as_bytes().get(counted..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        counted = at;
        match event {
            Event::Start(start) => {
                if open.len() > DEPTH_MAX {
                    return Err(ReadError::at(line, format!("nested deeper than {DEPTH_MAX}")));
                }
                let name = start.local_name().as_ref().to_owned();
                open.push(Element { name, line, ..Element::default() });
            }
            Event::End(_) => {
                let closed = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None => return Err(ReadError::at(line, "an element ends that never began")),
                }
            }
            Event::Text(value) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(value.as_ref());
                }
            }
            Event::GeneralRef(name) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(match name.as_ref() {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => "",
                    });
                }
            }
            Event::DocType(_) => return Err(ReadError::at(line, "a document type is not read: it could define entities")),
            Event::Eof => break,
            _ => {}
        }
    }
    let mut top = open.pop().unwrap_or_default();
    match (open.is_empty(), top.children.len()) {
        (true, 1) => Ok(top.children.remove(0)),
        _ => Err(ReadError::at(line, "expected one element that is closed")),
    }
}

struct Project<'a> {
    properties: HashMap<String, &'a str>,
    managed: HashMap<(String, String), &'a Element>,
}

impl<'a> Project<'a> {
    fn new(root: &'a Element) -> Self {
        let mut properties = HashMap::new();
        for child in root.child("properties").into_iter().flat_map(|properties| &properties.children) {
            properties.insert(child.name.clone(), child.text.trim());
        }
        let parent = root.child("parent");
        for name in ["groupId", "artifactId", "version"] {
            let own = root.text_of(name);
            let above = parent.and_then(|parent| parent.text_of(name));
            for (key, value) in [("project", own.or(above)), ("pom", own.or(above)), ("project.parent", above)] {
                if let Some(value) = value {
                    properties.insert(format!("{key}.{name}"), value);
                }
            }
        }
        let mut project = Self { properties, managed: HashMap::new() };
        for managed in root.child("dependencyManagement").into_iter().flat_map(|list| list.all("dependencies", "dependency")) {
            if let (Some(group), Some(artifact)) = (project.text(managed, "groupId"), project.text(managed, "artifactId")) {
                project.managed.insert((group, artifact), managed);
            }
        }
        project
    }
    /// The text of a child with its properties; None where one is unknown.
    fn text(&self, element: &Element, name: &str) -> Option<String> {
        self.expand(element.text_of(name)?)
    }
    fn expand(&self, text: &str) -> Option<String> {
        let mut value = text.to_owned();
        for _ in 0..EXPANSIONS_MAX {
            let Some(begin) = value.find("${") else { return Some(value) };
            let length = value.get(begin..)?.find('}')?;
            let key = value.get(begin + 2..begin + length)?;
            let known = (*self.properties.get(key)?).to_owned();
            value.replace_range(begin..=begin + length, &known);
            if value.len() > 4096 {
                return None;
            }
        }
        None
    }
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let root = parse(utf8(bytes)?)?;
    if root.name != "project" {
        return Err(ReadError::at(root.line, format!("expected <project>, found <{}>", root.name)));
    }
    let project = Project::new(&root);
    let mut inventory = Inventory::default();
    for (number, dependency) in root.all("dependencies", "dependency").enumerate() {
        let line = u32::try_from(dependency.line).ok();
        let (Some(group), Some(artifact)) = (project.text(dependency, "groupId"), project.text(dependency, "artifactId")) else {
            inventory.unresolved(format!("dependency {}", number + 1), "groupId or artifactId is missing or an unknown property", line);
            continue;
        };
        let managed = project.managed.get(&(group.clone(), artifact.clone())).copied();
        let said = |name: &str| dependency.text_of(name).or_else(|| managed.and_then(|managed| managed.text_of(name)));
        let written = said("version");
        let version = written.and_then(|text| project.expand(text));
        let name = format!("{group}:{artifact}");
        // `[1.0]` is exactly 1.0; other brackets are ranges.
        let fixed = version.as_deref().map(|version| version.trim_start_matches('[').trim_end_matches(']'));
        let fixed = fixed.filter(|version| !version.contains(['[', '(', ',', ')', ']']));
        if fixed.is_none() {
            let why = match (written, &version) {
                (None, _) => "its version comes from a parent or an imported bill of materials, which are not fetched".to_owned(),
                (Some(text), None) => format!("{text:?} uses a property that this file does not define"),
                (Some(_), Some(range)) => format!("{range:?} is a range"),
            };
            inventory.unresolved(name.as_str(), why, line);
        }
        let mut component = Component::new(Ecosystem::Maven, name, fixed);
        component.line = line;
        component.scope = match said("scope").and_then(|scope| project.expand(scope)).as_deref() {
            Some("test" | "provided" | "system") => Scope::Excluded,
            _ if said("optional") == Some("true") => Scope::Optional,
            _ => Scope::Required,
        };
        let qualifier = |name: &str, default: &str| said(name).and_then(|text| project.expand(text)).filter(|value| value != default);
        let (classifier, kind) = (qualifier("classifier", ""), qualifier("type", "jar"));
        component.purl = component.purl.map(|purl| {
            purl.with("classifier", classifier.as_deref().unwrap_or_default()).with("type", kind.as_deref().unwrap_or_default())
        });
        component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        inventory.direct.push(component.reference.clone());
        inventory.add(component);
    }
    for profile in root.all("profiles", "profile").filter(|profile| profile.child("dependencies").is_some()) {
        let name = profile.text_of("id").unwrap_or("without a name");
        inventory.unresolved(format!("profile {name}"), "its dependencies count only when it is active", u32::try_from(profile.line).ok());
    }
    Ok(inventory)
}

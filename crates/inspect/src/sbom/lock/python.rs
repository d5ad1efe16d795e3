//! Python: `requirements.txt` with exact versions, `poetry.lock`, `uv.lock`, `Pipfile.lock`.

use super::toml_file::Toml;
use super::{Format, Inventory, ReadError, file_name, json, own, reach, tagged_hash, utf8};
use crate::sbom::component::{Component, Ecosystem, Hash, Scope, pypi_name};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

pub const REQUIREMENTS: Format = Format {
    name: "requirements.txt",
    takes: |path| {
        let name = file_name(path);
        name.ends_with(".txt") && (name.starts_with("requirements") || name.ends_with("requirements.txt"))
            || (name.ends_with(".txt") && path.split('/').rev().nth(1) == Some("requirements"))
    },
    read: read_requirements,
};
pub const POETRY: Format = Format { name: "poetry.lock", takes: |path| file_name(path) == "poetry.lock", read: read_poetry };
pub const UV: Format = Format { name: "uv.lock", takes: |path| file_name(path) == "uv.lock", read: read_uv };
pub const PIPFILE: Format = Format { name: "Pipfile.lock", takes: |path| file_name(path) == "Pipfile.lock", read: read_pipfile };

fn package(name: &str, version: Option<&str>, line: u32) -> Component {
    let mut component = Component::new(Ecosystem::PyPi, name, version);
    component.line = Some(line).filter(|line| *line > 0);
    component
}

/// Logical lines: a backslash at the end joins the next; a comment begins at the start or after a space.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let comment = if line.trim_start().starts_with('#') { Some(0) } else { line.find(" #").or_else(|| line.find("\t#")) };
        let line = comment.map_or(line, |at| line.get(..at).unwrap_or_default());
        let (number, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                open = Some((number, whole));
            }
            None => {
                whole.push_str(line);
                lines.push((number, whole));
            }
        }
    }
    lines.extend(open);
    lines
}

fn read_requirements(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory::default();
    for (number, line) in logical_lines(utf8(bytes)?) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let at = u32::try_from(number).ok();
        if line.starts_with('-') {
            let mut words = line.split(|character: char| character.is_whitespace() || character == '=');
            if let "-r" | "--requirement" | "-c" | "--constraint" | "-e" | "--editable" = words.next().unwrap_or_default() {
                inventory.unresolved(line, "another file or folder is included, which is not followed", at);
            }
            continue;
        }
        let (requirement, options) = line.split_once(" --").map_or((line, String::new()), |(left, right)| (left, format!("--{right}")));
        let requirement = requirement.split_once(';').map_or(requirement, |(requirement, _)| requirement).trim();
        let end = requirement
            .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')))
            .unwrap_or(requirement.len());
        let (name, rest) = requirement.split_at(end);
        if name.is_empty() {
            return Err(ReadError::at(number, format!("expected a requirement, found {:?}", line.chars().take(60).collect::<String>())));
        }
        let rest = rest.trim_start();
        let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest }.trim();
        let exact = rest.strip_prefix("===").or_else(|| rest.strip_prefix("==")).map(str::trim);
        let exact = exact.filter(|version| !version.is_empty() && !version.contains(['*', ',', ' ']));
        if exact.is_none() {
            let why = if rest.starts_with('@') {
                "it comes from an address, whose version is not said"
            } else {
                "no exact version (==) is given"
            };
            inventory.unresolved(requirement, why, at);
        }
        let mut component = package(name, exact, at.unwrap_or(0));
        component.hashes = options.split_whitespace().filter_map(|option| tagged_hash(option.strip_prefix("--hash=")?)).collect();
        inventory.add(component);
    }
    Ok(inventory)
}

#[derive(Deserialize)]
struct PoetryLock {
    #[serde(default)]
    package: Vec<PoetryPackage>,
    #[serde(default)]
    metadata: PoetryMetadata,
}

#[derive(Deserialize, Default)]
struct PoetryMetadata {
    /// Before lock version 2, hashes lie here by name.
    #[serde(default)]
    files: BTreeMap<String, Vec<PythonFile>>,
}

#[derive(Deserialize)]
struct PoetryPackage {
    name: Spanned<String>,
    version: String,
    category: Option<String>,
    groups: Option<Vec<String>>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    files: Vec<PythonFile>,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    source: Option<PoetrySource>,
}

#[derive(Deserialize)]
struct PoetrySource {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
    resolved_reference: Option<String>,
}

#[derive(Deserialize)]
struct PythonFile {
    hash: Option<String>,
}

fn hashes<'a>(files: impl IntoIterator<Item = &'a PythonFile>) -> Vec<Hash> {
    files.into_iter().filter_map(|file| tagged_hash(file.hash.as_deref()?)).collect()
}

/// References of all packages of a name: under markers, several versions may be locked.
fn by_name(components: &[Component]) -> HashMap<String, Vec<String>> {
    let mut map: HashMap<String, Vec<String>> = HashMap::new();
    for component in components {
        map.entry(component.name.clone()).or_default().push(component.reference.clone());
    }
    map
}

fn read_poetry(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let toml = Toml::new(bytes)?;
    let lock: PoetryLock = toml.read()?;
    let mut made = Vec::new();
    for one in &lock.package {
        let name = one.name.get_ref();
        let mut component = package(name, Some(&one.version), toml.line(one.name.span().start));
        component.hashes = hashes(one.files.iter().chain(lock.metadata.files.get(name).into_iter().flatten()));
        let main = match (&one.groups, &one.category) {
            (Some(groups), _) => groups.iter().any(|group| group == "main"),
            (None, Some(category)) => category == "main",
            (None, None) => true,
        };
        component.scope = if !main {
            Scope::Excluded
        } else if one.optional {
            Scope::Optional
        } else {
            Scope::Required
        };
        if let Some(PoetrySource { kind: Some(kind), url: Some(url), resolved_reference }) = &one.source
            && kind == "git"
        {
            let at = resolved_reference.as_deref().map(|commit| format!("@{commit}")).unwrap_or_default();
            component.purl = component.purl.map(|purl| purl.with("vcs_url", &format!("git+{url}{at}")));
            component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        made.push(component);
    }
    let references = by_name(&made);
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    for (one, mut component) in lock.package.iter().zip(made) {
        let needed = one.dependencies.keys().filter_map(|name| references.get(&pypi_name(name))).flatten();
        component.dependencies = needed.filter(|reference| **reference != component.reference).cloned().collect();
        inventory.add(component);
    }
    Ok(inventory)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UvLock {
    #[serde(default)]
    package: Vec<UvPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UvPackage {
    name: Spanned<String>,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<UvNeed>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<UvNeed>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<UvNeed>>,
    sdist: Option<PythonFile>,
    #[serde(default)]
    wheels: Vec<PythonFile>,
}

#[derive(Deserialize)]
struct UvNeed {
    name: String,
    version: Option<String>,
}

fn read_uv(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let toml = Toml::new(bytes)?;
    let lock: UvLock = toml.read()?;
    let mut made = Vec::new();
    for one in &lock.package {
        let name = one.name.get_ref();
        let mut component = if ["virtual", "editable", "directory", "workspace"].iter().any(|kind| one.source.contains_key(*kind)) {
            own(name, one.version.as_deref())
        } else {
            package(name, one.version.as_deref(), toml.line(one.name.span().start))
        };
        component.hashes = hashes(one.sdist.iter().chain(&one.wheels));
        if let Some(address) = one.source.get("git").and_then(toml::Value::as_str) {
            component.purl = component.purl.map(|purl| purl.with("vcs_url", &format!("git+{address}")));
            component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        made.push(component);
    }
    let references = by_name(&made);
    let versions: HashMap<String, Option<String>> =
        made.iter().map(|component| (component.reference.clone(), component.version.clone())).collect();
    let find = |need: &UvNeed| -> Vec<String> {
        let all = references.get(&pypi_name(&need.name)).or_else(|| references.get(&need.name)).into_iter().flatten();
        all.filter(|reference| need.version.is_none() || versions.get(*reference).is_none_or(|version| *version == need.version))
            .cloned()
            .collect()
    };
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let (mut optional, mut development) = (Vec::new(), Vec::new());
    for (one, mut component) in lock.package.iter().zip(made) {
        component.dependencies = one.dependencies.iter().flat_map(find).collect();
        if component.ecosystem == Ecosystem::Other {
            super::extend(&mut inventory.direct, component.dependencies.clone());
            optional.extend(one.optional_dependencies.values().flatten().flat_map(find));
            development.extend(one.dev_dependencies.values().flatten().flat_map(find));
        } else {
            // An extra of a package is locked only where somebody asked for it.
            super::extend(&mut component.dependencies, one.optional_dependencies.values().flatten().flat_map(find).collect());
        }
        inventory.add(component);
    }
    reach::exclude_what_only(&mut inventory, &development);
    reach::mark_what_only(&mut inventory, &optional, Scope::Optional);
    super::extend(&mut inventory.direct, optional);
    super::extend(&mut inventory.direct, development);
    Ok(inventory)
}

#[derive(Deserialize)]
struct PipfileLock {
    default: BTreeMap<String, PipfilePackage>,
    #[serde(default)]
    develop: BTreeMap<String, PipfilePackage>,
}

#[derive(Deserialize)]
struct PipfilePackage {
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
}

fn read_pipfile(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let lock: PipfileLock = json(bytes)?;
    let mut inventory = Inventory::default();
    for (group, scope) in [(&lock.default, Scope::Required), (&lock.develop, Scope::Excluded)] {
        for (name, one) in group {
            let version = one.version.as_deref().map(|version| version.trim_start_matches('='));
            if version.is_none() {
                inventory.unresolved(name.as_str(), "it comes from a folder or an address, whose version is not said", None);
            }
            let mut component = package(name, version, 0);
            component.hashes = one.hashes.iter().filter_map(|hash| tagged_hash(hash)).collect();
            component.scope = scope;
            inventory.add(component);
        }
    }
    Ok(inventory)
}

//! Lock files and package databases: one file a family of formats, each a line of [`FORMATS`].
//!
//! A reader takes the bytes of one file and says which components it fixes, and what it does not fix. It never asks a
//! registry, resolves no range and runs no tool: what the file does not say stays unresolved, and is said.

mod alpine;
mod cargo;
mod composer;
mod debian;
mod go;
mod gradle;
mod installed;
mod maven;
mod npm;
mod nuget;
mod pnpm;
mod python;
mod reach;
mod ruby;
mod toml_file;
mod yarn;

use super::component::{Component, Ecosystem, Hash};
use std::collections::HashMap;

/// Larger files are not read.
pub const BYTES_MAX: usize = 256 << 20;
/// Files with more components are not read.
pub const COMPONENTS_MAX: usize = 2_000_000;

/// One kind of file.
pub struct Format {
    /// For messages.
    pub name: &'static str,
    /// Whether a path (with `/`) is such a file.
    pub takes: fn(&str) -> bool,
    pub read: fn(&[u8]) -> Result<Inventory, ReadError>,
}

/// All that can be read.
pub const FORMATS: &[Format] = &[
    cargo::FORMAT,
    npm::FORMAT,
    pnpm::FORMAT,
    yarn::FORMAT,
    python::REQUIREMENTS,
    python::POETRY,
    python::UV,
    python::PIPFILE,
    go::MODULE,
    go::SUMS,
    maven::FORMAT,
    gradle::FORMAT,
    composer::FORMAT,
    ruby::FORMAT,
    nuget::FORMAT,
    debian::FORMAT,
    alpine::FORMAT,
    installed::PYTHON,
    installed::NODE,
];

/// The format of a file by its path.
pub fn format_of(path: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.takes)(path))
}

/// Whether it is the record of one installed package, as images have many.
pub fn is_installed(path: &str) -> bool {
    (installed::PYTHON.takes)(path) || (installed::NODE.takes)(path)
}

/// The last segment of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ReadError {
    /// From 1, where it is known.
    pub line: Option<u32>,
    pub what: String,
}

impl ReadError {
    pub fn new(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }
    pub fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(u32::try_from(line).unwrap_or(u32::MAX)), what: what.into() }
    }
}

/// Something the file names without fixing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    pub what: String,
    pub why: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// What was read from one file, or from several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// No two have the same reference.
    pub components: Vec<Component>,
    /// References of what the product itself asks for, where the file says so.
    pub direct: Vec<String>,
    /// Whether the file says what needs what.
    pub graph: bool,
    pub unresolved: Vec<Unresolved>,
    pub(in crate::sbom) index: HashMap<String, usize>,
}

impl Inventory {
    /// Adds a component; one that is there already keeps the wider scope and gains the other's dependencies and hashes.
    pub fn add(&mut self, component: Component) {
        match self.index.get(&component.reference).and_then(|index| self.components.get_mut(*index)) {
            Some(own) => {
                own.scope = own.scope.min(component.scope);
                extend(&mut own.dependencies, component.dependencies);
                extend(&mut own.hashes, component.hashes);
                extend(&mut own.licences, component.licences);
            }
            None => {
                self.index.insert(component.reference.clone(), self.components.len());
                self.components.push(component);
            }
        }
    }
    pub fn get(&self, reference: &str) -> Option<&Component> {
        self.index.get(reference).and_then(|index| self.components.get(*index))
    }
    fn unresolved(&mut self, what: impl Into<String>, why: impl Into<String>, line: Option<u32>) {
        self.unresolved.push(Unresolved { what: what.into(), why: why.into(), file: None, line });
    }
    /// Takes in what another file says; `file` is where it was found.
    pub fn absorb(&mut self, other: Inventory, file: &str) {
        self.graph |= other.graph;
        extend(&mut self.direct, other.direct);
        self.unresolved.extend(other.unresolved.into_iter().map(|mut one| {
            one.file.get_or_insert_with(|| file.to_owned());
            one
        }));
        for mut component in other.components {
            component.file.get_or_insert_with(|| file.to_owned());
            self.add(component);
        }
    }
    fn check(self) -> Result<Self, ReadError> {
        if self.components.len() > COMPONENTS_MAX {
            return Err(ReadError::new(format!("more than {COMPONENTS_MAX} components")));
        }
        Ok(self)
    }
}

/// Appends what is not there yet.
fn extend<T: PartialEq>(own: &mut Vec<T>, others: Vec<T>) {
    if own.is_empty() {
        *own = others;
        return;
    }
    for other in others {
        if !own.contains(&other) {
            own.push(other);
        }
    }
}

/// Reads one file by its path's format; None where no format takes it.
pub fn read(path: &str, bytes: &[u8]) -> Option<Result<Inventory, ReadError>> {
    let format = format_of(path)?;
    if bytes.len() > BYTES_MAX {
        return Some(Err(ReadError::new(format!("more than {BYTES_MAX} bytes"))));
    }
    Some((format.read)(bytes).and_then(Inventory::check))
}

/// A package of the product itself: it is in no registry, so it has no purl, and no advisory may match it by its name.
fn own(name: &str, version: Option<&str>) -> Component {
    let mut component = Component::new(Ecosystem::Other, name, version);
    component.purl = None;
    component.reference = format!("own:{}", component.label());
    component
}

fn utf8(bytes: &[u8]) -> Result<&str, ReadError> {
    let text = std::str::from_utf8(bytes).map_err(|why| {
        let before = bytes.get(..why.valid_up_to()).unwrap_or_default();
        ReadError::at(before.iter().filter(|byte| **byte == b'\n').count() + 1, "not UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn json<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|why| ReadError::at(why.line(), why.to_string()))
}

fn yaml<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    serde_saphyr::from_str(utf8(bytes)?).map_err(|why| {
        let line = why.location().map(|place| u32::try_from(place.line()).unwrap_or(u32::MAX));
        let text = why.to_string();
        ReadError { line, what: text.lines().next().unwrap_or("not the expected YAML").to_owned() }
    })
}

/// Subresource integrity as npm writes it: `sha512-BASE64`, several with spaces between.
fn integrity(text: &str) -> Vec<Hash> {
    use base64::Engine as _;
    let one = |part: &str| {
        let (word, value) = part.split_once('-')?;
        let algorithm = super::component::Algorithm::from_word(word)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(value.split('?').next()?).ok()?;
        Hash::from_hex(algorithm, &hex(&bytes))
    };
    text.split_whitespace().filter_map(one).collect()
}

/// `sha256:HEX`, as Python tools write it.
fn tagged_hash(text: &str) -> Option<Hash> {
    let (word, value) = text.split_once(':')?;
    Hash::from_hex(super::component::Algorithm::from_word(word)?, value)
}

pub(in crate::sbom) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;

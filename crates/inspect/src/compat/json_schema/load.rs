//! Where schemas and what they refer to are found: files, `$id`, `$anchor`, `$dynamicAnchor`, drafts.
//!
//! Nothing is fetched: a reference to a document that was not given is an error that names it. JSON Schema core 2020-12,
//! sections 8 and 9; RFC 3986 for references.

use crate::document::{Kind, NodeId, ReadError, Tree};
use std::collections::{BTreeMap, HashMap};

/// Versions of JSON Schema, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

impl Draft {
    /// The names by which a draft is asked for.
    pub const NAMES: [(&'static str, Draft); 5] =
        [("4", Draft::Draft4), ("6", Draft::Draft6), ("7", Draft::Draft7), ("2019-09", Draft::Draft2019), ("2020-12", Draft::Draft2020)];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, draft)| *draft == self).map_or("", |(name, _)| name)
    }
    fn of_uri(uri: &str) -> Option<Self> {
        let uri = uri.trim_end_matches('#');
        let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"))?.strip_prefix("json-schema.org/")?;
        Some(match rest {
            "draft-04/schema" => Draft::Draft4,
            "draft-06/schema" => Draft::Draft6,
            "draft-07/schema" => Draft::Draft7,
            "draft/2019-09/schema" => Draft::Draft2019,
            "draft/2020-12/schema" | "schema" => Draft::Draft2020,
            _ => return None,
        })
    }
}

/// A file as the caller read it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// As it was named to the command; relative references between files go by it.
    pub name: &'a str,
    /// A further address under which others refer to it.
    pub uri: Option<&'a str>,
    pub bytes: &'a [u8],
}

/// A schema and what it may refer to.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    pub schema: Given<'a>,
    pub resources: Vec<Given<'a>>,
}

/// An error at a node.
pub fn wrong(tree: &Tree, node: NodeId, what: impl Into<String>) -> ReadError {
    ReadError { file: tree.file(node).to_owned(), line: tree.line(node), what: what.into() }
}

/// Reads a side's files; their roots, the schema's first.
pub fn files(tree: &mut Tree, side: &Side) -> Result<Vec<NodeId>, ReadError> {
    std::iter::once(&side.schema).chain(&side.resources).map(|given| tree.read(given.name, given.bytes)).collect()
}

/// One side's documents, by address.
#[derive(Debug, Default)]
pub struct Library {
    pub root: NodeId,
    /// Roots of resources by absolute address.
    resources: HashMap<String, NodeId>,
    /// Address and draft of the nodes that begin a resource.
    begins: HashMap<NodeId, (String, Draft)>,
    anchors: HashMap<(String, String), NodeId>,
    /// Names that a reference may find in an outer resource, by resource. The empty name: `$recursiveAnchor`.
    dynamic: HashMap<String, BTreeMap<String, NodeId>>,
}

/// What a reference leads to.
pub struct Target {
    pub node: NodeId,
    /// The dynamic name that it was found by.
    pub dynamic: Option<String>,
}

const ONE: [&str; 12] = [
    "additionalItems",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const LISTS: [&str; 5] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const MAPS: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

impl Library {
    /// Over the roots that [`files`] read. `asked` is the draft of everything, `otherwise` that of schemas that name none.
    pub fn of(tree: &Tree, side: &Side, roots: &[NodeId], asked: Option<Draft>, otherwise: Draft) -> Result<Self, ReadError> {
        let mut library = Library { root: roots.first().copied().unwrap_or_default(), ..Library::default() };
        for (given, root) in std::iter::once(&side.schema).chain(&side.resources).zip(roots) {
            let named = if asked.is_some() { asked } else { draft_of(tree, *root)? };
            let draft = named.unwrap_or(otherwise);
            let address = normal(given.name);
            library.resources.insert(address.clone(), *root);
            if let Some(uri) = given.uri {
                library.resources.insert(normal(uri), *root);
            }
            let address = given.uri.map_or(address, normal);
            library.begins.insert(*root, (address.clone(), draft));
            library.index(tree, *root, address, draft, asked)?;
        }
        Ok(library)
    }

    /// Finds addresses and anchors below a schema.
    fn index(&mut self, tree: &Tree, root: NodeId, address: String, draft: Draft, asked: Option<Draft>) -> Result<(), ReadError> {
        let mut open = vec![(root, address, draft)];
        while let Some((node, mut address, mut draft)) = open.pop() {
            if tree.kind(node) != Kind::Map {
                continue;
            }
            self.identify(tree, node, &mut address, &mut draft, asked)?;
            let mut visit = |child: NodeId| open.push((child, address.clone(), draft));
            for (key, child) in tree.entries(node) {
                if LISTS.contains(&key) {
                    tree.items(child).iter().copied().for_each(&mut visit);
                }
                if ONE.contains(&key) {
                    visit(child);
                }
                if MAPS.contains(&key) {
                    tree.entries(child).map(|(_, schema)| schema).for_each(&mut visit);
                }
            }
        }
        Ok(())
    }

    fn identify(
        &mut self,
        tree: &Tree,
        node: NodeId,
        address: &mut String,
        draft: &mut Draft,
        asked: Option<Draft>,
    ) -> Result<(), ReadError> {
        let siblings_count = *draft >= Draft::Draft2019 || tree.get_text(node, "$ref").is_none();
        let word = if *draft == Draft::Draft4 { "id" } else { "$id" };
        if let Some(id) = tree.get_text(node, word).filter(|_| siblings_count) {
            if asked.is_none()
                && let Some(own) = draft_of(tree, node)?
            {
                *draft = own;
            }
            let (document, fragment) = id.split_once('#').unwrap_or((id, ""));
            if !document.is_empty() {
                *address = resolved(address, document);
                self.resources.insert(address.clone(), node);
                self.begins.insert(node, (address.clone(), *draft));
            }
            if !fragment.is_empty() && *draft <= Draft::Draft7 {
                self.anchors.insert((address.clone(), fragment.to_owned()), node);
            }
        }
        if *draft >= Draft::Draft2019
            && let Some(name) = tree.get_text(node, "$anchor")
        {
            self.anchors.insert((address.clone(), name.to_owned()), node);
        }
        if *draft >= Draft::Draft2020
            && let Some(name) = tree.get_text(node, "$dynamicAnchor")
        {
            self.anchors.insert((address.clone(), name.to_owned()), node);
            self.dynamic.entry(address.clone()).or_default().insert(name.to_owned(), node);
        }
        if *draft == Draft::Draft2019 && tree.is_true(node, "$recursiveAnchor") {
            self.dynamic.entry(address.clone()).or_default().insert(String::new(), node);
        }
        Ok(())
    }

    /// The address of the resource that the node is in, and its draft.
    pub fn resource(&self, tree: &Tree, node: NodeId) -> (&str, Draft) {
        let mut at = Some(node);
        while let Some(here) = at {
            if let Some((address, draft)) = self.begins.get(&here) {
                return (address, *draft);
            }
            at = tree.parent(here);
        }
        ("", Draft::Draft2020)
    }
    pub fn dynamic_names(&self, address: &str) -> Option<&BTreeMap<String, NodeId>> {
        self.dynamic.get(address)
    }
    pub fn is_dynamic(&self) -> bool {
        !self.dynamic.is_empty()
    }

    /// Follows the reference that is the text of a node.
    pub fn follow(&self, tree: &Tree, node: NodeId, reference: &str) -> Result<Target, ReadError> {
        let (base, _) = self.resource(tree, node);
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let address = if document.is_empty() { base.to_owned() } else { resolved(base, document) };
        let Some(root) = self.resources.get(&address).copied() else {
            let what = format!("{reference:?} refers to {address:?}, which was not given; nothing is fetched, so give it as a resource");
            return Err(wrong(tree, node, what));
        };
        let fragment = decoded(fragment);
        if fragment.is_empty() {
            let dynamic = self.dynamic.get(&address).and_then(|names| names.get("")).map(|_| String::new());
            return Ok(Target { node: root, dynamic });
        }
        if fragment.starts_with('/') {
            return match pointed(tree, root, &fragment) {
                Some(node) => Ok(Target { node, dynamic: None }),
                None => Err(wrong(tree, node, format!("{reference:?} points to nothing"))),
            };
        }
        match self.anchors.get(&(address.clone(), fragment.clone())) {
            Some(found) => {
                let dynamic = self.dynamic.get(&address).is_some_and(|names| names.contains_key(&fragment));
                Ok(Target { node: *found, dynamic: dynamic.then_some(fragment) })
            }
            None => Err(wrong(tree, node, format!("{reference:?} names no anchor"))),
        }
    }
}

/// The draft that a schema names by `$schema`.
pub fn draft_of(tree: &Tree, node: NodeId) -> Result<Option<Draft>, ReadError> {
    let Some(named) = tree.get(node, "$schema") else { return Ok(None) };
    match tree.text(named).and_then(Draft::of_uri) {
        Some(draft) => Ok(Some(draft)),
        None => Err(wrong(tree, named, "expected the $schema of draft 4, 6, 7, 2019-09 or 2020-12; for another one, say the draft")),
    }
}

fn pointed(tree: &Tree, root: NodeId, pointer: &str) -> Option<NodeId> {
    let mut node = root;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        node = match tree.kind(node) {
            Kind::Map => tree.get(node, &step)?,
            Kind::List => *tree.items(node).get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(node)
}

/// Percent-decoding of a fragment.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = fragment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn scheme(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    let right = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    right.then_some(scheme)
}

/// Scheme and authority, with what follows.
fn split(address: &str) -> (&str, &str) {
    let behind_scheme = scheme(address).map_or(0, |scheme| scheme.len() + 1);
    let rest = address.get(behind_scheme..).unwrap_or_default();
    let behind = match rest.strip_prefix("//") {
        Some(authority) => behind_scheme + 2 + authority.find('/').unwrap_or(authority.len()),
        None => behind_scheme,
    };
    address.split_at(behind)
}

/// A reference without fragment against a base (RFC 3986, section 5.2).
fn resolved(base: &str, reference: &str) -> String {
    if scheme(reference).is_some() {
        return normal(reference);
    }
    let (head, path) = split(base);
    if reference.starts_with("//") {
        return format!("{}:{reference}", scheme(base).unwrap_or("https"));
    }
    if reference.starts_with('/') {
        return normal(&format!("{head}{reference}"));
    }
    let folder = path.rfind('/').map_or("", |end| path.get(..=end).unwrap_or_default());
    let folder = if folder.is_empty() && head.contains("//") { "/" } else { folder };
    normal(&format!("{head}{folder}{reference}"))
}

/// Without dot segments and without an empty fragment.
fn normal(address: &str) -> String {
    let address = address.trim_end_matches('#');
    let (head, path) = split(address);
    if !path.contains("./") && !path.ends_with("/.") && !path.ends_with("/..") {
        return address.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." if kept.last().is_some_and(|last| !last.is_empty() && *last != "..") => _ = kept.pop(),
            ".." if kept.first() == Some(&"") => {}
            other => kept.push(other),
        }
    }
    format!("{head}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_rfc_3986_says() {
        for (base, reference, whole) in [
            ("https://example.org/a/b.json", "c.json", "https://example.org/a/c.json"),
            ("https://example.org/a/b.json", "../c.json", "https://example.org/c.json"),
            ("https://example.org/a/b.json", "/c.json", "https://example.org/c.json"),
            ("https://example.org", "c.json", "https://example.org/c.json"),
            ("https://example.org/a/", "https://other.org/x#", "https://other.org/x"),
            ("https://example.org/a/b", "//other.org/x", "https://other.org/x"),
            ("schemas/a.json", "b.json", "schemas/b.json"),
            ("schemas/a.json", "./sub/../b.json", "schemas/b.json"),
            ("a.json", "../b.json", "../b.json"),
            ("/abs/a.json", "../../../b.json", "/b.json"),
            ("urn:example:a", "urn:example:b", "urn:example:b"),
        ] {
            assert_eq!(resolved(base, reference), whole, "{base} {reference}");
        }
        assert_eq!(decoded("/a%25b/%7e1c%zz"), "/a%b/~1c%zz");
    }
}

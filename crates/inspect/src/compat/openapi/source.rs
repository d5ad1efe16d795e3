//! A description of an API: its files, and where every `$ref` leads.
//!
//! Files are handed in; [`Loading`] says which are still wanted. Nothing is followed out of the folder of the main file or
//! to another host unless somebody allowed that very address.

use crate::document::{Kind, NodeId, ReadError, Tree};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// References that only lead to references are followed this often.
const HOPS_MAX: usize = 64;
/// Files of one description.
pub const FILES_MAX: usize = 2_000;

/// A schema, or several of which all hold. See [`Spec::join`].
pub(super) type Conj = u32;
/// The schema that every value fits.
pub(super) const ANY: Conj = u32::MAX;
/// The schema that no value fits.
pub(super) const NEVER: Conj = u32::MAX - 1;
const SEVERAL: Conj = 1 << 31;

/// One schema of several; `bare`: without its `oneOf` and `anyOf`; `nullable`: null fits, too, by what stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Member {
    pub node: NodeId,
    pub bare: bool,
    pub nullable: bool,
}

impl Member {
    pub fn of(node: NodeId) -> Self {
        Self { node, bare: false, nullable: false }
    }
}

#[derive(Debug, Default)]
struct Joined {
    lists: Vec<Box<[Member]>>,
    known: HashMap<Box<[Member]>, Conj>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V30,
    /// 3.1 and later: schemas are JSON Schema 2020-12.
    V31,
}

/// A complete description.
#[derive(Debug)]
pub struct Spec {
    pub(super) tree: Tree,
    pub(super) root: NodeId,
    pub(super) version: Version,
    targets: HashMap<NodeId, Result<NodeId, String>>,
    /// Every node with a reference, and the file from which it is resolved.
    references: Vec<(NodeId, String)>,
    digests: Vec<u128>,
    joined: RefCell<Joined>,
}

/// A description whose files are still being read.
#[derive(Debug)]
pub struct Loading {
    tree: Tree,
    main: String,
    /// The main file's path in the folder.
    own: String,
    root: NodeId,
    version: Version,
    /// Path or address -> root.
    files: BTreeMap<String, NodeId>,
    missing: BTreeMap<String, String>,
    wanted: BTreeSet<String>,
    allowed: BTreeSet<String>,
    /// Nodes with a `$ref`, and the file they are in.
    references: Vec<(NodeId, String)>,
}

/// Where a reference leads: the file's path or address, and the fragment.
enum Target {
    File(String, String),
    Refused(String),
}

impl Loading {
    /// Begins with the main file. `name` is how findings call it, `path` its path in the folder that references may not
    /// leave. `allowed` are addresses whose bytes will be handed in.
    pub fn begin(name: &str, path: &str, bytes: &[u8], allowed: impl IntoIterator<Item = String>) -> Result<Self, ReadError> {
        let mut tree = Tree::new();
        let root = tree.read(name, bytes)?;
        let version = version(&tree, root, name)?;
        let mut loading = Self {
            tree,
            main: name.to_owned(),
            own: path.to_owned(),
            root,
            version,
            files: BTreeMap::new(),
            missing: BTreeMap::new(),
            wanted: BTreeSet::new(),
            allowed: allowed.into_iter().collect(),
            references: Vec::new(),
        };
        loading.files.insert(path.to_owned(), root);
        loading.collect(path, root);
        Ok(loading)
    }

    /// A file that is wanted: its path in the folder, or an allowed address.
    pub fn wanted(&self) -> Option<&str> {
        self.wanted.first().map(String::as_str)
    }
    /// Hands in a wanted file, or says why there is none. `name` is how findings call it.
    pub fn supply(&mut self, path: &str, name: &str, bytes: Result<&[u8], String>) -> Result<(), ReadError> {
        if !self.wanted.remove(path) {
            return Ok(());
        }
        if self.files.len() >= FILES_MAX {
            return Err(ReadError {
                file: self.main.clone(),
                line: 1,
                what: format!("its references lead to more than {FILES_MAX} files"),
            });
        }
        match bytes {
            Ok(bytes) => {
                let root = self.tree.read(name, bytes)?;
                self.files.insert(path.to_owned(), root);
                self.collect(path, root);
            }
            Err(why) => {
                self.missing.insert(path.to_owned(), why);
            }
        }
        Ok(())
    }

    /// Finds the references in a file.
    fn collect(&mut self, path: &str, root: NodeId) {
        let mut open = vec![root];
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        while let Some(node) = open.pop() {
            // What several aliases stand for is looked at once; without aliases every node has one parent.
            if self.tree.is_shared() && !seen.insert(node) {
                continue;
            }
            match self.tree.kind(node) {
                Kind::Map => {
                    if let Some(reference) = reference(&self.tree, node) {
                        self.references.push((node, path.to_owned()));
                        if let Target::File(file, _) = self.target(path, reference) {
                            wanted.push(file);
                        }
                    }
                    open.extend(self.tree.entries(node).map(|(_, value)| value).filter(|value| !self.tree.is_empty(*value)));
                }
                Kind::List => open.extend(self.tree.items(node).iter().filter(|value| !self.tree.is_empty(**value))),
                _ => {}
            }
        }
        for file in wanted {
            if !self.files.contains_key(&file) && !self.missing.contains_key(&file) {
                self.wanted.insert(file);
            }
        }
    }

    fn target(&self, from: &str, reference: &str) -> Target {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if path.is_empty() {
            return Target::File(from.to_owned(), fragment.to_owned());
        }
        if self.allowed.contains(path) {
            return Target::File(path.to_owned(), fragment.to_owned());
        }
        if path.contains("://") || path.starts_with("//") || path.starts_with("urn:") {
            return Target::Refused(format!("leads to {path}, which is not fetched; hand it in with --allow-ref {path}=FILE"));
        }
        if path.starts_with(['/', '\\']) || path.contains('\\') || path.as_bytes().get(1) == Some(&b':') {
            return Target::Refused(format!("leads to {path}; expected a path relative to the file"));
        }
        // A file that was handed in for an address has neighbours at that address.
        let address = from.contains("://");
        let (scheme, folder) = match from.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), from),
        };
        let mut steps: Vec<&str> = folder.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
        for step in path.split('/') {
            match step {
                "" | "." => {}
                ".." => {
                    if steps.pop().is_none() {
                        return Target::Refused(format!("leads to {path}, outside the folder that holds {}", self.main));
                    }
                }
                step => steps.push(step),
            }
        }
        let file = scheme + &steps.join("/");
        if address && !self.allowed.contains(&file) {
            return Target::Refused(format!("leads to {file}, which is not fetched; hand it in with --allow-ref {file}=FILE"));
        }
        Target::File(file, fragment.to_owned())
    }

    /// Resolves every reference. One that leads nowhere is an error only where it is followed.
    pub fn finish(self) -> Spec {
        let mut anchors: HashMap<NodeId, HashMap<String, NodeId>> = HashMap::new();
        let mut targets = HashMap::new();
        for (node, file) in &self.references {
            let Some(reference) = reference(&self.tree, *node) else { continue };
            let target = match self.target(file, reference) {
                Target::Refused(why) => Err(format!("$ref {reference:?} {why}")),
                Target::File(path, fragment) => match self.files.get(&path) {
                    None => Err(format!("$ref {reference:?}: {}", self.missing.get(&path).map_or("the file was not read", String::as_str))),
                    Some(root) => resolve(&self.tree, *root, &fragment, &mut anchors)
                        .ok_or_else(|| format!("$ref {reference:?} leads nowhere; expected something at {fragment:?}")),
                },
            };
            targets.insert(*node, target);
        }
        // Whatever the main files are called, they are each other's counterpart.
        let mut references = self.references;
        references.iter_mut().filter(|one| one.1 == self.own).for_each(|one| one.1.clear());
        let from: HashMap<NodeId, u64> = references.iter().map(|(node, file)| (*node, short_hash(file))).collect();
        let digests = self.tree.digests(|node| from.get(&node).copied());
        Spec { tree: self.tree, root: self.root, version: self.version, targets, references, digests, joined: RefCell::default() }
    }
}

/// The text of a node's `$ref` or `$dynamicRef`. In `properties` a member of this name is a schema, and no text.
fn reference(tree: &Tree, node: NodeId) -> Option<&str> {
    tree.get_text(node, "$ref").or_else(|| tree.get_text(node, "$dynamicRef"))
}

fn short_hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn version(tree: &Tree, root: NodeId, name: &str) -> Result<Version, ReadError> {
    let error = |line: u32, what: String| Err(ReadError { file: name.to_owned(), line, what });
    if let Some(swagger) = tree.get(root, "swagger") {
        let what = "Swagger 2.0 is not read; expected OpenAPI 3.0, 3.1 or 3.2 (convert it first, for example with swagger2openapi)";
        return error(tree.line(swagger), what.to_owned());
    }
    let Some(version) = tree.get(root, "openapi") else {
        return error(1, "expected an OpenAPI description with `openapi: 3.x` at its top".to_owned());
    };
    let text = tree.scalar(version).unwrap_or_default();
    let mut parts = text.split('.');
    match (parts.next(), parts.next()) {
        (Some("3"), Some("0")) => Ok(Version::V30),
        (Some("3"), Some("1" | "2")) => Ok(Version::V31),
        _ => error(tree.line(version), format!("OpenAPI {text:?} is not read; expected 3.0, 3.1 or 3.2")),
    }
}

/// Follows a fragment: a JSON pointer (RFC 6901, percent-encoded), or an `$anchor`.
fn resolve(tree: &Tree, root: NodeId, fragment: &str, anchors: &mut HashMap<NodeId, HashMap<String, NodeId>>) -> Option<NodeId> {
    if fragment.is_empty() {
        return Some(root);
    }
    let Some(pointer) = fragment.strip_prefix('/') else {
        let named = anchors.entry(root).or_insert_with(|| named(tree, root));
        return named.get(fragment).copied();
    };
    let mut at = root;
    for step in pointer.split('/') {
        let decoded = if step.contains('%') { percent_decoded(step) } else { step.to_owned() };
        let step = if decoded.contains('~') { decoded.replace("~1", "/").replace("~0", "~") } else { decoded };
        at = match tree.kind(at) {
            Kind::Map => tree.get(at, &step)?,
            Kind::List => *tree.items(at).get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `$anchor` and `$dynamicAnchor` of a file.
fn named(tree: &Tree, root: NodeId) -> HashMap<String, NodeId> {
    let mut found = HashMap::new();
    let mut open = vec![root];
    let mut budget = 4_000_000usize;
    while let (Some(node), true) = (open.pop(), budget > 0) {
        budget -= 1;
        for key in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = tree.get_text(node, key) {
                found.entry(name.to_owned()).or_insert(node);
            }
        }
        open.extend(tree.entries(node).map(|(_, value)| value));
        open.extend_from_slice(tree.items(node));
    }
    found
}

impl Spec {
    /// A digest of what a node holds, references as they are written.
    pub(super) fn digest(&self, node: NodeId) -> u128 {
        self.digests.get(node as usize).copied().unwrap_or_default()
    }
    /// References by the file they start from and their text, with their targets.
    pub(super) fn references(&self) -> impl Iterator<Item = ((&str, &str), NodeId, Option<NodeId>)> {
        self.references.iter().filter_map(|(node, file)| {
            let text = reference(&self.tree, *node)?;
            Some(((file.as_str(), text), *node, self.targets.get(node).and_then(|target| target.as_ref().ok().copied())))
        })
    }
    /// Past references, to what they stand for.
    pub(super) fn follow(&self, node: NodeId) -> Result<NodeId, ReadError> {
        let mut at = node;
        for _ in 0..HOPS_MAX {
            match self.targets.get(&at) {
                None => return Ok(at),
                Some(Ok(target)) => at = *target,
                Some(Err(why)) => return Err(self.error(at, why.clone())),
            }
        }
        Err(self.error(node, "a $ref that only leads to other references".to_owned()))
    }
    /// The first reference that leads nowhere.
    pub fn dangling(&self) -> Option<ReadError> {
        self.references.iter().find_map(|(node, _)| self.targets.get(node)?.as_ref().err().map(|why| self.error(*node, why.clone())))
    }
    /// Where a node's own `$ref` leads.
    pub(super) fn target(&self, node: NodeId) -> Option<Result<NodeId, ReadError>> {
        self.targets.get(&node).map(|target| target.clone().map_err(|why| self.error(node, why)))
    }
    /// The last part of a node's `$ref`: the name people know the target by.
    pub(super) fn reference_name(&self, node: NodeId) -> Option<&str> {
        let text = reference(&self.tree, node)?;
        text.rsplit(['/', '#']).next()
    }
    pub(super) fn error(&self, node: NodeId, what: String) -> ReadError {
        ReadError { file: self.tree.file(node).to_owned(), line: self.tree.line(node), what }
    }
    /// A member of a map, with references followed.
    pub(super) fn part(&self, node: NodeId, key: &str) -> Result<Option<NodeId>, ReadError> {
        self.tree.get(node, key).map(|part| self.follow(part)).transpose()
    }

    /// The schema that holds where all of these do.
    pub(super) fn join(&self, members: &[Member]) -> Conj {
        if let [Member { node, bare: false, nullable: false }] = members {
            return *node;
        }
        let mut list = members.to_vec();
        list.sort_unstable();
        list.dedup();
        if let [Member { node, bare: false, nullable: false }] = list.as_slice() {
            return *node;
        }
        let list = list.into_boxed_slice();
        let mut joined = self.joined.borrow_mut();
        if let Some(known) = joined.known.get(&list) {
            return *known;
        }
        let conj = SEVERAL | joined.lists.len() as u32;
        joined.lists.push(list.clone());
        joined.known.insert(list, conj);
        conj
    }
    pub(super) fn members(&self, conj: Conj) -> Vec<Member> {
        match conj {
            ANY | NEVER => Vec::new(),
            conj if conj & SEVERAL == 0 => vec![Member::of(conj)],
            conj => self.joined.borrow().lists.get((conj ^ SEVERAL) as usize).map(|list| list.to_vec()).unwrap_or_default(),
        }
    }
    /// Both schemas at once.
    pub(super) fn both(&self, one: Conj, other: Conj) -> Conj {
        match (one, other) {
            (ANY, conj) | (conj, ANY) => conj,
            (NEVER, _) | (_, NEVER) => NEVER,
            (one, other) if one == other => one,
            (one, other) => {
                let mut members = self.members(one);
                members.extend(self.members(other));
                self.join(&members)
            }
        }
    }
}

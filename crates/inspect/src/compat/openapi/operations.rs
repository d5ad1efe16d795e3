//! Paths, operations, callbacks and webhooks: what may be asked, and with which parts.

use super::compare::{Comparison, Edge, Found, Side};
use super::lifecycle::{self, Day};
use super::security;
use super::source::Spec;
use crate::document::{NodeId, ReadError};
use crate::finding::Severity::{Breaking, Info, Risky};
use std::collections::{BTreeMap, HashMap};

/// Operations of one description, callbacks included.
pub const OPERATIONS_MAX: usize = 100_000;
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// An operation of both sides, and what was found at it.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// `GET /pets/{id}`.
    pub name: String,
    pub found: Vec<Found>,
    /// The schemas compared for it.
    pub roots: Vec<Edge>,
    /// Draft or alpha in the base: nobody was promised anything.
    pub unpromised: bool,
}

/// Node of an operation on either side, with its path item.
#[derive(Clone, Copy)]
pub(super) struct Half {
    pub item: NodeId,
    pub operation: NodeId,
}

/// An operation being compared.
pub(super) struct Task<'t> {
    pub base: Half,
    pub revision: Half,
    /// Names of the path's parameters in their order.
    pub path_names: (Vec<&'t str>, Vec<&'t str>),
    /// Whether clients send the request. In webhooks and callbacks they receive it.
    pub inbound: bool,
    pub today: Option<Day>,
    pub into: &'t mut Operation,
}

/// A path template with its parameters' names taken out, and the names.
fn template(path: &str) -> (String, Vec<&str>) {
    let (mut shape, mut names, mut rest) = (String::with_capacity(path.len()), Vec::new(), path);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, next)) = after.split_once('}') else { break };
        shape.push_str(before);
        shape.push_str("{}");
        names.push(name);
        rest = next;
    }
    shape.push_str(rest);
    (shape, names)
}

pub(super) struct Judge<'c, 'a> {
    pub compare: &'c mut Comparison<'a>,
    pub today: Option<Day>,
    pub operations: Vec<Operation>,
    /// What belongs to no operation.
    pub loose: Vec<Found>,
}

impl<'a> Judge<'_, 'a> {
    pub fn all(&mut self) -> Result<(), ReadError> {
        let (base, revision) = (self.compare.base, self.compare.revision);
        self.paths()?;
        self.hooks("webhooks", (base.root, revision.root), "")?;
        self.loose.extend(security::schemes(base, revision)?);
        self.loose.extend(servers(base, revision));
        Ok(())
    }

    fn paths(&mut self) -> Result<(), ReadError> {
        let (base, revision) = (self.compare.base, self.compare.revision);
        let (old, new) = (base.part(base.root, "paths")?, revision.part(revision.root, "paths")?);
        let list = |spec: &'a Spec, node: Option<NodeId>| -> Vec<(&'a str, NodeId)> {
            node.into_iter().flat_map(|node| spec.tree.entries(node)).filter(|entry| entry.0.starts_with('/')).collect()
        };
        let (old_paths, new_paths) = (list(base, old), list(revision, new));
        let mut by_shape: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, (path, _)) in new_paths.iter().enumerate() {
            by_shape.entry(template(path).0).or_default().push(place);
        }
        let mut met = vec![false; new_paths.len()];
        for (path, item) in &old_paths {
            let (shape, names) = template(path);
            let places = by_shape.get(&shape).map(Vec::as_slice).unwrap_or_default();
            let same = |place: &&usize| new_paths.get(**place).is_some_and(|other| other.0 == *path);
            let partner = places.iter().find(same).or_else(|| places.iter().find(|place| met.get(**place) == Some(&false))).copied();
            let Some((place, (new_path, new_item))) = partner.and_then(|place| new_paths.get(place).map(|one| (place, *one))) else {
                self.path_removed(path, *item, new.unwrap_or(revision.root))?;
                continue;
            };
            if let Some(met) = met.get_mut(place) {
                *met = true;
            }
            let new_names = template(new_path).1;
            self.items(path, (base.follow(*item)?, revision.follow(new_item)?), (names, new_names), true, 0)?;
        }
        for ((path, item), _) in new_paths.iter().zip(met).filter(|(_, met)| !met) {
            let item = revision.follow(*item)?;
            for (method, node) in methods(revision, item)? {
                self.endpoint_added(&format!("{method} {path}"), node);
            }
        }
        Ok(())
    }
    fn endpoint_added(&mut self, name: &str, node: NodeId) {
        let found = vec![Found::new("endpoint-added", Info, (Side::Revision, node), "The operation is new.")];
        self.operations.push(Operation { name: name.to_owned(), found, ..Operation::default() });
    }
    fn path_removed(&mut self, path: &str, item: NodeId, place: NodeId) -> Result<(), ReadError> {
        let base = self.compare.base;
        for (method, node) in methods(base, base.follow(item)?)? {
            let rules = ["api-path-removed-without-deprecation", "api-path-removed-with-deprecation", "api-path-removed-before-sunset"];
            let found = lifecycle::removed((base, node), (Side::Revision, place), self.today, "The path", rules);
            self.operations.push(Operation {
                name: format!("{method} {path}"),
                found: vec![found],
                roots: Vec::new(),
                unpromised: lifecycle::promises_nothing(base, node),
            });
        }
        Ok(())
    }

    fn items(
        &mut self,
        path: &str,
        items: (NodeId, NodeId),
        names: (Vec<&str>, Vec<&str>),
        inbound: bool,
        depth: u8,
    ) -> Result<(), ReadError> {
        let (base, revision) = (self.compare.base, self.compare.revision);
        let (old, new) = (methods(base, items.0)?, methods(revision, items.1)?);
        for (method, node) in &old {
            let name = format!("{method} {path}");
            let mut into = Operation { name, unpromised: lifecycle::promises_nothing(base, *node), ..Operation::default() };
            let Some((_, other)) = new.iter().find(|one| one.0 == *method) else {
                let rules = ["api-removed-without-deprecation", "api-removed-with-deprecation", "api-removed-before-sunset"];
                into.found.push(lifecycle::removed((base, *node), (Side::Revision, items.1), self.today, "The operation", rules));
                self.operations.push(into);
                continue;
            };
            if self.operations.len() >= OPERATIONS_MAX {
                return Err(revision.error(*other, format!("more than {OPERATIONS_MAX} operations")));
            }
            into.found.extend(lifecycle::operation((base, *node), (revision, *other), self.today));
            into.found.extend(identity((base, *node), (revision, *other)));
            if inbound {
                into.found.extend(security::operation((base, *node), (revision, *other))?);
            }
            let mut task = Task {
                base: Half { item: items.0, operation: *node },
                revision: Half { item: items.1, operation: *other },
                path_names: names.clone(),
                inbound,
                today: self.today,
                into: &mut into,
            };
            self.compare.parameters(&mut task)?;
            self.compare.request_body(&mut task)?;
            self.compare.responses(&mut task)?;
            let name = into.name.clone();
            self.operations.push(into);
            if depth == 0 {
                self.hooks("callbacks", (*node, *other), &name)?;
            }
        }
        for (method, node) in new.iter().filter(|one| !old.iter().any(|other| other.0 == one.0)) {
            self.endpoint_added(&format!("{method} {path}"), *node);
        }
        Ok(())
    }

    /// Webhooks of a description, or callbacks of an operation: there the API asks and the client answers.
    fn hooks(&mut self, key: &str, owners: (NodeId, NodeId), name: &str) -> Result<(), ReadError> {
        let (base, revision) = (self.compare.base, self.compare.revision);
        let (old, new) = (base.part(owners.0, key)?, revision.part(owners.1, key)?);
        let word = if key == "webhooks" { "webhook" } else { "callback" };
        let mut come: BTreeMap<&str, NodeId> = new.into_iter().flat_map(|node| revision.tree.entries(node)).collect();
        for (hook, node) in old.into_iter().flat_map(|node| base.tree.entries(node)) {
            let title = if name.is_empty() { format!("{word} {hook}") } else { format!("{word} {hook} of {name}") };
            let Some(other) = come.remove(hook) else {
                let place = (Side::Revision, new.unwrap_or(owners.1));
                let found = vec![Found::new(format!("{word}-removed"), Breaking, place, format!("The {word} was removed."))];
                self.operations.push(Operation { name: title, found, ..Operation::default() });
                continue;
            };
            let (before, after) = (base.follow(node)?, revision.follow(other)?);
            if word == "webhook" {
                self.items(&title, (before, after), (Vec::new(), Vec::new()), false, 1)?;
                continue;
            }
            // A callback maps expressions, in place of paths, to path items.
            for (expression, item) in base.tree.entries(before) {
                match revision.tree.get(after, expression) {
                    Some(other) => {
                        let items = (base.follow(item)?, revision.follow(other)?);
                        self.items(&title, items, (Vec::new(), Vec::new()), false, 1)?;
                    }
                    None if expression.starts_with("x-") => {}
                    None => {
                        let message = format!("The address {expression:?} that is called back was removed or changed.");
                        let found = vec![Found::new("callback-address-changed", Breaking, (Side::Revision, after), message)];
                        self.operations.push(Operation { name: title.clone(), found, ..Operation::default() });
                    }
                }
            }
        }
        for (hook, node) in come {
            let title = if name.is_empty() { format!("{word} {hook}") } else { format!("{word} {hook} of {name}") };
            let found = vec![Found::new(format!("{word}-added"), Info, (Side::Revision, node), format!("The {word} is new."))];
            self.operations.push(Operation { name: title, found, ..Operation::default() });
        }
        Ok(())
    }
}

/// Methods of a path item with their operations.
pub(super) fn methods(spec: &Spec, item: NodeId) -> Result<Vec<(String, NodeId)>, ReadError> {
    let mut found = Vec::new();
    for method in METHODS {
        if let Some(node) = spec.part(item, method)? {
            found.push((method.to_uppercase(), node));
        }
    }
    // 3.2: methods without a field of their own.
    if let Some(more) = spec.tree.get(item, "additionalOperations") {
        for (method, node) in spec.tree.entries(more) {
            found.push((method.to_owned(), spec.follow(node)?));
        }
    }
    Ok(found)
}

/// Names by which generated clients and documentation know an operation.
fn identity(base: (&Spec, NodeId), revision: (&Spec, NodeId)) -> Vec<Found> {
    let mut found = Vec::new();
    let id = |side: (&Spec, NodeId)| {
        side.0.tree.get(side.1, "operationId").and_then(|node| side.0.tree.scalar(node).map(|id| (id.to_owned(), node)))
    };
    let place = |node: Option<NodeId>| (Side::Revision, node.unwrap_or(revision.1));
    match (id(base), id(revision)) {
        (Some((was, _)), is) if is.as_ref().is_none_or(|is| is.0 != was) => {
            let now = is.as_ref().map_or("none".to_owned(), |is| is.0.clone());
            let message = format!("The operationId was {was}, is {now}: generated clients call it by that name.");
            found.push(Found::new("api-operation-id-removed", Info, place(is.map(|is| is.1)), message));
        }
        (None, Some((is, node))) => {
            found.push(Found::new("api-operation-id-added", Info, place(Some(node)), format!("The operationId {is} was added.")));
        }
        _ => {}
    }
    let tags = |side: (&Spec, NodeId)| -> Vec<String> {
        let list = side.0.tree.get(side.1, "tags");
        list.map(|list| side.0.tree.items(list).iter().filter_map(|tag| side.0.tree.scalar(*tag).map(str::to_owned)).collect())
            .unwrap_or_default()
    };
    let (was, is) = (tags(base), tags(revision));
    for tag in was.iter().filter(|tag| !is.contains(tag)) {
        found.push(Found::new("api-tag-removed", Info, place(None), format!("The tag {tag:?} was removed.")));
    }
    for tag in is.iter().filter(|tag| !was.contains(tag)) {
        found.push(Found::new("api-tag-added", Info, place(None), format!("The tag {tag:?} was added.")));
    }
    found
}

/// Addresses at which the API is said to be.
fn servers(base: &Spec, revision: &Spec) -> Vec<Found> {
    let list = |spec: &Spec| -> Vec<String> {
        let list = spec.tree.get(spec.root, "servers");
        list.map(|list| spec.tree.items(list).iter().filter_map(|one| spec.tree.get_text(*one, "url").map(str::to_owned)).collect())
            .unwrap_or_default()
    };
    let trimmed = |url: &String| url.trim_end_matches('/').to_owned();
    let (was, is) = (list(base), list(revision));
    let (old, new): (Vec<String>, Vec<String>) = (was.iter().map(trimmed).collect(), is.iter().map(trimmed).collect());
    let node = revision.tree.get(revision.root, "servers").unwrap_or(revision.root);
    let mut found = Vec::new();
    for url in old.iter().filter(|url| !new.contains(url)) {
        let message = format!("The server {url:?} is not listed any more; clients that use it may find nothing there.");
        found.push(Found::new("api-server-removed", Risky, (Side::Revision, node), message));
    }
    for url in new.iter().filter(|url| !old.contains(url)) {
        found.push(Found::new("api-server-added", Info, (Side::Revision, node), format!("The server {url:?} was added.")));
    }
    found
}

//! What is sent: parameters, bodies by media type, responses by status, headers.

use super::compare::{Area, Comparison, Edge, Found, Side, Site};
use super::lifecycle;
use super::operations::{Half, Task};
use super::shape::{Types, shape};
use super::source::Spec;
use crate::document::{NodeId, ReadError};
use crate::finding::Severity::{Breaking, Info, Risky};
use std::collections::BTreeMap;

/// A parameter, its place in the request, and its schema's.
#[derive(Clone)]
struct Parameter<'a> {
    location: &'a str,
    name: &'a str,
    node: NodeId,
    /// Declared for all operations of the path.
    shared: bool,
}

/// A media type without its spelling: lower case, parameters sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaType {
    pub essence: String,
    pub parameters: Vec<String>,
}

impl MediaType {
    pub fn read(text: &str) -> Self {
        let mut parts = text.split(';').map(|part| part.trim().to_lowercase());
        let essence = parts.next().unwrap_or_default();
        let mut parameters: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        parameters.sort_unstable();
        Self { essence, parameters }
    }
    /// Numbers and texts are told apart.
    pub fn json(&self) -> bool {
        let family = self.essence.split('/').next_back().unwrap_or_default();
        matches!(family, "json" | "jsonl" | "x-ndjson" | "ndjson" | "json-seq")
            || family.ends_with("+json")
            || family.ends_with("+json-seq")
    }
    /// Whether this range takes in the other (RFC 9110, 12.5.1).
    pub fn takes(&self, other: &MediaType) -> bool {
        let range = self.essence == other.essence
            || self.essence == "*/*"
            || self.essence.strip_suffix("/*").is_some_and(|family| other.essence.split('/').next() == Some(family));
        range && self.parameters.iter().all(|parameter| other.parameters.contains(parameter))
    }
}

impl<'a> Comparison<'a> {
    fn root(&mut self, task: &mut Task<'_>, label: String, base: NodeId, revision: NodeId, site: Site) {
        let to = self.pair(base, revision, site);
        task.into.roots.push(Edge { to, label });
    }

    // ---- parameters ----

    pub(super) fn parameters(&mut self, task: &mut Task<'_>) -> Result<(), ReadError> {
        let old = gather(self.base, task.base, &task.path_names.0)?;
        let new = gather(self.revision, task.revision, &task.path_names.1)?;
        let direction = if task.inbound { "request" } else { "response" };
        for (key, before) in &old {
            match new.get(key) {
                Some(after) => self.parameter(task, before, after)?,
                None if key.0 == "path" => {}
                None => {
                    let what = format!("The {} parameter {:?}", before.location, before.name);
                    let spec = self.base;
                    let place = (Side::Revision, task.revision.operation);
                    let found = if spec.tree.is_true(before.node, "deprecated") {
                        let rules = [
                            "request-parameter-removed",
                            "request-parameter-removed-with-deprecation",
                            "request-parameter-removed-before-sunset",
                        ];
                        let found = lifecycle::removed((spec, before.node), place, task.today, &what, rules);
                        // Deprecated without a day: told as a removed parameter is told.
                        Found { severity: if found.rule == rules[1] { Info } else { found.severity }, ..found }
                    } else {
                        let message = format!("{what} was removed: it may be ignored, or requests with it refused.");
                        Found::new("request-parameter-removed", Risky, place, message)
                    };
                    task.into.found.push(found.going(direction));
                }
            }
        }
        for (key, after) in new.iter().filter(|one| !old.contains_key(one.0)) {
            // The template has as many parameters as before; one that only was not declared is no new one.
            if key.0 == "path" && task.path_names.1.contains(&after.name) {
                continue;
            }
            let required = key.0 == "path" || self.revision.tree.is_true(after.node, "required");
            let what = format!("The {} parameter {:?} is new", after.location, after.name);
            let found = match (key.0.as_str(), required, after.shared) {
                ("path", ..) => Found::new("new-request-path-parameter", Breaking, (Side::Revision, after.node), format!("{what}.")),
                (_, true, shared) => {
                    let rule =
                        if shared { "new-required-request-default-parameter-to-existing-path" } else { "new-required-request-parameter" };
                    Found::new(rule, Breaking, (Side::Revision, after.node), format!("{what} and required: requests of today lack it."))
                        .fix("make it optional, or put it into a new version of the operation")
                }
                (_, false, shared) => {
                    let rule =
                        if shared { "new-optional-request-default-parameter-to-existing-path" } else { "new-optional-request-parameter" };
                    Found::new(rule, Info, (Side::Revision, after.node), format!("{what} and optional."))
                }
            };
            task.into.found.push(found.going(direction));
        }
        Ok(())
    }

    fn parameter(&mut self, task: &mut Task<'_>, before: &Parameter<'a>, after: &Parameter<'a>) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let place = (Side::Revision, after.node);
        let what = format!("The {} parameter {:?}", after.location, after.name);
        let mut found = Vec::new();
        if after.location != "path" {
            match (base.tree.is_true(before.node, "required"), revision.tree.is_true(after.node, "required")) {
                (false, true) => {
                    let message = format!("{what} became required; requests without it are refused.");
                    found.push(Found::new("request-parameter-became-required", Breaking, place, message));
                }
                (true, false) => {
                    found.push(Found::new("request-parameter-became-optional", Info, place, format!("{what} became optional.")))
                }
                _ => {}
            }
        }
        match (base.tree.is_true(before.node, "deprecated"), revision.tree.is_true(after.node, "deprecated")) {
            (false, true) => {
                let sunset = revision.tree.get(after.node, "x-sunset").and_then(|node| revision.tree.scalar(node));
                let (word, severity, message) = lifecycle::told(sunset, task.today);
                let word = if word == "deprecated-sunset-invalid" { "sunset-parse" } else { word };
                found.push(Found::new(format!("request-parameter-{word}"), severity, place, format!("{what}: {message}")));
            }
            (true, false) => {
                found.push(Found::new("request-parameter-reactivated", Info, place, format!("{what} is not deprecated any more.")));
            }
            (true, true) => {
                let sunset =
                    |spec: &Spec, node: NodeId| spec.tree.get(node, "x-sunset").and_then(|node| spec.tree.scalar(node)).map(str::to_owned);
                match (sunset(base, before.node), sunset(revision, after.node)) {
                    (Some(was), None) => {
                        let message = format!("{what} was to go on {was}, and no day is said any more.");
                        found.push(Found::new("request-parameter-sunset-deleted", Breaking, place, message));
                    }
                    (Some(was), Some(is)) if lifecycle::day(&is) < lifecycle::day(&was) => {
                        let message = format!("{what} was to go on {was}, goes on {is}: earlier than announced.");
                        found.push(Found::new("request-parameter-sunset-date-changed-too-small", Breaking, place, message));
                    }
                    _ => {}
                }
            }
            (false, false) => {}
        }
        if base.tree.is_true(before.node, "allowEmptyValue") && !revision.tree.is_true(after.node, "allowEmptyValue") {
            found.push(Found::new(
                "request-parameter-empty-value-forbidden",
                Breaking,
                place,
                format!("{what} may not be empty any more."),
            ));
        }
        if base.tree.is_true(before.node, "allowReserved") && !revision.tree.is_true(after.node, "allowReserved") {
            found.push(Found::new("request-parameter-reserved-forbidden", Risky, place, format!("{what} must be percent-encoded now.")));
        }
        self.parameter_schema(task, before, after, &what, &mut found)?;
        let direction = if task.inbound { "request" } else { "response" };
        task.into.found.extend(found.into_iter().map(|found| found.going(direction)));
        Ok(())
    }

    fn parameter_schema(
        &mut self,
        task: &mut Task<'_>,
        before: &Parameter<'a>,
        after: &Parameter<'a>,
        what: &str,
        found: &mut Vec<Found>,
    ) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let contents = |spec: &'a Spec, node: NodeId| spec.tree.get(node, "content").and_then(|content| spec.tree.entries(content).next());
        let (old, new) = (contents(base, before.node), contents(revision, after.node));
        let place = (Side::Revision, after.node);
        let mut json = false;
        let (one, other) = match (old, new) {
            (Some((was, old)), Some((is, new))) => {
                json = MediaType::read(is).json();
                if MediaType::read(was) != MediaType::read(is) {
                    let message = format!("{what} was written as {was}, is written as {is}.");
                    found.push(Found::new("request-parameter-style-changed", Breaking, place, message));
                }
                (base.tree.get(old, "schema"), revision.tree.get(new, "schema"))
            }
            (None, None) => (base.tree.get(before.node, "schema"), revision.tree.get(after.node, "schema")),
            _ => {
                let message = format!("{what} is written in another way: as a media type on one side, by a style on the other.");
                found.push(Found::new("request-parameter-style-changed", Breaking, place, message));
                return Ok(());
            }
        };
        let (style_before, style_after) = (style(base, before), style(revision, after));
        let collection = |spec: &'a Spec, schema: Option<NodeId>| -> Result<bool, ReadError> {
            let Some(schema) = schema else { return Ok(false) };
            let shape = shape(spec, schema)?;
            Ok(shape.typed.is_some() && shape.types.meets(Types::ARRAY.or(Types::OBJECT)))
        };
        let several = collection(base, one)? && collection(revision, other)?;
        let differs =
            style_before.0 != style_after.0 && (several || after.location == "path") || several && style_before.1 != style_after.1;
        if differs && old.is_none() {
            let words = |style: (&str, bool)| format!("{}{}", style.0, if style.1 { ", exploded" } else { "" });
            let message = format!("{what} was written in the style {}, is written in {}.", words(style_before), words(style_after));
            found.push(Found::new("request-parameter-style-changed", Breaking, place, message));
        }
        let area = match (task.inbound, after.location) {
            (true, "header") => Area::HeaderParameter,
            (true, _) => Area::Parameter,
            (false, _) => Area::ResponseHeader,
        };
        let site = Site { area, textual: !json, repeated: style_before == ("form", true) && style_after == ("form", true) };
        let label = format!("{} parameter {}", after.location, after.name);
        match (one, other) {
            (Some(one), Some(other)) => self.root(task, label, one, other, site),
            (None, Some(other)) => self.root(task, label, super::source::ANY, other, site),
            (Some(one), None) => self.root(task, label, one, super::source::ANY, site),
            (None, None) => {}
        }
        Ok(())
    }

    // ---- bodies ----

    pub(super) fn request_body(&mut self, task: &mut Task<'_>) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let (old, new) = (base.part(task.base.operation, "requestBody")?, revision.part(task.revision.operation, "requestBody")?);
        let direction = if task.inbound { "request" } else { "response" };
        let (old, new) = match (old, new) {
            (None, None) => return Ok(()),
            (None, Some(node)) => {
                let place = (Side::Revision, node);
                let found = if revision.tree.is_true(node, "required") {
                    Found::new("request-body-added-required", Breaking, place, "A request body is required, where there was none.")
                } else {
                    Found::new("request-body-added-optional", Info, place, "A request body may be sent, where there was none.")
                };
                task.into.found.push(found.going(direction));
                return Ok(());
            }
            (Some(_), None) => {
                let place = (Side::Revision, task.revision.operation);
                let message = "The request body was removed: what is sent in it has no effect, or is refused.";
                task.into.found.push(Found::new("request-body-removed", Breaking, place, message).going(direction));
                return Ok(());
            }
            (Some(old), Some(new)) => (old, new),
        };
        let place = (Side::Revision, new);
        match (base.tree.is_true(old, "required"), revision.tree.is_true(new, "required")) {
            (false, true) => {
                let message = "The request body became required; requests without one are refused.";
                task.into.found.push(Found::new("request-body-became-required", Breaking, place, message).going(direction));
            }
            (true, false) => {
                // Whoever is called back got a body every time.
                let severity = if task.inbound { Info } else { Breaking };
                let message = "The request body became optional.";
                task.into.found.push(Found::new("request-body-became-optional", severity, place, message).going(direction));
            }
            _ => {}
        }
        self.contents(task, old, new, task.inbound, "request body")
    }

    /// Media types of a body. `request`: clients send it.
    fn contents(&mut self, task: &mut Task<'_>, old: NodeId, new: NodeId, request: bool, label: &str) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let list = |spec: &'a Spec, node: NodeId| -> Result<Vec<(&'a str, MediaType, NodeId)>, ReadError> {
            let content = spec.part(node, "content")?;
            let entries = content.into_iter().flat_map(|content| spec.tree.entries(content));
            entries.map(|(name, node)| Ok((name, MediaType::read(name), spec.follow(node)?))).collect()
        };
        let (old, mut new) = (list(base, old)?, list(revision, new)?);
        let direction = if request { "request" } else { "response" };
        let word = |what: &str| if request { format!("request-body-media-type-{what}") } else { format!("response-media-type-{what}") };
        let owner = task.revision.operation;
        let place = |node: Option<NodeId>| (Side::Revision, node.unwrap_or(owner));
        let content = new.first().and_then(|one| revision.tree.parent(one.2));
        let mut left = Vec::new();
        for before in old {
            match new.iter().position(|after| after.1 == before.1) {
                Some(at) => {
                    let after = new.remove(at);
                    self.media(task, &before, &after, request, label)?;
                }
                None => left.push(before),
            }
        }
        for before in left {
            // Another spelling, or a range on one side.
            let fits = new.iter().position(|after| if request { after.1.takes(&before.1) } else { before.1.takes(&after.1) });
            let near =
                fits.or_else(|| new.iter().position(|after| if request { before.1.takes(&after.1) } else { after.1.takes(&before.1) }));
            let found = match near {
                Some(at) => {
                    let Some(after) = new.get(at).cloned() else { continue };
                    self.media(task, &before, &after, request, label)?;
                    let message = format!("The media type was {}, is {}.", before.0, after.0);
                    let (rule, severity) = match (fits.is_some(), request) {
                        (true, _) => (word(if request { "generalized" } else { "name-specialized" }), Info),
                        (false, true) => (word("removed"), Breaking),
                        (false, false) => (word("name-generalized"), Breaking),
                    };
                    new.remove(at);
                    Found::new(rule, severity, place(Some(after.2)), message)
                }
                None => Found::new(word("removed"), Breaking, place(content), format!("The media type {} was removed.", before.0)),
            };
            task.into.found.push(found.going(direction));
        }
        for after in new {
            let message = format!("The media type {} was added.", after.0);
            task.into.found.push(Found::new(word("added"), Info, place(Some(after.2)), message).going(direction));
        }
        Ok(())
    }

    fn media(
        &mut self,
        task: &mut Task<'_>,
        before: &(&'a str, MediaType, NodeId),
        after: &(&'a str, MediaType, NodeId),
        request: bool,
        label: &str,
    ) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let direction = if request { "request" } else { "response" };
        let site = Site::body(request, !(before.1.json() && after.1.json()));
        for key in ["schema", "itemSchema"] {
            let place = (Side::Revision, after.2);
            match (base.tree.get(before.2, key), revision.tree.get(after.2, key)) {
                (Some(one), Some(other)) => self.root(task, format!("{label} {}", after.0), one, other, site),
                (None, Some(other)) => {
                    let severity = if request { Breaking } else { Info };
                    let message = format!("A schema for {} was added.", after.0);
                    let found = Found::new(format!("{direction}-body-media-type-schema-added"), severity, (Side::Revision, other), message);
                    task.into.found.push(found.going(direction));
                }
                (Some(_), None) => {
                    let severity = if request { Info } else { Risky };
                    let message = format!("The schema for {} was removed: anything may be there.", after.0);
                    let found = Found::new(format!("{direction}-body-media-type-schema-removed"), severity, place, message);
                    task.into.found.push(found.going(direction));
                }
                (None, None) => {}
            }
        }
        let encoding =
            |spec: &Spec, node: NodeId| spec.tree.get(node, "encoding").map(|encoding| spec.tree.canonical(encoding)).unwrap_or_default();
        if encoding(base, before.2) != encoding(revision, after.2) {
            let message = "How the parts of the body are written changed; whether both ways are understood is not decided here.";
            let found = Found::new(format!("{direction}-body-encoding-changed"), Risky, (Side::Revision, after.2), message);
            task.into.found.push(found.going(direction));
        }
        Ok(())
    }

    // ---- responses ----

    pub(super) fn responses(&mut self, task: &mut Task<'_>) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let list = |spec: &'a Spec, operation: NodeId| -> Result<Vec<(String, NodeId)>, ReadError> {
            let responses = spec.part(operation, "responses")?;
            let entries = responses.into_iter().flat_map(|node| spec.tree.entries(node)).filter(|entry| !entry.0.starts_with("x-"));
            entries.map(|(status, node)| Ok((status.to_uppercase(), spec.follow(node)?))).collect()
        };
        let (old, new) = (list(base, task.base.operation)?, list(revision, task.revision.operation)?);
        let direction = if task.inbound { "response" } else { "request" };
        let place = revision.part(task.revision.operation, "responses")?.unwrap_or(task.revision.operation);
        for (status, before) in &old {
            if let Some((_, after)) = new.iter().find(|one| one.0 == *status) {
                self.response(task, *before, *after, status)?;
                continue;
            }
            // Said in other words: 200 by 2XX, or 2XX by 200.
            let mut within: Vec<&(String, NodeId)> =
                new.iter().filter(|one| covers(status, &one.0) && !old.iter().any(|known| known.0 == one.0)).collect();
            within.extend(new.iter().find(|one| covers(&one.0, status)));
            for (other, after) in &within {
                self.response(task, *before, *after, other)?;
            }
            if within.is_empty() || within.iter().all(|one| one.0 == "DEFAULT") && success(status) {
                let (rule, severity) = if success(status) {
                    ("response-success-status-removed", Breaking)
                } else {
                    ("response-non-success-status-removed", Info)
                };
                let message = format!("The response {} was removed.", status.to_lowercase());
                task.into.found.push(Found::new(rule, severity, (Side::Revision, place), message).going(direction));
            }
        }
        for (status, after) in &new {
            if old.iter().any(|one| one.0 == *status) {
                continue;
            }
            let general =
                old.iter().find(|one| one.0 != "DEFAULT" && covers(&one.0, status)).or_else(|| old.iter().find(|one| one.0 == "DEFAULT"));
            if let Some((_, before)) = general {
                self.response(task, *before, *after, status)?;
            }
            let rule = if success(status) { "response-success-status-added" } else { "response-non-success-status-added" };
            let message = format!("The response {} was added.", status.to_lowercase());
            task.into.found.push(Found::new(rule, Info, (Side::Revision, *after), message).going(direction));
        }
        Ok(())
    }

    fn response(&mut self, task: &mut Task<'_>, before: NodeId, after: NodeId, status: &str) -> Result<(), ReadError> {
        let label = format!("response {}", status.to_lowercase());
        self.contents(task, before, after, !task.inbound, &label)?;
        self.headers(task, before, after, &label)
    }

    fn headers(&mut self, task: &mut Task<'_>, before: NodeId, after: NodeId, label: &str) -> Result<(), ReadError> {
        let (base, revision) = (self.base, self.revision);
        let list = |spec: &'a Spec, node: NodeId| -> Result<BTreeMap<String, (&'a str, NodeId)>, ReadError> {
            let headers = spec.part(node, "headers")?;
            let entries =
                headers.into_iter().flat_map(|node| spec.tree.entries(node)).filter(|entry| !entry.0.eq_ignore_ascii_case("content-type"));
            entries.map(|(name, node)| Ok((name.to_lowercase(), (name, spec.follow(node)?)))).collect()
        };
        let (old, new) = (list(base, before)?, list(revision, after)?);
        let direction = if task.inbound { "response" } else { "request" };
        for (key, (name, before)) in &old {
            let required = base.tree.is_true(*before, "required");
            let Some((_, node)) = new.get(key) else {
                let (rule, severity) =
                    if required { ("required-response-header-removed", Breaking) } else { ("optional-response-header-removed", Risky) };
                let message = format!("The header {name:?} of the {label} was removed.");
                task.into.found.push(Found::new(rule, severity, (Side::Revision, after), message).going(direction));
                continue;
            };
            if required && !revision.tree.is_true(*node, "required") {
                let message = format!("The header {name:?} of the {label} may be missing now, and was always there.");
                task.into
                    .found
                    .push(Found::new("response-header-became-optional", Breaking, (Side::Revision, *node), message).going(direction));
            }
            if let (Some(one), Some(other)) = (base.tree.get(*before, "schema"), revision.tree.get(*node, "schema")) {
                let area = if task.inbound { Area::ResponseHeader } else { Area::Parameter };
                self.root(task, format!("{label} header {name}"), one, other, Site { area, textual: true, repeated: false });
            }
        }
        for (_, (name, node)) in new.iter().filter(|one| !old.contains_key(one.0)) {
            let message = format!("The header {name:?} of the {label} was added.");
            task.into.found.push(Found::new("response-header-added", Info, (Side::Revision, *node), message).going(direction));
        }
        Ok(())
    }
}

/// Parameters by place and name; those of the operation win over those of the path. In the path, order is the name.
fn gather<'a>(spec: &'a Spec, half: Half, path_names: &[&str]) -> Result<BTreeMap<(String, String), Parameter<'a>>, ReadError> {
    let mut found = BTreeMap::new();
    for (owner, shared) in [(half.item, true), (half.operation, false)] {
        let Some(list) = spec.tree.get(owner, "parameters") else { continue };
        for node in spec.tree.items(list) {
            let node = spec.follow(*node)?;
            let text = |key: &str| spec.tree.get(node, key).and_then(|node| spec.tree.scalar(node)).unwrap_or_default();
            let (location, name) = (text("in"), text("name"));
            let key = match location {
                "path" => path_names.iter().position(|one| *one == name).map_or(name.to_owned(), |place| format!("{{{place}}}")),
                "header" => name.to_lowercase(),
                _ => name.to_owned(),
            };
            // These three are described elsewhere (OpenAPI 3.1, 4.8.12.2).
            if location == "header" && matches!(key.as_str(), "accept" | "content-type" | "authorization") {
                continue;
            }
            found.insert((location.to_owned(), key), Parameter { location, name, node, shared });
        }
    }
    Ok(found)
}

/// Style and whether it is exploded, with the defaults of the specification.
fn style<'a>(spec: &'a Spec, parameter: &Parameter<'a>) -> (&'a str, bool) {
    let default = if matches!(parameter.location, "query" | "cookie") { "form" } else { "simple" };
    let style = spec.tree.get_text(parameter.node, "style").unwrap_or(default);
    let explode = spec.tree.get(parameter.node, "explode").and_then(|node| spec.tree.truth(node)).unwrap_or(style == "form");
    (style, explode)
}

/// Whether a status or range takes in another.
fn covers(range: &str, status: &str) -> bool {
    range != status
        && (range == "DEFAULT" || range.strip_suffix("XX").is_some_and(|family| family.len() == 1 && status.starts_with(family)))
}

fn success(status: &str) -> bool {
    status.starts_with('2')
}

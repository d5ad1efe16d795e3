//! Consumer contracts: does a description allow what consumers said they send and expect? Pact files, specification 2 to 4.
//!
//! Of every HTTP interaction the request must be one that the description answers, and the expected response one that it
//! describes. Expected responses are parts: what the provider sends besides is no matter, but what is expected and not
//! described was not promised. Messages are told and not judged. Matching rules widen what a test takes, not what the
//! consumer wrote down as its example; the example is what is judged.

use super::exchange::MediaType;
use super::router::{Route, Router};
use super::source::{Conj, Spec};
use super::validate::{BUDGET, Misfit, Mode, Validator};
use crate::document::{NodeId, ReadError};
use crate::finding::{Finding, Severity};
use serde_json::{Map, Value};
use std::cell::Cell;

/// Interactions of one file.
const INTERACTIONS_MAX: usize = 100_000;
/// Misfits told of one interaction.
const TOLD_MAX: usize = 20;

/// What became of one file.
#[derive(Debug, Clone)]
pub struct Pact {
    pub consumer: String,
    pub interactions: usize,
    pub met: usize,
    pub findings: Vec<Finding>,
}

/// Verifies every interaction of a Pact file against a description.
pub fn verify(spec: &Spec, name: &str, bytes: &[u8]) -> Result<Pact, ReadError> {
    let error = |line: usize, what: String| ReadError { file: name.to_owned(), line: u32::try_from(line).unwrap_or(u32::MAX), what };
    let value: Value =
        serde_json::from_slice(bytes).map_err(|why| error(why.line().max(1), format!("expected a Pact file (JSON): {why}")))?;
    let Some(interactions) = value.get("interactions").or_else(|| value.get("messages")).and_then(Value::as_array) else {
        return Err(error(1, "expected a Pact file with a list of interactions".to_owned()));
    };
    if interactions.len() > INTERACTIONS_MAX {
        return Err(error(1, format!("more than {INTERACTIONS_MAX} interactions")));
    }
    let consumer = value.pointer("/consumer/name").and_then(Value::as_str).unwrap_or("unnamed").to_owned();
    let router = Router::new(spec)?;
    let mut pact = Pact { consumer, interactions: interactions.len(), met: 0, findings: Vec::new() };
    for interaction in interactions {
        let title = interaction.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut task = Task { spec, router: &router, place: (name, &title), findings: Vec::new() };
        task.interaction(interaction)?;
        let met = task.findings.iter().all(|finding| finding.severity != Severity::Breaking);
        pact.met += usize::from(met);
        let more = |finding: Finding| finding.with("consumer", pact.consumer.as_str()).with("interaction", title.as_str());
        let told: Vec<Finding> = task.findings.drain(..).take(TOLD_MAX).map(more).collect();
        pact.findings.extend(told);
    }
    Ok(pact)
}

struct Task<'t> {
    spec: &'t Spec,
    router: &'t Router,
    /// File and interaction.
    place: (&'t str, &'t str),
    findings: Vec<Finding>,
}

/// A body with its media type.
struct Body<'v> {
    value: std::borrow::Cow<'v, Value>,
    media: String,
}

impl Task<'_> {
    fn say(&mut self, rule: &str, severity: Severity, message: String) {
        let (file, title) = self.place;
        self.findings.push(Finding::new(rule, severity, format!("{title:?}: {message}")).at(file, None));
    }

    fn interaction(&mut self, interaction: &Value) -> Result<(), ReadError> {
        let kind = interaction.get("type").and_then(Value::as_str).unwrap_or("Synchronous/HTTP");
        let (Some(request), Some(response)) = (interaction.get("request"), interaction.get("response")) else {
            self.say("pact-interaction-not-judged", Severity::Info, "no HTTP interaction; it is not judged here.".to_owned());
            return Ok(());
        };
        if kind != "Synchronous/HTTP" {
            self.say("pact-interaction-not-judged", Severity::Info, format!("an interaction of type {kind} is not judged here."));
            return Ok(());
        }
        let word = |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default();
        let (method, path) = (word("method").to_uppercase(), word("path"));
        let Some(route) = self.router.find(&method, path) else {
            self.say("pact-operation-missing", Severity::Breaking, format!("no operation answers {method} {path}."));
            return Ok(());
        };
        let route = route.clone();
        self.parameters(&route, request)?;
        self.request_body(&route, request)?;
        self.response(&route, response)
    }

    // ---- the request ----

    fn parameters(&mut self, route: &Route, request: &Value) -> Result<(), ReadError> {
        let spec = self.spec;
        let query = query(request.get("query"));
        let headers = headers(request.get("headers"));
        let mut seen = std::collections::BTreeSet::new();
        for owner in [route.operation, route.item] {
            let Some(list) = spec.tree.get(owner, "parameters") else { continue };
            for node in spec.tree.items(list) {
                let node = spec.follow(*node)?;
                let text = |key: &str| spec.tree.get(node, key).and_then(|node| spec.tree.scalar(node)).unwrap_or_default().to_owned();
                let (location, name) = (text("in"), text("name"));
                if !seen.insert((location.clone(), name.clone())) {
                    continue;
                }
                let values: Vec<&str> = match location.as_str() {
                    "query" => query.iter().filter(|one| one.0 == name || one.0 == format!("{name}[]")).map(|one| one.1.as_str()).collect(),
                    "header" => headers.iter().filter(|one| one.0.eq_ignore_ascii_case(&name)).map(|one| one.1.as_str()).collect(),
                    _ => continue,
                };
                let elsewhere = location == "header" && matches!(name.to_lowercase().as_str(), "accept" | "content-type" | "authorization");
                if values.is_empty() && spec.tree.is_true(node, "required") && !elsewhere {
                    let message = format!("{} asks for the {location} parameter {name:?}, which the consumer does not send.", route.name());
                    self.say("pact-request-refused", Severity::Breaking, message);
                }
                if let (Some(schema), [value]) = (spec.tree.get(node, "schema"), values.as_slice()) {
                    self.text_value(route, schema, &format!("{location} parameter {name:?}"), value)?;
                }
            }
        }
        Ok(())
    }
    /// A value written as text fits where it does as a text, or as the value it reads as.
    fn text_value(&mut self, route: &Route, schema: NodeId, what: &str, text: &str) -> Result<(), ReadError> {
        let validator = self.validator(Mode::Whole, true);
        let as_text = validator.check(schema, &Value::from(text))?;
        let read: Option<Value> = serde_json::from_str(text).ok();
        let fits = as_text.is_empty()
            || match &read {
                Some(value) => validator.check(schema, value)?.is_empty(),
                None => false,
            }
            // A list or an object written by style is not taken apart here.
            || as_text.iter().any(|misfit| misfit.why.contains("expected array") || misfit.why.contains("expected object"));
        if !fits && let Some(misfit) = as_text.first() {
            self.say("pact-request-refused", Severity::Breaking, format!("{} refuses the {what} {text:?}: {}.", route.name(), misfit.why));
        }
        Ok(())
    }
    fn request_body(&mut self, route: &Route, request: &Value) -> Result<(), ReadError> {
        let spec = self.spec;
        let described = spec.part(route.operation, "requestBody")?;
        let Some(body) = body(request) else {
            if described.is_some_and(|node| spec.tree.is_true(node, "required")) && request.get("body").is_none_or(Value::is_null) {
                let message = format!("{} asks for a body, which the consumer does not send.", route.name());
                self.say("pact-request-refused", Severity::Breaking, message);
            }
            return Ok(());
        };
        let Some(node) = described else {
            let message = format!("{} describes no request body, and the consumer sends one.", route.name());
            self.say("pact-request-refused", Severity::Risky, message);
            return Ok(());
        };
        self.body(route, node, &body, Mode::Whole, true)
    }

    // ---- the response ----

    fn response(&mut self, route: &Route, response: &Value) -> Result<(), ReadError> {
        let spec = self.spec;
        let status = response.get("status").and_then(Value::as_u64).unwrap_or(200).to_string();
        let responses = spec.part(route.operation, "responses")?;
        let find = |name: &str| {
            responses.and_then(|node| spec.tree.entries(node).find(|entry| entry.0.eq_ignore_ascii_case(name)).map(|entry| entry.1))
        };
        let range = format!("{}XX", status.get(..1).unwrap_or_default());
        let Some(node) = find(&status).or_else(|| find(&range)).or_else(|| find("default")) else {
            let message = format!("{} does not answer with {status}, which the consumer expects.", route.name());
            self.say("pact-response-status-missing", Severity::Breaking, message);
            return Ok(());
        };
        let node = spec.follow(node)?;
        let described = spec.part(node, "headers")?;
        for (name, _) in headers(response.get("headers")) {
            let known = described.is_some_and(|node| spec.tree.entries(node).any(|entry| entry.0.eq_ignore_ascii_case(&name)));
            if !known && !name.eq_ignore_ascii_case("content-type") {
                let message = format!("{} does not describe the header {name:?}, which the consumer expects.", route.name());
                self.say("pact-response-header-missing", Severity::Risky, message);
            }
        }
        match body(response) {
            Some(body) => self.body(route, node, &body, Mode::Expected, false),
            None => Ok(()),
        }
    }

    fn body(&mut self, route: &Route, owner: NodeId, body: &Body<'_>, mode: Mode, request: bool) -> Result<(), ReadError> {
        let spec = self.spec;
        let (side, rule) = if request { ("request", "pact-request-refused") } else { ("response", "pact-response-body-differs") };
        let media = MediaType::read(&body.media);
        let content = spec.part(owner, "content")?;
        let mut options = content.into_iter().flat_map(|node| spec.tree.entries(node)).map(|(name, node)| (MediaType::read(name), node));
        // Parameters such as the character set do not matter here.
        let bare = MediaType { parameters: Vec::new(), ..media.clone() };
        let Some((_, node)) = options.find(|(range, _)| MediaType { parameters: Vec::new(), ..range.clone() }.takes(&bare)) else {
            let message = format!("{} does not describe a {side} of the media type {}.", route.name(), body.media);
            self.say(rule, Severity::Breaking, message);
            return Ok(());
        };
        let Some(schema) = spec.part(node, "schema")? else { return Ok(()) };
        if !media.json() {
            return Ok(());
        }
        self.told(route, schema, &body.value, (mode, request), rule)
    }
    fn told(&mut self, route: &Route, schema: Conj, value: &Value, (mode, request): (Mode, bool), rule: &str) -> Result<(), ReadError> {
        let side = if request { "request" } else { "response" };
        for Misfit { path, why } in self.validator(mode, request).check(schema, value)? {
            let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
            self.say(rule, Severity::Breaking, format!("the {side} of {}{at}: {why}.", route.name()));
        }
        Ok(())
    }
    fn validator(&self, mode: Mode, request: bool) -> Validator<'_> {
        Validator { spec: self.spec, mode, request, budget: Cell::new(BUDGET) }
    }
}

/// The body of a message: as it is in versions 2 and 3, inside `content` in version 4.
fn body(message: &Value) -> Option<Body<'_>> {
    let body = message.get("body")?;
    let header = headers(message.get("headers")).into_iter().find(|one| one.0.eq_ignore_ascii_case("content-type")).map(|one| one.1);
    // Version 4 wraps it.
    let wrapped =
        body.as_object().filter(|map| map.contains_key("content") && (map.contains_key("contentType") || map.contains_key("encoded")));
    let (value, media) = match wrapped {
        Some(map) => (map.get("content")?, map.get("contentType").and_then(Value::as_str).map(str::to_owned)),
        None => (body, None),
    };
    if value.is_null() {
        return None;
    }
    let media = media.or(header).unwrap_or_else(|| "application/json".to_owned());
    // A JSON document may be written as text.
    let json = MediaType::read(&media).json();
    let parsed = value.as_str().filter(|_| json && wrapped.is_some()).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let value = parsed.map_or(std::borrow::Cow::Borrowed(value), std::borrow::Cow::Owned);
    Some(Body { value, media })
}

/// Names and values; a list of values is several entries.
fn pairs(map: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let several = |(name, value): (&String, &Value)| match value {
        Value::Array(values) => values.iter().map(|value| (name.clone(), text(value))).collect(),
        value => vec![(name.clone(), text(value))],
    };
    map.iter().flat_map(several).collect()
}

fn headers(value: Option<&Value>) -> Vec<(String, String)> {
    value.and_then(Value::as_object).map(pairs).unwrap_or_default()
}

/// A query: text in version 2, a map in later ones.
fn query(value: Option<&Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::String(text)) => {
            let one = |pair: &str| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (super::source::percent_decoded(name), super::source::percent_decoded(&value.replace('+', " ")))
            };
            text.split('&').filter(|pair| !pair.is_empty()).map(one).collect()
        }
        Some(Value::Object(map)) => pairs(map),
        _ => Vec::new(),
    }
}

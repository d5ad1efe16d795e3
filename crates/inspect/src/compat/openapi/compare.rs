//! The machine under the comparison: pairs of schemas, each compared once for every site it is used at.
//!
//! A pair's result knows its own findings and the pairs inside it; which operations are hit is found afterwards by walking
//! that graph. So a schema that a thousand operations share costs as much as one that one operation has, and a schema that
//! refers to itself ends.

use super::lifecycle::Day;
use super::shape::{Shape, shape};
use super::source::{Conj, Spec};
use crate::document::{NodeId, ReadError};
use crate::finding::Severity;
use std::collections::HashMap;

/// Pairs that a trial may look at; beyond it the alternatives count as different.
const TRIAL_PAIRS_MAX: usize = 400;
/// Trials inside trials.
const TRIAL_DEPTH_MAX: usize = 12;
/// Trials of one judgement, all told: alternatives against alternatives are a product.
const TRIALS_MAX: usize = 200_000;

/// What a schema is for; findings are named by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Area {
    RequestBody,
    RequestProperty,
    Parameter,
    HeaderParameter,
    ParameterProperty,
    /// A property of an object in a request header.
    HeaderProperty,
    ResponseBody,
    ResponseProperty,
    ResponseHeader,
}

/// Where a schema is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub area: Area,
    /// Values travel as text, so a number is a text, too: parameters, forms, XML.
    pub textual: bool,
    /// A list travels as the parameter repeated: one value is a list of one.
    pub repeated: bool,
}

impl Site {
    pub fn body(request: bool, textual: bool) -> Self {
        Self { area: if request { Area::RequestBody } else { Area::ResponseBody }, textual, repeated: false }
    }
    pub fn request(self) -> bool {
        !matches!(self.area, Area::ResponseBody | Area::ResponseProperty | Area::ResponseHeader)
    }
    pub fn prefix(self) -> &'static str {
        match self.area {
            Area::RequestBody => "request-body",
            Area::RequestProperty => "request-property",
            Area::Parameter | Area::HeaderParameter => "request-parameter",
            Area::ParameterProperty => "request-parameter-property",
            Area::HeaderProperty => "request-header-property",
            Area::ResponseBody => "response-body",
            Area::ResponseProperty => "response-property",
            Area::ResponseHeader => "response-header",
        }
    }
    /// Of what is inside.
    pub fn inner(self) -> Self {
        let area = match self.area {
            Area::RequestBody | Area::RequestProperty => Area::RequestProperty,
            Area::Parameter | Area::ParameterProperty => Area::ParameterProperty,
            Area::HeaderParameter | Area::HeaderProperty => Area::HeaderProperty,
            Area::ResponseBody | Area::ResponseProperty | Area::ResponseHeader => Area::ResponseProperty,
        };
        Self { area, textual: self.textual, repeated: false }
    }
    /// Of what must not hold: there, wider is narrower.
    pub fn flipped(self) -> Self {
        let area = match self.area {
            Area::RequestBody => Area::ResponseBody,
            Area::ResponseBody => Area::RequestBody,
            Area::ResponseProperty | Area::ResponseHeader => Area::RequestProperty,
            _ => Area::ResponseProperty,
        };
        Self { area, ..self }
    }
    pub fn direction(self) -> &'static str {
        if self.request() { "request" } else { "response" }
    }
}

/// Which of the two descriptions a place is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    Base,
    Revision,
}

/// A finding that does not know yet whom it hits.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub rule: String,
    pub severity: Severity,
    pub direction: Option<&'static str>,
    pub side: Side,
    pub node: NodeId,
    pub message: String,
    pub fix: Option<&'static str>,
}

impl Found {
    pub fn new(rule: impl Into<String>, severity: Severity, (side, node): (Side, NodeId), message: impl Into<String>) -> Self {
        Self { rule: rule.into(), severity, direction: None, side, node, message: message.into(), fix: None }
    }
    pub fn going(mut self, direction: &'static str) -> Self {
        self.direction = Some(direction);
        self
    }
    pub fn fix(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// A pair inside another, and what leads to it: `name`, `items`, …
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub to: usize,
    pub label: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Busy,
    Done,
}

#[derive(Debug, Default)]
pub(super) struct Pair {
    pub found: Vec<Found>,
    pub edges: Vec<Edge>,
    state: State,
    /// The worst inside, where a trial has established it.
    worst: Option<Severity>,
}

/// Where a pair's findings go while it is compared.
pub(super) struct At {
    pub pair: usize,
    pub site: Site,
}

/// Base and revision, and everything compared so far.
pub(super) struct Comparison<'a> {
    pub base: &'a Spec,
    pub revision: &'a Spec,
    pub today: Option<Day>,
    pub pairs: Vec<Pair>,
    keys: Vec<(Conj, Conj, Site)>,
    index: HashMap<(Conj, Conj, Site), usize>,
    trial_depth: usize,
    trials: usize,
}

impl<'a> Comparison<'a> {
    pub fn new(base: &'a Spec, revision: &'a Spec, today: Option<Day>) -> Self {
        Self { base, revision, today, pairs: Vec::new(), keys: Vec::new(), index: HashMap::new(), trial_depth: 0, trials: 0 }
    }

    /// The number of a pair; it is compared by [`Comparison::run`] or by a trial.
    pub fn pair(&mut self, base: Conj, revision: Conj, site: Site) -> usize {
        let key = (base, revision, site);
        if let Some(known) = self.index.get(&key) {
            return *known;
        }
        let number = self.pairs.len();
        self.pairs.push(Pair::default());
        self.keys.push(key);
        self.index.insert(key, number);
        number
    }
    /// A pair inside the one at hand.
    pub fn inside(&mut self, at: &At, label: impl Into<String>, base: Conj, revision: Conj) {
        self.inside_at(at, label, base, revision, at.site.inner());
    }
    pub fn inside_at(&mut self, at: &At, label: impl Into<String>, base: Conj, revision: Conj, site: Site) {
        let to = self.pair(base, revision, site);
        if let Some(pair) = self.pairs.get_mut(at.pair) {
            pair.edges.push(Edge { to, label: label.into() });
        }
    }
    pub fn found(&mut self, at: &At, found: Found) {
        let found = Found { direction: Some(at.site.direction()), ..found };
        if let Some(pair) = self.pairs.get_mut(at.pair) {
            pair.found.push(found);
        }
    }

    /// Compares the given pairs and everything inside them.
    pub fn run(&mut self, roots: impl IntoIterator<Item = usize>) -> Result<(), ReadError> {
        let mut open: Vec<usize> = roots.into_iter().collect();
        let mut seen = vec![false; self.pairs.len()];
        while let Some(number) = open.pop() {
            if seen.len() <= number {
                seen.resize(self.pairs.len().max(number + 1), false);
            }
            match seen.get_mut(number) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            self.settle(number)?;
            open.extend(self.pairs.get(number).into_iter().flat_map(|pair| &pair.edges).map(|edge| edge.to));
        }
        Ok(())
    }

    /// Compares one pair, not those inside it.
    fn settle(&mut self, number: usize) -> Result<(), ReadError> {
        let Some(pair) = self.pairs.get_mut(number) else { return Ok(()) };
        if pair.state != State::Open {
            return Ok(());
        }
        pair.state = State::Busy;
        let Some((base_conj, revision_conj, site)) = self.keys.get(number).copied() else { return Ok(()) };
        let (base, revision): (Shape<'a>, Shape<'a>) = (shape(self.base, base_conj)?, shape(self.revision, revision_conj)?);
        self.shapes(&At { pair: number, site }, (base_conj, &base), (revision_conj, &revision))?;
        if let Some(pair) = self.pairs.get_mut(number) {
            pair.state = State::Done;
        }
        Ok(())
    }

    /// The worst finding inside a pair, without reporting any: for looking which alternative fits. What is still being
    /// compared further up counts as fitting, since its own findings are reported there.
    pub fn trial(&mut self, base: Conj, revision: Conj, site: Site) -> Result<Severity, ReadError> {
        let root = self.pair(base, revision, site);
        if let Some(known) = self.pairs.get(root).and_then(|pair| pair.worst) {
            return Ok(known);
        }
        if self.trial_depth >= TRIAL_DEPTH_MAX || self.trials >= TRIALS_MAX {
            return Ok(Severity::Breaking);
        }
        self.trials += 1;
        self.trial_depth += 1;
        let worst = self.worst(root);
        self.trial_depth -= 1;
        let (worst, certain) = worst?;
        if let (true, Some(pair)) = (certain, self.pairs.get_mut(root)) {
            pair.worst = Some(worst);
        }
        Ok(worst)
    }
    fn worst(&mut self, root: usize) -> Result<(Severity, bool), ReadError> {
        let (mut worst, mut certain) = (Severity::Info, true);
        let mut open = vec![root];
        let mut seen = std::collections::HashSet::new();
        while let Some(number) = open.pop() {
            if !seen.insert(number) {
                continue;
            }
            if seen.len() > TRIAL_PAIRS_MAX {
                return Ok((Severity::Breaking, true));
            }
            self.settle(number)?;
            let Some(pair) = self.pairs.get(number) else { continue };
            certain &= pair.state == State::Done;
            worst = worst.min(pair.worst.unwrap_or(Severity::Info));
            worst = pair.found.iter().map(|found| found.severity).fold(worst, Severity::min);
            if worst == Severity::Breaking {
                return Ok((worst, true));
            }
            if pair.worst.is_none() {
                open.extend(pair.edges.iter().map(|edge| edge.to));
            }
        }
        Ok((worst, certain))
    }
    /// Whether a trial finds nothing that matters.
    pub fn fits(&mut self, base: Conj, revision: Conj, site: Site) -> Result<bool, ReadError> {
        Ok(self.trial(base, revision, site)? == Severity::Info)
    }
}

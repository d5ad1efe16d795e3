//! The judgement: components against an index, with what VEX documents and waivers answer, at a given time.

use super::index::{Index, IndexError};
use super::inventory::Inventory;
use super::osv::{Advisory, Affected, Range, RangeKind};
use super::package::{self, Subject};
use super::ranges::{self, Ancestry, Outcome};
use super::severity::{Class, Rating};
use super::waiver::Waiver;
use crate::finding::Finding;
use crate::sbom::component::Component;
use crate::vex::{self, Statement};
use serde_json::json;
use std::collections::BTreeMap;

/// The rule of a component that an advisory is about.
pub const VULNERABLE: &str = "vulnerable-component";
/// The rule of a component whose version cannot be compared with what an advisory says.
pub const UNDECIDED: &str = "version-not-comparable";

/// What was said about weaknesses.
#[derive(Default, Clone, Copy)]
pub struct Answers<'a> {
    pub statements: &'a [Statement],
    pub waivers: &'a [Waiver],
    /// Seconds since 1970.
    pub now: i64,
}

/// A weakness in a component: one, under however many names it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// Place in the inventory; `None` for the product's own repository.
    pub component: Option<usize>,
    /// Names of the records that matched, then their other names.
    pub ids: Vec<String>,
    pub summary: String,
    pub rating: Rating,
    pub fixed: Option<String>,
    pub functions: Vec<String>,
    /// Why it could not be decided; then it counts as if it were affected.
    pub undecided: Option<String>,
    /// The component's distribution release is not known, and the advisory is about one.
    pub release_open: bool,
    /// A waiver that no longer holds, and its day.
    pub expired: Option<Waiver>,
    /// A statement that does not suppress it.
    pub said: Option<Statement>,
}

/// Why a weakness need not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Vex(Statement),
    Waived(Waiver),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// What counts.
    pub weaknesses: Vec<Weakness>,
    pub suppressed: Vec<(Weakness, Answer)>,
    /// Components that no ecosystem of advisories knows, by place.
    pub unmatched: Vec<usize>,
    /// Waivers that matched nothing, by place.
    pub unused_waivers: Vec<usize>,
}

/// How many of each class may be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget(BTreeMap<Class, usize>);

/// Why a text is no budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}: expected classes with numbers such as critical=0,high=2 (critical, high, medium, low, none, unknown)")]
pub struct BudgetError(String);

impl std::str::FromStr for Budget {
    type Err = BudgetError;
    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let bad = || BudgetError(text.to_owned());
        let mut budget = BTreeMap::new();
        for part in text.split(',') {
            let (class, count) = part.split_once('=').ok_or_else(bad)?;
            let class = Class::from_word(class.trim()).ok_or_else(bad)?;
            if budget.insert(class, count.trim().parse().map_err(|_| bad())?).is_some() {
                return Err(bad());
            }
        }
        Ok(Self(budget))
    }
}

impl Budget {
    /// How many of a class are allowed; `None` is without limit.
    ///
    /// Without any budget nothing is allowed. With one, what is worse than the least severe class named allows none unless it
    /// is named itself, what is less severe is not limited, and what nobody has rated allows none unless `unknown` is named.
    pub fn allowed(&self, class: Class) -> Option<usize> {
        if let Some(count) = self.0.get(&class) {
            return Some(*count);
        }
        let least = self.0.keys().filter(|class| **class != Class::Unknown).max();
        let unlimited = class != Class::Unknown && least.is_some_and(|least| class > *least);
        if unlimited { None } else { Some(0) }
    }
    /// Classes with more than allowed: (class, found, allowed).
    pub fn exceeded(&self, counts: &BTreeMap<Class, usize>) -> Vec<(Class, usize, usize)> {
        let over = |(class, found): (&Class, &usize)| {
            let allowed = self.allowed(*class)?;
            (*found > allowed).then_some((*class, *found, allowed))
        };
        counts.iter().filter_map(over).collect()
    }
}

impl Judged {
    pub fn counts(&self) -> BTreeMap<Class, usize> {
        let mut counts: BTreeMap<Class, usize> = Class::ALL.into_iter().map(|class| (class, 0)).collect();
        for weakness in &self.weaknesses {
            *counts.entry(weakness.rating.class).or_default() += 1;
        }
        counts
    }
}

/// Judges an inventory. Pure: the same index, answers and time give the same judgement.
pub fn judge(inventory: &Inventory, index: &Index<'_>, answers: Answers<'_>) -> Result<Judged, IndexError> {
    let mut judged = Judged::default();
    let mut used = vec![false; answers.waivers.len()];
    for (place, component) in inventory.components.iter().enumerate() {
        let Some(subject) = Subject::of(component) else {
            judged.unmatched.push(place);
            continue;
        };
        for mut weakness in weaknesses(&subject, &index.about(&subject.key())?) {
            weakness.component = Some(place);
            answer(&mut judged, weakness, component, inventory, answers, &mut used);
        }
    }
    judged.unused_waivers = used.iter().enumerate().filter(|(_, used)| !**used).map(|(at, _)| at).collect();
    Ok(judged)
}

fn answer(
    judged: &mut Judged,
    mut weakness: Weakness,
    component: &Component,
    inventory: &Inventory,
    answers: Answers<'_>,
    used: &mut [bool],
) {
    let waivers = answers.waivers.iter().zip(used).filter(|(waiver, _)| waiver.is_for(&weakness.ids, component));
    let mut waived = None;
    let mut expired = None;
    for (waiver, used) in waivers {
        *used = true;
        if waiver.ends().is_some_and(|end| answers.now < end) { waived = Some(waiver) } else { expired = Some(waiver) }
    }
    let said = vex::holding(answers.statements, &weakness.ids, component, inventory);
    match (said, waived) {
        (Some(statement), _) if statement.suppresses() => judged.suppressed.push((weakness, Answer::Vex(statement.clone()))),
        (_, Some(waiver)) => judged.suppressed.push((weakness, Answer::Waived(waiver.clone()))),
        (said, None) => {
            weakness.said = said.cloned();
            weakness.expired = expired.cloned();
            judged.weaknesses.push(weakness);
        }
    }
}

/// What the entries about a package say of this version, one weakness each.
pub fn weaknesses(subject: &Subject, entries: &[(Advisory, Affected)]) -> Vec<Weakness> {
    let mut found = Vec::new();
    for (advisory, affected) in entries {
        let release = package::split(&affected.ecosystem).1;
        if !package::release_fits(&subject.ecosystem, release, subject.release.as_deref()) {
            continue;
        }
        let outcome = match &subject.version {
            Some(version) => ranges::version_affected(affected, version),
            None => Outcome::Undecided { why: "the component has no version".to_owned() },
        };
        let (fixed, undecided) = match outcome {
            Outcome::NotAffected => continue,
            Outcome::Affected { fixed } => (fixed, None),
            Outcome::Undecided { why } => (None, Some(why)),
        };
        found.push((advisory, weakness(advisory, affected, fixed, undecided, package::release_is_open(subject, release))));
    }
    joined(found)
}

fn weakness(advisory: &Advisory, affected: &Affected, fixed: Option<String>, undecided: Option<String>, release_open: bool) -> Weakness {
    Weakness {
        component: None,
        ids: vec![advisory.id.clone()],
        summary: advisory.summary.clone(),
        // What was rated is not known to be there, so that its rating says nothing of this component.
        rating: if undecided.is_some() { Rating::UNKNOWN } else { affected.rating.clone() },
        fixed,
        functions: affected.functions.clone(),
        undecided,
        release_open,
        expired: None,
        said: None,
    }
}

/// Judges the product's own repository at a commit, by the GIT ranges about it.
pub fn judge_commit(url: &str, commit: &str, index: &Index<'_>, ancestry: Ancestry<'_>) -> Result<Vec<Weakness>, IndexError> {
    let key = package::repository_key(url);
    let entries = index.about(&key)?;
    let mut found = Vec::new();
    for (advisory, affected) in &entries {
        let ours = |range: &&Range| range.kind == RangeKind::Git && package::repository_key(&range.repository) == key;
        let ranges: Vec<&Range> = affected.ranges.iter().filter(ours).collect();
        let (fixed, undecided) = match ranges::commit_affected(&ranges, commit, ancestry) {
            Outcome::NotAffected => continue,
            Outcome::Affected { fixed } => (fixed, None),
            Outcome::Undecided { why } => (None, Some(why)),
        };
        found.push((advisory, weakness(advisory, affected, fixed, undecided, false)));
    }
    Ok(joined(found))
}

/// The names by which records are recognised as being about the same. A distribution's record is about its upstream one when
/// it was made from exactly one; a bulletin about several joins none of them.
fn names(advisory: &Advisory) -> impl Iterator<Item = &String> {
    let upstream = if advisory.upstream.len() == 1 { advisory.upstream.as_slice() } else { &[] };
    std::iter::once(&advisory.id).chain(&advisory.aliases).chain(upstream)
}

/// Joins records that share a name into one weakness: ids of all, worst rating, nearest fix.
fn joined(found: Vec<(&Advisory, Weakness)>) -> Vec<Weakness> {
    let mut group_of: BTreeMap<&String, usize> = BTreeMap::new();
    let mut parent: Vec<usize> = (0..found.len()).collect();
    fn root(parent: &[usize], mut at: usize) -> usize {
        while let Some(up) = parent.get(at).copied().filter(|up| *up != at) {
            at = up;
        }
        at
    }
    for (at, (advisory, _)) in found.iter().enumerate() {
        for name in names(advisory) {
            let other = root(&parent, *group_of.entry(name).or_insert(at));
            let own = root(&parent, at);
            let (first, second) = (own.min(other), own.max(other));
            if let Some(place) = parent.get_mut(second) {
                *place = first;
            }
        }
    }
    let mut groups: BTreeMap<usize, (Weakness, Vec<String>)> = BTreeMap::new();
    for (at, (advisory, weakness)) in found.into_iter().enumerate() {
        let others = advisory.aliases.iter().chain(&advisory.upstream).cloned();
        match groups.entry(root(&parent, at)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((weakness, others.collect()));
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let (kept, names) = place.get_mut();
                merge(kept, weakness);
                names.extend(others);
            }
        }
    }
    let finish = |(mut weakness, mut others): (Weakness, Vec<String>)| {
        weakness.ids.sort();
        weakness.ids.dedup();
        others.sort();
        others.dedup();
        others.retain(|name| !weakness.ids.contains(name));
        weakness.ids.append(&mut others);
        weakness
    };
    groups.into_values().map(finish).collect()
}

fn merge(kept: &mut Weakness, other: Weakness) {
    kept.ids.extend(other.ids);
    kept.rating = std::mem::replace(&mut kept.rating, Rating::UNKNOWN).worse(other.rating);
    if kept.summary.is_empty() {
        kept.summary = other.summary;
    }
    kept.fixed = kept.fixed.take().or(other.fixed);
    for function in other.functions {
        if !kept.functions.contains(&function) {
            kept.functions.push(function);
        }
    }
    // One record that can decide is enough.
    kept.undecided = if other.undecided.is_none() { None } else { kept.undecided.take() };
    kept.release_open &= other.release_open;
}

impl Weakness {
    /// The name under which it is spoken of.
    pub fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// As a finding about a component of the inventory, or about the product's repository.
    pub fn finding(&self, inventory: &Inventory, file: &str) -> Finding {
        let component = self.component.and_then(|place| inventory.components.get(place));
        let label = component.map_or_else(|| "this repository".to_owned(), Component::label);
        let score = self.rating.score.map(|score| format!(" ({score})")).unwrap_or_default();
        let what = if self.summary.is_empty() { String::new() } else { format!(": {}", self.summary.trim_end_matches('.')) };
        let mut message = match &self.undecided {
            None => format!("{label} has {}, {}{score}{what}.", self.id(), self.rating.class.word()),
            Some(why) => format!("{label} may have {}{what}: {why}.", self.id()),
        };
        if self.release_open {
            message.push_str(" Its distribution's release is not known; this advisory is for one of them.");
        }
        if let Some(waiver) = &self.expired {
            message.push_str(&format!(" The waiver by {} expired on {}.", waiver.by, waiver.expires));
        }
        if let Some(statement) = &self.said {
            message.push_str(&format!(
                " VEX says {}{}.",
                statement.status.word(),
                if statement.status == vex::Status::NotAffected { " without a justification" } else { "" }
            ));
        }
        if !self.functions.is_empty() {
            message.push_str(&format!(" It needs one of: {}.", self.functions.iter().take(5).cloned().collect::<Vec<_>>().join(", ")));
        }
        let rule = if self.undecided.is_some() { UNDECIDED } else { VULNERABLE };
        let at = component.and_then(|component| component.file.clone()).unwrap_or_else(|| file.to_owned());
        let mut finding = Finding::new(rule, self.rating.class.severity(), message)
            .at(at, component.and_then(|component| component.line))
            .inside(component.map_or_else(|| label.clone(), |component| component.reference.clone()))
            .with("id", self.id())
            .with("ids", json!(self.ids))
            .with("class", self.rating.class.word());
        if let Some(component) = component {
            finding = finding.with("package", component.name.as_str()).with("version", json!(component.version));
        }
        if let Some(score) = self.rating.score {
            finding = finding.with("score", f64::from(score.tenths) / 10.0);
        }
        if let Some(vector) = &self.rating.vector {
            finding = finding.with("vector", vector.as_str());
        }
        if !self.functions.is_empty() {
            finding = finding.with("functions", json!(self.functions));
        }
        match &self.fixed {
            Some(fixed) => finding.with("fixed", fixed.as_str()).mended_by(format!("use {fixed} or later")),
            None if self.undecided.is_some() => finding.mended_by("name a version that the package's ecosystem can order"),
            None => finding,
        }
    }
}

#[cfg(test)]
mod tests;

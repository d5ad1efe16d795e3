//! Maps of which given assertions hold.
//!
//! Names that a schema mentions are looked at one by one; all other names fall into classes by the patterns that match
//! them. What has to exist ("some member that is not so") is placed on every name and class in turn, so that "none" is
//! said only when all places were tried.

use super::eval::Truth;
use super::form::{Form, Names, types};
use super::solve::{Doubts, Literal, Outcome, Solver};
use super::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Classes of names that are distinguished.
const CLASSES_MAX: usize = 64;
/// Members that are made up to reach a least number.
const FILLED_MAX: u64 = 256;

/// What the atoms say, by kind of assertion.
#[derive(Default)]
struct Wanted {
    least: u64,
    most: Option<u64>,
    required: BTreeSet<String>,
    forbidden: BTreeSet<String>,
    every: Vec<(Names, Literal)>,
    some: Vec<(Names, Literal)>,
    names_every: Vec<Literal>,
    names_some: Vec<Literal>,
}

/// A name that is mentioned.
struct Known {
    /// May be there.
    possible: bool,
    /// Whether it may be there, or what applies to it, is not known.
    murky: bool,
    /// What its value has to be.
    value: Vec<Literal>,
}

/// Names that are not mentioned and that the same patterns match.
struct Class {
    matching: BTreeSet<String>,
    name: Vec<Literal>,
    value: Vec<Literal>,
}

/// A member under a name that is not mentioned.
#[derive(Clone)]
struct Made {
    class: usize,
    name: Vec<Literal>,
    value: Vec<Literal>,
}

/// A map in the making.
#[derive(Clone, Default)]
struct Draft {
    known: BTreeMap<String, Vec<Literal>>,
    made: Vec<Made>,
}

/// Something that has to exist: a member, or a name.
enum Need {
    Member(Names, Literal),
    Name(Literal),
}

struct Search {
    wanted: Wanted,
    known: BTreeMap<String, Known>,
    classes: Option<Vec<Class>>,
    needs: Vec<Need>,
    doubts: Doubts,
}

impl Wanted {
    /// `None` where the atoms contradict each other.
    fn of(solver: &Solver, atoms: &BTreeSet<Literal>) -> Option<Self> {
        let mut wanted = Wanted::default();
        for literal in atoms {
            let positive = literal.positive();
            match solver.forms.get(literal.form()) {
                Form::MembersAtLeast(count) if positive => wanted.least = wanted.least.max(*count),
                Form::MembersAtLeast(count) => wanted.at_most(count.checked_sub(1)?),
                Form::MembersAtMost(count) if positive => wanted.at_most(*count),
                Form::MembersAtMost(count) => wanted.least = wanted.least.max(count + 1),
                Form::Required(name) if positive => _ = wanted.required.insert(name.clone()),
                Form::Required(name) => _ = wanted.forbidden.insert(name.clone()),
                Form::Members(names, inner) if positive => wanted.every.push((names.clone(), Literal::new(*inner, true))),
                Form::Members(names, inner) => wanted.some.push((names.clone(), Literal::new(*inner, false))),
                Form::NamesAre(inner) if positive => wanted.names_every.push(Literal::new(*inner, true)),
                Form::NamesAre(inner) => wanted.names_some.push(Literal::new(*inner, false)),
                _ => {}
            }
        }
        for (names, _) in &wanted.some {
            if let Names::One(name) = names {
                wanted.required.insert(name.clone());
            }
        }
        let consistent = wanted.required.is_disjoint(&wanted.forbidden)
            && wanted.most.is_none_or(|most| most >= wanted.least && most >= wanted.required.len() as u64);
        consistent.then_some(wanted)
    }
    fn at_most(&mut self, count: u64) {
        self.most = Some(self.most.map_or(count, |most| most.min(count)));
    }
    fn mentioned(&self) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.required.union(&self.forbidden).cloned().collect();
        for (names, _) in self.every.iter().chain(&self.some) {
            match names {
                Names::One(name) => _ = all.insert(name.clone()),
                Names::Others { names, .. } => all.extend(names.iter().cloned()),
                Names::Matching(_) => {}
            }
        }
        all
    }
    fn patterns(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (names, _) in self.every.iter().chain(&self.some) {
            match names {
                Names::Matching(pattern) => _ = all.insert(pattern.clone()),
                Names::Others { patterns, .. } => all.extend(patterns.iter().cloned()),
                Names::One(_) => {}
            }
        }
        all
    }
}

impl Solver<'_> {
    pub(super) fn map_cell(&mut self, atoms: &BTreeSet<Literal>) -> Outcome {
        let Some(wanted) = Wanted::of(self, atoms) else { return Outcome::Empty };
        // What has to exist among certain names, against what all of them have to be: often enough.
        for (names, some) in &wanted.some {
            let mut question = vec![*some];
            question.extend(wanted.every.iter().filter(|(other, _)| other == names).map(|(_, every)| *every));
            if self.solve(question) == Outcome::Empty {
                return Outcome::Empty;
            }
        }
        let mut search = Search { known: BTreeMap::new(), classes: None, needs: Vec::new(), doubts: Doubts::default(), wanted };
        for name in search.wanted.mentioned() {
            let known = self.known_name(&mut search, &name);
            search.known.insert(name, known);
        }
        let mut draft = Draft::default();
        for name in search.wanted.required.clone() {
            let Some(known) = search.known.get(&name) else { continue };
            if known.murky {
                // Said already why.
                continue;
            }
            if !known.possible {
                return Outcome::Empty;
            }
            let mut value = known.value.clone();
            let own = Names::One(name.clone());
            value.extend(search.wanted.some.iter().filter(|(names, _)| *names == own).map(|(_, some)| *some));
            match self.solve(value.clone()) {
                Outcome::Empty => return Outcome::Empty,
                Outcome::Unclear(whys) => search.doubts.add(whys),
                Outcome::Found(_) => {}
            }
            draft.known.insert(name, value);
        }
        if search.wanted.required.iter().any(|name| search.known.get(name).is_some_and(|known| known.murky)) {
            return search.doubts.end();
        }
        let members = search.wanted.some.iter().filter(|(names, _)| !matches!(names, Names::One(_)));
        search.needs = members.map(|(names, some)| Need::Member(names.clone(), *some)).collect();
        search.needs.extend(search.wanted.names_some.iter().map(|some| Need::Name(*some)));
        match self.placed(&mut search, 0, &draft) {
            Some(value) => Outcome::Found(value),
            None => search.doubts.end(),
        }
    }

    fn known_name(&mut self, search: &mut Search, name: &str) -> Known {
        let mut known = Known { possible: !search.wanted.forbidden.contains(name), murky: false, value: Vec::new() };
        match self.all_hold(&search.wanted.names_every, &Value::Text(name.to_owned())) {
            Truth::Yes => {}
            Truth::No => known.possible = false,
            Truth::Unclear(why) => {
                known.murky = true;
                search.doubts.add(vec![why]);
            }
        }
        for (names, every) in &search.wanted.every {
            match self.patterns.selects(names, name) {
                Truth::Yes => known.value.push(*every),
                Truth::No => {}
                Truth::Unclear(why) => {
                    known.murky = true;
                    search.doubts.add(vec![why]);
                }
            }
        }
        known
    }

    /// All classes of names that are not mentioned.
    fn classes(&mut self, search: &mut Search) {
        if search.classes.is_some() {
            return;
        }
        let mentioned = search.wanted.mentioned().into_iter().map(Value::Text).collect();
        let mentioned = self.forms.add(Form::Among(mentioned));
        let texts = self.forms.add(Form::Types(types::TEXT));
        let mut base = vec![Literal::new(texts, true), Literal::new(mentioned, false)];
        base.extend(&search.wanted.names_every);
        let mut classes = vec![Class { matching: BTreeSet::new(), name: base, value: Vec::new() }];
        for pattern in search.wanted.patterns() {
            let form = self.forms.add(Form::Pattern(pattern.clone()));
            let mut finer = Vec::new();
            for class in classes {
                for positive in [false, true] {
                    let mut name = class.name.clone();
                    name.push(Literal::new(form, positive));
                    if self.solve(name.clone()) == Outcome::Empty {
                        continue;
                    }
                    let mut matching = class.matching.clone();
                    if positive {
                        matching.insert(pattern.clone());
                    }
                    finer.push(Class { matching, name, value: Vec::new() });
                }
            }
            classes = finer;
            if classes.len() > CLASSES_MAX {
                search.doubts.say("undecided-pattern", "too many patterns of names overlap");
                classes.truncate(CLASSES_MAX);
            }
        }
        for class in &mut classes {
            let applies = search.wanted.every.iter().filter(|(names, _)| class.is_in(names));
            class.value = applies.map(|(_, every)| *every).collect();
        }
        search.classes = Some(classes);
    }

    /// Places the needs from the given one on, and finishes.
    fn placed(&mut self, search: &mut Search, from: usize, draft: &Draft) -> Option<Rc<Value>> {
        if !self.spend(1) {
            search.doubts.say("undecided-effort", "too many steps");
            return None;
        }
        let Some(need) = search.needs.get(from) else { return self.finished(search, draft) };
        let (names, literal) = match need {
            Need::Member(names, literal) => (Some(names.clone()), *literal),
            Need::Name(literal) => (None, *literal),
        };
        for (name, present) in search.known.keys().map(|name| (name.clone(), draft.known.contains_key(name))).collect::<Vec<_>>() {
            let selected = match &names {
                Some(names) => self.patterns.selects(names, &name),
                None => self.holds(literal, &Value::Text(name.clone())),
            };
            let Some(known) = search.known.get(&name) else { continue };
            if selected == Truth::No || known.murky || !known.possible {
                continue;
            }
            if let Truth::Unclear(why) = selected {
                search.doubts.add(vec![why]);
                continue;
            }
            let mut value = if present { draft.known.get(&name).cloned().unwrap_or_default() } else { known.value.clone() };
            value.extend(names.as_ref().map(|_| literal));
            if !self.may_be(search, &value) {
                continue;
            }
            let mut next = draft.clone();
            next.known.insert(name, value);
            if let Some(value) = self.placed(search, from + 1, &next) {
                return Some(value);
            }
        }
        self.placed_elsewhere(search, from, draft, names.as_ref(), literal)
    }

    /// On names that are not mentioned.
    fn placed_elsewhere(
        &mut self,
        search: &mut Search,
        from: usize,
        draft: &Draft,
        names: Option<&Names>,
        literal: Literal,
    ) -> Option<Rc<Value>> {
        self.classes(search);
        let count = search.classes.as_ref().map_or(0, Vec::len);
        for number in 0..count {
            let Some(class) = search.classes.as_ref().and_then(|classes| classes.get(number)) else { continue };
            if names.is_some_and(|names| !class.is_in(names)) {
                continue;
            }
            let fresh = Made { class: number, name: class.name.clone(), value: class.value.clone() };
            let joined = draft.made.iter().enumerate().filter(|(_, made)| made.class == number).map(|(place, _)| Some(place));
            for place in std::iter::once(None).chain(joined).collect::<Vec<_>>() {
                let mut next = draft.clone();
                let made = match place {
                    Some(place) => next.made.get_mut(place),
                    None => {
                        next.made.push(fresh.clone());
                        next.made.last_mut()
                    }
                };
                let Some(made) = made else { continue };
                if names.is_some() {
                    made.value.push(literal)
                } else {
                    made.name.push(literal)
                }
                let (name, value) = (made.name.clone(), made.value.clone());
                if !self.may_be(search, &value) || !self.may_be(search, &name) {
                    continue;
                }
                if let Some(value) = self.placed(search, from + 1, &next) {
                    return Some(value);
                }
            }
        }
        None
    }

    /// Whether there is such a value; doubts are kept.
    fn may_be(&mut self, search: &mut Search, value: &[Literal]) -> bool {
        match self.solve(value.to_vec()) {
            Outcome::Found(_) => true,
            Outcome::Empty => false,
            Outcome::Unclear(whys) => {
                search.doubts.add(whys);
                false
            }
        }
    }

    /// Fills up to the least number of members, and writes the map.
    fn finished(&mut self, search: &mut Search, draft: &Draft) -> Option<Rc<Value>> {
        let mut draft = draft.clone();
        let count = |draft: &Draft| (draft.known.len() + draft.made.len()) as u64;
        if search.wanted.most.is_some_and(|most| count(&draft) > most) {
            return None;
        }
        if search.wanted.least.saturating_sub(count(&draft)) > FILLED_MAX {
            search.doubts.say("undecided-effort", "too many members would have to be made up");
            return None;
        }
        let optional: Vec<(String, Vec<Literal>)> = search
            .known
            .iter()
            .filter(|(name, known)| known.possible && !known.murky && !draft.known.contains_key(*name))
            .map(|(name, known)| (name.clone(), known.value.clone()))
            .collect();
        for (name, value) in optional {
            if count(&draft) < search.wanted.least && self.may_be(search, &value) {
                draft.known.insert(name, value);
            }
        }
        let mut map = BTreeMap::new();
        for (name, value) in draft.known {
            match self.solve(value) {
                Outcome::Found(value) => _ = map.insert(name, (*value).clone()),
                _ => return None,
            }
        }
        for made in draft.made {
            let name = self.fresh_name(search, &made.name, &map)?;
            match self.solve(made.value) {
                Outcome::Found(value) => _ = map.insert(name, (*value).clone()),
                _ => return None,
            }
        }
        self.filled(search, &mut map);
        (map.len() as u64 >= search.wanted.least).then(|| Rc::new(Value::Map(map)))
    }

    fn filled(&mut self, search: &mut Search, map: &mut BTreeMap<String, Value>) {
        if map.len() as u64 >= search.wanted.least {
            return;
        }
        self.classes(search);
        let classes: Vec<(Vec<Literal>, Vec<Literal>)> =
            search.classes.iter().flatten().map(|class| (class.name.clone(), class.value.clone())).collect();
        for (name, value) in classes {
            let member = match self.solve(value) {
                Outcome::Found(value) => (*value).clone(),
                Outcome::Empty => continue,
                Outcome::Unclear(whys) => {
                    search.doubts.add(whys);
                    continue;
                }
            };
            while (map.len() as u64) < search.wanted.least {
                match self.one_more_name(&name, map) {
                    Outcome::Found(name) => _ = map.insert(text(&name), member.clone()),
                    Outcome::Empty => break,
                    Outcome::Unclear(whys) => {
                        search.doubts.add(whys);
                        break;
                    }
                }
            }
        }
    }

    fn one_more_name(&mut self, name: &[Literal], map: &BTreeMap<String, Value>) -> Outcome {
        let taken = self.forms.add(Form::Among(map.keys().cloned().map(Value::Text).collect()));
        self.solve([name, &[Literal::new(taken, false)]].concat())
    }

    fn fresh_name(&mut self, search: &mut Search, name: &[Literal], map: &BTreeMap<String, Value>) -> Option<String> {
        match self.one_more_name(name, map) {
            Outcome::Found(name) => Some(text(&name)),
            Outcome::Unclear(whys) => {
                search.doubts.add(whys);
                None
            }
            Outcome::Empty => {
                // Another order of names might have left one; a lone one is really missing.
                if !map.is_empty() {
                    search.doubts.say("undecided-effort", "too few names for all members");
                }
                None
            }
        }
    }
}

impl Class {
    fn is_in(&self, names: &Names) -> bool {
        match names {
            Names::One(_) => false,
            Names::Matching(pattern) => self.matching.contains(pattern),
            Names::Others { patterns, .. } => self.matching.is_disjoint(patterns),
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    }
}

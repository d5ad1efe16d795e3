//! Whether a value exists that satisfies some formulas and violates others: a witness, none, or not known.
//!
//! A tableau over one type at a time: conjunctions are flattened, choices are tried, and what is left (a cell of plain
//! assertions about one type) is solved in `cells`, `maps` and `lists`, which ask again for the values inside. A question
//! that comes up inside itself is answered "none": a smallest value does not need itself inside. Answers that rest on that
//! are not remembered. Every witness is held against all formulas once more before it is told.
//! After: Attouche, Baazizi, Colazzo, Ghelli, Sartiani, Scherzinger, "Witness Generation for JSON Schema", VLDB 2022.

use super::eval::{Judge, Patterns, Truth, Why, all};
use super::form::{Form, Forms, Id, Names, types};
use super::value::{Type, Value};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// A formula, or its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal(u32);

impl Literal {
    pub fn new(form: Id, positive: bool) -> Self {
        Self(form << 1 | u32::from(!positive))
    }
    pub fn form(self) -> Id {
        self.0 >> 1
    }
    pub fn positive(self) -> bool {
        self.0 & 1 == 0
    }
    pub fn not(self) -> Self {
        Self(self.0 ^ 1)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Found(Rc<Value>),
    Empty,
    Unclear(Vec<Why>),
}

/// How much is tried before the answer is "not known".
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub steps: u64,
    /// Questions inside questions; each takes a few kilobytes of stack.
    pub depth: usize,
}

/// Whys that are kept of one question.
const WHYS_MAX: usize = 8;

/// Collects what was not known on the way to "none".
#[derive(Default)]
pub struct Doubts(Vec<Why>);

impl Doubts {
    pub fn add(&mut self, whys: Vec<Why>) {
        for why in whys {
            if self.0.len() < WHYS_MAX && !self.0.contains(&why) {
                self.0.push(why);
            }
        }
    }
    pub fn say(&mut self, word: &'static str, about: impl Into<String>) {
        self.add(vec![Why { word, about: about.into() }]);
    }
    /// None, as far as is known.
    pub fn end(self) -> Outcome {
        if self.0.is_empty() { Outcome::Empty } else { Outcome::Unclear(self.0) }
    }
}

/// Assertions about one type, and choices that are left.
pub struct Cell {
    pub atoms: BTreeSet<Literal>,
    choices: Vec<Vec<Literal>>,
}

pub struct Solver<'a> {
    pub forms: Forms,
    pub patterns: &'a Patterns,
    known: HashMap<Rc<[Literal]>, Outcome>,
    /// Questions that are being answered, with their depth.
    open: HashMap<Rc<[Literal]>, usize>,
    /// The outermost open question on which the answer in the making rests.
    rests_on: usize,
    steps_left: u64,
    depth_max: usize,
}

impl<'a> Solver<'a> {
    /// `forms` without places.
    pub fn new(forms: Forms, patterns: &'a Patterns, effort: Effort) -> Self {
        let (steps_left, depth_max) = (effort.steps, effort.depth);
        Self { forms, patterns, known: HashMap::new(), open: HashMap::new(), rests_on: usize::MAX, steps_left, depth_max }
    }
    pub fn steps_left(&self) -> u64 {
        self.steps_left
    }
    /// Takes steps; `false` where none are left.
    pub fn spend(&mut self, steps: usize) -> bool {
        self.steps_left = self.steps_left.saturating_sub(steps as u64);
        self.steps_left > 0
    }

    pub fn holds(&self, literal: Literal, value: &Value) -> Truth {
        let judge = Judge { forms: &self.forms, bodies: &[], patterns: self.patterns };
        let truth = judge.holds(literal.form(), value);
        if literal.positive() { truth } else { truth.not() }
    }
    pub fn all_hold(&self, literals: &[Literal], value: &Value) -> Truth {
        all(literals.iter().map(|literal| self.holds(*literal, value)))
    }

    /// A value of which all literals hold.
    pub fn solve(&mut self, mut literals: Vec<Literal>) -> Outcome {
        literals.sort_unstable();
        literals.dedup();
        if literals.windows(2).any(|pair| matches!(pair, [a, b] if *b == a.not())) {
            return Outcome::Empty;
        }
        let key: Rc<[Literal]> = literals.into();
        if let Some(outcome) = self.known.get(&key) {
            return outcome.clone();
        }
        if let Some(level) = self.open.get(&key) {
            self.rests_on = self.rests_on.min(*level);
            return Outcome::Empty;
        }
        let level = self.open.len();
        if !self.spend(key.len() + 1) || level >= self.depth_max {
            self.rests_on = 0;
            let about = if self.steps_left == 0 { "too many steps" } else { "schemas nested too deep" };
            return Outcome::Unclear(vec![Why { word: "undecided-effort", about: about.to_owned() }]);
        }
        self.open.insert(key.clone(), level);
        let before = std::mem::replace(&mut self.rests_on, usize::MAX);
        let outcome = self.any_type(&key);
        let outcome = self.confirmed(&key, outcome);
        self.open.remove(&key);
        let rests_on = std::mem::replace(&mut self.rests_on, before);
        if rests_on >= level || matches!(outcome, Outcome::Found(_)) {
            self.known.insert(key, outcome.clone());
        }
        if rests_on < level {
            self.rests_on = self.rests_on.min(rests_on);
        }
        outcome
    }

    fn confirmed(&self, literals: &[Literal], outcome: Outcome) -> Outcome {
        let Outcome::Found(value) = &outcome else { return outcome };
        match self.all_hold(literals, value) {
            Truth::Yes => outcome,
            Truth::No => Outcome::Unclear(vec![Why { word: "undecided-effort", about: format!("{value} does not confirm") }]),
            Truth::Unclear(why) => Outcome::Unclear(vec![why]),
        }
    }

    fn any_type(&mut self, literals: &[Literal]) -> Outcome {
        let mut doubts = Doubts::default();
        for kind in Type::ALL {
            match self.of_type(kind, literals) {
                Outcome::Empty => {}
                Outcome::Unclear(whys) => doubts.add(whys),
                found => match self.confirmed(literals, found) {
                    Outcome::Unclear(whys) => doubts.add(whys),
                    found => return found,
                },
            }
        }
        doubts.end()
    }

    fn of_type(&mut self, kind: Type, literals: &[Literal]) -> Outcome {
        let Some(cell) = self.expanded(kind, literals) else { return Outcome::Empty };
        if let Some(candidates) = self.candidates(kind, &cell) {
            let mut doubts = Doubts::default();
            for value in candidates {
                match self.all_hold(literals, &value) {
                    Truth::Yes => return Outcome::Found(Rc::new(value)),
                    Truth::No => {}
                    Truth::Unclear(why) => doubts.add(vec![why]),
                }
            }
            return doubts.end();
        }
        if !cell.choices.is_empty() {
            return self.chosen(kind, cell);
        }
        match kind {
            Type::Number => self.number_cell(&cell.atoms),
            Type::Text => self.text_cell(&cell.atoms),
            Type::Map => self.map_cell(&cell.atoms),
            Type::List => self.list_cell(&cell.atoms),
            Type::Null | Type::Bool => Outcome::Empty,
        }
    }

    /// The only values that come into question, where they are few.
    fn candidates(&self, kind: Type, cell: &Cell) -> Option<Vec<Value>> {
        match kind {
            Type::Null => return Some(vec![Value::Null]),
            Type::Bool => return Some(vec![Value::Bool(false), Value::Bool(true)]),
            _ => {}
        }
        let lists = cell.atoms.iter().filter_map(|literal| match self.forms.get(literal.form()) {
            Form::Among(values) if literal.positive() => Some(values),
            _ => None,
        });
        let values = lists.min_by_key(|values| values.len())?;
        Some(values.iter().filter(|value| value.kind() == kind).cloned().collect())
    }

    // ---- flattening ----

    /// What the literals say of values of one type; nothing where they contradict each other at first sight.
    fn expanded(&mut self, kind: Type, literals: &[Literal]) -> Option<Cell> {
        let mut cell = Cell { atoms: BTreeSet::new(), choices: Vec::new() };
        let mut seen: BTreeSet<Literal> = BTreeSet::new();
        let mut open: Vec<Literal> = literals.to_vec();
        while !open.is_empty() {
            while let Some(literal) = open.pop() {
                if seen.contains(&literal.not()) {
                    return None;
                }
                if seen.insert(literal) && !self.unfold(kind, literal, &mut cell, &mut open) {
                    return None;
                }
            }
            let mut left = Vec::new();
            for choice in std::mem::take(&mut cell.choices) {
                let mut kept = Vec::new();
                let mut met = false;
                for literal in choice {
                    match self.at_sight(kind, literal, &seen, 0) {
                        Some(true) => met = true,
                        Some(false) => {}
                        None => kept.push(literal),
                    }
                }
                match kept.as_slice() {
                    _ if met => {}
                    [] => return None,
                    [only] => open.push(*only),
                    _ => left.push(kept),
                }
            }
            left.sort_unstable();
            left.dedup();
            cell.choices = left;
        }
        Some(cell)
    }

    /// One literal into atoms, choices and further literals; `false` where it cannot hold for the type.
    fn unfold(&mut self, kind: Type, literal: Literal, cell: &mut Cell, open: &mut Vec<Literal>) -> bool {
        let positive = literal.positive();
        let all = |parts: &[Id], as_is: bool| parts.iter().map(|part| Literal::new(*part, as_is)).collect::<Vec<_>>();
        let form = self.forms.get(literal.form());
        match form {
            Form::All(parts) if positive => open.extend(all(parts, true)),
            Form::All(parts) => cell.choices.push(all(parts, false)),
            Form::Any(parts) if positive => cell.choices.push(all(parts, true)),
            Form::Any(parts) => open.extend(all(parts, false)),
            Form::Not(inner) => open.push(Literal::new(*inner, !positive)),
            Form::One(parts) => {
                let parts = parts.clone();
                let choice = if positive { self.just_one(&parts) } else { self.none_or_two(&parts) };
                cell.choices.push(choice);
            }
            Form::Types(set) => match of_kind(*set, kind) {
                Some(truth) => return truth == positive,
                None => _ = cell.atoms.insert(literal),
            },
            Form::Among(values) => {
                let some = values.iter().any(|value| value.kind() == kind);
                if !some {
                    return !positive;
                }
                if positive || !matches!(kind, Type::Map | Type::List) {
                    cell.atoms.insert(literal);
                } else {
                    let values: Vec<Value> = values.iter().filter(|value| value.kind() == kind).cloned().collect();
                    for value in values {
                        let like = self.exactly(&value);
                        open.push(Literal::new(like, false));
                    }
                }
            }
            form => {
                if form.about().is_some_and(|set| set & kind.bit() == 0) {
                    return positive;
                }
                cell.atoms.insert(literal);
            }
        }
        self.spend(1);
        true
    }

    /// Exactly one of the parts, as a choice of which.
    fn just_one(&mut self, parts: &[Id]) -> Vec<Literal> {
        let mut choice = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != place);
            let mut together = vec![*part];
            for (_, other) in others {
                together.push(self.forms.not(*other));
            }
            together.sort_unstable();
            together.dedup();
            self.spend(parts.len());
            choice.push(Literal::new(self.forms.all(together), true));
        }
        choice
    }

    fn none_or_two(&mut self, parts: &[Id]) -> Vec<Literal> {
        let none: Vec<Id> = parts.iter().map(|part| self.forms.not(*part)).collect();
        let mut choice = vec![Literal::new(self.forms.all(none), true)];
        for (place, one) in parts.iter().enumerate() {
            for other in parts.iter().skip(place + 1) {
                let pair = if one == other { vec![*one] } else { vec![*one, *other] };
                choice.push(Literal::new(self.forms.all(pair), true));
            }
            self.spend(parts.len());
        }
        choice
    }

    /// The formula of exactly one map or list.
    fn exactly(&mut self, value: &Value) -> Id {
        let mut parts = Vec::new();
        match value {
            Value::Map(members) => {
                parts.push(self.forms.add(Form::Types(types::MAP)));
                for (name, member) in members {
                    let inner = self.forms.add(Form::Among(vec![member.clone()]));
                    parts.push(self.forms.add(Form::Required(name.clone())));
                    parts.push(self.forms.add(Form::Members(Names::One(name.clone()), inner)));
                }
                let never = self.forms.add(Form::Any(Vec::new()));
                let names = Names::Others { names: members.keys().cloned().collect(), patterns: BTreeSet::new() };
                parts.push(self.forms.add(Form::Members(names, never)));
            }
            Value::List(items) => {
                parts.push(self.forms.add(Form::Types(types::LIST)));
                parts.push(self.forms.add(Form::ItemsAtLeast(items.len() as u64)));
                parts.push(self.forms.add(Form::ItemsAtMost(items.len() as u64)));
                for (place, item) in (0u64..).zip(items) {
                    let inner = self.forms.add(Form::Among(vec![item.clone()]));
                    parts.push(self.forms.add(Form::Items(place, Some(place + 1), inner)));
                }
            }
            other => parts.push(self.forms.add(Form::Among(vec![other.clone()]))),
        }
        self.forms.all(parts)
    }

    /// Whether a literal holds for every, or for no value of the type, as far as can be seen without a search.
    fn at_sight(&self, kind: Type, literal: Literal, seen: &BTreeSet<Literal>, depth: usize) -> Option<bool> {
        if seen.contains(&literal) {
            return Some(true);
        }
        if seen.contains(&literal.not()) {
            return Some(false);
        }
        if depth > 5 {
            return None;
        }
        let inner = |part: &Id| self.at_sight(kind, Literal::new(*part, true), seen, depth + 1);
        let every = |parts: &[Id], wanted: bool| {
            let mut all = Some(wanted);
            for part in parts.iter().take(64) {
                match inner(part) {
                    Some(truth) if truth == wanted => {}
                    None => all = None,
                    other => return other,
                }
            }
            if parts.len() > 64 && all.is_some() { None } else { all }
        };
        let truth = match self.forms.get(literal.form()) {
            Form::All(parts) => every(parts, true),
            Form::Any(parts) => every(parts, false),
            Form::Not(part) => inner(part).map(|truth| !truth),
            Form::Types(set) => of_kind(*set, kind),
            Form::Among(values) => (!values.iter().any(|value| value.kind() == kind)).then_some(false),
            form => form.about().filter(|set| set & kind.bit() == 0).map(|_| true),
        };
        truth.map(|truth| truth == literal.positive())
    }

    // ---- choices ----

    /// A formula of which one of the literals holds.
    fn one_of(&mut self, literals: &[Literal]) -> Literal {
        let parts =
            literals.iter().map(|literal| if literal.positive() { literal.form() } else { self.forms.not(literal.form()) }).collect();
        Literal::new(self.forms.any(parts), true)
    }

    fn chosen(&mut self, kind: Type, cell: Cell) -> Outcome {
        let mut base: Vec<Literal> = cell.atoms.iter().copied().collect();
        let set = if kind == Type::Number { types::NUMBER | types::WHOLE } else { kind.bit() };
        base.push(Literal::new(self.forms.add(Form::Types(set)), true));
        let mut choices = cell.choices;
        choices.sort_unstable_by_key(Vec::len);
        if choices.len() > 1
            && let Some(outcome) = self.one_by_one(&base, &choices)
        {
            return outcome;
        }
        let others: Vec<Literal> = choices.iter().skip(1).map(|choice| self.one_of(choice)).collect();
        let mut doubts = Doubts::default();
        for literal in choices.first().cloned().unwrap_or_default() {
            let mut question = base.clone();
            question.push(literal);
            question.extend(&others);
            match self.solve(question) {
                Outcome::Empty => {}
                Outcome::Unclear(whys) => doubts.add(whys),
                found => return found,
            }
        }
        doubts.end()
    }

    /// Answers without splitting: a choice that cannot be met at all; a witness for one choice that meets the others, too;
    /// and choices that hold anyway are left out.
    fn one_by_one(&mut self, base: &[Literal], choices: &[Vec<Literal>]) -> Option<Outcome> {
        let whole: Vec<Literal> = choices.iter().map(|choice| self.one_of(choice)).collect();
        for choice in &whole {
            match self.solve([base, &[*choice]].concat()) {
                Outcome::Empty => return Some(Outcome::Empty),
                Outcome::Found(value) if self.all_hold(&whole, &value) == Truth::Yes => return Some(Outcome::Found(value)),
                _ => {}
            }
        }
        let mut left = Vec::new();
        for (choice, literals) in whole.iter().zip(choices) {
            let contrary: Vec<Literal> = literals.iter().map(|literal| literal.not()).collect();
            if self.solve([base, &contrary].concat()) != Outcome::Empty {
                left.push(*choice);
            }
        }
        if left.len() == whole.len() {
            return None;
        }
        match self.solve([base, &left].concat()) {
            Outcome::Found(value) if self.all_hold(&whole, &value) != Truth::Yes => None,
            outcome => Some(outcome),
        }
    }
}

/// Whether a set of types has all values of the type, or none; nothing where it has the whole numbers only.
fn of_kind(set: u8, kind: Type) -> Option<bool> {
    if kind == Type::Number && set & types::NUMBER == 0 && set & types::WHOLE != 0 {
        return None;
    }
    Some(set & kind.bit() != 0)
}

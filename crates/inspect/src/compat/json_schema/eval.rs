//! Whether a value is as a formula says: yes, no, or not known.
//!
//! The second opinion on every witness: what was constructed is told only where this agrees.

use super::form::{Form, Forms, Id, Names, types};
use super::regex::Automaton;
use super::value::{Type, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Why something is not known: a stable word and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Why {
    pub word: &'static str,
    pub about: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    Unclear(Why),
}

impl Truth {
    pub fn not(self) -> Self {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            unclear => unclear,
        }
    }
    pub fn of(truth: bool) -> Self {
        if truth { Truth::Yes } else { Truth::No }
    }
}

/// Patterns, each read once.
#[derive(Debug, Default)]
pub struct Patterns {
    known: RefCell<HashMap<String, Result<Rc<Automaton>, String>>>,
}

impl Patterns {
    pub fn get(&self, pattern: &str) -> Result<Rc<Automaton>, Why> {
        let known = self.known.borrow().get(pattern).cloned();
        let automaton = known.unwrap_or_else(|| {
            let read = Automaton::of_pattern(pattern).map(Rc::new);
            self.known.borrow_mut().insert(pattern.to_owned(), read.clone());
            read
        });
        automaton.map_err(|why| Why { word: "undecided-pattern", about: format!("{pattern}: {why}") })
    }
    pub fn matches(&self, pattern: &str, text: &str) -> Truth {
        match self.get(pattern) {
            Ok(automaton) => Truth::of(automaton.matches(text)),
            Err(why) => Truth::Unclear(why),
        }
    }
    pub fn selects(&self, names: &Names, name: &str) -> Truth {
        match names {
            Names::One(one) => Truth::of(one == name),
            Names::Matching(pattern) => self.matches(pattern, name),
            Names::Others { names, patterns } => {
                if names.contains(name) {
                    return Truth::No;
                }
                one_at_least(patterns.iter().map(|pattern| self.matches(pattern, name))).not()
            }
        }
    }
}

pub fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    one_at_least(truths.map(Truth::not)).not()
}

fn one_at_least(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut unclear = Truth::No;
    for truth in truths {
        match truth {
            Truth::Yes => return Truth::Yes,
            Truth::No => {}
            Truth::Unclear(_) => unclear = truth,
        }
    }
    unclear
}

/// Formulas with what they need to be held against values.
pub struct Judge<'a> {
    pub forms: &'a Forms,
    /// What each place says.
    pub bodies: &'a [Id],
    pub patterns: &'a Patterns,
}

impl Judge<'_> {
    pub fn holds(&self, id: Id, value: &Value) -> Truth {
        match self.forms.get(id) {
            Form::All(parts) => all(parts.iter().map(|part| self.holds(*part, value))),
            Form::Any(parts) => one_at_least(parts.iter().map(|part| self.holds(*part, value))),
            Form::One(parts) => self.exactly_one(parts, value),
            Form::Not(inner) => self.holds(*inner, value).not(),
            Form::Place(place) => match self.bodies.get(*place as usize) {
                Some(body) => self.holds(*body, value),
                None => Truth::Unclear(Why { word: "undecided-reference", about: "a place that is not there".to_owned() }),
            },
            Form::Types(set) => Truth::of(is_of(*set, value)),
            Form::Among(values) => Truth::of(values.binary_search(value).is_ok()),
            form => match value {
                Value::Number(_) | Value::Text(_) => self.scalar(form, value),
                Value::Map(_) => self.map(form, value),
                Value::List(_) => self.list(form, value),
                Value::Null | Value::Bool(_) => self.dark(form, value.kind()),
            },
        }
    }

    fn dark(&self, form: &Form, kind: Type) -> Truth {
        match form {
            Form::Dark(set, text, word) if set & kind.bit() != 0 => Truth::Unclear(Why { word, about: text.clone() }),
            _ => Truth::Yes,
        }
    }

    fn exactly_one(&self, parts: &[Id], value: &Value) -> Truth {
        let (mut yes, mut unclear) = (0, None);
        for part in parts {
            match self.holds(*part, value) {
                Truth::Yes => yes += 1,
                Truth::No => {}
                Truth::Unclear(why) => unclear = Some(why),
            }
        }
        match (yes, unclear) {
            (2.., _) => Truth::No,
            (_, Some(why)) => Truth::Unclear(why),
            (yes, None) => Truth::of(yes == 1),
        }
    }

    fn scalar(&self, form: &Form, value: &Value) -> Truth {
        match (form, value) {
            (Form::AtLeast(bound, outside), Value::Number(number)) => Truth::of(number > bound || number == bound && !outside),
            (Form::AtMost(bound, outside), Value::Number(number)) => Truth::of(number < bound || number == bound && !outside),
            (Form::MultipleOf(step), Value::Number(number)) => match number.is_multiple_of(*step) {
                Some(is) => Truth::of(is),
                None => Truth::Unclear(Why { word: "undecided-number", about: format!("{number} by {step}") }),
            },
            (Form::LengthAtLeast(least), Value::Text(text)) => Truth::of(text.chars().count() as u64 >= *least),
            (Form::LengthAtMost(most), Value::Text(text)) => Truth::of(text.chars().count() as u64 <= *most),
            (Form::Pattern(pattern), Value::Text(text)) => self.patterns.matches(pattern, text),
            _ => self.dark(form, value.kind()),
        }
    }

    fn map(&self, form: &Form, value: &Value) -> Truth {
        let Value::Map(members) = value else { return Truth::Yes };
        match form {
            Form::MembersAtLeast(least) => Truth::of(members.len() as u64 >= *least),
            Form::MembersAtMost(most) => Truth::of(members.len() as u64 <= *most),
            Form::Required(name) => Truth::of(members.contains_key(name)),
            Form::Members(Names::One(name), inner) => members.get(name).map_or(Truth::Yes, |member| self.holds(*inner, member)),
            Form::Members(names, inner) => all(members.iter().map(|(name, member)| match self.patterns.selects(names, name) {
                Truth::No => Truth::Yes,
                Truth::Yes => self.holds(*inner, member),
                unclear => {
                    if self.holds(*inner, member) == Truth::Yes {
                        Truth::Yes
                    } else {
                        unclear
                    }
                }
            })),
            Form::NamesAre(inner) => all(members.keys().map(|name| self.holds(*inner, &Value::Text(name.clone())))),
            _ => self.dark(form, Type::Map),
        }
    }

    fn list(&self, form: &Form, value: &Value) -> Truth {
        let Value::List(items) = value else { return Truth::Yes };
        let so = |inner: Id| {
            let (mut yes, mut unclear) = (0u64, Vec::new());
            for item in items {
                match self.holds(inner, item) {
                    Truth::Yes => yes += 1,
                    Truth::No => {}
                    Truth::Unclear(why) => unclear.push(why),
                }
            }
            (yes, unclear)
        };
        match form {
            Form::ItemsAtLeast(least) => Truth::of(items.len() as u64 >= *least),
            Form::ItemsAtMost(most) => Truth::of(items.len() as u64 <= *most),
            Form::Items(from, to, inner) => {
                let to = to.map_or(items.len(), |to| (to as usize).min(items.len()));
                let meant = items.get((*from as usize).min(to)..to).unwrap_or_default();
                all(meant.iter().map(|item| self.holds(*inner, item)))
            }
            Form::SomeItems(least, inner) => match so(*inner) {
                (yes, _) if yes >= *least => Truth::Yes,
                (yes, mut unclear) if yes + unclear.len() as u64 >= *least => unclear.pop().map_or(Truth::No, Truth::Unclear),
                _ => Truth::No,
            },
            Form::FewItems(most, inner) => match so(*inner) {
                (yes, _) if yes > *most => Truth::No,
                (yes, mut unclear) if yes + unclear.len() as u64 > *most => unclear.pop().map_or(Truth::Yes, Truth::Unclear),
                _ => Truth::Yes,
            },
            Form::Different => {
                let mut sorted: Vec<&Value> = items.iter().collect();
                sorted.sort_unstable();
                Truth::of(sorted.windows(2).all(|pair| pair.first() != pair.get(1)))
            }
            _ => self.dark(form, Type::List),
        }
    }
}

pub fn is_of(set: u8, value: &Value) -> bool {
    set & value.kind().bit() != 0 || matches!(value, Value::Number(number) if set & types::WHOLE != 0 && number.is_integer())
}

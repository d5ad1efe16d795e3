//! Numbers and texts of which given assertions hold.

use super::decimal::Decimal;
use super::eval::Why;
use super::form::{Form, types};
use super::numbers::{Found, Numbers};
use super::solve::{Literal, Outcome, Solver};
use super::strings::Texts;
use super::value::Value;
use std::collections::BTreeSet;
use std::rc::Rc;

impl Solver<'_> {
    pub(super) fn number_cell(&mut self, atoms: &BTreeSet<Literal>) -> Outcome {
        let mut numbers = Numbers::default();
        for literal in atoms {
            let positive = literal.positive();
            let grid = if positive { &mut numbers.on } else { &mut numbers.off };
            match self.forms.get(literal.form()) {
                Form::AtLeast(bound, outside) if positive => numbers.at_least((*bound, *outside)),
                Form::AtLeast(bound, outside) => numbers.at_most((*bound, !outside)),
                Form::AtMost(bound, outside) if positive => numbers.at_most((*bound, *outside)),
                Form::AtMost(bound, outside) => numbers.at_least((*bound, !outside)),
                Form::MultipleOf(step) => grid.push(*step),
                Form::Types(set) if set & types::WHOLE != 0 => grid.push(Decimal::ONE),
                Form::Among(values) => numbers.not.extend(values.iter().filter_map(|value| match value {
                    Value::Number(number) => Some(*number),
                    _ => None,
                })),
                _ => {}
            }
        }
        match numbers.find() {
            Found::One(number) => Outcome::Found(Rc::new(Value::Number(number))),
            Found::None => Outcome::Empty,
            Found::Unclear(why) => Outcome::Unclear(vec![Why { word: "undecided-number", about: why.to_owned() }]),
        }
    }

    pub(super) fn text_cell(&mut self, atoms: &BTreeSet<Literal>) -> Outcome {
        let mut texts = Texts::default();
        let mut unread: Option<Why> = None;
        for literal in atoms {
            let positive = literal.positive();
            let (least, most) = match (self.forms.get(literal.form()), positive) {
                (Form::LengthAtLeast(length), true) => (Some(*length), None),
                (Form::LengthAtLeast(0), false) => return Outcome::Empty,
                (Form::LengthAtLeast(length), false) => (None, Some(length - 1)),
                (Form::LengthAtMost(length), true) => (None, Some(*length)),
                (Form::LengthAtMost(length), false) => (Some(length + 1), None),
                (Form::Pattern(pattern), _) => {
                    match self.patterns.get(pattern) {
                        Ok(automaton) if positive => texts.matching.push(automaton),
                        Ok(automaton) => texts.missing.push(automaton),
                        Err(why) => unread = Some(why),
                    }
                    (None, None)
                }
                (Form::Among(values), _) => {
                    texts.not.extend(values.iter().filter_map(|value| match value {
                        Value::Text(text) => Some(text.clone()),
                        _ => None,
                    }));
                    (None, None)
                }
                _ => (None, None),
            };
            texts.least = texts.least.max(least.unwrap_or(0));
            texts.most = match (texts.most, most) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        self.spend(1 + 16 * (texts.matching.len() + texts.missing.len()));
        match (texts.find(), unread) {
            (Found::None, _) => Outcome::Empty,
            (_, Some(why)) => Outcome::Unclear(vec![why]),
            (Found::One(text), None) => Outcome::Found(Rc::new(Value::Text(text))),
            (Found::Unclear(why), None) => Outcome::Unclear(vec![Why { word: "undecided-pattern", about: why.to_owned() }]),
        }
    }
}

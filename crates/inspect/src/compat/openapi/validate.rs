//! Whether a value fits a schema, as far as that can be said here: patterns, formats and what is unevaluated are not looked
//! at, and never a reason to refuse.

use super::shape::{BOUNDS, Shape, Types, shape};
use super::source::{ANY, Conj, NEVER, Spec};
use crate::document::ReadError;
use serde_json::Value;

/// Deeper values are taken as fitting: the reader of the file refuses them before.
const DEPTH_MAX: usize = 128;

/// How strict a value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The value is all that is sent.
    Whole,
    /// The value is a part of what is expected; what is not described was not promised.
    Expected,
}

/// What does not fit: where, and why.
#[derive(Debug)]
pub(super) struct Misfit {
    pub path: String,
    pub why: String,
}

pub(super) struct Validator<'a> {
    pub spec: &'a Spec,
    pub mode: Mode,
    /// The values are of a request: what is read-only is not asked for.
    pub request: bool,
    /// Schemas still looked at: alternatives inside alternatives are a product.
    pub budget: std::cell::Cell<u32>,
}

/// What a value may cost.
pub(super) const BUDGET: u32 = 200_000;

impl Validator<'_> {
    pub fn check(&self, conj: Conj, value: &Value) -> Result<Vec<Misfit>, ReadError> {
        let mut misfits = Vec::new();
        self.budget.set(BUDGET);
        self.value(conj, value, "", 0, &mut misfits)?;
        Ok(misfits)
    }

    fn affordable(&self) -> bool {
        let left = self.budget.get().saturating_sub(1);
        self.budget.set(left);
        left > 0
    }

    fn value(&self, conj: Conj, value: &Value, path: &str, depth: usize, out: &mut Vec<Misfit>) -> Result<(), ReadError> {
        if depth > DEPTH_MAX || conj == ANY || !self.affordable() {
            return Ok(());
        }
        let mut no = |why: String| out.push(Misfit { path: path.to_owned(), why });
        if conj == NEVER {
            no("nothing is valid here".to_owned());
            return Ok(());
        }
        let shape = shape(self.spec, conj)?;
        let types = type_of(value);
        if shape.never || !shape.types.meets(types) || types == Types::INTEGER && !shape.types.has(Types::INTEGER) {
            no(format!("expected {}, found {}", shape.types.words(), types.words()));
            return Ok(());
        }
        let canonical = canonical(value);
        if let Some((values, _)) = &shape.values
            && !values.contains(&canonical)
        {
            no(format!("{canonical} is none of the listed values"));
        }
        if let Some((constant, _)) = &shape.constant
            && *constant != canonical
        {
            no(format!("expected {constant}, found {canonical}"));
        }
        bounds(&shape, value, &mut no);
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let conj = shape.prefix.get(place).map(|one| one.0).or(shape.items.map(|one| one.0)).unwrap_or(ANY);
                    self.value(conj, item, &format!("{path}/{place}"), depth + 1, out)?;
                }
            }
            Value::Object(members) => self.object(conj, &shape, members, path, depth, out)?,
            _ => {}
        }
        self.choices(conj, &shape, value, path, depth, out)
    }

    fn object(
        &self,
        conj: Conj,
        shape: &Shape<'_>,
        members: &serde_json::Map<String, Value>,
        path: &str,
        depth: usize,
        out: &mut Vec<Misfit>,
    ) -> Result<(), ReadError> {
        for (name, value) in members {
            let path = format!("{path}/{name}");
            match (shape.property(name), shape.additional) {
                (Some((conj, _)), _) => self.value(conj, value, &path, depth + 1, out)?,
                (None, Some((NEVER, _))) => out.push(Misfit { path, why: "the property is forbidden".to_owned() }),
                (None, Some((conj, _))) => self.value(conj, value, &path, depth + 1, out)?,
                (None, None) if self.mode == Mode::Expected && !self.described(conj, shape, name, depth)? => {
                    out.push(Misfit { path, why: "the property is not described, so nobody promises it".to_owned() });
                }
                (None, None) => {}
            }
        }
        if self.mode == Mode::Whole {
            for (name, _) in &shape.required {
                let read_only = match shape.property(name) {
                    Some((conj, _)) => self.request && super::shape::shape(self.spec, conj)?.read_only.is_some(),
                    None => false,
                };
                if !members.contains_key(*name) && !read_only {
                    out.push(Misfit { path: path.to_owned(), why: format!("the required property {name:?} is missing") });
                }
            }
        }
        Ok(())
    }
    /// Whether something that stands beside describes the property: an alternative, a pattern. A schema that describes no
    /// property at all promises any.
    fn described(&self, _conj: Conj, shape: &Shape<'_>, name: &str, depth: usize) -> Result<bool, ReadError> {
        if shape.properties.is_empty() && shape.choices.is_empty() || shape.parts.iter().any(|part| part.key == "pattern-property") {
            return Ok(true);
        }
        if depth > DEPTH_MAX || !self.affordable() {
            return Ok(true);
        }
        for branch in shape.choices.iter().flat_map(|choice| &choice.branches) {
            let inner = super::shape::shape(self.spec, branch.conj)?;
            if inner.property(name).is_some() || inner.additional.is_some() || self.described(branch.conj, &inner, name, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn choices(
        &self,
        conj: Conj,
        shape: &Shape<'_>,
        value: &Value,
        path: &str,
        depth: usize,
        out: &mut Vec<Misfit>,
    ) -> Result<(), ReadError> {
        for choice in &shape.choices {
            let mut fitting = 0;
            let mut nearest: Option<Vec<Misfit>> = None;
            for branch in &choice.branches {
                let mut misfits = Vec::new();
                let whole = super::shape::alternative(self.spec, conj, branch);
                self.value(whole, value, path, depth + 1, &mut misfits)?;
                if misfits.is_empty() {
                    fitting += 1;
                } else if nearest.as_ref().is_none_or(|known| misfits.len() < known.len()) {
                    nearest = Some(misfits);
                }
            }
            if fitting == 0 {
                let why = nearest
                    .into_iter()
                    .flatten()
                    .next()
                    .map_or(String::new(), |misfit| format!("; nearest: {}: {}", misfit.path, misfit.why));
                out.push(Misfit { path: path.to_owned(), why: format!("it fits none of the alternatives{why}") });
            } else if fitting > 1 && choice.exactly_one && self.mode == Mode::Whole {
                out.push(Misfit { path: path.to_owned(), why: format!("it fits {fitting} alternatives, and may fit only one") });
            }
        }
        Ok(())
    }
}

fn bounds(shape: &Shape<'_>, value: &Value, no: &mut impl FnMut(String)) {
    for (bound, said) in BOUNDS.iter().zip(shape.bounds) {
        let Some((limit, _)) = said else { continue };
        let measured = match (bound.types, value) {
            (Types::STRING, Value::String(text)) => Some(text.chars().count() as f64),
            (Types::ARRAY, Value::Array(items)) if bound.key.ends_with("Items") => Some(items.len() as f64),
            (Types::OBJECT, Value::Object(members)) => Some(members.len() as f64),
            (Types::NUMBER, Value::Number(number)) => number.as_f64(),
            _ => None,
        };
        let Some(measured) = measured else { continue };
        let fits = match (bound.upper, bound.key.starts_with("exclusive")) {
            (true, false) => measured <= limit,
            (true, true) => measured < limit,
            (false, false) => measured >= limit,
            (false, true) => measured > limit,
        };
        if !fits {
            no(format!("{} is {limit}, found {measured}", bound.key));
        }
    }
}

fn type_of(value: &Value) -> Types {
    match value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::String(_) => Types::STRING,
        Value::Array(_) => Types::ARRAY,
        Value::Object(_) => Types::OBJECT,
        // 1.0 is an integer, too (JSON Schema 2020-12, core 4.2.2).
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => Types::INTEGER,
        Value::Number(_) => Types(64),
    }
}

/// As [`crate::document::Tree::canonical`] writes it.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let one = |name: &&String| format!("{}:{}", Value::from(name.as_str()), members.get(*name).map(canonical).unwrap_or_default());
            format!("{{{}}}", names.iter().map(one).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

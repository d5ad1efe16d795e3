//! What an absent field means.

use super::super::model::{Cardinality, Field, Kind, Tree};
use super::super::syntax::Value;

#[derive(Debug, Clone, PartialEq)]
enum Meaning {
    Integer(i128),
    Float(f64),
    Text(Vec<u8>),
}

impl Meaning {
    fn is_zero(&self) -> bool {
        match self {
            Meaning::Integer(number) => *number == 0,
            Meaning::Float(number) => *number == 0.0,
            Meaning::Text(bytes) => bytes.is_empty(),
        }
    }
    fn as_float(&self) -> Option<f64> {
        match self {
            // Only integers that a double holds exactly.
            Meaning::Integer(number) if number.unsigned_abs() <= 1 << 53 => Some(*number as f64),
            Meaning::Float(number) => Some(*number),
            _ => None,
        }
    }
}

/// The defaults as they were and are, where they differ.
pub(super) fn changed(before: (&Tree, &Field), now: (&Tree, &Field)) -> Option<(String, String)> {
    if before.1.default.is_none() && now.1.default.is_none() && before.1.kind != Kind::Enum {
        // Zero, whatever the type.
        return None;
    }
    let (old, new) = (meaning(before.0, before.1)?, meaning(now.0, now.1)?);
    if old.is_zero() && new.is_zero() {
        return None;
    }
    let single = before.1.kind == Kind::Float || now.1.kind == Kind::Float;
    let same = match (&old, &new) {
        (Meaning::Text(old), Meaning::Text(new)) => old == new,
        (Meaning::Text(_), _) | (_, Meaning::Text(_)) => false,
        (Meaning::Integer(old), Meaning::Integer(new)) => old == new,
        _ => match (old.as_float(), new.as_float()) {
            (Some(old), Some(new)) if old.is_nan() || new.is_nan() => old.is_nan() && new.is_nan(),
            (Some(old), Some(new)) if single => old as f32 == new as f32,
            (Some(old), Some(new)) => old == new,
            _ => false,
        },
    };
    if same { None } else { Some((shown(before.0, before.1, &old), shown(now.0, now.1, &new))) }
}

fn meaning(tree: &Tree, field: &Field) -> Option<Meaning> {
    let plural = matches!(field.cardinality, Cardinality::Repeated | Cardinality::Map);
    if plural || matches!(field.kind, Kind::Message | Kind::Group | Kind::Unknown) {
        return None;
    }
    let Some(value) = &field.default else {
        return Some(match field.kind {
            Kind::String | Kind::Bytes => Meaning::Text(Vec::new()),
            Kind::Enum => Meaning::Integer(i128::from(tree.enums.get(field.type_index?)?.values.first()?.number)),
            _ => Meaning::Integer(0),
        });
    };
    Some(match (field.kind, value) {
        (Kind::Enum, Value::Word(word)) => {
            let values = &tree.enums.get(field.type_index?)?.values;
            Meaning::Integer(i128::from(values.iter().find(|value| value.name == *word)?.number))
        }
        (_, Value::Word(word)) => match word.as_str() {
            "true" => Meaning::Integer(1),
            "false" => Meaning::Integer(0),
            "inf" | "infinity" => Meaning::Float(f64::INFINITY),
            "nan" => Meaning::Float(f64::NAN),
            _ => return None,
        },
        (Kind::Float, Value::Float(number)) => Meaning::Float(f64::from(*number as f32)),
        (_, Value::Float(number)) => Meaning::Float(*number),
        (_, Value::Integer(number)) => Meaning::Integer(*number),
        (_, Value::Text(bytes)) => Meaning::Text(bytes.clone()),
        (_, Value::Message(_) | Value::List(_)) => return None,
    })
}

fn shown(tree: &Tree, field: &Field, meaning: &Meaning) -> String {
    match meaning {
        Meaning::Text(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Meaning::Float(number) => number.to_string(),
        Meaning::Integer(number) => match field.kind {
            Kind::Bool => (*number != 0).to_string(),
            Kind::Enum => field
                .type_index
                .and_then(|index| tree.enums.get(index))
                .and_then(|found| found.values.iter().find(|value| i128::from(value.number) == *number))
                .map_or_else(|| number.to_string(), |value| value.name.clone()),
            _ => number.to_string(),
        },
    }
}

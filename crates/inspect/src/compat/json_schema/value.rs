//! JSON values with exact numbers: constants of schemas, and instances that show a difference.

use super::decimal::Decimal;
use crate::document::{Kind, NodeId, Tree};
use std::collections::BTreeMap;
use std::fmt;

/// A JSON value; equality is JSON Schema's (2020-12 core, section 4.2.2): `1` and `1.0` are the same number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// The types of JSON; whole numbers are no type of their own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    Null,
    Bool,
    Number,
    Text,
    Map,
    List,
}

impl Type {
    pub const ALL: [Type; 6] = [Type::Null, Type::Bool, Type::Number, Type::Text, Type::Map, Type::List];
}

impl Value {
    pub fn kind(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::Text(_) => Type::Text,
            Value::List(_) => Type::List,
            Value::Map(_) => Type::Map,
        }
    }
    /// The value at a node; the line of a number that does not fit otherwise.
    pub fn of(tree: &Tree, node: NodeId) -> Result<Value, u32> {
        Ok(match tree.kind(node) {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(tree.truth(node) == Some(true)),
            Kind::Number => {
                let number = tree.scalar(node).and_then(Decimal::parse);
                Value::Number(number.ok_or_else(|| tree.line(node))?)
            }
            Kind::Text => Value::Text(tree.text(node).unwrap_or_default().to_owned()),
            Kind::List => Value::List(tree.items(node).iter().map(|item| Value::of(tree, *item)).collect::<Result<_, _>>()?),
            Kind::Map => {
                let member = |(key, value): (&str, NodeId)| Ok((key.to_owned(), Value::of(tree, value)?));
                Value::Map(tree.entries(node).map(member).collect::<Result<_, u32>>()?)
            }
        })
    }
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => serde_json::Value::Bool(*truth),
            Value::Number(number) => number.to_string().parse().map_or_else(|_| serde_json::Value::Null, serde_json::Value::Number),
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::List(items) => serde_json::Value::Array(items.iter().map(Value::to_json).collect()),
            Value::Map(members) => serde_json::Value::Object(members.iter().map(|(key, value)| (key.clone(), value.to_json())).collect()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

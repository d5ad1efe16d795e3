//! Pieces of JSON whose shape databases choose themselves: what is looked for is taken, anything else passes unseen.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Most places of `functions` that are kept of one record.
const FUNCTIONS_MAX: usize = 200;
/// How much of a text is kept as a summary, in characters.
const SUMMARY_MAX: usize = 200;

/// A text, borrowed where it has no escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// The first line of a text, cut where it is long.
#[derive(Debug, Clone, Default)]
pub struct FirstLine(pub String);

impl<'de> Deserialize<'de> for FirstLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = FirstLine;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                let line = text.trim_start_matches(['#', ' ', '\n']).lines().next().unwrap_or_default();
                Ok(FirstLine(line.chars().take(SUMMARY_MAX).collect()))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// What is taken from `database_specific` and `ecosystem_specific`, wherever it is written.
#[derive(Debug, Clone, Default)]
pub struct Specific {
    /// Words that say how bad it is: `severity`, `urgency`, `informational`.
    pub words: Vec<String>,
    /// CVSS vectors (`cvss`).
    pub vectors: Vec<String>,
    /// Affected functions: Go's `imports` (path, symbols), RustSec's `affects.functions`, others' `affected_functions`.
    pub functions: Vec<String>,
}

impl Specific {
    fn take(&mut self, key: &str, value: &serde_json::Value) {
        use serde_json::Value;
        match (key, value) {
            ("severity" | "urgency", Value::String(word)) => self.words.push(word.clone()),
            // RustSec's notices are no weaknesses; "unsound" is rated by nobody.
            ("informational", Value::String(word)) if word != "unsound" => self.words.push("informational".to_owned()),
            ("cvss", Value::String(vector)) => self.vectors.push(vector.clone()),
            ("cvss", Value::Object(object)) => {
                self.vectors.extend(["vectorString", "vector"].iter().filter_map(|key| object.get(*key)?.as_str().map(str::to_owned)));
            }
            ("imports", Value::Array(imports)) => {
                for import in imports {
                    let path = import.get("path").and_then(Value::as_str).unwrap_or_default();
                    match import.get("symbols").and_then(Value::as_array).filter(|symbols| !symbols.is_empty()) {
                        Some(symbols) => {
                            symbols.iter().filter_map(Value::as_str).for_each(|symbol| self.function(&format!("{path}.{symbol}")))
                        }
                        None => self.function(path),
                    }
                }
            }
            ("affects", Value::Object(affects)) => {
                if let Some(functions) = affects.get("functions") {
                    self.take("affected_functions", functions);
                }
            }
            ("affected_functions" | "functions", Value::Array(functions)) => {
                functions.iter().filter_map(Value::as_str).for_each(|function| self.function(function));
            }
            ("affected_functions" | "functions", Value::Object(functions)) => {
                functions.keys().for_each(|function| self.function(function));
            }
            _ => {}
        }
    }
    fn function(&mut self, name: &str) {
        if !name.is_empty() && self.functions.len() < FUNCTIONS_MAX {
            self.functions.push(name.chars().take(SUMMARY_MAX).collect());
        }
    }
}

impl<'de> Deserialize<'de> for Specific {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Specific;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut specific = Specific::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    let known = ["severity", "urgency", "informational", "cvss", "imports", "affects", "affected_functions", "functions"];
                    if known.contains(&key.0.as_ref()) {
                        let value: serde_json::Value = map.next_value()?;
                        specific.take(&key.0, &value);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(specific)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Specific::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Specific::default())
            }
        }
        deserializer.deserialize_any(Take)
    }
}

//! Type system documents (October 2021, section 3, with `@oneOf` of September 2025) into definitions, in their order.
//!
//! Operations are read in `usage`; what definitions add up to is decided in `schema`.

use super::lexer::{Token, Tokens, tokens};
use crate::document::ReadError;

/// Deeper types and values are refused.
const DEPTH_MAX: usize = 64;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Named(String),
    List(Box<Type>),
    NonNull(Box<Type>),
}

impl Type {
    /// The named type inside.
    pub fn name(&self) -> &str {
        match self {
            Type::Named(name) => name,
            Type::List(inner) | Type::NonNull(inner) => inner.name(),
        }
    }
    pub fn is_required(&self) -> bool {
        matches!(self, Type::NonNull(_))
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Named(name) => f.write_str(name),
            Type::List(inner) => write!(f, "[{inner}]"),
            Type::NonNull(inner) => write!(f, "{inner}!"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Variable(String),
    Number(String),
    Text(String),
    /// `true`, `false`, `null` and enum values.
    Name(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub name: String,
    pub arguments: Vec<(String, Value)>,
}

/// An argument or an input field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    pub place: Place,
    pub kind: Type,
    pub default: Option<Value>,
    pub applied: Vec<Applied>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub place: Place,
    pub arguments: Vec<Input>,
    pub kind: Type,
    pub applied: Vec<Applied>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumValue {
    pub name: String,
    pub place: Place,
    pub applied: Vec<Applied>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Scalar,
    Object { interfaces: Vec<(String, Place)>, fields: Vec<Field> },
    Interface { interfaces: Vec<(String, Place)>, fields: Vec<Field> },
    Union(Vec<(String, Place)>),
    Enum(Vec<EnumValue>),
    Input(Vec<Input>),
    Schema(Vec<(String, String, Place)>),
    Directive { arguments: Vec<Input>, repeatable: bool, locations: Vec<(String, Place)> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Empty for `schema`.
    pub name: String,
    pub place: Place,
    pub extends: bool,
    pub applied: Vec<Applied>,
    pub body: Body,
}

/// Reads a type system document.
pub fn read(file: &str, bytes: &[u8]) -> Result<Vec<Definition>, ReadError> {
    let mut reader = Reader::new(file, bytes)?;
    let mut definitions = Vec::new();
    while !reader.ended() {
        definitions.push(reader.definition()?);
    }
    Ok(definitions)
}

/// Walks over tokens; also used for operations.
pub struct Reader<'a> {
    file: &'a str,
    tokens: Tokens<'a>,
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, ReadError>;

impl<'a> Reader<'a> {
    pub fn new(file: &'a str, bytes: &'a [u8]) -> Read<Self> {
        Ok(Self { file, tokens: tokens(file, bytes)?, at: 0, depth: 0 })
    }
    pub fn ended(&self) -> bool {
        self.at >= self.tokens.list.len()
    }
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.list.get(self.at).map(|(token, _)| token)
    }
    pub fn place(&self) -> Place {
        let line = self.tokens.list.get(self.at).map_or(self.tokens.last_line, |(_, line)| *line);
        Place { file: self.file.to_owned(), line }
    }
    pub fn wrong(&self, expected: &str) -> ReadError {
        let found = match self.peek() {
            None => "the end of the file".to_owned(),
            Some(Token::Mark('.')) => "`...`".to_owned(),
            Some(Token::Mark(mark)) => format!("`{mark}`"),
            Some(Token::Name(name)) => format!("{name:?}"),
            Some(Token::Number(number)) => number.to_string(),
            Some(Token::Text(_)) => "a string".to_owned(),
        };
        let Place { file, line } = self.place();
        ReadError { file, line, what: format!("expected {expected}, found {found}") }
    }
    pub fn sees(&self, mark: char) -> bool {
        self.peek() == Some(&Token::Mark(mark))
    }
    pub fn eat(&mut self, mark: char) -> bool {
        let there = self.sees(mark);
        self.at += usize::from(there);
        there
    }
    pub fn need(&mut self, mark: char) -> Read<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.wrong(&format!("`{mark}`"))) }
    }
    pub fn sees_word(&self, word: &str) -> bool {
        self.peek() == Some(&Token::Name(word))
    }
    pub fn eat_word(&mut self, word: &str) -> bool {
        let there = self.sees_word(word);
        self.at += usize::from(there);
        there
    }
    pub fn name(&mut self) -> Read<String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = (*name).to_owned();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.wrong("a name")),
        }
    }
    /// Items between two marks, one at least where they are there.
    pub fn between<T>(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut items = Vec::new();
        if self.eat(open) {
            while !self.eat(close) {
                items.push(item(self)?);
            }
            if items.is_empty() {
                self.at -= 1;
                return Err(self.wrong("one entry at least"));
            }
        }
        Ok(items)
    }
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("less nesting"));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    // ---- shared by documents of both kinds ----

    pub fn kind(&mut self) -> Read<Type> {
        let inner = if self.eat('[') {
            let inner = self.deeper(Self::kind)?;
            self.need(']')?;
            Type::List(Box::new(inner))
        } else {
            Type::Named(self.name()?)
        };
        Ok(if self.eat('!') { Type::NonNull(Box::new(inner)) } else { inner })
    }

    pub fn value(&mut self) -> Read<Value> {
        match self.peek().cloned() {
            Some(Token::Mark('$')) => {
                self.at += 1;
                Ok(Value::Variable(self.name()?))
            }
            Some(Token::Number(number)) => {
                if number.parse::<f64>().is_err() {
                    return Err(self.wrong("a number"));
                }
                self.at += 1;
                Ok(Value::Number(number.to_owned()))
            }
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(Value::Text(text.to_owned()))
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(Value::Name(name.to_owned()))
            }
            Some(Token::Mark('[')) => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.eat(']') {
                    items.push(self.deeper(Self::value)?);
                }
                Ok(Value::List(items))
            }
            Some(Token::Mark('{')) => {
                self.at += 1;
                let mut fields = Vec::new();
                while !self.eat('}') {
                    fields.push(self.argument()?);
                }
                Ok(Value::Object(fields))
            }
            _ => Err(self.wrong("a value")),
        }
    }
    fn argument(&mut self) -> Read<(String, Value)> {
        let name = self.name()?;
        self.need(':')?;
        Ok((name, self.deeper(Self::value)?))
    }
    pub fn given(&mut self) -> Read<Vec<(String, Value)>> {
        self.between('(', ')', Self::argument)
    }
    pub fn applied(&mut self) -> Read<Vec<Applied>> {
        let mut applied = Vec::new();
        while self.eat('@') {
            applied.push(Applied { name: self.name()?, arguments: self.given()? });
        }
        Ok(applied)
    }

    // ---- definitions ----

    fn description(&mut self) {
        if matches!(self.peek(), Some(Token::Text(_))) {
            self.at += 1;
        }
    }

    fn definition(&mut self) -> Read<Definition> {
        self.description();
        let extends = self.eat_word("extend");
        let place = self.place();
        let words = ["schema", "scalar", "type", "interface", "union", "enum", "input", "directive"];
        let Some(word) = words.into_iter().find(|word| self.eat_word(word)) else {
            return Err(self.wrong("schema, scalar, type, interface, union, enum, input or directive"));
        };
        if word == "directive" {
            return if extends { Err(self.wrong("something that can be extended")) } else { self.directive(place) };
        }
        let name = if word == "schema" { String::new() } else { self.name()? };
        let interfaces = if matches!(word, "type" | "interface") { self.interfaces()? } else { Vec::new() };
        let applied = self.applied()?;
        let body = match word {
            "schema" => Body::Schema(self.between('{', '}', Self::root)?),
            "type" => Body::Object { interfaces, fields: self.between('{', '}', Self::field)? },
            "interface" => Body::Interface { interfaces, fields: self.between('{', '}', Self::field)? },
            "union" => Body::Union(if self.eat('=') { self.listed('|')? } else { Vec::new() }),
            "enum" => Body::Enum(self.between('{', '}', Self::enum_value)?),
            "input" => Body::Input(self.between('{', '}', Self::input)?),
            _ => Body::Scalar,
        };
        Ok(Definition { name, place, extends, applied, body })
    }

    fn root(&mut self) -> Read<(String, String, Place)> {
        let place = self.place();
        let operation = self.name()?;
        if !matches!(operation.as_str(), "query" | "mutation" | "subscription") {
            self.at -= 1;
            return Err(self.wrong("query, mutation or subscription"));
        }
        self.need(':')?;
        Ok((operation, self.name()?, place))
    }
    /// Names between separators, the first of which may stand before the list.
    fn listed(&mut self, separator: char) -> Read<Vec<(String, Place)>> {
        self.eat(separator);
        let mut names = vec![(String::new(), self.place())];
        if let Some(first) = names.first_mut() {
            first.0 = self.name()?;
        }
        while self.eat(separator) {
            let place = self.place();
            names.push((self.name()?, place));
        }
        Ok(names)
    }
    fn interfaces(&mut self) -> Read<Vec<(String, Place)>> {
        if !self.eat_word("implements") {
            return Ok(Vec::new());
        }
        let mut names = self.listed('&')?;
        // Before 2018 interfaces stood beside each other.
        while matches!(self.peek(), Some(Token::Name(_))) && !self.sees('{') && !self.sees('@') {
            if ["schema", "scalar", "type", "interface", "union", "enum", "input", "directive", "extend"]
                .iter()
                .any(|word| self.sees_word(word))
            {
                break;
            }
            let place = self.place();
            names.push((self.name()?, place));
        }
        Ok(names)
    }
    fn field(&mut self) -> Read<Field> {
        self.description();
        let place = self.place();
        let name = self.name()?;
        let arguments = self.between('(', ')', Self::input)?;
        self.need(':')?;
        Ok(Field { name, place, arguments, kind: self.kind()?, applied: self.applied()? })
    }
    fn input(&mut self) -> Read<Input> {
        self.description();
        let place = self.place();
        let name = self.name()?;
        self.need(':')?;
        let kind = self.kind()?;
        let default = if self.eat('=') { Some(self.value()?) } else { None };
        Ok(Input { name, place, kind, default, applied: self.applied()? })
    }
    fn enum_value(&mut self) -> Read<EnumValue> {
        self.description();
        let place = self.place();
        let name = self.name()?;
        if matches!(name.as_str(), "true" | "false" | "null") {
            self.at -= 1;
            return Err(self.wrong("an enum value"));
        }
        Ok(EnumValue { name, place, applied: self.applied()? })
    }
    fn directive(&mut self, place: Place) -> Read<Definition> {
        self.need('@')?;
        let name = self.name()?;
        let arguments = self.between('(', ')', Self::input)?;
        let repeatable = self.eat_word("repeatable");
        if !self.eat_word("on") {
            return Err(self.wrong("`on` and locations"));
        }
        let locations = self.listed('|')?;
        Ok(Definition { name, place, extends: false, applied: Vec::new(), body: Body::Directive { arguments, repeatable, locations } })
    }
}

//! Options and the text format inside them.

use super::Problem;
use super::lexer::Token;
use super::parser::Parser;
use super::syntax::{OptionSyntax, Value};

impl Parser<'_> {
    /// `option NAME = VALUE;`, from after the word.
    pub(super) fn option_statement(&mut self) -> Result<OptionSyntax, Problem> {
        let option = self.option()?;
        self.symbol(';')?;
        Ok(option)
    }

    /// `[a = 1, b = 2]`, where there is one.
    pub(super) fn bracketed_options(&mut self) -> Result<Vec<OptionSyntax>, Problem> {
        let mut options = Vec::new();
        if !self.take('[')? {
            return Ok(options);
        }
        loop {
            options.push(self.option()?);
            if !self.take(',')? {
                self.symbol(']')?;
                return Ok(options);
            }
        }
    }

    fn option(&mut self) -> Result<OptionSyntax, Problem> {
        let line = self.line;
        let mut name = Vec::new();
        loop {
            if self.take('(')? {
                let extension = self.type_name("the name of an option")?;
                self.symbol(')')?;
                name.push(format!("[{}]", extension.trim_start_matches('.')));
            } else {
                name.push(self.word("the name of an option")?.to_owned());
            }
            if !self.take('.')? {
                break;
            }
        }
        self.symbol('=')?;
        Ok(OptionSyntax { name, value: self.value()?, line })
    }

    fn value(&mut self) -> Result<Value, Problem> {
        if self.take('{')? { self.aggregate('}') } else { self.scalar() }
    }

    /// The value of a constant: a number, a word, or strings that follow one another.
    pub(super) fn scalar(&mut self) -> Result<Value, Problem> {
        let negative = self.take('-')?;
        if !negative {
            self.take('+')?;
        }
        let sign = if negative { -1 } else { 1 };
        match self.token.clone() {
            Token::Integer(number) => {
                self.step()?;
                Ok(Value::Integer(i128::from(number) * sign))
            }
            Token::Float(number) => {
                self.step()?;
                Ok(Value::Float(if negative { -number } else { number }))
            }
            Token::Word(word) => {
                self.step()?;
                match (negative, word) {
                    (false, _) => Ok(Value::Word(word.to_owned())),
                    (true, "inf" | "infinity") => Ok(Value::Float(f64::NEG_INFINITY)),
                    (true, "nan") => Ok(Value::Float(f64::NAN)),
                    (true, _) => Err(Problem::new(self.line, format!("expected a number after '-', found {word:?}"))),
                }
            }
            Token::Text(_) if !negative => Ok(Value::Text(self.strings()?)),
            _ => self.expected("a value"),
        }
    }

    /// Strings that follow one another are one.
    pub(super) fn strings(&mut self) -> Result<Vec<u8>, Problem> {
        let mut whole = Vec::new();
        if !matches!(self.token, Token::Text(_)) {
            return self.expected("a string");
        }
        while let Token::Text(part) = &self.token {
            whole.extend_from_slice(part);
            self.step()?;
        }
        Ok(whole)
    }

    /// The text format of a message, from after its opening bracket.
    fn aggregate(&mut self, close: char) -> Result<Value, Problem> {
        self.deeper()?;
        let mut members = Vec::new();
        while !self.take(close)? {
            let name = if self.take('[')? {
                // An extension, or the address of a type inside an Any.
                let mut name = self.type_name("the name of an extension")?;
                while self.take('/')? {
                    name = self.type_name("the name of a type")?;
                }
                self.symbol(']')?;
                format!("[{}]", name.trim_start_matches('.'))
            } else {
                self.word("the name of a member")?.to_owned()
            };
            let colon = self.take(':')?;
            let value = if self.take('{')? {
                self.aggregate('}')?
            } else if self.take('<')? {
                self.aggregate('>')?
            } else if self.take('[')? {
                self.list()?
            } else if colon {
                self.scalar()?
            } else {
                return self.expected("':' or '{'");
            };
            members.push((name, value));
            if !self.take(',')? {
                self.take(';')?;
            }
        }
        self.depth -= 1;
        Ok(Value::Message(members))
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut values = Vec::new();
        if self.take(']')? {
            return Ok(Value::List(values));
        }
        loop {
            values.push(if self.take('{')? {
                self.aggregate('}')?
            } else if self.take('<')? {
                self.aggregate('>')?
            } else {
                self.scalar()?
            });
            if !self.take(',')? {
                self.symbol(']')?;
                return Ok(Value::List(values));
            }
        }
    }
}

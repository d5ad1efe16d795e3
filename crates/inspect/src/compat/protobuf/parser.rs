//! Tokens into the syntax of one file.
//!
//! Refuses what the language refuses where the sentence itself is wrong; what names mean, and whether numbers collide, is the
//! linker's business.

use super::Problem;
use super::lexer::{Lexer, Token};
use super::syntax::{
    Body, Edition, EnumSyntax, ExtendSyntax, FieldSyntax, FileSyntax, ImportSyntax, Label, MessageSyntax, MethodSyntax, OneofSyntax, Range,
    Reserved, ServiceSyntax, TypeSyntax, Value, ValueSyntax,
};

/// Messages in messages, and values in values. The reference compiler stops at 32.
const DEPTH_MAX: u32 = 64;
/// The largest number of a field.
pub(super) const FIELD_NUMBER_MAX: i64 = 536_870_911;

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    pub(super) token: Token<'a>,
    pub(super) line: u32,
    pub(super) depth: u32,
    edition: Edition,
}

type Parsed<T> = Result<T, Problem>;

/// Reads one file.
pub(super) fn parse(text: &str) -> Parsed<FileSyntax> {
    let mut parser = Parser { lexer: Lexer::new(text), token: Token::End, line: 1, depth: 0, edition: Edition::Proto2 };
    parser.step()?;
    parser.file()
}

impl<'a> Parser<'a> {
    /// On to the next token.
    pub(super) fn step(&mut self) -> Parsed<()> {
        (self.token, self.line) = self.lexer.next()?;
        Ok(())
    }

    pub(super) fn expected<T>(&self, what: &str) -> Parsed<T> {
        Err(Problem::new(self.line, format!("expected {what}, found {}", self.token.shown())))
    }

    pub(super) fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::new(self.line, format!("nested more than {DEPTH_MAX} deep")));
        }
        Ok(())
    }

    /// Takes a symbol where it is next.
    pub(super) fn take(&mut self, symbol: char) -> Parsed<bool> {
        if self.token == Token::Symbol(symbol) {
            self.step()?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn symbol(&mut self, symbol: char) -> Parsed<()> {
        if self.take(symbol)? { Ok(()) } else { self.expected(&format!("{symbol:?}")) }
    }

    pub(super) fn word(&mut self, what: &str) -> Parsed<&'a str> {
        match self.token {
            Token::Word(word) => {
                self.step()?;
                Ok(word)
            }
            _ => self.expected(what),
        }
    }

    fn take_word(&mut self, word: &str) -> Parsed<bool> {
        if self.token == Token::Word(word) {
            self.step()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// `a.b.C` or `.a.b.C`.
    pub(super) fn type_name(&mut self, what: &str) -> Parsed<String> {
        let mut name = String::new();
        if self.take('.')? {
            name.push('.');
        }
        name.push_str(self.word(what)?);
        while self.take('.')? {
            name.push('.');
            name.push_str(self.word(what)?);
        }
        Ok(name)
    }

    fn file(&mut self) -> Parsed<FileSyntax> {
        let mut file = FileSyntax::default();
        self.edition_statement(&mut file)?;
        loop {
            let line = self.line;
            let word = match self.token {
                Token::End => return Ok(file),
                Token::Symbol(';') => {
                    self.step()?;
                    continue;
                }
                Token::Word(word) => word,
                _ => return self.expected("a statement"),
            };
            self.step()?;
            match word {
                "package" => {
                    if !file.package.is_empty() {
                        return Err(Problem::new(line, "a second package: a file has one"));
                    }
                    file.package = self.type_name("the name of a package")?;
                    file.package_line = line;
                    self.symbol(';')?;
                }
                "import" => file.imports.push(self.import(line)?),
                "option" => file.options.push(self.option_statement()?),
                "service" => file.services.push(self.service(line)?),
                _ => {
                    let word = self.after_visibility(word)?;
                    if !self.item(word, line, &mut file.top)? {
                        return Err(Problem::new(line, format!("expected a statement of a file, found {word:?}")));
                    }
                }
            }
        }
    }

    fn edition_statement(&mut self, file: &mut FileSyntax) -> Parsed<()> {
        let line = self.line;
        let is_syntax = self.token == Token::Word("syntax");
        if !is_syntax && self.token != Token::Word("edition") {
            return Ok(());
        }
        self.step()?;
        self.symbol('=')?;
        let text = self.strings()?;
        self.edition = match (is_syntax, text.as_slice()) {
            (true, b"proto2") => Edition::Proto2,
            (true, b"proto3") => Edition::Proto3,
            (false, b"2023") => Edition::Edition2023,
            (false, b"2024") => Edition::Edition2024,
            (true, _) => return Err(Problem::new(line, "this syntax is unknown: expected \"proto2\" or \"proto3\"")),
            (false, _) => return Err(Problem::new(line, "this edition is unknown: expected \"2023\" or \"2024\"")),
        };
        file.edition = Some(self.edition);
        file.edition_line = line;
        self.symbol(';')
    }

    fn import(&mut self, line: u32) -> Parsed<ImportSyntax> {
        let public = self.take_word("public")?;
        let option = !public && !self.take_word("weak")? && self.take_word("option")?;
        let path = self.strings()?;
        self.symbol(';')?;
        match String::from_utf8(path) {
            Ok(path) => Ok(ImportSyntax { path, public, option, line }),
            Err(_) => Err(Problem::new(line, "the path of this import is no UTF-8")),
        }
    }

    /// Edition 2024 lets `export` and `local` stand before messages and enums.
    fn after_visibility(&mut self, word: &'a str) -> Parsed<&'a str> {
        if self.edition == Edition::Edition2024
            && matches!(word, "export" | "local")
            && matches!(self.token, Token::Word("message" | "enum"))
        {
            return self.word("message or enum");
        }
        Ok(word)
    }

    /// What may stand in files and messages alike, from after its first word; false where it is nothing of that.
    fn item(&mut self, word: &str, line: u32, body: &mut Body) -> Parsed<bool> {
        match word {
            "message" => {
                let name = self.word("the name of a message")?.to_owned();
                body.messages.push(self.message(name, line)?);
            }
            "enum" => body.enums.push(self.enumeration(line)?),
            "extend" => {
                let extend = self.extend(line, body)?;
                body.extends.push(extend);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// From after its name.
    fn message(&mut self, name: String, line: u32) -> Parsed<MessageSyntax> {
        let mut message = MessageSyntax { name, line, ..MessageSyntax::default() };
        self.symbol('{')?;
        self.deeper()?;
        while !self.take('}')? {
            if self.take(';')? {
                continue;
            }
            let line = self.line;
            if self.token == Token::Symbol('.') {
                let field = self.field(Label::None, None, None, line, &mut message.body)?;
                message.fields.push(field);
                continue;
            }
            let word = self.word("a field or '}'")?;
            match word {
                "option" => message.options.push(self.option_statement()?),
                "reserved" => self.reserved(&mut message.reserved, FIELD_NUMBER_MAX)?,
                "extensions" => {
                    self.ranges(&mut message.extension_ranges, FIELD_NUMBER_MAX)?;
                    self.bracketed_options()?;
                    self.symbol(';')?;
                }
                "oneof" => self.oneof(&mut message, line)?,
                _ => {
                    let word = self.after_visibility(word)?;
                    if !self.item(word, line, &mut message.body)? {
                        let field = self.labelled(word, line, None, &mut message.body)?;
                        message.fields.push(field);
                    }
                }
            }
        }
        self.depth -= 1;
        Ok(message)
    }

    fn oneof(&mut self, message: &mut MessageSyntax, line: u32) -> Parsed<()> {
        let name = self.word("the name of a oneof")?.to_owned();
        self.symbol('{')?;
        let index = message.oneofs.len();
        let mut options = Vec::new();
        let first = message.fields.len();
        while !self.take('}')? {
            if self.take(';')? {
                continue;
            }
            let line = self.line;
            if self.take_word("option")? {
                options.push(self.option_statement()?);
                continue;
            }
            let field = if self.token == Token::Symbol('.') {
                self.field(Label::None, None, Some(index), line, &mut message.body)?
            } else {
                let word = self.word("a field or '}'")?;
                if matches!(word, "optional" | "required" | "repeated") && matches!(self.token, Token::Word(_)) {
                    return Err(Problem::new(line, format!("{word} stands before no field of a oneof")));
                }
                self.field(Label::None, Some(word), Some(index), line, &mut message.body)?
            };
            message.fields.push(field);
        }
        if message.fields.len() == first {
            return Err(Problem::new(line, format!("the oneof {name:?} has no field")));
        }
        message.oneofs.push(OneofSyntax { name, line, options });
        Ok(())
    }

    fn extend(&mut self, line: u32, body: &mut Body) -> Parsed<ExtendSyntax> {
        let extendee = self.type_name("the name of a message")?;
        self.symbol('{')?;
        let mut fields = Vec::new();
        while !self.take('}')? {
            if self.take(';')? {
                continue;
            }
            let line = self.line;
            fields.push(if self.token == Token::Symbol('.') {
                self.field(Label::None, None, None, line, body)?
            } else {
                let word = self.word("a field or '}'")?;
                self.labelled(word, line, None, body)?
            });
        }
        Ok(ExtendSyntax { extendee, fields, line })
    }

    /// A field whose first word, perhaps a label, was taken.
    fn labelled(&mut self, word: &'a str, line: u32, oneof: Option<usize>, body: &mut Body) -> Parsed<FieldSyntax> {
        let label = match word {
            "optional" => Label::Optional,
            "required" => Label::Required,
            "repeated" => Label::Repeated,
            _ => Label::None,
        };
        if label == Label::None {
            return self.field(label, Some(word), oneof, line, body);
        }
        let wrong = match (self.edition, label) {
            (Edition::Proto3, Label::Required) => Some("proto3 has no required fields"),
            (Edition::Edition2023 | Edition::Edition2024, Label::Required) => {
                Some("editions have no required: expected [features.field_presence = LEGACY_REQUIRED]")
            }
            (Edition::Edition2023 | Edition::Edition2024, Label::Optional) => {
                Some("editions have no optional: presence is explicit without it")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Problem::new(line, wrong));
        }
        self.field(label, None, oneof, line, body)
    }

    /// A field from its type, or from after `first`, the first word of its type.
    fn field(&mut self, label: Label, first: Option<&'a str>, oneof: Option<usize>, line: u32, body: &mut Body) -> Parsed<FieldSyntax> {
        let first = match first {
            Some(first) => first.to_owned(),
            None => match self.token {
                Token::Symbol('.') => String::new(),
                _ => self.word("a type")?.to_owned(),
            },
        };
        if first == "map" && self.take('<')? {
            return self.map(label, oneof, line);
        }
        if first == "group" && matches!(self.token, Token::Word(_)) {
            return self.group(label, oneof, line, body);
        }
        if label == Label::None && oneof.is_none() && self.edition == Edition::Proto2 {
            return Err(Problem::new(line, "expected optional, required or repeated before a field of proto2"));
        }
        let mut named = first;
        while self.take('.')? {
            named.push('.');
            named.push_str(self.word("the name of a type")?);
        }
        let name = self.word("the name of a field")?.to_owned();
        let number = self.field_number()?;
        let options = self.bracketed_options()?;
        self.symbol(';')?;
        Ok(FieldSyntax { label, of: TypeSyntax::Named(named), name, number, options, oneof, line })
    }

    fn map(&mut self, label: Label, oneof: Option<usize>, line: u32) -> Parsed<FieldSyntax> {
        if label != Label::None || oneof.is_some() {
            return Err(Problem::new(line, "a map has no label and stands in no oneof"));
        }
        let key = self.word("the type of the key")?.to_owned();
        const KEYS: [&str; 12] =
            ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string"];
        if !KEYS.contains(&key.as_str()) {
            return Err(Problem::new(line, format!("{key:?} is no type of a key: expected an integer, bool or string")));
        }
        self.symbol(',')?;
        let value = self.type_name("the type of the value")?;
        self.symbol('>')?;
        let name = self.word("the name of a field")?.to_owned();
        let number = self.field_number()?;
        let options = self.bracketed_options()?;
        self.symbol(';')?;
        Ok(FieldSyntax { label: Label::Repeated, of: TypeSyntax::Map { key, value }, name, number, options, oneof, line })
    }

    fn group(&mut self, label: Label, oneof: Option<usize>, line: u32, body: &mut Body) -> Parsed<FieldSyntax> {
        if self.edition != Edition::Proto2 {
            return Err(Problem::new(line, "groups are of proto2: expected [features.message_encoding = DELIMITED] on a message"));
        }
        if label == Label::None && oneof.is_none() {
            return Err(Problem::new(line, "expected optional, required or repeated before a group"));
        }
        let group = self.word("the name of a group")?.to_owned();
        if !group.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Err(Problem::new(line, "the name of a group begins with a capital letter"));
        }
        let number = self.field_number()?;
        let options = self.bracketed_options()?;
        body.messages.push(self.message(group.clone(), line)?);
        let name = group.to_ascii_lowercase();
        Ok(FieldSyntax { label, of: TypeSyntax::Group(group), name, number, options, oneof, line })
    }

    fn field_number(&mut self) -> Parsed<i64> {
        self.symbol('=')?;
        let line = self.line;
        let number = self.integer("the number of a field")?;
        // Extensions of messages in MessageSet form may be larger; the linker knows.
        if number < 1 || number >= i64::from(i32::MAX) {
            return Err(Problem::new(line, format!("{number} is no number of a field: expected 1 to {FIELD_NUMBER_MAX}")));
        }
        Ok(number)
    }

    fn integer(&mut self, what: &str) -> Parsed<i64> {
        if !matches!(self.token, Token::Integer(_) | Token::Symbol('-')) {
            return self.expected(what);
        }
        match self.scalar()? {
            Value::Integer(number) => match i64::try_from(number) {
                Ok(number) => Ok(number),
                Err(_) => Err(Problem::new(self.line, format!("{number} is too large for {what}"))),
            },
            _ => Err(Problem::new(self.line, format!("expected {what} as an integer"))),
        }
    }

    fn reserved(&mut self, reserved: &mut Reserved, max: i64) -> Parsed<()> {
        match self.token {
            Token::Text(_) => loop {
                let line = self.line;
                match String::from_utf8(self.strings()?) {
                    Ok(name) => reserved.names.push(name),
                    Err(_) => return Err(Problem::new(line, "this reserved name is no UTF-8")),
                }
                if !self.take(',')? {
                    break;
                }
            },
            Token::Word(_) => loop {
                reserved.names.push(self.word("a reserved name")?.to_owned());
                if !self.take(',')? {
                    break;
                }
            },
            _ => self.ranges(&mut reserved.ranges, max)?,
        }
        self.symbol(';')
    }

    fn ranges(&mut self, ranges: &mut Vec<Range>, max: i64) -> Parsed<()> {
        loop {
            let line = self.line;
            let start = self.integer("a number")?;
            let end = if !self.take_word("to")? {
                start
            } else if self.take_word("max")? {
                max
            } else {
                self.integer("a number or max")?
            };
            if start > end {
                return Err(Problem::new(line, format!("the range {start} to {end} ends before it starts")));
            }
            ranges.push(Range { start, end });
            if !self.take(',')? {
                return Ok(());
            }
        }
    }

    fn enumeration(&mut self, line: u32) -> Parsed<EnumSyntax> {
        let mut found = EnumSyntax { name: self.word("the name of an enum")?.to_owned(), line, ..EnumSyntax::default() };
        self.symbol('{')?;
        while !self.take('}')? {
            if self.take(';')? {
                continue;
            }
            let line = self.line;
            let word = self.word("a value or '}'")?;
            let is_value = self.token == Token::Symbol('=');
            match word {
                "option" if !is_value => found.options.push(self.option_statement()?),
                "reserved" if !is_value => self.reserved(&mut found.reserved, i64::from(i32::MAX))?,
                name => {
                    self.symbol('=')?;
                    let number = self.integer("the number of a value")?;
                    if i32::try_from(number).is_err() {
                        return Err(Problem::new(line, format!("{number} is no number of a value: expected 32 bits")));
                    }
                    self.bracketed_options()?;
                    self.symbol(';')?;
                    found.values.push(ValueSyntax { name: name.to_owned(), number, line });
                }
            }
        }
        if found.values.is_empty() {
            return Err(Problem::new(line, format!("the enum {:?} has no value", found.name)));
        }
        Ok(found)
    }

    fn service(&mut self, line: u32) -> Parsed<ServiceSyntax> {
        let name = self.word("the name of a service")?.to_owned();
        let mut methods = Vec::new();
        self.symbol('{')?;
        while !self.take('}')? {
            if self.take(';')? {
                continue;
            }
            let line = self.line;
            if self.take_word("option")? {
                self.option_statement()?;
            } else if self.take_word("rpc")? {
                methods.push(self.method(line)?);
            } else {
                return self.expected("rpc, option or '}'");
            }
        }
        Ok(ServiceSyntax { name, line, methods })
    }

    fn method(&mut self, line: u32) -> Parsed<MethodSyntax> {
        let name = self.word("the name of an rpc")?.to_owned();
        let (client_streaming, input) = self.message_of_method()?;
        if !self.take_word("returns")? {
            return self.expected("returns");
        }
        let (server_streaming, output) = self.message_of_method()?;
        let mut options = Vec::new();
        if self.take('{')? {
            while !self.take('}')? {
                if self.take_word("option")? {
                    options.push(self.option_statement()?);
                } else {
                    self.symbol(';')?;
                }
            }
        } else {
            self.symbol(';')?;
        }
        Ok(MethodSyntax { name, input, client_streaming, output, server_streaming, options, line })
    }

    /// `(stream Name)`; a message may be named `stream` itself.
    fn message_of_method(&mut self) -> Parsed<(bool, String)> {
        self.symbol('(')?;
        let said = self.take_word("stream")?;
        let streaming = said && self.token != Token::Symbol(')');
        let name = if said && !streaming { "stream".to_owned() } else { self.type_name("the name of a message")? };
        self.symbol(')')?;
        Ok((streaming, name))
    }
}

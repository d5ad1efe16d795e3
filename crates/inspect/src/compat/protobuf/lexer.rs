//! Bytes of a .proto file into tokens with their lines.
//!
//! Reads on demand, one token at a time, so that memory stays with the file itself. Does not know any keyword.

use super::Problem;

/// One token. Words never contain a dot; the parser joins names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Integer(u64),
    Float(f64),
    Text(Vec<u8>),
    Symbol(char),
    End,
}

impl Token<'_> {
    /// How a message names it.
    pub fn shown(&self) -> String {
        match self {
            Token::Word(word) => format!("{word:?}"),
            Token::Integer(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
            Token::Text(_) => "a string".to_owned(),
            Token::Symbol(symbol) => format!("{symbol:?}"),
            Token::End => "the end of the file".to_owned(),
        }
    }
}

#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

type Lexed<T> = Result<T, Problem>;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1 }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn problem<T>(&self, message: impl Into<String>) -> Lexed<T> {
        Err(Problem::new(self.line, message))
    }

    /// The next token and the line it starts on.
    pub fn next(&mut self) -> Lexed<(Token<'a>, u32)> {
        self.skip_blank()?;
        let line = self.line;
        let token = match self.byte(0) {
            _ if self.at >= self.text.len() => Token::End,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number()?,
            b'.' if self.byte(1).is_ascii_digit() => self.number()?,
            b'"' | b'\'' => Token::Text(self.string()?),
            symbol @ (b'{' | b'}' | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b'=' | b';' | b',' | b'.' | b':' | b'-' | b'+' | b'/') => {
                self.at += 1;
                Token::Symbol(char::from(symbol))
            }
            _ => {
                let other = self.text[self.at..].chars().next().unwrap_or_default();
                return self.problem(format!("{other:?} begins nothing in a .proto file"));
            }
        };
        Ok((token, line))
    }

    fn skip_blank(&mut self) -> Lexed<()> {
        loop {
            match self.byte(0) {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.byte(1) == b'/' => {
                    self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end);
                }
                b'/' if self.byte(1) == b'*' => {
                    let Some(end) = self.text[self.at + 2..].find("*/") else {
                        return self.problem("this comment has no end: expected */");
                    };
                    let comment = &self.text.as_bytes()[self.at..self.at + 2 + end];
                    self.line += u32::try_from(comment.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX / 2);
                    self.at += end + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).unwrap_or(rest.len());
        let word = &self.text[self.at..self.at + length];
        self.at += length;
        Token::Word(word)
    }

    fn number(&mut self) -> Lexed<Token<'a>> {
        let rest = &self.text.as_bytes()[self.at..];
        let mut length = 0;
        while let Some(byte) = rest.get(length) {
            let exponent = length > 0 && matches!(rest[length - 1], b'e' | b'E') && !rest.starts_with(b"0x") && !rest.starts_with(b"0X");
            if byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_' || (exponent && matches!(byte, b'+' | b'-')) {
                length += 1;
            } else {
                break;
            }
        }
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        if let Some(digits) = hex {
            return match u64::from_str_radix(digits, 16) {
                Ok(number) if !digits.starts_with('+') => Ok(Token::Integer(number)),
                _ => self.problem(format!("{text} is no hexadecimal number of 64 bits")),
            };
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let octal = text.len() > 1 && text.starts_with('0');
            let parsed = if octal { u64::from_str_radix(text, 8) } else { text.parse() };
            return match parsed {
                Ok(number) => Ok(Token::Integer(number)),
                // Too large for an integer, it may still be a default value of a float.
                Err(_) if !octal => Ok(Token::Float(text.parse().unwrap_or(f64::INFINITY))),
                Err(_) => self.problem(format!("{text} is no octal number")),
            };
        }
        let decimal = text.strip_suffix(['f', 'F']).unwrap_or(text);
        match decimal.parse::<f64>() {
            Ok(number) if decimal.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')) => {
                Ok(Token::Float(number))
            }
            _ => self.problem(format!("{text} is no number")),
        }
    }

    fn string(&mut self) -> Lexed<Vec<u8>> {
        let quote = self.byte(0);
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.byte(0) {
                _ if self.at >= self.text.len() => return self.problem("this string has no end"),
                b'\n' => return self.problem("this string has no end on its line"),
                byte if byte == quote => {
                    self.at += 1;
                    return Ok(bytes);
                }
                b'\\' => self.escape(&mut bytes)?,
                byte => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Lexed<()> {
        let kind = self.byte(1);
        self.at += 2;
        let plain = match kind {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'\'' | b'"' | b'?' => kind,
            b'0'..=b'7' => {
                self.at -= 1;
                let value = self.digits(8, 1, 3)?;
                match u8::try_from(value) {
                    Ok(byte) => byte,
                    Err(_) => return self.problem("this octal escape is no byte"),
                }
            }
            b'x' | b'X' => u8::try_from(self.digits(16, 1, 2)?).unwrap_or_default(),
            b'u' | b'U' => {
                let length = if kind == b'u' { 4 } else { 8 };
                let mut value = self.digits(16, length, length)?;
                // A pair of surrogates is one character.
                if (0xd800..0xdc00).contains(&value) && self.byte(0) == b'\\' && self.byte(1) == b'u' {
                    self.at += 2;
                    let low = self.digits(16, 4, 4)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return self.problem("this surrogate has no partner");
                    }
                    value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
                }
                let Some(character) = char::from_u32(value) else {
                    return self.problem("this escape is no Unicode character");
                };
                bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => {
                return self
                    .problem("this escape is unknown: expected one of \\a \\b \\f \\n \\r \\t \\v \\\\ \\' \\\" \\? \\x \\u \\U or octal");
            }
        };
        bytes.push(plain);
        Ok(())
    }

    fn digits(&mut self, base: u32, least: usize, most: usize) -> Lexed<u32> {
        let mut value = 0u32;
        let mut count = 0;
        while count < most
            && let Some(digit) = char::from(self.byte(0)).to_digit(base)
        {
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.at += 1;
            count += 1;
        }
        if count < least {
            return self.problem("this escape has too few digits");
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Token<'_>>, Problem> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            match lexer.next()?.0 {
                Token::End => return Ok(tokens),
                token => tokens.push(token),
            }
        }
    }

    #[test]
    fn numbers_of_every_form() {
        use Token::{Float, Integer};
        let table = [
            ("0", Integer(0)),
            ("017", Integer(15)),
            ("0x1F", Integer(31)),
            ("18446744073709551615", Integer(u64::MAX)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("1.5", Float(1.5)),
            (".5", Float(0.5)),
            ("1e3", Float(1000.0)),
            ("1E-3", Float(0.001)),
            ("2.5f", Float(2.5)),
        ];
        for (text, token) in table {
            assert_eq!(all(text), Ok(vec![token]), "{text}");
        }
        for text in ["08", "0xg", "0x", "1.2.3", "1_0", "12abc", "1e", "0x10000000000000000"] {
            assert!(all(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strings_and_their_escapes() {
        let table: [(&str, &[u8]); 7] = [
            (r#""a'b""#, b"a'b"),
            (r#"'a"b'"#, b"a\"b"),
            (r#""\n\t\\\"""#, b"\n\t\\\""),
            (r#""\x41\101\0""#, b"AA\0"),
            (r#""\u00e9""#, "é".as_bytes()),
            (r#""\U0001F600""#, "😀".as_bytes()),
            (r#""\uD83D\uDE00""#, "😀".as_bytes()),
        ];
        for (text, bytes) in table {
            assert_eq!(all(text), Ok(vec![Token::Text(bytes.to_vec())]), "{text}");
        }
        for text in [r#""a"#, "\"a\nb\"", r#""\q""#, r#""\uD83D""#, r#""\u12""#, r#""\777""#, r#""\"#] {
            assert!(all(text).is_err(), "{text}");
        }
    }

    #[test]
    fn comments_count_their_lines() {
        let mut lexer = Lexer::new("// a\n/* b\n c */ x\ny");
        assert_eq!(lexer.next(), Ok((Token::Word("x"), 3)));
        assert_eq!(lexer.next(), Ok((Token::Word("y"), 4)));
        assert_eq!(Lexer::new("a /* b").next().map(|(token, _)| token), Ok(Token::Word("a")));
        assert!(all("a /* b").is_err());
        assert!(all("a # b").is_err());
    }
}

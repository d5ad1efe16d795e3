//! JSON read and written canonically (RFC 8785) by code of its own: the checker must not share a mistake with what it
//! checks. Numbers keep their text until they are written.

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

const NULL: Json = Json::Null;

impl Json {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(format!("something follows at byte {}", reader.at)) }
    }

    /// A member, or null.
    pub fn get(&self, key: &str) -> &Json {
        match self {
            Json::Object(members) => members.iter().find(|(name, _)| name == key).map_or(&NULL, |(_, value)| value),
            _ => &NULL,
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub fn integer(&self) -> Option<u64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    pub fn list(&self) -> &[Json] {
        if let Json::List(items) = self { items } else { &[] }
    }

    pub fn members(&self) -> &[(String, Json)] {
        if let Json::Object(members) = self { members } else { &[] }
    }

    /// The canonical text.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(&number(text)),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                let mut sorted: Vec<(Vec<u16>, &str, &Json)> =
                    members.iter().map(|(name, value)| (name.encode_utf16().collect(), name.as_str(), value)).collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                out.push('{');
                for (i, (_, name, value)) in sorted.into_iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// ECMAScript's text of the double that `text` means. An integer that a double holds exactly stays as it is.
fn number(text: &str) -> String {
    let Ok(value) = text.parse::<f64>() else { return text.to_owned() };
    if value == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let scale: i64 = exponent.parse().unwrap_or(0);
    let length = digits.len() as i64;
    let sign = if value < 0.0 { "-" } else { "" };
    let body = match scale {
        0..=20 if length <= scale + 1 => format!("{digits}{}", "0".repeat((scale + 1 - length) as usize)),
        0..=20 => format!("{}.{}", &digits[..=scale as usize], &digits[scale as usize + 1..]),
        -6..=-1 => format!("0.{}{digits}", "0".repeat((-scale - 1) as usize)),
        _ => {
            let fraction = if length > 1 { format!(".{}", &digits[1..]) } else { String::new() };
            format!("{}{fraction}e{}{}", &digits[..1], if scale < 0 { '-' } else { '+' }, scale.abs())
        }
    };
    format!("{sign}{body}")
}

const DEPTH_MAX: usize = 128;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("expected {expected} at byte {}", self.at))
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.space();
        match self.peek() {
            _ if depth > DEPTH_MAX => self.wrong("less depth"),
            Some(b'{') => self.object(depth),
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take("]") {
                    return Ok(Json::List(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take("]") {
                        return Ok(Json::List(items));
                    }
                    if !self.take(",") {
                        return self.wrong("',' or ']'");
                    }
                }
            }
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
                self.at += end;
                if rest[..end].parse::<f64>().is_ok_and(f64::is_finite) {
                    Ok(Json::Number(rest[..end].to_owned()))
                } else {
                    self.wrong("a number")
                }
            }
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("null") => Ok(Json::Null),
            _ => self.wrong("a value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            if members.iter().any(|(known, _)| *known == name) {
                return self.wrong(&format!("{name:?} only once"));
            }
            if !self.take(":") {
                return self.wrong("':'");
            }
            members.push((name, self.value(depth + 1)?));
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            if !self.take(",") {
                return self.wrong("',' or '}'");
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if self.peek() != Some(b'"') {
            return self.wrong("a string");
        }
        self.at += 1;
        // UTF-16, because escapes of one character may come as two surrogates.
        let mut units: Vec<u16> = Vec::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else { return self.wrong("the end of a string") };
            self.at += c.len_utf8();
            match c {
                '"' => return String::from_utf16(&units).map_err(|_| format!("a lone surrogate before byte {}", self.at)),
                '\\' => units.push(self.escape()?),
                c if c < ' ' => return self.wrong("no bare control character"),
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, String> {
        let Some(byte) = self.peek() else { return self.wrong("an escape") };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => u16::from(byte),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
                    return self.wrong("four hexadecimal digits");
                };
                self.at += 4;
                unit
            }
            _ => return self.wrong("a known escape"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, number};

    #[test]
    fn numbers_are_written_as_the_standard_says() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1", "1"),
            ("1.50", "1.5"),
            ("1e21", "1e+21"),
            ("1E20", "100000000000000000000"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("-0.0000033333333333333333", "-0.0000033333333333333333"),
            ("333333333.33333329", "333333333.3333333"),
            ("9007199254740992", "9007199254740992"),
            ("5e-324", "5e-324"),
            ("123456.789", "123456.789"),
            ("1732500000000000", "1732500000000000"),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn objects_are_sorted_and_text_is_unescaped() {
        let json = Json::parse(r#" {"\ud83d\ude00": 1, "b": [true, null, "a\u0041\n"], "a": {}, "\ufb33": 2} "#).expect("JSON");
        assert_eq!(json.canonical(), "{\"a\":{},\"b\":[true,null,\"aA\\n\"],\"\u{1f600}\":1,\"\u{fb33}\":2}");
        for wrong in ["", "{", "[1,]", "{\"a\":1,\"a\":2}", "\"\\ud800\"", "01x", "tru", "[1] 2", "\"a\nb\""] {
            assert!(Json::parse(wrong).is_err(), "{wrong}");
        }
    }
}

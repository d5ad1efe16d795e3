//! A look at the text before the parser sees it: parsers of expressions recurse, so depth is bounded here.
//!
//! Knows just enough of the lexical rules (documentation, 4.1) to tell code from strings and comments.

/// Most parentheses, brackets and CASEs that may be open at once.
pub const DEPTH: usize = 150;
/// Most words and signs without a comma between them, in one statement outside of parentheses or within one pair: any of
/// them may put what came before one level deeper.
pub const CHAIN: usize = 5_000;
/// Most signs and NOTs in a row.
pub const PREFIX: usize = 50;
/// Most words that the parser answers with a deeper call of itself (JOIN, WITH, OPERATOR, =) before one that ends the
/// clause, and most BETWEENs without a comma.
pub const CLIMB: usize = 300;
/// Largest file, in bytes.
pub const SIZE: usize = 64 * 1024 * 1024;

/// Bytes after which the text is cut, at the end of a statement: small trees are cheaper than one large tree.
const PART: usize = 64 * 1024;

/// Where the text may be cut into parts that are parsed one by one (the last is its end); or the first place that is too
/// deep, too long or not SQL.
pub fn check(text: &str) -> Result<Vec<usize>, (usize, String)> {
    if text.len() > SIZE {
        return Err((0, format!("the file has more than {SIZE} bytes")));
    }
    let bytes = text.as_bytes();
    let mut depth = Depth { chains: vec![0], cases: 0, prefix: 0, climb: 0, between: 0, atomic: false };
    let mut ends: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let here = at;
        at += 1;
        match byte {
            0 => return Err((here, "a null byte cannot stand in SQL".to_owned())),
            b'-' if bytes.get(at) == Some(&b'-') => at = line_end(bytes, at),
            b'/' if bytes.get(at) == Some(&b'*') => {
                at = comment_end(bytes, at + 1).ok_or((here, "the comment does not end".to_owned()))?;
            }
            b'\\' => {
                return Err((here, "expected SQL; commands of psql (\\…) and data after COPY … FROM stdin cannot be read".to_owned()));
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                at = word_end(text, bytes, here)?;
                if *byte == b';' && depth.is_flat() && at - ends.last().copied().unwrap_or(0) >= PART {
                    ends.push(at);
                }
                depth.word(&bytes[here..at]);
                depth.within(here)?;
            }
        }
    }
    if ends.last() != Some(&text.len()) {
        ends.push(text.len());
    }
    Ok(ends)
}

/// Where the string, name, number or sign that begins at `here` ends.
fn word_end(text: &str, bytes: &[u8], here: usize) -> Result<usize, (usize, String)> {
    let endless = |what: &str| (here, format!("the {what} does not end"));
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$' || *byte >= 128;
    match bytes[here] {
        b'\'' => quoted_end(bytes, here + 1, b'\'', is_escape(bytes, here)).ok_or_else(|| endless("string")),
        b'"' => quoted_end(bytes, here + 1, b'"', false).ok_or_else(|| endless("quoted name")),
        b'$' => dollar_end(text, here).ok_or_else(|| endless("dollar-quoted string")),
        first if is_word(&first) => Ok(here + bytes[here..].iter().take_while(|byte| is_word(byte)).count()),
        _ => Ok(here + 1),
    }
}

/// How deep what was read so far may nest.
struct Depth {
    /// Words since the last comma, one counter for each open parenthesis.
    chains: Vec<usize>,
    cases: usize,
    prefix: usize,
    climb: usize,
    between: usize,
    /// BEGIN ATOMIC was met: semicolons after it may stand inside of a body.
    atomic: bool,
}

impl Depth {
    /// Whether a semicolon here ends a statement.
    fn is_flat(&self) -> bool {
        self.chains.len() == 1 && self.cases == 0 && !self.atomic
    }

    fn word(&mut self, word: &[u8]) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        match word {
            b"(" | b"[" => self.chains.push(0),
            b")" | b"]" if self.chains.len() > 1 => _ = self.chains.pop(),
            b";" => *self = Depth { chains: vec![0], cases: 0, prefix: 0, climb: 0, between: 0, atomic: self.atomic },
            b"," => {
                if let Some(chain) = self.chains.last_mut() {
                    *chain = 0;
                }
                (self.climb, self.between) = (0, 0);
            }
            b"=" => self.climb += 1,
            _ if is("case") => self.cases += 1,
            _ if is("atomic") => self.atomic = true,
            _ if is("end") => self.cases = self.cases.saturating_sub(1),
            _ if is("join") || is("with") || is("operator") => self.climb += 1,
            _ if is("between") => self.between += 1,
            _ if ["and", "or", "on", "using", "when", "then", "else", "where"].into_iter().any(is) => self.climb = 0,
            _ => {}
        }
        let prefixing = matches!(
            word,
            [b'+' | b'-' | b'~' | b'!' | b'@' | b'#' | b'|' | b'&' | b'/' | b'<' | b'>' | b'=' | b'*' | b'%' | b'^' | b'?' | b'`']
        ) || is("not")
            || is("explain")
            || is("analyze");
        self.prefix = if prefixing { self.prefix + 1 } else { 0 };
        if let Some(chain) = self.chains.last_mut().filter(|_| word != b"," && word != b";") {
            *chain += 1;
        }
    }

    fn within(&self, at: usize) -> Result<(), (usize, String)> {
        if self.chains.len() + self.cases > DEPTH {
            return Err((at, format!("more than {DEPTH} levels of nesting")));
        }
        if self.chains.last().is_some_and(|chain| *chain > CHAIN) {
            return Err((at, format!("more than {CHAIN} words and signs without a comma")));
        }
        if self.climb > CLIMB || self.between > CLIMB {
            return Err((at, format!("more than {CLIMB} of a kind (JOIN, =, BETWEEN …) in a row")));
        }
        if self.prefix > PREFIX {
            return Err((at, format!("more than {PREFIX} signs in a row")));
        }
        Ok(())
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| from + length)
}

/// Comments nest.
fn comment_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut open) = (from, 1usize);
    while open > 0 {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'*', Some(b'/')) => {
                open -= 1;
                at += 2;
            }
            (b'/', Some(b'*')) => {
                open += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    Some(at)
}

/// Whether the quote at `quote` opens an `E'…'` string.
fn is_escape(bytes: &[u8], quote: usize) -> bool {
    let before = |back: usize| quote.checked_sub(back).and_then(|at| bytes.get(at));
    before(1).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e'))
        && !before(2).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 128)
}

fn quoted_end(bytes: &[u8], from: usize, quote: u8, escapes: bool) -> Option<usize> {
    let mut at = from;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        if escapes && byte == b'\\' {
            at += 1;
        } else if byte == quote {
            if bytes.get(at) == Some(&quote) {
                at += 1;
            } else {
                return Some(at);
            }
        }
    }
}

/// `$tag$ … $tag$`, or a parameter such as `$1`.
fn dollar_end(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from + 1..)?;
    let Some(length) = rest.find('$') else { return Some(from + 1) };
    let tag = &rest[..length];
    let fits = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
    if !fits {
        return Some(from + 1);
    }
    let open = text.get(from..from + length + 2)?;
    let body = from + length + 2;
    text.get(body..)?.find(open).map(|end| body + end + open.len())
}

//! A look at the text before the parser sees it: parsers of expressions recurse, so depth is bounded here.
//!
//! Knows just enough of the lexical rules (documentation, 4.1) to tell code from strings and comments.

/// Most parentheses, brackets and CASEs that may be open at once.
pub const DEPTH: usize = 150;
/// Most operators (also AND, OR, NOT, UNION …) in one statement outside of parentheses or within one pair of them.
pub const CHAIN: usize = 3_000;
/// Largest file, in bytes.
pub const SIZE: usize = 64 * 1024 * 1024;

const CHAINING: [&str; 14] =
    ["and", "or", "not", "union", "except", "intersect", "join", "is", "in", "like", "collate", "at", "explain", "prepare"];

/// The first place that is too deep, too long or not SQL.
pub fn check(text: &str) -> Result<(), (usize, String)> {
    if text.len() > SIZE {
        return Err((0, format!("the file has more than {SIZE} bytes")));
    }
    let bytes = text.as_bytes();
    // Operators since the last comma, one counter for each open parenthesis.
    let mut chains = vec![0usize];
    let mut cases = 0usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let here = at;
        at += 1;
        match byte {
            0 => return Err((here, "a null byte cannot stand in SQL".to_owned())),
            b'-' if bytes.get(at) == Some(&b'-') => at = line_end(bytes, at),
            b'/' if bytes.get(at) == Some(&b'*') => at = comment_end(bytes, at + 1).ok_or((here, "the comment does not end".to_owned()))?,
            b'\'' => at = quoted_end(bytes, at, b'\'', is_escape(bytes, here)).ok_or((here, "the string does not end".to_owned()))?,
            b'"' => at = quoted_end(bytes, at, b'"', false).ok_or((here, "the quoted name does not end".to_owned()))?,
            b'$' => at = dollar_end(text, here).ok_or((here, "the dollar-quoted string does not end".to_owned()))?,
            b'\\' => {
                return Err((here, "expected SQL; commands of psql (\\…) and data after COPY … FROM stdin cannot be read".to_owned()));
            }
            b'(' | b'[' => chains.push(0),
            b')' | b']' if chains.len() > 1 => _ = chains.pop(),
            b';' => {
                chains = vec![0];
                cases = 0;
            }
            b',' => {
                if let Some(chain) = chains.last_mut() {
                    *chain = 0;
                }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 128.. => {
                while bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$' || *byte >= 128) {
                    at += 1;
                }
                let word = &bytes[here..at];
                if word.eq_ignore_ascii_case(b"case") {
                    cases += 1;
                } else if word.eq_ignore_ascii_case(b"end") {
                    cases = cases.saturating_sub(1);
                } else if word.len() < 10 && CHAINING.iter().any(|chaining| word.eq_ignore_ascii_case(chaining.as_bytes())) {
                    chained(&mut chains, here)?;
                }
            }
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`' | b'?' | b':'
            | b'.' => {
                chained(&mut chains, here)?;
            }
            _ => {}
        }
        if chains.len() + cases > DEPTH {
            return Err((here, format!("more than {DEPTH} levels of nesting")));
        }
    }
    Ok(())
}

fn chained(chains: &mut [usize], at: usize) -> Result<(), (usize, String)> {
    if let Some(chain) = chains.last_mut() {
        *chain += 1;
        if *chain > CHAIN {
            return Err((at, format!("more than {CHAIN} operators in one expression")));
        }
    }
    Ok(())
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

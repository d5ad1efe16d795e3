//! Regular expressions of ECMA-262 as automata, so far as they are regular.
//!
//! JSON Schema patterns are ECMA-262 expressions that may match anywhere in the text. What is not regular or needs tables
//! that are not here (look-around, back references, word boundaries, Unicode properties) is refused with its reason: the
//! caller then knows nothing about the pattern but that equal texts mean the same.

/// Longer patterns are not read.
const PATTERN_MAX: usize = 20_000;
const DEPTH_MAX: usize = 64;
/// Automata with more states are not built.
pub const STATES_MAX: usize = 6_000;

/// Ranges of code points, both ends included.
pub type Chars = Vec<(u32, u32)>;

const LAST: u32 = 0x10FFFF;
const DIGIT: &[(u32, u32)] = &[(0x30, 0x39)];
const WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
/// ECMA-262, WhiteSpace and LineTerminator.
const SPACE: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
];
const LINE_ENDS: &[(u32, u32)] = &[(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)];

#[derive(Debug)]
enum Expression {
    Empty,
    Chars(Chars),
    Begin,
    End,
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Repeat(Box<Expression>, u32, Option<u32>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Chars(Chars, u32),
    Split(Vec<u32>),
    /// Goes on only before the first character.
    Begin(u32),
    /// Goes on only behind the last character.
    End(u32),
    /// Once here, the text matches whatever follows.
    Accept,
}

/// A nondeterministic automaton; the search begins anew at every character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automaton {
    pub states: Vec<State>,
    pub start: u32,
}

impl Automaton {
    /// The texts in which the pattern matches somewhere; otherwise why that is not known.
    pub fn of_pattern(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_MAX {
            return Err(format!("the pattern has more than {PATTERN_MAX} bytes"));
        }
        let mut parser = Parser { rest: pattern.chars().collect(), at: 0, depth: 0 };
        let expression = parser.alternatives()?;
        if parser.at < parser.rest.len() {
            return Err("the pattern has a `)` that closes nothing".to_owned());
        }
        let mut builder = Builder::default();
        let accept = builder.add(State::Accept)?;
        let inner = builder.build(&expression, accept)?;
        // Before the match: any characters.
        let start = builder.add(State::Split(Vec::new()))?;
        let any = builder.add(State::Chars(vec![(0, LAST)], start))?;
        builder.set(start, State::Split(vec![inner, any]));
        Ok(Self { states: builder.states, start })
    }
    /// Exactly these texts.
    pub fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut builder = Builder::default();
        let accept = builder.add(State::Accept)?;
        let end = builder.add(State::End(accept))?;
        let mut starts = Vec::new();
        for text in texts {
            let mut next = end;
            for character in text.chars().rev() {
                next = builder.add(State::Chars(vec![(character as u32, character as u32)], next))?;
            }
            starts.push(next);
        }
        let start = builder.add(State::Split(starts))?;
        Ok(Self { states: builder.states, start })
    }

    /// States reached without a character. `Accept` swallows everything else.
    fn closure(&self, from: impl Iterator<Item = u32>, begin: bool, end: bool) -> Vec<u32> {
        let mut seen = vec![false; self.states.len()];
        let mut reached = Vec::new();
        let mut open: Vec<u32> = from.collect();
        while let Some(state) = open.pop() {
            match seen.get_mut(state as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.states.get(state as usize) {
                Some(State::Split(next)) => open.extend(next),
                Some(State::Begin(next)) if begin => open.push(*next),
                Some(State::End(next)) if end => open.push(*next),
                Some(State::Accept) => return vec![state],
                Some(State::Chars(..) | State::End(_)) => reached.push(state),
                Some(State::Begin(_)) | None => {}
            }
        }
        reached.sort_unstable();
        reached
    }
    /// The set of states before the first character.
    pub fn begin(&self) -> Vec<u32> {
        self.closure(std::iter::once(self.start), true, false)
    }
    /// The set of states behind a character.
    pub fn step(&self, set: &[u32], character: u32) -> Vec<u32> {
        if let [one] = set
            && matches!(self.states.get(*one as usize), Some(State::Accept))
        {
            return set.to_vec();
        }
        let next = set.iter().filter_map(|state| match self.states.get(*state as usize) {
            Some(State::Chars(chars, next)) if holds(chars, character) => Some(*next),
            _ => None,
        });
        self.closure(next, false, false)
    }
    /// Whether a text that ends here matches.
    pub fn accepts(&self, set: &[u32], nothing_read: bool) -> bool {
        let closed = self.closure(set.iter().copied(), nothing_read, true);
        matches!(closed.as_slice(), [one] if matches!(self.states.get(*one as usize), Some(State::Accept)))
    }
    pub fn matches(&self, text: &str) -> bool {
        let mut set = self.begin();
        for character in text.chars() {
            set = self.step(&set, character as u32);
        }
        self.accepts(&set, text.is_empty())
    }
}

fn holds(chars: &[(u32, u32)], character: u32) -> bool {
    let after = chars.partition_point(|range| range.0 <= character);
    after.checked_sub(1).and_then(|place| chars.get(place)).is_some_and(|range| character <= range.1)
}

/// Sorted, without overlap.
fn joined(mut chars: Chars) -> Chars {
    chars.sort_unstable();
    let mut whole: Chars = Vec::new();
    for (first, last) in chars {
        match whole.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => whole.push((first, last)),
        }
    }
    whole
}

fn all_but(chars: Chars) -> Chars {
    let mut rest = Vec::new();
    let mut next = 0;
    for (first, last) in joined(chars) {
        if first > next {
            rest.push((next, first - 1));
        }
        next = last + 1;
    }
    if next <= LAST {
        rest.push((next, LAST));
    }
    rest
}

#[derive(Default)]
struct Builder {
    states: Vec<State>,
}

impl Builder {
    fn add(&mut self, state: State) -> Result<u32, String> {
        if self.states.len() >= STATES_MAX {
            return Err(format!("the pattern needs more than {STATES_MAX} states"));
        }
        self.states.push(state);
        Ok(self.states.len() as u32 - 1)
    }
    fn set(&mut self, place: u32, state: State) {
        if let Some(old) = self.states.get_mut(place as usize) {
            *old = state;
        }
    }
    /// The state in which to begin so that `next` is reached behind the expression.
    fn build(&mut self, expression: &Expression, next: u32) -> Result<u32, String> {
        match expression {
            Expression::Empty => Ok(next),
            Expression::Chars(chars) => self.add(State::Chars(chars.clone(), next)),
            Expression::Begin => self.add(State::Begin(next)),
            Expression::End => self.add(State::End(next)),
            Expression::All(parts) => parts.iter().rev().try_fold(next, |next, part| self.build(part, next)),
            Expression::Any(parts) => {
                let starts = parts.iter().map(|part| self.build(part, next)).collect::<Result<_, _>>()?;
                self.add(State::Split(starts))
            }
            Expression::Repeat(part, min, max) => {
                let mut start = match max {
                    None => {
                        let again = self.add(State::Split(Vec::new()))?;
                        let inner = self.build(part, again)?;
                        self.set(again, State::Split(vec![inner, next]));
                        again
                    }
                    Some(max) => {
                        let mut start = next;
                        for _ in *min..*max {
                            let inner = self.build(part, start)?;
                            start = self.add(State::Split(vec![inner, next]))?;
                        }
                        start
                    }
                };
                for _ in 0..*min {
                    start = self.build(part, start)?;
                }
                Ok(start)
            }
        }
    }
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }
    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }
    fn eat(&mut self, character: char) -> bool {
        let there = self.peek() == Some(character);
        self.at += usize::from(there);
        there
    }
    fn follows(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(place, character)| self.rest.get(self.at + place) == Some(&character))
    }

    fn alternatives(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("the pattern's groups are nested too deep".to_owned());
        }
        let mut parts = vec![self.sequence()?];
        while self.eat('|') {
            parts.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                parts.push(last);
                Expression::Any(parts)
            }
            (_, None) => Expression::Empty,
        })
    }

    fn sequence(&mut self) -> Result<Expression, String> {
        let mut parts = Vec::new();
        while let Some(character) = self.peek() {
            if character == '|' || character == ')' {
                break;
            }
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Expression::All(parts))
    }

    fn atom(&mut self) -> Result<Expression, String> {
        match self.next() {
            Some('^') => Ok(Expression::Begin),
            Some('$') => Ok(Expression::End),
            Some('.') => Ok(Expression::Chars(all_but(LINE_ENDS.to_vec()))),
            Some('(') => {
                self.group_head()?;
                let inner = self.alternatives()?;
                if !self.eat(')') {
                    return Err("the pattern has a `(` that is not closed".to_owned());
                }
                Ok(inner)
            }
            Some('[') => Ok(Expression::Chars(self.class()?)),
            Some('\\') => Ok(Expression::Chars(self.escape()?)),
            Some(character @ ('*' | '+' | '?')) => Err(format!("the pattern has a `{character}` that repeats nothing")),
            Some(character) => Ok(Expression::Chars(vec![(character as u32, character as u32)])),
            None => Ok(Expression::Empty),
        }
    }

    fn group_head(&mut self) -> Result<(), String> {
        if !self.eat('?') {
            return Ok(());
        }
        if self.eat(':') {
            return Ok(());
        }
        if self.follows("<") && !self.follows("<=") && !self.follows("<!") {
            while let Some(character) = self.next() {
                if character == '>' {
                    return Ok(());
                }
            }
            return Err("the pattern has a group name that does not end".to_owned());
        }
        Err("the pattern looks around or sets flags".to_owned())
    }

    fn repeated(&mut self, atom: Expression) -> Result<Expression, String> {
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.braces() {
                Some(range) => range,
                // Annex B: a brace that repeats nothing is a brace.
                None => return Ok(atom),
            },
            _ => return Ok(atom),
        };
        self.at += 1;
        // Lazy or not: the same texts.
        self.eat('?');
        if matches!(self.peek(), Some('*' | '+')) {
            return Err("the pattern repeats a repetition".to_owned());
        }
        if matches!(atom, Expression::Begin | Expression::End) {
            return Err("the pattern repeats an anchor".to_owned());
        }
        if max.is_some_and(|max| max < min) {
            return Err("the pattern repeats from more to less".to_owned());
        }
        Ok(Expression::Repeat(Box::new(atom), min, max))
    }

    /// `{2}`, `{2,}`, `{2,5}`: leaves the reader at the closing brace.
    fn braces(&mut self) -> Option<(u32, Option<u32>)> {
        let close = self.rest.iter().skip(self.at).position(|character| *character == '}')? + self.at;
        let inner: String = self.rest.get(self.at + 1..close)?.iter().collect();
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
        let range = match inner.split_once(',') {
            None => (number(&inner)?, Some(number(&inner)?)),
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        self.at = close;
        Some(range)
    }

    fn hex(&mut self, digits: usize) -> Result<u32, String> {
        let text: String = self.rest.get(self.at..self.at + digits).unwrap_or_default().iter().collect();
        let number = u32::from_str_radix(&text, 16).map_err(|_| "the pattern has an escape without its digits".to_owned())?;
        self.at += digits;
        Ok(number)
    }

    fn unicode(&mut self) -> Result<u32, String> {
        if self.eat('{') {
            let mut number = 0u32;
            while let Some(character) = self.next() {
                if character == '}' {
                    return if number <= LAST { Ok(number) } else { Err("the pattern has a character beyond Unicode".to_owned()) };
                }
                let digit = character.to_digit(16).ok_or("the pattern has an escape without its digits")?;
                number = number.saturating_mul(16).saturating_add(digit);
            }
            return Err("the pattern has an escape that does not end".to_owned());
        }
        let first = self.hex(4)?;
        if (0xD800..0xDC00).contains(&first) && self.follows("\\u") {
            self.at += 2;
            let second = self.hex(4)?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err("the pattern has half a surrogate pair".to_owned());
            }
            return Ok(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        }
        Ok(first)
    }

    fn escape(&mut self) -> Result<Chars, String> {
        let one = |character: u32| Ok(vec![(character, character)]);
        match self.next() {
            Some('d') => Ok(DIGIT.to_vec()),
            Some('D') => Ok(all_but(DIGIT.to_vec())),
            Some('w') => Ok(WORD.to_vec()),
            Some('W') => Ok(all_but(WORD.to_vec())),
            Some('s') => Ok(SPACE.to_vec()),
            Some('S') => Ok(all_but(SPACE.to_vec())),
            Some('t') => one(9),
            Some('n') => one(10),
            Some('v') => one(11),
            Some('f') => one(12),
            Some('r') => one(13),
            Some('0') if !matches!(self.peek(), Some('0'..='9')) => one(0),
            Some('x') => self.hex(2).and_then(one),
            Some('u') => self.unicode().and_then(one),
            Some('c') => match self.next() {
                Some(letter) if letter.is_ascii_alphabetic() => one(letter as u32 % 32),
                _ => Err("the pattern has a control escape without its letter".to_owned()),
            },
            Some('b' | 'B') => Err("the pattern has a word boundary".to_owned()),
            Some('p' | 'P') => Err("the pattern has a Unicode property".to_owned()),
            Some('k' | '0'..='9') => Err("the pattern refers back to a group".to_owned()),
            Some(character) if !character.is_ascii_alphabetic() => one(character as u32),
            Some(character) => Err(format!("the pattern has the escape \\{character}")),
            None => Err("the pattern ends in a backslash".to_owned()),
        }
    }

    fn class(&mut self) -> Result<Chars, String> {
        let negated = self.eat('^');
        let mut chars = Vec::new();
        loop {
            match self.peek() {
                None => return Err("the pattern has a `[` that is not closed".to_owned()),
                Some(']') => {
                    self.at += 1;
                    break;
                }
                Some(_) => {}
            }
            let first = self.class_atom()?;
            let range = self.peek() == Some('-') && !matches!(self.rest.get(self.at + 1), None | Some(']'));
            if !range {
                chars.extend(first);
                continue;
            }
            self.at += 1;
            let last = self.class_atom()?;
            match (first.as_slice(), last.as_slice()) {
                ([(from, a)], [(b, to)]) if from == a && b == to && from <= to => chars.push((*from, *to)),
                _ => return Err("the pattern has a range of characters that is none".to_owned()),
            }
        }
        Ok(if negated { all_but(chars) } else { joined(chars) })
    }

    fn class_atom(&mut self) -> Result<Chars, String> {
        match self.next() {
            Some('\\') if self.eat('b') => Ok(vec![(8, 8)]),
            Some('\\') => self.escape(),
            Some(character) => Ok(vec![(character as u32, character as u32)]),
            None => Err("the pattern has a `[` that is not closed".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_ecma_262_says() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("^a+$", &["a", "aaa"], &["", "ba", "ab"]),
            ("b", &["b", "abc"], &["", "ac"]),
            ("^(foo|bar)$", &["foo", "bar"], &["foobar", "fo"]),
            ("^[a-z]{2,3}$", &["ab", "abc"], &["a", "abcd", "AB"]),
            ("^\\d{3}-\\d{4}$", &["555-1234"], &["5551234", "٣٣٣-1234"]),
            ("^$", &[""], &["a"]),
            ("", &["", "x"], &[]),
            ("^x|y$", &["xa", "ay"], &["ax", "ya"]),
            ("^[^,]*$", &["", "ab c\n"], &["a,b"]),
            ("^.$", &["a", "🙂"], &["\n", "ab", ""]),
            ("^\\u0041\\x42\\u{1F642}$", &["AB🙂"], &["AB"]),
            ("^[\\w.-]+@[\\w-]+\\.[a-z]+$", &["ada@example.org"], &["ada@example", "@x.y"]),
            ("^a{2}b{0,1}c{1,}$", &["aac", "aabccc"], &["aab", "ac"]),
            ("^a{,2}$", &["a{,2}"], &["aa"]),
            ("^(?:a|b)*?c$", &["c", "abac"], &["ab"]),
            ("^(?<year>\\d+)$", &["2020"], &["x"]),
            ("^\\S+$", &["a"], &["a b", "\u{feff}"]),
            ("[\\]\\\\-]", &["]", "\\", "-"], &["a"]),
            ("a(^|b)", &["ab"], &["a", "ca"]),
        ];
        for (pattern, yes, no) in cases {
            let automaton = Automaton::of_pattern(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            for text in *yes {
                assert!(automaton.matches(text), "{pattern} on {text:?}");
            }
            for text in *no {
                assert!(!automaton.matches(text), "{pattern} on {text:?}");
            }
        }
    }

    #[test]
    fn what_is_not_regular_or_not_a_pattern_is_refused() {
        for pattern in [
            "(?=a)", "(?!a)b", "(?<=a)b", "(a)\\1", "\\bword", "\\p{L}", "(a", "a)", "[a", "*a", "a**", "[z-a]", "a{3,1}", "\\", "(?i)a",
            "\\q", "a{9000}",
        ] {
            assert!(Automaton::of_pattern(pattern).is_err(), "{pattern}");
        }
        assert!(Automaton::of_pattern(&"(".repeat(10_000)).is_err());
        assert!(Automaton::of_pattern("((((((((a{9}){9}){9}){9}){9}){9}){9}){9})").is_err());
    }
}

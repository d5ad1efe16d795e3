//! Whether a text has a length within bounds, matches some patterns and misses others; and which.
//!
//! Breadth first over the product of the patterns' automata, so the shortest text is found; lengths are code points.

use super::numbers::Found;
use super::regex::{Automaton, Chars, State};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Pairs of state and length that are looked at before the search is given up.
const LOOKED_AT_MAX: usize = 60_000;
/// Longer witnesses are not written.
const LENGTH_MAX: u64 = 100_000;
const LAST: u32 = 0x10FFFF;

#[derive(Debug, Default)]
pub struct Texts {
    pub least: u64,
    pub most: Option<u64>,
    pub matching: Vec<Rc<Automaton>>,
    pub missing: Vec<Rc<Automaton>>,
    pub not: Vec<String>,
}

impl Texts {
    /// A text that fits.
    pub fn find(&self) -> Found<String> {
        if self.most.is_some_and(|most| most < self.least) {
            return Found::None;
        }
        if self.matching.is_empty() && self.missing.is_empty() {
            return self.by_length();
        }
        let texts: Vec<&str> = self.not.iter().map(String::as_str).filter(|text| self.fits_otherwise(text)).collect();
        let Ok(not) = Automaton::of_texts(texts.iter().copied()) else {
            return Found::Unclear("too many texts are excluded");
        };
        let mut parts: Vec<Lazy> = self.matching.iter().map(|automaton| Lazy::new(automaton, true)).collect();
        parts.extend(self.missing.iter().map(|automaton| Lazy::new(automaton, false)));
        if !texts.is_empty() {
            parts.push(Lazy::new(&not, false));
        }
        Product { parts, alphabet: Vec::new(), least: self.least, most: self.most }.search()
    }

    fn fits_otherwise(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        let long = length >= self.least && self.most.is_none_or(|most| length <= most);
        long && self.matching.iter().all(|one| one.matches(text)) && !self.missing.iter().any(|one| one.matches(text))
    }

    fn by_length(&self) -> Found<String> {
        if self.most == Some(0) {
            return if self.not.iter().any(String::is_empty) { Found::None } else { Found::One(String::new()) };
        }
        if self.least > LENGTH_MAX {
            return Found::Unclear("the text would be too long to be written");
        }
        if self.least == 0 && !self.not.iter().any(String::is_empty) {
            return Found::One(String::new());
        }
        // More texts than are excluded, all of one length.
        let length = self.least.max(1) as usize;
        let firsts = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain('\u{4e00}'..'\u{9fff}');
        let mut tried = 0;
        for last in firsts.clone() {
            for first in firsts.clone() {
                let text = match length {
                    1 => last.to_string(),
                    _ => format!("{first}{}{last}", "a".repeat(length - 2)),
                };
                if !self.not.contains(&text) {
                    return Found::One(text);
                }
                tried += 1;
                if tried > LOOKED_AT_MAX {
                    return Found::Unclear("too many texts are excluded");
                }
                if length == 1 {
                    break;
                }
            }
        }
        Found::Unclear("too many texts are excluded")
    }
}

/// A deterministic automaton that is made as it is walked.
struct Lazy<'a> {
    automaton: &'a Automaton,
    /// Whether the text has to match, or to miss.
    wanted: bool,
    sets: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32>,
    steps: HashMap<(u32, u32), u32>,
}

impl<'a> Lazy<'a> {
    fn new(automaton: &'a Automaton, wanted: bool) -> Self {
        Self { automaton, wanted, sets: Vec::new(), numbers: HashMap::new(), steps: HashMap::new() }
    }
    fn number(&mut self, set: Vec<u32>) -> u32 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = self.sets.len() as u32;
        self.sets.push(set.clone());
        self.numbers.insert(set, number);
        number
    }
    fn set(&self, number: u32) -> &[u32] {
        self.sets.get(number as usize).map_or(&[], Vec::as_slice)
    }
    fn step(&mut self, from: u32, character: u32) -> u32 {
        if let Some(next) = self.steps.get(&(from, character)) {
            return *next;
        }
        let set = self.automaton.step(self.set(from), character);
        let next = self.number(set);
        self.steps.insert((from, character), next);
        next
    }
    fn content(&self, at: u32, nothing_read: bool) -> bool {
        self.automaton.accepts(self.set(at), nothing_read) == self.wanted
    }
    /// No text from here can be right any more.
    fn lost(&self, at: u32) -> bool {
        let set = self.set(at);
        if self.wanted {
            return set.is_empty();
        }
        matches!(set, [one] if matches!(self.automaton.states.get(*one as usize), Some(State::Accept)))
    }
}

struct Product<'a> {
    parts: Vec<Lazy<'a>>,
    /// One character for each set of characters that no automaton tells apart.
    alphabet: Vec<char>,
    least: u64,
    most: Option<u64>,
}

/// Where the search has been: numbers of the parts' states, length as far as it matters.
type Stop = (Vec<u32>, u64);

/// A stop, the step before it and the character between them.
#[derive(Clone)]
struct Step {
    stop: Stop,
    before: usize,
    character: char,
    length: u64,
}

impl Product<'_> {
    fn search(mut self) -> Found<String> {
        self.alphabet = alphabet(&self.parts);
        let start: Vec<u32> = self
            .parts
            .iter_mut()
            .map(|part| {
                let set = part.automaton.begin();
                part.number(set)
            })
            .collect();
        let mut seen: HashSet<Stop> = HashSet::new();
        let mut way: Vec<Step> = vec![Step { stop: (start.clone(), 0), before: usize::MAX, character: ' ', length: 0 }];
        seen.insert((start, 0));
        let mut next = 0;
        while let Some(Step { stop: (states, counted), length, .. }) = way.get(next).cloned() {
            let right = |(part, at): (&Lazy, &u32)| part.content(*at, next == 0);
            if counted >= self.least && self.parts.iter().zip(&states).all(right) {
                return Found::One(text(&way, next));
            }
            // Breadth first, so a text found later is never shorter: the upper bound need not be part of the stop.
            let longer = (counted + 1).min(self.least.max(1));
            if self.most.is_none_or(|most| length < most) {
                for character in self.alphabet.clone() {
                    let step = |(part, at): (&mut Lazy, &u32)| part.step(*at, character as u32);
                    let states: Vec<u32> = self.parts.iter_mut().zip(&states).map(step).collect();
                    if self.parts.iter().zip(&states).any(|(part, at)| part.lost(*at)) {
                        continue;
                    }
                    let stop = (states, longer);
                    if seen.insert(stop.clone()) {
                        way.push(Step { stop, before: next, character, length: length + 1 });
                    }
                }
            }
            if way.len() > LOOKED_AT_MAX {
                return Found::Unclear("the patterns are too large to be compared");
            }
            next += 1;
        }
        Found::None
    }
}

fn text(way: &[Step], mut at: usize) -> String {
    let mut characters = Vec::new();
    while let Some(step) = way.get(at).filter(|step| step.before != usize::MAX) {
        characters.push(step.character);
        at = step.before;
    }
    characters.iter().rev().collect()
}

/// Characters, one for each set that all automata treat alike.
fn alphabet(parts: &[Lazy]) -> Vec<char> {
    let mut classes: Vec<&Chars> = Vec::new();
    for part in parts {
        for state in &part.automaton.states {
            if let State::Chars(chars, _) = state {
                classes.push(chars);
            }
        }
    }
    classes.sort_unstable();
    classes.dedup();
    let mut edges: Vec<u32> = vec![0, 0x20, 0x7F, 0xD800, 0xE000, LAST + 1];
    for chars in &classes {
        for (first, last) in *chars {
            edges.extend([*first, last + 1]);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    // Which classes hold an interval tells it from others; the most readable character stands for all.
    let mut kinds: HashMap<Vec<u32>, char> = HashMap::new();
    let mut order: Vec<Vec<u32>> = Vec::new();
    for pair in edges.windows(2) {
        let [first, after] = pair else { continue };
        let Some(character) = plainest(*first, after - 1) else { continue };
        let inside = |(place, chars): (usize, &&Chars)| {
            let holds = chars.iter().any(|range| range.0 <= *first && *first <= range.1);
            holds.then_some(place as u32)
        };
        let kind: Vec<u32> = classes.iter().enumerate().filter_map(inside).collect();
        match kinds.get_mut(&kind) {
            Some(old) if rank(character) < rank(*old) => *old = character,
            Some(_) => {}
            None => {
                order.push(kind.clone());
                kinds.insert(kind, character);
            }
        }
    }
    let mut characters: Vec<char> = order.iter().filter_map(|kind| kinds.get(kind).copied()).collect();
    characters.sort_unstable_by_key(|character| rank(*character));
    characters
}

/// How readable a character is, best first.
fn rank(character: char) -> (u32, u32) {
    let group = match character {
        'a'..='z' => 0,
        '0'..='9' => 1,
        'A'..='Z' => 2,
        '!'..='~' => 3,
        ' ' => 4,
        '\u{a1}'..='\u{d7ff}' => 5,
        '\u{e000}'.. => 6,
        _ => 7,
    };
    (group, character as u32)
}

fn plainest(first: u32, last: u32) -> Option<char> {
    let inside = |wish: char| (first..=last).contains(&(wish as u32)).then_some(wish);
    let wish = ['a', '0', 'A', '_', '-', '.', ' ', 'é'].into_iter().find_map(inside);
    wish.or_else(|| char::from_u32(first)).or_else(|| char::from_u32(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(least: u64, most: Option<u64>, matching: &[&str], missing: &[&str], not: &[&str]) -> Texts {
        let all = |patterns: &[&str]| patterns.iter().map(|pattern| Rc::new(Automaton::of_pattern(pattern).unwrap())).collect();
        Texts { least, most, matching: all(matching), missing: all(missing), not: not.iter().map(|text| (*text).to_owned()).collect() }
    }

    #[test]
    fn a_text_is_found_where_there_is_one() {
        let there = [
            texts(0, None, &[], &[], &[""]),
            texts(3, Some(3), &[], &[], &["aaa"]),
            texts(0, None, &["^[a-z]+$"], &["^[a-y]+$"], &[]),
            texts(5, None, &["^(ab)+$"], &[], &[]),
            texts(0, Some(255), &["^[a-z]+$"], &[], &["a"]),
            texts(0, None, &["^x"], &["^x$"], &["xa"]),
            texts(1, None, &[], &["^[ -~]*$"], &[]),
            texts(65, None, &["^[a-z0-9-]{1,100}$"], &[], &[]),
            texts(0, None, &[], &["a"], &[]),
        ];
        for one in there {
            match one.find() {
                Found::One(text) => assert!(one.fits_otherwise(&text) && !one.not.contains(&text), "{one:?} {text:?}"),
                other => panic!("{one:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn none_is_found_where_there_is_none() {
        let nowhere = [
            texts(3, Some(2), &[], &[], &[]),
            texts(0, Some(0), &[], &[], &[""]),
            texts(0, None, &["^[a-y]+$"], &["^[a-z]+$"], &[]),
            texts(4, None, &["^[a-z]{1,3}$"], &[], &[]),
            texts(3, Some(3), &["^(ab)+$"], &[], &[]),
            texts(0, None, &["^(a|b)$"], &[], &["a", "b"]),
            texts(0, None, &["^a"], &["^"], &[]),
            texts(0, None, &["^[0-9]+$"], &["^\\d+$"], &[]),
            texts(0, None, &["^foo$"], &["o"], &[]),
        ];
        for one in nowhere {
            assert_eq!(one.find(), Found::None, "{one:?}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_told() {
        let large = texts(0, None, &["^(a|b)*a(a|b){18}$", "^(a|b)*b(a|b){17}$"], &["^(a|b)*a(a|b){16}$", "b.{20}a.{3}$"], &[]);
        assert!(matches!(large.find(), Found::One(_) | Found::Unclear(_)));
    }
}

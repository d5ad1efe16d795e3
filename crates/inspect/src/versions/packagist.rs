//! Composer's versions: brought into Composer's normal form (four numbers, a stability), then ordered as PHP's
//! `version_compare` does (php.net, "version_compare"). Branches (`dev-main`) have no place in any order.

use super::number::{Number, digit_runs};
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub struct Packagist(Vec<Part>);

/// A part's place beside PHP's `#`, which stands for any number: words below it are pre-releases.
#[derive(Debug, Clone)]
enum Part {
    Number(Number),
    Word(i8),
}

const NUMBER_PLACE: i8 = 4;

impl Part {
    fn word(text: &str) -> Part {
        // By beginning, in this order; an unknown word is below all.
        const FORMS: [(&str, i8); 9] =
            [("dev", 0), ("alpha", 1), ("a", 1), ("beta", 2), ("b", 2), ("RC", 3), ("rc", 3), ("pl", 5), ("p", 5)];
        Part::Word(FORMS.iter().find(|(form, _)| text.starts_with(form)).map_or(-1, |(_, place)| *place))
    }
    fn place(&self) -> i8 {
        match self {
            Part::Number(_) => NUMBER_PLACE,
            Part::Word(place) => *place,
        }
    }
}

pub fn read(text: &str) -> Option<Packagist> {
    let text = text.trim();
    let text = text.split_once(" as ").map_or(text, |(version, _)| version);
    let text = text.split(['@', '+']).next().unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let plain = lower.strip_prefix('v').unwrap_or(&lower);
    if !plain.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let normal = classical(plain).or_else(|| dated(plain)).or_else(|| branch(plain))?;
    Some(Packagist(parts(&normal)))
}

/// What follows the numbers: `-beta2`, `RC1`, `-patch.1`, `-dev`; its normal form.
fn modifier(text: &str) -> Option<String> {
    const WORDS: [(&str, &str); 9] = [
        ("stable", ""),
        ("beta", "-beta"),
        ("b", "-beta"),
        ("rc", "-RC"),
        ("alpha", "-alpha"),
        ("a", "-alpha"),
        ("patch", "-patch"),
        ("pl", "-patch"),
        ("p", "-patch"),
    ];
    let mut rest = text;
    let mut normal = String::new();
    let plain = rest.strip_prefix(['.', '_', '-']).unwrap_or(rest);
    if let Some((after, form)) = WORDS.iter().find_map(|(word, form)| Some((plain.strip_prefix(word)?, form))) {
        let end = after.bytes().position(|byte| !(byte.is_ascii_digit() || byte == b'.' || byte == b'-')).unwrap_or(after.len());
        // A separator before `dev` is not part of the number.
        let number = after.get(..end)?.trim_end_matches(['.', '-']);
        rest = after.get(number.len()..)?;
        if form.is_empty() {
            return (rest.is_empty() || is_dev(rest)).then(String::new);
        }
        normal.push_str(form);
        normal.push_str(number.trim_start_matches(['.', '-']));
    } else if plain.is_empty() {
        return Some(normal);
    }
    if rest.is_empty() {
        return Some(normal);
    }
    is_dev(rest).then(|| normal + "-dev")
}

fn is_dev(text: &str) -> bool {
    matches!(text, "dev" | ".dev" | "-dev" | "_dev")
}

/// One to four numbers, the first of at most five digits.
fn classical(text: &str) -> Option<String> {
    let mut numbers: Vec<&str> = Vec::new();
    let mut rest = text;
    while numbers.len() < 4 {
        let start = if numbers.is_empty() { rest } else { rest.strip_prefix('.').unwrap_or_default() };
        let end = start.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(start.len());
        let (digits, after) = start.split_at(end);
        if digits.is_empty() {
            break;
        }
        numbers.push(digits);
        rest = after;
    }
    if numbers.first().is_none_or(|first| first.len() > 5) {
        return None;
    }
    let modifier = modifier(rest)?;
    numbers.resize(4, "0");
    Some(numbers.join(".") + &modifier)
}

/// A date (`20240131`, `2024-01-31.2`): its numbers.
fn dated(text: &str) -> Option<String> {
    let end = text.bytes().position(|byte| !(byte.is_ascii_digit() || b".:-".contains(&byte))).unwrap_or(text.len());
    let number = text.get(..end)?.trim_end_matches(['.', ':', '-']);
    let modifier = modifier(text.get(number.len()..)?)?;
    let numbers: Vec<&str> = number.split(['.', ':', '-']).collect();
    let fits = numbers.iter().all(|number| !number.is_empty()) && numbers.first().is_some_and(|first| first.len() >= 4);
    fits.then(|| numbers.join(".") + &modifier)
}

/// `1.x-dev`: above every release of that line.
fn branch(text: &str) -> Option<String> {
    let line = text.strip_suffix("dev")?;
    let line = line.strip_suffix(['.', '-']).unwrap_or(line);
    let mut numbers = Vec::new();
    for part in line.split('.') {
        match part {
            "x" | "*" => numbers.push("9999999"),
            digits => {
                Number::read(digits)?;
                numbers.push(digits);
            }
        }
    }
    if numbers.len() > 4 {
        return None;
    }
    numbers.resize(4, "9999999");
    Some(numbers.join(".") + "-dev")
}

fn parts(normal: &str) -> Vec<Part> {
    normal
        .split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(digit_runs)
        .map(|run| Number::read(run).map_or_else(|| Part::word(run), Part::Number))
        .collect()
}

impl Ord for Packagist {
    fn cmp(&self, other: &Self) -> Ordering {
        for at in 0..self.0.len().max(other.0.len()) {
            let order = match (self.0.get(at), other.0.get(at)) {
                (Some(Part::Number(a)), Some(Part::Number(b))) => a.cmp(b),
                (Some(a), Some(b)) => a.place().cmp(&b.place()),
                // A further number makes it later, a further word only if it is one for after the release.
                (Some(Part::Number(_)), None) => Ordering::Greater,
                (Some(word), None) => word.place().cmp(&NUMBER_PLACE),
                (None, Some(Part::Number(_))) => Ordering::Less,
                (None, Some(word)) => NUMBER_PLACE.cmp(&word.place()),
                (None, None) => Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for Packagist {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Packagist {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Packagist {}

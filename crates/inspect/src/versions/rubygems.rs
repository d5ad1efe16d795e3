//! `Gem::Version`: numbers and words between dots, a word is below a number, zeros at the end say nothing.

use super::number::{Number, digit_runs};
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gem(Vec<Segment>);

/// Words are below numbers: they are pre-releases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Word(String),
    Number(Number),
}

pub fn read(text: &str) -> Option<Gem> {
    let text = text.trim();
    // An empty text is version 0.
    let text = if text.is_empty() { "0" } else { text };
    let (release, after) = text.split_once('-').map_or((text, None), |(release, after)| (release, Some(after)));
    let word =
        |part: &str, hyphens: bool| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || (hyphens && byte == b'-'));
    let first = release.split('.').next().unwrap_or_default();
    let fits = Number::read(first).is_some()
        && release.split('.').all(|part| word(part, false))
        && after.is_none_or(|after| after.split('.').all(|part| word(part, true)));
    if !fits {
        return None;
    }
    // A hyphen begins a pre-release.
    let mut segments: Vec<Segment> = text
        .replace('-', ".pre.")
        .split('.')
        .flat_map(digit_runs)
        .map(|run| Number::read(run).map_or_else(|| Segment::Word(run.to_owned()), Segment::Number))
        .collect();
    // Zeros count neither at the end nor before the first word.
    let words = segments.iter().position(|segment| matches!(segment, Segment::Word(_))).unwrap_or(segments.len());
    let mut before = segments.split_off(words);
    for part in [&mut segments, &mut before] {
        while matches!(part.last(), Some(Segment::Number(number)) if number.is_zero()) {
            part.pop();
        }
    }
    segments.append(&mut before);
    Some(Gem(segments))
}

impl Ord for Gem {
    fn cmp(&self, other: &Self) -> Ordering {
        let zero = Segment::Number(Number::default());
        (0..self.0.len().max(other.0.len()))
            .map(|at| self.0.get(at).unwrap_or(&zero).cmp(other.0.get(at).unwrap_or(&zero)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Gem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

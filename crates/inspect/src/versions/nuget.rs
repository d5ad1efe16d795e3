//! NuGet versions: up to four numbers, then labels as in Semantic Versioning but without regard to case.

use super::number::{Number, compare_filled};
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NuGet {
    core: Vec<Number>,
    before: Vec<Label>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(Number),
    Word(String),
}

pub fn read(text: &str) -> Option<NuGet> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let text = text.split('+').next().unwrap_or(text);
    let (core, before) = match text.split_once('-') {
        Some((core, before)) => (core, Some(before)),
        None => (text, None),
    };
    let mut core = core.split('.').map(Number::read).collect::<Option<Vec<_>>>()?;
    if core.len() > 4 {
        return None;
    }
    while core.last().is_some_and(Number::is_zero) {
        core.pop();
    }
    let before = before.map_or(Some(Vec::new()), |labels| {
        labels
            .split('.')
            .map(|part| {
                let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                fits.then(|| Number::read(part).map_or_else(|| Label::Word(part.to_ascii_uppercase()), Label::Number))
            })
            .collect::<Option<Vec<_>>>()
    })?;
    Some(NuGet { core, before })
}

impl Ord for NuGet {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_filled(&self.core, &other.core)
            .then_with(|| other.before.is_empty().cmp(&self.before.is_empty()).reverse())
            .then_with(|| self.before.cmp(&other.before))
    }
}

impl PartialOrd for NuGet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

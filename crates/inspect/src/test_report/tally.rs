//! What a part of a report says of itself against what its cases say.

use super::{ReportError, TestReport};
use crate::xml::{Element, XmlError};

/// A suite, assembly or run that is open, with the counts it declares.
#[derive(Clone)]
pub struct Tally {
    line: u32,
    part: String,
    said: Vec<Said>,
    pub counted: TestReport,
}

#[derive(Clone)]
struct Said {
    attribute: &'static str,
    number: u32,
    measure: Measure,
}

/// Which counted numbers a declared one may be.
#[derive(Clone, Copy)]
pub enum Measure {
    /// Exactly this sum.
    Is(fn(&TestReport) -> u32),
    /// At most this sum: runners disagree about what else they count, but none declares more than it wrote down.
    AtMost(fn(&TestReport) -> u32),
    /// One of the two, or between.
    Between(fn(&TestReport) -> u32, fn(&TestReport) -> u32),
}

impl Tally {
    /// Opens a part; `measures` are its attributes and what they must agree with.
    pub fn open(element: &Element<'_>, measures: &[(&'static str, Measure)]) -> Result<Tally, XmlError> {
        let name = element.get("name").or(element.get("fullname")).unwrap_or_default();
        let part = if name.is_empty() { element.name.to_owned() } else { format!("{} {name:?}", element.name) };
        let mut said = Vec::new();
        for (attribute, measure) in measures {
            if let Some(number) = element.count(attribute)? {
                said.push(Said { attribute, number, measure: *measure });
            }
        }
        Ok(Tally { line: element.line, part, said, counted: TestReport::default() })
    }

    /// Closes it.
    pub fn close(self) -> Result<TestReport, ReportError> {
        for Said { attribute, number, measure } in self.said {
            let (low, high) = match measure {
                Measure::Is(count) => (count(&self.counted), count(&self.counted)),
                Measure::AtMost(count) => (0, count(&self.counted)),
                Measure::Between(low, high) => (low(&self.counted), high(&self.counted)),
            };
            if number < low || number > high {
                let counted = if number < low { low } else { high };
                return Err(ReportError::Contradiction { line: self.line, part: self.part, attribute, said: number, counted });
            }
        }
        Ok(self.counted)
    }
}

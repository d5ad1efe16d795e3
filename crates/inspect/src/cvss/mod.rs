//! Scores of CVSS vectors: 2.0, 3.0, 3.1 and 4.0, exactly as FIRST's specifications compute them.
//!
//! A vector gives the most specific score it allows: environmental where such metrics are given, else temporal, else
//! base. Deliberately absent: a conversion between versions; none is defined.

mod table;
mod v2;
mod v3;
mod v4;

use std::fmt;

/// Longer texts are no vectors.
const BYTES_MAX: usize = 1024;

/// A score in tenths, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score {
    pub tenths: u8,
}

impl Score {
    /// Rounds half up at one decimal; differences below a millionth are arithmetic, not meaning.
    fn nearest(value: f64) -> Score {
        Score::of_tenths((value * 10.0 + 0.5 + 1e-6).floor())
    }
    /// The least tenth that is not below (3.1, appendix A, takes this at five decimals).
    fn up(value: f64) -> Score {
        let fine = (value * 100_000.0).round();
        Score::of_tenths((fine / 10_000.0).ceil())
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 first")]
    fn of_tenths(tenths: f64) -> Score {
        Score { tenths: tenths.clamp(0.0, 100.0) as u8 }
    }
    fn value(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tenths / 10, self.tenths % 10)
    }
}

/// Which specification a vector is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    V2,
    V30,
    V31,
    V4,
}

impl Edition {
    pub fn word(self) -> &'static str {
        match self {
            Edition::V2 => "2.0",
            Edition::V30 => "3.0",
            Edition::V31 => "3.1",
            Edition::V4 => "4.0",
        }
    }
}

/// Why a text is no vector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CvssError {
    #[error("the vector is longer than {BYTES_MAX} bytes")]
    Size,
    #[error("{0:?} is no metric with a value of this CVSS version")]
    Metric(String),
    #[error("the metric {0} stands twice")]
    Twice(String),
    #[error("the metric {0} is missing")]
    Missing(&'static str),
    #[error("CVSS version {0:?} is not known")]
    Version(String),
}

/// A metric's name and the values that its specification defines.
type Defined = (&'static str, &'static [&'static str]);

/// A vector's metrics, each of them defined and none twice.
struct Metrics<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Metrics<'a> {
    fn read(text: &'a str, defined: &[Defined]) -> Result<Self, CvssError> {
        let mut metrics: Vec<(&str, &str)> = Vec::new();
        for part in text.split('/') {
            let bad = || CvssError::Metric(part.to_owned());
            let (name, value) = part.split_once(':').ok_or_else(bad)?;
            if !defined.iter().any(|(known, values)| *known == name && values.contains(&value)) {
                return Err(bad());
            }
            if metrics.iter().any(|(known, _)| *known == name) {
                return Err(CvssError::Twice(name.to_owned()));
            }
            metrics.push((name, value));
        }
        Ok(Self(metrics))
    }
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
    fn need(&self, name: &'static str) -> Result<&'a str, CvssError> {
        self.get(name).ok_or(CvssError::Missing(name))
    }
    /// Whether any of these is given with another value than "not defined".
    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some_and(|value| value != "X" && value != "ND"))
    }
}

/// The value's number in a table; unknown values were refused before.
fn number(table: &[(&str, f64)], value: &str) -> f64 {
    table.iter().find(|(known, _)| *known == value).map_or(1.0, |(_, number)| *number)
}

/// Reads a vector of any edition and computes its score.
pub fn score(vector: &str) -> Result<(Edition, Score), CvssError> {
    if vector.len() > BYTES_MAX {
        return Err(CvssError::Size);
    }
    let vector = vector.trim();
    match vector.strip_prefix("CVSS:") {
        None => Ok((Edition::V2, v2::score(vector.trim_start_matches('(').trim_end_matches(')'))?)),
        Some(rest) => {
            let (version, metrics) = rest.split_once('/').ok_or(CvssError::Missing("AV"))?;
            match version {
                "3.0" => Ok((Edition::V30, v3::score(metrics, false)?)),
                "3.1" => Ok((Edition::V31, v3::score(metrics, true)?)),
                "4.0" => Ok((Edition::V4, v4::score(metrics)?)),
                other => Err(CvssError::Version(other.to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests;

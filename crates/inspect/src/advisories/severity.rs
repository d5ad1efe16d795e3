//! How bad an advisory is: from its CVSS vectors, else from its database's own word, else unknown.

use crate::cvss::{self, Edition, Score};
use crate::finding::Severity;
use serde::{Deserialize, Serialize};

/// Unknown is a class of its own: an advisory that nobody has rated may be the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Critical,
    High,
    Medium,
    Low,
    /// Rated, and without impact; or informational, such as "unmaintained".
    None,
    Unknown,
}

impl Class {
    pub const ALL: [Class; 6] = [Class::Critical, Class::High, Class::Medium, Class::Low, Class::None, Class::Unknown];

    pub fn word(self) -> &'static str {
        match self {
            Class::Critical => "critical",
            Class::High => "high",
            Class::Medium => "medium",
            Class::Low => "low",
            Class::None => "none",
            Class::Unknown => "unknown",
        }
    }
    pub fn from_word(word: &str) -> Option<Class> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
    pub fn severity(self) -> Severity {
        match self {
            Class::Critical => Severity::Critical,
            Class::High => Severity::High,
            Class::Medium => Severity::Medium,
            Class::Low => Severity::Low,
            Class::None => Severity::Info,
            Class::Unknown => Severity::Unknown,
        }
    }
    /// The bands of each edition: 2.0 has no "critical" (NVD's severity ratings; 3.x section 5; 4.0 section 6).
    fn of(edition: Edition, score: Score) -> Class {
        match (score.tenths, edition) {
            (0, _) => Class::None,
            (1..40, _) => Class::Low,
            (40..70, _) => Class::Medium,
            (70..90, _) | (_, Edition::V2) => Class::High,
            _ => Class::Critical,
        }
    }
    /// A database's own word, in any case. Words that say "not rated yet" give none.
    pub fn of_database_word(word: &str) -> Option<Class> {
        Some(match word.to_ascii_lowercase().as_str() {
            "critical" => Class::Critical,
            "high" | "important" => Class::High,
            "medium" | "moderate" => Class::Medium,
            "low" | "minor" | "negligible" | "unimportant" => Class::Low,
            "none" | "informational" | "info" => Class::None,
            _ => return None,
        })
    }
}

/// What is known about how bad it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    pub class: Class,
    pub score: Option<Score>,
    /// The vector that gave the score.
    pub vector: Option<String>,
}

impl Rating {
    pub const UNKNOWN: Rating = Rating { class: Class::Unknown, score: None, vector: None };

    /// The worst score among the vectors; 2.0 counts only where there is no newer one. Unreadable vectors say nothing.
    pub fn of<'a>(vectors: impl Iterator<Item = &'a str>, words: impl Iterator<Item = &'a str>) -> Rating {
        let best = vectors
            .filter_map(|vector| cvss::score(vector).ok().map(|(edition, score)| (edition != Edition::V2, score, edition, vector)))
            .max_by_key(|(newer, score, edition, _)| (*newer, *score, *edition));
        if let Some((_, score, edition, vector)) = best {
            return Rating { class: Class::of(edition, score), score: Some(score), vector: Some(vector.to_owned()) };
        }
        let class = words.filter_map(Class::of_database_word).min().unwrap_or(Class::Unknown);
        Rating { class, score: None, vector: None }
    }
    /// The worse of two; a known rating says more than none.
    #[must_use]
    pub fn worse(self, other: Rating) -> Rating {
        if (other.class, std::cmp::Reverse(other.score)) < (self.class, std::cmp::Reverse(self.score)) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_before_words_before_unknown() {
        let rate = |vectors: &[&str], words: &[&str]| {
            let rating = Rating::of(vectors.iter().copied(), words.iter().copied());
            (rating.class, rating.score.map(|score| score.to_string()))
        };
        let critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(rate(&[critical], &["LOW"]), (Class::Critical, some("9.8")));
        assert_eq!(rate(&["AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N"], &[]), (Class::Low, some("3.1")));
        assert_eq!(rate(&["AV:N/AC:L/Au:N/C:C/I:C/A:C"], &[]), (Class::High, some("10.0")));
        assert_eq!(rate(&["CVSS:3.1/nonsense"], &["MODERATE"]), (Class::Medium, None));
        assert_eq!(rate(&[], &["not yet assigned"]), (Class::Unknown, None));
        assert_eq!(rate(&[], &[]), (Class::Unknown, None));
        assert_eq!(rate(&["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"], &[]), (Class::None, some("0.0")));
    }

    #[test]
    fn a_known_rating_says_more_than_none() {
        let low = Rating { class: Class::Low, score: None, vector: None };
        assert_eq!(Rating::UNKNOWN.worse(low.clone()), low);
        assert_eq!(low.clone().worse(Rating::UNKNOWN), low);
    }
}

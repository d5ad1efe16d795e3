//! A baseline: secrets that are known, each with a reason, a person and an expiry. Without one of them it is refused.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A baseline has at most so many bytes.
pub const BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub fingerprint: String,
    /// Where it was, for readers; the fingerprint decides.
    pub path: String,
    pub reason: String,
    pub by: String,
    /// A day (it holds until that day has ended, UTC) or an RFC 3339 time.
    pub expires: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    #[error("the file has more than {BYTES_MAX} bytes")]
    Size,
    #[error("{0}")]
    Shape(String),
    #[error("{fingerprint}: `{field}` is empty")]
    Empty { fingerprint: String, field: &'static str },
    #[error("{fingerprint}: `expires` is {text:?}, expected a day such as 2026-12-31 or an RFC 3339 time")]
    Expires { fingerprint: String, text: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    secrets: Vec<Known>,
}

/// Known secrets by fingerprint, with the second in which each ends.
#[derive(Debug, Default)]
pub struct Baseline {
    known: HashMap<String, (Known, i64)>,
}

impl Baseline {
    /// Reads `secrets:`, a list of [`Known`] (YAML or JSON).
    pub fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        if bytes.len() > BYTES_MAX {
            return Err(BaselineError::Size);
        }
        let text = std::str::from_utf8(bytes).map_err(|why| BaselineError::Shape(why.to_string()))?;
        let file: File = serde_saphyr::from_str(text).map_err(|why| BaselineError::Shape(why.to_string()))?;
        let mut known = HashMap::new();
        for entry in file.secrets {
            let fingerprint = || entry.fingerprint.clone();
            let members = [("fingerprint", &entry.fingerprint), ("path", &entry.path), ("reason", &entry.reason), ("by", &entry.by)];
            if let Some((field, _)) = members.into_iter().find(|(_, text)| text.trim().is_empty()) {
                return Err(BaselineError::Empty { fingerprint: fingerprint(), field });
            }
            let ends = crate::advisories::day_or_time_ends(&entry.expires)
                .ok_or_else(|| BaselineError::Expires { fingerprint: fingerprint(), text: entry.expires.clone() })?;
            known.insert(entry.fingerprint.clone(), (entry, ends));
        }
        Ok(Self { known })
    }
    /// The entry about a fingerprint, and whether it still holds at `now` (seconds since 1970).
    pub fn about(&self, fingerprint: &str, now: i64) -> Option<(&Known, bool)> {
        self.known.get(fingerprint).map(|(known, ends)| (known, now < *ends))
    }
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }
}

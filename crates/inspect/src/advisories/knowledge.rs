//! What is known by a whole database and by what arrived after it; and what that says of stored components.
//!
//! A delivery is one OSV record (JSON) or a zip of them. A later record takes the place of the earlier one of the same id, also
//! when it withdraws it. A whole database takes the place of everything.

use super::archive;
use super::index::{self, Index, IndexError, Part};
use super::judge::{Weakness, weaknesses};
use super::osv::{self, Advisory, Affected};
use super::package::{self, Subject};
use crate::sbom::component::Component;
use std::collections::{HashMap, HashSet};

/// Why a delivery is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    #[error("neither a JSON object nor a zip archive")]
    Neither,
    #[error("{0}")]
    Archive(String),
    #[error("{name}: {why}")]
    Record { name: String, why: String },
    #[error("there is no record in it")]
    Empty,
}

/// Hands out every record of a delivery, in the archive's order; how many there are.
pub fn records(bytes: &[u8], mut each: impl FnMut(Advisory)) -> Result<u32, DeliveryError> {
    let mut count = 0_u32;
    let mut take = |name: &str, bytes: &[u8]| {
        let advisory = osv::read(bytes).map_err(|why| DeliveryError::Record { name: name.to_owned(), why: why.to_string() })?;
        count = count.saturating_add(1);
        each(advisory);
        Ok(())
    };
    if bytes.trim_ascii_start().starts_with(b"{") {
        take("record", bytes)?;
    } else if bytes.starts_with(b"PK") {
        let refused = |why: archive::ArchiveError| DeliveryError::Archive(why.to_string());
        let mut inflate = flate2::Decompress::new(false);
        for entry in archive::entries(bytes).map_err(refused)? {
            if entry.name.ends_with(".json") {
                take(&entry.name, &archive::unpack(bytes, &entry, &mut inflate).map_err(refused)?)?;
            }
        }
    } else {
        return Err(DeliveryError::Neither);
    }
    if count == 0 { Err(DeliveryError::Empty) } else { Ok(count) }
}

/// See the module.
#[derive(Default)]
pub struct Knowledge {
    /// The index of the last whole database; empty where there was none.
    base: Vec<u8>,
    later: HashMap<String, Vec<(Advisory, Affected)>>,
    replaced: HashSet<String>,
}

impl Knowledge {
    /// Takes a whole database: what was known before is forgotten.
    pub fn whole(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        let mut part = Part::default();
        records(bytes, |advisory| part.put(advisory))?;
        *self = Self { base: index::build(&[part], [0; 32]), ..Self::default() };
        Ok(())
    }
    /// Takes what arrived later; the advisories it has.
    pub fn later(&mut self, bytes: &[u8]) -> Result<Vec<Advisory>, DeliveryError> {
        let mut arrived = Vec::new();
        records(bytes, |advisory| arrived.push(advisory))?;
        for advisory in &arrived {
            if !self.replaced.insert(advisory.id.clone()) {
                self.later.values_mut().for_each(|entries| entries.retain(|(own, _)| own.id != advisory.id));
            }
            for affected in advisory.affected.iter().filter(|affected| !advisory.withdrawn && !affected.name.is_empty()) {
                let key = package::key(package::split(&affected.ecosystem).0, &affected.name);
                let bare = Advisory { affected: Vec::new(), ..advisory.clone() };
                self.later.entry(key).or_default().push((bare, affected.clone()));
            }
        }
        Ok(arrived)
    }
    /// What is known of these components: place and weakness.
    pub fn judge(&self, components: &[Component]) -> Result<Vec<Weakness>, IndexError> {
        let base = if self.base.is_empty() { None } else { Some(Index::of_bytes(&self.base)?) };
        let mut found = Vec::new();
        for (place, component) in components.iter().enumerate() {
            let Some(subject) = Subject::of(component) else { continue };
            let key = subject.key();
            let mut entries = match &base {
                Some(base) => base.about(&key)?,
                None => Vec::new(),
            };
            entries.retain(|(advisory, _)| !self.replaced.contains(&advisory.id));
            entries.extend(self.later.get(&key).into_iter().flatten().cloned());
            found.extend(weaknesses(&subject, &entries).into_iter().map(|weakness| Weakness { component: Some(place), ..weakness }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbom::component::Ecosystem;

    fn record(id: &str, fixed: &str, withdrawn: bool) -> String {
        let withdrawn = if withdrawn { r#","withdrawn":"2024-02-01T00:00:00Z""# } else { "" };
        format!(
            r#"{{"id":"{id}","modified":"2024-01-01T00:00:00Z"{withdrawn},"affected":[{{"package":{{"ecosystem":"npm","name":"left-pad"}},
               "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
        )
    }

    #[test]
    fn later_records_take_the_place_of_earlier_ones() {
        let mut knowledge = Knowledge::default();
        let components = [Component::new(Ecosystem::Npm, "left-pad", Some("1.0.0"))];
        let ids = |knowledge: &Knowledge| {
            let found = knowledge.judge(&components).expect("an index");
            found.iter().map(|one| format!("{}<{}", one.ids[0], one.fixed.as_deref().unwrap_or("-"))).collect::<Vec<_>>()
        };
        assert!(ids(&knowledge).is_empty());
        knowledge.whole(record("GHSA-1", "1.1.0", false).as_bytes()).expect("a record");
        assert_eq!(ids(&knowledge), ["GHSA-1<1.1.0"]);
        knowledge.later(record("GHSA-2", "2.0.0", false).as_bytes()).expect("a record");
        assert_eq!(ids(&knowledge).len(), 2);
        knowledge.later(record("GHSA-1", "1.2.0", false).as_bytes()).expect("a record");
        assert!(ids(&knowledge).contains(&"GHSA-1<1.2.0".to_owned()), "{:?}", ids(&knowledge));
        knowledge.later(record("GHSA-2", "2.0.0", true).as_bytes()).expect("a record");
        assert_eq!(ids(&knowledge), ["GHSA-1<1.2.0"]);
        knowledge.whole(record("GHSA-3", "1.0.0", false).as_bytes()).expect("a record");
        assert!(ids(&knowledge).is_empty());
    }

    #[test]
    fn what_is_no_delivery() {
        for bytes in [b"".as_slice(), b"[]", b"{}", b"PK\x03\x04", b"<html>"] {
            assert!(records(bytes, |_| {}).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}

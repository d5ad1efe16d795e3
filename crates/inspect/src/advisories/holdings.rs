//! The other way round: many stored inventories, and a new advisory. Which of them does it concern?
//!
//! Holds every (package, version) once with the inventories that have it, so that an advisory costs a look-up for each of its
//! packages, however many inventories there are.

use super::judge::{Weakness, weaknesses};
use super::osv::{Advisory, Affected};
use super::package::{self, Subject};
use crate::sbom::component::Component;
use std::collections::{BTreeMap, HashMap};

/// An inventory's number; its name is the caller's.
pub type InventoryId = u32;

/// One version of a package with those who have it.
struct Held {
    release: Option<String>,
    version: Option<String>,
    /// (inventory, place of the component), in order of addition.
    by: Vec<(InventoryId, u32)>,
}

/// Inventories by package.
#[derive(Default)]
pub struct Holdings {
    packages: HashMap<String, Vec<Held>>,
}

/// What a new advisory does to an inventory: component's place and the weakness.
pub type Concern = (u32, Weakness);

impl Holdings {
    /// Adds an inventory. Each number is added once.
    pub fn add(&mut self, inventory: InventoryId, components: &[Component]) {
        for (place, component) in components.iter().enumerate() {
            let Some(subject) = Subject::of(component) else { continue };
            let Ok(place) = u32::try_from(place) else { return };
            let held = self.packages.entry(subject.key()).or_default();
            let same = held.iter_mut().find(|held| held.version == subject.version && held.release == subject.release);
            match same {
                Some(held) => held.by.push((inventory, place)),
                None => held.push(Held { release: subject.release, version: subject.version, by: vec![(inventory, place)] }),
            }
        }
    }
    pub fn remove(&mut self, inventory: InventoryId) {
        for held in self.packages.values_mut() {
            held.iter_mut().for_each(|held| held.by.retain(|(owner, _)| *owner != inventory));
            held.retain(|held| !held.by.is_empty());
        }
        self.packages.retain(|_, held| !held.is_empty());
    }

    /// What these advisories, new or changed, mean for the stored inventories. Answers (VEX, waivers) are the caller's to apply.
    pub fn rejudge(&self, advisories: &[Advisory]) -> BTreeMap<InventoryId, Vec<Concern>> {
        let mut entries: BTreeMap<String, Vec<(Advisory, Affected)>> = BTreeMap::new();
        for advisory in advisories.iter().filter(|advisory| !advisory.withdrawn) {
            for affected in advisory.affected.iter().filter(|affected| !affected.name.is_empty()) {
                let key = package::key(package::split(&affected.ecosystem).0, &affected.name);
                if self.packages.contains_key(&key) {
                    let bare = Advisory { affected: Vec::new(), ..advisory.clone() };
                    entries.entry(key).or_default().push((bare, affected.clone()));
                }
            }
        }
        let mut concerns: BTreeMap<InventoryId, Vec<Concern>> = BTreeMap::new();
        for (key, entries) in &entries {
            let (ecosystem, name) = key.split_once('\0').unwrap_or((key, ""));
            for held in self.packages.get(key).into_iter().flatten() {
                let subject = Subject {
                    ecosystem: ecosystem.to_owned(),
                    release: held.release.clone(),
                    name: name.to_owned(),
                    version: held.version.clone(),
                };
                for weakness in weaknesses(&subject, entries) {
                    for (inventory, place) in &held.by {
                        concerns.entry(*inventory).or_default().push((*place, weakness.clone()));
                    }
                }
            }
        }
        concerns
    }
}

#[cfg(test)]
mod tests {
    use super::super::osv;
    use super::*;
    use crate::sbom::component::Ecosystem;

    fn advisory(withdrawn: bool) -> Advisory {
        let withdrawn = if withdrawn { r#","withdrawn":"2024-01-01T00:00:00Z""# } else { "" };
        let text = format!(
            r#"{{"id":"GHSA-1","modified":"2024-01-01T00:00:00Z"{withdrawn},"affected":[{{"package":{{"ecosystem":"npm","name":"lodash"}},
               "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"4.17.21"}}]}}]}}]}}"#
        );
        osv::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_new_advisory_finds_who_has_the_package() {
        let lodash = |version: &str| Component::new(Ecosystem::Npm, "lodash", Some(version));
        let other = Component::new(Ecosystem::Npm, "minimist", Some("1.0.0"));
        let mut holdings = Holdings::default();
        holdings.add(1, &[other.clone(), lodash("4.17.20")]);
        holdings.add(2, &[lodash("4.17.21")]);
        holdings.add(3, &[lodash("4.17.20")]);
        let concerned = |holdings: &Holdings, advisory: Advisory| {
            holdings.rejudge(&[advisory]).into_iter().map(|(id, concerns)| (id, concerns[0].0)).collect::<Vec<_>>()
        };
        assert_eq!(concerned(&holdings, advisory(false)), [(1, 1), (3, 0)]);
        assert_eq!(concerned(&holdings, advisory(true)), []);
        holdings.remove(1);
        assert_eq!(concerned(&holdings, advisory(false)), [(3, 0)]);
    }
}

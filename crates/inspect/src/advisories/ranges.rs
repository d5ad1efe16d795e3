//! Whether a version lies in what an advisory names (OSV schema, "Evaluation"), by the package's own order.
//!
//! Events are looked through, not sorted: some orders are no total ones, and what an event does depends only on whether it
//! lies before the version and after the last introduction.

use super::osv::{Affected, Event, EventKind, Range, RangeKind};
use crate::versions::{Scheme, Unreadable, Version};

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Affected {
        /// The nearest later version without the weakness, where the record names one.
        fixed: Option<String>,
    },
    NotAffected,
    /// It could not be decided: say so, and do not pass.
    Undecided {
        why: String,
    },
}

/// Whether `version` of the affected package is.
pub fn version_affected(affected: &Affected, version: &str) -> Outcome {
    let ecosystem_order = Scheme::of_ecosystem(&affected.ecosystem);
    let listed = affected.versions.binary_search_by(|listed| listed.as_str().cmp(version)).is_ok()
        || affected.versions.iter().any(|listed| listed == version);
    let mut fixed = Vec::new();
    let mut inside = listed;
    let mut undecided = None;
    let ranges = affected.ranges.iter().filter(|range| range.kind != RangeKind::Git);
    let mut own_version: Option<(Scheme, Version)> = None;
    for range in ranges {
        let order = if range.kind == RangeKind::SemVer { ecosystem_order.or(Some(Scheme::SemVer)) } else { ecosystem_order };
        let Some(order) = order else {
            // Without an order the list of versions is all there is; without a list nothing can be said.
            if affected.versions.is_empty() {
                undecided = Some(format!("no version order is known for {}", affected.ecosystem));
            }
            continue;
        };
        let read = match &own_version {
            Some((scheme, read)) if *scheme == order => Ok(read.clone()),
            _ => order.read(version),
        };
        match read.and_then(|own| Ok((in_range(range, order, &own)?, own))) {
            Ok((is_in, own)) => {
                inside |= is_in;
                fixed.extend(fixes(range, order, &own));
                own_version = Some((order, own));
            }
            Err(why) => undecided = Some(why.to_string()),
        }
    }
    if !inside && let Some(order) = ecosystem_order {
        inside = listed_in_another_spelling(affected, order, version);
    }
    match (inside, undecided) {
        (true, _) => Outcome::Affected { fixed: nearest(fixed) },
        (false, Some(why)) => Outcome::Undecided { why },
        (false, None) => Outcome::NotAffected,
    }
}

/// `1.0` is listed where `1.0.0` is, if they are the same version.
fn listed_in_another_spelling(affected: &Affected, order: Scheme, version: &str) -> bool {
    if affected.versions.is_empty() {
        return false;
    }
    let Ok(own) = order.read(version) else { return false };
    affected.versions.iter().any(|listed| order.read(listed).is_ok_and(|listed| listed.cmp(&own).is_eq()))
}

/// An event with its version read; `None` stands for "0", which is before everything.
struct Placed {
    kind: EventKind,
    version: Option<Version>,
}

fn place(range: &Range, order: Scheme) -> Result<Vec<Placed>, Unreadable> {
    let limitless = |event: &&Event| !(event.kind == EventKind::Limit && event.version == "*");
    range
        .events
        .iter()
        .filter(limitless)
        .map(|event| {
            let first = event.kind == EventKind::Introduced && event.version == "0";
            Ok(Placed { kind: event.kind, version: if first { None } else { Some(order.read(&event.version)?) } })
        })
        .collect()
}

fn in_range(range: &Range, order: Scheme, own: &Version) -> Result<bool, Unreadable> {
    let events = place(range, order)?;
    let reached = |event: &Placed| event.version.as_ref().is_none_or(|version| version <= own);
    // The last introduction that the version has reached; of equals the one that the record names last.
    let mut introduced: Option<usize> = None;
    for (at, event) in events.iter().enumerate() {
        let later = |best: usize| events.get(best).is_none_or(|best| best.version <= event.version);
        if event.kind == EventKind::Introduced && reached(event) && introduced.is_none_or(later) {
            introduced = Some(at);
        }
    }
    let Some((at, start)) = introduced.and_then(|at| Some((at, events.get(at)?))) else { return Ok(false) };
    let mut limits = events.iter().filter(|event| event.kind == EventKind::Limit).peekable();
    if limits.peek().is_some() && !limits.any(|limit| limit.version.as_ref().is_some_and(|limit| own < limit)) {
        return Ok(false);
    }
    let ended = events.iter().enumerate().any(|(place, event)| match event.kind {
        // Fixed and introduced at the same version: what the record says last holds.
        EventKind::Fixed => reached(event) && (event.version > start.version || (event.version == start.version && place > at)),
        EventKind::LastAffected => event.version >= start.version && event.version.as_ref().is_some_and(|last| last < own),
        EventKind::Introduced | EventKind::Limit => false,
    });
    Ok(!ended)
}

/// The fixed versions above `own`, with their texts.
fn fixes(range: &Range, order: Scheme, own: &Version) -> Vec<(Version, String)> {
    range
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Fixed)
        .filter_map(|event| Some((order.read(&event.version).ok()?, event.version.clone())))
        .filter(|(version, _)| version > own)
        .collect()
}

fn nearest(fixed: Vec<(Version, String)>) -> Option<String> {
    fixed.into_iter().reduce(|best, one| if one.0 < best.0 { one } else { best }).map(|(_, text)| text)
}

/// What a clone of a repository knows: whether the first commit is the second or one of its ancestors. `None` where it cannot
/// say, as in a shallow clone.
pub type Ancestry<'a> = &'a dyn Fn(&str, &str) -> Option<bool>;

/// Whether `commit` is affected, by the GIT ranges of one repository.
pub fn commit_affected(ranges: &[&Range], commit: &str, ancestry: Ancestry<'_>) -> Outcome {
    let mut undecided = false;
    let mut contains = |older: &str, newer: &str| {
        if older == "0" || older == newer {
            return true;
        }
        ancestry(older, newer).unwrap_or_else(|| {
            undecided = true;
            false
        })
    };
    let mut fixed = None;
    let mut affected = false;
    for range in ranges {
        let of = |kind: EventKind| range.events.iter().filter(move |event| event.kind == kind).map(|event| event.version.as_str());
        for start in of(EventKind::Introduced) {
            if !contains(start, commit) {
                continue;
            }
            // A fix before the introduction does not end it.
            let ended = of(EventKind::Fixed).any(|fix| contains(fix, commit) && (start == "0" || fix == start || !contains(fix, start)))
                || of(EventKind::LastAffected)
                    .any(|last| last != commit && contains(last, commit) && (start == "0" || contains(start, last)));
            let mut limits = of(EventKind::Limit).filter(|limit| *limit != "*").peekable();
            let outside = limits.peek().is_some() && !limits.any(|limit| limit != commit && contains(commit, limit));
            affected |= !ended && !outside;
        }
        fixed = fixed.or_else(|| of(EventKind::Fixed).next_back().map(str::to_owned));
    }
    match (affected, undecided) {
        (true, _) => Outcome::Affected { fixed },
        (false, true) => Outcome::Undecided { why: format!("the clone does not know all of the history before {commit}") },
        (false, false) => Outcome::NotAffected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::severity::Rating;
    use super::*;

    /// `i1.0 f2.0 l3.0 m4.0`: introduced, fixed, last affected, limit.
    fn affected(ecosystem: &str, ranges: &[&str], versions: &[&str]) -> Affected {
        let range = |text: &&str| Range {
            kind: if ecosystem == "npm" { RangeKind::SemVer } else { RangeKind::Ecosystem },
            repository: String::new(),
            events: text.split_whitespace().map(event).collect(),
        };
        Affected {
            ecosystem: ecosystem.to_owned(),
            name: "x".to_owned(),
            rating: Rating::UNKNOWN,
            ranges: ranges.iter().map(range).collect(),
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
            functions: Vec::new(),
        }
    }

    fn event(text: &str) -> Event {
        let (kind, version) = text.split_at(1);
        let kind = match kind {
            "i" => EventKind::Introduced,
            "f" => EventKind::Fixed,
            "l" => EventKind::LastAffected,
            _ => EventKind::Limit,
        };
        Event { kind, version: version.to_owned() }
    }

    fn check(ecosystem: &str, ranges: &[&str], versions: &[&str], yes: &[&str], no: &[&str]) {
        let affected = affected(ecosystem, ranges, versions);
        for version in yes {
            assert!(matches!(version_affected(&affected, version), Outcome::Affected { .. }), "{ecosystem} {ranges:?} {version}");
        }
        for version in no {
            assert_eq!(version_affected(&affected, version), Outcome::NotAffected, "{ecosystem} {ranges:?} {version}");
        }
    }

    #[test]
    fn events_of_the_schema() {
        check("npm", &["i0 f1.2.3"], &[], &["0.0.1", "1.2.2", "1.2.3-beta"], &["1.2.3", "2.0.0"]);
        check("npm", &["i1.0.0 l1.5.0"], &[], &["1.0.0", "1.5.0"], &["0.9.0", "1.5.1"]);
        check("npm", &["f1.1.0 i1.0.0 i2.0.0 f2.3.0"], &[], &["1.0.0", "2.2.9"], &["1.1.0", "1.9.0", "2.3.0"]);
        check("npm", &["i1.0.0"], &[], &["1.0.0", "99.0.0"], &["0.9.9"]);
        check("npm", &["i0 m2.0.0"], &[], &["1.9.9"], &["2.0.0", "3.0.0"]);
        check("npm", &["i0 m*"], &[], &["99.0.0"], &[]);
        check("npm", &["i0 f1.0.0 i1.0.0 f2.0.0"], &[], &["1.0.0", "1.5.0"], &["2.0.0"]);
        check("npm", &["i0 f1.0.0", "i3.0.0 f3.1.0"], &[], &["0.5.0", "3.0.5"], &["2.0.0", "3.1.0"]);
        check("npm", &[], &[], &[], &["1.0.0"]);
        check("PyPI", &["i0 f1.0"], &[], &["1.0rc1"], &["1.0.0", "1.0.post1"]);
        check("Debian:12", &["i0 f3.0.11-1~deb12u2"], &[], &["3.0.11-1~deb12u1"], &["3.0.11-1~deb12u2", "3.0.11-1"]);
    }

    #[test]
    fn lists_count_beside_ranges() {
        check("PyPI", &["i2.0 f2.1"], &["1.0", "1.1"], &["1.0", "1.0.0", "2.0.5"], &["1.2"]);
        check("NoSuch", &[], &["r17"], &["r17"], &["r18"]);
    }

    #[test]
    fn what_cannot_be_read_is_undecided() {
        let undecided = |ecosystem, ranges: &[&str], version| {
            matches!(version_affected(&affected(ecosystem, ranges, &[]), version), Outcome::Undecided { .. })
        };
        assert!(undecided("npm", &["i0 f1.0.0"], "workspace:*"));
        assert!(undecided("npm", &["i0 fsoon"], "1.0.0"));
        assert!(undecided("NoSuch", &["i0 f1.0.0"], "1.0.0"));
        assert!(!undecided("npm", &["i0 fsoon", "i0"], "1.0.0"));
    }

    #[test]
    fn the_nearest_fix_is_named() {
        let affected = affected("npm", &["i0 f1.2.0", "i1.0.0 f1.1.9", "i2.0.0 f2.5.0"], &[]);
        assert_eq!(version_affected(&affected, "1.1.0"), Outcome::Affected { fixed: Some("1.1.9".to_owned()) });
    }

    #[test]
    fn commits_by_ancestry() {
        // A line of commits, a to f.
        let line = |older: &str, newer: &str| Some(older <= newer);
        let range = |text: &str| Range { kind: RangeKind::Git, repository: String::new(), events: text.split(' ').map(event).collect() };
        let judge = |text: &str, commit: &str| commit_affected(&[&range(text)], commit, &line);
        let affected = |fixed: Option<&str>| Outcome::Affected { fixed: fixed.map(str::to_owned) };
        assert_eq!(judge("i0 fd", "c"), affected(Some("d")));
        assert_eq!(judge("i0 fd", "d"), Outcome::NotAffected);
        assert_eq!(judge("ib fd", "a"), Outcome::NotAffected);
        assert_eq!(judge("ib fd", "b"), affected(Some("d")));
        assert_eq!(judge("ib lc", "c"), affected(None));
        assert_eq!(judge("ib lc", "d"), Outcome::NotAffected);
        assert_eq!(judge("ia fb id fe", "c"), Outcome::NotAffected);
        assert_eq!(judge("ia fb id fe", "d"), affected(Some("e")));
        assert_eq!(judge("i0 md", "c"), affected(None));
        assert_eq!(judge("i0 md", "e"), Outcome::NotAffected);
        let shallow = |_: &str, _: &str| None;
        assert!(matches!(commit_affected(&[&range("ib fd")], "c", &shallow), Outcome::Undecided { .. }));
    }
}

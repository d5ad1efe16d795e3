//! Waivers: somebody bears a weakness for a reason until a day. Afterwards it counts again.

use crate::sbom::component::Component;
use crate::sbom::purl::Purl;
use serde::{Deserialize, Serialize};

/// A waivers file has at most so many bytes.
pub const BYTES_MAX: usize = 16 << 20;

/// One waiver as written: all members are needed, so that none is given in passing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Any of the weakness's names, such as `CVE-2021-23337`.
    pub id: String,
    /// A package URL (without version: all versions) or a package's name.
    pub package: String,
    pub reason: String,
    pub by: String,
    /// A day (it holds until that day has ended, UTC) or an RFC 3339 time.
    pub expires: String,
}

/// Why a waivers file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaiverError {
    #[error("the file has more than {BYTES_MAX} bytes")]
    Size,
    #[error("{0}")]
    Shape(String),
    #[error("the waiver of {id}: `{field}` is empty")]
    Empty { id: String, field: &'static str },
    #[error("the waiver of {id}: `expires` is {text:?}, expected a day such as 2026-12-31 or an RFC 3339 time")]
    Expires { id: String, text: String },
    #[error("the waiver of {id}: {package:?} is no package URL: {why}")]
    Package { id: String, package: String, why: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    waivers: Vec<Waiver>,
}

impl Waiver {
    /// The first second in which it no longer holds, since 1970.
    pub fn ends(&self) -> Option<i64> {
        day_or_time_ends(&self.expires)
    }
    pub fn is_for(&self, ids: &[String], component: &Component) -> bool {
        ids.iter().any(|id| id.eq_ignore_ascii_case(&self.id)) && self.names(component)
    }
    fn names(&self, component: &Component) -> bool {
        match self.package.parse::<Purl>() {
            Ok(purl) => component.purl.as_ref().is_some_and(|own| purl_covers(&purl, own)),
            Err(_) => component.name == self.package || component.label() == self.package,
        }
    }
}

/// The first second after a day (UTC) or a time has ended, since 1970; `None` for anything else.
pub fn day_or_time_ends(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_second());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    let end = day.tomorrow().ok()?.at(0, 0, 0, 0);
    jiff::tz::Offset::UTC.to_timestamp(end).ok().map(jiff::Timestamp::as_second)
}

/// Whether a purl that may leave out version and qualifiers names this one.
pub fn purl_covers(general: &Purl, own: &Purl) -> bool {
    general.kind == own.kind
        && general.namespace == own.namespace
        && general.name == own.name
        && general.version.as_ref().is_none_or(|version| own.version.as_ref() == Some(version))
        && general.qualifiers.iter().all(|(key, value)| own.qualifier(key) == Some(value))
}

/// Reads `waivers:`, a list of [`Waiver`].
pub fn read_waivers(bytes: &[u8]) -> Result<Vec<Waiver>, WaiverError> {
    if bytes.len() > BYTES_MAX {
        return Err(WaiverError::Size);
    }
    let text = std::str::from_utf8(bytes).map_err(|why| WaiverError::Shape(why.to_string()))?;
    let file: File = serde_saphyr::from_str(text).map_err(|why| WaiverError::Shape(why.to_string()))?;
    for waiver in &file.waivers {
        let id = || waiver.id.clone();
        let members = [("id", &waiver.id), ("package", &waiver.package), ("reason", &waiver.reason), ("by", &waiver.by)];
        if let Some((field, _)) = members.into_iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(WaiverError::Empty { id: id(), field });
        }
        if waiver.ends().is_none() {
            return Err(WaiverError::Expires { id: id(), text: waiver.expires.clone() });
        }
        if waiver.package.starts_with("pkg:")
            && let Err(why) = waiver.package.parse::<Purl>()
        {
            return Err(WaiverError::Package { id: id(), package: waiver.package.clone(), why: why.to_string() });
        }
    }
    Ok(file.waivers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbom::component::Ecosystem;

    fn file(member: &str) -> String {
        let mut lines = vec!["id: CVE-1", "package: pkg:npm/lodash", "reason: not reachable", "by: grace", "expires: 2026-12-31"];
        let name = member.split(':').next().unwrap_or_default();
        lines.retain(|line| !line.starts_with(name));
        lines.push(member);
        format!("waivers:\n  - {}\n", lines.join("\n    "))
    }

    #[test]
    fn all_members_are_needed() {
        assert_eq!(read_waivers(file("by: ada").as_bytes()).unwrap().len(), 1);
        for (member, wanted) in [
            ("by: ' '", "`by` is empty"),
            ("expires: soon", "`expires` is \"soon\""),
            ("package: 'pkg:'", "is no package URL"),
            ("reasons: x", "unknown field"),
        ] {
            let why = read_waivers(file(member).as_bytes()).unwrap_err().to_string();
            assert!(why.contains(wanted), "{member}: {why}");
        }
        assert!(read_waivers(b"\xff").is_err());
    }

    #[test]
    fn a_day_holds_until_it_has_ended() {
        let waiver = read_waivers(file("expires: 1970-01-01").as_bytes()).unwrap().remove(0);
        assert_eq!(waiver.ends(), Some(86_400));
        let waiver = read_waivers(file("expires: 1970-01-01T00:00:10Z").as_bytes()).unwrap().remove(0);
        assert_eq!(waiver.ends(), Some(10));
    }

    #[test]
    fn packages_by_purl_or_name() {
        let lodash = Component::new(Ecosystem::Npm, "lodash", Some("4.17.20"));
        let is_for = |package: &str| {
            let waiver = read_waivers(file(&format!("package: '{package}'")).as_bytes()).unwrap().remove(0);
            waiver.is_for(&["GHSA-1".to_owned(), "cve-1".to_owned()], &lodash)
        };
        for package in ["pkg:npm/lodash", "pkg:npm/lodash@4.17.20", "lodash", "lodash@4.17.20"] {
            assert!(is_for(package), "{package}");
        }
        for package in ["pkg:npm/lodash@4.17.21", "pkg:pypi/lodash", "underscore"] {
            assert!(!is_for(package), "{package}");
        }
    }
}

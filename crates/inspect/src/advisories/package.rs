//! By which name a package is looked up: OSV's ecosystem without its release, and the name as that ecosystem compares names.

use crate::sbom::component::{Component, Ecosystem, pypi_name};
use crate::sbom::purl::Purl;

/// What is asked about: one package of one ecosystem in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// OSV's word, such as `Debian`.
    pub ecosystem: String,
    /// The distribution's release, such as `12`; `None` asks about all.
    pub release: Option<String>,
    pub name: String,
    pub version: Option<String>,
}

impl Subject {
    /// What advisories call this component. Distributions publish by source package.
    pub fn of(component: &Component) -> Option<Subject> {
        let (ecosystem, mut name) = match component.purl.as_ref().and_then(foreign) {
            Some((ecosystem, name)) => (ecosystem, name),
            None => (component.ecosystem.osv().to_owned(), component.name.clone()),
        };
        let mut version = component.version.clone();
        if let Some((source, source_version)) = &component.source {
            name.clone_from(source);
            if !source_version.is_empty() {
                version = Some(source_version.clone());
            }
        }
        let release = component.release.clone().or_else(|| component.purl.as_ref().and_then(|purl| major_release(purl, &ecosystem)));
        (!ecosystem.is_empty()).then_some(Subject { ecosystem, release, name, version })
    }
    pub fn key(&self) -> String {
        key(&self.ecosystem, &self.name)
    }
}

/// The ecosystems of OSV that a purl names and [`Ecosystem`] has no variant for.
fn foreign(purl: &Purl) -> Option<(String, String)> {
    let with = |separator: &str| {
        if purl.namespace.is_empty() { purl.name.clone() } else { format!("{}{separator}{}", purl.namespace, purl.name) }
    };
    let ecosystem = match (purl.kind.as_str(), purl.namespace.as_str()) {
        ("hex", _) => "Hex",
        ("pub", _) => "Pub",
        ("cran", _) => "CRAN",
        ("hackage", _) => "Hackage",
        ("julia", _) => "Julia",
        ("bitnami", _) => "Bitnami",
        ("conan", _) => return Some(("ConanCenter".to_owned(), purl.name.clone())),
        ("swift", _) => "SwiftURL",
        ("githubactions", _) => "GitHub Actions",
        ("apk", "wolfi") => return Some(("Wolfi".to_owned(), purl.name.clone())),
        ("apk", "chainguard") => return Some(("Chainguard".to_owned(), purl.name.clone())),
        ("rpm", distribution) => {
            let ecosystem = match distribution {
                "redhat" => "Red Hat",
                "rocky" | "rockylinux" => "Rocky Linux",
                "almalinux" | "alma" => "AlmaLinux",
                "suse" | "sles" => "SUSE",
                "opensuse" => "openSUSE",
                "openeuler" => "openEuler",
                "mageia" => "Mageia",
                "photon" => "Photon OS",
                "azurelinux" => "Azure Linux",
                _ => return None,
            };
            return Some((ecosystem.to_owned(), purl.name.clone()));
        }
        _ => return None,
    };
    Some((ecosystem.to_owned(), with("/")))
}

/// `distro=rocky-9.3` is release `9`, where OSV names releases by their first number alone.
fn major_release(purl: &Purl, ecosystem: &str) -> Option<String> {
    if !["Rocky Linux", "AlmaLinux", "Azure Linux", "Mageia"].contains(&ecosystem) {
        return None;
    }
    let number = purl.qualifier("distro")?.rsplit('-').next()?.split('.').next()?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| number.to_owned())
}

/// `ecosystem`, a NUL, and the name in the form in which the ecosystem compares names.
pub fn key(ecosystem: &str, name: &str) -> String {
    let name = match ecosystem {
        "PyPI" => pypi_name(name),
        "NuGet" | "Packagist" | "GitHub Actions" | "SwiftURL" => name.to_lowercase(),
        _ => name.to_owned(),
    };
    format!("{ecosystem}\0{name}")
}

/// The key under which a repository's advisories with commits are found.
pub fn repository_key(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url).to_ascii_lowercase();
    let place = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
    let place = place.strip_prefix("git@").map_or(place.to_owned(), |place| place.replacen(':', "/", 1));
    format!("GIT\0{}", place.trim_start_matches("www."))
}

/// Splits OSV's `Debian:12` or `Ubuntu:Pro:22.04:LTS`: the ecosystem and its release.
pub fn split(ecosystem: &str) -> (&str, &str) {
    ecosystem.split_once(':').unwrap_or((ecosystem, ""))
}

/// Whether an advisory for `advised` (what follows the colon) concerns a component of `asked`.
///
/// An advisory without release is for all of them; so is a component whose release is not known: better to look twice.
/// Long-term support is the same release (`22.04:LTS`); paid extensions (`Pro:…`) are other packages.
pub fn release_fits(ecosystem: &str, advised: &str, asked: Option<&str>) -> bool {
    let Some(asked) = asked else { return true };
    if ecosystem == "Maven" || advised.is_empty() || advised == asked {
        return true;
    }
    advised.strip_suffix(":LTS").unwrap_or(advised) == asked.strip_suffix(":LTS").unwrap_or(asked)
}

/// Whether a distribution's component without known release was asked about.
pub fn release_is_open(subject: &Subject, advised: &str) -> bool {
    subject.release.is_none()
        && !advised.is_empty()
        && Ecosystem::from_osv(&subject.ecosystem).is_none_or(|(one, _)| one != Ecosystem::Maven)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_components() {
        let of = |purl: &str| {
            let purl: Purl = purl.parse().unwrap();
            let (ecosystem, name, release) = purl.package();
            let mut component = Component::new(ecosystem, name, purl.version.as_deref());
            component.release = release;
            component.purl = Some(purl);
            Subject::of(&component).map(|subject| (subject.ecosystem, subject.name, subject.release))
        };
        let some =
            |ecosystem: &str, name: &str, release: Option<&str>| Some((ecosystem.to_owned(), name.to_owned(), release.map(str::to_owned)));
        assert_eq!(of("pkg:npm/%40babel/core@7"), some("npm", "@babel/core", None));
        assert_eq!(of("pkg:hex/phoenix@1.0"), some("Hex", "phoenix", None));
        assert_eq!(of("pkg:rpm/rockylinux/bash@5"), some("Rocky Linux", "bash", None));
        assert_eq!(of("pkg:rpm/rocky/bash@5?distro=rocky-9.3"), some("Rocky Linux", "bash", Some("9")));
        assert_eq!(of("pkg:apk/wolfi/curl@8"), some("Wolfi", "curl", None));
        assert_eq!(of("pkg:deb/debian/curl@8?distro=debian-12.4"), some("Debian", "curl", Some("12")));
        assert_eq!(of("pkg:generic/thing@1"), None);
    }

    #[test]
    fn a_source_package_stands_for_its_binaries() {
        let mut component = Component::new(Ecosystem::Debian, "libssl3", Some("3.0.11-1"));
        component.source = Some(("openssl".to_owned(), "3.0.11-2".to_owned()));
        let subject = Subject::of(&component).unwrap();
        assert_eq!((subject.name.as_str(), subject.version.as_deref()), ("openssl", Some("3.0.11-2")));
    }

    #[test]
    fn repositories_have_one_name() {
        for url in ["https://github.com/A/b.git", "git@github.com:a/B", "http://www.github.com/a/b/"] {
            assert_eq!(repository_key(url), "GIT\0github.com/a/b", "{url}");
        }
    }

    #[test]
    fn releases() {
        assert!(release_fits("Debian", "12", Some("12")));
        assert!(!release_fits("Debian", "11", Some("12")));
        assert!(release_fits("Debian", "11", None));
        assert!(release_fits("Debian", "", Some("12")));
        assert!(release_fits("Ubuntu", "22.04:LTS", Some("22.04")));
        assert!(!release_fits("Ubuntu", "Pro:22.04:LTS", Some("22.04")));
    }
}

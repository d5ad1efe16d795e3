//! Which of two versions is the later one, by each ecosystem's own rules.
//!
//! Deliberately absent: ranges as people write them in manifests (`^1.2`). Advisories name bounds, and bounds need an
//! order alone. A text that a scheme cannot read is an error, never "older" or "newer": who asks must not pass on it.

mod alpine;
mod debian;
mod dotted;
mod maven;
mod nuget;
mod number;
mod packagist;
mod pep440;
mod rpm;
mod rubygems;
mod semver;

use std::cmp::Ordering;
use std::fmt;

/// Longer texts are no versions.
pub const BYTES_MAX: usize = 512;

/// A rule by which versions are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Semantic Versioning 2.0.0, section 11; missing parts count as 0.
    SemVer,
    /// Semantic versions with `v`, pseudo-versions, `+incompatible` and the tool chain's `go1.20rc1` (go.dev/ref/mod).
    Go,
    /// Semantic versions whose build metadata counts (Dart's pub).
    Pub,
    /// Python (PEP 440).
    Pep440,
    /// Maven's version order specification (`ComparableVersion`).
    Maven,
    /// `Gem::Version`.
    RubyGems,
    /// NuGet: four numbers, labels without regard to case.
    NuGet,
    /// Composer's normal form in PHP's `version_compare`.
    Packagist,
    /// dpkg (Debian policy 5.6.12).
    Debian,
    /// apk (Alpine), version 3's rules.
    Alpine,
    /// rpm: epoch, version, release.
    Rpm,
    /// Numbers between dots and hyphens, such as CRAN's and Hackage's.
    Dotted,
}

/// A text that a scheme cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no version of the order {scheme}")]
pub struct Unreadable {
    pub text: String,
    pub scheme: Scheme,
}

/// A version that was read. Comparing versions of two schemes has no meaning and gives the schemes' own order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Read);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    SemVer(semver::SemVer),
    Pub(semver::WithBuild),
    Pep440(pep440::Pep440),
    Maven(maven::Maven),
    RubyGems(rubygems::Gem),
    NuGet(nuget::NuGet),
    Packagist(packagist::Packagist),
    Debian(debian::Debian),
    Alpine(alpine::Alpine),
    Rpm(rpm::Rpm),
    Dotted(dotted::Dotted),
}

impl Scheme {
    /// The order of an ecosystem of the OSV schema; what follows a colon (`Debian:12`) is the release, not the order.
    pub fn of_ecosystem(ecosystem: &str) -> Option<Scheme> {
        let base = ecosystem.split(':').next().unwrap_or(ecosystem);
        Some(match base {
            "npm" | "crates.io" | "Hex" | "SwiftURL" | "GitHub Actions" | "Bitnami" | "Julia" | "VSCode" | "ConanCenter" => Scheme::SemVer,
            "Go" => Scheme::Go,
            "Pub" => Scheme::Pub,
            "PyPI" => Scheme::Pep440,
            "Maven" => Scheme::Maven,
            "RubyGems" => Scheme::RubyGems,
            "NuGet" => Scheme::NuGet,
            "Packagist" => Scheme::Packagist,
            "Debian" | "Ubuntu" | "Echo" | "opam" => Scheme::Debian,
            "Alpine" | "Wolfi" | "Chainguard" | "Alpaquita" | "BellSoft Hardened Containers" | "MinimOS" => Scheme::Alpine,
            "Red Hat" | "Rocky Linux" | "AlmaLinux" | "SUSE" | "openSUSE" | "openEuler" | "Mageia" | "Photon OS" | "Azure Linux" => {
                Scheme::Rpm
            }
            "CRAN" | "Bioconductor" | "Hackage" | "GHC" => Scheme::Dotted,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Scheme::SemVer => "semver",
            Scheme::Go => "go",
            Scheme::Pub => "pub",
            Scheme::Pep440 => "pep440",
            Scheme::Maven => "maven",
            Scheme::RubyGems => "rubygems",
            Scheme::NuGet => "nuget",
            Scheme::Packagist => "packagist",
            Scheme::Debian => "debian",
            Scheme::Alpine => "alpine",
            Scheme::Rpm => "rpm",
            Scheme::Dotted => "dotted",
        }
    }

    pub fn read(self, text: &str) -> Result<Version, Unreadable> {
        let unreadable = || Unreadable { text: text.chars().take(80).collect(), scheme: self };
        if text.len() > BYTES_MAX {
            return Err(unreadable());
        }
        let read = match self {
            Scheme::SemVer => semver::read(text).map(Read::SemVer),
            Scheme::Go => semver::read_go(text).map(Read::SemVer),
            Scheme::Pub => semver::read(text).map(|version| Read::Pub(semver::WithBuild(version))),
            Scheme::Pep440 => pep440::read(text).map(Read::Pep440),
            Scheme::Maven => maven::read(text).map(Read::Maven),
            Scheme::RubyGems => rubygems::read(text).map(Read::RubyGems),
            Scheme::NuGet => nuget::read(text).map(Read::NuGet),
            Scheme::Packagist => packagist::read(text).map(Read::Packagist),
            Scheme::Debian => debian::read(text).map(Read::Debian),
            Scheme::Alpine => alpine::read(text).map(Read::Alpine),
            Scheme::Rpm => rpm::read(text).map(Read::Rpm),
            Scheme::Dotted => dotted::read(text).map(Read::Dotted),
        };
        read.map(Version).ok_or_else(unreadable)
    }

    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, Unreadable> {
        Ok(self.read(a)?.cmp(&self.read(b)?))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;

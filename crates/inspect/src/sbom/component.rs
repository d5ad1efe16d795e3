//! A component: one package in one version, as a lock file, an image or an SBOM names it.
//!
//! This is what readers produce and what matching, licences and the writer take. Not here: how any format is read, version
//! order, or what is wrong with a component.

use super::purl::Purl;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose names and versions they are. The words are those of OSV's schema, so that an advisory's `ecosystem` compares equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ecosystem {
    #[serde(rename = "crates.io")]
    Cargo,
    #[serde(rename = "npm")]
    Npm,
    #[serde(rename = "PyPI")]
    PyPi,
    Go,
    Maven,
    #[serde(rename = "Packagist")]
    Composer,
    RubyGems,
    NuGet,
    Debian,
    Ubuntu,
    Alpine,
    /// Anything else an SBOM may name by another purl type, or without a purl.
    Other,
}

impl Ecosystem {
    /// All that can be matched by name.
    pub const ALL: [Ecosystem; 11] = [
        Ecosystem::Cargo,
        Ecosystem::Npm,
        Ecosystem::PyPi,
        Ecosystem::Go,
        Ecosystem::Maven,
        Ecosystem::Composer,
        Ecosystem::RubyGems,
        Ecosystem::NuGet,
        Ecosystem::Debian,
        Ecosystem::Ubuntu,
        Ecosystem::Alpine,
    ];

    /// The word of OSV's schema, without a release suffix.
    pub fn osv(self) -> &'static str {
        match self {
            Ecosystem::Cargo => "crates.io",
            Ecosystem::Npm => "npm",
            Ecosystem::PyPi => "PyPI",
            Ecosystem::Go => "Go",
            Ecosystem::Maven => "Maven",
            Ecosystem::Composer => "Packagist",
            Ecosystem::RubyGems => "RubyGems",
            Ecosystem::NuGet => "NuGet",
            Ecosystem::Debian => "Debian",
            Ecosystem::Ubuntu => "Ubuntu",
            Ecosystem::Alpine => "Alpine",
            Ecosystem::Other => "",
        }
    }

    /// Reads OSV's word; `Debian:12` gives Debian and `12`.
    pub fn from_osv(word: &str) -> Option<(Self, Option<&str>)> {
        let (name, release) = word.split_once(':').map_or((word, None), |(name, release)| (name, Some(release)));
        Self::ALL.into_iter().find(|one| one.osv() == name).map(|one| (one, release))
    }

    /// The purl type, where the ecosystem has one.
    pub fn purl_type(self) -> &'static str {
        match self {
            Ecosystem::Cargo => "cargo",
            Ecosystem::Npm => "npm",
            Ecosystem::PyPi => "pypi",
            Ecosystem::Go => "golang",
            Ecosystem::Maven => "maven",
            Ecosystem::Composer => "composer",
            Ecosystem::RubyGems => "gem",
            Ecosystem::NuGet => "nuget",
            Ecosystem::Debian | Ecosystem::Ubuntu => "deb",
            Ecosystem::Alpine => "apk",
            Ecosystem::Other => "generic",
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.osv())
    }
}

/// Whether the product needs it to run: the words of CycloneDX's `scope`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    #[default]
    Required,
    /// Works without it.
    Optional,
    /// Only for development, build or test: not shipped.
    Excluded,
}

impl Scope {
    pub fn word(self) -> &'static str {
        match self {
            Scope::Required => "required",
            Scope::Optional => "optional",
            Scope::Excluded => "excluded",
        }
    }
}

/// Hash functions, by the names of CycloneDX's `hash-alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
}

impl Algorithm {
    pub const ALL: [Algorithm; 5] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    pub fn word(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha384 => "SHA-384",
            Algorithm::Sha512 => "SHA-512",
        }
    }
    /// Length of a value, in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha384 => 48,
            Algorithm::Sha512 => 64,
        }
    }
    /// Reads `sha256`, `SHA-256`, `sha-256`.
    pub fn from_word(word: &str) -> Option<Self> {
        let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
        Self::ALL.into_iter().find(|one| plain(one.word()) == plain(word))
    }
}

/// A hash of the package's published archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash {
    pub algorithm: Algorithm,
    /// Lower-case hexadecimal, of the algorithm's length.
    pub hex: String,
}

impl Hash {
    /// Takes hexadecimal text of the right length; None otherwise.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Option<Self> {
        let right = text.len() == 2 * algorithm.bytes() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        right.then(|| Self { algorithm, hex: text.to_ascii_lowercase() })
    }
}

/// A licence as it was declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Licence {
    /// An SPDX licence expression, possibly a single identifier; not yet judged.
    Expression(String),
    /// Words that are no SPDX expression, such as `The Apache Software License, Version 2.0`.
    Name(String),
}

/// One package in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Unique within its inventory; the `bom-ref`. The canonical purl where that is unique.
    pub reference: String,
    /// The full name as its ecosystem and OSV write it: `@scope/name`, `group:artifact`, `github.com/BurntSushi/toml`,
    /// `vendor/package`. PyPI names are normalised (PEP 503).
    pub name: String,
    /// As written, Go with its `v`, Debian with epoch and revision. None where the file does not fix it.
    pub version: Option<String>,
    pub ecosystem: Ecosystem,
    /// Release of a distribution as OSV writes it after the colon: `12`, `v3.20`, `24.04`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Distributions publish advisories by source package: its name and version, where they differ from the binary's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purl: Option<Purl>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licences: Vec<Licence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Hash>,
    #[serde(default)]
    pub scope: Scope,
    /// References of what it needs directly; empty also where the file has no graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
    /// Where it was named: path as given, and line from 1 where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl Component {
    /// A component with its purl made from ecosystem, name and version; the reference is that purl.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>, version: Option<&str>) -> Self {
        let mut name = name.into();
        if ecosystem == Ecosystem::PyPi {
            name = pypi_name(&name);
        }
        let purl = Purl::of(ecosystem, &name, version);
        Self {
            reference: purl.to_string(),
            name,
            version: version.map(str::to_owned),
            ecosystem,
            release: None,
            source: None,
            purl: Some(purl),
            licences: Vec::new(),
            hashes: Vec::new(),
            scope: Scope::Required,
            dependencies: Vec::new(),
            file: None,
            line: None,
        }
    }
    /// Whether it is a package of the product itself, that is in no registry.
    pub fn is_own(&self) -> bool {
        self.reference.starts_with("own:")
    }
    /// `name@version`, for messages.
    pub fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// PEP 503: lower case, runs of `-`, `_`, `.` become one `-`.
pub fn pypi_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.extend(character.to_lowercase());
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normal_and_purls_canonical() {
        let made = |ecosystem, name: &str, version: &str| Component::new(ecosystem, name, Some(version)).reference;
        assert_eq!(made(Ecosystem::PyPi, "Zope.Interface__x", "5.0"), "pkg:pypi/zope-interface-x@5.0");
        assert_eq!(made(Ecosystem::Npm, "@babel/core", "7.1.0"), "pkg:npm/%40babel/core@7.1.0");
        assert_eq!(made(Ecosystem::Maven, "org.slf4j:slf4j-api", "2.0.1"), "pkg:maven/org.slf4j/slf4j-api@2.0.1");
        assert_eq!(made(Ecosystem::Go, "github.com/BurntSushi/toml", "v1.2.0"), "pkg:golang/github.com/BurntSushi/toml@v1.2.0");
        assert_eq!(made(Ecosystem::Composer, "symfony/yaml", "v6.0.0"), "pkg:composer/symfony/yaml@v6.0.0");
    }

    #[test]
    fn osv_words_go_both_ways() {
        for one in Ecosystem::ALL {
            assert_eq!(Ecosystem::from_osv(one.osv()), Some((one, None)));
        }
        assert_eq!(Ecosystem::from_osv("Alpine:v3.18"), Some((Ecosystem::Alpine, Some("v3.18"))));
        assert_eq!(Ecosystem::from_osv("Hackage"), None);
    }

    #[test]
    fn a_hash_has_its_length() {
        assert!(Hash::from_hex(Algorithm::Md5, "D41D8CD98F00B204E9800998ECF8427E").is_some_and(|hash| hash.hex.starts_with("d41d")));
        assert_eq!(Hash::from_hex(Algorithm::Sha1, "d41d8cd98f00b204e9800998ecf8427e"), None);
        assert_eq!(Algorithm::from_word("sha512"), Some(Algorithm::Sha512));
    }
}

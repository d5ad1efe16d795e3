//! Package URLs (purl, ECMA-427): `pkg:type/namespace/name@version?qualifiers#subpath`.
//!
//! Parsed strictly, written canonically. One departure from the type rules: names of Go modules and npm packages keep their
//! case, because their registries tell them apart by it (`github.com/BurntSushi/toml`), and advisories use it.

use super::component::Ecosystem;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// Longer texts are no purls.
const BYTES_MAX: usize = 8192;

/// A package URL; every part is decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// Lower case.
    pub kind: String,
    /// Segments joined by `/`; empty if there are none.
    pub namespace: String,
    pub name: String,
    pub version: Option<String>,
    /// Sorted by key; keys in lower case, values never empty.
    pub qualifiers: Vec<(String, String)>,
    /// Segments joined by `/`; empty if there are none.
    pub subpath: String,
}

/// Why a text is no purl.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurlError {
    #[error("a purl begins with \"pkg:\"")]
    Scheme,
    #[error("a purl has at most {BYTES_MAX} bytes")]
    Size,
    #[error("the type {0:?} is not letters, digits, '.' and '-' with a letter first")]
    Type(String),
    #[error("there is no name")]
    Name,
    #[error("{0:?} is not percent-encoded UTF-8")]
    Encoding(String),
    #[error("the qualifier {0:?} is not key=value with a key of letters, digits, '.', '-', '_'")]
    Qualifier(String),
    #[error("the qualifier {0:?} is named twice")]
    Twice(String),
    #[error("a purl of type {kind} needs {what}")]
    Needs { kind: String, what: &'static str },
}

impl Purl {
    /// The purl of a package by its ecosystem's own name.
    pub fn of(ecosystem: Ecosystem, name: &str, version: Option<&str>) -> Self {
        let (namespace, name) = match ecosystem {
            Ecosystem::Npm | Ecosystem::Go | Ecosystem::Composer => name.rsplit_once('/').unwrap_or(("", name)),
            Ecosystem::Maven => name.split_once(':').unwrap_or(("", name)),
            Ecosystem::Debian => ("debian", name),
            Ecosystem::Ubuntu => ("ubuntu", name),
            Ecosystem::Alpine => ("alpine", name),
            _ => ("", name),
        };
        let mut purl = Self {
            kind: ecosystem.purl_type().to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: version.filter(|version| !version.is_empty()).map(str::to_owned),
            qualifiers: Vec::new(),
            subpath: String::new(),
        };
        purl.fold_case();
        purl
    }

    /// With one more qualifier; an empty value adds none.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.qualifiers.retain(|(own, _)| own != key);
        if !value.is_empty() {
            self.qualifiers.push((key.to_owned(), value.to_owned()));
            self.qualifiers.sort();
        }
        self
    }

    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// Whose package it is, with the full name as that ecosystem writes it, and the distribution's release.
    pub fn package(&self) -> (Ecosystem, String, Option<String>) {
        let joined = |with: &str| {
            if self.namespace.is_empty() { self.name.clone() } else { format!("{}{with}{}", self.namespace, self.name) }
        };
        match self.kind.as_str() {
            "cargo" => (Ecosystem::Cargo, self.name.clone(), None),
            "npm" => (Ecosystem::Npm, joined("/"), None),
            "pypi" => (Ecosystem::PyPi, super::component::pypi_name(&self.name), None),
            "golang" => (Ecosystem::Go, joined("/"), None),
            "maven" => (Ecosystem::Maven, joined(":"), None),
            "composer" => (Ecosystem::Composer, joined("/"), None),
            "gem" => (Ecosystem::RubyGems, self.name.clone(), None),
            "nuget" => (Ecosystem::NuGet, self.name.clone(), None),
            "deb" if self.namespace == "ubuntu" => (Ecosystem::Ubuntu, self.name.clone(), self.release("ubuntu-", "")),
            "deb" => (Ecosystem::Debian, self.name.clone(), self.release("debian-", "")),
            "apk" => (Ecosystem::Alpine, self.name.clone(), self.release("alpine-", "v")),
            _ => (Ecosystem::Other, joined("/"), None),
        }
    }

    /// `distro=alpine-3.20.1` is release `v3.20`; Debian's are whole numbers, Ubuntu's have two parts.
    fn release(&self, prefix: &str, before: &str) -> Option<String> {
        let distro = self.qualifier("distro")?;
        let number = distro.strip_prefix(prefix).unwrap_or(distro).trim_start_matches('v');
        let parts = if prefix == "debian-" { 1 } else { 2 };
        let kept: Vec<&str> = number.split('.').take(parts).collect();
        let digits = kept.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        digits.then(|| format!("{before}{}", kept.join(".")))
    }

    /// Types whose names do not depend on case, by their definitions.
    fn fold_case(&mut self) {
        let name = matches!(
            self.kind.as_str(),
            "pypi" | "github" | "gitlab" | "bitbucket" | "composer" | "deb" | "apk" | "alpm" | "hex" | "oci" | "pub" | "luarocks"
        );
        let namespace = name || matches!(self.kind.as_str(), "rpm");
        if name {
            self.name = self.name.to_lowercase();
        }
        if namespace {
            self.namespace = self.namespace.to_lowercase();
        }
        if self.kind == "pypi" {
            self.name = self.name.replace('_', "-");
        }
    }

    fn check(self) -> Result<Self, PurlError> {
        let needs = |what| Err(PurlError::Needs { kind: self.kind.clone(), what });
        match self.kind.as_str() {
            "swift" | "maven" | "composer" | "github" | "bitbucket" if self.namespace.is_empty() => needs("a namespace"),
            "swift" | "cran" if self.version.is_none() => needs("a version"),
            "cargo" | "gem" | "nuget" | "pypi" | "oci" | "cran" if !self.namespace.is_empty() => needs("no namespace"),
            "conan" if !self.namespace.is_empty() && self.qualifier("channel").is_none() => needs("a channel beside its namespace"),
            "conan" if self.namespace.is_empty() && self.qualifier("channel").is_some() => needs("a namespace beside its channel"),
            _ => Ok(self),
        }
    }
}

impl FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Self, PurlError> {
        if text.len() > BYTES_MAX {
            return Err(PurlError::Size);
        }
        let (scheme, rest) = text.split_once(':').ok_or(PurlError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err(PurlError::Scheme);
        }
        let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.trim_matches('/').split_once('/').ok_or(PurlError::Name)?;
        let letter_first = kind.starts_with(|first: char| first.is_ascii_alphabetic());
        if !letter_first || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
            return Err(PurlError::Type(kind.to_owned()));
        }
        // The version's `@` is the last one, and belongs to the last segment: npm scopes are found written plainly.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !path.ends_with('/') => (path, Some(decode(version)?)),
            _ => (rest, None),
        };
        let mut segments: Vec<String> = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            segments.push(decode(segment)?);
        }
        let name = segments.pop().ok_or(PurlError::Name)?;
        let mut purl = Self {
            kind: kind.to_ascii_lowercase(),
            namespace: segments.join("/"),
            name,
            version: version.filter(|version| !version.is_empty()),
            qualifiers: read_qualifiers(qualifiers)?,
            subpath: read_subpath(subpath)?,
        };
        purl.fold_case();
        purl.check()
    }
}

fn read_qualifiers(text: &str) -> Result<Vec<(String, String)>, PurlError> {
    let mut read: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| PurlError::Qualifier(pair.to_owned()))?;
        let right = key.starts_with(|first: char| first.is_ascii_alphabetic())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !right {
            return Err(PurlError::Qualifier(pair.to_owned()));
        }
        let (key, value) = (key.to_ascii_lowercase(), decode(value)?);
        if !value.is_empty() {
            read.push((key, value));
        }
    }
    read.sort();
    match read.windows(2).find(|two| two[0].0 == two[1].0) {
        Some(two) => Err(PurlError::Twice(two[0].0.clone())),
        None => Ok(read),
    }
}

fn read_subpath(text: &str) -> Result<String, PurlError> {
    let mut segments = Vec::new();
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        let segment = decode(segment)?;
        if segment != "." && segment != ".." {
            segments.push(segment);
        }
    }
    Ok(segments.join("/"))
}

fn decode(text: &str) -> Result<String, PurlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let wrong = || PurlError::Encoding(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
            bytes.push(u8::try_from(16 * high + low).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn encode(f: &mut impl fmt::Write, text: &str, keep: &[u8]) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') || keep.contains(&byte) {
            f.write_char(char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        if !self.namespace.is_empty() {
            encode(f, &self.namespace, b"/")?;
            f.write_char('/')?;
        }
        encode(f, &self.name, b"")?;
        if let Some(version) = &self.version {
            f.write_char('@')?;
            encode(f, version, b"")?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            write!(f, "{key}=")?;
            encode(f, value, b"")?;
        }
        if !self.subpath.is_empty() {
            f.write_char('#')?;
            encode(f, &self.subpath, b"/")?;
        }
        Ok(())
    }
}

impl Serialize for Purl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Purl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (written, canonical) in [
            ("pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie", "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie"),
            ("PKG:NPM/@babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:npm/%40babel/core", "pkg:npm/%40babel/core"),
            ("pkg:pypi/Django_Foo@1.0", "pkg:pypi/django-foo@1.0"),
            ("pkg://golang/google.golang.org/genproto@abc#/googleapis/../api/", "pkg:golang/google.golang.org/genproto@abc#googleapis/api"),
            ("pkg:docker/app@sha256%3A244f?repository_url=gcr.io&empty=", "pkg:docker/app@sha256:244f?repository_url=gcr.io"),
            ("pkg:deb/debian/g%2B%2B@4:10.2?Z=1&a=2", "pkg:deb/debian/g%2B%2B@4:10.2?a=2&z=1"),
            ("pkg:GitHub/Package-URL/Purl-Spec@24", "pkg:github/package-url/purl-spec@24"),
        ] {
            let purl: Purl = written.parse().expect(written);
            assert_eq!(purl.to_string(), canonical);
            assert_eq!(canonical.parse::<Purl>().expect("its own form"), purl);
        }
    }

    #[test]
    fn what_is_no_purl() {
        for text in [
            "",
            "npm/x@1",
            "pkg:npm",
            "pkg:npm/",
            "pkg:1x/y",
            "pkg:n&m/x",
            "pkg:npm/x%zz",
            "pkg:npm/x%ff",
            "pkg:npm/x?a",
            "pkg:npm/x?a=1&A=2",
            "pkg:maven/artifact@1",
            "pkg:cran/x",
            "pkg:cargo/a/b@1",
            "pkg:npm/x?a b=c",
        ] {
            assert!(text.parse::<Purl>().is_err(), "{text:?} was read as a purl");
        }
    }

    #[test]
    fn packages_of_distributions_know_their_release() {
        let package = |text: &str| text.parse::<Purl>().expect(text).package();
        assert_eq!(package("pkg:deb/debian/curl@1?distro=debian-12"), (Ecosystem::Debian, "curl".into(), Some("12".into())));
        assert_eq!(package("pkg:apk/alpine/musl@1?distro=alpine-3.20.1"), (Ecosystem::Alpine, "musl".into(), Some("v3.20".into())));
        assert_eq!(package("pkg:deb/ubuntu/curl@1?distro=ubuntu-24.04"), (Ecosystem::Ubuntu, "curl".into(), Some("24.04".into())));
        assert_eq!(package("pkg:deb/debian/curl@1?distro=jessie").2, None);
        assert_eq!(package("pkg:maven/g.h/a@1").1, "g.h:a");
    }
}

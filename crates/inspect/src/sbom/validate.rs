//! Is it a CycloneDX document, by its schema and by what the specification says beyond the schema?
//!
//! JSON only. Reads in place: memory grows with the references a document defines, not with the document.

use super::component::Algorithm;
use super::json::{Json, JsonError, Kind};
use super::purl::{Purl, PurlError};
use super::schema::{self, FINDINGS_MAX, VERSIONS, shorten};
use crate::finding::{self, Finding, Severity};
use crate::licenses::expression::Expression;
use std::borrow::Cow;
use std::collections::HashMap;

/// What was found in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Such as `1.6`; None where the document names none that is known.
    pub version: Option<&'static str>,
    /// Components of the product, at any depth; not the product itself, nor tools.
    pub components: usize,
    /// Worst first, at most 100 by the schema and 100 beyond it.
    pub findings: Vec<Finding>,
    /// All that were found, listed or not.
    pub total: usize,
}

impl Validation {
    /// A finding of rank high makes a document invalid; what is lower is a remark.
    pub fn valid(&self) -> bool {
        !self.findings.iter().any(|finding| finding.severity <= Severity::High)
    }
}

/// Validates a document; what is no JSON is an error.
pub fn validate(bytes: &[u8]) -> Result<Validation, JsonError> {
    let json = Json::read(bytes)?;
    let mut validation = Validation { version: None, components: 0, findings: Vec::new(), total: 0 };
    let root = json.root();
    let said = json.text_of(root, "specVersion");
    validation.version = VERSIONS.into_iter().find(|version| Some(*version) == said.as_deref());
    let Some(schema) = validation.version.and_then(schema::of) else {
        let message = match said {
            Some(said) => format!("specVersion {:?} is none of {}.", shorten(&said), VERSIONS.join(", ")),
            None => "There is no specVersion: this is no CycloneDX document.".to_owned(),
        };
        validation.findings.push(Finding::new("spec-version", Severity::High, message).inside("/specVersion"));
        validation.total = 1;
        return Ok(validation);
    };
    (validation.findings, validation.total) = schema::evaluate(schema, json);
    let mut meaning = Meaning::new(json);
    let range = |key: &str| json.member(root, key).map_or(0..0, |at| at..json.skip(at));
    (meaning.formulation, meaning.metadata) = (range("formulation"), range("metadata"));
    meaning.value(root, "", root);
    meaning.references();
    validation.components = meaning.components;
    validation.total += meaning.total;
    validation.findings.extend(meaning.findings);
    finding::sort(&mut validation.findings);
    Ok(validation)
}

/// One walk over the document for what a schema cannot say.
struct Meaning<'a> {
    json: Json<'a>,
    findings: Vec<Finding>,
    total: usize,
    components: usize,
    /// Every `bom-ref` with the place that defines it.
    defined: HashMap<Cow<'a, str>, usize>,
    /// References to be found among them: where, and to what.
    used: Vec<(usize, Cow<'a, str>)>,
    /// Where the formulation lies. Its references are remarks: the specification's own examples define them twice or nowhere.
    formulation: std::ops::Range<usize>,
    metadata: std::ops::Range<usize>,
}

impl<'a> Meaning<'a> {
    fn new(json: Json<'a>) -> Self {
        Self {
            json,
            findings: Vec::new(),
            total: 0,
            components: 0,
            defined: HashMap::new(),
            used: Vec::new(),
            formulation: 0..0,
            metadata: 0..0,
        }
    }
    fn reference_severity(&self, at: usize) -> Severity {
        if self.formulation.contains(&at) { Severity::Medium } else { Severity::High }
    }
    fn say(&mut self, at: usize, rule: &str, severity: Severity, message: String) {
        self.total += 1;
        if self.findings.len() < FINDINGS_MAX {
            let mut finding = Finding::new(rule, severity, message).inside(self.json.pointer(at));
            finding.line = Some(self.json.line(at));
            self.findings.push(finding);
        }
    }
    /// `key` is the member (or the member whose list) this value stands in, `owner` the object around it.
    fn value(&mut self, at: usize, key: &str, owner: usize) -> usize {
        let json = self.json;
        match json.kind(at) {
            Kind::Object => {
                if key == "components" && !self.metadata.contains(&at) && !self.formulation.contains(&at) {
                    self.components += 1;
                }
                if matches!(key, "hashes" | "hash") {
                    self.hash(at);
                }
                json.object(at, |own, value| {
                    if json.kind(value) == Kind::Text {
                        self.text(value, &own, key);
                        json.skip(value)
                    } else {
                        // A list of bom-refs is told apart by the object it belongs to.
                        self.value(value, &own, at)
                    }
                })
            }
            Kind::Array => {
                let refers = self.list_refers(key, owner);
                json.array(at, |_, element| {
                    if json.kind(element) == Kind::Text {
                        if refers {
                            self.refer(element);
                        }
                        return json.skip(element);
                    }
                    self.value(element, key, owner)
                })
            }
            _ => json.skip(at),
        }
    }
    /// Whether the texts of this list are references.
    fn list_refers(&self, key: &str, owner: usize) -> bool {
        match key {
            "dependsOn" | "provides" => true,
            "assemblies" | "vulnerabilities" | "dependencies" => self.json.member(owner, "aggregate").is_some(),
            _ => false,
        }
    }
    fn refer(&mut self, at: usize) {
        let reference = self.json.text(at);
        // A BOM-Link points into another document.
        if !reference.starts_with("urn:cdx:") {
            self.used.push((at, reference));
        }
    }
    fn text(&mut self, at: usize, key: &str, around: &str) {
        match (key, around) {
            ("bom-ref", _) => {
                let reference = self.json.text(at);
                match self.defined.entry(reference) {
                    std::collections::hash_map::Entry::Vacant(place) => _ = place.insert(at),
                    std::collections::hash_map::Entry::Occupied(place) => {
                        let (name, line) = (shorten(place.key()).into_owned(), self.json.line(*place.get()));
                        self.say(
                            at,
                            "ref-twice",
                            self.reference_severity(at),
                            format!("The bom-ref {name:?} is defined at line {line} already."),
                        );
                    }
                }
            }
            ("ref", "dependencies" | "affects") => self.refer(at),
            ("purl", _) => {
                let text = self.json.text(at);
                if let Err(why) = text.parse::<Purl>() {
                    let severity = if matches!(why, PurlError::Needs { .. }) { Severity::Low } else { Severity::High };
                    self.say(at, "purl-unreadable", severity, format!("{:?} is no package URL: {why}.", shorten(&text)));
                }
            }
            ("expression", "licenses") => {
                let text = self.json.text(at);
                match Expression::parse(&text) {
                    Err(why) => self.say(
                        at,
                        "licence-expression",
                        Severity::High,
                        format!("{:?} is no SPDX licence expression: {why}.", shorten(&text)),
                    ),
                    Ok(expression) => {
                        if let Some(term) = expression.terms().into_iter().find(|term| term.unknown) {
                            let message = format!("The SPDX licence list has no {:?}.", term.to_string());
                            self.say(at, "licence-not-listed", Severity::Medium, message);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    /// The content's length is that of the algorithm.
    fn hash(&mut self, at: usize) {
        let (Some(algorithm), Some(content)) = (self.json.text_of(at, "alg"), self.json.text_of(at, "content")) else { return };
        let bits = match algorithm.as_ref() {
            "SHA3-256" | "BLAKE2b-256" | "Streebog-256" => Some(256),
            "SHA3-384" | "BLAKE2b-384" => Some(384),
            "SHA3-512" | "BLAKE2b-512" | "Streebog-512" => Some(512),
            other => Algorithm::from_word(other).filter(|known| known.word() == other).map(|known| 8 * known.bytes()),
        };
        if let Some(bits) = bits.filter(|bits| content.len() * 4 != *bits) {
            let message = format!("{algorithm} has {} hexadecimal digits, this has {}.", bits / 4, content.len());
            self.say(at, "hash-length", Severity::High, message);
        }
    }
    fn references(&mut self) {
        let used = std::mem::take(&mut self.used);
        for (at, reference) in used {
            if !self.defined.contains_key(&reference) {
                self.say(
                    at,
                    "ref-unknown",
                    self.reference_severity(at),
                    format!("Nothing here has the bom-ref {:?}.", shorten(&reference)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<String> {
        let text = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6",{body}}}"#);
        let validation = validate(text.as_bytes()).expect("JSON");
        validation.findings.into_iter().map(|finding| format!("{} {}", finding.severity, finding.rule)).collect()
    }

    #[test]
    fn what_a_schema_cannot_say() {
        let part = |more: &str| found(&format!(r#""components":[{{"type":"library","name":"a","bom-ref":"a"{more}}}]"#));
        assert_eq!(part(""), Vec::<String>::new());
        assert_eq!(part(r#"},{"type":"library","name":"b","bom-ref":"a""#), ["high ref-twice"]);
        assert_eq!(part(r#","purl":"pkg:npm""#), ["high purl-unreadable"]);
        assert_eq!(part(r#","purl":"pkg:cran/x""#), ["low purl-unreadable"]);
        assert_eq!(part(r#","licenses":[{"expression":"MIT OR"}]"#), ["high licence-expression"]);
        assert_eq!(part(r#","licenses":[{"expression":"MIT OR Foo-9"}]"#), ["medium licence-not-listed"]);
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(part(&format!(r#","hashes":[{{"alg":"MD5","content":"{md5}"}}]"#)), Vec::<String>::new());
        assert_eq!(part(&format!(r#","hashes":[{{"alg":"SHA-1","content":"{md5}"}}]"#)), ["high hash-length"]);
    }

    #[test]
    fn references_are_found() {
        let graph = |on: &str| {
            found(&format!(
                r#""components":[{{"type":"library","name":"a","bom-ref":"a","components":[{{"type":"file","name":"b","bom-ref":"b"}}]}}],
                "dependencies":[{{"ref":"a","dependsOn":["b"]}},{{"ref":"b","dependsOn":["{on}"]}}]"#
            ))
        };
        assert_eq!(graph("a"), Vec::<String>::new(), "cycles are allowed");
        assert_eq!(graph("c"), ["high ref-unknown"]);
        assert_eq!(graph("urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#x"), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_version_is_invalid() {
        for text in ["{}", "[]", "1", r#"{"specVersion":"9"}"#, r#"{"specVersion":1.6}"#] {
            let validation = validate(text.as_bytes()).expect("JSON");
            assert!(!validation.valid() && validation.version.is_none(), "{text}");
        }
        assert!(validate(b"<bom/>").is_err());
    }
}

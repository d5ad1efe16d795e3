//! in-toto Statement v1 (github.com/in-toto/attestation, `spec/v1`) and SLSA provenance v1 (slsa.dev/spec/v1.0).
//!
//! A statement here is only *read*; that it may be believed is what [`crate::trust::Verified`] says. Members the
//! specification does not define are ignored, as it demands. Subjects must have a SHA-256, because that is the only
//! name under which anything is approved or deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical::{self, CanonicalError};
use crate::digest::Digest;
use crate::json::{self, JsonError};

/// `_type` of a Statement v1.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";

/// `_type` of a Statement v0.1, which cosign and npm still write.
pub const STATEMENT_V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// `predicateType` of SLSA provenance v1.
pub const SLSA_PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";

/// Statements beyond this many bytes are not read.
pub const STATEMENT_BYTES_MAX: usize = 8 << 20;

/// Statements with more subjects are not read.
pub const SUBJECTS_MAX: usize = 4096;

/// in-toto's ResourceDescriptor; as a subject it must carry a `sha256`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescriptor {
    /// A name that means something to the producer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is or what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Algorithm to lowercase hexadecimal digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// The content itself, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Where it can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_location: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Map<String, Value>>,
}

impl ResourceDescriptor {
    /// A descriptor with a name and a SHA-256.
    pub fn named(name: &str, digest: &Digest) -> ResourceDescriptor {
        ResourceDescriptor {
            name: Some(name.to_owned()),
            digest: BTreeMap::from([("sha256".to_owned(), digest.hex())]),
            ..ResourceDescriptor::default()
        }
    }

    /// Its SHA-256, if it has a well-formed one.
    pub fn sha256(&self) -> Option<Digest> {
        Digest::from_hex(self.digest.get("sha256")?).ok()
    }
}

/// A statement: these subjects have this property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// [`STATEMENT_V1`]; [`STATEMENT_V0_1`] only through [`Statement::parse_any_version`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What is spoken about; at least one, no two alike, each with a SHA-256.
    pub subject: Vec<ResourceDescriptor>,
    /// What kind of thing is said.
    pub predicate_type: String,
    /// What is said.
    #[serde(default)]
    pub predicate: Value,
}

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not strict JSON of the statement's shape.
    #[error("the payload is no strict JSON of an in-toto statement")]
    Json(#[source] JsonError),
    /// Another `_type`.
    #[error("the statement's _type is {0:?}, expected {STATEMENT_V1:?}")]
    Type(String),
    /// `predicateType` is empty.
    #[error("the statement has no predicateType")]
    NoPredicateType,
    /// No subject.
    #[error("the statement has no subject")]
    NoSubject,
    /// More than [`SUBJECTS_MAX`].
    #[error("the statement has more than {SUBJECTS_MAX} subjects")]
    TooManySubjects,
    /// A subject (counted from 0) has no well-formed `sha256`.
    #[error("subject {0} has no sha256 of 64 lowercase hexadecimal digits")]
    NoSha256(usize),
    /// Two subjects have the same name or the same SHA-256.
    #[error("subject {0} repeats the name or the sha256 of an earlier one")]
    DuplicateSubject(usize),
    /// The predicate is no provenance of the expected shape.
    #[error("the predicate is not of the shape of {0}: {1}")]
    Predicate(&'static str, String),
}

impl Statement {
    /// Makes a statement and checks it as [`Statement::parse`] would.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn new(subject: Vec<ResourceDescriptor>, predicate_type: &str, predicate: Value) -> Result<Statement, StatementError> {
        let statement =
            Statement { statement_type: STATEMENT_V1.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate };
        statement.check()?;
        Ok(statement)
    }

    /// Reads a statement of at most [`STATEMENT_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Statement, StatementError> {
        let statement: Statement = json::read(bytes, STATEMENT_BYTES_MAX).map_err(StatementError::Json)?;
        statement.check()?;
        Ok(statement)
    }

    /// Reads a statement of version 1 or 0.1, whose members are the same. For looking at what others signed; evidence that
    /// Holdpoint receives is version 1 ([`Statement::parse`]).
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse_any_version(bytes: &[u8]) -> Result<Statement, StatementError> {
        let statement: Statement = json::read(bytes, STATEMENT_BYTES_MAX).map_err(StatementError::Json)?;
        statement.check_members(&[STATEMENT_V1, STATEMENT_V0_1])?;
        Ok(statement)
    }

    fn check(&self) -> Result<(), StatementError> {
        self.check_members(&[STATEMENT_V1])
    }

    fn check_members(&self, types: &[&str]) -> Result<(), StatementError> {
        if !types.contains(&self.statement_type.as_str()) {
            return Err(StatementError::Type(self.statement_type.clone()));
        }
        if self.predicate_type.is_empty() {
            return Err(StatementError::NoPredicateType);
        }
        if self.subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        if self.subject.len() > SUBJECTS_MAX {
            return Err(StatementError::TooManySubjects);
        }
        let mut names = BTreeSet::new();
        let mut digests = BTreeSet::new();
        for (i, subject) in self.subject.iter().enumerate() {
            let digest = subject.sha256().ok_or(StatementError::NoSha256(i))?;
            let new_name = subject.name.as_ref().is_none_or(|name| names.insert(name));
            if !digests.insert(digest) || !new_name {
                return Err(StatementError::DuplicateSubject(i));
            }
        }
        Ok(())
    }

    /// Canonical bytes, as they are signed by Holdpoint.
    ///
    /// # Errors
    /// [`CanonicalError`] when the predicate holds numbers without a canonical form.
    pub fn to_vec(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }

    /// The subject with this digest.
    pub fn subject_with(&self, digest: &Digest) -> Option<&ResourceDescriptor> {
        self.subject.iter().find(|s| s.sha256().as_ref() == Some(digest))
    }

    /// The predicate as SLSA provenance v1.
    ///
    /// # Errors
    /// [`StatementError::Predicate`] for another predicate type or shape.
    pub fn provenance(&self) -> Result<Provenance, StatementError> {
        if self.predicate_type != SLSA_PROVENANCE_V1 {
            let found = format!("predicateType is {:?}", self.predicate_type);
            return Err(StatementError::Predicate(SLSA_PROVENANCE_V1, found));
        }
        serde_json::from_value(self.predicate.clone()).map_err(|e| StatementError::Predicate(SLSA_PROVENANCE_V1, e.to_string()))
    }
}

/// SLSA provenance v1: how the subjects were built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The inputs.
    pub build_definition: BuildDefinition,
    /// This run of the build.
    pub run_details: RunDetails,
}

/// The inputs of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// URI that says how to read the parameters.
    pub build_type: String,
    /// What whoever started the build chose.
    pub external_parameters: Value,
    /// What the builder chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_parameters: Option<Value>,
    /// What was fetched, by digest (commits as `gitCommit`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// One run of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who built.
    pub builder: Builder,
    /// When and under which id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BuildMetadata>,
    /// Other outputs, such as logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ResourceDescriptor>,
}

/// The builder's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Builder {
    /// URI of the transitive closure of what must be trusted.
    pub id: String,
    /// Component to version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
    /// What the builder itself is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builder_dependencies: Vec<ResourceDescriptor>,
}

/// Times are the builder's own claims (RFC 3339) and decide nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildMetadata {
    /// The builder's id of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// Claimed start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<String>,
    /// Claimed end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_on: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(subjects: Value) -> Value {
        json!({"_type": STATEMENT_V1, "subject": subjects, "predicateType": "p", "predicate": {}})
    }

    fn parse(value: &Value) -> Result<Statement, StatementError> {
        Statement::parse(value.to_string().as_bytes())
    }

    #[test]
    fn subjects_are_unambiguous() {
        let (a, b) = (Digest::of(b"a").hex(), Digest::of(b"b").hex());
        let ok = statement(json!([{"name": "a", "digest": {"sha256": a, "sha512": "x"}}, {"name": "b", "digest": {"sha256": b}}]));
        let read = parse(&ok).unwrap();
        assert!(read.subject_with(&Digest::of(b"b")).is_some() && read.subject_with(&Digest::of(b"c")).is_none());
        assert_eq!(Statement::parse(&read.to_vec().unwrap()), Ok(read));

        for (subjects, error) in [
            (json!([]), StatementError::NoSubject),
            (json!([{"name": "a"}]), StatementError::NoSha256(0)),
            (json!([{"name": "a", "digest": {"sha512": a}}]), StatementError::NoSha256(0)),
            (json!([{"name": "a", "digest": {"sha256": a.to_uppercase()}}]), StatementError::NoSha256(0)),
            (json!([{"digest": {"sha256": a}}, {"digest": {"sha256": a}}]), StatementError::DuplicateSubject(1)),
            (json!([{"name": "a", "digest": {"sha256": a}}, {"name": "a", "digest": {"sha256": b}}]), StatementError::DuplicateSubject(1)),
        ] {
            assert_eq!(parse(&statement(subjects.clone())), Err(error), "{subjects}");
        }
        let mut old = ok.clone();
        old["_type"] = json!("https://in-toto.io/Statement/v0.1");
        assert!(matches!(parse(&old), Err(StatementError::Type(_))));
        let twice = ok.to_string().replacen("\"predicateType\"", "\"subject\":[],\"predicateType\"", 1);
        assert!(matches!(Statement::parse(twice.as_bytes()), Err(StatementError::Json(_))));
    }

    #[test]
    fn provenance_is_read_and_written() {
        let predicate = json!({
            "buildDefinition": {"buildType": "https://holdpoint.dev/build/v1", "externalParameters": {"ref": "refs/heads/main"},
                "resolvedDependencies": [{"uri": "git+https://example.com/shop", "digest": {"gitCommit": "abc"}}]},
            "runDetails": {"builder": {"id": "https://holdpoint.dev/worker"}, "metadata": {"invocationId": "run_1"}}
        });
        let subject = vec![ResourceDescriptor::named("shop", &Digest::of(b"shop"))];
        let statement = Statement::new(subject.clone(), SLSA_PROVENANCE_V1, predicate.clone()).unwrap();
        let provenance = statement.provenance().unwrap();
        assert_eq!(provenance.build_definition.resolved_dependencies[0].digest["gitCommit"], "abc");
        assert_eq!(serde_json::to_value(&provenance).unwrap(), predicate);
        assert!(Statement::new(subject.clone(), "other", predicate).unwrap().provenance().is_err());
        assert!(Statement::new(subject, SLSA_PROVENANCE_V1, json!({})).unwrap().provenance().is_err());
    }
}

//! Typed, prefixed identifiers. Made outside (randomness is not the domain's), checked here.

use serde::{Deserialize, Serialize};

/// Why a text is no identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an identifier that starts with {expected:?} and goes on with 1 to 64 of a-z, 0-9, '-', '.' or '_', found {found:?}")]
pub struct IdError {
    /// The prefix that this kind of identifier has.
    pub expected: &'static str,
    /// The text that was given, cut at 80 characters.
    pub found: String,
}

fn check(text: &str, prefix: &'static str) -> Result<(), IdError> {
    let rest = text.strip_prefix(prefix).unwrap_or("");
    let fits = (1..=64).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    if fits { Ok(()) } else { Err(IdError { expected: prefix, found: text.chars().take(80).collect() }) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The prefix that every identifier of this kind has.
            pub const PREFIX: &'static str = $prefix;
            /// The identifier as text, prefix included.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> { check(&text, $prefix)?; Ok(Self(text)) }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> { Self::try_from(text.to_owned()) }
        }
        impl From<$name> for String { fn from(id: $name) -> String { id.0 } }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
    };
}

id!(/** A person or service account. Names and addresses live outside the ledger. */ PersonId, "per_");
id!(/** A release: components at fixed digests, with a plan. */ ReleaseId, "rel_");
id!(/** One durable list of steps: a build, a deployment, its rollback. */ RunId, "run_");
id!(/** A declared freeze. */ FreezeId, "frz_");
id!(/** A piece of evidence as received. */ EvidenceId, "evd_");
id!(/** A weakness that somebody bears for a while. */ WaiverId, "wvr_");

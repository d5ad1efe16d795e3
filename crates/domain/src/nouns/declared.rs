//! People, environments and windows: declared in the organisation folder, one stream each.

use super::Fact;
use crate::kernel::{Kind, Noun, PersonId, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A person or service account as the ledger knows it: an id and roles. Handle, name and addresses live in a table of
/// the store's, outside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PersonSpec {
    pub id: PersonId,
    pub roles: BTreeSet<String>,
    #[serde(default)]
    pub service_account: bool,
    /// For a service account: the person who answers for it, and whose exclusions it inherits.
    #[serde(default)]
    pub owner: Option<PersonId>,
}

/// See [`PersonSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub spec: PersonSpec,
    pub retired: bool,
}

impl Person {
    /// Whether this account holds a role now.
    pub fn has(&self, role: &str) -> bool {
        !self.retired && self.spec.roles.contains(role)
    }
}

impl Noun for Person {
    const KIND: Kind = Kind::Person;
    fn key(&self) -> String {
        self.spec.id.to_string()
    }
    fn live(&self) -> bool {
        !self.retired
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::PersonDeclared(spec) => Some(Self { spec: spec.clone(), retired: false }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        match fact {
            Fact::PersonDeclared(spec) => *self = Self { spec: spec.clone(), retired: false },
            Fact::Retired {} => self.retired = true,
            _ => {}
        }
    }
}

/// How traffic reaches instances in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Traffic {
    /// Admin address of a `holdpoint proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// File that holds the proxy's admin token, read by the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// Runtime socket of an HAProxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub haproxy: Option<String>,
    /// For HAProxy: component -> backend name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub backends: BTreeMap<String, String>,
}

/// A place where services run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EnvironmentSpec {
    #[serde(rename = "environment")]
    pub name: String,
    #[serde(default)]
    pub production: bool,
    /// IANA zone in which windows without a zone of their own are read.
    #[serde(default = "utc")]
    pub zone: String,
    /// Position on the board, left to right.
    #[serde(default)]
    pub order: u32,
    /// Pool of workers that may act here.
    #[serde(default = "default_pool")]
    pub pool: String,
    /// Names of windows that bind here; none: any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

fn utc() -> String {
    "UTC".to_owned()
}
fn default_pool() -> String {
    "default".to_owned()
}

/// See [`EnvironmentSpec`]. Its row is the guard that leases share and freezes take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub spec: EnvironmentSpec,
    pub retired: bool,
}

impl Noun for Environment {
    const KIND: Kind = Kind::Environment;
    fn key(&self) -> String {
        self.spec.name.clone()
    }
    fn live(&self) -> bool {
        !self.retired
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::EnvironmentDeclared(spec) => Some(Self { spec: spec.clone(), retired: false }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        match fact {
            Fact::EnvironmentDeclared(spec) => *self = Self { spec: spec.clone(), retired: false },
            Fact::Retired {} => self.retired = true,
            _ => {}
        }
    }
}

/// A recurring span of time in which changes are allowed, or denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WindowSpec {
    #[serde(rename = "window")]
    pub name: String,
    /// `allow` or `deny`.
    pub kind: String,
    /// RFC 5545 recurrence rule.
    pub rule: String,
    /// First start, local time.
    pub start: String,
    pub duration: Span,
    /// IANA zone; none: the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// See [`WindowSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub spec: WindowSpec,
    pub retired: bool,
}

impl Noun for Window {
    const KIND: Kind = Kind::Window;
    fn key(&self) -> String {
        self.spec.name.clone()
    }
    fn live(&self) -> bool {
        !self.retired
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::WindowDeclared(spec) => Some(Self { spec: spec.clone(), retired: false }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        match fact {
            Fact::WindowDeclared(spec) => *self = Self { spec: spec.clone(), retired: false },
            Fact::Retired {} => self.retired = true,
            _ => {}
        }
    }
}

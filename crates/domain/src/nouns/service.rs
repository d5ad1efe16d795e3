//! A service: what users consume, made of components that are built and run.

use super::Fact;
use crate::kernel::{Kind, Noun, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How to ask an instance whether it is well, and which version it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Health {
    pub path: String,
    /// Member of the JSON answer that holds the version; when set, a 200 with another version is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default = "health_timeout")]
    pub timeout: Span,
}

fn health_timeout() -> Span {
    Span::from_s(30)
}

/// How a component is built from its repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// The one repository this component is built from; when set, a build from another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub command: Vec<String>,
    /// Component or file name -> path of the product, relative to the checkout.
    pub artifacts: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    #[serde(default = "build_timeout")]
    pub timeout: Span,
}

fn build_timeout() -> Span {
    Span::from_s(1800)
}

/// How a component brings its database to its own schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Migrate {
    pub command: Vec<String>,
    /// Exit 0: already applied; 1: not applied. Answers what an interrupted migration did.
    pub probe: Vec<String>,
    #[serde(default = "migrate_timeout")]
    pub timeout: Span,
}

fn migrate_timeout() -> Span {
    Span::from_s(600)
}

/// One deployable part of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Component {
    /// Argument vector; `${artifact}`, `${port}`, `${dir}`, `${version}`, `${env.NAME}`, `${config.KEY}` are replaced inside single values.
    pub run: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    pub health: Health,
    #[serde(default = "one")]
    pub instances: u32,
    /// How long in-flight requests may take to end before an instance is stopped.
    #[serde(default = "drain")]
    pub drain: Span,
    /// The artifact is a text file whose placeholders are replaced before use.
    #[serde(default)]
    pub render: bool,
    /// Components that must serve before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,
}

fn one() -> u32 {
    1
}
fn drain() -> Span {
    Span::from_s(5)
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceSpec {
    #[serde(rename = "service")]
    pub name: String,
    #[serde(default)]
    pub owner: String,
    /// 1 is the most important.
    #[serde(default = "tier")]
    pub tier: u8,
    pub pipeline: String,
    pub components: BTreeMap<String, Component>,
}

fn tier() -> u8 {
    3
}

/// See [`ServiceSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub spec: ServiceSpec,
    pub retired: bool,
}

impl Noun for Service {
    const KIND: Kind = Kind::Service;
    fn key(&self) -> String {
        self.spec.name.clone()
    }
    fn live(&self) -> bool {
        !self.retired
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::ServiceDeclared(spec) => Some(Self { spec: spec.clone(), retired: false }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        match fact {
            Fact::ServiceDeclared(spec) => *self = Self { spec: spec.clone(), retired: false },
            Fact::Retired {} => self.retired = true,
            _ => {}
        }
    }
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        (Some(self.spec.name.clone()), None, Some(self.spec.owner.clone()))
    }
}

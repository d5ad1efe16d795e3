//! Which licences a product may contain: a policy file, judged over an inventory.
//!
//! What is not known is a finding, never a pass. An exception holds until the end of its day (UTC) and then counts no more.

use super::expression::{Expression, Term};
use super::{declared, list};
use crate::finding::{self, Finding, Severity};
use crate::sbom::component::{Component, Licence, Scope};
use crate::sbom::purl::Purl;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Larger policies are not read.
pub const BYTES_MAX: usize = 4 << 20;

/// The file, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    /// What other words than SPDX's mean.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// Scopes that are not judged.
    #[serde(default)]
    ignore_scopes: Vec<Scope>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// A package URL (without version: every version), or a name.
    package: String,
    /// Only for this licence; otherwise whatever it is.
    licence: Option<String>,
    reason: String,
    /// Who bears it.
    by: String,
    /// The last day, such as 2026-12-31.
    expires: String,
}

/// A policy that was read and understood.
#[derive(Debug, Clone)]
pub struct Policy {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    names: BTreeMap<String, Expression>,
    ignored: Vec<Scope>,
    exceptions: Vec<(Exception, Option<Expression>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy has more than {BYTES_MAX} bytes")]
    Size,
    #[error("{0}")]
    Shape(String),
    #[error("{list}: {text:?} is no identifier of the SPDX licence list, no LicenseRef- and no such beginning with *")]
    Unknown { list: &'static str, text: String },
    #[error("neither `allow` nor `deny` names a licence: such a policy would pass everything")]
    Empty,
    #[error("the exception for {package}: `{field}` {why}")]
    Exception { package: String, field: &'static str, why: String },
    #[error("names: {name:?} means {text:?}, which is no licence expression")]
    Name { name: String, text: String },
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    One(Term),
    /// `GPL-*`
    Begins(String),
}

impl Pattern {
    fn read(list: &'static str, text: &str) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::Unknown { list, text: text.to_owned() };
        if let Some(begin) = text.strip_suffix('*') {
            let known = !begin.is_empty() && (begin.starts_with("LicenseRef-") || list::begins(begin));
            return if known { Ok(Pattern::Begins(begin.to_ascii_lowercase())) } else { Err(unknown()) };
        }
        match Expression::parse(text) {
            Ok(Expression::Licence(term)) if !term.unknown => Ok(Pattern::One(modern(&term))),
            _ => Err(unknown()),
        }
    }
    fn covers(&self, term: &Term) -> bool {
        match self {
            // An exception only adds permissions: who takes the licence takes it with one.
            Pattern::One(own) => own.id == term.id && (own.exception.is_none() || own.exception == term.exception),
            Pattern::Begins(begin) => term.id.to_ascii_lowercase().starts_with(begin),
        }
    }
    fn names_exception(&self, term: &Term) -> bool {
        matches!(self, Pattern::One(own) if own.exception.is_some() && own.exception == term.exception && own.id == term.id)
    }
}

/// The identifier SPDX prefers today: `GPL-2.0+` is `GPL-2.0-or-later`, `GPL-2.0-with-classpath-exception` is `… WITH …`.
pub fn modern(term: &Term) -> Term {
    let mut term = term.clone();
    let with = [
        ("-with-classpath-exception", "Classpath-exception-2.0"),
        ("-with-autoconf-exception", if term.id.starts_with("GPL-3") { "Autoconf-exception-3.0" } else { "Autoconf-exception-2.0" }),
        ("-with-bison-exception", "Bison-exception-2.2"),
        ("-with-font-exception", "Font-exception-2.0"),
        ("-with-GCC-exception", if term.id.starts_with("GPL-3") { "GCC-exception-3.1" } else { "GCC-exception-2.0" }),
    ];
    if let Some((id, exception)) = with.iter().find_map(|(tail, exception)| Some((term.id.strip_suffix(tail)?, *exception))) {
        (term.id, term.exception) = (id.to_owned(), Some(exception.to_owned()));
    }
    let gnu = ["AGPL-", "GFDL-", "GPL-", "LGPL-"].iter().any(|family| term.id.starts_with(family));
    if gnu && !term.id.ends_with("-only") && !term.id.ends_with("-or-later") && !term.id.contains("invariants") {
        let tail = if term.or_later { "-or-later" } else { "-only" };
        let id = format!("{}{tail}", term.id);
        if list::known(&id) {
            (term.id, term.or_later) = (id, false);
        }
    }
    term
}

impl Policy {
    /// Reads a YAML policy; unknown members, unknown licences and exceptions without reason, bearer or end are refused.
    pub fn read(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > BYTES_MAX {
            return Err(PolicyError::Size);
        }
        let text = std::str::from_utf8(bytes).map_err(|why| PolicyError::Shape(why.to_string()))?;
        let file: File = serde_saphyr::from_str(text).map_err(|why| PolicyError::Shape(why.to_string()))?;
        if file.allow.is_empty() && file.deny.is_empty() {
            return Err(PolicyError::Empty);
        }
        let read = |list: &'static str, all: &[String]| all.iter().map(|text| Pattern::read(list, text)).collect::<Result<Vec<_>, _>>();
        let mut names = BTreeMap::new();
        for (name, text) in &file.names {
            let wrong = || PolicyError::Name { name: name.clone(), text: text.clone() };
            let expression = Expression::parse(text).map_err(|_| wrong())?;
            if expression.terms().iter().any(|term| term.unknown) {
                return Err(wrong());
            }
            names.insert(name.to_lowercase(), expression);
        }
        let exceptions = file.exceptions.into_iter().map(checked).collect::<Result<_, _>>()?;
        Ok(Self { allow: read("allow", &file.allow)?, deny: read("deny", &file.deny)?, names, ignored: file.ignore_scopes, exceptions })
    }

    /// What a term is: None is fine, otherwise the rule it breaks.
    fn term(&self, term: &Term) -> Option<&'static str> {
        if term.unknown {
            return Some("licence-not-listed");
        }
        let term = modern(term);
        let allowed = self.allow.iter().any(|pattern| pattern.covers(&term));
        // `GPL-2.0-only WITH x` on the list of what is allowed says more than `GPL-2.0-only` on the other.
        let named = self.allow.iter().any(|pattern| pattern.names_exception(&term));
        if self.deny.iter().any(|pattern| pattern.covers(&term)) && !named {
            return Some("licence-denied");
        }
        // The product may be taken under the version it names, so `or later` never forbids that one.
        let only = term.id.strip_suffix("-or-later").map(|id| Term { id: format!("{id}-only"), ..term.clone() });
        let allowed = allowed || only.is_some_and(|only| self.allow.iter().any(|pattern| pattern.covers(&only)));
        (!self.allow.is_empty() && !allowed).then_some("licence-not-allowed")
    }

    /// The terms one is left with that are not fine: of a choice, the best.
    fn faults<'e>(&self, expression: &'e Expression) -> Vec<(&'e Term, &'static str)> {
        match expression {
            Expression::Licence(term) => self.term(term).map(|rule| (term, rule)).into_iter().collect(),
            Expression::And(parts) => parts.iter().flat_map(|part| self.faults(part)).collect(),
            Expression::Or(parts) => parts.iter().map(|part| self.faults(part)).min_by_key(Vec::len).unwrap_or_default(),
        }
    }
}

fn checked(exception: Exception) -> Result<(Exception, Option<Expression>), PolicyError> {
    let wrong = |field, why: String| PolicyError::Exception { package: exception.package.clone(), field, why };
    for (field, text) in [("package", &exception.package), ("reason", &exception.reason), ("by", &exception.by)] {
        if text.trim().is_empty() {
            return Err(wrong(field, "is empty".to_owned()));
        }
    }
    if exception.package.starts_with("pkg:")
        && let Err(why) = exception.package.parse::<Purl>()
    {
        return Err(wrong("package", format!("is no package URL: {why}")));
    }
    if !crate::sbom::is_date(&exception.expires) {
        return Err(wrong("expires", format!("is {:?}, expected a day such as 2026-12-31", exception.expires)));
    }
    let licence = exception.licence.as_deref().map(Expression::parse).transpose().map_err(|why| wrong("licence", why.to_string()))?;
    Ok((exception, licence))
}

impl Exception {
    fn is_for(&self, component: &Component) -> bool {
        let Ok(purl) = self.package.parse::<Purl>() else { return self.package == component.name || self.package == component.label() };
        component.purl.as_ref().is_some_and(|own| {
            (&purl.kind, &purl.namespace, &purl.name) == (&own.kind, &own.namespace, &own.name)
                && (purl.version.is_none() || purl.version == own.version)
        })
    }
}

/// What was found, and what was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Worst first; those of rank info do not count.
    pub findings: Vec<Finding>,
    /// Components that were judged.
    pub components: usize,
    /// Components of scopes that are not judged.
    pub ignored: usize,
    /// How often each licence was found; `unknown` where none was declared.
    pub licences: BTreeMap<String, usize>,
}

impl Judged {
    pub fn clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Info)
    }
}

/// Judges an inventory on a day such as `2026-11-25`.
pub fn judge<'c>(policy: &Policy, components: impl IntoIterator<Item = &'c Component>, today: &str) -> Judged {
    let mut judged = Judged { findings: Vec::new(), components: 0, ignored: 0, licences: BTreeMap::new() };
    let mut used = vec![false; policy.exceptions.len()];
    // What belongs to the product itself is not its dependency.
    for component in components.into_iter().filter(|component| !component.is_own()) {
        if policy.ignored.contains(&component.scope) {
            judged.ignored += 1;
            continue;
        }
        judged.components += 1;
        for mut finding in one(policy, component, &mut judged.licences) {
            let mut expired = None;
            let mut excepted = false;
            for (place, (exception, licence)) in policy.exceptions.iter().enumerate() {
                let covers = exception.is_for(component) && licence.as_ref().is_none_or(|licence| declared_as(&finding, licence));
                if covers && exception.expires.as_str() >= today {
                    excepted = true;
                    used.get_mut(place).into_iter().for_each(|used| *used = true);
                } else if covers {
                    expired = Some(exception);
                    used.get_mut(place).into_iter().for_each(|used| *used = true);
                }
            }
            if excepted {
                continue;
            }
            if let Some(exception) = expired {
                finding.message = format!("{} Its exception expired after {} ({}).", finding.message, exception.expires, exception.reason);
                finding = finding.with("exception_expired", exception.expires.clone());
            }
            judged.findings.push(finding);
        }
    }
    for ((exception, _), _) in policy.exceptions.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("The exception for {} excepts nothing.", exception.package);
        judged.findings.push(Finding::new("exception-unused", Severity::Info, message).inside(exception.package.clone()));
    }
    finding::sort(&mut judged.findings);
    judged
}

fn declared_as(finding: &Finding, licence: &Expression) -> bool {
    finding.more.get("licence").and_then(serde_json::Value::as_str).and_then(|text| Expression::parse(text).ok()).is_some_and(|found| {
        let own: Vec<Term> = found.terms().into_iter().map(modern).collect();
        licence.terms().into_iter().all(|term| own.contains(&modern(term)))
    })
}

fn one(policy: &Policy, component: &Component, counts: &mut BTreeMap<String, usize>) -> Vec<Finding> {
    let told = |rule: &str, severity, message: String, licence: &str| {
        let mut finding = Finding::new(rule, severity, message).inside(component.reference.clone()).with("licence", licence.to_owned());
        finding.file.clone_from(&component.file);
        finding.line = component.line;
        finding
    };
    let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
    let mut findings = Vec::new();
    if component.licences.is_empty() {
        count("unknown");
        let message = format!("{} declares no licence.", component.label());
        findings
            .push(told("licence-unknown", Severity::Medium, message, "").mended_by("name it under `exceptions`, with a reason and a day"));
    }
    for licence in &component.licences {
        let (Licence::Expression(text) | Licence::Name(text)) = licence;
        count(text);
        let expression = match licence {
            Licence::Expression(text) => Expression::parse(text).ok(),
            Licence::Name(text) => match declared(text) {
                Licence::Expression(text) => Expression::parse(&text).ok(),
                Licence::Name(_) => None,
            },
        };
        let Some(expression) = policy.names.get(&text.to_lowercase()).cloned().or(expression) else {
            let message = format!("{} declares {text:?}, which is no licence expression.", component.label());
            findings.push(told("licence-unreadable", Severity::Medium, message, text).mended_by("say under `names` what it means"));
            continue;
        };
        for (term, rule) in policy.faults(&expression) {
            let (severity, what) = match rule {
                "licence-denied" => (Severity::High, "is denied"),
                "licence-not-listed" => (Severity::Medium, "is not on the SPDX licence list"),
                _ => (Severity::High, "is not allowed"),
            };
            let message = format!("{} is under {expression}; {term} {what}.", component.label());
            findings.push(told(rule, severity, message, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbom::component::Ecosystem;

    fn rules(policy: &str, licence: &str, today: &str) -> Vec<String> {
        let policy = Policy::read(policy.as_bytes()).expect("a policy");
        let mut component = Component::new(Ecosystem::Npm, "left-pad", Some("1.0.0"));
        component.licences = if licence.is_empty() { Vec::new() } else { vec![declared(licence)] };
        judge(&policy, [&component], today).findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn lists_and_choices() {
        let policy = "allow: [MIT, Apache-2.0, LGPL-2.1-only, 'GPL-2.0-only WITH Classpath-exception-2.0']\ndeny: ['GPL-*', 'AGPL-*']\n";
        for (licence, expected) in [
            ("MIT", ""),
            ("mit", ""),
            ("MIT OR GPL-3.0-only", ""),
            ("MIT AND GPL-3.0-only", "licence-denied"),
            ("(GPL-3.0-only OR Zlib) AND MIT", "licence-denied"),
            ("Zlib", "licence-not-allowed"),
            ("GPL-2.0+", "licence-denied"),
            ("GPL-2.0 WITH Classpath-exception-2.0", ""),
            ("GPL-2.0-with-classpath-exception", ""),
            ("LGPL-2.1+", ""),
            ("Apache-2.0+", ""),
            ("Apache-2.0 WITH LLVM-exception", ""),
            ("The Apache License, Version 2.0", ""),
            ("Own licence", "licence-unreadable"),
            ("LicenseRef-own", "licence-not-allowed"),
            ("", "licence-unknown"),
        ] {
            assert_eq!(rules(policy, licence, "2026-01-01").join(" "), expected, "{licence}");
        }
        assert_eq!(rules("deny: [AGPL-3.0-only]", "Zlib", "2026-01-01"), Vec::<String>::new());
        assert_eq!(rules("deny: [AGPL-3.0-only]\nnames: {Own licence: MIT}", "own LICENCE", "2026-01-01"), Vec::<String>::new());
    }

    #[test]
    fn exceptions_end() {
        let policy = |more: &str| {
            format!(
                "allow: [MIT]\nexceptions:\n  - {{package: 'pkg:npm/left-pad', reason: asked counsel, by: grace, expires: 2026-06-30{more}}}\n"
            )
        };
        assert_eq!(rules(&policy(""), "Zlib", "2026-06-30"), Vec::<String>::new());
        assert_eq!(rules(&policy(""), "Zlib", "2026-07-01"), ["licence-not-allowed"]);
        assert_eq!(rules(&policy(", licence: Zlib"), "Zlib", "2026-06-30"), Vec::<String>::new());
        assert_eq!(rules(&policy(", licence: ISC"), "Zlib", "2026-06-30"), ["licence-not-allowed", "exception-unused"]);
        assert_eq!(rules(&policy(""), "MIT", "2026-06-30"), ["exception-unused"]);
        assert_eq!(rules(&policy("").replace("left-pad", "left-pad@2"), "Zlib", "2026-06-30"), ["licence-not-allowed", "exception-unused"]);
    }

    #[test]
    fn a_policy_that_is_wrong_is_refused() {
        for (text, why) in [
            ("allow: []", "pass everything"),
            ("allow: [Foo]", "\"Foo\" is no identifier"),
            ("allow: ['MIT OR Zlib']", "is no identifier"),
            ("deny: ['*']", "is no identifier"),
            ("deny: ['Foo*']", "is no identifier"),
            ("allow: [MIT]\nalow: [MIT]", "alow"),
            ("allow: [MIT]\nexceptions: [{package: a, reason: '', by: x, expires: 2026-01-01}]", "`reason` is empty"),
            ("allow: [MIT]\nexceptions: [{package: a, reason: b, by: x, expires: soon}]", "expected a day"),
            ("allow: [MIT]\nexceptions: [{package: 'pkg:x', reason: b, by: x, expires: 2026-01-01}]", "no package URL"),
            ("allow: [MIT]\nexceptions: [{package: a, reason: b, by: x}]", "expires"),
            ("allow: [MIT]\nnames: {x: 'y z'}", "no licence expression"),
        ] {
            let refused = Policy::read(text.as_bytes()).expect_err(text).to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn scopes_can_be_left_out() {
        let policy = Policy::read(b"allow: [MIT]\nignore_scopes: [excluded]").expect("a policy");
        let mut component = Component::new(Ecosystem::Npm, "a", Some("1"));
        component.scope = Scope::Excluded;
        let judged = judge(&policy, [&component], "2026-01-01");
        assert!(judged.clean() && judged.ignored == 1 && judged.components == 0);
    }
}

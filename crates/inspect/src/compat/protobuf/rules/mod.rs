//! Two trees, every rule, one list of findings.
//!
//! Things are paired by full name, fields by number. A finding stands where the revision has the thing, or what is around the place
//! where it was; `base_file` and `base_line` say where it was before.

mod defaults;
mod enums;
mod fields;
mod files;
mod kinds;
mod messages;
mod services;
mod table;

pub use table::{Level, RULES, RuleInfo};

use super::model::Tree;
use crate::finding::{self, Finding};

/// Where a thing is: index of the file, and line.
#[derive(Debug, Clone, Copy)]
struct At {
    file: usize,
    line: u32,
}

struct Comparison<'a> {
    base: &'a Tree,
    revision: &'a Tree,
    level: Level,
    findings: Vec<Finding>,
}

/// Everything that the revision breaks at a level, worst first.
pub fn compare(base: &Tree, revision: &Tree, level: Level) -> Vec<Finding> {
    let mut comparison = Comparison { base, revision, level, findings: Vec::new() };
    files::compare(&mut comparison);
    messages::compare(&mut comparison);
    fields::compare(&mut comparison);
    enums::compare(&mut comparison);
    services::compare(&mut comparison);
    let Comparison { mut findings, .. } = comparison;
    finding::sort(&mut findings);
    findings
}

impl Comparison<'_> {
    fn on(&self, rule: &RuleInfo) -> bool {
        rule.severity(self.level).is_some()
    }

    /// Says something about a thing of the revision, where the rule applies at this level.
    fn say(&mut self, rule: &RuleInfo, path: &str, now: At, before: Option<At>, message: String) -> Option<&mut Finding> {
        let severity = rule.severity(self.level)?;
        let mut found = Finding::new(rule.id, severity, message).at(self.revision.shown(now.file), Some(now.line)).inside(path);
        if let Some(before) = before {
            found = found.with("base_file", self.base.shown(before.file)).with("base_line", before.line);
        }
        self.findings.push(found);
        self.findings.last_mut()
    }

    /// Says that a thing of the base is gone. It stood in `around`, if the revision still has that.
    fn gone(&mut self, rule: &RuleInfo, path: &str, around: Option<At>, before: At, message: String) -> Option<&mut Finding> {
        if let Some(around) = around {
            return self.say(rule, path, around, Some(before), message);
        }
        let severity = rule.severity(self.level)?;
        let file = self.base.shown(before.file);
        let found = Finding::new(rule.id, severity, message)
            .at(file.clone(), Some(before.line))
            .inside(path)
            .with("base_file", file)
            .with("base_line", before.line);
        self.findings.push(found);
        self.findings.last_mut()
    }
}

/// Adds what would mend it.
fn mend(found: Option<&mut Finding>, fix: impl Into<String>) {
    if let Some(found) = found {
        found.fix = Some(fix.into());
    }
}

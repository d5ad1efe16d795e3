//! The walk over all statements of all files, in order.

use super::catalog::Catalog;
use super::locks::{self, Touch};
use super::rules::{self, Context};
use super::script::{Script, Unreadable, read};
use super::session::{Session, Timeouts};
use super::statement::{Action, Constraint, Statement, What, outside_only};
use super::tree::Name;
use crate::finding::{Finding, Severity, sort};
use serde::Serialize;
use std::collections::HashMap;

/// What the migration is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Major version, 13 to 18.
    pub postgres: u32,
    /// Whether whoever runs the files puts each into a transaction block.
    pub in_transaction: bool,
    /// Timeouts that whoever runs the files sets before each.
    pub assumed: Timeouts,
    /// Findings of this severity and worse make the verdict `dangerous`.
    pub fail_on: Severity,
}

/// Supported major versions.
pub const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

impl Options {
    pub fn new(postgres: u32) -> Self {
        Self { postgres, in_transaction: false, assumed: Timeouts::default(), fail_on: Severity::High }
    }
}

/// What one statement does to tables that others may use.
#[derive(Debug, Serialize)]
pub struct Effect {
    pub file: String,
    pub line: u32,
    /// Its first words.
    pub statement: String,
    /// Counts transactions over all files, from 1.
    pub transaction: u32,
    pub tables: Vec<Touch>,
}

/// A finding that the file accepts.
#[derive(Debug, Serialize)]
pub struct Waived {
    #[serde(flatten)]
    pub finding: Finding,
    pub reason: String,
}

#[derive(Debug)]
#[must_use]
pub struct Report {
    /// Sorted, worst first; without what is waived.
    pub findings: Vec<Finding>,
    pub waived: Vec<Waived>,
    pub effects: Vec<Effect>,
    pub statements: usize,
    pub dangerous: bool,
}

impl Report {
    pub fn verdict(&self) -> &'static str {
        if self.dangerous { "dangerous" } else { "safe" }
    }
}

/// Judges the files, in the order in which they run: each a transaction of its own, unless it says BEGIN itself or holds
/// what no transaction may hold.
///
/// # Errors
/// Every place that is no SQL for PostgreSQL.
pub fn check(files: &[(String, Vec<u8>)], options: &Options) -> Result<Report, Vec<Unreadable>> {
    let mut scripts: Vec<Script> = Vec::new();
    let mut unreadable = Vec::new();
    for (name, bytes) in files {
        match read(name, bytes) {
            Ok(script) => scripts.push(script),
            Err(places) => unreadable.extend(places),
        }
    }
    if !unreadable.is_empty() {
        return Err(unreadable);
    }
    Ok(judge(&scripts.iter().collect::<Vec<_>>(), options))
}

/// Judges what was read.
pub(super) fn judge(scripts: &[&Script], options: &Options) -> Report {
    let mut run = Run::new(options);
    let mut report = Report { findings: Vec::new(), waived: Vec::new(), effects: Vec::new(), statements: 0, dangerous: false };
    for (file, script) in scripts.iter().enumerate() {
        run.file(file, script);
        report.statements += script.statements.len();
    }
    run.keys_without_index(scripts);
    let mut found: Vec<Vec<(usize, Finding)>> = scripts.iter().map(|_| Vec::new()).collect();
    for (file, index, finding) in run.found {
        found[file].push((index, finding));
    }
    for (script, found) in scripts.iter().zip(found) {
        waive(script, found, &mut report);
    }
    report.effects = run.effects;
    report.dangerous = report.findings.iter().any(|finding| finding.severity <= options.fail_on);
    sort(&mut report.findings);
    report
}

struct Run<'a> {
    options: &'a Options,
    catalog: Catalog,
    session: Session,
    /// Findings, with the indexes of file and statement.
    found: Vec<(usize, usize, Finding)>,
    /// Foreign keys, with the same: whether an index serves one is known at the end.
    keys: Vec<(usize, usize, Name, Vec<Name>)>,
    effects: Vec<Effect>,
}

impl<'a> Run<'a> {
    fn new(options: &'a Options) -> Self {
        Self { options, catalog: Catalog::default(), session: Session::default(), found: Vec::new(), keys: Vec::new(), effects: Vec::new() }
    }

    fn file(&mut self, file: usize, script: &Script) {
        self.session.connect(self.options.assumed);
        let explicit = script.statements.iter().any(|statement| matches!(statement.what, What::Begin));
        let outside = script.statements.iter().any(|statement| outside_only(&statement.what).is_some());
        let wrapped = self.options.in_transaction || !(explicit || outside);
        if wrapped {
            self.session.begin(true);
        }
        // What a ROLLBACK takes back is known only if somebody kept it.
        let keeps = script.statements.iter().any(|statement| matches!(statement.what, What::Rollback));
        let mut before = keeps.then(|| self.catalog.clone());
        for (index, statement) in script.statements.iter().enumerate() {
            if !self.session.open {
                self.session.begin(false);
            }
            match statement.what {
                What::Begin => {
                    self.judge((file, index), script, statement, wrapped);
                    if !self.session.open {
                        self.session.begin(true);
                        self.session.begun = Some(statement.line);
                        before = keeps.then(|| self.catalog.clone());
                    }
                }
                What::Commit | What::Rollback => {
                    self.judge((file, index), script, statement, wrapped);
                    if let (What::Rollback, Some(kept)) = (&statement.what, &before) {
                        self.catalog = kept.clone();
                    }
                    self.session.begin(false);
                }
                _ => self.judge((file, index), script, statement, wrapped),
            }
        }
        if let Some(line) = self.session.begun {
            let last = script.statements.len().saturating_sub(1);
            self.found.push((file, last, rules::uncommitted(&script.name, line)));
        }
    }

    fn judge(&mut self, (file, index): (usize, usize), script: &Script, statement: &Statement, wrapped: bool) {
        let mut touched = locks::touches(&statement.what, &self.catalog, self.options.postgres).0;
        // Nobody waits for a table that nobody else can see.
        touched.retain(|touch| !self.catalog.made_in(&touch.table, self.session.transaction));
        touched.sort_by(|a, b| a.table.cmp(&b.table));
        let mut context = Context {
            file: &script.name,
            statement,
            touched: &touched,
            catalog: &self.catalog,
            options: self.options,
            session: &mut self.session,
            wrapped,
            findings: Vec::new(),
        };
        rules::judge(&mut context);
        self.found.extend(context.findings.into_iter().map(|finding| (file, index, finding)));
        self.keys.extend(keys(&statement.what).map(|(table, columns)| (file, index, table, columns)));
        self.session.hold(&touched, statement.line);
        // An enum that this transaction made may be used at once.
        if let What::EnumValue { name, value, .. } = &statement.what
            && self.catalog.type_named(name).is_none_or(|known| known.made != self.session.transaction)
        {
            self.session.enum_values.push((name.clone(), value.clone()));
        }
        self.catalog.apply(&statement.what, self.session.transaction);
        if !touched.is_empty() {
            self.effects.push(Effect {
                file: script.name.clone(),
                line: statement.line,
                statement: statement.head.clone(),
                transaction: self.session.transaction,
                tables: touched,
            });
        }
    }

    /// Foreign keys that no index serves when all files have run.
    fn keys_without_index(&mut self, scripts: &[&Script]) {
        for (file, index, table, columns) in std::mem::take(&mut self.keys) {
            let there = self.catalog.table(&table).is_some_and(|known| !known.temporary);
            if there && !columns.is_empty() && !self.catalog.has_index_on(&table, &columns) {
                let script = scripts[file];
                let (line, known) = (script.statements[index].line, self.catalog.made_here(&table));
                self.found.push((file, index, rules::foreign_key_without_index(&script.name, line, &table, &columns, known)));
            }
        }
    }
}

/// (table, columns) of the foreign keys that a statement makes.
fn keys(what: &What) -> impl Iterator<Item = (Name, Vec<Name>)> {
    let (table, constraints): (Name, Vec<&Constraint>) = match what {
        What::CreateTable(create) => {
            let inline = create.columns.iter().flat_map(|column| &column.constraints);
            (create.table.clone(), create.constraints.iter().chain(inline).collect())
        }
        What::AlterTable { table, actions } => {
            let mut constraints = Vec::new();
            for action in actions {
                match action {
                    Action::AddConstraint(constraint) => constraints.push(constraint),
                    Action::AddColumn(column) => constraints.extend(&column.constraints),
                    _ => {}
                }
            }
            (table.clone(), constraints)
        }
        _ => (Name::new(), Vec::new()),
    };
    let keys: Vec<(Name, Vec<Name>)> =
        constraints.iter().filter(|one| one.target().is_some()).map(|one| (table.clone(), one.columns.clone())).collect();
    keys.into_iter()
}

/// Sorts a file's findings into what counts and what it accepts.
fn waive(script: &Script, found: Vec<(usize, Finding)>, report: &mut Report) {
    let mut used = vec![false; script.waivers.len()];
    let mut by_statement: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, waiver) in script.waivers.iter().enumerate().filter(|(_, waiver)| !waiver.reason.is_empty()) {
        by_statement.entry(waiver.statement.unwrap_or(usize::MAX)).or_default().push(at);
    }
    for (index, finding) in found {
        let waivers = by_statement.get(&index).into_iter().flatten();
        let waiver = waivers.copied().find(|at| script.waivers[*at].rules.contains(&finding.rule));
        // What the server refuses does not become right by being accepted.
        match waiver.filter(|_| finding.severity != Severity::Critical) {
            Some(at) => {
                used[at] = true;
                report.waived.push(Waived { finding, reason: script.waivers[at].reason.clone() });
            }
            None => report.findings.push(finding),
        }
    }
    for (waiver, used) in script.waivers.iter().zip(used) {
        if !used {
            report.findings.push(rules::unused_waiver(&script.name, waiver));
        }
    }
}

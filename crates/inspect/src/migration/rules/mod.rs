//! The rules: each has a stable name, and a row in [`RULES`] and in docs/commands/migration-check-rules.md.
//!
//! Two questions are kept apart. Locks and rewrites hurt whoever uses the table, also a table that an earlier file of the
//! migration made. Renames, drops and new duties break the program that runs now, which cannot know a table or column that
//! this migration makes: there they are `low`.

mod behaviour;
mod columns;
mod constraints;
mod indexes;
mod removal;
mod rows;
mod shapes;
#[cfg(test)]
mod tests;
mod transactions;

use super::catalog::Catalog;
use super::check::Options;
use super::locks::{Mode, Touch};
use super::script::Waiver;
use super::session::Session;
use super::statement::{Action, Statement, What};
use crate::finding::{Finding, Severity};

/// (name, severity where the table is in use, what it is about).
pub const RULES: [(&str, Severity, &str); 67] = [
    // What the server refuses: these cannot be waived.
    ("syntax-too-new", Severity::Critical, "grammar that the target version does not have"),
    ("not-in-transaction", Severity::Critical, "a statement that no transaction block may hold stands in one"),
    ("enum-value-used-in-transaction", Severity::Critical, "a value added to an enum is used before its transaction ends"),
    ("concurrent-index-on-partitioned", Severity::Critical, "an index cannot be made concurrently on a partitioned table"),
    ("refresh-without-unique-index", Severity::Critical, "REFRESH … CONCURRENTLY needs a unique index"),
    // Every row is written anew while the table is shut.
    ("volatile-default-rewrite", Severity::High, "a new column's default differs for each row"),
    ("serial-column-rewrite", Severity::High, "a new serial column numbers every row"),
    ("identity-column-rewrite", Severity::High, "a new identity column numbers every row"),
    ("generated-column-rewrite", Severity::High, "a stored generated column is computed for every row"),
    ("constrained-domain-rewrite", Severity::High, "a new column of a domain with constraints"),
    ("type-change-rewrite", Severity::High, "a change of type that does not leave the rows as they are"),
    ("table-rewrite", Severity::High, "SET LOGGED, SET TABLESPACE, SET ACCESS METHOD"),
    ("vacuum-full", Severity::High, "VACUUM FULL writes the table anew"),
    ("cluster", Severity::High, "CLUSTER writes the table anew"),
    // Every row is read while the table is shut.
    ("set-not-null-scan", Severity::High, "SET NOT NULL without a valid CHECK that proves it"),
    ("check-constraint-scan", Severity::High, "a CHECK without NOT VALID"),
    ("not-null-constraint-scan", Severity::High, "a NOT NULL constraint without NOT VALID (18)"),
    ("foreign-key-scan", Severity::High, "a foreign key without NOT VALID"),
    ("unique-constraint-blocks", Severity::High, "UNIQUE builds its index while the table is shut"),
    ("primary-key-blocks", Severity::High, "PRIMARY KEY builds its index while the table is shut"),
    ("primary-key-null-scan", Severity::High, "PRIMARY KEY USING INDEX over columns not known to be NOT NULL"),
    ("exclusion-constraint-blocks", Severity::High, "EXCLUDE builds its index while the table is shut"),
    ("index-not-concurrent", Severity::High, "CREATE INDEX without CONCURRENTLY"),
    ("reindex-not-concurrent", Severity::High, "REINDEX without CONCURRENTLY"),
    ("refresh-not-concurrent", Severity::High, "REFRESH MATERIALIZED VIEW without CONCURRENTLY"),
    ("attach-partition-scan", Severity::High, "ATTACH PARTITION without a CHECK that proves the bounds"),
    ("domain-constraint-scan", Severity::High, "a domain's constraint is checked in every table that uses it"),
    ("validate-under-lock", Severity::High, "VALIDATE CONSTRAINT beside something that locks more"),
    ("validate-in-same-transaction", Severity::High, "NOT VALID and VALIDATE in one transaction"),
    // Locks and transactions.
    ("lock-timeout-missing", Severity::High, "a lock that blocks writers is awaited without lock_timeout"),
    ("work-under-lock", Severity::High, "rows are read or written while a strong lock is held"),
    ("lock-table", Severity::High, "LOCK TABLE"),
    ("uncommitted-transaction", Severity::High, "BEGIN without COMMIT"),
    ("commit-in-transaction", Severity::High, "COMMIT ends the transaction that the runner opened"),
    ("nested-transaction", Severity::Medium, "BEGIN inside a transaction"),
    ("several-strong-locks", Severity::Medium, "strong locks on several tables in one transaction"),
    ("ddl-after-bulk-change", Severity::Medium, "a strong lock is asked for after many rows were changed"),
    ("drop-index-not-concurrent", Severity::Medium, "DROP INDEX without CONCURRENTLY"),
    ("detach-partition-blocks", Severity::Medium, "DETACH PARTITION without CONCURRENTLY"),
    ("create-partition-locks-parent", Severity::Medium, "CREATE TABLE … PARTITION OF shuts the parent"),
    ("drop-partition-locks-parent", Severity::Medium, "DROP TABLE of a partition shuts the parent"),
    ("set-local-outside-transaction", Severity::Medium, "SET LOCAL outside of a transaction has no effect"),
    ("statement-timeout-missing", Severity::Info, "a strong lock is held for as long as the statement takes"),
    ("several-alters", Severity::Info, "several ALTER TABLE of one table in one transaction"),
    // What the running program, or somebody's data, does not survive.
    ("drop-table", Severity::High, "a table and its rows go"),
    ("drop-column", Severity::High, "a column and its values go"),
    ("drop-schema", Severity::High, "a schema goes"),
    ("drop-database", Severity::High, "a database goes"),
    ("drop-cascade", Severity::High, "CASCADE takes what nobody named"),
    ("drop-object", Severity::Medium, "a view, type, function or sequence goes"),
    ("drop-not-null", Severity::Medium, "readers meet NULL where there was none"),
    ("truncate", Severity::High, "all rows go"),
    ("rename", Severity::High, "the running program asks for the old name"),
    ("type-altered", Severity::High, "an enum value or a type that the running program uses changes its name"),
    ("behaviour-change", Severity::Low, "the running program, or the one rolled back to, gets other answers or other refusals"),
    ("type-change-clients", Severity::Low, "the running program meets another type"),
    ("not-null-without-default", Severity::High, "a new column without default that must not be NULL"),
    ("delete-without-where", Severity::High, "DELETE of all rows"),
    ("update-without-where", Severity::Medium, "UPDATE of all rows in one transaction"),
    // Shapes that are regretted later.
    ("json-column", Severity::High, "json has no equality: DISTINCT, GROUP BY and UNION fail"),
    ("column-type", Severity::Low, "char(n), timestamp without time zone, money, serial, short keys"),
    ("foreign-key-without-index", Severity::Low, "deletes at the other end read this whole table"),
    ("identifier-too-long", Severity::Medium, "PostgreSQL cuts names at 63 bytes"),
    ("server-wide", Severity::Medium, "what belongs to the whole server, not to a schema"),
    ("note", Severity::Info, "enums, inheritance, rules, extensions, IF NOT EXISTS, limits on varchar"),
    ("unseen-code", Severity::Info, "DO, CALL, EXECUTE and functions are not looked into"),
    ("waiver-unused", Severity::Info, "a waiver that fits nothing, or gives no reason"),
];

/// What a rule may look at, and where it says what it found.
pub struct Context<'a> {
    pub file: &'a str,
    pub statement: &'a Statement,
    /// Without tables that only this transaction can see.
    pub touched: &'a [Touch],
    /// As it was before the statement.
    pub catalog: &'a Catalog,
    pub options: &'a Options,
    pub session: &'a mut Session,
    /// Whether the runner opened a transaction around the file.
    pub wrapped: bool,
    pub findings: Vec<Finding>,
}

impl Context<'_> {
    fn find(&self, rule: &str, severity: Severity, message: impl Into<String>) -> Finding {
        debug_assert!(RULES.iter().any(|(name, ..)| *name == rule), "{rule} has no row");
        Finding::new(rule, severity, message).at(self.file, Some(self.statement.line))
    }
    /// A finding about what the statement does to that table: with lock, rewrite and whom it blocks.
    fn about(&self, rule: &str, severity: Severity, table: &str, message: impl Into<String>) -> Finding {
        let finding = self.find(rule, severity, message).inside(table);
        match self.touch(table) {
            Some(touch) => finding.with("lock", format!("{} on {table}", touch.lock.words())).with("rewrite", touch.rewrite),
            None => finding,
        }
    }
    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
    fn touch(&self, table: &str) -> Option<&Touch> {
        self.touched.iter().find(|touch| touch.table == table)
    }
    /// Whether others may use the table while the statement runs.
    fn in_use(&self, table: &str) -> bool {
        !self.catalog.made_in(table, self.session.transaction)
    }
    /// `severity`, or low where these files made the table: the running program does not know it.
    fn for_readers(&self, table: &str, severity: Severity) -> Severity {
        if self.catalog.made_here(table) { Severity::Low } else { severity }
    }
    /// The strongest lock that this transaction holds from earlier statements, on other tables than `but`.
    fn strongest_held(&self, but: Option<&str>) -> Option<(String, Mode, u32)> {
        self.session.strongest_held(but).map(|(table, held)| (table.clone(), held.mode, held.line))
    }
}

/// All rules over one statement.
pub fn judge(context: &mut Context<'_>) {
    let statement = context.statement;
    shapes::grammar(context);
    transactions::before(context);
    match &statement.what {
        What::AlterTable { table, actions } => {
            for action in actions {
                behaviour::action(context, table, action);
                match action {
                    Action::AddConstraint(constraint) => constraints::add(context, table, constraint),
                    Action::Validate { constraint } => constraints::validate(context, table, constraint),
                    Action::DropConstraint { constraint, cascade } => constraints::drop(context, table, constraint, *cascade),
                    Action::Attach { partition, .. } => constraints::attach(context, table, partition),
                    Action::Detach { partition, concurrently: false, finalize: false } => constraints::detach(context, table, partition),
                    other => columns::action(context, table, other),
                }
            }
        }
        What::CreateTable(create) => shapes::create_table(context, create),
        What::CreateIndex(index) => indexes::create(context, index),
        What::DropIndex { indexes, concurrently: false, .. } => indexes::drop(context, indexes),
        What::Reindex { concurrently: false, target, name } => indexes::reindex(context, *target, name.as_deref()),
        What::Refresh { view, concurrently } => indexes::refresh(context, view, *concurrently),
        _ => {
            removal::judge(context);
            behaviour::judge(context);
            rows::judge(context);
            shapes::judge(context);
        }
    }
    transactions::after(context);
}

/// BEGIN on `line` that nothing ended.
pub fn uncommitted(file: &str, line: u32) -> Finding {
    let message = "This BEGIN has no COMMIT: everything after it is rolled back when the connection ends.";
    Finding::new("uncommitted-transaction", Severity::High, message).at(file, Some(line)).mended_by("COMMIT;")
}

pub fn unused_waiver(file: &str, waiver: &Waiver) -> Finding {
    let message = match () {
        () if waiver.rules.is_empty() => "This waiver names no rule.".to_owned(),
        () if waiver.reason.is_empty() => format!("The waiver of {} gives no reason, so it does not count.", waiver.rules.join(", ")),
        () => format!("Nothing that may be waived was found here for {}.", waiver.rules.join(", ")),
    };
    Finding::new("waiver-unused", Severity::Info, message).at(file, Some(waiver.line)).mended_by("-- holdpoint:allow RULE reason")
}

/// A foreign key that no index of the files serves, at the end of all files.
pub fn foreign_key_without_index(file: &str, line: u32, table: &str, columns: &[String], known: bool) -> Finding {
    let list = columns.join(", ");
    let message = format!(
        "No index of these files begins with {table} ({list}): each delete or change of a key at the other end reads all of {table}{}.",
        if known { "" } else { ", unless an index was there before" }
    );
    let name = format!("{}_{}_idx", super::tree::bare(table).trim_matches('"'), columns.join("_"));
    let severity = if known { Severity::Low } else { Severity::Info };
    Finding::new("foreign-key-without-index", severity, message)
        .at(file, Some(line))
        .inside(table)
        .mended_by(format!("CREATE INDEX CONCURRENTLY {name} ON {table} ({list});"))
}

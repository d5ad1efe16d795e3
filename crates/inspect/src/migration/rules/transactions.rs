//! Transactions, timeouts, and locks that meet in one transaction.

use super::Context;
use crate::finding::Severity;
use crate::migration::locks::Mode;
use crate::migration::statement::{Verb, What, outside_only};

/// What can be said before the statement itself is looked at.
pub fn before(context: &mut Context<'_>) {
    let statement = context.statement;
    if context.session.open
        && let Some(what) = outside_only(&statement.what)
    {
        let message = format!("{what} cannot run inside a transaction block.");
        let fix = "Put it into a file of its own that runs outside of a transaction.";
        context.push(context.find("not-in-transaction", Severity::Critical, message).mended_by(fix));
    }
    match &statement.what {
        What::Begin if context.session.open => {
            let by = if context.wrapped { "the one around this file" } else { "the one before" };
            let message = format!("BEGIN inside a transaction does nothing; the next COMMIT ends {by}.");
            context.push(context.find("nested-transaction", Severity::Medium, message));
        }
        What::Commit | What::Rollback if context.wrapped && context.session.open && context.session.begun.is_none() => {
            let message = "This ends the transaction around the file: what follows is not undone if it fails.";
            context.push(context.find("commit-in-transaction", Severity::High, message).mended_by("Put what follows into another file."));
        }
        What::Set { name, value, local } => {
            let (name, value, local) = (name.clone(), value.clone(), *local);
            if !context.session.set(&name, value.as_deref(), local) {
                let message = format!("SET LOCAL {name} outside of a transaction has no effect.");
                let fix = format!("SET {name} = …;");
                context.push(context.find("set-local-outside-transaction", Severity::Medium, message).mended_by(fix));
            }
        }
        _ => {}
    }
    enum_values(context);
}

fn enum_values(context: &mut Context<'_>) {
    if !context.session.open || context.statement.literals.is_empty() {
        return;
    }
    let literals = &context.statement.literals;
    let added = &context.session.enum_values;
    let mut found: Vec<_> = added.iter().filter(|(_, value)| literals.contains(value)).cloned().collect();
    found.sort();
    found.dedup();
    for (name, value) in found {
        let message = format!("'{value}' was added to {name} in this transaction; PostgreSQL refuses its use until that has committed.");
        let fix = "Put ALTER TYPE … ADD VALUE into a file of its own before this one.";
        context.push(context.find("enum-value-used-in-transaction", Severity::Critical, message).inside(name).mended_by(fix));
    }
}

/// What follows from the locks that it takes.
pub fn after(context: &mut Context<'_>) {
    let statement = context.statement;
    let is_dml = matches!(statement.what, What::Dml(_) | What::Copy { .. });
    let strongest = context.touched.iter().filter(|touch| touch.lock.blocks_writes()).max_by_key(|touch| touch.lock).cloned();
    if let Some(touch) = strongest.filter(|_| !is_dml) {
        timeouts(context, &touch.table, touch.lock);
        meeting(context, &touch.table, touch.lock);
    }
    if let What::Dml(dml) = &statement.what
        && !dml.filtered
        && matches!(dml.verb, Verb::Update | Verb::Delete)
    {
        context.session.once("bulk");
    }
}

fn timeouts(context: &mut Context<'_>, table: &str, mode: Mode) {
    let set = context.session.timeouts();
    let local = if context.session.open { "LOCAL " } else { "" };
    if !set.lock && context.session.once("lock-timeout") {
        let message = format!(
            "{} on {table} is awaited without lock_timeout: behind it everybody else waits, too, for as long as the longest transaction on {table} lasts.",
            mode.words()
        );
        let fix = format!("SET {local}lock_timeout = '2s';");
        context.push(context.about("lock-timeout-missing", Severity::High, table, message).mended_by(fix));
    }
    let long = context.touch(table).is_some_and(|touch| touch.scan || touch.rewrite);
    if !set.statement && long && context.session.once("statement-timeout") {
        let message = format!("{} on {table} is held for as long as this takes; statement_timeout would bound it.", mode.words());
        let fix = format!("SET {local}statement_timeout = '30s';");
        context.push(context.about("statement-timeout-missing", Severity::Info, table, message).mended_by(fix));
    }
}

/// Locks of earlier statements of the same transaction.
fn meeting(context: &mut Context<'_>, table: &str, mode: Mode) {
    if !context.session.open {
        return;
    }
    if context.session.said.contains(&"bulk") && context.session.once("ddl-after-bulk") {
        let message = format!(
            "{} on {table} is asked for after rows were changed in bulk: their locks are kept while it waits, and two such transactions can deadlock.",
            mode.words()
        );
        let finding = context.about("ddl-after-bulk-change", Severity::Medium, table, message);
        context.push(finding.mended_by("Change the rows in a transaction of their own."));
    }
    let other = context.strongest_held(Some(table)).filter(|(_, held, _)| held.blocks_writes());
    if let Some((held, held_mode, line)) = other
        && context.session.held(table).is_none()
        && context.session.once("several-locks")
    {
        let message = format!(
            "{} on {table} is asked for while {} on {held} (line {line}) is held: {held} stays shut for as long as this waits, and whoever locks them in the other order deadlocks.",
            mode.words(),
            held_mode.words()
        );
        let finding = context.about("several-strong-locks", Severity::Medium, table, message);
        context.push(finding.mended_by("One table a transaction (a file)."));
    }
    let altered =
        matches!(context.statement.what, What::AlterTable { .. }) && context.session.held(table).is_some_and(|held| held.mode >= mode);
    if altered && context.session.once("several-alters") {
        let message =
            format!("{table} is altered again in this transaction; one ALTER TABLE with several parts reads or writes its rows once.");
        context.push(context.about("several-alters", Severity::Info, table, message));
    }
}

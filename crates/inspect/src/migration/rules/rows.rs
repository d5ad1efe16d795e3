//! Rows: changed in bulk, or worked on while a strong lock is held.

use super::Context;
use crate::finding::Severity;
use crate::migration::locks::Mode;
use crate::migration::statement::{Dml, Verb, What};

pub fn judge(context: &mut Context<'_>) {
    let statement = context.statement;
    match &statement.what {
        What::Dml(dml) => {
            bulk(context, dml);
            if works(dml) {
                under_lock(context, "This statement reads or writes rows");
            }
        }
        What::Copy { table: Some(_), .. } => under_lock(context, "COPY moves rows"),
        What::CreateTableAs { .. } => under_lock(context, "This query runs"),
        What::CreateView { materialized: true, .. } => under_lock(context, "This query runs"),
        What::Analyze { .. } => under_lock(context, "ANALYZE reads rows"),
        What::LockTable { tables, mode } if mode.blocks_writes() => {
            for table in tables.iter().filter(|table| context.in_use(table)).cloned().collect::<Vec<_>>() {
                let severity = if *mode == Mode::AccessExclusive { Severity::High } else { Severity::Medium };
                let message = format!("LOCK TABLE {} {} until the transaction ends.", mode.blocks(), table);
                context.push(context.about("lock-table", severity, &table, message));
            }
        }
        What::Vacuum { full: true, tables } => rewritten(context, "vacuum-full", "VACUUM FULL", tables),
        What::Cluster { table } => {
            let tables: Vec<String> = table.iter().cloned().collect();
            rewritten(context, "cluster", "CLUSTER", &tables);
        }
        _ => {}
    }
}

fn rewritten(context: &mut Context<'_>, rule: &str, word: &str, tables: &[String]) {
    let all = ["every table".to_owned()];
    let tables = if tables.is_empty() { &all } else { tables };
    for table in tables.iter().filter(|table| context.in_use(table)).cloned().collect::<Vec<_>>() {
        let message = format!("{word} writes {table} anew while nobody can read or write it.");
        let fix = "Use VACUUM without FULL, or a tool that copies the table while it is used.";
        context.push(context.about(rule, Severity::High, &table, message).mended_by(fix));
    }
}

/// Whether it may take long: it reads a table, or writes more than rows that it spells out.
fn works(dml: &Dml) -> bool {
    !dml.reads.is_empty() || dml.writes.iter().any(|(_, verb)| *verb != Verb::Insert) || (!dml.writes.is_empty() && !dml.few)
}

fn bulk(context: &mut Context<'_>, dml: &Dml) {
    if dml.filtered || !matches!(dml.verb, Verb::Update | Verb::Delete) {
        return;
    }
    let Some((table, _)) = dml.writes.first().filter(|(table, _)| context.in_use(table)).cloned() else { return };
    if dml.verb == Verb::Delete {
        let severity = if context.catalog.made_here(&table) { Severity::Medium } else { Severity::High };
        let message = format!("DELETE without WHERE: all rows of {table} go for good.");
        context.push(context.about("delete-without-where", severity, &table, message));
        return;
    }
    let message = format!("UPDATE without WHERE: every row of {table} is written, and stays locked until the transaction ends.");
    let fix = format!("-- in batches, each a transaction of its own:\nUPDATE {table} SET … WHERE id BETWEEN … AND … AND …;");
    context.push(context.about("update-without-where", Severity::Medium, &table, message).mended_by(fix));
}

fn under_lock(context: &mut Context<'_>, what: &str) {
    if !context.session.open {
        return;
    }
    let Some((table, mode, line)) = context.strongest_held(None).filter(|(_, mode, _)| mode.blocks_writes()) else { return };
    let severity = if mode == Mode::AccessExclusive { Severity::High } else { Severity::Medium };
    let message = format!(
        "{what} while {} on {table}, taken on line {line}, is held: that {} for as long as this takes.",
        mode.words(),
        mode.blocks()
    );
    let finding = context.find("work-under-lock", severity, message).inside(table.as_str());
    let fix = "Put it into a transaction (a file) of its own, before or after the one that locks.";
    context.push(finding.with("lock", format!("{} on {table}", mode.words())).with("rewrite", false).mended_by(fix));
}

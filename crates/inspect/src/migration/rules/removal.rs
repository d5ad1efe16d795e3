//! What goes, or goes by another name: the running program still asks for it, and rows do not come back.

use super::Context;
use crate::finding::Severity;
use crate::migration::statement::{Action, What};

/// Parts of ALTER TABLE.
pub fn action(context: &mut Context<'_>, table: &str, action: &Action) {
    let readers = context.for_readers(table, Severity::High);
    match action {
        Action::DropColumn { column, cascade } => {
            let severity = if context.catalog.column_added(table, column) { Severity::Low } else { readers };
            let message = format!(
                "{table}.{column} and its values go for good; a program that still names it fails, and rolling back the program does not bring it back."
            );
            let fix = format!(
                "Deploy a version that does not use {table}.{column} first, and drop it when no version that may be rolled back to does; then: -- holdpoint:allow drop-column REASON"
            );
            context.push(context.about("drop-column", severity, table, message).mended_by(fix));
            if *cascade {
                let message = format!("CASCADE also drops views, keys and functions that lean on {table}.{column}.");
                context.push(context.about("drop-cascade", readers, table, message));
            }
        }
        Action::RenameColumn { column, to } => {
            let severity = if context.catalog.column_added(table, column) { Severity::Low } else { readers };
            let message = format!("{table}.{column} becomes {to}: the program that runs now asks for {column} and fails.");
            let fix = format!(
                "ALTER TABLE {table} ADD COLUMN {to} …;\n-- keep both in step by a trigger, fill {to} in batches, let the program move over, then drop {column}"
            );
            context.push(context.about("rename", severity, table, message).mended_by(fix));
        }
        Action::RenameTable { to } => {
            let message = format!("{table} becomes {to}: the program that runs now asks for {table} and fails.");
            let fix = format!(
                "BEGIN;\nALTER TABLE {table} RENAME TO {to};\nCREATE VIEW {table} AS SELECT * FROM {to};\nCOMMIT;\n-- drop the view when no version that may be rolled back to uses it; then: -- holdpoint:allow rename REASON"
            );
            context.push(context.about("rename", readers, table, message).mended_by(fix));
        }
        Action::SetSchema { schema } => {
            let message = format!("{table} moves to {schema}: the program that runs now asks for {table} and fails.");
            let fix =
                format!("Leave a view in the old place: CREATE VIEW {table} AS SELECT * FROM {schema}.{};", crate::migration::short(table));
            context.push(context.about("rename", readers, table, message).mended_by(fix));
        }
        _ => {}
    }
}

/// Statements of their own.
pub fn judge(context: &mut Context<'_>) {
    let statement = context.statement;
    match &statement.what {
        What::DropTable { tables, cascade, .. } => {
            for table in tables {
                drop_table(context, table, *cascade);
            }
        }
        What::Truncate { tables, cascade } => {
            for table in tables {
                let severity = context.for_readers(table, Severity::High);
                let message = format!("All rows of {table} go for good, while nobody can read or write it.");
                context.push(context.about("truncate", severity, table, message));
                if *cascade {
                    let message = format!("CASCADE also empties every table with a foreign key to {table}.");
                    context.push(context.about("drop-cascade", severity, table, message));
                }
            }
        }
        What::DropView { views, cascade, .. } => views.iter().for_each(|view| object(context, "view", view, *cascade)),
        What::DropType { noun, names, cascade } | What::Drop { noun, names, cascade } => {
            if names.is_empty() {
                object(context, noun, "", *cascade);
            }
            names.iter().for_each(|name| object(context, noun, name, *cascade));
        }
        What::DropSchema { schemas, cascade } => {
            for schema in schemas {
                let message =
                    format!("The schema {schema} goes{}.", if *cascade { " with every table, view and function in it" } else { "" });
                context.push(context.find("drop-schema", Severity::High, message).inside(schema.as_str()));
            }
        }
        What::RenameView { view, to, .. } => {
            let message = format!("{view} becomes {to}: the program that runs now asks for {view} and fails.");
            let fix = format!("Make {to} beside {view}, and drop {view} when nobody asks for it.");
            context.push(context.about("rename", context.for_readers(view, Severity::High), view, message).mended_by(fix));
        }
        What::Schema { renamed: Some((from, to)) } => {
            let message = format!("The schema {from} becomes {to}: the program that runs now asks for {from} and fails.");
            context.push(context.find("rename", Severity::High, message).inside(from.as_str()));
        }
        What::AlterType { name, breaks: Some(breaks) } if context.catalog.type_named(name).is_none() => {
            let message = format!("This {breaks} of {name}: the program that runs now sends and expects the old one.");
            context.push(context.find("type-altered", Severity::High, message).inside(name.as_str()));
        }
        _ => {}
    }
}

fn drop_table(context: &mut Context<'_>, table: &str, cascade: bool) {
    let severity = context.for_readers(table, Severity::High);
    let message = format!(
        "{table} and its rows go for good; a program that still names it fails, and rolling back the program does not bring it back."
    );
    let fix = format!(
        "Deploy a version that does not use {table} first; keep the rows for a while (ALTER TABLE {table} RENAME TO {}_old), then: -- holdpoint:allow drop-table REASON",
        crate::migration::short(table)
    );
    context.push(context.about("drop-table", severity, table, message).mended_by(fix));
    if cascade {
        let message = format!("CASCADE also drops views and foreign keys that lean on {table}.");
        context.push(context.about("drop-cascade", severity, table, message));
    }
    if let Some(parent) = context.catalog.parent_of(table).filter(|parent| context.in_use(parent)) {
        let message = format!("Nobody can read or write {parent}, with all its partitions, while its partition {table} is dropped.");
        let finding = context.about("drop-partition-locks-parent", Severity::Medium, &parent, message);
        let fix = format!(
            "-- outside of a transaction (since 14):\nALTER TABLE {parent} DETACH PARTITION {table} CONCURRENTLY;\nDROP TABLE {table};"
        );
        context.push(finding.mended_by(fix));
    }
}

fn object(context: &mut Context<'_>, noun: &str, name: &str, cascade: bool) {
    let message = format!("The {noun} {name} goes: a program that still uses it fails.").replace("  ", " ");
    context.push(context.find("drop-object", Severity::Medium, message).inside(name));
    if cascade {
        let message =
            format!("CASCADE also drops everything that leans on the {noun} {name}; for a type these are columns with their values.");
        context.push(context.find("drop-cascade", Severity::High, message).inside(name));
    }
}

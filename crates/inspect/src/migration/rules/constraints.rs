//! Constraints and partitions of tables that are in use.

use super::Context;
use crate::finding::Severity;
use crate::migration::catalog::default_name;
use crate::migration::locks::Mode;
use crate::migration::short;
use crate::migration::statement::{Constraint, ConstraintKind};

pub fn add(context: &mut Context<'_>, table: &str, constraint: &Constraint) {
    if !context.in_use(table) {
        return;
    }
    let checked = !constraint.not_valid && !constraint.not_enforced;
    let name = constraint.name.clone().unwrap_or_else(|| default_name(table, constraint));
    let named = if constraint.name.is_some() { constraint.text.clone() } else { format!("CONSTRAINT {name} {}", constraint.text) };
    let two_steps = format!(
        "ALTER TABLE {table} ADD {named} NOT VALID;\n-- in the next transaction, while everybody reads and writes:\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    );
    match &constraint.kind {
        ConstraintKind::Check { .. } if checked => {
            let message = format!("This CHECK is tried on every row of {table} while nobody can read or write it.");
            context.push(context.about("check-constraint-scan", Severity::High, table, message).mended_by(two_steps));
        }
        ConstraintKind::NotNull if checked && context.touch(table).is_some_and(|touch| touch.scan) => {
            let message = format!("This NOT NULL constraint is tried on every row of {table} while nobody can read or write it.");
            context.push(context.about("not-null-constraint-scan", Severity::High, table, message).mended_by(two_steps));
        }
        ConstraintKind::Foreign { target, .. } if checked => {
            let message =
                format!("This foreign key is looked up for every row of {table} while neither {table} nor {target} can be written.");
            let finding = context.about("foreign-key-scan", Severity::High, table, message);
            context.push(finding.with("also_locks", format!("SHARE ROW EXCLUSIVE on {target}")).mended_by(two_steps));
        }
        ConstraintKind::Unique { index: None } | ConstraintKind::Primary { index: None } => keys(context, table, constraint, &name),
        ConstraintKind::Primary { index: Some(index) } if context.touch(table).is_some_and(|touch| touch.scan) => {
            let columns = context.catalog.index_columns(index).cloned().unwrap_or_default();
            let list = if columns.is_empty() { format!("the columns of {index}") } else { columns.join(", ") };
            let message = format!(
                "A primary key makes {list} NOT NULL, which reads every row of {table} while nobody can read or write it, because nothing here says that they are."
            );
            let steps: Vec<String> = columns
                .iter()
                .map(|column| {
                    format!(
                        "ALTER TABLE {table} ADD CONSTRAINT {0}_set CHECK ({column} IS NOT NULL) NOT VALID;\nALTER TABLE {table} VALIDATE CONSTRAINT {0}_set;\nALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;",
                        short(column)
                    )
                })
                .collect();
            context.push(context.about("primary-key-null-scan", Severity::High, table, message).mended_by(steps.join("\n")));
        }
        ConstraintKind::Exclude => {
            let message = format!(
                "The index of this exclusion constraint is built while nobody can read or write {table}; there is no way to add one to a large table in use."
            );
            let fix = format!(
                "Make a new table with the constraint, copy the rows, and let the program move over; or accept a window in which {table} stands still."
            );
            context.push(context.about("exclusion-constraint-blocks", Severity::High, table, message).mended_by(fix));
        }
        _ => {}
    }
}

fn keys(context: &mut Context<'_>, table: &str, constraint: &Constraint, name: &str) {
    let columns = constraint.columns.join(", ");
    let (rule, word) = match constraint.kind {
        ConstraintKind::Primary { .. } => ("primary-key-blocks", "PRIMARY KEY"),
        _ => ("unique-constraint-blocks", "UNIQUE"),
    };
    let message = format!("The index of this {word} is built while nobody can read or write {table}.");
    let mut fix = format!("-- outside of a transaction:\nCREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns});\n");
    if word == "PRIMARY KEY" {
        for column in constraint.columns.iter().filter(|column| !context.catalog.proves_not_null(table, column)) {
            fix.push_str(&format!(
                "ALTER TABLE {table} ADD CONSTRAINT {0}_set CHECK ({column} IS NOT NULL) NOT VALID;\nALTER TABLE {table} VALIDATE CONSTRAINT {0}_set;\nALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n",
                short(column)
            ));
        }
    }
    fix.push_str(&format!("ALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {name};"));
    context.push(context.about(rule, Severity::High, table, message).mended_by(fix));
}

pub fn validate(context: &mut Context<'_>, table: &str, constraint: &str) {
    let Some(touch) = context.touch(table) else { return };
    let alone = format!("-- in a transaction of its own:\nALTER TABLE {table} VALIDATE CONSTRAINT {constraint};");
    let added = context.catalog.constraint(table, constraint).map(|known| known.added);
    if context.session.open && added == Some(context.session.transaction) {
        let message = format!(
            "{constraint} was added in this transaction, whose lock on {table} is still held while VALIDATE reads every row: NOT VALID gained nothing."
        );
        context.push(context.about("validate-in-same-transaction", Severity::High, table, message).mended_by(alone));
        return;
    }
    let held = context.session.held(table).map(|held| held.mode);
    let lock = touch.lock.max(held.unwrap_or(Mode::AccessShare));
    if lock > Mode::ShareUpdateExclusive {
        // How many rows there are is this migration's own doing where it made the table.
        let severity = if context.catalog.made_here(table) { Severity::Medium } else { Severity::High };
        let message = format!(
            "VALIDATE CONSTRAINT {constraint} alone lets others read and write; here {} on {table} is held while every row is read.",
            lock.words()
        );
        context.push(context.about("validate-under-lock", severity, table, message).mended_by(alone));
    }
}

pub fn drop(context: &mut Context<'_>, table: &str, constraint: &str, cascade: bool) {
    if cascade {
        let message = format!("CASCADE also drops the foreign keys of other tables that lean on {constraint}.");
        context.push(context.about("drop-cascade", context.for_readers(table, Severity::High), table, message));
    }
}

pub fn attach(context: &mut Context<'_>, table: &str, partition: &str) {
    let scanned: Vec<String> = context.touched.iter().filter(|touch| touch.scan).map(|touch| touch.table.clone()).collect();
    for name in scanned {
        let message = if name == partition {
            format!(
                "Every row of {name} is read to see that it fits, while nobody can read or write {name}: no valid CHECK over the partition key is known."
            )
        } else {
            format!("Every row of the default partition {name} is read, while nobody can read or write {name}.")
        };
        let fix = format!(
            "ALTER TABLE {name} ADD CONSTRAINT {}_bounds CHECK (…) NOT VALID;\n-- in the next transaction:\nALTER TABLE {name} VALIDATE CONSTRAINT {0}_bounds;\n-- and then:\nALTER TABLE {table} ATTACH PARTITION {partition} …;",
            short(&name)
        );
        context.push(context.about("attach-partition-scan", Severity::High, &name, message).mended_by(fix));
    }
}

pub fn detach(context: &mut Context<'_>, table: &str, partition: &str) {
    if !context.in_use(table) {
        return;
    }
    let message = format!("Nobody can read or write {table}, with all its partitions, until {partition} is detached.");
    let finding = context.about("detach-partition-blocks", Severity::Medium, table, message);
    let fix = format!("-- outside of a transaction (since 14):\nALTER TABLE {table} DETACH PARTITION {partition} CONCURRENTLY;");
    context.push(if context.options.postgres >= 14 { finding.mended_by(fix) } else { finding });
}

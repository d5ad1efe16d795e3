//! Columns and what ALTER TABLE does to a table as a whole.

use super::{Context, removal, shapes};
use crate::finding::Severity;
use crate::migration::locks;
use crate::migration::short;
use crate::migration::statement::{Action, Column, ConstraintKind, Generated, Using};
use crate::migration::types::{Change, SqlType, change};

pub fn action(context: &mut Context<'_>, table: &str, action: &Action) {
    match action {
        Action::AddColumn(column) => add(context, table, column),
        Action::SetNotNull { column } => set_not_null(context, table, column),
        Action::DropNotNull { column } if !context.catalog.made_here(table) => {
            let message = format!("{table}.{column} may be NULL from now on: programs that run now do not expect it.");
            context.push(context.about("drop-not-null", Severity::Medium, table, message));
        }
        Action::SetType { column, to, using } => set_type(context, table, column, to, using.as_ref()),
        Action::SetExpression { column } if context.touch(table).is_some_and(|touch| touch.rewrite) => {
            let message = format!("A new expression for {table}.{column} writes every row anew while nobody can read or write {table}.");
            let fix = format!("Add a column beside {column}, fill it in batches, then change the readers.");
            context.push(context.about("generated-column-rewrite", Severity::High, table, message).mended_by(fix));
        }
        Action::SetLogged { .. } | Action::SetTablespace | Action::SetAccessMethod => whole(context, table, action),
        _ => removal::action(context, table, action),
    }
}

fn add(context: &mut Context<'_>, table: &str, column: &Column) {
    shapes::column(context, table, column);
    let (name, id) = (&column.name, short(&column.name));
    if column.not_null && column.default.is_none() && column.generated.is_none() && !column.ty.is_serial() {
        let severity = context.for_readers(table, Severity::High);
        let message = format!(
            "{table}.{name} is NOT NULL without a default: this fails if {table} has rows, and every INSERT of a program that does not know {name} fails after it."
        );
        let fix = format!(
            "ALTER TABLE {table} ADD COLUMN {name} {ty} DEFAULT …;\n-- or: add it without NOT NULL, fill it in batches, then\nALTER TABLE {table} ADD CONSTRAINT {id}_set CHECK ({name} IS NOT NULL) NOT VALID;\nALTER TABLE {table} VALIDATE CONSTRAINT {id}_set;\nALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;",
            ty = column.ty.written
        );
        context.push(context.about("not-null-without-default", severity, table, message).mended_by(fix));
    }
    if !context.in_use(table) {
        return;
    }
    if locks::rewrites(column, context.catalog) {
        rewriting(context, table, column);
    }
    for constraint in &column.constraints {
        inline(context, table, column, &constraint.kind);
    }
}

/// A new column that writes every row anew.
fn rewriting(context: &mut Context<'_>, table: &str, column: &Column) {
    let (name, ty) = (&column.name, &column.ty.written);
    let shut = format!("every row of {table} is written anew while nobody can read or write it");
    let schema = table.rsplit_once('.').map(|(schema, _)| format!("{schema}.")).unwrap_or_default();
    let sequence = format!("{schema}{}_{}_seq", short(table), short(name));
    let numbered = format!(
        "CREATE SEQUENCE {sequence};\nALTER TABLE {table} ADD COLUMN {name} bigint;\nALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT nextval('{sequence}');\n-- in batches: UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL AND …;\nALTER SEQUENCE {sequence} OWNED BY {table}.{name};"
    );
    let (rule, message, fix) = match (&column.default, column.generated) {
        (_, Some(Generated::Identity)) => ("identity-column-rewrite", format!("{name} is an identity column: {shut}."), numbered),
        (_, Some(Generated::Stored)) => {
            let mut fix =
                format!("ALTER TABLE {table} ADD COLUMN {name} {ty};\n-- fill it by a trigger for new rows and in batches for old ones");
            if context.options.postgres >= 18 {
                fix = format!("-- computed when it is read:\nALTER TABLE {table} ADD COLUMN {name} {ty} GENERATED ALWAYS AS (…) VIRTUAL;");
            }
            ("generated-column-rewrite", format!("{name} is generated and stored: {shut}."), fix)
        }
        _ if column.ty.is_serial() => ("serial-column-rewrite", format!("{name} is {ty}: {shut}."), numbered),
        (Some((default, Some(culprit))), _) => {
            let fix = format!(
                "ALTER TABLE {table} ADD COLUMN {name} {ty};\nALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default};\n-- in batches: UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL AND …;"
            );
            let known = crate::migration::volatile_function(culprit);
            let why = if known { "is volatile" } else { "may be volatile (it is not among the functions known to be stable)" };
            ("volatile-default-rewrite", format!("{culprit} in the default of {name} {why}: {shut}."), fix)
        }
        _ => (
            "constrained-domain-rewrite",
            format!("{ty} is a domain with constraints: {shut}."),
            format!(
                "ALTER TABLE {table} ADD COLUMN {name} BASE_TYPE;\n-- with the domain's CHECK as a NOT VALID constraint that is validated later"
            ),
        ),
    };
    context.push(context.about(rule, Severity::High, table, message).mended_by(fix));
}

/// Constraints written at a new column.
fn inline(context: &mut Context<'_>, table: &str, column: &Column, kind: &ConstraintKind) {
    let (name, ty, id) = (&column.name, &column.ty.written, short(&column.name));
    let first = format!("ALTER TABLE {table} ADD COLUMN {name} {ty};");
    match kind {
        ConstraintKind::Check { text, .. } => {
            let message = format!("The CHECK of the new column {name} is tried on every row of {table} while nobody can read or write it.");
            let fix = format!(
                "{first}\nALTER TABLE {table} ADD CONSTRAINT {id}_check CHECK ({text}) NOT VALID;\n-- in the next transaction:\nALTER TABLE {table} VALIDATE CONSTRAINT {id}_check;"
            );
            context.push(context.about("check-constraint-scan", Severity::High, table, message).mended_by(fix));
        }
        ConstraintKind::Unique { .. } | ConstraintKind::Primary { .. } => {
            let primary = matches!(kind, ConstraintKind::Primary { .. });
            let rule = if primary { "primary-key-blocks" } else { "unique-constraint-blocks" };
            let word = if primary { "PRIMARY KEY" } else { "UNIQUE" };
            let message = format!("The index of the new column {name} is built while nobody can read or write {table}.");
            let fix = format!(
                "{first}\n-- outside of a transaction:\nCREATE UNIQUE INDEX CONCURRENTLY {id}_key ON {table} ({name});\nALTER TABLE {table} ADD CONSTRAINT {id}_key {word} USING INDEX {id}_key;"
            );
            context.push(context.about(rule, Severity::High, table, message).mended_by(fix));
        }
        ConstraintKind::Foreign { target, rest } if column.default.is_some() && context.in_use(target) => {
            let message = format!(
                "The default of the new column {name} is looked up in {target} for every row of {table} while nobody can read or write {table}, and {target} cannot be written."
            );
            let fix = format!(
                "{first}\nALTER TABLE {table} ADD CONSTRAINT {id}_fkey FOREIGN KEY ({name}) {rest} NOT VALID;\n-- in the next transaction:\nALTER TABLE {table} VALIDATE CONSTRAINT {id}_fkey;"
            );
            context.push(context.about("foreign-key-scan", Severity::High, table, message).mended_by(fix));
        }
        _ => {}
    }
}

fn set_not_null(context: &mut Context<'_>, table: &str, column: &str) {
    if !context.touch(table).is_some_and(|touch| touch.scan) || context.catalog.proves_not_null(table, column) {
        return;
    }
    let message = format!(
        "SET NOT NULL reads every row of {table} while nobody can read or write it, because no valid CHECK ({column} IS NOT NULL) is known."
    );
    let short = short(column);
    let fix = format!(
        "ALTER TABLE {table} ADD CONSTRAINT {short}_set CHECK ({column} IS NOT NULL) NOT VALID;\n-- in the next transaction:\nALTER TABLE {table} VALIDATE CONSTRAINT {short}_set;\n-- and then, without a scan (since 12):\nALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\nALTER TABLE {table} DROP CONSTRAINT {short}_set;"
    );
    context.push(context.about("set-not-null-scan", Severity::High, table, message).mended_by(fix));
}

fn set_type(context: &mut Context<'_>, table: &str, column: &str, to: &SqlType, using: Option<&Using>) {
    if !context.in_use(table) {
        return;
    }
    let from = context.catalog.column_type(table, column);
    let base = context.catalog.base_of(Some(to)).unwrap_or_default();
    let changed = change(context.catalog.base_of(from).as_ref(), &base);
    let (new, id) = (&to.written, short(column));
    let fix = format!(
        "ALTER TABLE {table} ADD COLUMN {id}_new {new};\n-- keep both in step by a trigger, fill {id}_new in batches, then let readers and writers move over, and drop {column}"
    );
    let computed = using.filter(|using| !using.plain);
    let checked = context.catalog.is_constrained(to);
    let message = match (changed, computed) {
        (Change::Nothing, None) if checked => {
            format!("{new} is a domain with constraints: every row of {table} is written anew while nobody can read or write it.")
        }
        (_, Some(using)) => format!("{} computes every row of {table} anew while nobody can read or write it.", using.text),
        (Change::Nothing, None) => {
            let message = format!("{column} becomes {new}; the rows stay as they are, but programs that run now meet another type.");
            if !context.catalog.made_here(table) {
                context.push(context.about("type-change-clients", Severity::Low, table, message));
            }
            return;
        }
        (Change::Rewrite, None) => {
            let old = from.map(|from| from.written.clone()).unwrap_or_default();
            let zone = if base.base.starts_with("timestamp") && from.is_some_and(|from| from.base != base.base) {
                " (unless the session's time zone is UTC, which nobody can see here)"
            } else {
                ""
            };
            format!(
                "{column} becomes {new} from {old}: every row of {table} and every index is written anew while nobody can read or write it{zone}."
            )
        }
        (Change::Unknown, None) => format!(
            "{column} becomes {new}, and these files do not show what it is now: unless the old type is binary coercible to it, every row of {table} is written anew while nobody can read or write it."
        ),
    };
    context.push(context.about("type-change-rewrite", Severity::High, table, message).mended_by(fix));
}

fn whole(context: &mut Context<'_>, table: &str, action: &Action) {
    if !context.touch(table).is_some_and(|touch| touch.rewrite) {
        return;
    }
    let what = match action {
        Action::SetLogged { logged: true } => "SET LOGGED writes all of it to the log",
        Action::SetLogged { logged: false } => "SET UNLOGGED writes it anew, and it is empty after a crash",
        Action::SetTablespace => "SET TABLESPACE copies it",
        _ => "SET ACCESS METHOD writes it anew",
    };
    let message = format!("{what} while nobody can read or write {table}.");
    context.push(context.about("table-rewrite", Severity::High, table, message));
}

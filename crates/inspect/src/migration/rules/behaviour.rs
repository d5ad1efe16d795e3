//! What the running program, or the version that may be rolled back to, notices although nothing it names is gone.

use super::Context;
use crate::finding::Severity;
use crate::migration::statement::{Action, Change, ConstraintKind, What};

/// Parts of ALTER TABLE. Nobody's program knows a table that these files make.
pub fn action(context: &mut Context<'_>, table: &str, action: &Action) {
    if context.catalog.made_here(table) {
        return;
    }
    let message = match action {
        Action::AddConstraint(constraint) => {
            let what = match &constraint.kind {
                ConstraintKind::Foreign { target, .. } => format!("rows without a match in {target}"),
                ConstraintKind::NotNull => "NULL".to_owned(),
                ConstraintKind::Check { .. } => "rows that do not fit this CHECK".to_owned(),
                _ => "rows that are there twice".to_owned(),
            };
            format!("{table} refuses {what} from now on: programs that run now, or are rolled back to, may write them.")
        }
        Action::SetNotNull { column } => format!("{table} refuses NULL in {column} from now on: programs that run now may write it."),
        Action::DropConstraint { constraint, .. } => {
            format!("What {constraint} refused is let in from now on, and may keep it from coming back.")
        }
        Action::SetDefault { column } => format!("Rows that say nothing about {column} get another value from now on."),
        Action::Identity => "Who gives a column its value changes.".to_owned(),
        Action::Trigger | Action::Rule => format!("A trigger or rule of {table} begins or ceases to run."),
        Action::RowSecurity => format!("Which rows of {table} a role sees changes."),
        Action::ReplicaIdentity => format!("What subscribers get of changes to {table} changes."),
        Action::Inherit { parent, .. } => format!("Queries of {parent} get other rows from now on."),
        _ => return,
    };
    context.push(context.about("behaviour-change", Severity::Low, table, message));
}

pub fn judge(context: &mut Context<'_>) {
    let message = match &context.statement.what {
        What::Attachment { change: Change::Create, .. } => return,
        What::Attachment { noun, change, table } if !context.catalog.made_here(table) => {
            let word = if *change == Change::Drop { "goes" } else { "changes" };
            format!("A {noun} of {table} {word}.")
        }
        What::Grant { revoke: true, .. } => "A role loses rights that a running program may use.".to_owned(),
        What::CreateView { view, replace: true, .. } => format!("{view} gives other rows from now on."),
        What::CreateFunction { name, replace: true } => format!("{name} does something else from now on."),
        What::AlterSequence { name } => format!("{name} gives other values from now on."),
        What::EnumValue { name, value, .. } if context.catalog.type_named(name).is_none() => {
            format!("Programs that run now may meet '{value}' in {name}, which they do not know; it cannot be removed again.")
        }
        _ => return,
    };
    context.push(context.find("behaviour-change", Severity::Low, message));
}

//! Indexes and materialized views.

use super::Context;
use crate::finding::Severity;
use crate::migration::short;
use crate::migration::statement::{CreateIndex, ReindexTarget};

pub fn create(context: &mut Context<'_>, index: &CreateIndex) {
    let table = &index.table;
    let partitioned = context.catalog.table(table).is_some_and(|known| known.partition_by.is_some());
    let name = index.index.clone().unwrap_or_else(|| format!("{}_{}_idx", short(table), index.columns.join("_")));
    let unique = if index.unique { "UNIQUE " } else { "" };
    if index.concurrently {
        if partitioned && !index.only {
            let message = format!("{table} is partitioned: PostgreSQL makes no index on it concurrently.");
            let fix = format!(
                "CREATE {unique}INDEX {name} {};\n-- then for each partition, outside of a transaction:\nCREATE {unique}INDEX CONCURRENTLY {name}_PART ON PARTITION (…);\nALTER INDEX {name} ATTACH PARTITION {name}_PART;",
                index.rest.replacen("ON ", "ON ONLY ", 1).replacen("on ", "ON ONLY ", 1)
            );
            context.push(context.about("concurrent-index-on-partitioned", Severity::Critical, table, message).mended_by(fix));
        }
        if index.if_not_exists {
            let message = format!("If an earlier try broke off, an invalid index {name} is left, and IF NOT EXISTS takes it for done.");
            let fix = format!("DROP INDEX CONCURRENTLY IF EXISTS {name};\nCREATE {unique}INDEX CONCURRENTLY {name} {};", index.rest);
            context.push(context.about("note", Severity::Low, table, message).mended_by(fix));
        }
        return;
    }
    if !context.in_use(table) || (partitioned && index.only) {
        return;
    }
    let message = format!("{table} cannot be written until the index {name} is built.");
    let fix = format!("-- outside of a transaction:\nCREATE {unique}INDEX CONCURRENTLY {name} {};", index.rest);
    context.push(context.about("index-not-concurrent", Severity::High, table, message).mended_by(fix));
}

pub fn drop(context: &mut Context<'_>, indexes: &[String]) {
    for index in indexes {
        let table = context.catalog.table_of(index);
        if !context.in_use(&table) {
            continue;
        }
        let message = format!("Nobody can read or write {table} while {index} is dropped, nor while the statement waits for its turn.");
        let fix = format!("-- outside of a transaction:\nDROP INDEX CONCURRENTLY {index};");
        context.push(context.about("drop-index-not-concurrent", Severity::Medium, &table, message).mended_by(fix));
    }
}

pub fn reindex(context: &mut Context<'_>, target: ReindexTarget, name: Option<&str>) {
    let (word, what) = match (target, name) {
        (ReindexTarget::Index, Some(name)) => ("INDEX", name.to_owned()),
        (ReindexTarget::Table, Some(name)) => ("TABLE", name.to_owned()),
        _ => ("SCHEMA", "everything in it".to_owned()),
    };
    let table = if target == ReindexTarget::Index { context.catalog.table_of(&what) } else { what.clone() };
    if !context.in_use(&table) {
        return;
    }
    let message =
        format!("REINDEX without CONCURRENTLY: {table} cannot be written, and reads that want the index wait, until it is built.");
    let fix = format!("-- outside of a transaction:\nREINDEX {word} CONCURRENTLY {what};");
    context.push(context.about("reindex-not-concurrent", Severity::High, &table, message).mended_by(fix));
}

pub fn refresh(context: &mut Context<'_>, view: &str, concurrently: bool) {
    if concurrently {
        let known = context.catalog.table(view).is_some_and(|table| table.made.is_some());
        if known && !context.catalog.has_unique_index(view) {
            let message = format!("{view} has no unique index without WHERE over columns, which REFRESH … CONCURRENTLY needs.");
            let fix = format!("CREATE UNIQUE INDEX ON {view} (…);");
            context.push(context.about("refresh-without-unique-index", Severity::Critical, view, message).mended_by(fix));
        }
        return;
    }
    if !context.in_use(view) {
        return;
    }
    let message = format!("Nobody can read {view} until its query is done.");
    let fix = format!("-- needs a unique index on {view}:\nREFRESH MATERIALIZED VIEW CONCURRENTLY {view};");
    context.push(context.about("refresh-not-concurrent", Severity::High, view, message).mended_by(fix));
}

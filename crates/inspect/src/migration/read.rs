//! From the parser's tree to [`What`] a statement says.
//!
//! Unknown kinds become [`What::Other`]: they are listed, never guessed.

use super::locks::Mode;
use super::read_table;
use super::statement::{Change, CreateIndex, Dml, ReindexTarget, Verb, What};
use super::tree::{K, Name, Node, all_named, below, child, children, has, literal, name, named, text, words};
use super::types;

/// What the statement says.
pub fn statement(node: &Node) -> What {
    match node.kind() {
        K::BEGIN => What::Begin,
        K::COMMIT_TRANSACTION => What::Commit,
        K::ROLLBACK_TRANSACTION => What::Rollback,
        K::ROLLBACK_TO_SAVEPOINT | K::SAVEPOINT_CREATE | K::RELEASE_SAVEPOINT => What::Savepoint,
        K::PREPARE_TRANSACTION => What::Server { what: "PREPARE TRANSACTION", transactional: true },
        K::SET | K::RESET => setting(node),
        K::ALTER_TABLE => read_table::alter(node),
        K::CREATE_TABLE => What::CreateTable(read_table::create(node)),
        K::CREATE_TABLE_AS | K::SELECT_INTO => {
            let table = named(node, K::TABLE_NAME).or_else(|| below(node, K::INTO_CLAUSE).map(|into| into_name(&into)));
            What::CreateTableAs { table: table.unwrap_or_default(), reads: reads(node) }
        }
        K::DROP_TABLE => What::DropTable {
            tables: all_named(node, K::TABLE_NAME_REF),
            cascade: has(node, K::CASCADE),
            if_exists: has(node, K::IF_EXISTS),
        },
        K::TRUNCATE => What::Truncate {
            tables: node
                .descendants()
                .filter(|node| node.kind() == K::TABLE_NAME_REF || node.kind() == K::RELATION_NAME_REF)
                .map(|node| name(&node))
                .collect(),
            cascade: has(node, K::CASCADE),
        },
        K::CREATE_INDEX => create_index(node),
        K::DROP_INDEX => What::DropIndex {
            indexes: all_named(node, K::INDEX_REF),
            concurrently: has(node, K::CONCURRENTLY_KW),
            if_exists: has(node, K::IF_EXISTS),
        },
        K::ALTER_INDEX => What::AlterIndex {
            index: named(node, K::INDEX_REF).unwrap_or_default(),
            rename: child(node, K::INDEX_RENAME_TO).and_then(|to| named(&to, K::INDEX)),
        },
        K::REINDEX => reindex(node),
        K::CREATE_VIEW | K::CREATE_MATERIALIZED_VIEW => What::CreateView {
            view: named(node, K::VIEW).unwrap_or_default(),
            reads: reads(node),
            materialized: node.kind() == K::CREATE_MATERIALIZED_VIEW,
            replace: has(node, K::OR_REPLACE),
        },
        K::DROP_VIEW | K::DROP_MATERIALIZED_VIEW => What::DropView {
            views: all_named(node, K::VIEW_REF),
            materialized: node.kind() == K::DROP_MATERIALIZED_VIEW,
            cascade: has(node, K::CASCADE),
        },
        K::ALTER_VIEW | K::ALTER_MATERIALIZED_VIEW => match child(node, K::VIEW_RENAME_TO).and_then(|to| named(&to, K::VIEW)) {
            Some(to) => What::RenameView {
                view: named(node, K::VIEW_REF).unwrap_or_default(),
                to,
                materialized: node.kind() == K::ALTER_MATERIALIZED_VIEW,
            },
            None => What::Other,
        },
        K::REFRESH => What::Refresh { view: named(node, K::VIEW_REF).unwrap_or_default(), concurrently: has(node, K::CONCURRENTLY_KW) },
        K::COPY => copy(node),
        K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::VALUES | K::TABLE | K::INSERT | K::UPDATE | K::DELETE | K::MERGE => dml(node),
        K::EXPLAIN => match (has(node, K::EXPLAIN_ANALYZE), node.children().find(|child| child.kind() != K::EXPLAIN_ANALYZE)) {
            (true, Some(inner)) => statement(&inner),
            _ => What::Other,
        },
        K::LOCK => lock(node),
        K::VACUUM => What::Vacuum {
            full: has(node, K::FULL_KW)
                || children_below(node, K::VACUUM_OPTION).any(|option| text(&option, 40).eq_ignore_ascii_case("full")),
            tables: tables_below(node),
        },
        K::CLUSTER => What::Cluster { table: named(node, K::TABLE_NAME_REF).or_else(|| tables_below(node).pop()) },
        K::ANALYZE => What::Analyze { tables: tables_below(node) },
        K::DO => What::Unseen { what: "DO block" },
        K::CALL => What::Unseen { what: "CALL" },
        K::EXECUTE => What::Unseen { what: "EXECUTE" },
        _ => objects(node),
    }
}

/// Types, functions, triggers, extensions and what belongs to the server.
fn objects(node: &Node) -> What {
    let cascade = has(node, K::CASCADE);
    match node.kind() {
        K::CREATE_TRIGGER => attachment("trigger", Change::Create, node),
        K::ALTER_TRIGGER => attachment("trigger", Change::Alter, node),
        K::DROP_TRIGGER => attachment("trigger", Change::Drop, node),
        K::CREATE_RULE => attachment("rule", Change::Create, node),
        K::ALTER_RULE => attachment("rule", Change::Alter, node),
        K::DROP_RULE => attachment("rule", Change::Drop, node),
        K::CREATE_POLICY => attachment("policy", Change::Create, node),
        K::ALTER_POLICY => attachment("policy", Change::Alter, node),
        K::DROP_POLICY => attachment("policy", Change::Drop, node),
        K::CREATE_STATISTICS => {
            What::CreateStatistics { table: child(node, K::FROM_TABLE).and_then(|from| named(&from, K::TABLE_NAME_REF)) }
        }
        K::COMMENT_ON => What::Comment { table: commented(node) },
        K::GRANT | K::REVOKE => {
            let tables = below(node, K::PRIVILEGE_DEFAULT).map(|object| all_named(&object, K::RELATION_NAME_REF)).unwrap_or_default();
            What::Grant { tables, revoke: node.kind() == K::REVOKE }
        }
        K::CREATE_TYPE => match child(node, K::ENUM_TYPE) {
            Some(values) => What::CreateEnum { name: named(node, K::TYPE_NAME).unwrap_or_default(), values: literals(&values) },
            None => What::Other,
        },
        K::ALTER_TYPE => alter_type(node),
        K::CREATE_DOMAIN => What::CreateDomain {
            name: named(node, K::DOMAIN).unwrap_or_default(),
            base: types::in_node(node).unwrap_or_default(),
            constrained: has(node, K::CHECK_CONSTRAINT) || has(node, K::NOT_NULL_CONSTRAINT),
        },
        K::ALTER_DOMAIN => {
            let added = child(node, K::ADD_CONSTRAINT);
            let not_null = has(node, K::SET_NOT_NULL);
            What::AlterDomain {
                name: named(node, K::DOMAIN_REF).unwrap_or_default(),
                scans: not_null
                    || has(node, K::VALIDATE_CONSTRAINT)
                    || added.as_ref().is_some_and(|added| below(added, K::NOT_VALID).is_none()),
                adds: not_null || added.is_some(),
            }
        }
        K::DROP_TYPE => What::DropType { noun: "type", names: all_named(node, K::TYPE_NAME_REF), cascade },
        K::DROP_DOMAIN => What::DropType { noun: "domain", names: all_named(node, K::DOMAIN_REF), cascade },
        K::DROP_SCHEMA => What::DropSchema { schemas: all_named(node, K::SCHEMA_REF), cascade },
        K::DROP_SEQUENCE => What::Drop { noun: "sequence", names: all_named(node, K::SEQUENCE_REF), cascade },
        K::DROP_FUNCTION | K::DROP_PROCEDURE | K::DROP_ROUTINE | K::DROP_AGGREGATE => {
            What::Drop { noun: "function", names: signatures(node), cascade }
        }
        K::DROP_FOREIGN_TABLE => What::Drop { noun: "foreign table", names: all_named(node, K::TABLE_NAME_REF), cascade },
        K::DROP_OWNED => What::Drop { noun: "objects of a role", names: Vec::new(), cascade },
        K::CREATE_FUNCTION | K::CREATE_PROCEDURE => What::CreateFunction {
            name: named(node, K::FUNCTION_NAME).or_else(|| named(node, K::PROCEDURE_NAME)).unwrap_or_default(),
            replace: has(node, K::OR_REPLACE),
        },
        K::ALTER_SEQUENCE => What::AlterSequence { name: named(node, K::SEQUENCE_REF).unwrap_or_default() },
        K::CREATE_EXTENSION => What::Extension { name: named(node, K::EXTENSION).unwrap_or_default(), change: Change::Create },
        K::ALTER_EXTENSION => What::Extension { name: named(node, K::EXTENSION_REF).unwrap_or_default(), change: Change::Alter },
        K::DROP_EXTENSION => What::Extension { name: named(node, K::EXTENSION_REF).unwrap_or_default(), change: Change::Drop },
        K::ALTER_SYSTEM => What::Server { what: "ALTER SYSTEM", transactional: false },
        K::CREATE_DATABASE => What::Server { what: "CREATE DATABASE", transactional: false },
        K::DROP_DATABASE => What::Server { what: "DROP DATABASE", transactional: false },
        K::CREATE_TABLESPACE => What::Server { what: "CREATE TABLESPACE", transactional: false },
        K::DROP_TABLESPACE => What::Server { what: "DROP TABLESPACE", transactional: false },
        K::ALTER_DATABASE => What::Server { what: "ALTER DATABASE", transactional: true },
        K::ALTER_SCHEMA => {
            let to = node.children().find(|child| child.kind() != K::SCHEMA_REF).and_then(|to| named(&to, K::SCHEMA));
            What::Schema { renamed: to.zip(named(node, K::SCHEMA_REF)).map(|(to, from)| (from, to)) }
        }
        _ => What::Other,
    }
}

fn attachment(noun: &'static str, change: Change, node: &Node) -> What {
    let table = [K::ON_RELATION, K::ON_TABLE, K::RULE_ON].into_iter().find_map(|kind| child(node, kind)).and_then(|on| relation(&on));
    What::Attachment { noun, change, table: table.unwrap_or_default() }
}

/// The relation that a clause names.
pub fn relation(clause: &Node) -> Option<Name> {
    clause.descendants().find(|node| matches!(node.kind(), K::RELATION_NAME_REF | K::TABLE_NAME_REF)).map(|node| name(&node))
}

fn children_below(node: &Node, kind: K) -> impl Iterator<Item = Node> {
    node.descendants().filter(move |node| node.kind() == kind)
}

fn tables_below(node: &Node) -> Vec<Name> {
    let mut tables: Vec<Name> = children_below(node, K::TABLE_NAME_REF).map(|node| name(&node)).collect();
    if tables.is_empty() {
        tables = children_below(node, K::RELATION_NAME_REF).map(|node| name(&node)).collect();
    }
    tables
}

fn into_name(into: &Node) -> Name {
    into.children().map(|child| name(&child)).last().unwrap_or_default()
}

/// Every relation in a FROM clause below, less the names that WITH gives.
pub fn reads(node: &Node) -> Vec<Name> {
    let own: Vec<Name> = children_below(node, K::CTE_NAME).map(|node| name(&node)).collect();
    let mut read: Vec<Name> = node
        .descendants()
        .filter(|node| matches!(node.kind(), K::RELATION_FROM_ITEM | K::TABLE))
        .filter_map(|item| relation(&item))
        .filter(|name| !own.contains(name))
        .collect();
    read.sort_unstable();
    read.dedup();
    read
}

/// Values of the string literals below.
pub fn literals(node: &Node) -> Vec<String> {
    words(node).filter(|token| token.kind() == K::STRING).map(|token| literal(token.text())).collect()
}

fn signatures(node: &Node) -> Vec<Name> {
    let named = |kind| children_below(node, kind).map(|node| name(&node)).collect::<Vec<_>>();
    [K::FUNCTION_NAME_REF, K::PROCEDURE_NAME_REF, K::ROUTINE_NAME_REF, K::AGGREGATE_NAME]
        .into_iter()
        .map(named)
        .find(|names| !names.is_empty())
        .unwrap_or_default()
}

fn setting(node: &Node) -> What {
    let Some(parameter) = below(node, K::CONFIG_PARAMETER_REF) else { return What::Other };
    let value = below(node, K::TO_CONFIG_VALUE).map(|value| {
        let words: Vec<String> = words(&value).skip(1).map(|token| literal(token.text())).collect();
        words.join(" ")
    });
    let value = value.filter(|value| !value.eq_ignore_ascii_case("default"));
    What::Set { name: name(&parameter), value, local: has(node, K::LOCAL_SCOPE) }
}

fn commented(node: &Node) -> Option<Name> {
    let object = node.children().next()?;
    match object.kind() {
        K::OBJECT_TABLE => relation(&object),
        K::OBJECT_COLUMN => {
            let column = object.children().next().map(|column| name(&column))?;
            column.rsplit_once('.').map(|(table, _)| table.strip_prefix("public.").unwrap_or(table).to_owned())
        }
        _ => None,
    }
}

fn create_index(node: &Node) -> What {
    let list = child(node, K::PARTITION_ITEM_LIST);
    let items: Vec<Node> = list.iter().flat_map(|list| children(list, K::PARTITION_ITEM)).collect();
    let columns: Vec<Name> = items.iter().filter_map(|item| named(item, K::NAME_REF)).collect();
    let relation_name = child(node, K::TABLE_RELATION_NAME);
    let plain = columns.len() == items.len() && !has(node, K::WHERE_CLAUSE);
    let mut rest = String::new();
    let whole = text(node, 400);
    if let Some(at) = whole.to_lowercase().find(" on ") {
        rest = whole.get(at + 1..).unwrap_or_default().trim_end_matches(';').to_owned();
    }
    What::CreateIndex(CreateIndex {
        index: named(node, K::INDEX),
        table: relation_name.as_ref().and_then(|clause| named(clause, K::TABLE_NAME_REF)).unwrap_or_default(),
        columns,
        unique: has(node, K::UNIQUE_KW),
        concurrently: has(node, K::CONCURRENTLY_KW),
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        only: relation_name.is_some_and(|clause| has(&clause, K::ONLY_KW)),
        plain,
        rest,
    })
}

fn reindex(node: &Node) -> What {
    let concurrently = words(node).any(|token| token.kind() == K::CONCURRENTLY_KW);
    let target = match () {
        () if has(node, K::REINDEX_TARGET_INDEX) => ReindexTarget::Index,
        () if has(node, K::REINDEX_TARGET_TABLE) => ReindexTarget::Table,
        () => ReindexTarget::Many,
    };
    let name = match target {
        ReindexTarget::Index => below(node, K::INDEX_REF).map(|node| name(&node)),
        ReindexTarget::Table => relation(node),
        ReindexTarget::Many => None,
    };
    What::Reindex { target, name, concurrently }
}

fn lock(node: &Node) -> What {
    let tables = children_below(node, K::RELATION_NAME_REF).map(|node| name(&node)).collect();
    let mode = child(node, K::LOCK_MODE_CLAUSE).map(|clause| {
        let text: Vec<String> =
            words(&clause).map(|token| token.text().to_uppercase()).filter(|word| word != "IN" && word != "MODE").collect();
        text.join(" ")
    });
    let mode = mode.and_then(|text| Mode::named(&text)).unwrap_or(Mode::AccessExclusive);
    What::LockTable { tables, mode }
}

fn copy(node: &Node) -> What {
    What::Copy {
        table: child(node, K::COPY_TABLE).and_then(|table| relation(&table)),
        into: has(node, K::COPY_FROM),
        program: words(node).any(|token| token.kind() == K::PROGRAM_KW),
    }
}

fn verb(kind: K) -> Option<Verb> {
    match kind {
        K::INSERT => Some(Verb::Insert),
        K::UPDATE => Some(Verb::Update),
        K::DELETE => Some(Verb::Delete),
        K::MERGE => Some(Verb::Merge),
        _ => None,
    }
}

fn dml(node: &Node) -> What {
    if let Some(setting) = set_config(node) {
        return setting;
    }
    let mut writes = Vec::new();
    for part in node.descendants() {
        if let Some(verb) = verb(part.kind()) {
            let target = part
                .children()
                .find(|child| matches!(child.kind(), K::RELATION_NAME | K::RELATION_NAME_REF | K::TABLE_RELATION_NAME | K::TABLE_NAME_REF));
            writes.extend(target.map(|target| (name(&target), verb)));
        }
    }
    What::Dml(Dml {
        verb: verb(node.kind()).unwrap_or(Verb::Select),
        writes,
        reads: reads(node),
        filtered: has(node, K::WHERE_CLAUSE) || has(node, K::WHERE_CURRENT_OF) || has(node, K::LIMIT_CLAUSE),
        few: has(node, K::VALUES),
    })
}

/// `SELECT set_config('lock_timeout', '2s', true)` is a SET by another name.
fn set_config(node: &Node) -> Option<What> {
    if node.kind() != K::SELECT || has(node, K::FROM_CLAUSE) {
        return None;
    }
    let call = below(node, K::CALL_EXPR)?;
    let called = name(&call.children().next()?);
    if called != "set_config" && called != "pg_catalog.set_config" {
        return None;
    }
    let arguments: Vec<String> = child(&call, K::ARG_LIST)?
        .children()
        .filter(|child| child.kind() == K::ARG)
        .map(|argument| literal(&text(&argument, 60)))
        .collect();
    let [name, value, local] = arguments.as_slice() else { return None };
    Some(What::Set { name: name.to_lowercase(), value: Some(value.clone()), local: local.eq_ignore_ascii_case("true") || local == "t" })
}

fn alter_type(node: &Node) -> What {
    let name_of = named(node, K::TYPE_NAME_REF).unwrap_or_default();
    if let Some(added) = child(node, K::ADD_VALUE) {
        let value = child(&added, K::LITERAL).map(|value| literal(&text(&value, 200))).unwrap_or_default();
        return What::EnumValue { name: name_of, value, placed: has(&added, K::BEFORE_VALUE) || has(&added, K::AFTER_VALUE) };
    }
    let breaks = match () {
        () if has(node, K::RENAME_VALUE) => Some("renames a value"),
        () if has(node, K::TYPE_RENAME_TO) => Some("renames the type"),
        () if has(node, K::SET_SCHEMA) => Some("moves the type"),
        () if has(node, K::ALTER_TYPE_ATTRIBUTE_ACTION_LIST) => Some("changes its attributes"),
        () => None,
    };
    What::AlterType { name: name_of, breaks }
}

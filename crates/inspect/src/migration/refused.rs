//! What the parser lets through and PostgreSQL's grammar, or the step right after it, refuses.
//!
//! Each was tried on real servers; the pairs are in `tests/migration/refused.sql`.

use super::tree::{K, Node, child, has, name, text, words};

/// (byte offset, what was expected) of the statement as a whole.
pub fn whole(statement: &Node) -> Option<(usize, String)> {
    if let Some(expected) = unfinished(statement) {
        return Some((usize::from(statement.text_range().end()), format!("expected {expected}")));
    }
    if statement.kind() == K::UPDATE { set_twice(statement) } else { None }
}

/// What the statement ends without.
fn unfinished(statement: &Node) -> Option<&'static str> {
    let without = |kind: K| !has(statement, kind);
    match statement.kind() {
        K::ALTER_TABLE if without(K::ALL_IN_TABLESPACE) && statement.children().all(|part| is_head(part.kind())) => Some("an action"),
        K::CREATE_TABLE if [K::TABLE_ARG_LIST, K::OF_TYPE, K::PARTITION_OF].into_iter().all(without) => {
            Some("(columns), OF or PARTITION OF")
        }
        K::DROP_TABLE if without(K::TABLE_NAME_REF) => Some("a table"),
        K::DROP_INDEX if without(K::INDEX_REF) => Some("an index"),
        K::GRANT | K::REVOKE if statement.children().next().is_none_or(|first| first.kind() == K::ROLE_REF_LIST) => {
            Some("privileges or roles")
        }
        _ => None,
    }
}

fn is_head(kind: K) -> bool {
    matches!(kind, K::TABLE_RELATION_NAME | K::IF_EXISTS)
}

/// What is wrong with one node of a statement.
pub fn in_node(node: &Node) -> Option<String> {
    let in_column = || node.parent().is_some_and(|parent| matches!(parent.kind(), K::COLUMN | K::ADD_COLUMN));
    let expected = match node.kind() {
        K::PARTITION_STRATEGY => {
            let strategy = text(node, 40);
            let known = ["list", "range", "hash"].iter().any(|known| strategy.trim_matches('"').eq_ignore_ascii_case(known));
            return (!known).then(|| format!("expected LIST, RANGE or HASH as partition strategy, found {strategy}"));
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT | K::EXCLUDE_CONSTRAINT if has(node, K::NOT_VALID) => {
            "only CHECK, FOREIGN KEY and NOT NULL constraints of a table can be NOT VALID"
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT | K::EXCLUDE_CONSTRAINT if has(node, K::NOT_ENFORCED) => {
            "only CHECK and FOREIGN KEY constraints can be NOT ENFORCED"
        }
        K::CHECK_CONSTRAINT | K::REFERENCES_CONSTRAINT | K::NOT_NULL_CONSTRAINT if in_column() && has(node, K::NOT_VALID) => {
            "a column's own constraint cannot be NOT VALID; add it to the table"
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT
            if child(node, K::USING_INDEX_NAME).is_some() && node.parent().is_none_or(|parent| parent.kind() != K::ADD_CONSTRAINT) =>
        {
            "USING INDEX belongs to ALTER TABLE … ADD CONSTRAINT"
        }
        K::CHECK_CONSTRAINT | K::FOREIGN_KEY_CONSTRAINT | K::ALTER_CONSTRAINT
            if has(node, K::NOT_ENFORCED) && has(node, K::ENFORCED) || has(node, K::INHERIT) && has(node, K::NO_INHERIT) =>
        {
            "one of two options that contradict each other"
        }
        K::DETACH_PARTITION | K::ATTACH_PARTITION if !child(node, K::TABLE_NAME_REF).is_some_and(|name| is_name(&name)) => {
            "expected a partition"
        }
        K::NULLS_DISTINCT | K::NULLS_NOT_DISTINCT if !has(node, K::DISTINCT_KW) => "expected NULLS DISTINCT or NULLS NOT DISTINCT",
        K::USING_ON_CLAUSE if node.children().all(|part| part.kind() == K::ON_CLAUSE) => "expected a table or query after USING",
        K::PUBLICATION_OBJECT_TABLE if !has(node, K::TABLE_NAME_REF) && !has(node, K::RELATION_NAME) => "expected a table",
        _ => return None,
    };
    Some(expected.to_owned())
}

/// CONCURRENTLY is no name, unless it is quoted.
fn is_name(node: &Node) -> bool {
    words(node).next().is_some_and(|first| first.kind() != K::CONCURRENTLY_KW)
}

/// `UPDATE t SET a = 1, a = 2`. Parts of a column (`a[1]`, `a.b`) may be set apart from each other.
fn set_twice(update: &Node) -> Option<(usize, String)> {
    let list = child(update, K::SET_CLAUSE).and_then(|set| child(&set, K::SET_COLUMN_LIST))?;
    let mut seen = Vec::new();
    for target in list.descendants().filter(|node| node.kind() == K::COLUMN_TARGET && node.children().count() == 1) {
        let column = name(&target);
        if seen.contains(&column) {
            return Some((usize::from(target.text_range().start()), format!("expected one assignment to {column}, found two")));
        }
        seen.push(column);
    }
    None
}

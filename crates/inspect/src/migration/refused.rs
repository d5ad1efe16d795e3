//! What the parser lets through and PostgreSQL's grammar, or the step right after it, refuses.
//!
//! Each was tried on real servers; the pairs are in `tests/migration/refused.sql`.

use super::tree::{K, Node, child, has, name, text};

/// (byte offset, what was expected) for each such place of a statement.
pub fn in_statement(statement: &Node) -> Vec<(usize, String)> {
    if statement.kind() == K::UPDATE {
        return set_twice(statement).into_iter().collect();
    }
    if !matches!(statement.kind(), K::CREATE_TABLE | K::ALTER_TABLE | K::CREATE_INDEX | K::CREATE_FOREIGN_TABLE) {
        return Vec::new();
    }
    statement.descendants().filter_map(|node| in_node(&node).map(|message| (usize::from(node.text_range().start()), message))).collect()
}

fn in_node(node: &Node) -> Option<String> {
    let in_column = || node.parent().is_some_and(|parent| matches!(parent.kind(), K::COLUMN | K::ADD_COLUMN));
    match node.kind() {
        K::PARTITION_STRATEGY => {
            let strategy = text(node, 40);
            let known = ["list", "range", "hash"].iter().any(|known| strategy.trim_matches('"').eq_ignore_ascii_case(known));
            (!known).then(|| format!("expected LIST, RANGE or HASH as partition strategy, found {strategy}"))
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT | K::EXCLUDE_CONSTRAINT if has(node, K::NOT_VALID) => {
            Some("only CHECK, FOREIGN KEY and NOT NULL constraints of a table can be NOT VALID".to_owned())
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT | K::EXCLUDE_CONSTRAINT if has(node, K::NOT_ENFORCED) => {
            Some("only CHECK and FOREIGN KEY constraints can be NOT ENFORCED".to_owned())
        }
        K::CHECK_CONSTRAINT | K::REFERENCES_CONSTRAINT | K::NOT_NULL_CONSTRAINT if in_column() && has(node, K::NOT_VALID) => {
            Some("a column's own constraint cannot be NOT VALID; add it to the table".to_owned())
        }
        K::UNIQUE_CONSTRAINT | K::PRIMARY_KEY_CONSTRAINT if in_column() && child(node, K::USING_INDEX_NAME).is_some() => {
            Some("USING INDEX belongs to ALTER TABLE … ADD CONSTRAINT".to_owned())
        }
        _ => None,
    }
}

/// `UPDATE t SET a = 1, a = 2`. Parts of a column (`a[1]`, `a.b`) may be set apart from each other.
fn set_twice(update: &Node) -> Option<(usize, String)> {
    let list = child(update, K::SET_CLAUSE).and_then(|set| child(&set, K::SET_COLUMN_LIST))?;
    let mut seen = Vec::new();
    for target in list.children().filter_map(|column| child(&column, K::COLUMN_TARGET)).filter(|target| target.children().count() == 1) {
        let column = name(&target);
        if seen.contains(&column) {
            return Some((usize::from(target.text_range().start()), format!("expected one assignment to {column}, found two")));
        }
        seen.push(column);
    }
    None
}

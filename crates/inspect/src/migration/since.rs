//! Since which major version PostgreSQL has a piece of grammar. The parser takes the newest grammar for every target.
//!
//! Source: the release notes of PostgreSQL 14 to 18 (appendix E), tried on servers 13 to 18 (`tests/migration/since.sql`).
//! 19 stands for what no supported version has.

use super::tree::{K, Node, child, has, text, words};

/// (what, since), where it is newer than 13.
pub fn node(node: &Node) -> Option<(&'static str, u32)> {
    let found = match node.kind() {
        K::DETACH_CONCURRENTLY => ("DETACH PARTITION … CONCURRENTLY", 14),
        K::DETACH_FINALIZE => ("DETACH PARTITION … FINALIZE", 14),
        K::SET_COMPRESSION => ("SET COMPRESSION", 14),
        K::COMPRESSION_METHOD => ("COMPRESSION of a column", 14),
        K::ATOMIC_BODY => ("function body BEGIN ATOMIC", 14),
        K::RETURN_STMT => ("function body RETURN", 14),
        K::CREATE_TRIGGER if has(node, K::OR_REPLACE) => ("CREATE OR REPLACE TRIGGER", 14),
        K::DISTINCT if parent_is(node, K::GROUP_BY_CLAUSE) => ("GROUP BY DISTINCT", 14),
        K::SEARCH_CLAUSE | K::CYCLE_CLAUSE => ("SEARCH and CYCLE of WITH RECURSIVE", 14),
        K::JOIN_USING_CLAUSE if has(node, K::REQUIRED_AS_ALIAS) => ("JOIN … USING (…) AS", 14),
        K::REINDEX_OPTION_TABLESPACE => ("REINDEX (TABLESPACE …)", 14),
        K::STATISTICS_ON_CLAUSE if node.children().any(|part| part.kind() != K::NAME_REF) => ("CREATE STATISTICS on expressions", 14),
        K::SET_NULL_COLUMNS | K::SET_DEFAULT_COLUMNS if has(node, K::COLUMN_REF_LIST) => ("ON DELETE SET NULL (columns)", 15),
        K::PUBLICATION_OBJECT_TABLES_IN_SCHEMA => ("publications of TABLES IN SCHEMA", 15),
        K::PUBLICATION_OBJECT_TABLE if has(node, K::COLUMN_REF_LIST) || has(node, K::WHERE_CONDITION_CLAUSE) => {
            ("publications of columns and rows", 15)
        }
        K::NULLS_NOT_DISTINCT => ("NULLS NOT DISTINCT", 15),
        K::MERGE if child(node, K::RETURNING_CLAUSE).is_some() => ("MERGE … RETURNING", 17),
        K::MERGE => ("MERGE", 15),
        K::SET_ACCESS_METHOD if has(node, K::DEFAULT_KW) => ("SET ACCESS METHOD DEFAULT", 17),
        K::SET_ACCESS_METHOD => ("ALTER TABLE … SET ACCESS METHOD", 15),
        K::ATTRIBUTE_NAME if text(node, 40).eq_ignore_ascii_case("security_invoker") => ("views with security_invoker", 15),
        K::CREATE_STATISTICS if child(node, K::STATISTICS).is_none() => ("CREATE STATISTICS without a name", 16),
        K::REINDEX_TARGET_DATABASE | K::REINDEX_TARGET_SYSTEM if node.children().next().is_none() => {
            ("REINDEX DATABASE without a name", 16)
        }
        K::JSON_OBJECT_FN | K::JSON_ARRAY_FN | K::JSON_OBJECT_AGG_FN | K::JSON_ARRAY_AGG_FN => ("SQL/JSON constructors", 16),
        K::JSON_TABLE | K::JSON_EXISTS_FN | K::JSON_QUERY_FN | K::JSON_VALUE_FN | K::JSON_SCALAR_FN | K::JSON_SERIALIZE_FN | K::JSON_FN => {
            ("SQL/JSON query functions", 17)
        }
        K::IS_JSON | K::IS_NOT_JSON => ("IS JSON", 16),
        K::STORAGE if parent_is(node, K::COLUMN) => ("STORAGE of a column in CREATE TABLE", 16),
        K::PAREN_FROM_ITEM if has(node, K::PAREN_SELECT) && node.children().count() == 1 => ("a subquery in FROM without a name", 16),
        K::GRANT_ROLE_OPTION if !text(node, 40).to_lowercase().starts_with("admin") => ("GRANT … WITH INHERIT or SET", 16),
        K::GRANT | K::REVOKE
            if words(node).take_while(|token| token.kind() != K::ON_KW).any(|token| token.text().eq_ignore_ascii_case("maintain")) =>
        {
            ("the privilege MAINTAIN", 17)
        }
        K::MERGE_WHEN_NOT_MATCHED_SOURCE => ("WHEN NOT MATCHED BY SOURCE", 17),
        K::SET_EXPRESSION => ("SET EXPRESSION", 17),
        K::VIRTUAL => ("virtual generated columns", 18),
        K::NOT_ENFORCED | K::ENFORCED => ("constraints that are (NOT) ENFORCED", 18),
        K::NOT_NULL_CONSTRAINT if node.parent().is_some_and(|parent| matches!(parent.kind(), K::ADD_CONSTRAINT | K::TABLE_ARG_LIST)) => {
            ("NOT NULL as a table constraint", 18)
        }
        K::GENERATED_CONSTRAINT if is_unsaid(node) => ("generated columns without STORED", 18),
        K::ALTER_CONSTRAINT if has(node, K::INHERIT) || has(node, K::NO_INHERIT) => ("ALTER CONSTRAINT … INHERIT", 18),
        K::CONSTRAINT_COLUMN_REF_LIST | K::FOREIGN_KEY_COLUMN_LIST if has_word(node, &["without", "period"]) => ("temporal keys", 18),
        K::RETURNING_OPTION_LIST => ("RETURNING WITH (OLD AS …)", 18),
        K::TABLE_AND_COLUMNS if has_word(node, &["only"]) => ("VACUUM and ANALYZE of ONLY a table", 18),
        K::SPLIT_PARTITION | K::MERGE_PARTITIONS => ("SPLIT and MERGE PARTITIONS", 19),
        K::REPACK => ("REPACK", 19),
        K::CREATE_PROPERTY_GRAPH | K::ALTER_PROPERTY_GRAPH | K::DROP_PROPERTY_GRAPH | K::GRAPH_TABLE_FN => ("property graphs", 19),
        K::FOR_PORTION_OF => ("FOR PORTION OF", 19),
        _ => return None,
    };
    Some(found)
}

/// Numbers with `_`, and in another base than ten.
pub fn number(text: &str) -> Option<(&'static str, u32)> {
    let other_base =
        text.len() > 2 && text.starts_with('0') && text.as_bytes()[1].is_ascii_alphabetic() && !text[1..].starts_with(['e', 'E']);
    (text.contains('_') || other_base).then_some(("numbers such as 1_000 and 0xff", 16))
}

/// `GENERATED ALWAYS AS (…)` with neither STORED nor VIRTUAL.
fn is_unsaid(node: &Node) -> bool {
    !has(node, K::GENERATED_IDENTITY) && !words(node).any(|token| matches!(token.kind(), K::STORED_KW | K::VIRTUAL_KW))
}

fn parent_is(node: &Node, kind: K) -> bool {
    node.parent().is_some_and(|parent| parent.kind() == kind)
}

fn has_word(node: &Node, sought: &[&str]) -> bool {
    words(node).any(|token| sought.iter().any(|word| token.text().eq_ignore_ascii_case(word)))
}

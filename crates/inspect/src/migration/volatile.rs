//! Whether an expression gives each row a value of its own. PostgreSQL 11 and later keep one value in the catalog for a
//! default that does not, and write every row anew for one that does (ALTER TABLE, section "Notes").

use super::tree::{K, Node, name, part, words};

/// Functions of PostgreSQL that are immutable or stable (`pg_proc.provolatile`): those that people use in defaults.
const STEADY: [&str; 62] = [
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "current_user",
    "session_user",
    "current_role",
    "current_schema",
    "user",
    "current_setting",
    "current_database",
    "lower",
    "upper",
    "initcap",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "lpad",
    "rpad",
    "left",
    "right",
    "length",
    "char_length",
    "substring",
    "substr",
    "replace",
    "concat",
    "concat_ws",
    "format",
    "md5",
    "sha256",
    "encode",
    "decode",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_number",
    "date_trunc",
    "date_part",
    "extract",
    "age",
    "make_date",
    "make_interval",
    "make_timestamp",
    "make_timestamptz",
    "abs",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "power",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "jsonb_build_object",
    "jsonb_build_array",
];
const MORE_STEADY: [&str; 26] = [
    "json_build_object",
    "json_build_array",
    "to_json",
    "to_jsonb",
    "array_append",
    "array_cat",
    "array_length",
    "array_to_string",
    "string_to_array",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "point",
    "box",
    "hstore",
    "row",
    "cast",
    "timezone",
    "regexp_replace",
    "split_part",
    "translate",
    "repeat",
    "reverse",
];
/// Functions that are volatile and well known; what is in neither list is taken for volatile, as CREATE FUNCTION does.
pub const VOLATILE: [&str; 14] = [
    "random",
    "clock_timestamp",
    "timeofday",
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "nextval",
    "setval",
    "currval",
    "gen_random_bytes",
    "random_normal",
];

/// The function that makes the expression volatile, or that nobody here knows.
pub fn culprit(expression: &Node) -> Option<String> {
    for node in expression.descendants() {
        if node.kind() != K::CALL_EXPR {
            continue;
        }
        let Some(called) = node.children().find(|child| child.kind() != K::ARG_LIST) else { continue };
        let full = name(&called);
        let short = full.strip_prefix("pg_catalog.").unwrap_or(&full);
        if !STEADY.contains(&short) && !MORE_STEADY.contains(&short) {
            return Some(full);
        }
    }
    None
}

/// The columns c1 … cn of `c1 IS NOT NULL AND … AND cn IS NOT NULL`, in any parentheses; empty for anything else.
pub fn not_null_columns(expression: &Node) -> Vec<String> {
    let tokens: Vec<_> = words(expression).filter(|token| !matches!(token.kind(), K::L_PAREN | K::R_PAREN)).collect();
    let mut columns = Vec::new();
    for clause in tokens.split(|token| token.kind() == K::AND_KW) {
        match clause {
            [column, is, not, null] if is.kind() == K::IS_KW && not.kind() == K::NOT_KW && null.kind() == K::NULL_KW => {
                columns.push(part(column.text()));
            }
            _ => return Vec::new(),
        }
    }
    columns
}

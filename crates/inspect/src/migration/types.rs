//! Column types: which one is meant, and whether changing one to another leaves the rows as they are.

use super::tree::{K, Node, bare, text, words};

/// A type with its arguments, by PostgreSQL's own short name (`int4` is `integer`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SqlType {
    /// `integer`, `varchar`, `timestamptz`, …; a user's type keeps its name.
    pub base: String,
    /// Length, or precision and scale.
    pub args: Vec<u32>,
    pub array: bool,
    /// As it was written.
    pub written: String,
}

/// What a change of type does to a table (`ATColumnChangeRequiresRewrite`, and section "Notes" of ALTER TABLE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The catalog alone.
    Nothing,
    /// Every row is written anew, and every index with it.
    Rewrite,
    /// That depends on what the column is now, which the files do not show.
    Unknown,
}

/// The type in `parent`'s children, if there is one.
pub fn in_node(parent: &Node) -> Option<SqlType> {
    parent.children().find(|child| is_type(child.kind())).map(|node| read(&node))
}

fn is_type(kind: K) -> bool {
    matches!(
        kind,
        K::ARRAY_TYPE
            | K::BIT_TYPE
            | K::BIT_VARYING_TYPE
            | K::CHARACTER_TYPE
            | K::DOUBLE_TYPE
            | K::INTERVAL_TYPE
            | K::PATH_TYPE
            | K::TIME_TYPE
            | K::TIMESTAMP_TYPE
            | K::VARCHAR_TYPE
    )
}

/// Reads a type node by its words: the grammar of types is small, and words are what people wrote.
pub fn read(node: &Node) -> SqlType {
    let mut base = String::new();
    let mut args = Vec::new();
    let mut array = false;
    let mut depth = 0;
    for token in words(node) {
        match token.kind() {
            K::L_PAREN => depth += 1,
            K::R_PAREN => depth -= 1,
            K::L_BRACK | K::ARRAY_KW => array = true,
            K::R_BRACK => {}
            K::INT_NUMBER if array && depth == 0 => {}
            K::SETOF_KW => {}
            _ if depth > 0 => args.extend(token.text().parse::<u32>().ok()),
            K::DOT => base.push('.'),
            _ => {
                if !base.is_empty() && !base.ends_with('.') {
                    base.push(' ');
                }
                base.push_str(&token.text().to_lowercase());
            }
        }
    }
    let base = canonical(&base, &mut args);
    SqlType { base, args, array, written: text(node, 80) }
}

fn canonical(base: &str, args: &mut Vec<u32>) -> String {
    let base = base.strip_prefix("pg_catalog.").unwrap_or(base);
    let name = match base {
        "int" | "int4" | "integer" => "integer",
        "int8" | "bigint" => "bigint",
        "int2" | "smallint" => "smallint",
        "serial" | "serial4" => "serial",
        "bigserial" | "serial8" => "bigserial",
        "smallserial" | "serial2" => "smallserial",
        "decimal" | "dec" | "numeric" => "numeric",
        "bool" | "boolean" => "boolean",
        "float8" | "double precision" => "double",
        "float4" | "real" => "real",
        "float" => return if args.first().is_some_and(|bits| *bits <= 24) { "real" } else { "double" }.to_owned(),
        "varchar" | "character varying" | "char varying" | "national character varying" | "national char varying" | "nchar varying" => {
            "varchar"
        }
        "char" | "character" | "national character" | "national char" | "nchar" | "bpchar" => {
            if args.is_empty() && base != "bpchar" {
                args.push(1);
            }
            "char"
        }
        "timestamp" | "timestamp without time zone" => "timestamp",
        "timestamptz" | "timestamp with time zone" => "timestamptz",
        "time" | "time without time zone" => "time",
        "timetz" | "time with time zone" => "timetz",
        "varbit" | "bit varying" => "varbit",
        other => other,
    };
    name.to_owned()
}

impl SqlType {
    pub fn is_serial(&self) -> bool {
        matches!(self.base.as_str(), "serial" | "bigserial" | "smallserial")
    }
    /// What the column is once made: a serial is an integer.
    pub fn stored(&self) -> SqlType {
        let base = match self.base.as_str() {
            "serial" => "integer",
            "bigserial" => "bigint",
            "smallserial" => "smallint",
            _ => return self.clone(),
        };
        SqlType { base: base.to_owned(), ..self.clone() }
    }
    /// Whether it is a name that PostgreSQL does not bring: an enum, a domain, an extension's type.
    pub fn is_foreign(&self) -> bool {
        const OWN: [&str; 48] = [
            "integer",
            "bigint",
            "smallint",
            "serial",
            "bigserial",
            "smallserial",
            "numeric",
            "boolean",
            "double",
            "real",
            "varchar",
            "char",
            "\"char\"",
            "text",
            "timestamp",
            "timestamptz",
            "time",
            "timetz",
            "date",
            "interval",
            "uuid",
            "json",
            "jsonb",
            "xml",
            "bytea",
            "inet",
            "cidr",
            "macaddr",
            "macaddr8",
            "money",
            "bit",
            "varbit",
            "point",
            "line",
            "lseg",
            "box",
            "path",
            "polygon",
            "circle",
            "tsvector",
            "tsquery",
            "oid",
            "regclass",
            "name",
            "int4range",
            "int8range",
            "tstzrange",
            "daterange",
        ];
        !OWN.contains(&self.base.as_str())
    }
    fn arg(&self, index: usize) -> Option<u32> {
        self.args.get(index).copied()
    }
}

/// What changing `from` into `to` does. `from` is `None` where the files do not show it.
///
/// The pairs are PostgreSQL's binary-coercible casts (`pg_cast`, method b) and the support functions that drop a length
/// coercion which cannot change a value (`varchar_support`, `numeric_support`, `varbit_support`, `TemporalSimplify`,
/// `interval_support`).
pub fn change(from: Option<&SqlType>, to: &SqlType) -> Change {
    let Some(from) = from else { return Change::Unknown };
    if from.array != to.array {
        return Change::Rewrite;
    }
    // Element coercions are wrapped in ArrayCoerceExpr, which is not looked through.
    if from.array {
        return if from.base == to.base && from.args == to.args { Change::Nothing } else { Change::Rewrite };
    }
    let keeps = match (from.base.as_str(), to.base.as_str()) {
        ("varchar", "varchar") | ("varbit", "varbit") => wider(from.arg(0), to.arg(0)),
        ("text", "varchar") => to.args.is_empty(),
        ("varchar" | "text", "text") | ("cidr", "inet") | ("xml", "text") => true,
        ("numeric", "numeric") => numeric_keeps(from, to),
        ("timestamp", "timestamp") | ("timestamptz", "timestamptz") | ("time", "time") | ("timetz", "timetz") => {
            to.arg(0).is_none_or(|digits| digits >= 6 || from.arg(0).is_some_and(|old| old <= digits))
        }
        // The session's zone decides; only UTC leaves the rows alone, and nobody can promise it here.
        ("timestamp", "timestamptz") | ("timestamptz", "timestamp") => false,
        ("interval", "interval") => to.args.is_empty() || from.args == to.args,
        (a, b) if a == b => from.args == to.args,
        _ if from.is_foreign() || to.is_foreign() => return Change::Unknown,
        _ => false,
    };
    if keeps { Change::Nothing } else { Change::Rewrite }
}

fn wider(from: Option<u32>, to: Option<u32>) -> bool {
    match (from, to) {
        (_, None) => true,
        (Some(from), Some(to)) => to >= from,
        (None, Some(_)) => false,
    }
}

fn numeric_keeps(from: &SqlType, to: &SqlType) -> bool {
    match (from.arg(0), to.arg(0)) {
        (_, None) => true,
        (Some(old), Some(new)) => new >= old && from.arg(1).unwrap_or(0) == to.arg(1).unwrap_or(0),
        (None, Some(_)) => false,
    }
}

/// Whether the name of a column type is the one of a user's type `name`.
pub fn means(ty: &SqlType, name: &str) -> bool {
    bare(&ty.base) == bare(name)
}

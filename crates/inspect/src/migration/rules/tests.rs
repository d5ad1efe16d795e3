//! Every rule by example, with a quiet neighbour where there is one; and the rules that squawk and eugene publish, each by
//! an example of our own.

use super::RULES;
use crate::finding::Severity;
use crate::migration::{Options, Report, check};

/// Each file after `-- file` lines; timeouts are set so that only what is meant is found.
fn judge(sql: &str, options: &Options) -> Report {
    let files: Vec<(String, Vec<u8>)> =
        sql.split("-- file\n").enumerate().map(|(index, text)| (format!("{}.sql", index + 1), text.as_bytes().to_vec())).collect();
    check(&files, options).unwrap_or_else(|places| panic!("{places:?}\nfor {sql}"))
}

fn options() -> Options {
    let mut options = Options::new(17);
    options.assumed.lock = true;
    options.assumed.statement = true;
    options
}

fn found(report: &Report) -> Vec<(&str, Severity)> {
    report.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity)).collect()
}

fn finds(sql: &str, rule: &str, severity: Severity) {
    let report = judge(sql, &options());
    assert!(found(&report).contains(&(rule, severity)), "expected {severity} {rule}, found {:?}\nfor {sql}", found(&report));
}

fn quiet(sql: &str, rule: &str) {
    let report = judge(sql, &options());
    assert!(!found(&report).iter().any(|(name, _)| *name == rule), "did not expect {rule}, found {:?}\nfor {sql}", found(&report));
}

use Severity::{Critical, High, Info, Low, Medium};

/// (rule, severity, what has it, what does not).
const EXAMPLES: &[(&str, Severity, &str, &str)] = &[
    (
        "volatile-default-rewrite",
        High,
        "ALTER TABLE t ADD c uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ADD c timestamptz DEFAULT now()",
    ),
    ("volatile-default-rewrite", High, "ALTER TABLE t ADD c int DEFAULT my_function()", "ALTER TABLE t ADD c int DEFAULT 1 + 2"),
    ("serial-column-rewrite", High, "ALTER TABLE t ADD c bigserial", "ALTER TABLE t ADD c bigint"),
    ("identity-column-rewrite", High, "ALTER TABLE t ADD c bigint GENERATED ALWAYS AS IDENTITY", "ALTER TABLE t ADD c bigint"),
    ("generated-column-rewrite", High, "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED", "ALTER TABLE t ADD c int"),
    ("generated-column-rewrite", High, "ALTER TABLE t ALTER c SET EXPRESSION AS (a * 2)", "ALTER TABLE t ALTER c DROP EXPRESSION"),
    (
        "constrained-domain-rewrite",
        High,
        "CREATE DOMAIN d AS int CHECK (VALUE > 0);\n-- file\nALTER TABLE t ADD c d",
        "CREATE DOMAIN d AS int;\n-- file\nALTER TABLE t ADD c d",
    ),
    (
        "type-change-rewrite",
        High,
        "ALTER TABLE t ALTER c TYPE bigint",
        "CREATE TABLE t (c varchar(5));\n-- file\nALTER TABLE t ALTER c TYPE varchar(9)",
    ),
    (
        "type-change-rewrite",
        High,
        "CREATE TABLE t (c varchar(5));\n-- file\nALTER TABLE t ALTER c TYPE text USING lower(c)",
        "CREATE TABLE t (c varchar(5));\n-- file\nALTER TABLE t ALTER c TYPE text USING c::text",
    ),
    (
        "type-change-rewrite",
        High,
        "CREATE TABLE t (c timestamp);\n-- file\nALTER TABLE t ALTER c TYPE timestamptz",
        "CREATE TABLE t (c timestamp(3));\n-- file\nALTER TABLE t ALTER c TYPE timestamp",
    ),
    ("table-rewrite", High, "ALTER TABLE t SET UNLOGGED", "CREATE TABLE t (a int);\n-- file\nALTER TABLE t SET LOGGED"),
    ("vacuum-full", High, "VACUUM FULL t", "VACUUM t"),
    ("cluster", High, "CLUSTER t USING i", "ALTER TABLE t CLUSTER ON i"),
    (
        "set-not-null-scan",
        High,
        "ALTER TABLE t ALTER c SET NOT NULL",
        "ALTER TABLE t ADD CONSTRAINT c_set CHECK (c IS NOT NULL) NOT VALID;\n-- file\nALTER TABLE t VALIDATE CONSTRAINT c_set;\n-- file\nALTER TABLE t ALTER c SET NOT NULL",
    ),
    (
        "set-not-null-scan",
        High,
        "ALTER TABLE t ADD CONSTRAINT c_set CHECK (c IS NOT NULL) NOT VALID;\n-- file\nALTER TABLE t ALTER c SET NOT NULL",
        "CREATE TABLE t (c int NOT NULL);\n-- file\nALTER TABLE t ALTER c SET NOT NULL",
    ),
    (
        "set-not-null-scan",
        High,
        "ALTER TABLE t ADD CONSTRAINT x CHECK (d IS NOT NULL) NOT VALID;\n-- file\nALTER TABLE t VALIDATE CONSTRAINT x;\n-- file\nALTER TABLE t ALTER c SET NOT NULL",
        "CREATE TABLE t (c int); ALTER TABLE t ALTER c SET NOT NULL",
    ),
    ("check-constraint-scan", High, "ALTER TABLE t ADD CHECK (c > 0)", "ALTER TABLE t ADD CHECK (c > 0) NOT VALID"),
    ("check-constraint-scan", High, "ALTER TABLE t ADD c int CHECK (c > 0)", "CREATE TABLE t (c int CHECK (c > 0))"),
    (
        "foreign-key-scan",
        High,
        "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES r (id)",
        "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES r (id) NOT VALID",
    ),
    ("foreign-key-scan", High, "ALTER TABLE t ADD c int DEFAULT 1 REFERENCES r", "ALTER TABLE t ADD c int REFERENCES r"),
    (
        "unique-constraint-blocks",
        High,
        "ALTER TABLE t ADD CONSTRAINT u UNIQUE (c)",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (c);\n-- file\nALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i",
    ),
    ("primary-key-blocks", High, "ALTER TABLE t ADD PRIMARY KEY (c)", "CREATE TABLE t (c int); ALTER TABLE t ADD PRIMARY KEY (c)"),
    (
        "primary-key-null-scan",
        High,
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (c);\n-- file\nALTER TABLE t ADD PRIMARY KEY USING INDEX i",
        "CREATE TABLE t (c int NOT NULL);\n-- file\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (c);\n-- file\nALTER TABLE t ADD PRIMARY KEY USING INDEX i",
    ),
    (
        "exclusion-constraint-blocks",
        High,
        "ALTER TABLE t ADD EXCLUDE USING gist (c WITH &&)",
        "CREATE TABLE t (c int4range, EXCLUDE USING gist (c WITH &&))",
    ),
    ("index-not-concurrent", High, "CREATE INDEX i ON t (c)", "CREATE INDEX CONCURRENTLY i ON t (c)"),
    (
        "index-not-concurrent",
        High,
        "CREATE TABLE t (c int);\n-- file\nCREATE INDEX ON t (c)",
        "CREATE TABLE t (c int); CREATE INDEX ON t (c)",
    ),
    ("reindex-not-concurrent", High, "REINDEX TABLE t", "REINDEX TABLE CONCURRENTLY t"),
    ("refresh-not-concurrent", High, "REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"),
    (
        "refresh-without-unique-index",
        Critical,
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a;\n-- file\nREFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a; CREATE UNIQUE INDEX ON v (a);\n-- file\nREFRESH MATERIALIZED VIEW CONCURRENTLY v",
    ),
    (
        "concurrent-index-on-partitioned",
        Critical,
        "CREATE TABLE p (c int) PARTITION BY LIST (c);\n-- file\nCREATE INDEX CONCURRENTLY ON p (c)",
        "CREATE INDEX CONCURRENTLY ON p (c)",
    ),
    (
        "attach-partition-scan",
        High,
        "ALTER TABLE p ATTACH PARTITION q FOR VALUES IN (1)",
        "CREATE TABLE q (c int, CHECK (c = 1));\n-- file\nALTER TABLE p ATTACH PARTITION q FOR VALUES IN (1)",
    ),
    ("detach-partition-blocks", Medium, "ALTER TABLE p DETACH PARTITION q", "ALTER TABLE p DETACH PARTITION q CONCURRENTLY"),
    ("create-partition-locks-parent", Medium, "CREATE TABLE q PARTITION OF p FOR VALUES IN (1)", "CREATE TABLE q (LIKE p)"),
    ("drop-partition-locks-parent", Medium, "ALTER TABLE p ATTACH PARTITION q DEFAULT;\n-- file\nDROP TABLE q", "DROP TABLE q"),
    ("domain-constraint-scan", High, "ALTER DOMAIN d ADD CHECK (VALUE > 0)", "ALTER DOMAIN d ADD CHECK (VALUE > 0) NOT VALID"),
    (
        "validate-in-same-transaction",
        High,
        "ALTER TABLE t ADD CONSTRAINT x CHECK (c > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT x",
        "ALTER TABLE t ADD CONSTRAINT x CHECK (c > 0) NOT VALID;\n-- file\nALTER TABLE t VALIDATE CONSTRAINT x",
    ),
    ("validate-under-lock", High, "ALTER TABLE t VALIDATE CONSTRAINT x, DROP COLUMN c", "ALTER TABLE t VALIDATE CONSTRAINT x"),
    (
        "work-under-lock",
        High,
        "ALTER TABLE t ADD c int; UPDATE t SET c = 1 WHERE a = 1",
        "ALTER TABLE t ADD c int;\n-- file\nUPDATE t SET c = 1 WHERE a = 1",
    ),
    (
        "work-under-lock",
        High,
        "ALTER TABLE t ADD c int; SELECT count(*) FROM u",
        "ALTER TABLE t ADD c int; INSERT INTO migrations VALUES (7)",
    ),
    (
        "work-under-lock",
        Medium,
        "CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f(); DELETE FROM u WHERE a = 1",
        "CREATE TABLE t (a int); DELETE FROM u WHERE a = 1",
    ),
    ("lock-table", High, "LOCK TABLE t", "LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE"),
    ("uncommitted-transaction", High, "BEGIN; SELECT 1", "BEGIN; SELECT 1; COMMIT"),
    ("nested-transaction", Medium, "BEGIN; BEGIN; COMMIT", "BEGIN; COMMIT; BEGIN; COMMIT"),
    ("commit-in-transaction", High, "SELECT 1; COMMIT; SELECT 2", "BEGIN; SELECT 1; COMMIT"),
    (
        "several-strong-locks",
        Medium,
        "ALTER TABLE t ADD c int; ALTER TABLE u ADD c int",
        "ALTER TABLE t ADD c int;\n-- file\nALTER TABLE u ADD c int",
    ),
    (
        "ddl-after-bulk-change",
        Medium,
        "UPDATE t SET c = 1; ALTER TABLE t ADD d int",
        "UPDATE t SET c = 1;\n-- file\nALTER TABLE t ADD d int",
    ),
    ("several-alters", Info, "ALTER TABLE t ADD c int; ALTER TABLE t ADD d int", "ALTER TABLE t ADD c int, ADD d int"),
    ("drop-index-not-concurrent", Medium, "DROP INDEX i", "DROP INDEX CONCURRENTLY i"),
    ("not-in-transaction", Critical, "BEGIN; CREATE INDEX CONCURRENTLY i ON t (c); COMMIT", "CREATE INDEX CONCURRENTLY i ON t (c)"),
    (
        "enum-value-used-in-transaction",
        Critical,
        "ALTER TYPE mood ADD VALUE 'great'; UPDATE t SET m = 'great' WHERE a = 1",
        "ALTER TYPE mood ADD VALUE 'great';\n-- file\nUPDATE t SET m = 'great' WHERE a = 1",
    ),
    (
        "enum-value-used-in-transaction",
        Critical,
        "BEGIN; ALTER TYPE mood ADD VALUE 'great'; INSERT INTO t VALUES ('great'); COMMIT",
        "CREATE TYPE mood AS ENUM ('a'); ALTER TYPE mood ADD VALUE 'great'; INSERT INTO t VALUES ('great')",
    ),
    (
        "set-local-outside-transaction",
        Medium,
        "SET LOCAL lock_timeout = '1s'; CREATE INDEX CONCURRENTLY i ON t (c)",
        "SET lock_timeout = '1s'; CREATE INDEX CONCURRENTLY i ON t (c)",
    ),
    ("drop-table", High, "DROP TABLE t", "DROP INDEX CONCURRENTLY t"),
    ("drop-table", Low, "CREATE TABLE t (a int);\n-- file\nDROP TABLE t", "CREATE TABLE t (a int)"),
    ("drop-column", High, "ALTER TABLE t DROP c", "ALTER TABLE t DROP CONSTRAINT c"),
    ("drop-column", Low, "ALTER TABLE t ADD c int;\n-- file\nALTER TABLE t DROP c", "ALTER TABLE t ADD c int"),
    ("drop-schema", High, "DROP SCHEMA s", "CREATE SCHEMA s"),
    ("drop-database", High, "DROP DATABASE d", "ALTER DATABASE d SET a = 1"),
    ("drop-cascade", High, "DROP TABLE t CASCADE", "DROP TABLE t"),
    ("drop-cascade", High, "TRUNCATE t CASCADE", "TRUNCATE t"),
    ("drop-object", Medium, "DROP VIEW v", "CREATE VIEW v AS SELECT 1"),
    ("drop-not-null", Medium, "ALTER TABLE t ALTER c DROP NOT NULL", "ALTER TABLE t ALTER c DROP DEFAULT"),
    ("truncate", High, "TRUNCATE t", "DELETE FROM t WHERE a = 1"),
    ("rename", High, "ALTER TABLE t RENAME TO u", "ALTER TABLE t RENAME CONSTRAINT a TO b"),
    ("rename", High, "ALTER TABLE t RENAME a TO b", "ALTER INDEX a RENAME TO b"),
    ("rename", High, "ALTER TABLE t SET SCHEMA s", "ALTER TABLE t OWNER TO s"),
    ("rename", Low, "CREATE TABLE t (a int);\n-- file\nALTER TABLE t RENAME a TO b", "CREATE TABLE t (a int)"),
    ("type-altered", High, "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok'"),
    ("type-change-clients", Low, "ALTER TABLE t ADD c varchar(3);\n-- file\nALTER TABLE t ALTER c TYPE text", "ALTER TABLE t ADD c text"),
    ("behaviour-change", Low, "ALTER TABLE t ALTER c SET DEFAULT 4", "CREATE TABLE t (c int); ALTER TABLE t ALTER c SET DEFAULT 4"),
    ("not-null-without-default", High, "ALTER TABLE t ADD c int NOT NULL", "ALTER TABLE t ADD c int NOT NULL DEFAULT 0"),
    ("delete-without-where", High, "DELETE FROM t", "DELETE FROM t WHERE a < 5"),
    ("update-without-where", Medium, "UPDATE t SET a = 1", "UPDATE t SET a = 1 WHERE a = 2"),
    ("json-column", High, "CREATE TABLE t (c json)", "CREATE TABLE t (c jsonb)"),
    ("column-type", Low, "CREATE TABLE t (c timestamp)", "CREATE TABLE t (c timestamptz)"),
    ("column-type", Low, "CREATE TABLE t (c serial PRIMARY KEY)", "CREATE TABLE t (c bigint PRIMARY KEY)"),
    ("column-type", Low, "CREATE TABLE t (c char(3))", "CREATE TABLE t (c text)"),
    (
        "foreign-key-without-index",
        Low,
        "CREATE TABLE t (c int REFERENCES r)",
        "CREATE TABLE t (c int REFERENCES r);\n-- file\nCREATE INDEX CONCURRENTLY ON t (c)",
    ),
    (
        "foreign-key-without-index",
        Low,
        "CREATE TABLE t (c int REFERENCES r); CREATE INDEX ON t (c) WHERE c > 5",
        "CREATE TABLE t (c int REFERENCES r, d int, PRIMARY KEY (c, d))",
    ),
    (
        "identifier-too-long",
        Medium,
        "CREATE TABLE a234567890123456789012345678901234567890123456789012345678901234 (a int)",
        "CREATE TABLE a (a int)",
    ),
    ("server-wide", Medium, "ALTER SYSTEM SET work_mem = '1GB'", "SET work_mem = '1GB'"),
    ("note", Info, "CREATE TYPE mood AS ENUM ('a')", "CREATE TABLE mood (a text)"),
    ("note", Info, "CREATE TABLE c () INHERITS (p)", "CREATE TABLE c (LIKE p)"),
    ("unseen-code", Info, "DO $$ BEGIN NULL; END $$", "SELECT 1"),
    (
        "waiver-unused",
        Info,
        "-- holdpoint:allow drop-table nobody knows it\nSELECT 1",
        "-- holdpoint:allow drop-table nobody knows it\nDROP TABLE t",
    ),
];

#[test]
fn every_rule_by_example() {
    for (rule, severity, bad, good) in EXAMPLES {
        finds(bad, rule, *severity);
        quiet(good, rule);
    }
}

/// Rules that hang on options rather than on SQL alone.
#[test]
fn timeouts_and_versions() {
    let bare = Options::new(17);
    let found_by =
        |sql: &str, options: &Options| -> Vec<String> { judge(sql, options).findings.into_iter().map(|finding| finding.rule).collect() };
    for sql in [
        "ALTER TABLE t ADD c int",
        "SET lock_timeout = 0; ALTER TABLE t ADD c int",
        "SET lock_timeout = '1s'; RESET lock_timeout; ALTER TABLE t ADD c int",
    ] {
        assert!(found_by(sql, &bare).contains(&"lock-timeout-missing".to_owned()), "{sql}");
    }
    for sql in [
        "SET lock_timeout = '1s'; ALTER TABLE t ADD c int",
        "SET LOCAL lock_timeout TO 500; ALTER TABLE t ADD c int",
        "SELECT set_config('lock_timeout', '1s', true); ALTER TABLE t ADD c int",
        "CREATE TABLE t (a int); ALTER TABLE t ADD c int",
        "CREATE INDEX CONCURRENTLY i ON t (c)",
    ] {
        assert!(!found_by(sql, &bare).contains(&"lock-timeout-missing".to_owned()), "{sql}");
    }
    assert!(found_by("ALTER TABLE t ADD CHECK (a > 0)", &bare).contains(&"statement-timeout-missing".to_owned()));
    assert!(
        !found_by("SET statement_timeout = '1min'; ALTER TABLE t ADD CHECK (a > 0)", &bare)
            .contains(&"statement-timeout-missing".to_owned())
    );
    // A transaction's own setting ends with it.
    let two = "BEGIN; SET LOCAL lock_timeout = '1s'; ALTER TABLE t ADD c int; COMMIT; ALTER TABLE t ADD d int";
    assert_eq!(found_by(two, &bare).iter().filter(|rule| *rule == "lock-timeout-missing").count(), 1);
    let virtual_column = "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL)";
    assert!(found_by(virtual_column, &bare).contains(&"syntax-too-new".to_owned()));
    assert!(!found_by(virtual_column, &Options::new(18)).contains(&"syntax-too-new".to_owned()));
    let not_null = "ALTER TABLE t ADD CONSTRAINT n NOT NULL c";
    assert!(found_by(not_null, &Options::new(18)).contains(&"not-null-constraint-scan".to_owned()));
    let concurrently = Options { in_transaction: true, ..Options::new(17) };
    assert!(found_by("CREATE INDEX CONCURRENTLY i ON t (c)", &concurrently).contains(&"not-in-transaction".to_owned()));
}

#[test]
fn every_rule_has_an_example() {
    let elsewhere = ["lock-timeout-missing", "statement-timeout-missing", "syntax-too-new", "not-null-constraint-scan"];
    for (rule, ..) in RULES {
        assert!(elsewhere.contains(&rule) || EXAMPLES.iter().any(|(name, ..)| *name == rule), "{rule} has no example");
    }
}

/// What is accepted, with a reason, is told apart; what the server refuses cannot be.
#[test]
fn waivers() {
    let accepted = judge("-- holdpoint:allow drop-table, lock-timeout-missing moved to orders in March\nDROP TABLE t;", &Options::new(17));
    assert_eq!((accepted.verdict(), accepted.waived.len()), ("safe", 2));
    assert_eq!(accepted.waived[0].reason, "moved to orders in March");
    let same_line = judge("SELECT 1; DROP TABLE t; -- holdpoint:allow drop-table gone since March", &options());
    assert_eq!(same_line.verdict(), "safe", "{:?}", found(&same_line));
    for (sql, why) in [
        ("-- holdpoint:allow drop-table\nDROP TABLE t", "no reason"),
        ("-- holdpoint:allow drop-table for the first\nDROP TABLE t; DROP TABLE u", "only the next statement"),
        ("-- holdpoint:allow rename because\nDROP TABLE t", "another rule"),
        ("BEGIN; -- holdpoint:allow not-in-transaction because\nVACUUM t; COMMIT", "the server refuses it"),
    ] {
        assert_eq!(judge(sql, &options()).verdict(), "dangerous", "{why}");
    }
}

/// A ROLLBACK takes back what was learnt.
#[test]
fn what_was_rolled_back_is_not_known() {
    finds("BEGIN; CREATE TABLE t (a int); ROLLBACK; CREATE INDEX i ON t (a);", "index-not-concurrent", High);
    quiet("BEGIN; CREATE TABLE t (a int); CREATE INDEX i ON t (a); COMMIT;", "index-not-concurrent");
}

/// Names are followed through renames, quotes and schemas.
#[test]
fn names_are_followed() {
    quiet("CREATE TABLE public.\"t\" (a int NOT NULL);\n-- file\nALTER TABLE T ALTER a SET NOT NULL", "set-not-null-scan");
    quiet(
        "ALTER TABLE t ADD CONSTRAINT s CHECK (\"a\" IS NOT NULL) NOT VALID;\n-- file\nALTER TABLE t VALIDATE CONSTRAINT s;\n-- file\nALTER TABLE t RENAME TO u; ALTER TABLE u RENAME a TO b; ALTER TABLE u ALTER b SET NOT NULL",
        "set-not-null-scan",
    );
    // A foreign key still points at a table that was renamed: dropping it with CASCADE locks both.
    let report = judge(
        "CREATE TABLE r (id bigint PRIMARY KEY); CREATE TABLE t (r bigint REFERENCES r);\n-- file\nALTER TABLE r RENAME TO s; ALTER TABLE t RENAME TO u;\n-- file\nDROP TABLE s CASCADE",
        &options(),
    );
    let last: Vec<&str> =
        report.effects.last().map(|effect| effect.tables.iter().map(|touch| touch.table.as_str()).collect()).unwrap_or_default();
    assert_eq!(last, ["s", "u"]);
    finds("CREATE TABLE \"T\" (a int NOT NULL);\n-- file\nALTER TABLE t ALTER a SET NOT NULL", "set-not-null-scan", High);
}

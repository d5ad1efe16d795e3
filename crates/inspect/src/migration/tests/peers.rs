//! Rules that squawk and eugene publish, each by an example of our own, and ours that speak of the same.

use crate::migration::{Options, check};

/// (their rule, SQL with files apart by `-- file`, our rule). The table is docs/commands/migration-check-rules.md.
const PEERS: &[(&str, &str, &str)] = &[
    (
        "E1",
        "CREATE TABLE orders (id bigint PRIMARY KEY, total int);\n-- file\nSET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD CHECK (total >= 0)",
        "check-constraint-scan",
    ),
    ("E2", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ALTER COLUMN total SET NOT NULL", "set-not-null-scan"),
    ("E3", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD COLUMN detail json", "json-column"),
    ("E4", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD COLUMN note text; SELECT max(id) FROM orders", "work-under-lock"),
    (
        "E5",
        "CREATE TABLE orders (total int);\n-- file\nSET LOCAL lock_timeout = '1s'; ALTER TABLE orders ALTER total TYPE bigint",
        "type-change-rewrite",
    ),
    ("E6", "SET LOCAL lock_timeout = '1s'; CREATE INDEX ON orders (total)", "index-not-concurrent"),
    ("E7", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD UNIQUE (number)", "unique-constraint-blocks"),
    ("E8", "SET LOCAL lock_timeout = '1s'; ALTER TABLE bookings ADD EXCLUDE USING gist (during WITH &&)", "exclusion-constraint-blocks"),
    ("E9", "ALTER TABLE orders ADD COLUMN note text", "lock-timeout-missing"),
    (
        "E10",
        "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD note text; ALTER TABLE orders ADD code uuid DEFAULT gen_random_uuid()",
        "volatile-default-rewrite",
    ),
    ("E11", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD number serial", "serial-column-rewrite"),
    (
        "E11",
        "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD gross int GENERATED ALWAYS AS (net + tax) STORED",
        "generated-column-rewrite",
    ),
    ("W12", "SET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD a int; ALTER TABLE orders ADD b int", "several-alters"),
    ("W13", "CREATE TYPE state AS ENUM ('new', 'paid')", "note"),
    (
        "W14",
        "CREATE UNIQUE INDEX CONCURRENTLY orders_number ON orders (number);\n-- file\nSET LOCAL lock_timeout = '1s'; ALTER TABLE orders ADD PRIMARY KEY USING INDEX orders_number",
        "primary-key-null-scan",
    ),
    ("E15", "CREATE TABLE lines (id bigint PRIMARY KEY, order_id bigint REFERENCES orders (id))", "foreign-key-without-index"),
    ("adding-field-with-default", "ALTER TABLE orders ADD code text DEFAULT md5(random()::text)", "volatile-default-rewrite"),
    (
        "adding-foreign-key-constraint",
        "ALTER TABLE lines ADD CONSTRAINT f FOREIGN KEY (order_id) REFERENCES orders (id)",
        "foreign-key-scan",
    ),
    ("adding-not-nullable-field", "ALTER TABLE orders ALTER COLUMN total SET NOT NULL", "set-not-null-scan"),
    ("adding-required-field", "ALTER TABLE orders ADD total int NOT NULL", "not-null-without-default"),
    ("adding-serial-primary-key-field", "ALTER TABLE orders ADD id serial PRIMARY KEY", "serial-column-rewrite"),
    ("adding-serial-primary-key-field", "ALTER TABLE orders ADD PRIMARY KEY (id)", "primary-key-blocks"),
    ("ban-add-composite-attribute", "ALTER TYPE address ADD ATTRIBUTE country text", "type-altered"),
    ("ban-add-enum-value", "ALTER TYPE state ADD VALUE 'sent' AFTER 'paid'", "behaviour-change"),
    (
        "ban-alter-domain-with-add-constraint",
        "ALTER DOMAIN money_amount ADD CONSTRAINT positive CHECK (VALUE > 0)",
        "domain-constraint-scan",
    ),
    ("ban-alter-generated-expression", "ALTER TABLE orders ALTER gross SET EXPRESSION AS (net * 2)", "generated-column-rewrite"),
    ("ban-alter-identity", "ALTER TABLE orders ALTER id SET GENERATED ALWAYS", "behaviour-change"),
    ("ban-alter-policy-condition", "ALTER POLICY own ON orders USING (false)", "behaviour-change"),
    ("ban-alter-row-level-security", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY", "behaviour-change"),
    ("ban-alter-sequence-values", "ALTER SEQUENCE orders_id_seq RESTART WITH 1", "behaviour-change"),
    ("ban-alter-system-options", "ALTER SYSTEM SET work_mem = '1GB'", "server-wide"),
    ("ban-alter-database-options", "ALTER DATABASE shop SET work_mem = '1GB'", "server-wide"),
    ("ban-alter-extension", "ALTER EXTENSION hstore UPDATE", "note"),
    ("ban-char-field", "CREATE TABLE orders (code char(8))", "column-type"),
    ("ban-concurrent-index-creation-in-transaction", "BEGIN; CREATE INDEX CONCURRENTLY i ON orders (total); COMMIT", "not-in-transaction"),
    ("ban-create-domain-with-constraint", "CREATE DOMAIN amount AS int CHECK (VALUE > 0)", "note"),
    ("ban-detach-inheritance", "ALTER TABLE old_orders NO INHERIT orders", "behaviour-change"),
    ("ban-disable-trigger", "ALTER TABLE orders DISABLE TRIGGER audit", "behaviour-change"),
    ("ban-drop-column", "ALTER TABLE orders DROP COLUMN total", "drop-column"),
    ("ban-drop-constraint", "ALTER TABLE orders DROP CONSTRAINT orders_total_check", "behaviour-change"),
    ("ban-drop-database", "DROP DATABASE shop", "drop-database"),
    ("ban-drop-default", "ALTER TABLE orders ALTER total DROP DEFAULT", "behaviour-change"),
    ("ban-drop-domain", "DROP DOMAIN amount", "drop-object"),
    ("ban-drop-extension", "DROP EXTENSION hstore", "note"),
    ("ban-drop-function", "DROP FUNCTION total(int)", "drop-object"),
    ("ban-drop-generated-expression", "ALTER TABLE orders ALTER gross DROP EXPRESSION", "behaviour-change"),
    ("ban-drop-index", "DROP INDEX orders_total", "drop-index-not-concurrent"),
    ("ban-drop-not-null", "ALTER TABLE orders ALTER total DROP NOT NULL", "drop-not-null"),
    ("ban-drop-policy", "DROP POLICY own ON orders", "behaviour-change"),
    ("ban-drop-schema", "DROP SCHEMA shop", "drop-schema"),
    ("ban-drop-sequence", "DROP SEQUENCE orders_id_seq", "drop-object"),
    ("ban-drop-table", "DROP TABLE orders", "drop-table"),
    ("ban-drop-trigger", "DROP TRIGGER audit ON orders", "behaviour-change"),
    ("ban-drop-type", "DROP TYPE state", "drop-object"),
    ("ban-drop-view", "DROP VIEW open_orders", "drop-object"),
    ("ban-new-write-restriction", "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0) NOT VALID", "behaviour-change"),
    ("ban-replace-view-function", "CREATE OR REPLACE VIEW open_orders AS SELECT 1 AS a", "behaviour-change"),
    ("ban-replica-identity", "ALTER TABLE orders REPLICA IDENTITY NOTHING", "behaviour-change"),
    ("ban-revoke", "REVOKE SELECT ON orders FROM reader", "behaviour-change"),
    ("ban-set-default", "ALTER TABLE orders ALTER total SET DEFAULT 0", "behaviour-change"),
    ("ban-set-schema", "ALTER TABLE orders SET SCHEMA shop", "rename"),
    ("ban-truncate-cascade", "TRUNCATE orders CASCADE", "drop-cascade"),
    ("ban-uncommitted-transaction", "BEGIN; ALTER TABLE orders ADD total int;", "uncommitted-transaction"),
    ("changing-column-type", "ALTER TABLE orders ALTER total TYPE numeric", "type-change-rewrite"),
    ("constraint-missing-not-valid", "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0)", "check-constraint-scan"),
    (
        "constraint-missing-not-valid",
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c",
        "validate-in-same-transaction",
    ),
    ("disallowed-unique-constraint", "ALTER TABLE orders ADD CONSTRAINT u UNIQUE (number)", "unique-constraint-blocks"),
    (
        "identifier-too-long",
        "ALTER TABLE orders ADD CONSTRAINT an_order_must_never_have_a_total_that_is_smaller_than_what_was_paid CHECK (true) NOT VALID",
        "identifier-too-long",
    ),
    ("prefer-bigint-over-int", "CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY)", "column-type"),
    ("prefer-bigint-over-smallint", "CREATE TABLE orders (id smallserial)", "column-type"),
    ("prefer-identity", "CREATE TABLE orders (id bigserial)", "note"),
    ("prefer-repack", "VACUUM FULL orders", "vacuum-full"),
    ("prefer-repack", "CLUSTER orders", "cluster"),
    ("prefer-robust-stmts", "CREATE INDEX CONCURRENTLY i ON orders (total); CREATE TABLE lines (id bigint)", "note"),
    ("prefer-text-field", "CREATE TABLE orders (code varchar(40))", "note"),
    ("prefer-timestamp-tz", "CREATE TABLE orders (at timestamp)", "column-type"),
    ("renaming-column", "ALTER TABLE orders RENAME total TO sum", "rename"),
    ("renaming-object", "ALTER VIEW open_orders RENAME TO pending", "rename"),
    ("renaming-table", "ALTER TABLE orders RENAME TO sales", "rename"),
    ("require-concurrent-index-creation", "CREATE INDEX i ON orders (total)", "index-not-concurrent"),
    ("require-concurrent-index-deletion", "DROP INDEX i", "drop-index-not-concurrent"),
    ("require-concurrent-partition-detach", "ALTER TABLE orders DETACH PARTITION orders_2020", "detach-partition-blocks"),
    ("require-concurrent-reindex", "REINDEX INDEX i", "reindex-not-concurrent"),
    ("require-enum-value-ordering", "ALTER TYPE state ADD VALUE 'sent'", "note"),
    ("require-lock-timeout", "ALTER TABLE orders ADD total int", "lock-timeout-missing"),
    ("require-statement-timeout", "ALTER TABLE orders ADD CHECK (total > 0)", "statement-timeout-missing"),
    ("require-timeout-settings", "ALTER TABLE orders ADD total int", "lock-timeout-missing"),
    ("transaction-nesting", "BEGIN; BEGIN; COMMIT", "nested-transaction"),
    ("transaction-nesting", "SELECT 1; COMMIT", "commit-in-transaction"),
    ("unused-ignore", "-- holdpoint:allow drop-table it is gone\nSELECT 1", "waiver-unused"),
];
/// Theirs that we leave to others, each with its reason in the table.
const LEFT: [&str; 6] = [
    "require-table-schema",
    "ban-add-column",
    "ban-create-policy",
    "ban-alter-policy-roles",
    "ban-alter-role-options",
    "ban-alter-function-options",
];
/// Theirs that a server refuses: so do we, before any rule.
const REFUSED: [(&str, &str); 2] =
    [("syntax-error", "ALTER TABEL orders"), ("ban-duplicate-column-assignments", "UPDATE orders SET total = 1, total = 2")];

const TABLE: &str = include_str!("../../../../../docs/commands/migration-check-rules.md");

fn files(sql: &str) -> Vec<(String, Vec<u8>)> {
    sql.split("-- file\n").enumerate().map(|(index, text)| (format!("{}.sql", index + 1), text.as_bytes().to_vec())).collect()
}

#[test]
fn what_others_find_is_found() {
    for (theirs, sql, ours) in PEERS {
        let report = check(&files(sql), &Options::new(17)).unwrap_or_else(|places| panic!("{theirs}: {places:?}"));
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(found.contains(ours), "{theirs}: expected {ours}, found {found:?}\nfor {sql}");
    }
    for (theirs, sql) in REFUSED {
        assert!(check(&files(sql), &Options::new(17)).is_err(), "{theirs}: {sql}");
    }
}

/// The page names every rule, theirs and ours.
#[test]
fn the_table_is_complete() {
    let theirs = PEERS.iter().map(|(theirs, ..)| *theirs).chain(LEFT).chain(REFUSED.iter().map(|(theirs, _)| *theirs));
    let ours = crate::migration::rules::RULES.iter().map(|(name, ..)| *name);
    for name in theirs.chain(ours) {
        assert!(TABLE.contains(&format!("`{name}`")), "{name} is not in docs/commands/migration-check-rules.md");
    }
}

//! Every rule by example, with a quiet neighbour where there is one; and the rules that squawk and eugene publish, each by
//! an example of our own.

use super::RULES;
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

fn found(report: &Report) -> Vec<(&str, &str)> {
    report.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity.word())).collect()
}

fn finds(sql: &str, rule: &str, severity: &str) {
    let report = judge(sql, &options());
    assert!(found(&report).contains(&(rule, severity)), "expected {severity} {rule}, found {:?}\nfor {sql}", found(&report));
}

fn quiet(sql: &str, rule: &str) {
    let report = judge(sql, &options());
    assert!(!found(&report).iter().any(|(name, _)| *name == rule), "did not expect {rule}, found {:?}\nfor {sql}", found(&report));
}

/// (rule, severity, what has it, what does not).
const EXAMPLES: &[(&str, &str, &str, &str)] = include!("../../../tests/migration/examples.in");

#[test]
fn every_rule_by_example() {
    for (rule, severity, bad, good) in EXAMPLES {
        finds(bad, rule, severity);
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
    finds("BEGIN; CREATE TABLE t (a int); ROLLBACK; CREATE INDEX i ON t (a);", "index-not-concurrent", "high");
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
    let quoted =
        "ALTER TABLE t ADD CONSTRAINT s CHECK (\"Unit\" IS NOT NULL) NOT VALID;\n-- file\nALTER TABLE t VALIDATE CONSTRAINT s;\n-- file\n";
    quiet(&format!("{quoted}ALTER TABLE t ALTER \"Unit\" SET NOT NULL"), "set-not-null-scan");
    finds(&format!("{quoted}ALTER TABLE t ALTER unit SET NOT NULL"), "set-not-null-scan", "high");
    // A foreign key still points at a table that was renamed: dropping it with CASCADE locks both.
    let report = judge(
        "CREATE TABLE r (id bigint PRIMARY KEY); CREATE TABLE t (r bigint REFERENCES r);\n-- file\nALTER TABLE r RENAME TO s; ALTER TABLE t RENAME TO u;\n-- file\nDROP TABLE s CASCADE",
        &options(),
    );
    let last: Vec<&str> =
        report.effects.last().map(|effect| effect.tables.iter().map(|touch| touch.table.as_str()).collect()).unwrap_or_default();
    assert_eq!(last, ["s", "u"]);
    finds("CREATE TABLE \"T\" (a int NOT NULL);\n-- file\nALTER TABLE t ALTER a SET NOT NULL", "set-not-null-scan", "high");
}

/// A long file is parsed in parts; places, waivers and what is known go through all of them.
#[test]
fn long_files_are_one_file() {
    let filler = "INSERT INTO log VALUES ('a;b', $$c;d$$); -- e;f\n".repeat(4_000);
    let atomic = "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;\n";
    let sql = format!(
        "CREATE TABLE t (a int);\n{filler}CREATE INDEX i ON t (a);\n{filler}{atomic}{filler}-- holdpoint:allow drop-table it is gone\nDROP TABLE gone;\nDROP TABLE u;\n"
    );
    let report = judge(&sql, &options());
    let high: Vec<_> = report.findings.iter().filter(|finding| finding.rule == "drop-table").map(|finding| finding.line).collect();
    assert_eq!((high, report.waived.len()), (vec![Some(12_000 + 6)], 1));
    assert!(!found(&report).iter().any(|(rule, _)| *rule == "index-not-concurrent"));
    let broken = format!("{filler}{filler}SELECT FROM WHERE;\n");
    let places = check(&[("a.sql".to_owned(), broken.into_bytes())], &options()).expect_err("no SQL");
    assert_eq!(places[0].line, 8_001, "{places:?}");
}

/// Recipes can be pasted: names of their own are quoted where they must be, and differ from each other.
#[test]
fn recipes_have_real_names() {
    let fix = |sql: &str, rule: &str| {
        let report = judge(sql, &options());
        report
            .findings
            .iter()
            .find(|finding| finding.rule == rule)
            .and_then(|finding| finding.fix.clone())
            .unwrap_or_else(|| panic!("{sql}"))
    };
    assert_eq!(
        fix("ALTER TABLE shop.orders ADD UNIQUE (number, \"when\")", "unique-constraint-blocks"),
        "-- outside of a transaction:\nCREATE UNIQUE INDEX CONCURRENTLY orders_number_when_key ON shop.orders (number, \"when\");\nALTER TABLE shop.orders ADD CONSTRAINT orders_number_when_key UNIQUE USING INDEX orders_number_when_key;"
    );
    assert_eq!(
        fix("ALTER TABLE \"Order Items\" ALTER \"Unit\" SET NOT NULL", "set-not-null-scan").lines().next(),
        Some("ALTER TABLE \"Order Items\" ADD CONSTRAINT unit_set CHECK (\"Unit\" IS NOT NULL) NOT VALID;")
    );
    assert_eq!(
        fix("ALTER TABLE s.t ADD CHECK (a > 0)", "check-constraint-scan").lines().next(),
        Some("ALTER TABLE s.t ADD CONSTRAINT t_a_check CHECK (a > 0) NOT VALID;")
    );
}

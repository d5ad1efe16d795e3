//! `migration check`: verdicts and exit codes, and its claims beside a real server.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::postgres::Postgres;
use holdpoint_testkit::process::folder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

#[test]
fn a_folder_is_read_in_order_and_waivers_count() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("m")).expect("a folder");
    write(
        folder.path(),
        &[
            ("m/10_index.sql", "SET LOCAL lock_timeout = '1s';\nCREATE INDEX orders_total ON orders (total);\n"),
            ("m/9_orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, total int);\n"),
            ("m/9_orders.down.sql", "DROP TABLE orders;\n"),
        ],
    );
    let check = || CommandLine::new(folder.path()).run(["--json", "migration", "check", "m", "--postgres", "16"]);
    let said = check().code(1).json();
    assert_eq!((&said["verdict"], &said["files"]), (&json!("dangerous"), &json!(["m/9_orders.sql", "m/10_index.sql"])), "{said:#}");
    let finding = &said["findings"][0];
    assert_eq!(finding["rule"], "index-not-concurrent");
    assert_eq!((&finding["file"], &finding["line"]), (&json!("m/10_index.sql"), &json!(2)));
    assert_eq!((&finding["lock"], &finding["rewrite"]), (&json!("SHARE on orders"), &json!(false)));
    assert_eq!(finding["fix"], "-- outside of a transaction:\nCREATE INDEX CONCURRENTLY orders_total ON orders (total);");
    write(
        folder.path(),
        &[(
            "m/10_index.sql",
            "SET LOCAL lock_timeout = '1s';\n-- holdpoint:allow index-not-concurrent new and empty\nCREATE INDEX orders_total ON orders (total);\n",
        )],
    );
    let said = check().code(0).json();
    assert_eq!((&said["verdict"], &said["waived"][0]["reason"]), (&json!("safe"), &json!("new and empty")), "{said:#}");
}

#[test]
fn what_is_no_sql_is_refused_with_every_place() {
    let folder = folder();
    write(folder.path(), &[("a.sql", "SELECT 1;\nALTER TABEL t;\n"), ("b.sql", "CREATE TABLE t (a int)\n  PARTITION BY heap (a);\n")]);
    let ran = CommandLine::new(folder.path()).run(["migration", "check", "a.sql", "b.sql", "--postgres", "16"]).code(2);
    assert!(ran.stderr.contains("a.sql:2:") && ran.stderr.contains("b.sql:2:16: expected LIST, RANGE or HASH"), "{}", ran.stderr);
    CommandLine::new(folder.path()).run(["migration", "check", "none.sql", "--postgres", "16"]).code(2);
    CommandLine::new(folder.path()).run(["migration", "check", "a.sql", "--postgres", "12"]).code(2);
}

#[test]
fn options_move_the_line() {
    let folder = folder();
    write(folder.path(), &[("a.sql", "ALTER TABLE t ADD c timestamp;\n"), ("i.sql", "CREATE INDEX CONCURRENTLY i ON t (c);\n")]);
    let check = |more: &[&str]| {
        let args = [&["--json", "migration", "check", "--postgres", "16"], more].concat();
        CommandLine::new(folder.path()).run(args).code
    };
    assert_eq!(check(&["a.sql"]), 1, "no lock_timeout");
    assert_eq!(check(&["a.sql", "--lock-timeout-set"]), 0);
    assert_eq!(check(&["a.sql", "--lock-timeout-set", "--fail-on", "low"]), 1);
    assert_eq!((check(&["i.sql"]), check(&["i.sql", "--in-transaction"])), (0, 1));
}

const SETUP: &str = include_str!("../../crates/inspect/tests/migration/setup.sql");
const FORMS: &str = include_str!("../../crates/inspect/tests/migration/forms.sql");

/// (name, words, SQL) of each form.
fn forms() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    let mut forms = Vec::new();
    for block in FORMS.split("\n-- form ").skip(1) {
        let (head, sql) = block.split_once('\n').expect("a line");
        let mut words = head.split_whitespace();
        forms.push((words.next().expect("a name"), words.collect(), sql));
    }
    forms
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    locks: BTreeMap<String, String>,
    rewrites: Vec<String>,
    scans: Vec<String>,
}

const MODES: [&str; 8] =
    ["AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive", "AccessExclusive"];

/// What the server does for it, in a transaction that is rolled back; `Err` is its refusal.
fn seen(server: &Postgres, sql: &str) -> Result<Seen, String> {
    // A zone other than UTC: in UTC timestamp and timestamptz are the same bytes.
    let asked = format!(
        "SET timezone = 'Europe/Berlin'; BEGIN; {sql};
         SELECT 'lock', b.relname, l.mode FROM pg_locks l JOIN before b ON b.oid = l.relation
         WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() ORDER BY 2, 3;
         SELECT 'rewrite', b.relname, '' FROM before b JOIN pg_class c USING (oid) WHERE c.relfilenode <> b.relfilenode ORDER BY 2;
         SELECT 'scan', relname, '' FROM before WHERE pg_stat_get_xact_tuples_returned(oid) > 0 ORDER BY 2; ROLLBACK"
    );
    let rows = server.try_query(&asked)?;
    let mut seen = Seen::default();
    let rank = |mode: &str| MODES.iter().position(|known| mode.strip_suffix("Lock") == Some(known));
    let mut modes: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        let [Some(kind), Some(table), Some(mode)] = row.as_slice() else { continue };
        match kind.as_str() {
            "lock" if modes.get(table).is_none_or(|known| rank(known) < rank(mode)) => _ = modes.insert(table.clone(), mode.clone()),
            "rewrite" => seen.rewrites.push(table.clone()),
            "scan" => seen.scans.push(table.clone()),
            _ => {}
        }
    }
    seen.locks = modes.into_iter().map(|(table, mode)| (table, words(&mode))).collect();
    Ok(seen)
}

/// `ShareRowExclusiveLock` as `SHARE ROW EXCLUSIVE`.
fn words(mode: &str) -> String {
    let mut text = String::new();
    for letter in mode.trim_end_matches("Lock").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_uppercase());
    }
    text
}

/// What the command says of the file.
fn claimed(effects: &Value, file: &str) -> Seen {
    let mut claimed = Seen::default();
    for touch in effects
        .as_array()
        .into_iter()
        .flatten()
        .filter(|effect| effect["file"] == file)
        .flat_map(|effect| effect["tables"].as_array())
        .flatten()
    {
        let table = touch["table"].as_str().unwrap_or_default().to_owned();
        claimed.locks.insert(table.clone(), touch["lock"].as_str().unwrap_or_default().to_owned());
        claimed.rewrites.extend((touch["rewrite"] == true).then(|| table.clone()));
        claimed.scans.extend((touch["scan"] == true).then_some(table));
    }
    claimed
}

/// Every form on a real server: locks, new files and rows read are what the command said beforehand. A form that the server
/// refuses as grammar is one that the command calls too new.
#[test]
fn a_real_server_does_what_the_command_says() {
    let server = Postgres::start();
    let empty = Postgres::start();
    // No query with others may hold CREATE TABLESPACE, so the setting has to be there when the session begins.
    server.query(&format!("ALTER DATABASE {} SET allow_in_place_tablespaces = on", server.database()));
    server.query("CREATE TABLESPACE elsewhere LOCATION ''");
    let before = "CREATE TABLE before AS SELECT oid, relname::text, relfilenode FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm') AND relname <> 'before'";
    server.query(&format!("{SETUP}; {before}"));
    empty.query(&format!("{SETUP}; TRUNCATE t CASCADE; {before}"));
    let version: u32 = server.query("SELECT current_setting('server_version_num')::int / 10000")[0][0]
        .as_ref()
        .expect("a version")
        .parse()
        .expect("a number");
    let folder = folder();
    write(folder.path(), &[("setup.sql", SETUP)]);
    let mut odd = Vec::new();
    let mut compared = 0;
    for (name, marks, sql) in forms().into_iter().filter(|(_, marks, _)| !marks.contains(&"alone")) {
        write(folder.path(), &[("form.sql", sql)]);
        let args = ["--json", "migration", "check", "setup.sql", "form.sql", "--postgres", &version.to_string()];
        let said = CommandLine::new(folder.path()).run(args).json();
        let too_new = said["findings"].as_array().into_iter().flatten().any(|finding| finding["rule"] == "syntax-too-new");
        let on = if marks.contains(&"empty") { &empty } else { &server };
        compared += 1;
        match seen(on, sql.trim().trim_end_matches(';')) {
            Err(why) if too_new && why.contains("42601") => {}
            Err(why) => odd.push(format!("{name}: refused: {why}")),
            Ok(_) if too_new => odd.push(format!("{name}: called too new, but {version} takes it")),
            Ok(mut seen) => {
                let mut claimed = claimed(&said["effects"], "form.sql");
                if name.starts_with("truncate") {
                    // New files, but no rows in them.
                    seen.rewrites.clear();
                }
                if marks.contains(&"rows") {
                    claimed.scans.clear();
                    seen.scans.clear();
                }
                if claimed != seen {
                    odd.push(format!("{name}: said {claimed:?}, did {seen:?}"));
                }
            }
        }
    }
    assert!(compared > 120, "only {compared} forms");
    assert!(odd.is_empty(), "on PostgreSQL {version}, {} of {compared} differ:\n{}", odd.len(), odd.join("\n"));
}

const EXAMPLES: &[(&str, &str, &str, &str)] = include!("../../crates/inspect/tests/migration/examples.in");
const PEERS: &[(&str, &str, &str)] = include!("../../crates/inspect/tests/migration/peers.in");
const SINCE: &str = include_str!("../../crates/inspect/tests/migration/since.sql");
const REFUSED: &str = include_str!("../../crates/inspect/tests/migration/refused.sql");

/// What the server's own grammar says, without running anything: PL/pgSQL's compiler parses the statements of a body. The
/// server's error code, where it refuses.
fn parses(server: &Postgres, sql: &str) -> Result<(), String> {
    let body = sql.trim().trim_end_matches(';');
    let made = format!("CREATE FUNCTION pg_temp.x() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN {body}; END $body$");
    server.try_query(&made).map(|_| ())
}

/// Statements that can stand in a body: what controls transactions cannot.
fn statements(sql: &str) -> Vec<String> {
    let text: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
    let text = text.join("\n");
    if text.contains("$$") {
        return vec![text];
    }
    let whole = text.split(';').map(|statement| statement.trim().to_owned());
    whole.filter(|statement| !statement.is_empty() && !["BEGIN", "COMMIT", "ROLLBACK"].contains(&statement.as_str())).collect()
}

/// The statements that the rules are shown with are SQL for the server, too; so is each grammar from its version on, and
/// what the command refuses is refused.
#[test]
fn a_real_server_reads_the_same_language() {
    let server = Postgres::start();
    server.query("CREATE TABLE t (a int, b int); CREATE TABLE r (a int); CREATE UNIQUE INDEX i ON t (a)");
    let version: u32 = server.query("SELECT current_setting('server_version_num')::int / 10000")[0][0]
        .as_ref()
        .expect("a version")
        .parse()
        .expect("a number");
    let mut odd = Vec::new();
    let examples = EXAMPLES.iter().flat_map(|(_, _, bad, good)| [*bad, *good]).chain(PEERS.iter().map(|(_, sql, _)| *sql));
    let newer: Vec<(u32, &str)> = SINCE
        .split("\n-- since ")
        .skip(1)
        .filter_map(|block| block.split_once('\n'))
        .map(|(since, sql)| (since.parse().expect("a version"), sql))
        .collect();
    let mut compared = 0;
    // SET EXPRESSION is newer than the oldest server; what it shows is in since.sql.
    for statement in examples.flat_map(statements).filter(|statement| version >= 18 || !statement.contains("SET EXPRESSION")) {
        compared += 1;
        odd.extend(parses(&server, &statement).err().map(|why| format!("{statement}: {why}")));
    }
    for (since, sql) in newer {
        compared += 1;
        let took = parses(&server, sql);
        if took.is_ok() != (version >= since) {
            odd.push(format!("since {since}, on {version} {took:?}: {sql}"));
        }
    }
    for line in REFUSED.lines().filter(|line| !line.starts_with("--")) {
        compared += 1;
        // Some are refused right after the grammar, when the statement begins to run.
        let undefined = ["42P01", "42703", "42704", "42883"];
        let refused = match parses(&server, line) {
            Ok(()) => {
                server.try_query(&format!("BEGIN; {line} ROLLBACK")).is_err_and(|why| !undefined.iter().any(|code| why.contains(code)))
            }
            Err(_) => true,
        };
        if !refused {
            odd.push(format!("taken: {line}"));
        }
    }
    assert!(compared > 300, "only {compared}");
    assert!(odd.is_empty(), "on PostgreSQL {version}, {} of {compared} differ:\n{}", odd.len(), odd.join("\n"));
}

/// Recipes without a gap to fill are SQL for the server.
#[test]
fn recipes_are_sql() {
    let server = Postgres::start();
    let folder = folder();
    let mut odd = Vec::new();
    let mut tried = 0;
    for (rule, _, bad, _) in EXAMPLES {
        write(folder.path(), &[("a.sql", bad)]);
        let said = CommandLine::new(folder.path()).run(["--json", "migration", "check", "a.sql", "--postgres", "14"]).json();
        for fix in said["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["fix"].as_str()) {
            let first = fix.lines().find(|line| !line.starts_with("--")).unwrap_or_default();
            let sql = ["ALTER ", "CREATE ", "DROP ", "SET ", "REINDEX ", "REFRESH "].iter().any(|word| first.starts_with(word));
            if sql && !fix.contains('…') {
                tried += 1;
                odd.extend(
                    statements(fix).into_iter().filter_map(|one| parses(&server, &one).err().map(|why| format!("{rule}: {one}: {why}"))),
                );
            }
        }
    }
    assert!(tried > 50, "only {tried}");
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

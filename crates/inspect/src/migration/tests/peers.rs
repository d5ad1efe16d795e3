//! Rules that squawk and eugene publish, each by an example of our own, and ours that speak of the same.

use crate::migration::{Options, check};

/// (their rule, SQL with files apart by `-- file`, our rule). The table is docs/commands/migration-check-rules.md.
const PEERS: &[(&str, &str, &str)] = include!("../../../tests/migration/peers.in");
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

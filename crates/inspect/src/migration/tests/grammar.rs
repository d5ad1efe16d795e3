//! Which version has which grammar, and what none has: the same files that real servers are asked.

use crate::migration::{Options, VERSIONS, check};

const SINCE: &str = include_str!("../../../tests/migration/since.sql");
const REFUSED: &str = include_str!("../../../tests/migration/refused.sql");

#[test]
fn grammar_that_is_too_new_is_found_for_every_version() {
    let mut odd = Vec::new();
    for block in SINCE.split("\n-- since ").skip(1) {
        let (since, sql) = block.split_once('\n').expect("a line");
        let since: u32 = since.parse().expect("a version");
        for version in VERSIONS {
            let report = match check(&[("a.sql".to_owned(), sql.as_bytes().to_vec())], &Options::new(version)) {
                Ok(report) => report,
                Err(places) => {
                    odd.push(format!("{}: {places:?}", sql.trim()));
                    break;
                }
            };
            let newest = report.findings.iter().filter_map(|finding| finding.more.get("since")?.as_u64()).max();
            let expected = (version < since).then_some(u64::from(since));
            if newest != expected {
                odd.push(format!("{} on {version}: {newest:?}, expected {expected:?}", sql.trim()));
            }
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

#[test]
fn what_no_server_takes_is_refused() {
    let lines: Vec<&str> = REFUSED.lines().filter(|line| !line.starts_with("--")).collect();
    assert!(lines.len() > 40);
    for line in lines {
        let said = check(&[("a.sql".to_owned(), line.as_bytes().to_vec())], &Options::new(18));
        assert!(said.is_err(), "taken: {line}");
    }
}

//! Whether both engines ran the same tests, and whether every test that is written is on the list.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn both_engines_run_the_same_list() {
    let output = Command::new(std::env::current_exe().expect("own program")).arg("--list").output().expect("the list");
    let names = String::from_utf8(output.stdout).expect("text");
    let of = |engine: &str| -> BTreeSet<String> {
        names.lines().filter_map(|line| line.strip_prefix(engine)?.strip_suffix(": test").map(str::to_owned)).collect()
    };
    let (sqlite, postgres) = (of("sqlite::"), of("postgres::"));
    assert_eq!(sqlite, postgres);
    assert_eq!(sqlite.len(), super::LIST.len());
}

#[test]
fn every_written_test_is_on_the_list() {
    for (module, source) in [
        ("commands", include_str!("commands.rs")),
        ("ledger", include_str!("ledger.rs")),
        ("accounts", include_str!("accounts.rs")),
        ("faults", include_str!("faults.rs")),
    ] {
        let written: BTreeSet<&str> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once("(world: World)").map(|(name, _)| name))
            .collect();
        let listed: BTreeSet<&str> = super::LIST.iter().filter(|(of, _)| *of == module).map(|(_, name)| *name).collect();
        assert_eq!(written, listed, "{module}");
    }
}

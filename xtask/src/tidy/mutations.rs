//! Declared mutations stay applicable: a mutation whose place has moved proves nothing any more.

use super::{Files, Rule, whole};
use crate::mutants::Mutation;

const CODE: (&str, &str) = ("crates/domain/src/planted_check.rs", "//! x\nfn f() { if author == approver { return no; } }\n");
const TOML: &str = "name = \"author may approve\"\nfile = \"crates/domain/src/planted_check.rs\"\nfind = \"author == approver\"\nreplace = \"false\"\ntest = \"-p holdpoint-domain --lib f\"\n";

fn files(toml: String) -> Files {
    vec![(CODE.0, CODE.1.to_owned()), ("tests/mutations/planted.toml", toml)]
}

pub const MUTATIONS: Rule = Rule {
    name: "mutations",
    why: "each tests/mutations/*.toml can be read, and what it takes out stands exactly once in its file",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("tests/mutations/", &[".toml"]) {
            match Mutation::parse(text) {
                Err(why) => findings.push(whole(path, format!("{why:#}"))),
                Ok(mutation) => match tree.get(&mutation.file).map(|code| code.matches(&mutation.find).count()) {
                    Some(1) => {}
                    Some(count) => findings.push(whole(path, format!("`find` stands {count} times in {}", mutation.file))),
                    None => findings.push(whole(path, format!("{} is not there", mutation.file))),
                },
            }
        }
        findings
    },
    good: || files(TOML.to_owned()),
    bad: || {
        vec![
            files(TOML.replace("author == approver", "owner == approver")),
            files(TOML.replace("planted_check.rs", "gone.rs")),
            files(TOML.replace("test =", "tests =")),
        ]
    },
};

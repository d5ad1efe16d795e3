//! Resolution by the specification's own sentences, and what is no schema.

use super::{RULES, read, reads};
use crate::finding::Severity;
use std::collections::BTreeSet;

/// The rules that speak against the pair, breaking ones alone.
fn against(reader: &str, writer: &str) -> Vec<String> {
    let schema = |name: &str, text: &str| read(name, text.as_bytes()).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let (reader, writer) = (schema("reader.avsc", reader), schema("writer.avsc", writer));
    let found = reads(&reader, &writer).into_iter().filter(|found| found.severity == Severity::Breaking);
    found.map(|found| format!("{} {}", found.rule, found.path.unwrap_or_default())).collect()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "R", "namespace": "n", "fields": [{fields}]}}"#)
}

#[test]
fn primitives_are_promoted_as_the_table_says() {
    let all = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
    let promoted = [
        ("long", "int"),
        ("float", "int"),
        ("double", "int"),
        ("float", "long"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
    ];
    assert_eq!(super::resolve::promotions().len(), promoted.len());
    for reader in all {
        for writer in all {
            let found = against(&format!("{reader:?}"), &format!("{writer:?}"));
            let fine = reader == writer || promoted.contains(&(reader, writer));
            assert_eq!(found, if fine { Vec::new() } else { vec!["type-mismatch ".to_owned()] }, "{reader} reads {writer}");
        }
    }
}

/// (what it shows, reader, writer, what speaks against it)
fn cases() -> Vec<(&'static str, String, String, Vec<&'static str>)> {
    include_str!("cases.txt")
        .split("=== ")
        .skip(1)
        .map(|block| {
            let mut lines = block.lines();
            let name = lines.next().unwrap_or_default();
            let mut part = |prefix: &str| {
                let line = lines.next().unwrap_or_default();
                line.strip_prefix(prefix).unwrap_or_else(|| panic!("{name}: expected {prefix}, found {line}")).to_owned()
            };
            let (reader, writer) = (part("R "), part("W "));
            (name, reader, writer, lines.filter(|line| !line.trim().is_empty()).collect())
        })
        .collect()
}

#[test]
fn every_case() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, reader, writer, expected)| {
            let found = against(reader, writer);
            (found != *expected).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, reader, writer, _) in &cases {
        for one in [reader, writer] {
            assert_eq!(against(one, one), Vec::<String>::new(), "{name}: against itself");
        }
    }
}

#[test]
fn every_breaking_rule_has_a_case() {
    let shown: BTreeSet<String> =
        cases().iter().flat_map(|case| case.3.iter().filter_map(|line| line.split(' ').next().map(str::to_owned))).collect();
    let bare: Vec<&str> = RULES
        .iter()
        .filter(|rule| rule.severity == Severity::Breaking && rule.id != "too-many-pairs")
        .map(|rule| rule.id)
        .filter(|id| !shown.contains(*id))
        .collect();
    assert_eq!(bare, Vec::<&str>::new());
}

#[test]
fn a_finding_has_its_place_on_both_sides() {
    let reader = read("new.avsc", record("\n{\"name\": \"a\", \"type\": \"int\"},\n{\"name\": \"b\", \"type\": \"string\"}").as_bytes());
    let writer = read("old.avsc", record("{\"name\": \"a\", \"type\": \"int\"}").as_bytes());
    let found = reads(&reader.expect("a schema"), &writer.expect("a schema"));
    let found = found.first().expect("a finding");
    assert_eq!((found.file.as_deref(), found.line, found.path.as_deref()), (Some("new.avsc"), Some(3), Some("n.R.b")));
    assert_eq!((found.more["writer_file"].as_str(), found.more["writer_line"].as_u64()), (Some("old.avsc"), Some(1)));
    assert!(found.fix.as_deref().is_some_and(|fix| fix.contains("default")));
}

#[test]
fn a_dropped_logical_type_is_said_and_does_not_break() {
    let plain = read("a", b"\"long\"").expect("a schema");
    let instant = read("b", br#"{"type": "long", "logicalType": "timestamp-millis"}"#).expect("a schema");
    for (reader, writer) in [(&plain, &instant), (&instant, &plain)] {
        let found = reads(reader, writer);
        assert_eq!(
            found.iter().map(|one| (one.rule.as_str(), one.severity)).collect::<Vec<_>>(),
            [("logical-type-dropped", Severity::Info)]
        );
    }
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (text, line, part) in [
        ("", 1, "expected JSON"),
        ("{\"type\":\n}", 2, "expected JSON"),
        ("{type: int}", 1, "expected JSON"),
        ("1", 1, "expected a schema"),
        ("\"strin\"", 1, "the type \"strin\" is not defined before this place"),
        ("{\"name\": \"R\"}", 1, "expected a member \"type\""),
        ("{\"type\": \"record\", \"fields\": []}", 1, "expected a member \"name\""),
        ("{\"type\": \"record\", \"name\": \"R\"}", 1, "expected a member \"fields\""),
        ("{\"type\": \"record\", \"name\": \"R\", \"fields\": {}}", 1, "expected a list of fields"),
        ("{\"type\": \"record\", \"name\": \"1R\", \"fields\": []}", 1, "is no name"),
        ("{\"type\": \"record\", \"name\": \"R\", \"namespace\": \"a..b\", \"fields\": []}", 1, "expected a namespace"),
        ("{\"type\": \"fixed\", \"name\": \"int\", \"size\": 1}", 1, "is a primitive type"),
        ("{\"type\": \"record\", \"name\": \"R\", \"fields\": [\n{\"name\": \"a\"}]}", 2, "expected a member \"type\""),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [\n{\"name\": \"a-b\", \"type\": \"int\"}]}",
            2,
            "expected the name of a field",
        ),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"},\n{\"name\": \"a\", \"type\": \"int\"}]}",
            2,
            "a second time",
        ),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"int\",\n\"default\": \"x\"}]}",
            2,
            "no value of int",
        ),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"int\", \"default\": 3000000000}]}",
            1,
            "no value of int",
        ),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": [\"null\", \"int\"], \"default\": true}]}",
            1,
            "no value of union",
        ),
        (
            "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"fixed\", \"name\": \"F\", \"size\": 2}, \"default\": \"x\"}]}",
            1,
            "no value of fixed F",
        ),
        ("[\"int\", \"int\"]", 1, "int is in this union a second time"),
        ("[\"int\", [\"string\"]]", 1, "directly inside a union"),
        (
            "[{\"type\": \"array\", \"items\": \"int\"},\n{\"type\": \"array\", \"items\": \"string\"}]",
            2,
            "array is in this union a second time",
        ),
        (
            "[{\"type\": \"fixed\", \"name\": \"F\", \"size\": 1},\n{\"type\": \"fixed\", \"name\": \"F\", \"size\": 1}]",
            2,
            "\"F\" is defined a second time",
        ),
        ("{\"type\": \"enum\", \"name\": \"E\"}", 1, "expected a member \"symbols\""),
        ("{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\", \"A\"]}", 1, "the symbol \"A\" is there a second time"),
        ("{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A-B\"]}", 1, "expected a symbol"),
        ("{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\"], \"default\": \"B\"}", 1, "none of the symbols"),
        ("{\"type\": \"fixed\", \"name\": \"F\"}", 1, "expected a member \"size\""),
        ("{\"type\": \"fixed\", \"name\": \"F\", \"size\": -1}", 1, "expected a number of bytes"),
        ("{\"type\": \"array\"}", 1, "expected a member \"items\""),
        ("{\"type\": \"map\"}", 1, "expected a member \"values\""),
        ("{\"type\": \"record\", \"name\": \"R\", \"aliases\": [1], \"fields\": []}", 1, "expected a name"),
    ] {
        let why = read("a.avsc", text.as_bytes()).map(|_| ()).expect_err(text);
        assert!(why.line == line && why.what.contains(part), "{text}\n{why}");
    }
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = format!("{}\"int\"{}", "{\"type\": \"array\", \"items\": ".repeat(100_000), "}".repeat(100_000));
    assert!(read("a", deep.as_bytes()).is_err());
    // A hundred thousand records, each of which holds the one before it: no stack is deep enough for a walk by recursion.
    let mut chain = String::from("[");
    for index in 0..999 {
        let inner = if index == 0 { "\"int\"".to_owned() } else { format!("\"R{}\"", index - 1) };
        chain.push_str(&format!("{{\"type\": \"record\", \"name\": \"R{index}\", \"fields\": [{{\"name\": \"f\", \"type\": {inner}}}]}},"));
    }
    chain.push_str("\"string\"]");
    let old = read("a", chain.as_bytes()).expect("a schema");
    let new = read("b", chain.replace("\"type\": \"int\"", "\"type\": \"boolean\"").as_bytes()).expect("a schema");
    assert!(reads(&old, &old).is_empty());
    let found = reads(&new, &old);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].path.as_deref().is_some_and(|path| path.ends_with(".f.f") || path == "f"), "{found:?}");
}

mod fuzz {
    use super::super::{read, reads};
    use std::time::{Duration, Instant};

    fn run(seed: u64, time: Duration, least: u32) -> (u32, u32) {
        let mut state = seed;
        let mut next = move |limit: usize| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit.max(1) as u64).unwrap_or(0)
        };
        let seeds: Vec<Vec<u8>> = super::cases().into_iter().flat_map(|case| [case.1.into_bytes(), case.2.into_bytes()]).collect();
        const WORDS: [&str; 14] = [
            "\"int\"",
            "\"null\"",
            "\"type\"",
            "\"record\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"default\": null",
            "\"logicalType\": \"decimal\"",
            "-1",
            "1e400",
        ];
        let (start, mut inputs, mut schemas) = (Instant::now(), 0, 0);
        while inputs < least || start.elapsed() < time {
            inputs += 1;
            let mut one = seeds.get(next(seeds.len())).cloned().unwrap_or_default();
            let other = seeds.get(next(seeds.len())).cloned().unwrap_or_default();
            for _ in 0..1 + next(2) {
                let at = next(one.len() + 1);
                match next(5) {
                    0 => one.truncate(at),
                    1 => {
                        let word = WORDS.get(next(WORDS.len())).copied().unwrap_or_default();
                        one.splice(at..at, word.bytes());
                    }
                    2 => {
                        let end = (at + next(9)).min(one.len());
                        one.drain(at..end);
                    }
                    _ => {
                        if let Some(byte) = one.iter_mut().skip(at).find(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
                            *byte = if byte.is_ascii_digit() { b'0' } else { b'A' } + u8::try_from(next(4)).unwrap_or(0);
                        }
                    }
                }
            }
            let before = Instant::now();
            if let (Ok(one), Ok(other)) = (read("a", &one), read("b", &other)) {
                schemas += 1;
                assert!(reads(&one, &one).is_empty());
                let _both_ways = (reads(&one, &other), reads(&other, &one));
            }
            assert!(before.elapsed() < Duration::from_secs(5), "{:?}", String::from_utf8_lossy(&one));
        }
        (inputs, schemas)
    }

    #[test]
    fn mutated_schemas_are_answered() {
        let (_, schemas) = run(3, Duration::ZERO, 3_000);
        assert!(schemas > 600, "only {schemas} inputs were schemas");
    }

    #[test]
    #[ignore = "make fuzz"]
    fn fuzz_avro() {
        let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
        let (inputs, schemas) = run(0x9e37_79b9_7f4a_7c15, Duration::from_secs(seconds), 1);
        println!("{inputs} inputs, {schemas} of them schemas");
        assert!(inputs > 0);
    }
}

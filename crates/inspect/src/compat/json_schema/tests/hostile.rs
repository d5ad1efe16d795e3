//! Input that is made to hurt: clear errors or "unknown", in bounded time and memory.

use super::random::Dice;
use super::*;
use std::fmt::Write as _;

fn verdict(base: &str, revision: &str) -> &'static str {
    compared(base, revision, Options::default()).unwrap().verdict
}

#[test]
fn nesting_is_bounded() {
    for deep in
        [format!("{}{{}}{}", "{\"not\":".repeat(100_000), "}".repeat(100_000)), format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))]
    {
        let why = compared(&deep, "{}", Options::default()).unwrap_err();
        assert!(why.what.contains("nested"), "{why}");
    }
    // As deep as files may be, and compared all the same.
    let deep = |word: &str, last: &str| format!("{}{last}{}", format!("{{\"{word}\":").repeat(250), "}".repeat(250));
    assert_eq!(verdict(&deep("not", "{\"type\":\"string\"}"), &deep("not", "{\"type\":\"string\"}")), "compatible");
    assert_eq!(verdict(&deep("items", "{\"type\":\"number\"}"), &deep("items", "{\"type\":\"integer\"}")), "unknown");
    let shallow = |last: &str| format!("{}{last}{}", "{\"items\":".repeat(60), "}".repeat(60));
    assert_eq!(verdict(&shallow("{\"type\":\"number\"}"), &shallow("{\"type\":\"integer\"}")), "breaking");
}

#[test]
fn what_is_no_schema_is_refused_with_its_line() {
    let cases = [
        ("{\n\"type\": \"text\"}", 2, "seven types"),
        ("{\n\n\"$ref\": \"#\"}", 1, "refers to itself"),
        ("{\"allOf\": [{\"anyOf\": [true,\n{\"$ref\": \"#\"}]}]}", 1, "refers to itself"),
        (
            "{\"$ref\": \"#/$defs/a\", \"$defs\": {\"a\": {\"not\":\n{\"$ref\": \"#/$defs/b\"}}, \"b\": {\"$ref\": \"#/$defs/a\"}}}",
            1,
            "refers to itself",
        ),
        ("{\"properties\": {\"a\":\n{\"$ref\": \"https://example.org/a.json\"}}}", 2, "was not given"),
        ("{\"properties\": {\"a\":\n{\"$ref\": \"other.json#/a\"}}}", 2, "other.json"),
        ("{\"properties\": {\"a\":\n{\"$ref\": \"#/nothing\"}}}", 2, "points to nothing"),
        ("{\"properties\": {\"a\":\n{\"$ref\": \"#nothing\"}}}", 2, "names no anchor"),
        ("{\n\"$schema\": \"https://example.org/own\"}", 2, "say the draft"),
        ("{\n\"minLength\": -1}", 2, "whole number"),
        ("{\n\"minLength\": 1.5}", 2, "whole number"),
        ("{\n\"multipleOf\": 0}", 2, "above 0"),
        ("{\n\"minimum\": 1234567890123456789012345678901234567890}", 2, "36 digits"),
        ("{\n\"exclusiveMinimum\": true}", 2, "draft 4"),
        ("{\n\"items\": [{}]}", 2, "before 2020-12"),
        ("{\n\"anyOf\": []}", 2, "list of schemas"),
        ("{\n\"properties\": []}", 2, "object of schemas"),
        ("{\n\"required\": [1]}", 2, "a name"),
        ("{\"properties\": {\n\"a\": 1}}", 2, "expected a schema"),
        ("{\"type\": \"string\",\n\"type\": \"string\"}", 2, "twice"),
        ("{\"type\": \n", 2, "expected"),
        ("{\n\"enum\": 1}", 2, "list of values"),
    ];
    for (text, line, part) in cases {
        for (base, revision, file) in [(text, "{}", "base.json"), ("{}", text, "revision.json")] {
            let why = compared(base, revision, Options::default()).unwrap_err();
            assert!(why.line == line && why.what.contains(part) && why.file == file, "{text}: {why}");
        }
    }
}

#[test]
fn references_are_followed_into_files_that_were_given_only() {
    let base = br#"{"$id": "https://example.org/a/root.json", "$ref": "part.json#/$defs/x"}"#;
    let part = br#"{"$id": "https://example.org/a/part.json", "$defs": {"x": {"type": "string"}}}"#;
    let revision = br#"{"properties": {"a": {}}, "$ref": "folder/own.json"}"#;
    let own = br#"{"$ref": "deeper.json#named"}"#;
    let deeper = br#"{"$defs": {"x": {"$anchor": "named", "type": "integer"}}}"#;
    let base = Side { schema: given("base.json", base), resources: vec![given("somewhere.json", part)] };
    let resources = vec![given("folder/own.json", own), given("folder/deeper.json", deeper)];
    let revision = Side { schema: given("revision.json", revision), resources };
    let report = compare(&base, &revision, &Options::default()).unwrap();
    let told: Vec<String> = report.findings.iter().map(Finding::place).collect();
    assert_eq!((report.verdict, told), ("breaking", vec!["folder/deeper.json:1 #/$defs/x/type".to_owned()]));
    let named = Given { name: "x.json", uri: Some("https://example.org/y"), bytes: b"{\"type\": \"null\"}" };
    let base = Side { schema: given("base.json", br#"{"$ref": "https://example.org/y"}"#), resources: vec![named] };
    let report = compare(&base, &side("revision.json", br#"{"type": "null"}"#), &Options::default()).unwrap();
    assert_eq!(report.verdict, "compatible");
}

#[test]
fn large_schemas_are_compared() {
    let large = |last: &str| {
        let mut text = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{".to_owned();
        for number in 0..3000 {
            _ = write!(
                text,
                "\"p{number}\":{{\"type\":\"object\",\"properties\":{{\"v\":{{\"type\":\"number\",\"minimum\":{number}}}}}}},"
            );
        }
        _ = write!(text, "\"last\":{last}}}}}");
        text
    };
    assert_eq!(verdict(&large("{\"type\":\"integer\"}"), &large("{\"type\":\"number\"}")), "compatible");
    assert_eq!(verdict(&large("{\"type\":\"number\"}"), &large("{\"type\":\"integer\"}")), "breaking");
    let values =
        |count: usize| format!("{{\"enum\":[{}]}}", (0..count).map(|number| format!("\"v{number}\"")).collect::<Vec<_>>().join(","));
    assert_eq!(verdict(&values(9_999), &values(10_000)), "compatible");
    assert_eq!(verdict(&values(10_000), &values(9_999)), "breaking");
    // Unions of many discriminated objects, one of them changed.
    let union = |word: &str, changed: &str| {
        let one = |number: usize| {
            let kind = if number == 17 { changed } else { "number" };
            format!(
                "{{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{{\"kind\":{{\"const\":\"k{number}\"}},\"v\":{{\"type\":\"{kind}\"}}}}}}"
            )
        };
        format!("{{\"{word}\":[{}]}}", (0..40).map(one).collect::<Vec<_>>().join(","))
    };
    assert_eq!(verdict(&union("anyOf", "number"), &union("anyOf", "integer")), "breaking");
    assert_eq!(verdict(&union("anyOf", "integer"), &union("anyOf", "number")), "compatible");
    assert_eq!(verdict(&union("oneOf", "integer"), &union("anyOf", "number")), "compatible");
    assert_eq!(verdict(&union("oneOf", "number"), &union("oneOf", "integer")), "breaking");
}

#[test]
fn what_takes_too_much_is_unknown_and_says_so() {
    // Propositional puzzles: which members may be there together.
    let mut dice = Dice::new(5);
    let mut clauses = Vec::new();
    for _ in 0..260 {
        let mut literal = || {
            let name = dice.roll(60);
            if dice.roll(2) == 0 {
                format!("{{\"required\":[\"x{name}\"]}}")
            } else {
                format!("{{\"not\":{{\"required\":[\"x{name}\"]}}}}")
            }
        };
        clauses.push(format!("{{\"anyOf\":[{},{},{}]}}", literal(), literal(), literal()));
    }
    let puzzle = format!("{{\"type\":\"object\",\"allOf\":[{}]}}", clauses.join(","));
    let effort = Effort { steps: 50_000, depth: 160 };
    let report = compared(&puzzle, "{\"type\":\"object\",\"maxProperties\":1}", Options { effort, ..Options::default() }).unwrap();
    assert_eq!(report.verdict, "unknown");
    assert!(report.findings.iter().all(|finding| finding.rule == "undecided-effort"), "{report:?}");
    let bombs = ["^(a|a)*$", "^((a{1,30}){1,30}){1,30}$", "^(a*)*b$", "(x+x+)+y"];
    for bomb in bombs {
        let with = |pattern: &str| format!("{{\"type\":\"string\",\"pattern\":\"{pattern}\"}}");
        assert_eq!(verdict(&with(bomb), &with(bomb)), "compatible");
        assert!(matches!(verdict(&with(bomb), &with("^q$")), "breaking" | "unknown"), "{bomb}");
    }
}

/// Bytes of schemas, damaged here and there.
#[test]
#[ignore = "long: make fuzz"]
fn fuzz_damaged_schemas() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let cases: Vec<&str> = include_str!("cases.jsonl").lines().collect();
    let (mut seed, mut read) = (1, 0u64);
    while std::time::Instant::now() < end {
        seed += 1;
        let mut dice = Dice::new(seed);
        let mut damaged = || {
            let case: Vec<Json> = serde_json::from_str(cases[dice.roll(cases.len())]).unwrap();
            let mut bytes = case[2 + dice.roll(2)].to_string().into_bytes();
            let other: Vec<Json> = serde_json::from_str(cases[dice.roll(cases.len())]).unwrap();
            let other = other[2 + dice.roll(2)].to_string().into_bytes();
            for _ in 0..dice.roll(4) {
                let at = dice.roll(bytes.len());
                match dice.roll(4) {
                    0 => bytes[at] = dice.roll(256) as u8,
                    1 => _ = bytes.remove(at),
                    2 => bytes.insert(at, b"{}[]\",:0-9e.$#"[dice.roll(14)]),
                    _ => _ = bytes.splice(at..at, other.clone()).count(),
                }
                if bytes.is_empty() {
                    bytes.push(b'{');
                }
            }
            bytes
        };
        let (base, revision) = (damaged(), damaged());
        let work = move || {
            let effort = Effort { steps: 100_000, depth: 160 };
            let options = Options { mode: Mode::Full, effort, ..Options::default() };
            compare(&side("base.json", &base), &side("revision.json", &revision), &options).is_ok()
        };
        read += u64::from(std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap());
    }
    println!("{} pairs, {read} of them read", seed - 1);
    assert!(read > 0);
}

//! Rules one by one, and what readers refuse.

use super::*;

fn schema(text: &str) -> Schema {
    Schema::read(&[Given { name: "schema.graphql", bytes: text.as_bytes() }]).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// Rules and coordinates of what changes.
fn changes(base: &str, revision: &str) -> Vec<String> {
    let findings = compare(&schema(base), &schema(revision));
    findings.iter().map(|finding| format!("{} {}", finding.rule, finding.path.as_deref().unwrap_or(""))).collect()
}

#[test]
fn every_rule_has_its_case() {
    let q = "type Query { a: Int }";
    let cases: &[(&str, &str, &[&str])] = &[
        ("type T { a: Int b: Int }", "type T { a: Int }", &["field-removed T.b"]),
        ("type T { a: Int }", "type T { a: Int b: Int }", &["field-added T.b"]),
        ("type T { a: Int }", "type T { a: String }", &["field-changed-kind T.a"]),
        ("type T { a: Int! }", "type T { a: Int }", &["field-changed-kind T.a"]),
        ("type T { a: Int }", "type T { a: Int! }", &["field-type-narrowed T.a"]),
        ("type T { a: [Int] }", "type T { a: [Int!]! }", &["field-type-narrowed T.a"]),
        ("type T { a: Int }", "type T { a: [Int] }", &["field-changed-kind T.a"]),
        ("interface I { a: Int }", "interface I { b: Int }", &["field-removed I.a", "field-added I.b"]),
        ("type T { a: Int }", "type T { a: Int @deprecated }", &["field-deprecated T.a"]),
        ("type T { a(x: Int): Int }", "type T { a: Int }", &["arg-removed T.a(x:)"]),
        ("type T { a: Int }", "type T { a(x: Int!): Int }", &["required-arg-added T.a(x:)"]),
        ("type T { a: Int }", "type T { a(x: Int! = 1): Int }", &["optional-arg-added T.a(x:)"]),
        ("type T { a: Int }", "type T { a(x: Int): Int }", &["optional-arg-added T.a(x:)"]),
        ("type T { a(x: Int): Int }", "type T { a(x: Int!): Int }", &["arg-changed-kind T.a(x:)"]),
        ("type T { a(x: Int!): Int }", "type T { a(x: Int): Int }", &["arg-type-widened T.a(x:)"]),
        ("type T { a(x: [Int!]): Int }", "type T { a(x: [Int]): Int }", &["arg-type-widened T.a(x:)"]),
        ("type T { a(x: Int): Int }", "type T { a(x: [Int]): Int }", &["arg-changed-kind T.a(x:)"]),
        ("type T { a(x: Int = 1): Int }", "type T { a(x: Int = 2): Int }", &["arg-default-value-change T.a(x:)"]),
        ("type T { a(x: Int = 1): Int }", "type T { a(x: Int): Int }", &["arg-default-value-change T.a(x:)"]),
        ("type T { a(x: Int): Int }", "type T { a(x: Int = 1): Int }", &[]),
        ("type T { a(x: [Int] = 1): Int }", "type T { a(x: [Int] = [1]): Int }", &[]),
        ("type T { a(x: Float = 1): Int }", "type T { a(x: Float = 1.0): Int }", &[]),
        (
            "input N { a: Int b: Int } type T { a(x: N = {a: 1, b: 2}): Int }",
            "input N { a: Int b: Int } type T { a(x: N = {b: 2, a: 1}): Int }",
            &[],
        ),
        ("type T { a: Int } type U { a: Int }", "type T { a: Int }", &["type-removed U"]),
        ("type T { a: Int }", "type T { a: Int } scalar U", &["type-added U"]),
        ("type T { a: Int }", "input T { a: Int }", &["type-changed-kind T"]),
        (
            "interface I { a: Int } type T implements I { a: Int }",
            "interface I { a: Int } type T { a: Int }",
            &["implemented-interface-removed T"],
        ),
        (
            "interface I { a: Int } type T { a: Int }",
            "interface I { a: Int } type T implements I { a: Int }",
            &["implemented-interface-added T"],
        ),
        (
            "interface I { a: Int } interface J implements I { a: Int }",
            "interface I { a: Int } interface J { a: Int }",
            &["implemented-interface-removed J"],
        ),
        ("type T { a: Int } union U = Query | T", "type T { a: Int } union U = Query", &["type-removed-from-union U"]),
        ("type T { a: Int } union U = Query", "type T { a: Int } union U = | Query | T", &["type-added-to-union U"]),
        ("enum E { A B }", "enum E { A }", &["value-removed-from-enum E.B"]),
        ("enum E { A }", "enum E { A B }", &["value-added-to-enum E.B"]),
        ("input N { a: Int b: Int }", "input N { a: Int }", &["field-removed N.b"]),
        ("input N { a: Int }", "input N { a: Int! }", &["field-changed-kind N.a"]),
        ("input N { a: Int! }", "input N { a: Int }", &["input-field-type-widened N.a"]),
        ("input N { a: Int }", "input N { a: Int b: Int! }", &["required-input-field-added N.b"]),
        (
            "input N { a: Int }",
            "input N { a: Int b: Int! = 1 c: Int }",
            &["optional-input-field-added N.b", "optional-input-field-added N.c"],
        ),
        ("input N { a: Int = 1 }", "input N { a: Int = 2 }", &["input-field-default-value-change N.a"]),
        ("input N { a: Int }", "input N @oneOf { a: Int }", &["one-of-added N"]),
        ("input N @oneOf { a: Int }", "input N { a: Int }", &["one-of-removed N"]),
        ("directive @d on FIELD", "scalar X", &["directive-removed @d", "type-added X"]),
        ("scalar X", "scalar X directive @d on FIELD", &["directive-added @d"]),
        ("directive @d(x: Int) on FIELD", "directive @d on FIELD", &["directive-arg-removed @d(x:)"]),
        ("directive @d on FIELD", "directive @d(x: Int!) on FIELD", &["required-directive-arg-added @d(x:)"]),
        ("directive @d on FIELD", "directive @d(x: Int) on FIELD", &[]),
        ("directive @d(x: Int) on FIELD", "directive @d(x: Int!) on FIELD", &["directive-arg-changed-kind @d(x:)"]),
        ("directive @d(x: Int = 1) on FIELD", "directive @d(x: Int = 2) on FIELD", &["directive-arg-default-value-change @d(x:)"]),
        ("directive @d repeatable on FIELD", "directive @d on FIELD", &["directive-repeatable-removed @d"]),
        ("directive @d on FIELD | QUERY", "directive @d on | FIELD", &["directive-location-removed @d"]),
        ("scalar S @specifiedBy(url: \"a\")", "scalar S @specifiedBy(url: \"b\")", &["specified-by-changed S"]),
        (
            "type M { a: Int } schema { query: Query mutation: M }",
            "type M { a: Int } schema { query: Query }",
            &["root-type-removed mutation"],
        ),
        (
            "type M { a: Int } schema { query: Query }",
            "type M { a: Int } schema { query: Query mutation: M }",
            &["root-type-added mutation"],
        ),
        ("type M { a: Int } schema { query: Query }", "type M { a: Int } schema { query: M }", &["root-type-changed query"]),
        ("type T { a: Int } extend type T { b: Int }", "type T { b: Int, a: Int }", &[]),
        ("\"\"\"a \\\"\"\" b\"\"\" type T { \"x\" a: Int } # c", "type T { a: Int }", &[]),
    ];
    let mut met: Vec<String> = Vec::new();
    for (base, revision, expected) in cases {
        let told = changes(&format!("{q} {base}"), &format!("{q} {revision}"));
        assert_eq!(told, *expected, "{base} -> {revision}");
        met.extend(told.iter().filter_map(|told| told.split(' ').next()).map(str::to_owned));
    }
    for (rule, ..) in RULES {
        assert!(met.iter().any(|one| one == rule), "no case for {rule}");
    }
}

#[test]
fn places_are_of_the_revision_and_in_lines() {
    let findings = compare(&schema("type Query {\n  a: Int\n  b: Int\n}\n"), &schema("\n\ntype Query {\n  a: String\n}\n"));
    let places: Vec<String> = findings.iter().map(Finding::place).collect();
    assert_eq!(places, ["schema.graphql:3 Query.b", "schema.graphql:4 Query.a"]);
}

#[test]
fn what_is_no_schema_is_refused_with_its_line() {
    for (text, line, part) in [
        ("type T {\n a Int }", 2, "expected `:`, found \"Int\""),
        ("type T { a: U }", 1, "U is not defined"),
        ("type T { a: Int }\ntype T { a: Int }", 2, "defined twice"),
        ("type T { a: Int\n a: Int }", 2, "there twice"),
        ("type T {}", 1, "one entry at least"),
        ("query { a }", 1, "expected schema, scalar"),
        ("type T { a: Int = \"x\" }", 1, "found `=`"),
        ("scalar S @a(x: \"x\n\")", 1, "end of the string"),
        ("\"\"\"\n\n x", 1, "end of the block string"),
        ("enum E { true }", 1, "enum value"),
        ("type T { a: Int } extend input T { b: Int }", 1, "cannot be extended"),
        ("type T { a: % }", 1, "found '%'"),
    ] {
        let why = Schema::read(&[Given { name: "x.graphql", bytes: text.as_bytes() }]).unwrap_err();
        assert!(why.line == line && why.what.contains(part), "{text}: {why}");
    }
    let deep = format!("type T {{ a: {}Int{} }}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Schema::read(&[Given { name: "x.graphql", bytes: deep.as_bytes() }]).unwrap_err().what.contains("less nesting"));
    let deep = format!("type T {{ a(x: Int = {}): Int }}", "[".repeat(100_000));
    assert!(Schema::read(&[Given { name: "x.graphql", bytes: deep.as_bytes() }]).unwrap_err().what.contains("less nesting"));
}

#[test]
fn usage_names_who_is_hit() {
    let base = schema(
        "type Query { user(id: ID, filter: F): Node } interface Node { id: ID name: String } type User implements Node { id: ID name: String mail: String }
         input F { kind: Kind text: String } enum Kind { A B }",
    );
    let revision = schema(
        "type Query { user(id: ID, filter: F): Node } interface Node { id: ID } type User implements Node { id: ID }
         input F { kind: Kind more: Int! } enum Kind { A }",
    );
    let mut findings = compare(&base, &revision);
    let documents = [
        Given {
            name: "app.graphql",
            bytes: b"query One { u: user(id: 1) { ...f ... on User { mail } } }\nfragment f on Node { name __typename }\nquery Two { user(filter: {kind: B}) { id } }",
        },
        Given {
            name: "seen.jsonl",
            bytes: b"{\"query\": \"query Q($f: F) { user(filter: $f) { id } }\", \"consumer\": \"web\", \"time\": \"2026-01-02\"}\n\n{\"query\": \"{ user { id nothing } }\", \"time\": \"2026-01-01\"}",
        },
    ];
    let usage = Usage::read(&base, &documents).unwrap();
    usage.annotate(&mut findings);
    let used = |path: &str| {
        let finding = findings.iter().find(|finding| finding.path.as_deref() == Some(path)).unwrap_or_else(|| panic!("{path}"));
        finding.more["used_by"].to_string()
    };
    assert_eq!(used("User.mail"), "[\"One (app.graphql:1)\"]");
    assert_eq!(used("Node.name"), "[\"One (app.graphql:1)\"]");
    assert_eq!(used("User.name"), "[\"One (app.graphql:1)\"]");
    assert_eq!(used("Kind.B"), "[\"Two (app.graphql:3)\",\"web: Q\"]");
    assert_eq!(used("F.text"), "[\"web: Q\"]");
    assert_eq!(used("F.more"), "[\"Two (app.graphql:3)\",\"web: Q\"]");
    assert_eq!(usage.observation(), serde_json::json!({"operations": 4, "first": "2026-01-01", "last": "2026-01-02", "unknown_fields": 1}));
    for (text, part) in [("query { a ", "name"), ("query { }", "one entry"), ("type T", "expected query")] {
        let why = Usage::read(&base, &[Given { name: "x.graphql", bytes: text.as_bytes() }]).unwrap_err();
        assert!(why.what.contains(part), "{text}: {why}");
    }
}

/// Schemas and operations, damaged here and there.
#[test]
#[ignore = "long: make fuzz"]
fn fuzz_damaged_graphql() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let whole = "schema { query: Q } \"\"\"a\"\"\" type Q implements A & B @d(x: [1, {a: $b}]) { f(a: [Int!]! = [1] @x): T! } union T = | Q | R type R { a: E }
        enum E { A B @deprecated } input N @oneOf { a: Int = 1, b: String = \"x\\\"\" } interface A { f: T } interface B implements A { f: T }
        extend type Q { g: N } scalar S @specifiedBy(url: \"u\") directive @d(x: S = 1.5e3) repeatable on FIELD | OBJECT # c";
    let asked =
        "query Q($a: [N!]! = [{a: 1}] @d) @d { f(a: [1]) { ...F ... on Q @d { g } ... { x: f } } } fragment F on T { __typename } { f }";
    let (mut state, mut count, mut read) = (0x9E37_79B9u64, 0u64, 0u64);
    let mut roll = |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % sides.max(1)
    };
    while std::time::Instant::now() < end {
        count += 1;
        let mut bytes = if roll(2) == 0 { whole.as_bytes().to_vec() } else { asked.as_bytes().to_vec() };
        for _ in 0..roll(5) {
            let (at, to) = (roll(bytes.len()), roll(bytes.len()));
            match roll(4) {
                0 => bytes[at] = roll(256) as u8,
                1 => _ = bytes.drain(at.min(to)..at.max(to).min(at.min(to) + 20)).count(),
                2 => bytes.insert(at, b"{}[]()!$&:=@|.\"# a0-"[roll(20)]),
                _ => {
                    let piece = bytes[at.min(to)..at.max(to)].to_vec();
                    _ = bytes.splice(at..at, piece).count();
                }
            }
            bytes.push(b' ');
        }
        let given = [Given { name: "x.graphql", bytes: &bytes }];
        if let Ok(schema) = Schema::read(&given) {
            read += 1;
            assert_eq!(compare(&schema, &schema), [], "a schema differs from itself");
        }
        let base = Schema::read(&[Given { name: "b.graphql", bytes: b"type Query { f(a: [Int]): Query }" }]).unwrap();
        read += u64::from(Usage::read(&base, &given).is_ok());
    }
    println!("{count} documents, {read} of them read");
    assert!(read > 0);
}

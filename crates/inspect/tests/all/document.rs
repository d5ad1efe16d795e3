//! The tree of JSON and YAML, by examples of YAML 1.2.2 and against serde_json.

use holdpoint_inspect::document::{DEPTH_MAX, Kind, NodeId, Tree};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(name: &str, text: &str) -> Result<(Tree, NodeId), String> {
    let mut tree = Tree::new();
    tree.read(name, text.as_bytes()).map(|root| (tree, root)).map_err(|why| why.to_string())
}

fn value(tree: &Tree, node: NodeId) -> Value {
    match tree.kind(node) {
        Kind::Null => Value::Null,
        Kind::Bool => json!(tree.truth(node)),
        Kind::Number => json!(tree.number(node)),
        Kind::Text => json!(tree.text(node)),
        Kind::List => tree.items(node).iter().map(|item| value(tree, *item)).collect(),
        Kind::Map => Value::Object(tree.entries(node).map(|(key, node)| (key.to_owned(), value(tree, node))).collect()),
    }
}

#[track_caller]
fn yaml(text: &str, expected: Value) {
    let (tree, root) = read("a.yaml", text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let found = value(&tree, root);
    assert_eq!(found, expected, "{text}");
}

#[test]
fn yaml_by_example() {
    for (text, expected) in [
        ("", json!(null)),
        ("# only a comment\n", json!(null)),
        ("a: 1\nb: x", json!({"a": 1.0, "b": "x"})),
        ("a:\n  b: 1\n  c:\n    d: e\nf: g\n", json!({"a": {"b": 1.0, "c": {"d": "e"}}, "f": "g"})),
        ("- a\n- b: 1\n  c: 2\n- - x\n  - y\n", json!(["a", {"b": 1.0, "c": 2.0}, ["x", "y"]])),
        ("a:\n- 1\n- 2\nb:\n  - 3\n", json!({"a": [1.0, 2.0], "b": [3.0]})),
        ("a:\nb: ~\n", json!({"a": null, "b": null})),
        ("-\n- a\n", json!([null, "a"])),
        ("a: [1, 'x', \"y\", {b: c, d: }, e: f]\n", json!({"a": [1.0, "x", "y", {"b": "c", "d": null}, {"e": "f"}]})),
        ("{\n  a: 1, # note\n  \"b\":2,\n  c\n}\n", json!({"a": 1.0, "b": 2.0, "c": null})),
        ("a: 'it''s'\nb: \"x\\n\\u00e9\\x41\\\n  y\"\n", json!({"a": "it's", "b": "x\né\u{41}y"})),
        ("a: one\n  two\n\n  three\n", json!({"a": "one two\nthree"})),
        ("a: 'one\n  two\n\n  three'\n", json!({"a": "one two\nthree"})),
        ("a: |\n  x\n   y\n\n  z\n\nb: 1\n", json!({"a": "x\n y\n\nz\n", "b": 1.0})),
        ("a: |-\n  x\nb: |+\n  y\n\nc: >\n  one\n  two\n\n  three\n   four\n  five\n", {
            json!({"a": "x", "b": "y\n\n", "c": "one two\nthree\n four\nfive\n"})
        }),
        ("a: |2\n   x\n  y\n", json!({"a": " x\ny\n"})),
        ("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", json!({"a": {"b": 1.0}, "c": {"b": 1.0}, "d": [{"b": 1.0}, {"b": 1.0}]})),
        ("a: &x\n  b: 1\nc:\n  <<: *x\n  b: 2\n  d: 3\n", json!({"a": {"b": 1.0}, "c": {"b": 2.0, "d": 3.0}})),
        ("&k a: 1\nb: *k\n", json!({"a": 1.0, "b": "a"})),
        ("a: !!str 12\nb: !custom x\n? long key\n: v\n", json!({"a": "12", "b": "x", "long key": "v"})),
        ("%YAML 1.2\n---\na: b\n...\n", json!({"a": "b"})),
        ("--- # note\n- http://x/y:80#z # note\n- a#b\n", json!(["http://x/y:80#z", "a#b"])),
        ("200: ok\ntrue: x\n1.0: y\n", json!({"200": "ok", "true": "x", "1.0": "y"})),
        ("'a b': 1\n\"c: d\": 2\n/p/{id}: 3\n", json!({"a b": 1.0, "c: d": 2.0, "/p/{id}": 3.0})),
        (
            "a: yes\nb: 0x1f\nc: 1e3\nd: .5\ne: 012\nf: 1_000\n",
            json!({"a": "yes", "b": 31.0, "c": 1000.0, "d": 0.5, "e": 12.0, "f": "1_000"}),
        ),
        ("a:\r\n  - b\r\n  - |\r\n    c\r\n", json!({"a": ["b", "c\n"]})),
        ("a: [\n1,\n2\n]\nb: {x: [],\n  y: {}}\n", json!({"a": [1.0, 2.0], "b": {"x": [], "y": {}}})),
        ("- a: |\n    x\n  b: y\n", json!([{"a": "x\n", "b": "y"}])),
        ("a: \"b\" # note\nc: 'd'   # note\n", json!({"a": "b", "c": "d"})),
    ] {
        yaml(text, expected);
    }
}

#[test]
fn broken_yaml_names_the_line() {
    for (text, line) in [
        ("a: 1\na: 2\n", 2),
        ("a: b: c\n", 1),
        ("a: 1\n  b: 2\n", 2),
        ("a:\n  - 1\n b: 2\n", 3),
        ("a: [1, 2\n", 2),
        ("a: 'x\n", 1),
        ("a: \"x\\q\"\n", 1),
        ("a: *nobody\n", 1),
        ("a:\n\tb: 1\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: x\nb\n", 2),
        ("a: - b\n", 1),
        ("? [a]\n: b\n", 1),
        ("a: &x\n  b: *x\n", 2),
        ("a: @x\n", 1),
        ("%YAML 1.2\na: b\n", 2),
    ] {
        let why = read("a.yaml", text).map(|(tree, root)| value(&tree, root)).expect_err(text);
        assert!(why.starts_with(&format!("a.yaml:{line}: ")), "{text:?}: {why}");
    }
}

#[test]
fn broken_json_names_the_line() {
    for (text, line) in [
        ("{\"a\": 1,}", 1),
        ("{\n\"a\": 1\n\"b\": 2}", 3),
        ("[1, 2", 1),
        ("{\"a\": 01}", 1),
        ("{\"a\": \"x\ny\"}", 1),
        ("{\"a\": 1, \"a\": 2}", 1),
        ("{\"a\": nul}", 1),
        ("{} {}", 1),
        ("{\"a\": \"\\u12\"}", 1),
    ] {
        let why = read("a.json", text).map(|(tree, root)| value(&tree, root)).expect_err(text);
        assert!(why.starts_with(&format!("a.json:{line}: ")), "{text:?}: {why}");
    }
}

#[test]
fn bombs_are_refused() {
    let deep = usize::from(DEPTH_MAX) * 400;
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    let chain: String = (1..400).map(|level| format!("c{level}: &c{level} [*c{}]\n", level - 1)).collect();
    for (name, text) in [
        ("deep.json", "[".repeat(deep)),
        ("deep.json", "{\"a\":".repeat(deep)),
        ("deep.yaml", "[".repeat(deep)),
        ("deep.yaml", "{a: ".repeat(deep)),
        ("deep.yaml", "- ".repeat(deep)),
        ("deep.yaml", (0..deep.min(4000)).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("laughs.yaml", laughs),
        ("chain.yaml", format!("c0: &c0 [x]\n{chain}")),
    ] {
        let why = read(name, &text).map(|_| ()).expect_err(name);
        assert!(why.contains("nested deeper") || why.contains("once every alias is written out"), "{name}: {why}");
    }
}

#[test]
fn places_are_known() {
    let (tree, root) = read("a.yaml", "a:\n  b/c:\n    - x\n    - ~y: 1\n").expect("a document");
    let node = tree.get(root, "a").and_then(|a| tree.get(a, "b/c")).expect("b/c");
    assert_eq!((tree.line(node), tree.pointer(node).as_str(), tree.key(node)), (2, "/a/b~1c", Some("b/c")));
    let inner = tree.get(tree.items(node)[1], "~y").expect("~y");
    assert_eq!((tree.line(inner), tree.pointer(inner).as_str(), tree.file(inner)), (4, "/a/b~1c/1/~0y", "a.yaml"));
}

#[test]
fn long_maps_are_looked_up() {
    let text: String = (0..5000).map(|number| format!("key{number}: {number}\n")).collect();
    let (tree, root) = read("a.yaml", &text).expect("a document");
    for number in 0..5000 {
        let found = tree.get(root, &format!("key{number}")).and_then(|node| tree.number(node));
        assert_eq!(found, Some(f64::from(number)));
    }
    assert_eq!(tree.get(root, "key5000"), None);
    assert!(read("a.yaml", &format!("{text}key77: x\n")).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(|number| json!(f64::from(number))),
        "[ -~é\\n\\t\"\\\\]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::btree_map("[a-z :#\"'-]{0,6}", inner, 0..12).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Every JSON document is YAML, and means the same by both readers.
    #[test]
    fn json_is_read_alike(expected in any_json()) {
        for (name, text) in [("a.json", expected.to_string()), ("a.yaml", format!("--- \n{expected:#}"))] {
            let (tree, root) = read(name, &text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(&value(&tree, root), &expected, "{}: {}", name, text);
        }
    }
}

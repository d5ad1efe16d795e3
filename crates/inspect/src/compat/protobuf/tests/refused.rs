//! What no protobuf compiler would take is no tree, and the message says where.

use super::{one, tree};

/// (text after two lines of heading, line, a part of the message)
const REFUSED: [(&str, u32, &str); 46] = [
    ("message M { int32 x = 1 }", 3, "expected ';', found '}'"),
    ("message M {\n  int32 x = 1;", 4, "expected a field or '}', found the end of the file"),
    ("message M { int32 = 1; }", 3, "expected the name of a field, found '='"),
    ("message M { int32 x = one; }", 3, "expected the number of a field, found \"one\""),
    ("message M { int32 x = 0; }", 3, "0 is no number of a field"),
    ("message M { int32 x = 536870912; }", 3, "536870912 is no number of a field"),
    ("message M { int32 x = 19500; }", 3, "19500 is no number of a field"),
    ("message M { int32 x = 1; int32 x = 2; }", 3, "the field x is there a second time"),
    ("message M { int32 x = 1;\nint32 y = 1; }", 4, "the number 1 is there a second time"),
    ("message M { reserved 1 to 5; int32 x = 3; }", 3, "the number 3 is reserved"),
    ("message M { reserved \"x\"; int32 x = 3; }", 3, "the name \"x\" is reserved"),
    ("message M { reserved 5 to 1; }", 3, "ends before it starts"),
    ("message M { Unknown x = 1; }", 3, "Unknown is not declared in this file or in what it imports"),
    ("message M { .a.b.C x = 1; }", 3, "a.b.C is not declared"),
    ("message M { S x = 1; }\nservice S { }", 3, "S is a service, not a type"),
    ("message M { }\nmessage M { }", 4, "a.M is declared a second time"),
    ("message M { required int32 x = 1; }", 3, "proto3 has no required fields"),
    ("message M { optional group G = 1 { } }", 3, "groups are of proto2"),
    ("message M { map<double, int32> x = 1; }", 3, "\"double\" is no type of a key"),
    ("message M { repeated map<int32, int32> x = 1; }", 3, "a map has no label"),
    ("message M { oneof o { } }", 3, "the oneof \"o\" has no field"),
    ("message M { oneof o { repeated int32 x = 1; } }", 3, "repeated stands before no field of a oneof"),
    ("message M { oneof o { map<int32, int32> x = 1; } }", 3, "stands in no oneof"),
    ("enum E { }", 3, "has no value"),
    ("enum E {\n A = 1; }", 4, "is not 0, which an open enum needs"),
    ("enum E { A = 0; B = 0; }", 3, "expected option allow_alias = true"),
    ("enum E { A = 0; A = 1; }", 3, "the value A is there a second time"),
    ("enum E { A = 0; B = 7; reserved 5 to max; }", 3, "the number 7 is reserved"),
    ("enum E { A = 0; B = 7; reserved \"B\"; }", 3, "the name \"B\" is reserved"),
    ("enum E { A = 3000000000; }", 3, "expected 32 bits"),
    ("service S { rpc Get(M) returns M; }", 3, "expected '(', found \"M\""),
    ("service S { rpc Get() returns (M); }", 3, "expected the name of a message, found ')'"),
    ("enum E { A = 0; }\nmessage M { }\nservice S { rpc Get(E) returns (M); }", 5, "a.E is an enum: an rpc sends messages"),
    ("service S { get Get(M) returns (M); }", 3, "expected rpc, option or '}'"),
    ("extend M { int32 x = 100; }\nmessage M { }", 3, "a.M keeps no extension range with the number 100"),
    ("enum E { A = 0; }\nextend E { int32 x = 1; }", 4, "only messages are extended"),
    ("package b;", 3, "a second package"),
    ("import a;", 3, "expected a string, found \"a\""),
    ("option java_package \"a\";", 3, "expected '='"),
    ("option java_package = ;", 3, "expected a value"),
    ("option x = { a: 1 ", 3, "expected the name of a member, found the end of the file"),
    ("option x = { a }", 3, "expected ':' or '{'"),
    ("option x = -true;", 3, "expected a number after '-'"),
    ("massage M { }", 3, "expected a statement of a file, found \"massage\""),
    ("message M { int32 x = 1; } ?", 3, "'?' begins nothing in a .proto file"),
    ("/* message M { }", 3, "this comment has no end"),
];

#[test]
fn the_place_and_what_was_expected() {
    for (text, line, part) in REFUSED {
        let why = one(text).map(|_| ()).expect_err(text);
        assert!(why.starts_with(&format!("a.proto:{line}: ")) && why.contains(part), "{text}\n{why}");
    }
}

#[test]
fn editions_and_syntaxes_that_are_unknown() {
    for (text, part) in [
        ("syntax = \"proto4\";", "expected \"proto2\" or \"proto3\""),
        ("edition = \"2022\";", "expected \"2023\" or \"2024\""),
        ("syntax = proto3;", "expected a string"),
        ("edition = \"2023\";\nmessage M { optional int32 x = 1; }", "editions have no optional"),
        ("edition = \"2023\";\nmessage M { required int32 x = 1; }", "LEGACY_REQUIRED"),
        ("syntax = \"proto2\";\nmessage M { int32 x = 1; }", "expected optional, required or repeated"),
        ("syntax = \"proto2\";\nmessage M { optional group g = 1 { } }", "begins with a capital letter"),
        ("syntax = \"proto2\";\nmessage M { extensions 5 to 9; optional int32 x = 7; }", "kept for extensions"),
        (
            "syntax = \"proto2\";\nmessage M { extensions 5 to 9; }\nextend M { optional int32 x = 7; }\nextend M { optional int32 y = 7; }",
            "taken by the extension x",
        ),
    ] {
        let why = one(text).map(|_| ()).expect_err(text);
        assert!(why.contains(part), "{text}\n{why}");
    }
}

#[test]
fn without_a_syntax_it_is_proto2() {
    let read = tree(&[("a.proto".to_owned(), "syntax = \"proto2\";\n".to_owned())]).expect("a tree");
    assert_eq!(read.files.first().map(|file| file.edition.word()), Some("proto2"));
    let plain = super::super::read("", &[super::Source { path: "a.proto", bytes: b"message M { required int32 x = 1; }" }]);
    assert!(plain.is_ok(), "{plain:?}");
}

#[test]
fn depth_is_bounded() {
    let nested = format!("{}{}", "message M { ".repeat(100_000), "}".repeat(100_000));
    assert!(one(&nested).map(|_| ()).expect_err("too deep").contains("nested more than 64 deep"));
    let value = format!("option x = {{ {} }};", "a { ".repeat(100_000));
    assert!(one(&value).map(|_| ()).expect_err("too deep").contains("nested more than 64 deep"));
    let lists = format!("option x = {{ a: {} }};", "[".repeat(100_000));
    assert!(one(&lists).map(|_| ()).expect_err("no list of lists").contains("expected a value"));
}

#[test]
fn every_broken_file_is_named() {
    let broken = "message M { int32 x = }".to_owned();
    let why = tree(&[("a.proto".to_owned(), broken.clone()), ("b/c.proto".to_owned(), broken)]).map(|_| ()).expect_err("broken");
    assert!(why.contains("a.proto:3: ") && why.contains("b/c.proto:3: "), "{why}");
}

//! Bytes nobody meant: an answer, in bounded time, never a panic.

use super::super::{Level, Source, compare, read};
use std::time::{Duration, Instant};

/// xorshift64*: the same seeds give the same bytes everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { usize::try_from(self.next() % (limit as u64)).unwrap_or(0) }
    }
}

/// Sentences of the language, to be cut and joined.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = super::cases()
        .into_iter()
        .flat_map(|case| case.base.into_iter().chain(case.revision))
        .map(|(_, text)| {
            if text.starts_with("syntax") || text.starts_with("edition") {
                text
            } else {
                format!("syntax = \"proto3\";\npackage a;\n{text}")
            }
            .into_bytes()
        })
        .collect();
    for text in [
        "option (x.y).z = { a: [1, -2.5, inf] b < c: \"\\u00e9\" > [type.example/a.B] { } };",
        "edition = \"2024\"; import option \"x.proto\"; local enum E { A = -0x7fffffff; } extend .a.B { stream.C d = 1; }",
        "message stream { } service S { rpc R(stream) returns (stream stream) { option a = 1; ; } }",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    seeds
}

fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "message ",
        "enum ",
        "oneof ",
        "extend ",
        "map<",
        ">",
        "{",
        "}",
        "[",
        "]",
        "=",
        ";",
        "reserved ",
        " to max",
        "\"",
        "\\",
        "/*",
        "*/",
        "option ",
        "group ",
        "18446744073709551615",
        "-1",
        "\u{0}",
        "é",
    ];
    let mut bytes = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let word = WORDS.get(random.below(WORDS.len())).copied().unwrap_or_default();
                bytes.splice(at..at, word.bytes());
            }
            2 => {
                let other = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
                let from = random.below(other.len());
                bytes.splice(at..at, other.into_iter().skip(from).take(200));
            }
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).unwrap_or(0);
                }
            }
            // Numbers and letters that change leave many sentences right.
            4..=6 => {
                if let Some(byte) = bytes.iter_mut().skip(at).find(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
                    let (first, many) = if byte.is_ascii_digit() { (b'0', 10) } else { (b'A', 26) };
                    *byte = first + u8::try_from(random.below(many)).unwrap_or(0);
                }
            }
            _ => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

/// Reads and compares until the time is over; the number of inputs, and of those that were trees.
fn run(seed: u64, time: Duration, least: u32) -> (u32, u32) {
    let (mut random, seeds, start) = (Random(seed), seeds(), Instant::now());
    let (mut inputs, mut trees) = (0, 0);
    let known = read("", &[Source { path: "a.proto", bytes: b"syntax = \"proto3\"; package a; message M { int32 x = 1; }" }]);
    while inputs < least || start.elapsed() < time {
        inputs += 1;
        let bytes = mutated(&mut random, &seeds);
        let before = Instant::now();
        if let (Ok(tree), Ok(known)) = (read("", &[Source { path: "a.proto", bytes: &bytes }]), &known) {
            trees += 1;
            for level in Level::ALL {
                assert!(
                    compare(&tree, &tree, level).iter().all(|found| found.rule == "import-not-found"),
                    "{:?}",
                    String::from_utf8_lossy(&bytes)
                );
                let _both_ways = (compare(&tree, known, level), compare(known, &tree, level));
            }
        }
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", String::from_utf8_lossy(&bytes));
    }
    (inputs, trees)
}

#[test]
fn mutated_sentences_are_answered() {
    let (_, trees) = run(7, Duration::ZERO, 3_000);
    assert!(trees > 300, "only {trees} inputs were trees: the mutations are too coarse to reach the rules");
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_protobuf() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let (inputs, trees) = run(0x9e37_79b9_7f4a_7c15, Duration::from_secs(seconds), 1);
    println!("{inputs} inputs, {trees} of them trees");
    assert!(inputs > 0);
}

//! Bytes nobody meant: an answer, in bounded time, never a panic. `HOLDPOINT_FUZZ_SECONDS` says for how long.

use crate::migration::{Options, check};
use std::time::{Duration, Instant};

/// xorshift64*: the same seeds give the same bytes everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit).unwrap_or(0)
    }
}

const PIECES: [&str; 40] = [
    "(",
    ")",
    ";",
    ",",
    "'",
    "\"",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    "CASE ",
    " END ",
    "ALTER TABLE t ",
    "ADD COLUMN ",
    "CHECK ",
    "NOT ",
    "NULL ",
    "SELECT ",
    "BEGIN;",
    "COMMIT;",
    "ROLLBACK;",
    "::int",
    "[",
    "]",
    "E'\\",
    "1_0",
    "0xff",
    " CONCURRENTLY ",
    "REFERENCES r ",
    " AS $f$",
    "::",
    "-",
    "\u{0}",
    "é",
    "\u{1f4a3}",
    " UNION ",
    "-- holdpoint:allow drop-table x\n",
    "U&\"\\0061\"",
];

fn seeds() -> Vec<Vec<u8>> {
    let forms = include_str!("../../../tests/migration/forms.sql");
    let mut seeds: Vec<Vec<u8>> =
        forms.split("\n-- form ").skip(1).filter_map(|block| Some(block.split_once('\n')?.1.as_bytes().to_vec())).collect();
    seeds.push(include_bytes!("../../../tests/migration/setup.sql").to_vec());
    seeds.extend(super::found().map(<[u8]>::to_vec));
    seeds
}

/// A few cuts, copies and changed bytes, and pieces of other statements.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=random.below(3) {
        bytes.extend_from_slice(&seeds[random.below(seeds.len())]);
    }
    for _ in 0..random.below(5) {
        let (at, other) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 60));
        match random.below(6) {
            0 => _ = bytes.drain(from..to),
            1 => {
                let piece = bytes[from..to].repeat(1 + random.below(200));
                bytes.splice(at..at, piece);
            }
            2 => {
                let donor = &seeds[random.below(seeds.len())];
                let begin = random.below(donor.len() + 1);
                let piece = donor[begin..donor.len().min(begin + random.below(80))].to_vec();
                bytes.splice(from..to, piece);
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap_or(0),
            _ => {
                let piece = PIECES[random.below(PIECES.len())].as_bytes().repeat(1 + random.below(3));
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// An answer within the bound: whether the bytes were SQL.
fn answers(bytes: &[u8], bound: Duration) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let files = [("a.sql".to_owned(), bytes.to_vec())];
    let mut took = Duration::MAX;
    // A busy machine may not give us our turn; only what is slow every time is slow.
    for _ in 0..3 {
        let started = Instant::now();
        let answer = std::panic::catch_unwind(|| check(&files, &Options::new(16)).is_ok());
        let answer = answer.unwrap_or_else(|_| panic!("a panic for:\n{text}"));
        took = took.min(started.elapsed());
        if took < bound {
            return answer;
        }
    }
    panic!("{} bytes took {took:?}:\n{}", bytes.len(), text.chars().take(300).collect::<String>());
}

fn run(limit: Duration, seed: u64) -> (usize, usize) {
    let (seeds, mut random, started) = (seeds(), Random(seed), Instant::now());
    let (mut tried, mut readable) = (0, 0);
    while started.elapsed() < limit {
        let bytes = mutated(&mut random, &seeds);
        // Unoptimised builds: a bound against what grows with the square, not a measurement.
        let bound = Duration::from_millis(5_000 + bytes.len() as u64 * 5 / 2);
        readable += usize::from(answers(&bytes, bound));
        tried += 1;
    }
    (tried, readable)
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_migration() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let (tried, readable) = run(Duration::from_secs(seconds), 0x9e37_79b9_7f4a_7c15);
    println!("{tried} inputs, {readable} of them SQL");
    assert!(readable > 0, "nothing got past the parser: nothing was shown");
}

/// A second of the same in every run.
#[test]
fn bytes_nobody_meant() {
    let (tried, readable) = run(Duration::from_secs(1), 0x2545_f491_4f6c_dd1d);
    assert!(tried > 10 && readable > 0, "{tried} {readable}");
}

/// Depth and length that would end a recursive parser are refused, or answered.
#[test]
fn bombs() {
    let many = |piece: &str, count: usize| piece.repeat(count);
    for bomb in [
        format!("SELECT {}1{}", many("(", 100_000), many(")", 100_000)),
        format!("SELECT {}1", many("- ", 100_000)),
        format!("SELECT {}1", many("NOT ", 100_000)),
        format!("SELECT 1{}", many(" + 1", 100_000)),
        format!("SELECT 1{}", many(" UNION SELECT 1", 100_000)),
        format!("SELECT a{}", many(".a", 100_000)),
        format!("SELECT a{}", many("::int", 100_000)),
        format!("SELECT a{}", many("[1]", 100_000)),
        format!("SELECT {}", many("CASE WHEN ", 100_000)),
        format!("SELECT a{}", many(" COLLATE \"C\"", 100_000)),
        format!("SELECT a{}", many(" IS NULL", 100_000)),
        format!("SELECT * FROM a{}", many(" JOIN b ON true", 100_000)),
        format!("SELECT * FROM a{}", many(" JOIN b", 100_000)),
        format!("SELECT * FROM a{}", many(" NATURAL JOIN b", 100_000)),
        format!("{} SELECT 1", many("EXPLAIN ", 100_000)),
        format!("{} SELECT 1", many("WITH a AS (", 100_000)),
        format!("CREATE TABLE t (a int{})", many("[]", 100_000)),
        format!("SELECT a{}", many(" AT TIME ZONE b", 100_000)),
        format!("SELECT a{}", many(" BETWEEN b AND c", 100_000)),
        format!("SELECT a{}", many(" LIKE b", 100_000)),
        format!("SELECT a{}", many(" OPERATOR(pg_catalog.+) b", 100_000)),
        format!("SELECT {}", many("ARRAY[", 100_000)),
        format!("SELECT {}", many("f(", 100_000)),
        format!("SELECT a{}", many(" ISNULL", 100_000)),
        format!("SELECT a{}", many(" SIMILAR TO b", 100_000)),
        format!("CREATE SCHEMA a {}", many("CREATE SCHEMA b ", 100_000)),
        format!("PREPARE a AS {}", many("PREPARE a AS ", 100_000)),
        many("/*", 100_000),
        many("$a$", 99_999),
        many("BEGIN;", 20_000),
        many(";", 100_000),
        many("E'", 99_999),
    ] {
        answers(bomb.as_bytes(), Duration::from_secs(10));
    }
}

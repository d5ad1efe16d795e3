//! Bytes nobody meant: descriptions changed at random, for HOLDPOINT_FUZZ_SECONDS. Always an answer, in bounded time; a
//! description is compatible with itself, and what one reader of JSON takes the other takes alike.

use holdpoint_inspect::compat;
use holdpoint_inspect::compat::openapi::{Loading, Options, Usage, compare, verify};
use holdpoint_inspect::document::Tree;
use std::time::{Duration, Instant};

/// Texts that between them have every construct the readers know.
const SEEDS: [&str; 6] = [
    "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n  /a/{b}:\n    parameters: [{in: path, name: b, required: true, schema: {type: string}}]\n    get:\n      security: [{k: [s]}]\n      responses:\n        '200': {$ref: '#/components/responses/R'}\n        2XX: {description: d, headers: {X: {schema: {type: integer}}}}\ncomponents:\n  responses:\n    R: {description: d, content: {application/json: {schema: {$ref: '#/components/schemas/S'}}}}\n  schemas:\n    S: {oneOf: [{$ref: '#/components/schemas/S'}, {type: [string, 'null'], enum: [a, null]}, {type: object, required: [p], properties: {p: {$ref: '#/components/schemas/S'}}, additionalProperties: false}]}\n",
    "{\"openapi\": \"3.0.3\", \"paths\": {\"/x\": {\"post\": {\"requestBody\": {\"required\": true, \"content\": {\"a/b\": {\"schema\": {\"allOf\": [{\"type\": \"integer\", \"minimum\": 1, \"exclusiveMinimum\": true, \"nullable\": true}, {\"not\": {\"multipleOf\": 2.5e1}}]}}}}, \"responses\": {}}}}}",
    "openapi: 3.2.0\nx: &a [1, *b, 'it''s', \"q\\u00e9\\n\"]\nb: &b\n  <<: {c: |+\n    d\n\n  }\n",
    "a: &a {k: v}\nb:\n  <<: *a\n  c: >-\n    folded\n    text\n\n     more\nd: [*a, {e: , f}]\n? long\n: - x\n  - - y\n",
    "openapi: 3.1.0\nwebhooks:\n  w: {post: {callbacks: {c: {'{$url}': {put: {parameters: [{in: query, name: q, deprecated: true, x-sunset: 2030-01-01, schema: {type: array, items: {type: number}}}]}}}}}}\n",
    "openapi: 3.1.0\npaths: {/p: {get: {responses: {'200': {content: {application/json: {schema: {if: {const: 1}, then: {contains: {type: string}, minContains: 2}, else: {prefixItems: [true, false], unevaluatedItems: false}, dependentRequired: {a: [b]}, patternProperties: {'^x': {}}, discriminator: {propertyName: p, mapping: {a: '#/b'}}}}}}}}}}\n",
];

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }
}

/// Pieces that matter to the readers, put in anywhere.
const PIECES: [&str; 24] = [
    "\n",
    "  ",
    "- ",
    ": ",
    "? ",
    "&a ",
    "*a",
    "<<: *a",
    "|",
    ">-",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "---\n",
    "$ref: '#'",
    "\\u12",
    "\t",
    "\r\n",
    "null",
];

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + random.below(60)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => {
                let other = SEEDS[random.below(SEEDS.len())].as_bytes();
                let from = random.below(other.len());
                let end = (from + random.below(120)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    bytes
}

fn one(bytes: &[u8], other: &[u8]) {
    let began = Instant::now();
    let strict = serde_json::from_slice::<serde_json::Value>(bytes);
    if let (Ok(value), Err(why)) = (&strict, Tree::new().read("a.json", bytes)) {
        let known = ["is there twice", "nested deeper"];
        assert!(known.iter().any(|reason| why.what.contains(reason)) || !matches!(value, serde_json::Value::Object(_)), "{why}\n{value}");
    }
    let load = |bytes: &[u8]| Loading::begin("a.yaml", "a.yaml", bytes, []).ok().map(Loading::finish);
    let (Some(spec), again) = (load(bytes), load(bytes)) else { return };
    let options = Options { today: Some((2026, 1, 1)) };
    let again = again.expect("what was read once is read again");
    if let Ok(found) = compare(&spec, &again, &options) {
        assert_eq!(compat::verdict(&found), "compatible", "{found:?}\n{}", String::from_utf8_lossy(bytes));
    }
    if let Some(next) = load(other) {
        let forward = compare(&spec, &next, &options);
        assert_eq!(forward, compare(&spec, &next, &options), "the same input, another answer");
    }
    let _read = Usage::read(&spec, "log", bytes);
    let _read = verify(&spec, "pact", bytes);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?} for {}", began.elapsed(), String::from_utf8_lossy(bytes));
}

fn run(seed: u64, until: impl Fn(u64) -> bool) -> u64 {
    let mut random = Random(seed);
    let mut rounds = 0;
    while until(rounds) {
        let (bytes, other) = (mutated(&mut random), mutated(&mut random));
        one(&bytes, &other);
        rounds += 1;
    }
    rounds
}

#[test]
fn changed_descriptions_have_an_answer() {
    run(0x9e37_79b9_7f4a_7c15, |rounds| rounds < 3_000);
}

/// Found by the fuzzer, or by thinking: each has an answer.
#[test]
fn odd_texts_have_an_answer() {
    for text in [
        "",
        "\u{feff}",
        "---",
        "...",
        "- ",
        "? ",
        ": ",
        "&a",
        "*a",
        "&a *a",
        "|",
        ">",
        "'",
        "\"",
        "[",
        "{",
        "{]",
        "a: |\n\t",
        "%",
        "!<",
        "!",
        "&",
        "<<: 1",
        "openapi: 3.1.0\npaths: []",
        "openapi: 3.1.0\npaths: {/a: 1}",
        "openapi: 3.1.0\npaths: {/a: {get: []}}",
        "openapi: [3]",
        "openapi: 3.1.0\npaths: {'/{': {get: {}}, '/}': {get: {}}, '/{}{}': {get: {}}}",
        "openapi: 3.1.0\npaths: {/a: {get: {responses: {'200': {content: {a/b: {schema: 1}}}}}}}",
    ] {
        one(text.as_bytes(), SEEDS[0].as_bytes());
    }
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_openapi() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = std::env::var("HOLDPOINT_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_125);
    let end = Instant::now() + Duration::from_secs(seconds);
    let rounds = run(seed, |_| Instant::now() < end);
    println!("fuzz_openapi: {rounds} rounds from seed {seed}");
    assert!(rounds > 0);
}

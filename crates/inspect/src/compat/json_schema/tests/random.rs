//! Random pairs of schemas: no witness that another validator refuses, and no document that contradicts "compatible".

use super::*;
use serde_json::json;

/// A small generator of numbers (xorshift), so that a seed names a case.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "ab"];
const PATTERNS: [&str; 5] = ["^a", "b$", "^[a-b]+$", "c", "^.{2}$"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

pub fn value(dice: &mut Dice, depth: usize) -> Json {
    match dice.roll(if depth == 0 { 5 } else { 9 }) {
        0 => Json::Null,
        1 => json!(dice.roll(2) == 0),
        2 => json!(dice.roll(7) as i64 - 2),
        // Never `2.0`: whether that is an integer in draft 4 is a matter of spelling, and spelling is not compared.
        3 => json!(dice.roll(5) as f64 - 1.5),
        4 => json!(*dice.pick(&["", "a", "b", "ab", "abc", "c", "ba"])),
        5 | 6 => {
            let mut items: Vec<Json> = (0..dice.roll(4)).map(|_| value(dice, depth - 1)).collect();
            if dice.roll(4) == 0 {
                items.extend(items.first().cloned());
            }
            Json::Array(items)
        }
        _ => Json::Object(
            (0..dice.roll(4)).map(|_| ((*dice.pick(&["a", "b", "c", "ab", "d", "bb"])).to_owned(), value(dice, depth - 1))).collect(),
        ),
    }
}

fn schemas(dice: &mut Dice, depth: usize, least: usize, draft: Draft) -> Json {
    let count = least + dice.roll(3);
    Json::Array((0..count).map(|_| schema(dice, depth, draft)).collect())
}

fn scalar_keyword(dice: &mut Dice, draft: Draft) -> (&'static str, Json) {
    match dice.roll(12) {
        0 => ("type", json!(*dice.pick(&TYPES))),
        1 => ("type", json!([*dice.pick(&TYPES[..3]), *dice.pick(&TYPES[4..])])),
        2 => {
            let mut values: Vec<Json> = (0..1 + dice.roll(3)).map(|_| value(dice, 1)).collect();
            values.dedup();
            ("enum", Json::Array(values))
        }
        3 if draft >= Draft::Draft6 => ("const", value(dice, 1)),
        4 | 3 => ("minimum", json!(dice.roll(6) as i64 - 2)),
        5 => ("maximum", json!(dice.roll(6) as i64)),
        6 if draft >= Draft::Draft6 => ("exclusiveMinimum", json!(dice.roll(4) as i64)),
        7 if draft >= Draft::Draft6 => ("exclusiveMaximum", json!(dice.roll(5) as i64)),
        6..=8 => ("multipleOf", json!(*dice.pick(&[1.0, 2.0, 0.5, 1.5, 3.0]))),
        9 => ("minLength", json!(dice.roll(4))),
        10 => ("maxLength", json!(dice.roll(4))),
        _ => ("pattern", json!(*dice.pick(&PATTERNS))),
    }
}

fn names(dice: &mut Dice) -> Json {
    let mut names: Vec<&str> = (0..1 + dice.roll(2)).map(|_| *dice.pick(&NAMES)).collect();
    names.sort_unstable();
    names.dedup();
    json!(names)
}

fn object_keyword(dice: &mut Dice, depth: usize, draft: Draft) -> (&'static str, Json) {
    let map = |dice: &mut Dice, keys: &[&str]| {
        Json::Object((0..1 + dice.roll(2)).map(|_| ((*dice.pick(keys)).to_owned(), schema(dice, depth - 1, draft))).collect())
    };
    match dice.roll(12) {
        0..=2 => ("properties", map(dice, &NAMES)),
        3 => ("patternProperties", map(dice, &PATTERNS)),
        4 => ("additionalProperties", schema(dice, depth - 1, draft)),
        5 if draft >= Draft::Draft6 => ("propertyNames", schema(dice, 0, draft)),
        5 | 6 => ("required", names(dice)),
        7 => ("minProperties", json!(dice.roll(4))),
        8 => ("maxProperties", json!(dice.roll(4))),
        9 if draft >= Draft::Draft2019 => ("dependentRequired", json!({*dice.pick(&NAMES): names(dice)})),
        10 if draft >= Draft::Draft2019 => ("dependentSchemas", json!({*dice.pick(&NAMES): schema(dice, depth - 1, draft)})),
        11 if draft >= Draft::Draft2019 => ("unevaluatedProperties", schema(dice, depth - 1, draft)),
        9 => ("dependencies", json!({*dice.pick(&NAMES): names(dice)})),
        _ => ("dependencies", json!({*dice.pick(&NAMES): schema(dice, depth - 1, draft)})),
    }
}

fn array_keyword(dice: &mut Dice, depth: usize, draft: Draft) -> (&'static str, Json) {
    match dice.roll(9) {
        0 => ("items", schema(dice, depth - 1, draft)),
        1 if draft >= Draft::Draft2020 => ("prefixItems", schemas(dice, depth - 1, 1, draft)),
        1 => ("items", schemas(dice, depth - 1, 1, draft)),
        2 | 3 if draft >= Draft::Draft6 => ("contains", schema(dice, depth - 1, draft)),
        4 if draft >= Draft::Draft2019 => ("maxContains", json!(dice.roll(3))),
        5 if draft >= Draft::Draft2019 => ("minContains", json!(dice.roll(3))),
        6 => ("uniqueItems", json!(true)),
        7 => ("minItems", json!(dice.roll(4))),
        8 if draft >= Draft::Draft2019 && dice.roll(2) == 0 => ("unevaluatedItems", schema(dice, depth - 1, draft)),
        2 if draft < Draft::Draft2020 => ("additionalItems", schema(dice, depth - 1, draft)),
        _ => ("maxItems", json!(dice.roll(4))),
    }
}

fn combining_keyword(dice: &mut Dice, depth: usize, draft: Draft) -> (&'static str, Json) {
    match dice.roll(8) {
        0 | 1 => ("anyOf", schemas(dice, depth - 1, 1, draft)),
        2 => ("oneOf", schemas(dice, depth - 1, 1, draft)),
        3 => ("allOf", schemas(dice, depth - 1, 1, draft)),
        4 => ("not", schema(dice, depth - 1, draft)),
        5 => ("$ref", json!("#/definitions/one")),
        6 if draft >= Draft::Draft7 => ("if", schema(dice, depth - 1, draft)),
        7 if draft >= Draft::Draft7 => ("then", schema(dice, depth - 1, draft)),
        _ => ("anyOf", schemas(dice, depth - 1, 2, draft)),
    }
}

pub fn schema(dice: &mut Dice, depth: usize, draft: Draft) -> Json {
    if dice.roll(12) == 0 && draft >= Draft::Draft6 {
        return json!(dice.roll(3) > 0);
    }
    let mut map = serde_json::Map::new();
    for _ in 0..1 + dice.roll(3) {
        let (word, value) = match dice.roll(if depth == 0 { 3 } else { 10 }) {
            0..=2 => scalar_keyword(dice, draft),
            3..=5 => object_keyword(dice, depth, draft),
            6 | 7 => array_keyword(dice, depth, draft),
            _ => combining_keyword(dice, depth, draft),
        };
        map.insert(word.to_owned(), value);
    }
    if dice.roll(3) == 0 && !map.contains_key("type") {
        map.insert("type".to_owned(), json!(*dice.pick(&TYPES)));
    }
    Json::Object(map)
}

/// Changes something somewhere below.
fn changed(dice: &mut Dice, schema_now: &Json, depth: usize, draft: Draft) -> Json {
    let Json::Object(map) = schema_now else { return schema(dice, depth, draft) };
    let mut map = map.clone();
    let words: Vec<String> = map.keys().cloned().collect();
    if words.is_empty() || dice.roll(3) == 0 {
        let (word, value) = if depth > 0 && dice.roll(2) == 0 { object_keyword(dice, depth, draft) } else { scalar_keyword(dice, draft) };
        map.insert(word.to_owned(), value);
        return Json::Object(map);
    }
    let word = dice.pick(&words).clone();
    let inner = map.get(&word).cloned().unwrap_or_default();
    match inner {
        Json::Object(members) if depth > 0 && matches!(word.as_str(), "properties" | "patternProperties" | "dependentSchemas") => {
            let mut members = members.clone();
            let names: Vec<String> = members.keys().cloned().collect();
            if let Some(name) = names.first() {
                let new = changed(dice, &members[name], depth - 1, draft);
                members.insert(name.clone(), new);
            }
            map.insert(word, Json::Object(members));
        }
        Json::Array(mut list) if depth > 0 && matches!(word.as_str(), "anyOf" | "oneOf" | "allOf" | "prefixItems") => {
            let place = dice.roll(list.len());
            let new = changed(dice, &list[place], depth - 1, draft);
            if dice.roll(3) == 0 {
                list.push(new)
            } else {
                list[place] = new
            }
            map.insert(word, Json::Array(list));
        }
        Json::Object(_) if depth > 0 && matches!(word.as_str(), "not" | "items" | "additionalProperties" | "contains" | "if" | "then") => {
            let new = changed(dice, &inner, depth - 1, draft);
            map.insert(word, new);
        }
        _ => _ = map.remove(&word),
    }
    Json::Object(map)
}

fn without_references(schema: &Json) -> bool {
    !schema.to_string().contains("$ref")
}

fn with_definition(schema: Json, definition: &Json, draft: Draft) -> Json {
    match schema {
        Json::Object(mut map) => {
            if draft >= Draft::Draft2019 || !map.contains_key("$ref") {
                map.insert("definitions".to_owned(), json!({"one": definition}));
                return Json::Object(map);
            }
            json!({"allOf": [map], "definitions": {"one": definition}})
        }
        other => other,
    }
}

/// Documents that are near what the schemas speak of.
fn documents(dice: &mut Dice, count: usize) -> Vec<Json> {
    (0..count).map(|_| value(dice, 2)).collect()
}

pub struct Tally {
    pub compatible: usize,
    pub breaking: usize,
    pub unknown: usize,
}

/// One random pair by its seed.
pub fn pair(seed: u64, draft: Draft) -> Option<(Json, Json)> {
    let mut dice = Dice::new(seed);
    let base = schema(&mut dice, 3, draft);
    let revision = if dice.roll(4) == 0 { schema(&mut dice, 3, draft) } else { changed(&mut dice, &base, 3, draft) };
    // What is referred to: recursive in one case of three, always through a value.
    let mut definition = schema(&mut dice, 1, draft);
    if !without_references(&definition) {
        definition = json!({"type": "integer"});
    }
    if dice.roll(3) == 0 {
        definition = json!({"type": ["object", "null"], "properties": {"a": {"$ref": "#/definitions/one"}, "b": definition}});
    }
    Some((with_definition(base, &definition, draft), with_definition(revision, &definition, draft)))
}

/// Runs pairs and holds every answer against the other validator.
pub fn hold(seeds: std::ops::Range<u64>, draft: Draft) -> Tally {
    let mut tally = Tally { compatible: 0, breaking: 0, unknown: 0 };
    for seed in seeds {
        let Some((base, revision)) = pair(seed, draft) else { continue };
        let effort = Effort { steps: 200_000, depth: 160 };
        let options = Options { mode: Mode::Full, draft: Some(draft), effort, findings_max: 4, ..Options::default() };
        let report = match compare(
            &side("base.json", base.to_string().as_bytes()),
            &side("revision.json", revision.to_string().as_bytes()),
            &options,
        ) {
            Ok(report) => report,
            Err(why) => panic!("seed {seed}: {why}\n{base}\n{revision}"),
        };
        confirm(&base, &revision, draft, &report);
        match report.verdict {
            "compatible" => tally.compatible += 1,
            "breaking" => tally.breaking += 1,
            _ => tally.unknown += 1,
        }
        let mut dice = Dice::new(seed + 77);
        let (base_validator, revision_validator) = (validator(&base, draft), validator(&revision, draft));
        let told = |direction: &str| report.findings.iter().any(|finding| finding.more.get("direction") == Some(&Json::from(direction)));
        for document in documents(&mut dice, 60) {
            let (in_base, in_revision) = (base_validator.is_valid(&document), revision_validator.is_valid(&document));
            assert!(
                !in_base || in_revision || told("backward"),
                "seed {seed} ({draft:?}): {document} contradicts\n{base}\n{revision}\n{report:?}"
            );
            assert!(
                !in_revision || in_base || told("forward"),
                "seed {seed} ({draft:?}): {document} contradicts\n{base}\n{revision}\n{report:?}"
            );
        }
    }
    tally
}

fn in_thread(seeds: std::ops::Range<u64>, draft: Draft) -> Tally {
    std::thread::Builder::new().stack_size(256 << 20).spawn(move || hold(seeds, draft)).unwrap().join().unwrap()
}

#[test]
fn random_pairs_agree_with_another_validator() {
    let drafts = [Draft::Draft4, Draft::Draft6, Draft::Draft7, Draft::Draft2019, Draft::Draft2020];
    for (number, draft) in drafts.into_iter().enumerate() {
        let first = number as u64 * 10_000;
        let tally = in_thread(first..first + 300, draft);
        assert!(tally.compatible > 10 && tally.breaking > 100, "{draft:?}: too much alike to test anything");
        assert!(tally.unknown * 10 < tally.compatible + tally.breaking, "{draft:?}: {} of 300 not decided", tally.unknown);
    }
}

#[test]
#[ignore = "long: make fuzz"]
fn fuzz_random_pairs_against_another_validator() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let mut total = Tally { compatible: 0, breaking: 0, unknown: 0 };
    let mut seed = std::env::var("HOLDPOINT_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    while std::time::Instant::now() < end {
        for draft in [Draft::Draft2020, Draft::Draft2019, Draft::Draft7, Draft::Draft6, Draft::Draft4] {
            let tally = in_thread(seed..seed + 50, draft);
            total.compatible += tally.compatible;
            total.breaking += tally.breaking;
            total.unknown += tally.unknown;
            seed += 50;
        }
    }
    println!("compatible {}, breaking {}, unknown {}", total.compatible, total.breaking, total.unknown);
}

//! Bytes nobody meant, for every reader of this room: an answer in bounded time, never a panic.

use super::super::{gather, image, lock, purl, read, validate, write};
use crate::licenses::{expression::Expression, policy};
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

/// A few cuts, copies and changed bytes; sometimes a piece of another seed.
fn mutated(random: &mut Random, seeds: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].to_vec();
    for _ in 0..=random.below(4) {
        let (at, other) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 200));
        match random.below(6) {
            0 => _ = bytes.drain(from..to),
            1 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(at..at, piece);
            }
            2 => {
                let donor = seeds[random.below(seeds.len())];
                let begin = random.below(donor.len() + 1);
                let piece = donor[begin..donor.len().min(begin + random.below(100))].to_vec();
                bytes.splice(from..to, piece);
            }
            3 => {
                let words: [&[u8]; 12] =
                    [b"{", b"}", b"[", b"]", b"\"", b"\\u0000", b"null", b"\n", b"-1", b"99999999999999999999", b": ", b"\xff\xfe"];
                let word = words[random.below(words.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).unwrap_or(0);
                }
            }
        }
    }
    bytes
}

/// At least `count` inputs and for so long; how many were taken as sound.
fn run(seeds: &[&[u8]], seconds: u64, count: usize, take: impl Fn(&[u8]) -> bool) -> (usize, usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (begin, mut inputs, mut taken) = (Instant::now(), 0, 0);
    while inputs < count || begin.elapsed() < Duration::from_secs(seconds) {
        let bytes = mutated(&mut random, seeds);
        let before = Instant::now();
        taken += usize::from(take(&bytes));
        assert!(before.elapsed() < Duration::from_secs(5), "slow: {:?}", String::from_utf8_lossy(&bytes));
        inputs += 1;
    }
    (inputs, taken)
}

const LOCKS: [(&str, &[&[u8]]); 16] = [
    ("Cargo.lock", &[include_bytes!("../lock/fixtures/cargo.lock")]),
    ("package-lock.json", &[include_bytes!("../lock/fixtures/npm-v3.json"), include_bytes!("../lock/fixtures/npm-v2.json")]),
    ("pnpm-lock.yaml", &[include_bytes!("../lock/fixtures/pnpm-9.yaml"), include_bytes!("../lock/fixtures/pnpm-6.yaml")]),
    ("yarn.lock", &[include_bytes!("../lock/fixtures/yarn-1.lock"), include_bytes!("../lock/fixtures/yarn-4.lock")]),
    ("uv.lock", &[include_bytes!("../lock/fixtures/uv.lock")]),
    ("poetry.lock", &[b"[[package]]\nname = \"a\"\nversion = \"1\"\noptional = false\nfiles = [{file = \"a\", hash = \"sha256:00\"}]\n[package.dependencies]\nb = {version = \"1\"}\n"]),
    ("requirements.txt", &[include_bytes!("../lock/fixtures/requirements.txt"), b"a[b]==1.0 ; python_version > '3' --hash=sha256:00\n-r x\nb @ https://c\n"]),
    ("Pipfile.lock", &[include_bytes!("../lock/fixtures/pipfile.json")]),
    ("go.mod", &[b"module a\nrequire (\n\tb.c/d v1.0.0 // indirect\n)\nreplace b.c/d v1.0.0 => e v1\n"]),
    ("go.sum", &[b"golang.org/x/sys v0.15.0 h1:AAAA=\ngolang.org/x/sys v0.15.0/go.mod h1:AAAA=\n"]),
    ("pom.xml", &[b"<project><properties><a>1</a></properties><dependencies><dependency><groupId>g&amp;</groupId><artifactId>a</artifactId><version>${a}</version></dependency></dependencies></project>"]),
    ("gradle.lockfile", &[b"a.b:c:1.0=runtimeClasspath,testX\nempty=\n"]),
    ("Gemfile.lock", &[b"GEM\n  remote: x\n  specs:\n    a (1-java)\n      b (~> 1)\n\nDEPENDENCIES\n  a!\n\nCHECKSUMS\n  a (1-java) sha256=00\n"]),
    ("packages.lock.json", &[br#"{"dependencies": {"net8.0": {"A": {"type": "Direct", "resolved": "1", "dependencies": {"b": "1"}}}}}"#]),
    ("var/lib/dpkg/status", &[b"Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (2)\nDepends: c | d (>= 1), e:any\n more\n"]),
    ("lib/apk/db/installed", &[b"P:a\nV:1\nA:x\nL:MIT\no:b\nD:so:c=1 !d\np:so:c=1\nF:x\n"]),
];

/// What was read is written as a valid document, however odd the names in it.
fn lock_file(path: &str, bytes: &[u8]) -> bool {
    let Some(Ok(inventory)) = lock::read(path, bytes) else { return false };
    let about = write::About { spec: "1.6", name: "x", version: None, serial: None, timestamp: None, tool: "0" };
    let text = write::cyclonedx(&inventory, &about);
    let validation = validate::validate(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert!(validation.valid(), "{:#?}\n{text}", validation.findings);
    true
}

fn lock_files(seconds: u64, count: usize) {
    for (path, seeds) in LOCKS {
        let (inputs, taken) = run(seeds, seconds, count, |bytes| lock_file(path, bytes));
        println!("{path}: {inputs} inputs, {taken} read");
        assert!(taken > 0, "{path}: no mutation was readable: they are too coarse");
    }
}

fn documents(seconds: u64, count: usize) {
    let mut inventory = lock::Inventory::default();
    for (path, seeds) in LOCKS {
        inventory.absorb(lock::read(path, seeds[0]).and_then(Result::ok).unwrap_or_default(), path);
    }
    let about = write::About { spec: "1.6", name: "x", version: Some("1"), serial: None, timestamp: None, tool: "0" };
    let text = write::cyclonedx(&inventory, &about);
    let small = br#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"a","licenses":[{"expression":"MIT OR (ISC AND GPL-2.0+)"}],"hashes":[{"alg":"MD5","content":"d41d8cd98f00b204e9800998ecf8427e"}]}],"vulnerabilities":[{"affects":[{"ref":"a"}]}],"signature":{"algorithm":"ES256","value":""}}"#;
    let (inputs, taken) = run(&[text.as_bytes(), small, small], seconds, count, |bytes| {
        _ = read::cyclonedx(bytes);
        validate::validate(bytes).is_ok()
    });
    println!("cyclonedx: {inputs} inputs, {taken} read");
    assert!(taken > 0);
}

fn small_languages(seconds: u64, count: usize) {
    let purls: [&[u8]; 3] = [b"pkg:npm/%40a/b@1?c=d&e=f#g/h", b"pkg:deb/debian/g%2B%2B@4:1~a?arch=x", b"pkg:golang/a.b/c@v1#d"];
    let (inputs, taken) = run(&purls, seconds, count, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(purl) = text.parse::<purl::Purl>() else { return false };
        let again: purl::Purl = purl.to_string().parse().unwrap_or_else(|why| panic!("{text:?} became {purl}: {why}"));
        assert_eq!(again, purl, "{text:?}");
        true
    });
    println!("purl: {inputs} inputs, {taken} read");
    let expressions: [&[u8]; 3] =
        [b"(MIT OR Apache-2.0) AND GPL-2.0+ WITH Classpath-exception-2.0", b"DocumentRef-a:LicenseRef-b", b"mit and (isc)"];
    let (inputs, taken) = run(&expressions, seconds, count, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(expression) = Expression::parse(&text) else { return false };
        assert_eq!(Expression::parse(&expression.to_string()).as_ref(), Ok(&expression), "{text:?}");
        true
    });
    println!("expressions: {inputs} inputs, {taken} read");
    let policy: [&[u8]; 1] = [b"allow: [MIT, 'GPL-*']\ndeny: [ISC]\nnames: {x: MIT}\nignore_scopes: [excluded]\nexceptions: [{package: 'pkg:npm/a', reason: b, by: c, expires: 2026-01-01, licence: ISC}]\n"];
    let (inputs, taken) = run(&policy, seconds, count, |bytes| policy::Policy::read(bytes).is_ok());
    println!("policies: {inputs} inputs, {taken} read");
}

fn images(seconds: u64, count: usize) {
    let layer = image::sample_layer();
    let archive = image::sample_archive(&layer);
    let (inputs, taken) = run(&[&archive], seconds, count, |bytes| {
        image::Archive::open(std::io::Cursor::new(bytes)).and_then(|mut parts| image::read(&mut parts, None)).is_ok()
    });
    println!("images: {inputs} inputs, {taken} read");
    let (inputs, taken) = run(&[&layer], seconds, count, |bytes| {
        let archive = image::sample_archive(bytes);
        image::Archive::open(std::io::Cursor::new(archive)).and_then(|mut parts| image::read(&mut parts, None)).is_ok()
    });
    println!("layers: {inputs} inputs, {taken} read");
    assert!(taken > 0);
}

#[test]
fn mutations_are_answered() {
    lock_files(0, 300);
    documents(0, 300);
    small_languages(0, 1000);
    images(0, 200);
    assert!(gather::wanted("a/Cargo.lock"));
}

/// Each kind of reader gets its share.
fn seconds(share: u64) -> u64 {
    let all = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(60);
    (all / share).max(1)
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_lock_files() {
    lock_files(seconds(4), 1);
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_cyclonedx() {
    documents(seconds(1), 1);
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_purls_and_licences() {
    small_languages(seconds(3), 1);
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_images() {
    images(seconds(2), 1);
}

//! Seeded byte-level fuzzing of everything that `scan` reads: nothing panics, whatever comes.
//!
//! `make fuzz` runs it for HOLDPOINT_FUZZ_SECONDS; the seeds alone are replayed in every test run.

use holdpoint_inspect::advisories::index::{Index, Part, build};
use holdpoint_inspect::advisories::{Answers, archive, inventory, judge, read_waivers};
use holdpoint_inspect::versions::Scheme;
use holdpoint_inspect::{cvss, secrets, vex};
use std::time::{Duration, Instant};

const RECORD: &str = r#"{"schema_version":"1.7.0","id":"GHSA-1","modified":"2024-05-01T00:00:00Z","aliases":["CVE-1"],"summary":"a\nb","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.21"},{"last_affected":"1"},{"limit":"*"}]},{"type":"GIT","repo":"https://a/b","events":[{"introduced":"0"}]}],"versions":["1.0","r2"],"ecosystem_specific":{"imports":[{"path":"p","symbols":["s"]}],"affects":{"functions":["f"]}},"database_specific":{"severity":"HIGH","cvss":{"vectorString":"x"}}}]}"#;
const BOM: &str = r#"{"bomFormat":"CycloneDX","serialNumber":"urn:uuid:1","metadata":{"component":{"name":"shop","purl":"pkg:oci/shop@1"}},"components":[{"type":"library","bom-ref":"r","group":"g","name":"lodash","version":"4.17.20","purl":"pkg:npm/lodash@4.17.20?a=b#c","scope":"optional","properties":[{"name":"x:SrcName","value":"y"}],"components":[{"name":"in"}]}],"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"not_affected","justification":"code_not_reachable"},"affects":[{"ref":"r","versions":[{"version":"1","status":"unaffected"}]}]}]}"#;
const OPENVEX: &str = r#"{"@context":"https://openvex.dev/ns/v0.2.0","author":"a","timestamp":"2024-01-01T00:00:00Z","statements":[{"vulnerability":{"name":"CVE-1","aliases":["X"]},"products":[{"@id":"pkg:oci/shop","subcomponents":[{"@id":"pkg:npm/lodash"}]}],"status":"not_affected","justification":"component_not_present"}]}"#;
const CSAF: &str = r#"{"document":{"csaf_version":"2.0","tracking":{"current_release_date":"2024-01-01T00:00:00Z"}},"product_tree":{"branches":[{"product":{"product_id":"A","product_identification_helper":{"purl":"pkg:npm/lodash"}}}]},"vulnerabilities":[{"cve":"CVE-1","product_status":{"fixed":["A"]},"flags":[{"label":"l","product_ids":["A"]}]}]}"#;
const WAIVERS: &str = "waivers:\n  - id: CVE-1\n    package: pkg:npm/lodash\n    reason: r\n    by: ada\n    expires: 2026-12-31\n";
const CODE: &str = "postgres://app:pa55word@db.prod/x\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END\nAPI_KEY=\"a1B2c3D4e5F6g7H8i9J0\" # holdpoint:allow-secret: why\neyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlc2lnbmF0dXJl Server=a;Password=b1c2d3;\n\\nghp_123456789012345678901234567890abcdef\n";
const VERSIONS: &str = "1!1.0rc1.post2.dev3+a.1 1:2.0~rc1-1+deb12u1 1.0_alpha2_p1-r3 1-alpha-1.ga-SNAPSHOT 1.0.0-beta.11+x v0.0.0-20190101000000-abcdef 1.x-dev 2.0^git1~x";
const VECTORS: &str = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:P CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MAV:L AV:N/AC:L/Au:N/C:N/I:N/A:C/CDP:H";

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        [RECORD, BOM, OPENVEX, CSAF, WAIVERS, CODE, VERSIONS, VECTORS].into_iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let mut part = Part::default();
    part.add(RECORD.as_bytes()).expect("the seed is a record");
    seeds.push(build(&[part], [7; 32]));
    // One stored file, as a zip archive.
    let mut zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\x43\xbe\xb7\xe8\x01\0\0\0\x01\0\0\0\x06\0\0\0a.jsona".to_vec();
    let offset = zip.len() as u32;
    zip.extend_from_slice(
        b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\x43\xbe\xb7\xe8\x01\0\0\0\x01\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a.json",
    );
    let length = zip.len() as u32 - offset;
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend_from_slice(&length.to_le_bytes());
    zip.extend_from_slice(&offset.to_le_bytes());
    zip.extend_from_slice(&[0, 0]);
    seeds.push(zip);
    seeds
}

/// Every reader on the same bytes: what is one format's document is another's damage.
fn read(bytes: &[u8]) {
    let mut part = Part::default();
    _ = part.add(bytes);
    let index = build(&[part], [0; 32]);
    let own = Index::of_bytes(&index).expect("what was built can be opened");
    if let Ok(inventory) = inventory::read(bytes) {
        let statements = vex::read(bytes).unwrap_or_default();
        let judged = judge(&inventory, &own, Answers { statements: &statements, waivers: &[], now: 0 }).expect("an index that is whole");
        for weakness in &judged.weaknesses {
            _ = weakness.finding(&inventory, "x");
        }
    }
    _ = vex::read(bytes);
    _ = read_waivers(bytes);
    _ = secrets::Baseline::read(bytes);
    if let Ok(index) = Index::of_bytes(bytes) {
        _ = index.about("npm\0lodash");
    }
    if let Ok(entries) = archive::entries(bytes) {
        let mut inflate = flate2::Decompress::new(false);
        for entry in entries.iter().take(10) {
            _ = archive::unpack(bytes, entry, &mut inflate);
        }
    }
    if let Ok(text) = secrets::readable(bytes) {
        for leak in secrets::scan("a.env", &text) {
            _ = leak.finding("a.env");
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let schemes = [
        Scheme::SemVer,
        Scheme::Go,
        Scheme::Pub,
        Scheme::Pep440,
        Scheme::Maven,
        Scheme::RubyGems,
        Scheme::NuGet,
        Scheme::Packagist,
        Scheme::Debian,
        Scheme::Alpine,
        Scheme::Rpm,
        Scheme::Dotted,
    ];
    let words: Vec<&str> = text.split([' ', '\n', '"']).take(40).collect();
    for pair in words.windows(2) {
        let [a, b] = pair else { continue };
        _ = cvss::score(a);
        for scheme in schemes {
            if let (Ok(there), Ok(back)) = (scheme.compare(a, b), scheme.compare(b, a)) {
                assert_eq!(there, back.reverse(), "{scheme}: {a:?} and {b:?}");
                assert_eq!(scheme.compare(a, a), Ok(std::cmp::Ordering::Equal), "{scheme}: {a:?} and itself");
            }
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = b"\0\xff{}[]\",:/-.0189aZ~^_+!\\\n"[random.below(25)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at.min(bytes.len()), random.below(256) as u8),
            4 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + random.below(60)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let place = random.below(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            _ => {
                let other = &others[random.below(others.len())];
                let from = random.below(other.len());
                let piece = other[from..(from + random.below(80)).min(other.len())].to_vec();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), piece);
            }
        }
        bytes.truncate(1 << 16);
    }
}

fn run(until: impl Fn(u64) -> bool, seed: u64) -> u64 {
    let seeds = seeds();
    let mut random = Random(seed);
    let mut rounds = 0;
    while until(rounds) {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &seeds, &mut random);
        read(&bytes);
        rounds += 1;
    }
    rounds
}

#[test]
fn scan_readers_survive_their_seeds_and_a_few_changes() {
    seeds().iter().for_each(|seed| read(seed));
    assert_eq!(run(|rounds| rounds < 400, 0x5eed), 400);
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_scan() {
    let seconds = std::env::var("HOLDPOINT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let end = Instant::now() + Duration::from_secs(seconds);
    let rounds = run(|_| Instant::now() < end, 0xf022);
    println!("{rounds} documents in {seconds} s");
}

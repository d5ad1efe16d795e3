//! I4: the ledger is whole. Leaf hashes, chains and the Merkle root by code of its own (RFC 6962, section 2.1).

use super::json::Json;
use super::{Fact, Report};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

pub fn spell(hash: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(hash))
}

/// Merkle tree hash over leaves, written as the standard defines it: split at the largest power of two below n.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            sha256(&[&[1], &root(&leaves[..half]), &root(&leaves[half..])])
        }
    }
}

/// Reads the lines, and judges them as a log.
pub fn read(text: &str, report: &mut Report) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut heads: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let mut covered = None;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let json = match Json::parse(line) {
            Ok(json) => json,
            Err(why) => {
                report.wrong("I4", None, format!("line {} cannot be read: {why}", number + 1));
                continue;
            }
        };
        if *json.get("checkpoint") != Json::Null {
            checkpoint(json.get("checkpoint"), &facts, report);
            covered = Some(facts.len());
        } else if *json.get("envelope") != Json::Null {
            match fact(&json) {
                Some(fact) => {
                    follows(&fact, facts.len() as u64, &mut heads, report);
                    facts.push(fact);
                }
                None => report.wrong("I4", None, format!("line {} is no fact", number + 1)),
            }
        } else if number > 0 || *json.get("format") == Json::Null {
            report.wrong("I4", None, format!("line {} is neither a fact nor a checkpoint", number + 1));
        }
    }
    if covered != Some(facts.len()) {
        report.wrong("I4", None, "the last line is no checkpoint over all facts");
    }
    facts
}

fn fact(json: &Json) -> Option<Fact> {
    let envelope = json.get("envelope").clone();
    let leaf = sha256(&[&[0], envelope.canonical().as_bytes()]);
    Some(Fact {
        index: json.get("index").integer()?,
        stream: envelope.get("stream").text()?.to_owned(),
        position: envelope.get("position").integer()?,
        kind: envelope.get("type").text()?.to_owned(),
        body: json.get("body").clone(),
        envelope,
        leaf,
    })
}

fn follows(fact: &Fact, index: u64, heads: &mut BTreeMap<(String, String), (u64, String)>, report: &mut Report) {
    if fact.index != index {
        report.wrong("I4", Some(fact), format!("index {} where {index} must follow", fact.index));
    }
    let project = fact.envelope.get("project").text().unwrap_or("").to_owned();
    let head = heads.entry((project, fact.stream.clone())).or_insert((0, String::new()));
    if fact.position != head.0 + 1 {
        report.wrong("I4", Some(fact), format!("position {} where {} must follow", fact.position, head.0 + 1));
    }
    if fact.envelope.get("prev").text() != Some(&head.1) {
        report.wrong("I4", Some(fact), "prev is not the hash of the stream's previous fact");
    }
    let body = spell(&sha256(&[fact.body.canonical().as_bytes()]));
    if fact.envelope.get("body_digest").text() != Some(&body) {
        report.wrong("I4", Some(fact), "the body is not the one that the envelope names");
    }
    *head = (fact.position, spell(&fact.leaf));
}

/// A signed note, or an object that holds one (`note`) or its parts (`size`, `root`).
fn checkpoint(json: &Json, facts: &[Fact], report: &mut Report) {
    let note = json.text().or_else(|| json.get("note").text());
    let (size, claimed) = match note {
        Some(note) => {
            let lines: Vec<&str> = note.lines().collect();
            let root = lines.get(2).and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
            (lines.get(1).and_then(|text| text.parse().ok()), root.map(|root| format!("sha256:{}", hex::encode(root))))
        }
        None => (json.get("size").integer(), json.get("root").text().map(str::to_owned)),
    };
    let leaves: Vec<[u8; 32]> = facts.iter().map(|fact| fact.leaf).collect();
    if size != Some(leaves.len() as u64) {
        report.wrong("I4", None, format!("a checkpoint says {size:?} facts, before it stand {}", leaves.len()));
    }
    if claimed != Some(spell(&root(&leaves))) {
        report.wrong("I4", None, format!("a checkpoint over {} facts has another root", leaves.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::{root, sha256};

    /// Known answers of the Certificate Transparency reference tree.
    #[test]
    fn roots_are_those_of_the_standard() {
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let leaves: Vec<[u8; 32]> = inputs.iter().map(|hex| sha256(&[&[0], &hex::decode(hex).expect("hex")])).collect();
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(hex::encode(root(&leaves[..size])), expected, "{size}");
        }
    }
}

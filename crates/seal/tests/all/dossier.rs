//! Dossiers: every byte flipped, edits without and with the server's key, key ranges, older checkpoints.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdpoint_seal::canonical;
use holdpoint_seal::dossier::{self, Older, verify};
use holdpoint_seal::fact::LoggedFact;
use holdpoint_seal::keylist::{IndexRevocation, KeyList};
use holdpoint_seal::keys::SigningKey;
use holdpoint_seal::merkle;
use holdpoint_seal::report::Report;
use holdpoint_seal::{Digest, json};
use serde_json::{Value, json};

use crate::fixture::{LOG, Log, keylist, listed, log, root_key, server_key};

fn check(dossier: &[u8]) -> Report {
    verify(dossier, root_key().public(), None)
}

fn whats(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|f| f.what.as_str()).collect()
}

#[test]
fn a_dossier_verifies_with_the_root_key_alone() {
    let log = log(40);
    let bytes = log.dossier();
    let report = check(&bytes);
    assert!(report.ok, "{report:#?}");
    assert_eq!((report.facts, report.attestations, report.approvals), (32, 8, 8));
    assert_eq!((report.size, report.root, report.first_bad_index), (Some(40), Some(log.tree.root()), None));
    let value = json::parse(&bytes, 1 << 24).unwrap();
    assert_eq!([canonical::value_to_vec(&value).unwrap(), b"\n".to_vec()].concat(), bytes);

    let stranger = SigningKey::ed25519(&[9; 32]).unwrap();
    assert_eq!(whats(&verify(&bytes, stranger.public(), None))[0], "keylist");
}

/// Where the facts and members of a dossier lie, found by searching for their canonical bytes.
fn fact_ranges(bytes: &[u8], facts: &[LoggedFact]) -> Vec<(u64, Range<usize>)> {
    let mut at = 0;
    facts
        .iter()
        .map(|fact| {
            let text = canonical::to_vec(fact).unwrap();
            let start = at + bytes[at..].windows(text.len()).position(|w| w == text).unwrap();
            at = start + text.len();
            (fact.index, start..at)
        })
        .collect()
}

fn member_ranges(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let value = json::parse(bytes, 1 << 24).unwrap();
    let members = value.as_object().unwrap().iter();
    members
        .map(|(name, member)| {
            let text = format!("\"{name}\":{}", canonical::to_string(member).unwrap());
            let end = bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap() + text.len();
            (name.clone(), end - text.len() + name.len() + 3..end)
        })
        .collect()
}

/// Every byte of the file, one at a time, with two different flips: refused, and the finding names the place.
#[test]
fn every_flipped_byte_is_found_and_placed() {
    let log = log(38);
    let bytes = log.dossier();
    assert!(check(&bytes).ok);
    let facts = fact_ranges(&bytes, &log.contents().facts);
    assert_eq!(facts.len(), 30);
    let members = member_ranges(&bytes);
    let next = AtomicUsize::new(0);
    let root = root_key();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get()) {
            scope.spawn(|| {
                let mut flipped = bytes.clone();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= bytes.len() {
                        return;
                    }
                    // Bit 0 keeps most texts well-formed JSON, bit 6 breaks quotes and brackets.
                    flipped[at] ^= if at.is_multiple_of(2) { 1 } else { 0x40 };
                    let report = verify(&flipped, root.public(), None);
                    expect_placed(&report, at, &facts, &members);
                    flipped[at] = bytes[at];
                }
            });
        }
    });
}

fn expect_placed(report: &Report, at: usize, facts: &[(u64, Range<usize>)], members: &[(String, Range<usize>)]) {
    assert!(!report.ok, "byte {at} was changed unnoticed");
    if let Some((index, _)) = facts.iter().find(|(_, range)| range.contains(&at)) {
        assert_eq!(report.first_bad_index, Some(*index), "byte {at}: {report:?}");
        return;
    }
    assert_eq!(report.first_bad_index, None, "byte {at} is in no fact: {report:?}");
    if let Some((name, _)) = members.iter().find(|(name, range)| name != "facts" && range.contains(&at)) {
        assert_eq!(report.findings[0].what, *name, "byte {at}: {report:?}");
    }
}

fn edited(bytes: &[u8], edit: impl Fn(&mut Value)) -> Vec<u8> {
    let mut value = json::parse(bytes, 1 << 24).unwrap();
    edit(&mut value);
    let mut out = canonical::value_to_vec(&value).unwrap();
    out.push(b'\n');
    out
}

fn facts_of(value: &mut Value) -> &mut Vec<Value> {
    value["facts"].as_array_mut().unwrap()
}

/// AB47 without the server's key: the attacker can only edit the file.
#[test]
fn edits_name_the_first_bad_index() {
    let log = log(40);
    let bytes = log.dossier();
    let index_at = |n: usize| log.contents().facts[n].index;
    let first_bad = |edit: fn(&mut Value)| check(&edited(&bytes, edit)).first_bad_index;
    let edit: fn(&mut Value) = |v| v["facts"][5]["body"]["environment"] = json!("dev");
    assert_eq!(first_bad(edit), Some(index_at(5)));
    assert_eq!(first_bad(|v| drop(facts_of(v).remove(5))), Some(index_at(5)));
    assert_eq!(first_bad(|v| facts_of(v).swap(5, 6)), Some(index_at(5)));
    assert_eq!(first_bad(|v| facts_of(v).truncate(20)), Some(index_at(20)));
    assert_eq!(first_bad(|v| facts_of(v).insert(5, json!({"index": 0}))), Some(index_at(5)));
    assert_eq!(first_bad(|v| facts_of(v).clear()), Some(index_at(0)));
    let seal = edited(&bytes, |v| v["seal"] = json!("e30="));
    assert_eq!(whats(&check(&seal)), ["seal"]);
    // Without a seal, the facts still tell which one was altered.
    let both = edited(&bytes, |v| {
        v["seal"] = json!("e30=");
        v["facts"][5]["body"]["environment"] = json!("dev");
        v["facts"][9]["envelope"]["actor"] = json!("per_9");
    });
    let report = check(&both);
    assert_eq!(report.first_bad_index, Some(index_at(5)));
    let at = |index: u64| report.findings.iter().filter(|f| f.index == Some(index)).map(|f| f.what.as_str()).collect::<Vec<_>>();
    assert_eq!((at(index_at(5)), at(index_at(9))), (vec!["body"], vec!["inclusion"]));
    for spelling in [
        [b" ".to_vec(), bytes.clone()].concat(),
        [bytes.clone(), b"\n".to_vec()].concat(),
        bytes[..bytes.len() - 1].to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        [bytes.clone(), bytes.clone()].concat(),
        Vec::new(),
        b"{}\n".to_vec(),
    ] {
        assert!(!check(&spelling).ok);
    }
}

/// AB47 with the server's key: whoever seals a false dossier is found by the rules of the log.
#[test]
fn a_server_cannot_seal_what_the_log_does_not_hold() {
    let log = log(40);
    let refused = |change: &dyn Fn(&mut dossier::Contents)| {
        let mut contents = log.contents();
        change(&mut contents);
        let report = check(&log.dossier_of(contents));
        assert!(!report.ok);
        let whats: Vec<String> = report.findings.iter().map(|f| f.what.clone()).collect();
        (report.first_bad_index, whats)
    };
    let facts = log.contents().facts;
    let only = |index: u64, what: &str| (Some(index), vec![what.to_owned()]);
    assert_eq!(refused(&|c| c.facts[4].body = json!({"x": 1})), only(facts[4].index, "body"));
    let (index, whats) = refused(&|c| c.facts[5].envelope.actor = "per_9".into());
    assert_eq!((index, whats[0].as_str()), (Some(facts[5].index), "inclusion"));
    let (index, whats) = refused(&|c| drop(c.facts.remove(0)));
    let of_stream = |f: &&LoggedFact| f.envelope.stream == facts[0].envelope.stream;
    assert_eq!((index, whats[0].as_str()), (facts[1..].iter().find(of_stream).map(|f| f.index), "chain"));
    let (_, whats) = refused(&|c| c.facts[3].envelope.project = "other".into());
    assert!(whats.contains(&"project".to_owned()));
    let (index, _) = refused(&|c| c.facts.push(facts[31].clone()));
    assert_eq!(index, Some(facts[31].index));
    assert_eq!(refused(&|c| c.subject = "rel_9".into()), (None, vec!["subject".into()]));
    let missing = facts.iter().find(|f| f.envelope.fact_type == "EvidenceReceived").unwrap().index;
    assert_eq!(refused(&|c| drop(c.attestations.remove(0))), only(missing, "attestation"));
    assert_eq!(refused(&|c| c.attestations.push(b"{}".to_vec())), (None, vec!["attestations".into()]));
    assert_eq!(refused(&|c| c.notes[0].text.push('!')), (None, vec!["notes".into()]));
    // An erased note leaves the proofs whole.
    let mut erased = log.contents();
    erased.notes.clear();
    assert!(check(&log.dossier_of(erased)).ok);
}

#[test]
fn keys_count_only_where_the_root_says() {
    let log = log(40);
    let refused = |change: fn(&mut holdpoint_seal::keylist::ListedKey)| {
        let mut key = listed(&server_key());
        change(&mut key);
        let mut contents = log.contents();
        contents.keylist = KeyList::first(LOG, vec![key]).sign(&root_key()).unwrap();
        let report = check(&log.dossier_of(contents));
        whats(&report).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(refused(|_| ()), Vec::<String>::new());
    assert_eq!(refused(|k| k.until_index = Some(39)), ["checkpoint"]);
    assert_eq!(refused(|k| k.until_index = Some(40)), Vec::<String>::new());
    assert_eq!(refused(|k| k.from_index = 40), ["checkpoint"]);
    assert_eq!(refused(|k| k.revoked = Some(IndexRevocation { from_index: 39, reason: "lost".into() })), ["checkpoint"]);
    assert_eq!(refused(|k| _ = k.roles.pop_last()), ["seal"]);
    assert_eq!(refused(|k| _ = k.roles.pop_first()), ["checkpoint"]);

    // A list signed by the server itself.
    let mut contents = log.contents();
    let other = SigningKey::ed25519(&[7; 32]).unwrap();
    contents.keylist = KeyList::first(LOG, vec![listed(&server_key())]).sign(&other).unwrap();
    assert!(!check(&log.dossier_of(contents)).ok);
}

/// AB47: a fork or a rewritten history is found by any older checkpoint.
#[test]
fn older_checkpoints_find_forks_and_restored_backups() {
    let log_40 = log(40);
    let bytes = log_40.dossier();
    let with = |note: &str, consistency: &[Digest]| {
        let report = verify(&bytes, root_key().public(), Some(Older { note: note.as_bytes(), consistency }));
        whats(&report).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let fine = Vec::<String>::new();
    for size in [0usize, 1, 7, 32, 39, 40] {
        let proof = if size == 0 { vec![] } else { merkle::consistency_proof(size as u64, 40, &|id| log_40.node(id)).unwrap() };
        assert_eq!(with(&log(size).checkpoint(), &proof), fine, "size {size}");
        let mut facts = log_40.facts[..size].to_vec();
        if let Some(first) = facts.first_mut() {
            first.body = json!({"forked": true});
            assert_eq!(with(&Log::retold(&facts).checkpoint(), &proof), ["older-checkpoint"], "size {size}");
        }
        if !proof.is_empty() {
            assert_eq!(with(&log(size).checkpoint(), &proof[1..]), ["older-checkpoint"], "size {size}");
        }
    }
    // The dossier is of an older state than the checkpoint: fine if that state led there.
    let later = log(50);
    let proof = merkle::consistency_proof(40, 50, &|id| later.node(id)).unwrap();
    assert_eq!(with(&later.checkpoint(), &proof), fine);
    let stranger = SigningKey::ed25519(&[9; 32]).unwrap();
    assert_eq!(with(&later.checkpoint_by(&stranger), &proof), ["older-checkpoint"]);
    assert_eq!(with("garbage", &proof), ["older-checkpoint"]);
}

#[test]
fn cannot_be_built_before_the_facts_are_sealed() {
    let log = log(40);
    let mut contents = log.contents();
    contents.checkpoint = crate::fixture::log(20).checkpoint();
    assert!(matches!(dossier::build(contents, &|id| log.node(id), &server_key()), Err(dossier::DossierError::Merkle(_))));
    let needed = dossier::needed_nodes(&[0, 5, 39], 40).unwrap();
    assert!(needed.iter().all(|id| log.node(*id).is_some()));
    assert!(dossier::build(log.contents(), &|_| None, &server_key()).is_err());
    assert_eq!(keylist(), log.contents().keylist);
}

//! Ledger exports: every byte flipped, tampering that recomputes hashes, forks, restored backups.

use holdpoint_seal::export::{checkpoint_line, fact_line, header_line, verify_export};
use holdpoint_seal::fact::LoggedFact;
use holdpoint_seal::report::Report;
use serde_json::json;

use crate::fixture::{Log, keylist, log, root_key};

fn check(export: &[u8], older: &[&str]) -> Report {
    let older: Vec<&[u8]> = older.iter().map(|n| n.as_bytes()).collect();
    verify_export(export, root_key().public(), &older)
}

/// Facts as given, whatever the tree would say, and the checkpoint of `log`.
fn told(facts: &[LoggedFact], log: &Log) -> Vec<u8> {
    let mut out = header_line(&keylist()).unwrap();
    for fact in facts {
        out.extend(fact_line(fact).unwrap());
    }
    out.extend(checkpoint_line(&log.checkpoint()).unwrap());
    out
}

#[test]
fn an_export_verifies() {
    for size in [0, 1, 2, 40] {
        let log = log(size);
        let report = check(&log.export(), &[]);
        assert!(report.ok, "{report:?}");
        assert_eq!((report.facts, report.root), (size as u64, Some(log.tree.root())));
    }
}

#[test]
fn every_flipped_byte_is_found_with_the_first_bad_index() {
    let log = log(12);
    let bytes = log.export();
    let header = header_line(&keylist()).unwrap().len();
    let mut starts = vec![header];
    for fact in &log.facts {
        starts.push(starts.last().unwrap() + fact_line(fact).unwrap().len());
    }
    for at in 0..bytes.len() {
        for mask in [1, 0x40] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            let report = check(&flipped, &[]);
            assert!(!report.ok, "byte {at}");
            let line = starts.partition_point(|s| *s <= at);
            let expected = if at < header || line == starts.len() { None } else { Some(line as u64 - 1) };
            assert_eq!(report.first_bad_index, expected, "byte {at} ^ {mask:#x}: {report:?}");
        }
    }
}

/// AB47: edit, delete, insert, reorder, truncate, by someone who recomputes the hashes of what he touches.
#[test]
fn tampering_is_found_with_the_first_bad_index() {
    let log = log(40);
    let changed = |change: &dyn Fn(&mut Vec<LoggedFact>)| {
        let mut facts = log.facts.clone();
        change(&mut facts);
        check(&told(&facts, &log), &[]).first_bad_index
    };
    assert_eq!(changed(&|_| ()), None);
    assert_eq!(changed(&|f| f[7].body = json!({})), Some(7));
    assert_eq!(changed(&|f| f[10].envelope.actor = "per_9".into()), Some(10));
    assert_eq!(changed(&|f| drop(f.remove(7))), Some(7));
    assert_eq!(changed(&|f| f.swap(7, 8)), Some(7));
    assert_eq!(changed(&|f| f.insert(7, f[3].clone())), Some(7));
    assert_eq!(changed(&|f| f.truncate(30)), Some(30));
    // History retold from fact 10 on: hashes agree with each other, the signed root does not.
    let mut facts = log.facts.clone();
    facts[10].body = json!({"retold": true});
    let retold = Log::retold(&facts);
    let report = check(&told(&retold.facts, &log), &[]);
    assert_eq!((report.findings[0].what.as_str(), report.first_bad_index), ("root", Some(0)));
    // An earlier checkpoint narrows it down, and finds it even if the server signs the retold log.
    let ten = crate::fixture::log(10).checkpoint();
    let twelve = crate::fixture::log(12).checkpoint();
    let report = check(&told(&retold.facts, &retold), &[&ten, &twelve]);
    assert_eq!((report.findings[0].what.as_str(), report.first_bad_index), ("older-checkpoint", Some(10)));
    assert!(check(&told(&retold.facts, &retold), &[&ten]).ok);
}

#[test]
fn a_restored_backup_is_shorter_than_what_was_seen() {
    let seen = log(40).checkpoint();
    let report = check(&log(30).export(), &[&seen]);
    assert_eq!((report.findings[0].what.as_str(), report.first_bad_index), ("older-checkpoint", Some(30)));
    assert!(check(&log(40).export(), &[&seen]).ok);
    assert!(check(&log(50).export(), &[&seen, &log(0).checkpoint()]).ok);
    assert!(!check(&log(50).export(), &["garbage"]).ok);
}

#[test]
fn checkpoints_between_facts_must_hold_and_the_last_line_covers_all() {
    let log = log(12);
    let early = checkpoint_line(&crate::fixture::log(5).checkpoint()).unwrap();
    let mut lines: Vec<Vec<u8>> = log.export().split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    lines.insert(6, early.clone());
    assert!(check(&lines.concat(), &[]).ok);
    lines.swap(6, 7);
    assert!(!check(&lines.concat(), &[]).ok);
    let uncovered = lines[..lines.len() - 1].concat();
    assert!(!check(&uncovered, &[]).ok);
    assert!(!check(log.export().strip_suffix(b"\n").unwrap(), &[]).ok);
    assert!(!check(b"", &[]).ok);
    assert!(!check(b"\n", &[]).ok);
}

//! The log: leaders, sequencers, proofs, exports, and everything that looks for what was changed.

use crate::world::*;
use holdpoint_domain::kernel::{Decision, Kind, Note, Salt};
use holdpoint_domain::nouns::Fact;
use holdpoint_seal::checkpoint::Checkpoint;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::export::verify_export;
use holdpoint_seal::keylist::{KeyList, KeyRole, ListedKey};
use holdpoint_seal::keys::SigningKey;
use holdpoint_seal::merkle::{verify_consistency, verify_inclusion};
use holdpoint_store::{Store, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

const LOG: &str = "holdpoint.example/log";
const MINUTE: Duration = Duration::from_secs(60);

fn key(seed: u8) -> SigningKey {
    SigningKey::ed25519(&[seed; 32]).expect("a key")
}

fn sign(size: u64, root: &Digest) -> Result<String, String> {
    Checkpoint { origin: LOG.to_owned(), size, root: *root, extensions: vec![] }.sign(&key(2)).map_err(|why| why.to_string())
}

/// Seals everything there is, `limit` facts at a time.
async fn seal(store: &Store, limit: u32) {
    let epoch = store.lead("sequencer", "test", MINUTE).await.expect("asks").expect("leads");
    while store.sequence(epoch, limit, &sign).await.expect("seals").is_some() {}
}

async fn declare_many(store: &Store, number: u32) {
    for order in 0..number {
        declare(store, ["a", "b", "c"][order as usize % 3], order).await.expect("commits");
    }
}

pub async fn one_leader_at_a_time(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    assert_eq!(one.lead("promoter", "one", MINUTE).await.expect("asks"), Some(1));
    assert_eq!(two.lead("promoter", "two", MINUTE).await.expect("asks"), None);
    assert_eq!(one.lead("promoter", "one", MINUTE).await.expect("asks"), Some(1), "renewed, the epoch stays");
    assert_eq!(two.lead("watcher", "two", MINUTE).await.expect("asks"), Some(1), "another name");
    one.resign("promoter", "one").await.expect("resigns");
    // Long enough that a busy machine asks within it.
    let lease = Duration::from_secs(3);
    assert_eq!(two.lead("promoter", "two", lease).await.expect("asks"), Some(2));
    assert_eq!(one.lead("promoter", "one", MINUTE).await.expect("asks"), None);
    tokio::time::sleep(lease + Duration::from_millis(50)).await;
    assert_eq!(one.lead("promoter", "one", MINUTE).await.expect("asks"), Some(3), "the end of a lease is the end");
    // An old epoch seals nothing.
    declare(&one, "dev", 1).await.expect("commits");
    let old = one.lead("sequencer", "one", Duration::from_millis(1)).await.expect("asks").expect("leads");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let new = two.lead("sequencer", "two", MINUTE).await.expect("asks").expect("leads");
    assert!(new > old);
    assert!(matches!(one.sequence(old, 10, &sign).await, Err(StoreError::Conflict(_))));
    assert_eq!(two.sequence(new, 10, &sign).await.expect("seals").map(|sealed| sealed.size), Some(1));
}

pub async fn two_sequencers_make_one_log(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    let writing = tokio::spawn({
        let (one, two) = (one.clone(), two.clone());
        async move {
            for number in 0..60u32 {
                let store = if number % 2 == 0 { &one } else { &two };
                store.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits");
            }
        }
    });
    let sequencer = |store: Store, holder: &'static str| async move {
        let mut sealed = 0;
        for _ in 0..60 {
            // Very short leases: leadership goes to and fro, and some steps come too late.
            if let Some(epoch) = store.lead("sequencer", holder, Duration::from_millis(5)).await.expect("asks") {
                match store.sequence(epoch, 7, &sign).await {
                    Ok(Some(step)) => sealed += step.to - step.from,
                    Ok(None) | Err(StoreError::Conflict(_)) => {}
                    Err(why) => panic!("{why}"),
                }
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        sealed
    };
    let (first, second) = tokio::join!(sequencer(one.clone(), "one"), sequencer(two, "two"));
    writing.await.expect("no panic");
    tokio::time::sleep(Duration::from_millis(20)).await;
    seal(&one, 100).await;
    let facts = one.facts(0, 1000, None).await.expect("reads");
    assert!(first + second <= 60);
    assert_eq!(facts.len(), 60);
    // One log without gaps, and the stream in its own order.
    assert!(facts.iter().enumerate().all(|(index, fact)| fact.index == Some(index as u64)));
    assert!(facts.iter().enumerate().all(|(index, fact)| fact.envelope.position == index as u64 + 1));
    assert_eq!(one.unsealed().await.expect("counts"), 0);
    assert_eq!(one.rebuild_compare().await.expect("compares"), []);
}

pub async fn proofs_verify(world: World) {
    let store = &world.store;
    let mut checkpoints = Vec::new();
    for round in 1..=5 {
        declare_many(store, round * 3 + 1).await;
        seal(store, 4).await;
        checkpoints.push(store.checkpoint().await.expect("reads").expect("is there"));
    }
    let last = checkpoints.last().expect("five");
    let facts = store.facts(0, 1000, None).await.expect("reads");
    assert_eq!(facts.len() as u64, last.size);
    for fact in &facts {
        let index = fact.index.expect("sealed");
        for checkpoint in checkpoints.iter().filter(|checkpoint| checkpoint.size > index) {
            let proof = store.inclusion(index, checkpoint.size).await.expect("proves");
            verify_inclusion(&fact.hash, index, checkpoint.size, &proof, &checkpoint.root).expect("verifies");
        }
    }
    for old in &checkpoints {
        for new in checkpoints.iter().filter(|new| new.size >= old.size) {
            let proof = store.consistency(old.size, new.size).await.expect("proves");
            verify_consistency(old.size, new.size, &old.root, &new.root, &proof).expect("verifies");
        }
        assert_eq!(store.root_at(old.size).await.expect("computes"), old.root);
        assert_eq!(store.checkpoint_at(old.size).await.expect("reads").as_ref(), Some(old));
    }
    assert!(store.inclusion(last.size, last.size).await.is_err());
    assert_eq!(store.checkpoint_over(0).await.expect("reads").map(|checkpoint| checkpoint.size), Some(4));
    let opened = Checkpoint::open(last.note.as_bytes(), LOG, key(2).public()).expect("is signed");
    assert_eq!((opened.size, opened.root), (last.size, last.root));
    let of_b = store.facts(0, 100, Some((PROJECT, &env("b")))).await.expect("reads");
    assert!(of_b.iter().all(|fact| fact.envelope.stream == "environment/b") && of_b.len() > 5);
    let seen = store.verify_start().await.expect("verifies");
    assert_eq!((seen.size, seen.differences), (last.size, vec![]));
}

fn keylist() -> Vec<u8> {
    let listed = ListedKey {
        key: key(2).public().clone(),
        roles: BTreeSet::from([KeyRole::Checkpoint]),
        from_index: 0,
        until_index: None,
        revoked: None,
    };
    KeyList::first(LOG, vec![listed]).sign(&key(1)).expect("signs")
}

pub async fn exports_verify(world: World) {
    let store = &world.store;
    assert!(store.export(&keylist()).await.is_err(), "nothing is sealed yet");
    declare_many(store, 25).await;
    seal(store, 10).await;
    declare(store, "unsealed", 1).await.expect("commits");
    let lines = store.export(&keylist()).await.expect("begins").rest().await.expect("exports");
    let report = verify_export(&lines, key(1).public(), &[]);
    assert!(report.ok, "{report:?}");
    assert_eq!(report.facts, 25);
    world.tamper("UPDATE facts SET body = replace(body, '\"order\":7', '\"order\":8') WHERE log_index = 7").await;
    let lines = store.export(&keylist()).await.expect("begins").rest().await.expect("exports");
    let report = verify_export(&lines, key(1).public(), &[]);
    assert!(!report.ok);
    assert_eq!(report.first_bad_index.map(|index| index <= 7), Some(true), "{report:?}");
}

pub async fn rebuilding_finds_no_difference_and_a_planted_one(world: World) {
    let store = &world.store;
    declare_many(store, 30).await;
    seal(store, 8).await;
    declare_many(store, 4).await;
    assert_eq!(store.rebuild_compare().await.expect("compares"), []);
    for (harm, word, back) in [
        (
            "UPDATE p_doc SET state = replace(state, '\"zone\":\"UTC\"', '\"zone\":\"CET\"') WHERE key = 'a'",
            "state",
            "UPDATE p_doc SET state = replace(state, '\"zone\":\"CET\"', '\"zone\":\"UTC\"') WHERE key = 'a'",
        ),
        ("UPDATE p_doc SET live = 0 WHERE key = 'b'", "live", "UPDATE p_doc SET live = 1 WHERE key = 'b'"),
        ("UPDATE p_doc SET key = 'x' WHERE key = 'c'", "no document", "UPDATE p_doc SET key = 'c' WHERE key = 'x'"),
        ("UPDATE log_node SET hash = replace(hash, '1', '2') WHERE level = 1 AND idx = 3", "stored hash", "SELECT 1"),
    ] {
        assert!(world.tamper(harm).await > 0, "{harm}");
        let found = store.rebuild_compare().await.expect("compares");
        assert!(found.iter().any(|difference| difference.sentence.contains(word)), "{harm}: {found:?}");
        world.tamper(back).await;
    }
    let left = store.rebuild_compare().await.expect("compares");
    assert!(left.iter().all(|difference| difference.place.starts_with("log")), "{left:?}");
}

pub async fn tampering_is_found(world: World) {
    let store = &world.store;
    for (harm, word) in [
        ("UPDATE facts SET actor = 'per_grace' WHERE stream = 'environment/a' AND position = 2", "the fact was changed"),
        ("DELETE FROM facts WHERE stream = 'environment/b' AND position = 2", "not whole"),
        ("UPDATE facts SET position = position + 1 WHERE stream = 'environment/c' AND position = 10", "the fact was changed"),
        (
            "DELETE FROM facts WHERE stream = 'environment/a' AND position = (SELECT MAX(position) FROM facts WHERE stream = 'environment/a')",
            "position",
        ),
    ] {
        declare_many(store, 30).await;
        seal(store, 9).await;
        assert!(world.tamper(harm).await > 0, "{harm}");
        let found = store.rebuild_compare().await.expect("compares");
        assert!(found.iter().any(|difference| difference.sentence.contains(word)), "{harm}: {found:?}");
        assert!(found.len() < 20, "{found:?}");
        for table in ["DELETE FROM facts", "DELETE FROM p_doc", "DELETE FROM log_node", "DELETE FROM checkpoint"] {
            world.tamper(table).await;
        }
    }
}

pub async fn a_cut_log_is_found_at_start(world: World) {
    let store = &world.store;
    declare_many(store, 20).await;
    seal(store, 5).await;
    assert_eq!(store.verify_start().await.expect("verifies").differences, []);
    let (size, root) = store.checkpoint().await.expect("reads").map(|last| (last.size, last.root)).expect("is there");
    world.tamper("DELETE FROM facts WHERE log_index >= 18").await;
    let found = store.verify_start().await.expect("verifies").differences;
    assert!(found.iter().any(|difference| difference.sentence.contains("covers 20 facts")), "{found:?}");
    // An older backup is sound in itself; only a checkpoint kept elsewhere tells.
    world.tamper("DELETE FROM facts WHERE log_index >= 15").await;
    world.tamper("DELETE FROM checkpoint WHERE size > 15").await;
    world.tamper("DELETE FROM log_node WHERE ((idx + 1) << CAST(level AS INT)) > 15").await;
    assert_eq!(store.verify_start().await.expect("verifies").differences, []);
    assert!(store.root_at(size).await.is_err() || store.root_at(size).await.ok() != Some(root));
    world.tamper("UPDATE facts SET body = '{}' WHERE log_index = 14").await;
    let found = store.verify_start().await.expect("verifies").differences;
    assert!(found.iter().any(|difference| difference.sentence.contains("the fact was changed")), "{found:?}");
}

pub async fn erased_notes_keep_proofs(world: World) {
    let store = &world.store;
    let note = Note { salt: Salt::from_random([7; 32]), text: "because of the audit".to_owned() };
    let digest = note.commit().digest;
    let kept = note.clone();
    let declared = move |_: &_, now: jiff::Timestamp| {
        let mut decision = Decision { notes: vec![kept.clone()], ..Decision::default() };
        let id = "frz_1".parse().expect("an id");
        let until = now + MINUTE;
        let fact = Fact::FreezeDeclared { id, name: "audit".to_owned(), scope: Default::default(), from: now, until, reason: digest };
        decision.fact(Kind::Freeze, "frz_1", fact);
        Ok(decision)
    };
    let freeze = holdpoint_domain::kernel::DocKey::new(Kind::Freeze, "frz_1");
    store.decide(&request(vec![freeze]), declared).await.expect("commits");
    seal(store, 10).await;
    assert_eq!(store.note(PROJECT, &digest).await.expect("reads"), Some(note));
    assert_eq!(store.note("other", &digest).await.expect("reads"), None);
    // A text that was changed does not open its commitment.
    world.tamper("UPDATE o_note SET text = 'because I say so'").await;
    assert_eq!(store.note(PROJECT, &digest).await.expect("reads"), None);
    assert!(store.erase_note(PROJECT, &digest).await.expect("erases"));
    assert!(!store.erase_note(PROJECT, &digest).await.expect("erases"));
    let (fact, last) =
        (store.fact_at(0).await.expect("reads").expect("is there"), store.checkpoint().await.expect("reads").expect("is there"));
    verify_inclusion(&fact.hash, 0, last.size, &store.inclusion(0, last.size).await.expect("proves"), &last.root).expect("verifies");
    assert_eq!(store.rebuild_compare().await.expect("compares"), []);
}

/// A fact that was changed together with its hash is found by the log, a piece at a time.
pub async fn the_scrub_finds_what_a_start_does_not_look_at(world: World) {
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        declare(&world.store, name, 1).await.expect("commits");
    }
    seal(&world.store, 100).await;
    let mut next = 0;
    for _ in 0..3 {
        let piece = world.store.scrub(next, 3).await.expect("reads");
        assert_eq!(piece.differences, []);
        next = piece.next;
    }
    assert_eq!((next, world.store.scrub(next, 3).await.expect("reads").next), (7, 0), "after the end it begins anew");
    world.tamper("UPDATE facts SET actor = 'per_mallory' WHERE log_index = 2").await;
    let found = world.store.scrub(0, 100).await.expect("reads").differences;
    assert!(found.iter().any(|one| one.sentence.contains("the fact was changed")), "{found:?}");
}

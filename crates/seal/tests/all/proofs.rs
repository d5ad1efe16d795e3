//! Standalone proof files in the shapes the command line reads.

use holdpoint_seal::base64;
use holdpoint_seal::canonical;
use holdpoint_seal::merkle::{self, empty_root};
use holdpoint_seal::proof::{ProofError, ProofFile, verify};
use serde_json::{Value, json};

use crate::fixture::log;

fn file(proof: &ProofFile) -> Vec<u8> {
    canonical::to_vec(proof).unwrap()
}

#[test]
fn the_shapes_of_the_command_line() {
    let log = log(13);
    let nodes = |id| log.node(id);
    let leaf = log.facts[6].envelope.leaf_hash().unwrap();
    let inclusion = ProofFile::inclusion(6, 13, &leaf, &log.tree.root(), &merkle::inclusion_proof(6, 13, &nodes).unwrap());
    let value: Value = serde_json::to_value(&inclusion).unwrap();
    let mut names: Vec<&String> = value.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["hashes", "leafHash", "leafIndex", "rootHash", "treeSize", "type"]);
    assert_eq!(value["type"], "inclusion");
    assert_eq!(verify(&file(&inclusion)), Ok(inclusion.clone()));

    let old = crate::fixture::log(5).tree.root();
    let consistency = ProofFile::consistency(5, 13, &old, &log.tree.root(), &merkle::consistency_proof(5, 13, &nodes).unwrap());
    assert_eq!(verify(&file(&consistency)), Ok(consistency.clone()));

    for proof in [&inclusion, &consistency] {
        let bytes = file(proof);
        let text = String::from_utf8(bytes.clone()).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            // Sizes 12 and 13 give the same shapes of paths here: it is the checkpoint that binds root and size.
            if text[..at].ends_with("ize\":1") {
                continue;
            }
            assert!(verify(&flipped).is_err(), "byte {at} of {text}");
        }
    }
}

#[test]
fn refuses_wrong_lengths_and_size_zero() {
    let (leaf, short) = (base64::encode(&[7; 32]), base64::encode(&[7; 31]));
    let inclusion = |leaf: &str, root: &str, hashes: Value| json!({"type": "inclusion", "leafIndex": 0, "treeSize": 1, "leafHash": leaf, "rootHash": root, "hashes": hashes, "desc": "x"});
    let result = |value: &Value| verify(value.to_string().as_bytes()).map(|_| ());
    assert_eq!(result(&inclusion(&leaf, &leaf, json!([]))), Ok(()));
    assert_eq!(result(&inclusion(&leaf, &leaf, json!(null))), Ok(()));
    assert_eq!(result(&inclusion(&short, &short, json!([]))), Err(ProofError::Hash("leafHash".into())));
    assert_eq!(result(&inclusion(&leaf, "", json!([]))), Err(ProofError::Hash("rootHash".into())));
    assert_eq!(result(&inclusion(&leaf, &leaf, json!([short]))), Err(ProofError::Hash("hashes[0]".into())));
    assert!(matches!(result(&inclusion(&leaf, &leaf, json!([leaf]))), Err(ProofError::Refused(_))));
    assert!(matches!(result(&inclusion(&leaf, &leaf, json!("x"))), Err(ProofError::Json(_))));

    let empty = base64::encode(empty_root().as_bytes());
    let consistency = |first: u64, second: u64, old: &str, new: &str| json!({"type": "consistency", "firstSize": first, "secondSize": second, "firstRoot": old, "secondRoot": new, "hashes": []});
    assert_eq!(result(&consistency(3, 3, &leaf, &leaf)), Ok(()));
    for bad in [
        consistency(0, 0, &empty, &empty),
        consistency(0, 3, &empty, &leaf),
        consistency(3, 2, &leaf, &leaf),
        consistency(3, 3, &leaf, &empty),
    ] {
        assert!(matches!(result(&bad), Err(ProofError::Refused(_))), "{bad}");
    }
    for bad in ["", "{}", "[]", "{\"type\":\"other\"}", "{\"type\":\"inclusion\"}", "{\"type\":\"inclusion\",\"type\":\"inclusion\"}"] {
        assert!(matches!(verify(bad.as_bytes()), Err(ProofError::Json(_))), "{bad}");
    }
}

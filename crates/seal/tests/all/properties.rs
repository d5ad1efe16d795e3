//! Properties of canonical JSON, envelopes and large trees.

use holdpoint_seal::Digest;
use holdpoint_seal::canonical::{self, format_f64};
use holdpoint_seal::dsse::{Envelope, pae};
use holdpoint_seal::json;
use holdpoint_seal::keys::SigningKey;
use holdpoint_seal::merkle::{self, NodeId, Tree};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 53)..(1i64 << 53)).prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Value::Number)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(members) => Value::Object(members.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect()),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonical_form_is_unique_and_stable(value in value()) {
        let bytes = canonical::value_to_vec(&value).unwrap();
        prop_assert_eq!(&canonical::value_to_vec(&reversed(&value)).unwrap(), &bytes);
        let again = json::parse(&bytes, 1 << 20).unwrap();
        prop_assert_eq!(&canonical::value_to_vec(&again).unwrap(), &bytes);
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        prop_assert_eq!(canonical::value_to_vec(&json::parse(&pretty, 1 << 20).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn doubles_survive(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        prop_assume!(double.is_finite());
        let text = format_f64(double).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap(), double);
        let read = json::parse(text.as_bytes(), 100).unwrap();
        prop_assert_eq!(canonical::to_string(&read).unwrap(), text);
    }

    #[test]
    fn signatures_are_over_type_and_payload(payload in prop::collection::vec(any::<u8>(), 0..200), kind in "[a-z/]{1,20}", p256 in any::<bool>()) {
        let key = if p256 { SigningKey::p256(&[5; 32]).unwrap() } else { SigningKey::ed25519(&[5; 32]).unwrap() };
        let envelope = Envelope::sign(&kind, payload.clone(), &[&key]).unwrap();
        let read = Envelope::parse(&envelope.to_vec()).unwrap();
        prop_assert!(read.signed_by(key.public()));
        prop_assert_eq!(&read.payload, &payload);
        let other = Envelope { payload_type: format!("{kind}x"), ..read };
        prop_assert!(!other.signed_by(key.public()));
        prop_assert_ne!(pae(&kind, &payload), other.pae());
    }

    #[test]
    fn large_trees_prove(size in 71u64..3000, a in any::<u64>(), b in any::<u64>()) {
        let mut tree = Tree::new();
        let mut rows = std::collections::BTreeMap::new();
        let first = 1 + a % size;
        let mut first_root = tree.root();
        for i in 0..size {
            rows.extend(tree.append(merkle::leaf_hash(&i.to_be_bytes())));
            if i + 1 == first {
                first_root = tree.root();
            }
        }
        let nodes = |id: NodeId| rows.get(&id).copied();
        let index = b % size;
        let leaf = merkle::leaf_hash(&index.to_be_bytes());
        let proof = merkle::inclusion_proof(index, size, &nodes).unwrap();
        prop_assert!(merkle::verify_inclusion(&leaf, index, size, &proof, &tree.root()).is_ok());
        prop_assert!(merkle::verify_inclusion(&Digest::of(b""), index, size, &proof, &tree.root()).is_err());
        let proof = merkle::consistency_proof(first, size, &nodes).unwrap();
        prop_assert!(merkle::verify_consistency(first, size, &first_root, &tree.root(), &proof).is_ok());
        if first != size {
            prop_assert!(merkle::verify_consistency(first, size, &tree.root(), &tree.root(), &proof).is_err());
        }
    }
}

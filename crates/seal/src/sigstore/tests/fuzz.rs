//! Damaged bundles, roots, certificates and timestamps: nothing panics, and nothing that is damaged verifies.

use serde_json::Value;

use super::pki::{ARTIFACT, Spec, make};
use super::{Bundle, Certificate, TrustedRoot, identity, timestamp, verify};
use crate::base64;

/// xorshift64*: repeatable, and good enough to choose bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => drop(bytes.drain(at..(at + 1 + self.below(8)).min(bytes.len()))),
                1 => bytes.insert(at.min(bytes.len()), self.below(256) as u8),
                2 => bytes.truncate(at),
                _ if at < bytes.len() => bytes[at] = self.below(256) as u8,
                _ => {}
            }
        }
    }
}

fn rounds(random: &mut Random, many: usize) {
    let case = make(&Spec::default());
    let (bundle, root) = (case.bundle.to_string().into_bytes(), case.root.to_string().into_bytes());
    let leaf = case.bundle.pointer("/verificationMaterial/certificate/rawBytes").and_then(Value::as_str).unwrap();
    let leaf = base64::decode(leaf).unwrap();
    let (whole, trusted) = (Bundle::parse(&bundle).unwrap(), TrustedRoot::parse(&root).unwrap());
    for _ in 0..many {
        let mut bytes = bundle.clone();
        random.damage(&mut bytes);
        // Compared as read: `+` and `-` are the same digit of base64.
        if let Ok(read) = Bundle::parse(&bytes)
            && read != whole
        {
            let verified = verify(&read, &identity(), Some(&trusted), Some(ARTIFACT)).is_ok();
            assert!(!verified, "{}", String::from_utf8_lossy(&bytes));
        }
        let mut bytes = root.clone();
        random.damage(&mut bytes);
        let _readable = TrustedRoot::parse(&bytes).is_ok();
        let mut bytes = leaf.clone();
        random.damage(&mut bytes);
        let _readable = Certificate::parse(&bytes).is_ok();
        assert!(timestamp::check(&bytes, b"signature", &[]).is_err());
    }
}

#[test]
fn damaged_files_are_refused() {
    rounds(&mut Random(0x9E37_79B9_7F4A_7C15), 300);
}

#[test]
#[ignore = "make fuzz"]
fn fuzz_sigstore() {
    let seed = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0u8) | 1;
    println!("fuzz_sigstore: seed {seed}");
    rounds(&mut Random(seed), 20_000);
}

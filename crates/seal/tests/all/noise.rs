//! Parsers under deterministic noise: they may refuse, they may not panic, and what they accept is what was written.

use holdpoint_seal::checkpoint::{Checkpoint, SignedNote};
use holdpoint_seal::dossier;
use holdpoint_seal::dsse::{Envelope, IN_TOTO};
use holdpoint_seal::export::verify_export;
use holdpoint_seal::json;
use holdpoint_seal::keylist::VerifiedKeyList;
use holdpoint_seal::keys::{PublicKey, SigningKey};
use holdpoint_seal::proof;
use holdpoint_seal::statement::{ResourceDescriptor, Statement};
use holdpoint_seal::{Digest, canonical};
use serde_json::json;

use crate::fixture::{keylist, log, root_key, server_key};

/// xorshift64*, so that every run sees the same noise.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Overwrites, removes, doubles or inserts a few bytes.
    fn disturb(&mut self, bytes: &[u8]) -> Vec<u8> {
        const MARKS: &[u8] = b"{}[]\",:\\u0019eE+-.\n \x00\xff\xe2\x80=/";
        let mut out = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(out.len());
            match self.below(5) {
                0 if !out.is_empty() => out[at] = MARKS[self.below(MARKS.len())],
                1 if !out.is_empty() => out[at] ^= 1 << self.below(8),
                2 if !out.is_empty() => drop(out.remove(at)),
                3 => out.insert(at, MARKS[self.below(MARKS.len())]),
                _ => {
                    let end = (at + self.below(16)).min(out.len());
                    let copy = out[at.min(end)..end].to_vec();
                    let to = self.below(out.len());
                    out.splice(to..to, copy);
                }
            }
        }
        out
    }
}

fn disturb(seed: u64, rounds: usize, bytes: &[u8], mut read: impl FnMut(&[u8])) {
    let mut noise = Noise(seed);
    for _ in 0..rounds {
        read(&noise.disturb(bytes));
    }
}

#[test]
fn json_reads_back_what_it_accepts() {
    let seeds = [
        r#"{"a":[1,-2.5e10,true,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{}},"d":9007199254740993,"e":1e-7}"#,
        "[[[[[[]]]]],18446744073709551615,-9223372036854775808,0.1,123456789012345680000]",
    ];
    for (i, seed) in seeds.iter().enumerate() {
        disturb(11 + i as u64, 60_000, seed.as_bytes(), |bytes| {
            let Ok(value) = json::parse(bytes, 4096) else { return };
            // serde_json is laxer (duplicate keys), never stricter: what we accept it accepts.
            assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok(), "{}", String::from_utf8_lossy(bytes));
            let Ok(canonical) = canonical::value_to_vec(&value) else { return };
            let again = json::parse(&canonical, 4096).expect("canonical JSON is JSON");
            assert_eq!(canonical::value_to_vec(&again).as_ref(), Ok(&canonical));
        });
    }
}

#[test]
fn envelopes_statements_keys_and_lists() {
    let subject = vec![ResourceDescriptor::named("shop", &Digest::of(b"shop"))];
    let statement = Statement::new(subject, "p", json!({"x": [1, 2]})).unwrap().to_vec().unwrap();
    let key = server_key();
    let envelope = Envelope::sign(IN_TOTO, statement.clone(), &[&key]).unwrap().to_vec();
    disturb(21, 20_000, &envelope, |bytes| {
        if let Ok(read) = Envelope::parse(bytes) {
            assert_eq!(Envelope::parse(&read.to_vec()), Ok(read));
        }
    });
    disturb(22, 20_000, &statement, |bytes| drop(Statement::parse(bytes)));
    let list = keylist();
    disturb(23, 5_000, &list, |bytes| {
        if bytes != list {
            assert!(VerifiedKeyList::open(bytes, root_key().public()).is_err());
        }
    });
    let pem = key.to_pem().unwrap();
    disturb(24, 5_000, pem.expose().as_bytes(), |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            drop(SigningKey::from_pem(text));
        }
    });
    for key in [key, SigningKey::p256(&[3; 32]).unwrap()] {
        disturb(25, 5_000, &key.public().to_spki_der(), |bytes| drop(PublicKey::from_spki_der(bytes)));
        disturb(26, 5_000, key.public().to_pem().as_bytes(), |bytes| {
            if let Ok(text) = std::str::from_utf8(bytes) {
                drop(PublicKey::from_pem(text));
            }
        });
    }
}

#[test]
fn notes_proofs_dossiers_and_exports() {
    let log = log(6);
    let note = log.checkpoint();
    disturb(31, 20_000, note.as_bytes(), |bytes| {
        if let Ok(read) = SignedNote::parse(bytes) {
            drop(Checkpoint::parse_text(&read.text));
        }
    });
    let root = log.tree.root();
    let file = canonical::to_vec(&proof::ProofFile::inclusion(0, 1, &root, &root, &[])).unwrap();
    disturb(32, 20_000, &file, |bytes| drop(proof::verify(bytes)));
    let dossier = log.dossier();
    disturb(33, 2_000, &dossier, |bytes| {
        assert!(bytes == dossier || !dossier::verify(bytes, root_key().public(), None).ok);
    });
    let export = log.export();
    disturb(34, 2_000, &export, |bytes| {
        assert!(bytes == export || !verify_export(bytes, root_key().public(), &[]).ok);
    });
    let mut noise = Noise(35);
    for length in 0..600 {
        let bytes: Vec<u8> = (0..length).map(|_| noise.next() as u8).collect();
        assert!(!dossier::verify(&bytes, root_key().public(), None).ok);
        assert!(!verify_export(&bytes, root_key().public(), &[]).ok);
        assert!(Envelope::parse(&bytes).is_err() && SignedNote::parse(&bytes).is_err() && proof::verify(&bytes).is_err());
    }
}

/// AB44: large, wide and deep input is refused or read in time.
#[test]
fn bombs() {
    let wide = format!("{{{}}}", (0..1_000_000).map(|i| format!("\"{i}\":0")).collect::<Vec<_>>().join(","));
    assert_eq!(json::parse(wide.as_bytes(), 1 << 25).unwrap().as_object().unwrap().len(), 1_000_000);
    assert!(json::parse(wide.as_bytes(), 1 << 20).is_err());
    assert!(json::parse("[".repeat(100_000).as_bytes(), 1 << 20).is_err());
    assert!(json::parse("{\"a\":".repeat(100_000).as_bytes(), 1 << 20).is_err());
    let huge = "9".repeat(1 << 20);
    assert!(json::parse(huge.as_bytes(), 1 << 21).is_err());
    assert!(json::parse(format!("0.{huge}").as_bytes(), 1 << 21).is_ok());
    assert!(Envelope::parse(&vec![b' '; (16 << 20) + 1]).is_err());
}

//! Free text outside the ledger: the fact holds a salted commitment, so erasing text and salt leaves proofs whole.

pub use holdpoint_seal::note::{OpenNote as Note, Salt};

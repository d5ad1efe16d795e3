//! Goes through the whole ledger and all blobs in the background, a piece at a time: a start looks at the latest facts
//! only, and nobody reads a blob that nobody asks for.
//!
//! It mends nothing. What it finds is said on the audit page and in the log, until a whole round finds nothing any more;
//! a ledger that is not what was sealed makes the server not ready, too. A damaged blob does not: it is refused to whoever
//! asks for it, and everything else works.

use crate::Engine;
use holdpoint_domain::kernel::Timestamp;
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Difference, Scrubbed, ScrubbedBlobs};
use serde::Serialize;
use std::sync::Mutex;
use std::time::Duration;

/// Between two pieces; 100,000,000 facts take some six days.
const APART: Duration = Duration::from_secs(10);
const PIECE: u32 = 2000;
/// Of blobs; 6 MB a second at most, which no disk notices.
const PIECE_BYTES: u64 = 64 << 20;
/// Differences that are kept to be shown.
const SHOWN_MAX: usize = 20;

/// How far the scrub has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// Log index at which the next piece begins.
    pub next: u64,
    /// Facts seen since this server began.
    pub facts: u64,
    /// When the whole ledger was last gone through.
    pub round_at: Option<Timestamp>,
    /// Places that are not as they were sealed, the first 20.
    pub differences: Vec<String>,
    /// Blobs read since this server began.
    pub blobs: u64,
    /// When all blobs were last read.
    pub blobs_round_at: Option<Timestamp>,
    /// Blobs that are not what they are named, the first 20.
    pub damaged: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Scrub {
    state: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    shown: State,
    /// Of the rounds under way.
    found: Vec<String>,
    found_blobs: Vec<String>,
    next_blob: Option<Digest>,
}

/// Keeps a piece's differences: those of an earlier round stand until this one has come to its end.
fn keep(shown: &mut Vec<String>, found: &mut Vec<String>, differences: &[Difference], ended: bool) {
    for Difference { place, sentence } in differences {
        let told = format!("{place}: {sentence}");
        if found.len() < SHOWN_MAX {
            found.push(told.clone());
        }
        if shown.len() < SHOWN_MAX && !shown.contains(&told) {
            shown.push(told);
        }
    }
    if ended {
        *shown = std::mem::take(found);
    }
}

impl Scrub {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes a piece of the ledger in.
    fn take(&self, piece: &Scrubbed, now: Timestamp) {
        let mut progress = self.progress();
        let Progress { shown, found, .. } = &mut *progress;
        shown.next = piece.next;
        shown.facts += piece.facts;
        let ended = piece.next == 0;
        keep(&mut shown.differences, found, &piece.differences, ended);
        if ended {
            shown.round_at = Some(now);
        }
    }

    /// Takes a piece of the blobs in.
    fn take_blobs(&self, piece: &ScrubbedBlobs, now: Timestamp) {
        let mut progress = self.progress();
        let Progress { shown, found_blobs, next_blob, .. } = &mut *progress;
        *next_blob = piece.next;
        shown.blobs += piece.blobs;
        let ended = piece.next.is_none();
        keep(&mut shown.damaged, found_blobs, &piece.differences, ended);
        if ended {
            shown.blobs_round_at = Some(now);
        }
    }
}

impl Engine {
    /// How far the background check of the ledger and of blobs has come, and what it found.
    pub fn scrubbed(&self) -> State {
        self.scrub().progress().shown.clone()
    }
}

pub(crate) async fn run(engine: Engine) {
    loop {
        if let Err(why) = once(&engine).await {
            tracing::warn!(%why, "the background check of the ledger failed; it is tried again");
        }
        tokio::select! {
            () = engine.stopped() => return,
            () = engine.pause(APART) => {}
        }
    }
}

/// One piece.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    let piece = engine.store().scrub(engine.scrubbed().next, PIECE).await?;
    for difference in &piece.differences {
        tracing::error!(place = difference.place, sentence = difference.sentence, "the ledger is not what was sealed");
    }
    engine.scrub().take(&piece, engine.store().now().await?);
    let after = engine.scrub().progress().next_blob;
    let piece = engine.store().scrub_blobs(after, PIECE_BYTES).await?;
    for difference in &piece.differences {
        tracing::error!(place = difference.place, sentence = difference.sentence, "a blob is not what it is named");
    }
    engine.scrub().take_blobs(&piece, engine.store().now().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_stands_until_a_whole_round_finds_nothing() {
        let scrub = Scrub::default();
        let now = Timestamp::from_second(0).unwrap();
        let bad = Difference { place: "log 7".to_owned(), sentence: "it was changed".to_owned() };
        let piece = |next, differences: &[Difference]| Scrubbed { next, facts: 10, differences: differences.to_vec() };
        let shown = || scrub.state.lock().unwrap().shown.clone();
        scrub.take(&piece(10, std::slice::from_ref(&bad)), now);
        assert_eq!(shown().differences, ["log 7: it was changed"]);
        scrub.take(&piece(0, &[]), now);
        assert_eq!((shown().differences.len(), shown().round_at), (1, Some(now)));
        scrub.take(&piece(10, &[]), now);
        assert_eq!(shown().differences.len(), 1, "this round has not seen all");
        scrub.take(&piece(0, &[]), now);
        assert!(shown().differences.is_empty());
        // Blobs have rounds of their own.
        let blob = Difference { place: "blob sha256:7".to_owned(), sentence: "its bytes were changed".to_owned() };
        let piece = |next, differences: &[Difference]| ScrubbedBlobs { next, blobs: 3, differences: differences.to_vec() };
        scrub.take_blobs(&piece(Some(Digest::of(b"7")), std::slice::from_ref(&blob)), now);
        scrub.take(&Scrubbed { next: 0, facts: 0, differences: Vec::new() }, now);
        assert_eq!((shown().damaged.len(), shown().blobs_round_at, shown().blobs), (1, None, 3));
        scrub.take_blobs(&piece(None, &[]), now);
        scrub.take_blobs(&piece(None, &[]), now);
        assert_eq!((shown().damaged.len(), shown().blobs_round_at), (0, Some(now)));
    }
}

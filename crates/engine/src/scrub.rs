//! Goes through the whole ledger in the background, a piece at a time: a start looks at the latest facts only.
//!
//! It mends nothing. What it finds is said by `/readyz` and in the log, until a whole round finds nothing any more.

use crate::Engine;
use holdpoint_domain::kernel::Timestamp;
use holdpoint_store::Difference;
use serde::Serialize;
use std::sync::Mutex;
use std::time::Duration;

/// Between two pieces; 100,000,000 facts take some six days.
const APART: Duration = Duration::from_secs(10);
const PIECE: u32 = 2000;
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
}

#[derive(Default)]
pub(crate) struct Scrub {
    state: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    shown: State,
    /// Of the round under way.
    found: Vec<String>,
}

impl Scrub {
    /// Takes a piece's result in. What an earlier round found stands until this one has come to its end.
    fn take(&self, piece: &holdpoint_store::Scrubbed, now: Timestamp) {
        let mut progress = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        progress.shown.next = piece.next;
        progress.shown.facts += piece.facts;
        for Difference { place, sentence } in &piece.differences {
            let told = format!("{place}: {sentence}");
            if progress.found.len() < SHOWN_MAX {
                progress.found.push(told.clone());
            }
            if progress.shown.differences.len() < SHOWN_MAX && !progress.shown.differences.contains(&told) {
                progress.shown.differences.push(told);
            }
        }
        if piece.next == 0 {
            progress.shown.round_at = Some(now);
            progress.shown.differences = std::mem::take(&mut progress.found);
        }
    }
}

impl Engine {
    /// How far the background check of the ledger has come, and what it found.
    pub fn scrubbed(&self) -> State {
        self.scrub().state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).shown.clone()
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdpoint_store::Scrubbed;

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
    }
}

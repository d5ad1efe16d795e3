//! Seals committed facts into the Merkle log, in batches at most 200 ms apart. One at a time over all servers: leased and
//! fenced in the store.

use crate::Engine;
use holdpoint_seal::checkpoint::Checkpoint;
use std::time::Duration;

/// Committed facts wait at most this long to be sealed.
const APART: Duration = Duration::from_millis(150);
const BATCH: u32 = 2000;
/// Renewed every round; another server takes over this long after the last one, and the epoch fences the old one.
const TTL: Duration = Duration::from_secs(3);

pub(crate) async fn run(engine: Engine) {
    let mut woken = engine.store().woken();
    loop {
        if let Err(why) = once(&engine).await {
            tracing::warn!(%why, "sealing facts failed; it is tried again");
            engine.pause(Duration::from_secs(1)).await;
        }
        tokio::select! {
            () = engine.stopped() => return engine.resign(holdpoint_store::SEQUENCER).await,
            _ = woken.changed() => engine.pause(APART).await,
            () = engine.pause(Duration::from_secs(1)) => {}
        }
    }
}

/// Seals everything that is committed now.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    let Some(epoch) = engine.store().lead(holdpoint_store::SEQUENCER, engine.holder(), TTL).await? else { return Ok(()) };
    let keys = engine.keys();
    let sign = |size: u64, root: &holdpoint_seal::digest::Digest| {
        let checkpoint = Checkpoint { origin: keys.origin().to_owned(), size, root: *root, extensions: Vec::new() };
        checkpoint.sign(keys.server()).map_err(|why| why.to_string())
    };
    while let Some(sealed) = engine.store().sequence(epoch, BATCH, &sign).await? {
        engine.announce(sealed.from, sealed.to);
        if sealed.to - sealed.from < u64::from(BATCH) {
            break;
        }
    }
    Ok(())
}

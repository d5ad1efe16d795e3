//! Waiting that ends at once when somebody presses Ctrl-C. Nothing in the demo waits in any other way, so that whoever
//! stops it is heard at every moment and what was started is ended in order.

use anyhow::{Context as _, anyhow};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Somebody asked the demo to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// See the module.
#[derive(Clone, Default)]
pub struct Patience(Arc<(Mutex<bool>, Condvar)>);

impl Patience {
    /// Listens for SIGINT and SIGTERM from now on.
    pub fn listening() -> anyhow::Result<Patience> {
        let patience = Patience::default();
        let heard = patience.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let (ready, listens) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                    Ok(term) => term,
                    Err(why) => return ready.send(Err(why)),
                };
                let mut interrupt = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()) {
                    Ok(interrupt) => interrupt,
                    Err(why) => return ready.send(Err(why)),
                };
                let told = ready.send(Ok(()));
                tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
                heard.stop();
                told
            })
        })?;
        listens.recv().map_err(|_| anyhow!("nobody listens for signals"))?.context("no signals")?;
        Ok(patience)
    }

    fn stop(&self) {
        let (stopped, bell) = &*self.0;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }

    /// Waits this long.
    pub fn pause(&self, span: Duration) -> Result<(), Stopped> {
        let (stopped, bell) = &*self.0;
        let end = Instant::now() + span;
        let mut now = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if *now {
                return Err(Stopped);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            now = bell.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until somebody asks to stop.
    pub fn rest(&self) {
        while self.pause(Duration::from_secs(3600)).is_ok() {}
    }

    /// Asks again and again until there is an answer.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        every: Duration,
        mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = ask()? {
                return Ok(found);
            }
            if Instant::now() >= end {
                return Err(anyhow!("expected {what} within {} s; it did not happen", limit.as_secs()));
            }
            self.pause(every)?;
        }
    }
}

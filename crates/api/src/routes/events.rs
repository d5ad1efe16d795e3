//! Live events: that something happened, by log index. Whoever shows it reads it again.

use crate::doors::{Credential, Reader, still_holds};
use crate::problem::{Answer, Problem};
use crate::state::Api;
use crate::strict::Params;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Log index after which to begin; `Last-Event-ID` wins. Nothing: from now on.
    #[serde(default)]
    after: Option<u64>,
}

/// Another process may have sealed what this one was not told of.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A credential that was revoked ends its stream within this time.
const ASK_AGAIN: Duration = Duration::from_secs(3);
const BATCH: u32 = 500;

struct Following {
    api: Api,
    credential: Credential,
    asked: Instant,
    sealed: broadcast::Receiver<(u64, u64)>,
    next: u64,
    ready: VecDeque<Event>,
}

/// Server-sent events; the id is the log index, the data `{index, stream, type, at}`.
#[utoipa::path(get, path = "/v1/events", tag = "review", params(From), responses((status = 200, description = "events", content_type = "text/event-stream")))]
pub async fn events(
    Reader(signed): Reader,
    State(api): State<Api>,
    Params(from): Params<From>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let last = match headers.get("last-event-id").and_then(|value| value.to_str().ok()) {
        Some(text) => Some(text.parse::<u64>().map_err(|_| Problem::parameter("Last-Event-ID: expected a log index"))?),
        None => from.after,
    };
    // Listening begins before looking, so that nothing falls in between.
    let sealed = api.engine().sealed();
    let next = match last {
        Some(last) => last.saturating_add(1),
        None => api.store().checkpoint().await?.map_or(0, |checkpoint| checkpoint.size),
    };
    let following = Following { api, credential: signed.credential, asked: Instant::now(), sealed, next, ready: VecDeque::new() };
    let stream = stream::unfold(following, |mut following| async move {
        let event = following.next_event().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)).text("alive")))
}

impl Following {
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if self.asked.elapsed() > ASK_AGAIN {
                if !still_holds(&self.api, &self.credential).await {
                    return None;
                }
                self.asked = Instant::now();
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.look().await?;
            if self.ready.is_empty() {
                tokio::select! {
                    told = self.sealed.recv() => if matches!(told, Err(broadcast::error::RecvError::Closed)) { return None },
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        }
    }

    async fn look(&mut self) -> Option<()> {
        // A database that does not answer ends the stream; the page connects again and goes on after its last event.
        let facts = self.api.store().facts(self.next, BATCH, None).await.ok()?;
        for fact in facts {
            let Some(index) = fact.index else { continue };
            self.next = index + 1;
            if fact.envelope.project != self.api.project() {
                continue;
            }
            let data = json!({"index": index, "stream": fact.envelope.stream, "type": fact.envelope.fact_type, "at": fact.at().ok()?});
            self.ready.push_back(Event::default().id(index.to_string()).data(data.to_string()));
        }
        Some(())
    }
}

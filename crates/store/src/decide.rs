//! Commands: what is asked, what came of it, and the queue in between.
//!
//! The closure that decides is pure and may be called several times: once for every round of documents that it asks for,
//! and again when its transaction met another one. Only the last call counts.

use crate::Store;
use crate::error::{Result, StoreError};
use holdpoint_domain::kernel::{Actor, Decision, DocKey, Stop, Timestamp, View};
use holdpoint_seal::digest::Digest;
use serde_json::Value;
use tokio::sync::oneshot;

/// What a command is about.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the durable step; tests can end the process right before and after its commit (see [`crate::kill`]).
    pub point: &'static str,
    pub project: String,
    pub actor: Actor,
    /// The door's name, part of the idempotency key: `POST /v1/releases`, `engine lease`.
    pub route: String,
    /// The caller's key and the digest of the body it came with.
    pub idempotency: Option<(String, Digest)>,
    /// Streams that the decision may append to; locked in this transaction, in order.
    pub locks: Vec<DocKey>,
}

/// A fact that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRef {
    pub stream: DocKey,
    pub position: u64,
    /// Its leaf hash.
    pub hash: Digest,
    /// Its type's name.
    pub name: String,
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    pub facts: Vec<FactRef>,
    pub answer: Value,
    /// The answer of an earlier command with the same key; nothing was written now.
    pub replayed: bool,
}

/// A decision function, boxed for the queue.
pub(crate) type Decide = Box<dyn for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send>;

/// A command in the queue.
pub(crate) struct Command {
    pub(crate) request: Request,
    pub(crate) decide: Decide,
    pub(crate) answer: Option<oneshot::Sender<Result<Committed>>>,
}

impl Command {
    /// Answers once. A caller that went away is no concern of the command.
    pub(crate) fn reply(&mut self, result: Result<Committed>) {
        if let Some(answer) = self.answer.take() {
            let _caller_is_gone = answer.send(result);
        }
    }
}

impl Store {
    /// Decides and commits in one transaction, and answers when the commit is durable.
    ///
    /// `decide` sees the documents of `request.locks`, then whatever it asks for by [`Stop::Need`] (at most 8 rounds and
    /// 10,000 documents). The instant it gets is the database's clock, read after the documents were locked.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written unless it says [`StoreError::Indeterminate`].
    pub async fn decide<F>(&self, request: &Request, decide: F) -> Result<Committed>
    where
        F: for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let command = Command { request: request.clone(), decide: Box::new(decide), answer: Some(send) };
        let stopped = || StoreError::Unavailable("the store is closing".to_owned());
        self.inner.queue.send(command).await.map_err(|_| stopped())?;
        // Once queued it may be committed whatever happens to its answer.
        receive.await.unwrap_or_else(|_| Err(StoreError::Indeterminate("the store stopped before it answered".to_owned())))
    }
}

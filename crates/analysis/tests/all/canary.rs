//! The judge from outside: verdicts, missing data, several metrics, the offline command, stored and resumed state.

use holdpoint_analysis::canary::{
    CanaryPlan, Direction, Exposure, Judge, MetricPlan, Observation, ObserveError, PlanError, RecordedKind, RecordedSeries, SeriesError,
    SeriesOptions, Test, Tolerance, Unit, Verdict, judge_series,
};
use holdpoint_analysis::histogram::{Histogram, LatencyBounds};

use crate::worlds::{Random, service, service_plan};

fn events(candidate: u64, baseline: u64, requests: (u64, u64)) -> Observation {
    let exposure = Exposure::Requests { candidate: requests.0, baseline: requests.1 };
    Observation::Events { candidate, baseline, exposure }
}

fn judge(metrics: Vec<MetricPlan>, planned: u32) -> Judge {
    Judge::new(CanaryPlan { planned, ..CanaryPlan::new(metrics) }).unwrap()
}

fn recorded(kind: RecordedKind, values: &[f64]) -> RecordedSeries {
    let values = values.iter().map(|value| Some(*value)).collect();
    RecordedSeries { metric: "m".into(), kind, interval_seconds: Some(60.0), values, requests: None }
}

#[test]
fn no_data_is_never_a_pass() {
    for observation in [
        Observation::Missing,
        events(0, 0, (0, 100)),
        events(0, 0, (100, 0)),
        events(0, 0, (0, 0)),
        Observation::Events { candidate: 0, baseline: 0, exposure: Exposure::Share(0.0) },
    ] {
        let tolerance = Tolerance { relative: 0.25, absolute: 0.5 };
        let mut judge = judge(vec![MetricPlan { tolerance, ..MetricPlan::events("e") }], 30);
        for _ in 0..29 {
            assert_eq!(judge.observe(std::slice::from_ref(&observation)).unwrap(), Verdict::Undecided);
        }
        assert_eq!(judge.observe(std::slice::from_ref(&observation)).unwrap(), Verdict::NoData, "{observation:?}");
        assert!(judge.finished());
    }
    // Eleven usable pairs are too few; an empty latency interval is none; one metric without data is enough.
    let mut few = judge(vec![MetricPlan::gauge("g")], 30);
    for t in 0..30 {
        let value = if t < 11 { 1.0 } else { f64::NAN };
        let _ = few.observe(&[Observation::Gauge { candidate: value, baseline: 1.0 }]).unwrap();
    }
    assert_eq!(few.verdict(), Verdict::NoData);
    let empty = || Histogram::new(LatencyBounds::standard());
    let mut both = judge(vec![MetricPlan::gauge("g"), MetricPlan::latency("l")], 20);
    for t in 0..20 {
        let noise = f64::from(t % 3);
        let gauge = Observation::Gauge { candidate: 100.0 + noise, baseline: 101.0 - noise };
        let _ = both.observe(&[gauge, Observation::Latency { candidate: empty(), baseline: empty() }]).unwrap();
    }
    assert_eq!((both.report().metrics[0].verdict, both.verdict()), (Verdict::Pass, Verdict::NoData));
}

#[test]
fn no_events_are_data_and_undecided_unless_an_absolute_tolerance_says_more() {
    let run = |absolute: f64, requests: (u64, u64)| {
        let tolerance = Tolerance { relative: 0.25, absolute };
        let mut judge = judge(vec![MetricPlan { tolerance, ..MetricPlan::events("e") }], 60);
        (0..60).for_each(|_| drop(judge.observe(&[events(0, 0, requests)])));
        judge.verdict()
    };
    assert_eq!(run(0.0, (12, 228)), Verdict::Undecided);
    assert_eq!(run(0.02, (12, 228)), Verdict::Pass);
    // Too few requests prove nothing.
    assert_eq!(run(0.02, (1, 19)), Verdict::Undecided);
    assert_eq!(run(0.001, (12, 228)), Verdict::Undecided);
}

#[test]
fn an_absolute_tolerance_does_not_hide_a_worse_canary() {
    // 3 % errors where 2 % more are put up with: the comparison fails it before it could pass.
    let tolerance = Tolerance { relative: 0.25, absolute: 0.02 };
    let mut judge = judge(vec![MetricPlan { tolerance, ..MetricPlan::events("e") }], 60);
    let mut t = 0;
    while !judge.finished() {
        t += 1;
        let _ = judge.observe(&[events(u64::from(t % 3 == 0), 0, (12, 228))]).unwrap();
    }
    assert_eq!(judge.verdict(), Verdict::Fail);
    assert!(t < 30, "{t}");
    let part = &judge.report().metrics[0].parts[0];
    assert_eq!((part.evidence.test, part.evidence.so_far >= part.evidence.needed), (Test::Exact, true));
}

#[test]
fn one_failure_fails_and_the_verdict_stands() {
    let gauge = |shift: f64, t: i32| {
        let noise = f64::from((t * 7) % 5);
        Observation::Gauge { candidate: 50.0 + noise + shift, baseline: 50.0 + f64::from((t * 3) % 5) }
    };
    let mut judge = judge(vec![MetricPlan::gauge("a"), MetricPlan::gauge("b")], 60);
    let mut t = 0;
    while !judge.finished() {
        let _ = judge.observe(&[gauge(0.0, t), gauge(20.0, t)]).unwrap();
        t += 1;
    }
    let report = judge.report();
    assert_eq!((report.verdict, report.metrics[0].verdict, report.metrics[1].verdict), (Verdict::Fail, Verdict::Pass, Verdict::Fail));
    assert_eq!(report.metrics[1].alpha, 0.025);
    for _ in 0..50 {
        assert_eq!(judge.observe(&[gauge(0.0, t), gauge(0.0, t)]).unwrap(), Verdict::Fail);
    }
    assert_eq!(judge.report(), report, "nothing is counted after the end");
}

#[test]
fn what_does_not_fit_the_plan_is_refused_and_not_counted() {
    let mut judge = judge(vec![MetricPlan::latency("l")], 20);
    let standard = Histogram::new(LatencyBounds::standard());
    let other = Histogram::new(LatencyBounds::new(vec![1, 10]).unwrap());
    assert_eq!(judge.observe(&[]), Err(ObserveError::Length { got: 0, planned: 1 }));
    assert!(matches!(judge.observe(&[events(0, 0, (1, 1))]), Err(ObserveError::Kind { .. })));
    let mixed = Observation::Latency { candidate: standard, baseline: other };
    assert!(matches!(judge.observe(&[mixed]), Err(ObserveError::Histogram { .. })));
    assert_eq!(judge.report().seen, 0);
    let plan = CanaryPlan::new(vec![MetricPlan::gauge("g")]);
    assert_eq!(Judge::new(CanaryPlan { alpha: 0.0, ..plan.clone() }), Err(PlanError::Rate));
    assert_eq!(Judge::new(CanaryPlan { planned: 0, ..plan.clone() }), Err(PlanError::Planned));
    assert_eq!(Judge::new(CanaryPlan { metrics: vec![], ..plan }), Err(PlanError::Metrics));
}

#[test]
fn a_stored_judge_goes_on_as_if_it_had_not_been_stored() {
    let plan = service_plan(Tolerance::relative(0.25));
    let (mut kept, mut stored) = (Judge::new(plan.clone()).unwrap(), Judge::new(plan).unwrap());
    let mut random = Random::new(5);
    for _ in 0..40 {
        let second = service().second(&mut random);
        let _ = kept.observe(&second).unwrap();
        let text = serde_json::to_string(&stored).unwrap();
        stored = serde_json::from_str(&text).unwrap();
        assert_eq!(stored.observe(&second).unwrap(), kept.verdict());
    }
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
    for (a, b) in stored.report().metrics.iter().zip(kept.report().metrics) {
        for (a, b) in a.parts.iter().zip(b.parts) {
            assert!(close(a.evidence.so_far, b.evidence.so_far) && a.usable == b.usable, "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_picture_agrees_with_the_verdict() {
    let noise = |t: usize| ((t * 37) % 11) as f64 / 11.0;
    let baseline: Vec<f64> = (0..60).map(|t| 10.0 + noise(t)).collect();
    let candidate: Vec<f64> = (0..60).map(|t| 10.35 + noise(t + 5)).collect();
    let options =
        SeriesOptions { direction: Direction::HigherIsWorse, tolerance: Some(Tolerance::relative(0.01)), ..SeriesOptions::default() };
    let worse = judge_series(&recorded(RecordedKind::Gauge, &baseline), &recorded(RecordedKind::Gauge, &candidate), &options).unwrap();
    assert_eq!(worse.verdict, Verdict::Fail);
    let last = worse.points.last().unwrap();
    assert_eq!((last.unit, last.verdict), (Unit::Difference, Verdict::Fail));
    assert!(last.low.unwrap() > 0.0 && last.estimate.unwrap() > last.low.unwrap());
    assert!(last.evidence.so_far >= last.evidence.needed);
    let before = &worse.points[worse.points.len() - 2];
    assert!(before.low.is_none_or(|low| low <= 1e-9) && before.evidence.so_far < before.evidence.needed);

    let counts: Vec<f64> = (0..60).map(|t| ((t * 7) % 5 + 18) as f64).collect();
    let more: Vec<f64> = (0..60).map(|t| ((t * 3) % 5 + 19) as f64).collect();
    let options = SeriesOptions { direction: Direction::HigherIsWorse, ..SeriesOptions::default() };
    let equal = judge_series(&recorded(RecordedKind::Count, &counts), &recorded(RecordedKind::Count, &more), &options).unwrap();
    assert_eq!(equal.verdict, Verdict::Pass);
    let last = equal.points.last().unwrap();
    assert_eq!(last.unit, Unit::Ratio);
    assert!((last.limit_high.unwrap() - 1.25).abs() < 1e-9 && last.high.unwrap() < 1.25, "{last:?}");
    assert!((last.estimate.unwrap() - 1.05).abs() < 0.03, "{last:?}");
}

#[test]
fn recorded_series_are_read_strictly() {
    let options = SeriesOptions::default();
    let ten = [1.0; 10];
    let count = |values: &[f64]| recorded(RecordedKind::Count, values);
    let gauge = |values: &[f64]| recorded(RecordedKind::Gauge, values);
    assert_eq!(judge_series(&count(&ten), &count(&ten), &options).unwrap().verdict, Verdict::NoData);
    assert_eq!(judge_series(&count(&[]), &count(&[]), &options).unwrap().verdict, Verdict::NoData);
    let running = SeriesOptions { planned: Some(60), ..options.clone() };
    assert_eq!(judge_series(&count(&ten), &count(&ten), &running).unwrap().verdict, Verdict::Undecided);
    assert_eq!(judge_series(&count(&ten), &gauge(&ten), &options), Err(SeriesError::Kinds));
    for bad in [-1.0, 0.5, f64::INFINITY] {
        assert!(matches!(judge_series(&count(&[bad]), &count(&[1.0]), &options), Err(SeriesError::Count { .. })));
    }
    let other = RecordedSeries { interval_seconds: Some(10.0), ..gauge(&ten) };
    assert_eq!(judge_series(&gauge(&ten), &other, &options), Err(SeriesError::Intervals(60.0, 10.0)));
    let file: RecordedSeries =
        serde_json::from_str(r#"{"metric":"errors","kind":"count","interval_seconds":60,"values":[1,null,2]}"#).unwrap();
    assert_eq!(file.values, [Some(1.0), None, Some(2.0)]);
    // The same values in both are no regression, and constant ones are judged, too.
    let flat = judge_series(&gauge(&[5.0; 60]), &gauge(&[5.0; 60]), &options).unwrap();
    assert_eq!(flat.verdict, Verdict::Pass);
    let shifted = judge_series(&gauge(&[5.0; 60]), &gauge(&[9.0; 60]), &options).unwrap();
    assert_eq!(shifted.verdict, Verdict::Fail);
}

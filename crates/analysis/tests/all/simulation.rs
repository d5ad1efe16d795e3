//! Rates of the judge in simulation with fixed seeds: false alarms stay below what was declared, regressions are found.
//! The full table is the example `canary_table`.

use holdpoint_analysis::canary::{Direction, Tolerance, Verdict};

use crate::worlds::{
    Counts, Gauge, Latency, Random, Service, Tally, World, counts, gauge, latency, repeat, run_service, service, service_plan, tally,
};

fn percent(part: usize, tally: &Tally) -> f64 {
    100.0 * part as f64 / tally.runs as f64
}

#[test]
fn harmless_canaries_hardly_ever_fail() {
    use Direction::{Either, HigherIsWorse};
    for (name, worlds, direction, runs, most) in [
        ("white gauge", vec![World::Gauge(gauge(0.0))], Either, 300, 3.0),
        ("gauge AR(1) 0.7", vec![World::Gauge(gauge(0.7))], Either, 300, 6.0),
        ("0.1 events", vec![World::Counts(counts(0.1))], Either, 300, 2.0),
        ("5 events, season", vec![World::Counts(Counts { season: true, ..counts(5.0) })], Either, 300, 5.0),
        ("bursts", vec![World::Counts(Counts { burst: 0.03, ..counts(0.5) })], Either, 300, 3.0),
        ("negative binomial", vec![World::Counts(Counts { shape: 1.0, ..counts(20.0) })], Either, 300, 5.0),
        ("2 events, canary 5 %", vec![World::Counts(Counts { share: 0.05, ..counts(1.0) })], Either, 300, 1.0),
        ("latency, canary 5 %", vec![World::Latency(Latency { season: true, ..latency(1_000.0, 0.05) })], HigherIsWorse, 60, 4.0),
    ] {
        let tally = repeat(&worlds, direction, 7, runs);
        assert!(percent(tally.failed, &tally) <= most, "{name}: {tally:?}");
    }
}

#[test]
fn regressions_are_found_in_time() {
    use Direction::{Either, HigherIsWorse};
    for (name, world, direction, runs, least, latest) in [
        ("gauge + 1 sd", World::Gauge(Gauge { shift: 1.0, ..gauge(0.0) }), Either, 150, 95.0, 39),
        ("gauge + 3 sd, AR(1) 0.8", World::Gauge(Gauge { shift: 3.0, ..gauge(0.8) }), Either, 150, 92.0, 31),
        ("0.1 events x 10", World::Counts(Counts { ratio: 10.0, ..counts(0.1) }), HigherIsWorse, 150, 98.0, 21),
        ("20 events x 1.2", World::Counts(Counts { ratio: 1.2, ..counts(20.0) }), HigherIsWorse, 150, 85.0, 38),
        ("1 event x 10, canary 5 %", World::Counts(Counts { ratio: 10.0, share: 0.05, ..counts(0.5) }), HigherIsWorse, 150, 98.0, 15),
        ("2 % slow, canary 5 %", World::Latency(Latency { slow: 0.02, ..latency(1_000.0, 0.05) }), HigherIsWorse, 30, 95.0, 37),
    ] {
        let tally = repeat(&[world], direction, 11, runs);
        assert!(percent(tally.failed, &tally) >= least, "{name}: {tally:?}");
        assert!(tally.median.unwrap() <= latest, "{name}: {tally:?}");
    }
}

#[test]
fn a_lower_value_is_as_bad_where_lower_is_worse() {
    let lower = World::Gauge(Gauge { shift: -1.5, ..gauge(0.3) });
    let higher = World::Gauge(Gauge { shift: 1.5, ..gauge(0.3) });
    let found = repeat(&[lower], Direction::LowerIsWorse, 3, 60);
    assert!(found.failed >= 55, "{found:?}");
    let better = repeat(&[higher], Direction::LowerIsWorse, 3, 60);
    assert!(better.failed == 0 && better.passed >= 55, "{better:?}");
    let fewer = World::Counts(Counts { ratio: 0.4, ..counts(5.0) });
    let found = repeat(&[fewer], Direction::LowerIsWorse, 3, 60);
    assert!(found.failed >= 57, "{found:?}");
    let found = repeat(&[fewer], Direction::HigherIsWorse, 3, 60);
    assert!(found.passed >= 57, "{found:?}");
}

fn services(service: Service, tolerance: Tolerance, seed: u64, runs: usize) -> Tally {
    let plan = service_plan(tolerance);
    let mut random = Random::new(seed);
    let results: Vec<(Verdict, u32)> = (0..runs).map(|_| run_service(&service, &plan, &mut random)).collect();
    tally(&results)
}

/// 240 requests a second, 5 % of them to the canary, intervals of a second, errors and latency judged together.
#[test]
fn a_small_canary_shows_defects_within_half_a_minute() {
    let tolerance = Tolerance { relative: 0.25, absolute: 0.02 };
    for (name, bad, latest) in [
        ("30 % errors", Service { more_errors: 0.30, ..service() }, 8),
        ("3 % errors", Service { more_errors: 0.03, ..service() }, 25),
        ("3 % errors above 0.1 %", Service { errors: 0.001, more_errors: 0.03, ..service() }, 25),
        ("80 ms on 30 %", Service { delayed: 0.3, delay_ms: 80.0, ..service() }, 15),
    ] {
        let tally = services(bad, tolerance, 17, 20);
        println!("{name}: {tally:?}");
        assert_eq!(tally.failed, 20, "{name}: {tally:?}");
        assert!(tally.median.unwrap() <= latest, "{name}: {tally:?}");
    }
}

#[test]
fn equal_small_canaries_never_fail() {
    for (name, errors, tolerance) in [
        ("no errors, 25 %", 0.0, Tolerance::relative(0.25)),
        ("0.1 % errors, 25 %", 0.001, Tolerance::relative(0.25)),
        ("no errors, 2 in a hundred", 0.0, Tolerance { relative: 0.25, absolute: 0.02 }),
        ("0.1 % errors, 2 in a hundred", 0.001, Tolerance { relative: 0.25, absolute: 0.02 }),
        ("no errors, 5 in a hundred", 0.0, Tolerance { relative: 0.25, absolute: 0.05 }),
    ] {
        let tally = services(Service { errors, ..service() }, tolerance, 23, 20);
        println!("{name}: {tally:?}");
        assert_eq!(tally.failed, 0, "{name}: {tally:?}");
    }
}

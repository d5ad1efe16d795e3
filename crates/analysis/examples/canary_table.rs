//! The judge's rates in every simulated regime, as JSON: `cargo run --release -p holdpoint-analysis --example
//! canary_table -- [runs without regression] [runs with one] [words of the rows]`. Deterministic for given arguments; 300 of each take
//! some minutes.

#[path = "../tests/all/worlds.rs"]
mod worlds;

use holdpoint_analysis::canary::{Direction, Tolerance};
use serde_json::{Value, json};
use worlds::{
    Counts, Gauge, Latency, Random, Service, Tally, World, counts, gauge, latency, repeat, run_service, service, service_plan, tally,
};

type Row = (&'static str, Vec<World>, Direction, usize);

use Direction::{Either, HigherIsWorse as Higher};

fn one(name: &'static str, world: World, direction: Direction) -> Row {
    (name, vec![world], direction, 1)
}

/// A row with a fraction of the runs, where a run is dear.
fn dear((name, worlds, direction, _): Row) -> Row {
    (name, worlds, direction, 3)
}

fn without_regression() -> Vec<Row> {
    let g = |world| World::Gauge(world);
    let c = |world| World::Counts(world);
    let l = |world| World::Latency(world);
    let small = |rate| Counts { share: 0.05, ..counts(rate) };
    let mut ten = vec![g(gauge(0.7)); 5];
    ten.extend([c(counts(5.0)); 5]);
    vec![
        one("gauge AR(1) 0", g(gauge(0.0)), Either),
        one("gauge AR(1) 0.5", g(gauge(0.5)), Either),
        one("gauge AR(1) 0.7", g(gauge(0.7)), Either),
        one("gauge AR(1) 0.8", g(gauge(0.8)), Either),
        one("gauge AR(1) 0.9", g(gauge(0.9)), Either),
        one("gauge AR(1) 0.7, common season and drift", g(Gauge { season: true, ..gauge(0.7) }), Either),
        one("gauge AR(1) 0.7, heavy tails (t3)", g(Gauge { heavy: true, ..gauge(0.7) }), Either),
        one("gauge AR(1) 0.7, canary 3 x noisier", g(Gauge { ratio: 3.0, ..gauge(0.7) }), Either),
        one("gauge half AR(1) 0.8, half white", g(Gauge { slow: 0.5, ..gauge(0.8) }), Either),
        one("counts 0.02/min", c(counts(0.02)), Either),
        one("counts 0.1/min", c(counts(0.1)), Either),
        one("counts 1/min", c(counts(1.0)), Either),
        one("counts 5/min", c(counts(5.0)), Either),
        one("counts 20/min", c(counts(20.0)), Either),
        one("counts 5/min, season and drift", c(Counts { season: true, ..counts(5.0) }), Either),
        one("counts, negative binomial 5/min, k = 2", c(Counts { shape: 2.0, ..counts(5.0) }), Either),
        one("counts, negative binomial 20/min, k = 1", c(Counts { shape: 1.0, ..counts(20.0) }), Either),
        one("counts 0.5/min and bursts of 20", c(Counts { burst: 0.03, ..counts(0.5) }), Either),
        one("counts 20/min, own AR(1) 0.8 rate noise 20 %", c(Counts { noise: 0.2, ..counts(20.0) }), Either),
        one("canary 5 %: counts 2/min in all", c(small(1.0)), Either),
        one("canary 5 %: counts 400/min in all", c(small(200.0)), Either),
        one("canary 5 %: negative binomial 20/min, either", c(Counts { shape: 2.0, ..small(10.0) }), Either),
        one("canary 5 %: negative binomial 20/min, higher", c(Counts { shape: 2.0, ..small(10.0) }), Higher),
        one("canary 5 %: bursts, higher", c(Counts { burst: 0.03, ..small(0.5) }), Higher),
        dear(one("latency, canary 5 % of 1,000/min, season", l(Latency { season: true, ..latency(1_000.0, 0.05) }), Higher)),
        dear(one("latency, same, with stalls of one version", l(Latency { stalls: true, ..latency(1_000.0, 0.05) }), Higher)),
        dear(("ten metrics (5 AR(1) 0.7, 5 counts 5/min)", ten, Either, 1)),
    ]
}

fn with_regression() -> Vec<Row> {
    let g = |shift, world| World::Gauge(Gauge { shift, ..world });
    let c = |rate, ratio| World::Counts(Counts { ratio, ..counts(rate) });
    let l = |world| World::Latency(world);
    let mut ten = vec![World::Gauge(gauge(0.7)); 5];
    ten.extend([World::Counts(counts(5.0)); 4]);
    ten.push(c(5.0, 1.5));
    vec![
        one("gauge + 1 sd, white", g(1.0, gauge(0.0)), Either),
        one("gauge + 1.5 sd, AR(1) 0.5", g(1.5, gauge(0.5)), Either),
        one("gauge + 1.5 sd, AR(1) 0.7", g(1.5, gauge(0.7)), Either),
        one("gauge + 1.5 sd, AR(1) 0.7, season", g(1.5, Gauge { season: true, ..gauge(0.7) }), Either),
        one("gauge + 1.5 sd, AR(1) 0.8", g(1.5, gauge(0.8)), Either),
        one("gauge + 3 sd, AR(1) 0.8", g(3.0, gauge(0.8)), Either),
        one("counts 0.02/min x 20", c(0.02, 20.0), Higher),
        one("counts 0.05/min x 10", c(0.05, 10.0), Higher),
        one("counts 0.1/min x 5", c(0.1, 5.0), Higher),
        one("counts 0.1/min x 10", c(0.1, 10.0), Higher),
        one("counts 0.5/min x 3", c(0.5, 3.0), Higher),
        one("counts 2/min x 1.5", c(2.0, 1.5), Higher),
        one("counts 5/min x 1.5", c(5.0, 1.5), Higher),
        one("counts 20/min x 1.2", c(20.0, 1.2), Higher),
        one("counts, negative binomial 5/min, k = 2, x 2", World::Counts(Counts { shape: 2.0, ratio: 2.0, ..counts(5.0) }), Higher),
        one("counts 0.5/min and bursts, x 3", World::Counts(Counts { burst: 0.03, ratio: 3.0, ..counts(0.5) }), Higher),
        one("canary 5 %: 1/min in all, x 10", World::Counts(Counts { share: 0.05, ratio: 10.0, ..counts(0.5) }), Higher),
        one("canary 5 %: 20/min in all, x 2", World::Counts(Counts { share: 0.05, ratio: 2.0, ..counts(10.0) }), Higher),
        dear(one("latency, canary 5 %: 2 % of requests 5 x slower", l(Latency { slow: 0.02, ..latency(1_000.0, 0.05) }), Higher)),
        dear(one("latency, canary 5 %: all 10 % slower", l(Latency { middle: 1.1, ..latency(1_000.0, 0.05) }), Higher)),
        dear(("one of ten: counts 5/min x 1.5", ten, Either, 1)),
        one("at the tolerance: counts 20/min x 1.25 (pass is wrong)", c(20.0, 1.25), Higher),
        one("at the tolerance: gauge + 10 %, AR(1) 0.7 (pass is wrong)", g(1.0, gauge(0.7)), Higher),
    ]
}

fn services(runs: usize) -> Vec<Value> {
    let strict = Tolerance { relative: 0.25, absolute: 0.02 };
    let loose = Tolerance { relative: 0.25, absolute: 0.05 };
    let allowed = Service { allowance_ms: Some(5), ..service() };
    let rows = [
        ("equal, no errors; tolerance 2 in a hundred", service(), strict),
        ("equal, no errors; tolerance 5 in a hundred", service(), loose),
        ("equal, 0.1 % errors; tolerance 5 in a hundred", Service { errors: 0.001, ..service() }, loose),
        ("equal, canary 25 %, no errors; tolerance 2 in a hundred", Service { share: 0.25, ..service() }, strict),
        ("30 % errors", Service { more_errors: 0.3, ..service() }, strict),
        ("3 % errors", Service { more_errors: 0.03, ..service() }, strict),
        ("3 % errors above 0.1 %; tolerance 5 in a hundred", Service { errors: 0.001, more_errors: 0.03, ..service() }, loose),
        ("80 ms more on 30 %", Service { delayed: 0.3, delay_ms: 80.0, ..service() }, strict),
        ("allowance 5 ms: equal, no errors; tolerance 5 in a hundred", allowed, loose),
        ("allowance 5 ms: 4 ms more on all; tolerance 5 in a hundred", Service { delayed: 1.0, delay_ms: 4.0, ..allowed }, loose),
        ("allowance 5 ms: 20 ms more on all", Service { delayed: 1.0, delay_ms: 20.0, ..allowed }, strict),
        ("allowance 5 ms: 80 ms more on 30 %", Service { delayed: 0.3, delay_ms: 80.0, ..allowed }, strict),
        ("allowance 50 ms: 80 ms more on 30 %", Service { delayed: 0.3, delay_ms: 80.0, allowance_ms: Some(50), ..service() }, strict),
    ];
    let one = |(name, world, tolerance): (&str, Service, Tolerance)| {
        let plan = service_plan(tolerance);
        let mut random = Random::new(seed(name));
        let results: Vec<_> = (0..runs).map(|_| run_service(&world, &plan, &mut random)).collect();
        line(name, &tally(&results))
    };
    rows.into_iter().filter(|(name, ..)| wanted(name)).map(one).collect()
}

/// A third argument: only rows with these words.
fn wanted(name: &str) -> bool {
    std::env::args().nth(3).is_none_or(|words| name.contains(&words))
}

/// FNV-1a of the name: a row's numbers do not depend on its neighbours.
fn seed(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn line(name: &str, tally: &Tally) -> Value {
    eprintln!("{name}: {tally:?}");
    let percent = |part: usize| (1_000.0 * part as f64 / tally.runs as f64).round() / 10.0;
    json!({
        "regime": name,
        "runs": tally.runs,
        "fail_percent": percent(tally.failed),
        "pass_percent": percent(tally.passed),
        "median_interval_of_failure": tally.median,
    })
}

fn rows(rows: Vec<Row>, runs: usize) -> Vec<Value> {
    let rows = rows.into_iter().filter(|(name, ..)| wanted(name));
    let row = |(name, worlds, direction, divisor): Row| line(name, &repeat(&worlds, direction, seed(name), (runs / divisor).max(1)));
    rows.map(row).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap_or(300));
    let (harmless, worse) = (arguments.next().unwrap_or(300), arguments.next().unwrap_or(300));
    let table = json!({
        "job": "canary",
        "points": worlds::POINTS,
        "alpha": 0.05,
        "beta": 0.05,
        "without_regression": rows(without_regression(), harmless),
        "with_regression": rows(with_regression(), worse),
        "service_of_240_requests_per_second_canary_5_percent_intervals_of_1_s": services((worse / 3).max(1)),
    });
    println!("{table:#}");
}

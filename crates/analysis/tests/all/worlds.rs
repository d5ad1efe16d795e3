//! Simulated canaries with a seeded generator of their own, and what the judge says of them. The regimes are those of
//! the method's measured table; the example `canary_table` runs all of them, the tests a few.

use holdpoint_analysis::canary::{CanaryPlan, Direction, Exposure, Judge, MetricKind, MetricPlan, Observation, Tolerance, Verdict};
use holdpoint_analysis::histogram::{Histogram, LatencyBounds};

pub const POINTS: usize = 60;

/// xorshift64*, seeded through splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Random((z ^ (z >> 31)) | 1)
    }

    /// Above 0, below 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Student's t with 3 degrees of freedom, scaled to variance 1.
    fn heavy(&mut self) -> f64 {
        let squares: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / squares.sqrt()
    }

    pub fn poisson(&mut self, mut mean: f64) -> u64 {
        let mut count = 0;
        while mean > 0.0 {
            let part = mean.min(20.0);
            mean -= part;
            let limit = (-part).exp();
            let mut product = self.uniform();
            while product > limit {
                product *= self.uniform();
                count += 1;
            }
        }
        count
    }

    /// Marsaglia, Tsang 2000; mean `shape`.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    fn ar1(&mut self, rho: f64, heavy: bool) -> Vec<f64> {
        let mut series = vec![self.normal()];
        while series.len() < POINTS {
            let shock = if heavy { self.heavy() } else { self.normal() };
            series.push(rho * series[series.len() - 1] + (1.0 - rho * rho).sqrt() * shock);
        }
        series
    }

    fn season(&mut self) -> Vec<f64> {
        let phase = self.uniform();
        let wave = |t: usize| (std::f64::consts::TAU * (t as f64 / 45.0 + phase)).sin();
        (0..POINTS).map(|t| 1.0 + 0.5 * wave(t) + 0.5 * t as f64 / POINTS as f64).collect()
    }
}

#[derive(Clone, Copy)]
pub struct Counts {
    /// Mean of the baseline per interval at share 0.5; with another share the total stays twice that.
    pub rate: f64,
    pub ratio: f64,
    pub share: f64,
    /// Of the negative binomial; 0: Poisson.
    pub shape: f64,
    /// Chance per interval of a burst of 20.
    pub burst: f64,
    pub season: bool,
    /// Each version's rate has its own AR(1) 0.8 noise.
    pub noise: f64,
}

pub fn counts(rate: f64) -> Counts {
    Counts { rate, ratio: 1.0, share: 0.5, shape: 0.0, burst: 0.0, season: false, noise: 0.0 }
}

#[derive(Clone, Copy)]
pub struct Gauge {
    pub rho: f64,
    pub shift: f64,
    pub heavy: bool,
    pub season: bool,
    /// The canary's noise is larger.
    pub ratio: f64,
    /// Share of the variance that is autocorrelated.
    pub slow: f64,
}

pub fn gauge(rho: f64) -> Gauge {
    Gauge { rho, shift: 0.0, heavy: false, season: false, ratio: 1.0, slow: 1.0 }
}

#[derive(Clone, Copy)]
pub struct Latency {
    pub requests: f64,
    pub share: f64,
    /// Share of the canary's requests that are five times as slow.
    pub slow: f64,
    /// Factor on all of the canary's requests.
    pub middle: f64,
    /// A stall of one version hits a random share of its interval's requests.
    pub stalls: bool,
    pub season: bool,
}

pub fn latency(requests: f64, share: f64) -> Latency {
    Latency { requests, share, slow: 0.0, middle: 1.0, stalls: false, season: false }
}

#[derive(Clone, Copy)]
pub enum World {
    Counts(Counts),
    Gauge(Gauge),
    Latency(Latency),
}

impl World {
    pub fn metric(&self, direction: Direction) -> MetricPlan {
        let (kind, relative) = match self {
            World::Counts(_) => (MetricKind::Events, 0.25),
            World::Gauge(_) => (MetricKind::Gauge, 0.10),
            World::Latency(_) => (MetricKind::Latency, 0.25),
        };
        MetricPlan { name: "m".into(), kind, direction, weight: 1.0, tolerance: Tolerance::relative(relative) }
    }

    pub fn draw(&self, random: &mut Random) -> Vec<Observation> {
        match self {
            World::Counts(world) => world.draw(random),
            World::Gauge(world) => world.draw(random),
            World::Latency(world) => world.draw(random),
        }
    }
}

impl Counts {
    fn draw(&self, random: &mut Random) -> Vec<Observation> {
        let level = if self.season { random.season() } else { vec![1.0; POINTS] };
        let version = |random: &mut Random, share: f64, ratio: f64| -> Vec<u64> {
            let noise = (self.noise > 0.0).then(|| random.ar1(0.8, false));
            let mut one = |t: usize| {
                let mut mean = level[t] * 2.0 * self.rate * share * ratio;
                if let Some(noise) = &noise {
                    mean *= (self.noise * noise[t]).exp();
                }
                if self.shape > 0.0 {
                    let shape = 2.0 * self.shape * share;
                    mean *= random.gamma(shape) / shape;
                }
                let mut count = random.poisson(mean);
                if self.burst > 0.0 && random.chance(self.burst * 2.0 * share * ratio) {
                    count += random.poisson(20.0);
                }
                count
            };
            (0..POINTS).map(&mut one).collect()
        };
        let own = version(random, self.share, self.ratio);
        let other = version(random, 1.0 - self.share, 1.0);
        let exposure = Exposure::Share(self.share);
        let pairs = own.into_iter().zip(other);
        pairs.map(|(candidate, baseline)| Observation::Events { candidate, baseline, exposure }).collect()
    }
}

impl Gauge {
    fn draw(&self, random: &mut Random) -> Vec<Observation> {
        let common = match self.season {
            true => random.season().into_iter().map(|level| 8.0 * level).collect(),
            false => vec![10.0; POINTS],
        };
        let mut version = || -> Vec<f64> {
            let slow = random.ar1(self.rho, self.heavy);
            let mix = |x: f64, random: &mut Random| match self.slow < 1.0 {
                true => self.slow.sqrt() * x + (1.0 - self.slow).sqrt() * random.normal(),
                false => x,
            };
            slow.into_iter().map(|x| mix(x, random)).collect()
        };
        let (own, other) = (version(), version());
        let value =
            |t: usize| Observation::Gauge { candidate: common[t] + self.ratio * own[t] + self.shift, baseline: common[t] + other[t] };
        (0..POINTS).map(value).collect()
    }
}

impl Latency {
    fn draw(&self, random: &mut Random) -> Vec<Observation> {
        let bounds = LatencyBounds::standard();
        let mut version = |canary: bool| -> Vec<Histogram> {
            let share = if canary { self.share } else { 1.0 - self.share };
            let level = if self.season { random.season() } else { vec![1.0; POINTS] };
            let mut one = |level: f64| {
                let mut histogram = Histogram::new(bounds.clone());
                let stalled = if self.stalls { random.gamma(0.1) * 0.1 } else { 0.0 };
                for _ in 0..random.poisson(self.requests * share * level) {
                    let mut milliseconds = (4.0 + 0.5 * random.normal()).exp();
                    if random.chance(0.02) {
                        milliseconds *= (-0.7 * random.uniform().ln()).exp();
                    }
                    if stalled > 0.0 && random.chance(stalled) {
                        milliseconds *= 6.0;
                    }
                    if canary {
                        milliseconds *= self.middle * if random.chance(self.slow) { 5.0 } else { 1.0 };
                    }
                    histogram.record((1_000.0 * milliseconds) as u64);
                }
                histogram
            };
            level.into_iter().map(&mut one).collect()
        };
        let (own, other) = (version(true), version(false));
        let pairs = own.into_iter().zip(other);
        pairs.map(|(candidate, baseline)| Observation::Latency { candidate, baseline }).collect()
    }
}

/// Verdict and interval of the decision of one run over worlds that are judged together.
pub fn run(worlds: &[World], direction: Direction, random: &mut Random) -> (Verdict, u32) {
    let metrics = worlds.iter().map(|world| world.metric(direction)).collect();
    let mut judge = Judge::new(CanaryPlan { planned: POINTS as u32, ..CanaryPlan::new(metrics) }).unwrap();
    let drawn: Vec<Vec<Observation>> = worlds.iter().map(|world| world.draw(random)).collect();
    for t in 0..POINTS {
        let interval: Vec<Observation> = drawn.iter().map(|series| series[t].clone()).collect();
        let verdict = judge.observe(&interval).unwrap();
        if matches!(verdict, Verdict::Fail | Verdict::Pass) {
            return (verdict, t as u32 + 1);
        }
    }
    (judge.verdict(), POINTS as u32)
}

/// Shares of runs that failed and passed, and the median interval of the failures.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    pub runs: usize,
    pub failed: usize,
    pub passed: usize,
    pub median: Option<u32>,
}

pub fn tally(results: &[(Verdict, u32)]) -> Tally {
    let mut failures: Vec<u32> = results.iter().filter(|(v, _)| *v == Verdict::Fail).map(|(_, at)| *at).collect();
    failures.sort_unstable();
    Tally {
        runs: results.len(),
        failed: failures.len(),
        passed: results.iter().filter(|(verdict, _)| *verdict == Verdict::Pass).count(),
        median: failures.get(failures.len() / 2).copied(),
    }
}

pub fn repeat(worlds: &[World], direction: Direction, seed: u64, runs: usize) -> Tally {
    let mut random = Random::new(seed);
    let results: Vec<(Verdict, u32)> = (0..runs).map(|_| run(worlds, direction, &mut random)).collect();
    tally(&results)
}

/// A web service behind a proxy that sends a share of requests to the canary, in intervals of a second.
#[derive(Clone, Copy)]
pub struct Service {
    pub requests: f64,
    pub share: f64,
    /// Errors per request of both versions, and those that the canary adds.
    pub errors: f64,
    pub more_errors: f64,
    /// Share of the canary's requests that take `delay_ms` longer.
    pub delayed: f64,
    pub delay_ms: f64,
    /// How much later the canary may answer beside the tolerance, as the watcher allows for it; none: judged as it is.
    pub allowance_ms: Option<u64>,
}

pub fn service() -> Service {
    Service { requests: 240.0, share: 0.05, errors: 0.0, more_errors: 0.0, delayed: 0.0, delay_ms: 0.0, allowance_ms: None }
}

impl Service {
    /// One second: errors by requests, and latency.
    pub fn second(&self, random: &mut Random) -> Vec<Observation> {
        let bounds = LatencyBounds::standard();
        let (mut own, mut other) = (Histogram::new(bounds.clone()), Histogram::new(bounds));
        let (mut own_errors, mut other_errors) = (0, 0);
        for _ in 0..random.poisson(self.requests) {
            let mut milliseconds = (2.5 + 0.6 * random.normal()).exp();
            if random.chance(self.share) {
                own_errors += u64::from(random.chance(self.errors + self.more_errors));
                milliseconds += if random.chance(self.delayed) { self.delay_ms } else { 0.0 };
                own.record((1_000.0 * milliseconds) as u64);
            } else {
                other_errors += u64::from(random.chance(self.errors));
                other.record((1_000.0 * milliseconds) as u64);
            }
        }
        let exposure = Exposure::Requests { candidate: own.total(), baseline: other.total() };
        if let Some(allowance) = self.allowance_ms {
            own = own.sooner(1_000 * allowance, 1.25);
        }
        vec![
            Observation::Events { candidate: own_errors, baseline: other_errors, exposure },
            Observation::Latency { candidate: own, baseline: other },
        ]
    }
}

/// Errors and latency of a service, judged together as a deployment does.
pub fn run_service(service: &Service, plan: &CanaryPlan, random: &mut Random) -> (Verdict, u32) {
    let mut judge = Judge::new(plan.clone()).unwrap();
    let mut at = 0;
    while !judge.finished() {
        at += 1;
        let _ = judge.observe(&service.second(random)).unwrap();
    }
    (judge.verdict(), at)
}

pub fn service_plan(tolerance: Tolerance) -> CanaryPlan {
    let errors = MetricPlan { tolerance, ..MetricPlan::events("errors") };
    let latency = MetricPlan { tolerance, ..MetricPlan::latency("latency") };
    CanaryPlan::new(vec![errors, latency])
}

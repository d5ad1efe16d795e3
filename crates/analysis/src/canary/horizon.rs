//! The horizon test: is the mean of a series of differences above a value, looked at after every observation up to a
//! known end.
//!
//! The noise is AR(2) with unknown coefficients, or AR(1) with white noise beside it, averaged over a grid of 152 points by
//! restricted likelihood (Cheang, Reinsel 2000). The tail of the mean at each point is brought to the horizon by the share of information seen, and
//! compared with a level from the reflection principle (Lévy; Siegmund 1985): knowing the end is worth more than an
//! always-valid mixture (Schultzberg, Ankargren 2023). State per grid point is four sums; an observation costs O(1) each.
//!
//! Assumptions, held by simulation only: differences are stationary with short memory (correlation to about 0.8) and
//! not very skewed. Slower noise, noise of two time scales and much noisier canaries exceed the declared rate.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::special::StudentTail;

const R1: [f64; 16] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96];
const R2: [f64; 8] = [-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
/// AR(1) seen through white noise of so many times its variance.
const SLOW: [f64; 4] = [0.6, 0.8, 0.9, 0.95];
const WHITE: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Prior weight of noise of two colours beside the 1 of the others. More would take the power from what is white.
const TWO_COLOURS: f64 = 0.25;
/// Events have a least noise that is white and known; little is left to guess.
const TWO_COLOURS_FOR_EVENTS: f64 = 0.02;
/// Prior weight g^-0.4: leans towards slow noise.
const PERSISTENCE: f64 = 0.4;
/// Added to the prior of white noise for events: what a random split of requests gives.
const WHITE_FOR_EVENTS: f64 = 0.5;
/// Weights below this are not worth a tail.
const WEIGHT_MIN: f64 = 1e-7;
/// Least residual sum of squares: equal values throughout are no proof of anything infinite.
const RESIDUAL_MIN: f64 = 1e-300;

/// One point of the grid.
struct Point {
    p1: f64,
    p2: f64,
    /// 1 − p1 − p2
    g: f64,
    /// Scales of the first two observations.
    scale1: f64,
    scale2: f64,
    rho: f64,
    log_prior: f64,
    log_prior_events: f64,
    /// White noise beside an AR(1) of variance 1; 0: none.
    white: f64,
}

static GRID: LazyLock<Vec<Point>> = LazyLock::new(|| {
    let mut points = Vec::with_capacity(R1.len() * R2.len());
    for (index, r1) in R1.iter().enumerate() {
        let width = cell_width(index);
        for r2 in R2 {
            let (p1, p2) = (r1 * (1.0 - r2), r2);
            let g = 1.0 - p1 - p2;
            let gamma = (1.0 - p2) / ((1.0 + p2) * ((1.0 - p2).powi(2) - p1 * p1));
            let rho = p1 / (1.0 - p2);
            let prior = width * (-0.5 * (r2 / 0.2).powi(2)).exp() * f64::min(1.0, g).powf(-PERSISTENCE);
            points.push(Point {
                p1,
                p2,
                g,
                scale1: 1.0 / gamma.sqrt(),
                scale2: 1.0 / (gamma * (1.0 - rho * rho)).sqrt(),
                rho,
                log_prior: prior,
                log_prior_events: prior,
                white: 0.0,
            });
        }
    }
    let total: f64 = points.iter().map(|point| point.log_prior).sum();
    for point in &mut points {
        let normalised = point.log_prior / total;
        let white = point.p1 == 0.0 && point.p2 == 0.0;
        point.log_prior = normalised.ln();
        point.log_prior_events = (normalised + if white { WHITE_FOR_EVENTS } else { 0.0 }).ln();
    }
    points.extend(two_colours());
    points
});

/// Slow noise with white noise beside it, as numbers are that are means of few or counts of events: AR(1) seen through
/// white noise.
fn two_colours() -> Vec<Point> {
    let mut points = Vec::new();
    let count = (SLOW.len() * WHITE.len()) as f64;
    for p1 in SLOW {
        for white in WHITE {
            let mut filter = Filter::default();
            let settled = (0..1000).map(|_| filter.step(0.0, p1, white).1).last();
            points.push(Point {
                p1,
                p2: 0.0,
                g: settled.unwrap_or(0.0),
                scale1: 1.0,
                scale2: 1.0,
                rho: 0.0,
                log_prior: (TWO_COLOURS / count).ln(),
                log_prior_events: (TWO_COLOURS_FOR_EVENTS / count).ln(),
                white,
            });
        }
    }
    points
}

/// Width of a cell of r1: a second-order difference, as numpy's `gradient` has it for uneven steps of the index.
fn cell_width(index: usize) -> f64 {
    let last = R1.len() - 1;
    match index {
        0 => R1[1] - R1[0],
        _ if index == last => R1[last] - R1[last - 1],
        _ => (R1[index + 1] - R1[index - 1]) / 2.0,
    }
}

/// One step ahead (Kalman 1960): what is expected of an AR(1) of variance 1 that is seen through white noise, for the
/// observations and for a constant 1 in their place, and the variance of the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Filter {
    observation: f64,
    constant: f64,
    variance: f64,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { observation: 0.0, constant: 0.0, variance: 1.0 }
    }
}

impl Filter {
    /// What could not be expected of both, in units of its standard deviation, and the logarithm of that.
    fn step(&mut self, now: f64, p1: f64, white: f64) -> (f64, f64, f64) {
        let variance = self.variance + white;
        let (surprise, new) = (now - self.observation, 1.0 - self.constant);
        let gain = self.variance / variance;
        self.observation = p1 * (self.observation + gain * surprise);
        self.constant = p1 * (self.constant + gain * new);
        self.variance = p1 * p1 * self.variance * (1.0 - gain) + 1.0 - p1 * p1;
        (surprise / variance.sqrt(), new / variance.sqrt(), 0.5 * variance.ln())
    }
}

/// Sums A, B, C and the log scale L of one grid point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums(f64, f64, f64, f64, Filter);

impl Sums {
    fn observe(&mut self, now: f64, before: f64, before_that: f64, earlier: u32, point: &Point) {
        let (y, o) = match earlier {
            _ if point.white > 0.0 => {
                let (y, o, log_scale) = self.4.step(now, point.p1, point.white);
                self.3 -= log_scale;
                (y, o)
            }
            0 => {
                self.3 += point.scale1.ln();
                (now * point.scale1, point.scale1)
            }
            1 => {
                self.3 += point.scale2.ln();
                ((now - point.rho * before) * point.scale2, (1.0 - point.rho) * point.scale2)
            }
            _ => (now - point.p1 * before - point.p2 * before_that, point.g),
        };
        self.0 += y * y;
        self.1 += y * o;
        self.2 += o * o;
    }

    fn residual(&self) -> f64 {
        (self.0 - self.1 * self.1 / self.2).max(RESIDUAL_MIN)
    }

    fn log_likelihood(&self, count: f64) -> f64 {
        self.3 - 0.5 * self.2.ln() - 0.5 * (count - 1.0) * self.residual().ln()
    }
}

/// One series with its state at every grid point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    sums: Vec<Sums>,
    first: f64,
    last: [f64; 2],
    mean: f64,
    squares: f64,
}

impl Series {
    fn new() -> Series {
        Series { sums: vec![Sums::default(); GRID.len()], first: 0.0, last: [0.0; 2], mean: 0.0, squares: 0.0 }
    }

    fn observe(&mut self, value: f64, earlier: u32) {
        if earlier == 0 {
            self.first = value;
        }
        let now = value - self.first;
        for (sums, point) in self.sums.iter_mut().zip(GRID.iter()) {
            sums.observe(now, self.last[0], self.last[1], earlier, point);
        }
        self.last = [now, self.last[0]];
        self.mean += (now - self.mean) / f64::from(earlier + 1);
        self.squares += now * now;
    }

    fn variance(&self, count: f64) -> f64 {
        self.squares / count - self.mean * self.mean
    }
}

/// Differences (and, for gauges, sums) of paired observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HorizonTest {
    differences: Series,
    /// Sums lend their autocorrelation to the differences of gauges.
    sums: Option<Series>,
    count: u32,
    /// Sum of the least variances of one difference (0 for gauges).
    floor: f64,
}

impl HorizonTest {
    pub fn gauge() -> HorizonTest {
        HorizonTest { sums: Some(Series::new()), ..HorizonTest::events() }
    }

    pub fn events() -> HorizonTest {
        HorizonTest { differences: Series::new(), sums: None, count: 0, floor: 0.0 }
    }

    /// `floor`: least variance this difference can have (p(1 − p) times the events, for events).
    pub fn observe(&mut self, difference: f64, sum: f64, floor: f64) {
        self.differences.observe(difference, self.count);
        if let Some(sums) = &mut self.sums {
            sums.observe(sum, self.count);
        }
        self.count += 1;
        self.floor += floor;
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    /// The posterior of the mean with `remaining` observations to come; `None` below two observations.
    pub fn posterior(&self, remaining: u32) -> Option<Posterior> {
        if self.count < 2 {
            return None;
        }
        let count = f64::from(self.count);
        let pooled = self.sums.as_ref().and_then(|sums| {
            let own = self.differences.variance(count);
            let common = sums.variance(count);
            (common > 0.0).then(|| (sums, f64::min(1.0, 2.0 * own / common).max(0.0).powi(2)))
        });
        let mut log_weights = Vec::with_capacity(GRID.len());
        for (index, point) in GRID.iter().enumerate() {
            let mut weight = self.differences.sums[index].log_likelihood(count);
            weight += if self.sums.is_some() { point.log_prior } else { point.log_prior_events };
            if let Some((sums, share)) = pooled {
                weight += share * sums.sums[index].log_likelihood(count);
            }
            log_weights.push(weight);
        }
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = log_weights.iter().map(|weight| (weight - top).exp()).sum();
        let mut parts = Vec::new();
        let mut estimate = 0.0;
        for ((weight, sums), point) in log_weights.iter().zip(&self.differences.sums).zip(GRID.iter()) {
            let weight = (weight - top).exp() / total;
            if weight < WEIGHT_MIN {
                continue;
            }
            let mean = sums.1 / sums.2 + self.differences.first;
            let own = sums.residual() / ((count - 1.0) * sums.2);
            let error = f64::max(own, self.floor / count / count).sqrt();
            let error = if error > 0.0 { error } else { 1e-12 * (mean.abs() + 1e-12) };
            let seen = sums.2 / (sums.2 + f64::from(remaining) * point.g * point.g);
            estimate += weight * mean;
            parts.push((weight, mean, error / seen.sqrt()));
        }
        Some(Posterior { parts, estimate, student: StudentTail::new(count - 1.0) })
    }
}

/// What is known of the mean difference: a mixture of Student distributions, widened to the horizon.
pub(crate) struct Posterior {
    /// (weight, mean, standard error)
    parts: Vec<(f64, f64, f64)>,
    pub estimate: f64,
    student: StudentTail,
}

impl Posterior {
    /// q(a): evidence against "the mean difference is at most a"; small is strong.
    pub fn tail(&self, a: f64) -> f64 {
        self.mix(|mean, error| (mean - a) / error)
    }

    /// Evidence against "the mean difference is at least a".
    pub fn mirrored_tail(&self, a: f64) -> f64 {
        self.mix(|mean, error| (a - mean) / error)
    }

    fn mix(&self, standardised: impl Fn(f64, f64) -> f64) -> f64 {
        self.parts.iter().map(|(weight, mean, error)| weight * self.student.above(standardised(*mean, *error))).sum()
    }

    /// The largest a that `tail` excludes at `level`, by bisection.
    pub fn lower_bound(&self, level: f64) -> f64 {
        self.bound(-1.0, |a| self.tail(a) <= level)
    }

    /// The smallest a that `mirrored_tail` excludes at `level`.
    pub fn upper_bound(&self, level: f64) -> f64 {
        self.bound(1.0, |a| self.mirrored_tail(a) <= level)
    }

    fn bound(&self, side: f64, excluded: impl Fn(f64) -> bool) -> f64 {
        let mut reach = self.parts.iter().map(|(_, _, error)| *error).fold(1e-300, f64::max);
        for _ in 0..200 {
            if excluded(self.estimate + side * reach) {
                break;
            }
            reach *= 2.0;
        }
        let (mut inside, mut outside) = (0.0, reach);
        for _ in 0..40 {
            let middle = 0.5 * (inside + outside);
            if excluded(self.estimate + side * middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        self.estimate + side * outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_the_declared_one() {
        assert_eq!(GRID.len(), 152);
        let total: f64 = GRID.iter().map(|point| point.log_prior.exp()).sum();
        assert!((total - 1.0 - TWO_COLOURS).abs() < 1e-12);
        let events: f64 = GRID.iter().map(|point| point.log_prior_events.exp()).sum();
        assert!((events - 1.5 - TWO_COLOURS_FOR_EVENTS).abs() < 1e-12);
    }

    #[test]
    fn the_filter_whitens_what_it_is_for() {
        // Against the covariance itself: variance 1 + white at lag 0, p1^k beyond. Three observations by hand.
        let (p1, white) = (0.8f64, 0.5f64);
        let covariance = |i: i32, j: i32| p1.powi((i - j).abs()) + if i == j { white } else { 0.0 };
        let seen = [0.3, -1.2, 0.7];
        let mut filter = Filter::default();
        let (mut squares, mut scale) = (0.0, 0.0);
        for value in seen {
            let (y, _, log_scale) = filter.step(value, p1, white);
            squares += y * y;
            scale += 2.0 * log_scale;
        }
        let (a, b, c) = (covariance(0, 0), covariance(0, 1), covariance(0, 2));
        let determinant = a * (a * a - b * b) - b * (b * a - b * c) + c * (b * b - a * c);
        assert!((scale - determinant.ln()).abs() < 1e-12);
        // Quadratic form by the inverse of a symmetric Toeplitz matrix.
        let inverse = [
            [a * a - b * b, b * c - a * b, b * b - a * c],
            [b * c - a * b, a * a - c * c, b * c - a * b],
            [b * b - a * c, b * c - a * b, a * a - b * b],
        ];
        let form: f64 =
            (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).map(|(i, j)| seen[i] * inverse[i][j] * seen[j] / determinant).sum();
        assert!((squares - form).abs() < 1e-12, "{squares} {form}");
    }

    #[test]
    fn a_level_does_not_change_the_evidence() {
        let posterior = |level: f64| {
            let mut test = HorizonTest::gauge();
            for value in [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0] {
                test.observe(value + level, 2.0 * value, 0.0);
            }
            test.posterior(10).unwrap()
        };
        let (near, far) = (posterior(0.0), posterior(1e6));
        assert!((near.tail(1.0) - far.tail(1e6 + 1.0)).abs() < 1e-8);
        assert!((near.estimate + 1e6 - far.estimate).abs() < 1e-6);
        assert!((near.tail(2.0) + near.mirrored_tail(2.0) - 1.0).abs() < 1e-12);
        assert!((near.tail(near.lower_bound(0.03)) - 0.03).abs() < 1e-6);
        assert!((near.mirrored_tail(near.upper_bound(0.03)) - 0.03).abs() < 1e-6);
    }

    #[test]
    fn equal_values_throughout_are_finite() {
        let mut test = HorizonTest::gauge();
        (0..20).for_each(|_| test.observe(0.0, 4.0, 0.0));
        let posterior = test.posterior(0).unwrap();
        assert_eq!(posterior.estimate, 0.0);
        assert!(
            posterior.tail(0.0) >= 0.5 - 1e-6 && posterior.mirrored_tail(0.1) < 1e-6,
            "{} {}",
            posterior.tail(0.0),
            posterior.mirrored_tail(0.1)
        );
    }
}

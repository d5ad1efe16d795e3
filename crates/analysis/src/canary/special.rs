//! The few special functions the judges need, to ten digits or more.

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::ln_gamma;

/// P(Z > x), standard normal.
pub(crate) fn normal_tail(x: f64) -> f64 {
    0.5 * erfc(x / std::f64::consts::SQRT_2)
}

/// x with P(Z > x) = p.
pub(crate) fn normal_quantile_above(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

/// Level of a tail brought to the horizon that keeps one-sided crossings at `alpha` over `horizon` looks: reflection
/// principle, corrected for looking at points only (Siegmund 1985, 0.5826).
pub(crate) fn crossing_level(alpha: f64, horizon: u32) -> f64 {
    normal_tail(normal_quantile_above(alpha / 2.0) - 0.5826 / f64::from(horizon).sqrt())
}

/// Upper tail of Student's t with a fixed number of degrees of freedom.
pub(crate) struct StudentTail {
    nu: f64,
    /// ln Γ((ν+1)/2) − ln Γ(ν/2) − ln Γ(1/2)
    front: f64,
}

impl StudentTail {
    pub fn new(nu: f64) -> StudentTail {
        let front = ln_gamma(nu / 2.0 + 0.5) - ln_gamma(nu / 2.0) - ln_gamma(0.5);
        StudentTail { nu, front }
    }

    /// P(T > x).
    pub fn above(&self, x: f64) -> f64 {
        let beyond = self.beyond(x.abs());
        if x > 0.0 { beyond } else { 1.0 - beyond }
    }

    /// P(T > x) for x ≥ 0: half the incomplete beta function I(ν/(ν+x²); ν/2, 1/2), by its continued fraction
    /// (Lentz; DLMF 8.17.22), on the side where it converges fast.
    fn beyond(&self, x: f64) -> f64 {
        let z = self.nu / (self.nu + x * x);
        if z >= 1.0 {
            return 0.5;
        }
        if z <= 0.0 {
            return 0.0;
        }
        let (mut a, mut b, mut at) = (self.nu / 2.0, 0.5, z);
        let front = (self.front + a * z.ln() + b * (-z).ln_1p()).exp();
        let swap = z >= (a + 1.0) / (a + b + 2.0);
        if swap {
            (a, b, at) = (b, a, 1.0 - z);
        }
        let mut c = 1.0;
        let mut d = 1.0 / (1.0 - (a + b) * at / (a + 1.0));
        let mut h = d;
        for m in 1..200 {
            let m = f64::from(m);
            let even = m * (b - m) * at / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
            d = 1.0 / (1.0 + even * d);
            c = 1.0 + even / c;
            h *= d * c;
            let odd = -(a + m) * (a + b + m) * at / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
            d = 1.0 / (1.0 + odd * d);
            c = 1.0 + odd / c;
            let change = d * c;
            h *= change;
            if (change - 1.0).abs() < 1e-13 {
                break;
            }
        }
        let half = 0.5 * front * h / a;
        if swap { 0.5 - half } else { half }
    }
}

/// log P(k of n) of a beta-binomial with mean `p` and intra-interval correlation `delta`, without the binomial
/// coefficient (it cancels in every ratio here).
pub(crate) fn log_beta_binomial(k: f64, n: f64, p: f64, delta: f64) -> f64 {
    if delta == 0.0 {
        return k * p.ln() + (n - k) * (-p).ln_1p();
    }
    let s = 1.0 / delta - 1.0;
    let a = p * s;
    log_rising(a, k) + log_rising(s - a, n - k) - log_rising(s, n)
}

/// ln Γ(x + k) − ln Γ(x) for a whole number k.
pub(crate) fn log_rising(x: f64, k: f64) -> f64 {
    // A short product is faster than two logarithms of gamma functions, and exact.
    if k <= 12.0 {
        let mut product = 1.0;
        let mut i = 0.0;
        while i < k {
            product *= x + i;
            i += 1.0;
        }
        return f64::ln(product);
    }
    ln_gamma(x + k) - ln_gamma(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64) {
        assert!((found - known).abs() <= 1e-12 + 1e-9 * known.abs(), "{found} for {known}");
    }

    #[test]
    fn student_tails_have_their_closed_forms() {
        for x in [-30.0, -3.0, -0.4, 0.0, 0.1, 1.0, 2.5, 40.0f64] {
            // ν = 1: Cauchy; ν = 2 and 4: algebraic.
            near(StudentTail::new(1.0).above(x), 0.5 - x.atan() / std::f64::consts::PI);
            near(StudentTail::new(2.0).above(x), 0.5 - x / (2.0 * (2.0 + x * x).sqrt()));
            let u = x / (4.0 + x * x).sqrt();
            near(StudentTail::new(4.0).above(x), 0.5 - 0.75 * (u - u * u * u / 3.0));
        }
        // Quantiles from the usual table (10 degrees of freedom, 5 % and 0.05 %).
        assert!((StudentTail::new(10.0).above(1.812_461_123) - 0.05).abs() < 1e-9);
        assert!((StudentTail::new(10.0).above(4.586_893_859) - 0.000_5).abs() < 1e-10);
    }

    #[test]
    fn normal_tails_and_quantiles() {
        assert!((normal_tail(1.959_963_984_540_054) - 0.025).abs() < 1e-10);
        for p in [1e-9, 1e-4, 0.05, 0.5, 0.975] {
            near(normal_tail(normal_quantile_above(p)) / p, 1.0);
        }
        // α = 5 %, 60 looks: 1.96 − 0.5826/√60 standard errors.
        near(crossing_level(0.05, 60), normal_tail(1.959_963_984_540_054 - 0.5826 / 60f64.sqrt()));
    }

    #[test]
    fn beta_binomial_sums_to_one_and_knows_its_limit() {
        for delta in [0.0, 0.003, 0.12, 0.85] {
            let mut choose = 1.0f64;
            let mut sum = 0.0;
            for k in 0..=30 {
                sum += choose * log_beta_binomial(f64::from(k), 30.0, 0.3, delta).exp();
                choose *= f64::from(30 - k) / f64::from(k + 1);
            }
            near(sum, 1.0);
        }
        let clumped = log_beta_binomial(3.0, 20.0, 0.3, 1e-9);
        assert!((clumped - log_beta_binomial(3.0, 20.0, 0.3, 0.0)).abs() < 1e-6);
    }
}

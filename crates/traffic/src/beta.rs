//! The beta and binomial distributions, accurate in the far tail.
//!
//! An error spike is judged at chances of 1e-6 divided by the number of live series, so a tail must be right where it is tiny:
//! its leading factor comes from the saddle-point form of C. Loader, "Fast and Accurate Computation of Binomial Probabilities"
//! (2000), the rest from the continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method.

use std::f64::consts::PI;

/// The chance of at least `k` bad among `n` when each is bad with chance `p`: P(X >= k), X binomial.
///
/// It equals the regularised incomplete beta I_p(k, n - k + 1) (DLMF 8.17.5). `k = 0` gives 1, `k > n` gives 0; `p` is clamped to
/// 0..=1; a NaN `p` gives NaN. Chances below 1e-308 become 0.
///
/// ```
/// # use floodmark_traffic::beta::binomial_tail;
/// assert!((binomial_tail(2, 3, 0.5) - 0.5).abs() < 1e-12);
/// ```
#[must_use]
pub fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    if p.is_nan() {
        return f64::NAN;
    }
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    beta_cdf(p.clamp(0.0, 1.0), real(k), real(n - k) + 1.0)
}

/// The value below which a share `q` of the beta distribution with parameters `a` and `b` lies.
///
/// Found by bisection to the last bit or so; `q` is clamped to 0..=1. NaN where `a` or `b` is not positive and finite, or `q` is NaN.
#[must_use]
pub fn beta_quantile(q: f64, a: f64, b: f64) -> f64 {
    if q.is_nan() || !positive(a) || !positive(b) {
        return f64::NAN;
    }
    if q <= 0.0 {
        return 0.0;
    }
    if q >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    // Halving an interval in 0..1 reaches neighbouring doubles after about 1,100 steps at worst, some 60 where the answer is above 0.001.
    for _ in 0..1_100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high || high - low <= f64::EPSILON * high {
            break;
        }
        if beta_cdf(middle, a, b) < q {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function I_x(a, b): the share of the beta distribution below `x`.
///
/// NaN where `a` or `b` is not positive and finite, or `x` is NaN.
#[must_use]
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() || !positive(a) || !positive(b) {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let factor = leading_factor(x, a, b);
    if x < (a + 1.0) / (a + b + 2.0) {
        (factor * continued_fraction(x, a, b) / a).clamp(0.0, 1.0)
    } else {
        (1.0 - factor * continued_fraction(1.0 - x, b, a) / b).clamp(0.0, 1.0)
    }
}

fn positive(parameter: f64) -> bool {
    parameter > 0.0 && parameter.is_finite()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 do not occur, and would lose only their last bits"
)]
fn real(count: u64) -> f64 {
    count as f64
}

// x^a (1-x)^b / B(a, b), in Loader's form: no large logarithms are subtracted, so the relative error stays near 1e-14.
fn leading_factor(x: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    let exponent = stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, n * x)
        - deviance(b, n * (1.0 - x));
    exponent.exp() * (n / (2.0 * PI * a * b)).sqrt() * a * b / n
}

// ln(Γ(n+1)) minus Stirling's approximation of it.
fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 {
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * (2.0 * PI).ln();
    }
    let square = n * n;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square)
            / square)
        / n
}

// x ln(x/m) + m - x, without cancellation where x is near m.
fn deviance(x: f64, mean: f64) -> f64 {
    if (x - mean).abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() + mean - x;
    }
    let ratio = (x - mean) / (x + mean);
    let mut sum = (x - mean) * ratio;
    let mut term = 2.0 * x * ratio;
    let mut odd = 3.0;
    loop {
        term *= ratio * ratio;
        let next = sum + term / odd;
        if next == sum {
            return sum;
        }
        sum = next;
        odd += 2.0;
    }
}

// Lanczos' approximation with g = 7 and nine terms, for x >= 0.5; relative error near 1e-15.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut divisor = x;
    let mut sum = 0.999_999_999_999_809_9;
    for term in TERMS {
        divisor += 1.0;
        sum += term / divisor;
    }
    let base = x + 7.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    // It takes about the square root of the larger parameter: enough for 1e9 requests in a window.
    const STEPS_MAX: u32 = 100_000;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..=STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "found {found:e}, expected {expected:e}"
        );
    }

    // Reference values: 40 digits with mpmath, `betainc(k, n-k+1, 0, p, regularized=True)` and its inverse by bisection.
    #[test]
    fn tails_match_reference_values() {
        let cases = [
            (1, 1, 0.005, 0.005),
            (5, 20, 0.005, 4.551101924156316e-08),
            (5, 20, 0.01, 1.367798632893411e-06),
            (12, 40, 0.02, 1.3592049011938822e-11),
            (30, 1000, 0.005, 2.0741689832174516e-14),
            (100, 2000, 0.005, 6.97857954669778e-64),
            (300, 60000, 0.004, 0.00010169734477389376),
            (250, 60000, 0.004, 0.267263928184147),
            (1000, 1000000, 0.0005, 2.9104789329060973e-86),
            (500, 1000000, 0.0005, 0.5059516070382022),
            (3, 100000, 1e-05, 0.08030047736436063),
            (900, 1000, 0.5, 6.701717790006296e-162),
        ];
        for (k, n, p, expected) in cases {
            close(binomial_tail(k, n, p), expected, 1e-11);
        }
    }

    #[test]
    fn quantiles_match_reference_values() {
        let cases = [
            (0.95, 0.5, 99.5, 0.01916624379430216),
            (0.95, 1.0, 1.0, 0.95),
            (0.5, 2.0, 3.0, 0.3857275681323895),
            (0.95, 12.5, 2087.5, 0.008953494166175455),
            (0.95, 100.5, 100000.0, 0.001174108387503721),
            (0.05, 0.5, 0.5, 0.006155829702431137),
            (0.95, 0.5, 200.5, 0.009545787369896376),
        ];
        for (q, a, b, expected) in cases {
            close(beta_quantile(q, a, b), expected, 1e-11);
        }
    }

    #[test]
    fn edges_are_exact() {
        assert_eq!(binomial_tail(0, 10, 0.1), 1.0);
        assert_eq!(binomial_tail(11, 10, 0.1), 0.0);
        assert_eq!(binomial_tail(3, 10, 0.0), 0.0);
        assert_eq!(binomial_tail(3, 10, 1.0), 1.0);
        assert!(binomial_tail(3, 10, f64::NAN).is_nan());
        assert!(beta_quantile(0.5, 0.0, 1.0).is_nan());
        assert_eq!(beta_quantile(0.0, 2.0, 3.0), 0.0);
        assert_eq!(beta_quantile(1.0, 2.0, 3.0), 1.0);
    }

    fn summed_tail(k: u64, n: u64, p: f64) -> f64 {
        let mut mass = (1.0 - p).powi(i32::try_from(n).unwrap());
        let mut sum = 0.0;
        for i in 0..=n {
            if i >= k {
                sum += mass;
            }
            mass *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        }
        sum
    }

    proptest! {
        #[test]
        fn tail_equals_the_sum_of_its_terms(n in 1u64..80, k in 0u64..80, p in 0.01f64..0.9) {
            let k = k.min(n);
            let (found, expected) = (binomial_tail(k, n, p), summed_tail(k, n, p));
            prop_assert!((found - expected).abs() <= 1e-11 * expected, "{} {}", found, expected);
        }

        #[test]
        fn quantile_undoes_the_cdf(q in 0.001f64..0.999, a in 0.3f64..5_000.0, b in 0.3f64..500_000.0) {
            let x = beta_quantile(q, a, b);
            prop_assert!((beta_cdf(x, a, b) - q).abs() < 1e-9, "{} {}", x, beta_cdf(x, a, b));
        }

        #[test]
        fn tail_falls_with_k_and_rises_with_p(n in 1u64..5_000, k in 1u64..100, p in 0.0001f64..0.5) {
            prop_assert!(binomial_tail(k + 1, n, p) <= binomial_tail(k, n, p) * (1.0 + 1e-12));
            prop_assert!(binomial_tail(k, n, p) <= binomial_tail(k, n, p * 1.1) * (1.0 + 1e-12));
        }
    }
}

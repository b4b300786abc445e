//! How credible a silence is, given earlier weeks.
//!
//! Requests come in sessions, so their counts scatter more than a Poisson count. The expectation is therefore divided by the
//! index of dispersion (variance by mean; Cox and Lewis, "The Statistical Analysis of Series of Events", 1966): what remains is
//! about the number of independent arrivals.
//!
//! A rate learned from w earlier weeks is not known for sure. With A arrivals in those weeks and no other knowledge, the chance of
//! none in the next one is (w / (w + 1))^A, the gamma-Poisson predictive (Gelman et al., "Bayesian Data Analysis", 2.6), which is
//! e^-λ with λ = A ln(1 + 1/w): 0.69 of the mean for one week, 0.89 for four.

use std::collections::HashMap;

use crate::minute::Minute;

/// Earlier weeks that are looked at.
pub const WEEKS: usize = 4;
const HOUR: usize = 60;
const DAY: usize = 24 * HOUR;
const WEEK: usize = 7 * DAY;
/// Share of a stretch's minutes that an earlier week must know to speak for it.
const KNOWN_SHARE: f64 = 0.5;
/// Pairs of windows from which a dispersion is taken: half a day of hours.
const PAIRS_MIN: usize = 12;

/// The chance that nobody asks when `expected` independent arrivals are expected: e^-λ, the Poisson chance of none.
///
/// Negative or NaN expectations count as 0: silence is then certain.
#[must_use]
pub fn silence_probability(expected: f64) -> f64 {
    (-expected.max(0.0)).exp()
}

/// What earlier weeks say of a stretch without requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Silence {
    /// Independent arrivals expected.
    pub(crate) expected: f64,
    /// It rests on at least one earlier week.
    pub(crate) full_week_known: bool,
}

/// The minutes judged so far, as a memory of how busy the site usually is.
pub(crate) struct History<'minutes> {
    minutes: &'minutes [Minute],
    // Sums over usable minutes before each index.
    visits: Vec<u64>,
    usable: Vec<usize>,
    dispersions: HashMap<(usize, usize), Option<f64>>,
}

impl<'minutes> History<'minutes> {
    pub(crate) fn new(minutes: &'minutes [Minute]) -> Self {
        let (mut visits, mut usable) = (Vec::new(), Vec::new());
        visits.reserve_exact(minutes.len() + 1);
        usable.reserve_exact(minutes.len() + 1);
        visits.push(0);
        usable.push(0);
        Self {
            minutes,
            visits,
            usable,
            dispersions: HashMap::new(),
        }
    }

    /// Takes in the next minute; `usable` when it was neither an incident nor unknown.
    pub(crate) fn push(&mut self, usable: bool) {
        let at = self.visits.len() - 1;
        let (visits, minutes) = (self.visits[at], self.usable[at]);
        self.visits
            .push(visits + if usable { self.minutes[at].visits() } else { 0 });
        self.usable.push(minutes + usize::from(usable));
    }

    /// What a silence from index `from` to before `until` is worth; `None` while too little is known.
    ///
    /// Silence over a stretch is at most as likely as silence over any part of it, so the part with the strongest expectation
    /// speaks, among windows of an hour, two, four … up to a day, and the stretch itself up to that. A window's length sets which
    /// dispersion divides it.
    pub(crate) fn silence(&mut self, from: usize, until: usize) -> Option<Silence> {
        let length = until - from;
        if length < HOUR {
            return self.window(from, until, HOUR);
        }
        let whole = length.min(DAY);
        let mut best = self.window(until - whole, until, whole);
        let mut window = HOUR;
        while window <= length.min(DAY) {
            for start in (from..=until - window).step_by(window / 2) {
                let found = self.window(start, start + window, window);
                best = [best, found].into_iter().flatten().max_by(|one, other| {
                    (one.full_week_known, one.expected)
                        .partial_cmp(&(other.full_week_known, other.expected))
                        .unwrap_or(std::cmp::Ordering::Equal)
                });
            }
            window *= 2;
        }
        best
    }

    fn window(&mut self, from: usize, until: usize, dispersion_length: usize) -> Option<Silence> {
        let (expected, full_week_known) = self.expected(from, until)?;
        let dispersion = self.dispersion(dispersion_length, from / DAY)?;
        Some(Silence {
            expected: expected / dispersion,
            full_week_known,
        })
    }

    // The expectation from up to four earlier weeks; in the first week the quietest of the earlier days, as weekends are not known yet.
    fn expected(&self, from: usize, until: usize) -> Option<(f64, bool)> {
        let weeks: Vec<f64> = (1..=WEEKS)
            .filter_map(|week| self.count(from, until, week * WEEK))
            .collect();
        if !weeks.is_empty() {
            let known = real(weeks.len());
            return Some((weeks.iter().sum::<f64>() * (1.0 / known).ln_1p(), true));
        }
        let days = (1..7).filter_map(|day| self.count(from, until, day * DAY));
        days.min_by(f64::total_cmp)
            .map(|count| (count * 1f64.ln_1p(), false))
    }

    // Visits in the same stretch `lag` minutes earlier, scaled up where part of it is not usable.
    fn count(&self, from: usize, until: usize, lag: usize) -> Option<f64> {
        let (from, until) = (from.checked_sub(lag)?, until - lag.min(until));
        let known = self.visits.len() - 1;
        if until > known {
            return None;
        }
        let usable = self.usable[until] - self.usable[from];
        let length = until - from;
        if real(usable) < KNOWN_SHARE * real(length) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "requests are far below 2^53")]
        let visits = (self.visits[until] - self.visits[from]) as f64;
        Some(visits * real(length) / real(usable))
    }

    /// Variance by mean of the visits in windows of `length` minutes before the given day, at least 1.
    ///
    /// The variance is half the mean squared difference of windows a week apart (of a day apart while weeks are short), so that the
    /// rhythm of day and week is not mistaken for scatter.
    fn dispersion(&mut self, length: usize, day: usize) -> Option<f64> {
        if let Some(&known) = self.dispersions.get(&(length, day)) {
            return known;
        }
        let end = (day * DAY).min(self.visits.len() - 1);
        let found = [WEEK, DAY]
            .into_iter()
            .find_map(|lag| self.dispersion_at_lag(length, end, lag));
        self.dispersions.insert((length, day), found);
        found
    }

    fn dispersion_at_lag(&self, length: usize, end: usize, lag: usize) -> Option<f64> {
        let mut pairs: Vec<(f64, f64)> = Vec::new();
        let oldest = end.saturating_sub(WEEKS * WEEK);
        let mut until = end;
        while until >= oldest + length && until - length >= lag {
            let here = self.count(until - length, until, 0);
            let earlier = self.count(until - length, until, lag);
            pairs.extend(here.zip(earlier));
            until -= length;
        }
        if pairs.len() < PAIRS_MIN {
            return None;
        }
        // Quiet hours may scatter more than busy ones: the more scattered half speaks for all.
        pairs.sort_by(|one, other| (one.0 + one.1).total_cmp(&(other.0 + other.1)));
        let (quiet, busy) = pairs.split_at(pairs.len() / 2);
        Some(scatter(quiet).max(scatter(busy)).max(1.0))
    }
}

// Half the mean squared difference by the mean; 0 where nothing was counted.
fn scatter(pairs: &[(f64, f64)]) -> f64 {
    let squares: f64 = pairs.iter().map(|(one, other)| (one - other).powi(2)).sum();
    let sum: f64 = pairs.iter().map(|(one, other)| one + other).sum();
    if sum > 0.0 { squares / sum } else { 0.0 }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "minutes of some weeks are far below 2^53"
)]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_poisson_chance_of_none() {
        assert_eq!(silence_probability(0.0), 1.0);
        assert_eq!(silence_probability(-1.0), 1.0);
        assert_eq!(silence_probability(f64::NAN), 1.0);
        assert!((silence_probability(3.0) - 0.049_787_068).abs() < 1e-9);
    }
}

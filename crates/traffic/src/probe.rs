//! Uptime probes: their rhythm, and when they were missed.

/// Fewest gaps from which a rhythm is learned.
pub const LEARN_GAPS_MIN: usize = 20;

/// Largest coefficient of variation (standard deviation by mean) of a learned probe's gaps.
pub const LEARN_VARIATION_MAX: f64 = 0.1;

/// A probe silent for this long while others are served has been removed.
pub const REMOVED_AFTER_S: i64 = 24 * 3_600;

const DAY_S: i64 = 24 * 3_600;

/// How often a probe asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Median time between two probes, in seconds.
    pub period_s: f64,
    /// How much later than its period a probe may come, in seconds: a quarter of the period, or what 95 % of its gaps keep.
    pub jitter_s: f64,
}

/// One probe: its rhythm, and when it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// How often it asks.
    pub rhythm: Rhythm,
    /// When it was seen, in seconds since the epoch, ascending. The first and the last second of each minute are enough.
    pub seen_s: Vec<i64>,
}

impl Probe {
    /// A probe known by its agent, with the rhythm of its median gap; `None` with fewer than three sightings.
    ///
    /// `seen_s` needs no order; sightings in the same second count once.
    #[must_use]
    pub fn known(mut seen_s: Vec<i64>) -> Option<Self> {
        seen_s.sort_unstable();
        seen_s.dedup();
        let rhythm = rhythm(&seen_s)?;
        Some(Self { rhythm, seen_s })
    }

    /// A client and agent that asks so regularly that it is a probe, by [`learn`]; else `None`.
    #[must_use]
    pub fn learned(mut seen_s: Vec<i64>) -> Option<Self> {
        seen_s.sort_unstable();
        seen_s.dedup();
        let rhythm = learn(&seen_s)?;
        Some(Self { rhythm, seen_s })
    }

    /// Whether a silence of `gap_s` seconds misses two periods.
    #[must_use]
    pub fn misses(&self, gap_s: i64) -> bool {
        seconds(gap_s) > 2.0 * self.rhythm.period_s + self.rhythm.jitter_s
    }
}

/// The rhythm of a client and agent that asks like a clock; `None` when it does not.
///
/// `seen_s` are seconds since the epoch, ascending, without repeats. Within some 24 hours there must be at least
/// [`LEARN_GAPS_MIN`] gaps with a coefficient of variation below [`LEARN_VARIATION_MAX`]: an outage spoils the day it falls
/// into, not the days beside it.
#[must_use]
pub fn learn(seen_s: &[i64]) -> Option<Rhythm> {
    let mut day = seen_s;
    while let Some(&first) = day.first() {
        let length = day.partition_point(|&second| second <= first + DAY_S);
        if regular(&day[..length]) {
            return rhythm(seen_s);
        }
        day = &day[length..];
    }
    None
}

fn regular(seen_s: &[i64]) -> bool {
    let gaps = gaps(seen_s);
    if gaps.len() < LEARN_GAPS_MIN {
        return false;
    }
    let count = seconds(i64::try_from(gaps.len()).unwrap_or(i64::MAX));
    let mean = gaps.iter().sum::<f64>() / count;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (count - 1.0);
    variance.sqrt() < LEARN_VARIATION_MAX * mean
}

fn rhythm(seen_s: &[i64]) -> Option<Rhythm> {
    let mut gaps = gaps(seen_s);
    if gaps.len() < 2 {
        return None;
    }
    gaps.sort_unstable_by(f64::total_cmp);
    let period_s = gaps[gaps.len() / 2];
    let usual_s = gaps[(gaps.len() - 1) * 95 / 100];
    Some(Rhythm {
        period_s,
        jitter_s: (0.25 * period_s).max(usual_s - period_s).max(2.0),
    })
}

fn gaps(seen_s: &[i64]) -> Vec<f64> {
    seen_s
        .windows(2)
        .map(|pair| seconds(pair[1] - pair[0]))
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since the epoch fit 53 bits for longer than logs are kept"
)]
fn seconds(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every(period_s: i64, count: i64) -> Vec<i64> {
        (0..count)
            .map(|index| 1_000_000 + index * period_s + index % 3)
            .collect()
    }

    #[test]
    fn a_clock_is_learned_and_a_person_is_not() {
        let rhythm = learn(&every(60, 30)).unwrap();
        assert!((rhythm.period_s - 61.0).abs() < 2.0);
        assert_eq!(learn(&every(60, 20)), None);
        let person: Vec<i64> = (0..60)
            .scan(0, |at, index| {
                *at += 5 + index * index % 97;
                Some(*at)
            })
            .collect();
        assert_eq!(learn(&person), None);
    }

    #[test]
    fn an_outage_on_the_first_day_does_not_hide_a_probe() {
        let mut seen = every(60, 3_000);
        seen.drain(100..160);
        assert!(Probe::learned(seen).is_some());
    }

    #[test]
    fn one_late_probe_is_not_missed() {
        let probe = Probe::known(every(60, 30)).unwrap();
        assert!(!probe.misses(119));
        assert!(probe.misses(180));
    }

    #[test]
    fn too_few_sightings_have_no_rhythm() {
        assert_eq!(Probe::known(vec![]), None);
        assert_eq!(Probe::known(vec![5, 5, 65]), None);
    }

    proptest! {
        #[test]
        fn any_times_are_taken(seen in proptest::collection::vec(0i64..4_000_000_000, 0..80)) {
            let _ = Probe::known(seen.clone());
            let _ = Probe::learned(seen);
        }
    }
}

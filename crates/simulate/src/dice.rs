//! Chance, cut into streams: each actor on each day throws dice of its own, so that one actor's traffic does not move when
//! another's changes.

use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Poisson, StandardNormal};

/// Whose dice they are; the number is part of the stream, so it stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    Story = 1,
    Person = 2,
    People = 3,
    Monitor = 4,
    Crawler = 5,
    Library = 6,
    Package = 7,
    Fake = 8,
    Scraper = 9,
    Scanner = 10,
    Flood = 11,
    Log = 12,
    Sites = 13,
    Shared = 14,
    SlowScanner = 15,
}

/// A ChaCha8 stream: a seed and a stream are the same numbers on every machine.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of `actor` for `day` (or another 16-bit index); `lane` tells apart members of one actor and repeated runs.
    pub(crate) fn new(seed: u64, actor: Actor, day: u16, lane: u32) -> Dice {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(((actor as u64) << 48) | (u64::from(day) << 32) | u64::from(lane));
        Dice(stream)
    }

    pub(crate) fn range<T: SampleUniform>(&mut self, range: impl SampleRange<T>) -> T {
        self.0.random_range(range)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_range(0.0..1.0) < probability
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.random_range(0..=u64::MAX)
    }

    pub(crate) fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.0.random_range(0..list.len())]
    }

    /// One of `list`, each with its weight.
    pub(crate) fn weighed<'list, T>(&mut self, list: &'list [(T, u32)]) -> &'list T {
        let total: u32 = list.iter().map(|(_, weight)| weight).sum();
        let mut left = self.0.random_range(0..total);
        for (value, weight) in list {
            if left < *weight {
                return value;
            }
            left -= weight;
        }
        unreachable!("the weights add up to the total")
    }

    /// An index below `len`, the first ones far more often: the way pages are popular.
    pub(crate) fn popular(&mut self, len: usize) -> usize {
        let share: f64 = self.0.random_range(0.0..1.0);
        let scaled = share * share * share * count_f64(len);
        whole(scaled).min(len - 1)
    }

    /// Microseconds to wait when the mean is `mean_s` and nothing is remembered (exponential).
    pub(crate) fn gap_us(&mut self, mean_s: f64) -> i64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        micros(unit * mean_s)
    }

    /// A positive value around `median`, skewed to the right as times and sizes are (log-normal).
    pub(crate) fn around(&mut self, median: f64, sigma: f64) -> f64 {
        let unit: f64 = StandardNormal.sample(&mut self.0);
        median * (unit * sigma).exp()
    }

    /// A value off `mean` by about `deviation` either way (normal).
    pub(crate) fn near(&mut self, mean: f64, deviation: f64) -> f64 {
        let unit: f64 = StandardNormal.sample(&mut self.0);
        mean + unit * deviation
    }

    /// How many of something happen when `mean` are expected.
    pub(crate) fn count(&mut self, mean: f64) -> usize {
        match Poisson::new(mean) {
            Ok(poisson) => whole(poisson.sample(&mut self.0)),
            // A mean of nought is not a Poisson distribution, but it is an answer.
            Err(_) => 0,
        }
    }
}

/// Seconds as whole microseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "times here are far below 292,000 years"
)]
pub(crate) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

/// A non-negative number without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "negative values become 0 and counts here are small"
)]
pub(crate) fn whole(value: f64) -> usize {
    value.max(0.0) as usize
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn count_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |actor, day, lane| Dice::new(1, actor, day, lane).bits();
        assert_eq!(draw(Actor::People, 3, 0), draw(Actor::People, 3, 0));
        assert_ne!(draw(Actor::People, 3, 0), draw(Actor::People, 4, 0));
        assert_ne!(draw(Actor::People, 3, 0), draw(Actor::People, 3, 1));
        assert_ne!(draw(Actor::People, 3, 0), draw(Actor::Crawler, 3, 0));
    }

    #[test]
    fn weights_decide_how_often() {
        let mut dice = Dice::new(1, Actor::Story, 0, 0);
        let heavy = (0..10_000)
            .filter(|_| *dice.weighed(&[(true, 9), (false, 1)]))
            .count();
        assert!((8_800..9_200).contains(&heavy), "{heavy}");
    }
}

//! How long requests took, in little room: a histogram whose buckets grow with the value.
//!
//! Values are whole microseconds. Up to 127 each has a bucket of its own; from there on each power of two is cut into 64 buckets of
//! equal width, as in HdrHistogram (Tene) and the fast mapping of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable
//! quantile sketch with relative-error guarantees", 2019, section 2.2). The middle of a bucket is at most 1/128 of the value away, so a
//! quantile has a relative error of at most [`RELATIVE_ERROR`]. Bucket numbers are made of integers alone, so that they are the same on
//! every machine; counts add up, in any order.

use crate::Error;

/// The largest relative error of a quantile: 1/128.
pub const RELATIVE_ERROR: f64 = 0.0079;

/// Longer times count as this one: 2^40 − 1 µs, over 12 days.
const VALUE_MAX: u64 = (1 << 40) - 1;

/// Bits of a value that are kept after its first one.
const MANTISSA_BITS: u32 = 6;
/// Buckets of a power of two.
const MANTISSAS: u64 = 1 << MANTISSA_BITS;
/// Values below it have a bucket each.
const EXACT: u64 = 2 * MANTISSAS;

/// How histograms are written; other versions are refused. Then, for each bucket that counted something, ascending: how many lie
/// between it and the one before, and its count; both in 7 bits a byte, the lowest first, the eighth set where more follow.
const VERSION: u8 = 1;

/// Counts of values by bucket, which can be added to others.
///
/// ```
/// use floodmark_traffic::histogram::Histogram;
///
/// let mut times = Histogram::default();
/// for us in [1_000, 2_000, 250_000] {
///     times.insert(us);
/// }
/// assert_eq!(times.count(), 3);
/// let median = times.quantile(0.5).expect("not empty");
/// assert!((median / 2_000.0 - 1.0).abs() < 0.0079);
/// # Ok::<(), floodmark_traffic::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Those with a count, ascending.
    buckets: Vec<u16>,
    counts: Vec<u64>,
}

impl Histogram {
    /// Counts a value, in microseconds.
    pub fn insert(&mut self, value_us: u64) {
        self.add(bucket(value_us), 1);
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.buckets.iter().zip(&other.counts) {
            self.add(*bucket, *count);
        }
    }

    fn add(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search(&bucket) {
            Ok(at) => self.counts[at] = self.counts[at].saturating_add(count),
            Err(at) => {
                self.buckets.insert(at, bucket);
                self.counts.insert(at, count);
            }
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.counts.iter();
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value, in microseconds, that a share of `share` (0 to 1) of all values does not exceed, within [`RELATIVE_ERROR`]: the
    /// smallest for 0, the largest for 1. `None` of an empty histogram, and where `share` is no share.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank is between 0 and the count, and counts are far below 2^53"
    )]
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        let rank = ((share * self.count() as f64).ceil() as u64).max(1);
        let mut so_far = 0_u64;
        for (bucket, count) in self.buckets.iter().zip(&self.counts) {
            so_far = so_far.saturating_add(*count);
            if so_far >= rank {
                return Some(middle_us(*bucket));
            }
        }
        self.buckets.last().map(|bucket| middle_us(*bucket))
    }

    /// The histogram as bytes, equal for equal histograms.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut next = 0;
        for (bucket, count) in self.buckets.iter().zip(&self.counts) {
            push_number(&mut bytes, u64::from(bucket - next));
            push_number(&mut bytes, *count);
            next = bucket + 1;
        }
        bytes
    }

    /// Reads what [`Histogram::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no such histogram.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let not_one = |found| Error::NotASketch {
            kind: "histogram",
            found,
        };
        match bytes {
            [VERSION, rest @ ..] => decoded(rest).map_err(not_one),
            [_, ..] => Err(not_one("another version")),
            [] => Err(not_one("nothing")),
        }
    }
}

fn decoded(mut bytes: &[u8]) -> Result<Histogram, &'static str> {
    let mut histogram = Histogram::default();
    let last = bucket(VALUE_MAX);
    let mut next = 0_u16;
    while !bytes.is_empty() {
        let gap = take_number(&mut bytes)?;
        let count = take_number(&mut bytes)?;
        let gap = u16::try_from(gap).ok();
        let bucket = gap.and_then(|gap| next.checked_add(gap));
        let bucket = bucket.filter(|bucket| *bucket <= last);
        if count == 0 {
            return Err("a bucket without a count");
        }
        let bucket = bucket.ok_or("a bucket that no value gives")?;
        histogram.buckets.push(bucket);
        histogram.counts.push(count);
        next = bucket + 1;
    }
    Ok(histogram)
}

fn bucket(value: u64) -> u16 {
    let value = value.min(VALUE_MAX);
    let bucket = match value.checked_ilog2() {
        Some(exponent) if value >= EXACT => {
            let shift = exponent - MANTISSA_BITS;
            EXACT + u64::from(shift - 1) * MANTISSAS + ((value >> shift) - MANTISSAS)
        }
        _ => value,
    };
    u16::try_from(bucket).expect("40 powers of two have fewer buckets")
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^41")]
fn middle_us(bucket: u16) -> f64 {
    let bucket = u64::from(bucket);
    if bucket < EXACT {
        return bucket as f64;
    }
    let (shift, mantissa) = ((bucket - EXACT) / MANTISSAS + 1, bucket % MANTISSAS);
    let first = (MANTISSAS + mantissa) << shift;
    let width = 1_u64 << shift;
    first as f64 + (width - 1) as f64 / 2.0
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("7 bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            return Err("part of a number");
        };
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if low << shift >> shift != low {
            return Err("a number that is too large");
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number that is too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.insert(*value));
        histogram
    }

    #[test]
    fn buckets_follow_one_another() {
        let mut last = 0;
        for value in 0..100_000 {
            let bucket = bucket(value);
            assert!(bucket == last || bucket == last + 1, "{value}");
            last = bucket;
        }
        assert_eq!(bucket(u64::MAX), bucket(VALUE_MAX));
    }

    #[test]
    fn an_empty_one_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(of(&[1]).quantile(1.5), None);
        assert_eq!(of(&[1]).quantile(f64::NAN), None);
    }

    #[track_caller]
    fn refuses(bytes: &[u8], found: &'static str) {
        let kind = "histogram";
        assert_eq!(
            Histogram::decode(bytes),
            Err(Error::NotASketch { kind, found })
        );
    }

    #[test]
    fn other_bytes_are_refused_by_what_is_wrong_with_them() {
        refuses(&[], "nothing");
        refuses(&[7], "another version");
        refuses(&[1, 5], "part of a number");
        refuses(&[1, 5, 0], "a bucket without a count");
        refuses(&[1, 0xff, 0xff, 3, 1], "a bucket that no value gives");
        refuses(&[1, 0xff, 0xff, 0x7f, 1], "a bucket that no value gives");
        refuses(
            &[&[1, 0][..], &[0xff; 10]].concat(),
            "a number that is too large",
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_values_within_the_error(
            mut values in prop::collection::vec(prop_oneof![0_u64..3_000, 0_u64..VALUE_MAX], 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let quantile = of(&values).quantile(share).unwrap();
            values.sort_unstable();
            let is_within = |rank: &usize| *rank as f64 >= share * values.len() as f64;
            let rank = (1..=values.len()).find(is_within).unwrap();
            let exact = values[rank - 1] as f64;
            prop_assert!((quantile - exact).abs() <= RELATIVE_ERROR * exact, "{} {}", quantile, exact);
        }

        #[test]
        fn order_and_splits_do_not_show(
            values in prop::collection::vec(0_u64..10_000_000, 0..300),
            cut in 0_usize..300,
        ) {
            let whole = of(&values);
            let (front, back) = values.split_at(cut.min(values.len()));
            let mut merged = of(back);
            merged.merge(&of(front));
            prop_assert_eq!(merged.encode(), whole.encode());
            prop_assert_eq!(Histogram::decode(&whole.encode()).unwrap(), whole);
        }

        #[test]
        fn any_bytes_are_a_histogram_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(histogram) = Histogram::decode(&bytes) {
                prop_assert_eq!(Histogram::decode(&histogram.encode()).unwrap(), histogram);
            }
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let _ = Histogram::decode(&bytes);
        }
    }
}

//! Numbers rounded for quantiles: few enough to be counted, close enough to be told.

/// A bucket of numbers, in the order of numbers. All numbers of a bucket differ from its [number](Self::number) by at most 0.8 % (1/128).
///
/// It is the sign, the exponent and the first six bits of the mantissa of an IEEE 754 double, so that it is the same on every machine.
///
/// ```
/// use floodmark_traffic::quantile::Bucket;
///
/// let bucket = Bucket::of(0.1234);
/// assert!((bucket.number() / 0.1234 - 1.0).abs() <= 1.0 / 128.0);
/// assert!(Bucket::of(-3.0) < Bucket::of(0.0) && Bucket::of(0.0) < bucket);
/// // Whole numbers below 128 have buckets of their own.
/// assert_eq!(Bucket::of(127.0).number().floor(), 127.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u32);

/// Bits of a double that a bucket leaves out.
const LEFT_OUT: u32 = 46;
const SIGN: u64 = 1 << 63;

impl Bucket {
    /// The bucket of a number. One that is not a number lies above all, or below all if its sign says so.
    #[must_use]
    pub fn of(value: f64) -> Self {
        // -0 is 0.
        let bits = (value + 0.0).to_bits();
        let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self(u32::try_from(ordered >> LEFT_OUT).unwrap_or(u32::MAX))
    }

    /// The middle of the bucket.
    #[must_use]
    pub fn number(self) -> f64 {
        let edge = |ordered: u64| match ordered & SIGN {
            0 => f64::from_bits(!ordered),
            _ => f64::from_bits(ordered & !SIGN),
        };
        let first = u64::from(self.0) << LEFT_OUT;
        let (low, high) = (edge(first), edge(first | ((1 << LEFT_OUT) - 1)));
        match low.is_finite() && high.is_finite() {
            true => low / 2.0 + high / 2.0,
            false => low,
        }
    }

    /// As a number to be stored, in the same order.
    #[must_use]
    pub fn code(self) -> u32 {
        self.0
    }

    /// The bucket of a [code](Self::code).
    #[must_use]
    pub fn with_code(code: u32) -> Self {
        Self(code)
    }
}

/// The rank, from 1, of the value that is the quantile of so many: the smallest that at least this share of them does not exceed.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of at most 1 of a count"
)]
pub fn rank(share: f64, count: u64) -> u64 {
    ((share * count as f64).ceil() as u64).clamp(1, count.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_is_near_and_in_order(one in -1e300_f64..1e300, other in -1e300_f64..1e300) {
            let near = |value: f64| (Bucket::of(value).number() - value).abs() <= value.abs() / 128.0;
            prop_assert!(near(one) && near(other));
            let (first, second) = (Bucket::of(one), Bucket::of(other));
            prop_assert!((one <= other) <= (first <= second));
            prop_assert_eq!(Bucket::with_code(first.code()), first);
        }

        #[test]
        fn small_whole_numbers_stay(value in 0_u32..128) {
            prop_assert_eq!(Bucket::of(f64::from(value)).number().floor(), f64::from(value));
        }
    }

    #[test]
    fn zero_is_zero() {
        assert_eq!(Bucket::of(-0.0), Bucket::of(0.0));
        assert!(Bucket::of(0.0).number() < 1e-300);
    }

    #[test]
    fn ranks_are_those_of_sorted_values() {
        let ranks = [(0.0, 10), (0.5, 10), (0.95, 10), (1.0, 10), (0.95, 1)];
        assert_eq!(
            ranks.map(|(share, count)| rank(share, count)),
            [1, 5, 10, 10, 1]
        );
    }
}

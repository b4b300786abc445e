//! Numbers of a log line: counts, statuses, ports and seconds, read from the raw bytes of a value.

/// A count or a size: digits only. `None` if it is anything else or more than `i64` holds.
pub fn integer(raw: &[u8]) -> Option<i64> {
    if raw.is_empty() {
        return None;
    }
    if raw.len() <= 18 {
        // 18 digits cannot overflow.
        let mut number = 0_i64;
        for &byte in raw {
            number = number * 10 + i64::from(digit(byte)?);
        }
        return Some(number);
    }
    raw.iter().try_fold(0_i64, |number, &byte| {
        number.checked_mul(10)?.checked_add(i64::from(digit(byte)?))
    })
}

/// A status of exactly 3 digits; of a list (`$upstream_status`) the last one that is there, which is the answer.
pub fn status(raw: &[u8]) -> Option<i16> {
    if let [a, b, c] = raw {
        return Some(
            i16::from(digit(*a)?) * 100 + i16::from(digit(*b)?) * 10 + i16::from(digit(*c)?),
        );
    }
    if raw.len() < 4 {
        return None;
    }
    let last = list_items(raw).last()?;
    if last.len() == 3 { status(last) } else { None }
}

/// A port from 0 to 65535.
pub fn port(raw: &[u8]) -> Option<i32> {
    i32::try_from(integer(raw)?)
        .ok()
        .filter(|port| *port <= 65_535)
}

/// Seconds, or any plain decimal number such as `$gzip_ratio`: digits, and a fraction if there is one.
pub fn seconds(raw: &[u8]) -> Option<f64> {
    seconds_of(raw, 0)
}

/// As [`seconds`], of a number logged so many decimals too large: 3 for milliseconds.
pub(crate) fn seconds_of(raw: &[u8], decimals: usize) -> Option<f64> {
    decimal(raw).map(|number| number.value(decimals))
}

/// The sum of a list of seconds as `$upstream_response_time` logs it: `, ` between tries, ` : ` between groups,
/// `-` for a try without one. `None` if no item is a number.
pub fn seconds_list(raw: &[u8]) -> Option<f64> {
    seconds_list_of(raw, 0)
}

/// As [`seconds_list`], of numbers logged so many decimals too large.
pub(crate) fn seconds_list_of(raw: &[u8], decimals: usize) -> Option<f64> {
    if let Some(number) = decimal(raw) {
        return Some(number.value(decimals));
    }
    // Added as integers, so that 0.1 and 0.2 make 0.3.
    let mut sum: Option<Decimal> = None;
    for item in list_items(raw) {
        let item = decimal(item)?;
        sum = Some(match sum {
            None => item,
            Some(sum) => sum.plus(item)?,
        });
    }
    sum.map(|sum| sum.value(decimals))
}

/// What a list has of each upstream that was asked, without those that have no value.
pub(crate) fn list_items(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| matches!(byte, b',' | b' '))
        .filter(|item| !matches!(*item, b"" | b":" | b"-"))
}

/// `digits / 10^decimals`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u64,
    decimals: usize,
}

/// A double holds these exactly, so one division rounds once.
const POWERS_OF_TEN: [f64; 19] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];

/// Decimals that are read; a unit adds at most as many again.
const DECIMALS_MAX: usize = 9;

impl Decimal {
    fn value(self, more_decimals: usize) -> f64 {
        // Above 2^53 the nearest double is what is wanted.
        self.digits as f64 / POWERS_OF_TEN[self.decimals + more_decimals]
    }

    fn plus(self, other: Self) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        let scaled = |number: Self| {
            (number.decimals..decimals).try_fold(number.digits, |digits, _| digits.checked_mul(10))
        };
        Some(Self {
            digits: scaled(self)?.checked_add(scaled(other)?)?,
            decimals,
        })
    }
}

/// Digits with at most one point inside; decimals beyond the ninth are left off.
fn decimal(raw: &[u8]) -> Option<Decimal> {
    let mut number = Decimal {
        digits: 0,
        decimals: 0,
    };
    let mut point_seen = false;
    for (index, &byte) in raw.iter().enumerate() {
        if byte == b'.' && !point_seen && index > 0 && index + 1 < raw.len() {
            point_seen = true;
            continue;
        }
        let digit = digit(byte)?;
        if number.decimals == DECIMALS_MAX {
            continue;
        }
        number.digits = number
            .digits
            .checked_mul(10)?
            .checked_add(u64::from(digit))?;
        number.decimals += usize::from(point_seen);
    }
    (!raw.is_empty()).then_some(number)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_digits_within_i64() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"000000000000000000012"), Some(12));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        for bad in [
            &b""[..],
            b"-",
            b"-1",
            b"+1",
            b"1.0",
            b"1 ",
            b"9223372036854775808",
            b"99999999999999999999999",
        ] {
            assert_eq!(integer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_status_is_three_digits() {
        for (raw, expected) in [
            ("200", Some(200)),
            ("000", Some(0)),
            ("999", Some(999)),
            ("20", None),
            ("2000", None),
        ] {
            assert_eq!(status(raw.as_bytes()), expected, "{raw}");
        }
        for bad in ["", "-", "2x0", "20 "] {
            assert_eq!(status(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_last_upstream_status_is_the_answer() {
        assert_eq!(status(b"502, 200"), Some(200));
        assert_eq!(status(b"502, 504 : 200"), Some(200));
        assert_eq!(status(b"502, -"), Some(502));
        assert_eq!(status(b"-, -"), None);
    }

    #[test]
    fn ports_end_at_65535() {
        assert_eq!(port(b"443"), Some(443));
        assert_eq!(port(b"65535"), Some(65_535));
        assert_eq!(port(b"65536"), None);
        assert_eq!(port(b"-"), None);
    }

    #[test]
    fn seconds_keep_their_decimals() {
        assert_eq!(seconds(b"0.000"), Some(0.0));
        assert_eq!(seconds(b"12.345"), Some(12.345));
        assert_eq!(seconds(b"60"), Some(60.0));
        assert_eq!(seconds(b"0.1234567891234"), Some(0.123456789));
        for bad in [
            &b""[..],
            b"-",
            b".5",
            b"5.",
            b"1.2.3",
            b"1e3",
            b"nan",
            b"-1",
        ] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn upstream_times_add_up() {
        assert_eq!(seconds_list(b"0.1, 0.2"), Some(0.3));
        assert_eq!(seconds_list(b"0.001, - : 1.5"), Some(1.501));
        assert_eq!(seconds_list(b"0.250"), Some(0.25));
        assert_eq!(seconds_list(b"-, -"), None);
        assert_eq!(seconds_list(b""), None);
        assert_eq!(seconds_list(b"0.1, soon"), None);
    }
}

//! The offset from UTC that lines are written with.

use std::collections::BTreeMap;

/// Counts lines by the zone of their time stamp; almost always it is that of the line before.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    last: [u8; 5],
    lines: u64,
    counted: BTreeMap<i32, u64>,
}

impl Zones {
    /// Counts the line of this `$time_local`, which ends in `+0100`; what ends otherwise has no zone.
    pub(crate) fn count(&mut self, stamp: &[u8]) {
        let Some(zone) = stamp.last_chunk::<5>() else {
            return;
        };
        if *zone != self.last {
            self.settle();
            self.last = *zone;
        }
        self.lines += 1;
    }

    pub(crate) fn into_counts(mut self) -> BTreeMap<i32, u64> {
        self.settle();
        self.counted
    }

    fn settle(&mut self) {
        if let Some(offset_s) = offset_s(&self.last)
            && self.lines > 0
        {
            *self.counted.entry(offset_s).or_default() += self.lines;
        }
        self.lines = 0;
    }
}

/// Seconds east of UTC of `+0100`.
fn offset_s(zone: &[u8; 5]) -> Option<i32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    match *zone {
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let minutes = (digit(h1)? * 10 + digit(h2)?) * 60 + digit(m1)? * 10 + digit(m2)?;
            Some(if sign == b'-' {
                -minutes * 60
            } else {
                minutes * 60
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_zone() {
        let mut zones = Zones::default();
        for stamp in [
            "22/Jan/2019:03:56:14 +0330",
            "x +0330",
            "x -0100",
            "x +0000",
            "-",
        ] {
            zones.count(stamp.as_bytes());
        }
        assert_eq!(
            zones.into_counts(),
            BTreeMap::from([(-3600, 1), (0, 1), (12_600, 2)])
        );
    }
}

//! `$time_local` of line after line: nearly always it lies in the hour of the one before, so that only minute and second are new.

use crate::time::{self, SECOND_US, TIME_LOCAL_BYTES};

/// The hour of the last time that was read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hour {
    /// `10/Jun/2024:06`.
    date_and_hour: [u8; 14],
    /// ` +0330`.
    zone: [u8; 6],
    start_us: i64,
}

// What was read before is no part of what a line says.
impl PartialEq for Hour {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Hour {}

impl Hour {
    /// As [`time::time_local`].
    pub(crate) fn time_local(&mut self, text: &[u8]) -> Option<i64> {
        let text: &[u8; TIME_LOCAL_BYTES] = text.try_into().ok()?;
        if text[..14] == self.date_and_hour
            && text[20..] == self.zone
            && let Some(seconds) = seconds(text)
        {
            return Some(self.start_us + seconds * SECOND_US);
        }
        let time_us = time::time_local(text)?;
        let start_us = time_us - seconds(text)? * SECOND_US;
        // The very last hour has no leap second.
        if time::SECONDS.contains(&(start_us / SECOND_US + 3_600)) {
            self.date_and_hour.copy_from_slice(&text[..14]);
            self.zone.copy_from_slice(&text[20..]);
            self.start_us = start_us;
        }
        Some(time_us)
    }
}

/// The seconds of `:13:21` since the hour.
fn seconds(text: &[u8; TIME_LOCAL_BYTES]) -> Option<i64> {
    let (minute, second) = (time::two(text, 15)?, time::two(text, 18)?);
    let is_time = text[14] == b':' && text[17] == b':' && minute <= 59 && second <= 60;
    is_time.then(|| i64::from(minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn part(parts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
        select(parts)
    }

    proptest! {
        /// Few different parts, so that hours come again.
        #[test]
        fn any_time_is_read_as_without_those_before(
            texts in prop::collection::vec(
                (
                    part(&["10/Jun/2024", "31/Dec/9999", "01/Jan/0000", "31/Feb/2024"]),
                    part(&[":06", ":23", ":00", ":24", " 06"]),
                    part(&[":00", ":59", ":60", " 10", ":1x"]),
                    part(&[":00", ":59", ":60", ":61", ".10", ":x1"]),
                    part(&[" +0000", " -0330", " +2400", "+00000", " +01"]),
                ),
                1..20,
            ),
        ) {
            let mut hour = Hour::default();
            for (date, hours, minutes, seconds, zone) in texts {
                let text = [date, hours, minutes, seconds, zone].concat();
                prop_assert_eq!(hour.time_local(text.as_bytes()), time::time_local(text.as_bytes()), "{}", text);
            }
        }
    }
}

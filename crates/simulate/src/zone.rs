//! The zone of the server's clock. Daylight saving time is a rule of law; the only one here is the European Union's, in force since 1996.

use chrono::{DateTime, Datelike, NaiveDate};

use crate::story::{HOUR_US, midnight_us};

/// What lines are stamped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// +0000 all year.
    Utc,
    /// +0100, and +0200 from the last Sunday of March to the last Sunday of October, both at 01:00 UTC.
    CentralEurope,
}

impl Zone {
    /// How far its clocks are ahead of UTC at `at_us`.
    pub(crate) fn offset_us(self, at_us: i64) -> i64 {
        if self == Zone::Utc {
            return 0;
        }
        let year = DateTime::from_timestamp_micros(at_us)
            .unwrap_or_default()
            .year();
        let change_us = |month| {
            let last = NaiveDate::from_ymd_opt(year, month, 31).expect("it has 31 days");
            let since_sunday = u64::from(last.weekday().num_days_from_sunday());
            midnight_us(last - chrono::Days::new(since_sunday)) + HOUR_US
        };
        if (change_us(3)..change_us(10)).contains(&at_us) {
            2 * HOUR_US
        } else {
            HOUR_US
        }
    }

    /// When its clocks show `local_us`, counted as if they showed UTC. In the hour that comes twice: the second time.
    pub(crate) fn utc_us(self, local_us: i64) -> i64 {
        let winter_us = local_us - self.offset_us(local_us);
        local_us - self.offset_us(winter_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(utc: &str, hours: i64) {
        let at_us = DateTime::parse_from_rfc3339(utc)
            .expect("a time")
            .timestamp_micros();
        assert_eq!(Zone::CentralEurope.offset_us(at_us), hours * HOUR_US);
        assert_eq!(Zone::Utc.offset_us(at_us), 0);
        let local_us = at_us + hours * HOUR_US;
        assert_eq!(Zone::CentralEurope.utc_us(local_us), at_us);
    }

    #[test]
    fn summer_begins_and_ends_on_sundays_at_one() {
        check("2026-03-29T00:59:59Z", 1);
        check("2026-03-29T01:00:00Z", 2);
        check("2026-07-01T00:00:00Z", 2);
        check("2026-10-24T22:00:00Z", 2);
        check("2026-10-25T01:00:00Z", 1);
        check("2027-01-01T00:00:00Z", 1);
    }
}

//! Moments and days: microseconds UTC inside, RFC 3339 UTC for machines, the report's zone for people.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};

/// A moment, in microseconds UTC since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct TimeUs(pub i64);

pub(crate) const MINUTE_US: i64 = 60_000_000;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

impl TimeUs {
    /// RFC 3339 in UTC, with no more decimals of a second than are needed: `2026-11-16T14:02:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let Some(time) = DateTime::<Utc>::from_timestamp_micros(self.0) else {
            return format!("{} µs", self.0);
        };
        let decimals = if self.0 % 1_000_000 == 0 {
            chrono::SecondsFormat::Secs
        } else if self.0 % 1000 == 0 {
            chrono::SecondsFormat::Millis
        } else {
            chrono::SecondsFormat::Micros
        };
        time.to_rfc3339_opts(decimals, true)
    }

    /// `format` (chrono's) in `tz`.
    pub(crate) fn show(self, tz: Tz, format: &str) -> String {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => time.with_timezone(&tz).format(format).to_string(),
            None => format!("{} µs", self.0),
        }
    }

    /// To the minute, for a table: `2026-11-16 14:02`.
    pub(crate) fn minute(self, tz: Tz) -> String {
        self.show(tz, "%Y-%m-%d %H:%M")
    }

    /// The day in `tz`; 1970-01-01 beyond chrono's quarter of a million years.
    pub(crate) fn day(self, tz: Tz) -> NaiveDate {
        DateTime::<Utc>::from_timestamp_micros(self.0)
            .map(|time| time.with_timezone(&tz).date_naive())
            .unwrap_or_default()
    }
}

impl Serialize for TimeUs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// The first moment of `day` in `tz`; where a zone has no midnight that day, the first hour it has.
pub(crate) fn day_start(day: NaiveDate, tz: Tz) -> TimeUs {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let found = (0..=24).find_map(|hours| {
        tz.from_local_datetime(&(midnight + TimeDelta::hours(hours)))
            .earliest()
    });
    TimeUs(found.map_or_else(
        || midnight.and_utc().timestamp_micros(),
        |time| time.timestamp_micros(),
    ))
}

/// The ISO week of a day: `2026-W47`.
pub(crate) fn week_name(day: NaiveDate) -> String {
    let week = day.iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

/// From and to, with the day said once where it is the same: `2026-11-16 14:02 – 14:31`.
pub(crate) fn span(start: TimeUs, end: TimeUs, tz: Tz) -> String {
    let end_text = if start.day(tz) == end.day(tz) {
        end.show(tz, "%H:%M")
    } else {
        end.minute(tz)
    };
    format!("{} – {end_text}", start.minute(tz))
}

/// The days of a window, its last one included; an end at midnight belongs to the day before: `2026-10-19 to 2026-11-22`.
pub(crate) fn days(since: TimeUs, until: TimeUs, tz: Tz) -> String {
    let (first, last) = (since.day(tz), TimeUs(until.0.max(since.0 + 1) - 1).day(tz));
    if first == last {
        first.to_string()
    } else {
        format!("{first} to {last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: TimeUs = TimeUs(1_795_003_200_000_000);

    #[test]
    fn machines_read_utc_with_only_the_decimals_needed() {
        assert_eq!(NOON.rfc3339(), "2026-11-18T12:00:00Z");
        assert_eq!(
            TimeUs(NOON.0 + 500_000).rfc3339(),
            "2026-11-18T12:00:00.500Z"
        );
        assert_eq!(TimeUs(NOON.0 + 1).rfc3339(), "2026-11-18T12:00:00.000001Z");
        assert_eq!(TimeUs(i64::MAX).rfc3339(), format!("{} µs", i64::MAX));
    }

    #[test]
    fn people_read_their_zone() {
        let tz = chrono_tz::Europe::Berlin;
        assert_eq!(
            span(NOON, TimeUs(NOON.0 + HOUR_US), tz),
            "2026-11-18 13:00 – 14:00"
        );
        assert_eq!(
            span(NOON, TimeUs(NOON.0 + DAY_US), tz),
            "2026-11-18 13:00 – 2026-11-19 13:00"
        );
        assert_eq!(
            days(
                day_start(NOON.day(tz), tz),
                TimeUs(day_start(NOON.day(tz), tz).0 + DAY_US),
                tz
            ),
            "2026-11-18"
        );
    }

    #[test]
    fn a_day_without_midnight_starts_at_its_first_hour() {
        let day = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        assert_eq!(
            day_start(day, chrono_tz::America::Sao_Paulo).rfc3339(),
            "2018-11-04T03:00:00Z"
        );
    }

    #[test]
    fn weeks_are_named_by_iso() {
        assert_eq!(
            week_name(NaiveDate::from_ymd_opt(2027, 1, 1).unwrap()),
            "2026-W53"
        );
    }
}

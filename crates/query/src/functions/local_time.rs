//! `iso_week(time, tz)`, `week_start(time, tz)`, `local_date(time, tz)` and `local_hour(time, tz)`: hours, days and weeks where people live.
//!
//! TIMESTAMP, TEXT -> TEXT (`2026-W47`), TIMESTAMP (the Monday, 00:00 there, as UTC), DATE and BIGINT (0 to 23). `tz` is an IANA name; another is an error.
//! NULL in, NULL out. The calendar is chrono's; no judgment is behind it.
//!
//! Times come mostly in order, so the day or week of the one before is asked first: a conversion takes 60 ns.
//!
//! ```sql
//! SELECT iso_week(time, 'Europe/Berlin') AS week, count(*) FROM requests GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, Date32Array, Date32Builder, Int64Builder, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;
use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike,
};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::scalar::{function_of_values, micros, texts, time_type};

pub(super) fn iso_week() -> ScalarUDF {
    function_of_values("iso_week", 2, DataType::Utf8View, |values| {
        let times = LocalTimes::of(values)?;
        let mut weeks = StringViewBuilder::new().with_deduplicate_strings();
        let week = |monday: NaiveDate, _| {
            let week = monday.iso_week();
            Some(format!("{}-W{:02}", week.year(), week.week()))
        };
        times.each(Stretch::Week, week, |week| {
            weeks.append_option(week.as_ref());
        })?;
        Ok(Arc::new(weeks.finish()))
    })
}

pub(super) fn week_start() -> ScalarUDF {
    function_of_values("week_start", 2, time_type(), |values| {
        let times = LocalTimes::of(values)?;
        let mut starts = TimestampMicrosecondBuilder::with_capacity(times.rows);
        times.each(Stretch::Week, begin, |start| {
            starts.append_option(start.copied());
        })?;
        Ok(Arc::new(starts.finish().with_timezone("UTC")))
    })
}

pub(super) fn local_date() -> ScalarUDF {
    function_of_values("local_date", 2, DataType::Date32, |values| {
        Ok(Arc::new(dates(values)?))
    })
}

/// The days of times in their zone.
pub(super) fn dates(times_and_zone: &[ColumnarValue]) -> Result<Date32Array> {
    let times = LocalTimes::of(times_and_zone)?;
    let mut days = Date32Builder::with_capacity(times.rows);
    let number = |day: NaiveDate, _| Some(day.num_days_from_ce() - EPOCH_DAY);
    times.each(Stretch::Day, number, |day| days.append_option(day.copied()))?;
    Ok(days.finish())
}

pub(super) fn local_hour() -> ScalarUDF {
    function_of_values("local_hour", 2, DataType::Int64, |values| {
        let times = LocalTimes::of(values)?;
        let mut hours = Int64Builder::with_capacity(times.rows);
        times.each_hour(|hour| hours.append_option(hour))?;
        Ok(Arc::new(hours.finish()))
    })
}

/// 1970-01-01, in days of the common era.
const EPOCH_DAY: i32 = 719_163;
const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;

/// The first moment of a local day, microseconds since the epoch.
fn begin(day: NaiveDate, tz: Tz) -> Option<i64> {
    // Where a clock change leaves out midnight, the day begins at the first time there is.
    let midnight = day.and_time(NaiveTime::MIN);
    let start = (0..=120).find_map(|minute| {
        tz.from_local_datetime(&(midnight + TimeDelta::minutes(minute)))
            .earliest()
    });
    Some(start?.timestamp_micros())
}

/// What times are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Day,
    Week,
}

impl Stretch {
    /// The first day of the stretch that a day is in, and the first day after it.
    fn around(self, day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let (before, length) = match self {
            Self::Day => (0, 1),
            Self::Week => (day.weekday().num_days_from_monday(), 7),
        };
        let first = day.checked_sub_days(Days::new(u64::from(before)))?;
        Some((first, first.checked_add_days(Days::new(length))?))
    }
}

/// Times, each with its zone.
struct LocalTimes {
    rows: usize,
    times: TimestampMicrosecondArray,
    zones: Zones,
}

enum Zones {
    /// Of all rows.
    One(Option<Tz>),
    /// Names, by row.
    Each(StringViewArray),
}

impl LocalTimes {
    fn of(values: &[ColumnarValue]) -> Result<Self> {
        let rows = values.iter().find_map(|value| match value {
            ColumnarValue::Array(array) => Some(array.len()),
            ColumnarValue::Scalar(_) => None,
        });
        let rows = rows.unwrap_or(1);
        let zones = match &values[1] {
            ColumnarValue::Array(names) => Zones::Each(texts(names)?),
            ColumnarValue::Scalar(name) => {
                let name = texts(&name.to_array()?)?;
                Zones::One(name.iter().flatten().next().map(zone).transpose()?)
            }
        };
        Ok(Self {
            rows,
            times: micros(&values[0].to_array(rows)?)?,
            zones,
        })
    }

    /// Gives `push` for each row what `of` makes of the first day of the stretch that its time lies in.
    fn each<T>(
        &self,
        stretch: Stretch,
        of: impl Fn(NaiveDate, Tz) -> Option<T>,
        mut push: impl FnMut(Option<&T>),
    ) -> Result<()> {
        let mut named: Option<(&str, Tz)> = None;
        let mut known: Option<Known<T>> = None;
        for (row, time) in self.times.iter().enumerate() {
            let tz = self.tz(row, &mut named)?;
            let (Some(time), Some(tz)) = (time, tz) else {
                push(None);
                continue;
            };
            if !known.as_ref().is_some_and(|known| known.holds(time, tz)) {
                known = Known::around(time, tz, stretch, &of);
            }
            push(known.as_ref().and_then(|known| known.value.as_ref()));
        }
        Ok(())
    }

    /// Gives `push` for each row the hour on the clock of its zone. Clocks go by whole minutes, so that the times of a minute share one.
    fn each_hour(&self, mut push: impl FnMut(Option<i64>)) -> Result<()> {
        let mut named: Option<(&str, Tz)> = None;
        let mut known: Option<(i64, Tz, Option<i64>)> = None;
        for (row, time) in self.times.iter().enumerate() {
            let tz = self.tz(row, &mut named)?;
            let (Some(time), Some(tz)) = (time, tz) else {
                push(None);
                continue;
            };
            let minute = time.div_euclid(MINUTE_US);
            let hour = match known {
                Some((at, of, hour)) if at == minute && of == tz => hour,
                _ => DateTime::from_timestamp_micros(time)
                    .map(|time| i64::from(time.with_timezone(&tz).hour())),
            };
            known = Some((minute, tz, hour));
            push(hour);
        }
        Ok(())
    }

    /// The zone of a row; `named` is that of a row before.
    fn tz<'n>(&'n self, row: usize, named: &mut Option<(&'n str, Tz)>) -> Result<Option<Tz>> {
        let names = match &self.zones {
            Zones::One(tz) => return Ok(*tz),
            Zones::Each(names) => names,
        };
        if names.is_null(row) {
            return Ok(None);
        }
        let name = names.value(row);
        let tz = match *named {
            Some((known, tz)) if known == name => tz,
            _ => zone(name)?,
        };
        *named = Some((name, tz));
        Ok(Some(tz))
    }
}

fn zone(name: &str) -> Result<Tz> {
    match name.parse() {
        Ok(tz) => Ok(tz),
        Err(_) => exec_err!("expected a time zone such as `Europe/Berlin`, found `{name}`"),
    }
}

/// What was made of a stretch, and times that are known to lie in it.
struct Known<T> {
    tz: Tz,
    from_us: i64,
    until_us: i64,
    value: Option<T>,
}

impl<T> Known<T> {
    /// Of the stretch around a time; `None` where the calendar ends.
    fn around(
        time_us: i64,
        tz: Tz,
        stretch: Stretch,
        of: impl Fn(NaiveDate, Tz) -> Option<T>,
    ) -> Option<Self> {
        let time = DateTime::from_timestamp_micros(time_us)?.with_timezone(&tz);
        let (first, next) = stretch.around(time.date_naive())?;
        // No zone is a day or more from UTC.
        Some(Self {
            tz,
            from_us: passed(first, tz).unwrap_or(utc(first) + DAY_US),
            until_us: passed(next, tz).unwrap_or(utc(next) - DAY_US),
            value: of(first, tz),
        })
    }

    fn holds(&self, time_us: i64, tz: Tz) -> bool {
        (self.from_us..self.until_us).contains(&time_us) && self.tz == tz
    }
}

/// The moment before which local time is before the midnight that begins a day, and from which on it is not. Where clocks change at
/// midnight there may be none: in St. John's it was Sunday for a minute, then Saturday again, then Sunday.
fn passed(day: NaiveDate, tz: Tz) -> Option<i64> {
    match tz.from_local_datetime(&day.and_time(NaiveTime::MIN)) {
        LocalResult::Single(moment) => Some(moment.timestamp_micros()),
        LocalResult::Ambiguous(..) | LocalResult::None => None,
    }
}

fn utc(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use chrono::{Offset, Utc};
    use chrono_tz::{TZ_VARIANTS, Tz};

    use super::*;

    const HOUR_US: i64 = DAY_US / 24;

    /// Every change of a zone's clocks from 1970 to 2037 that a look a day tells, microseconds since the epoch.
    fn changes(tz: Tz) -> Vec<i64> {
        let offset = |us: i64| {
            let time = DateTime::<Utc>::from_timestamp_micros(us).unwrap();
            tz.offset_from_utc_datetime(&time.naive_utc()).fix()
        };
        let days = (0..24_800).map(|day| (day * DAY_US, (day + 1) * DAY_US));
        let changed = days.filter(|&(from, to)| offset(from) != offset(to));
        let exact = changed.map(|(mut from, mut to)| {
            while to - from > 1 {
                let middle = from.midpoint(to);
                match offset(middle) == offset(from) {
                    true => from = middle,
                    false => to = middle,
                }
            }
            to
        });
        exact.collect()
    }

    /// Asks for the first days of the stretches of all times at once, and of each time by its own conversion.
    #[track_caller]
    fn check(tz: Tz, stretch: Stretch, times: &[i64]) {
        let local = LocalTimes {
            rows: times.len(),
            times: times.to_vec().into(),
            zones: Zones::One(Some(tz)),
        };
        let mut found = Vec::new();
        local
            .each(
                stretch,
                |first, _| Some(first),
                |first| found.push(first.copied()),
            )
            .unwrap();
        for (&time, found) in times.iter().zip(found) {
            let day = DateTime::from_timestamp_micros(time).unwrap();
            let day = day.with_timezone(&tz).date_naive();
            let first = match stretch {
                Stretch::Day => day,
                Stretch::Week => day.week(chrono::Weekday::Mon).first_day(),
            };
            assert_eq!(found, Some(first), "{tz}, {time}, {stretch:?}");
        }
    }

    #[test]
    fn days_and_weeks_are_those_of_each_time_also_where_clocks_change() {
        for tz in TZ_VARIANTS {
            let near = [-25, -24, -2, -1, 0, 1, 2, 24].map(|hours| hours * HOUR_US);
            let around = |change: i64| {
                let minute = MINUTE_US;
                near.into_iter()
                    .flat_map(move |near| [-minute, -1, 0, minute].map(|more| change + near + more))
            };
            let mut times: Vec<i64> = changes(tz).into_iter().flat_map(around).collect();
            times.sort_unstable();
            check(tz, Stretch::Day, &times);
            check(tz, Stretch::Week, &times);
        }
    }

    #[test]
    fn hours_are_those_of_each_time_also_where_clocks_change() {
        for tz in TZ_VARIANTS {
            let around = |change: i64| [-1, 0, 1, 59, 60].map(|minute| change + minute * MINUTE_US);
            let times: Vec<i64> = changes(tz).into_iter().flat_map(around).collect();
            let local = LocalTimes {
                rows: times.len(),
                times: times.clone().into(),
                zones: Zones::One(Some(tz)),
            };
            let mut found = Vec::new();
            local.each_hour(|hour| found.push(hour)).unwrap();
            let hour = |&time: &i64| {
                let time = DateTime::from_timestamp_micros(time).unwrap();
                Some(i64::from(time.with_timezone(&tz).hour()))
            };
            assert_eq!(found, times.iter().map(hour).collect::<Vec<_>>(), "{tz}");
        }
    }

    #[test]
    fn the_night_that_began_twice_has_two_dates() {
        let tz = chrono_tz::America::St_Johns;
        // 2008-11-02, 00:00:30 and 00:01, which was 23:01 of the day before.
        let midnight =
            utc(NaiveDate::from_ymd_opt(2008, 11, 2).unwrap()) + 2 * HOUR_US + HOUR_US / 2;
        let times: Vec<i64> = (-120..120)
            .map(|half| midnight + half * HOUR_US / 120)
            .collect();
        check(tz, Stretch::Day, &times);
        check(tz, Stretch::Week, &times);
    }

    #[test]
    fn times_without_order_and_zones_by_row_are_told() {
        let times: Vec<i64> = (0..2_000)
            .map(|row| row * 7_919 % 2_003 * HOUR_US)
            .collect();
        check(chrono_tz::Europe::Berlin, Stretch::Week, &times);
        let zones = ["Asia/Tokyo", "America/New_York"];
        let names: StringViewArray = (0..times.len()).map(|row| zones.get(row % 3)).collect();
        let local = LocalTimes {
            rows: times.len(),
            times: times.to_vec().into(),
            zones: Zones::Each(names),
        };
        let mut found = Vec::new();
        local
            .each(
                Stretch::Day,
                |day, tz| Some((day, tz)),
                |day| found.push(day.copied()),
            )
            .unwrap();
        for (row, found) in found.into_iter().enumerate() {
            let expected = zones.get(row % 3).map(|name| {
                let tz: Tz = name.parse().unwrap();
                let time = DateTime::from_timestamp_micros(times[row]).unwrap();
                (time.with_timezone(&tz).date_naive(), tz)
            });
            assert_eq!(found, expected);
        }
    }
}

//! The stretch of time that a report or a named query is about.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Weekday};
use chrono_tz::Tz;
use floodmark_query::{Engine, Settings};

use crate::args::WindowArgs;
use crate::plan::share;

/// Weeks of a report when none are named.
const WEEKS_DEFAULT: u32 = 5;

/// The settings of named queries for a window, from the arguments and the times of the data.
pub(crate) async fn settings(engine: &Engine, args: &WindowArgs, tz: Tz) -> Result<Settings> {
    let target = share(&args.target).ok_or_else(|| {
        anyhow!(
            "`--target`: expected a share such as `95%`, found `{}`",
            args.target
        )
    })?;
    // Reading the times of all requests only to look past them takes longer than many a question.
    let range = match is_fixed(args) {
        true => None,
        false => engine.time_range().await?,
    };
    let (since_us, until_us) = window(args, tz, range)?;
    Ok(Settings {
        since_us,
        until_us,
        target,
        tz,
        parameters: BTreeMap::new(),
    })
}

/// Whether the window is the same whatever the times of the data.
fn is_fixed(args: &WindowArgs) -> bool {
    let is_absolute = |text: &String| stretch(text).is_none() && days_back(text).is_none();
    args.day.is_some()
        || args.week.is_some()
        || (args.since.is_some() && args.until.as_ref().is_some_and(is_absolute))
}

/// Start and exclusive end, microseconds since the epoch.
fn window(args: &WindowArgs, tz: Tz, range: Option<(i64, i64)>) -> Result<(i64, i64)> {
    if let Some(day) = &args.day {
        let day: NaiveDate = day
            .parse()
            .map_err(|_| anyhow!("`--day`: expected a date such as `2026-11-16`, found `{day}`"))?;
        return Ok((midnight(day, tz), midnight(day + Days::new(1), tz)));
    }
    if let Some(week) = &args.week {
        let monday = iso_week(week).ok_or_else(|| {
            anyhow!("`--week`: expected an ISO week such as `2026-W46`, found `{week}`")
        })?;
        return Ok((midnight(monday, tz), midnight(monday + Days::new(7), tz)));
    }
    // The first whole minute after the last request, so that the window holds it.
    let data_end = range.map_or(0, |(_, last)| {
        (last.div_euclid(60_000_000) + 1) * 60_000_000
    });
    let until = match &args.until {
        Some(text) => point("--until", text, tz, data_end)?,
        None => data_end,
    };
    let since = match &args.since {
        // Yesterday is the same day whenever the window ends.
        Some(text) if days_back(text).is_some() => point("--since", text, tz, data_end)?,
        Some(text) => point("--since", text, tz, until)?,
        None => {
            let weeks = args.weeks.unwrap_or(WEEKS_DEFAULT);
            if weeks == 0 {
                bail!("`--weeks`: expected at least 1, found `0`");
            }
            let last = DateTime::from_timestamp_micros(until - 1).unwrap_or_default();
            let monday = last
                .with_timezone(&tz)
                .date_naive()
                .week(Weekday::Mon)
                .first_day();
            midnight(monday - Days::new(7 * u64::from(weeks - 1)), tz)
        }
    };
    if since >= until && (range.is_some() || is_fixed(args)) {
        bail!(
            "the window ends before it begins: `--since` {} is not before `--until` {}",
            text(since),
            text(until)
        );
    }
    // By default weeks before the first request are none of the report's business.
    let since = match (range, &args.since, args.weeks) {
        (Some((first, _)), None, None) => {
            let first = DateTime::from_timestamp_micros(first).unwrap_or_default();
            let monday = first
                .with_timezone(&tz)
                .date_naive()
                .week(Weekday::Mon)
                .first_day();
            since.max(midnight(monday, tz))
        }
        _ => since,
    };
    Ok((since, until.max(since)))
}

fn text(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us)
        .unwrap_or_default()
        .to_rfc3339()
}

/// The first moment of a day in a zone; where clocks jump over midnight, the first one that exists.
fn midnight(day: NaiveDate, tz: Tz) -> i64 {
    let start = day.and_time(chrono::NaiveTime::MIN);
    (0..=24)
        .find_map(|quarter| {
            tz.from_local_datetime(&(start + TimeDelta::minutes(15 * quarter)))
                .earliest()
        })
        .map_or_else(
            || start.and_utc().timestamp_micros(),
            |time| time.timestamp_micros(),
        )
}

fn iso_week(text: &str) -> Option<NaiveDate> {
    let (year, week) = text.split_once("-W")?;
    NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, Weekday::Mon)
        .filter(|monday| monday.iso_week().year().to_string() == year)
}

/// A date, a date and time, RFC 3339, or a stretch such as `24h` before `end`.
pub(crate) fn point(option: &str, text: &str, tz: Tz, end: i64) -> Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z") {
        return Ok(time.timestamp_micros());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(midnight(day, tz));
    }
    if let Some(monday) = iso_week(text) {
        return Ok(midnight(monday, tz));
    }
    if let Some(days) = days_back(text) {
        let last = DateTime::from_timestamp_micros(end - 1).unwrap_or_default();
        let day = last.with_timezone(&tz).date_naive() - Days::new(days);
        return Ok(midnight(day, tz));
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return tz
                .from_local_datetime(&time)
                .earliest()
                .map(|time| time.timestamp_micros())
                .ok_or_else(|| {
                    anyhow!("`{option}`: `{text}` does not exist in {tz}, as clocks jumped over it")
                });
        }
    }
    stretch(text).map(|stretch| end - stretch).ok_or_else(|| {
        anyhow!("`{option}`: expected a time such as `2026-11-16`, `2026-11-16T08:00Z`, `2026-W46`, `24h` or `yesterday`, found `{text}`")
    })
}

/// A day by its name, as days before the last one.
fn days_back(text: &str) -> Option<u64> {
    match text {
        "today" => Some(0),
        "yesterday" => Some(1),
        _ => None,
    }
}

/// `90m`, `24h`, `7d`, `5w` in microseconds.
fn stretch(text: &str) -> Option<i64> {
    let (at, unit) = text.char_indices().last()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    text[..at]
        .parse::<u32>()
        .ok()
        .map(|count| i64::from(count) * seconds * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> WindowArgs {
        WindowArgs {
            since: None,
            until: None,
            day: None,
            week: None,
            weeks: None,
            target: "95%".to_owned(),
        }
    }

    #[track_caller]
    fn check(args: &WindowArgs, tz: Tz, expected: (&str, &str)) {
        // Sunday 2026-11-15 12:00 back to Wednesday 2026-10-07.
        let micros = |text: &str| {
            DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_micros()
        };
        let range = (
            micros("2026-10-07T09:00:00Z"),
            micros("2026-11-15T12:00:30Z"),
        );
        let (since, until) = window(args, tz, Some(range)).unwrap();
        assert_eq!((text(since).as_str(), text(until).as_str()), expected);
    }

    #[test]
    fn five_weeks_up_to_the_last_request_are_the_default() {
        check(
            &args(),
            Tz::UTC,
            ("2026-10-12T00:00:00+00:00", "2026-11-15T12:01:00+00:00"),
        );
    }

    #[test]
    fn days_and_weeks_have_names() {
        let since = |text: &str| WindowArgs {
            since: Some(text.to_owned()),
            ..args()
        };
        let end = "2026-11-15T12:01:00+00:00";
        check(&since("today"), Tz::UTC, ("2026-11-15T00:00:00+00:00", end));
        let berlin = "Europe/Berlin".parse().unwrap();
        check(
            &since("yesterday"),
            berlin,
            ("2026-11-13T23:00:00+00:00", end),
        );
        check(
            &since("2026-W46"),
            berlin,
            ("2026-11-08T23:00:00+00:00", end),
        );
        let until = WindowArgs {
            until: Some("today".to_owned()),
            ..since("yesterday")
        };
        check(
            &until,
            Tz::UTC,
            ("2026-11-14T00:00:00+00:00", "2026-11-15T00:00:00+00:00"),
        );
    }

    #[test]
    fn weeks_begin_in_the_zone() {
        let week = WindowArgs {
            week: Some("2026-W43".to_owned()),
            ..args()
        };
        check(
            &week,
            Tz::Europe__Berlin,
            ("2026-10-18T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),
        );
    }

    #[test]
    fn stretches_count_back_from_the_end() {
        let since = WindowArgs {
            since: Some("24h".to_owned()),
            ..args()
        };
        check(
            &since,
            Tz::UTC,
            ("2026-11-14T12:01:00+00:00", "2026-11-15T12:01:00+00:00"),
        );
    }

    #[test]
    fn seconds_may_be_left_out_before_a_zone() {
        let point = |text| point("--since", text, Tz::Europe__Berlin, 0).unwrap();
        for (short, long) in [
            ("2026-11-16T08:00Z", "2026-11-16T08:00:00Z"),
            ("2026-11-16T08:00+01:00", "2026-11-16T07:00:00Z"),
            ("2026-11-16T08:00", "2026-11-16T07:00:00Z"),
        ] {
            assert_eq!(point(short), point(long), "{short}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["yesterdayish", "24", "2026-13-01", "h"] {
            assert!(point("--since", wrong, Tz::UTC, 0).is_err(), "{wrong}");
        }
        assert!(iso_week("2026-W54").is_none());
    }
}

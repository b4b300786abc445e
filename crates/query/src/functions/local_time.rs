//! `iso_week(time, tz)`, `week_start(time, tz)` and `local_date(time, tz)`: days and weeks where people live.
//!
//! TIMESTAMP, TEXT -> TEXT (`2026-W47`), TIMESTAMP (the Monday, 00:00 there, as UTC) and DATE. `tz` is an IANA name; another is an error.
//! NULL in, NULL out. The calendar is chrono's; no judgment is behind it.
//!
//! ```sql
//! SELECT iso_week(time, 'Europe/Berlin') AS week, count(*) FROM requests GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, StringViewBuilder, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{function_of_any, micros, texts, time_type};

pub(super) fn iso_week() -> ScalarUDF {
    function_of_any("iso_week", 2, DataType::Utf8View, |values| {
        let mut weeks =
            StringViewBuilder::with_capacity(values[0].len()).with_deduplicate_strings();
        for date in dates(values)? {
            weeks.append_option(date.map(|(date, _)| {
                let week = date.iso_week();
                format!("{}-W{:02}", week.year(), week.week())
            }));
        }
        Ok(Arc::new(weeks.finish()))
    })
}

pub(super) fn week_start() -> ScalarUDF {
    function_of_any("week_start", 2, time_type(), |values| {
        let starts = dates(values)?.into_iter().map(|date| {
            let (date, tz) = date?;
            let monday =
                date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday())))?;
            // Where a clock change leaves out midnight, the day begins at the first time there is.
            let midnight = monday.and_time(NaiveTime::MIN);
            let start = (0..=120).find_map(|minute| {
                tz.from_local_datetime(&(midnight + chrono::Duration::minutes(minute)))
                    .earliest()
            });
            Some(start?.timestamp_micros())
        });
        Ok(Arc::new(
            starts
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ))
    })
}

pub(super) fn local_date() -> ScalarUDF {
    function_of_any("local_date", 2, DataType::Date32, |values| {
        let days = dates(values)?
            .into_iter()
            .map(|date| Some(date?.0.num_days_from_ce() - EPOCH_DAY));
        Ok(Arc::new(days.collect::<Date32Array>()))
    })
}

/// 1970-01-01, in days of the common era.
const EPOCH_DAY: i32 = 719_163;

fn dates(values: &[ArrayRef]) -> Result<Vec<Option<(NaiveDate, Tz)>>> {
    let (times, zones) = (micros(&values[0])?, texts(&values[1])?);
    let mut zone: Option<(&str, Tz)> = None;
    let mut dates = Vec::with_capacity(times.len());
    for (time, name) in times.iter().zip(&zones) {
        let (Some(time), Some(name)) = (time, name) else {
            dates.push(None);
            continue;
        };
        let tz = match zone {
            Some((known, tz)) if known == name => tz,
            _ => match name.parse::<Tz>() {
                Ok(tz) => tz,
                Err(_) => {
                    return exec_err!(
                        "expected a time zone such as `Europe/Berlin`, found `{name}`"
                    );
                }
            },
        };
        zone = Some((name, tz));
        dates.push(
            DateTime::from_timestamp_micros(time)
                .map(|time| (time.with_timezone(&tz).date_naive(), tz)),
        );
    }
    Ok(dates)
}

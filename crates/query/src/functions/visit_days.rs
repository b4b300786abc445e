//! `visit_days(visit, tz)`: a visit day by day.
//!
//! BYTES, TEXT -> LIST of STRUCT: `day` (a date where people live, as `local_date` has it), `requests`, `bad`, `bytes` (of bodies), in the order of
//! time; days without a request have none. NULL is empty. The first argument is what `visit` gives; `tz` is an IANA name, another is an error. Adds up
//! [`floodmark_traffic::visit::minutes`].
//!
//! `queries/traffic.sql` shows it in use.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Date32Builder, Int64Builder, ListArray, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use floodmark_traffic::visit::{VisitMinute, asked, minutes};

use super::local_time::dates;
use super::scalar::function_of_values;

const MINUTE_US: i64 = 60_000_000;

pub(super) fn visit_days() -> ScalarUDF {
    let item = Arc::new(Field::new("item", DataType::Struct(fields()), false));
    let output = DataType::List(Arc::clone(&item));
    function_of_values("visit_days", 2, output, move |values| {
        let rows = ColumnarValue::values_to_arrays(values)?[0].len();
        let visits = cast(&values[0].to_array(rows)?, &DataType::LargeBinary)?;
        let visits = visits.as_binary::<i64>().iter();
        let visits: Vec<Vec<VisitMinute>> = visits
            .map(|visit| minutes(&asked(visit.unwrap_or_default()).collect::<Vec<_>>()))
            .collect();
        let all: TimestampMicrosecondArray = visits
            .iter()
            .flatten()
            .map(|minute| Some(minute.minute * MINUTE_US))
            .collect();
        let zone = match &values[1] {
            ColumnarValue::Scalar(name) => ColumnarValue::Scalar(name.clone()),
            ColumnarValue::Array(names) => ColumnarValue::Array(of_each(names, &visits)?),
        };
        let dates = dates(&[ColumnarValue::Array(Arc::new(all)), zone])?;
        let mut dates = dates.iter();
        let mut days = Days::default();
        let lengths: Vec<usize> = visits
            .iter()
            .map(|minutes| days.append(minutes.iter().zip(&mut dates)))
            .collect();
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(Arc::clone(&item), offsets, days.finish()?, None)?;
        Ok(Arc::new(list))
    })
}

/// The value of each visit for each of its minutes.
fn of_each(values: &ArrayRef, visits: &[Vec<VisitMinute>]) -> Result<ArrayRef> {
    let rows = (0..).zip(visits);
    let rows: UInt64Array = rows
        .flat_map(|(row, minutes)| std::iter::repeat_n(Some(row), minutes.len()))
        .collect();
    Ok(take(values, &rows, None)?)
}

fn fields() -> Fields {
    let count = |name| Field::new(name, DataType::Int64, false);
    Fields::from(vec![
        Field::new("day", DataType::Date32, true),
        count("requests"),
        count("bad"),
        count("bytes"),
    ])
}

/// What was asked for in a day.
#[derive(Debug, Default)]
struct Day {
    requests: i64,
    bad: i64,
    bytes: i64,
}

/// The days of all visits.
#[derive(Debug, Default)]
struct Days {
    day: Date32Builder,
    requests: Int64Builder,
    bad: Int64Builder,
    bytes: Int64Builder,
}

impl Days {
    /// Adds those of a visit, and gives their number.
    fn append<'minutes>(
        &mut self,
        minutes: impl Iterator<Item = (&'minutes VisitMinute, Option<i32>)>,
    ) -> usize {
        let before = self.day.len();
        let mut open: Option<(Option<i32>, Day)> = None;
        for (minute, date) in minutes {
            if let Some((day, counts)) = open.take_if(|(day, _)| *day != date) {
                self.push(day, &counts);
            }
            let (_, counts) = open.get_or_insert_with(|| (date, Day::default()));
            counts.requests += i64::from(minute.requests);
            counts.bad += i64::from(minute.bad);
            let bytes = i64::try_from(minute.bytes).unwrap_or(i64::MAX);
            counts.bytes = counts.bytes.saturating_add(bytes);
        }
        if let Some((day, counts)) = open {
            self.push(day, &counts);
        }
        self.day.len() - before
    }

    fn push(&mut self, day: Option<i32>, counts: &Day) {
        self.day.append_option(day);
        self.requests.append_value(counts.requests);
        self.bad.append_value(counts.bad);
        self.bytes.append_value(counts.bytes);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.day.finish()),
            Arc::new(self.requests.finish()),
            Arc::new(self.bad.finish()),
            Arc::new(self.bytes.finish()),
        ];
        Ok(Arc::new(StructArray::try_new(fields(), columns, None)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{LargeBinaryArray, RecordBatch, StringViewArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;
    use floodmark_traffic::outcome::Outcome;
    use floodmark_traffic::visit::Asked;

    use super::*;

    /// Requests at these hours of 2026-11-09, UTC, of as many bytes; those at odd hours are bad.
    fn visit(hours: &[u32]) -> Vec<u8> {
        let asked = |&hour: &u32| Asked {
            time_us: 1_794_182_400_000_000 + i64::from(hour) * 60 * MINUTE_US,
            path: 1,
            bytes: hour.into(),
            outcome: if hour % 2 == 1 {
                Outcome::Bad
            } else {
                Outcome::Good
            },
            asset: false,
            referred: false,
            refused: false,
            scans: false,
            robots_txt: false,
        };
        hours
            .iter()
            .flat_map(|hour| asked(hour).encoded())
            .collect()
    }

    #[tokio::test]
    async fn a_day_ends_at_midnight_in_the_zone_of_its_row() {
        let visits = [
            Some(visit(&[2, 3, 6, 23])),
            None,
            Some(visit(&[2, 6])),
            Some(Vec::new()),
            Some(visit(&[1])),
        ];
        let visits: LargeBinaryArray = visits.iter().map(Option::as_deref).collect();
        let zones = ["UTC", "UTC", "America/New_York", "UTC"].map(Some);
        let zones: StringViewArray = zones.into_iter().chain([None]).collect();
        let columns: [(&str, ArrayRef); 2] = [("visit", Arc::new(visits)), ("tz", Arc::new(zones))];
        let context = SessionContext::new();
        context.register_udf(visit_days());
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        context.register_batch("visits", batch).unwrap();
        let lines = async |sql: &str| {
            let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
            let table = pretty_format_batches(&rows).unwrap().to_string();
            let cells = table.lines().filter(|line| line.contains(['[', ']']));
            let cells = cells.map(|line| line.trim_matches(['|', ' ']).to_owned());
            cells.collect::<Vec<_>>()
        };
        assert_eq!(
            lines("SELECT visit_days(visit, tz) FROM visits").await,
            [
                "[{day: 2026-11-09, requests: 4, bad: 2, bytes: 34}]",
                "[]",
                "[{day: 2026-11-08, requests: 1, bad: 0, bytes: 2}, {day: 2026-11-09, requests: 1, bad: 0, bytes: 6}]",
                "[]",
                "[{day: , requests: 1, bad: 1, bytes: 1}]",
            ]
        );
        assert_eq!(
            lines("SELECT visit_days(visit, 'Asia/Tokyo') FROM visits LIMIT 1").await,
            [
                "[{day: 2026-11-09, requests: 3, bad: 1, bytes: 11}, {day: 2026-11-10, requests: 1, bad: 1, bytes: 23}]"
            ]
        );
    }
}

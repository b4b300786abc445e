//! The UTC day that partitions the lake.

use arrow::array::{Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::temporal_conversions::date32_to_datetime;
use datafusion::common::ScalarValue;

use crate::Error;

pub(crate) const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// Days since the epoch, or none for rows without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) Option<i32>);

impl Day {
    pub(crate) fn of(time_us: i64) -> Self {
        Self(i32::try_from(time_us.div_euclid(MICROSECONDS_A_DAY)).ok())
    }

    /// Reads [`Day::text`]; `None` for what is no day.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match ScalarValue::try_from_string(text.to_owned(), &DataType::Date32).ok()? {
            ScalarValue::Date32(days) => days.map(|day| Self(Some(day))),
            _ => None,
        }
    }

    /// The day of a partition, whose value is [`Day::text`].
    pub(crate) fn of_partition(value: Option<&str>) -> Self {
        value.and_then(Self::parse).unwrap_or(Self(None))
    }

    /// The first moment after the day, microseconds since the epoch; `None` for rows without a time.
    pub(crate) fn end_us(self) -> Option<i64> {
        Some((i64::from(self.0?) + 1) * MICROSECONDS_A_DAY)
    }

    /// The first day of its month.
    pub(crate) fn month(self) -> Self {
        let text = self.text().unwrap_or_default();
        let day = text.rsplit('-').next().and_then(|day| day.parse().ok());
        Self(
            self.0
                .zip(day)
                .map(|(days, day): (i32, i32)| days - day + 1),
        )
    }

    /// `2026-11-16`; `None` for rows without a time.
    pub(crate) fn text(self) -> Option<String> {
        date32_to_datetime(self.0?).map(|day| day.date().to_string())
    }

    /// The name after `date=` of the folder; Hive's word stands for none.
    pub(crate) fn directory(self) -> String {
        self.text()
            .unwrap_or_else(|| "__HIVE_DEFAULT_PARTITION__".to_owned())
    }
}

/// The rows of each day. Most batches hold one day, and are handed on as they are.
pub(crate) fn by_day(rows: RecordBatch) -> Result<Vec<(Day, RecordBatch)>, Error> {
    let times = rows
        .column_by_name("time")
        .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>());
    let Some(times) = times.cloned() else {
        return Ok(vec![(Day(None), rows)]);
    };
    let day_at = |row: usize| {
        if times.is_null(row) {
            Day(None)
        } else {
            Day::of(times.value(row))
        }
    };
    let mut days: Vec<(Day, Vec<u32>)> = Vec::new();
    for row in 0..times.len() {
        let day = day_at(row);
        let index = u32::try_from(row).unwrap_or(u32::MAX);
        match days.iter_mut().rev().find(|(known, _)| *known == day) {
            Some((_, indices)) => indices.push(index),
            None => days.push((day, vec![index])),
        }
    }
    if let [(day, _)] = days[..] {
        return Ok(vec![(day, rows)]);
    }
    days.into_iter()
        .map(|(day, indices)| Ok((day, take_record_batch(&rows, &UInt32Array::from(indices))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_with_its_first_day() {
        let day = Day::of(1_709_210_000_000_000);
        assert_eq!(day.text().as_deref(), Some("2024-02-29"));
        assert_eq!(day.month().text().as_deref(), Some("2024-02-01"));
        assert_eq!(Day::parse("2024-02-29"), Some(day));
        assert_eq!(Day::parse("yesterday"), None);
        assert_eq!(day.month().month(), day.month());
        assert_eq!(Day(None).month(), Day(None));
    }
}

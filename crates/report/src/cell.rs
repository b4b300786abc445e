//! The values of an answer's column, of whatever Arrow type, as text or JSON.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono_tz::Tz;

use crate::error::Error;
use crate::json;
use crate::time::TimeUs;

/// A value to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    /// Its digits.
    Number(String),
    /// Text that may hold anything.
    Text(String),
    /// A time, a date, a truth: text that holds nothing to be escaped.
    Other(String),
}

/// A column, prepared once per batch.
pub(crate) struct Column<'batch> {
    name: &'batch str,
    array: &'batch ArrayRef,
    kind: Kind<'batch>,
}

enum Kind<'batch> {
    /// Microseconds; with a zone they are UTC, without one nobody knows.
    Time {
        times: Int64Array,
        zoned: bool,
    },
    Number(ArrayFormatter<'batch>),
    /// As a number, with fewer decimals for people.
    Float(ArrayFormatter<'batch>),
    Text(ArrayFormatter<'batch>),
    Other(ArrayFormatter<'batch>),
}

impl<'batch> Column<'batch> {
    pub(crate) fn new(name: &'batch str, array: &'batch ArrayRef) -> Result<Self, Error> {
        let wrong = |source: ArrowError| Error::Cell {
            column: name.to_owned(),
            source,
        };
        let formatter =
            || ArrayFormatter::try_new(array.as_ref(), &FormatOptions::new()).map_err(wrong);
        let kind = match array.data_type() {
            DataType::Timestamp(_, zone) => {
                let times = cast(
                    array,
                    &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
                )
                .map_err(wrong)?;
                let times = cast(&times, &DataType::Int64).map_err(wrong)?;
                Kind::Time {
                    times: times.as_primitive::<Int64Type>().clone(),
                    zoned: zone.is_some(),
                }
            }
            data_type if data_type.is_floating() => Kind::Float(formatter()?),
            data_type if data_type.is_numeric() => Kind::Number(formatter()?),
            DataType::Boolean
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_) => Kind::Other(formatter()?),
            _ => Kind::Text(formatter()?),
        };
        Ok(Self { name, array, kind })
    }

    /// Whether it counts something: Nginx's status and ports are narrower, and `8,443` is no port.
    pub(crate) fn is_count(&self) -> bool {
        matches!(self.array.data_type(), DataType::Int64 | DataType::UInt64)
    }

    /// The value of a row, its time in `tz` or else in RFC 3339 UTC.
    pub(crate) fn value(&self, row: usize, tz: Option<Tz>) -> Result<Value, Error> {
        if self.array.is_null(row) || self.array.data_type().is_null() {
            return Ok(Value::Null);
        }
        Ok(match &self.kind {
            Kind::Time { times, zoned } => {
                let time = TimeUs(times.value(row));
                Value::Other(match (tz, zoned) {
                    (Some(tz), true) => time.show(tz, "%Y-%m-%d %H:%M:%S%.f%:z"),
                    (None, true) => time.rfc3339(),
                    (_, false) => time.rfc3339().trim_end_matches('Z').to_owned(),
                })
            }
            Kind::Number(formatter) => Value::Number(self.text(formatter, row)?),
            Kind::Float(formatter) => {
                let text = self.text(formatter, row)?;
                Value::Number(if tz.is_some() { readable(text) } else { text })
            }
            Kind::Text(formatter) => Value::Text(self.text(formatter, row)?),
            Kind::Other(formatter) => Value::Other(self.text(formatter, row)?),
        })
    }

    /// Appends the value of a row as JSON.
    pub(crate) fn json(&self, row: usize, out: &mut String) -> Result<(), Error> {
        if self.array.is_valid(row) {
            match self.array.data_type() {
                DataType::List(_) => {
                    return json_list(self.name, &self.array.as_list::<i32>().value(row), out);
                }
                DataType::LargeList(_) => {
                    return json_list(self.name, &self.array.as_list::<i64>().value(row), out);
                }
                DataType::Struct(_) => return self.json_struct(row, out),
                _ => {}
            }
        }
        match self.value(row, None)? {
            Value::Null => out.push_str("null"),
            // JSON has no word for infinity or for what is no number.
            Value::Number(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
                out.push_str(&text)
            }
            Value::Number(_) => out.push_str("null"),
            Value::Other(text) if matches!(self.array.data_type(), DataType::Boolean) => {
                out.push_str(&text)
            }
            Value::Text(text) | Value::Other(text) => out.push_str(&json::text(&text)),
        }
        Ok(())
    }

    fn json_struct(&self, row: usize, out: &mut String) -> Result<(), Error> {
        let fields = self.array.as_struct();
        out.push('{');
        for (index, (name, array)) in fields
            .column_names()
            .into_iter()
            .zip(fields.columns())
            .enumerate()
        {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&json::text(name));
            out.push(':');
            Column::new(name, array)?.json(row, out)?;
        }
        out.push('}');
        Ok(())
    }

    fn text(&self, formatter: &ArrayFormatter<'_>, row: usize) -> Result<String, Error> {
        formatter
            .value(row)
            .try_to_string()
            .map_err(|source| Error::Cell {
                column: self.name.to_owned(),
                source,
            })
    }
}

fn json_list(name: &str, values: &ArrayRef, out: &mut String) -> Result<(), Error> {
    let column = Column::new(name, values)?;
    out.push('[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(',');
        }
        column.json(row, out)?;
    }
    out.push(']');
    Ok(())
}

/// A float with at most 6 decimals; a very large or small one stays as it is.
fn readable(text: String) -> String {
    match text.parse::<f64>() {
        Ok(number) if number == 0.0 || (1e-4..1e15).contains(&number.abs()) => {
            let fixed = format!("{number:.6}");
            fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text,
    }
}

//! Any answer as a chart for a terminal: a bar for each row, or a line over time.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef, TimeUnit};
use chrono_tz::Tz;

use crate::cell::{Column, Value};
use crate::error::Error;
use crate::text::{Style, Tone, bar, cut, escape_control, grouped, width};

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawingKind {
    /// A bar for each row, in the order of the answer.
    Bar,
    /// The greatest value of each stretch of the first column, from left to right.
    Line,
}

/// What is drawn, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrawingOptions {
    /// Default: a line over time, else bars.
    pub kind: Option<DrawingKind>,
    /// The column along the chart; default the first.
    pub x: Option<String>,
    /// The column drawn; default the first number behind it.
    pub y: Option<String>,
}

/// More rows than these are no chart any more.
const ROWS_MAX: usize = 100_000;
/// Width where the output is no terminal.
const WIDTH_DEFAULT: usize = 100;
/// Lines of a line chart.
const HEIGHT: usize = 12;
/// Columns of a bar's name.
const NAME_WIDTH_MAX: usize = 36;
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Takes the rows of an answer as they come, and draws them at their end.
#[derive(Debug)]
pub struct Drawing {
    kind: DrawingKind,
    x: usize,
    y: usize,
    title: String,
    tz: Tz,
    style: Style,
    points: Vec<Point>,
}

#[derive(Debug)]
struct Point {
    name: String,
    /// Where it lies along the chart: a time in microseconds, a number, or else the row's number.
    at: f64,
    /// `None` where it is NULL.
    value: Option<f64>,
    /// As it is written.
    text: String,
}

impl Drawing {
    /// Begins a chart of an answer with these columns.
    ///
    /// # Errors
    ///
    /// There is no such column, or none with numbers.
    pub fn new(
        schema: &SchemaRef,
        options: &DrawingOptions,
        tz: Tz,
        style: Style,
    ) -> Result<Self, Error> {
        let named = |name: &str| {
            schema.index_of(name).map_err(|_| Error::NoChart {
                expected: format!("a column `{name}`"),
                found: names(schema),
            })
        };
        let x = options.x.as_deref().map_or(Ok(0), named)?;
        let is_number = |index: &usize| schema.field(*index).data_type().is_numeric();
        let others = (0..schema.fields().len()).filter(|index| *index != x);
        let y = match &options.y {
            Some(name) => named(name)?,
            None => others.chain([x]).find(is_number).unwrap_or(x),
        };
        if schema.fields().is_empty() || !is_number(&y) {
            return Err(Error::NoChart {
                expected: "a column with numbers".to_owned(),
                found: names(schema),
            });
        }
        let is_time = matches!(
            schema.field(x).data_type(),
            DataType::Timestamp(..) | DataType::Date32
        );
        let kind = options.kind.unwrap_or(match is_time {
            true => DrawingKind::Line,
            false => DrawingKind::Bar,
        });
        let title = format!("{} by {}", schema.field(y).name(), schema.field(x).name());
        Ok(Self {
            kind,
            x,
            y,
            title: escape_control(&title).into_owned(),
            tz,
            style,
            points: Vec::new(),
        })
    }

    /// Takes the rows of a batch.
    ///
    /// # Errors
    ///
    /// There are too many, or a value has no text.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if self.points.len() + batch.num_rows() > ROWS_MAX {
            return Err(Error::NoChart {
                expected: format!("at most {} rows", grouped(&ROWS_MAX.to_string())),
                found: "more".to_owned(),
            });
        }
        let schema = batch.schema();
        let column = |index: usize| Column::new(schema.field(index).name(), batch.column(index));
        let (names, texts) = (column(self.x)?, column(self.y)?);
        let values = numbers(schema.field(self.y).name(), batch.column(self.y))?;
        let places = places(batch.column(self.x));
        for row in 0..batch.num_rows() {
            let shown = |column: &Column<'_>| {
                Ok::<_, Error>(match column.value(row, Some(self.tz))? {
                    Value::Null => "∅".to_owned(),
                    Value::Number(text) if column.is_count() => grouped(&text),
                    Value::Number(text) | Value::Other(text) => text,
                    Value::Text(text) => escape_control(&text).into_owned(),
                })
            };
            let number = self.points.len();
            #[expect(clippy::cast_precision_loss, reason = "rows are bounded")]
            let number = number as f64;
            self.points.push(Point {
                name: shown(&names)?,
                at: places.as_ref().map_or(number, |places| places.value(row)),
                value: values.is_valid(row).then(|| values.value(row)),
                text: shown(&texts)?,
            });
        }
        Ok(())
    }

    /// The chart: lines of text, each with its newline.
    #[must_use]
    pub fn draw(&self) -> String {
        let title = self.style.paint(Tone::Dim, &self.title);
        let body = match self.kind {
            _ if self.points.is_empty() => "  no rows\n".to_owned(),
            DrawingKind::Bar => self.bars(),
            DrawingKind::Line => self.line(),
        };
        format!("  {title}\n{body}")
    }

    fn width(&self) -> usize {
        match self.style.width {
            usize::MAX => WIDTH_DEFAULT,
            columns => columns.max(40),
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let values = self.points.iter().filter_map(|point| point.value);
        values.filter(|value| value.is_finite())
    }

    fn most(&self) -> f64 {
        self.values().fold(0.0, f64::max)
    }

    fn bars(&self) -> String {
        let widest = |text: fn(&Point) -> &str, most: usize| {
            let widths = self.points.iter().map(|point| width(text(point)));
            widths.max().unwrap_or(0).min(most)
        };
        let names = widest(|point| &point.name, NAME_WIDTH_MAX);
        let texts = widest(|point| &point.text, usize::MAX);
        let room = self.width().saturating_sub(names + texts + 6).max(8);
        let most = self.most();
        let mut out = String::new();
        for point in &self.points {
            let name = cut(&point.name, names);
            let pad = " ".repeat(names - width(&name));
            let text = format!("{:>texts$}", point.text);
            let share = point.value.map_or(0.0, |value| share(value, most));
            let bar = bar(share, room);
            out.push_str(&format!("  {name}{pad}  {text}  {bar}\n"));
        }
        out
    }

    fn line(&self) -> String {
        let most = self.most();
        let least = self.values().fold(0.0, f64::min);
        let labels = [label(most), label(least)];
        let margin = labels.iter().map(|label| width(label)).max().unwrap_or(0);
        let room = self.width().saturating_sub(margin + 5).max(8);
        let columns = self.columns(room);
        let mut out = String::new();
        for row in (0..HEIGHT).rev() {
            let label = match row {
                _ if row == HEIGHT - 1 => labels[0].as_str(),
                0 => labels[1].as_str(),
                _ => "",
            };
            let cells = columns.iter().map(|value| match value {
                Some(value) => EIGHTHS[eighths(share(value - least, most - least), row)],
                None => ' ',
            });
            let cells: String = cells.collect();
            out.push_str(&format!("  {label:>margin$} ┤{}\n", cells.trim_end()));
        }
        let first = self.points.iter().min_by(|a, b| a.at.total_cmp(&b.at));
        let last = self.points.iter().max_by(|a, b| a.at.total_cmp(&b.at));
        let (first, last) = (
            first.map_or("", |point| &point.name),
            last.map_or("", |point| &point.name),
        );
        let gap = room.saturating_sub(width(first) + width(last)).max(2);
        out.push_str(&format!(
            "  {:margin$}  {first}{}{last}\n",
            "",
            " ".repeat(gap)
        ));
        out
    }

    /// The greatest value of each stretch; `None` where there is no row. A row stands for what lies between it and the next one, where rows are
    /// closest.
    fn columns(&self, count: usize) -> Vec<Option<f64>> {
        let mut places: Vec<f64> = self.points.iter().map(|point| point.at).collect();
        places.sort_by(f64::total_cmp);
        let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
        let step = gaps.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
        let step = if step.is_finite() { step } else { 1.0 };
        let first = places.first().copied().unwrap_or_default();
        let length = places.last().copied().unwrap_or_default() + step - first;
        let mut columns = vec![None; count];
        for point in &self.points {
            let Some(value) = point.value.filter(|value| value.is_finite()) else {
                continue;
            };
            let start = scaled(share(point.at - first, length), count).min(count - 1);
            let end = scaled(share(point.at + step - first, length), count).max(start + 1);
            for column in &mut columns[start..end] {
                *column = Some(column.map_or(value, |before: f64| before.max(value)));
            }
        }
        columns
    }
}

/// How much of `most` something is, 0 to 1.
fn share(value: f64, most: f64) -> f64 {
    match most > 0.0 {
        true => (value / most).clamp(0.0, 1.0),
        false => 0.0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of at most 1 times a width"
)]
fn scaled(share: f64, whole: usize) -> usize {
    (share * whole as f64).round() as usize
}

/// How full a cell is, in eighths, `row` cells above the ground. What is not nothing shows.
fn eighths(share: f64, row: usize) -> usize {
    let full = scaled(share, 8 * HEIGHT).max(usize::from(share > 0.0));
    full.saturating_sub(8 * row).min(8)
}

fn label(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true => grouped(&format!("{value:.0}")),
        false => format!("{value:.3}"),
    }
}

fn names(schema: &SchemaRef) -> String {
    let names = schema
        .fields()
        .iter()
        .map(|field| format!("`{}`", field.name()));
    names.collect::<Vec<_>>().join(", ")
}

fn numbers(name: &str, array: &ArrayRef) -> Result<Float64Array, Error> {
    let numbers = cast(array, &DataType::Float64).map_err(|source| Error::Cell {
        column: name.to_owned(),
        source,
    })?;
    Ok(numbers.as_primitive::<Float64Type>().clone())
}

/// Times and numbers lie where they are; anything else one after the other.
fn places(array: &ArrayRef) -> Option<Float64Array> {
    let data_type = array.data_type();
    let exact = match data_type {
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            cast(&cast(array, &micros).ok()?, &DataType::Int64).ok()?
        }
        DataType::Date32 => cast(&cast(array, &DataType::Int32).ok()?, &DataType::Int64).ok()?,
        _ if data_type.is_numeric() => array.clone(),
        _ => return None,
    };
    let places = cast(&exact, &DataType::Float64).ok()?;
    Some(places.as_primitive::<Float64Type>().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    const NARROW: Style = Style {
        width: 40,
        color: false,
    };

    #[track_caller]
    fn check(x: ArrayRef, y: ArrayRef, expected: &str) {
        let batch = RecordBatch::try_from_iter([("x", x), ("n", y)]).unwrap();
        let options = DrawingOptions::default();
        let mut drawing = Drawing::new(&batch.schema(), &options, Tz::UTC, NARROW).unwrap();
        drawing.rows(&batch).unwrap();
        assert_eq!(drawing.draw(), expected);
    }

    #[test]
    fn a_row_is_a_bar() {
        let names = StringArray::from(vec!["/", "/a\u{1b}[2J", "none"]);
        let counts = Int64Array::from(vec![Some(1200), Some(1), None]);
        check(
            Arc::new(names),
            Arc::new(counts),
            "  n by x\n  /          1,200  ████████████████████\n  /a\\x1B[2J      1  ▏\n  none           ∅  \n",
        );
    }

    #[test]
    fn times_are_a_line() {
        let hour = 3_600_000_000;
        let times: Vec<i64> = (0..33).map(|index| index * hour).collect();
        let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
        let counts: Int64Array = (0..33).map(|index| Some(index % 12)).collect();
        check(
            Arc::new(times),
            Arc::new(counts),
            concat!(
                "  n by x\n",
                "  11 ┤           █           █\n",
                "     ┤          ▇█          ▇█\n",
                "     ┤         ▇██         ▇██\n",
                "     ┤        ▆███        ▆███        ▆\n",
                "     ┤       ▅████       ▅████       ▅█\n",
                "     ┤      ▄█████      ▄█████      ▄██\n",
                "     ┤     ▄██████     ▄██████     ▄███\n",
                "     ┤    ▃███████    ▃███████    ▃████\n",
                "     ┤   ▂████████   ▂████████   ▂█████\n",
                "     ┤  ▁█████████  ▁█████████  ▁██████\n",
                "     ┤ ▁██████████ ▁██████████ ▁███████\n",
                "   0 ┤ ███████████ ███████████ ████████\n",
                "      1970-01-01 00:00:00+00:00  1970-01-02 08:00:00+00:00\n",
            ),
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let batch = RecordBatch::try_from_iter([("x", texts)]).unwrap();
        let new = |options| Drawing::new(&batch.schema(), &options, Tz::UTC, NARROW);
        let refused = new(DrawingOptions::default()).unwrap_err().to_string();
        assert!(
            refused.starts_with("expected a column with numbers, found `x`"),
            "{refused}"
        );
        let y = Some("n".to_owned());
        let refused = new(DrawingOptions {
            y,
            ..Default::default()
        })
        .unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("expected a column `n`, found `x`")
        );
    }
}

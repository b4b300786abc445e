//! What a query shows that takes part in the report by its header: rows of whatever columns it has, drawn by the names of these.

use chrono::NaiveDate;
use chrono_tz::Tz;
use floodmark_query::{Chart, ChartKind, NamedQuery};
use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::text::{bytes, count, percent};
use crate::time::TimeUs;

/// The sections that every report has, where panels stand at the end; other sections follow in the order of their first panels,
/// before the last of these.
pub(crate) const UPTIME: &str = "Uptime";
pub(crate) const INCIDENTS: &str = "Incidents";
pub(crate) const ERROR_SPIKES: &str = "Error spikes";
pub(crate) const WHO_CAME: &str = "Who came";
pub(crate) const TRAFFIC: &str = "Traffic";
pub(crate) const SMALL_PRINT: &str = "Small print";

/// The answer of a query whose header has `report:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Name of its file.
    pub name: String,
    /// The section it stands in; panels of one section follow each other.
    pub section: String,
    /// A few words.
    pub title: String,
    /// What it answers.
    pub question: String,
    /// How it is drawn, if more than as a table.
    pub chart: Option<Chart>,
    /// Names of its columns; they say how values are shown, by their endings.
    pub columns: Vec<String>,
    /// A value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Why there are no rows; `None` if there are.
    pub none: Option<String>,
    /// Whether that is because the query failed.
    pub failed: bool,
}

/// A cell of a panel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names are the definition")]
pub enum Value {
    Null,
    Text(String),
    Int(i64),
    /// Never infinite, nor what is no number.
    Float(f64),
    Flag(bool),
    Time(TimeUs),
    #[serde(serialize_with = "day_name")]
    Day(NaiveDate),
}

fn day_name<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// What a column's numbers are, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `status`: three digits.
    Status,
    /// `…_s`: seconds.
    Seconds,
    /// `share`, `…_share`, `rate`: 0 to 1, shown as a percentage.
    Share,
    /// `bytes`, `…_bytes`.
    Bytes,
    /// `errors`, `bad`: a count that should be 0.
    Bad,
    /// Any other.
    Count,
}

impl Unit {
    pub(crate) fn of(column: &str) -> Self {
        match column {
            "status" => Self::Status,
            "errors" | "bad" => Self::Bad,
            "rate" => Self::Share,
            column if column == "share" || column.ends_with("_share") => Self::Share,
            column if column == "bytes" || column.ends_with("_bytes") => Self::Bytes,
            column if column.ends_with("_s") => Self::Seconds,
            _ => Self::Count,
        }
    }

    /// A number in this unit, as people read it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a status, bytes and counts are whole; a fraction of one is cut off"
    )]
    pub(crate) fn show(self, number: f64) -> String {
        match self {
            Self::Status => format!("{number:03}"),
            Self::Seconds => format!("{number:.3} s"),
            Self::Share if number < 0.0 => format!("−{}", percent(-number)),
            Self::Share => percent(number),
            Self::Bytes => bytes(number as i64),
            Self::Bad | Self::Count if number.fract() == 0.0 => count(number as i64),
            Self::Bad | Self::Count => format!("{number:.3}"),
        }
    }
}

impl Value {
    /// The number that it is, if it is one.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture, or a size of at most three digits"
    )]
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// As people read it in the report's zone, not yet escaped; `None` of NULL.
    pub(crate) fn show(&self, unit: Unit, tz: Tz) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) => text.clone(),
            Self::Int(number) if matches!(unit, Unit::Bad | Unit::Count) => count(*number),
            Self::Int(number) if unit == Unit::Bytes => bytes(*number),
            Self::Int(_) | Self::Float(_) => unit.show(self.number()?),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Time(time) => time.minute(tz),
            Self::Day(day) => day.format("%a %Y-%m-%d").to_string(),
        })
    }
}

impl Panel {
    /// A panel without rows yet.
    pub(crate) fn new(query: &NamedQuery, section: &str) -> Self {
        Self {
            name: query.name.clone(),
            section: section.to_owned(),
            title: query.title.clone(),
            question: query.question.clone(),
            chart: query.chart.clone(),
            columns: Vec::new(),
            rows: Vec::new(),
            none: None,
            failed: false,
        }
    }

    /// Whether it stands in a section that every report has.
    pub(crate) fn is_placed(&self) -> bool {
        let placed = [
            UPTIME,
            INCIDENTS,
            ERROR_SPIKES,
            WHO_CAME,
            TRAFFIC,
            SMALL_PRINT,
        ];
        placed.contains(&self.section.as_str())
    }

    /// Whether the numbers of a column are to be under each other.
    pub(crate) fn is_number(&self, column: usize) -> bool {
        let values = self.rows.iter().filter_map(|row| row.get(column));
        let mut values = values.filter(|value| **value != Value::Null).peekable();
        let unit = Unit::of(self.columns.get(column).map_or("", String::as_str));
        match values.peek() {
            Some(_) => values.all(|value| value.number().is_some()) && unit != Unit::Status,
            None => unit != Unit::Count && unit != Unit::Status,
        }
    }

    /// A column's name as a heading: without its unit, which its values show.
    pub(crate) fn heading(column: &str) -> String {
        let name = column.strip_suffix("_s").unwrap_or(column);
        name.strip_suffix("_share")
            .unwrap_or(name)
            .replace('_', " ")
    }

    /// Where a column stands.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// Where the columns of its chart stand, `x` first, if it is of that kind and they are there.
    pub(crate) fn charted(&self, kind: ChartKind) -> Option<Vec<usize>> {
        let chart = self.chart.as_ref().filter(|chart| chart.kind == kind)?;
        let names = [&chart.x].into_iter().chain(&chart.y).chain(&chart.z);
        names.map(|name| self.column(name)).collect()
    }
}

/// An object whose rows are objects too, under the names of the columns.
impl Serialize for Panel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut panel = serializer.serialize_struct("Panel", 7)?;
        panel.serialize_field("name", &self.name)?;
        panel.serialize_field("section", &self.section)?;
        panel.serialize_field("title", &self.title)?;
        panel.serialize_field("question", &self.question)?;
        panel.serialize_field("rows", &Rows(self))?;
        panel.serialize_field("none", &self.none)?;
        panel.serialize_field("failed", &self.failed)?;
        panel.end()
    }
}

struct Rows<'panel>(&'panel Panel);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(panel) = self;
        let mut rows = serializer.serialize_seq(Some(panel.rows.len()))?;
        for row in &panel.rows {
            rows.serialize_element(&Object(&panel.columns, row))?;
        }
        rows.end()
    }
}

struct Object<'panel>(&'panel [String], &'panel [Value]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(columns, values) = self;
        let mut object = serializer.serialize_map(Some(columns.len()))?;
        for (column, value) in columns.iter().zip(*values) {
            object.serialize_entry(column, value)?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(column: &str, value: Value, expected: &str) {
        let shown = value.show(Unit::of(column), chrono_tz::UTC);
        assert_eq!(shown.as_deref(), Some(expected), "{column}");
    }

    #[test]
    fn a_name_says_how_its_numbers_are_shown() {
        check("status", Value::Int(0), "000");
        check("took_s", Value::Float(1.5), "1.500 s");
        check("share", Value::Float(0.25), "25.0%");
        check("change_share", Value::Float(-0.251), "−25.1%");
        check("bytes", Value::Int(1_250_000), "1.2 MB");
        check("errors", Value::Int(12_000), "12,000");
        check("score", Value::Float(0.5), "0.500");
        check("score", Value::Float(1200.0), "1,200");
        check("is_ours", Value::Flag(true), "yes");
        check("last", Value::Time(TimeUs(0)), "1970-01-01 00:00");
        assert_eq!(
            ["p95_s", "change_share", "server_name", "share"].map(Panel::heading),
            ["p95", "change", "server name", "share"]
        );
    }
}

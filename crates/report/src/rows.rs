//! Asks the engine the report's named queries and reads their answers into plain rows: the one place that knows Arrow columns.

use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit};
use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use floodmark_query::{Answer, Engine, NamedQuery, Settings, named_queries};

use crate::error::Error;
use crate::model::{
    Bot, Class, Incident, IncidentKind, LineCounts, Minute, Query, Report, Spike, State, Traffic,
    Verdict, Week,
};
use crate::panel::{Panel, Value};
use crate::time::TimeUs;

/// Rows kept of a list that grows with the number of clients or paths: far more than a page shows, and at most some 200 kB.
const LISTED_MAX: usize = 1000;

/// What a report is about, beside the rows that the engine has.
#[derive(Debug, Clone)]
pub struct Options {
    /// Window, target and zone, handed to every query.
    pub settings: Settings,
    /// The logs or the lake, as they are to be named.
    pub source_names: Vec<String>,
    /// What became of the lines, where logs were read.
    pub lines: Option<LineCounts>,
    /// Remarks on the data to be shown in the small print.
    pub notes: Vec<String>,
    /// Queries of one's own; those whose header has `report:` take part.
    pub own_queries: Vec<NamedQuery>,
    /// Version of Floodmark.
    pub version: &'static str,
}

/// Asks every query of the report over its window.
///
/// # Errors
///
/// A query of Floodmark's that fails, or whose columns or values are not those that the report reads. One's own that fails is a
/// panel that says so, so that there is a report in the morning.
pub async fn build(engine: &Engine, options: &Options) -> Result<Report, Error> {
    let settings = &options.settings;
    let mut queries = Vec::new();
    let mut ask = async |query: &'static str| {
        let answer = engine
            .query(query, settings)
            .await
            .map_err(|source| Error::Query {
                query: query.to_owned(),
                source,
            })?;
        queries.push(Query {
            name: query.to_owned(),
            sql: answer.sql.clone(),
        });
        Ok::<Answer, Error>(answer)
    };
    let weeks = read(&ask("uptime").await?, "uptime", usize::MAX, week)?;
    let minutes = read(&ask("minutes").await?, "minutes", usize::MAX, minute)?;
    let incidents = read(&ask("incidents").await?, "incidents", usize::MAX, incident)?;
    let spikes = read(
        &ask("error_spikes").await?,
        "error_spikes",
        usize::MAX,
        spike,
    )?;
    let classes = read(&ask("classes").await?, "classes", usize::MAX, class)?;
    let bots = read(&ask("bots").await?, "bots", LISTED_MAX, bot)?;
    let traffic = read(&ask("traffic").await?, "traffic", usize::MAX, |row| {
        day(row, settings.tz)
    })?;
    let mut panels = Vec::new();
    for (query, origin) in named_queries()
        .iter()
        .map(|query| (query, Origin::Shipped))
        .chain(options.own_queries.iter().map(|query| (query, Origin::Own)))
    {
        let Some(section) = &query.report else {
            continue;
        };
        let (panel, sql) = panel(engine, query, section, settings, origin).await?;
        queries.push(Query {
            name: query.name.clone(),
            sql,
        });
        panels.push(panel);
    }
    Ok(Report {
        version: options.version.to_owned(),
        since: TimeUs(settings.since_us),
        until: TimeUs(settings.until_us),
        tz: settings.tz,
        target: settings.target,
        sources: options.source_names.clone(),
        lines: options.lines,
        notes: options.notes.clone(),
        weeks,
        incidents,
        spikes,
        classes,
        bots,
        traffic,
        panels,
        minutes,
        queries,
    })
}

fn week(row: &Row<'_>) -> Result<Week, Error> {
    Ok(Week {
        week: row.text("week")?,
        start: row.time("start")?,
        end: row.time("end")?,
        verdict: row.word("verdict", "PASS, FAIL or UNDETERMINED", Verdict::parse)?,
        uptime: row.float_or_null("uptime")?,
        lower: row.float_or_null("lower")?,
        upper: row.float_or_null("upper")?,
        coverage: row.float("coverage")?,
        judged_share: row.float("judged_share")?,
        up: row.int("up")?,
        degraded: row.int("degraded")?,
        down: row.int("down")?,
        suspect: row.int("suspect")?,
        idle: row.int("idle")?,
        maint: row.int("maint")?,
        uncovered: row.int("uncovered")?,
        unseen: row.int("unseen")?,
        request_ratio: row.float_or_null("request_ratio")?,
        request_ratio_people: row.float_or_null("request_ratio_people")?,
    })
}

fn minute(row: &Row<'_>) -> Result<Minute, Error> {
    Ok(Minute {
        start: row.time("minute")?,
        state: row.word("state", "a minute state", State::parse)?,
        requests: row.sum("requests")?,
        good: row.sum("good")?,
        bad: row.sum("bad")?,
    })
}

fn incident(row: &Row<'_>) -> Result<Incident, Error> {
    Ok(Incident {
        start: row.time("start")?,
        end: row.time("end")?,
        kind: row.word("kind", "outage, degraded or gap", IncidentKind::parse)?,
        minutes: row.int("minutes")?,
        requests: row.sum("requests")?,
        bad: row.sum("bad")?,
        evidence: row.text_or_null("evidence")?.unwrap_or_default(),
    })
}

fn spike(row: &Row<'_>) -> Result<Spike, Error> {
    Ok(Spike {
        start: row.time("start")?,
        end: row.time("end")?,
        server_name: row.text_or_null("server_name")?,
        path: row.text_or_null("path")?,
        requests: row.int("requests")?,
        bad: row.sum("bad")?,
        rate: row.float("rate")?,
        baseline: row.float("baseline")?,
        single_client: row.flag("single_client")?,
        top_client: row.text_or_null("top_client")?,
        top_status: row.int_or_null("top_status")?,
    })
}

fn class(row: &Row<'_>) -> Result<Class, Error> {
    Ok(Class {
        class: row.text("class")?,
        clients: row.int("clients")?,
        requests: row.int("requests")?,
        share: row.float("share")?,
        bytes: row.sum("bytes")?,
        bad: row.sum("bad")?,
    })
}

fn bot(row: &Row<'_>) -> Result<Bot, Error> {
    Ok(Bot {
        client: row.text_or_null("client")?,
        http_user_agent: row.text_or_null("http_user_agent")?,
        class: row.text("class")?,
        rule: row.text_or_null("rule")?.unwrap_or_default(),
        requests: row.int("requests")?,
        bad: row.sum("bad")?,
        first: row.time("first")?,
        last: row.time("last")?,
    })
}

fn day(row: &Row<'_>, tz: Tz) -> Result<Traffic, Error> {
    Ok(Traffic {
        day: row.day("day", tz)?,
        requests: row.int("requests")?,
        people: row.int("people")?,
        bots: row.int("bots")?,
        declared: row.int("declared")?,
        fake: row.int("fake")?,
        scanner: row.int("scanner")?,
        flood: row.int("flood")?,
        robotic: row.int("robotic")?,
        package_client: row.int("package_client")?,
        visitors: row.int("visitors")?,
        bytes: row.sum("bytes")?,
        errors: row.sum("errors")?,
    })
}

/// Whose query it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Shipped,
    Own,
}

/// The panel of a query, and its statement.
async fn panel(
    engine: &Engine,
    query: &NamedQuery,
    section: &str,
    settings: &Settings,
    origin: Origin,
) -> Result<(Panel, String), Error> {
    let mut panel = Panel::new(query, section);
    let failed = |source| Error::Query {
        query: query.name.clone(),
        source,
    };
    match engine.ask(query, settings).await {
        Ok(answer) => {
            let fields = answer.schema.fields().iter();
            panel.columns = fields.map(|field| field.name().clone()).collect();
            panel.rows = read(&answer, &query.name, LISTED_MAX, |row| Ok(row.values()))?;
        }
        Err(floodmark_query::Error::NotLogged { .. }) => panel.none = Some(not_logged(query)),
        Err(error) if origin == Origin::Own => {
            panel.none = Some(error.to_string().replace("\nhint: ", "; "));
            panel.failed = true;
        }
        Err(error) => return Err(failed(error)),
    }
    if panel.rows.is_empty() {
        panel.none.get_or_insert_with(|| nothing(query));
    }
    let statement = query
        .statement(settings)
        .unwrap_or_else(|_| query.sql.clone());
    Ok((panel, statement))
}

/// What it means that a query has no rows.
fn nothing(query: &NamedQuery) -> String {
    match &query.none {
        Some(none) => none.clone(),
        None if query.needs.is_empty() => "None.".to_owned(),
        None => not_logged(query),
    }
}

/// What to do so that a query has rows.
fn not_logged(query: &NamedQuery) -> String {
    let variables = query.needs.iter().map(|variable| format!("`${variable}`"));
    let variables = variables.collect::<Vec<_>>().join(" and ");
    format!("No request of this window has {variables}: add it to `log_format` in nginx.conf.")
}

/// At most `rows_max` rows of an answer.
fn read<T>(
    answer: &Answer,
    query: &str,
    rows_max: usize,
    from_row: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    for batch in &answer.batches {
        let batch = Batch::new(query, batch)?;
        for index in 0..batch.rows {
            if rows.len() == rows_max {
                return Ok(rows);
            }
            rows.push(from_row(&Row {
                batch: &batch,
                index,
            })?);
        }
    }
    Ok(rows)
}

/// A batch with its columns cast, once, to the few types that rows are read from.
struct Batch {
    query: String,
    rows: usize,
    columns: Vec<(String, Column)>,
}

enum Column {
    Text(StringArray),
    Int(Int64Array),
    Float(Float64Array),
    Flag(BooleanArray),
    /// Microseconds UTC.
    Time(Int64Array),
    Day(arrow::array::Date32Array),
}

impl Batch {
    fn new(query: &str, batch: &RecordBatch) -> Result<Self, Error> {
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| {
                let to = |data_type: &DataType| {
                    cast(array, data_type).map_err(|source| Error::Cell {
                        column: field.name().clone(),
                        source,
                    })
                };
                let column = match array.data_type() {
                    DataType::Boolean => Column::Flag(array.as_boolean().clone()),
                    DataType::Date32 | DataType::Date64 => {
                        Column::Day(to(&DataType::Date32)?.as_primitive::<Date32Type>().clone())
                    }
                    DataType::Timestamp(_, zone) => {
                        let times = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
                        let times =
                            cast(&times, &DataType::Int64).map_err(|source| Error::Cell {
                                column: field.name().clone(),
                                source,
                            })?;
                        Column::Time(times.as_primitive::<Int64Type>().clone())
                    }
                    number
                        if number.is_integer() || matches!(number, DataType::Decimal128(_, 0)) =>
                    {
                        Column::Int(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
                    }
                    number if number.is_numeric() => Column::Float(
                        to(&DataType::Float64)?
                            .as_primitive::<Float64Type>()
                            .clone(),
                    ),
                    // A column of nothing but NULL has no type of its own; as text it is NULL in every row, whatever is read.
                    _ => Column::Text(to(&DataType::Utf8)?.as_string::<i32>().clone()),
                };
                Ok((field.name().clone(), column))
            });
        Ok(Self {
            query: query.to_owned(),
            rows: batch.num_rows(),
            columns: columns.collect::<Result<_, Error>>()?,
        })
    }
}

/// One row of a batch.
struct Row<'batch> {
    batch: &'batch Batch,
    index: usize,
}

impl Row<'_> {
    fn column(&self, name: &'static str) -> Result<&Column, Error> {
        match self.batch.columns.iter().find(|(column, _)| column == name) {
            Some((_, column)) => Ok(column),
            None => {
                let found: Vec<String> = self
                    .batch
                    .columns
                    .iter()
                    .map(|(column, _)| format!("`{column}`"))
                    .collect();
                Err(Error::Column {
                    query: self.batch.query.clone(),
                    column: name,
                    found: found.join(", "),
                })
            }
        }
    }

    /// The values of all columns.
    fn values(&self) -> Vec<Value> {
        let columns = self.batch.columns.iter();
        columns
            .map(|(_, column)| column.value(self.index))
            .collect()
    }

    fn wrong(
        &self,
        column: &'static str,
        expected: &'static str,
        found: impl Into<String>,
    ) -> Error {
        Error::Value {
            query: self.batch.query.clone(),
            column,
            row: self.index + 1,
            expected,
            found: found.into(),
        }
    }

    fn need<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        value: Option<T>,
    ) -> Result<T, Error> {
        value.ok_or_else(|| self.wrong(name, expected, "NULL"))
    }

    fn text_or_null(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.column(name)? {
            Column::Text(array) => Ok(array
                .is_valid(self.index)
                .then(|| array.value(self.index).to_owned())),
            other => Err(self.wrong(name, "text", other.kind())),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, Error> {
        self.text_or_null(name)
            .and_then(|value| self.need(name, "text", value))
    }

    /// A word of a fixed set.
    fn word<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let text = self.text(name)?;
        parse(&text).ok_or_else(|| self.wrong(name, expected, text))
    }

    fn int_or_null(&self, name: &'static str) -> Result<Option<i64>, Error> {
        match self.column(name)? {
            Column::Int(array) => Ok(array.is_valid(self.index).then(|| array.value(self.index))),
            Column::Text(array) if array.is_null(self.index) => Ok(None),
            other => Err(self.wrong(name, "a whole number", other.kind())),
        }
    }

    fn int(&self, name: &'static str) -> Result<i64, Error> {
        self.int_or_null(name)
            .and_then(|value| self.need(name, "a whole number", value))
    }

    /// A sum, which SQL makes NULL where there was nothing to add up.
    fn sum(&self, name: &'static str) -> Result<i64, Error> {
        self.int_or_null(name).map(Option::unwrap_or_default)
    }

    /// NaN is read as missing: it is what a division of nothing by nothing gives.
    fn float_or_null(&self, name: &'static str) -> Result<Option<f64>, Error> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a share or a number of seconds is far below 2^53"
        )]
        match self.column(name)? {
            Column::Float(array) => Ok(array
                .is_valid(self.index)
                .then(|| array.value(self.index))
                .filter(|value| value.is_finite())),
            Column::Int(array) => Ok(array
                .is_valid(self.index)
                .then(|| array.value(self.index) as f64)),
            Column::Text(array) if array.is_null(self.index) => Ok(None),
            other => Err(self.wrong(name, "a number", other.kind())),
        }
    }

    fn float(&self, name: &'static str) -> Result<f64, Error> {
        self.float_or_null(name)
            .and_then(|value| self.need(name, "a number", value))
    }

    fn flag(&self, name: &'static str) -> Result<bool, Error> {
        match self.column(name)? {
            Column::Flag(array) => self.need(
                name,
                "true or false",
                array.is_valid(self.index).then(|| array.value(self.index)),
            ),
            other => Err(self.wrong(name, "true or false", other.kind())),
        }
    }

    fn time(&self, name: &'static str) -> Result<TimeUs, Error> {
        match self.column(name)? {
            Column::Time(array) => self.need(
                name,
                "a time",
                array
                    .is_valid(self.index)
                    .then(|| TimeUs(array.value(self.index))),
            ),
            other => Err(self.wrong(name, "a time", other.kind())),
        }
    }

    /// A date as it is, or the day in `tz` of a moment.
    fn day(&self, name: &'static str, tz: Tz) -> Result<NaiveDate, Error> {
        match self.column(name)? {
            Column::Day(array) if array.is_valid(self.index) => {
                self.need(name, "a day", day_of(array.value(self.index)))
            }
            _ => self.time(name).map(|time| time.day(tz)),
        }
    }
}

/// A day by its number, 1970-01-01 being 0.
fn day_of(number: i32) -> Option<NaiveDate> {
    let time = DateTime::from_timestamp(i64::from(number) * 86_400, 0)?;
    Some(time.date_naive())
}

impl Column {
    fn value(&self, index: usize) -> Value {
        match self {
            Self::Text(array) if array.is_valid(index) => {
                Value::Text(array.value(index).to_owned())
            }
            Self::Int(array) if array.is_valid(index) => Value::Int(array.value(index)),
            Self::Float(array) if array.is_valid(index) && array.value(index).is_finite() => {
                Value::Float(array.value(index))
            }
            Self::Flag(array) if array.is_valid(index) => Value::Flag(array.value(index)),
            Self::Time(array) if array.is_valid(index) => Value::Time(TimeUs(array.value(index))),
            Self::Day(array) if array.is_valid(index) => {
                day_of(array.value(index)).map_or(Value::Null, Value::Day)
            }
            _ => Value::Null,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "whole numbers",
            Self::Float(_) => "numbers",
            Self::Flag(_) => "true and false",
            Self::Time(_) => "times",
            Self::Day(_) => "days",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int16Array,
        NullArray, StringViewArray, TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn answer(columns: Vec<(&str, ArrayRef)>) -> Answer {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Answer {
            schema: batch.schema(),
            batches: vec![batch],
            sql: String::new(),
        }
    }

    fn classes() -> Vec<(&'static str, ArrayRef)> {
        let classes: DictionaryArray<Int32Type> = vec!["probe", "human"].into_iter().collect();
        vec![
            ("class", Arc::new(classes)),
            ("clients", Arc::new(Int16Array::from(vec![7, 1]))),
            ("requests", Arc::new(UInt64Array::from(vec![7, 1]))),
            ("share", Arc::new(Float64Array::from(vec![0.875, 0.125]))),
            (
                "bytes",
                Arc::new(
                    Decimal128Array::from(vec![900, 0])
                        .with_precision_and_scale(20, 0)
                        .unwrap(),
                ),
            ),
            ("bad", Arc::new(Int16Array::from(vec![Some(2), None]))),
        ]
    }

    #[track_caller]
    fn fails(columns: Vec<(&str, ArrayRef)>, expected: &str) {
        assert_eq!(
            read(&answer(columns), "classes", 9, class)
                .unwrap_err()
                .to_string(),
            expected
        );
    }

    #[test]
    fn numbers_of_any_width_and_text_in_a_dictionary_are_read() {
        let rows = read(&answer(classes()), "classes", 9, class).unwrap();
        assert_eq!(
            rows[0],
            Class {
                class: "probe".to_owned(),
                clients: 7,
                requests: 7,
                share: 0.875,
                bytes: 900,
                bad: 2
            }
        );
        assert_eq!((rows[1].class.as_str(), rows[1].bad), ("human", 0));
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_list_is_read_up_to_its_bound() {
        let rows = read(&answer(classes()), "classes", 1, class).unwrap();
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn a_panel_has_whatever_columns_there_are() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "agent",
                Arc::new(StringViewArray::from(vec![Some("a"), None])),
            ),
            ("nothing", Arc::new(NullArray::new(2))),
            ("share", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
            ("requests", Arc::new(UInt64Array::from(vec![2, 1]))),
            ("day", Arc::new(Date32Array::from(vec![20_775, 0]))),
        ];
        let rows = read(&answer(columns), "own", 9, |row| Ok(row.values())).unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 11, 18).unwrap();
        assert_eq!(
            rows[0],
            [
                Value::Text("a".to_owned()),
                Value::Null,
                Value::Float(0.5),
                Value::Int(2),
                Value::Day(day)
            ]
        );
        assert_eq!(rows[1][..3], [Value::Null, Value::Null, Value::Null]);
    }

    #[test]
    fn a_query_without_rows_says_what_that_means() {
        let query = |header: &str| {
            let text = format!("-- title: Own\n-- question: What?\n{header}SELECT 1;\n");
            NamedQuery::parse("own", &text).unwrap()
        };
        assert_eq!(nothing(&query("")), "None.");
        let secure = query("-- needs: ssl_protocol\n-- none: All is well.\n");
        assert_eq!(nothing(&secure), "All is well.");
        assert_eq!(
            not_logged(&secure),
            "No request of this window has `$ssl_protocol`: add it to `log_format` in nginx.conf."
        );
    }

    #[test]
    fn days_of_two_kinds_are_read() {
        let read_day = |column: ArrayRef| {
            read(&answer(vec![("day", column)]), "traffic", 9, |row| {
                row.day("day", chrono_tz::Europe::Berlin)
            })
        };
        let expected = NaiveDate::from_ymd_opt(2026, 11, 18).unwrap();
        assert_eq!(
            read_day(Arc::new(Date32Array::from(vec![20_775]))).unwrap(),
            [expected]
        );
        // 2026-11-17 23:00 UTC is midnight in Berlin.
        let midnight =
            TimestampNanosecondArray::from(vec![1_794_956_400_000_000_000]).with_timezone("UTC");
        assert_eq!(read_day(Arc::new(midnight)).unwrap(), [expected]);
    }

    #[test]
    fn a_changed_query_is_named_with_what_it_lacks() {
        let mut columns = classes();
        columns.remove(2);
        fails(
            columns,
            "query `classes`: expected a column `requests`, found `class`, `clients`, `share`, `bytes`, `bad`\nhint: the query's file was changed; the report needs its columns as they were",
        );
        let mut columns = classes();
        columns[3].1 = Arc::new(StringViewArray::from(vec!["most", "few"]));
        fails(
            columns,
            "query `classes`: column `share`, row 1: expected a number, found `text`",
        );
        let mut columns = classes();
        columns[3].1 = Arc::new(Float64Array::from(vec![Some(1.0), None]));
        fails(
            columns,
            "query `classes`: column `share`, row 2: expected a number, found `NULL`",
        );
    }
}

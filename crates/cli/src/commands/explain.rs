//! `floodmark query error_spikes --explain N`: one spike as a story, with the commands that give each of its numbers.

use std::borrow::Cow;

use anyhow::{Result, bail};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use floodmark_query::{Answer, Engine, Settings};
use floodmark_report::escape_control;

use crate::out;
use crate::say::counted;

/// The query whose rows can be told.
pub(crate) const EXPLAINED: &str = "error_spikes";

/// Lines of the log that are shown.
const SAMPLES: usize = 5;

pub(crate) async fn explain(
    engine: &Engine,
    query: &str,
    number: usize,
    settings: &Settings,
) -> Result<()> {
    if query != EXPLAINED {
        bail!("`--explain`: expected the query `{EXPLAINED}`, found `{query}`");
    }
    let spikes = engine.query(EXPLAINED, settings).await?;
    let rows = rows(&spikes)?;
    let Some(spike) = number.checked_sub(1).and_then(|at| rows.get(at)) else {
        bail!(
            "`--explain`: expected one of {}, found `{number}`\nhint: `floodmark query {EXPLAINED}` lists them, the first is 1",
            counted(rows.len() as u64, "spike")
        );
    };
    let mut of_causes = settings.clone();
    of_causes
        .parameters
        .insert("spike".to_owned(), number.to_string());
    let causes = engine.query("spike_causes", &of_causes).await?;
    let samples = engine.sql(&samples(spike)).await?;
    out::print(&format!(
        "{}{}{}{}",
        what(spike),
        why(&self::rows(&causes)?),
        lines(&self::rows(&samples)?),
        commands(spike, number)
    ))
}

/// A row by its columns' names; NULL is an empty text.
struct Row(Vec<(String, String)>);

impl Row {
    /// The value as it stands in the log.
    fn raw(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(column, _)| column == name);
        found.map_or("", |(_, value)| value)
    }

    /// The value, safe to print.
    fn get(&self, name: &str) -> Cow<'_, str> {
        escape_control(self.raw(name))
    }

    fn number(&self, name: &str) -> f64 {
        self.raw(name).parse().unwrap_or(0.0)
    }

    fn percent(&self, name: &str) -> String {
        format!("{:.1} %", 100.0 * self.number(name))
    }
}

fn rows(answer: &Answer) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for batch in &answer.batches {
        rows.extend(rows_of(batch)?);
    }
    Ok(rows)
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<Row>> {
    let options = FormatOptions::default().with_null("");
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| {
            Ok((
                field.name().clone(),
                ArrayFormatter::try_new(column, &options)?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let row = |at| {
        let values = columns
            .iter()
            .map(|(name, column)| (name.clone(), column.value(at).to_string()));
        Row(values.collect())
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// When, what and how sure.
fn what(spike: &Row) -> String {
    let site = match spike.get("server_name") {
        name if name.is_empty() => "the site".into(),
        name => name,
    };
    let place = match spike.get("path") {
        path if path.is_empty() => format!("{site}, all paths"),
        path => format!("{path} of {site}"),
    };
    let shape = match spike.raw("shape") {
        "client" => "One client made more than 80 % of the errors: its trouble, not the site's.",
        "deploy" => "One path has the errors, as after a change of it; the others went on.",
        _ => "All paths have errors, as in an outage.",
    };
    format!(
        "WHEN  {} to {}\nWHERE {place}\nWHAT  {} of {} requests failed, {}, most with {}. {shape}\nSURE  up to {} was normal before; a spike opens only where chance would do so once in a million windows. That was clear at {}.\n",
        spike.get("start"),
        spike.get("end"),
        spike.get("bad"),
        spike.get("requests"),
        spike.percent("rate"),
        spike.get("top_status"),
        spike.percent("baseline"),
        spike.get("opened"),
    )
}

/// What the errors have in common.
fn why(causes: &[Row]) -> String {
    if causes.is_empty() {
        return "WHY   errors had nothing in common that all requests had not\n".to_owned();
    }
    let mut text = "WHY   errors had in common, more often than all requests:\n".to_owned();
    for cause in causes {
        text += &format!(
            "      {:>5.1} times  {} {}: {} of the errors, first at {}\n",
            cause.number("lift"),
            cause.get("dimension"),
            cause.get("value"),
            cause.percent("error_share"),
            cause.get("line"),
        );
    }
    text
}

fn lines(samples: &[Row]) -> String {
    let mut text = "LINES the first of them:\n".to_owned();
    for line in samples {
        text += &format!(
            "      {}  {}  {} {} -> {}  {}\n        {}\n",
            line.get("time"),
            line.get("client"),
            line.get("request_method"),
            line.get("path"),
            line.get("status"),
            line.get("http_user_agent"),
            line.get("line"),
        );
    }
    text
}

/// The first failed requests of a spike.
fn samples(spike: &Row) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let server = match spike.raw("server_name") {
        "" => "server_name IS NULL".to_owned(),
        name => format!("server_name = {}", quoted(name)),
    };
    let path = match spike.raw("path") {
        "" => String::new(),
        path => format!(" AND path_template(path) = {}", quoted(path)),
    };
    format!(
        "SELECT time, client, request_method, path, status, http_user_agent, source || ':' || CAST(line_offset AS VARCHAR) AS line \
         FROM requests WHERE {server}{path} AND time >= '{}' AND time < '{}' \
         AND outcome(status, request_time, upstream_status) = 'bad' ORDER BY time, source, line_offset LIMIT {SAMPLES}",
        spike.get("start"),
        spike.get("end"),
    )
}

/// What to ask for each of the numbers.
fn commands(spike: &Row, number: usize) -> String {
    format!(
        "ASK   the same window, with\n      floodmark query error_spikes\n      floodmark query spike_causes --param spike={number}\n      floodmark query minutes --since {} --until {}\n      floodmark sql \"{}\"\n",
        spike.get("start"),
        spike.get("end"),
        escape_control(&samples(spike))
    )
}

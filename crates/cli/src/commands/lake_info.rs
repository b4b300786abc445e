//! `floodmark lake info`: what a lake holds.

use anyhow::Result;
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::DateTime;
use floodmark_query::Engine;
use floodmark_store::{CompactOptions, Lake, Overview, SourceRead};
use serde_json::{Value, json};

use crate::args::{InfoArgs, InfoOutput};
use crate::plan::Plan;
use crate::say::{counted, number, row};
use crate::{Outcome, out};

/// Sources that are shown one by one; a log that is rotated each day brings one a day.
const SOURCES_SHOWN_MAX: usize = 20;
/// Stretches without coverage that are shown, the longest.
const UNCOVERED_SHOWN_MAX: usize = 5;

const MINUTE_US: i64 = 60_000_000;

const BY_SOURCE: &str = "
SELECT source,
       count(*) FILTER (WHERE kind = 'request') AS requests,
       count(*) FILTER (WHERE kind = 'reject') AS rejects,
       count(*) FILTER (WHERE kind = 'gap') AS gaps,
       CAST(min(time) AS BIGINT) AS first_us, CAST(max(time) AS BIGINT) AS last_us
FROM lines GROUP BY source ORDER BY source";

/// The lines of one source.
#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    requests: u64,
    rejects: u64,
    gaps: u64,
    /// First and last time, microseconds since the epoch.
    times_us: Option<(i64, i64)>,
}

/// What is said.
struct Info<'p> {
    plan: &'p Plan,
    overview: Overview,
    sources: Vec<(SourceRead, Lines)>,
    coverage: Option<Coverage>,
}

/// Which minutes, from the first to the last, lie between the first and the last line of a source.
#[derive(Debug, PartialEq)]
struct Coverage {
    minutes: i64,
    covered: i64,
    /// Stretches of the others, in order, as starts and ends in microseconds since the epoch.
    uncovered_us: Vec<(i64, i64)>,
}

pub(crate) async fn info(plan: &Plan, lake: &Lake, args: &InfoArgs) -> Result<Outcome> {
    let overview = lake.overview(CompactOptions::default().small_bytes).await?;
    let lines = lines(plan, lake).await?;
    let of = |source: &str| {
        let found = lines.iter().find(|(name, _)| name == source);
        found.map_or_else(Lines::default, |(_, lines)| *lines)
    };
    let sources: Vec<_> = overview
        .sources
        .iter()
        .map(|read| (read.clone(), of(&read.source)))
        .collect();
    let times = sources.iter().filter_map(|(_, lines)| lines.times_us);
    let info = Info {
        plan,
        coverage: Coverage::of(times.collect()),
        overview,
        sources,
    };
    out::print(&match args.output {
        InfoOutput::Table => info.text(),
        InfoOutput::Json => format!("{:#}\n", info.json()),
    })?;
    Ok(Outcome::Done)
}

/// Counts and times of each source.
async fn lines(plan: &Plan, lake: &Lake) -> Result<Vec<(String, Lines)>> {
    let engine = Engine::over_lake(lake, &plan.engine(None)).await?;
    let answer = engine.sql(BY_SOURCE).await?;
    let mut lines = Vec::new();
    for batch in &answer.batches {
        let names = cast(batch.column(0), &DataType::Utf8)?;
        let numbers = batch.columns()[1..]
            .iter()
            .map(|column| cast(column, &DataType::Int64))
            .collect::<Result<Vec<_>, _>>()?;
        let number = |column: usize, row: usize| {
            let column = numbers[column].as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let count = |column, row| number(column, row).unwrap_or_default().unsigned_abs();
        for row in 0..batch.num_rows() {
            let of = Lines {
                requests: count(0, row),
                rejects: count(1, row),
                gaps: count(2, row),
                times_us: number(3, row).zip(number(4, row)),
            };
            lines.push((names.as_string::<i32>().value(row).to_owned(), of));
        }
    }
    Ok(lines)
}

impl Coverage {
    /// From the first and last times of sources; `None` without any.
    fn of(mut times_us: Vec<(i64, i64)>) -> Option<Self> {
        times_us.sort_unstable();
        let minute = |time_us: i64| time_us.div_euclid(MINUTE_US);
        let first = minute(times_us.first()?.0);
        let (mut end, mut uncovered) = (first, Vec::new());
        for (start_us, last_us) in times_us {
            let start = minute(start_us);
            if start > end {
                uncovered.push((end * MINUTE_US, start * MINUTE_US));
            }
            end = end.max(minute(last_us) + 1);
        }
        let missed = uncovered
            .iter()
            .map(|(start, end)| (end - start) / MINUTE_US);
        let missed: i64 = missed.sum();
        Some(Self {
            minutes: end - first,
            covered: end - first - missed,
            uncovered_us: uncovered,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "minutes of a log are few")]
    fn share(&self) -> f64 {
        self.covered as f64 / self.minutes as f64
    }
}

impl Info<'_> {
    fn sum(&self, count: impl Fn(&Lines) -> u64) -> u64 {
        self.sources.iter().map(|(_, lines)| count(lines)).sum()
    }

    fn times_us(&self) -> Option<(i64, i64)> {
        let times = self.sources.iter().filter_map(|(_, lines)| lines.times_us);
        times.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))
    }

    fn text(&self) -> String {
        let overview = &self.overview;
        let mut text = row("lake", &self.plan.lake.display().to_string());
        text += &row("version", &number(overview.version));
        let days = match &overview.first_and_last_day {
            Some((first, last)) => {
                format!(" in {}, {first} to {last}", counted(overview.days, "day"))
            }
            None => String::new(),
        };
        text += &row(
            "files",
            &format!(
                "{} of {}{days}",
                counted(overview.files, "file"),
                counted(overview.bytes, "byte"),
            ),
        );
        if overview.small_files > 0 {
            text += &row(
                "small",
                &format!(
                    "{} that `floodmark lake compact` would put together",
                    number(overview.small_files)
                ),
            );
        }
        text += &row(
            "rows",
            &format!(
                "{} = {} + {} + {}",
                number(overview.rows),
                counted(self.sum(|lines| lines.requests), "request"),
                counted(self.sum(|lines| lines.rejects), "reject"),
                counted(self.sum(|lines| lines.gaps), "gap"),
            ),
        );
        if let Some((first, last)) = self.times_us() {
            let times = format!("{} to {}", self.time(first), self.time(last));
            text += &row("time", &times);
        }
        text += &self
            .coverage
            .as_ref()
            .map_or_else(String::new, |of| self.covered(of));
        text += &row(
            "columns",
            &format!(
                "{}: {}",
                overview.columns.len(),
                overview.columns.join(", ")
            ),
        );
        if self.sources.is_empty() {
            text += &row("sources", "none: nothing was ingested yet");
        }
        for (read, lines) in self.sources.iter().take(SOURCES_SHOWN_MAX) {
            text += &self.source(read, lines);
        }
        let more = self.sources.len().saturating_sub(SOURCES_SHOWN_MAX);
        if more > 0 {
            let more = counted(more as u64, "source");
            text += &row("and", &format!("{more} more; `-o json` has all of them"));
        }
        text
    }

    fn covered(&self, coverage: &Coverage) -> String {
        let mut text = row(
            "coverage",
            &format!(
                "{:.2} % of {} from the first to the last",
                coverage.share() * 100.0,
                counted(coverage.minutes.unsigned_abs(), "minute")
            ),
        );
        let mut longest = coverage.uncovered_us.clone();
        longest.sort_by_key(|(start, end)| (start - end, *start));
        for (start, end) in longest.into_iter().take(UNCOVERED_SHOWN_MAX) {
            let minutes = ((end - start) / MINUTE_US).unsigned_abs();
            text += &row(
                "",
                &format!(
                    "no source from {} to {}, {}",
                    self.time(start),
                    self.time(end),
                    counted(minutes, "minute")
                ),
            );
        }
        text
    }

    fn source(&self, read: &SourceRead, lines: &Lines) -> String {
        let mut said = format!(
            "{}: {} read, {}, {}",
            read.source,
            counted(read.offset, "byte"),
            counted(lines.requests, "request"),
            counted(lines.rejects, "reject"),
        );
        if lines.gaps > 0 {
            said += &format!(", {}", counted(lines.gaps, "gap"));
        }
        if let Some((first, last)) = lines.times_us {
            said += &format!(", {} to {}", self.time(first), self.time(last));
        }
        let without = read
            .row_bytes
            .map(|bytes| read.offset.saturating_sub(bytes));
        if let Some(bytes) = without.filter(|bytes| *bytes > 0) {
            said += &format!(
                "; {} in no row, as blank lines and expired ones are",
                counted(bytes, "byte")
            );
        }
        row("source", &said)
    }

    /// In the zone of the run.
    fn time(&self, time_us: i64) -> String {
        let time = DateTime::from_timestamp_micros(time_us).unwrap_or_default();
        let time = time.with_timezone(&self.plan.tz);
        time.format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    fn json(&self) -> Value {
        let utc = |time_us: i64| {
            let time = DateTime::from_timestamp_micros(time_us).unwrap_or_default();
            time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
        };
        let ends = |times: Option<(i64, i64)>| {
            let (first, last) = times.unzip();
            (first.map(utc), last.map(utc))
        };
        let (first, last) = ends(self.times_us());
        let (first_day, last_day) = self.overview.first_and_last_day.clone().unzip();
        let uncovered = self.coverage.iter().flat_map(|of| &of.uncovered_us);
        let uncovered: Vec<Value> = uncovered
            .map(|(start, end)| json!({ "start": utc(*start), "end": utc(*end) }))
            .collect();
        let sources: Vec<Value> = self
            .sources
            .iter()
            .map(|(read, lines)| {
                let (first, last) = ends(lines.times_us);
                json!({
                    "source": read.source,
                    "log_set": read.log_set,
                    "offset": read.offset,
                    "row_bytes": read.row_bytes,
                    "requests": lines.requests,
                    "rejects": lines.rejects,
                    "gaps": lines.gaps,
                    "first": first,
                    "last": last,
                })
            })
            .collect();
        json!({
            "lake": self.plan.lake.display().to_string(),
            "version": self.overview.version,
            "files": self.overview.files,
            "small_files": self.overview.small_files,
            "bytes": self.overview.bytes,
            "rows": self.overview.rows,
            "requests": self.sum(|lines| lines.requests),
            "rejects": self.sum(|lines| lines.rejects),
            "gaps": self.sum(|lines| lines.gaps),
            "days": self.overview.days,
            "first_day": first_day,
            "last_day": last_day,
            "first": first,
            "last": last,
            "coverage": self.coverage.as_ref().map(Coverage::share),
            "uncovered": uncovered,
            "columns": self.overview.columns,
            "sources": sources,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(from: i64, to: i64) -> (i64, i64) {
        (from * MINUTE_US, to * MINUTE_US)
    }

    #[test]
    fn minutes_between_sources_are_not_covered() {
        let coverage = Coverage::of(vec![minutes(20, 29), minutes(0, 9), minutes(5, 7)]).unwrap();
        assert_eq!(
            coverage,
            Coverage {
                minutes: 30,
                covered: 20,
                uncovered_us: vec![minutes(10, 20)],
            }
        );
        assert_eq!(Coverage::of(Vec::new()), None);
    }

    #[test]
    fn a_rotation_within_a_minute_leaves_no_hole() {
        let coverage = Coverage::of(vec![
            (0, 3 * MINUTE_US - 1_000_000),
            (3 * MINUTE_US + 2_000_000, 4 * MINUTE_US),
        ]);
        assert_eq!(coverage.unwrap().uncovered_us, []);
    }
}

//! `floodmark lake info`: what a lake holds.

use std::collections::BTreeMap;

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
use crate::say::{counted, moment, number, row};
use crate::{Outcome, out};

/// Sources that are shown one by one; a log that is rotated each day brings one a day.
const SOURCES_SHOWN_MAX: usize = 20;
/// Gaps that are shown one by one, the last.
const GAPS_SHOWN_MAX: usize = 10;
/// Stretches without coverage that are shown, the longest.
const UNCOVERED_SHOWN_MAX: usize = 5;

const MINUTE_US: i64 = 60_000_000;

const BY_SOURCE: &str = "
SELECT source,
       count(*) FILTER (WHERE kind = 'request') AS requests,
       count(*) FILTER (WHERE kind = 'reject') AS rejects,
       count(*) FILTER (WHERE kind = 'gap') AS gaps,
       CAST(min(time) FILTER (WHERE kind <> 'gap') AS BIGINT) AS first_us, CAST(max(time) FILTER (WHERE kind <> 'gap') AS BIGINT) AS last_us
FROM lines GROUP BY source ORDER BY source";

const GAPS: &str = "
SELECT source, line_offset, CAST(time AS BIGINT) AS since_us, CAST(coalesce(until, time) AS BIGINT) AS until_us
FROM gaps ORDER BY time, source, line_offset";

const SEEN: &str = "
SELECT source, CAST(seen AS BIGINT) AS seen_us FROM sources WHERE seen IS NOT NULL";

/// The lines of one source.
#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    requests: u64,
    rejects: u64,
    gaps: u64,
    /// First and last time, microseconds since the epoch.
    times_us: Option<(i64, i64)>,
}

/// What is lost of a source after an offset.
#[derive(Debug, Clone)]
struct Lost {
    source: String,
    offset: u64,
    /// From when to when, microseconds since the epoch.
    times_us: (i64, i64),
}

/// What is said.
struct Info<'p> {
    plan: &'p Plan,
    overview: Overview,
    sources: Vec<(SourceRead, Lines)>,
    gaps: Vec<Lost>,
    /// Until when each log that is followed was looked at, by a source of it.
    seen_us: BTreeMap<String, i64>,
    coverage: Option<Coverage>,
}

/// Which minutes, from the first to the last, lie between the first and the last line of a source, or between that and the last look
/// at its log, and in no gap.
#[derive(Debug, PartialEq)]
struct Coverage {
    minutes: i64,
    covered: i64,
    /// Stretches of the others, in order, as starts and ends in microseconds since the epoch.
    uncovered_us: Vec<(i64, i64)>,
}

pub(crate) async fn info(plan: &Plan, lake: &Lake, args: &InfoArgs) -> Result<Outcome> {
    let overview = lake.overview(CompactOptions::default().small_bytes).await?;
    let engine = Engine::over_lake(lake, &plan.engine(None)).await?;
    let lines = lines(&engine).await?;
    let of = |source: &str| {
        let found = lines.iter().find(|(name, _)| name == source);
        found.map_or_else(Lines::default, |(_, lines)| *lines)
    };
    let sources: Vec<_> = overview
        .sources
        .iter()
        .map(|read| (read.clone(), of(&read.source)))
        .collect();
    let gaps = asked(&engine, GAPS).await?.into_iter();
    let gaps: Vec<Lost> = gaps
        .filter_map(|(source, numbers)| match numbers[..] {
            [Some(offset), Some(since_us), Some(until_us)] => Some(Lost {
                source,
                offset: offset.unsigned_abs(),
                times_us: (since_us, until_us),
            }),
            _ => None,
        })
        .collect();
    let seen_us = asked(&engine, SEEN).await?.into_iter();
    let seen_us = seen_us.filter_map(|(source, numbers)| Some((source, numbers[0]?)));
    let mut info = Info {
        plan,
        overview,
        sources,
        gaps,
        seen_us: seen_us.collect(),
        coverage: None,
    };
    info.coverage = Coverage::of(info.spans_us(), info.gaps.iter().map(|gap| gap.times_us));
    out::print(&match args.output {
        InfoOutput::Table => info.text(),
        InfoOutput::Json => format!("{:#}\n", info.json()),
    })?;
    Ok(Outcome::Done)
}

/// The rows of an answer that begins with a name: it, and the numbers after it.
async fn asked(engine: &Engine, statement: &str) -> Result<Vec<(String, Vec<Option<i64>>)>> {
    let answer = engine.sql(statement).await?;
    let mut rows = Vec::new();
    for batch in &answer.batches {
        let names = cast(batch.column(0), &DataType::Utf8)?;
        let numbers = batch.columns()[1..]
            .iter()
            .map(|column| cast(column, &DataType::Int64))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let numbers = numbers.iter().map(|column| {
                let column = column.as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            });
            rows.push((
                names.as_string::<i32>().value(row).to_owned(),
                numbers.collect(),
            ));
        }
    }
    Ok(rows)
}

/// Counts and times of each source.
async fn lines(engine: &Engine) -> Result<Vec<(String, Lines)>> {
    let rows = asked(engine, BY_SOURCE).await?.into_iter();
    let of = |numbers: &[Option<i64>]| {
        let count = |at: usize| numbers[at].unwrap_or_default().unsigned_abs();
        Lines {
            requests: count(0),
            rejects: count(1),
            gaps: count(2),
            times_us: numbers[3].zip(numbers[4]),
        }
    };
    Ok(rows
        .map(|(source, numbers)| (source, of(&numbers)))
        .collect())
}

impl Coverage {
    /// From first and last times, those of sources and of gaps; `None` without any source.
    fn of(
        mut spans_us: Vec<(i64, i64)>,
        gaps_us: impl Iterator<Item = (i64, i64)>,
    ) -> Option<Self> {
        spans_us.sort_unstable();
        let minute = |time_us: i64| time_us.div_euclid(MINUTE_US);
        let first = minute(spans_us.first()?.0);
        let (mut end, mut uncovered) = (first, Vec::new());
        for (start_us, last_us) in spans_us {
            let start = minute(start_us);
            if start > end {
                uncovered.push((end, start));
            }
            end = end.max(minute(last_us) + 1);
        }
        let gaps = gaps_us.map(|(since_us, until_us)| (minute(since_us), minute(until_us) + 1));
        uncovered.extend(gaps.map(|(start, gap_end)| (start.max(first), gap_end.min(end))));
        uncovered.retain(|(start, end)| start < end);
        uncovered.sort_unstable();
        // Gaps may lie in each other and in stretches that no source covers.
        let mut apart: Vec<(i64, i64)> = Vec::new();
        for (start, end) in uncovered {
            match apart.last_mut() {
                Some((_, last_end)) if *last_end >= start => *last_end = end.max(*last_end),
                _ => apart.push((start, end)),
            }
        }
        let missed: i64 = apart.iter().map(|(start, end)| end - start).sum();
        let to_us = |(start, end): (i64, i64)| (start * MINUTE_US, end * MINUTE_US);
        Some(Self {
            minutes: end - first,
            covered: end - first - missed,
            uncovered_us: apart.into_iter().map(to_us).collect(),
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

    /// What sources cover: from the first to the last line, and of the last one of a log that is followed up to the last look at it.
    fn spans_us(&self) -> Vec<(i64, i64)> {
        let mut last_of_set: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
        let mut spans = Vec::new();
        for (read, lines) in &self.sources {
            let Some((first, last)) = lines.times_us else {
                continue;
            };
            spans.push((first, last));
            let of_set = last_of_set
                .entry(&read.log_set)
                .or_insert((last, &read.source));
            *of_set = (*of_set).max((last, &read.source));
        }
        let seen = last_of_set.into_values().filter_map(|(last, source)| {
            let seen_us = *self.seen_us.get(source)?;
            (seen_us > last).then_some((last, seen_us))
        });
        spans.extend(seen.collect::<Vec<_>>());
        spans
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
        text += &self.lost();
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

    fn lost(&self) -> String {
        let mut text = String::new();
        let shown = self.gaps.len().saturating_sub(GAPS_SHOWN_MAX);
        for gap in &self.gaps[shown..] {
            let (since_us, until_us) = gap.times_us;
            let said = format!(
                "{}: what came after byte {} is lost, from {} to {}",
                gap.source,
                number(gap.offset),
                self.time(since_us),
                self.time(until_us),
            );
            text += &row("gap", &said);
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
        if let Some(seen_us) = self.seen_us.get(&read.source) {
            said += &format!(", log seen until {}", self.time(*seen_us));
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
        moment(time_us, self.plan.tz)
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
                    "seen": self.seen_us.get(&read.source).copied().map(utc),
                })
            })
            .collect();
        let lost: Vec<Value> = self
            .gaps
            .iter()
            .map(|gap| {
                let (since_us, until_us) = gap.times_us;
                json!({
                    "source": gap.source,
                    "line_offset": gap.offset,
                    "start": utc(since_us),
                    "end": utc(until_us),
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
            "lost": lost,
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
        let coverage = Coverage::of(
            vec![minutes(20, 29), minutes(0, 9), minutes(5, 7)],
            std::iter::empty(),
        )
        .unwrap();
        assert_eq!(
            coverage,
            Coverage {
                minutes: 30,
                covered: 20,
                uncovered_us: vec![minutes(10, 20)],
            }
        );
        assert_eq!(Coverage::of(Vec::new(), std::iter::empty()), None);
    }

    #[test]
    fn a_rotation_within_a_minute_leaves_no_hole() {
        let spans = vec![
            (0, 3 * MINUTE_US - 1_000_000),
            (3 * MINUTE_US + 2_000_000, 4 * MINUTE_US),
        ];
        let coverage = Coverage::of(spans, std::iter::empty());
        assert_eq!(coverage.unwrap().uncovered_us, []);
    }

    #[test]
    fn gaps_are_taken_out_once() {
        let gaps = [
            minutes(-5, 1),
            minutes(8, 12),
            minutes(9, 14),
            minutes(29, 40),
        ];
        let spans = vec![minutes(0, 9), minutes(20, 29)];
        let coverage = Coverage::of(spans, gaps.into_iter()).unwrap();
        let expected = Coverage {
            minutes: 30,
            covered: 15,
            uncovered_us: vec![minutes(0, 2), minutes(8, 20), minutes(29, 30)],
        };
        assert_eq!(coverage, expected);
    }
}

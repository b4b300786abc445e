//! What came in, printed minute by minute; incidents as they open and close.

use std::collections::BTreeSet;

use anyhow::Result;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::array_value_to_string;
use chrono::DateTime;
use floodmark_query::{Answer, Engine, Settings};
use floodmark_report::{TableFormat, escape_control, write_answer};
use floodmark_store::Lake;

use crate::args::TailOutput;
use crate::out;
use crate::plan::Plan;
use crate::say::{counted, number, style};

const MINUTE_US: i64 = 60_000_000;
/// An incident that ended longer ago is no news.
const INCIDENTS_US: i64 = 24 * 60 * MINUTE_US;
/// A minute without a request may be an outage: where there is no other reason to, that is asked this often.
const SILENCE_US: i64 = 5 * MINUTE_US;
/// What a week is held against; nothing that is asked here looks at it.
const TARGET: f64 = 0.95;

/// What was printed so far.
pub(super) struct Pulse {
    output: TailOutput,
    /// Minutes before this one are printed.
    printed_us: i64,
    /// Incidents that were said to be open, by their start and kind.
    open: BTreeSet<(i64, String)>,
    /// Up to when incidents were asked for.
    asked_us: i64,
}

impl Pulse {
    /// Prints minutes from the one on that it is now.
    pub(super) fn from(now_ms: i64, output: TailOutput) -> Self {
        Self {
            output,
            printed_us: minute_of(now_ms),
            open: BTreeSet::new(),
            asked_us: minute_of(now_ms),
        }
    }

    /// Prints the minutes that were over when the lake was given what there was: all of their lines are in it, but such as a
    /// server still held back.
    pub(super) async fn beat(&mut self, plan: &Plan, lake: &Lake, given_ms: i64) -> Result<()> {
        let over_us = minute_of(given_ms);
        // Somebody has set the clock back: minutes that were printed are yet to come.
        if over_us < self.printed_us - MINUTE_US {
            (self.printed_us, self.asked_us) = (over_us, over_us);
        }
        if over_us <= self.printed_us {
            return Ok(());
        }
        let engine = Engine::over_lake(lake, &plan.engine(None)).await?;
        let asked = |name, since_us| {
            let settings = Settings {
                since_us,
                until_us: over_us,
                target: TARGET,
                tz: plan.tz,
                parameters: Default::default(),
            };
            let engine = &engine;
            async move { engine.query(name, &settings).await }
        };
        let pulse = asked("pulse", self.printed_us).await?;
        let since_us = std::mem::replace(&mut self.printed_us, over_us);
        self.print(plan, &pulse, |rows, row| minute(plan, rows, row))?;
        let has_failed = rows_of(&pulse).any(|(rows, row)| count(rows, "bad", row) > 0);
        let is_silent = pulse.rows() == 0 && over_us >= self.asked_us + SILENCE_US;
        if has_failed || is_silent || !self.open.is_empty() {
            let incidents = asked("incidents", over_us - INCIDENTS_US).await?;
            let since_us = since_us.min(self.asked_us);
            self.asked_us = over_us;
            self.incidents(plan, &incidents, (since_us, over_us))?;
        }
        Ok(())
    }

    /// Prints the incidents that opened or closed in a stretch of time.
    fn incidents(
        &mut self,
        plan: &Plan,
        incidents: &Answer,
        (since_us, over_us): (i64, i64),
    ) -> Result<()> {
        let mut open = BTreeSet::new();
        for (rows, row) in rows_of(incidents) {
            let (start, end) = (time(rows, "start", row), time(rows, "end", row));
            let known = (start, cell(rows, "kind", row).unwrap_or_default());
            let is_open = end >= over_us;
            let is_news = match is_open {
                true => !self.open.contains(&known),
                false => self.open.contains(&known) || end > since_us,
            };
            if is_open {
                open.insert(known);
            }
            if is_news {
                let news = Answer {
                    batches: vec![rows.slice(row, 1)],
                    ..incidents.clone()
                };
                self.print(plan, &news, |rows, row| incident(plan, rows, row, is_open))?;
            }
        }
        self.open = open;
        Ok(())
    }

    fn print(
        &self,
        plan: &Plan,
        answer: &Answer,
        line: impl Fn(&RecordBatch, usize) -> String,
    ) -> Result<()> {
        match self.output {
            TailOutput::Text => {
                let lines = rows_of(answer).map(|(rows, row)| line(rows, row) + "\n");
                out::print(&lines.collect::<String>())
            }
            TailOutput::Jsonl => {
                let mut text = Vec::new();
                let batches = answer.batches.iter().cloned();
                let format = TableFormat::Jsonl;
                write_answer(&mut text, &answer.schema, batches, format, plan.tz, style())?;
                out::print(&String::from_utf8_lossy(&text))
            }
        }
    }
}

/// `2026-11-22 21:05 UTC  shop.example  1,204 requests, 310 clients, 224 by bots, 3 failed (0.2 %), 40 answered 4xx, p95 0.210 s`.
fn minute(plan: &Plan, rows: &RecordBatch, row: usize) -> String {
    let count = |name| count(rows, name, row);
    let mut parts = vec![
        counted(count("requests"), "request"),
        counted(count("clients"), "client"),
    ];
    let few = [
        ("bots", "by bots"),
        ("bad", "failed"),
        ("status_4xx", "answered 4xx"),
    ];
    for (name, what) in few.into_iter().filter(|(name, _)| count(name) > 0) {
        let share = cell(rows, "bad_share", row).filter(|_| name == "bad");
        let share = share.and_then(|share| share.parse::<f64>().ok());
        let share = share.map(|share| format!(" ({:.1} %)", share * 100.0));
        parts.push(format!(
            "{} {what}{}",
            number(count(name)),
            share.unwrap_or_default()
        ));
    }
    if let Some(p95) = cell(rows, "p95", row).and_then(|p95| p95.parse::<f64>().ok()) {
        parts.push(format!("p95 {p95:.3} s"));
    }
    let name = cell(rows, "server_name", row).map(|name| format!("{}  ", escape_control(&name)));
    let at = shown(plan, time(rows, "minute", row));
    format!("{at}  {}{}", name.unwrap_or_default(), parts.join(", "))
}

/// `2026-11-22 22:44 UTC  outage since 2026-11-22 22:43 UTC: 1 minute with 4,687 requests, told by 492 failures (errors)`.
fn incident(plan: &Plan, rows: &RecordBatch, row: usize, is_open: bool) -> String {
    let text = |name| cell(rows, name, row).unwrap_or_default();
    let (start, end) = (time(rows, "start", row), time(rows, "end", row));
    let when = match is_open {
        true => format!("since {}", shown(plan, start)),
        false => format!("over, from {} to {}", shown(plan, start), shown(plan, end)),
    };
    format!(
        "{}  {} {when}: {} with {}, told by {} ({})",
        shown(plan, end),
        text("kind"),
        counted(count(rows, "minutes", row), "minute"),
        counted(count(rows, "requests", row), "request"),
        counted(count(rows, "bad", row), "failure"),
        escape_control(&text("evidence")),
    )
}

pub(super) fn rows_of(answer: &Answer) -> impl Iterator<Item = (&RecordBatch, usize)> {
    let batches = answer.batches.iter();
    batches.flat_map(|rows| (0..rows.num_rows()).map(move |row| (rows, row)))
}

/// A value as text; `None` if there is none.
pub(super) fn cell(rows: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(name)?;
    let text = (!column.is_null(row)).then(|| array_value_to_string(column, row));
    text?.ok()
}

pub(super) fn count(rows: &RecordBatch, name: &str, row: usize) -> u64 {
    let count = cell(rows, name, row).and_then(|text| text.parse().ok());
    count.unwrap_or_default()
}

/// Microseconds since the epoch.
pub(super) fn time(rows: &RecordBatch, name: &str, row: usize) -> i64 {
    let column = rows.column_by_name(name);
    let times = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    times.map_or(0, |times| times.value(row))
}

fn shown(plan: &Plan, time_us: i64) -> String {
    let time = DateTime::from_timestamp_micros(time_us).unwrap_or_default();
    time.with_timezone(&plan.tz)
        .format("%Y-%m-%d %H:%M %Z")
        .to_string()
}

/// The beginning of a minute, microseconds since the epoch.
fn minute_of(time_ms: i64) -> i64 {
    (time_ms * 1_000).div_euclid(MINUTE_US) * MINUTE_US
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn plan() -> Plan {
        use clap::Parser;
        let cli = crate::args::Cli::parse_from([
            "floodmark",
            "tail",
            "--tz",
            "Europe/Berlin",
            "--lake",
            "lake",
        ]);
        Plan::new(&cli.shared).expect("the arguments are right")
    }

    fn times(us: i64) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC"))
    }

    fn row(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).expect("columns of one row")
    }

    #[test]
    fn a_minute_says_what_there_was() {
        let count = |count| -> ArrayRef { Arc::new(Int64Array::from(vec![count])) };
        let share = |share| -> ArrayRef { Arc::new(Float64Array::from(vec![share])) };
        let busy = row(vec![
            ("minute", times(1_795_381_500_000_000)),
            (
                "server_name",
                Arc::new(StringArray::from(vec!["shop.example\u{7}"])),
            ),
            ("requests", count(1_204)),
            ("clients", count(310)),
            ("bots", count(224)),
            ("bad", count(3)),
            ("bad_share", share(Some(0.0025))),
            ("status_4xx", count(40)),
            ("p95", share(Some(0.2104))),
        ]);
        assert_eq!(
            minute(&plan(), &busy, 0),
            "2026-11-22 22:05 CET  shop.example\\x07  1,204 requests, 310 clients, 224 by bots, 3 failed (0.2 %), 40 answered 4xx, p95 0.210 s"
        );
        let quiet = row(vec![
            ("minute", times(0)),
            (
                "server_name",
                Arc::new(StringArray::from(vec![None::<&str>])),
            ),
            ("requests", count(1)),
            ("clients", count(1)),
            ("bots", count(0)),
            ("bad", count(0)),
            ("bad_share", share(None)),
            ("status_4xx", count(0)),
            ("p95", share(None)),
        ]);
        assert_eq!(
            minute(&plan(), &quiet, 0),
            "1970-01-01 01:00 CET  1 request, 1 client"
        );
    }

    #[test]
    fn an_incident_is_told_when_it_opens_and_when_it_closes() {
        let mut pulse = Pulse::from(0, TailOutput::Text);
        let minutes = |minutes: i64| minutes * MINUTE_US;
        let outage = |end: i64| {
            let rows = row(vec![
                ("start", times(minutes(1))),
                ("end", times(minutes(end))),
                ("kind", Arc::new(StringArray::from(vec!["outage"]))),
                ("minutes", Arc::new(Int64Array::from(vec![end - 1]))),
                ("requests", Arc::new(Int64Array::from(vec![50]))),
                ("bad", Arc::new(Int64Array::from(vec![40]))),
                ("evidence", Arc::new(StringArray::from(vec!["bad_share"]))),
            ]);
            Answer {
                schema: rows.schema(),
                batches: vec![rows],
                sql: String::new(),
            }
        };
        let mut open = |end, stretch: (i64, i64)| {
            let stretch = (minutes(stretch.0), minutes(stretch.1));
            pulse
                .incidents(&plan(), &outage(end), stretch)
                .expect("standard output is open");
            pulse.open.len()
        };
        assert_eq!(open(3, (2, 3)), 1);
        assert_eq!(open(4, (3, 4)), 1);
        assert_eq!(open(4, (4, 5)), 0);
        let text = |is_open| incident(&plan(), &outage(4).batches[0], 0, is_open);
        assert_eq!(
            text(true),
            "1970-01-01 01:04 CET  outage since 1970-01-01 01:01 CET: 3 minutes with 50 requests, told by 40 failures (bad_share)"
        );
        assert!(
            text(false)
                .contains("outage over, from 1970-01-01 01:01 CET to 1970-01-01 01:04 CET: ")
        );
    }
}

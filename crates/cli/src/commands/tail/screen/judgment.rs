//! The states of minutes, incidents, and what is normal: asked of the lake.
//!
//! The queries `minutes` and `incidents` look at each line of four weeks. Where those are too many to be looked at beside a web server, minutes are
//! judged by the table `minutes` alone, as the query `weekly` does: by the same rules, but floods decide as well, and silence is never DOWN.

use anyhow::Result;
use chrono_tz::Tz;
use floodmark_query::{Answer, Engine, Settings};
use floodmark_traffic::minute::{Minute, judge_minutes};
use floodmark_traffic::spike::normal_share_max;
use floodmark_traffic::uptime::incidents;

use super::super::pulse::{cell, count, rows_of, time};
use super::counts::{DETAILED_MINUTES, MINUTE_US, MINUTES};
use super::past::timestamp;

/// States and incidents are those of a day.
const DAY_MINUTES: i64 = 24 * 60;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;
/// The queries learn from so many minutes before.
const LEARNED_MINUTES: i64 = 4 * WEEK_MINUTES;
/// Lines that the queries are asked to look at, at most: they take some 600 bytes each.
const LINES_MAX: u64 = 100_000;
/// The same time of week is so many minutes before and after.
const SAME_TIME_MINUTES: i64 = 15;
/// Requests that the same time of earlier weeks has to hold to say what is normal.
const NORMAL_REQUESTS_MIN: u64 = 1_000;
/// Incidents that are left out of what is normal, the last ones.
const LEFT_OUT_MAX: usize = 50;
/// What a week is held against; nothing that is asked here looks at it.
const TARGET: f64 = 0.95;

/// What is told of the last day.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Judged {
    /// The first minute that is not judged.
    pub(super) until: i64,
    /// Whether the table `minutes` alone was asked.
    pub(super) by_minutes: bool,
    /// States of minutes since the epoch, in words of `minutes`, those of the last hour.
    pub(super) states: Vec<(i64, String)>,
    /// The latest first.
    pub(super) incidents: Vec<Incident>,
    /// Up to these shares 4xx and 5xx are normal now.
    pub(super) normal_4xx: f64,
    pub(super) normal_5xx: f64,
}

/// A row of `incidents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incident {
    /// Minutes since the epoch; the end is exclusive.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) kind: String,
    pub(super) requests: u64,
    pub(super) bad: u64,
    pub(super) evidence: String,
}

/// Judges the minutes before `until`.
pub(super) async fn judge(engine: &Engine, tz: Tz, until: i64) -> Result<Judged> {
    let since = until - DAY_MINUTES;
    let lines = format!(
        "SELECT sum(total) AS lines FROM minutes WHERE minute >= {}",
        timestamp(since - LEARNED_MINUTES)
    );
    let lines = engine.sql(&lines).await?;
    let lines: u64 = rows_of(&lines)
        .map(|(rows, row)| count(rows, "lines", row))
        .sum();
    let judged = match lines <= LINES_MAX {
        true => by_queries(engine, tz, since, until).await?,
        false => by_minutes(engine, since, until).await?,
    };
    let (normal_4xx, normal_5xx) = normal(engine, until, &judged.incidents).await?;
    Ok(Judged {
        normal_4xx,
        normal_5xx,
        ..judged
    })
}

async fn by_queries(engine: &Engine, tz: Tz, since: i64, until: i64) -> Result<Judged> {
    let settings = Settings {
        since_us: since * MINUTE_US,
        until_us: until * MINUTE_US,
        target: TARGET,
        tz,
        parameters: Default::default(),
    };
    let minutes = engine.query("minutes", &settings).await?;
    let found = engine.query("incidents", &settings).await?;
    let states = rows_of(&minutes).map(|(rows, row)| {
        let state = cell(rows, "state", row).unwrap_or_default();
        (minute(rows, "minute", row), state)
    });
    let states = states.filter(|(minute, _)| *minute > until - MINUTES);
    Ok(Judged {
        until,
        states: states.collect(),
        incidents: told(&found),
        ..Judged::default()
    })
}

fn told(answer: &Answer) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = rows_of(answer)
        .map(|(rows, row)| Incident {
            start: minute(rows, "start", row),
            end: minute(rows, "end", row),
            kind: cell(rows, "kind", row).unwrap_or_default(),
            requests: count(rows, "requests", row),
            bad: count(rows, "bad", row),
            evidence: cell(rows, "evidence", row).unwrap_or_default(),
        })
        .collect();
    incidents.reverse();
    incidents
}

/// As [`by_queries`], without a look at lines.
async fn by_minutes(engine: &Engine, since: i64, until: i64) -> Result<Judged> {
    let statement = format!(
        "SELECT minute, sum(total) AS total,
                sum(good) FILTER (WHERE bot <> 'probe') AS good, sum(bad) FILTER (WHERE bot <> 'probe') AS bad,
                sum(shed) FILTER (WHERE bot <> 'probe') AS shed,
                sum(good) FILTER (WHERE bot = 'probe') AS probe_good, sum(bad + shed) FILTER (WHERE bot = 'probe') AS probe_bad,
                hll_count(hll_merge(bad_clients) FILTER (WHERE bot <> 'probe')) AS bad_clients
         FROM minutes
         WHERE minute >= {} AND minute < {} AND bot <> 'scanner'
         GROUP BY minute
         ORDER BY minute",
        timestamp(since),
        timestamp(until)
    );
    let answer = engine.sql(&statement).await?;
    let mut minutes: Vec<Minute> = Vec::new();
    let mut totals: Vec<u64> = Vec::new();
    for (rows, row) in rows_of(&answer) {
        let at = minute(rows, "minute", row);
        let narrow = |name| u32::try_from(count(rows, name, row)).unwrap_or(u32::MAX);
        // Between two minutes with requests nobody asked.
        while let Some(last) = minutes.last().filter(|last| last.minute + 1 < at) {
            let minute = last.minute + 1;
            minutes.push(Minute {
                minute,
                covered: true,
                ..Minute::default()
            });
            totals.push(0);
        }
        minutes.push(Minute {
            minute: at,
            good: narrow("good"),
            bad: narrow("bad"),
            shed: narrow("shed"),
            bad_clients: narrow("bad_clients"),
            probe_good: narrow("probe_good"),
            probe_bad: narrow("probe_bad"),
            covered: true,
            ..Minute::default()
        });
        totals.push(count(rows, "total", row));
    }
    let judged = judge_minutes(&minutes, &[])?;
    let first = minutes.first().map_or(0, |minute| minute.minute);
    let requests = |from: i64, to: i64| -> u64 {
        let within = |at: i64| usize::try_from(at - first).unwrap_or(0).min(totals.len());
        totals[within(from)..within(to)].iter().sum()
    };
    let found = incidents(&judged).into_iter().rev().map(|found| Incident {
        start: found.start_minute,
        end: found.end_minute,
        kind: found.kind.as_str().to_owned(),
        requests: requests(found.start_minute, found.end_minute),
        bad: found.bad,
        evidence: found.evidence.to_owned(),
    });
    let states = judged
        .iter()
        .filter(|judged| judged.minute > until - MINUTES);
    Ok(Judged {
        until,
        by_minutes: true,
        incidents: found.collect(),
        states: states
            .map(|judged| (judged.minute, judged.state.as_str().to_owned()))
            .collect(),
        ..Judged::default()
    })
}

/// The shares of 4xx and 5xx up to which they are normal: learned from the same time of week in up to four earlier weeks, or where that has
/// too few requests, from the last 24 hours. The last incidents are left out.
async fn normal(engine: &Engine, until: i64, incidents: &[Incident]) -> Result<(f64, f64)> {
    let between = |from: i64, to: i64| {
        format!(
            "(minute >= {} AND minute < {})",
            timestamp(from),
            timestamp(to)
        )
    };
    let weeks: Vec<String> = (1..=4)
        .map(|weeks| until - weeks * WEEK_MINUTES)
        .map(|then| between(then - SAME_TIME_MINUTES, then + SAME_TIME_MINUTES))
        .collect();
    let day = [between(until - DAY_MINUTES, until - DETAILED_MINUTES)];
    let broken = incidents.iter().take(LEFT_OUT_MAX);
    let broken = broken.map(|incident| between(incident.start, incident.end));
    let broken: String = broken
        .map(|stretch| format!(" AND NOT {stretch}"))
        .collect();
    for windows in [&weeks[..], &day] {
        let statement = format!(
            "SELECT sum(total) AS total, sum(status_4xx) AS status_4xx, sum(status_5xx) AS status_5xx FROM minutes WHERE ({}){broken}",
            windows.join(" OR ")
        );
        let answer = engine.sql(&statement).await?;
        let Some((rows, row)) = rows_of(&answer).next() else {
            continue;
        };
        let total = count(rows, "total", row);
        if total >= NORMAL_REQUESTS_MIN {
            let share = |name| normal_share_max(count(rows, name, row), total);
            return Ok((share("status_4xx"), share("status_5xx")));
        }
    }
    Ok((normal_share_max(0, 0), normal_share_max(0, 0)))
}

/// Minutes since the epoch.
fn minute(rows: &arrow::array::RecordBatch, name: &str, row: usize) -> i64 {
    time(rows, name, row).div_euclid(MINUTE_US)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use floodmark_query::{EngineOptions, RawLogs};

    use super::*;
    use crate::logs::{Logs, Reads};
    use crate::plan::Plan;

    #[tokio::test]
    async fn minutes_alone_tell_of_the_outage_that_the_queries_tell_of() {
        let logs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-logs");
        let cli =
            crate::args::Cli::parse_from(["floodmark", "-q", "report", "--lake", "none", logs]);
        let plan = Plan::new(&cli.shared).expect("the arguments are right");
        let found = Logs::find(&plan, &[logs.to_owned()], &Reads::Again).expect("logs are there");
        let raw = RawLogs { files: found.files };
        let options = EngineOptions::default();
        let engine = Engine::over_logs(&raw, &options)
            .await
            .expect("they can be read");
        // 2026-10-30, with an outage from 12:07 to 14:55.
        let day = 1_793_318_400 / 60;
        let outage = |judged: &Judged| {
            let mut outages = judged.incidents.iter();
            let outage = outages.find(|incident| incident.start == day + 12 * 60 + 7);
            let outage = outage.expect("it is told of").clone();
            (outage.end, outage.kind, outage.requests, outage.bad)
        };
        let until = day + DAY_MINUTES;
        let minutes = by_minutes(&engine, day, until).await.expect("an answer");
        let queries = by_queries(&engine, plan.tz, day, until)
            .await
            .expect("an answer");
        assert_eq!(outage(&minutes), outage(&queries));
        assert_eq!(outage(&minutes).0, day + 14 * 60 + 55);
    }
}

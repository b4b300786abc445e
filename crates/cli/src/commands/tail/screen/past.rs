//! What the lake knows: asked by the named queries and by SQL, beside the screen, so that no answer keeps it waiting.

use std::time::Duration;

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use floodmark_query::{Engine, EngineOptions};
use floodmark_source::KnownSource;
use floodmark_store::Lake;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::super::pulse::{cell, count, rows_of, time};
use super::columns;
use super::counts::{CLASSES, DETAILED_MINUTES, MINUTE_US, MINUTES, Sums};
use super::judgment::{Judged, judge};
use crate::plan::Plan;
use crate::{account, clock};

/// Lines that are counted again at most, when a screen or a condition is new: a quarter of a second's work.
const LINES_MAX: u64 = 150_000;
/// A judgment waits this many times as long as the last one took, at least: it is to cost a hundredth of a core.
const JUDGMENT_REST: u32 = 100;
const JUDGMENT_EVERY: Duration = Duration::from_secs(20);

/// What the lake was given, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Committed {
    /// Milliseconds since the epoch, before the logs were looked at.
    pub(super) given_ms: i64,
    pub(super) version: u64,
}

/// What the screen asks for: counts of the lines that fulfil a condition.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// Comes back with each answer.
    pub(super) number: u64,
    pub(super) condition: Option<String>,
}

/// What the screen is told.
#[derive(Debug)]
pub(super) enum News {
    /// An answer begins: minutes from `since` on have sums, those from `detailed_since` on lines.
    Begins {
        number: u64,
        since: i64,
        detailed_since: i64,
    },
    /// Sums of minutes before those with lines.
    Minutes {
        number: u64,
        sums: Vec<(i64, Sums)>,
    },
    Lines {
        number: u64,
        rows: RecordBatch,
    },
    /// All that the lake has came; what it does not have begins here.
    Ends {
        number: u64,
        known: Vec<KnownSource>,
    },
    /// It cannot be answered.
    Fails {
        number: u64,
        reason: String,
    },
    Judged(Judged),
}

/// Answers the screen until it is gone.
pub(super) async fn answer(
    plan: Plan,
    mut committed: watch::Receiver<Option<Committed>>,
    mut asked: mpsc::UnboundedReceiver<Ask>,
    news: mpsc::Sender<News>,
) {
    // There is a lake once something was committed.
    if committed.changed().await.is_err() {
        return;
    }
    let mut judged_version = None;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            biased;
            ask = asked.recv() => {
                let Some(ask) = ask else { return };
                let number = ask.number;
                if let Err(error) = tell_lines(&plan, ask, &news).await {
                    let reason = account::chain(error.as_ref());
                    if news.send(News::Fails { number, reason }).await.is_err() {
                        return;
                    }
                }
            }
            () = tokio::time::sleep_until(due) => {
                let began = Instant::now();
                let Some(given) = *committed.borrow() else { return };
                if judged_version != Some(given) {
                    match judged(&plan, given).await {
                        Ok(judged) => {
                            judged_version = Some(given);
                            if news.send(News::Judged(judged)).await.is_err() {
                                return;
                            }
                        }
                        Err(error) => plan.voice.warn(&format!(
                            "minutes and incidents cannot be judged: {}",
                            account::chain(error.as_ref())
                        )),
                    }
                }
                due = Instant::now() + JUDGMENT_EVERY.max(began.elapsed() * JUDGMENT_REST);
            }
        }
    }
}

async fn judged(plan: &Plan, given: Committed) -> Result<Judged> {
    let (_, engine) = engine(plan).await?;
    judge(&engine, plan.tz, given.given_ms.div_euclid(60_000)).await
}

async fn engine(plan: &Plan) -> Result<(Lake, Engine)> {
    let lake = Lake::open(plan.location()?).await?;
    let lake = lake.with_context(|| format!("there is no lake at `{}`", plan.lake.display()))?;
    let options = EngineOptions {
        // The web server comes first, and the feeding.
        threads: 1,
        ..plan.engine(None)
    };
    let engine = Engine::over_lake(&lake, &options).await?;
    Ok((lake, engine))
}

/// Tells what the lake has of the last minutes, then how far it has read.
async fn tell_lines(plan: &Plan, ask: Ask, news: &mpsc::Sender<News>) -> Result<()> {
    let number = ask.number;
    let (lake, engine) = engine(plan).await?;
    let known = lake.known_sources()?;
    let this_minute = clock::now_ms().div_euclid(60_000);
    let hour = sums(&engine, this_minute - MINUTES + 1).await?;
    let detailed_since = detailed_since(&hour, this_minute);
    let since = match ask.condition {
        None => this_minute - MINUTES + 1,
        Some(_) => detailed_since,
    };
    news.send(News::Begins {
        number,
        since,
        detailed_since,
    })
    .await?;
    if ask.condition.is_none() {
        let before = hour
            .into_iter()
            .filter(|(minute, _)| *minute < detailed_since);
        let sums = before.collect();
        news.send(News::Minutes { number, sums }).await?;
    }
    let all = engine.start("SELECT * FROM requests LIMIT 0").await?.schema;
    let names = columns::NAMES.iter();
    let names: Vec<&str> = names
        .copied()
        .filter(|name| all.column_with_name(name).is_some())
        .collect();
    let condition = ask.condition.map(|condition| format!(" AND ({condition})"));
    let statement = format!(
        "SELECT {} FROM requests WHERE time >= {}{}",
        names.join(", "),
        timestamp(detailed_since),
        condition.unwrap_or_default()
    );
    let mut running = engine.start(&statement).await?;
    while let Some(rows) = running.next().await? {
        news.send(News::Lines { number, rows }).await?;
    }
    news.send(News::Ends { number, known }).await?;
    Ok(())
}

/// The earliest of the last minutes from which on there are not too many lines.
fn detailed_since(hour: &[(i64, Sums)], this_minute: i64) -> i64 {
    let mut lines = 0;
    let mut since = this_minute - DETAILED_MINUTES + 1;
    for (minute, sums) in hour.iter().rev() {
        lines += sums.requests;
        if lines > LINES_MAX {
            since = since.max(minute + 1);
            break;
        }
    }
    since
}

/// Sums of each minute from one on, ascending.
async fn sums(engine: &Engine, since: i64) -> Result<Vec<(i64, Sums)>> {
    let statement = format!(
        "SELECT minute, bot, sum(total) AS total, sum(status_4xx) AS status_4xx, sum(status_5xx) AS status_5xx
FROM minutes WHERE minute >= {} GROUP BY minute, bot ORDER BY minute",
        timestamp(since)
    );
    let answer = engine.sql(&statement).await?;
    let mut all: Vec<(i64, Sums)> = Vec::new();
    for (rows, row) in rows_of(&answer) {
        let minute = time(rows, "minute", row).div_euclid(MINUTE_US);
        let total = count(rows, "total", row);
        let mut sums = Sums {
            requests: total,
            status_4xx: count(rows, "status_4xx", row),
            status_5xx: count(rows, "status_5xx", row),
            ..Sums::default()
        };
        let bot = cell(rows, "bot", row);
        let class = CLASSES
            .iter()
            .position(|class| Some(*class) == bot.as_deref());
        sums.classes[class.unwrap_or(0)] = total;
        match all.last_mut() {
            Some((last, known)) if *last == minute => known.add(&sums),
            _ => all.push((minute, sums)),
        }
    }
    Ok(all)
}

/// A minute as SQL has it.
pub(super) fn timestamp(minute: i64) -> String {
    let time = chrono::DateTime::from_timestamp(minute * 60, 0).unwrap_or_default();
    format!("TIMESTAMP '{}'", time.format("%Y-%m-%dT%H:%M:%SZ"))
}

//! An engine over the lake or over raw logs, and the rows of an answer on standard output.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use floodmark_ingest::Tally;
use floodmark_query::{Beyond, Chart, Engine, EngineOptions, RawLogs, Running};
use floodmark_report::{
    AnswerWriter, Drawing, DrawingKind, DrawingOptions, ParquetWriter, TableFormat,
};
use floodmark_store::Lake;

use crate::args::{AnswerArgs, ChartKind, Output};
use crate::beyond::beyond;
use crate::commands::temporary::TemporaryLake;
use crate::logs::{Logs, Reads};
use crate::plan::Plan;
use crate::say::{counted, number, style};
use crate::{Outcome, account, out};

/// What questions are asked of.
pub(crate) struct Asked {
    pub(crate) engine: Arc<Engine>,
    /// Raw logs, if it is them.
    pub(crate) logs: Option<Logs>,
    /// What live logs hold beyond the lake, if it is one.
    beyond: Option<Beyond>,
    /// The lake that they were read into, if more than one pass over them is to be expected.
    temporary: Option<TemporaryLake>,
}

/// What is asked, and so how raw logs are read and what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A statement: logs are read where they lie, only the columns that it needs.
    Statement,
    /// A named query, which reads several times: logs are read into a temporary lake first.
    Query,
    /// A dozen named queries: so they are, and the tables that they share are worked out once.
    Report,
}

impl Asked {
    /// Raw logs if any are named, else the lake and what live logs hold beyond it, else, where there is none, the logs that nginx.conf names.
    pub(crate) async fn open(
        plan: &Plan,
        logs: &[String],
        asks: Asks,
        timeout_s: Option<u64>,
    ) -> Result<Self> {
        let options = plan.engine(timeout_s);
        if !logs.is_empty() {
            let logs = Logs::find(plan, logs, &Reads::Again)?;
            return Self::over(plan, logs, asks, &options).await;
        }
        if let Some(lake) = Lake::open(plan.location()?).await? {
            let beyond = beyond(plan, &lake)?;
            return Ok(Self {
                engine: Arc::new(match &beyond {
                    Some(beyond) => Engine::over_lake_and(&lake, beyond, &options).await?,
                    None => Engine::over_lake(&lake, &options).await?,
                }),
                logs: None,
                beyond,
                temporary: None,
            });
        }
        match Logs::find(plan, &[], &Reads::Again) {
            Ok(logs) => Self::over(plan, logs, asks, &options).await,
            Err(error) if plan.nginx_conf.is_some() => Err(error),
            Err(_) => bail!(
                "there is no lake in `{}`\nhint: make one with `floodmark ingest LOG…`, name another with `--lake DIR`, or name logs to read where they lie",
                plan.lake.display(),
            ),
        }
    }

    async fn over(plan: &Plan, logs: Logs, asks: Asks, options: &EngineOptions) -> Result<Self> {
        let (engine, temporary) = match asks {
            Asks::Query | Asks::Report => {
                let temporary = TemporaryLake::of(plan, &logs).await?;
                (
                    Engine::over_lake(&temporary.lake, options).await?,
                    Some(temporary),
                )
            }
            Asks::Statement => {
                let files = logs.files.clone();
                (Engine::over_logs(&RawLogs { files }, options).await?, None)
            }
        };
        Ok(Self {
            engine: Arc::new(engine),
            logs: Some(logs),
            beyond: None,
            temporary,
        })
    }

    /// The account of raw logs, once they were read to their end.
    pub(crate) fn account(&self) -> Option<(Tally, Vec<(PathBuf, String)>)> {
        match (&self.temporary, &self.logs) {
            (Some(lake), _) => Some((lake.tally.clone(), lake.failures.clone())),
            (None, Some(_)) => self.engine.seen().map(|seen| (seen.tally, seen.failures)),
            (None, None) => None,
        }
    }

    /// Says how many lines of the answer are not in the lake yet, and of a query that read them all how many were rejected.
    pub(crate) fn say_beyond(&self, plan: &Plan) {
        let Some(beyond) = &self.beyond else {
            return;
        };
        let rejected = self.engine.seen().map_or(0, |seen| seen.tally.rejected());
        let rejected = match rejected {
            0 => String::new(),
            rejected => format!(", {} of them rejected", number(rejected)),
        };
        plan.voice.notice(&format!(
            "+ {} not yet in the lake{rejected}",
            counted(beyond.snapshot.lines(), "line")
        ));
    }

    /// The footer: what was read for the answer, and for whom it matters how long that took; and the outcome under `--fail-on`.
    pub(crate) fn footer(
        &self,
        plan: &Plan,
        rows: u64,
        bytes: usize,
        took: Option<Duration>,
    ) -> Outcome {
        let took = took.map(|took| format!("; {:.3} s", took.as_secs_f64()));
        let took = took.unwrap_or_default();
        let files = self.engine.files_scanned();
        let Some(logs) = &self.logs else {
            plan.voice.notice(&format!(
                "{}; {} of {} of the lake opened, {} bytes read{took}",
                counted(rows, "row"),
                number(files.opened as u64),
                counted(files.all as u64, "file"),
                number(bytes as u64),
            ));
            self.say_beyond(plan);
            return Outcome::Done;
        };
        let skipped = match files.all - files.opened {
            skipped if skipped == 0 || self.temporary.is_some() => String::new(),
            skipped => format!(
                "; {} of {} left unread, which hold other times",
                number(skipped as u64),
                counted(files.all as u64, "log")
            ),
        };
        let rows = counted(rows, "row");
        plan.voice.notice(&format!("{rows}{skipped}{took}"));
        let Some((tally, failures)) = self.account() else {
            plan.voice.notice(
                "the logs were not read to their end, so their lines are not accounted for",
            );
            return Outcome::Done;
        };
        account::say_failures(plan, logs, &failures);
        account::say(plan, logs, &tally);
        account::outcome(plan, &tally, failures.len() + logs.failed())
    }
}

/// How an answer is written; `None` for a Parquet file.
pub(crate) fn table_format(output: Output) -> Option<TableFormat> {
    Some(match output {
        Output::Table => TableFormat::Table,
        Output::Record => TableFormat::Record,
        Output::Csv => TableFormat::Csv,
        Output::Tsv => TableFormat::Tsv,
        Output::Json => TableFormat::Json,
        Output::Jsonl => TableFormat::Jsonl,
        Output::Md => TableFormat::Markdown,
        Output::Parquet => return None,
    })
}

/// What is drawn: as the command line says, else as the header of a named query does.
fn drawing(kind: ChartKind, chart: Option<&Chart>) -> DrawingOptions {
    use floodmark_query::ChartKind::{Bar, Line};
    // A strip shows words, a map more than two columns.
    let chart = chart.filter(|chart| matches!(chart.kind, Bar | Line));
    let of_header = chart.map(|chart| match chart.kind {
        Bar => DrawingKind::Bar,
        _ => DrawingKind::Line,
    });
    DrawingOptions {
        kind: match kind {
            ChartKind::Auto => of_header,
            ChartKind::Line => Some(DrawingKind::Line),
            ChartKind::Bar => Some(DrawingKind::Bar),
        },
        x: chart.map(|chart| chart.x.clone()),
        y: chart.and_then(|chart| chart.y.first().cloned()),
    }
}

async fn draw(plan: &Plan, running: &mut Running, options: &DrawingOptions) -> Result<u64> {
    let mut drawing = Drawing::new(&running.schema, options, plan.tz, style())?;
    let mut rows = 0;
    while let Some(batch) = running.next().await? {
        rows += batch.num_rows() as u64;
        drawing.rows(&batch)?;
    }
    out::print(&drawing.draw())?;
    Ok(rows)
}

/// Writes rows as they come; gives their number.
pub(crate) async fn write(
    plan: &Plan,
    running: &mut Running,
    args: &AnswerArgs,
    chart: Option<&Chart>,
) -> Result<u64> {
    if let Some(kind) = args.chart {
        return draw(plan, running, &drawing(kind, chart)).await;
    }
    let mut buffered = out::stdout();
    let Some(format) = table_format(args.output) else {
        return write_parquet(running).await;
    };
    let mut writer = AnswerWriter::new(&mut buffered, &running.schema, format, plan.tz, style())?;
    let mut rows = 0;
    while let Some(batch) = running.next().await? {
        rows += batch.num_rows() as u64;
        writer.rows(&batch)?;
    }
    writer.end()?;
    buffered.flush()?;
    Ok(rows)
}

async fn write_parquet(running: &mut Running) -> Result<u64> {
    if std::io::stdout().is_terminal() {
        bail!(
            "`--output parquet`: expected a file or a pipe as standard output, found a terminal\nhint: add `> FILE`"
        );
    }
    let mut writer = ParquetWriter::new(out::stdout(), &running.schema)?;
    let mut rows = 0;
    while let Some(batch) = running.next().await? {
        rows += batch.num_rows() as u64;
        writer.rows(&batch)?;
    }
    writer.end()?;
    Ok(rows)
}

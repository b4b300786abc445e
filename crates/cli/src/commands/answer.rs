//! An engine over the lake or over raw logs, and the rows of an answer on standard output.

use std::io::Write;

use anyhow::{Result, bail};
use floodmark_query::{Engine, RawLogs, Running};
use floodmark_report::{AnswerWriter, TableFormat};
use floodmark_store::Lake;

use crate::args::{AnswerArgs, Output};
use crate::logs::{Logs, Reads};
use crate::plan::Plan;
use crate::say::{counted, number, style};
use crate::{Outcome, account, out};

/// What questions are asked of.
pub(crate) struct Asked {
    pub(crate) engine: Engine,
    /// Raw logs, if it is them.
    pub(crate) logs: Option<Logs>,
}

impl Asked {
    /// Raw logs if any are named, else the lake.
    pub(crate) async fn open(plan: &Plan, logs: &[String], timeout_s: Option<u64>) -> Result<Self> {
        let options = plan.engine(timeout_s);
        if !logs.is_empty() {
            let logs = Logs::find(plan, logs, &Reads::Again)?;
            let engine = Engine::over_logs(&RawLogs { files: logs.files.clone() }, &options).await?;
            return Ok(Self { engine, logs: Some(logs) });
        }
        match Lake::open(&plan.lake).await? {
            Some(lake) => Ok(Self { engine: Engine::over_lake(&lake, &options).await?, logs: None }),
            None => bail!(
                "there is no lake in `{}`\nhint: make one with `floodmark ingest LOG…`, name another with `--lake DIR`, or name logs to read where they lie",
                plan.lake.display(),
            ),
        }
    }

    /// The footer: what was read for the answer; and the outcome under `--fail-on`.
    pub(crate) async fn footer(&self, plan: &Plan, rows: u64, bytes: usize) -> Result<Outcome> {
        if let Some(files) = self.engine.files_scanned() {
            plan.voice.notice(&format!(
                "{}; {} of {} of the lake opened, {} bytes read",
                counted(rows, "row"),
                number(files.opened as u64),
                counted(files.all as u64, "file"),
                number(bytes as u64),
            ));
            return Ok(Outcome::Done);
        }
        plan.voice.notice(&counted(rows, "row"));
        let (Some(logs), Some(seen)) = (&self.logs, self.engine.seen()) else {
            plan.voice.notice("the logs were not read to their end, so their lines are not accounted for");
            return Ok(Outcome::Done);
        };
        account::say_failures(plan, logs, &seen.failures);
        account::say(plan, logs, &seen.tally);
        Ok(account::outcome(plan, &seen.tally, seen.failures.len()))
    }
}

/// Writes rows as they come; gives their number.
pub(crate) async fn write(plan: &Plan, running: &mut Running, args: &AnswerArgs) -> Result<u64> {
    let mut buffered = out::stdout();
    let format = match args.output {
        Output::Table => TableFormat::Table,
        Output::Csv => TableFormat::Csv,
        Output::Tsv => TableFormat::Tsv,
        Output::Json => TableFormat::Json,
        Output::Jsonl => TableFormat::Jsonl,
        Output::Md => TableFormat::Markdown,
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

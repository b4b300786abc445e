//! A statement that runs while a person waits for it, and may not want to any longer.

use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use floodmark_query::Engine;
use floodmark_report::{AnswerWriter, TableFormat};
use indicatif::{ProgressBar, ProgressDrawTarget};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::pager::Paged;
use crate::out;
use crate::plan::Plan;
use crate::say::{counted, number, style};

/// Ctrl-C is heeded, and what is said of the progress renewed, this long after at most.
const TICK: Duration = Duration::from_millis(50);
/// Who waits longer is told how far it has come.
const PATIENCE: Duration = Duration::from_millis(700);
/// Batches of rows that wait to be written.
const BATCHES_MAX: usize = 2;

/// What is known of an answer when it is there.
pub(super) struct Answered {
    pub(super) rows: u64,
    /// Bytes of Parquet read.
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

/// Runs a statement and shows its rows.
///
/// # Errors
///
/// The statement cannot be run, or `interrupted` was set meanwhile.
pub(super) async fn ask(
    plan: &Plan,
    engine: &Arc<Engine>,
    statement: String,
    format: TableFormat,
    interrupted: &AtomicBool,
) -> Result<Answered> {
    let began = Instant::now();
    interrupted.store(false, Ordering::Relaxed);
    let (columns, told_columns) = oneshot::channel();
    let (sender, mut batches) = mpsc::channel(BATCHES_MAX);
    let of_task = Arc::clone(engine);
    let mut task = tokio::spawn(async move { run(&of_task, &statement, columns, &sender).await });
    let mut waiting = Waiting {
        engine,
        interrupted,
        began,
        is_told: true,
        spinner: None,
    };
    let (mut rows, mut ended) = (0, None);
    let columns = waiting.until(told_columns).await.and_then(Result::ok);
    let shown = match &columns {
        Some(columns) => {
            let rows_of_terminal = terminal_size::terminal_size();
            let rows_of_terminal = rows_of_terminal.map_or(24, |(_, height)| height.0.into());
            let mut paged = Paged::new(rows_of_terminal);
            let shown = show(plan, columns, format, &mut paged, async || {
                let Some(batch) = waiting.until(batches.recv()).await.ok_or(Stopped)? else {
                    let result = (&mut task).await;
                    let has_failed = !matches!(result, Ok(Ok(_)));
                    ended = Some((began.elapsed(), result));
                    return if has_failed { Err(Stopped) } else { Ok(None) };
                };
                // A pager may have the terminal from now on.
                waiting.is_told = false;
                rows += batch.num_rows() as u64;
                Ok(Some(batch))
            });
            let shown = shown.await;
            paged.end()?;
            shown
        }
        None => Ok(()),
    };
    drop((waiting, batches));
    match shown.map_err(anyhow::Error::from) {
        // The pager was left.
        Err(error) if !out::is_closed_pipe(&error) => return Err(error),
        _ => {}
    }
    let was_interrupted = interrupted.swap(false, Ordering::Relaxed);
    let (took, result) = match ended {
        // Ctrl-C that came later was meant for the pager.
        Some(ended) => ended,
        None if was_interrupted => {
            task.abort();
            bail!(
                "ended after {:.1} s and {}",
                began.elapsed().as_secs_f64(),
                counted(rows, "row")
            );
        }
        None => (began.elapsed(), task.await),
    };
    let bytes = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok(Answered { rows, bytes, took })
}

/// Writes the batches as they come. What there is, is shown, whatever comes then.
async fn show(
    plan: &Plan,
    columns: &SchemaRef,
    format: TableFormat,
    paged: &mut Paged,
    mut next: impl AsyncFnMut() -> Result<Option<RecordBatch>, Stopped>,
) -> Result<(), floodmark_report::Error> {
    let mut writer = AnswerWriter::new(paged, columns, format, plan.tz, style())?;
    let mut is_empty = true;
    loop {
        match next().await {
            Ok(Some(batch)) => writer.rows(&batch)?,
            Err(Stopped) if is_empty => return Ok(()),
            Ok(None) | Err(Stopped) => return writer.end(),
        }
        is_empty = false;
    }
}

/// No more rows come, and that is not all of them.
struct Stopped;

/// A person who waits for rows.
struct Waiting<'a> {
    engine: &'a Engine,
    interrupted: &'a AtomicBool,
    began: Instant,
    /// Whether to say how far it has come.
    is_told: bool,
    spinner: Option<ProgressBar>,
}

impl Waiting<'_> {
    /// What comes; `None` where Ctrl-C came before it.
    async fn until<T>(&mut self, comes: impl Future<Output = T>) -> Option<T> {
        let mut comes = pin!(comes);
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return None;
            }
            match tokio::time::timeout(TICK, &mut comes).await {
                Ok(came) => {
                    self.spinner.take().inspect(ProgressBar::finish_and_clear);
                    return Some(came);
                }
                Err(_) if self.is_told && self.began.elapsed() >= PATIENCE => {
                    tell(self.spinner.get_or_insert_with(spinner), self.engine);
                }
                Err(_) => {}
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.spinner.take().inspect(ProgressBar::finish_and_clear);
    }
}

async fn run(
    engine: &Engine,
    statement: &str,
    columns: oneshot::Sender<SchemaRef>,
    batches: &mpsc::Sender<RecordBatch>,
) -> Result<usize> {
    let mut running = engine.start(statement).await?;
    let mut is_heard = columns.send(Arc::clone(&running.schema)).is_ok();
    while is_heard && let Some(batch) = running.next().await? {
        is_heard = batches.send(batch).await.is_ok();
    }
    Ok(running.bytes_scanned())
}

fn spinner() -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let spinner = ProgressBar::with_draw_target(None, target);
    spinner.set_style(indicatif::ProgressStyle::default_spinner());
    spinner
}

fn tell(spinner: &ProgressBar, engine: &Engine) {
    let lines = engine.lines_read();
    let files = engine.files_scanned();
    let mut told = Vec::new();
    told.extend((lines > 0).then(|| format!("{} read", counted(lines, "line"))));
    told.extend((files.all > 0).then(|| {
        format!(
            "{} of {} opened",
            number(files.opened as u64),
            counted(files.all as u64, "file")
        )
    }));
    told.push("Ctrl-C ends it".to_owned());
    spinner.set_message(told.join(", "));
    spinner.tick();
}

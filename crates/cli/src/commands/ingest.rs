//! `floodmark ingest`: logs into the lake, each line once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use floodmark_ingest::{Intake, LineSchema, Tally, TextAs};
use floodmark_source::{BlockOptions, Feed, LastLine, plan as plan_readings};
use floodmark_store::{CompactOptions, Error as StoreError, Lake, LoadOptions, WhichDays};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::Outcome;
use crate::account;
use crate::args::IngestArgs;
use crate::commands::lake::compact;
use crate::commands::tail::Following;
use crate::logs::{Logs, Reads};
use crate::memory::Memory;
use crate::plan::Plan;
use crate::say::{self, Level, said};

/// How often a run starts over because another process committed lines of the same logs meanwhile. Each time those are
/// known afterwards, so that more can only come of a log that is written faster than it is read.
const CONFLICTS_MAX: usize = 20;

/// The exit code of a run that a second signal ended.
const COULD_NOT_RUN: i32 = 2;

/// The bar is drawn this often, so that a terminal far away keeps up.
const DRAWS_A_SECOND: u8 = 5;

pub(crate) async fn ingest(plan: &Plan, args: &IngestArgs) -> Result<Outcome> {
    let stop = stop_on_signals(&[SIGINT, SIGTERM])?;
    let passed = pass(plan, &args.logs.logs, &stop, None).await?;
    if passed.is_stopped {
        plan.voice
            .warn("stopped by a signal; run it again to go on from here");
    }
    Ok(passed.outcome)
}

/// What a pass over logs came to.
pub(super) struct Passed {
    pub(super) outcome: Outcome,
    /// Whether it ended early, with what was whole until then.
    pub(super) is_stopped: bool,
    /// As it is now.
    pub(super) lake: Lake,
    /// Those that were found.
    pub(super) files: Vec<PathBuf>,
}

/// Takes what is new in logs into the lake; `stop` ends it early. A log that is followed brings what rotation left beside it.
pub(super) async fn pass(
    plan: &Plan,
    arguments: &[String],
    stop: &Arc<AtomicBool>,
    mut following: Option<&mut Following>,
) -> Result<Passed> {
    let lake = Lake::open(plan.location()?).await?;
    let known = lake.as_ref().map_or(Ok(Vec::new()), Lake::known_sources)?;
    let memory = Memory::of(plan, &known);
    let reads = Reads::Once {
        stop: Arc::clone(stop),
        seen: memory.seen.clone(),
        with_rotated: following.is_some(),
    };
    let logs = Logs::find(plan, arguments, &reads)?;
    let mut lake = match lake {
        Some(mut lake) => {
            lake.ready_to_write().await?;
            lake
        }
        None => Lake::open_or_create(plan.location()?).await?,
    };
    let mut total = Tally::default();
    for attempt in 0.. {
        let settings = logs.settings();
        let variables = logs.variables();
        let known = lake.known_sources()?;
        let files = logs.files.iter().map(|(file, _)| file);
        let files = files.chain(&logs.unchanged).cloned().collect();
        let readings = plan_readings(files, &known);
        let failed = if attempt == 0 {
            account::say_outcomes(plan, &logs, &readings)
        } else {
            0
        };
        let (look, gaps) = match &mut following {
            Some(following) => following
                .look(plan, &lake, &known, &logs, &readings)?
                .unzip(),
            None => (None, None),
        };
        let options = BlockOptions {
            last_line: LastLine::Wait,
            ..BlockOptions::default()
        };
        let feed = Arc::new(Feed::new(readings, options));
        let schema = LineSchema::new(variables.iter().map(String::as_str));
        let intake = Intake::new(Arc::clone(&feed), &settings, schema, TextAs::Codes)
            .with_gaps(gaps.unwrap_or_default());
        let bar = progress_bar(plan, &feed);
        let load = LoadOptions {
            memory_bytes: plan.memory_bytes,
            threads: plan.threads,
            look: look.clone(),
            ..LoadOptions::default()
        };
        let supervised = following.as_deref().map(Following::supervised);
        if let Some(supervised) = &supervised {
            supervised.ready();
        }
        let loaded = lake
            .load(&intake, &load, stop, &|tally| {
                if let Some(supervised) = &supervised {
                    supervised.alive();
                }
                let progress = feed.progress();
                bar.set_position(progress.done);
                say::progress(progress.done, progress.total);
                bar.set_message(say::counted(tally.lines, "line"));
            })
            .await;
        bar.finish_and_clear();
        match loaded {
            Ok(tally) => {
                total.add(tally);
                if let Some((following, look)) = following.as_mut().zip(look) {
                    following.committed(&look);
                }
                memory.keep(plan, &feed.ended());
                let failures: Vec<_> = feed
                    .take_failures()
                    .into_iter()
                    .map(|(path, error)| (path, account::chain(&error)))
                    .collect();
                account::say_failures(plan, &logs, &failures);
                for (path, bytes) in feed.pending() {
                    plan.voice.notice(&format!(
                        "{}: {} after the last newline wait for theirs",
                        logs.named(&path.display().to_string()),
                        say::counted(bytes, "byte"),
                    ));
                }
                account::say(plan, &logs, &total);
                let files = logs.files.iter().map(|(file, _)| file);
                let files = files.chain(&logs.unchanged);
                let mut passed = Passed {
                    outcome: Outcome::Incomplete,
                    is_stopped: false,
                    files: files.map(|file| file.path.clone()).collect(),
                    lake,
                };
                if let Some(error) = logs.stdin_failure() {
                    plan.voice.warn(&format!(
                        "cannot read standard input to its end: {}",
                        said(error)
                    ));
                    return Ok(passed);
                }
                if stop.load(Ordering::Relaxed) {
                    passed.is_stopped = true;
                    return Ok(passed);
                }
                if passed.lake.is_to_compact() {
                    tidy(plan, &mut passed.lake).await;
                }
                plan.voice.notice(&format!(
                    "lake {} at version {}",
                    plan.lake.display(),
                    passed.lake.version()
                ));
                let failed = failed + failures.len() + logs.failed();
                passed.outcome = account::outcome(plan, &total, failed);
                return Ok(passed);
            }
            Err(StoreError::Conflict { committed }) if attempt < CONFLICTS_MAX => {
                total.add(*committed);
                if let Some(stream) = logs.read_once() {
                    bail!(
                        "another process adds lines of the same log to the lake, and {stream} cannot be read again\nhint: write it to a file and ingest that; what was committed stays, and nothing is added twice"
                    );
                }
                plan.voice
                    .detail("another process adds lines of the same logs; planning again");
                lake.refresh()?;
            }
            Err(StoreError::Conflict { .. }) => bail!(
                "another process adds lines of the same logs to the lake, and did so {CONFLICTS_MAX} times before this one\nhint: run it again; what was committed stays, and nothing is added twice"
            ),
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the loop returns or fails")
}

/// Puts small files together where a day has many. The lines are in the lake by now, so that nothing of this fails the run.
async fn tidy(plan: &Plan, lake: &mut Lake) {
    let options = CompactOptions {
        days: WhichDays::Crowded,
        threads: plan.threads,
        ..CompactOptions::default()
    };
    match compact(lake, &options).await {
        Ok(text) if text.is_empty() => {}
        Ok(text) => plan.voice.notice(text.trim_end()),
        Err(error) => plan.voice.warn(&format!(
            "the lines are in the lake, but its small files were not put together: {}",
            account::chain(error.as_ref())
        )),
    }
}

/// The first of these signals ends the run after the blocks at hand, with a commit of what is whole; a second one at once.
pub(super) fn stop_on_signals(signals: &[i32]) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for &signal in signals {
        signal_hook::flag::register_conditional_shutdown(signal, COULD_NOT_RUN, Arc::clone(&stop))
            .context("cannot listen for signals")?;
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context("cannot listen for signals")?;
    }
    Ok(stop)
}

fn progress_bar(plan: &Plan, feed: &Feed) -> ProgressBar {
    let target = if plan.voice.level == Level::Quiet || say::is_kept() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND)
    };
    let bar = match feed.progress().total {
        Some(total) => ProgressBar::with_draw_target(Some(total), target).with_style(style(
            "{bar:30} {percent:>3} %  {bytes}/{total_bytes}  {binary_bytes_per_sec}  {msg}  {eta} left",
        )),
        None => ProgressBar::with_draw_target(None, target)
            .with_style(style("{spinner} {bytes}  {binary_bytes_per_sec}  {msg}")),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

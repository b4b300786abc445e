//! `floodmark tail`: logs followed into the lake.
//!
//! Each look is a pass of `ingest`: it finds the logs anew with what rotation left of them, knows by their bytes how far each is read,
//! and commits the rest. So nothing is kept that a kill could lose, and a rotation is whatever the next look finds. Looking is polling,
//! which works on every file system; where nothing has changed a look costs a few calls.

mod changes;
mod claim;
mod following;
mod pulse;
mod screen;
mod supervised;

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::time::Instant;

use crate::args::TailArgs;
use crate::commands::ingest::{Passed, pass, stop_on_signals};
use crate::logs::NoneReadable;
use crate::plan::Plan;
use crate::say::Level;
use crate::{Outcome, account, clock, out};
use changes::Changes;
use claim::Claim;
pub(crate) use following::Following;
use pulse::Pulse;
use screen::Screen;
pub(crate) use supervised::Supervised;

/// A signal is heeded, and a burst noticed, this long after it came at most.
const STEP: Duration = Duration::from_millis(250);
/// Whoever asks it to end waits no longer than this: a service manager kills after a while. What is left is read another time.
const LAST_LOOK_MAX: Duration = Duration::from_secs(5);
/// More new bytes than these do not wait for the flush.
const FLUSH_BYTES: u64 = 64 << 20;

pub(crate) async fn tail(plan: &Plan, args: &TailArgs) -> Result<Outcome> {
    let logs = &args.logs.logs;
    are_files(logs)?;
    let stop = stop_on_signals(&[SIGINT, SIGTERM, SIGHUP])?;
    let _claim = Claim::of(plan, logs)?;
    let supervised = Arc::new(Supervised::new());
    let mut following = Following::new(&supervised);
    if args.once {
        return once(plan, logs, &stop, &mut following).await;
    }
    let mut plan = plan.clone();
    let mut pulse = Pulse::from(clock::now_ms(), args.output);
    let mut changes = Changes::default();
    let screen = screen::is_wanted(args).then(|| Screen::show(&plan, logs, &stop));
    let screen = screen.transpose()?;
    let mut failing = Failing::default();
    loop {
        let began_ms = clock::now_ms();
        changes.look(logs);
        let and_earlier = following.begin(logs);
        match pass(&plan, &and_earlier, &stop, Some(&mut following)).await {
            Ok(Passed {
                is_stopped: true, ..
            }) => break,
            Ok(passed) => {
                failing = Failing::default();
                changes.watch(passed.files);
                if plan.voice.level > Level::Once {
                    if screen.is_none() {
                        plan.voice.notice(&format!(
                            "following; what comes in is committed every {} s, a signal ends it",
                            args.flush
                        ));
                    }
                    plan.voice.level = Level::Once;
                }
                let beat = match &screen {
                    Some(screen) => {
                        screen.committed(began_ms, passed.lake.version());
                        Ok(())
                    }
                    None => pulse.beat(&plan, &passed.lake, began_ms).await,
                };
                match beat {
                    Ok(()) => {}
                    // Nobody reads any more.
                    Err(error) if out::is_closed_pipe(&error) => return Err(error),
                    // The lines are in the lake, and those that come are not to wait for an answer.
                    Err(error) => plan.voice.warn(&format!(
                        "what came in cannot be printed: {}",
                        account::chain(error.as_ref())
                    )),
                }
            }
            Err(error) if plan.voice.level > Level::Once && !may_pass(&error) => {
                return Err(error);
            }
            // A rotation, a full disk, a busy lake: the lines stay in their log until the next look.
            Err(error) => {
                supervised.ready();
                changes.forget();
                if let Some(news) = failing.news(&account::chain(error.as_ref()), args.flush) {
                    plan.voice.warn(&news);
                }
            }
        }
        let is_due = || {
            supervised.alive();
            following.is_due()
        };
        if !wait(
            &stop,
            &changes,
            logs,
            Duration::from_secs(args.flush),
            &is_due,
        )
        .await
        {
            break;
        }
    }
    let ended = screen.map_or(Ok(()), Screen::end);
    last_look(&plan, logs, &mut following).await?;
    ended.map(|()| Outcome::Done)
}

/// Why looks fail, as it was said last.
#[derive(Debug, Default)]
struct Failing {
    /// But for what stands in backticks: a file that cannot be written has another name each time.
    why: Vec<String>,
}

impl Failing {
    /// What to say of an error, if it is not the one of the look before.
    fn news(&mut self, error: &str, again_s: u64) -> Option<String> {
        let why: Vec<String> = error.split('`').step_by(2).map(str::to_owned).collect();
        if self.why == why {
            return None;
        }
        self.why = why;
        let (error, hint) = error.split_once("\nhint: ").unwrap_or((error, ""));
        let news = format!("{error}; looking again every {again_s} s");
        Some(match hint {
            "" => news,
            hint => format!("{news}\nhint: {hint}"),
        })
    }
}

/// A signal came: what is whole by now is committed, as far as it can be read in a moment.
async fn last_look(plan: &Plan, logs: &[String], following: &mut Following) -> Result<()> {
    following.supervised().ending();
    let stop = Arc::new(AtomicBool::new(false));
    let of_timer = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(LAST_LOOK_MAX);
        of_timer.store(true, Ordering::Relaxed);
    });
    let and_earlier = following.begin(logs);
    pass(plan, &and_earlier, &stop, Some(following)).await?;
    Ok(())
}

/// What is there now. What seems to be missing is looked for again, as that may have been in the middle of a rotation.
async fn once(
    plan: &Plan,
    logs: &[String],
    stop: &Arc<AtomicBool>,
    following: &mut Following,
) -> Result<Outcome> {
    let mut plan = plan.clone();
    loop {
        let passed = pass(&plan, logs, stop, Some(following)).await?;
        plan.voice.level = plan.voice.level.min(Level::Quiet);
        if passed.is_stopped || !following.is_missing_something() {
            return Ok(passed.outcome);
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Waits until there is something to look at, or it is time to look; false where a signal came instead.
async fn wait(
    stop: &AtomicBool,
    changes: &Changes,
    logs: &[String],
    flush: Duration,
    is_time: &dyn Fn() -> bool,
) -> bool {
    let due = Instant::now() + flush;
    loop {
        tokio::time::sleep(STEP).await;
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let is_due = Instant::now() >= due;
        let new_bytes = changes.new_bytes(logs);
        if is_time() || new_bytes.is_some_and(|bytes| is_due || bytes >= FLUSH_BYTES) {
            return true;
        }
    }
}

/// Only files can be looked at again.
fn are_files(logs: &[String]) -> Result<()> {
    for log in logs {
        if log == "-" {
            bail!(
                "`-`: expected a file, a glob or a directory, found standard input\nhint: `floodmark ingest -` reads it to its end"
            );
        }
        let Ok(found) = fs::metadata(log).map(|found| found.file_type()) else {
            continue;
        };
        if !found.is_file() && !found.is_dir() {
            let kind = match (found.is_fifo(), found.is_socket()) {
                (true, _) => "a pipe",
                (_, true) => "a socket",
                _ => "a device",
            };
            bail!(
                "`{log}`: expected a file, a glob or a directory, found {kind}\nhint: `floodmark ingest` reads a pipe to its end"
            );
        }
    }
    Ok(())
}

/// Whether it is the logs that cannot be read now.
fn may_pass(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_source = cause.downcast_ref::<floodmark_source::Error>();
        cause.is::<NoneReadable>() || of_source.is_some_and(floodmark_source::Error::may_pass)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_looks_from_working_is_said_once() {
        let mut failing = Failing::default();
        let full = |name| format!("cannot write `{name}`: no space left on device");
        assert_eq!(
            failing.news(&full("part-1"), 30).as_deref(),
            Some("cannot write `part-1`: no space left on device; looking again every 30 s")
        );
        assert_eq!(failing.news(&full("part-2"), 30), None);
        assert_eq!(
            failing
                .news("cannot open `a.log`\nhint: join `adm`", 30)
                .as_deref(),
            Some("cannot open `a.log`; looking again every 30 s\nhint: join `adm`")
        );
        assert!(failing.news(&full("part-3"), 30).is_some());
    }
}

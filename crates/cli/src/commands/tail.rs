//! `floodmark tail`: logs followed into the lake.
//!
//! Each look is a pass of `ingest`: it finds the logs anew with what rotation left of them, knows by their bytes how far each is read,
//! and commits the rest. So nothing is kept that a kill could lose, and a rotation is whatever the next look finds. Looking is polling,
//! which works on every file system; where nothing has changed a look costs a few calls.

mod changes;
mod claim;
mod pulse;
mod screen;

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::time::Instant;

use crate::args::TailArgs;
use crate::commands::ingest::{Named, Passed, pass, stop_on_signals};
use crate::logs::NoneReadable;
use crate::plan::Plan;
use crate::say::Level;
use crate::{Outcome, account, clock, out};
use changes::Changes;
use claim::Claim;
use pulse::Pulse;
use screen::Screen;

/// A signal is heeded, and a burst noticed, this long after it came at most.
const STEP: Duration = Duration::from_millis(250);
/// More new bytes than these do not wait for the flush.
const FLUSH_BYTES: u64 = 64 << 20;

pub(crate) async fn tail(plan: &Plan, args: &TailArgs) -> Result<Outcome> {
    let logs = &args.logs.logs;
    are_files(logs)?;
    let stop = stop_on_signals(&[SIGINT, SIGTERM, SIGHUP])?;
    let _claim = Claim::of(plan, logs)?;
    if args.once {
        return Ok(pass(plan, logs, &stop, Named::WithRotated).await?.outcome);
    }
    let mut plan = plan.clone();
    let mut pulse = Pulse::from(clock::now_ms(), args.output);
    let mut changes = Changes::default();
    let screen = screen::is_wanted(args).then(|| Screen::show(&plan, logs, &stop));
    let screen = screen.transpose()?;
    loop {
        let began_ms = clock::now_ms();
        changes.look(logs);
        match pass(&plan, logs, &stop, Named::WithRotated).await {
            Ok(Passed {
                is_stopped: true, ..
            }) => return Ok(Outcome::Done),
            Ok(passed) => {
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
                changes.forget();
                plan.voice.warn(&format!(
                    "{}; looking again every {} s",
                    account::chain(error.as_ref()),
                    args.flush
                ));
            }
        }
        if !wait(&stop, &mut changes, logs, Duration::from_secs(args.flush)).await {
            let ended = screen.map_or(Ok(()), Screen::end);
            // What is whole by now.
            pass(&plan, logs, &Arc::default(), Named::WithRotated).await?;
            return ended.map(|()| Outcome::Done);
        }
    }
}

/// Waits until there is something to look at; false where a signal came instead.
async fn wait(stop: &AtomicBool, changes: &mut Changes, logs: &[String], flush: Duration) -> bool {
    let due = Instant::now() + flush;
    loop {
        tokio::time::sleep(STEP).await;
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let is_due = Instant::now() >= due;
        let new_bytes = changes.new_bytes(logs);
        if new_bytes.is_some_and(|bytes| is_due || bytes >= FLUSH_BYTES) {
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

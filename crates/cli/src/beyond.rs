//! What the logs that are followed into a lake hold beyond it.
//!
//! A reader takes the lake at one version, and of the logs what is beyond the offsets of that very version: so each line is there once,
//! whatever followers commit meanwhile. The logs are listed before and after they are copied; where rotation moved one in between, it is
//! done again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use floodmark_ingest::LogSettings;
use floodmark_query::Beyond;
use floodmark_source::{Error as SourceError, KnownSource, LogFile, Seen, Snapshot};
use floodmark_store::Lake;

use crate::account;
use crate::followed::{Followed, host};
use crate::logs::{Logs, Reads};
use crate::memory::Memory;
use crate::plan::Plan;

/// How often logs are looked at again that are being moved: a look takes some milliseconds, a rotation hardly longer.
const LOOKS_MAX: usize = 50;

/// How often one is tried that cannot be read, or is not there: it may be between two names.
const SEARCHES_MAX: usize = 5;

/// What live logs hold beyond the lake as it was opened, if anything. Where a log cannot be read that is said, and the answer holds of it
/// what is in the lake.
pub(crate) fn beyond(plan: &Plan, lake: &Lake) -> Result<Option<Beyond>> {
    let Some(folder) = plan.folder()? else {
        return Ok(None);
    };
    let followed = of_this_host(plan, &folder);
    if followed.is_empty() {
        return Ok(None);
    }
    let known = lake.known_sources()?;
    let memory = Memory::of(plan, &known);
    for look in 1.. {
        match Look::at(&followed, &known, &memory.seen) {
            Ok(seen) if !seen.passed_over.is_empty() && look < SEARCHES_MAX => {}
            Ok(seen) if seen.has_moved && look < LOOKS_MAX => {}
            Ok(seen) if seen.has_moved => bail!(
                "the logs that are followed into the lake were renamed each of {LOOKS_MAX} times that they were looked at\nhint: run the command again"
            ),
            Ok(seen) => {
                seen.passed_over
                    .iter()
                    .for_each(|why| passed_over(plan, why));
                memory.keep(plan, seen.beyond.snapshot.ended());
                let is_empty = seen.beyond.snapshot.is_empty();
                return Ok((!is_empty).then_some(seen.beyond));
            }
            Err(error) if error.is_of_a_moment() && look < LOOKS_MAX => {}
            Err(error) => {
                return Err(error).context("cannot read what the logs hold beyond the lake");
            }
        }
    }
    unreachable!("the last look returns")
}

/// What followers of this host wrote down. Of others it is said that their logs are not here.
fn of_this_host(plan: &Plan, folder: &Path) -> Vec<(Followed, Plan)> {
    let mut here = Vec::new();
    let host = host();
    for (path, followed) in Followed::all(folder) {
        let read = followed.and_then(|followed| Ok((followed.plan(plan)?, followed)));
        match read {
            Ok((plan, followed)) if followed.host == host => here.push((followed, plan)),
            Ok((_, followed)) => passed_over(
                plan,
                &format!("{} is on the host `{}`", followed.shown(), followed.host),
            ),
            Err(error) => passed_over(
                plan,
                &format!(
                    "cannot read `{}`: {}",
                    path.display(),
                    account::chain(error.as_ref())
                ),
            ),
        }
    }
    here
}

fn passed_over(plan: &Plan, why: &str) {
    let why = why.split("\nhint: ").next().unwrap_or_default();
    plan.voice
        .notice(&format!("{why}; answers hold of it what is in the lake"));
}

/// What one look at all logs gave.
struct Look {
    beyond: Beyond,
    /// Why logs are passed over.
    passed_over: Vec<String>,
    /// Whether files are not where they were when they were listed.
    has_moved: bool,
}

impl Look {
    fn at(
        followed: &[(Followed, Plan)],
        known: &[KnownSource],
        seen: &Seen,
    ) -> Result<Self, SourceError> {
        let reads = Reads::Once {
            stop: Arc::default(),
            seen: seen.clone(),
            with_rotated: true,
        };
        let mut passed_over = Vec::new();
        let mut has_moved = false;
        let mut found: Vec<(&Followed, &Plan, Logs)> = Vec::new();
        for (followed, own) in followed {
            match Logs::find(own, &followed.logs, &reads) {
                Ok(logs) => found.push((followed, own, logs)),
                Err(error) => {
                    has_moved |= is_of_a_moment(&error);
                    passed_over.push(account::chain(error.as_ref()));
                }
            }
        }
        for (_, _, logs) in &found {
            let unread = logs.conf.iter().flat_map(|conf| &conf.unread);
            passed_over
                .extend(unread.map(|(log, reason)| format!("`{log}` is not read: {reason}")));
        }
        let (files, settings) = merged(found.iter().map(|(.., logs)| logs));
        let snapshot = Snapshot::take(&files, known)?;
        has_moved |= found
            .iter()
            .any(|(followed, own, logs)| !logs.are_where_they_were(own, &followed.logs, &reads));
        let failures = snapshot.failures().iter();
        passed_over.extend(failures.map(|(_, error)| account::chain(error)));
        Ok(Self {
            beyond: Beyond {
                snapshot: Arc::new(snapshot),
                settings,
            },
            passed_over,
            has_moved,
        })
    }
}

/// The files of all, each once, and how they are read.
fn merged<'l>(
    logs: impl Iterator<Item = &'l Logs>,
) -> (Vec<LogFile>, HashMap<PathBuf, Arc<LogSettings>>) {
    let mut met = HashSet::new();
    let mut files = Vec::new();
    let mut settings = HashMap::new();
    for logs in logs {
        let new = |file: &&LogFile| file.identity.is_none_or(|identity| met.insert(identity));
        let all = logs.files.iter().map(|(file, _)| file);
        let all = all.chain(&logs.unchanged).filter(new).cloned();
        files.extend(all);
        for (path, of_file) in logs.settings() {
            settings.entry(path).or_insert(of_file);
        }
    }
    (files, settings)
}

/// Whether a log was moved while its lines were looked at.
fn is_of_a_moment(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let of_source = cause.downcast_ref::<SourceError>();
        of_source.is_some_and(SourceError::is_of_a_moment)
    })
}

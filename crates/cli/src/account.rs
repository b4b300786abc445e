//! The account of lines: what was read, what became of it, and whether that fails the run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::DateTime;
use floodmark_ingest::{FormatLines, Tally};
use floodmark_source::{Outcome as FileOutcome, Reading};

use crate::Outcome;
use crate::formats::shown;
use crate::logs::Logs;
use crate::plan::{FailOn, Plan};
use crate::say::{counted, number};

/// `lines = requests + rejects + blank`, said on standard error.
pub(crate) fn say(plan: &Plan, logs: &Logs, tally: &Tally) {
    plan.voice.notice(&format!(
        "{} = {} + {} + {} blank",
        counted(tally.lines, "line"),
        counted(tally.requests, "request"),
        counted(tally.rejected(), "reject"),
        number(tally.blank),
    ));
    let samples = tally
        .rejects
        .iter()
        .flat_map(|(reason, rejects)| rejects.samples.iter().map(move |sample| (reason, sample)));
    if let Some((reason, first)) =
        samples.min_by_key(|(_, sample)| (&sample.file, sample.file_offset))
    {
        let hint = match tally.rejected() * 2 > tally.lines {
            true => {
                "\nhint: the lines may have been written with another `log_format`; name it with `--format`"
            }
            false => "",
        };
        plan.voice.notice(&format!(
            "{} of {} rejected, the first at byte {} of {} ({reason}); `floodmark inspect` lists them{hint}",
            number(tally.rejected()),
            counted(tally.lines, "line"),
            number(first.file_offset),
            logs.named(&first.file),
        ));
    }
    for change in changes(plan, logs, tally) {
        plan.voice.notice(&change);
    }
    if tally.out_of_range > 0 {
        plan.voice.notice(&format!(
            "{} did not fit their column and are NULL",
            counted(tally.out_of_range, "value"),
        ));
    }
}

/// Files with lines of several formats that are named one by one.
const CHANGES_MAX: usize = 5;

/// Which files hold lines of more than one format: how many of each, and where they begin.
pub(crate) fn changes(plan: &Plan, logs: &Logs, tally: &Tally) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<(usize, FormatLines)>> = BTreeMap::new();
    for ((file, format), lines) in &tally.formats {
        files.entry(file).or_default().push((*format, *lines));
    }
    files.retain(|_, formats| formats.len() > 1);
    let more = files.len().saturating_sub(CHANGES_MAX);
    let mut changes: Vec<String> = files
        .into_iter()
        .take(CHANGES_MAX)
        .map(|(file, formats)| change(plan, logs, file, formats))
        .collect();
    if more > 0 {
        changes.push(format!(
            "and {} with lines of more than one format",
            counted(more as u64, "file")
        ));
    }
    changes
}

/// What formats one file holds lines of.
fn change(plan: &Plan, logs: &Logs, file: &str, mut formats: Vec<(usize, FormatLines)>) -> String {
    formats.sort_by_key(|(_, lines)| lines.first_offset);
    let name = |format: usize| {
        let settings = logs.settings_of(file);
        let format = settings.and_then(|settings| settings.formats().nth(format));
        format.map_or_else(String::new, |format| format!("`{}`", shown(format)))
    };
    let read: Vec<String> = formats
        .iter()
        .map(|(format, lines)| {
            format!("{} read by {}", counted(lines.count, "line"), name(*format))
        })
        .collect();
    let begins: Vec<String> = formats
        .windows(2)
        .map(|pair| {
            let (before, (format, lines)) = (pair[0].1, pair[1]);
            let time = lines
                .first_time_us
                .and_then(DateTime::from_timestamp_micros);
            let time = time.map_or_else(String::new, |time| {
                let time = time.with_timezone(&plan.tz);
                time.format(", %Y-%m-%d %H:%M:%S %Z").to_string()
            });
            let (name, offset) = (name(format), number(lines.first_offset));
            match before.last_offset < lines.first_offset {
                true => format!("it changes to {name} at byte {offset}{time}"),
                false => format!("{name} is mixed in from byte {offset}{time} on"),
            }
        })
        .collect();
    format!(
        "{}: {}; {}",
        logs.named(file),
        read.join(", "),
        begins.join("; ")
    )
}

/// Says what each file is to the lake; gives the number of those that could not be read.
pub(crate) fn say_outcomes(plan: &Plan, logs: &Logs, readings: &[Reading]) -> usize {
    let mut failed = 0;
    for reading in readings {
        let name = logs.named(&reading.file.path.display().to_string());
        if let Some(set) = reading.adopted_by() {
            plan.voice
                .notice(&format!("{name}: its lines belong to the log set `{set}`"));
        }
        match &reading.outcome {
            FileOutcome::New => plan.voice.detail(&format!("{name}: new")),
            FileOutcome::Continues { already } => plan.voice.detail(&format!(
                "{name}: continues after {} that are in the lake",
                counted(*already, "byte"),
            )),
            FileOutcome::NothingNew { .. } => {
                plan.voice.notice(&format!("{name}: nothing new, all of it is in the lake"));
            }
            FileOutcome::OlderCopy { known, found, .. } => plan.voice.notice(&format!(
                "{name}: an older copy of a log in the lake ({} of {} bytes), nothing to add",
                number(*found),
                number(*known),
            )),
            FileOutcome::Shrunk { known, found, .. } => plan.voice.warn(&format!(
                "{name}: shrunk to {} from {} bytes read before; lines from here on are a new source",
                number(*found),
                number(*known),
            )),
            FileOutcome::DuplicateOf(other) => plan
                .voice
                .notice(&format!("{name}: the same bytes as {}, read once", other.display())),
            FileOutcome::Empty => plan.voice.notice(&format!("{name}: empty")),
            FileOutcome::Failed(error) => {
                failed += 1;
                plan.voice.warn(&logs.named(&chain(error)));
            }
            _ => {}
        }
    }
    failed
}

/// Says which files could not be read to their end.
pub(crate) fn say_failures(
    plan: &Plan,
    logs: &Logs,
    failures: &[(PathBuf, impl std::borrow::Borrow<str>)],
) {
    for (_, error) in failures {
        plan.voice.warn(&logs.named(error.borrow()));
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let (head, hint) = text
            .split_once("\nhint: ")
            .map_or((text.as_str(), None), |(h, t)| (h, Some(t)));
        text = match hint {
            Some(hint) => format!("{head}: {cause}\nhint: {hint}"),
            None => format!("{head}: {cause}"),
        };
        source = cause.source();
    }
    text
}

/// The outcome of a run under `--fail-on rejects` and files that failed.
pub(crate) fn outcome(plan: &Plan, tally: &Tally, failed_files: usize) -> Outcome {
    if failed_files > 0 {
        return Outcome::Incomplete;
    }
    let share = if tally.lines == 0 {
        0.0
    } else {
        ratio(tally.rejected(), tally.lines)
    };
    let over = plan.fail_on.iter().any(|condition| match condition {
        FailOn::Rejects(limit) => share > *limit,
        FailOn::Verdict | FailOn::Gaps => false,
    });
    if over { Outcome::Failed } else { Outcome::Done }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of lines are far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

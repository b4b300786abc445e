//! `floodmark inspect`: what logs hold, and what to mend.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Result;
use chrono::DateTime;
use floodmark_format::Escape;
use floodmark_ingest::{Intake, LineSchema, LogSettings, Scratch, Tally, TextAs};
use floodmark_report::escape_control;
use floodmark_source::{BlockOptions, Feed, LogFile, plan as plan_readings};

use crate::args::LogArgs;
use crate::logs::{Logs, Reads};
use crate::plan::Plan;
use crate::say::{counted, number};
use crate::{Outcome, account, out};

pub(crate) fn inspect(plan: &Plan, args: &LogArgs) -> Result<Outcome> {
    let logs = Logs::find(plan, &args.logs, &Reads::Once)?;
    let mut sets: BTreeMap<&str, Vec<&(LogFile, Arc<LogSettings>)>> = BTreeMap::new();
    for log in &logs.files {
        sets.entry(&log.0.log_set).or_default().push(log);
    }
    let mut text = String::new();
    let mut outcome = Outcome::Done;
    for (set, files) in sets {
        let (tally, failed) = read(plan, &logs, &files)?;
        text += &logs.named(&describe(plan, set, &files, &tally));
        outcome = outcome.max(account::outcome(plan, &tally, failed));
    }
    out::print(&text)?;
    Ok(outcome)
}

/// Reads the files of one log set for their account alone.
fn read(
    plan: &Plan,
    logs: &Logs,
    files: &[&(LogFile, Arc<LogSettings>)],
) -> Result<(Tally, usize)> {
    let readings = plan_readings(files.iter().map(|(file, _)| file.clone()).collect(), &[]);
    let failed = account::say_outcomes(plan, logs, &readings);
    let feed = Arc::new(Feed::new(readings, BlockOptions::default()));
    let no_columns = LineSchema::new([]).project(&[]);
    let intake = Intake::new(
        Arc::clone(&feed),
        &logs.settings(),
        no_columns,
        TextAs::Views,
    );
    let mut tally = Tally::default();
    let mut scratch = Scratch::default();
    while let Some(batch) = intake.next(&mut scratch)? {
        tally.add(batch.tally);
    }
    let failures: Vec<_> = feed
        .take_failures()
        .into_iter()
        .map(|(path, error)| (path, account::chain(&error)))
        .collect();
    account::say_failures(plan, logs, &failures);
    Ok((tally, failed + failures.len()))
}

fn describe(
    plan: &Plan,
    set: &str,
    files: &[&(LogFile, Arc<LogSettings>)],
    tally: &Tally,
) -> String {
    let mut text = String::new();
    let mut say = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:>11}  {}", escape_control(value));
    };
    say("log set", set);
    let bytes: u64 = files.iter().filter_map(|(file, _)| file.disk_bytes).sum();
    say(
        "files",
        &format!(
            "{}, {} on disk",
            counted(files.len() as u64, "file"),
            counted(bytes, "byte")
        ),
    );
    let mut formats: Vec<&LogSettings> = files
        .iter()
        .map(|(_, settings)| settings.as_ref())
        .collect();
    formats.dedup_by_key(|settings| settings.format.text().to_owned());
    for settings in &formats {
        say(
            "format",
            &format!("{}: {}", settings.format.name(), settings.format.text()),
        );
    }
    say(
        "lines",
        &format!(
            "{} = {} + {} + {} blank",
            number(tally.lines),
            counted(tally.requests, "request"),
            counted(tally.rejected(), "reject"),
            number(tally.blank),
        ),
    );
    if let Some((first, last)) = tally.time_range_us {
        let show = |time_us: i64| {
            DateTime::from_timestamp_micros(time_us)
                .map(|time| {
                    time.with_timezone(&plan.tz)
                        .format("%Y-%m-%d %H:%M:%S %Z")
                        .to_string()
                })
                .unwrap_or_default()
        };
        say("time", &format!("{} to {}", show(first), show(last)));
    }
    let zones: Vec<String> = tally
        .zones
        .iter()
        .map(|(zone, lines)| format!("{} ({})", zone_text(*zone), counted(*lines, "line")))
        .collect();
    if !zones.is_empty() {
        say("zones", &zones.join(", "));
    }
    for (reason, rejects) in &tally.rejects {
        say(
            "rejected",
            &format!("{} for {reason}", number(rejects.count)),
        );
        for sample in &rejects.samples {
            // The hint of each would be the same: `to mend` has it once.
            let message = sample.message.lines().next().unwrap_or_default();
            say(
                "",
                &format!(
                    "byte {} of {}: {message}",
                    number(sample.file_offset),
                    sample.file
                ),
            );
        }
    }
    for advice in advice(&formats, tally) {
        say("to mend", &advice);
    }
    text.push('\n');
    text
}

fn zone_text(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    let minutes = offset_s.abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// What is missing from the log that a judgment would use.
fn advice(formats: &[&LogSettings], tally: &Tally) -> Vec<String> {
    let mut advice = Vec::new();
    for settings in formats {
        let logs = |name: &str| {
            settings
                .format
                .variables()
                .iter()
                .any(|variable| variable.name == name)
        };
        if settings.format.escape() == Escape::None {
            advice.push(
                "`escape=none` lets a client forge whole lines; use `escape=json`".to_owned(),
            );
        }
        if !logs("request_time") {
            advice.push("without `$request_time` there are no latencies, and a client that gave up after 10 s counts as served".to_owned());
        }
        if !logs("upstream_status") {
            advice.push(
                "without `$upstream_status` a request shed by Nginx itself counts as failed"
                    .to_owned(),
            );
        }
        if !logs("http_user_agent") {
            advice.push("without `$http_user_agent` no bot can declare itself".to_owned());
        }
    }
    if tally.rejected() * 2 > tally.lines {
        advice.push(
            "more than half of the lines were rejected; give their format with `--format`"
                .to_owned(),
        );
    }
    advice.sort();
    advice.dedup();
    advice
}

//! `floodmark inspect`: what logs hold, and what to mend.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use chrono::DateTime;
use floodmark_format::{AccessLog, CompiledFormat, Escape, LogFormat};
use floodmark_ingest::{Intake, LineSchema, LogSettings, Scratch, Tally, TextAs};
use floodmark_source::{BlockOptions, Feed, LogFile, copytruncated, plan as plan_readings};

use crate::args::InspectArgs;
use crate::logs::{ConfLogs, Logs, Reads};
use crate::plan::Plan;
use crate::say::{counted, number, row};
use crate::{Outcome, account, out};

/// Names that logrotate passes over in its folder, by their ends.
const LOGROTATE_PASSES_OVER: &[&str] = &[
    "~",
    ".bak",
    ".disabled",
    ".dpkg-bak",
    ".dpkg-del",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
    ".swp",
    ".ucf-dist",
    ".ucf-new",
    ".ucf-old",
];

/// The files of a log set, each with its settings.
type Files<'logs> = Vec<&'logs (LogFile, Arc<LogSettings>)>;

pub(crate) fn inspect(plan: &Plan, args: &InspectArgs) -> Result<Outcome> {
    let logs = match args.logs.logs.is_empty() {
        true => Logs::of_conf(plan, None)?,
        false => Logs::find(plan, &args.logs.logs, &Reads::Again)?,
    };
    let mut sets: BTreeMap<&str, Files<'_>> = BTreeMap::new();
    for log in &logs.files {
        sets.entry(&log.0.log_set).or_default().push(log);
    }
    let mut text = String::new();
    let mut outcome = Outcome::Done;
    for log in logs.conf.iter().flat_map(|conf| &conf.logs) {
        let mut rows = Rows::default();
        rows.say("log set", &log.path);
        rows.conf(log);
        if let Some(files) = sets.remove(log.path.as_str()) {
            let (tally, failed) = read(plan, &logs, &files)?;
            rows.names(&files);
            rows.found(plan, &logs, &files, &tally, Some(log));
            outcome = outcome.max(account::outcome(plan, &tally, failed));
        }
        rows.beside(&logs, log, &args.logrotate);
        text += &rows.end();
    }
    for (set, files) in sets {
        let (tally, failed) = read(plan, &logs, &files)?;
        let mut rows = Rows::default();
        rows.say("log set", set);
        rows.found(plan, &logs, &files, &tally, None);
        text += &logs.named(&rows.end());
        outcome = outcome.max(account::outcome(plan, &tally, failed));
    }
    text += &logs.conf.as_ref().map(unlogged).unwrap_or_default();
    out::print(&text)?;
    Ok(match logs.failed() {
        0 => outcome,
        _ => Outcome::Incomplete,
    })
}

/// Reads the files of one log set for their account alone.
fn read(plan: &Plan, logs: &Logs, files: &Files<'_>) -> Result<(Tally, usize)> {
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

/// What is said of one log set.
#[derive(Default)]
struct Rows {
    text: String,
}

impl Rows {
    fn say(&mut self, label: &str, value: &str) {
        self.text += &row(label, value);
    }

    /// A row of words, unless there are none.
    fn list(&mut self, label: &str, words: &[String]) {
        if !words.is_empty() {
            self.say(label, &words.join(", "));
        }
    }

    fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    /// Who writes the log.
    fn conf(&mut self, log: &AccessLog) {
        match &log.origin {
            Some(origin) => self.say("named in", &origin.to_string()),
            None => self.say(
                "named in",
                "no `access_log`: it is where Nginx logs if it is not told",
            ),
        }
        self.list("servers", &log.server_names);
        self.list("listen", &log.listens);
        let ports: Vec<String> = log.ports.iter().map(u16::to_string).collect();
        self.list("ports", &ports);
        self.list("trusted", &log.trusted);
        if let Some(header) = log
            .real_ip_header
            .as_ref()
            .filter(|_| !log.trusted.is_empty())
        {
            self.say("real client", &format!("by `{header}`"));
        }
    }

    /// From which file to which the set goes.
    fn names(&mut self, files: &Files<'_>) {
        let name = |(file, _): &(LogFile, _)| {
            let name = file.path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        if let [first, .., last] = files[..] {
            self.say("rotation", &format!("{} to {}", name(first), name(last)));
        }
    }

    /// What the lines hold, and what to mend.
    fn found(
        &mut self,
        plan: &Plan,
        logs: &Logs,
        files: &Files<'_>,
        tally: &Tally,
        log: Option<&AccessLog>,
    ) {
        let bytes: u64 = files.iter().filter_map(|(file, _)| file.disk_bytes).sum();
        self.say(
            "files",
            &format!(
                "{}, {} on disk",
                counted(files.len() as u64, "file"),
                counted(bytes, "byte")
            ),
        );
        let mut formats: Vec<&CompiledFormat> = Vec::new();
        for format in files.iter().flat_map(|(_, settings)| settings.formats()) {
            if formats.iter().all(|known| known.text() != format.text()) {
                formats.push(format);
            }
        }
        for format in &formats {
            let name = format_name(format, log);
            self.say("format", &format!("{name}: {}", format.text()));
        }
        for change in account::changes(plan, logs, tally) {
            self.say("formats", &change);
        }
        self.say(
            "lines",
            &format!(
                "{} = {} + {} + {} blank",
                number(tally.lines),
                counted(tally.requests, "request"),
                counted(tally.rejected(), "reject"),
                number(tally.blank),
            ),
        );
        self.times(plan, tally);
        self.rejects(tally);
        for advice in advice(&formats, tally, log.is_none_or(|log| log.is_proxied)) {
            self.say("to mend", &advice);
        }
    }

    fn times(&mut self, plan: &Plan, tally: &Tally) {
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
            self.say("time", &format!("{} to {}", show(first), show(last)));
        }
        let zones = tally
            .zones
            .iter()
            .map(|(zone, lines)| format!("{} ({})", zone_text(*zone), counted(*lines, "line")));
        self.list("zones", &zones.collect::<Vec<_>>());
    }

    fn rejects(&mut self, tally: &Tally) {
        for (reason, rejects) in &tally.rejects {
            self.say(
                "rejected",
                &format!("{} for {reason}", number(rejects.count)),
            );
            for sample in &rejects.samples {
                // The hint of each would be the same: `to mend` has it once.
                let message = sample.message.lines().next().unwrap_or_default();
                self.say(
                    "",
                    &format!(
                        "byte {} of {}: {message}",
                        number(sample.file_offset),
                        sample.file
                    ),
                );
            }
        }
    }

    /// What nginx.conf and logrotate show of the log, and why it is not read.
    fn beside(&mut self, logs: &Logs, log: &AccessLog, logrotate: &Path) {
        for note in log.notes() {
            self.say("note", &note.to_string());
        }
        if let Some(conf) = copytruncate(logrotate, Path::new(&log.path)) {
            self.say(
                "note",
                &format!(
                    "logrotate copies and truncates it (`copytruncate` in {}): lines written in between are lost; use `create`, and have Nginx reopen its logs",
                    conf.display()
                ),
            );
        }
        let unread = logs.conf.iter().flat_map(|conf| &conf.unread);
        for (_, reason) in unread.filter(|(path, _)| *path == log.path) {
            // The hint was said where it happened.
            self.say("not read", reason.lines().next().unwrap_or_default());
        }
    }
}

/// The name that nginx.conf has for a format, else its own.
fn format_name<'name>(format: &'name CompiledFormat, log: Option<&'name AccessLog>) -> &'name str {
    let is_it = |named: &&LogFormat| {
        let text = named.text.as_deref().unwrap_or_default();
        CompiledFormat::compile(text).is_ok_and(|compiled| compiled.text() == format.text())
    };
    let mut named = log.iter().flat_map(|log| &log.formats);
    named
        .find(is_it)
        .map_or_else(|| format.name(), |named| &named.name)
}

/// The file of logrotate's configuration that has a log truncated.
fn copytruncate(folder: &Path, log: &Path) -> Option<PathBuf> {
    let passes_over = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        LOGROTATE_PASSES_OVER.iter().any(|end| name.ends_with(end))
    };
    // Without logrotate there is no folder, and nothing to warn of.
    let files = fs::read_dir(folder).ok()?;
    let files: BTreeSet<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files
        .into_iter()
        .filter(|path| path.is_file() && !passes_over(path))
        .find(|path| {
            fs::read(path).is_ok_and(|text| copytruncated(&String::from_utf8_lossy(&text), log))
        })
}

/// Requests that no log has.
fn unlogged(conf: &ConfLogs) -> String {
    let mut rows = Rows::default();
    for off in &conf.unlogged {
        rows.say(
            "not logged",
            &format!("`{}`: `access_log off` in {}", off.block, off.origin),
        );
    }
    rows.text
}

fn zone_text(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    let minutes = offset_s.abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// What is missing from the log that a judgment would use.
fn advice(formats: &[&CompiledFormat], tally: &Tally, is_proxied: bool) -> Vec<String> {
    let mut advice = Vec::new();
    for format in formats {
        let logs = |name: &str| {
            let mut variables = format.variables().iter();
            variables.any(|variable| variable.name == name)
        };
        if format.escape() == Escape::None {
            advice.push(
                "`escape=none` lets a client forge whole lines; use `escape=json`".to_owned(),
            );
        }
        for variable in format.open_variables() {
            advice.push(format!(
                "`${0}` has no quotes: what a client sends there can pass for the fields after it; write `\"${0}\"`",
                variable.name
            ));
        }
        if !logs("request_time") {
            advice.push("without `$request_time` there are no latencies, and a client that gave up after 10 s counts as served".to_owned());
        }
        if is_proxied && !logs("upstream_status") {
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

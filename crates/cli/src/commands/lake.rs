//! `floodmark lake`: what a lake holds, whether it is whole, and its upkeep.

use anyhow::{Result, anyhow};
use chrono_tz::Tz;
use floodmark_store::{
    Cleaned, CompactOptions, Compacted, Expiry, FilesVerified, Lake, OnClean, Verified, WhichDays,
    verify,
};

use crate::args::{ExpireArgs, LakeCommand};
use crate::clock::now_ms;
use crate::commands::lake_info::info;
use crate::commands::rebuild::rebuild;
use crate::plan::Plan;
use crate::say::{counted, number, row};
use crate::window::point;
use crate::{Outcome, out};

pub(crate) async fn lake(plan: &Plan, command: &LakeCommand) -> Result<Outcome> {
    match command {
        LakeCommand::Info(args) => info(plan, &opened(plan).await?, args).await,
        LakeCommand::Verify => verified(plan).await,
        LakeCommand::Compact => {
            let mut lake = writable(plan).await?;
            let options = CompactOptions {
                threads: plan.threads,
                ..CompactOptions::default()
            };
            let text = compact(&mut lake, &options).await?;
            out::print(match text.as_str() {
                "" => "no day has small files to put together\n",
                text => text,
            })?;
            Ok(Outcome::Done)
        }
        LakeCommand::Expire(args) => {
            let mut lake = writable(plan).await?;
            expire(plan, &mut lake, args).await
        }
        LakeCommand::Rebuild(args) => rebuild(plan, args).await,
    }
}

async fn opened(plan: &Plan) -> Result<Lake> {
    let lake = Lake::open(plan.location()?).await?;
    lake.ok_or_else(|| no_lake(plan))
}

/// The lake to write to; none is made.
async fn writable(plan: &Plan) -> Result<Lake> {
    drop(opened(plan).await?);
    Ok(Lake::open_or_create(plan.location()?).await?)
}

fn no_lake(plan: &Plan) -> anyhow::Error {
    anyhow!(
        "there is no lake in `{}`\nhint: make one with `floodmark ingest LOG…`, or name another with `--lake DIR`",
        plan.lake.display(),
    )
}

/// Puts small files together and deletes what nothing needs; gives what was done, if anything was.
pub(crate) async fn compact(lake: &mut Lake, options: &CompactOptions) -> Result<String> {
    let done = lake.compact(options, now_ms()).await?;
    if !done.is_any() && options.days == WhichDays::Crowded && !lake.is_to_clean() {
        return Ok(String::new());
    }
    let cleaned = lake.clean(now_ms(), OnClean::Delete).await?;
    Ok(compacted(&done) + &deleted(&cleaned, OnClean::Delete))
}

fn compacted(done: &Compacted) -> String {
    let mut text = String::new();
    if done.days > 0 {
        text += &format!(
            "put together {} of {}, {}, as {} of {}; {} as before\n",
            counted(done.files_before, "file"),
            counted(done.days, "day"),
            counted(done.bytes_before, "byte"),
            counted(done.files_after, "file"),
            counted(done.bytes_after, "byte"),
            counted(done.rows, "row"),
        );
    }
    let merged = &done.minutes;
    if merged.months > 0 {
        text += &format!(
            "merged {} of minutes of {}, {}, as {} of {}; {} as {}\n",
            counted(merged.files_before, "file"),
            counted(merged.months, "month"),
            counted(merged.bytes_before, "byte"),
            counted(merged.files_after, "file"),
            counted(merged.bytes_after, "byte"),
            counted(merged.rows_before, "row"),
            number(merged.rows_after),
        );
    }
    text
}

fn deleted(cleaned: &Cleaned, on_clean: OnClean) -> String {
    let verb = match on_clean {
        OnClean::Count => "would delete",
        OnClean::Delete => "deleted",
    };
    let mut text = String::new();
    if cleaned.files > 0 {
        text += &format!(
            "{verb} {} of {} that nothing needs any more\n",
            counted(cleaned.files, "file"),
            counted(cleaned.bytes, "byte"),
        );
    }
    if cleaned.log_files > 0 {
        text += &format!(
            "{verb} {} of the log, which a checkpoint stands for\n",
            counted(cleaned.log_files, "old file"),
        );
    }
    text
}

async fn expire(plan: &Plan, lake: &mut Lake, args: &ExpireArgs) -> Result<Outcome> {
    // The days of a lake are those of UTC.
    let before_us = point("--lines", &args.lines, Tz::UTC, now_ms() * 1_000)?;
    let (expiry, on_clean) = match args.dry_run {
        true => (lake.expirable(before_us).await?, OnClean::Count),
        false => (lake.expire(before_us, now_ms()).await?, OnClean::Delete),
    };
    let cleaned = lake.clean(now_ms(), on_clean).await?;
    let mut text = expired(&expiry, args.dry_run);
    text += &deleted(&cleaned, on_clean);
    out::print(&text)?;
    for (day, error) in &expiry.damaged {
        plan.voice.warn(&format!("{day} stays: {error}"));
    }
    Ok(match expiry.damaged.is_empty() {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

fn expired(expiry: &Expiry, is_dry_run: bool) -> String {
    let what = |files, rows, bytes, days: &Option<(String, String)>| {
        let days = days.as_ref().map_or(String::new(), |(first, last)| {
            format!(", {first} to {last}")
        });
        format!(
            "{} in {} of {}{days}",
            counted(rows, "row"),
            counted(files, "file"),
            counted(bytes, "byte"),
        )
    };
    let gone = match &expiry.days {
        None if !expiry.damaged.is_empty() => "nothing".to_owned(),
        None => "no day is that old".to_owned(),
        Some(_) => what(expiry.files, expiry.rows, expiry.bytes, &expiry.days),
    };
    let stays = what(
        expiry.kept_files,
        expiry.kept_rows,
        expiry.kept_bytes,
        &expiry.kept_days,
    );
    let mut text = row(if is_dry_run { "would go" } else { "went" }, &gone);
    text += &row("stays", &stays);
    if expiry.days.is_some() && !is_dry_run {
        text += &row(
            "bytes",
            "are deleted a day from now, by the next `floodmark lake compact` or `expire`",
        );
    }
    text
}

async fn verified(plan: &Plan) -> Result<Outcome> {
    let verified = verify(plan.location()?, plan.threads).await?;
    if verified.version.is_none() && verified.is_clean() {
        return Err(no_lake(plan));
    }
    let mut text: String = verified
        .problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    text += &summary(plan, &verified);
    out::print(&text)?;
    Ok(match verified.is_clean() {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

fn summary(plan: &Plan, verified: &Verified) -> String {
    let mut text = row("lake", &plan.lake.display().to_string());
    if let Some(version) = verified.version {
        text += &row("version", &number(version));
        text += &row("files", &files(&verified.lines));
        text += &row("rows", &number(verified.lines.rows));
        let mut sources = format!(
            "{}; {} of them read and in no row, as blank lines and expired ones are",
            counted(verified.sources, "source"),
            counted(verified.bytes_without_row, "byte"),
        );
        if verified.unrecorded_sources > 0 {
            sources += &format!(
                "; of {} it was not recorded how many",
                number(verified.unrecorded_sources)
            );
        }
        text += &row("sources", &sources);
        text += &row("minutes", &minutes(verified));
    }
    let tables = [&verified.lines, &verified.minutes];
    let sum = |of: fn(&FilesVerified) -> u64| tables.into_iter().map(of).sum::<u64>();
    for (label, files, bytes, what) in [
        (
            "waiting",
            sum(|table| table.waiting_files),
            sum(|table| table.waiting_bytes),
            "replaced or expired, kept for readers of older versions for a day",
        ),
        (
            "orphans",
            sum(|table| table.orphans),
            sum(|table| table.orphan_bytes),
            "which no commit names: left by a crash, or about to be named; kept for a week",
        ),
    ] {
        if files > 0 {
            let files = counted(files, "file");
            text += &row(
                label,
                &format!("{files} of {}, {what}", counted(bytes, "byte")),
            );
        }
    }
    let problems = verified.problems.len() as u64 + verified.more_problems;
    text + &row(
        "found",
        &match problems {
            0 => "nothing wrong".to_owned(),
            _ => counted(problems, "problem"),
        },
    )
}

fn files(of: &FilesVerified) -> String {
    let mut text = format!(
        "{} of {}",
        counted(of.files, "file"),
        counted(of.bytes, "byte")
    );
    if of.unhashed_files > 0 {
        text += &format!(", {} without a recorded hash", number(of.unhashed_files));
    }
    text
}

fn minutes(verified: &Verified) -> String {
    let mut text = format!(
        "{} in {}; those of {} are what counting its lines gives",
        counted(verified.minutes.rows, "row"),
        files(&verified.minutes),
        counted(verified.days_counted, "day"),
    );
    if verified.days_expired > 0 {
        text += &format!(
            "; lines of {} have expired",
            counted(verified.days_expired, "day")
        );
    }
    if verified.uncounted_bytes > 0 {
        text += &format!(
            "; {} of sources are not counted yet, which the next ingest does, and each reader until then",
            counted(verified.uncounted_bytes, "byte")
        );
    }
    text
}

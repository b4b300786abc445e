//! `floodmark report`: were we up, what broke, who came.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use floodmark_report::{
    LineCounts, Options, PastReport, Report, Verdict, build, escape_control, index_page,
};

use crate::args::ReportArgs;
use crate::commands::answer::{Asked, Asks};
use crate::plan::{FailOn, Plan};
use crate::queries::Queries;
use crate::say::style;
use crate::{Outcome, account, out, window};

pub(crate) async fn report(plan: &Plan, args: &ReportArgs) -> Result<Outcome> {
    if args.open && args.html.is_none() && args.into.is_none() {
        bail!(
            "`--open`: there is no page to show\nhint: write one with `--html FILE` or `--into DIR`"
        );
    }
    let own_queries = Queries::read(plan)?.into_own();
    let asked = Asked::open(plan, &args.logs.logs, Asks::Report, None).await?;
    let settings = window::settings(&asked.engine, &args.window, plan.tz).await?;
    let account = asked.account();
    let options = Options {
        settings,
        source_names: match &asked.logs {
            Some(logs) => logs.names(),
            None => vec![format!("lake {}", plan.lake.display())],
        },
        lines: account.as_ref().map(|(tally, _)| LineCounts {
            lines: tally.lines,
            requests: tally.requests,
            rejects: tally.rejected(),
            blank: tally.blank,
        }),
        notes: Vec::new(),
        own_queries,
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut report = build(&asked.engine, &options).await?;
    if args.share {
        report = report.shared();
    }
    write(args, &report)?;
    asked.say_beyond(plan);
    let mut outcome = verdict(plan, &report);
    for panel in report.panels.iter().filter(|panel| panel.failed) {
        let reason = panel.none.as_deref().unwrap_or_default();
        plan.voice.warn(&escape_control(reason));
        outcome = Outcome::Incomplete;
    }
    if let (Some(logs), Some((tally, failures))) = (&asked.logs, account) {
        account::say_failures(plan, logs, &failures);
        account::say(plan, logs, &tally);
        outcome = outcome.max(account::outcome(
            plan,
            &tally,
            failures.len() + logs.failed(),
        ));
    }
    Ok(outcome)
}

/// The files asked for, and the terminal's text unless one of them took standard output.
fn write(args: &ReportArgs, report: &Report) -> Result<()> {
    let to_stdout = [&args.html, &args.md, &args.json]
        .into_iter()
        .flatten()
        .any(|path| path.as_os_str() == "-");
    if !to_stdout {
        out::print(&report.terminal(style()))?;
    }
    if let Some(path) = &args.html {
        out::write_file(path, &report.html()?)?;
    }
    if let Some(path) = &args.md {
        out::write_file(path, &report.markdown())?;
    }
    if let Some(path) = &args.json {
        out::write_file(path, &report.json())?;
    }
    let mut page = args.html.clone();
    if let Some(folder) = &args.into {
        page = Some(keep(folder, report)?);
    }
    match page {
        Some(page) if args.open => open(&page),
        _ => Ok(()),
    }
}

/// Writes the report into a folder of reports and leads to it; gives its page.
fn keep(folder: &Path, report: &Report) -> Result<PathBuf> {
    let cannot = || format!("cannot keep the report in `{}`", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let path = |ending: &str| folder.join(format!("{}.{ending}", report.file_name()));
    out::write_file(&path("html"), &report.html()?)?;
    out::write_file(&path("json"), &report.json())?;
    let mut past = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let page = path.with_extension("html");
        let name = page.file_name().and_then(OsStr::to_str);
        if let Some(name) =
            name.filter(|_| path.extension() == Some(OsStr::new("json")) && page.exists())
        {
            let json = fs::read_to_string(&path).with_context(cannot)?;
            past.extend(PastReport::read(name, &json));
        }
    }
    out::write_file(&folder.join("index.html"), &index_page(past)?)?;
    Ok(path("html"))
}

/// Shows a page in the browser that the desktop names.
fn open(page: &Path) -> Result<()> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let shown = Command::new(program).arg(page).status();
    let shown = shown.with_context(|| format!("cannot start `{program}`"))?;
    if !shown.success() {
        bail!("`{program} {}` failed with {shown}", page.display());
    }
    Ok(())
}

fn verdict(plan: &Plan, report: &Report) -> Outcome {
    let failed = plan.fail_on.iter().any(|condition| match condition {
        FailOn::Verdict => report
            .weeks
            .iter()
            .any(|week| week.verdict == Verdict::Fail),
        FailOn::Gaps => report.weeks.iter().any(|week| week.coverage < 1.0),
        FailOn::Rejects(_) => false,
    });
    if failed {
        Outcome::Failed
    } else {
        Outcome::Done
    }
}

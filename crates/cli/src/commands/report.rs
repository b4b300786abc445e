//! `floodmark report`: were we up, what broke, who came.

use anyhow::Result;
use floodmark_report::{LineCounts, Options, Report, Verdict, build};

use crate::args::ReportArgs;
use crate::commands::answer::{Asked, Asks};
use crate::plan::{FailOn, Plan};
use crate::say::style;
use crate::{Outcome, account, out, window};

pub(crate) async fn report(plan: &Plan, args: &ReportArgs) -> Result<Outcome> {
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
        own_queries: Vec::new(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let report = build(&asked.engine, &options).await?;
    write(args, &report)?;
    asked.say_beyond(plan);
    let mut outcome = verdict(plan, &report);
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

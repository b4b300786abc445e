//! The command `floodmark`: arguments to a checked plan, wiring, exit codes, and all printing.

mod account;
mod args;
mod beyond;
mod clock;
mod commands;
mod conf;
mod facts;
mod folders;
mod followed;
mod formats;
mod logs;
mod memory;
mod out;
mod plan;
mod queries;
mod relay;
mod say;
mod window;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::args::{Cli, Command};
use crate::plan::Plan;

/// How a command that ran to its end turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Done,
    /// Done, but a `--fail-on` condition holds.
    Failed,
    /// Part of the input could not be read; what could is done.
    Incomplete,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are answers, so they end with 0; anything else could not run.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    panic::set_hook(Box::new(say_fault));
    let Ok(outcome) = panic::catch_unwind(AssertUnwindSafe(|| run(&cli))) else {
        say::line(FAULT);
        return ExitCode::from(2);
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Incomplete) => ExitCode::from(2),
        Err(error) if out::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&format!("error: {}", explained(&error)));
            ExitCode::from(2)
        }
    }
}

/// What is said of a command that a fault has ended.
const FAULT: &str = "error: Floodmark, or a library that it uses, stopped at what it was not made for; what was committed before stays
hint: a damaged file of the lake does that: see what `floodmark lake verify` finds; if nothing, please report the line above";

/// Says what a panic says, on a line; where from, if `RUST_BACKTRACE` asks for it.
fn say_fault(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    // The folder of a library says nothing to those who have another one.
    let library = place.rsplit_once("/src/").map(|(library, _)| library);
    let start = library.and_then(|library| library.rfind('/'));
    let place = &place[start.map_or(0, |slash| slash + 1)..];
    say::line(&format!("fault: {message} ({place})"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        say::line(&backtrace.to_string());
    }
}

/// The error and its causes on one line, then its hints.
pub(crate) fn explained(error: &anyhow::Error) -> String {
    let mut hints = Vec::new();
    let mut causes: Vec<String> = Vec::new();
    let is_of_lake = error
        .chain()
        .any(|cause| cause.is::<floodmark_store::Error>());
    for cause in error.chain() {
        let system = cause.downcast_ref::<io::Error>();
        let text = system.map_or_else(|| cause.to_string(), say::said);
        let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        // Some libraries repeat their source in their own text.
        if !causes.iter().any(|said| said.ends_with(message)) {
            causes.push(message.to_owned());
        }
        if !hint.is_empty() {
            hints.push(format!("\nhint: {hint}"));
        }
        hints.extend(
            system
                .and_then(|error| hint_of(error.kind(), is_of_lake))
                .map(|hint| format!("\nhint: {hint}")),
        );
    }
    format!("{}{}", causes.join(": "), hints.concat())
}

/// What to do about what the operating system says.
fn hint_of(kind: ErrorKind, is_of_lake: bool) -> Option<&'static str> {
    match kind {
        ErrorKind::StorageFull if is_of_lake => Some(
            "free space and run it again; what was committed stays, and nothing is added twice",
        ),
        ErrorKind::StorageFull => Some("free space and run it again"),
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
            if is_of_lake =>
        {
            Some("name another folder for the lake with `--lake DIR`")
        }
        _ => None,
    }
}

fn run(cli: &Cli) -> Result<Outcome> {
    let plan = Plan::new(&cli.shared)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(plan.threads)
        .enable_all()
        .build()
        .context("cannot start the worker threads")?;
    let outcome = match &cli.command {
        Command::Report(args) => runtime.block_on(commands::report(&plan, args)),
        Command::Sql(args) => runtime.block_on(commands::sql(&plan, args)),
        Command::Query(args) => runtime.block_on(commands::query(&plan, args)),
        Command::Ingest(args) => runtime.block_on(commands::ingest(&plan, args)),
        Command::Tail(args) => runtime.block_on(commands::tail(&plan, args)),
        Command::Inspect(args) => commands::inspect(&plan, args),
        Command::Lake(command) => runtime.block_on(commands::lake(&plan, command)),
        Command::Lists => commands::lists(&plan),
        Command::Simulate(args) => commands::simulate(&plan, args),
        Command::Completions { shell } => commands::completions(*shell),
        Command::Man => commands::man(),
    };
    // A plan that is still being made for a question that was ended is not waited for.
    runtime.shutdown_background();
    outcome
}

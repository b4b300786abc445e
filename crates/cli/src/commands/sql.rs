//! `floodmark sql`: one statement, those of a script, or a prompt.

mod asking;
mod command;
mod editor;
mod pager;
mod prompt;

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, bail};
use floodmark_query::{Place, statements};

use crate::args::{Output, SqlArgs};
use crate::commands::answer::{Asked, Asks, write};
use crate::plan::Plan;
use crate::{Outcome, out};

pub(crate) async fn sql(plan: &Plan, args: &SqlArgs) -> Result<Outcome> {
    if args.functions {
        out::print(&command::list_of_functions())?;
        return Ok(Outcome::Done);
    }
    match args.statement.as_deref() {
        Some("-") => script(plan, args, &standard_input()?).await,
        Some(text) => script(plan, args, text).await,
        None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => {
            prompt::run(plan, args).await
        }
        None => script(plan, args, &standard_input()?).await,
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("cannot read the statement from standard input")?;
    Ok(text)
}

/// Statements one after the other, all of the same version of a lake; the first one that fails is the last.
async fn script(plan: &Plan, args: &SqlArgs, text: &str) -> Result<Outcome> {
    let found = statements(text);
    // What holds no statement is for the engine to refuse.
    let found = if found.is_empty() { vec![text] } else { found };
    if found.len() > 1 && args.answer.output == Output::Parquet {
        bail!(
            "`--output parquet`: expected one statement, found {}\nhint: a Parquet file has one table",
            found.len()
        );
    }
    let (from, timeout) = (&args.answer.from, args.answer.timeout);
    let asked = Asked::open(plan, from, Asks::Statement, timeout).await?;
    let mut outcome = Outcome::Done;
    for (index, statement) in found.iter().enumerate() {
        let answered = answer(plan, args, &asked, statement).await;
        let answered = match found.len() {
            1 => answered,
            _ => answered.with_context(|| {
                let line = Place::of(text, offset_in(text, statement)).line;
                format!("statement {}, which begins in line {line}", index + 1)
            }),
        };
        outcome = outcome.max(answered?);
    }
    Ok(outcome)
}

async fn answer(plan: &Plan, args: &SqlArgs, asked: &Asked, statement: &str) -> Result<Outcome> {
    let mut running = asked.engine.start(statement.trim()).await?;
    let rows = write(plan, &mut running, &args.answer, None).await?;
    Ok(asked.footer(plan, rows, running.bytes_scanned(), None))
}

/// Where a part of a text begins in it.
fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

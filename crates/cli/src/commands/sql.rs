//! `floodmark sql`: one statement.

use std::io::Read;

use anyhow::{Context, Result};

use crate::Outcome;
use crate::args::SqlArgs;
use crate::commands::answer::{Asked, Asks, write};
use crate::plan::Plan;

pub(crate) async fn sql(plan: &Plan, args: &SqlArgs) -> Result<Outcome> {
    let mut statement = args.statement.clone();
    if statement == "-" {
        statement.clear();
        std::io::stdin()
            .read_to_string(&mut statement)
            .context("cannot read the statement from standard input")?;
    }
    let asked = Asked::open(
        plan,
        &args.answer.from,
        Asks::Statement,
        args.answer.timeout,
    )
    .await?;
    let mut running = asked.engine.start(statement.trim()).await?;
    let rows = write(plan, &mut running, &args.answer).await?;
    Ok(asked.footer(plan, rows, running.bytes_scanned()))
}

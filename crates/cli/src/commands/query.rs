//! `floodmark query`: the named queries.

use anyhow::{Result, anyhow};
use floodmark_query::{NamedQuery, Settings};

use crate::args::QueryArgs;
use crate::commands::answer::{Asked, Asks, write};
use crate::commands::explain::explain;
use crate::plan::Plan;
use crate::queries::Queries;
use crate::{Outcome, out, window};

pub(crate) async fn query(plan: &Plan, args: &QueryArgs) -> Result<Outcome> {
    let queries = Queries::read(plan)?;
    let Some(name) = &args.name else {
        out::print(&list(&queries))?;
        return Ok(Outcome::Done);
    };
    let query = queries.find(name)?;
    let asked = Asked::open(plan, &args.answer.from, Asks::Query, args.answer.timeout).await?;
    let settings = settings(plan, args, &asked).await?;
    let statement = asked.engine.statement(query, &settings).await?;
    if args.sql {
        out::print(&format!("{statement}\n"))?;
        return Ok(Outcome::Done);
    }
    if let Some(number) = args.explain {
        explain(&asked.engine, name, number, &settings).await?;
        return Ok(asked.footer(plan, 1, 0, None));
    }
    let mut running = asked.engine.start(&statement).await?;
    let rows = write(plan, &mut running, &args.answer, query.chart.as_ref()).await?;
    Ok(asked.footer(plan, rows, running.bytes_scanned(), None))
}

/// The window of a query and the values of its parameters.
pub(super) async fn settings(plan: &Plan, args: &QueryArgs, asked: &Asked) -> Result<Settings> {
    let mut settings = window::settings(&asked.engine, &args.window, plan.tz).await?;
    for param in &args.params {
        let (name, value) = param
            .split_once('=')
            .ok_or_else(|| anyhow!("`--param`: expected `NAME=VALUE`, found `{param}`"))?;
        settings
            .parameters
            .insert(name.to_owned(), value.to_owned());
    }
    Ok(settings)
}

/// Every query with its question and its parameters.
pub(super) fn list(queries: &Queries) -> String {
    let width = queries.iter().map(|query| query.name.len()).max();
    let width = width.unwrap_or(0);
    queries.iter().map(|query| one(query, width)).collect()
}

fn one(query: &NamedQuery, width: usize) -> String {
    let params: String = query
        .params
        .iter()
        .filter(|param| !param.default.starts_with("report."))
        .map(|param| {
            let note = if param.note.is_empty() {
                String::new()
            } else {
                format!("  {}", param.note)
            };
            format!("{:width$}    {}={}{note}\n", "", param.name, param.default)
        })
        .collect();
    format!("{:width$}  {}\n{params}", query.name, query.question)
}

//! `floodmark lists`: what is known beyond the logs.
//!
//! Nothing is fetched: a list is had with any client, at the address shown, and laid into the folder shown.

use anyhow::Result;
use floodmark_traffic::claims::{LIST_AGE_MAX_DAYS, OPERATORS, Operator};

use crate::clock::now_ms;
use crate::facts::{ListFile, read};
use crate::plan::Plan;
use crate::say::{counted, row};
use crate::{Outcome, out};

const DAY_US: i64 = 86_400_000_000;

pub(crate) fn lists(plan: &Plan) -> Result<Outcome> {
    let known = read(plan);
    let mut text = row("folder", &plan.config.display().to_string());
    for operator in OPERATORS {
        let files: Vec<&ListFile> = known
            .lists
            .iter()
            .filter(|file| file.operator == operator)
            .collect();
        if files.is_empty() {
            text += &row(operator.name, &missing(operator));
        }
        for file in files {
            text += &row(operator.name, &present(file));
        }
    }
    text += &row("exempt", &counted(known.exempt as u64, "range"));
    text += &row("maintenance", &counted(known.maintenance as u64, "window"));
    out::print(&text)?;
    Ok(Outcome::Done)
}

fn present(file: &ListFile) -> String {
    let age_days = (now_ms() * 1_000 - file.made_us).max(0) / DAY_US;
    let name = file.path.file_name().unwrap_or_default();
    let mut text = format!(
        "{}, {} old: lists/{}",
        counted(file.list.ranges.len() as u64, "range"),
        counted(age_days.unsigned_abs(), "day"),
        name.to_string_lossy()
    );
    #[expect(clippy::cast_precision_loss, reason = "an age in days is small")]
    if age_days as f64 > LIST_AGE_MAX_DAYS {
        text += "; too old to call anybody a fake";
    }
    text
}

fn missing(operator: &Operator) -> String {
    match operator.published_at {
        [] => "none".to_owned(),
        addresses => format!("none; {}", addresses.join(" ")),
    }
}

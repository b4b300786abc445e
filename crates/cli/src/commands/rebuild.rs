//! `floodmark lake rebuild`: minutes counted anew from their lines.

use anyhow::{Result, bail};
use floodmark_store::{Lake, Refusal};

use crate::Outcome;
use crate::args::RebuildArgs;
use crate::plan::Plan;
use crate::say::counted;

pub(crate) async fn rebuild(plan: &Plan, args: &RebuildArgs) -> Result<Outcome> {
    if Lake::open(plan.location()?).await?.is_none() {
        bail!(
            "there is no lake in `{}`\nhint: make one with `floodmark ingest LOG…`, or name another with `--lake DIR`",
            plan.lake.display(),
        );
    }
    let mut lake = Lake::open_or_create(plan.location()?).await?;
    let days = lake.rebuild_minutes(&args.days, plan.threads).await?;
    let mut is_incomplete = false;
    for (day, refusal) in &days.refused {
        let message = format!("{day}: its minutes stay as they are, since {refusal}");
        // A day that was named is a wish that is not met; of all days some are long past.
        if args.days.is_empty() && *refusal != Refusal::Damaged {
            plan.voice.notice(&message);
        } else {
            plan.voice.warn(&message);
            is_incomplete = true;
        }
    }
    plan.voice.notice(&format!(
        "{} rebuilt",
        counted(days.rebuilt.len() as u64, "day")
    ));
    Ok(match is_incomplete {
        true => Outcome::Incomplete,
        false => Outcome::Done,
    })
}

//! `floodmark simulate`: labelled traffic into a folder.

use anyhow::Result;
use floodmark_simulate::{FloodFrom, LoggedAddress, Options, Zone};

use crate::args::{Balancer, SimulateArgs, SimulateZone};
use crate::plan::Plan;
use crate::say::counted;
use crate::{Outcome, out};

pub(crate) fn simulate(plan: &Plan, args: &SimulateArgs) -> Result<Outcome> {
    let options = Options {
        seed: args.seed,
        weeks: args.weeks,
        end: args.end,
        rate: args.rate,
        sites: args.sites.clone(),
        growth: args.growth,
        shared_share: args.shared_share,
        app_share: args.app_share,
        slow_scanners: args.slow_scanners,
        zone: match args.zone {
            SimulateZone::Utc => Zone::Utc,
            SimulateZone::CentralEurope => Zone::CentralEurope,
        },
        monitor_minutes: args.monitor,
        outage_share: args.outage_share,
        flood_bots: args.flood_bots,
        flood_from: match args.flood_everywhere {
            true => FloodFrom::Everywhere,
            false => FloodFrom::Networks,
        },
        logged_address: match args.balancer {
            Some(Balancer::Silent) => LoggedAddress::Balancer,
            Some(Balancer::Forwarding) => LoggedAddress::Forwarded,
            None => LoggedAddress::Client,
        },
    };
    let summary = floodmark_simulate::simulate(&options, &args.out)?;
    plan.voice.notice(&format!(
        "{} in {}",
        counted(summary.truth.lines, "line"),
        counted(summary.files.len() as u64, "file"),
    ));
    let files: Vec<String> = summary
        .files
        .iter()
        .map(|file| format!("{}\n", file.display()))
        .collect();
    out::print(&files.concat())?;
    Ok(Outcome::Done)
}

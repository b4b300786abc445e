//! Truth-labelled web traffic from a seed: the access logs of a small shop behind Nginx over some weeks, and beside them what
//! truly happened. Start from [`Options`] and [`simulate`].
//!
//! ```
//! use floodmark_simulate::{Options, simulate};
//!
//! let out = tempfile::tempdir()?;
//! let summary = simulate(&Options { weeks: 1, rate: 0.1, ..Options::default() }, out.path())?;
//! assert!(summary.truth.lines > 10_000);
//! assert!(out.path().join("access.log").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The files in the folder given:
//!
//! | file | content |
//! |---|---|
//! | `access.log.N.gz`, `access.log` | the logs, rotated on Sundays at noon (UTC); the highest number is the oldest |
//! | `nginx.conf` | the configuration that would have written them |
//! | `truth.json` | [`Truth`]: weeks with their verdicts, incidents, error spikes |
//! | `truth.csv.gz` | `file,line,class,client,http_user_agent`, one row for each line, in no promised order; lines count from 1; an absent agent is `-` |
//!
//! The make-up: people whose sessions follow the day and the week, with all that their browsers fetch; a monitor that asks once a
//! minute; crawlers, libraries and feed readers that say who they are; package managers; pretended crawlers; scrapers under a
//! browser's name; scanners. In this world there are outages with 502s, outages with silence, one or two deploys that break
//! a path just as a newsletter brings people, a newsletter that does no harm, and a flood in the fourth week (the last,
//! if there are fewer). Which week fails its 95 %, if any, is the seed's choice, and no week comes near the line. A very few errors are strays that belong to no incident.
//!
//! Options make other worlds of it: several sites, growth, addresses that many share, a single-page app, a monitor that asks seldom or
//! not at all, outages of a part, slow scanners, floods of any size and from everywhere, a balancer in front, a server whose clock has summer time.
//!
//! The default run is `sample-logs/`; its README counts the lines of each class.
//!
//! The same options give the same lines (logarithms from another system's library could move a millisecond), and the same bytes
//! as long as the compressor is the same version on the same kind of processor. Deliberately absent: any notion of how the logs will be judged.

mod agents;
mod dice;
mod flood;
mod log;
mod network;
mod people;
mod robots;
mod scanners;
mod site;
mod story;
mod truth;
mod world;
mod zone;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate, Weekday};

use crate::dice::{Actor, Dice, count_f64, whole};
use crate::log::LogWriter;
use crate::story::{DAY_US, EventKind, Story};
use crate::world::{Hit, World};

pub use crate::truth::{Incident, IncidentKind, Spike, Truth, Verdict, Week};
pub use crate::world::Class;
pub use crate::zone::Zone;

const NGINX_CONF: &str = include_str!("nginx.conf.in");
/// The block of one site in it.
const SERVER_CONF: &str = include_str!("server.conf.in");
/// Ten years: what a day's number and the dates in the logs bear with ease.
const WEEKS_MAX: u16 = 520;
/// Some 300 million lines over five weeks.
const RATE_MAX: f64 = 3_000.0;
const FLOOD_BOTS_MAX: u16 = 20_000;
/// As many as tell an outage of one from an outage of all, and still have visitors each.
const SITES_MAX: usize = 20;
/// Twice as many each week: 32 times as many at the end of five.
const GROWTH_MAX: f64 = 2.0;
const SLOW_SCANNERS_MAX: u16 = 1_000;
/// How often a broken deploy is lived through with other dice to learn what share of the requests it breaks.
const REPLAYS: f64 = 60.0;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Everything that happens follows from it. Default 1.
    pub seed: u64,
    /// Whole ISO weeks, from 1 to 520. Default 5.
    pub weeks: u16,
    /// The day after the last week: a Monday (UTC). Default 2026-11-16.
    pub end: NaiveDate,
    /// How many people come, and how many bots make a flood, as a multiple of the default, up to 3000; other robots do not
    /// depend on it. Default 1: about 116 sessions a day.
    pub rate: f64,
    /// The sites' names, up to 20: `server_name` in nginx.conf, and in referers. An address always visits the same one. With more than one
    /// the log ends with `$server_name`, and outages of less than an hour and broken deploys are of a single one, never the first, which
    /// is the one that the monitor asks. Default `www.example.org`.
    pub sites: Vec<String>,
    /// How many times as many people come each week as the week before, 0.5 to 2, up to a rate of 3000 in the end. Default 1.
    pub growth: f64,
    /// Share of people's sessions that come from behind four addresses, as a mobile carrier has them, 0 to 1. Default 0.
    pub shared_share: f64,
    /// Share of people's sessions spent in a single-page app: one page, then calls as they click and on a timer, 0 to 1. Default 0.
    pub app_share: f64,
    /// Scanners that ask for one thing every few hours for as long as there are logs, up to 1,000. Default 0.
    pub slow_scanners: u16,
    /// The zone that Nginx stamps lines in, and in which the truth's weeks begin; of those only the ones that the logs cover are
    /// told. Default [`Zone::Utc`].
    pub zone: Zone,
    /// Minutes between two probes of the monitor, up to 60; 0: there is none. Default 1.
    pub monitor_minutes: u16,
    /// Share of the application's answers that are 502 in an outage, 0 to 1. Default 1.
    pub outage_share: f64,
    /// Addresses of the flood, up to 20,000; `None`: 220 times the rate. Default `None`.
    pub flood_bots: Option<u16>,
    /// Where they are. Default [`FloodFrom::Networks`].
    pub flood_from: FloodFrom,
    /// Whose address stands in the log. Default [`LoggedAddress::Client`].
    pub logged_address: LoggedAddress,
}

/// Where the addresses of a flood are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloodFrom {
    /// In a handful of networks.
    Networks,
    /// Anywhere, among those of people.
    Everywhere,
}

/// Whose address stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedAddress {
    /// Who asked.
    Client,
    /// A balancer in front that tells nobody who asked.
    Balancer,
    /// A balancer in front that says who asked in `X-Forwarded-For`, with which the line ends. Some scanners send that header
    /// themselves; the balancer's word stands behind theirs.
    Forwarded,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            weeks: 5,
            end: NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day that exists"),
            rate: 1.0,
            sites: vec!["www.example.org".to_owned()],
            growth: 1.0,
            shared_share: 0.0,
            app_share: 0.0,
            slow_scanners: 0,
            zone: Zone::Utc,
            monitor_minutes: 1,
            outage_share: 1.0,
            flood_bots: None,
            flood_from: FloodFrom::Networks,
            logged_address: LoggedAddress::Client,
        }
    }
}

/// What a run wrote.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The content of truth.json.
    pub truth: Truth,
    /// All files.
    pub files: Vec<PathBuf>,
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of its range.
    #[error("option `{name}`: expected {expected}, found `{found}`")]
    Option {
        /// Its field in [`Options`].
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// An earlier and longer run left a log that would seem to belong to this one.
    #[error("`{}` is from another run of more weeks\nhint: remove it, or simulate into another folder", path.display())]
    StaleLog {
        /// The log.
        path: PathBuf,
    },
    /// A file or the folder cannot be created.
    #[error("cannot create `{}`", path.display())]
    Create {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be written to its end.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Error {
        Error::Write {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Writes the logs and their truth into the folder `out`, which is created if need be; files of the same names are replaced.
///
/// Memory holds about a day of traffic.
///
/// # Errors
///
/// An option out of its range, a log of an earlier run in `out` that this run would not replace, or a file that cannot be written.
pub fn simulate(options: &Options, out: &Path) -> Result<Summary, Error> {
    options.check()?;
    std::fs::create_dir_all(out).map_err(|source| Error::Create {
        path: out.to_path_buf(),
        source,
    })?;
    log::refuse_stale(out, options.weeks)?;

    let story = Story::tell(options);
    let mut writer = LogWriter::create(out, options.seed, &story)?;
    let mut classes: BTreeMap<Class, u64> = BTreeMap::new();
    // Hits with the time at which they are logged; requests that outlast their day wait here.
    let mut pending: Vec<(i64, Hit)> = Vec::new();
    for day in 0..story.days {
        let mut dice = Dice::new(options.seed, Actor::Log, day, 1);
        let hits = hits_of_day(options, &story, day);
        pending.extend(
            hits.into_iter()
                .map(|hit| (log::logged_us(&mut dice, &hit), hit)),
        );
        pending.sort_by_key(|(logged_us, _)| *logged_us);
        let later = pending.split_off(
            pending.partition_point(|(logged_us, _)| *logged_us < story.day_start_us(day) + DAY_US),
        );
        for (logged_us, hit) in std::mem::replace(&mut pending, later) {
            *classes.entry(hit.class).or_default() += 1;
            writer.write(logged_us, &hit)?;
        }
    }
    let mut files = writer.finish()?;

    let shares = broken_shares(options, &story);
    let truth = Truth {
        seed: options.seed,
        site: options.sites[0].clone(),
        target: truth::TARGET,
        weeks: truth::weeks(&story, &shares),
        incidents: truth::incidents(&story, &shares),
        spikes: truth::spikes(&story),
        lines: classes.values().sum(),
        classes,
    };
    let json = serde_json::to_string_pretty(&truth).expect("strings and numbers only");
    let servers: Vec<String> = options
        .sites
        .iter()
        .map(|site| SERVER_CONF.replace("@SITE@", site))
        .collect();
    let conf = NGINX_CONF
        .replace("@SERVERS@", servers.join("\n").trim_end())
        .replace("@SITES@", &options.sites.join(" "))
        .replace("@MORE@", log::more_fields(&story))
        .replace("@LIMIT_PER_S@", &world::LIMIT_PER_S.to_string())
        .replace("@LIMIT_BURST@", &world::LIMIT_BURST.to_string());
    for (name, text) in [("truth.json", json + "\n"), ("nginx.conf", conf)] {
        let path = out.join(name);
        let mut file = log::create(&path)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.flush())
            .map_err(|source| Error::write(&path, source))?;
        files.push(path);
    }
    files.sort();
    Ok(Summary { truth, files })
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let wrong = |name, expected, found| {
            Err(Error::Option {
                name,
                expected,
                found,
            })
        };
        if !(1..=WEEKS_MAX).contains(&self.weeks) {
            return wrong("weeks", "1 to 520", self.weeks.to_string());
        }
        if self.end.weekday() != Weekday::Mon || !(1980..=2200).contains(&self.end.year()) {
            return wrong(
                "end",
                "a Monday of the years 1980 to 2200",
                format!("{} ({})", self.end, self.end.weekday()),
            );
        }
        if !(0.0..=RATE_MAX).contains(&self.rate) {
            return wrong("rate", "0 to 3000", self.rate.to_string());
        }
        if self.monitor_minutes > 60 {
            let found = self.monitor_minutes.to_string();
            return wrong("monitor_minutes", "0 to 60", found);
        }
        if !(1.0 / GROWTH_MAX..=GROWTH_MAX).contains(&self.growth) {
            return wrong("growth", "0.5 to 2", self.growth.to_string());
        }
        let last = self.rate * self.growth.powi(i32::from(self.weeks));
        if last > RATE_MAX {
            return wrong(
                "growth",
                "a rate of up to 3000 at the end",
                last.to_string(),
            );
        }
        for (name, share) in [
            ("outage_share", self.outage_share),
            ("shared_share", self.shared_share),
            ("app_share", self.app_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return wrong(name, "0 to 1", share.to_string());
            }
        }
        if self.slow_scanners > SLOW_SCANNERS_MAX {
            let found = self.slow_scanners.to_string();
            return wrong("slow_scanners", "up to 1000", found);
        }
        if self.flood_bots.is_some_and(|bots| bots > FLOOD_BOTS_MAX) {
            let found = self.flood_bots.unwrap_or_default().to_string();
            return wrong("flood_bots", "up to 20000", found);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        for site in &self.sites {
            if site.is_empty() || site.len() > 253 || !site.bytes().all(allowed) {
                return wrong("sites", "a host name", site.clone());
            }
        }
        if !(1..=SITES_MAX).contains(&self.sites.len()) {
            return wrong("sites", "1 to 20 of them", self.sites.len().to_string());
        }
        Ok(())
    }
}

/// All that begins on `day`.
fn hits_of_day(options: &Options, story: &Story, day: u16) -> Vec<Hit> {
    let mut world = World::new(story);
    welcome_on_day(&mut world, options, day, 0);
    scanners::day(&mut world, options.seed, day);
    scanners::slow(&mut world, options.seed, day, options.slow_scanners);
    flood::day(&mut world, options, day);
    world.hits
}

/// All but scanners and floods. A `replay` other than 0 is the same day with other dice.
fn welcome_on_day(world: &mut World<'_>, options: &Options, day: u16, replay: u32) {
    let seed = options.seed;
    people::day(world, options, day, replay);
    robots::monitor(world, seed, day, replay);
    robots::crawlers(world, seed, day, replay);
    robots::libraries(world, seed, day, replay);
    robots::package_clients(world, seed, day, replay);
    robots::fakes(world, seed, day, replay);
    robots::scrapers(world, seed, day, replay);
}

/// For each deploy that breaks a path and each outage of a part, by its start: the share of requests that is expected to fail. It comes from
/// living through its day many times, not from counting how it went this once, which in a quiet hour says little.
fn broken_shares(options: &Options, story: &Story) -> BTreeMap<i64, f64> {
    let replays = whole((REPLAYS / options.rate.max(1.0)).max(3.0));
    let broken = story.events.iter().filter(|event| match event.kind {
        EventKind::Broken { .. } => true,
        EventKind::Refused => story.outage_share < 1.0 || event.site.is_some(),
        EventKind::Silent | EventKind::Newsletter | EventKind::Flood => false,
    });
    broken
        .map(|event| {
            let day = story.day_of(event.start_us);
            let (mut failed, mut all) = (0, 0);
            for replay in 1..=replays {
                let mut world = World::new(story);
                welcome_on_day(
                    &mut world,
                    options,
                    day,
                    u32::try_from(replay).expect("a few dozen"),
                );
                let during = world.hits.iter().filter(|hit| event.covers(hit.end_us));
                for hit in during {
                    all += 1;
                    failed += usize::from(matches!(hit.status, 500 | 502));
                }
            }
            (event.start_us, count_f64(failed) / count_f64(all.max(1)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_deploy_hurts_many_and_not_most() {
        for seed in 1..5 {
            let options = Options {
                seed,
                ..Options::default()
            };
            let shares = broken_shares(&options, &Story::tell(&options));
            assert!(!shares.is_empty());
            assert!(
                shares.values().all(|share| (0.08..0.4).contains(share)),
                "seed {seed}: {shares:?}"
            );
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let message = |options: Options| options.check().expect_err("out of range").to_string();
        let end = NaiveDate::from_ymd_opt(2026, 11, 17).expect("a day");
        assert_eq!(
            message(Options {
                end,
                ..Options::default()
            }),
            "option `end`: expected a Monday of the years 1980 to 2200, found `2026-11-17 (Tue)`"
        );
        assert_eq!(
            message(Options {
                weeks: 0,
                ..Options::default()
            }),
            "option `weeks`: expected 1 to 520, found `0`"
        );
        assert_eq!(
            message(Options {
                rate: f64::NAN,
                ..Options::default()
            }),
            "option `rate`: expected 0 to 3000, found `NaN`"
        );
        assert_eq!(
            message(Options {
                growth: 2.0,
                weeks: 12,
                ..Options::default()
            }),
            "option `growth`: expected a rate of up to 3000 at the end, found `4096`"
        );
        assert_eq!(
            message(Options {
                sites: vec!["a b;".into()],
                ..Options::default()
            }),
            "option `sites`: expected a host name, found `a b;`"
        );
        assert_eq!(
            message(Options {
                sites: Vec::new(),
                ..Options::default()
            }),
            "option `sites`: expected 1 to 20 of them, found `0`"
        );
        assert_eq!(
            message(Options {
                app_share: 1.5,
                ..Options::default()
            }),
            "option `app_share`: expected 0 to 1, found `1.5`"
        );
    }
}

//! What is true of a run, under the names that the JSON report uses.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::dice::count_f64;
use crate::story::{Event, EventKind, MINUTE_US, Story, WEEK_US};
use crate::world::Class;

/// Share of a week's minutes that a site shall be up.
pub(crate) const TARGET: f64 = 0.95;
/// From this share of a minute's requests on, a broken path is the site's trouble: degraded, and from the second on an outage.
const DEGRADED: f64 = 0.05;
const OUTAGE: f64 = 0.5;

/// The content of truth.json.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Truth {
    /// The seed of the run.
    pub seed: u64,
    /// The site's name, which is its `server_name`; the first, if there are more.
    pub site: String,
    /// Share of a week's minutes that decides its verdict.
    pub target: f64,
    /// One for each ISO week of the run's zone that the logs cover, the oldest first.
    pub weeks: Vec<Week>,
    /// When the site was down or degraded, in order.
    pub incidents: Vec<Incident>,
    /// When it answered 5xx far more often than usual, in order; what scanners provoke and what the rate limit refuses is none.
    pub spikes: Vec<Spike>,
    /// Lines in all logs.
    pub lines: u64,
    /// Lines of each class.
    pub classes: BTreeMap<Class, u64>,
}

/// One ISO week.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Week {
    /// Such as `2026-W42`.
    pub week: String,
    /// Whether `uptime` reaches the target.
    pub verdict: Verdict,
    /// Good minutes by all minutes. A minute is bad if the site was down for half of it; one in which a path was broken is bad by
    /// the share of requests that go to it.
    pub uptime: f64,
    /// The same: the truth has no doubt.
    pub lower: f64,
    /// The same: the truth has no doubt.
    pub upper: f64,
    /// Always 1: no log is missing.
    pub coverage: f64,
}

/// Whether a week reached its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// It did.
    Pass,
    /// It did not.
    Fail,
}

/// Trouble, from its first second to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Incident {
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub start: DateTime<Utc>,
    /// When it was over.
    #[serde(serialize_with = "rfc3339")]
    pub end: DateTime<Utc>,
    /// How bad it was.
    pub kind: IncidentKind,
}

/// How bad an incident was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncidentKind {
    /// The site did not answer, or with errors only.
    Outage,
    /// From 5 % to half of the requests of people and of robots that are welcome met an error.
    Degraded,
}

/// More 5xx than usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Spike {
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub start: DateTime<Utc>,
    /// When it was over.
    #[serde(serialize_with = "rfc3339")]
    pub end: DateTime<Utc>,
    /// The site; where several are hurt, each has a spike of its own.
    pub server_name: String,
    /// The one path that is broken; `None` if it is the whole site.
    pub path: Option<String>,
    /// Whether one client alone met the errors: never so far.
    pub single_client: bool,
}

/// `shares` has, for each event in which not all fails, the share of requests that does.
pub(crate) fn incidents(story: &Story, shares: &BTreeMap<i64, f64>) -> Vec<Incident> {
    let kind = |event: &Event| match bad_share(event, shares) {
        share if share >= OUTAGE => Some(IncidentKind::Outage),
        share if share >= DEGRADED => Some(IncidentKind::Degraded),
        _ => None,
    };
    let one = |event: &Event| {
        Some(Incident {
            start: moment(event.start_us),
            end: moment(event.end_us),
            kind: kind(event)?,
        })
    };
    story.events.iter().filter_map(one).collect()
}

pub(crate) fn spikes(story: &Story) -> Vec<Spike> {
    let mut spikes = Vec::new();
    for event in &story.events {
        let path = match event.kind {
            EventKind::Refused => None,
            EventKind::Broken { path } => Some(path.to_owned()),
            EventKind::Silent | EventKind::Newsletter | EventKind::Flood => continue,
        };
        let sites = match event.site {
            Some(site) => &story.sites[site..=site],
            None => &story.sites,
        };
        spikes.extend(sites.iter().map(|site| Spike {
            start: moment(event.start_us),
            end: moment(event.end_us),
            server_name: site.clone(),
            path: path.clone(),
            single_client: false,
        }));
    }
    spikes
}

pub(crate) fn weeks(story: &Story, shares: &BTreeMap<i64, f64>) -> Vec<Week> {
    let monday_us = |index: i64| story.zone.utc_us(story.start_us + index * WEEK_US);
    (0..i64::from(story.days / 7))
        .filter(|index| monday_us(*index) >= story.start_us)
        .map(|index| {
            let (start_us, end_us) = (monday_us(index), monday_us(index + 1));
            let minutes = (end_us - start_us) / MINUTE_US;
            let bad: f64 = (0..minutes)
                .map(|minute| bad_part(story, start_us + minute * MINUTE_US, shares))
                .sum();
            let minutes = usize::try_from(minutes).expect("a week ends after it began");
            let uptime = 1.0 - bad / count_f64(minutes);
            let monday = moment(story.start_us + index * WEEK_US).iso_week();
            Week {
                week: format!("{}-W{:02}", monday.year(), monday.week()),
                verdict: if uptime >= TARGET {
                    Verdict::Pass
                } else {
                    Verdict::Fail
                },
                uptime,
                lower: uptime,
                upper: uptime,
                coverage: 1.0,
            }
        })
        .collect()
}

/// The part of the minute that counts as bad.
fn bad_part(story: &Story, minute_us: i64, shares: &BTreeMap<i64, f64>) -> f64 {
    let lasting =
        |event: &&Event| event.overlap_us(minute_us, minute_us + MINUTE_US) * 2 >= MINUTE_US;
    let share = story
        .events
        .iter()
        .find(lasting)
        .map_or(0.0, |event| bad_share(event, shares));
    match share {
        share if share >= OUTAGE => 1.0,
        share if share >= DEGRADED => share,
        _ => 0.0,
    }
}

fn bad_share(event: &Event, shares: &BTreeMap<i64, f64>) -> f64 {
    match event.kind {
        EventKind::Refused | EventKind::Broken { .. } => {
            let whole = if event.kind == EventKind::Refused {
                1.0
            } else {
                0.0
            };
            shares.get(&event.start_us).copied().unwrap_or(whole)
        }
        EventKind::Silent => 1.0,
        EventKind::Newsletter | EventKind::Flood => 0.0,
    }
}

fn moment(at_us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at_us).expect("the options bound the time")
}

fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn no_week_is_near_the_target() {
        for seed in 0..500 {
            let story = Story::tell(&Options {
                seed,
                ..Options::default()
            });
            for week in weeks(&story, &BTreeMap::new()) {
                assert!(
                    !(0.943..0.957).contains(&week.uptime),
                    "seed {seed}: {week:?}"
                );
            }
        }
    }

    #[test]
    fn a_minute_is_bad_when_half_of_it_was() {
        let mut story = Story::tell(&Options {
            weeks: 1,
            ..Options::default()
        });
        let start_us = story.start_us + 600 * MINUTE_US + 31_000_000;
        let end_us = start_us + 2 * MINUTE_US;
        story.events = vec![Event {
            kind: EventKind::Silent,
            site: None,
            start_us,
            end_us,
        }];
        // 29 s of the first minute, all of the second, 31 s of the third.
        assert_eq!(
            weeks(&story, &BTreeMap::new())[0].uptime,
            1.0 - 2.0 / 10_080.0
        );
        story.events[0].kind = EventKind::Broken { path: "/api/cart" };
        assert_eq!(
            weeks(&story, &BTreeMap::from([(start_us, 0.25)]))[0].uptime,
            1.0 - 0.5 / 10_080.0
        );
        assert_eq!(incidents(&story, &BTreeMap::from([(start_us, 0.04)])), []);
    }

    #[test]
    fn weeks_have_iso_names_across_a_new_year() {
        let end = chrono::NaiveDate::from_ymd_opt(2027, 1, 11).expect("a day");
        let story = Story::tell(&Options {
            weeks: 2,
            end,
            ..Options::default()
        });
        let names: Vec<_> = weeks(&story, &BTreeMap::new())
            .into_iter()
            .map(|week| week.week)
            .collect();
        assert_eq!(names, ["2026-W53", "2027-W01"]);
    }

    #[test]
    fn the_week_in_which_summer_time_ends_has_an_hour_more() {
        let mut story = Story::tell(&Options {
            zone: crate::Zone::CentralEurope,
            ..Options::default()
        });
        let names =
            |weeks: &[Week]| -> Vec<_> { weeks.iter().map(|week| week.week.clone()).collect() };
        let all = weeks(&story, &BTreeMap::new());
        // Of the first the logs lack two hours.
        assert_eq!(
            names(&all),
            ["2026-W43", "2026-W44", "2026-W45", "2026-W46"]
        );
        let (start_us, end_us) = (story.start_us, story.end_us);
        story.events = vec![Event {
            kind: EventKind::Silent,
            site: None,
            start_us: start_us + WEEK_US,
            end_us: end_us - 3 * WEEK_US,
        }];
        let all = weeks(&story, &BTreeMap::new());
        let up: Vec<f64> = all.iter().map(|week| week.uptime).collect();
        // From two hours after the Monday begins to an hour after the next one does: all but two of 169 hours are down.
        assert!((up[0] - 2.0 / 169.0).abs() < 1e-9, "{up:?}");
        assert!((up[1] - 167.0 / 168.0).abs() < 1e-9, "{up:?}");
    }

    #[test]
    fn what_one_site_meets_is_told_of_it_alone() {
        let story = Story::tell(&Options {
            sites: vec!["one.example".into(), "two.example".into()],
            ..Options::default()
        });
        let told = spikes(&story);
        let of = |site: &str| {
            told.iter()
                .filter(|spike| spike.server_name == site)
                .count()
        };
        assert!(of("one.example") < of("two.example"));
        for spike in &told {
            let alike = told
                .iter()
                .filter(|other| other.start == spike.start)
                .count();
            let is_long = spike.end - spike.start >= chrono::TimeDelta::hours(1);
            assert_eq!(alike, if is_long { 2 } else { 1 });
        }
    }
}

//! What happens to the site: outages, a deploy that breaks a path, a flood. Everything else reads this.

use std::net::IpAddr;

use chrono::{Days, NaiveDate};

use crate::dice::{Actor, Dice, micros};
use crate::world::Class;
use crate::{LoggedAddress, Options, Zone};

pub(crate) const SECOND_US: i64 = 1_000_000;
pub(crate) const MINUTE_US: i64 = 60 * SECOND_US;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;
pub(crate) const WEEK_US: i64 = 7 * DAY_US;

/// Which of the seed's streams the story comes from: with this one seed 1 fails its third week, after two good ones, and meets the
/// flood and a bad deploy in the fourth.
const LANE: u32 = 43;

/// Free time on both sides of an event, so that each can be told from the next.
const APART_US: i64 = 3 * HOUR_US;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// The application refuses connections: Nginx answers 502 to all that is not a file.
    Refused,
    /// No request reaches Nginx: it writes nothing.
    Silent,
    /// A newsletter is out, the site was deployed for it, and that broke one path, which answers 500.
    Broken { path: &'static str },
    /// A newsletter brings people and nothing goes wrong.
    Newsletter,
    /// Bots call one or two paths far too often.
    Flood,
}

/// From `start_us` up to, and without, `end_us`; µs since 1970, on whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// Index of the one site that it happens to; `None`: all.
    pub(crate) site: Option<usize>,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

impl Event {
    pub(crate) fn covers(&self, at_us: i64) -> bool {
        (self.start_us..self.end_us).contains(&at_us)
    }

    pub(crate) fn overlap_us(&self, start_us: i64, end_us: i64) -> i64 {
        (self.end_us.min(end_us) - self.start_us.max(start_us)).max(0)
    }
}

#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) sites: Vec<String>,
    pub(crate) zone: Zone,
    pub(crate) days: u16,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// In order of time, at least [`APART_US`] from each other.
    pub(crate) events: Vec<Event>,
    pub(crate) monitor_minutes: u16,
    /// Share of the application's answers that fail while it is refused.
    pub(crate) outage_share: f64,
    pub(crate) logged_address: LoggedAddress,
}

impl Story {
    /// Writes the story of `options`.
    ///
    /// Four in five have one week far below 95 % (a night of silence and hours of 502s, about eleven in all); the other weeks
    /// have up to two outages of minutes and sometimes one of a few hours, which leaves each above 96 %.
    pub(crate) fn tell(options: &Options) -> Story {
        let weeks = options.weeks;
        let first_day = options.end - Days::new(u64::from(weeks) * 7);
        let mut story = Story {
            sites: options.sites.clone(),
            zone: options.zone,
            days: weeks * 7,
            start_us: midnight_us(first_day),
            end_us: midnight_us(options.end),
            events: Vec::new(),
            monitor_minutes: options.monitor_minutes,
            outage_share: options.outage_share,
            logged_address: options.logged_address,
        };
        let mut dice = Dice::new(options.seed, Actor::Story, 0, LANE);

        let flood_week = weeks.min(4) - 1;
        let others: Vec<u16> = (0..weeks).filter(|week| *week != flood_week).collect();
        let failing = dice.chance(0.8).then(|| {
            if others.is_empty() {
                0
            } else {
                *dice.pick(&others)
            }
        });
        let long = others
            .iter()
            .copied()
            .filter(|week| Some(*week) != failing)
            .find(|_| dice.chance(0.2));

        if let Some(week) = failing {
            story.place(&mut dice, EventKind::Silent, week, 0..6, 20..24, 440..560);
            story.place(&mut dice, EventKind::Refused, week, 0..6, 8..15, 150..210);
        }
        if let Some(week) = long {
            story.place(&mut dice, EventKind::Refused, week, 0..7, 1..20, 120..220);
        }
        for week in (0..weeks).filter(|week| Some(*week) != failing) {
            for _ in 0..*dice.weighed(&[(0, 2), (1, 4), (2, 2)]) {
                if dice.chance(0.55) {
                    story.place(&mut dice, EventKind::Refused, week, 0..7, 0..23, 6..50);
                } else {
                    story.place(&mut dice, EventKind::Silent, week, 0..7, 0..23, 6..35);
                }
            }
        }
        for kind in [EventKind::Refused, EventKind::Silent] {
            if !story.events.iter().any(|event| event.kind == kind) {
                let week = dice.range(0..weeks);
                story.place(&mut dice, kind, week, 0..7, 0..23, 10..40);
            }
        }
        story.place(&mut dice, EventKind::Flood, flood_week, 0..5, 8..19, 50..85);
        let deploys = if weeks > 2 { dice.range(1..3) } else { 1 };
        for _ in 0..deploys {
            let week = dice.range(0..weeks);
            // What every page calls: breaking it hurts everyone and stops nobody.
            let path = dice.pick(&["/api/cart", "/api/prices"]);
            story.place(
                &mut dice,
                EventKind::Broken { path },
                week,
                0..4,
                8..16,
                15..30,
            );
        }
        let week = dice.range(0..weeks);
        story.place(&mut dice, EventKind::Newsletter, week, 0..5, 7..17, 20..30);
        story.events.sort_by_key(|event| event.start_us);
        if story.sites.len() > 1 {
            let mut dice = Dice::new(options.seed, Actor::Sites, 0, 0);
            for event in &mut story.events {
                // Hours of 502s are of the machine, which all sites share: half of what a failing week fails by.
                let is_short = event.end_us - event.start_us < HOUR_US;
                let is_of_one = matches!(event.kind, EventKind::Refused | EventKind::Broken { .. });
                if is_short && is_of_one {
                    event.site = Some(dice.range(1..story.sites.len()));
                }
            }
        }
        story
    }

    /// The event going on at `at_us`.
    pub(crate) fn at(&self, at_us: i64) -> Option<&Event> {
        self.events.iter().find(|event| event.covers(at_us))
    }

    /// The event that `site` meets at `at_us`.
    pub(crate) fn at_site(&self, site: usize, at_us: i64) -> Option<&Event> {
        self.at(at_us)
            .filter(|event| event.site.is_none_or(|only| only == site))
    }

    /// Index of the site that an address visits.
    pub(crate) fn site_of(&self, class: Class, client: IpAddr) -> usize {
        if class == Class::Probe {
            return 0;
        }
        let bits = match client {
            IpAddr::V4(client) => u128::from(client.to_bits()),
            IpAddr::V6(client) => client.to_bits(),
        };
        // Neighbours visit different ones: multiplied by 2^128 / the golden ratio, the upper bits are spread evenly.
        let spread = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 96;
        let site = spread % self.sites.len() as u128;
        usize::try_from(site).expect("below the number of sites")
    }

    pub(crate) fn is_silent(&self, at_us: i64) -> bool {
        self.at(at_us)
            .is_some_and(|event| event.kind == EventKind::Silent)
    }

    /// How many times slower the application is than usual.
    pub(crate) fn load(&self, at_us: i64) -> f64 {
        match self.at(at_us) {
            // It fills up over the first quarter hour.
            Some(event) if event.kind == EventKind::Flood => {
                if at_us - event.start_us < 15 * MINUTE_US {
                    3.0
                } else {
                    6.0
                }
            }
            _ => 1.0,
        }
    }

    /// When newsletters bring a crowd, from and until: before a deploy shows its fault they have begun to come.
    pub(crate) fn crowds(&self) -> impl Iterator<Item = (i64, i64)> {
        let events = self.events.iter();
        events
            .filter(|event| matches!(event.kind, EventKind::Broken { .. } | EventKind::Newsletter))
            .map(|event| {
                (
                    event.start_us - 40 * MINUTE_US,
                    event.end_us + 40 * MINUTE_US,
                )
            })
    }

    pub(crate) fn day_of(&self, at_us: i64) -> u16 {
        u16::try_from((at_us - self.start_us) / DAY_US).expect("events are within the weeks")
    }

    pub(crate) fn day_start_us(&self, day: u16) -> i64 {
        self.start_us + i64::from(day) * DAY_US
    }

    /// 0 is Monday.
    pub(crate) fn weekday(day: u16) -> usize {
        usize::from(day % 7)
    }

    /// Puts an event of some minutes into a week, on a day and at an hour out of those given, away from all others; a week so
    /// full that a hundred throws find no room goes without.
    fn place(
        &mut self,
        dice: &mut Dice,
        kind: EventKind,
        week: u16,
        days: std::ops::Range<i64>,
        hours: std::ops::Range<i64>,
        minutes: std::ops::Range<i64>,
    ) {
        for _ in 0..100 {
            let start_us = self.start_us
                + i64::from(week) * WEEK_US
                + dice.range(days.clone()) * DAY_US
                + dice.range(hours.clone()) * HOUR_US
                + dice.range(0..3600) * SECOND_US;
            let end_us =
                start_us + dice.range(minutes.clone()) * MINUTE_US + dice.range(0..60) * SECOND_US;
            let inside = start_us >= self.start_us + APART_US && end_us <= self.end_us - APART_US;
            let alone = self
                .events
                .iter()
                .all(|event| event.overlap_us(start_us - APART_US, end_us + APART_US) == 0);
            if inside && alone {
                self.events.push(Event {
                    kind,
                    site: None,
                    start_us,
                    end_us,
                });
                return;
            }
        }
    }
}

/// Midnight UTC of `date`, µs since 1970.
pub(crate) fn midnight_us(date: NaiveDate) -> i64 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    days * DAY_US
}

/// Seconds from now, as a point in time.
pub(crate) fn after(at_us: i64, seconds: f64) -> i64 {
    at_us + micros(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_has_each_kind_apart_and_inside() {
        for seed in 0..300 {
            let options = Options {
                seed,
                ..Options::default()
            };
            let story = Story::tell(&options);
            let has = |wanted: fn(&EventKind) -> bool| {
                story.events.iter().any(|event| wanted(&event.kind))
            };
            assert!(has(|kind| *kind == EventKind::Refused), "seed {seed}");
            assert!(has(|kind| *kind == EventKind::Silent), "seed {seed}");
            assert!(
                has(|kind| matches!(kind, EventKind::Broken { .. })),
                "seed {seed}"
            );
            let flood = story
                .events
                .iter()
                .find(|event| event.kind == EventKind::Flood)
                .expect("a flood");
            assert_eq!(
                (flood.start_us - story.start_us) / WEEK_US,
                3,
                "seed {seed}"
            );
            for pair in story.events.windows(2) {
                assert!(pair[1].start_us - pair[0].end_us >= APART_US, "seed {seed}");
            }
            assert!(
                story
                    .events
                    .iter()
                    .all(|event| event.start_us >= story.start_us && event.end_us <= story.end_us)
            );
        }
    }

    #[test]
    fn midnight_counts_from_1970() {
        assert_eq!(
            midnight_us(NaiveDate::from_ymd_opt(1970, 1, 2).expect("a day")),
            DAY_US
        );
    }
}

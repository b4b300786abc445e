//! What the screen knows: bounded counts of the lines of the last hour.
//!
//! A line is counted by the time in it, as SQL counts it: lines that come late are added to the second and minute that they belong to.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use floodmark_traffic::frequent::Frequent;
use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::hyper_log_log::{HyperLogLog, hash};
use floodmark_traffic::minute::{MinuteEvidence, MinuteState, minute_state};
use floodmark_traffic::outcome::{Outcome, Upstream, outcome};

use super::columns::{Columns, Row};

pub(super) const SECOND_US: i64 = 1_000_000;
pub(super) const MINUTE_US: i64 = 60 * SECOND_US;
/// Seconds that are kept: the last minute, and some more for a clock that is not ours.
const SECONDS: usize = 128;
/// Minutes that are kept, the present one included.
pub(super) const MINUTES: i64 = 61;
/// So many minutes may a server's clock be ahead of ours.
const AHEAD_MINUTES: i64 = 5;
/// Of so many the most frequent paths, clients, agents and upstreams, and the request times are kept, too.
pub(super) const DETAILED_MINUTES: i64 = 15;
/// Keys kept of each of them and each minute: what is counted too little is at most 2 in 1,024 requests, and they take 10 MB where each minute
/// has as many.
const KEYS: usize = 1_024;

/// What requests are told apart by, each in a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Paths,
    Clients,
    Agents,
    Upstreams,
}

impl Dimension {
    pub(super) const ALL: [Self; 4] = [Self::Paths, Self::Clients, Self::Agents, Self::Upstreams];

    /// The column of `requests`.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Paths => "path",
            Self::Clients => "client",
            Self::Agents => "http_user_agent",
            Self::Upstreams => "upstream_addr",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Paths => "paths",
            Self::Clients => "clients",
            Self::Agents => "agents",
            Self::Upstreams => "upstreams",
        }
    }
}

/// The classes of the column `bot`, the largest first as people like to see them.
pub(super) const CLASSES: [&str; 4] = ["none", "declared", "scanner", "probe"];

/// What is summed up of the requests of one path, client, agent or upstream.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySums {
    pub(super) status_4xx: u64,
    pub(super) status_5xx: u64,
    pub(super) bytes: u64,
    /// Requests whose time was logged.
    pub(super) timed: u64,
    pub(super) time_sum_us: u64,
    pub(super) time_max_us: u64,
}

impl KeySums {
    fn add(&mut self, row: &Row<'_>) {
        self.status_4xx += u64::from(row.hundreds() == Some(4));
        self.status_5xx += u64::from(row.hundreds() == Some(5));
        self.bytes = self.bytes.saturating_add(row.bytes);
        if let Some(time_us) = row.request_time_us {
            self.timed += 1;
            self.time_sum_us = self.time_sum_us.saturating_add(time_us);
            self.time_max_us = self.time_max_us.max(time_us);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.status_4xx += other.status_4xx;
        self.status_5xx += other.status_5xx;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.timed += other.timed;
        self.time_sum_us = self.time_sum_us.saturating_add(other.time_sum_us);
        self.time_max_us = self.time_max_us.max(other.time_max_us);
    }

    /// The mean of the request times that were logged, seconds.
    pub(super) fn time_mean(&self) -> Option<f64> {
        (self.timed > 0).then(|| real(self.time_sum_us) / real(self.timed) / 1e6)
    }
}

/// Plain sums of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: u64,
    pub(super) status_4xx: u64,
    pub(super) status_5xx: u64,
    /// By class, as [`CLASSES`] has them.
    pub(super) classes: [u64; CLASSES.len()],
}

impl Sums {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.status_4xx += other.status_4xx;
        self.status_5xx += other.status_5xx;
        for (count, more) in self.classes.iter_mut().zip(other.classes) {
            *count += more;
        }
    }
}

/// One minute.
#[derive(Debug, Default)]
struct Minute {
    sums: Sums,
    /// Of those that decide whether the site is up: scanners do not.
    good: u64,
    bad: u64,
    bad_clients: HyperLogLog,
    details: Option<Box<Details>>,
}

/// What is kept of the last minutes only.
#[derive(Debug)]
struct Details {
    times: Histogram,
    keys: [Frequent<KeySums>; Dimension::ALL.len()],
}

impl Default for Details {
    fn default() -> Self {
        Self {
            times: Histogram::default(),
            keys: std::array::from_fn(|_| Frequent::with_room(KEYS)),
        }
    }
}

/// The counts; see the module.
#[derive(Debug)]
pub(super) struct Counts {
    /// By second since the epoch, at its remainder.
    seconds: Box<[(i64, u64); SECONDS]>,
    /// By minute since the epoch.
    minutes: BTreeMap<i64, Minute>,
    /// The first minute of which all lines are counted; those before it only as far as plain sums go.
    pub(super) detailed_since: i64,
    /// The first minute of which anything is known.
    pub(super) since: i64,
    /// The time of the latest line, microseconds since the epoch.
    pub(super) last_us: Option<i64>,
    /// How many batches were added.
    pub(super) additions: u64,
    /// Which of `request_time` and `upstream_addr` were ever logged.
    pub(super) has_times: bool,
    pub(super) has_upstreams: bool,
}

impl Counts {
    /// Counts of nothing; lines from the minute `detailed_since` on are to come, plain sums perhaps from `since` on.
    pub(super) fn new(since: i64, detailed_since: i64) -> Self {
        Self {
            seconds: Box::new([(0, 0); SECONDS]),
            minutes: BTreeMap::new(),
            detailed_since,
            since,
            last_us: None,
            additions: 0,
            has_times: false,
            has_upstreams: false,
        }
    }

    /// Adds what was counted elsewhere of a minute before those with details.
    pub(super) fn add_sums(&mut self, minute: i64, sums: &Sums) {
        self.minutes.entry(minute).or_default().sums.add(sums);
    }

    /// Counts the requests of a batch; minutes too old to be shown at `now_us` are left out.
    pub(super) fn add(&mut self, rows: &RecordBatch, now_us: i64) {
        self.additions += u64::from(rows.num_rows() > 0);
        let columns = Columns::new(rows);
        let this_minute = now_us.div_euclid(MINUTE_US);
        for row in (0..rows.num_rows()).filter_map(|row| columns.row(row)) {
            let Some(time_us) = row.time_us else { continue };
            let (second, minute) = (time_us.div_euclid(SECOND_US), time_us.div_euclid(MINUTE_US));
            self.last_us = self.last_us.max(Some(time_us));
            self.count_second(second);
            self.has_times |= row.request_time_us.is_some();
            self.has_upstreams |= row.upstream_addr.is_some();
            let shown = this_minute - MINUTES + 1..=this_minute + AHEAD_MINUTES;
            if shown.contains(&minute) && minute >= self.since {
                let counted = self.minutes.entry(minute).or_default();
                let is_detailed = minute > this_minute - DETAILED_MINUTES;
                counted.add(&row, is_detailed && minute >= self.detailed_since);
            }
        }
        self.forget(this_minute);
    }

    /// Lets go of what is too old to be shown.
    pub(super) fn forget(&mut self, this_minute: i64) {
        self.minutes = self.minutes.split_off(&(this_minute - MINUTES + 1));
        let without_details = ..=this_minute - DETAILED_MINUTES;
        for (_, minute) in self.minutes.range_mut(without_details) {
            minute.details = None;
        }
    }

    fn count_second(&mut self, second: i64) {
        let (at, count) = &mut self.seconds[place(second)];
        if *at < second {
            (*at, *count) = (second, 0);
        }
        *count += u64::from(*at == second);
    }

    /// Requests of each second of a range, the oldest first.
    pub(super) fn seconds(&self, seconds: std::ops::Range<i64>) -> Vec<u64> {
        let count = |second| match self.seconds[place(second)] {
            (at, count) if at == second => count,
            _ => 0,
        };
        seconds.map(count).collect()
    }

    /// Plain sums of each minute of a range, the oldest first.
    pub(super) fn minutes(&self, minutes: std::ops::Range<i64>) -> Vec<Sums> {
        let sums = |minute| self.minutes.get(&minute).map(|minute| minute.sums);
        minutes
            .map(|minute| sums(minute).unwrap_or_default())
            .collect()
    }

    /// The request times of some minutes.
    pub(super) fn times(&self, minutes: std::ops::Range<i64>) -> Histogram {
        let mut all = Histogram::default();
        for details in self.details(minutes) {
            all.merge(&details.times);
        }
        all
    }

    /// The most frequent keys of some minutes, and how many requests one that is not among them may have had.
    pub(super) fn keys(
        &self,
        dimension: Dimension,
        minutes: std::ops::Range<i64>,
    ) -> Frequent<KeySums> {
        let mut details = self.details(minutes);
        let mut all = Frequent::with_room(KEYS * usize::try_from(DETAILED_MINUTES).unwrap_or(1));
        details.by_ref().for_each(|details| {
            all.merge(&details.keys[dimension as usize], KeySums::merge);
        });
        all
    }

    fn details(&self, minutes: std::ops::Range<i64>) -> impl Iterator<Item = &Details> {
        let minutes = self.minutes.range(minutes);
        minutes.filter_map(|(_, minute)| minute.details.as_deref())
    }

    /// The state of a minute by its own lines alone, until the queries have judged it; `None` where there is nothing to judge by.
    pub(super) fn state(&self, minute: i64) -> Option<MinuteState> {
        let counted = self.minutes.get(&minute)?;
        let (good, bad) = (counted.good, counted.bad);
        let evidence = MinuteEvidence {
            covered: true,
            good,
            bad,
            good_near: good,
            bad_near: bad,
            bad_clients_near: counted.bad_clients.count(),
            ..MinuteEvidence::default()
        };
        (good + bad > 0).then(|| minute_state(&evidence).0)
    }
}

impl Minute {
    fn add(&mut self, row: &Row<'_>, with_details: bool) {
        self.sums.requests += 1;
        self.sums.status_4xx += u64::from(row.hundreds() == Some(4));
        self.sums.status_5xx += u64::from(row.hundreds() == Some(5));
        let class = row
            .bot
            .and_then(|bot| CLASSES.iter().position(|class| *class == bot));
        self.sums.classes[class.unwrap_or(0)] += 1;
        if row.bot != Some("scanner") {
            let upstream = match row.upstream_status {
                None => Upstream::NotLogged,
                logged => Upstream::last_of(logged),
            };
            match outcome(
                row.status,
                row.request_time_us.map(|us| real(us) / 1e6),
                upstream,
            ) {
                Outcome::Good => self.good += 1,
                Outcome::Bad => {
                    self.bad += 1;
                    self.bad_clients
                        .insert(hash(row.client.unwrap_or_default().as_bytes()));
                }
                Outcome::Shed | Outcome::Neutral => {}
            }
        }
        if with_details {
            self.details.get_or_insert_default().add(row);
        }
    }
}

impl Details {
    fn add(&mut self, row: &Row<'_>) {
        if let Some(time_us) = row.request_time_us {
            self.times.insert(time_us);
        }
        for dimension in Dimension::ALL {
            if let Some(key) = row.key(dimension) {
                self.keys[dimension as usize].insert(key).add(row);
            }
        }
    }
}

fn place(second: i64) -> usize {
    let seconds = i64::try_from(SECONDS).unwrap_or(1);
    usize::try_from(second.rem_euclid(seconds)).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

//! What is shown, worked out of what is known: numbers and words, and no cells yet.

use floodmark_traffic::frequent::Frequent;
use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::minute::MinuteState;

use super::counts::{CLASSES, Counts, Dimension, KeySums, MINUTE_US, Sums, real};
use super::judgment::{Incident, Judged};
use super::past::Committed;

/// Seconds and minutes of the strips.
pub(super) const STRIP: i64 = 60;
/// The rate now is that of so many seconds, the present one left out: servers write lines a moment later.
const NOW_SECONDS: i64 = 5;
/// Requests of the present minute from which on its state is told before it is over.
const PRESENT_REQUESTS_MIN: u64 = 20;
/// Rows of a table, more than a screen has.
const ROWS_MAX: usize = 300;

/// The columns of a table, as they can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBy {
    Requests,
    Status4xx,
    Status5xx,
    Mean,
    Max,
    Bytes,
}

impl SortBy {
    pub(super) const ALL: [Self; 6] = [
        Self::Requests,
        Self::Status4xx,
        Self::Status5xx,
        Self::Mean,
        Self::Max,
        Self::Bytes,
    ];

    fn weight(self, count: u64, sums: &KeySums) -> f64 {
        match self {
            Self::Requests => real(count),
            Self::Status4xx => real(sums.status_4xx),
            Self::Status5xx => real(sums.status_5xx),
            Self::Mean => sums.time_mean().unwrap_or_default(),
            Self::Max => real(sums.time_max_us),
            Self::Bytes => real(sums.bytes),
        }
    }
}

/// What a person chose to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) sort_by: SortBy,
    /// Minutes, the present one included.
    pub(super) window: i64,
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Known<'screen> {
    pub(super) counts: &'screen Counts,
    pub(super) judged: Option<&'screen Judged>,
    pub(super) committed: Option<Committed>,
    pub(super) now_ms: i64,
}

/// What tables and times are worked out of: while it is the same, so are they.
#[derive(Debug, Clone, PartialEq)]
struct Basis {
    additions: u64,
    window: std::ops::Range<i64>,
    sort_by: SortBy,
    tables: Vec<Dimension>,
}

/// What is shown.
#[derive(Debug, Clone)]
pub(super) struct View {
    basis: Basis,
    pub(super) now_ms: i64,
    /// The state of the latest minute that has one, a word of `minutes`.
    pub(super) state: Option<String>,
    /// By minute, the last one is the present one; `None` where nothing is known.
    pub(super) states: Vec<Option<String>>,
    pub(super) is_judged: bool,
    /// Whether only the table `minutes` was asked.
    pub(super) by_minutes: bool,
    pub(super) incidents: Vec<Incident>,
    /// The end of the judged time, minutes since the epoch.
    pub(super) judged_until: i64,
    pub(super) per_second: Vec<u64>,
    pub(super) per_minute: Vec<u64>,
    /// Requests per second: now, over the last minute, over the minutes of the last hour that are known.
    pub(super) rates: [f64; 3],
    pub(super) errors: [Errors; 2],
    /// Seconds: p50, p95, p99. `None` where no time was logged.
    pub(super) times: Option<[f64; 3]>,
    pub(super) has_times: bool,
    /// Each class with its share of the requests.
    pub(super) classes: [(&'static str, f64); CLASSES.len()],
    pub(super) tables: Vec<Table>,
    /// What tables, shares and times are about: minutes since the epoch.
    pub(super) window_since: i64,
    pub(super) committed: Option<Committed>,
    pub(super) last_us: Option<i64>,
}

/// A share of bad answers, and up to what it is normal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errors {
    pub(super) name: &'static str,
    pub(super) count: u64,
    /// Of all requests; `None` without any.
    pub(super) share: Option<f64>,
    pub(super) normal: Option<f64>,
}

/// The most frequent keys.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) dimension: Dimension,
    pub(super) rows: Vec<TableRow>,
    /// What a count may be too small by, as a share of the requests of the window; 0: counts are exact.
    pub(super) error_max: f64,
    /// Whether the column is in the logs, as far as is known.
    pub(super) is_logged: bool,
}

#[derive(Debug, Clone)]
pub(super) struct TableRow {
    pub(super) key: String,
    pub(super) requests: u64,
    /// Of the requests of the window.
    pub(super) share: f64,
    pub(super) sums: KeySums,
}

impl View {
    /// Works out what is shown, with these tables; `before` is what was shown of the same counts before.
    pub(super) fn of(
        known: &Known<'_>,
        choice: Choice,
        tables: &[Dimension],
        before: Option<&Self>,
    ) -> Self {
        let counts = known.counts;
        let second = known.now_ms.div_euclid(1_000);
        let minute = second.div_euclid(60);
        // A clock may be set back.
        let window_since = (minute - choice.window + 1).max(counts.detailed_since);
        let window_since = window_since.min(minute + 1);
        let window = window_since..minute + 1;
        let all = counts.minutes(window.clone());
        let all = all.iter().fold(Sums::default(), |mut all, sums| {
            all.add(sums);
            all
        });
        let share = |count| (all.requests > 0).then(|| real(count) / real(all.requests));
        let judged = known.judged;
        let errors = [
            (
                "5xx",
                all.status_5xx,
                judged.map(|judged| judged.normal_5xx),
            ),
            (
                "4xx",
                all.status_4xx,
                judged.map(|judged| judged.normal_4xx),
            ),
        ];
        let basis = Basis {
            additions: counts.additions,
            window: window.clone(),
            sort_by: choice.sort_by,
            tables: tables.to_vec(),
        };
        let (times, tables) = match before.filter(|before| before.basis == basis) {
            Some(before) => (before.times, before.tables.clone()),
            None => {
                let times = quantiles(&counts.times(window.clone()));
                let tables = tables.iter().map(|dimension| {
                    let keys = counts.keys(*dimension, window.clone());
                    table(
                        *dimension,
                        &keys,
                        all.requests,
                        choice.sort_by,
                        counts.has_upstreams || counts.last_us.is_none(),
                    )
                });
                (times, tables.collect())
            }
        };
        let classes =
            std::array::from_fn(|at| (CLASSES[at], share(all.classes[at]).unwrap_or_default()));
        let states: Vec<Option<String>> = (minute - STRIP + 1..=minute)
            .map(|minute| state(known, minute))
            .collect();
        let per_minute = counts.minutes(minute - STRIP + 1..minute + 1);
        Self {
            basis,
            now_ms: known.now_ms,
            state: present_state(&states, per_minute.last().map_or(0, |sums| sums.requests)),
            states,
            is_judged: judged.is_some(),
            by_minutes: judged.is_some_and(|judged| judged.by_minutes),
            incidents: judged.map_or_else(Vec::new, |judged| judged.incidents.clone()),
            judged_until: judged.map_or(0, |judged| judged.until),
            per_second: counts.seconds(second - STRIP..second),
            per_minute: per_minute.iter().map(|sums| sums.requests).collect(),
            rates: rates(counts, second, minute),
            errors: errors.map(|(name, count, normal)| Errors {
                name,
                count,
                share: share(count),
                normal,
            }),
            times,
            has_times: counts.has_times || counts.last_us.is_none(),
            classes,
            tables,
            window_since,
            committed: known.committed,
            last_us: counts.last_us,
        }
    }
}

/// p50, p95 and p99, in seconds.
fn quantiles(times: &Histogram) -> Option<[f64; 3]> {
    let quantile = |share| times.quantile(share).map(|us| us / 1e6);
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(quantile);
    Some([p50?, p95?, p99?])
}

fn rates(counts: &Counts, second: i64, minute: i64) -> [f64; 3] {
    let over = |seconds: i64| {
        let requests: u64 = counts.seconds(second - seconds..second).iter().sum();
        real(requests) / real(seconds.unsigned_abs())
    };
    let hour = (minute - STRIP + 1).max(counts.since)..minute + 1;
    let seconds = (second - 60 * hour.start).max(1).unsigned_abs();
    let requests: u64 = counts.minutes(hour).iter().map(|sums| sums.requests).sum();
    [
        over(NOW_SECONDS),
        over(STRIP),
        real(requests) / real(seconds),
    ]
}

/// As the queries judged it, else by its own lines.
fn state(known: &Known<'_>, minute: i64) -> Option<String> {
    let judged = known.judged.filter(|judged| minute < judged.until);
    let judged = judged.and_then(|judged| {
        let mut states = judged.states.iter();
        states.find(|(judged, _)| *judged == minute)
    });
    let own = || {
        known
            .counts
            .state(minute)
            .map(|state| state.as_str().to_owned())
    };
    judged.map(|(_, state)| state.clone()).or_else(own)
}

/// That of the last whole minute; of the present one where it is worse already, or nothing is known of the one before.
fn present_state(states: &[Option<String>], present_requests: u64) -> Option<String> {
    let (present, before) = states.split_last()?;
    let bad = [MinuteState::Down.as_str(), MinuteState::Degraded.as_str()];
    let tells =
        |state: &&String| bad.contains(&state.as_str()) && present_requests >= PRESENT_REQUESTS_MIN;
    let is_known = |state: &&String| state.as_str() != MinuteState::Uncovered.as_str();
    let last = before.iter().rev().take(2).flatten().find(is_known);
    let present = present.as_ref();
    present.filter(tells).or(last).or(present).cloned()
}

fn table(
    dimension: Dimension,
    keys: &Frequent<KeySums>,
    all: u64,
    sort_by: SortBy,
    has_upstreams: bool,
) -> Table {
    let share = |count: u64| real(count) / real(all.max(1));
    let mut rows: Vec<TableRow> = keys
        .iter()
        .map(|(key, counted)| TableRow {
            key: key.to_owned(),
            requests: counted.count,
            share: share(counted.count),
            sums: counted.sums.clone(),
        })
        .collect();
    rows.sort_unstable_by(|a, b| {
        let weight = |row: &TableRow| sort_by.weight(row.requests, &row.sums);
        let by_weight = weight(b).total_cmp(&weight(a));
        by_weight
            .then(b.requests.cmp(&a.requests))
            .then(a.key.cmp(&b.key))
    });
    rows.truncate(ROWS_MAX);
    Table {
        dimension,
        rows,
        error_max: share(keys.floor()),
        is_logged: dimension != Dimension::Upstreams || has_upstreams,
    }
}

/// The beginning of a minute, milliseconds since the epoch.
pub(super) fn minute_ms(minute: i64) -> i64 {
    minute * (MINUTE_US / 1_000)
}

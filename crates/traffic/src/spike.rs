//! Error spikes: when the share of bad requests leaves its normal band.
//!
//! One series (a server name, or a path template of it) is walked once, minute by minute; [`spikes`] opens and closes spikes by the
//! binomial tail against a baseline learned from the series itself.

use std::collections::HashMap;

use crate::beta::{beta_quantile, binomial_tail};

/// A spike opens only at a chance below this, divided by the number of live series.
pub const TAIL_MAX: f64 = 1e-6;
/// Normal share of bad requests until an hour exists.
pub const NORMAL_SHARE: f64 = 0.005;
/// The least rise over the baseline, as a share of requests: one point.
pub const RISE_MIN: f64 = 0.01;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// Requests that the same time of earlier weeks must hold to be the baseline alone; below it the previous 24 hours join in, since
/// so few requests leave the share of rare errors open.
const BASELINE_REQUESTS_MIN: u64 = 1_000;
/// Requests that the day before a creep must hold.
const CREEP_REQUESTS_MIN: u64 = 100;
/// Earlier weeks are looked at this many minutes around the same time of week.
const SAME_TIME_MINUTES: i64 = 15;
/// Prior of the baseline, as bad and good requests seen before: half a bad one in a hundred, so that it has the normal share.
const PRIOR: (f64, f64) = (0.5, 99.5);
/// The baseline is this posterior quantile: a quiet past of few requests does not prove that errors are rare.
const BASELINE_QUANTILE: f64 = 0.95;
/// Quiet minutes that close a spike.
const QUIET_MINUTES: i64 = 5;
/// A spike is also closed after this many minutes without a sign of it, whatever the traffic.
const SILENT_MINUTES: i64 = HOUR;
/// Errors that would have been expected at the spike's own rate before their absence counts as quiet: e^-3 is 5 %.
const QUIET_EXPECTED: f64 = 3.0;
const CREEP_MINUTES: i64 = 6 * HOUR;
const CREEP_STEP_MINUTES: i64 = 15;

/// One minute of a series. Minutes without requests may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpikePoint {
    /// Minutes since the epoch, UTC.
    pub minute: i64,
    /// Bad requests.
    pub bad: u32,
    /// Requests that decide, good and bad.
    pub n: u32,
    /// Bad requests of the client with the most of them.
    pub bad_of_top_client: u32,
    /// A hash of that client, so that its minutes can be added up; 0 when unknown: it then counts for no one.
    pub top_client: u64,
}

/// The settings of [`spikes`].
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeOptions {
    /// Fewest bad requests in a window, default 5: fewer can be one person pressing reload.
    pub k_min: u64,
    /// Fewest requests in a window, default 5: as many as errors. Whether so many could be chance is asked of their number anyway. With 20, as
    /// the first design had it, a quiet site that answers nobody is told up to an hour later, and nothing more is right.
    pub n_min: u64,
    /// Series judged side by side, default 1: each gets its share of [`TAIL_MAX`] (Bonferroni).
    pub live_series: u32,
    /// Lengths of the windows in minutes, ascending, default 1, 5, 15, 60: the shortest one that shows a spike opens it, the longer
    /// ones serve series with few requests or slight rises.
    pub windows: Vec<i64>,
    /// Share of the errors above which one client owns a spike, default 0.8.
    pub single_client_share: f64,
}

impl Default for SpikeOptions {
    fn default() -> Self {
        Self {
            k_min: 5,
            n_min: 5,
            live_series: 1,
            windows: vec![1, 5, 15, 60],
            single_client_share: 0.8,
        }
    }
}

/// A stretch of minutes in which too many requests were bad.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// First minute, since the epoch.
    pub start: i64,
    /// Minute after the last one.
    pub end: i64,
    /// Minute at whose end it was clear.
    pub opened: i64,
    /// Bad requests within.
    pub bad: u64,
    /// Requests within.
    pub n: u64,
    /// Highest share of bad requests in a minute of at least five requests, or over the whole where no minute has so many.
    pub peak_rate: f64,
    /// The baseline when it opened: the share that still counted as normal.
    pub p0: f64,
    /// One client made more than [`SpikeOptions::single_client_share`] of the errors, as far as the minutes' top clients show.
    pub single_client: bool,
    /// The chance of the opening window under `p0`.
    pub tail: f64,
    /// Length of the window that opened it, in minutes; 360 for a slow creep.
    pub window: i64,
}

/// The spikes of one series, by start.
///
/// `points` ascend by minute, each minute at most once; they should begin up to four weeks before the first minute of interest.
///
/// For each minute with errors, over each window with at least `n_min` requests, k bad of n: the baseline p0 is the 95 % posterior
/// quantile of a beta distribution, from the same time of week in up to four earlier weeks (joined by the previous 24 hours where those hold under 1,000 requests);
/// until a week exists, the previous 24
/// hours; until an hour exists, [`NORMAL_SHARE`]. Spikes found before are left out of it. A spike opens when k >= `k_min`, k/n >=
/// min(2·p0, (1+p0)/2), k/n >= p0 + [`RISE_MIN`], and P(X >= k) < [`TAIL_MAX`] / `live_series`; a 1-minute window must show it in two
/// of the last three minutes. A slow creep opens too: the last six hours against the 24 before them. It closes after five quiet
/// minutes, with requests enough that three errors were due at the spike's rate.
#[must_use]
pub fn spikes(points: &[SpikePoint], options: &SpikeOptions) -> Vec<Spike> {
    let mut series = Series::new(points, options);
    for at in 0..points.len() {
        series.step(at);
    }
    series.close();
    series.found
}

/// The share up to which a count is normal where `seen` of `n` requests were counted before: the 95 % posterior quantile, or
/// [`NORMAL_SHARE`] where nothing was seen. `seen` is at most `n`.
///
/// ```
/// use floodmark_traffic::spike::normal_share_max;
/// assert!((0.010..0.012).contains(&normal_share_max(1_000, 100_000)));
/// assert!(normal_share_max(0, 100) > normal_share_max(0, 100_000));
/// ```
#[must_use]
pub fn normal_share_max(seen: u64, n: u64) -> f64 {
    if n == 0 {
        return NORMAL_SHARE;
    }
    let bad = seen.min(n);
    Baseline::of(Sum { bad, n }).quantile()
}

/// How far `value` lies from the median, in robust standard deviations: (value - median) / max(1.4826·MAD, `floor`).
///
/// 1.4826 makes the median absolute deviation estimate the standard deviation of a normal distribution (Rousseeuw and Croux, 1993).
/// `floor` is the least deviation taken seriously, in the unit of `value`; for counts √median is that of a Poisson count. Without
/// any deviation the answer is 0 at the median and infinite beside it. NaN goes through.
#[must_use]
pub fn robust_z(value: f64, median: f64, mad: f64, floor: f64) -> f64 {
    let distance = value - median;
    let deviation = (1.4826 * mad).max(floor);
    if distance == 0.0 {
        0.0
    } else {
        distance / deviation.max(0.0)
    }
}

/// Bad and all requests of some minutes.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    bad: u64,
    n: u64,
}

impl Sum {
    fn and(self, point: &SpikePoint) -> Self {
        Self {
            bad: self.bad + u64::from(point.bad),
            n: self.n + u64::from(point.n.max(point.bad)),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            bad: self.bad - other.bad,
            n: self.n - other.n,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bad: self.bad + other.bad,
            n: self.n + other.n,
        }
    }

    fn rate(self) -> f64 {
        if self.n == 0 {
            0.0
        } else {
            real(self.bad) / real(self.n)
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Open {
    start: usize,
    opened: usize,
    last_loud: usize,
    window: i64,
    rate_min: f64,
    p0: f64,
    tail: f64,
}

struct Series<'points> {
    points: &'points [SpikePoint],
    options: &'points SpikeOptions,
    // Sums before each index: of all points, and of those outside the spikes found so far.
    all: Vec<Sum>,
    clean: Vec<Sum>,
    open: Option<Open>,
    minute_hits: Vec<i64>,
    creep_checked: i64,
    found: Vec<Spike>,
}

impl<'points> Series<'points> {
    fn new(points: &'points [SpikePoint], options: &'points SpikeOptions) -> Self {
        let mut all = Vec::with_capacity(points.len() + 1);
        all.push(Sum::default());
        for (at, point) in points.iter().enumerate() {
            all.push(all[at].and(point));
        }
        Self {
            points,
            options,
            clean: vec![Sum::default()],
            all,
            open: None,
            minute_hits: Vec::new(),
            creep_checked: i64::MIN,
            found: Vec::new(),
        }
    }

    fn step(&mut self, at: usize) {
        let point = &self.points[at];
        let last = self.clean[at];
        self.clean.push(last.and(point));
        if let Some(open) = self.open {
            if point.bad > 0 && self.is_loud(at, open) {
                self.open = Some(Open {
                    last_loud: at,
                    ..open
                });
            } else if self.is_quiet(at, open) {
                self.close();
            }
        }
        if self.open.is_none() && point.bad > 0 {
            self.open = self.opening(at);
        }
    }

    // Over the shortest window in which the spike's own rate would bring enough errors to tell.
    fn is_loud(&self, at: usize, open: Open) -> bool {
        let minute = self.points[at].minute;
        let rate = self.rate_so_far(open);
        let windows = self.options.windows.iter().copied();
        let sums = windows.map(|window| self.sum(minute - window + 1, minute + 1));
        let mut enough = Sum::default();
        for sum in sums {
            enough = sum;
            if real(sum.n) * rate >= QUIET_EXPECTED {
                break;
            }
        }
        enough.rate() >= open.rate_min
    }

    fn rate_so_far(&self, open: Open) -> f64 {
        self.all[open.last_loud + 1]
            .minus(self.all[open.start])
            .rate()
    }

    fn is_quiet(&self, at: usize, open: Open) -> bool {
        let minutes = self.points[at].minute - self.points[open.last_loud].minute;
        let since = self.all[at + 1].minus(self.all[open.last_loud + 1]);
        let rate = self.rate_so_far(open);
        minutes > SILENT_MINUTES
            || (minutes >= QUIET_MINUTES && real(since.n) * rate >= QUIET_EXPECTED)
    }

    fn opening(&mut self, at: usize) -> Option<Open> {
        let minute = self.points[at].minute;
        for &window in &self.options.windows {
            let from = minute - window + 1;
            let sum = self.clean_sum(from, minute + 1);
            let Some((p0, tail)) = self.exceeds(sum, || self.baseline(from, minute)) else {
                continue;
            };
            if window == 1 {
                self.minute_hits
                    .retain(|&hit| hit > minute - 3 && hit < minute);
                self.minute_hits.push(minute);
                if self.minute_hits.len() < 2 {
                    continue;
                }
            }
            return Some(self.opened(at, window, sum, p0, tail));
        }
        self.creeping(at)
    }

    fn creeping(&mut self, at: usize) -> Option<Open> {
        let minute = self.points[at].minute;
        if minute < self.creep_checked.saturating_add(CREEP_STEP_MINUTES) {
            return None;
        }
        self.creep_checked = minute;
        let from = minute - CREEP_MINUTES + 1;
        let sum = self.clean_sum(from, minute + 1);
        let before = self.clean_sum(from - DAY, from);
        if before.n < CREEP_REQUESTS_MIN {
            return None;
        }
        let (p0, tail) = self.exceeds(sum, || Baseline::of(before))?;
        Some(self.opened(at, CREEP_MINUTES, sum, p0, tail))
    }

    fn exceeds(&self, sum: Sum, baseline: impl FnOnce() -> Baseline) -> Option<(f64, f64)> {
        // What needs no baseline first: nearly every window ends here.
        if sum.bad < self.options.k_min || sum.n < self.options.n_min || sum.rate() < RISE_MIN {
            return None;
        }
        let baseline = baseline();
        let tail_max = TAIL_MAX / f64::from(self.options.live_series.max(1));
        let beyond = |p0: f64| {
            let tail = if sum.rate() < rate_min(p0) {
                1.0
            } else {
                binomial_tail(sum.bad, sum.n, p0)
            };
            (tail < tail_max).then_some((p0, tail))
        };
        // The mean lies below the quantile and costs nothing.
        beyond(baseline.mean()).and_then(|_| beyond(baseline.quantile()))
    }

    // The start is the first of the errors that belong together: none so far apart that the rate would have brought three between, or so many that
    // the baseline does not explain them. It may lie before the window that opened it, which is short where five errors come at once.
    fn opened(&self, at: usize, window: i64, sum: Sum, p0: f64, tail: f64) -> Open {
        let longest = self.options.windows.iter().copied().fold(window, i64::max);
        let oldest = self.points[at].minute - longest + 1;
        let within = self.points[at].minute - window.max(QUIET_MINUTES) + 1;
        let mut start = at;
        for earlier in (0..at)
            .rev()
            .take_while(|&earlier| self.points[earlier].minute >= oldest)
        {
            if self.points[earlier].bad == 0 {
                continue;
            }
            let minute = self.points[earlier].minute;
            let between = self.all[start].minus(self.all[earlier + 1]);
            let apart = minute < within || self.points[start].minute - minute >= QUIET_MINUTES;
            let before = self.all[start].minus(self.all[earlier]);
            if !apart
                || real(between.n) * sum.rate() < QUIET_EXPECTED
                || binomial_tail(before.bad, before.n, p0) < TAIL_MAX
            {
                start = earlier;
            }
        }
        Open {
            start,
            opened: at,
            last_loud: at,
            window,
            rate_min: rate_min(p0),
            p0,
            tail,
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.minute_hits.clear();
        self.leave_out(open.start, open.last_loud);
        let spike = self.spike(open);
        match self.found.last_mut() {
            Some(last) if spike.start <= last.end + QUIET_MINUTES => {
                let start = self
                    .points
                    .partition_point(|point| point.minute < last.start);
                let opened = self
                    .points
                    .partition_point(|point| point.minute < last.opened);
                let (p0, tail, window) = if last.tail <= spike.tail {
                    (last.p0, last.tail, last.window)
                } else {
                    (spike.p0, spike.tail, spike.window)
                };
                self.found.pop();
                let merged = self.spike(Open {
                    start,
                    opened,
                    p0,
                    tail,
                    window,
                    ..open
                });
                self.found.push(merged);
            }
            _ => self.found.push(spike),
        }
    }

    // Takes the points of a spike out of the clean sums, which reach to the point being judged.
    fn leave_out(&mut self, from: usize, to: usize) {
        let known = self.clean.len() - 1;
        self.clean.truncate(from + 1);
        for at in from..known {
            let last = self.clean[at];
            self.clean.push(if at <= to {
                last
            } else {
                last.and(&self.points[at])
            });
        }
    }

    fn spike(&self, open: Open) -> Spike {
        let points = &self.points[open.start..=open.last_loud];
        let sum = points.iter().fold(Sum::default(), Sum::and);
        let mut by_client: HashMap<u64, u64> = HashMap::new();
        for point in points.iter().filter(|point| point.top_client != 0) {
            *by_client.entry(point.top_client).or_default() += u64::from(point.bad_of_top_client);
        }
        let top = by_client.values().copied().max().unwrap_or(0);
        let peaks = points
            .iter()
            .filter(|point| point.n >= 5)
            .map(|point| Sum::default().and(point).rate());
        Spike {
            start: points[0].minute,
            end: self.points[open.last_loud].minute + 1,
            opened: self.points[open.opened].minute,
            bad: sum.bad,
            n: sum.n,
            peak_rate: peaks.fold(sum.rate(), f64::max),
            p0: open.p0,
            single_client: real(top) > self.options.single_client_share * real(sum.bad),
            tail: open.tail,
            window: open.window,
        }
    }

    fn baseline(&self, from: i64, minute: i64) -> Baseline {
        let first = self.points[0].minute;
        if from - first < HOUR {
            return Baseline::Fixed(NORMAL_SHARE);
        }
        let mut sum = Sum::default();
        if from - first >= WEEK {
            for lag in (1..=4).map(|week| week * WEEK) {
                let week = self.clean_sum(
                    from - lag - SAME_TIME_MINUTES,
                    minute - lag + SAME_TIME_MINUTES + 1,
                );
                sum = sum.plus(week);
            }
        }
        if sum.n < BASELINE_REQUESTS_MIN {
            sum = sum.plus(self.clean_sum(from - DAY, from));
        }
        Baseline::of(sum)
    }

    fn sum(&self, from: i64, until: i64) -> Sum {
        let (from, until) = self.indices(from, until);
        self.all[until].minus(self.all[from])
    }

    fn clean_sum(&self, from: i64, until: i64) -> Sum {
        let (from, until) = self.indices(from, until);
        let known = self.clean.len() - 1;
        self.clean[until.min(known)].minus(self.clean[from.min(known)])
    }

    fn indices(&self, from: i64, until: i64) -> (usize, usize) {
        let from = self.points.partition_point(|point| point.minute < from);
        (
            from,
            from + self.points[from..].partition_point(|point| point.minute < until),
        )
    }
}

/// The normal share of bad requests.
#[derive(Debug, Clone, Copy)]
enum Baseline {
    Fixed(f64),
    /// Beta-binomial: parameters of the beta distribution after the prior's requests and those seen.
    Learned(f64, f64),
}

impl Baseline {
    fn of(seen: Sum) -> Self {
        Self::Learned(PRIOR.0 + real(seen.bad), PRIOR.1 + real(seen.n - seen.bad))
    }

    fn mean(self) -> f64 {
        match self {
            Self::Fixed(share) => share,
            Self::Learned(bad, good) => bad / (bad + good),
        }
    }

    fn quantile(self) -> f64 {
        match self {
            Self::Fixed(share) => share,
            Self::Learned(bad, good) => beta_quantile(BASELINE_QUANTILE, bad, good),
        }
    }
}

fn rate_min(p0: f64) -> f64 {
    (2.0 * p0).min(0.5 * (1.0 + p0)).max(p0 + RISE_MIN)
}

#[expect(clippy::cast_precision_loss, reason = "requests are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

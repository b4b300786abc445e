//! What is summed up of the requests of one minute.

use std::cmp::Ordering;

use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::hyper_log_log::HyperLogLog;
use floodmark_traffic::outcome::Outcome;
use floodmark_traffic::path::status_hundreds;

use super::columns::{Line, ProbeLine};

/// Columns that are plain sums, in the order of the table.
pub(super) const COUNTS: [&str; 14] = [
    "good",
    "bad",
    "shed",
    "neutral",
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "status_none",
    "status_429",
    "status_444",
    "status_499",
    "bytes",
];

const BAD: usize = 1;
/// The first four are all requests, by outcome.
const OUTCOMES: usize = 4;
const STATUS_1XX: usize = 4;
const STATUS_NONE: usize = 9;
const STATUS_429: usize = 10;
const STATUS_444: usize = 11;
const STATUS_499: usize = 12;
const BYTES: usize = 13;

/// Probes of a row, at most: anyone may call himself one. The first ones by client and agent are kept, whatever came first.
const PROBES_MAX: usize = 64;

/// The sums of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// By column of [`COUNTS`].
    pub(super) counts: [u64; COUNTS.len()],
    pub(super) times: Option<Box<Times>>,
    pub(super) clients: HyperLogLog,
    pub(super) bad_clients: HyperLogLog,
    /// By client and agent.
    pub(super) probes: Vec<Probe>,
}

/// Request times, in microseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) sum: u64,
    pub(super) max: u64,
    pub(super) histogram: Histogram,
}

/// One probe, and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) client: Option<Vec<u8>>,
    pub(super) agent: Option<Vec<u8>>,
    pub(super) count: u64,
    /// Seconds since the epoch.
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Sums {
    /// All requests: each has one outcome.
    pub(super) fn requests(&self) -> u64 {
        let outcomes = self.counts[..OUTCOMES].iter();
        outcomes.fold(0, |sum, count| sum.saturating_add(*count))
    }

    #[inline]
    pub(super) fn add(&mut self, line: &Line) {
        let outcome = match line.outcome {
            Outcome::Good => 0,
            Outcome::Bad => BAD,
            Outcome::Shed => 2,
            Outcome::Neutral => 3,
        };
        self.counts[outcome] += 1;
        let hundreds = line.status.and_then(status_hundreds);
        self.counts[hundreds.map_or(STATUS_NONE, |hundreds| {
            STATUS_1XX + usize::from(hundreds) - 1
        })] += 1;
        match line.status {
            Some(429) => self.counts[STATUS_429] += 1,
            Some(444) => self.counts[STATUS_444] += 1,
            Some(499) => self.counts[STATUS_499] += 1,
            _ => {}
        }
        self.counts[BYTES] = self.counts[BYTES].saturating_add(line.bytes);
        if let Some(time_us) = line.request_time_us {
            self.times.get_or_insert_default().add(time_us);
        }
        self.clients.insert(line.client);
        if outcome == BAD {
            self.bad_clients.insert(line.client);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        if let Some(times) = other.times {
            self.times.get_or_insert_default().merge(&times);
        }
        self.clients.merge(&other.clients);
        self.bad_clients.merge(&other.bad_clients);
        for probe in other.probes {
            match self.probe(probe.client.as_deref(), probe.agent.as_deref()) {
                Ok(at) => self.probes[at].merge(&probe),
                Err(at) => self.insert_probe(at, probe),
            }
        }
    }

    pub(super) fn add_probe(&mut self, line: &ProbeLine<'_>) {
        match self.probe(line.client, line.agent) {
            Ok(at) => {
                let probe = &mut self.probes[at];
                probe.count += 1;
                probe.first = probe.first.min(line.second);
                probe.last = probe.last.max(line.second);
            }
            Err(at) if at >= PROBES_MAX => {}
            Err(at) => {
                let probe = Probe {
                    client: line.client.map(<[u8]>::to_vec),
                    agent: line.agent.map(<[u8]>::to_vec),
                    count: 1,
                    first: line.second,
                    last: line.second,
                };
                self.insert_probe(at, probe);
            }
        }
    }

    // One that falls out has 64 before it for good, so that what is kept was counted from its first request on.
    fn insert_probe(&mut self, at: usize, probe: Probe) {
        self.probes.insert(at, probe);
        self.probes.truncate(PROBES_MAX);
    }

    /// The place of a probe, or where it would be.
    fn probe(&self, client: Option<&[u8]>, agent: Option<&[u8]>) -> Result<usize, usize> {
        self.probes.binary_search_by(|probe| {
            let by_client = probe.client.as_deref().cmp(&client);
            match by_client {
                Ordering::Equal => probe.agent.as_deref().cmp(&agent),
                other => other,
            }
        })
    }
}

impl Times {
    fn add(&mut self, time_us: u64) {
        self.sum = self.sum.saturating_add(time_us);
        self.max = self.max.max(time_us);
        self.histogram.insert(time_us);
    }

    fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        self.histogram.merge(&other.histogram);
    }
}

impl Probe {
    fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

//! Rows of minutes added up and judged: what can be told of a stretch of time without its lines.
//!
//! The rules are those of [`judge_minutes`], asked with what minutes know. They do not know which clients turned out to be a flood, when
//! a probe stayed away, nor what other weeks were like; so silence is never DOWN here.

use std::collections::BTreeMap;

use crate::Error;
use crate::hyper_log_log::HyperLogLog;
use crate::minute::{Minute, MinuteState, NEAR_MINUTES, judge_minutes};

/// Minutes that are judged at once, at most: ten years, some 500 MB.
pub const MINUTES_MAX: u64 = 10 * 366 * 24 * 60;

/// Requests of one minute that decide, or a part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Minutes since the epoch, UTC.
    pub minute: i64,
    /// Whether probes made them.
    pub is_probe: bool,
    /// Good ones.
    pub good: u64,
    /// Bad ones.
    pub bad: u64,
    /// Shed ones.
    pub shed: u64,
}

/// Minutes by state, from the first that was counted to the last.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct States {
    /// In state UP.
    pub up: u64,
    /// In state DEGRADED.
    pub degraded: u64,
    /// In state DOWN.
    pub down: u64,
    /// Without a request that decides.
    pub idle: u64,
    /// Sum of the good fractions of UP, DEGRADED and DOWN ones.
    pub good: f64,
}

/// Counts of minutes, in any order and any number of parts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// In the order in which they came, successive ones of a minute added up.
    minutes: Vec<Minute>,
    bad_clients: BTreeMap<i64, HyperLogLog>,
}

impl Tally {
    /// Adds requests of a minute.
    pub fn add(&mut self, counted: &Counted) {
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let (good, bad, shed) = (
            narrow(counted.good),
            narrow(counted.bad),
            narrow(counted.shed),
        );
        let minute = counted.minute;
        self.add_minute(match counted.is_probe {
            true => Minute {
                minute,
                probe_good: good,
                probe_bad: bad.saturating_add(shed),
                ..Minute::default()
            },
            false => Minute {
                minute,
                good,
                bad,
                shed,
                ..Minute::default()
            },
        });
    }

    /// Adds who made bad requests in a minute.
    pub fn add_bad_clients(&mut self, minute: i64, clients: &HyperLogLog) {
        self.bad_clients.entry(minute).or_default().merge(clients);
    }

    /// Adds all of another tally.
    pub fn merge(&mut self, other: &Self) {
        other
            .minutes
            .iter()
            .for_each(|minute| self.add_minute(*minute));
        for (minute, clients) in &other.bad_clients {
            self.add_bad_clients(*minute, clients);
        }
    }

    fn add_minute(&mut self, minute: Minute) {
        match self.minutes.last_mut() {
            Some(last) if last.minute == minute.minute => add(last, &minute),
            _ => self.minutes.push(minute),
        }
    }

    /// Judges the minutes.
    ///
    /// # Errors
    ///
    /// They lie more than [`MINUTES_MAX`] apart.
    pub fn states(&self) -> Result<States, Error> {
        let minutes = || self.minutes.iter().map(|minute| minute.minute);
        let range = minutes().min().zip(minutes().max());
        let length = range.map_or(0, |(first, last)| last.abs_diff(first));
        if length >= MINUTES_MAX {
            return Err(Error::RangeTooLong {
                minutes: length,
                minutes_max: MINUTES_MAX,
            });
        }
        let judged = judge_minutes(&self.dense(), &[])?;
        let mut states = States::default();
        for minute in judged {
            match minute.state {
                MinuteState::Up => states.up += 1,
                MinuteState::Degraded => states.degraded += 1,
                MinuteState::Down => states.down += 1,
                _ => states.idle += 1,
            }
            states.good += minute.good_fraction;
        }
        Ok(states)
    }

    /// Every minute from the first to the last.
    fn dense(&self) -> Vec<Minute> {
        let mut sorted = self.minutes.clone();
        // Nearly in order already: this is one pass.
        sorted.sort_by_key(|minute| minute.minute);
        let mut dense: Vec<Minute> = Vec::with_capacity(sorted.len());
        for counted in sorted {
            let next = dense.last().map(|last| last.minute + 1);
            for minute in next.unwrap_or(counted.minute)..=counted.minute {
                let covered = true;
                dense.push(Minute {
                    minute,
                    covered,
                    ..Minute::default()
                });
            }
            let last = dense.last_mut().expect("pushed above, or there was one");
            add(last, &counted);
        }
        let Some(first) = dense.first().map(|first| first.minute) else {
            return dense;
        };
        for (&minute, clients) in &self.bad_clients {
            let at = usize::try_from(minute.saturating_sub(first)).ok();
            if let Some(failed) = at.and_then(|at| dense.get_mut(at)) {
                failed.bad_clients = count(clients);
                failed.bad_clients_near = count(&self.near(minute));
            }
        }
        dense
    }

    /// Who made bad requests in the minutes around one.
    fn near(&self, minute: i64) -> HyperLogLog {
        let reach = i64::try_from(NEAR_MINUTES).expect("a few minutes");
        let mut clients = HyperLogLog::default();
        for (_, more) in self
            .bad_clients
            .range(minute.saturating_sub(reach)..=minute.saturating_add(reach))
        {
            clients.merge(more);
        }
        clients
    }

    /// Bytes in memory, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.minutes.capacity() * size_of::<Minute>()
            + self.bad_clients.len() * size_of::<HyperLogLog>()
    }

    /// The tally as bytes, for [`Tally::decode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.minutes.len() * MINUTE_BYTES);
        bytes.extend((self.minutes.len() as u64).to_le_bytes());
        for minute in &self.minutes {
            bytes.extend(minute.minute.to_le_bytes());
            for count in counts(minute) {
                bytes.extend(count.to_le_bytes());
            }
        }
        for (minute, clients) in &self.bad_clients {
            let clients = clients.encode();
            bytes.extend(minute.to_le_bytes());
            bytes.extend((clients.len() as u64).to_le_bytes());
            bytes.extend(clients);
        }
        bytes
    }

    /// Reads what [`Tally::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no such tally.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        const CUT: Error = Error::NotASketch {
            kind: "tally of minutes",
            found: "part of one",
        };
        let mut tally = Self::default();
        let mut rest = bytes;
        let minutes = u64::from_le_bytes(take(&mut rest).ok_or(CUT)?);
        for _ in 0..minutes {
            let minute = i64::from_le_bytes(take(&mut rest).ok_or(CUT)?);
            let mut counts = [0; 5];
            for count in &mut counts {
                *count = u32::from_le_bytes(take(&mut rest).ok_or(CUT)?);
            }
            let [good, bad, shed, probe_good, probe_bad] = counts;
            tally.minutes.push(Minute {
                minute,
                good,
                bad,
                shed,
                probe_good,
                probe_bad,
                ..Minute::default()
            });
        }
        while !rest.is_empty() {
            let minute = i64::from_le_bytes(take(&mut rest).ok_or(CUT)?);
            let length = u64::from_le_bytes(take(&mut rest).ok_or(CUT)?);
            let length = usize::try_from(length).map_err(|_| CUT)?;
            let (clients, more) = rest.split_at_checked(length).ok_or(CUT)?;
            tally.add_bad_clients(minute, &HyperLogLog::decode(clients)?);
            rest = more;
        }
        Ok(tally)
    }
}

/// A minute and its counts, encoded.
const MINUTE_BYTES: usize = 8 + 5 * 4;

fn counts(minute: &Minute) -> [u32; 5] {
    [
        minute.good,
        minute.bad,
        minute.shed,
        minute.probe_good,
        minute.probe_bad,
    ]
}

fn add(sum: &mut Minute, more: &Minute) {
    sum.good = sum.good.saturating_add(more.good);
    sum.bad = sum.bad.saturating_add(more.bad);
    sum.shed = sum.shed.saturating_add(more.shed);
    sum.probe_good = sum.probe_good.saturating_add(more.probe_good);
    sum.probe_bad = sum.probe_bad.saturating_add(more.probe_bad);
}

fn count(clients: &HyperLogLog) -> u32 {
    u32::try_from(clients.count()).unwrap_or(u32::MAX)
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (head, more) = rest.split_first_chunk()?;
    *rest = more;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyper_log_log::hash;
    use proptest::prelude::*;

    fn served(minute: i64) -> Counted {
        Counted {
            minute,
            good: 20,
            ..Counted::default()
        }
    }

    fn failed(minute: i64) -> Counted {
        Counted {
            minute,
            bad: 20,
            ..Counted::default()
        }
    }

    fn by(clients: &[&str]) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        for client in clients {
            sketch.insert(hash(client.as_bytes()));
        }
        sketch
    }

    #[test]
    fn minutes_are_judged_by_all_of_their_rows() {
        let mut tally = Tally::default();
        (0..10).for_each(|minute| tally.add(&served(minute)));
        tally.add(&failed(10));
        tally.add_bad_clients(10, &by(&["192.0.2.1"]));
        // Two of a hundred are not worth a word.
        tally.add(&Counted {
            bad: 1,
            ..served(3)
        });
        (13..20).for_each(|minute| tally.add(&served(minute)));
        let states = tally.states().unwrap();
        // One client alone is no witness.
        assert_eq!((states.up, states.degraded, states.down), (17, 1, 0));
        tally.add_bad_clients(10, &by(&["192.0.2.2"]));
        let states = tally.states().unwrap();
        assert_eq!((states.up, states.down, states.idle), (17, 1, 2));
        assert!((states.good - 17.0).abs() < 1e-9);
    }

    #[test]
    fn a_probe_is_a_witness_and_silence_is_not() {
        let mut tally = Tally::default();
        tally.add(&served(0));
        let is_probe = true;
        let probed = failed(60);
        tally.add(&Counted { is_probe, ..probed });
        let states = tally.states().unwrap();
        assert_eq!((states.up, states.down, states.idle), (1, 1, 59));
    }

    #[test]
    fn nothing_has_no_states() {
        assert_eq!(Tally::default().states().unwrap(), States::default());
    }

    #[test]
    fn minutes_far_apart_are_refused() {
        let mut tally = Tally::default();
        tally.add(&served(i64::MIN));
        tally.add(&served(i64::MAX));
        assert!(matches!(tally.states(), Err(Error::RangeTooLong { .. })));
    }

    proptest! {
        #[test]
        fn order_and_splits_do_not_show(
            rows in prop::collection::vec((0_i64..300, any::<bool>(), 0_u64..9, 0_u64..3, 0_u64..3), 0..200),
            cut in 0_usize..200,
        ) {
            let counted = |&(minute, is_probe, good, bad, shed): &(i64, bool, u64, u64, u64)| {
                Counted { minute, is_probe, good, bad, shed }
            };
            let mut whole = Tally::default();
            for row in &rows {
                whole.add(&counted(row));
                whole.add_bad_clients(row.0, &by(&[if row.2 % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" }]));
            }
            let mut merged = Tally::default();
            let mut front = Tally::default();
            for (index, row) in rows.iter().enumerate().rev() {
                let half = if index < cut { &mut front } else { &mut merged };
                half.add(&counted(row));
                half.add_bad_clients(row.0, &by(&[if row.2 % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" }]));
            }
            merged.merge(&Tally::decode(&front.encode()).unwrap());
            prop_assert_eq!(merged.states().unwrap(), whole.states().unwrap());
        }

        #[test]
        fn any_bytes_are_a_tally_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Tally::decode(&bytes);
        }
    }
}

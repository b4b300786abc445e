//! Rows of minutes added up and judged: what can be told of a stretch of time without its lines.
//!
//! The rules are those of [`judge_minutes`], asked with what minutes know. They do not know which clients turned out to be a flood, when
//! a probe stayed away, nor what other weeks were like; so silence is never DOWN here.

use std::collections::BTreeMap;

use crate::Error;
use crate::hyper_log_log::HyperLogLog;
use crate::minute::{Minute, MinuteState, NEAR_MINUTES, judge_minutes};

/// Minutes that are judged at once, at most: ten years, some 900 MB.
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
    /// Good requests, those of probes left out.
    pub good_requests: u64,
    /// Bad requests, those of probes left out.
    pub bad_requests: u64,
}

/// Counts of minutes, in any order and any number of parts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// In the order in which they came, encoded: see [`Counts::write`].
    minutes: Vec<u8>,
    /// The minute that came last, not among these yet: its next row is added to it.
    last: Option<Counts>,
    /// The minute at which the encoded ones end; `None` if that is not known.
    end: Option<i64>,
    bad_clients: BTreeMap<i64, HyperLogLog>,
    good_requests: u64,
    bad_requests: u64,
}

impl Tally {
    /// Adds requests of a minute.
    #[inline]
    pub fn add(&mut self, counted: &Counted) {
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let (good, bad, shed) = (
            narrow(counted.good),
            narrow(counted.bad),
            narrow(counted.shed),
        );
        let counts = match counted.is_probe {
            true => [0, 0, 0, good, bad.saturating_add(shed)],
            false => {
                self.good_requests = self.good_requests.saturating_add(counted.good);
                self.bad_requests = self.bad_requests.saturating_add(counted.bad);
                [good, bad, shed, 0, 0]
            }
        };
        let minute = counted.minute;
        match &mut self.last {
            Some(last) if last.minute == minute => last.add(&counts),
            _ => {
                self.write_last();
                self.last = Some(Counts { minute, counts });
            }
        }
    }

    fn write_last(&mut self) {
        if let Some(last) = self.last.take() {
            last.write(self.end, &mut self.minutes);
            self.end = Some(last.minute);
        }
    }

    /// Adds who made bad requests in a minute.
    pub fn add_bad_clients(&mut self, minute: i64, clients: &HyperLogLog) {
        self.bad_clients.entry(minute).or_default().merge(clients);
    }

    /// Adds all of another tally.
    pub fn merge(&mut self, mut other: Self) {
        other.write_last();
        self.write_last();
        if !other.minutes.is_empty() {
            self.minutes.extend(other.minutes);
            self.end = other.end;
        }
        for (minute, clients) in &other.bad_clients {
            self.add_bad_clients(*minute, clients);
        }
        self.good_requests = self.good_requests.saturating_add(other.good_requests);
        self.bad_requests = self.bad_requests.saturating_add(other.bad_requests);
    }

    /// Judges the minutes.
    ///
    /// # Errors
    ///
    /// They lie more than [`MINUTES_MAX`] apart, or the bytes of a tally that was merged are none.
    pub fn states(&self) -> Result<States, Error> {
        let minutes = self.sorted()?;
        let ends = minutes.first().zip(minutes.last());
        let length = ends.map_or(0, |(first, last)| last.minute.abs_diff(first.minute));
        if length >= MINUTES_MAX {
            return Err(Error::RangeTooLong {
                minutes: length,
                minutes_max: MINUTES_MAX,
            });
        }
        let judged = judge_minutes(&self.dense(&minutes), &[])?;
        let mut states = States {
            good_requests: self.good_requests,
            bad_requests: self.bad_requests,
            ..States::default()
        };
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

    /// What was counted, in the order of the minutes.
    fn sorted(&self) -> Result<Vec<Counts>, Error> {
        let mut sorted = Vec::with_capacity(self.minutes.len() / 3 + 1);
        let mut rest = self.minutes.as_slice();
        let mut end = None;
        while !rest.is_empty() {
            let counts = Counts::read(end, &mut rest).ok_or(CUT)?;
            end = Some(counts.minute);
            sorted.push(counts);
        }
        sorted.extend(self.last);
        if !sorted.is_sorted_by_key(|counts| counts.minute) {
            sorted.sort_by_key(|counts| counts.minute);
        }
        Ok(sorted)
    }

    /// Every minute from the first to the last.
    fn dense(&self, sorted: &[Counts]) -> Vec<Minute> {
        let mut dense: Vec<Minute> = Vec::with_capacity(sorted.len());
        for counts in sorted {
            match dense.last_mut() {
                Some(last) if last.minute == counts.minute => counts.add_to(last),
                last => {
                    let next = last.map_or(counts.minute, |last| last.minute + 1);
                    dense.extend((next..=counts.minute).map(covered));
                    let last = dense.last_mut().expect("the minute itself, at least");
                    counts.add_to(last);
                }
            }
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
        self.minutes.capacity() + self.bad_clients.len() * size_of::<HyperLogLog>()
    }

    /// The tally as bytes, for [`Tally::decode`].
    #[must_use]
    pub fn encode(mut self) -> Vec<u8> {
        self.write_last();
        let head = [
            self.good_requests,
            self.bad_requests,
            self.minutes.len() as u64,
        ];
        let mut bytes = Vec::with_capacity(size_of_val(&head) + self.minutes.len());
        bytes.extend(head.into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(self.minutes);
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
        let mut rest = bytes;
        let mut head = || Some(u64::from_le_bytes(take(&mut rest)?));
        let mut tally = Self {
            good_requests: head().ok_or(CUT)?,
            bad_requests: head().ok_or(CUT)?,
            ..Self::default()
        };
        let length = head().and_then(|length| usize::try_from(length).ok());
        let split = length.and_then(|length| rest.split_at_checked(length));
        let (minutes, mut rest) = split.ok_or(CUT)?;
        tally.minutes = minutes.to_vec();
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

const CUT: Error = Error::NotASketch {
    kind: "tally of minutes",
    found: "part of one",
};

/// What was counted of a minute, or a part of it.
#[derive(Debug, Clone, Copy)]
struct Counts {
    minute: i64,
    /// Good, bad and shed requests, good and bad ones of probes.
    counts: [u32; 5],
}

/// In the byte that begins a minute: it is not the one after the minute before, but stands there.
const MINUTE_TOLD: u8 = 1 << 5;
/// Its counts have four bytes each, and not one.
const WIDE: u8 = 1 << 6;

impl Counts {
    #[inline]
    fn add(&mut self, more: &[u32; 5]) {
        for (sum, more) in self.counts.iter_mut().zip(more) {
            *sum = sum.saturating_add(*more);
        }
    }

    fn add_to(&self, minute: &mut Minute) {
        let [good, bad, shed, probe_good, probe_bad] = self.counts;
        minute.good = minute.good.saturating_add(good);
        minute.bad = minute.bad.saturating_add(bad);
        minute.shed = minute.shed.saturating_add(shed);
        minute.probe_good = minute.probe_good.saturating_add(probe_good);
        minute.probe_bad = minute.probe_bad.saturating_add(probe_bad);
    }

    /// Writes a byte with a bit for each count that is not 0, and these: 3 bytes for most minutes, of which there are millions.
    #[inline]
    fn write(&self, before: Option<i64>, bytes: &mut Vec<u8>) {
        let follows = before.and_then(|before| before.checked_add(1)) == Some(self.minute);
        let is_wide = self.counts.iter().any(|count| *count > 0xff);
        let mut head = 0;
        head |= if follows { 0 } else { MINUTE_TOLD };
        head |= if is_wide { WIDE } else { 0 };
        for (bit, count) in self.counts.iter().enumerate() {
            head |= u8::from(*count > 0) << bit;
        }
        bytes.push(head);
        if !follows {
            bytes.extend(self.minute.to_le_bytes());
        }
        for count in self.counts.iter().filter(|count| **count > 0) {
            match is_wide {
                true => bytes.extend(count.to_le_bytes()),
                false => bytes.push(count.to_le_bytes()[0]),
            }
        }
    }

    /// Reads what [`Counts::write`] wrote; `None` if it is cut short.
    #[inline]
    fn read(before: Option<i64>, rest: &mut &[u8]) -> Option<Self> {
        let [head] = take(rest)?;
        let minute = match head & MINUTE_TOLD {
            0 => before?.checked_add(1)?,
            _ => i64::from_le_bytes(take(rest)?),
        };
        let mut counts = [0; 5];
        for (bit, count) in counts.iter_mut().enumerate() {
            if head & (1 << bit) > 0 {
                *count = match head & WIDE {
                    0 => u32::from(take::<1>(rest)?[0]),
                    _ => u32::from_le_bytes(take(rest)?),
                };
            }
        }
        Some(Self { minute, counts })
    }
}

/// A minute in which nothing was counted.
fn covered(minute: i64) -> Minute {
    Minute {
        minute,
        covered: true,
        ..Minute::default()
    }
}

fn count(clients: &HyperLogLog) -> u32 {
    u32::try_from(clients.count()).unwrap_or(u32::MAX)
}

#[inline]
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

    /// The same by a look at all rows for each minute; who met errors is the tally's.
    fn one_by_one(rows: &[Counted], tally: &Tally) -> States {
        let ends = rows.iter().map(|row| row.minute);
        let Some((first, last)) = ends.clone().min().zip(ends.max()) else {
            return States::default();
        };
        let sum = |minute: i64, is_probe: bool, count: fn(&Counted) -> u64| -> u32 {
            let rows = rows.iter().filter(|row| row.minute == minute);
            let counts = rows.filter(|row| row.is_probe == is_probe).map(count);
            u32::try_from(counts.sum::<u64>()).unwrap()
        };
        let minutes = (first..=last).map(|minute| Minute {
            good: sum(minute, false, |row| row.good),
            bad: sum(minute, false, |row| row.bad),
            shed: sum(minute, false, |row| row.shed),
            probe_good: sum(minute, true, |row| row.good),
            probe_bad: sum(minute, true, |row| row.bad + row.shed),
            bad_clients: tally.bad_clients.get(&minute).map_or(0, super::count),
            bad_clients_near: match tally.bad_clients.contains_key(&minute) {
                true => super::count(&tally.near(minute)),
                false => 0,
            },
            ..covered(minute)
        });
        let judged = judge_minutes(&minutes.collect::<Vec<_>>(), &[]).unwrap();
        let count = |state| judged.iter().filter(|one| one.state == state).count() as u64;
        let of_people = || rows.iter().filter(|row| !row.is_probe);
        let (up, degraded, down) = (
            count(MinuteState::Up),
            count(MinuteState::Degraded),
            count(MinuteState::Down),
        );
        States {
            up,
            degraded,
            down,
            idle: judged.len() as u64 - up - degraded - down,
            good: judged.iter().map(|one| one.good_fraction).sum(),
            good_requests: of_people().map(|row| row.good).sum(),
            bad_requests: of_people().map(|row| row.bad).sum(),
        }
    }

    proptest! {
        #[test]
        fn order_and_splits_do_not_show(
            rows in prop::collection::vec((0_i64..300, any::<bool>(), 0_u64..400, 0_u64..3, 0_u64..3), 0..200),
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
            merged.merge(Tally::decode(&front.encode()).unwrap());
            let states = merged.states().unwrap();
            prop_assert_eq!(states, whole.states().unwrap());
            let rows: Vec<Counted> = rows.iter().map(counted).collect();
            prop_assert_eq!(states, one_by_one(&rows, &merged));
        }

        #[test]
        fn any_bytes_are_a_tally_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let length = (bytes.len() as u64).to_le_bytes();
            for bytes in [&bytes, &[&[0; 16][..], &length, &bytes].concat()] {
                let _ = Tally::decode(bytes).and_then(|tally| tally.states());
            }
        }
    }
}

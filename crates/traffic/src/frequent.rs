//! The most frequent keys of a stream, in little room.
//!
//! Counters are kept for at most [`Frequent::room`] keys. When there are more, the rarer half is dropped, and the largest count among those
//! dropped becomes the *floor*: a key that comes later may have been seen that often before. So a key that is kept was seen at least
//! `count` and at most `count + missed_max` times, and one that is not, at most floor times. It is Space-Saving (Metwally, Agrawal, El
//! Abbadi: "Efficient computation of frequent and top-k elements in data streams", 2005), dropping many at once as in Anderson, Bevin,
//! Lang, Liberty, Rhodes, Thaler: "A high-performance algorithm for identifying frequent items in data streams", 2017, so that a key costs
//! one look-up.
//!
//! After n keys the floor is at most 2n / room: what counts have in excess of the floor grows by one with each key, and each time the floor
//! rises, at least half of the counters lose as much of theirs. Where no key was dropped, every count is exact.

use std::cmp::Reverse;

use hashbrown::HashMap;

/// Counts of the most frequent keys, each with sums of what came with it.
///
/// ```
/// use floodmark_traffic::frequent::Frequent;
///
/// let mut paths = Frequent::with_room(100);
/// for (path, bytes) in [("/", 10), ("/cart", 20), ("/", 30)] {
///     *paths.insert(path) += bytes;
/// }
/// let (path, counted) = paths.iter().max_by_key(|(_, counted)| counted.count).expect("not empty");
/// assert_eq!((path, counted.count, counted.sums, counted.missed_max), ("/", 2, 40, 0));
/// ```
#[derive(Debug, Clone)]
pub struct Frequent<V> {
    room: usize,
    floor: u64,
    kept: HashMap<String, Counted<V>>,
}

/// What is known of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted<V> {
    /// How often it was seen since it is kept.
    pub count: u64,
    /// How often it may have been seen before.
    pub missed_max: u64,
    /// What came with it since it is kept.
    pub sums: V,
}

impl<V> Counted<V> {
    fn count_max(&self) -> u64 {
        self.count.saturating_add(self.missed_max)
    }
}

impl<V: Default> Frequent<V> {
    /// Keeps at most so many keys; at least two.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self {
            room: room.max(2),
            floor: 0,
            kept: HashMap::new(),
        }
    }

    /// Counts a key, and gives the sums of what comes with it, to add to.
    pub fn insert(&mut self, key: &str) -> &mut V {
        if self.kept.len() >= self.room && !self.kept.contains_key(key) {
            self.drop_rare(self.room / 2);
        }
        let counted = self.entry(key);
        counted.count = counted.count.saturating_add(1);
        &mut counted.sums
    }

    /// Adds what another has counted; `add` adds sums up. Floors add up, too, so that the bound stays what it was of both together.
    pub fn merge(&mut self, other: &Self, mut add: impl FnMut(&mut V, &V)) {
        for (key, counted) in &mut self.kept {
            if !other.kept.contains_key(key) {
                counted.missed_max = counted.missed_max.saturating_add(other.floor);
            }
        }
        for (key, counted) in &other.kept {
            let kept = self.entry(key);
            kept.count = kept.count.saturating_add(counted.count);
            kept.missed_max = kept.missed_max.saturating_add(counted.missed_max);
            add(&mut kept.sums, &counted.sums);
        }
        self.floor = self.floor.saturating_add(other.floor);
        if self.kept.len() > self.room {
            self.drop_rare(self.room);
        }
    }

    fn entry(&mut self, key: &str) -> &mut Counted<V> {
        self.kept.entry_ref(key).or_insert_with(|| Counted {
            missed_max: self.floor,
            ..Counted::default()
        })
    }

    /// Keeps so many, those that may be the most frequent.
    fn drop_rare(&mut self, keep: usize) {
        let mut counts: Vec<Reverse<u64>> =
            self.kept.values().map(|c| Reverse(c.count_max())).collect();
        let (_, Reverse(largest_dropped), _) = counts.select_nth_unstable(keep);
        let largest_dropped = *largest_dropped;
        let mut ties = keep
            - counts[..keep]
                .iter()
                .filter(|c| c.0 > largest_dropped)
                .count();
        self.kept.retain(|_, counted| {
            let count = counted.count_max();
            let is_tie = count == largest_dropped && ties > 0;
            ties -= usize::from(is_tie);
            count > largest_dropped || is_tie
        });
        self.floor = self.floor.max(largest_dropped);
    }
}

impl<V> Frequent<V> {
    /// Keys that are kept at most.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room
    }

    /// How often a key that is not kept may have been seen, at most; 0 where none was dropped.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The keys that are kept, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Counted<V>)> {
        self.kept
            .iter()
            .map(|(key, counted)| (key.as_str(), counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(keys: &[u8], room: usize) -> Frequent<u64> {
        let mut frequent = Frequent::with_room(room);
        for key in keys {
            *frequent.insert(&key.to_string()) += 1;
        }
        frequent
    }

    fn holds(frequent: &Frequent<u64>, keys: &[u8]) -> Result<(), TestCaseError> {
        prop_assert!(frequent.kept.len() <= frequent.room);
        for key in 0..=u8::MAX {
            let truth = keys.iter().filter(|seen| **seen == key).count() as u64;
            match frequent.kept.get(key.to_string().as_str()) {
                Some(counted) => {
                    prop_assert!(counted.count <= truth && truth <= counted.count_max());
                    prop_assert_eq!(counted.sums, counted.count);
                }
                None => prop_assert!(truth <= frequent.floor),
            }
        }
        Ok(())
    }

    /// Some keys often, others seldom.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let key = prop_oneof![0_u8..4, 0_u8..20, any::<u8>()];
        prop::collection::vec(key, 0..2_000)
    }

    proptest! {
        #[test]
        fn counts_and_floor_bound_the_truth(keys in keys(), room in 2_usize..64) {
            let frequent = of(&keys, room);
            holds(&frequent, &keys)?;
            prop_assert!(frequent.floor <= 2 * keys.len() as u64 / (room as u64 / 2 * 2));
        }

        #[test]
        fn merged_counts_bound_the_truth(keys in keys(), cut in 0_usize..2_000, room in 2_usize..64) {
            let (front, back) = keys.split_at(cut.min(keys.len()));
            let mut merged = of(front, room);
            merged.merge(&of(back, room), |sum, more| *sum += more);
            holds(&merged, &keys)?;
        }

        #[test]
        fn with_room_for_all_counts_are_exact(keys in keys()) {
            let frequent = of(&keys, 257);
            prop_assert_eq!(frequent.floor(), 0);
            prop_assert!(frequent.iter().all(|(_, counted)| counted.missed_max == 0));
            holds(&frequent, &keys)?;
        }
    }
}

//! Which bytes of their sources the rows stand for.

use std::collections::BTreeMap;

use crate::part::RowBytes;

/// Stretches in memory at once. Blocks of a log follow each other, so that a source is a stretch or a few; a lake whose rows are so
/// scattered over its files that this does not do is one that we did not write.
const STRETCHES_MAX: usize = 4_000_000;

/// The bytes of each source that stand in rows, as stretches that neither touch nor overlap.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    sources: BTreeMap<String, Stretches>,
    stretches: usize,
}

/// Ends of stretches by their starts.
type Stretches = BTreeMap<u64, u64>;

/// Why rows cannot be added.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is a row for the byte at this offset.
    Taken(u64),
    /// There are too many stretches to keep.
    Scattered,
}

impl Tiles {
    /// Adds rows that follow each other from `start` to `end`.
    pub(super) fn add(&mut self, source: &str, start: u64, end: u64) -> Result<(), Refused> {
        if !self.sources.contains_key(source) {
            self.sources.insert(source.to_owned(), Stretches::new());
        }
        let Some(stretches) = self.sources.get_mut(source) else {
            return Ok(());
        };
        let before = stretches.range(..end).next_back();
        let (mut start, mut end) = (start, end);
        if let Some((&other, &other_end)) = before {
            if other_end > start {
                return Err(Refused::Taken(start.max(other)));
            }
            if other_end == start {
                stretches.remove(&other);
                self.stretches -= 1;
                start = other;
            }
        }
        if let Some(after_end) = stretches.remove(&end) {
            self.stretches -= 1;
            end = after_end;
        }
        if self.stretches >= STRETCHES_MAX {
            return Err(Refused::Scattered);
        }
        stretches.insert(start, end);
        self.stretches += 1;
        Ok(())
    }

    /// Adds those of another; gives the bytes, by source and offset, that both have.
    pub(super) fn merge(&mut self, other: Self) -> Result<Vec<(String, u64)>, Refused> {
        let mut twice = Vec::new();
        for (source, stretches) in other.sources {
            for (start, end) in stretches {
                match self.add(&source, start, end) {
                    Err(Refused::Taken(offset)) => twice.push((source.clone(), offset)),
                    other => other?,
                }
            }
        }
        Ok(twice)
    }

    /// Bytes in rows, by source.
    pub(super) fn bytes(&self) -> RowBytes {
        let sources = self.sources.iter();
        sources
            .map(|(source, stretches)| {
                let bytes = stretches.iter().map(|(start, end)| end - start);
                (source.clone(), bytes.sum())
            })
            .collect()
    }

    /// The end of the last row of a source.
    pub(super) fn end(&self, source: &str) -> Option<u64> {
        let (_, end) = self.sources.get(source)?.last_key_value()?;
        Some(*end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stretches_that_touch_become_one() {
        let mut tiles = Tiles::default();
        for (start, end) in [(20, 30), (0, 10), (40, 50), (10, 20)] {
            tiles.add("a", start, end).unwrap();
        }
        assert_eq!(tiles.stretches, 2);
        assert_eq!(tiles.bytes()["a"], 40);
        assert_eq!(tiles.end("a"), Some(50));
    }

    proptest! {
        /// Against a set of bytes.
        #[test]
        fn a_byte_is_taken_once(rows in prop::collection::vec((0_u64..60, 1_u64..8), 1..40)) {
            let (mut tiles, mut taken) = (Tiles::default(), std::collections::BTreeSet::new());
            for (start, bytes) in rows {
                let is_free = (start..start + bytes).all(|byte| !taken.contains(&byte));
                match tiles.add("a", start, start + bytes) {
                    Ok(()) => {
                        prop_assert!(is_free);
                        taken.extend(start..start + bytes);
                    }
                    Err(Refused::Taken(byte)) => prop_assert!(taken.contains(&byte)),
                    Err(Refused::Scattered) => prop_assert!(false),
                }
                prop_assert_eq!(tiles.bytes()["a"], taken.len() as u64);
                prop_assert_eq!(tiles.end("a"), taken.last().map(|last| last + 1));
            }
        }
    }
}

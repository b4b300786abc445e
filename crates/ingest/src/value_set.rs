//! Values that a column may be asked for: whole numbers and texts, closed under and, or and not.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A set of values of one column; NULL is in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSet {
    /// Of a column of whole numbers or of times, these as microseconds since the epoch.
    Numbers(NumberSet),
    /// Of a column of text.
    Texts(TextSet),
}

impl ValueSet {
    /// The numbers of a range, both ends included.
    #[must_use]
    pub fn numbers(range: RangeInclusive<i64>) -> Self {
        let (first, last) = range.into_inner();
        Self::Numbers(NumberSet::of(vec![(first, last)]))
    }

    /// One text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Texts(TextSet {
            listed: BTreeSet::from([text.as_bytes().into()]),
            is_listed: true,
        })
    }

    /// All other values.
    #[must_use]
    pub fn complement(self) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers.complement()),
            Self::Texts(texts) => Self::Texts(texts.complement()),
        }
    }

    /// The values of both; `None` if one has numbers and the other one texts.
    #[must_use]
    pub fn union(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Numbers(ours), Self::Numbers(theirs)) => Some(Self::Numbers(ours.union(theirs))),
            (Self::Texts(ours), Self::Texts(theirs)) => Some(Self::Texts(ours.union(theirs))),
            _ => None,
        }
    }

    /// The values that both have; `None` if one has numbers and the other one texts.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        let neither = self.complement().union(other.complement())?;
        Some(neither.complement())
    }
}

/// Whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberSet {
    /// First and last of each range; in order, and with a gap between any two.
    ranges: Vec<(i64, i64)>,
}

impl NumberSet {
    fn of(mut ranges: Vec<(i64, i64)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// Whether a number is among them.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < number);
        self.ranges
            .get(at)
            .is_some_and(|(first, _)| *first <= number)
    }

    /// Whether any number of a range is among them.
    #[must_use]
    pub fn meets(&self, range: &RangeInclusive<i64>) -> bool {
        let at = self
            .ranges
            .partition_point(|(_, last)| last < range.start());
        let next = self.ranges.get(at);
        next.is_some_and(|(first, _)| first <= range.end())
    }

    fn complement(self) -> Self {
        let mut gaps = Vec::with_capacity(self.ranges.len() + 1);
        let mut from = Some(i64::MIN);
        for (first, last) in self.ranges {
            if let (Some(from), Some(to)) = (from, first.checked_sub(1)) {
                gaps.push((from, to));
            }
            from = last.checked_add(1);
        }
        gaps.extend(from.map(|from| (from, i64::MAX)));
        Self::of(gaps)
    }

    fn union(mut self, other: Self) -> Self {
        self.ranges.extend(other.ranges);
        Self::of(self.ranges)
    }
}

/// Texts, as those listed or as all but those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSet {
    listed: BTreeSet<Box<[u8]>>,
    is_listed: bool,
}

impl TextSet {
    /// Whether the text with these bytes is among them.
    #[must_use]
    pub fn contains(&self, text: &[u8]) -> bool {
        self.listed.contains(text) == self.is_listed
    }

    fn complement(self) -> Self {
        Self {
            is_listed: !self.is_listed,
            ..self
        }
    }

    fn union(self, other: Self) -> Self {
        let (ours, theirs) = (self.listed, other.listed);
        let listed = match (self.is_listed, other.is_listed) {
            (true, true) => ours.union(&theirs).cloned().collect(),
            (true, false) => theirs.difference(&ours).cloned().collect(),
            (false, true) => ours.difference(&theirs).cloned().collect(),
            (false, false) => ours.intersection(&theirs).cloned().collect(),
        };
        Self {
            listed,
            is_listed: self.is_listed && other.is_listed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that sets are made of, ends of the type included.
    const NUMBERS: [i64; 8] = [i64::MIN, i64::MIN + 1, -1, 0, 1, 2, i64::MAX - 1, i64::MAX];
    const TEXTS: [&str; 3] = ["", "GET", "POST"];

    fn has(set: &ValueSet, at: usize) -> bool {
        match set {
            ValueSet::Numbers(numbers) => numbers.contains(NUMBERS[at]),
            ValueSet::Texts(texts) => texts.contains(TEXTS[at % TEXTS.len()].as_bytes()),
        }
    }

    /// A condition, and of each value whether it meets that.
    type Case = (ValueSet, [bool; NUMBERS.len()]);

    fn case(simple: impl Strategy<Value = ValueSet> + 'static) -> impl Strategy<Value = Case> {
        let simple = simple.prop_map(|set| {
            let met = std::array::from_fn(|at| has(&set, at));
            (set, met)
        });
        simple.prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|(set, met)| (set.complement(), met.map(|met| !met))),
                (inner.clone(), inner.clone()).prop_map(|((a, in_a), (b, in_b))| {
                    let either = std::array::from_fn(|at| in_a[at] || in_b[at]);
                    (a.union(b).unwrap(), either)
                }),
                (inner.clone(), inner).prop_map(|((a, in_a), (b, in_b))| {
                    let both = std::array::from_fn(|at| in_a[at] && in_b[at]);
                    (a.intersection(b).unwrap(), both)
                }),
            ]
        })
    }

    fn numbers() -> impl Strategy<Value = ValueSet> {
        let ends = (0..NUMBERS.len(), 0..NUMBERS.len());
        ends.prop_map(|(first, last)| ValueSet::numbers(NUMBERS[first]..=NUMBERS[last]))
    }

    fn texts() -> impl Strategy<Value = ValueSet> {
        (0..TEXTS.len()).prop_map(|at| ValueSet::text(TEXTS[at]))
    }

    proptest! {
        #[test]
        fn sets_do_as_and_or_and_not_do((set, met) in prop_oneof![case(numbers()), case(texts())]) {
            prop_assert_eq!(std::array::from_fn(|at| has(&set, at)), met, "{:?}", set);
        }

        #[test]
        fn a_range_is_met_by_any_of_its_numbers((set, _) in case(numbers()), ends in prop::array::uniform2(0..NUMBERS.len())) {
            let ValueSet::Numbers(set) = set else { unreachable!() };
            let range = NUMBERS[ends[0].min(ends[1])]..=NUMBERS[ends[0].max(ends[1])];
            // What a set and a range have in common begins at one of the numbers or right beside it.
            let beside = NUMBERS.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]);
            let common = beside.filter(|number| range.contains(number) && set.contains(*number));
            prop_assert_eq!(set.meets(&range), common.count() > 0, "{:?} {:?}", set, range);
        }
    }

    #[test]
    fn numbers_and_texts_have_nothing_in_common() {
        let number = || ValueSet::numbers(1..=1);
        assert_eq!(number().union(ValueSet::text("1")), None);
        assert_eq!(ValueSet::text("1").intersection(number()), None);
    }
}

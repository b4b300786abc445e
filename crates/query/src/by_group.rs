//! What was met in each of many groups: the state of aggregates that remember keys by group.

use datafusion::logical_expr::EmitTo;

/// What is remembered of a key, besides that it was met.
pub(crate) trait Note: Copy {
    /// Takes in what is remembered of the same key of the same group.
    fn add(&mut self, other: Self);
}

/// That it was met.
impl Note for () {
    fn add(&mut self, (): Self) {}
}

/// How often it was met.
impl Note for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// A key that was met in a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met<N> {
    group: u32,
    pub(crate) key: u32,
    pub(crate) note: N,
}

/// The keys met in all groups: a list that is sorted now and then, so that memory is that of the keys and no more.
#[derive(Debug)]
pub(crate) struct ByGroup<N> {
    groups: usize,
    /// Sorted, each group's key once, up to here; behind it as they came.
    sorted: usize,
    met: Vec<Met<N>>,
}

/// Keys are put in order when so many have come, or as many as there were.
const UNSORTED_MAX: usize = 1 << 17;

impl<N: Note> ByGroup<N> {
    pub(crate) fn new() -> Self {
        Self {
            groups: 0,
            sorted: 0,
            met: Vec::new(),
        }
    }

    /// From now on there are so many groups.
    pub(crate) fn set_groups(&mut self, groups: usize) {
        self.groups = groups;
    }

    #[inline]
    pub(crate) fn add(&mut self, group: u32, key: u32, note: N) {
        self.met.push(Met { group, key, note });
        if self.met.len() - self.sorted >= UNSORTED_MAX.max(self.sorted) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        if self.sorted == self.met.len() {
            return;
        }
        self.met
            .sort_unstable_by_key(|met| u64::from(met.group) << 32 | u64::from(met.key));
        self.met.dedup_by(|next, kept| {
            let is_same = (next.group, next.key) == (kept.group, kept.key);
            if is_same {
                kept.note.add(next.note);
            }
            is_same
        });
        self.sorted = self.met.len();
    }

    /// What was met in the groups that are asked for; those behind them become the first.
    pub(crate) fn take(&mut self, emit_to: EmitTo) -> Groups<N> {
        self.sort();
        let taken = match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(count) => count,
        };
        let end = u32::try_from(taken).unwrap_or(u32::MAX);
        let rest = self.met.partition_point(|met| met.group < end);
        let mut rest = self.met.split_off(rest);
        for met in &mut rest {
            met.group -= end;
        }
        let met = std::mem::replace(&mut self.met, rest);
        self.sorted = self.met.len();
        self.groups -= taken;
        Groups { groups: end, met }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.met.capacity() * size_of::<Met<N>>()
    }
}

/// Groups that are complete.
pub(crate) struct Groups<N> {
    groups: u32,
    /// By group and key, each once.
    pub(crate) met: Vec<Met<N>>,
}

impl<N> Groups<N> {
    /// What each group has met, by key; nothing is met in a group of NULLs.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[Met<N>]> {
        let mut rest = self.met.as_slice();
        (0..self.groups).map(move |group| {
            let length = rest
                .iter()
                .position(|met| met.group != group)
                .unwrap_or(rest.len());
            let (of_group, behind) = rest.split_at(length);
            rest = behind;
            of_group
        })
    }
}

/// The number of a group as it is kept, in half the bytes. There are never so many that it does not fit: their keys alone would take
/// more memory than a process can have of it.
pub(crate) fn group_number(group: usize) -> u32 {
    u32::try_from(group).unwrap_or(u32::MAX)
}

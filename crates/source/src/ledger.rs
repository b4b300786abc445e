//! The sources, as far as they are known or will have been read once the plan so far is carried out.

use std::collections::HashMap;

use crate::{KnownSource, SourceId};

/// The sources, as far as they are known or will have been read.
pub(crate) struct Ledger {
    sources: Vec<(SourceId, Reach)>,
    of_first_line: HashMap<u64, Vec<usize>>,
}

/// How far a source reaches.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    At(Reached),
    /// As far as this file, which holds it from its beginning and which nobody has asked about yet.
    Unmeasured(usize),
}

/// A place in a source, at the end of a line.
#[derive(Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) offset: u64,
    pub(crate) anchor: u64,
    /// Offset and anchor with the unterminated line after it, if the last file of the run ends in one.
    pub(crate) unterminated: Option<(u64, u64)>,
    /// The last file of the run that it is read from.
    pub(crate) file: Option<usize>,
}

impl Ledger {
    pub(crate) fn new(known: &[KnownSource]) -> Self {
        let mut ledger = Self {
            sources: Vec::new(),
            of_first_line: HashMap::new(),
        };
        for source in known {
            let reached = Reached {
                offset: source.offset,
                anchor: source.anchor,
                unterminated: None,
                file: None,
            };
            ledger.push(source.id.clone(), Reach::At(reached));
        }
        ledger
    }

    fn push(&mut self, id: SourceId, reach: Reach) {
        self.of_first_line
            .entry(id.first_line())
            .or_default()
            .push(self.sources.len());
        self.sources.push((id, reach));
    }

    /// Adds a source that begins in this file, and gives its index.
    pub(crate) fn add(&mut self, log_set: &str, first_line: u64, file: usize) -> usize {
        let same = self
            .with_first_line(first_line)
            .iter()
            .map(|&index| &self.sources[index].0);
        let n = same
            .filter(|id| id.log_set() == log_set)
            .map(SourceId::n)
            .max()
            .unwrap_or(0)
            + 1;
        let id = SourceId::new(log_set, first_line, n);
        self.push(id, Reach::Unmeasured(file));
        self.sources.len() - 1
    }

    pub(crate) fn with_first_line(&self, hash: u64) -> &[usize] {
        self.of_first_line.get(&hash).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn id(&self, source: usize) -> &SourceId {
        &self.sources[source].0
    }

    pub(crate) fn reach(&self, source: usize) -> Reach {
        self.sources[source].1
    }

    pub(crate) fn advance(&mut self, source: usize, reached: Reached) {
        self.sources[source].1 = Reach::At(reached);
    }

    /// Whether a source of known reach begins with this line.
    pub(crate) fn knows(&self, hash: u64) -> bool {
        self.sources_known(hash).next().is_some()
    }

    pub(crate) fn offsets(&self, hash: u64) -> Vec<u64> {
        self.sources_known(hash)
            .map(|reached| reached.offset)
            .collect()
    }

    fn sources_known(&self, hash: u64) -> impl Iterator<Item = Reached> {
        self.with_first_line(hash)
            .iter()
            .filter_map(|&index| match self.sources[index].1 {
                Reach::At(reached) => Some(reached),
                Reach::Unmeasured(_) => None,
            })
    }
}

//! Which bytes of which file belong to which source, and which are new.
//!
//! A file continues a known source when it begins with the source's first line, is at least as long as was read of
//! it, and the bytes just before that offset hash to its anchor. Names decide nothing but what becomes of a file that
//! is too short.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::content::Line;
use crate::entry::Entry;
use crate::input::Input;
use crate::ledger::{Ledger, Reach, Reached};
use crate::{Error, KnownSource, LogFile, SourceId};

/// A file, and what of it is to be read.
pub struct Reading {
    /// The file.
    pub file: Arc<LogFile>,
    /// The new bytes, if there are any.
    pub segment: Option<Segment>,
    /// How the file relates to what is known: to be told to the user.
    pub outcome: Outcome,
    pub(crate) input: Input,
    /// Where the file ends in the one known source that it is all of.
    pub(crate) ends_at: Option<KnownSource>,
    pub(crate) matched: Option<SourceId>,
    /// The known sources that are in it to where they are read.
    pub(crate) held: Vec<SourceId>,
    /// The file's first line, where it was looked at.
    pub(crate) first_line: Option<Line>,
}

impl Reading {
    /// The log set of the known source that the file's bytes belong to, where it is not the file's own.
    pub fn adopted_by(&self) -> Option<&str> {
        let log_set = self.matched.as_ref()?.log_set();
        (log_set != self.file.log_set).then_some(log_set)
    }
}

impl Reading {
    /// Bytes of a file whose source is known.
    pub(crate) fn of_segment(
        file: &Arc<LogFile>,
        segment: Segment,
        outcome: Outcome,
        input: Input,
    ) -> Self {
        Self {
            file: Arc::clone(file),
            matched: Some(segment.source.clone()),
            segment: Some(segment),
            outcome,
            input,
            ends_at: None,
            held: Vec::new(),
            first_line: None,
        }
    }

    /// Whether the bytes of a segment that was planned before are where they were, though there may be more of them.
    pub(crate) fn still_has(&self, planned: &Segment) -> bool {
        match &self.segment {
            Some(segment) => {
                segment.source == planned.source
                    && segment.source_start + planned.file_start
                        == planned.source_start + segment.file_start
            }
            // Another file of the run holds as much by now.
            None => {
                let is_of_source = self.matched.as_ref() == Some(&planned.source);
                is_of_source && matches!(self.outcome, Outcome::DuplicateOf(_))
            }
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("file", &self.file)
            .field("segment", &self.segment)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Unread bytes of one file. Offsets count decompressed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The source that they belong to.
    pub source: SourceId,
    /// Where they begin in the file.
    pub file_start: u64,
    /// Where they begin in the source.
    pub source_start: u64,
    /// Where they end in the file; `None`: at its end, wherever that is.
    pub file_end: Option<u64>,
}

impl Segment {
    /// Where they end in the source, if that is known.
    pub(crate) fn source_end(&self) -> Option<u64> {
        Some(self.source_start + (self.file_end? - self.file_start))
    }
}

/// How a file relates to the known sources and to the other files of the run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// All of it is new.
    New,
    /// It has new bytes after known ones.
    Continues {
        /// Decompressed bytes of the file that are known.
        already: u64,
    },
    /// All of it is known.
    NothingNew {
        /// Decompressed bytes of the file that are known.
        already: u64,
    },
    /// A rotated or compressed file with the first line of a source of which more is known: a copy made earlier.
    OlderCopy {
        /// The source.
        of: SourceId,
        /// Decompressed bytes known of it.
        known: u64,
        /// Decompressed bytes of this file.
        found: u64,
    },
    /// A log with a live name that is shorter than what is known of the source with its first line. A new source
    /// starts at its present length.
    Shrunk {
        /// The source that it seemed to be.
        of: SourceId,
        /// Decompressed bytes known of it.
        known: u64,
        /// Bytes of this file.
        found: u64,
    },
    /// It holds the same bytes as another file of the run.
    DuplicateOf(PathBuf),
    /// It holds no byte.
    Empty,
    /// It cannot be read.
    Failed(Error),
}

/// Plans what to read, given what was read before.
///
/// The order is that of `files`, except that a file comes after the one whose source it continues. A pipe or standard
/// input whose first line is that of a source in question is read to its end, into a temporary file. A file that
/// cannot be read has the outcome [`Outcome::Failed`] and does not stop the others. One that is
/// [unchanged](LogFile::unchanged) is not opened.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("access.log");
/// # std::fs::write(&path, "one\ntwo\n")?;
/// use floodmark_source::{BlockOptions, DiscoverOptions, Feed, KnownSource, Outcome, discover, plan};
///
/// let logs = [path.display().to_string()];
/// let found = discover(&logs, &DiscoverOptions::default())?;
/// let feed = Feed::new(plan(found.files, &[]), BlockOptions::default());
/// while let Some(_piece) = feed.next() {}
///
/// let known: Vec<KnownSource> = feed.positions().into_iter().map(KnownSource::from).collect();
/// let found = discover(&logs, &DiscoverOptions::default())?;
/// let again = plan(found.files, &known);
/// assert!(matches!(again[0].outcome, Outcome::NothingNew { already: 8 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(files: Vec<LogFile>, known: &[KnownSource]) -> Vec<Reading> {
    let ledger = Ledger::new(known);
    let looked: Vec<Entry> = files.into_iter().map(Entry::look).collect();
    let counts = first_lines(&looked);
    let ready = looked.into_iter().map(|entry| {
        let is_in_question = entry
            .first_line
            .is_some_and(|line| counts[&line.hash] > 1 || ledger.knows(line.hash));
        entry.with_stream_ready(is_in_question)
    });
    let entries = ready.collect();
    let mut planner = Planner {
        entries,
        ledger,
        waiting: HashMap::new(),
    };
    planner.settle_the_clear();
    for hash in planner.measure_the_rest() {
        planner.settle_all(hash);
    }
    in_reading_order(planner.entries)
}

struct Planner {
    entries: Vec<Entry>,
    ledger: Ledger,
    /// Unsettled files by their first line; the one to settle next is last.
    waiting: HashMap<u64, Vec<usize>>,
}

/// A source that a stretch of a file turned out to be.
struct Match {
    source: usize,
    reached: Reached,
    bytes: u64,
}

/// What lies at some place of a file.
enum Found {
    /// All that is known of a source.
    Known(Match),
    /// The beginning of a source of which more is known than the file has left.
    Part(usize, Reached),
    New,
}

/// What a file consists of.
struct Walk {
    matches: Vec<Match>,
    /// Bytes of the matches.
    bytes: u64,
    rest: Found,
}

impl Planner {
    /// A file whose first line no other file and no known source has can only be a new source.
    fn settle_the_clear(&mut self) {
        let counts = first_lines(&self.entries);
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(line) = entry.first_line else {
                continue;
            };
            if counts[&line.hash] > 1 || self.ledger.knows(line.hash) {
                self.waiting.entry(line.hash).or_default().push(index);
            } else {
                let source = self.ledger.add(&entry.file.log_set, line.hash, index);
                entry.read_as_new(self.ledger.id(source).clone());
            }
        }
    }

    /// Puts the waiting files in order of length, so that a copy comes before what was appended to it; plain before
    /// compressed, which costs more to read. Gives their first lines, that of the shortest first.
    fn measure_the_rest(&mut self) -> Vec<u64> {
        let mut order = Vec::new();
        for (hash, waiting) in &mut self.waiting {
            for &index in waiting.iter() {
                self.entries[index].measure(&self.ledger);
            }
            let key = |&index: &usize| {
                let entry = &self.entries[index];
                (entry.bytes, entry.file.compression, index)
            };
            waiting.sort_by_key(key);
            order.extend(waiting.first().map(|first| (key(first), *hash)));
            waiting.reverse();
        }
        order.sort_unstable();
        order.into_iter().map(|(_, hash)| hash).collect()
    }

    /// Settles the files with this first line. Returns whether there were any.
    fn settle_all(&mut self, first_line: u64) -> bool {
        // Taken out at once: a file that comes back to this line while it is being settled must not settle the longer
        // ones before the shorter.
        let Some(mut waiting) = self.waiting.remove(&first_line) else {
            return false;
        };
        while let Some(index) = waiting.pop() {
            match self.walk(index) {
                Ok(walk) => self.settle(index, walk),
                Err(error) => self.entries[index].fail(error),
            }
        }
        true
    }

    /// Finds the sources that a file consists of.
    fn walk(&mut self, index: usize) -> Result<Walk, Error> {
        let mut walk = Walk {
            matches: Vec::new(),
            bytes: 0,
            rest: Found::New,
        };
        while walk.bytes < self.entries[index].bytes {
            let Some(line) = self.entries[index].line_at(walk.bytes)? else {
                break;
            };
            // The next part may be a file that waits. What was found so far may be another's by now.
            if self.settle_all(line.hash) {
                walk.matches.clear();
                walk.bytes = 0;
                continue;
            }
            match self.find(index, walk.bytes, line)? {
                Found::Known(found) => {
                    walk.bytes += found.bytes;
                    walk.matches.push(found);
                }
                // A blank line begins too many things to show that the rest is part of another source.
                Found::Part(..) if walk.bytes > 0 && line.is_blank => break,
                other => {
                    walk.rest = other;
                    break;
                }
            }
        }
        Ok(walk)
    }

    /// What lies at `position`: of several known sources the longest.
    fn find(&mut self, index: usize, position: u64, line: Line) -> Result<Found, Error> {
        let mut candidates: Vec<(usize, Reached)> = Vec::new();
        for source in self.ledger.with_first_line(line.hash).to_vec() {
            candidates.extend(self.reached(source).map(|reached| (source, reached)));
        }
        // Ascending, as a compressed file is read.
        candidates.sort_by_key(|(_, reached)| reached.offset);
        let bytes = self.entries[index].bytes;
        let mut content = self.entries[index].content()?;
        let mut found = Found::New;
        for (source, reached) in candidates {
            let mut is_at = |(offset, anchor): (u64, u64)| {
                content.anchor_at(position + offset, offset) == Some(anchor)
            };
            let unterminated = reached
                .unterminated
                .filter(|(offset, _)| position + offset == bytes);
            if let Some((offset, _)) = unterminated.filter(|whole| is_at(*whole)) {
                found = Found::Known(Match {
                    source,
                    reached,
                    bytes: offset,
                });
            } else if reached.offset > bytes - position {
                if !matches!(found, Found::Known(_)) {
                    found = Found::Part(source, reached);
                }
            } else if reached.offset > 0 && is_at((reached.offset, reached.anchor)) {
                found = Found::Known(Match {
                    source,
                    reached,
                    bytes: reached.offset,
                });
            }
        }
        self.entries[index].notes = content.into_notes();
        Ok(found)
    }

    /// How far a source reaches; measures the file that it is read from when first asked.
    fn reached(&mut self, source: usize) -> Option<Reached> {
        let index = match self.ledger.reach(source) {
            Reach::At(reached) => return Some(reached),
            Reach::Unmeasured(index) => index,
        };
        let entry = &mut self.entries[index];
        // A stream that is read once cannot be measured; its first line is nobody else's, so that only the middle of
        // a concatenation could ask.
        if matches!(entry.input, Input::Stream(_)) {
            return None;
        }
        entry.measure(&self.ledger);
        let reached = entry.reached(index, None)?;
        self.ledger.advance(source, reached);
        Some(reached)
    }

    fn settle(&mut self, index: usize, walk: Walk) {
        let Walk {
            mut matches,
            bytes: already,
            rest,
        } = walk;
        let held = matches
            .iter()
            .map(|found| self.ledger.id(found.source).clone());
        self.entries[index].held = held.collect();
        match (matches.pop(), rest) {
            (None, Found::Part(source, reached)) => self.settle_short(index, source, reached),
            (None, _) => self.settle_new(index),
            // The rest is an earlier copy of the beginning of a source.
            (Some(last), Found::Part(_, reached))
                if self.is_beginning_of_another(index, already, reached) != Some(false) =>
            {
                let already = self.entries[index].bytes;
                self.entries[index].outcome = Outcome::NothingNew { already };
                self.entries[index].matched = Some(self.ledger.id(last.source).clone());
            }
            (Some(last), _) => {
                self.entries[index].matched = Some(self.ledger.id(last.source).clone());
                if already < self.entries[index].bytes {
                    self.settle_continuing(index, &last, already);
                } else {
                    if matches.is_empty() && last.reached.file.is_none() {
                        self.entries[index].ends_at = Some(KnownSource {
                            id: self.ledger.id(last.source).clone(),
                            offset: last.reached.offset,
                            anchor: last.reached.anchor,
                        });
                    }
                    let other = last.reached.file.filter(|_| matches.is_empty());
                    let path = other.map(|other| self.entries[other].file.path.clone());
                    self.entries[index].outcome =
                        path.map_or(Outcome::NothingNew { already }, Outcome::DuplicateOf);
                }
            }
        }
        self.entries[index].settle_damage();
    }

    fn settle_new(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        // What could not be read cannot be told from what is known.
        let Some(line) = entry.first_line.filter(|_| !entry.notes.has_read_error()) else {
            return;
        };
        let source = self.ledger.add(&entry.file.log_set, line.hash, index);
        entry.read_as_new(self.ledger.id(source).clone());
        self.advance(source, index, None);
    }

    fn settle_continuing(&mut self, index: usize, last: &Match, already: u64) {
        let Match {
            source, reached, ..
        } = *last;
        if let Some(other) = reached.file.filter(|_| reached.unterminated.is_some()) {
            self.entries[other].leave_unterminated();
        }
        let entry = &mut self.entries[index];
        entry.read_from(self.ledger.id(source).clone(), already, reached.offset);
        entry.after = reached.file;
        entry.outcome = Outcome::Continues { already };
        self.advance(source, index, Some(reached));
    }

    /// A file with the first line of a source of which more is known.
    fn settle_short(&mut self, index: usize, source: usize, reached: Reached) {
        let is_beginning = self.is_beginning_of_another(index, 0, reached);
        // Another file holds the source: this one only begins with the same line.
        if is_beginning == Some(false) {
            self.settle_new(index);
            return;
        }
        let of = self.ledger.id(source).clone();
        let entry = &mut self.entries[index];
        let (known, found) = (reached.offset, entry.bytes);
        entry.matched = Some(of.clone());
        if !entry.file.is_live() || is_beginning == Some(true) {
            entry.outcome = Outcome::OlderCopy { of, known, found };
            return;
        }
        let source = self.ledger.add(of.log_set(), of.first_line(), index);
        let start = entry.whole_lines;
        entry.read_from(self.ledger.id(source).clone(), start, start);
        entry.outcome = Outcome::Shrunk { of, known, found };
        self.advance(source, index, None);
    }

    /// Whether a file has at `position` the bytes that another one begins with which holds all that is known of a source; `None` if none does.
    fn is_beginning_of_another(
        &mut self,
        index: usize,
        position: u64,
        reached: Reached,
    ) -> Option<bool> {
        let first_line = self.entries[index].line_at(position).ok()??.hash;
        let end = self.entries[index].whole_lines;
        let (offset, anchor) = (reached.offset, Some(reached.anchor));
        let mut is_beginning = None;
        for other in 0..self.entries.len() {
            if other == index || !self.entries[other].may_begin_with(first_line) {
                continue;
            }
            let begins = self.entries[other].anchor_of(0, end - position);
            if self.entries[other].anchor_of(0, offset) == anchor {
                let is_same = begins == self.entries[index].anchor_of(position, end);
                is_beginning = Some(is_beginning.unwrap_or(false) || is_same);
            }
        }
        is_beginning
    }

    fn advance(&mut self, source: usize, index: usize, before: Option<Reached>) {
        if let Some(reached) = self.entries[index].reached(index, before) {
            self.ledger.advance(source, reached);
        }
    }
}

/// How many files begin with each line.
fn first_lines(entries: &[Entry]) -> HashMap<u64, usize> {
    let mut counts = HashMap::new();
    for line in entries.iter().filter_map(|entry| entry.first_line) {
        *counts.entry(line.hash).or_default() += 1;
    }
    counts
}

fn in_reading_order(entries: Vec<Entry>) -> Vec<Reading> {
    // A file is always longer than what it continues, so there is no circle.
    let mut order: Vec<usize> = Vec::with_capacity(entries.len());
    let mut is_placed = vec![false; entries.len()];
    for index in 0..entries.len() {
        let mut chain = Vec::new();
        let mut next = Some(index);
        while let Some(file) = next.filter(|file| !is_placed[*file]) {
            is_placed[file] = true;
            chain.push(file);
            next = entries[file].after;
        }
        order.extend(chain.into_iter().rev());
    }
    let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|index| entries[index].take())
        .map(|entry| Reading {
            first_line: entry.first_line,
            file: entry.file,
            segment: entry.segment,
            outcome: entry.outcome,
            input: entry.input,
            ends_at: entry.ends_at,
            matched: entry.matched,
            held: entry.held,
        })
        .collect()
}

//! The pieces of many files, for many threads.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::{
    BlockOptions, BlockReader, Compression, Error, KnownSource, LogFile, Outcome, Piece, Reading,
    SourceId, SourcePosition,
};

/// Gives out the pieces of a run's files. Any thread may ask for the next.
///
/// A file is read by one thread at a time, and while one decompresses a file or waits for a pipe, another one reads the
/// next file; the pieces of a source come in order. What [`Feed::positions`] says is consistent with the pieces given
/// until then: to commit in mid-stream, stop asking, finish what was given, ask for the positions.
pub struct Feed {
    state: Mutex<State>,
    /// Rung when a reader is back.
    back: Condvar,
    options: BlockOptions,
    disk_bytes_total: Option<u64>,
}

struct State {
    readings: VecDeque<Reading>,
    /// Files begun and not at their end, in the order of their beginning.
    open: Vec<Lane>,
    /// Of the files at their end.
    positions: BTreeMap<SourceId, SourcePosition>,
    /// Sources of which this run was to read something in an earlier file.
    begun: HashSet<SourceId>,
    failures: Vec<(PathBuf, Error)>,
    pending: Vec<(PathBuf, u64)>,
    ended: Vec<(Arc<LogFile>, KnownSource)>,
    disk_bytes_done: u64,
}

/// A file that is being read.
struct Lane {
    path: PathBuf,
    source: SourceId,
    /// Whether a thread may be busy with it for longer than with what it gives: then others need not wait for it.
    is_slow: bool,
    disk_bytes_read: u64,
    /// Whether the file could not be read to its end.
    is_cut: bool,
    /// Away while a thread reads with it.
    reader: Option<BlockReader>,
}

/// How much of a run has been read, in bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes to read in all; `None` if a pipe or standard input is among the files.
    pub total: Option<u64>,
}

impl Feed {
    /// Reads the new bytes of files in the order that [`plan`](crate::plan) gave them.
    pub fn new(readings: Vec<Reading>, options: BlockOptions) -> Self {
        let disk_bytes_total = readings.iter().map(unread_disk_bytes).sum();
        let state = State {
            readings: readings.into(),
            open: Vec::new(),
            positions: BTreeMap::new(),
            begun: HashSet::new(),
            failures: Vec::new(),
            pending: Vec::new(),
            ended: Vec::new(),
            disk_bytes_done: 0,
        };
        Self {
            state: Mutex::new(state),
            back: Condvar::new(),
            options,
            disk_bytes_total,
        }
    }

    /// The next piece; `None` when all files have been read. A file that cannot be read further is noted among the
    /// [failures](Feed::take_failures), and the next one follows.
    pub fn next(&self) -> Option<Piece> {
        self.next_in_order(|_| ()).map(|(piece, ())| piece)
    }

    /// As [`Feed::next`]; `in_order` is called for the pieces of each source in their order, whichever threads take them.
    pub fn next_in_order<T>(&self, in_order: impl FnOnce(&Piece) -> T) -> Option<(Piece, T)> {
        let mut state = self.state();
        loop {
            let Some(mut lent) = state.lend(self) else {
                if state.open.is_empty() {
                    return None;
                }
                state = self.back.wait(state).expect(PANICKED);
                continue;
            };
            drop(state);
            let read = lent.reader.as_mut().and_then(BlockReader::next);
            state = self.state();
            match read {
                Some(Ok(piece)) => {
                    state.take_back(&mut lent);
                    let told = in_order(&piece);
                    return Some((piece, told));
                }
                Some(Err(error)) => {
                    state.failures.push((lent.path.clone(), error));
                    lent.is_cut = true;
                    state.take_back(&mut lent);
                }
                None => state.finish(&mut lent),
            }
        }
    }

    /// How far each source has been given out that this run read something of, by the pieces given until now.
    pub fn positions(&self) -> Vec<SourcePosition> {
        let state = self.state();
        let mut positions = state.positions.clone();
        let readers = state.open.iter().filter_map(|lane| lane.reader.as_ref());
        let open = readers.filter_map(BlockReader::position);
        positions.extend(open.map(|position| (position.source.clone(), position)));
        positions.into_values().collect()
    }

    /// How much has been read.
    pub fn progress(&self) -> Progress {
        let state = self.state();
        let open = state.open.iter().map(|lane| lane.disk_bytes_read);
        Progress {
            done: state.disk_bytes_done + open.sum::<u64>(),
            total: self.disk_bytes_total,
        }
    }

    /// The files that could not be read, or not to their end, until now; each is given once.
    pub fn take_failures(&self) -> Vec<(PathBuf, Error)> {
        std::mem::take(&mut self.state().failures)
    }

    /// The files read until now that end in an unterminated line which was left unread, with its bytes.
    pub fn pending(&self) -> Vec<(PathBuf, u64)> {
        self.state().pending.clone()
    }

    /// The files that are known to their last byte, each with where that is in its source: those read until now, and
    /// those of which all was known. It is what [`Seen`](crate::Seen) remembers, once the positions are committed.
    pub fn ended(&self) -> Vec<(Arc<LogFile>, KnownSource)> {
        self.state().ended.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(PANICKED)
    }
}

const PANICKED: &str = "a thread panicked while it read a log";

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A reader in the hands of a thread.
struct Lent<'feed> {
    feed: &'feed Feed,
    path: PathBuf,
    reader: Option<BlockReader>,
    /// Whether the file could not be read to its end.
    is_cut: bool,
}

impl Drop for Lent<'_> {
    /// Others may wait for the reader. Where its thread panicked, they must not.
    fn drop(&mut self) {
        if self.reader.is_some()
            && let Ok(mut state) = self.feed.state.lock()
        {
            state.open.retain(|lane| lane.path != self.path);
        }
        self.feed.back.notify_all();
    }
}

impl State {
    /// The reader of the file begun first that no thread reads; else that of the next file, unless one of those begun is
    /// back in a moment.
    fn lend<'feed>(&mut self, feed: &'feed Feed) -> Option<Lent<'feed>> {
        let is_idle = |lane: &&mut Lane| lane.reader.is_some();
        if self.open.iter_mut().find(is_idle).is_none() {
            if self.open.iter().any(|lane| !lane.is_slow) {
                return None;
            }
            while let Some(reading) = self.next_reading() {
                if self.start(reading, feed.options) {
                    break;
                }
            }
        }
        let lane = self.open.iter_mut().find(is_idle)?;
        Some(Lent {
            feed,
            path: lane.path.clone(),
            reader: lane.reader.take(),
            is_cut: lane.is_cut,
        })
    }

    /// The next file that does not continue one that is being read.
    fn next_reading(&mut self) -> Option<Reading> {
        let is_open = |source: &SourceId| self.open.iter().any(|lane| lane.source == *source);
        let next = self.readings.iter().position(|reading| {
            let segment = reading.segment.as_ref();
            !segment.is_some_and(|segment| is_open(&segment.source))
        });
        self.readings.remove(next?)
    }

    /// Opens a lane for a file; not if there is nothing to read of it, or nothing that can be read.
    fn start(&mut self, reading: Reading, options: BlockOptions) -> bool {
        let path = reading.file.path.clone();
        if let Outcome::Failed(error) = reading.outcome {
            self.failures.push((path, error));
            return false;
        }
        let Some(segment) = &reading.segment else {
            let ends_at = reading.ends_at;
            self.ended
                .extend(ends_at.map(|ends_at| (reading.file, ends_at)));
            return false;
        };
        // Offsets must not pass over bytes of an earlier file that could not be read.
        if !self.begun.insert(segment.source.clone()) {
            let found = self
                .positions
                .get(&segment.source)
                .map_or(0, |position| position.offset);
            if found != segment.source_start {
                let (source_id, expected) = (segment.source.to_string(), segment.source_start);
                self.failures.push((
                    path,
                    Error::Unconnected {
                        path: reading.file.path.clone(),
                        source_id,
                        expected,
                        found,
                    },
                ));
                return false;
            }
        }
        self.open.push(Lane {
            path,
            source: segment.source.clone(),
            is_slow: reading.file.compression != Compression::Plain
                || unread_disk_bytes(&reading).is_none(),
            disk_bytes_read: 0,
            is_cut: false,
            reader: Some(BlockReader::new(reading, options)),
        });
        true
    }

    fn take_back(&mut self, lent: &mut Lent<'_>) {
        let lane = self.open.iter_mut().find(|lane| lane.path == lent.path);
        if let (Some(lane), Some(reader)) = (lane, lent.reader.take()) {
            lane.disk_bytes_read = reader.disk_bytes_read();
            lane.is_cut = lent.is_cut;
            lane.reader = Some(reader);
        }
    }

    fn finish(&mut self, lent: &mut Lent<'_>) {
        self.open.retain(|lane| lane.path != lent.path);
        let Some(reader) = lent.reader.take() else {
            return;
        };
        self.disk_bytes_done += reader.disk_bytes_read();
        if reader.pending_bytes() > 0 {
            self.pending
                .push((reader.file().path.clone(), reader.pending_bytes()));
        }
        let position = reader.position();
        if !lent.is_cut && reader.pending_bytes() == 0 {
            let ends_at = position.clone().map(KnownSource::from);
            self.ended
                .extend(ends_at.map(|ends_at| (Arc::clone(reader.file()), ends_at)));
        }
        self.positions
            .extend(position.map(|position| (position.source.clone(), position)));
    }
}

/// `None` if that cannot be known.
fn unread_disk_bytes(reading: &Reading) -> Option<u64> {
    match &reading.segment {
        None => Some(0),
        Some(segment) => match segment.file_end {
            Some(end) if reading.file.compression == Compression::Plain => {
                Some(end - segment.file_start)
            }
            _ => reading.file.disk_bytes,
        },
    }
}

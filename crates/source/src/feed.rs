//! The pieces of many files, for many threads.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use crate::{BlockOptions, BlockReader, Error, Outcome, Piece, Reading, SourceId, SourcePosition};

/// Gives out the pieces of a run's files, one file after the other. Any thread may ask for the next.
///
/// What [`Feed::positions`] says is consistent with the pieces given until then: to commit in mid-stream, stop asking,
/// finish what was given, ask for the positions.
pub struct Feed {
    state: Mutex<State>,
    options: BlockOptions,
    disk_bytes_total: Option<u64>,
}

struct State {
    readings: VecDeque<Reading>,
    current: Option<BlockReader>,
    /// Of the files before the current one.
    positions: BTreeMap<SourceId, SourcePosition>,
    /// Sources of which this run was to read something in an earlier file.
    begun: HashSet<SourceId>,
    failures: Vec<(PathBuf, Error)>,
    pending: Vec<(PathBuf, u64)>,
    disk_bytes_done: u64,
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
            current: None,
            positions: BTreeMap::new(),
            begun: HashSet::new(),
            failures: Vec::new(),
            pending: Vec::new(),
            disk_bytes_done: 0,
        };
        Self {
            state: Mutex::new(state),
            options,
            disk_bytes_total,
        }
    }

    /// The next piece; `None` when all files have been read. A file that cannot be read further is noted among the
    /// [failures](Feed::take_failures), and the next one follows.
    pub fn next(&self) -> Option<Piece> {
        let mut state = self.state();
        loop {
            if let Some(reader) = &mut state.current {
                match reader.next() {
                    Some(Ok(piece)) => return Some(piece),
                    Some(Err(error)) => {
                        let path = reader.file().path.clone();
                        state.failures.push((path, error));
                    }
                    None => state.finish(),
                }
            } else {
                let reading = state.readings.pop_front()?;
                state.start(reading, self.options);
            }
        }
    }

    /// How far each source has been given out that this run read something of, by the pieces given until now.
    pub fn positions(&self) -> Vec<SourcePosition> {
        let state = self.state();
        let mut positions = state.positions.clone();
        let current = state.current.as_ref().and_then(BlockReader::position);
        positions.extend(current.map(|position| (position.source.clone(), position)));
        positions.into_values().collect()
    }

    /// How much has been read.
    pub fn progress(&self) -> Progress {
        let state = self.state();
        let current = state
            .current
            .as_ref()
            .map_or(0, BlockReader::disk_bytes_read);
        Progress {
            done: state.disk_bytes_done + current,
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("a thread panicked while it read a log")
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl State {
    fn start(&mut self, reading: Reading, options: BlockOptions) {
        let path = reading.file.path.clone();
        if let Outcome::Failed(error) = reading.outcome {
            self.failures.push((path, error));
            return;
        }
        let Some(segment) = &reading.segment else {
            return;
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
                return;
            }
        }
        self.current = Some(BlockReader::new(reading, options));
    }

    fn finish(&mut self) {
        let Some(reader) = self.current.take() else {
            return;
        };
        self.disk_bytes_done += reader.disk_bytes_read();
        if reader.pending_bytes() > 0 {
            self.pending
                .push((reader.file().path.clone(), reader.pending_bytes()));
        }
        self.positions.extend(
            reader
                .position()
                .map(|position| (position.source.clone(), position)),
        );
    }
}

/// `None` if that cannot be known.
fn unread_disk_bytes(reading: &Reading) -> Option<u64> {
    match &reading.segment {
        None => Some(0),
        Some(segment) => match segment.file_end {
            Some(end) if reading.file.compression == crate::Compression::Plain => {
                Some(end - segment.file_start)
            }
            _ => reading.file.disk_bytes,
        },
    }
}

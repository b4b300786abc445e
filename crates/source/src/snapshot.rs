//! What logs hold beyond what is known of them, as it was at one moment.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::{memchr_iter, memrchr};

use crate::identity::{ANCHOR_BYTES, Tail};
use crate::input::{Copied, Decoded, Input, read_error};
use crate::{Compression, Error, KnownSource, LogFile, Outcome, Reading, Segment, SourceId, plan};

/// Copied at a time.
const STEP_BYTES: usize = 256 << 10;

/// The whole lines of some logs beyond known sources, copied into an unlinked temporary file: they can be read any number of times
/// and are the same each time, whatever becomes of the logs.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("access.log");
/// # std::fs::write(&path, "one\ntwo\nthr")?;
/// use floodmark_source::{BlockOptions, DiscoverOptions, Feed, Piece, Snapshot, discover};
///
/// let found = discover(&[path.display().to_string()], &DiscoverOptions::default())?;
/// let snapshot = Snapshot::take(&found.files, &[])?;
/// std::fs::remove_file(&path)?;
/// assert_eq!(snapshot.lines(), 2);
/// for _ in 0..2 {
///     let feed = Feed::new(snapshot.readings(), BlockOptions::default());
///     let Some(Piece::Lines(block)) = feed.next() else {
///         panic!("two lines are one block");
///     };
///     assert_eq!(block.bytes, b"one\ntwo\n");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot {
    parts: Vec<Part>,
    lines: u64,
    failures: Vec<(PathBuf, Error)>,
    ended: Vec<(Arc<LogFile>, KnownSource)>,
}

/// The new lines of one file.
struct Part {
    file: Arc<LogFile>,
    segment: Segment,
    copied: Copied,
}

impl Snapshot {
    /// Copies what is new in `files`, given what is known. Pipes and standard input are left out: what is read of them is gone. Of a
    /// plain file a last line without newline is left out, too.
    ///
    /// Files are opened by their paths, and looked at again after they were copied: what is in the snapshot belongs where it says,
    /// whatever rotation did meanwhile. Whether there are more files by now is not looked at.
    ///
    /// # Errors
    ///
    /// A file was renamed, cut or replaced meanwhile: see [`Error::is_of_a_moment`]. Or the copy cannot be written. A file that cannot
    /// be read for another reason is among the [failures](Snapshot::failures).
    pub fn take(files: &[LogFile], known: &[KnownSource]) -> Result<Self, Error> {
        let files: Vec<LogFile> = files.iter().filter(|f| !f.is_stream()).cloned().collect();
        let readings = plan(files.clone(), known);
        let ends = ends_by_next(&readings);
        let mut copy = Copy::new()?;
        for (reading, end) in readings.into_iter().zip(ends) {
            copy.add(reading, end)?;
        }
        copy.snapshot.check(&plan(files, known))?;
        Ok(copy.snapshot)
    }

    /// The lines as they are to be read, in order, for a [`Feed`](crate::Feed).
    pub fn readings(&self) -> Vec<Reading> {
        let readings = self.parts.iter();
        readings
            .map(|part| {
                let outcome = match part.segment.file_start {
                    0 => Outcome::New,
                    already => Outcome::Continues { already },
                };
                let input = Input::Copied(part.copied.clone());
                Reading::of_segment(&part.file, part.segment.clone(), outcome, input)
            })
            .collect()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many lines there are, blank ones too.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Where each source that has lines here ends.
    pub fn ends(&self) -> HashMap<SourceId, u64> {
        let ends = self.parts.iter().map(|part| {
            let end = part.segment.source_end().unwrap_or_default();
            (part.segment.source.clone(), end)
        });
        ends.collect()
    }

    /// Files that could not be read, or not to their end. What another file holds of the same source after that is left out.
    pub fn failures(&self) -> &[(PathBuf, Error)] {
        &self.failures
    }

    /// Files of which all was known, each with where it ends in its source: what [`Seen`](crate::Seen) remembers.
    pub fn ended(&self) -> &[(Arc<LogFile>, KnownSource)] {
        &self.ended
    }

    /// Whether what was copied was what it was taken for until after that: a log that was truncated, and written anew, begins
    /// otherwise.
    fn check(&self, again: &[Reading]) -> Result<(), Error> {
        let again: HashMap<&Path, &Reading> = again
            .iter()
            .map(|reading| (reading.file.path.as_path(), reading))
            .collect();
        let is_there = |part: &&Part| {
            let reading = again.get(part.file.path.as_path());
            reading.is_some_and(|reading| reading.still_has(&part.segment))
        };
        match self.parts.iter().find(|part| !is_there(part)) {
            Some(part) => Err(Error::Replaced {
                path: part.file.path.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// Where each reading ends at the latest, in the source: where another one goes on with it. A file that grows meanwhile, as one that is
/// being compressed does, gives no line twice.
fn ends_by_next(readings: &[Reading]) -> Vec<Option<u64>> {
    let mut begins: HashMap<&SourceId, u64> = HashMap::new();
    let mut ends = Vec::with_capacity(readings.len());
    for reading in readings.iter().rev() {
        let segment = reading.segment.as_ref();
        ends.push(segment.and_then(|segment| begins.insert(&segment.source, segment.source_start)));
    }
    ends.reverse();
    ends
}

/// A snapshot in the making.
struct Copy {
    file: Arc<File>,
    bytes: u64,
    /// How far sources are copied.
    reached: HashMap<SourceId, u64>,
    snapshot: Snapshot,
}

impl Copy {
    fn new() -> Result<Self, Error> {
        let file = tempfile::tempfile().map_err(|source| Error::Copy { source })?;
        Ok(Self {
            file: Arc::new(file),
            bytes: 0,
            reached: HashMap::new(),
            snapshot: Snapshot {
                parts: Vec::new(),
                lines: 0,
                failures: Vec::new(),
                ended: Vec::new(),
            },
        })
    }

    /// Copies what is new of a file, up to an offset in its source at most.
    fn add(&mut self, reading: Reading, source_end: Option<u64>) -> Result<(), Error> {
        let Reading {
            file,
            segment,
            outcome,
            input,
            ends_at,
            ..
        } = reading;
        if let Outcome::Failed(error) = outcome {
            return self.failed(&file, error);
        }
        let ended = ends_at.map(|ends_at| (Arc::clone(&file), ends_at));
        self.snapshot.ended.extend(ended);
        let Some(mut segment) = segment else {
            return Ok(());
        };
        let (source, expected) = (&segment.source, segment.source_start);
        if let Some(&found) = self.reached.get(source).filter(|found| **found != expected) {
            let error = Error::Unconnected {
                path: file.path.clone(),
                source_id: source.to_string(),
                expected,
                found,
            };
            return self.failed(&file, error);
        }
        let own_end = segment.source_end().unwrap_or(u64::MAX);
        let bytes_max = own_end.min(source_end.unwrap_or(u64::MAX)) - expected;
        let mut tail = Tail::default();
        let opened = input.open_at(
            &file,
            segment.file_start,
            ANCHOR_BYTES as u64,
            &mut |bytes| tail.push(bytes),
        );
        let mut decoded = match opened {
            Ok(decoded) => decoded,
            Err(error) => {
                self.reached.insert(segment.source, expected);
                return self.failed(&file, error);
            }
        };
        let at = self.bytes;
        let cut = self.copy(&file, &segment, &mut decoded, bytes_max)?;
        let bytes = self.bytes - at;
        self.reached
            .insert(segment.source.clone(), expected + bytes);
        if bytes > 0 {
            segment.file_end = Some(segment.file_start + bytes);
            self.snapshot.parts.push(Part {
                file: Arc::clone(&file),
                segment,
                copied: Copied {
                    file: Arc::clone(&self.file),
                    at,
                    bytes,
                    before: tail.last(ANCHOR_BYTES).into(),
                },
            });
        }
        cut.map_or(Ok(()), |error| self.failed(&file, error))
    }

    /// Copies the whole lines of what is decoded; gives why there are no more of them, if that is not the end.
    fn copy(
        &mut self,
        file: &LogFile,
        segment: &Segment,
        decoded: &mut Decoded,
        bytes_max: u64,
    ) -> Result<Option<Error>, Error> {
        let is_plain = decoded.plain_bytes.is_some();
        let (mut bytes, mut whole_bytes, mut lines) = (0, 0, 0);
        let mut buffer = vec![0; STEP_BYTES];
        let mut cut = None;
        while bytes < bytes_max {
            let wanted =
                usize::try_from(bytes_max - bytes).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
            let read = match decoded.reader.read(&mut buffer[..wanted]) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let offset = segment.file_start + bytes;
                    cut = Some(read_error(file, decoded.compression, offset, error));
                    break;
                }
            };
            let written = self.file.write_all_at(read, self.bytes + bytes);
            written.map_err(|source| Error::Copy { source })?;
            lines += memchr_iter(b'\n', read).count() as u64;
            if let Some(newline) = memrchr(b'\n', read) {
                whole_bytes = bytes + newline as u64 + 1;
            }
            bytes += read.len() as u64;
        }
        if is_plain && cut.is_none() && bytes < bytes_max {
            return Err(Error::Shrank {
                path: file.path.clone(),
                expected: segment.file_start + bytes_max,
                found: segment.file_start + bytes,
            });
        }
        // What was compressed is final.
        let is_final = cut.is_none() && file.compression != Compression::Plain;
        if is_final && bytes > whole_bytes {
            (whole_bytes, lines) = (bytes, lines + 1);
        }
        self.bytes += whole_bytes;
        self.snapshot.lines += lines;
        Ok(cut)
    }

    fn failed(&mut self, file: &LogFile, error: Error) -> Result<(), Error> {
        if error.is_of_a_moment() {
            return Err(error);
        }
        self.snapshot.failures.push((file.path.clone(), error));
        Ok(())
    }
}

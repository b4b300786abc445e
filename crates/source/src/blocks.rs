//! Blocks of whole lines out of one file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memrchr};

use crate::content::{Line, LineHasher};
use crate::identity::{ANCHOR_BYTES, Tail, anchor};
use crate::input::{Decoded, Input, read_error};
use crate::{Compression, Error, LogFile, Outcome, Reading, Segment, SourceId, SourcePosition};

/// Kept of a line that is too long.
const LONG_LINE_HEAD_BYTES: usize = 1024;

/// Read at a time to find the end of a line that is too long.
const LONG_LINE_STEP_BYTES: usize = 256 << 10;

/// How files are cut into blocks.
#[derive(Debug, Clone, Copy)]
pub struct BlockOptions {
    /// Bytes of a block, about; never less than one line of `line_bytes_max` needs. Default 1 MiB.
    pub block_bytes: usize,
    /// Bytes of a line, without its newline, up to which it is given in a block. A longer one becomes a
    /// [`LongLine`]. Default 64 KiB.
    pub line_bytes_max: usize,
    /// What becomes of a last line without a newline.
    pub last_line: LastLine,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self {
            block_bytes: 1 << 20, // Half of a second-level cache: 4 MiB take a twelfth longer, 512 KiB as long.
            line_bytes_max: 64 << 10,
            last_line: LastLine::Take,
        }
    }
}

/// What becomes of a last line without a newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLine {
    /// It is a line.
    Take,
    /// In a plain file it is left for the next run: it may still be written. What was compressed or came through a
    /// pipe is final and given.
    Wait,
}

/// What a file consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Some whole lines.
    Lines(Block),
    /// One line that is too long.
    LongLine(LongLine),
}

/// Whole lines of one source. Each ends in a newline, except possibly the last one of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The source of all its lines.
    pub source: SourceId,
    /// The file that held them.
    pub file: Arc<LogFile>,
    /// Offset of `bytes` in the source.
    pub source_offset: u64,
    /// Offset of `bytes` in the file, decompressed.
    pub file_offset: u64,
    /// The lines.
    pub bytes: Vec<u8>,
}

/// A line longer than [`BlockOptions::line_bytes_max`]; or, where such a line begins with NULs, these alone: the hole
/// that truncation leaves under a server that writes on at its old offset may be gigabytes, and a line follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongLine {
    /// Its source.
    pub source: SourceId,
    /// The file that held it.
    pub file: Arc<LogFile>,
    /// Its offset in the source.
    pub source_offset: u64,
    /// Its offset in the file, decompressed.
    pub file_offset: u64,
    /// Its true length, with its newline if it has one and is not NULs.
    pub line_bytes: u64,
    /// Its first KiB, without a newline.
    pub head: Vec<u8>,
}

/// Cuts one file into pieces, in constant memory.
///
/// After an error there is nothing more; the whole lines before it have been given.
pub struct BlockReader {
    file: Arc<LogFile>,
    options: BlockOptions,
    state: State,
    position: Option<Position>,
    pending_bytes: u64,
    disk_bytes_read: u64,
    /// As the file was planned with.
    first_line: Option<Line>,
}

enum State {
    Unopened {
        input: Input,
        segment: Segment,
        starts_at_length: bool,
    },
    Open(Box<Open>),
    Done,
}

/// A segment that is being read.
struct Open {
    segment: Segment,
    reader: Box<dyn Read + Send>,
    /// Of a plain file: how it begins, as long as it is the one that was planned with.
    head: Option<Head>,
    compression: Compression,
    disk_bytes_read: Arc<AtomicU64>,
    /// Whether it has to reach `end`.
    is_plain: bool,
    /// Offset in the file at which reading ends.
    end: u64,
    /// Offset in the file of what is read next.
    read_offset: u64,
    /// Read and not given out; begins where a line does.
    carry: Vec<u8>,
    is_at_end: bool,
    /// Why it is at the end, to be told after the lines before it.
    error: Option<Error>,
}

/// The beginning of a plain file that another process may truncate and write anew, by a handle that a rename leaves alone.
///
/// What was read while the file still began so is of the source that it was planned as: truncation takes the beginning first.
struct Head {
    file: File,
    bytes: Vec<u8>,
}

/// How far the source of the segment has been given out.
struct Position {
    source: SourceId,
    offset: u64,
    tail: Tail,
    /// Whether there is something to commit.
    is_moved: bool,
}

impl BlockReader {
    /// Reads the new bytes of one file. The file is opened when the first piece is asked for.
    pub fn new(reading: Reading, options: BlockOptions) -> Self {
        let Reading {
            file,
            segment,
            outcome,
            input,
            first_line,
            ..
        } = reading;
        let line_bytes_max = options.line_bytes_max.max(1);
        let block_bytes = options.block_bytes.max(line_bytes_max + 1);
        let position = segment.as_ref().map(|segment| Position {
            source: segment.source.clone(),
            offset: segment.source_start,
            tail: Tail::default(),
            is_moved: false,
        });
        let state = segment.map_or(State::Done, |segment| State::Unopened {
            input,
            segment,
            starts_at_length: matches!(outcome, Outcome::Shrunk { .. }),
        });
        Self {
            file,
            options: BlockOptions {
                line_bytes_max,
                block_bytes,
                ..options
            },
            state,
            position,
            pending_bytes: 0,
            disk_bytes_read: 0,
            first_line,
        }
    }

    /// The file that is read.
    pub fn file(&self) -> &Arc<LogFile> {
        &self.file
    }

    /// How far the source has been given out; `None` while there is nothing to commit.
    pub fn position(&self) -> Option<SourcePosition> {
        let Position {
            source,
            offset,
            tail,
            is_moved,
        } = self.position.as_ref()?;
        let covered =
            usize::try_from(*offset).map_or(ANCHOR_BYTES, |offset| offset.min(ANCHOR_BYTES));
        is_moved.then(|| SourcePosition {
            source: source.clone(),
            offset: *offset,
            anchor: anchor(tail.last(covered)),
        })
    }

    /// Bytes of an unterminated last line that was left unread, once all pieces are given.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// Bytes read from disk, compressed as they are; 0 for a pipe or standard input.
    pub fn disk_bytes_read(&self) -> u64 {
        match &self.state {
            State::Open(open) => open.disk_bytes_read(),
            State::Unopened { .. } | State::Done => self.disk_bytes_read,
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        let (input, segment, starts_at_length) =
            match std::mem::replace(&mut self.state, State::Done) {
                State::Unopened {
                    input,
                    segment,
                    starts_at_length,
                } => (input, segment, starts_at_length),
                other => {
                    self.state = other;
                    return Ok(());
                }
            };
        let Some(position) = &mut self.position else {
            return Ok(());
        };
        let mut skipped = |bytes: &[u8]| position.tail.push(bytes);
        let Decoded {
            reader,
            compression,
            plain_bytes,
            disk_bytes_read,
            file,
        } = input.open_at(
            &self.file,
            segment.file_start,
            ANCHOR_BYTES as u64,
            &mut skipped,
        )?;
        // A source that starts at a length has to be known from then on, though nothing of it was read.
        position.is_moved = starts_at_length;
        let first_line = self.first_line.filter(|line| line.is_whole);
        let head = match file.zip(first_line) {
            Some((file, first_line)) => Some(Head::of(file, first_line, &self.file)?),
            None => None,
        };
        self.state = State::Open(Box::new(Open {
            head,
            reader,
            compression,
            disk_bytes_read,
            is_plain: plain_bytes.is_some(),
            end: segment.file_end.or(plain_bytes).unwrap_or(u64::MAX),
            read_offset: segment.file_start,
            segment,
            carry: Vec::new(),
            is_at_end: false,
            error: None,
        }));
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        self.open()?;
        let (State::Open(open), Some(position)) = (&mut self.state, &mut self.position) else {
            return Ok(None);
        };
        let mut buffer = std::mem::take(&mut open.carry);
        open.fill(&mut buffer, self.options.block_bytes, &self.file);
        open.check(&self.file)?;
        let (whole_bytes, is_long) = whole_lines(&buffer, self.options.line_bytes_max);
        if whole_bytes > 0 {
            open.carry = buffer[whole_bytes..].to_vec();
            buffer.truncate(whole_bytes);
        } else if is_long {
            return self.long_line(buffer);
        } else {
            // The end of the file, and perhaps a line without its newline.
            let is_taken = open.error.is_none() && !self.options.waits(&self.file);
            if !is_taken {
                self.pending_bytes = buffer.len() as u64;
            }
            if !is_taken || buffer.is_empty() {
                return open.error.take().map_or(Ok(None), Err);
            }
        }
        let (source_offset, file_offset) = open.offsets(position);
        position.advance(&buffer);
        Ok(Some(Piece::Lines(Block {
            source: position.source.clone(),
            file: Arc::clone(&self.file),
            source_offset,
            file_offset,
            bytes: buffer,
        })))
    }

    /// Reads over a line whose beginning, with no newline in it, is in `buffer`, or over the NULs that it begins with.
    fn long_line(&mut self, mut buffer: Vec<u8>) -> Result<Option<Piece>, Error> {
        let (State::Open(open), Some(position)) = (&mut self.state, &mut self.position) else {
            return Ok(None);
        };
        let step_bytes = self.options.block_bytes.min(LONG_LINE_STEP_BYTES);
        let mut head = Vec::new();
        let mut tail = position.tail.clone();
        let mut line_bytes = 0;
        let is_hole = buffer.first() == Some(&0);
        loop {
            // Where the line ends, or the hole before it.
            let (end, part) = if is_hole {
                let end = buffer.iter().position(|byte| *byte != 0);
                (end, end.unwrap_or(buffer.len()))
            } else {
                let newline = memchr(b'\n', &buffer);
                (newline, newline.map_or(buffer.len(), |newline| newline + 1))
            };
            line_bytes += part as u64;
            let of_head = end.unwrap_or(part).min(LONG_LINE_HEAD_BYTES - head.len());
            head.extend_from_slice(&buffer[..of_head]);
            tail.push(&buffer[..part]);
            if end.is_some() {
                open.carry = buffer[part..].to_vec();
                break;
            }
            buffer.clear();
            open.fill(&mut buffer, step_bytes, &self.file);
            open.check(&self.file)?;
            if buffer.is_empty() {
                if open.error.is_some() || self.options.waits(&self.file) {
                    self.pending_bytes = line_bytes;
                    return open.error.take().map_or(Ok(None), Err);
                }
                break;
            }
        }
        let (source_offset, file_offset) = open.offsets(position);
        position.offset += line_bytes;
        position.tail = tail;
        position.is_moved = true;
        Ok(Some(Piece::LongLine(LongLine {
            source: position.source.clone(),
            file: Arc::clone(&self.file),
            source_offset,
            file_offset,
            line_bytes,
            head,
        })))
    }
}

impl Iterator for BlockReader {
    type Item = Result<Piece, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_piece();
        if !matches!(next, Ok(Some(_))) {
            self.disk_bytes_read = self.disk_bytes_read();
            self.state = State::Done;
        }
        next.transpose()
    }
}

impl fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockReader")
            .field("file", &self.file)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl BlockOptions {
    fn waits(&self, file: &LogFile) -> bool {
        self.last_line == LastLine::Wait
            && file.compression == Compression::Plain
            && !file.is_stream()
    }
}

impl Head {
    /// Of a file that is to begin with this line.
    fn of(file: File, first_line: Line, log: &LogFile) -> Result<Self, Error> {
        let mut hasher = LineHasher::default();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4 * LONG_LINE_HEAD_BYTES];
        let mut position = 0;
        loop {
            let read = file.read_at(&mut buffer, position);
            let read =
                read.map_err(|source| read_error(log, Compression::Plain, position, source))?;
            let (taken, is_whole) = hasher.take(&buffer[..read]);
            if position == 0 {
                bytes = buffer[..taken].to_vec();
            }
            position += taken as u64;
            if is_whole || read == 0 {
                break;
            }
        }
        match hasher.finish() {
            Some(found) if found == first_line => Ok(Self { file, bytes }),
            _ => Err(replaced(log)),
        }
    }

    fn check(&self, log: &LogFile) -> Result<(), Error> {
        let mut found = vec![0; self.bytes.len()];
        let read = self.file.read_exact_at(&mut found, 0);
        match read.is_ok() && found == self.bytes {
            true => Ok(()),
            false => Err(replaced(log)),
        }
    }
}

fn replaced(log: &LogFile) -> Error {
    Error::Replaced {
        path: log.path.clone(),
    }
}

impl Open {
    /// Reads until `buffer` has `bytes`, or to the end. `read_to_end` into reserved memory does not zero it first.
    fn fill(&mut self, buffer: &mut Vec<u8>, bytes: usize, file: &LogFile) {
        let wanted = (bytes.saturating_sub(buffer.len()) as u64).min(self.end - self.read_offset);
        if self.is_at_end || wanted == 0 {
            self.is_at_end |= self.read_offset == self.end;
            return;
        }
        let before = buffer.len();
        buffer.reserve_exact(usize::try_from(wanted).expect("at most a block"));
        let result = (&mut self.reader).take(wanted).read_to_end(buffer);
        let read = (buffer.len() - before) as u64;
        self.read_offset += read;
        self.is_at_end = read < wanted || self.read_offset == self.end;
        self.error = match result {
            Err(error) => Some(read_error(file, self.compression, self.read_offset, error)),
            Ok(_) if self.is_plain && read < wanted => Some(Error::Shrank {
                path: file.path.clone(),
                expected: self.end,
                found: self.read_offset,
            }),
            Ok(_) => None,
        };
        self.is_at_end |= self.error.is_some();
    }

    /// Fails where what was read may be of another log by now.
    fn check(&self, file: &LogFile) -> Result<(), Error> {
        self.head.as_ref().map_or(Ok(()), |head| head.check(file))
    }

    fn offsets(&self, position: &Position) -> (u64, u64) {
        let in_segment = position.offset - self.segment.source_start;
        (position.offset, self.segment.file_start + in_segment)
    }

    fn disk_bytes_read(&self) -> u64 {
        if self.is_plain {
            self.read_offset - self.segment.file_start
        } else {
            self.disk_bytes_read.load(Ordering::Relaxed)
        }
    }
}

impl Position {
    fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.tail.push(bytes);
        self.is_moved = true;
    }
}

/// Bytes of the whole lines at the front of `buffer` of which none is too long, and whether the line after them is.
///
/// Looking back from the longest possible line's end touches one line in a window, not all of them.
fn whole_lines(buffer: &[u8], line_bytes_max: usize) -> (usize, bool) {
    let mut end = 0;
    loop {
        let rest = &buffer[end..];
        match memrchr(b'\n', &rest[..rest.len().min(line_bytes_max + 1)]) {
            Some(newline) => end += newline + 1,
            None => return (end, rest.len() > line_bytes_max),
        }
    }
}

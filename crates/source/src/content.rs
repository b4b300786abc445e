//! The decoded bytes of a file, looked at here and there to find out whose they are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use memchr::{memchr, memrchr};
use sha2::{Digest, Sha256};

use crate::identity::{ANCHOR_BYTES, Tail, anchor, hash_head};
use crate::input::{Input, Opened, read_error};
use crate::{Compression, Error, LogFile};

/// Read at a time from a plain file, and decoded at a time from another.
const CHUNK_BYTES: usize = 64 << 10;

/// One line of a file, known by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// First 64 bits of the SHA-256 of the line with its newline.
    pub(crate) hash: u64,
    /// Whether it holds anything but its newline.
    pub(crate) is_blank: bool,
    /// Whether it has a newline.
    pub(crate) is_whole: bool,
}

/// Random access to decoded bytes. A compressed file is decoded anew where it has to go back.
///
/// Bytes that cannot be read or decoded are taken for the end of the file: [`Notes::into_damage`] has the error.
pub(crate) struct Content<'file> {
    input: &'file Input,
    log: &'file LogFile,
    bytes: Bytes,
    notes: Notes,
}

/// What was found out about a file, kept between looks at it.
#[derive(Default)]
pub(crate) struct Notes {
    /// Anchors by their end and the bytes they cover.
    anchors: HashMap<(u64, u64), u64>,
    lines: HashMap<u64, Option<Line>>,
    damage: Option<Error>,
}

impl Notes {
    /// Whether the operating system failed to read some of it.
    pub(crate) fn has_read_error(&self) -> bool {
        matches!(self.damage, Some(Error::Read { .. }))
    }

    /// Why the bytes end where they seem to end, if that is not the end of the file.
    pub(crate) fn into_damage(self) -> Option<Error> {
        self.damage
    }
}

enum Bytes {
    Plain { file: File, length: u64 },
    Coded(Pass),
}

/// One pass over a compressed file.
struct Pass {
    reader: BufReader<Box<dyn Read + Send>>,
    compression: Compression,
    position: u64,
    tail: Tail,
    whole_lines: u64,
    end: Option<u64>,
}

impl<'file> Content<'file> {
    /// Of a plain file no more than `plain_bytes_max` is looked at: a live one grows between two looks.
    pub(crate) fn open(
        input: &'file Input,
        log: &'file LogFile,
        plain_bytes_max: u64,
        notes: Notes,
    ) -> Result<Self, Error> {
        let mut bytes = Bytes::open(input, log)?;
        if let Bytes::Plain { length, .. } = &mut bytes {
            *length = plain_bytes_max.min(*length);
        }
        Ok(Self {
            input,
            log,
            bytes,
            notes,
        })
    }

    pub(crate) fn into_notes(self) -> Notes {
        self.notes
    }

    /// The length of a plain file.
    pub(crate) fn plain_bytes(&self) -> Option<u64> {
        match self.bytes {
            Bytes::Plain { length, .. } => Some(length),
            Bytes::Coded(_) => None,
        }
    }

    /// All bytes, and those of whole lines. Anchors and lines at `marks` are noted on the way.
    pub(crate) fn measure(&mut self, mut marks: Vec<u64>) -> (u64, u64) {
        marks.sort_unstable();
        for mark in marks {
            if self.anchor_at(mark, mark).is_some() {
                self.line_at(mark);
            }
        }
        let result = match &mut self.bytes {
            Bytes::Plain { file, length } => {
                whole_lines_of_plain(file, *length).map(|whole| (*length, whole))
            }
            Bytes::Coded(pass) => {
                pass.advance(u64::MAX, self.log, &mut self.notes.damage);
                // A copy of another file is asked about just there.
                let covered = pass.position.min(ANCHOR_BYTES as u64);
                let end = anchor(pass.tail.last(ANCHOR_BYTES));
                self.notes.anchors.insert((pass.position, covered), end);
                Ok((pass.position, pass.whole_lines))
            }
        };
        result.unwrap_or_else(|error| {
            self.notes.damage = Some(read_error(self.log, Compression::Plain, 0, error));
            (0, 0)
        })
    }

    /// The anchor of a source of which `source_offset` bytes end at `end`; `None` if the file is shorter.
    pub(crate) fn anchor_at(&mut self, end: u64, source_offset: u64) -> Option<u64> {
        let covered = source_offset.min(end).min(ANCHOR_BYTES as u64);
        if let Some(known) = self.notes.anchors.get(&(end, covered)) {
            return Some(*known);
        }
        let covered_bytes = usize::try_from(covered).expect("a tail fits memory");
        let found = match &mut self.bytes {
            Bytes::Plain { length, .. } if *length < end => return None,
            Bytes::Plain { file, .. } => {
                let mut tail = vec![0; covered_bytes];
                match file.read_exact_at(&mut tail, end - covered) {
                    Ok(()) => anchor(&tail),
                    Err(error) => {
                        self.notes.damage = Some(read_error(
                            self.log,
                            Compression::Plain,
                            end - covered,
                            error,
                        ));
                        return None;
                    }
                }
            }
            Bytes::Coded(_) => {
                let pass = self.pass_to(end)?;
                anchor(pass.tail.last(covered_bytes))
            }
        };
        self.notes.anchors.insert((end, covered), found);
        Some(found)
    }

    /// The line that begins at `start`, with its newline if it has one; `None` at the end of the file.
    pub(crate) fn line_at(&mut self, start: u64) -> Option<Line> {
        if let Some(known) = self.notes.lines.get(&start) {
            return *known;
        }
        let line = self.hash_line_at(start);
        self.notes.lines.insert(start, line);
        line
    }

    fn hash_line_at(&mut self, start: u64) -> Option<Line> {
        let mut hasher = LineHasher::default();
        match &mut self.bytes {
            Bytes::Plain { file, length } => {
                let mut position = start;
                let mut buffer = vec![0; 4096];
                while position < *length {
                    let wanted = usize::try_from(*length - position)
                        .map_or(buffer.len(), |left| left.min(buffer.len()));
                    match file.read_at(&mut buffer[..wanted], position) {
                        Ok(0) => break,
                        Ok(bytes) => {
                            position += bytes as u64;
                            if hasher.take(&buffer[..bytes]).1 {
                                break;
                            }
                            buffer.resize(CHUNK_BYTES, 0);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => {
                            self.notes.damage =
                                Some(read_error(self.log, Compression::Plain, position, error));
                            break;
                        }
                    }
                }
            }
            Bytes::Coded(_) => {
                self.pass_to(start)?;
                let Bytes::Coded(pass) = &mut self.bytes else {
                    unreachable!("matched above")
                };
                pass.each_chunk(u64::MAX, self.log, &mut self.notes.damage, |chunk| {
                    hasher.take(chunk)
                });
            }
        }
        hasher.finish()
    }

    /// The pass, at exactly `position`; `None` if the file is shorter.
    fn pass_to(&mut self, position: u64) -> Option<&mut Pass> {
        let Bytes::Coded(pass) = &mut self.bytes else {
            unreachable!("called for compressed files")
        };
        if pass.end.is_some_and(|end| end < position) {
            return None;
        }
        if pass.position > position {
            match Bytes::open(self.input, self.log) {
                Ok(bytes) => self.bytes = bytes,
                Err(error) => {
                    self.notes.damage = Some(error);
                    return None;
                }
            }
        }
        let Bytes::Coded(pass) = &mut self.bytes else {
            return None;
        };
        pass.advance(position, self.log, &mut self.notes.damage)
            .then_some(pass)
    }
}

impl Bytes {
    fn open(input: &Input, log: &LogFile) -> Result<Self, Error> {
        Ok(match input.open(log)? {
            Opened::Plain(file, length) => Self::Plain { file, length },
            Opened::Stream(decoded) => Self::Coded(Pass {
                reader: BufReader::with_capacity(CHUNK_BYTES, decoded.reader),
                compression: decoded.compression,
                position: 0,
                tail: Tail::default(),
                whole_lines: 0,
                end: None,
            }),
        })
    }
}

impl Pass {
    /// Returns whether the file is that long.
    fn advance(&mut self, target: u64, log: &LogFile, damage: &mut Option<Error>) -> bool {
        self.each_chunk(target, log, damage, |chunk| (chunk.len(), false));
        self.position == target
    }

    /// Gives the bytes up to `target` to `take`, which says how many it took and whether that is enough.
    fn each_chunk(
        &mut self,
        target: u64,
        log: &LogFile,
        damage: &mut Option<Error>,
        mut take: impl FnMut(&[u8]) -> (usize, bool),
    ) {
        while self.position < target && self.end.is_none() {
            match self.reader.fill_buf() {
                Ok([]) => self.end = Some(self.position),
                Ok(buffer) => {
                    let wanted = usize::try_from(target - self.position)
                        .map_or(buffer.len(), |left| left.min(buffer.len()));
                    let (taken, enough) = take(&buffer[..wanted]);
                    let taken_bytes = &buffer[..taken];
                    if let Some(newline) = memrchr(b'\n', taken_bytes) {
                        self.whole_lines = self.position + newline as u64 + 1;
                    }
                    self.tail.push(taken_bytes);
                    self.position += taken as u64;
                    self.reader.consume(taken);
                    if enough {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end = Some(self.position);
                    *damage = Some(read_error(log, self.compression, self.position, error));
                }
            }
        }
    }
}

fn whole_lines_of_plain(file: &File, length: u64) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES as u64);
        let bytes = usize::try_from(end - start).expect("at most a chunk");
        file.read_exact_at(&mut buffer[..bytes], start)?;
        if let Some(newline) = memrchr(b'\n', &buffer[..bytes]) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Hashes one line, handed over in parts.
#[derive(Default)]
pub(crate) struct LineHasher {
    sha: Sha256,
    bytes: u64,
    is_filled: bool,
    is_whole: bool,
}

impl LineHasher {
    /// Takes the part of `chunk` that belongs to the line: how many bytes that is, and whether the line ends there.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> (usize, bool) {
        let newline = memchr(b'\n', chunk);
        let taken = newline.map_or(chunk.len(), |newline| newline + 1);
        self.sha.update(&chunk[..taken]);
        self.bytes += taken as u64;
        self.is_whole = newline.is_some();
        self.is_filled |= chunk[..taken]
            .iter()
            .any(|byte| !byte.is_ascii_whitespace());
        (taken, newline.is_some())
    }

    /// `None` if there was no byte.
    pub(crate) fn finish(self) -> Option<Line> {
        let hash = hash_head(&self.sha.finalize());
        (self.bytes > 0).then_some(Line {
            hash,
            is_blank: !self.is_filled,
            is_whole: self.is_whole,
        })
    }
}

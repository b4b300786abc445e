//! One file while it is planned.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::content::{Content, Line, LineHasher, Notes};
use crate::input::{Input, Peeked};
use crate::ledger::{Ledger, Reached};
use crate::{Error, KnownSource, LogFile, Outcome, Segment, SourceId, sniff};

/// A file, what was found out about it, and what becomes of it.
pub(crate) struct Entry {
    pub(crate) file: Arc<LogFile>,
    pub(crate) input: Input,
    /// `None` once the outcome is settled without it.
    pub(crate) first_line: Option<Line>,
    pub(crate) notes: Notes,
    /// Length of a plain file when it was first looked at.
    pub(crate) plain_bytes: Option<u64>,
    /// All bytes, and those of whole lines, once measured.
    pub(crate) bytes: u64,
    pub(crate) whole_lines: u64,
    pub(crate) segment: Option<Segment>,
    pub(crate) outcome: Outcome,
    pub(crate) matched: Option<SourceId>,
    /// The known sources that are in it to where they are read.
    pub(crate) held: Vec<SourceId>,
    /// Where it ends in the one known source that it is all of.
    pub(crate) ends_at: Option<KnownSource>,
    /// The file that holds the bytes before the segment.
    pub(crate) after: Option<usize>,
}

impl Entry {
    fn new(file: LogFile, input: Input, first_line: Option<Line>, outcome: Outcome) -> Self {
        Self {
            file: Arc::new(file),
            input,
            first_line,
            notes: Notes::default(),
            plain_bytes: None,
            bytes: 0,
            whole_lines: 0,
            segment: None,
            outcome,
            matched: None,
            held: Vec::new(),
            ends_at: None,
            after: None,
        }
    }

    fn failed(file: LogFile, error: Error) -> Self {
        Self::new(file, Input::Path, None, Outcome::Failed(error))
    }

    /// A file of which all is known, as its stamp tells.
    fn unchanged(file: LogFile, ends_at: KnownSource) -> Self {
        let already = ends_at.offset;
        Self {
            matched: Some(ends_at.id.clone()),
            ends_at: Some(ends_at),
            ..Self::new(file, Input::Path, None, Outcome::NothingNew { already })
        }
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.first_line = None;
        self.ends_at = None;
        self.segment = None;
        self.outcome = Outcome::Failed(error);
    }

    pub(crate) fn content(&mut self) -> Result<Content<'_>, Error> {
        let plain_bytes_max = self.plain_bytes.unwrap_or(u64::MAX);
        let notes = std::mem::take(&mut self.notes);
        Content::open(&self.input, &self.file, plain_bytes_max, notes)
    }

    /// Opens a file and reads its first line; of a pipe or standard input no more than is needed for that.
    pub(crate) fn look(mut file: LogFile) -> Self {
        if let Some(ends_at) = file.unchanged.clone() {
            return Self::unchanged(file, ends_at);
        }
        if !file.is_stream() {
            return Self::look_at(file, Input::Path);
        }
        match peek(&mut file) {
            Ok((peeked, first_line)) => {
                Self::new(file, Input::Peeked(peeked), first_line, Outcome::Empty)
            }
            Err(error) => Self::failed(file, error),
        }
    }

    fn look_at(file: LogFile, input: Input) -> Self {
        let mut entry = Self::new(file, input, None, Outcome::Empty);
        match entry.content() {
            Ok(mut content) => {
                let (first_line, plain_bytes) = (content.line_at(0), content.plain_bytes());
                entry.notes = content.into_notes();
                (entry.first_line, entry.plain_bytes) = (first_line, plain_bytes);
                if first_line.is_none()
                    && let Some(damage) = std::mem::take(&mut entry.notes).into_damage()
                {
                    entry.fail(damage);
                }
            }
            Err(error) => entry.fail(error),
        }
        entry
    }

    /// A stream that has to be looked at again is read to its end, into a temporary file.
    pub(crate) fn with_stream_ready(self, is_in_question: bool) -> Self {
        let Input::Peeked(peeked) = self.input else {
            return self;
        };
        if !is_in_question && !peeked.is_cut() {
            let input = peeked.into_stream();
            return Self { input, ..self };
        }
        let file = Arc::unwrap_or_clone(self.file);
        match peeked.into_spool(&file) {
            Ok(spool) => Self::look_at(file, spool),
            Err(error) => Self::failed(file, error),
        }
    }

    pub(crate) fn measure(&mut self, ledger: &Ledger) {
        let marks = self
            .first_line
            .map(|line| ledger.offsets(line.hash))
            .unwrap_or_default();
        match self.content() {
            Ok(mut content) => {
                let measure = content.measure(marks);
                self.notes = content.into_notes();
                (self.bytes, self.whole_lines) = measure;
            }
            Err(error) => self.fail(error),
        }
    }

    pub(crate) fn read_as_new(&mut self, source: SourceId) {
        self.read_from(source, 0, 0);
        self.outcome = Outcome::New;
    }

    pub(crate) fn read_from(&mut self, source: SourceId, file_start: u64, source_start: u64) {
        self.segment = Some(Segment {
            source,
            file_start,
            source_start,
            file_end: self.plain_bytes,
        });
    }

    /// How far the source reaches once the segment of this file, the `index`th, is read, given how far it reached
    /// before.
    pub(crate) fn reached(&mut self, index: usize, before: Option<Reached>) -> Option<Reached> {
        let Segment {
            file_start,
            source_start,
            ..
        } = *self.segment.as_ref()?;
        let (bytes, whole_lines) = (self.bytes, self.whole_lines.max(file_start));
        let offset_of = |file_offset: u64| source_start + (file_offset - file_start);
        let mut content = self.content().ok()?;
        let mut anchor_at = |end| content.anchor_at(end, offset_of(end));
        let unterminated = (bytes > whole_lines)
            .then(|| Some((offset_of(bytes), anchor_at(bytes)?)))
            .flatten();
        let anchor = match before {
            Some(before) if whole_lines == file_start => Some(before.anchor),
            _ => anchor_at(whole_lines),
        };
        self.notes = content.into_notes();
        Some(Reached {
            offset: offset_of(whole_lines),
            anchor: anchor?,
            unterminated,
            file: Some(index),
        })
    }

    /// Whether the file begins with a line, as far as that is known.
    pub(crate) fn may_begin_with(&self, first_line: u64) -> bool {
        let ends_at = self.ends_at.as_ref();
        self.first_line.is_some_and(|line| line.hash == first_line)
            || ends_at.is_some_and(|ends_at| ends_at.id.first_line() == first_line)
    }

    /// The anchor of its bytes between two places; `None` if it is shorter or cannot be read.
    pub(crate) fn anchor_of(&mut self, start: u64, end: u64) -> Option<u64> {
        let mut content = self.content().ok()?;
        let anchor = content.anchor_at(end, end - start);
        self.notes = content.into_notes();
        anchor
    }

    pub(crate) fn line_at(&mut self, position: u64) -> Result<Option<Line>, Error> {
        let mut content = self.content()?;
        let line = content.line_at(position);
        self.notes = content.into_notes();
        Ok(line)
    }

    /// A file that ends in damage and of which nothing is to be read, where the damage would show, has failed.
    pub(crate) fn settle_damage(&mut self) {
        if self.segment.is_none()
            && let Some(damage) = std::mem::take(&mut self.notes).into_damage()
        {
            self.fail(damage);
        }
    }

    /// Leaves an unterminated last line to another file that has it in full.
    pub(crate) fn leave_unterminated(&mut self) {
        if let Some(segment) = &mut self.segment {
            segment.file_end = Some(self.whole_lines.max(segment.file_start));
        }
    }
}

fn peek(file: &mut LogFile) -> Result<(Peeked, Option<Line>), Error> {
    let raw: Box<dyn Read + Send> = if file.is_stdin() {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&file.path).map_err(|source| Error::reopen(&file.path, source))?)
    };
    let peeked = Peeked::new(file, raw)?;
    file.compression = peeked.compression;
    let head = peeked.head();
    if let Some(found) = sniff::not_text(&head[..head.len().min(sniff::HEAD_BYTES)]) {
        return Err(Error::NotText {
            path: file.path.clone(),
            found,
        });
    }
    let mut hasher = LineHasher::default();
    hasher.take(head);
    Ok((peeked, hasher.finish()))
}

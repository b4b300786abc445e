//! Reads a line that is a JSON object, its keys in any order.
//!
//! Only as much of JSON as a log needs: Nginx writes some lines that are not JSON (an unquoted empty variable, an
//! unquoted list, bytes that are not UTF-8), and they have to be read too.

use memchr::memchr;

use crate::error::{LineError, LineErrorKind};
use crate::keys::Visitor;
use crate::step::is_escaped;

/// Objects inside objects are looked into so deep; deeper ones are passed over.
const DEPTH_MAX: usize = 8;

/// Tells of each value of a line in turn, under the keys that lead to it.
pub(crate) fn walk<'line>(
    line: &'line [u8],
    visitor: &mut impl Visitor<'line>,
) -> Result<(), LineError> {
    let mut cursor = Cursor { line, at: 0 };
    cursor.skip_spaces();
    cursor.object(&mut Path::default(), visitor)?;
    cursor.skip_spaces();
    if cursor.at != line.len() {
        return Err(LineError::at(
            LineErrorKind::TrailingBytes,
            LineError::NO_FIELD,
            cursor.at,
        ));
    }
    Ok(())
}

/// The keys that lead to where the cursor is, with points between and at the end.
struct Path {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
    depth: usize,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            bytes: [0; Self::BYTES_MAX],
            length: 0,
            depth: 0,
        }
    }
}

impl Path {
    /// A longer path is no key of ours.
    const BYTES_MAX: usize = 256;

    /// The path to `key` here; in the outermost object that is the key itself.
    fn to<'path>(&'path mut self, key: &'path [u8]) -> Option<&'path [u8]> {
        if self.length == 0 {
            return Some(key);
        }
        let end = self.length + key.len();
        self.bytes.get_mut(self.length..end)?.copy_from_slice(key);
        Some(&self.bytes[..end])
    }

    /// Steps into the object at `key`; returns the length to come back to.
    fn enter(&mut self, key: &[u8]) -> Option<usize> {
        let before = self.length;
        let end = before + key.len();
        if self.depth == DEPTH_MAX || end >= Self::BYTES_MAX {
            return None;
        }
        self.bytes[before..end].copy_from_slice(key);
        self.bytes[end] = b'.';
        self.length = end + 1;
        self.depth += 1;
        Some(before)
    }

    fn leave(&mut self, before: usize) {
        self.length = before;
        self.depth -= 1;
    }

    fn prefix(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

struct Cursor<'line> {
    line: &'line [u8],
    at: usize,
}

impl<'line> Cursor<'line> {
    fn object(
        &mut self,
        path: &mut Path,
        visitor: &mut impl Visitor<'line>,
    ) -> Result<(), LineError> {
        if !self.take(b'{') {
            return Err(self.misfit());
        }
        loop {
            self.skip_spaces();
            if self.take(b'}') {
                return Ok(());
            }
            let key = self.string().ok_or_else(|| self.misfit())?;
            self.skip_spaces();
            if !self.take(b':') {
                return Err(self.misfit());
            }
            self.skip_spaces();
            self.member(key, path, visitor)?;
            self.skip_spaces();
            if !self.take(b',') && self.line.get(self.at) != Some(&b'}') {
                return Err(self.misfit());
            }
        }
    }

    /// The value of `key`, or the values inside it.
    fn member(
        &mut self,
        key: &[u8],
        path: &mut Path,
        visitor: &mut impl Visitor<'line>,
    ) -> Result<(), LineError> {
        if self.line.get(self.at) == Some(&b'{')
            && let Some(before) = path.enter(key)
        {
            let read = if visitor.wants(path.prefix()) {
                self.object(path, visitor)
            } else {
                self.skip_nested().ok_or_else(|| self.misfit())
            };
            path.leave(before);
            return read;
        }
        let at = self.at;
        let value = self.value().ok_or_else(|| self.misfit())?;
        if let (Some(value), Some(key)) = (value, path.to(key)) {
            visitor.value(key, value, at)?;
        }
        Ok(())
    }

    fn skip_spaces(&mut self) {
        while matches!(self.line.get(self.at), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// What is between two quotes.
    fn string(&mut self) -> Option<&'line [u8]> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            let quote = self.at + memchr(b'"', &self.line[self.at..])?;
            self.at = quote + 1;
            if !is_escaped(&self.line[start..quote]) {
                return Some(&self.line[start..quote]);
            }
        }
    }

    /// A value; of `Some(None)` nothing is known: `null`, nothing at all, `-`, or an object.
    fn value(&mut self) -> Option<Option<&'line [u8]>> {
        let value = match self.line.get(self.at)? {
            b'"' => self.string()?,
            b'{' => {
                self.skip_nested()?;
                return Some(None);
            }
            b'[' => return self.array(),
            _ => match self.bare()? {
                b"" | b"null" => return Some(None),
                value => value,
            },
        };
        // As logs have it whose JSON is written with escape=default.
        Some((value != b"-").then_some(value))
    }

    /// A value without quotes, up to the `,` before the next key or the object's end.
    fn bare(&mut self) -> Option<&'line [u8]> {
        let start = self.at;
        loop {
            match self.line.get(self.at)? {
                b'}' => break,
                b',' if self.line[self.at + 1..]
                    .trim_ascii_start()
                    .first()
                    .is_none_or(|byte| *byte == b'"') =>
                {
                    break;
                }
                b'"' => return None,
                _ => self.at += 1,
            }
        }
        Some(self.line[start..self.at].trim_ascii_end())
    }

    /// An array of one text is that text, as headers are logged by some; another is what stands in its brackets.
    fn array(&mut self) -> Option<Option<&'line [u8]>> {
        let start = self.at + 1;
        self.skip_nested()?;
        let inside = self.line[start..self.at - 1].trim_ascii();
        let mut cursor = Cursor {
            line: inside,
            at: 0,
        };
        let only = cursor.string().filter(|_| cursor.at == inside.len());
        let value = only.unwrap_or(inside);
        Some((!value.is_empty()).then_some(value))
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.line.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    #[cold]
    fn misfit(&self) -> LineError {
        let begins_well = self.line.trim_ascii_start().first() == Some(&b'{');
        let is_cut = begins_well && self.line.trim_ascii_end().last() != Some(&b'}');
        let (kind, at) = if is_cut {
            (LineErrorKind::CutShort, self.line.len())
        } else {
            (LineErrorKind::NotJson, self.at)
        };
        LineError::at(kind, LineError::NO_FIELD, at)
    }
}

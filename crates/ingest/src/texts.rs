//! Logged bytes to text.

use std::borrow::Cow;

use floodmark_format::{Escape, unescape};
use memchr::memchr;

use crate::secrets::{may_hold_secret, redact};

/// Whether a field is one that clients put secrets into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Plain,
    MayHoldSecret,
}

/// How the bytes of one block become text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'block> {
    pub(crate) base: &'block [u8],
    /// Whether the whole block is known to be UTF-8; then so is each piece of it between ASCII delimiters.
    pub(crate) block_is_utf8: bool,
    pub(crate) escape: Escape,
    /// Whether the dictionaries are of another escape: the same bytes may be another text there.
    pub(crate) is_foreign: bool,
    pub(crate) redacts: bool,
}

impl Texts<'_> {
    /// The text of logged bytes, unless it is these bytes as they stand, which is the common case.
    pub(crate) fn converted(&self, logged: &[u8], field: Field) -> Option<String> {
        let redacts = self.redacts && field == Field::MayHoldSecret;
        let is_text = self.block_is_utf8 || is_utf8(logged);
        if is_text && memchr(b'\\', logged).is_none() && !(redacts && may_hold_secret(logged)) {
            return None;
        }
        let text = unescape(self.escape, logged);
        let redacted = if redacts { redact(&text) } else { None };
        match (redacted, text) {
            (Some(redacted), _) => Some(redacted),
            (None, Cow::Owned(text)) => Some(text),
            (None, Cow::Borrowed(_)) => None,
        }
    }

    /// The text of logged bytes that dictionaries and memories must not be asked for.
    pub(crate) fn foreign(&self, logged: &[u8], field: Field) -> Option<String> {
        // Without a backslash all escapes agree.
        (self.is_foreign && memchr(b'\\', logged).is_some()).then(|| self.text(logged, field))
    }

    /// The text of logged bytes.
    pub(crate) fn text(&self, logged: &[u8], field: Field) -> String {
        self.converted(logged, field)
            .unwrap_or_else(|| String::from_utf8_lossy(logged).into_owned())
    }

    /// The place of a piece of the block in it.
    pub(crate) fn offset(&self, piece: &[u8]) -> usize {
        piece.as_ptr().addr() - self.base.as_ptr().addr()
    }
}

/// Whether bytes are UTF-8. Nearly all are ASCII, which shows several times sooner.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

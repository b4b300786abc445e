//! What a source is called, and how its bytes are known again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes before an offset that its anchor covers, at most.
pub const ANCHOR_BYTES: usize = 4096;

/// A run of log bytes, whatever the files that held it were called: `LOG SET/HASH/N`, where HASH is the first 16 hex
/// digits of the SHA-256 of its first complete line with its newline, and N counts, from 1, the sources of the log set
/// that begin with this line.
///
/// Cheap to clone. The log set may hold slashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(Arc<str>);

impl SourceId {
    pub(crate) fn new(log_set: &str, first_line: u64, n: u64) -> Self {
        Self(format!("{log_set}/{first_line:016x}/{n}").into())
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The log set that the source belongs to.
    pub fn log_set(&self) -> &str {
        self.parts().0
    }

    /// The first 64 bits of the SHA-256 of its first line. Sources with different first lines are different logs.
    pub fn first_line(&self) -> u64 {
        self.parts().1
    }

    pub(crate) fn n(&self) -> u64 {
        self.parts().2
    }

    fn parts(&self) -> (&str, u64, u64) {
        parts(&self.0).expect("checked when it was made")
    }
}

fn parts(text: &str) -> Option<(&str, u64, u64)> {
    let (rest, n) = text.rsplit_once('/')?;
    let (log_set, hash) = rest.rsplit_once('/')?;
    let is_hash = hash.len() == 16
        && hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if log_set.is_empty() || !is_hash || n.starts_with(['+', '0']) {
        return None;
    }
    Some((
        log_set,
        u64::from_str_radix(hash, 16).ok()?,
        n.parse().ok()?,
    ))
}

impl FromStr for SourceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match parts(text) {
            Some(_) => Ok(Self(text.into())),
            None => Err(Error::NotASourceId {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A source as far as it was read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSource {
    /// Its name.
    pub id: SourceId,
    /// Decompressed bytes of it that were read.
    pub offset: u64,
    /// The [`anchor`] of the bytes before `offset`.
    pub anchor: u64,
}

/// How far a source has been read: what is to be committed with its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// The source.
    pub source: SourceId,
    /// Decompressed bytes of it that were given out.
    pub offset: u64,
    /// The [`anchor`] of the bytes before `offset`.
    pub anchor: u64,
}

impl From<SourcePosition> for KnownSource {
    fn from(position: SourcePosition) -> Self {
        Self {
            id: position.source,
            offset: position.offset,
            anchor: position.anchor,
        }
    }
}

/// The first 63 bits of the SHA-256 of the last 4 KiB of `tail`, or of all of it if it is shorter.
pub fn anchor(tail: &[u8]) -> u64 {
    let start = tail.len().saturating_sub(ANCHOR_BYTES);
    hash_head(&Sha256::digest(&tail[start..])) >> 1
}

pub(crate) fn hash_head(digest: &[u8]) -> u64 {
    let head = digest.first_chunk().expect("a SHA-256 has 32 bytes");
    u64::from_be_bytes(*head)
}

/// The last bytes of a source, as many as an anchor covers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tail {
    /// Up to twice as many, so that old ones are not moved out at each push.
    bytes: Vec<u8>,
}

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(ANCHOR_BYTES)..];
        if self.bytes.len() + bytes.len() > 2 * ANCHOR_BYTES {
            let keep = ANCHOR_BYTES.min(self.bytes.len());
            self.bytes.drain(..self.bytes.len() - keep);
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn last(&self, bytes: usize) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(bytes)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_with_slashes_in_its_log_set() {
        let id = SourceId::new("/var/log/nginx/access.log", 0xab, 12);
        assert_eq!(
            id.to_string(),
            "/var/log/nginx/access.log/00000000000000ab/12"
        );
        let read: SourceId = id.as_str().parse().unwrap();
        assert_eq!(
            (read.log_set(), read.first_line(), read.n()),
            ("/var/log/nginx/access.log", 0xab, 12)
        );
    }

    #[track_caller]
    fn check_refused(text: &str) {
        let error = text.parse::<SourceId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("expected a source id `LOG SET/16 hex digits/NUMBER`, found `{text}`")
        );
    }

    #[test]
    fn other_texts_are_no_ids() {
        check_refused("");
        check_refused("access.log");
        check_refused("access.log/00000000000000ab");
        check_refused("/00000000000000ab/1");
        check_refused("access.log/00000000000000AB/1");
        check_refused("access.log/00ab/1");
        check_refused("access.log/00000000000000ab/0");
        check_refused("access.log/00000000000000ab/one");
    }

    #[test]
    fn an_anchor_has_63_bits_and_covers_the_last_4_kib() {
        // SHA-256 of no bytes begins e3b0c44298fc1c14.
        assert_eq!(anchor(b""), 0xe3b0_c442_98fc_1c14 >> 1);
        let long: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(anchor(&long), anchor(&long[long.len() - ANCHOR_BYTES..]));
        assert_ne!(
            anchor(&long),
            anchor(&long[long.len() - ANCHOR_BYTES + 1..])
        );
    }

    #[test]
    fn a_tail_keeps_the_last_bytes_however_they_come() {
        let all: Vec<u8> = (0..30_000_u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        for step in [1, 7, 4095, 4096, 4097, 9000, 30_000] {
            let mut tail = Tail::default();
            all.chunks(step).for_each(|chunk| tail.push(chunk));
            assert_eq!(
                tail.last(ANCHOR_BYTES),
                &all[all.len() - ANCHOR_BYTES..],
                "in steps of {step}"
            );
            assert_eq!(tail.last(10), &all[all.len() - 10..]);
        }
    }
}

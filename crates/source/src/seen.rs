//! What was read of which file, remembered from one run to the next, so that files which did not change stay closed.
//!
//! It is a hint. A file is taken to hold nothing new if two things are so: device, inode, size, last change of its
//! bytes, last change of its inode and its last eight bytes (of gzip: checksum and length) are as they were when it
//! had been read to its end; and the lake still says of the source whose end that was just the offset and anchor that
//! it had then. The time at which an inode changed is set by the system whenever a file is written, renamed or given
//! other times, and by no program: another file in its place, with the same size and times, has another one. Where
//! anything differs, or nothing is remembered, the file is read and known again by its bytes.
//!
//! What could deceive it is a clock set back to the nanosecond, and a file system that does not count: a file that
//! changed less than [`SETTLED`] before it was looked at is not remembered, as times may be as coarse as two seconds.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::identity::hash_head;
use crate::{KnownSource, LogFile};

/// The first line of what is remembered; another version forgets everything.
const HEADING: &str = "floodmark seen 1";
/// Begins the last line: the SHA-256 of all lines before it, without which nothing is believed.
const CHECKSUM: &str = "sha256\t";
/// Files remembered at most, some 30 MB of them: those of the last run, and if there is room those of earlier ones.
const FILES_MAX: usize = 100_000;
/// For so long must a file not have changed to be remembered.
const SETTLED: Duration = Duration::from_secs(2);
/// Bytes of a file's end that are compared: what gzip writes after its data.
const END_BYTES: usize = 8;

/// Files that were read to their end, and where in their source that was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    files: HashMap<PathBuf, (Stamp, KnownSource)>,
}

/// A file as the operating system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    changed_ns: i128,
    /// Its last bytes, the last one lowest.
    end: u64,
}

impl Seen {
    /// A name for what is remembered of a lake, by the lake's own name.
    pub fn file_name(lake: &str) -> String {
        format!("seen-{:016x}", hash_head(&Sha256::digest(lake)))
    }

    /// Reads [`Seen::to_text`]. Of anything else nothing is remembered, and of that only what `known` still says: the
    /// sources of the lake that the lines went to.
    pub fn parse(text: &str, known: &[KnownSource]) -> Self {
        let known: HashMap<&str, &KnownSource> = known
            .iter()
            .map(|known| (known.id.as_str(), known))
            .collect();
        let is_known = |ends_at: &KnownSource| known.get(ends_at.id.as_str()) == Some(&ends_at);
        let files = checked(text).into_iter().flatten().filter_map(file);
        Self {
            files: files
                .filter(|(_, (_, ends_at))| is_known(ends_at))
                .collect(),
        }
    }

    /// One line a file, in order of their paths, and a checksum.
    pub fn to_text(&self) -> String {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let mut text = format!("{HEADING}\n");
        for (path, (stamp, ends_at)) in files {
            let Some(path) = path.to_str() else {
                continue;
            };
            // A name that would break its line is not remembered.
            if [path, ends_at.id.as_str()]
                .iter()
                .any(|name| name.contains(['\t', '\n']))
            {
                continue;
            }
            let Stamp {
                device,
                inode,
                bytes,
                modified_ns,
                changed_ns,
                end,
            } = stamp;
            let KnownSource { id, offset, anchor } = ends_at;
            let written = writeln!(
                text,
                "{path}\t{device}\t{inode}\t{bytes}\t{modified_ns}\t{changed_ns}\t{end}\t{id}\t{offset}\t{anchor}"
            );
            written.expect("a string takes everything");
        }
        let checksum = hash_head(&Sha256::digest(&text));
        format!("{text}{CHECKSUM}{checksum:016x}\n")
    }

    /// Remembers files that were read to their end, each with where that is in its source; `now` is a time before they
    /// were looked at. Files that changed shortly before are left out.
    pub fn remember(&mut self, files: &[(&LogFile, KnownSource)], now: SystemTime) {
        let now_ns = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let now_ns = i128::try_from(now_ns).unwrap_or(i128::MAX);
        let settled_ns = i128::try_from(SETTLED.as_nanos()).unwrap_or(i128::MAX);
        if self.files.len() + files.len() > FILES_MAX {
            self.files.clear();
        }
        for (file, ends_at) in files.iter().take(FILES_MAX) {
            let Some((stamp, path)) = file.stamp.zip(std::path::absolute(&file.path).ok()) else {
                continue;
            };
            if stamp.modified_ns.max(stamp.changed_ns) < now_ns - settled_ns {
                self.files.insert(path, (stamp, ends_at.clone()));
            }
        }
    }

    /// Where a file ends in its source, if it has not changed since it was read.
    pub(crate) fn end_of(&self, path: &Path, stamp: &Stamp) -> Option<KnownSource> {
        let path = std::path::absolute(path).ok()?;
        let (seen, ends_at) = self.files.get(&path)?;
        (seen == stamp).then(|| ends_at.clone())
    }
}

impl Stamp {
    pub(crate) fn of(path: &Path, metadata: &Metadata) -> io::Result<Self> {
        let ns = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        let mut end = [0; END_BYTES];
        let at = metadata.len().saturating_sub(END_BYTES as u64);
        // A shorter file has all its bytes there. One that was cut since fails, or has another size next time.
        let bytes = usize::try_from(metadata.len() - at).unwrap_or(END_BYTES);
        File::open(path)?.read_exact_at(&mut end[..bytes], at)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            end: u64::from_be_bytes(end),
        })
    }
}

/// The lines between heading and checksum, if both are right.
fn checked(text: &str) -> Option<impl Iterator<Item = &str>> {
    let (lines, checksum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let checksum = checksum.strip_prefix(CHECKSUM)?;
    let body = &text[..lines.len() + 1];
    let is_right = checksum == format!("{:016x}", hash_head(&Sha256::digest(body)));
    let mut lines = lines.lines();
    (is_right && lines.next() == Some(HEADING)).then_some(lines)
}

fn file(line: &str) -> Option<(PathBuf, (Stamp, KnownSource))> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let path = next()?.into();
    let stamp = Stamp {
        device: next()?.parse().ok()?,
        inode: next()?.parse().ok()?,
        bytes: next()?.parse().ok()?,
        modified_ns: next()?.parse().ok()?,
        changed_ns: next()?.parse().ok()?,
        end: next()?.parse().ok()?,
    };
    let ends_at = KnownSource {
        id: next()?.parse().ok()?,
        offset: next()?.parse().ok()?,
        anchor: next()?.parse().ok()?,
    };
    Some((path, (stamp, ends_at)))
}

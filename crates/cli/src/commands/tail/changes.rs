//! Whether logs have changed since they were looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What shows that a file or a folder is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed_ns: (i64, i64),
}

impl Stamp {
    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What has changed since a look.
#[derive(Debug)]
pub(super) struct Changed {
    /// The files that have grown, with their sizes in bytes, where nothing else has changed.
    pub(super) only_grown: Option<Vec<(PathBuf, u64)>>,
    /// The paths that have another file than before, a shorter one, or none.
    pub(super) replaced: Vec<PathBuf>,
}

/// The files of some logs as they were at the last look.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Those that were found.
    files: BTreeSet<PathBuf>,
    /// Where they lie, and a rotation shows.
    folders: BTreeSet<PathBuf>,
    /// `None` where that does not matter, as what was there could not be read.
    stamps: Option<BTreeMap<PathBuf, Stamp>>,
}

impl Changes {
    /// Takes down how things are, before they are read.
    pub(super) fn look(&mut self, logs: &[String]) {
        self.stamps = Some(self.stamps_now(logs));
    }

    /// Takes everything for changed.
    pub(super) fn forget(&mut self) {
        self.stamps = None;
    }

    /// Watches the files that were found, too. One that was not watched before they were read counts as changed: it may have been.
    pub(super) fn watch(&mut self, files: Vec<PathBuf>) {
        self.files = files.into_iter().collect();
        let folders = self.files.iter().filter_map(|file| file.parent());
        self.folders = folders.map(Path::to_owned).collect();
    }

    /// The folders of the files that were found.
    pub(super) fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// How many bytes files have grown by; `None` where nothing has changed.
    pub(super) fn new_bytes(&self, logs: &[String]) -> Option<u64> {
        let Some(stamps) = &self.stamps else {
            return Some(0);
        };
        let now = self.stamps_now(logs);
        if now == *stamps {
            return None;
        }
        let grown = now.iter().map(|(path, stamp)| match stamps.get(path) {
            Some(before) if before.inode == stamp.inode => stamp.bytes.saturating_sub(before.bytes),
            _ => stamp.bytes,
        });
        Some(grown.sum())
    }

    /// What has changed; `None` where nothing has.
    pub(super) fn since(&self, logs: &[String]) -> Option<Changed> {
        let Some(stamps) = &self.stamps else {
            return Some(Changed {
                only_grown: None,
                replaced: Vec::new(),
            });
        };
        let now = self.stamps_now(logs);
        if now == *stamps {
            return None;
        }
        let has_grown = |before: &Stamp, now: &Stamp| {
            now == before || (now.is_same_file(before) && now.bytes > before.bytes)
        };
        let only_grown = now.len() == stamps.len()
            && now.iter().all(|(path, now)| {
                let before = stamps.get(path);
                before.is_some_and(|before| has_grown(before, now))
            });
        let grown = now
            .iter()
            .filter(|(path, now)| stamps.get(*path) != Some(*now));
        let is_replaced = |(path, before): &(&PathBuf, &Stamp)| {
            let now = now.get(*path);
            now.is_none_or(|now| !now.is_same_file(before) || now.bytes < before.bytes)
        };
        let replaced = stamps.iter().filter(is_replaced);
        Some(Changed {
            only_grown: only_grown
                .then(|| grown.map(|(path, now)| (path.clone(), now.bytes)).collect()),
            replaced: replaced.map(|(path, _)| path.clone()).collect(),
        })
    }

    fn stamps_now(&self, logs: &[String]) -> BTreeMap<PathBuf, Stamp> {
        let named = logs.iter().map(PathBuf::from);
        let found = self.files.union(&self.folders);
        let paths = named.chain(found.cloned());
        paths
            .filter_map(|path| Some((path.clone(), stamp(&path)?)))
            .collect()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        device: found.dev(),
        inode: found.ino(),
        bytes: if found.is_file() { found.len() } else { 0 },
        changed_ns: (found.ctime(), found.ctime_nsec()),
    })
}

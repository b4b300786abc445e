//! What becomes of the sources that a log was seen to be, from one look at it to the next.
//!
//! A source is live while the file with the log's own name holds it. It ends well when rotation has given that file another
//! name and nothing more came: whoever deletes it then deletes nothing unread. It is lost when no file holds it any more while it was live: it
//! was truncated, deleted, or rotated away before anyone looked, and nobody knows how much came after what was read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::{Outcome, Reading, SourceId};

/// The sources of followed logs after a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// The log sets that were looked at, whether or not they hold a line.
    pub log_sets: BTreeSet<String>,
    /// What files with a log's own name hold.
    pub live: BTreeSet<SourceId>,
    /// Those that were live and are known to their end.
    pub ended: BTreeSet<SourceId>,
    /// Those that were live and that no file holds.
    pub missing: Vec<Missing>,
}

/// A source that no file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The source.
    pub source: SourceId,
    /// The file that has its log's name now; `None` if there is none, or none with a line.
    pub successor: Option<PathBuf>,
}

/// Compares what files hold with what was live before. Of a log set with a file that could not be read nothing is said but that: the
/// file may hold what seems to be missing.
///
/// A look may fall into the middle of a rotation and miss a file that is renamed meanwhile, so that only what is missing twice is lost.
pub fn followed<'s>(
    readings: &[Reading],
    were_live: impl IntoIterator<Item = &'s SourceId>,
) -> Followed {
    let is_failed = |reading: &&Reading| matches!(reading.outcome, Outcome::Failed(_));
    let failed: BTreeSet<&str> = readings
        .iter()
        .filter(is_failed)
        .map(|reading| reading.file.log_set.as_str())
        .collect();
    let readings = || {
        let readings = readings.iter();
        readings.filter(|reading| !failed.contains(reading.file.log_set.as_str()))
    };
    let log_sets: BTreeSet<String> = readings()
        .map(|reading| reading.file.log_set.clone())
        .collect();
    let live: BTreeSet<SourceId> = readings()
        .filter(|reading| reading.file.is_live())
        .filter_map(|reading| reading.source().cloned())
        .collect();
    let mut followed = Followed {
        log_sets,
        live,
        ..Followed::default()
    };
    for source in were_live {
        if !followed.log_sets.contains(source.log_set()) || followed.live.contains(source) {
            continue;
        }
        let mut holding = readings().filter(|reading| reading.holds(source)).peekable();
        if holding.peek().is_none() {
            let successor = readings().find(|reading| {
                let is_of_set = reading.file.log_set == source.log_set();
                is_of_set && reading.file.is_live() && reading.source().is_some()
            });
            followed.missing.push(Missing {
                source: source.clone(),
                successor: successor.map(|reading| reading.file.path.clone()),
            });
        } else if holding.all(|reading| matches!(reading.outcome, Outcome::NothingNew { .. })) {
            followed.ended.insert(source.clone());
        }
    }
    followed
}

impl Reading {
    /// The source that the file's last bytes belong to, as far as it is known or planned.
    pub fn source(&self) -> Option<&SourceId> {
        let segment = self.segment.as_ref();
        segment
            .map(|segment| &segment.source)
            .or(self.matched.as_ref())
    }

    /// Whether all that is known of a source is in the file.
    fn holds(&self, source: &SourceId) -> bool {
        let is_whole = matches!(
            self.outcome,
            Outcome::New
                | Outcome::Continues { .. }
                | Outcome::NothingNew { .. }
                | Outcome::DuplicateOf(_)
        );
        is_whole && self.source() == Some(source)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{BlockOptions, DiscoverOptions, Feed, KnownSource, discover, plan};

    /// A folder with a log that is looked at again and again.
    struct Log {
        folder: tempfile::TempDir,
        known: Vec<KnownSource>,
        live: BTreeSet<SourceId>,
    }

    impl Log {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                known: Vec::new(),
                live: BTreeSet::new(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        /// Reads all that is new.
        fn look(&mut self) -> Followed {
            let log = self.path("access.log").display().to_string();
            let options = DiscoverOptions {
                with_rotated: true,
                ..DiscoverOptions::default()
            };
            let readings = plan(discover(&[log], &options).unwrap().files, &self.known);
            let followed = followed(&readings, &self.live);
            let feed = Feed::new(readings, BlockOptions::default());
            while feed.next().is_some() {}
            for position in feed.positions() {
                self.known.retain(|known| known.id != position.source);
                self.known.push(position.into());
            }
            self.live.extend(followed.live.iter().cloned());
            self.live.retain(|source| !followed.ended.contains(source));
            followed
        }

        #[track_caller]
        fn check(&mut self, live: usize, ended: usize, missing: &[Option<&str>]) {
            let found = self.look();
            let successor = |missing: &Missing| {
                let successor = missing.successor.as_ref();
                successor.map(|path| path.file_name().unwrap().display().to_string())
            };
            let successors: Vec<_> = found.missing.iter().map(successor).collect();
            let successors: Vec<_> = successors.iter().map(Option::as_deref).collect();
            assert_eq!((found.live.len(), found.ended.len()), (live, ended));
            assert_eq!(successors, missing);
            assert_eq!(found.log_sets.len(), 1);
        }
    }

    #[test]
    fn a_renamed_file_ends_once_nothing_more_comes() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        fs::rename(log.path("access.log"), log.path("access.log.1")).unwrap();
        log.write("access.log.1", "one\nlate\n");
        log.write("access.log", "two\n");
        log.check(1, 0, &[]);
        log.check(1, 1, &[]);
        fs::remove_file(log.path("access.log.1")).unwrap();
        log.check(1, 0, &[]);
    }

    #[test]
    fn a_copy_that_was_cut_ends_without_a_successor() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        log.write("access.log.1", "one\n");
        log.write("access.log", "");
        log.check(0, 1, &[]);
    }

    #[test]
    fn what_was_cut_without_a_copy_is_missing() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        log.write("access.log", "");
        log.check(0, 0, &[None]);
        log.write("access.log", "two\n");
        log.check(1, 0, &[Some("access.log")]);
    }

    #[test]
    fn what_is_shorter_than_what_was_read_holds_it_no_more() {
        let mut log = Log::new();
        log.write("access.log", "one\ntwo\nthree\n");
        log.check(1, 0, &[]);
        log.write("access.log", "one\ntwo\n");
        log.check(1, 0, &[Some("access.log")]);
    }

    #[test]
    fn a_file_that_cannot_be_read_may_hold_anything() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        log.write("access.log", "two\n");
        // The beginning of a gzip file.
        fs::write(log.path("access.log.1.gz"), b"\x1f\x8b\x08\x00").unwrap();
        let found = log.look();
        assert_eq!(found, Followed::default());
    }
}

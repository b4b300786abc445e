//! What becomes of the sources that a log was seen to be, from one look at it to the next.
//!
//! A source is live while the file with the log's own name holds it. It ends well when rotation has given that file another
//! name and nothing more came: whoever deletes it then deletes nothing unread. It is lost when no file holds it any more while it was live: it
//! was truncated, deleted, or rotated away before anyone looked, and nobody knows how much came after what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Outcome, Reading, SourceId};

/// A source that no file holds is lost if none does so much later: a look into the middle of a rotation may miss a file that is
/// renamed meanwhile.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// When a look is made, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What time it is, in microseconds since the epoch. It jumps when somebody sets the clock.
    pub time_us: i64,
    /// How long the follower has been running, by a clock that nobody sets.
    pub running: Duration,
}

/// What is known from one look at logs to the next. Times are microseconds since the epoch.
///
/// Nothing of it has to be kept: what is not known here is what the lake says.
#[derive(Debug, Default)]
pub struct Follower {
    /// When each source was live and read to its end. Later than the lake says where nothing came since.
    live: BTreeMap<SourceId, i64>,
    /// When each source that no file holds was missed first.
    missed: BTreeMap<SourceId, Moment>,
    /// What each log is that is a symbolic link.
    targets: BTreeMap<String, PathBuf>,
    /// What such a log was before, as long as something comes there.
    earlier: BTreeSet<PathBuf>,
}

/// The sources of followed logs at a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// The log sets that were looked at, whether or not they hold a line.
    pub log_sets: BTreeSet<String>,
    /// What files with a log's own name hold.
    pub live: BTreeSet<SourceId>,
    /// Those that were live and are known to their end.
    pub ended: BTreeSet<SourceId>,
    /// Those that were live and that no file has held for a while.
    pub lost: Vec<Lost>,
}

/// A source whose end is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The source.
    pub source: SourceId,
    /// When it was read to its end for the last time.
    pub since_us: i64,
    /// When it was missed first.
    pub missed_us: i64,
    /// The file that has its log's name now; `None` if there is none, or none with a line.
    pub successor: Option<PathBuf>,
}

impl Follower {
    /// The logs, with what those that are symbolic links stood for before: a server writes there until it is told.
    pub fn with_earlier(&mut self, logs: &[String]) -> Vec<String> {
        for log in logs {
            let is_link = fs::symlink_metadata(log).is_ok_and(|found| found.is_symlink());
            let Some(target) = is_link.then(|| fs::canonicalize(log).ok()).flatten() else {
                continue;
            };
            self.earlier.remove(&target);
            let before = self.targets.insert(log.clone(), target.clone());
            self.earlier
                .extend(before.filter(|before| *before != target));
        }
        self.earlier.retain(|file| file.exists());
        let earlier = self.earlier.iter().map(|file| file.display().to_string());
        earlier.chain(logs.iter().cloned()).collect()
    }

    /// Compares what files hold, all files of the logs, with what was live before and when. Of a log set with a file that could
    /// not be read nothing is said: that file may hold what seems to be missing.
    pub fn look(
        &mut self,
        readings: &[Reading],
        were_live: &BTreeMap<SourceId, i64>,
        now: Moment,
    ) -> Followed {
        let is_failed = |reading: &&Reading| matches!(reading.outcome, Outcome::Failed(_));
        let log_set = |reading: &Reading| reading.file.log_set.clone();
        let failed: BTreeSet<String> = readings.iter().filter(is_failed).map(log_set).collect();
        let readings = || {
            let readings = readings.iter();
            readings.filter(|reading| !failed.contains(&reading.file.log_set))
        };
        let named = || readings().filter(|reading| !self.earlier.contains(&reading.file.path));
        let live = || named().filter(|reading| reading.file.is_live());
        let mut followed = Followed {
            log_sets: named().map(log_set).collect(),
            live: live().filter_map(Reading::source).cloned().collect(),
            ..Followed::default()
        };
        let mut missed = BTreeMap::new();
        for (source, &live_us) in were_live {
            if !followed.log_sets.contains(source.log_set()) || followed.live.contains(source) {
                continue;
            }
            let mut holding = readings()
                .filter(|reading| reading.holds(source))
                .peekable();
            if holding.peek().is_some() {
                if holding.all(|reading| matches!(reading.outcome, Outcome::NothingNew { .. })) {
                    followed.ended.insert(source.clone());
                }
                continue;
            }
            let since = self.missed.get(source).copied().unwrap_or(now);
            missed.insert(source.clone(), since);
            if now.running < since.running + LOST_AFTER {
                continue;
            }
            let successor = live().find(|reading| {
                reading.file.log_set == source.log_set() && reading.source().is_some()
            });
            followed.lost.push(Lost {
                source: source.clone(),
                since_us: self.live.get(source).map_or(live_us, |us| live_us.max(*us)),
                missed_us: since.time_us,
                successor: successor.map(|reading| reading.file.path.clone()),
            });
        }
        let quiet =
            readings().filter(|reading| matches!(reading.outcome, Outcome::NothingNew { .. }));
        let quiet: Vec<PathBuf> = quiet.map(|reading| reading.file.path.clone()).collect();
        self.earlier.retain(|file| !quiet.contains(file));
        self.missed = missed;
        followed
    }

    /// What a look found is in the lake.
    pub fn committed(&mut self, followed: &Followed, at_us: i64) {
        for lost in &followed.lost {
            self.missed.remove(&lost.source);
        }
        self.live = followed
            .live
            .iter()
            .map(|source| (source.clone(), at_us))
            .collect();
    }

    /// Whether something is missing that another look may find.
    pub fn is_missing_something(&self) -> bool {
        !self.missed.is_empty()
    }
}

impl Reading {
    /// The source that the file's last bytes belong to, if its first line is complete.
    fn source(&self) -> Option<&SourceId> {
        // One that a server may still be writing begins no source.
        let is_unborn = self.first_line.is_some_and(|line| !line.is_whole);
        let segment = self.segment.as_ref().filter(|_| !is_unborn);
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
        is_whole && (self.source() == Some(source) || self.held.contains(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockOptions, DiscoverOptions, Feed, KnownSource, discover, plan};

    const LOST_AFTER_US: i64 = 1_000_000;

    /// A folder with a log that is looked at again and again, each second.
    struct Log {
        folder: tempfile::TempDir,
        known: Vec<KnownSource>,
        live: BTreeMap<SourceId, i64>,
        follower: Follower,
        now: Moment,
    }

    impl Log {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                known: Vec::new(),
                live: BTreeMap::new(),
                follower: Follower::default(),
                now: Moment {
                    time_us: 0,
                    running: Duration::ZERO,
                },
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
            self.now.time_us += LOST_AFTER_US;
            self.now.running += LOST_AFTER;
            let log = self.path("access.log").display().to_string();
            let logs = self.follower.with_earlier(&[log]);
            let options = DiscoverOptions {
                with_rotated: true,
                ..DiscoverOptions::default()
            };
            let readings = plan(discover(&logs, &options).unwrap().files, &self.known);
            let followed = self.follower.look(&readings, &self.live, self.now);
            let feed = Feed::new(readings, BlockOptions::default());
            while feed.next().is_some() {}
            for position in feed.positions() {
                self.known.retain(|known| known.id != position.source);
                self.known.push(position.into());
            }
            for source in &followed.live {
                self.live.insert(source.clone(), self.now.time_us);
            }
            let lost = followed.lost.iter().map(|lost| &lost.source);
            for over in followed.ended.iter().chain(lost) {
                self.live.remove(over);
            }
            self.follower.committed(&followed, self.now.time_us);
            followed
        }

        /// How many sources are live and ended, and what took the place of lost ones.
        #[track_caller]
        fn check(&mut self, live: usize, ended: usize, lost: &[Option<&str>]) {
            let found = self.look();
            let successor = |lost: &Lost| {
                let successor = lost.successor.as_ref();
                successor.map(|path| path.file_name().unwrap().display().to_string())
            };
            let successors: Vec<_> = found.lost.iter().map(successor).collect();
            let successors: Vec<_> = successors.iter().map(Option::as_deref).collect();
            assert_eq!((found.live.len(), found.ended.len()), (live, ended));
            assert_eq!(successors, lost);
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
    fn what_was_cut_without_a_copy_is_lost() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        log.write("access.log", "");
        log.check(0, 0, &[]);
        log.write("access.log", "two\n");
        let found = log.look();
        let [lost] = &found.lost[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (lost.since_us, lost.missed_us),
            (LOST_AFTER_US, 2 * LOST_AFTER_US)
        );
        assert_eq!(lost.successor, Some(log.path("access.log")));
        log.check(1, 0, &[]);
    }

    #[test]
    fn what_was_missed_for_a_moment_is_not_lost() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        fs::rename(log.path("access.log"), log.path("elsewhere")).unwrap();
        log.write("access.log", "two\n");
        log.check(1, 0, &[]);
        fs::rename(log.path("elsewhere"), log.path("access.log.1")).unwrap();
        log.check(1, 1, &[]);
        log.check(1, 0, &[]);
    }

    #[test]
    fn a_clock_that_is_set_neither_loses_nor_finds() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        fs::rename(log.path("access.log"), log.path("elsewhere")).unwrap();
        log.write("access.log", "two\n");
        // A day on, and no time has passed.
        log.now.running -= LOST_AFTER;
        log.now.time_us += 86_400_000_000;
        log.check(1, 0, &[]);
        log.now.running -= LOST_AFTER;
        log.check(1, 0, &[]);
        // Two days back, and a second has.
        log.now.time_us -= 2 * 86_400_000_000;
        log.check(1, 0, &[Some("access.log")]);
    }

    #[test]
    fn what_is_shorter_than_what_was_read_is_lost() {
        let mut log = Log::new();
        log.write("access.log", "one\ntwo\nthree\n");
        log.check(1, 0, &[]);
        log.write("access.log", "one\ntwo\n");
        log.check(1, 0, &[]);
        log.check(1, 0, &[Some("access.log")]);
    }

    #[test]
    fn what_a_link_stood_for_ends_too() {
        let mut log = Log::new();
        let link = |log: &Log, to: &str| {
            let _ = fs::remove_file(log.path("access.log"));
            std::os::unix::fs::symlink(log.path(to), log.path("access.log")).unwrap();
        };
        log.write("access-a.log", "one\n");
        link(&log, "access-a.log");
        log.check(1, 0, &[]);
        log.write("access-b.log", "two\n");
        log.write("access-a.log", "one\nlate\n");
        link(&log, "access-b.log");
        log.check(1, 0, &[]);
        log.check(1, 1, &[]);
        log.check(1, 0, &[]);
        assert_eq!(log.follower.earlier, BTreeSet::new());
    }

    #[test]
    fn a_file_that_cannot_be_read_may_hold_anything() {
        let mut log = Log::new();
        log.write("access.log", "one\n");
        log.check(1, 0, &[]);
        log.write("access.log", "two\n");
        // The beginning of a gzip file.
        fs::write(log.path("access.log.1.gz"), b"\x1f\x8b\x08\x00").unwrap();
        assert_eq!(log.look(), Followed::default());
        assert!(!log.follower.is_missing_something());
    }
}

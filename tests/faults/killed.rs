//! Killed: at each sync, name and write, at any byte of a file, and at random moments.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Truth, UNCOUNTED, after, count, is_whole, straced};
use crate::command::{Place, combined, end, signal};

const LINES: usize = 100;

/// One thread to ingest, so that the calls come in the same order each time.
const INGEST: &[&str] = &["ingest", "-q", "--threads", "1", "access.log"];

/// The files of the lake that a first log made.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(from, to).unwrap()),
        }
    }
}

/// What is there before a run that is killed.
enum Before {
    /// Nothing: the run makes the lake.
    Nothing,
    /// A lake with another log, so that the first calls are those of the threads that write rows.
    Lake,
}

/// A log, the place of a lake that may hold another, and what both must become.
struct Start {
    log: Vec<u8>,
    first: Place,
    truth: Truth,
    before: Before,
}

impl Start {
    fn new(before: Before) -> Self {
        let (log, other) = (combined(500, LINES), combined(86_400, 10));
        let first = Place::new();
        let mut logs = vec![("access.log", &log[..])];
        if let Before::Lake = before {
            first.write("other.log", &other);
            assert_eq!(first.floodmark(&["ingest", "-q", "other.log"]).code, 0);
            logs.push(("other.log", &other));
        }
        Self {
            truth: Truth::of(&logs),
            log,
            first,
            before,
        }
    }

    fn place(&self) -> Place {
        let place = Place::new();
        if let Before::Lake = self.before {
            copy(&self.first.path("home"), &place.path("home"));
        }
        place.write("access.log", &self.log);
        place
    }
}

/// Kills an ingest at the nth call of a kind, for each n, until it lives; there are `least` at least.
#[track_caller]
fn check_each(call: &str, before: Before, least: usize) {
    let start = Start::new(before);
    // strace counts the calls of each thread by itself: the first thread to get to its nth is killed with all others.
    for nth in 1.. {
        let place = start.place();
        let inject = format!("--inject={call}:signal=KILL:when={nth}");
        let run = straced(&place, &["-f", &format!("--trace={call}"), &inject], INGEST);
        if run.code == 0 {
            assert!(nth > least, "only {} calls of {call}", nth - 1);
            start.truth.check(&place, &[]);
            return;
        }
        assert_eq!(run.code, -1, "{call} {nth}: {run:#?}");
        start.truth.converges(&place, &["access.log"], &[]);
    }
}

#[test]
fn at_each_sync_of_a_new_lake() {
    check_each("fsync", Before::Nothing, 9);
}

#[test]
fn at_each_sync_of_a_batch() {
    check_each("fsync", Before::Lake, 3);
}

#[test]
fn at_each_new_folder() {
    check_each("mkdir", Before::Nothing, 5);
    check_each("mkdir", Before::Lake, 1);
}

#[test]
fn at_each_link() {
    check_each("linkat", Before::Nothing, 2);
}

#[test]
fn at_each_name_removed() {
    check_each("unlink", Before::Nothing, 2);
}

#[test]
fn at_each_write() {
    check_each("write", Before::Lake, 3);
}

#[test]
fn at_each_rename_of_a_checkpoint() {
    // Commits that say nothing, up to the one that is followed by a checkpoint.
    let start = Start::new(Before::Lake);
    let log = start
        .first
        .path("home/data/floodmark/lake/lines/_delta_log");
    for version in 2..99 {
        fs::write(
            log.join(format!("{version:020}.json")),
            "{\"commitInfo\":{}}",
        )
        .unwrap();
    }
    for nth in 1.. {
        let place = start.place();
        let inject = format!("--inject=rename:signal=KILL:when={nth}");
        let run = straced(&place, &["-f", "--trace=rename", &inject], INGEST);
        if run.code == 0 {
            assert_eq!(nth, 3, "the checkpoint, and the hint to it");
            break;
        }
        start.truth.check(&place, &[]);
        start.truth.converges(&place, &["access.log"], &[]);
    }
}

#[test]
fn between_the_commits_of_lines_and_of_minutes() {
    let start = Start::new(Before::Lake);
    // Each table gets its commit by a link: the second one names the minutes of lines that are in the lake by then.
    let place = start.place();
    let options = ["-f", "--trace=linkat", "--inject=linkat:signal=KILL:when=2"];
    let run = straced(&place, &options, INGEST);
    assert_eq!(run.code, -1, "{run:#?}");
    let verified = is_whole(&place, &[]);
    assert!(verified.stdout.contains(UNCOUNTED), "{verified:#?}");
    start.truth.converges(&place, &["access.log"], &[]);
}

/// Bytes of a file to the next point at which a process is killed: the unit of `ulimit -f`.
const LIMIT_BYTES: usize = 512;

#[test]
fn at_any_byte_of_a_file() {
    let start = Start::new(Before::Lake);
    for limit in 0.. {
        let place = start.place();
        // A process that writes more into a file is killed by SIGXFSZ, after a part of the write.
        let run = end(after(&place, &format!("ulimit -f {limit}"), INGEST)
            .spawn()
            .unwrap());
        if run.code == 0 {
            assert!(limit * LIMIT_BYTES > 4 << 10, "{limit}");
            start.truth.check(&place, &[]);
            return;
        }
        assert_eq!(run.code, -1, "{limit}: {run:#?}");
        start.truth.converges(&place, &["access.log"], &[]);
    }
}

/// How often a run is killed at a random moment, unless `FLOODMARK_TEST_KILLS` says so.
const KILLS: usize = 8;

/// The longest time for which one may live, in microseconds.
const LIFE_MAX_US: u64 = 120_000;

/// Lines added to the log from one run to the next.
const MORE_LINES: usize = 700;

#[test]
fn at_random_moments() {
    let kills = std::env::var("FLOODMARK_TEST_KILLS");
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let place = Place::new();
    place.write("access.log", combined(0, MORE_LINES));
    assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
    let mut dice: u64 = 1;
    let mut in_lake = MORE_LINES;
    let mut met = 0;
    for round in 1..=kills {
        let lines = MORE_LINES * (round + 1);
        place.write("access.log", combined(0, lines));
        let child = place
            .command(&["ingest", "-q", "access.log"])
            .spawn()
            .unwrap();
        // Knuth's MMIX numbers; their upper bits are the random ones.
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::park_timeout(Duration::from_micros((dice >> 33) % LIFE_MAX_US));
        signal("KILL", child.id());
        met += usize::from(end(child).code == -1);
        is_whole(&place, &[]);
        let now = count(&place, &[]);
        assert!(
            now == in_lake || now == lines,
            "{in_lake}, then {now} of {lines}"
        );
        in_lake = now;
    }
    assert!(met > 0, "none of {kills} was killed");
    let log = combined(0, MORE_LINES * (kills + 1));
    Truth::of(&[("access.log", &log)]).converges(&place, &["access.log"], &[]);
}

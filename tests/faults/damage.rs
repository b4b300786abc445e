//! Files of the lake that were damaged: the one that cannot be read is named.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Truth, count};
use crate::command::{Place, combined};

/// A lake with two commits, its table, and what is in it.
struct Lake {
    place: Place,
    truth: Truth,
}

impl Lake {
    fn new() -> Self {
        let log = combined(0, 200);
        let place = Place::new();
        let truth = Truth::of(&[("access.log", &log)]);
        let first: usize = log
            .split_inclusive(|byte| *byte == b'\n')
            .take(100)
            .map(<[u8]>::len)
            .sum();
        place.write("access.log", &log[..first]);
        assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
        place.write("access.log", &log);
        assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
        Self { place, truth }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path("home/data/floodmark/lake").join(name)
    }

    fn commit(&self, table: &str, version: u64) -> PathBuf {
        self.path(&format!("{table}/_delta_log/{version:020}.json"))
    }

    /// A file of lines or of minutes, by the folder that it is in.
    fn parquet(&self, folder: &str) -> PathBuf {
        let mut files = fs::read_dir(self.path(folder)).unwrap();
        files.next().unwrap().unwrap().path()
    }

    /// Damages a file; commands named by `are_told` must then fail and name it. Mended, all is as it was.
    #[track_caller]
    fn check(&self, path: &Path, damage: impl Fn(&mut Vec<u8>), are_told: &[&[&str]]) {
        let whole = fs::read(path).unwrap();
        let mut damaged = whole.clone();
        damage(&mut damaged);
        fs::write(path, &damaged).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for command in are_told {
            let run = self.place.floodmark(command);
            assert_eq!(
                run.code,
                2,
                "{command:?} with {} bytes: {run:#?}",
                damaged.len()
            );
            let said = match *command == VERIFY {
                true => &run.stdout,
                false => &run.stderr,
            };
            assert!(*command == VERIFY || said.contains("error: "), "{run:#?}");
            assert!(said.contains(name), "{name} is not named: {run:#?}");
        }
        fs::write(path, whole).unwrap();
        self.truth.converges(&self.place, &["access.log"], &[]);
    }
}

const SQL: &[&str] = &[
    "sql",
    "-q",
    "select count(distinct path), max(http_user_agent) from lines",
];
const SQL_OF_MINUTES: &[&str] = &[
    "sql",
    "-q",
    "select sum(total), hll_count(hll_merge(clients)), count(probes) from minutes",
];
const INGEST: &[&str] = &["ingest", "access.log"];
const VERIFY: &[&str] = &["lake", "verify"];
const LINES: &str = "lines/date=2026-11-02";
const MINUTES: &str = "minutes/month=2026-11-01";

/// The folders of the tables, each with a question that reads its files.
const TABLES: [(&str, &[&str]); 2] = [(LINES, SQL), (MINUTES, SQL_OF_MINUTES)];

#[test]
fn a_parquet_file_that_was_cut() {
    let lake = Lake::new();
    for (folder, question) in TABLES {
        let path = lake.parquet(folder);
        let bytes = fs::metadata(&path).unwrap().len();
        for length in [0, 1, bytes / 2, bytes - 1] {
            let length = usize::try_from(length).unwrap();
            lake.check(&path, |file| file.truncate(length), &[question, VERIFY]);
        }
    }
}

#[test]
fn a_parquet_file_with_another_end_or_of_another_length() {
    let lake = Lake::new();
    for (folder, question) in TABLES {
        let path = lake.parquet(folder);
        let end = |file: &mut Vec<u8>| *file.last_mut().unwrap() ^= 1;
        lake.check(&path, end, &[question, VERIFY]);
        lake.check(&path, |file| file.push(0), &[question, VERIFY]);
    }
}

/// Flips bits at some places of a file, one by one: the question is answered or the file is told, and verifying tells it.
#[track_caller]
fn flip(folder: &str, question: &[&str], places: impl Fn(&[u8]) -> Vec<(usize, u8)>) {
    let lake = Lake::new();
    let path = lake.parquet(folder);
    let whole = fs::read(&path).unwrap();
    for (at, bit) in places(&whole) {
        let mut damaged = whole.clone();
        damaged[at] ^= bit;
        fs::write(&path, &damaged).unwrap();
        let run = lake.place.floodmark(question);
        assert!(run.code == 0 || run.code == 2, "bit at {at}: {run:#?}");
        assert!(
            run.code == 0 || run.stderr.starts_with("error: "),
            "bit at {at}: {run:#?}"
        );
    }
    let run = lake.place.floodmark(VERIFY);
    assert_eq!(run.code, 2, "{run:#?}");
    fs::write(&path, whole).unwrap();
    lake.truth.converges(&lake.place, &["access.log"], &[]);
}

#[test]
fn a_flipped_bit_is_an_answer_or_an_error() {
    for (folder, question) in TABLES {
        flip(folder, question, |file| {
            let places = (4..file.len()).step_by(file.len() / 40);
            places.map(|at| (at, 1 << (at % 8))).collect()
        });
    }
}

/// What stands before the Arrow schema in a footer.
const ARROW_SCHEMA: &[u8] = b"ARROW:schema";

#[test]
fn a_flipped_bit_of_the_arrow_schema_is_no_panic() {
    // The bytes after its name: arrow-ipc 59 takes the first fields of the message that they encode for granted.
    for (folder, question) in TABLES {
        flip(folder, question, |file| {
            let mut windows = file.windows(ARROW_SCHEMA.len());
            let schema =
                windows.position(|bytes| bytes == ARROW_SCHEMA).unwrap() + ARROW_SCHEMA.len();
            (schema..schema + 64).map(|at| (at, 2)).collect()
        });
    }
}

#[test]
fn a_commit_that_was_cut() {
    let lake = Lake::new();
    for (table, version) in [("lines", 0), ("lines", 1), ("lines", 2), ("minutes", 1)] {
        let path = lake.commit(table, version);
        let bytes = fs::read(&path).unwrap().len();
        for length in [0, 1, bytes / 2, bytes - 1] {
            let cut = |file: &mut Vec<u8>| file.truncate(length);
            lake.check(&path, cut, &[SQL, INGEST, VERIFY]);
        }
    }
}

#[test]
fn a_commit_that_is_not_text() {
    let lake = Lake::new();
    let path = lake.commit("lines", 1);
    lake.check(&path, |file| file[20] ^= 0x80, &[SQL, INGEST, VERIFY]);
    lake.check(&path, |file| file.fill(0), &[SQL, INGEST, VERIFY]);
}

#[test]
fn a_commit_that_is_gone() {
    let lake = Lake::new();
    fs::remove_file(lake.commit("lines", 1)).unwrap();
    let run = lake.place.floodmark(SQL);
    assert_eq!(run.code, 2, "{run:#?}");
    // The last one can be missed by nobody: it was never told as done, and is made again.
    let lake = Lake::new();
    fs::remove_file(lake.commit("lines", 2)).unwrap();
    assert_eq!(count(&lake.place, &[]), 100);
    lake.truth.converges(&lake.place, &["access.log"], &[]);
}

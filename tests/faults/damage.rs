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

    fn commit(&self, version: u64) -> PathBuf {
        self.place.path(&format!(
            "home/data/floodmark/lake/lines/_delta_log/{version:020}.json"
        ))
    }

    fn parquet(&self) -> PathBuf {
        let day = self
            .place
            .path("home/data/floodmark/lake/lines/date=2026-11-02");
        fs::read_dir(day).unwrap().next().unwrap().unwrap().path()
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
            assert!(run.stderr.contains("error: "), "{run:#?}");
            assert!(run.stderr.contains(name), "{name} is not named: {run:#?}");
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
const INGEST: &[&str] = &["ingest", "access.log"];

#[test]
fn a_parquet_file_that_was_cut() {
    let lake = Lake::new();
    let path = lake.parquet();
    let bytes = fs::metadata(&path).unwrap().len();
    for length in [0, 1, bytes / 2, bytes - 1] {
        let length = usize::try_from(length).unwrap();
        lake.check(&path, |file| file.truncate(length), &[SQL]);
    }
}

#[test]
fn a_parquet_file_with_another_end_or_of_another_length() {
    let lake = Lake::new();
    let path = lake.parquet();
    let end = |file: &mut Vec<u8>| *file.last_mut().unwrap() ^= 1;
    lake.check(&path, end, &[SQL]);
    lake.check(&path, |file| file.push(0), &[SQL]);
}

#[test]
fn a_parquet_file_with_a_flipped_bit_is_an_answer_or_an_error() {
    let lake = Lake::new();
    let path = lake.parquet();
    let whole = fs::read(&path).unwrap();
    // FIXME: a bit of the footer's Arrow schema may make arrow-ipc 59 panic; the run ends with 2 then too.
    let footer = &whole[whole.len() - 8..][..4];
    let footer = u32::from_le_bytes(footer.try_into().unwrap()) as usize + 8;
    for at in (4..whole.len() - footer).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        let run = lake.place.floodmark(SQL);
        assert!(run.code == 0 || run.code == 2, "bit at {at}: {run:#?}");
        assert!(
            run.code == 0 || run.stderr.starts_with("error: "),
            "bit at {at}: {run:#?}"
        );
    }
    fs::write(&path, whole).unwrap();
    lake.truth.converges(&lake.place, &["access.log"], &[]);
}

#[test]
fn a_commit_that_was_cut() {
    let lake = Lake::new();
    for version in [0, 1, 2] {
        let path = lake.commit(version);
        let bytes = fs::read(&path).unwrap().len();
        for length in [0, 1, bytes / 2, bytes - 1] {
            lake.check(&path, |file| file.truncate(length), &[SQL, INGEST]);
        }
    }
}

#[test]
fn a_commit_that_is_not_text() {
    let lake = Lake::new();
    let path = lake.commit(1);
    lake.check(&path, |file| file[20] ^= 0x80, &[SQL, INGEST]);
    lake.check(&path, |file| file.fill(0), &[SQL, INGEST]);
}

#[test]
fn a_commit_that_is_gone() {
    let lake = Lake::new();
    fs::remove_file(lake.commit(1)).unwrap();
    let run = lake.place.floodmark(SQL);
    assert_eq!(run.code, 2, "{run:#?}");
    // The last one can be missed by nobody: it was never told as done, and is made again.
    let lake = Lake::new();
    fs::remove_file(lake.commit(2)).unwrap();
    assert_eq!(count(&lake.place, &[]), 100);
    lake.truth.converges(&lake.place, &["access.log"], &[]);
}

//! Disks: full at any page, file and byte, failing to sync once, mounted to be read only.

use std::fs;

use super::{Truth, after, straced};
use crate::bad_input::Disk;
use crate::command::{Place, Run, combined, end};

const LAKE: &[&str] = &["--lake", "disk/lake"];
const INGEST: &[&str] = &[
    "ingest",
    "--threads",
    "1",
    "--lake",
    "disk/lake",
    "access.log",
];

/// What a full or failing disk is told as.
#[track_caller]
fn failed(run: &Run, why: &str) {
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stderr.contains("error: "), "{run:#?}");
    assert!(run.stderr.contains(why), "{run:#?}");
}

/// Ingests into ever larger disks, until one is large enough: `option` of the mount says how large, in `step`s.
#[track_caller]
fn check_full(option: &str, step: usize, least: usize) {
    let log = combined(0, 100);
    let truth = Truth::of(&[("access.log", &log)]);
    for size in (step..).step_by(step) {
        let place = Place::new();
        place.write("access.log", &log);
        let Some(disk) = Disk::mount(&place, &format!("{option}={size}")) else {
            return;
        };
        let run = place.floodmark(INGEST);
        if run.code == 0 {
            assert!(size > least, "{option}={size} is enough");
            truth.check(&place, LAKE);
            return;
        }
        failed(&run, "no space left on device");
        disk.remount(&format!("{option}=1000000"));
        truth.converges(&place, &["access.log"], LAKE);
    }
}

#[test]
fn a_disk_that_is_full_at_any_page() {
    check_full("size", 4 << 10, 16 << 10);
}

#[test]
fn a_disk_without_room_for_another_name() {
    check_full("nr_inodes", 1, 6);
}

#[test]
fn a_file_that_may_not_grow_at_any_byte() {
    let log = combined(0, 100);
    let truth = Truth::of(&[("access.log", &log)]);
    for limit in 0.. {
        let place = Place::new();
        place.write("access.log", &log);
        // Where the signal is ignored, what is written beyond the limit is refused.
        let limited = format!("trap '' XFSZ; ulimit -f {limit}");
        let run = end(after(&place, &limited, INGEST).spawn().unwrap());
        if run.code == 0 {
            assert!(limit > 12, "{limit}");
            truth.check(&place, LAKE);
            return;
        }
        failed(&run, "file too large");
        truth.converges(&place, &["access.log"], LAKE);
    }
}

/// Of a line of a trace the path that a call was given as a descriptor: `fsync(9</path>) = …`.
fn synced(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fsync(")?;
    let (_, rest) = rest.split_once('<')?;
    Some(rest.split_once(">)")?.0)
}

#[test]
fn a_sync_that_fails_is_not_tried_again() {
    let log = combined(0, 100);
    let truth = Truth::of(&[("access.log", &log)]);
    for nth in 1.. {
        let place = Place::new();
        place.write("access.log", &log);
        let inject = format!("--inject=fsync:error=EIO:when={nth}");
        let run = straced(&place, &["-y", "--trace=fsync", &inject], INGEST);
        if run.code == 0 {
            assert!(nth > 8, "only {} syncs", nth - 1);
            truth.check(&place, LAKE);
            return;
        }
        failed(&run, "input/output error");
        let trace = fs::read_to_string(place.path("trace")).unwrap();
        let failed_at = trace.lines().position(|line| line.contains("EIO")).unwrap();
        let path = synced(trace.lines().nth(failed_at).unwrap()).unwrap();
        // The system has dropped what it could not write: another sync would succeed, and prove nothing.
        let again = trace
            .lines()
            .skip(failed_at + 1)
            .any(|line| synced(line) == Some(path));
        assert!(!again, "{path} was synced again:\n{trace}");
        truth.converges(&place, &["access.log"], LAKE);
    }
}

#[test]
fn a_lake_that_may_only_be_read() {
    let log = combined(0, 100);
    let truth = Truth::of(&[("access.log", &log)]);
    let place = Place::new();
    let Some(disk) = Disk::mount(&place, "size=1m") else {
        return;
    };
    place.write("access.log", combined(0, 40));
    assert_eq!(place.floodmark(INGEST).code, 0);
    place.write("access.log", &log);
    disk.remount("ro");
    let run = place.floodmark(INGEST);
    failed(
        &run,
        "read-only file system\nhint: name another folder for the lake with `--lake DIR`\n",
    );
    assert_eq!(super::count(&place, LAKE), 40);
    disk.remount("rw");
    truth.converges(&place, &["access.log"], LAKE);
}

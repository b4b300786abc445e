//! Several ingesters at once, and readers beside them.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Truth, count};
use crate::command::{Place, combined, end, wait_for};

const LINES: usize = 50;
const ROUNDS: usize = 5;
const WRITERS: [&str; 4] = ["a.log", "b.log", "c.log", "d.log"];

/// The lines of a writer's log after some rounds.
fn log(writer: usize, rounds: usize) -> Vec<u8> {
    combined(writer * 10_000, rounds * LINES)
}

#[test]
fn four_of_other_logs_get_their_many_small_commits_through() {
    let place = Place::new();
    let are_done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = Vec::new();
            let lake = place.path("home/data/floodmark/lake/lines/_delta_log");
            wait_for("lake", || {
                lake.join(format!("{:020}.json", 0)).exists().then_some(())
            });
            while !are_done.load(Ordering::Relaxed) {
                seen.push(count(&place, &[]));
            }
            seen
        });
        let writers: Vec<_> = (0..WRITERS.len())
            .map(|writer| {
                let place = &place;
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        place.write(WRITERS[writer], log(writer, round));
                        let run = place.floodmark(&["ingest", "-v", WRITERS[writer]]);
                        assert_eq!(run.code, 0, "{run:#?}");
                        assert!(!run.stderr.contains("planning again"), "{run:#?}");
                    }
                })
            })
            .collect();
        let writers = writers.into_iter().map(thread::ScopedJoinHandle::join);
        let ended: Vec<_> = writers.collect();
        are_done.store(true, Ordering::Relaxed);
        let seen = reader.join().unwrap();
        ended.into_iter().for_each(Result::unwrap);
        seen
    });
    assert!(
        seen.is_sorted() && seen.iter().all(|rows| rows % LINES == 0),
        "{seen:?}"
    );
    let logs: Vec<Vec<u8>> = (0..WRITERS.len())
        .map(|writer| log(writer, ROUNDS))
        .collect();
    let logs: Vec<(&str, &[u8])> = WRITERS
        .into_iter()
        .zip(logs.iter().map(Vec::as_slice))
        .collect();
    Truth::of(&logs).check(&place, &[]);
}

#[test]
fn four_of_one_log_add_each_line_once() {
    let place = Place::new();
    for round in 1..=ROUNDS {
        place.write("access.log", log(0, round));
        let runs = WRITERS.map(|_| place.command(&["ingest", "access.log"]).spawn().unwrap());
        for run in runs.map(end) {
            assert_eq!(run.code, 0, "{run:#?}");
        }
        assert_eq!(count(&place, &[]), round * LINES);
    }
    Truth::of(&[("access.log", &log(0, ROUNDS))]).check(&place, &[]);
}

/// Two days, some 30 MB: long enough for others to commit meanwhile.
const LONG: usize = 2 * 86_400;

#[test]
fn a_long_one_is_committed_over_short_ones() {
    let place = Place::new();
    let (long, short) = (combined(0, LONG), log(50, ROUNDS));
    place.write("short.log", &short[..0]);
    place.write("long.log", &long);
    let lines = place.path("home/data/floodmark/lake/lines");
    let child = place
        .command(&["ingest", "-v", "--threads", "1", "long.log"])
        .spawn()
        .unwrap();
    wait_for("rows of the long log", || {
        lines.join("date=2026-11-02").exists().then_some(())
    });
    place.write("short.log", &short);
    assert_eq!(place.floodmark(&["ingest", "short.log"]).code, 0);
    let run = end(child);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(!run.stderr.contains("planning again"), "{run:#?}");
    let last = fs::read_to_string(lines.join(format!("_delta_log/{:020}.json", 2))).unwrap();
    assert!(
        last.contains("long.log/"),
        "the long one was over too early: {last}"
    );
    Truth::of(&[("long.log", &long), ("short.log", &short)]).check(&place, &[]);
}

#[test]
fn a_pipe_with_lines_that_another_adds_is_not_dropped_in_silence() {
    let place = Place::new();
    let log = combined(0, 30_000);
    place.write("access.log", &log);
    let mut child = place
        .command(&["ingest", "--format", "combined", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&log).unwrap();
    let day = place.path("home/data/floodmark/lake/lines/date=2026-11-02");
    wait_for("rows of the pipe", || day.exists().then_some(()));
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    drop(input);
    let run = end(child);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr.ends_with("error: another process adds lines of the same log to the lake, and `-` cannot be read again\nhint: write it to a file and ingest that; what was committed stays, and nothing is added twice\n"),
        "{run:#?}"
    );
    Truth::of(&[("access.log", &log)]).check(&place, &[]);
}

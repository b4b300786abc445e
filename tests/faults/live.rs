//! Logs that change while they are read, and what else befalls a process: signals, closed pipes, few descriptors.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::thread;

use super::{Truth, after, count, is_whole};
use crate::command::{Place, Run, combined, end, signal, wait_for};

#[test]
fn a_log_that_grows_while_it_is_read() {
    const LINES: usize = 40_000;
    let place = Place::new();
    let log = combined(0, LINES);
    place.write("access.log", &log[..0]);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut file = OpenOptions::new()
                .append(true)
                .open(place.path("access.log"))
                .unwrap();
            // As servers do it: buffers that end anywhere in a line.
            log.chunks(4_093)
                .for_each(|part| file.write_all(part).unwrap());
        });
        let mut runs = 0;
        while runs < 3 || !writer.is_finished() {
            let run = place.floodmark(&["ingest", "-q", "--format", "combined", "access.log"]);
            assert_eq!(run.code, 0, "{run:#?}");
            runs += 1;
        }
    });
    Truth::of(&[("access.log", &log)]).converges(&place, &["access.log"], &[]);
}

#[test]
fn a_log_that_shrinks_while_it_is_read() {
    // Two days, some 30 MB.
    const LINES: usize = 2 * 86_400;
    let place = Place::new();
    let log = combined(0, LINES);
    let path = place.write("access.log", &log);
    let day = place.path("home/data/floodmark/lake/lines/date=2026-11-02");
    let child = place
        .command(&["ingest", "--threads", "1", "access.log"])
        .spawn()
        .unwrap();
    wait_for("first rows", || day.exists().then_some(()));
    // Within a line.
    let middle = &log[..log.len() / 2];
    let whole = middle.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let cut = &log[..whole + 20];
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(cut.len() as u64).unwrap();
    let run = end(child);
    assert_eq!(run.code, 2, "it was over too early: {run:#?}");
    let said = "became shorter while it was read";
    assert!(run.stderr.contains(said), "{run:#?}");
    let lines = cut.split(|byte| *byte == b'\n').count();
    assert_eq!(count(&place, &[]), lines - 1);
    // What is left of the last line is ended, and the server writes on.
    place.write("access.log", [cut, b"\n", &combined(LINES, 10)].concat());
    assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
    assert_eq!(count(&place, &[]), lines + 10);
    is_whole(&place, &[]);
}

/// Sends a signal to an ingest that has begun to write rows; gives what it did and how many lines it committed. The next one adds the others.
#[track_caller]
fn signalled(name: &str) -> (Run, usize) {
    // Two days, some 30 MB.
    const LINES: usize = 2 * 86_400;
    let place = Place::new();
    let log = combined(0, LINES);
    place.write("access.log", &log);
    let day = place.path("home/data/floodmark/lake/lines/date=2026-11-02");
    let child = place
        .command(&["ingest", "--threads", "1", "access.log"])
        .spawn()
        .unwrap();
    wait_for("first rows", || day.exists().then_some(()));
    signal(name, child.id());
    let run = end(child);
    let committed = count(&place, &[]);
    assert!(committed < LINES, "it was over too early: {run:#?}");
    is_whole(&place, &[]);
    Truth::of(&[("access.log", &log)]).converges(&place, &["access.log"], &[]);
    (run, committed)
}

#[test]
fn sigterm_and_sigint_commit_what_is_whole() {
    for name in ["TERM", "INT"] {
        let (run, committed) = signalled(name);
        assert_eq!(run.code, 2, "{run:#?}");
        let said = "warning: stopped by a signal; run it again to go on from here\n";
        assert!(run.stderr.ends_with(said), "{run:#?}");
        assert!(committed > 0, "{run:#?}");
    }
}

#[test]
fn sighup_ends_it_as_a_kill_does() {
    let (run, committed) = signalled("HUP");
    assert_eq!((run.code, committed), (-1, 0), "{run:#?}");
}

#[test]
fn standard_error_that_nobody_reads() {
    let place = Place::new();
    let log = combined(0, 1_000);
    place.write("access.log", &log);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = place
        .command(&["ingest", "-v", "access.log"])
        .stderr(Stdio::from(writer))
        .spawn();
    let run = end(child.unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    Truth::of(&[("access.log", &log)]).check(&place, &[]);
}

/// Days of which rows are in one batch, each with a file of its own.
const DAYS: usize = 29;

#[test]
fn thirty_two_file_descriptors() {
    let place = Place::new();
    let mut logs: Vec<(String, Vec<u8>)> = (0..60)
        .map(|file| (format!("logs/{file}-access.log"), combined(file * 100, 10)))
        .collect();
    // Each line is of another day, over and over.
    let days: Vec<u8> = (0..10 * DAYS)
        .flat_map(|line| combined(line % DAYS * 86_400 + line, 1))
        .collect();
    logs.push(("logs/days-access.log".to_owned(), days));
    for (name, log) in &logs {
        place.write(name, log);
    }
    let run = end(after(&place, "ulimit -n 32", &["ingest", "logs"])
        .spawn()
        .unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    let logs: Vec<(&str, &[u8])> = logs
        .iter()
        .map(|(name, log)| (name.as_str(), &log[..]))
        .collect();
    Truth::of(&logs).check(&place, &[]);
    let files = fs::read_dir(place.path("home/data/floodmark/lake/lines")).unwrap();
    assert!(files.count() >= DAYS);
}

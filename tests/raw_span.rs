//! Raw logs that hold other times than those asked for are left unread, and never one that may hold a line that is asked for.

use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::command::Place;
use crate::hostile::Dice;
use crate::logs::{counts, engine};
use floodmark_query::Engine;

const FORMAT: &str =
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;

/// Minutes since 2026-11-01.
type Minute = usize;
const DAY: Minute = 24 * 60;

/// A log with a request at each of these minutes, and no end that is shorter than what is looked at of a compressed one.
fn log(minutes: impl IntoIterator<Item = Minute>) -> Vec<u8> {
    let path = "x".repeat(40);
    let lines = minutes.into_iter().map(|minute| {
        let (day, hour) = (1 + minute / DAY, minute / 60 % 24);
        format!(
            "192.0.2.1 - - [{day:02}/Nov/2026:{hour:02}:{:02}:00 +0000] \"GET /{minute}/{path} HTTP/1.1\" 200 5\n",
            minute % 60
        )
    });
    lines.collect::<String>().into_bytes()
}

/// The minutes of a day of November.
fn day(day: Minute) -> std::ops::Range<Minute> {
    (day - 1) * DAY..day * DAY
}

fn folder<Name: AsRef<Path>>(files: &[(Name, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        write(&folder.path().join(name), bytes);
    }
    folder
}

fn write(path: &Path, bytes: &[u8]) {
    if path.extension().is_some_and(|end| end == "gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        fs::write(path, encoder.finish().unwrap()).unwrap();
    } else {
        fs::write(path, bytes).unwrap();
    }
}

/// How many of the logs are opened for a condition on `time`. The rows are those that are found by reading all.
async fn opened(engine: &Engine, condition: &str) -> usize {
    let asked = async |condition: &str| {
        let before = engine.files_scanned();
        let statement = format!(
            "select count(*) as requests, count(distinct path) as paths from requests where {condition}"
        );
        let answer = engine.sql(&statement).await.unwrap();
        let after = engine.files_scanned();
        let found = [counts(&answer, "requests"), counts(&answer, "paths")];
        (found, after.opened - before.opened, after.all - before.all)
    };
    let (found, opened, _) = asked(condition).await;
    let (expected, of_all, all) = asked(&condition.replace("time", "coalesce(time, time)")).await;
    assert_eq!(found, expected, "{condition}");
    assert_eq!(of_all, all, "{condition}");
    opened
}

/// Checks how many of the logs in a folder are opened.
async fn check(folder: &TempDir, condition: &str, logs: usize) {
    let engine = engine(folder.path(), FORMAT).await;
    assert_eq!(opened(&engine, condition).await, logs, "{condition}");
}

/// A week of logs, the last two days not compressed.
fn week() -> TempDir {
    folder(&[
        ("access.log.6.gz", log(day(9))),
        ("access.log.5.gz", log(day(10))),
        ("access.log.4.gz", log(day(11))),
        ("access.log.3.gz", log(day(12))),
        ("access.log.2.gz", log(day(13))),
        ("access.log.1", log(day(14))),
        ("access.log", log(day(15))),
    ])
}

#[tokio::test]
async fn logs_of_other_days_are_left_unread() {
    let week = week();
    let engine = engine(week.path(), FORMAT).await;
    for (condition, logs) in [
        ("time >= '2026-11-15T00:00:01Z'", 2),
        ("time >= '2026-11-15T00:00:00Z'", 3),
        ("time < '2026-11-09T12:00:00Z'", 2),
        (
            "time between '2026-11-11T00:00:00Z' and '2026-11-11T01:00:00Z'",
            4,
        ),
        ("time > '2026-11-20T00:00:00Z'", 0),
        (
            "time < '2026-11-09T10:00:00Z' or time > '2026-11-15T10:00:00Z'",
            4,
        ),
        (
            "time > '2026-11-11T00:00:01Z' and time < '2026-11-11T23:00:00Z'",
            3,
        ),
        ("time >= '2026-11-01T00:00:00Z'", 7),
        ("date_trunc('day', time) = '2026-11-11T00:00:00Z'", 7),
    ] {
        assert_eq!(opened(&engine, condition).await, logs, "{condition}");
    }
}

#[tokio::test]
async fn a_compressed_log_without_a_newer_one_may_go_on() {
    let alone = folder(&[("access.log.1.gz", log(day(9).start..day(12).end))]);
    check(&alone, "time >= '2026-11-12T00:00:00Z'", 1).await;
    check(&alone, "time < '2026-11-07T00:00:00Z'", 0).await;
}

#[tokio::test]
async fn names_against_the_order_of_time_rule_nothing_out() {
    let reversed = folder(&[
        ("access.log.1.gz", log(day(9))),
        ("access.log.2.gz", log(day(12))),
        ("access.log.3.gz", log(day(15))),
    ]);
    check(&reversed, "time >= '2026-11-20T00:00:00Z'", 3).await;
    check(&reversed, "time >= '2026-11-15T22:00:00Z'", 3).await;
}

#[tokio::test]
async fn a_log_of_another_folder_is_not_the_newer_one() {
    let hosts = folder::<&str>(&[]);
    for (host, name, days) in [("a", "access.log.1.gz", 9..13), ("b", "access.log", 10..11)] {
        fs::create_dir(hosts.path().join(host)).unwrap();
        let minutes = day(days.start).start..day(days.end - 1).end;
        write(&hosts.path().join(host).join(name), &log(minutes));
    }
    let engine = engine(&hosts.path().join("*/access.log*"), FORMAT).await;
    let opened = opened(&engine, "time >= '2026-11-12T12:00:00Z'").await;
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_by_days_rules_nothing_out() {
    let set_back = day(14).chain(day(9)).chain(day(14));
    let wrong = folder(&[("access.log", log(set_back))]);
    check(&wrong, "time < '2026-11-10T00:00:00Z'", 1).await;
    check(&wrong, "time > '2026-11-20T00:00:00Z'", 1).await;
}

#[tokio::test]
async fn lines_without_a_time_rule_nothing_out() {
    let rejects = folder(&[("access.log", b"no line\n".repeat(100_000))]);
    check(&rejects, "time < '2020-01-01T00:00:00Z'", 1).await;
    let mut ends_badly = log(day(14));
    ends_badly.extend(b"no line\n".repeat(100_000));
    let ends_badly = folder(&[("access.log", ends_badly)]);
    check(&ends_badly, "time < '2020-01-01T00:00:00Z'", 1).await;
}

#[tokio::test]
async fn of_two_logs_with_one_source_both_are_read() {
    let copied = folder(&[
        ("access.log.1", log(day(9))),
        ("access.log", log(day(9).chain(day(15)))),
    ]);
    check(&copied, "time >= '2026-11-15T00:00:00Z'", 2).await;
}

#[test]
fn the_command_says_how_many_logs_it_left_unread() {
    let place = Place::new();
    for (name, days) in [("access.log.1", 9), ("access.log", 15)] {
        place.write(name, log(day(days)));
    }
    let statement = "select count(*) from requests where time >= '2026-11-15'";
    let run = place.floodmark(&["sql", "-o", "csv", "--from", ".", statement]);
    assert_eq!(run.stdout, "count(*)\n1440\n", "{run:#?}");
    let said =
        "1 row; 1 of 2 logs left unread, which hold other times\n1,440 lines = 1,440 requests";
    assert!(run.stderr.contains(said), "{run:#?}");
}

/// Lines late by up to a day, in logs that are rotated at any time.
#[tokio::test]
async fn the_answer_is_that_of_reading_all() {
    let mut dice = Dice(11);
    for _ in 0..5 {
        // A line each hour and a half.
        let line = |line: usize| 3 * DAY + line * 90;
        let lines: Vec<Minute> = (0..300).map(|at| line(at) - dice.below(DAY)).collect();
        let mut ends: Vec<usize> = (0..dice.below(6)).map(|_| dice.below(300)).collect();
        ends.push(300);
        ends.sort_unstable();
        let mut files = Vec::new();
        let mut start = 0;
        for (file, end) in ends.iter().enumerate() {
            let name = match (ends.len() - 1 - file, dice.below(2)) {
                (0, _) => "access.log".to_owned(),
                (number, 0) => format!("access.log.{number}.gz"),
                (number, _) => format!("access.log.{number}"),
            };
            files.push((name, log(lines[start..*end].iter().copied())));
            start = *end;
        }
        let folder = folder(&files);
        let engine = engine(folder.path(), FORMAT).await;
        for _ in 0..5 {
            let since = dice.below(22 * DAY);
            let until = since + dice.below(3 * DAY);
            let condition = format!("time between '{}' and '{}'", rfc(since), rfc(until));
            opened(&engine, &condition).await;
        }
    }
}

fn rfc(minute: Minute) -> String {
    let (day, hour) = (1 + minute / DAY, minute / 60 % 24);
    format!("2026-11-{day:02}T{hour:02}:{:02}:00Z", minute % 60)
}

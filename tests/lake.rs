//! The lake: each line once, whatever its bytes arrive in and whatever happens meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Place, Run, combined, end, signal, wait_for};

/// Rows of the lake in `home`.
#[track_caller]
pub(crate) fn rows(place: &Place) -> usize {
    let counts = place
        .floodmark(&[
            "sql",
            "-q",
            "-o",
            "csv",
            "select count(*), count(distinct source || ' ' || line_offset) from lines",
        ])
        .done();
    let (all, distinct) = counts.lines().nth(1).unwrap().split_once(',').unwrap();
    assert_eq!(all, distinct, "a line is in the lake twice");
    all.parse().unwrap()
}

/// Ingests and checks how many lines that adds, by what is said and by what is there.
#[track_caller]
pub(crate) fn adds(place: &Place, logs: &[&str], lines: usize) -> Run {
    let before = if place.path("home/data").exists() {
        rows(place)
    } else {
        0
    };
    let run = place.floodmark(&[&["ingest"], logs].concat());
    assert_eq!(run.code, 0, "{run:#?}");
    let noun = if lines == 1 { "line" } else { "lines" };
    let said = run.stderr.lines().any(|said| {
        said.replace(',', "")
            .starts_with(&format!("{lines} {noun} = {lines} request"))
    });
    assert!(said, "expected {lines} lines: {run:#?}");
    assert_eq!(rows(place) - before, lines, "{run:#?}");
    run
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn says(run: &Run, message: &str) {
    assert!(
        run.stderr.contains(message),
        "expected `{message}`: {run:#?}"
    );
}

/// A lake is laid out by the threads that wrote it, and added up by those that read it.
#[test]
fn an_answer_is_the_same_whatever_the_threads() {
    let place = Place::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-logs");
    let mut answers = Vec::new();
    for threads in ["1", "2", "3"] {
        let with = ["--lake", threads, "--threads", threads, "-q"];
        let ingested = place.floodmark(&[&["ingest", sample], &with[..]].concat());
        assert_eq!(ingested.code, 0, "{ingested:#?}");
        let queries: [&[&str]; 5] = [
            &["uptime"],
            &["weekly", "--tz", "Europe/Berlin"],
            &["bots", "--param", "people=1"],
            &["error_spikes"],
            &["top_paths"],
        ];
        for query in queries {
            let since = ["--since", "2026-10-12", "--until", "2026-11-16"];
            let asked = [&["query", "-o", "csv"], query, &since[..], &with[..]].concat();
            answers.push((query, place.floodmark(&asked).done()));
        }
    }
    for (query, answer) in &answers {
        let first = answers.iter().find(|(known, _)| known == query);
        assert_eq!(Some(answer), first.map(|(_, answer)| answer), "{query:?}");
    }
}

/// Files that lie in a window are read without a look at their times, others are cut; raw logs are always looked at row by row.
#[test]
fn a_window_of_time_has_the_same_rows_in_the_lake_and_in_the_log() {
    let place = Place::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-logs");
    let ingested = place.floodmark(&["ingest", sample, "-q"]);
    assert_eq!(ingested.code, 0, "{ingested:#?}");
    for table in ["lines", "minutes"] {
        let time = match table {
            "lines" => "time",
            _ => "minute",
        };
        for window in [
            "{time} >= '2026-10-14T07:31:10Z'",
            "{time} < '2026-10-14T00:00:00Z' and {time} >= '2026-10-13T00:00:00Z'",
            "{time} between '2026-10-13T12:00:00Z' and '2026-10-15T12:00:00Z' and bot is null",
            "{time} is null",
            "{time} is not null or bot is not null",
            "not ({time} > '2026-10-20T03:00:00Z')",
            "{time} < '2026-10-13T00:00:01Z' or {time} > '2026-11-14T23:00:00Z'",
            "{time} > '2030-01-01T00:00:00Z'",
            "date_trunc('hour', {time}) = '2026-10-20T03:00:00Z'",
        ] {
            let window = window.replace("{time}", time);
            for asked in [
                format!("select count(*) from {table} where {window}"),
                format!(
                    "select bot, count(*), min({time}), max({time}) from {table} where {window} group by 1 order by 1"
                ),
                format!("select count(*) from (select * from {table} where {window} limit 7)"),
            ] {
                let lake = place.floodmark(&["sql", "-q", "-o", "csv", &asked]).done();
                let raw = place
                    .floodmark(&["sql", "-q", "-o", "csv", "--from", sample, &asked])
                    .done();
                assert_eq!(lake, raw, "{asked}");
            }
        }
    }
}

#[test]
fn the_same_bytes_add_nothing() {
    let place = Place::new();
    let log = combined(0, 1_000);
    place.write("access.log", &log);
    adds(&place, &["access.log"], 1_000);
    says(
        &adds(&place, &["access.log"], 0),
        "access.log: nothing new, all of it is in the lake\n",
    );
    place.write("copy.log", &log);
    says(
        &adds(&place, &["copy.log"], 0),
        "copy.log: its lines belong to the log set `access.log`\n",
    );
    fs::rename(place.path("access.log"), place.path("access.log.1")).unwrap();
    says(
        &adds(&place, &["access.log.1"], 0),
        "access.log.1: nothing new, all of it is in the lake\n",
    );
    place.write("access.log.2.gz", gzip(&log));
    says(
        &adds(&place, &["access.log.2.gz"], 0),
        "access.log.2.gz: nothing new, all of it is in the lake\n",
    );
    says(
        &adds(&place, &["copy.log", "access.log.1", "access.log.2.gz"], 0),
        "nothing new",
    );
    assert_eq!(place.floodmark_reading(&["ingest", "-"], &log).code, 0);
    assert_eq!(rows(&place), 1_000);
}

#[test]
fn copies_in_one_run_are_read_once() {
    let place = Place::new();
    let log = combined(0, 1_000);
    place.write("logs/access.log", &log);
    place.write("logs/access.log.1", &log);
    place.write("logs/access.log.2.gz", gzip(&log));
    says(&adds(&place, &["logs"], 1_000), "the same bytes as ");
}

#[test]
fn what_is_appended_is_added() {
    let place = Place::new();
    let log = combined(0, 1_500);
    let cut = combined(0, 1_000).len();
    place.write("access.log", &log[..cut]);
    adds(&place, &["access.log"], 1_000);
    // The last line is half written.
    place.write("access.log", &log[..log.len() - 30]);
    says(
        &adds(&place, &["access.log"], 499),
        "bytes after the last newline wait for theirs\n",
    );
    place.write("access.log", &log);
    adds(&place, &["access.log"], 1);
    // Rotated, compressed, and appended to before that.
    let longer = combined(0, 1_600);
    place.write("access.log.1.gz", gzip(&longer));
    adds(&place, &["access.log.1.gz"], 100);
    place.write("access.log", &log);
    adds(&place, &["access.log.1.gz"], 0);
}

#[test]
fn a_concatenation_in_order_adds_what_is_new() {
    let place = Place::new();
    let parts = [combined(0, 400), combined(400, 500), combined(900, 100)];
    place.write("access.log.1", &parts[0]);
    place.write("access.log", &parts[1]);
    adds(&place, &["access.log.1", "access.log"], 900);
    place.write("both.log", [&parts[0][..], &parts[1]].concat());
    adds(&place, &["both.log"], 0);
    place.write(
        "all.log.gz",
        [gzip(&parts[0]), gzip(&parts[1]), gzip(&parts[2])].concat(),
    );
    adds(&place, &["all.log.gz"], 100);
    adds(&place, &["all.log.gz", "both.log", "access.log"], 0);
}

#[test]
fn truncation_in_place_begins_a_source() {
    let place = Place::new();
    place.write("access.log", combined(0, 1_000));
    adds(&place, &["access.log"], 1_000);
    place.write("access.log", combined(5_000, 10));
    adds(&place, &["access.log"], 10);
    place.write("access.log", combined(5_000, 20));
    adds(&place, &["access.log"], 10);
}

#[test]
fn the_lake_has_the_rows_of_the_logs() {
    let place = Place::new();
    let nasty = br#"192.0.2.7 - a" [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 [02/Nov/2026:03:00:00 +0100] "GET /a%20b?x=\x22\xC3\xA4\xFF HTTP/1.1" 404 0 "-" ""

no line of a log
203.0.113.1 - - [02/Nov/2026:04:00:00 +0000] "\x16\x03\x01" 400 157 "-" "-"
"#;
    place.write("access.log", [&combined(86_000, 1_000)[..], nasty].concat());
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    for statement in [
        "select * from requests order by source, line_offset",
        "select * from rejects order by source, line_offset",
        "select date_trunc('day', time), kind, count(*), sum(line_bytes), sum(blank_before), min(time), max(time) from lines group by 1, 2 order by 1, 2",
        "select * from minutes order by minute, bot",
    ] {
        let lake = place
            .floodmark(&["sql", "-q", "-o", "csv", statement])
            .done();
        let raw = place
            .floodmark(&["sql", "-q", "-o", "csv", "--from", "access.log", statement])
            .done();
        assert!(lake.lines().count() > 1, "{statement}: {lake}");
        assert!(
            lake == raw,
            "{statement}: from the lake\n{lake}\nfrom the log\n{raw}"
        );
    }
}

#[test]
fn formats_with_other_columns_share_a_lake() {
    let place = Place::new();
    let format = r#"$remote_addr [$time_local] "$request" $status $request_time $my_shard"#;
    place.write("edge.log", combined(0, 10));
    place.write(
        "app.log",
        r#"192.0.2.1 [03/Nov/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 0.250 blue"#.to_owned()
            + "\n",
    );
    adds(&place, &["edge.log"], 10);
    adds(&place, &["--format", format, "app.log"], 1);
    adds(&place, &["edge.log"], 0);
    let count = place
        .floodmark(&[
            "sql",
            "-q",
            "-o",
            "csv",
            "select my_shard, request_time, count(*) from requests group by 1, 2 order by 3",
        ])
        .done();
    assert_eq!(count, "my_shard,request_time,count(*)\nblue,0.25,1\n,,10\n");
}

/// Four days in one log of some 50 MB: long enough to be met in the middle.
const DAYS: usize = 4;
const LONG: usize = DAYS * 86_400;

/// Files below a folder, by the end of their names.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path, suffix),
            false if path.to_str().unwrap().ends_with(suffix) => vec![path],
            false => Vec::new(),
        })
        .collect()
}

#[test]
fn a_killed_ingest_repeats_and_loses_nothing() {
    let place = Place::new();
    place.write("access.log", combined(0, LONG));
    let lines = place.path("home/data/floodmark/lake/lines");
    let moments: [(&str, &dyn Fn() -> bool); 4] = [
        ("folder", &|| lines.exists()),
        ("first version", &|| !files(&lines, "00000.json").is_empty()),
        ("Parquet file", &|| !files(&lines, ".parquet").is_empty()),
        ("last Parquet file", &|| {
            files(&lines, ".parquet").len() >= DAYS
        }),
    ];
    for (what, is_there) in moments {
        let child = place
            .command(&["ingest", "--threads", "1", "access.log"])
            .spawn()
            .unwrap();
        wait_for(what, || is_there().then_some(()));
        signal("KILL", child.id());
        let run = end(child);
        assert_eq!(
            run.code, -1,
            "it was over before it could be killed at the {what}: {run:#?}"
        );
        if files(&lines, "00000.json").is_empty() {
            continue;
        }
        assert_eq!(rows(&place), 0, "killed at the {what}");
    }
    adds(&place, &["access.log"], LONG);
    adds(&place, &["access.log"], 0);
}

#[track_caller]
fn all_done(children: Vec<Child>) {
    for run in children.into_iter().map(end) {
        assert_eq!(run.code, 0, "{run:#?}");
    }
}

#[test]
fn two_at_once_add_each_line_once() {
    for round in 0..4 {
        let place = Place::new();
        let (first, second) = (combined(0, 30_000), combined(200_000, 20_000));
        place.write("a/access.log", &first);
        place.write("b/access.log", &second);
        // The lake is made by one of them.
        let other = if round % 2 == 0 { "b" } else { "a" };
        let children =
            ["a", other, "a"].map(|log| place.command(&["ingest", log]).spawn().unwrap());
        all_done(children.into());
        let expected = if other == "b" { 50_000 } else { 30_000 };
        assert_eq!(rows(&place), expected, "round {round}");
        adds(&place, &["a"], 0);
    }
}

#[test]
fn two_at_once_may_both_bring_columns() {
    for _ in 0..4 {
        let place = Place::new();
        for shard in ["blue", "green", "red"] {
            let line = |index: usize| {
                format!(
                    "192.0.2.1 [03/Nov/2026:00:{:02}:{:02} +0000] \"GET /{shard} HTTP/1.1\" 200 {shard}\n",
                    index / 60,
                    index % 60
                )
            };
            place.write(
                &format!("{shard}.log"),
                (0..600).map(line).collect::<String>(),
            );
        }
        place.write("access.log", combined(0, 10));
        adds(&place, &["access.log"], 10);
        let children = ["blue", "green", "red"].map(|shard| {
            let format = format!(r#"$remote_addr [$time_local] "$request" $status $of_{shard}"#);
            place
                .command(&["ingest", "--format", &format, &format!("{shard}.log")])
                .spawn()
                .unwrap()
        });
        all_done(children.into());
        let count = place
            .floodmark(&[
                "sql",
                "-q",
                "-o",
                "csv",
                "select count(*), count(of_blue), count(of_green), count(of_red) from requests",
            ])
            .done();
        assert_eq!(count.lines().nth(1), Some("1810,600,600,600"));
    }
}

#[test]
fn a_query_while_an_ingest_runs_sees_whole_commits() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    adds(&place, &["access.log"], 10);
    place.write("long.log", combined(86_400, LONG));
    let child = place.command(&["ingest", "long.log"]).spawn().unwrap();
    let mut seen = vec![10];
    while *seen.last().unwrap() < LONG + 10 {
        seen.push(rows(&place));
        assert!(seen.len() < 1_000, "{seen:?}");
    }
    all_done(vec![child]);
    seen.dedup();
    assert_eq!(seen, [10, LONG + 10]);
}

/// Reads the table as others do, and tells what is in it.
const READER: &str = r#"
import json, sys
import pyarrow, pyarrow.compute as compute
from deltalake import DeltaTable

rows = DeltaTable(sys.argv[1]).to_pyarrow_table()
requests = rows.filter(compute.equal(rows["kind"], "request"))
utc = lambda time: time.as_py().strftime("%Y-%m-%dT%H:%M:%SZ")
print(json.dumps({
    "lines": rows.num_rows,
    "requests": requests.num_rows,
    "days": len(rows["date"].unique()),
    "paths": len(requests["path"].unique()),
    "statuses": compute.sum(requests["status"].cast(pyarrow.int64())).as_py(),
    "bytes": compute.sum(rows["line_bytes"]).as_py(),
    "first": utc(compute.min(requests["time"])),
    "last": utc(compute.max(requests["time"])),
}, sort_keys=True))
"#;

/// Compares what another reader counts in the lake with what we do; gives the counts.
#[track_caller]
pub(crate) fn agrees_with_another_reader(place: &Place) -> serde_json::Value {
    let lines = place.path("home/data/floodmark/lake/lines");
    let theirs = place.python(READER, &[lines.to_str().unwrap()]);
    assert_eq!((theirs.stderr.as_str(), theirs.code), ("", 0));
    let ours = place
        .floodmark(&[
            "sql",
            "-q",
            "-o",
            "jsonl",
            "select (select sum(line_bytes) from lines) as bytes, (select count(distinct date) from lines) as days, min(time) as first, max(time) as last, \
             (select count(*) from lines) as lines, count(distinct path) as paths, count(*) as requests, sum(status) as statuses from requests",
        ])
        .done();
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&theirs.stdout), value(&ours));
    value(&ours)
}

#[test]
fn another_reader_counts_the_same() {
    let place = Place::new();
    place.write(
        "access.log",
        [&combined(80_000, 10_000)[..], b"no line of a log\n"].concat(),
    );
    place.write("edge.log", r#"{"time":"2026-11-09T08:00:00+00:00","addr":"192.0.2.1","request":"GET /a HTTP/1.1","status":200,"shard":"\u00e4"}"#.to_owned() + "\n");
    let json = r#"escape=json {"time":"$time_iso8601","addr":"$remote_addr","request":"$request","status":$status,"shard":"$my_shard"}"#;
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    adds(&place, &["ingest", "--format", json, "edge.log"][1..], 1);
    assert_eq!(agrees_with_another_reader(&place)["lines"], 10_002);
}

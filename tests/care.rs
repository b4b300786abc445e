//! Care of the lake: whatever is done for it, and whatever happens meanwhile, its rows stay; and what is wrong with it is found.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, UNIX_EPOCH};

use floodmark_format::CompiledFormat;
use floodmark_ingest::{Intake, LineSchema, LogSettings, Secrets, Tally, TextAs, Trust};
use floodmark_source::{BlockOptions, DiscoverOptions, Feed, discover, plan};
use floodmark_store::{
    Cleaned, CompactOptions, Compacted, Error, Lake, LoadOptions, OnClean, WhichDays,
};

use crate::command::{Place, Run, combined, end, signal, wait_for};
use crate::lake::{adds, agrees_with_another_reader, files, rows};

const HOUR_MS: i64 = 3_600_000;

fn lake_folder(place: &Place) -> PathBuf {
    place.path("home/data/floodmark/lake")
}

fn lines_folder(place: &Place) -> PathBuf {
    lake_folder(place).join("lines")
}

fn parquet_files(place: &Place) -> Vec<PathBuf> {
    parquet_files_in(&lines_folder(place))
}

fn minutes_folder(place: &Place) -> PathBuf {
    lake_folder(place).join("minutes")
}

fn minute_files(place: &Place) -> Vec<PathBuf> {
    parquet_files_in(&minutes_folder(place))
}

fn parquet_files_in(table: &Path) -> Vec<PathBuf> {
    files(table, ".parquet")
        .into_iter()
        .filter(|path| !path.to_str().unwrap().contains("_delta_log"))
        .collect()
}

/// Every value of every row.
#[track_caller]
fn table(place: &Place) -> String {
    let statement = "select * from lines order by source, line_offset";
    place
        .floodmark(&["sql", "-q", "-o", "csv", statement])
        .done()
}

#[track_caller]
fn is_clean(place: &Place) -> Run {
    let run = place.floodmark(&["lake", "verify"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.ends_with("found  nothing wrong\n"), "{run:#?}");
    run
}

/// A lake of one day and so many files of so many lines.
#[track_caller]
fn of_files(count: usize, lines: usize) -> Place {
    let place = Place::new();
    let log = combined(0, count * lines);
    let bytes: Vec<usize> = newlines(&log).skip(lines - 1).step_by(lines).collect();
    for end in bytes {
        place.write("access.log", &log[..=end]);
        let run = place.floodmark(&["ingest", "access.log"]);
        assert_eq!(run.code, 0, "{run:#?}");
    }
    place
}

fn newlines(log: &[u8]) -> impl Iterator<Item = usize> {
    let bytes = log.iter().enumerate();
    bytes.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
}

async fn open(place: &Place) -> Lake {
    let lake = Lake::open(lake_folder(place).as_path()).await;
    lake.unwrap().unwrap()
}

/// When a file was written, by the file system: what stands for now in these tests.
fn written_ms(path: &PathBuf) -> i64 {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let since = modified.duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn compaction_keeps_every_value() {
    let place = of_files(3, 500);
    // Other columns: one in which values do not repeat, one that is absent from the files before.
    let format =
        r#"$remote_addr [$time_local] "$request" $status $request_time $request_id $my_shard"#;
    let line = |index: usize| {
        format!(
            "2001:db8::{:x} [02/Nov/2026:00:{:02}:{:02} +0000] \"GET /\u{e4}/{index} HTTP/1.1\" 200 0.{index:03} {index:032x} blue\n",
            index % 9,
            index / 60 % 60,
            index % 60,
        )
    };
    let others: String = (0..700).map(line).collect();
    place.write("app.log", others + "no line of a log\n\n\n");
    let ingested = place.floodmark(&["ingest", "--format", format, "app.log"]);
    assert_eq!(ingested.code, 0, "{ingested:#?}");
    let before = table(&place);
    let compacted = place.floodmark(&["lake", "compact"]).done();
    assert!(
        compacted.starts_with("put together 4 files of 1 day, ")
            && compacted.contains(" as 1 file of ")
            && compacted.contains("; 2,201 rows as before\nmerged 4 files of minutes of 1 month, "),
        "{compacted}"
    );
    assert!(table(&place) == before);
    is_clean(&place);
    let again = place.floodmark(&["lake", "compact"]).done();
    assert_eq!(again, "no day has small files to put together\n");
    agrees_with_another_reader(&place);
}

#[test]
fn a_day_of_many_small_files_is_compacted_by_ingest() {
    // More than a day should have; the commit that ends in a checkpoint looks after them.
    let place = of_files(18, 10);
    assert_eq!(parquet_files(&place).len(), 18);
    place.write("access.log", combined(0, 190));
    let run = adds(&place, &["access.log"], 10);
    assert!(
        run.stderr.contains("put together 19 files of 1 day, ")
            && run
                .stderr
                .contains("merged 19 files of minutes of 1 month, "),
        "{run:#?}"
    );
    let info = place.floodmark(&["lake", "info"]).done();
    assert!(info.contains("      files  1 file of "), "{info}");
    is_clean(&place);
}

#[tokio::test]
async fn an_ingest_between_plan_and_commit_is_kept() {
    let place = of_files(3, 100);
    // It knows the lake as it is now.
    let mut compactor = open(&place).await;
    let version = compactor.version();
    place.write("access.log", combined(0, 400));
    adds(&place, &["access.log"], 100);
    let done = compactor.compact(&CompactOptions::default(), 0).await;
    let done = done.unwrap();
    assert_eq!((done.files_before, done.rows), (3, 300));
    assert_eq!(compactor.version(), version + 2);
    assert_eq!(rows(&place), 400);
    is_clean(&place);
}

#[tokio::test]
async fn a_compaction_between_plan_and_commit_costs_an_ingest_nothing() {
    let place = of_files(3, 100);
    place.write("access.log", combined(0, 400));
    let mut lake = open(&place).await;
    let intake = planned(&place, &lake, LineSchema::new([]));
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    assert_eq!(load(&mut lake, &intake).await.unwrap().requests, 100);
    assert_eq!(rows(&place), 400);
    is_clean(&place);
    adds(&place, &["access.log"], 0);
}

#[tokio::test]
async fn lines_that_another_read_meanwhile_are_not_added_with_new_columns() {
    for new_columns in [&["of_a_shard"][..], &[]] {
        let place = of_files(2, 100);
        place.write("access.log", combined(0, 300));
        let mut lake = open(&place).await;
        let schema = LineSchema::new(new_columns.iter().copied());
        let intake = planned(&place, &lake, schema);
        adds(&place, &["access.log"], 100);
        let loaded = load(&mut lake, &intake).await;
        assert!(matches!(loaded, Err(Error::Conflict { .. })), "{loaded:?}");
        assert_eq!(rows(&place), 300);
        is_clean(&place);
    }
}

/// The new lines of access.log as an ingest has planned them.
fn planned(place: &Place, lake: &Lake, schema: LineSchema) -> Intake {
    let log = place.path("access.log").display().to_string();
    let files = discover(&[log], &DiscoverOptions::default()).unwrap().files;
    let settings = Arc::new(LogSettings {
        format: CompiledFormat::named("combined").unwrap(),
        further: Vec::new(),
        server_port: 443,
        server_name: None,
        trust: Trust::default(),
        secrets: Secrets::Redact,
    });
    let settings = files
        .iter()
        .map(|file| (file.path.clone(), Arc::clone(&settings)))
        .collect();
    let readings = plan(files, &lake.known_sources().unwrap());
    let feed = Arc::new(Feed::new(readings, BlockOptions::default()));
    Intake::new(feed, &settings, schema, TextAs::Codes)
}

async fn load(lake: &mut Lake, intake: &Intake) -> Result<Tally, Error> {
    let never = AtomicBool::new(false);
    lake.load(intake, &LoadOptions::default(), &never, &|_| {})
        .await
}

#[tokio::test]
async fn of_two_compactions_one_is_dropped() {
    let place = of_files(3, 100);
    let (mut one, mut other) = (open(&place).await, open(&place).await);
    let options = CompactOptions::default();
    assert_eq!(one.compact(&options, 0).await.unwrap().files_before, 3);
    let dropped = other.compact(&options, 0).await.unwrap();
    assert_eq!(dropped, Compacted::default());
    assert_eq!(rows(&place), 300);
    let verified = is_clean(&place);
    assert!(!verified.stdout.contains("orphans"), "{verified:#?}");
}

#[tokio::test]
async fn files_are_bounded_and_large_ones_are_left_alone() {
    let place = of_files(6, 200);
    let before = table(&place);
    let largest = parquet_files(&place)
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .max()
        .unwrap();
    let mut lake = open(&place).await;
    let options = CompactOptions {
        small_bytes: largest + 1,
        file_bytes_max: 2 * largest,
        ..CompactOptions::default()
    };
    let done = lake.compact(&options, 0).await.unwrap();
    assert_eq!((done.files_before, done.files_after), (6, 3));
    assert_eq!(lake.compact(&options, 0).await.unwrap().days, 0);
    assert!(table(&place) == before);
    is_clean(&place);
}

#[tokio::test]
async fn bytes_go_a_day_after_their_rows_and_orphans_after_a_week() {
    let place = of_files(3, 100);
    let orphan = lines_folder(&place).join("date=2026-11-02/part-of-a-crash.parquet");
    fs::write(&orphan, b"half a file").unwrap();
    let foreign = lines_folder(&place).join("notes.txt");
    fs::write(&foreign, b"not ours").unwrap();
    let verified = is_clean(&place);
    assert!(
        verified
            .stdout
            .contains("    orphans  1 file of 11 bytes, "),
        "{verified:#?}"
    );
    let now_ms = written_ms(&orphan);
    let mut lake = open(&place).await;
    lake.compact(&CompactOptions::default(), now_ms)
        .await
        .unwrap();
    let cleaned = lake.clean(now_ms + 23 * HOUR_MS, OnClean::Delete).await;
    assert_eq!(cleaned.unwrap(), Cleaned::default());
    assert_eq!(parquet_files(&place).len(), 5);
    let counted = lake.clean(now_ms + 25 * HOUR_MS, OnClean::Count).await;
    assert_eq!(counted.unwrap().files, 6, "of lines and of minutes");
    assert_eq!(parquet_files(&place).len(), 5);
    assert_eq!(minute_files(&place).len(), 4);
    let cleaned = lake.clean(now_ms + 25 * HOUR_MS, OnClean::Delete).await;
    assert_eq!(cleaned.unwrap().files, 6);
    assert_eq!(parquet_files(&place).len(), 2);
    assert_eq!(minute_files(&place).len(), 1);
    assert_eq!(rows(&place), 300);
    let cleaned = lake.clean(now_ms + 8 * 24 * HOUR_MS, OnClean::Delete).await;
    assert_eq!(cleaned.unwrap().files, 1);
    assert!(!orphan.exists() && foreign.exists());
    is_clean(&place);
}

#[tokio::test]
async fn a_log_that_was_shortened_says_the_same() {
    let place = of_files(4, 100);
    let before = table(&place);
    let commits = || files(&lines_folder(&place).join("_delta_log"), ".json");
    let newest = commits().into_iter().max().unwrap();
    let lake = open(&place).await;
    let later_ms = written_ms(&newest) + 31 * 24 * HOUR_MS;
    let cleaned = lake.clean(later_ms, OnClean::Delete).await.unwrap();
    assert_eq!(cleaned.log_files, 8, "of lines and of minutes");
    assert_eq!(commits(), [newest]);
    assert!(table(&place) == before);
    is_clean(&place);
    adds(&place, &["access.log"], 0);
    place.write("access.log", combined(0, 500));
    adds(&place, &["access.log"], 100);
    is_clean(&place);
    agrees_with_another_reader(&place);
}

#[test]
fn a_killed_compaction_leaves_a_whole_version() {
    let place = of_files(3, 20_000);
    let before = table(&place);
    for files_then in [4, 5] {
        let child = place.command(&["lake", "compact"]).spawn().unwrap();
        wait_for("new file", || {
            (parquet_files(&place).len() >= files_then).then_some(())
        });
        signal("KILL", child.id());
        end(child);
        assert!(table(&place) == before);
        is_clean(&place);
        adds(&place, &["access.log"], 0);
    }
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    assert!(table(&place) == before);
    is_clean(&place);
}

#[test]
fn readers_and_writers_during_compaction_see_whole_versions() {
    let place = of_files(4, 10_000);
    place.write("more.log", combined(50_000, 30_000));
    let ingest = place.command(&["ingest", "more.log"]).spawn().unwrap();
    for _ in 0..3 {
        let compaction = place.command(&["lake", "compact"]).spawn().unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let statement = "select count(*), count(distinct source || line_offset), sum(line_bytes) from lines";
                place
                    .command(&["sql", "-q", "-o", "csv", statement])
                    .spawn()
                    .unwrap()
            })
            .collect();
        for reader in readers {
            let seen = end(reader).done();
            let counts: Vec<u64> = seen
                .lines()
                .nth(1)
                .unwrap()
                .split(',')
                .map(|count| count.parse().unwrap())
                .collect();
            assert_eq!(counts[0], counts[1], "{seen}");
            assert!([40_000, 70_000].contains(&counts[0]), "{seen}");
        }
        let compaction = end(compaction);
        assert_eq!(compaction.code, 0, "{compaction:#?}");
    }
    let ingest = end(ingest);
    assert_eq!(ingest.code, 0, "{ingest:#?}");
    assert_eq!(rows(&place), 70_000);
    is_clean(&place);
}

#[test]
fn old_days_go_whole_and_are_not_read_again() {
    let place = Place::new();
    // From the 2nd to the 5th of November, the last day in part; blank lines in between and at the end.
    let mut log = combined(0, 3 * 86_400 + 1_000);
    log.extend_from_slice(b"\n\r\n");
    place.write("access.log", &log);
    let lines = 3 * 86_400 + 1_000;
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    let expire = |arguments: &[&str]| {
        let arguments = [&["lake", "expire", "--lines"], arguments].concat();
        place.floodmark(&arguments).done()
    };
    let said = expire(&["2026-11-04T12:00Z", "--dry-run"]);
    assert!(
        said.starts_with("   would go  172,800 rows in 2 files of "),
        "{said}"
    );
    assert_eq!(rows(&place), lines);
    // The day in which that time lies stays.
    let said = expire(&["2026-11-04T12:00Z"]);
    let (went, stays) = said.split_once("\n      stays  ").unwrap();
    assert!(went.ends_with(" bytes, 2026-11-02 to 2026-11-03"), "{said}");
    assert!(stays.starts_with("87,400 rows in 2 files of "), "{said}");
    assert_eq!(rows(&place), lines - 2 * 86_400);
    let verified = is_clean(&place);
    assert!(
        verified.stdout.contains("    waiting  2 files of "),
        "{verified:#?}"
    );
    agrees_with_another_reader(&place);
    assert!(expire(&["2026-11-04"]).starts_with("       went  no day is that old\n"));
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    assert_eq!(rows(&place), lines - 2 * 86_400);
    // What is appended is added, and old lines that come late stay until the next time.
    log.extend_from_slice(&combined(3 * 86_400 + 1_000, 10));
    log.extend_from_slice(&combined(40, 5));
    place.write("access.log", &log);
    adds(&place, &["access.log"], 15);
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    is_clean(&place);
    expire(&["2026-11-05"]);
    assert_eq!(rows(&place), 1_010);
    let verified = is_clean(&place);
    let said = "; those of 1 day are what counting its lines gives; lines of 3 days have expired\n";
    assert!(verified.stdout.contains(said), "{verified:#?}");
    agrees_with_another_reader(&place);
}

#[test]
fn a_day_with_a_damaged_file_stays_when_others_go() {
    let place = Place::new();
    let log = combined(0, 3 * 86_400 + 1_000);
    place.write("access.log", &log);
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    let file = parquet_files(&place).into_iter();
    let mut of_day = file.filter(|path| path.to_str().unwrap().contains("date=2026-11-03"));
    let file = of_day.next().unwrap();
    change(&file, |bytes| bytes[1_000] ^= 1);
    let expire = ["lake", "expire", "--lines", "2026-11-05"];
    let run = place.floodmark(&expire);
    assert_eq!(run.code, 2, "{run:#?}");
    let name = file.file_name().unwrap().to_str().unwrap();
    let said = format!(
        "warning: 2026-11-03 stays: `date=2026-11-03/{name}` is damaged: found other bytes (SHA-256 "
    );
    assert!(
        run.stderr.contains(&said)
            && run
                .stderr
                .ends_with(")\nhint: `floodmark lake verify` tells what is, and what to do\n"),
        "expected `{said}`: {run:#?}"
    );
    assert!(
        run.stdout
            .starts_with("       went  172,800 rows in 2 files of "),
        "{run:#?}"
    );
    assert_eq!(rows(&place), 86_400 + 1_000);
    // Nothing else is old; and with the file as it was, its day goes as well.
    let run = place.floodmark(&expire);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stdout.starts_with("       went  nothing\n"), "{run:#?}");
    change(&file, |bytes| bytes[1_000] ^= 1);
    is_clean(&place);
    assert_eq!(place.floodmark(&expire).code, 0);
    assert_eq!(rows(&place), 1_000);
    is_clean(&place);
    adds(&place, &["access.log"], 0);
}

#[test]
fn nothing_is_said_of_a_lake_that_is_not_there() {
    let place = Place::new();
    for command in ["info", "verify", "compact", "expire"] {
        let run = place.floodmark(&["lake", command]);
        assert_eq!((run.stdout.as_str(), run.code), ("", 2), "{run:#?}");
        assert!(
            run.stderr.starts_with("error: there is no lake in `"),
            "{run:#?}"
        );
        assert!(!place.path("home/data").exists());
    }
}

#[test]
fn an_empty_lake_is_whole() {
    let place = Place::new();
    place.write("access.log", "");
    let run = place.floodmark(&["ingest", "--format", "combined", "access.log"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let info = place.floodmark(&["lake", "info"]).done();
    assert!(
        info.contains("       rows  0 = 0 requests + 0 rejects + 0 gaps\n")
            && info.ends_with("    sources  none: nothing was ingested yet\n"),
        "{info}"
    );
    is_clean(&place);
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    assert_eq!(place.floodmark(&["lake", "expire"]).code, 0);
    is_clean(&place);
}

#[test]
fn info_counts_lines_and_finds_the_time_without_any() {
    let place = Place::new();
    place.write(
        "access.log",
        [&combined(0, 600)[..], b"\n\nno line of a log\n\n"].concat(),
    );
    place.write("late/access.log", combined(1_200, 60));
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    assert_eq!(place.floodmark(&["ingest", "late/access.log"]).code, 0);
    let info = place.floodmark(&["lake", "info"]).done();
    for expected in [
        "       rows  661 = 660 requests + 1 reject + 0 gaps\n",
        "       time  2026-11-02 00:00:00 UTC to 2026-11-02 00:20:59 UTC\n",
        "   coverage  52.38 % of 21 minutes from the first to the last\n",
        "             no source from 2026-11-02 00:10:00 UTC to 2026-11-02 00:20:00 UTC, 10 minutes\n",
        "; 1 byte in no row, as blank lines and expired ones are\n",
    ] {
        assert!(info.contains(expected), "expected `{expected}`: {info}");
    }
    let json = place.floodmark(&["lake", "info", "-o", "json"]).done();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"], 661);
    assert_eq!(json["rejects"], 1);
    assert_eq!(json["sources"].as_array().unwrap().len(), 2);
    assert_eq!(json["uncovered"][0]["end"], "2026-11-02T00:20:00.000000Z");
    is_clean(&place);
}

/// Verifies a lake of four versions after some harm was done to it; it has to find just that.
#[track_caller]
fn finds(harm: impl FnOnce(&Place), expected: &[&str]) {
    let place = of_files(2, 1_000);
    is_clean(&place);
    harm(&place);
    let run = place.floodmark(&["lake", "verify"]);
    assert_eq!(run.code, 2, "{run:#?}");
    for expected in expected {
        assert!(
            run.stdout.contains(expected),
            "expected `{expected}`: {run:#?}"
        );
    }
    let problems = run.stdout.matches("\nhint: ").count();
    assert!(problems > 0, "{run:#?}");
    let noun = if problems == 1 { "problem" } else { "problems" };
    let found = format!("      found  {problems} {noun}\n");
    assert!(run.stdout.ends_with(&found), "{run:#?}");
}

fn parquet_file(place: &Place) -> PathBuf {
    parquet_files(place).into_iter().min().unwrap()
}

fn commit(place: &Place, version: u64) -> PathBuf {
    let name = format!("_delta_log/{version:020}.json");
    lines_folder(place).join(name)
}

fn change(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    for part in 0..6 {
        finds(
            |place| {
                change(&parquet_file(place), |bytes| {
                    let at = part * (bytes.len() - 1) / 5;
                    bytes[at] ^= 0x10;
                });
            },
            &["expected bytes with the SHA-256 "],
        );
    }
}

#[test]
fn a_short_an_empty_and_a_missing_file_are_found() {
    finds(
        |place| {
            change(&parquet_file(place), |bytes| {
                bytes.truncate(bytes.len() / 2)
            })
        },
        &[" bytes, found "],
    );
    finds(
        |place| change(&parquet_file(place), Vec::clear),
        &[" bytes, found 0\nhint: bring it back from a copy"],
    );
    finds(
        |place| fs::remove_file(parquet_file(place)).unwrap(),
        &["`: expected a file of ", " bytes, found none\n"],
    );
}

#[test]
fn a_broken_commit_is_found() {
    let name = "`lines/_delta_log/00000000000000000002.json`: expected a commit, one JSON action a line, found ";
    finds(
        |place| change(&commit(place, 2), Vec::clear),
        &[&format!("{name}no bytes\n")],
    );
    finds(
        |place| change(&commit(place, 2), |bytes| bytes.truncate(bytes.len() - 7)),
        &[name],
    );
    finds(
        |place| {
            change(&commit(place, 2), |bytes| {
                let at = bytes.iter().position(|byte| *byte == b'{').unwrap();
                bytes[at] ^= 0x10;
            })
        },
        &[&format!("{name}on line 1: ")],
    );
    finds(
        |place| fs::remove_file(commit(place, 1)).unwrap(),
        &["`lines/_delta_log`: expected a commit of version 1, found none\n"],
    );
    // Cut between two actions: the rows are there, and what was read of their source is not.
    finds(
        |place| {
            change(&commit(place, 2), |bytes| {
                let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap();
                bytes.truncate(end);
            })
        },
        &["source `access.log/"],
    );
}

#[test]
fn a_broken_checkpoint_is_found() {
    let checkpoint = |place: &Place| {
        assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
        let log = lines_folder(place).join("_delta_log");
        files(&log, ".checkpoint.parquet").pop().unwrap()
    };
    finds(
        |place| change(&checkpoint(place), |bytes| bytes.truncate(100)),
        &[
            ".checkpoint.parquet`: expected a checkpoint, found ",
            "hint: delete it and `_last_checkpoint`",
        ],
    );
    finds(
        |place| {
            let path = checkpoint(place).with_file_name("_last_checkpoint");
            fs::write(path, r#"{"version":99,"size":1}"#).unwrap();
        },
        &["`lines/_delta_log/_last_checkpoint`: expected the version of a checkpoint, found 99"],
    );
}

/// Whatever bit of a checkpoint is flipped: it is refused, or found, or the answer is the same; never does a library's panic end it.
#[test]
fn a_flipped_bit_of_a_checkpoint_is_said_or_does_no_harm() {
    let place = of_files(3, 1_000);
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    let log = lines_folder(&place).join("_delta_log");
    let path = files(&log, ".checkpoint.parquet").pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let question = ["sql", "-q", "-o", "csv", "SELECT count(*) FROM requests"];
    let answer = place.floodmark(&question).stdout;
    let mut refused = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, flipped).unwrap();
        let run = place.floodmark(&question);
        let verified = place.floodmark(&["lake", "verify"]);
        let is_harmless = run.code == 0 && run.stdout == answer;
        let is_refused = run.code == 2 && run.stderr.contains("error: ");
        assert!(
            is_harmless || is_refused || verified.code == 2,
            "byte {at}: {run:#?}"
        );
        for run in [&run, &verified] {
            assert!(matches!(run.code, 0 | 2), "byte {at}: {run:#?}");
            assert!(!run.stderr.contains("panicked"), "byte {at}: {run:#?}");
        }
        assert!(
            !verified.stderr.contains("was not made for"),
            "byte {at}: {verified:#?}"
        );
        refused += usize::from(is_refused);
    }
    assert!(refused > 0);
}

/// Adds a commit that no ingest would make.
fn commit_by_hand(place: &Place, version: u64, action: &str) {
    let mut file = fs::File::create_new(commit(place, version)).unwrap();
    writeln!(file, "{action}").unwrap();
}

/// The action of a commit that adds a file.
fn added(place: &Place, version: u64) -> serde_json::Value {
    let text = fs::read_to_string(commit(place, version)).unwrap();
    let mut actions = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    actions.rfind(|action| action.get("add").is_some()).unwrap()
}

#[test]
fn a_line_that_is_there_twice_is_found() {
    finds(
        |place| {
            let mut action = added(place, 2);
            let path = action["add"]["path"].as_str().unwrap().to_owned();
            let copy = path.replace("part-", "part-again-");
            let folder = lines_folder(place);
            fs::copy(folder.join(&path), folder.join(&copy)).unwrap();
            action["add"]["path"] = copy.into();
            commit_by_hand(place, 3, &action.to_string());
        },
        &["expected one row for byte "],
    );
}

#[test]
fn a_line_that_is_not_there_is_found() {
    finds(
        |place| {
            let path = &added(place, 1)["add"]["path"];
            let remove = format!(
                r#"{{"remove":{{"path":{path},"dataChange":true,"deletionTimestamp":1}}}}"#
            );
            commit_by_hand(place, 3, &remove);
        },
        &[" of its bytes, found rows for "],
    );
}

#[test]
fn a_wrong_count_of_rows_is_found() {
    finds(
        |place| {
            let text = fs::read_to_string(commit(place, 2)).unwrap();
            let lied = text.replace(r#"\"numRecords\":1000"#, r#"\"numRecords\":1001"#);
            assert!(lied != text, "{text}");
            fs::write(commit(place, 2), lied).unwrap();
        },
        &["expected 1001 rows, as its commit says, found 1000\n"],
    );
}

#[test]
fn a_damaged_file_of_minutes_is_found() {
    let path = |place: &Place| minute_files(place).into_iter().min().unwrap();
    let hint = "\nhint: `floodmark lake rebuild` counts its days anew from their lines; ";
    finds(
        |place| change(&path(place), |bytes| bytes[200] ^= 1),
        &[
            "`minutes/month=2026-11-01/part-",
            "expected bytes with the SHA-256 ",
            hint,
        ],
    );
    finds(
        |place| change(&path(place), |bytes| bytes.truncate(300)),
        &[" bytes, found 300\n", hint],
    );
    finds(
        |place| fs::remove_file(path(place)).unwrap(),
        &[" bytes, found none\n", hint],
    );
    finds(
        |place| {
            let commit = minutes_folder(place).join(format!("_delta_log/{:020}.json", 2));
            change(&commit, |bytes| bytes.truncate(100));
        },
        &[
            "`minutes/_delta_log/00000000000000000002.json`: expected a commit, ",
            "if there is none, move the folder `minutes` away: the next ingest counts anew",
        ],
    );
}

#[test]
fn a_damaged_file_of_minutes_is_counted_anew() {
    for harm in [
        |path: &PathBuf| change(path, |bytes| bytes[200] ^= 1),
        |path: &PathBuf| change(path, |bytes| bytes.truncate(300)),
        |path: &PathBuf| fs::remove_file(path).unwrap(),
    ] {
        // Of two days, in two files.
        let place = Place::new();
        place.write("access.log", combined(86_000, 1_000));
        adds(&place, &["access.log"], 1_000);
        place.write("access.log", combined(86_000, 2_000));
        adds(&place, &["access.log"], 1_000);
        let sums = |place: &Place| {
            let sums = "select count(*), sum(total), sum(bytes), hll_count(hll_merge(clients)) from minutes";
            place.floodmark(&["sql", "-q", "-o", "csv", sums])
        };
        minute_files(&place).iter().for_each(harm);
        assert_eq!(place.floodmark(&["lake", "verify"]).code, 2);
        // A day alone cannot be: the files have minutes of the other.
        let run = place.floodmark(&["lake", "rebuild", "2026-11-03"]);
        assert_eq!(run.code, 0, "{run:#?}");
        assert!(run.stderr.ends_with("2 days rebuilt\n"), "{run:#?}");
        is_clean(&place);
        let again = Place::new();
        again.write("access.log", combined(86_000, 2_000));
        adds(&again, &["access.log"], 2_000);
        assert_eq!(sums(&place).done(), sums(&again).done());
    }
}

#[test]
fn a_damaged_file_with_minutes_of_an_expired_day_stays() {
    let place = Place::new();
    place.write("access.log", combined(86_000, 2_000));
    adds(&place, &["access.log"], 2_000);
    let expire = ["lake", "expire", "--lines", "2026-11-03"];
    assert_eq!(place.floodmark(&expire).code, 0);
    let file = minute_files(&place).remove(0);
    change(&file, |bytes| bytes[200] ^= 1);
    for command in [&["lake", "rebuild"][..], &["lake", "rebuild", "2026-11-03"]] {
        let run = place.floodmark(command);
        assert_eq!(run.code, 2, "{run:#?}");
        let said = "warning: 2026-11-03: its minutes stay as they are, since some are in a damaged file, beside those of days whose lines have expired; bring it back from a copy of the lake\n0 days rebuilt\n";
        assert!(run.stderr.ends_with(said), "{run:#?}");
    }
    change(&file, |bytes| bytes[200] ^= 1);
    is_clean(&place);
}

/// Adds the file of a commit of minutes once more.
fn count_twice(place: &Place) {
    let folder = minutes_folder(place);
    let commit = |version: u64| folder.join(format!("_delta_log/{version:020}.json"));
    let text = fs::read_to_string(commit(2)).unwrap();
    let add = text.lines().find(|line| line.contains("\"add\"")).unwrap();
    let mut action: serde_json::Value = serde_json::from_str(add).unwrap();
    let path = action["add"]["path"].as_str().unwrap().to_owned();
    let copy = path.replace("part-", "part-again-");
    fs::copy(folder.join(&path), folder.join(&copy)).unwrap();
    action["add"]["path"] = copy.into();
    fs::write(commit(3), format!("{action}\n")).unwrap();
}

#[test]
fn minutes_that_count_too_much_or_too_little_are_found() {
    finds(
        count_twice,
        &[
            "`minutes` of 2026-11-02: expected a sum of `total` of 2000, as counted from its lines, found 3000\nhint: this should not happen",
        ],
    );
    // Its lines are read, and said to be counted.
    let lost = |place: &Place| {
        let commit = minutes_folder(place).join(format!("_delta_log/{:020}.json", 2));
        let text = fs::read_to_string(&commit).unwrap();
        let actions = text.lines().filter(|line| !line.contains("\"add\""));
        let actions: Vec<&str> = actions.collect();
        fs::write(&commit, actions.join("\n")).unwrap();
    };
    finds(
        lost,
        &[
            "expected a sum of `total` of 2000, as counted from its lines, found 1000\nhint: `floodmark lake rebuild 2026-11-02` counts them anew\n",
        ],
    );
    let place = of_files(2, 1_000);
    lost(&place);
    assert_eq!(place.floodmark(&["lake", "rebuild", "2026-11-02"]).code, 0);
    is_clean(&place);
}

#[test]
fn minutes_of_lines_that_are_not_there_are_found() {
    finds(
        |place| fs::remove_file(commit(place, 2)).unwrap(),
        &[
            "expected minutes that count it up to byte ",
            "expected a sum of `total` of 1000, as counted from its lines, found 2000\n",
        ],
    );
}

#[test]
fn lines_that_are_not_counted_yet_are_no_problem() {
    let place = of_files(2, 1_000);
    let commit = minutes_folder(&place).join(format!("_delta_log/{:020}.json", 2));
    fs::remove_file(commit).unwrap();
    let verified = is_clean(&place);
    let bytes = combined(1_000, 1_000).len();
    assert!(
        verified.stdout.contains(&format!(
            "; {} bytes of sources are not counted yet, which the next ingest does",
            number(bytes as u64)
        )),
        "{verified:#?}"
    );
    // In a lake that has no table of them none are.
    fs::remove_dir_all(minutes_folder(&place)).unwrap();
    let verified = is_clean(&place);
    assert!(
        verified.stdout.contains(" are not counted yet"),
        "{verified:#?}"
    );
    adds(&place, &["access.log"], 0);
    let verified = is_clean(&place);
    assert!(
        !verified.stdout.contains(" are not counted yet"),
        "{verified:#?}"
    );
}

/// With commas, as it is shown.
fn number(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", self::number(number / 1_000), number % 1_000),
    }
}

#[test]
fn a_lake_is_verified_the_same_by_any_number_of_threads() {
    let place = of_files(6, 500);
    change(&parquet_file(&place), |bytes| bytes[500] ^= 1);
    count_twice(&place);
    let verify = |threads: &str| place.floodmark(&["lake", "verify", "--threads", threads]);
    let one = verify("1");
    assert_eq!(one.code, 2, "{one:#?}");
    for threads in ["2", "5"] {
        assert_eq!(verify(threads).stdout, one.stdout);
    }
}

/// Days, each with a run in which a log grew by a minute.
const GROWN: usize = 60;
/// Files of a table, and commits in its log, at most. Deleted are files after a day and commits after thirty, each time small files are put
/// together.
const KEPT_MAX: usize = 45;

#[tokio::test]
async fn files_and_commits_stay_few_however_often_a_minute_is_added() {
    let place = Place::new();
    place.write("access.log", combined(0, 60));
    adds(&place, &["access.log"], 60);
    let mut now_ms = written_ms(&place.path("access.log"));
    let options = CompactOptions {
        days: WhichDays::Crowded,
        ..CompactOptions::default()
    };
    let mut most = [0; 4];
    for minutes in 2..=GROWN {
        place.write("access.log", combined(0, 60 * minutes));
        let mut lake = open(&place).await;
        let intake = planned(&place, &lake, LineSchema::new([]));
        assert_eq!(load(&mut lake, &intake).await.unwrap().requests, 60);
        // As an ingest ends.
        now_ms += 24 * HOUR_MS;
        if lake.compact(&options, now_ms).await.unwrap().is_any() {
            lake.clean(now_ms, OnClean::Delete).await.unwrap();
        }
        let commits = |table: PathBuf| files(&table.join("_delta_log"), ".json").len();
        let counts = [
            parquet_files(&place).len(),
            minute_files(&place).len(),
            commits(lines_folder(&place)),
            commits(minutes_folder(&place)),
        ];
        most = std::array::from_fn(|at| most[at].max(counts[at]));
    }
    assert!(most.into_iter().all(|most| most <= KEPT_MAX), "{most:?}");
    assert_eq!(rows(&place), 60 * GROWN);
    is_clean(&place);
    agrees_with_another_reader(&place);
}

#[test]
fn a_damaged_file_is_neither_compacted_nor_hidden() {
    let place = of_files(2, 1_000);
    change(&parquet_file(&place), |bytes| bytes[1_000] ^= 1);
    let run = place.floodmark(&["lake", "compact"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .contains("` is damaged: found other bytes (SHA-256 ")
            && run.stderr.contains("hint: `floodmark lake verify`"),
        "{run:#?}"
    );
    assert_eq!(parquet_files(&place).len(), 2);
    assert_eq!(place.floodmark(&["lake", "verify"]).code, 2);
    // Nor one of minutes.
    let place = of_files(2, 1_000);
    let file = minute_files(&place).into_iter().min().unwrap();
    change(&file, |bytes| bytes[200] ^= 1);
    let run = place.floodmark(&["lake", "compact"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr.contains("error: `month=2026-11-01/part-")
            && run
                .stderr
                .contains("` is damaged: found other bytes (SHA-256 "),
        "{run:#?}"
    );
    assert_eq!(minute_files(&place).len(), 2);
}

#[test]
fn blank_lines_at_the_end_of_a_block_are_no_loss() {
    let place = Place::new();
    let mut log = Vec::new();
    for part in 0..5 {
        log.extend_from_slice(&combined(part * 20, 20));
        log.extend_from_slice(b"\n\n\r\n");
        place.write("access.log", &log);
        let run = place.floodmark(&["ingest", "access.log"]);
        assert_eq!(run.code, 0, "{run:#?}");
        is_clean(&place);
    }
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    let verified = is_clean(&place);
    assert!(
        verified
            .stdout
            .contains("1 source; 20 bytes of them read and in no row"),
        "{verified:#?}"
    );
    assert_eq!(rows(&place), 100);
}

/// Commits that are older than the files of their versions may be.
#[test]
fn a_log_of_the_table_that_is_a_day_old_is_shortened() {
    let place = Place::new();
    for lines in 1..=25 {
        place.write("access.log", combined(0, lines));
        assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
    }
    let log = lines_folder(&place).join("_delta_log");
    let files = || {
        let entries = fs::read_dir(&log).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let before = files().len();
    let modified = fs::metadata(&files()[0]).unwrap().modified().unwrap();
    for file in files() {
        let file = fs::File::options().append(true).open(file).unwrap();
        file.set_modified(modified - Duration::from_hours(25))
            .unwrap();
    }
    let compact = place.floodmark(&["lake", "compact"]).done();
    assert!(
        compact.contains("of the log, which a checkpoint stands for"),
        "{compact}"
    );
    assert!(
        files().len() < before / 2,
        "{before} files, then {}",
        files().len()
    );
    assert_eq!(rows(&place), 25);
    is_clean(&place);
    place.write("access.log", combined(0, 26));
    assert_eq!(place.floodmark(&["ingest", "-q", "access.log"]).code, 0);
    assert_eq!(rows(&place), 26);
}

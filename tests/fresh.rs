//! The lake is asked together with what live logs hold beyond it: each line once, from the moment it is written.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use floodmark_query::NamedQuery;

use crate::command::{Place, Run, combined, end, signal};
use crate::logs::TIMED;
use crate::tail::{Server, all_are_rows, committed, follow, follow_committing};

const LOG: &str = "access.log";

/// How many requests there are, how many different pages they are for, and the last of these.
const PAGES: &str = "select count(*), count(distinct path), max(cast(split_part(path, '/', 3) as int)) from requests";

#[track_caller]
fn asked(place: &Place, statement: &str) -> Run {
    let run = place.floodmark(&["sql", "-o", "csv", statement]);
    assert_eq!(run.code, 0, "{run:#?}");
    run
}

/// The numbers of an answer of one row.
#[track_caller]
fn numbers(run: &Run) -> Vec<usize> {
    let row = run.stdout.lines().nth(1).unwrap();
    row.split(',')
        .map(|number| number.parse().unwrap())
        .collect()
}

/// Asks for the pages: those numbered up to here are there, once each.
#[track_caller]
fn check(place: &Place, lines: usize) -> Run {
    let run = asked(place, PAGES);
    assert_eq!(numbers(&run), [lines, lines, lines - 1], "{run:#?}");
    run
}

/// What the follower of a log wrote down.
fn record(place: &Place) -> PathBuf {
    let lake = fs::read_dir(place.path("home/data/floodmark/lake")).unwrap();
    let mut paths = lake.map(|entry| entry.unwrap().path());
    let is_record = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    paths.find(is_record).unwrap()
}

/// A log of which `committed` lines are in the lake and as many again are not.
fn half_committed(committed: usize) -> Place {
    let place = Place::new();
    place.write(LOG, combined(0, committed));
    let run = place.floodmark(&["tail", "--once", LOG]);
    assert_eq!(run.code, 0, "{run:#?}");
    place.append(LOG, combined(committed, committed));
    place
}

/// The very next question sees a line, however seldom the follower commits, and also after it was killed.
#[test]
fn a_line_is_there_when_it_is_written() {
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(10);
    let follower = follow_committing(&place, "3600");
    all_are_rows(&place, &server);
    for _ in 0..3 {
        server.write(1);
        check(&place, server.written);
    }
    assert_eq!(committed(&place), 10);
    server.rename(2);
    server.write(3);
    check(&place, server.written);
    signal("KILL", follower.id());
    end(follower);
    server.copytruncate();
    server.write(4);
    server.rename(0);
    let run = check(&place, server.written);
    assert!(
        run.stderr.contains("+ 12 lines not yet in the lake\n"),
        "{run:#?}"
    );
    assert_eq!(committed(&place), 10);
}

#[test]
fn half_a_line_waits_for_the_rest() {
    let place = half_committed(5);
    let line = combined(10, 1);
    let (first, rest) = line.split_at(40);
    place.append(LOG, first);
    check(&place, 10);
    place.append(LOG, rest);
    check(&place, 11);
}

/// Questions while lines are written, logs rotated in all ways, and lines committed: no line is missed that was written before, none is
/// there twice, and none without those before it.
#[test]
fn each_line_once_while_logs_rotate_and_lines_are_committed() {
    const QUESTIONS: usize = 24;
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(100);
    let follower = follow(&place);
    all_are_rows(&place, &server);
    let (written, questions) = (AtomicUsize::new(server.written), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut rotations = 0;
            while !is_over.load(Ordering::Relaxed) {
                server.write(3);
                // Rotation keeps nine files: more of them than this would have it delete lines.
                if questions.load(Ordering::Relaxed) / 3 > rotations {
                    rotations += 1;
                    match rotations % 3 {
                        0 => server.copytruncate(),
                        late => server.rename(late - 1),
                    }
                }
                written.store(server.written, Ordering::Relaxed);
                thread::park_timeout(Duration::from_millis(1));
            }
        });
        // However it ends, the writer does.
        let _over = Over(&is_over);
        let mut last = 0;
        for _ in 0..QUESTIONS {
            let before = written.load(Ordering::Relaxed);
            let run = asked(&place, PAGES);
            let [rows, pages, page] = numbers(&run)[..] else {
                panic!("three numbers: {run:#?}");
            };
            assert!(rows == pages && rows == page + 1, "{run:#?}");
            assert!(
                rows >= before.max(last),
                "{rows} of {before}, {last} before: {run:#?}"
            );
            last = rows;
            questions.fetch_add(1, Ordering::Relaxed);
        }
    });
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0);
    assert_eq!(committed(&place), server.written);
    check(&place, server.written);
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What cannot be read is passed over, in one sentence.
#[track_caller]
fn check_passed_over(place: &Place, committed: usize, said: &str) {
    let run = check(place, committed);
    let said = format!("{said}; answers hold of it what is in the lake\n");
    assert!(run.stderr.starts_with(&said), "{run:#?}");
    let quiet = place.floodmark(&["sql", "-q", PAGES]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn a_log_that_is_gone() {
    let place = half_committed(5);
    fs::remove_file(place.path(LOG)).unwrap();
    let path = place.path(LOG);
    let said = format!(
        "cannot open log source `{}`: no such file or directory",
        path.display()
    );
    check_passed_over(&place, 5, &said);
}

#[test]
fn a_log_of_another_host() {
    let place = half_committed(5);
    let record = record(&place);
    let mut followed: serde_json::Value =
        serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    followed["host"] = "web2.example.org".into();
    fs::write(&record, followed.to_string()).unwrap();
    let said = format!(
        "`{}` is on the host `web2.example.org`",
        place.path(LOG).display()
    );
    check_passed_over(&place, 5, &said);
}

#[test]
fn what_a_follower_wrote_down_is_broken() {
    for (text, why) in [
        (
            "{",
            "it is not what a follower writes: EOF while parsing an object at line 1 column 1",
        ),
        (
            "",
            "it is not what a follower writes: EOF while parsing a value at line 1 column 0",
        ),
    ] {
        let place = half_committed(5);
        let record = record(&place);
        fs::write(&record, text).unwrap();
        check_passed_over(
            &place,
            5,
            &format!("cannot read `{}`: {why}", record.display()),
        );
    }
}

#[test]
fn a_batch_is_no_live_log() {
    let place = Place::new();
    place.write(LOG, combined(0, 5));
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    place.append(LOG, combined(5, 5));
    check(&place, 5);
}

/// A log that is followed by several names is read once.
#[test]
fn several_logs() {
    let place = Place::new();
    fs::create_dir(place.path("logs")).unwrap();
    for (log, first) in [("logs/a.access.log", 0), ("logs/b.access.log", 10)] {
        place.append(log, combined(first, 5));
    }
    for arguments in [
        &["logs/a.access.log", "logs/b.access.log"][..],
        &["logs/b.access.log"],
        &["logs"],
    ] {
        let run = place.floodmark(&[&["tail", "--once"], arguments].concat());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    for (log, first) in [("logs/a.access.log", 5), ("logs/b.access.log", 15)] {
        place.append(log, combined(first, 5));
    }
    // A log that nobody named comes with its folder.
    place.append("logs/c.access.log", combined(20, 5));
    let run = check(&place, 25);
    assert!(
        run.stderr.contains("+ 15 lines not yet in the lake\n"),
        "{run:#?}"
    );
    let run = asked(&place, "select sum(line_offset) from sources");
    let bytes = combined(0, 25).len();
    assert_eq!(numbers(&run), [bytes]);
}

#[test]
fn a_column_that_the_lake_does_not_have_yet() {
    let line = |second: usize, more: &str| {
        format!(
            r#"{{"time_iso8601":"2026-11-09T08:00:{second:02}+00:00","remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":200{more}}}"#
        ) + "\n"
    };
    let place = Place::new();
    place.append(
        LOG,
        (0..20).map(|second| line(second, "")).collect::<String>(),
    );
    assert_eq!(place.floodmark(&["tail", "--once", LOG]).code, 0);
    let more = (20..50).map(|second| line(second, r#","shard":"eu1""#));
    place.append(LOG, more.collect::<String>());
    let shards = "select shard, count(*) from requests group by 1 order by 1";
    let before = asked(&place, shards);
    assert_eq!(
        before.stdout, "shard,count(*)\neu1,30\n,20\n",
        "{before:#?}"
    );
    assert_eq!(place.floodmark(&["tail", "--once", LOG]).code, 0);
    assert_eq!(asked(&place, shards).stdout, before.stdout);
}

#[test]
fn rejects_and_minutes_of_what_is_not_in_the_lake() {
    let place = half_committed(90);
    place.append(LOG, "this is no line of an access log\n\n");
    let all = "select (select count(*) from requests) as requests, (select count(*) from rejects) as rejects, \
         (select sum(total) from minutes) as counted, (select count(*) from gaps) as gaps";
    let run = asked(&place, all);
    assert_eq!(numbers(&run), [180, 1, 180, 0]);
    let said = "+ 92 lines not yet in the lake, 1 of them rejected\n";
    assert!(run.stderr.ends_with(said), "{run:#?}");
    let report = place.floodmark(&["report"]);
    assert!(
        report.code == 0 && report.stderr.ends_with(said),
        "{report:#?}"
    );
    // By day, of the lake as of what is beyond it.
    let run = asked(
        &place,
        "select count(*) from lines where date = '2026-11-02'",
    );
    assert_eq!(numbers(&run), [181]);
}

/// Neither side reads more for being asked with the other.
#[test]
fn both_sides_are_pruned() {
    let place = Place::new();
    place.write(LOG, combined(0, 50));
    assert_eq!(place.floodmark(&["tail", "--once", LOG]).code, 0);
    place.append(LOG, combined(86_400, 50));
    let day = |day| {
        format!("select count(*) from requests where time >= '2026-11-{day}' and status = 200")
    };
    let run = asked(&place, &day("03"));
    assert_eq!(numbers(&run), [50]);
    assert!(
        run.stderr.contains("0 of 1 file of the lake opened"),
        "{run:#?}"
    );
    assert_eq!(numbers(&asked(&place, &day("02"))), [100]);
    let plan = asked(&place, &format!("explain {}", day("02"))).stdout;
    for expected in [
        "full_filters=[time >=",
        "pruning_predicate=",
        "StreamingTableExec: partition_sizes=",
        "projection=[], full_filters=[kind =",
    ] {
        assert!(plan.contains(expected), "{expected}: {plan}");
    }
    let run = asked(&place, "select path from requests limit 70");
    assert_eq!(run.stdout.lines().count(), 71);
}

/// Where the line ends that a byte is in.
fn line_end(log: &[u8], byte: usize) -> usize {
    byte + log[byte..].iter().position(|byte| *byte == b'\n').unwrap() + 1
}

#[track_caller]
fn answer(place: &Place, query: &str) -> String {
    let window = ["--since", "2026-11-15", "--until", "2026-11-16"];
    let asked = [&["query", "-q", "-o", "csv", query][..], &window].concat();
    without_places(&place.floodmark(&asked).done())
}

/// The rows without the cells that say where a line stands: once rotation took a log away, what follows is a source of its own.
fn without_places(rows: &str) -> String {
    let is_place = |cell: &&str| cell.starts_with("access.log/");
    let row = |row: &str| {
        let cells: Vec<&str> = row.split(',').filter(|cell| !is_place(cell)).collect();
        cells.join(",") + "\n"
    };
    rows.lines().map(row).collect()
}

/// Named queries answer as if all were in the lake, whether the rest stands in the log or rotation took it away.
#[test]
fn named_queries_answer_as_if_all_were_in_the_lake() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let log = fs::read(folder.join(LOG)).unwrap();
    let (half, more) = (
        line_end(&log, log.len() / 2),
        line_end(&log, log.len() / 4 * 3),
    );
    let tail = ["tail", "--once", "-q", "--format", TIMED, LOG];
    let begun = || {
        let place = Place::new();
        place.write(LOG, &log[..half]);
        let run = place.floodmark(&tail);
        assert_eq!(run.code, 0, "{run:#?}");
        place
    };
    let whole = begun();
    whole.append(LOG, &log[half..]);
    assert_eq!(whole.floodmark(&tail).code, 0);
    let plain = begun();
    plain.append(LOG, &log[half..]);
    let rotated = begun();
    let file = File::create(rotated.path("access.log.1.gz")).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(&log[..more]).unwrap();
    gzip.finish().unwrap();
    rotated.write(LOG, &log[more..]);
    // Which sources lines stand in is what a rotation changes.
    let is_same = |query: &&NamedQuery| query.name != "sources";
    let is_logged = |variable: &String| TIMED.contains(&format!("${variable}"));
    let queries = floodmark_query::named_queries().iter().filter(is_same);
    for query in queries.filter(|query| query.needs.iter().all(is_logged)) {
        let expected = answer(&whole, &query.name);
        for place in [&plain, &rotated] {
            let found = answer(place, &query.name);
            assert!(
                found == expected,
                "query `{}`: {found}, not {expected}",
                query.name
            );
        }
    }
}

/// What is not in the lake yet is read by the arguments of its follower, whatever those of the question are.
#[test]
fn lines_are_read_as_their_follower_reads_them() {
    let secret = |second: usize| {
        format!(
            "192.0.2.9 203.0.113.5 [09/Nov/2026:08:00:{second:02} +0000] \"GET /?token=abc HTTP/1.1\" 200\n"
        )
    };
    let place = Place::new();
    place.append(LOG, secret(1));
    let format = r#"$remote_addr $http_x_forwarded_for [$time_local] "$request" $status"#;
    let followed = ["tail", "--once", "--keep-secrets", "--port", "8443"];
    let read = [
        "--trust",
        "192.0.2.0/24",
        "--log-set",
        "shop",
        "--format",
        format,
        LOG,
    ];
    let run = place.floodmark(&[&followed[..], &read].concat());
    assert_eq!(run.code, 0, "{run:#?}");
    place.append(LOG, secret(2));
    let all = "select client, args, server_port, split_part(source, '/', 1), count(*) as lines from requests group by 1, 2, 3, 4";
    let run = asked(&place, all);
    let rows: Vec<&str> = run.stdout.lines().skip(1).collect();
    assert_eq!(rows, ["203.0.113.5,token=abc,8443,shop,2"], "{run:#?}");
}

#[test]
fn logs_that_a_configuration_names() {
    let place = Place::new();
    fs::create_dir(place.path("logs")).unwrap();
    let conf = "events {} http { server { listen 443 ssl; access_log logs/access.log combined; } }";
    place.write("nginx.conf", conf);
    place.append("logs/access.log", combined(0, 5));
    let run = place.floodmark(&["tail", "--once", "--nginx-conf", "nginx.conf"]);
    assert_eq!(run.code, 0, "{run:#?}");
    place.append("logs/access.log", combined(5, 5));
    // Asked from another folder.
    let mut command = place.command(&["sql", "-o", "csv", PAGES]);
    let run = end(command.current_dir(place.path("home")).spawn().unwrap());
    assert_eq!(numbers(&run), [10, 10, 9], "{run:#?}");
    assert!(
        run.stderr.contains("+ 5 lines not yet in the lake\n"),
        "{run:#?}"
    );
}

//! The table `minutes`: the same numbers whatever happens between its commits and those of the lines.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Place, combined, end};

/// All of the table, a row for each minute and key however many commits brought it.
const SUMMED: &str = "select minute, log_set, server_name, server_port, layer, bot, sum(total), sum(good), sum(bad), sum(shed), sum(neutral), \
    sum(status_2xx), sum(status_4xx), sum(status_none), sum(bytes), sum(request_time_sum_us), max(request_time_max_us), \
    histogram_merge(request_time_histogram), hll_merge(clients), hll_merge(bad_clients) \
    from minutes group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6";

/// Each row as it is.
const ROWS: &str =
    "select * from minutes order by minute, log_set, server_name, server_port, layer, bot";

#[track_caller]
fn asked(place: &Place, arguments: &[&str], statement: &str) -> String {
    let answer = place
        .floodmark(&[&["sql", "-q", "-o", "csv"], arguments, &[statement]].concat())
        .done();
    assert!(answer.lines().count() > 1, "{statement}: {answer}");
    answer
}

#[track_caller]
fn ingest(place: &Place, log: &str) {
    assert_eq!(place.floodmark(&["ingest", "-q", log]).code, 0);
}

/// The lake's minutes are those of the log, raw.
#[track_caller]
fn check(place: &Place, log: &str) {
    let (lake, raw) = (
        asked(place, &[], SUMMED),
        asked(place, &["--from", log], SUMMED),
    );
    assert!(lake == raw, "from the lake\n{lake}\nfrom the log\n{raw}");
}

fn table(place: &Place, name: &str) -> PathBuf {
    place.path("home/data/floodmark/lake").join(name)
}

/// The commits of a table, in order.
fn commits(table: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(table.join("_delta_log")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut commits: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    commits.sort();
    commits
}

/// Lines of some hours from late in an evening on.
fn evening(from: usize, lines: usize) -> Vec<u8> {
    combined(80_000 + from, lines)
}

#[test]
fn threads_and_raw_logs_give_the_same_rows_to_the_byte() {
    let place = Place::new();
    place.write("access.log", evening(0, 20_000));
    ingest(&place, "access.log");
    let rows = asked(&place, &[], ROWS);
    for threads in ["1", "3"] {
        let arguments = ["--threads", threads, "--from", "access.log"];
        assert_eq!(asked(&place, &arguments, ROWS), rows);
        let again = Place::new();
        again.write("access.log", evening(0, 20_000));
        let run = again.floodmark(&["ingest", "-q", "--threads", threads, "access.log"]);
        assert_eq!(run.code, 0);
        assert_eq!(asked(&again, &[], ROWS), rows);
    }
}

#[test]
fn a_crash_between_the_commits_is_made_good_once() {
    let place = Place::new();
    place.write("access.log", evening(0, 2_000));
    ingest(&place, "access.log");
    place.write("access.log", evening(0, 3_000));
    ingest(&place, "access.log");
    let minutes = table(&place, "minutes");
    let written = commits(&minutes);
    assert_eq!(written.len(), 3, "made, and two ingests");
    // Before each commit of minutes in turn, and before both.
    for lost in [1, 2] {
        for commit in commits(&minutes).iter().skip(written.len() - lost) {
            fs::remove_file(commit).unwrap();
        }
        check(&place, "access.log");
        assert_eq!(commits(&minutes).len(), written.len() - lost);
        // An ingest that has nothing to read, and one more.
        ingest(&place, "access.log");
        let made_good = commits(&minutes).len();
        assert_eq!(made_good, written.len() - lost + 1);
        check(&place, "access.log");
        ingest(&place, "access.log");
        assert_eq!(commits(&minutes).len(), made_good);
        check(&place, "access.log");
    }
    // And with more to read.
    fs::remove_file(commits(&minutes).last().unwrap()).unwrap();
    place.write("access.log", evening(0, 3_500));
    ingest(&place, "access.log");
    check(&place, "access.log");
}

#[test]
fn a_lake_without_the_table_gets_it() {
    let place = Place::new();
    place.write("access.log", evening(0, 10_000));
    ingest(&place, "access.log");
    let rows = asked(&place, &[], ROWS);
    fs::remove_dir_all(table(&place, "minutes")).unwrap();
    assert_eq!(asked(&place, &[], ROWS), rows);
    assert!(!table(&place, "minutes").exists());
    ingest(&place, "access.log");
    assert!(table(&place, "minutes").exists());
    assert_eq!(asked(&place, &[], ROWS), rows);
}

#[test]
fn late_lines_add_up() {
    let place = Place::new();
    place.write("logs/access.log", evening(500, 1_000));
    ingest(&place, "logs");
    let late = String::from_utf8(evening(0, 1_000)).unwrap();
    place.write("logs/access.log.1", late.replace("192.0.2.", "198.51.100."));
    ingest(&place, "logs");
    check(&place, "logs");
}

#[test]
fn files_of_a_month_are_merged_and_say_the_same() {
    let place = Place::new();
    for lines in 1..=40 {
        place.write("access.log", evening(0, lines));
        ingest(&place, "access.log");
    }
    check(&place, "access.log");
    let count = asked(
        &place,
        &[],
        "select count(*) from minutes where bot = 'none'",
    );
    let rows: usize = count.lines().nth(1).unwrap().parse().unwrap();
    assert!(rows < 30, "{rows} rows of 40 commits");
}

#[test]
fn two_at_once_count_each_line_once() {
    let place = Place::new();
    place.write("a/access.log", evening(0, 20_000));
    place.write("b/access.log", combined(300_000, 15_000));
    let children = ["a", "b", "a"].map(|log| place.command(&["ingest", log]).spawn().unwrap());
    for child in children {
        let run = end(child);
        assert_eq!(run.code, 0, "{run:#?}");
    }
    let raw = |log| asked(&place, &["--from", log], SUMMED);
    let rows = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let mut expected = rows(&raw("a"));
    expected.extend(rows(&raw("b")));
    expected.sort();
    let mut found = rows(&asked(&place, &[], SUMMED));
    found.sort();
    assert_eq!(found, expected);
}

/// Lets go of the lines of a day, as whoever cares for a lake does.
const EXPIRE: &str = r#"
import sys
from deltalake import DeltaTable
DeltaTable(sys.argv[1]).delete(f"date = '{sys.argv[2]}'")
"#;

/// Counts minutes as others do.
const READER: &str = r#"
import sys
import pyarrow.compute as compute
from deltalake import DeltaTable
rows = DeltaTable(sys.argv[1]).to_pyarrow_table()
probes = sum(probe["count"] for row in rows["probes"].to_pylist() for probe in row or [])
print(rows.num_rows, compute.sum(rows["total"]).as_py(), compute.sum(rows["bytes"]).as_py(), probes)
"#;

/// Compares what another reader counts in the table with what we do; gives rows, requests and bytes. It has one probe.
#[track_caller]
fn reads_the_same(place: &Place) -> String {
    let minutes = table(place, "minutes");
    let theirs = place.python(READER, &[minutes.to_str().unwrap()]).done();
    let sums = "select count(*), sum(total), sum(bytes) from minutes";
    let ours = asked(place, &[], sums);
    let ours = ours.lines().nth(1).unwrap().replace(',', " ");
    assert_eq!(theirs.trim(), format!("{ours} 1"));
    ours
}

#[test]
fn another_reader_adds_up_the_same() {
    let place = Place::new();
    let probe = "192.0.2.9 - - [02/Nov/2026:03:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"ELB-HealthChecker/2.0\"\n";
    place.write(
        "access.log",
        [&evening(0, 10_000)[..], probe.as_bytes()].concat(),
    );
    ingest(&place, "access.log");
    reads_the_same(&place);
    // And of files that were merged, in a lake that has expired.
    for lines in [11_000, 12_000] {
        place.write(
            "access.log",
            [
                &evening(0, 10_000)[..],
                probe.as_bytes(),
                &evening(10_000, lines - 10_000),
            ]
            .concat(),
        );
        ingest(&place, "access.log");
    }
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    let expire = ["lake", "expire", "--lines", "2026-11-03"];
    assert_eq!(place.floodmark(&expire).code, 0);
    let ours = reads_the_same(&place);
    assert!(ours.contains(" 12001 "), "{ours}");
}

#[test]
fn a_rebuild_gives_the_same_rows_and_refuses_days_without_their_lines() {
    let place = Place::new();
    // Of three days, in two commits.
    place.write("access.log", evening(0, 90_000));
    ingest(&place, "access.log");
    let whole = asked(&place, &[], ROWS);
    let lake = table(&place, "");
    place.write("access.log", evening(0, 120_000));
    ingest(&place, "access.log");
    let summed = asked(&place, &[], SUMMED);
    assert_eq!(place.floodmark(&["lake", "rebuild"]).code, 0);
    assert_eq!(asked(&place, &[], SUMMED), summed);
    // One row each, as if there had been one commit.
    let again = Place::new();
    again.write("access.log", evening(0, 120_000));
    ingest(&again, "access.log");
    assert_eq!(asked(&place, &[], ROWS), asked(&again, &[], ROWS));
    assert_ne!(asked(&place, &[], ROWS), whole);

    let lines = lake.join("lines");
    place
        .python(EXPIRE, &[lines.to_str().unwrap(), "2026-11-02"])
        .done();
    let rows = asked(&place, &[], ROWS);
    let run = place.floodmark(&["lake", "rebuild", "2026-11-02", "2026-11-03", "2027-01-01"]);
    assert_eq!(run.code, 2, "{run:#?}");
    for said in [
        "warning: 2026-11-02: its minutes stay as they are, since its lines have expired\n",
        "warning: 2027-01-01: its minutes stay as they are, since the lake has no lines of it\n",
        "1 day rebuilt\n",
    ] {
        assert!(run.stderr.contains(said), "expected `{said}`: {run:#?}");
    }
    assert_eq!(asked(&place, &[], ROWS), rows);
    let run = place.floodmark(&["lake", "rebuild", "yesterday"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("expected a day such as `2026-11-16`, found `yesterday`")
    );
}

#[test]
fn sketches_answer_in_sql_and_other_bytes_are_refused() {
    let place = Place::new();
    place.write("access.log", evening(0, 2_000));
    let one = |statement: &str| {
        let answer = asked(&place, &["--from", "access.log"], statement);
        answer.lines().nth(1).unwrap().to_owned()
    };
    let exact = one("select count(distinct client) from requests where bot = 'none'");
    let sketch = "select hll_count(hll_merge(clients)) from minutes where bot = 'none'";
    let (exact, found): (f64, f64) = (exact.parse().unwrap(), one(sketch).parse().unwrap());
    assert!((found / exact - 1.0).abs() < 0.1, "{found} of {exact}");
    assert_eq!(
        one("select hll_count(null), hll_error(null), histogram_count(null)"),
        "0,0.0,0"
    );
    assert_eq!(one("select histogram_quantile(null, 0.5) is null"), "true");
    let run = place.floodmark(&[
        "sql",
        "--from",
        "access.log",
        "select hll_count(arrow_cast('x', 'Binary'))",
    ]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .contains("expected a HyperLogLog as Floodmark writes it, found another version"),
        "{run:#?}"
    );
    let quantile = "select histogram_quantile(request_time_histogram, 2.0) from minutes";
    let run = place.floodmark(&["sql", "--from", "access.log", quantile]);
    assert!(
        run.stderr.contains("expected a share from 0 to 1, found 2"),
        "{run:#?}"
    );
}

//! A lake in a bucket: what is promised of one on a disk, over the protocol of S3 and through its faults.
//!
//! The other side is an S3 server of another project on loopback (`tests/s3_server.py`).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::command::{Place, Run, combined, end, signal, wait_for};

/// A Python with the packages `moto[server]`, `deltalake` and `pyarrow`.
fn python() -> std::ffi::OsString {
    std::env::var_os("FLOODMARK_TEST_PYTHON").expect(
        "FLOODMARK_TEST_PYTHON names a Python with the packages moto[server] and deltalake: run these tests with .ci/s3, which sets it",
    )
}

/// A bucket `logs`, and a folder to work in.
struct Bucket {
    place: Place,
    server: Child,
    endpoint: String,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        signal("KILL", self.server.id());
        let _ = self.server.wait();
    }
}

impl Bucket {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("server")).unwrap();
        Self::serve(place, "http")
    }

    /// One behind TLS, whose certificate is in `server/certificate`.
    fn with_tls() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("server")).unwrap();
        let arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=s3 -addext subjectAltName=IP:127.0.0.1 \
             -addext basicConstraints=critical,CA:FALSE -keyout server/key -out server/certificate";
        let made = place
            .program("openssl")
            .args(arguments.split_whitespace())
            .spawn()
            .unwrap();
        end(made).done();
        Self::serve(place, "https")
    }

    fn serve(place: Place, scheme: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/s3_server.py");
        let server = place
            .program(python())
            .args([script, place.path("server")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let port = wait_for("port of the server", || {
            fs::read_to_string(place.path("server/port")).ok()
        });
        Self {
            place,
            server,
            endpoint: format!("{scheme}://127.0.0.1:{port}"),
        }
    }

    fn with_access(&self, mut command: Command) -> Command {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "an-id")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret")
            .env("AWS_REGION", "us-east-1");
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.with_access(self.place.command(arguments));
        command.env("FLOODMARK_LAKE", "s3://logs/site/lake");
        command
    }

    #[track_caller]
    fn floodmark(&self, arguments: &[&str]) -> Run {
        end(self.command(arguments).spawn().unwrap())
    }

    /// Sets a fault of the server.
    fn set(&self, fault: &str) {
        self.place.write(&format!("server/{fault}"), "");
    }

    /// Ends one.
    fn clear(&self, fault: &str) {
        fs::remove_file(self.place.path("server").join(fault)).unwrap();
    }

    /// Waits until as many puts of commits wait as `puts`.
    fn wait_for_commits(&self, puts: usize) {
        wait_for("commits that wait", || {
            let waiting = fs::read_to_string(self.place.path("server/waiting")).ok()?;
            (waiting.lines().count() >= puts).then_some(())
        });
    }

    /// Requests so far that begin with `method` and hold `part`.
    fn requests(&self, method: &str, part: &str) -> usize {
        fs::read_to_string(self.place.path("server/requests"))
            .unwrap()
            .lines()
            .filter(|line| line.starts_with(method) && line.contains(part))
            .count()
    }

    #[track_caller]
    fn sql(&self, statement: &str) -> String {
        self.floodmark(&["sql", "-q", "-o", "csv", statement])
            .done()
    }

    /// Rows of the lake, each of them there once.
    #[track_caller]
    fn rows(&self) -> usize {
        let counts =
            self.sql("select count(*), count(distinct source || ' ' || line_offset) from lines");
        let (all, distinct) = counts.lines().nth(1).unwrap().split_once(',').unwrap();
        assert_eq!(all, distinct, "a line is in the lake twice");
        all.parse().unwrap()
    }

    #[track_caller]
    fn adds(&self, log: &str, lines: usize) {
        let run = self.floodmark(&["ingest", log]);
        assert_eq!(run.code, 0, "{run:#?}");
        let said = run.stderr.replace(',', "");
        assert!(
            said.lines()
                .any(|said| said.starts_with(&format!("{lines} line"))),
            "expected {lines} lines: {run:#?}"
        );
    }

    /// What Python's deltalake finds, and which Parquet files are in the bucket without a commit that names them.
    #[track_caller]
    fn others(&self) -> serde_json::Value {
        let mut reader = self.place.program(python());
        reader.args(["-c", READER, &self.endpoint]);
        let found = end(self.with_access(reader).spawn().unwrap()).done();
        serde_json::from_str(&found).unwrap()
    }

    /// Nothing of a lake in a bucket is left on the local disk.
    #[track_caller]
    fn leaves_nothing_here(&self) {
        let here = |folder: &str| {
            let mut names: Vec<_> = fs::read_dir(self.place.path(folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| !name.ends_with(".log"))
                .collect();
            names.sort();
            names
        };
        assert_eq!(here(""), ["home", "server"]);
        // What is remembered of logs that were read is no part of the lake.
        let of_lake = here("home").into_iter().filter(|name| name != ".cache");
        assert_eq!(of_lake.count(), 0);
    }
}

const READER: &str = r#"
import json, sys
import boto3
import pyarrow.compute as compute
from deltalake import DeltaTable

endpoint = sys.argv[1]
table = DeltaTable("s3://logs/site/lake/lines", storage_options={"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"})
rows = table.to_pyarrow_table()
keys = [
    found["Key"]
    for page in boto3.client("s3", endpoint_url=endpoint).get_paginator("list_objects_v2").paginate(Bucket="logs")
    for found in page.get("Contents", [])
]
named = {uri.removeprefix("s3://logs/") for uri in table.file_uris()}
print(json.dumps({
    "lines": rows.num_rows,
    "bytes": compute.sum(rows["line_bytes"]).as_py(),
    "paths": len(rows["path"].unique()),
    "orphans": sum(key.endswith(".parquet") and "/minutes/" not in key and key not in named for key in keys),
    "missing": sum(name not in keys for name in named),
}))
"#;

#[test]
fn the_sample_is_added_once_and_reads_the_same_everywhere() {
    let bucket = Bucket::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let sample = sample.to_str().unwrap();
    let first = bucket.floodmark(&["ingest", sample]);
    assert_eq!(first.code, 0, "{first:#?}");
    let rows = bucket.rows();
    assert!(rows > 100_000, "{rows}");
    bucket.adds(sample, 0);
    assert_eq!(bucket.rows(), rows);

    let counts = "select count(*) as lines, sum(line_bytes) as bytes, count(distinct path) as paths from lines";
    let here = bucket.place.path("here");
    let here = here.to_str().unwrap();
    let local = |arguments: &[&str]| {
        bucket
            .place
            .floodmark(&[&["--lake", here], arguments].concat())
    };
    assert_eq!(local(&["ingest", sample]).code, 0);
    let ours = bucket.sql(counts);
    assert_eq!(local(&["sql", "-q", "-o", "csv", counts]).done(), ours);
    for query in ["status", "top_paths", "uptime"] {
        let arguments = ["query", query, "-q", "-o", "csv"];
        assert_eq!(
            local(&arguments).done(),
            bucket.floodmark(&arguments).done(),
            "{query}"
        );
    }
    let report = |run: Run| {
        run.done()
            .replace(here, "LAKE")
            .replace("s3://logs/site/lake", "LAKE")
    };
    let arguments = ["report", "--json", "-"];
    assert_eq!(
        report(local(&arguments)),
        report(bucket.floodmark(&arguments))
    );

    let theirs = bucket.others();
    let numbers: Vec<_> = ["lines", "bytes", "paths"]
        .map(|name| theirs[name].to_string())
        .into();
    // A path that is NULL counts for Arrow, not for SQL.
    let mut ours: Vec<_> = ours
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let nulls = bucket.sql("select count(*) from lines where path is null");
    if nulls.lines().nth(1) != Some("0") {
        ours[2] = (ours[2].parse::<usize>().unwrap() + 1).to_string();
    }
    assert_eq!(numbers, ours);
    assert_eq!(
        (&theirs["orphans"], &theirs["missing"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn of_two_writers_at_once_one_is_refused_and_commits_again() {
    let bucket = Bucket::new();
    for (log, first, lines) in [
        ("base", 0, 10),
        ("blue", 100, 2_000),
        ("green", 90_000, 3_000),
    ] {
        bucket
            .place
            .write(&format!("{log}.log"), combined(first, lines));
    }
    bucket.adds("base.log", 10);
    bucket.set("hold");
    let writers = ["blue.log", "green.log"]
        .map(|log| bucket.command(&["ingest", "-v", log]).spawn().unwrap());
    // Both have uploaded their files, and ask for the same version.
    bucket.wait_for_commits(2);
    bucket.clear("hold");
    let runs = writers.map(end);
    assert!(runs.iter().all(|run| run.code == 0), "{runs:#?}");
    assert_eq!(
        bucket.requests("PUT", "lines/_delta_log/00000000000000000002.json 200"),
        1
    );
    assert_eq!(
        bucket.requests("PUT", "lines/_delta_log/00000000000000000002.json 412"),
        1
    );
    assert_eq!(bucket.rows(), 5_010);
    let theirs = bucket.others();
    assert_eq!(theirs["lines"], 5_010);
    assert_eq!(
        (&theirs["orphans"], &theirs["missing"]),
        (&0.into(), &0.into())
    );
    bucket.leaves_nothing_here();
}

#[test]
fn a_commit_whose_answer_is_lost_is_no_conflict() {
    let bucket = Bucket::new();
    bucket.place.write("access.log", combined(0, 10));
    bucket.place.write("more.log", combined(100, 20));
    bucket.adds("access.log", 10);
    bucket.set("lose");
    // Its repetition is refused by what the first one stored. Taken for a conflict, the commit's own files would go.
    bucket.adds("more.log", 20);
    assert!(!bucket.place.path("server/lose").exists());
    assert_eq!(bucket.rows(), 30);
    assert_eq!(bucket.others()["missing"], 0);
    bucket.adds("more.log", 0);
}

/// Kills an ingest that has uploaded its files and sent its commit, which then meets its fate by `fault`.
#[track_caller]
fn check_killed(fault: &str, rows: usize) {
    let bucket = Bucket::new();
    bucket.place.write("access.log", combined(0, 10));
    bucket.place.write("more.log", combined(100, 20_000));
    bucket.adds("access.log", 10);
    bucket.set(fault);
    let child = bucket.command(&["ingest", "more.log"]).spawn().unwrap();
    bucket.wait_for_commits(1);
    assert_eq!(bucket.rows(), 10);
    signal("KILL", child.id());
    assert_eq!(end(child).code, -1);
    bucket.clear(fault);
    wait_for("end of the put", || (bucket.rows() == rows).then_some(()));
    assert_eq!(bucket.others()["missing"], 0);
    bucket.adds("more.log", 20_010 - rows);
    assert_eq!(bucket.rows(), 20_010);
    assert_eq!(bucket.others()["missing"], 0);
    bucket.leaves_nothing_here();
}

#[test]
fn killed_between_upload_and_commit_leaves_the_table_whole() {
    check_killed("drop", 10);
}

#[test]
fn killed_after_its_commit_was_sent_adds_the_rows_once() {
    check_killed("hold", 20_010);
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let bucket = Bucket::new();
    bucket.place.write("access.log", combined(0, 10));
    bucket.set("uncondition");
    for _ in 0..2 {
        let run = bucket.floodmark(&["ingest", "access.log"]);
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(
            run.stderr
                .contains("the store of `s3://logs/site/lake` ignores the condition of a put"),
            "{run:#?}"
        );
    }
    assert_eq!(bucket.rows(), 0);
}

#[test]
fn a_lake_is_cared_for_where_it_is() {
    let bucket = Bucket::new();
    for lines in [100, 200, 300] {
        bucket.place.write("access.log", combined(0, lines));
        bucket.adds("access.log", 100);
    }
    let whole = || {
        let run = bucket.floodmark(&["lake", "verify"]);
        assert_eq!(run.code, 0, "{run:#?}");
    };
    let compacted = bucket.floodmark(&["lake", "compact"]).done();
    assert!(
        compacted.starts_with("put together 3 files of 1 day, ")
            && compacted.contains("; 300 rows as before\nmerged 3 files of minutes of 1 month, "),
        "{compacted}"
    );
    assert_eq!(bucket.rows(), 300);
    assert_eq!(bucket.others()["lines"], 300);
    assert_eq!(bucket.others()["missing"], 0);
    whole();
    let expired = bucket
        .floodmark(&["lake", "expire", "--lines", "2026-11-03"])
        .done();
    assert!(
        expired.starts_with("       went  300 rows in 1 file of "),
        "{expired}"
    );
    assert_eq!(bucket.rows(), 0);
    bucket.adds("access.log", 0);
    whole();
    bucket.leaves_nothing_here();
}

#[test]
fn a_large_file_goes_in_parts() {
    let bucket = Bucket::new();
    // Hex digits that do not repeat, so that a Parquet file of them is larger than a part.
    let mut state = 1_u64;
    let mut log = String::new();
    for line in 0..400_000 {
        let path: String = (0..4)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                format!("{state:016x}")
            })
            .collect();
        log += &format!(
            "192.0.2.1 - - [03/Nov/2026:{:02}:{:02}:{:02} +0000] \"GET /{path} HTTP/1.1\" 200 1 \"-\" \"-\"\n",
            line / 36_000,
            line / 600 % 60,
            line / 10 % 60,
        );
    }
    bucket.place.write("access.log", log);
    bucket.adds("access.log", 400_000);
    assert!(bucket.requests("PUT", "partNumber=2&") >= 1);
    assert_eq!(bucket.requests("POST", "uploadId="), 1);
    assert_eq!(
        bucket.sql("select count(distinct path) from requests"),
        "count(DISTINCT requests.path)\n400000\n"
    );
    assert_eq!(bucket.others()["paths"], 400_000);
    bucket.leaves_nothing_here();
}

#[track_caller]
fn check_refused(lake: &str, expected: &str) {
    let bucket = Bucket::new();
    bucket.place.write("access.log", combined(0, 10));
    for arguments in [&["ingest", "access.log"][..], &["query", "status"]] {
        let run = bucket.floodmark(&[&["--lake", lake], arguments].concat());
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(run.stderr.ends_with(expected), "{run:#?}");
    }
    bucket.leaves_nothing_here();
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    check_refused(
        "s3://elsewhere/lake",
        "error: cannot open the lake in `s3://elsewhere/lake`: the store says `NoSuchBucket`: The specified bucket does not exist\n\
         hint: make the bucket first, or check `AWS_REGION` and `AWS_ENDPOINT_URL`\n",
    );
}

#[test]
fn a_prefix_that_readers_would_write_differently_is_refused() {
    for lake in [
        "s3://logs/a b",
        "s3://logs//lake",
        "s3://Logs/lake",
        "s3://logs/../lake",
    ] {
        check_refused(
            lake,
            &format!(
                "error: `--lake`: expected `s3://BUCKET/PREFIX` with letters, digits, `-`, `_`, `.` and `=` in the prefix, found `{lake}`\n"
            ),
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let mut bucket = Bucket::new();
    bucket.endpoint = "http://127.0.0.1:1".to_owned();
    let run = bucket.floodmark(&["query", "status"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert_eq!(
        run.stderr,
        "error: cannot open the lake in `s3://logs/site/lake`: connection refused\n\
         hint: check the `AWS_*` settings and the network; what was committed stays, and nothing is added twice\n",
    );
}

#[test]
fn a_bucket_without_a_lake_says_so() {
    let bucket = Bucket::new();
    let run = bucket.floodmark(&["query", "status"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("error: there is no lake in `s3://logs/site/lake`\nhint: make one with"),
        "{run:#?}"
    );
}

#[test]
fn a_lake_may_fill_a_bucket() {
    let bucket = Bucket::new();
    bucket.place.write("access.log", combined(0, 10));
    for lake in ["s3://logs", "s3://logs/"] {
        let run = bucket.floodmark(&["--lake", lake, "ingest", "access.log"]);
        assert_eq!(run.code, 0, "{run:#?}");
        let count = bucket.floodmark(&[
            "--lake",
            lake,
            "sql",
            "-q",
            "-o",
            "csv",
            "select count(*) from lines",
        ]);
        assert_eq!(count.done(), "count(*)\n10\n");
    }
}

#[test]
fn over_tls_only_a_known_authority_is_believed() {
    let bucket = Bucket::with_tls();
    bucket.place.write("access.log", combined(0, 10));
    let certificate = bucket.place.path("server/certificate");
    let mut command = bucket.command(&["ingest", "access.log"]);
    let run = end(command.env("SSL_CERT_FILE", certificate).spawn().unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    let run = bucket.floodmark(&["query", "status"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stderr.contains("certificate"), "{run:#?}");
}

//! Faults: whatever goes wrong, the rows are whole commits, and after a second, undisturbed ingest they are those of an
//! undisturbed one: each line of the log once, and `lake verify` finds nothing wrong, with its minutes neither.
//!
//! | fault | test |
//! |---|---|
//! | killed at each sync, name and write | `killed` |
//! | killed at any byte of a file | `killed` |
//! | killed between the commits of lines and of minutes | `killed`, `minutes` |
//! | killed at random moments | `killed` (`FLOODMARK_TEST_KILLS` says how often), `lake` (at chosen ones) |
//! | power lost | `power`: the order of syncs, and why it suffices |
//! | disk or folder full, at any page, file and byte | `disk`, `bad_input` (in the middle of large files) |
//! | a sync that fails once | `disk` |
//! | a lake that may only be read | `disk`, `bad_input` (by its owner's will) |
//! | several ingesters of the same and of other logs | `writers`, `lake` (with columns of their own), `s3` (in a bucket) |
//! | readers during an ingest | `writers`, `lake` (during one long commit), `care` (and a compactor) |
//! | truncated, empty and bit-flipped files of the lake | `damage`, `care` (what is said of them, and what mends them) |
//! | gzip: cut at each byte, padded, concatenated, a bomb | `compressed`, `source::gzip`, `bad_input` |
//! | a line without end | `bad_input` |
//! | a log that grows, shrinks or ends in half a line | `live`, `bad_input` |
//! | SIGINT, SIGTERM, SIGHUP, a closed pipe | `live`, `command` (with a pipe that falls silent) |
//! | few file descriptors | `live` |
//! | many files | `many`, `source::seen` |
//!
//! Faults at system calls are injected by strace, small disks are tmpfs: see [`straced`] and [`Disk`](crate::bad_input::Disk).

mod compressed;
mod damage;
mod disk;
mod killed;
mod live;
mod many;
mod power;
mod writers;

use std::ffi::OsStr;
use std::process::Command;

use crate::command::{Place, Run, end};

/// The rows of a lake, with where each stands in its log, as CSV without a heading.
const ROWS: &str = "select line_offset, line_bytes, source, kind, time, client, path, args, status, body_bytes_sent, http_user_agent \
     from lines order by source, line_offset";

/// Logs, and what a lake must hold of them in the end.
pub(crate) struct Truth {
    rows: String,
}

impl Truth {
    /// The rows of an undisturbed run over logs by their names, checked against the logs' own lines.
    #[track_caller]
    pub(crate) fn of(logs: &[(&str, &[u8])]) -> Self {
        let place = Place::new();
        for (name, log) in logs {
            place.write(name, log);
            assert_eq!(place.floodmark(&["ingest", "-q", name]).code, 0);
        }
        let rows = rows(&place, &[]);
        let mut spans: Vec<String> = logs.iter().flat_map(|(_, log)| spans(log)).collect();
        let mut found: Vec<String> = rows.lines().map(span).collect();
        spans.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, spans);
        Self { rows }
    }

    /// Checks the lake that `lake` names, by default the one of the place: its rows, and all that `lake verify` looks at.
    #[track_caller]
    pub(crate) fn check(&self, place: &Place, lake: &[&str]) {
        is_whole(place, lake);
        let rows = rows(place, lake);
        assert!(
            rows == self.rows,
            "expected {} rows, found {}:\n{rows}",
            self.rows.lines().count(),
            rows.lines().count(),
        );
    }

    /// Ingests undisturbed, and checks.
    #[track_caller]
    pub(crate) fn converges(&self, place: &Place, logs: &[&str], lake: &[&str]) {
        let run = place.floodmark(&[&["ingest", "-q"], lake, logs].concat());
        assert_eq!(run.code, 0, "{run:#?}");
        self.check(place, lake);
        assert!(!is_whole(place, lake).stdout.contains(UNCOUNTED));
    }
}

/// What `lake verify` says of lines that are not in the table of minutes yet.
const UNCOUNTED: &str = " not counted yet";

/// Verifies a lake, which has to be whole.
#[track_caller]
pub(crate) fn is_whole(place: &Place, lake: &[&str]) -> Run {
    let run = place.floodmark(&[&["lake", "verify"], lake].concat());
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stdout.ends_with("found  nothing wrong\n"), "{run:#?}");
    run
}

#[track_caller]
fn rows(place: &Place, lake: &[&str]) -> String {
    let rows = place.floodmark(&[&["sql", "-q", "-o", "csv", ROWS], lake].concat());
    rows.done().split_once('\n').unwrap().1.to_owned()
}

/// How many rows a lake holds.
#[track_caller]
pub(crate) fn count(place: &Place, lake: &[&str]) -> usize {
    let count = "select count(*) from lines";
    let count = place.floodmark(&[&["sql", "-q", "-o", "csv", count], lake].concat());
    count.done().lines().nth(1).unwrap().parse().unwrap()
}

/// Offset and length of each line of a log, as a row has them.
fn spans(log: &[u8]) -> Vec<String> {
    let mut offset = 0;
    let lines = log.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| {
            let span = format!("{offset},{}", line.len());
            offset += line.len();
            span
        })
        .collect()
}

fn span(row: &str) -> String {
    row.split(',').take(2).collect::<Vec<_>>().join(",")
}

/// The command under strace, which injects faults and writes the calls it follows to the file `trace`, as `options` say.
#[track_caller]
pub(crate) fn straced(place: &Place, options: &[&str], arguments: &[&str]) -> Run {
    let mut strace = place.program("strace");
    strace.arg("-qq").arg("-o").arg(place.path("trace"));
    strace.args(options).arg("--");
    strace.arg(env!("CARGO_BIN_EXE_floodmark")).args(arguments);
    let child = strace.spawn().unwrap_or_else(|error| {
        panic!("cannot run strace: {error}\nhint: install Debian's package strace, as ./test does")
    });
    let run = end(child);
    assert!(
        !run.stderr.contains("strace: "),
        "strace may not trace\nhint: a container needs the capability SYS_PTRACE\n{run:#?}"
    );
    run
}

/// The command in a shell that first does something, such as setting a limit.
pub(crate) fn after(place: &Place, first: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut shell = place.program("sh");
    shell
        .arg("-c")
        .arg(format!("{first}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_floodmark"))
        .args(arguments);
    shell
}

//! What is wrong with a lake, and what to do.

use crate::location::MINUTES;

/// Something that is wrong with a lake. Its text says where, what was expected, what was found; then, on a line of its own, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A commit of the log cannot be read.
    #[error(
        "`{path}`: expected a commit, one JSON action a line, found {found}\nhint: bring the file back from a copy of the lake; {}",
        without_log(path)
    )]
    Commit {
        /// The file, in the lake.
        path: String,
        /// What it holds.
        found: String,
    },
    /// A commit is not there.
    #[error(
        "`{log}`: expected a commit of version {version}, found none\nhint: bring `{version:020}.json` back from a copy of the lake; {}",
        without_log(log)
    )]
    CommitMissing {
        /// The folder of the log, in the lake.
        log: String,
        /// Its version.
        version: u64,
    },
    /// The newest checkpoint cannot be read.
    #[error(
        "`{path}`: expected a checkpoint, found {found}\nhint: {}",
        if *.is_needed {
            format!("bring it back from a copy of the lake; {}", without_log(path))
        } else {
            "delete it and `_last_checkpoint`: all commits since the first are there, and say the same".to_owned()
        }
    )]
    Checkpoint {
        /// The file, in the lake.
        path: String,
        /// What it holds.
        found: String,
        /// Whether commits before it are gone, so that it alone says what they said.
        is_needed: bool,
    },
    /// The pointer to the newest checkpoint names none that is there.
    #[error(
        "`{path}`: expected the version of a checkpoint, found {found}\nhint: delete it: readers find the newest checkpoint without it"
    )]
    LastCheckpoint {
        /// The file, in the lake.
        path: String,
        /// What it holds.
        found: String,
    },
    /// The log does not make a table.
    #[error(
        "expected the log of a lake, found {found}\nhint: bring the folder back from a copy of the lake; if there is none, move the lake away and ingest the logs again"
    )]
    Log {
        /// What reading it said.
        found: String,
    },
    /// A file is not there.
    #[error(
        "`{path}`: expected a file of {bytes} bytes, found none\nhint: {}",
        without(path)
    )]
    FileMissing {
        /// The file, in the lake.
        path: String,
        /// Its bytes when it was written.
        bytes: u64,
    },
    /// A file is shorter or longer than it was.
    #[error(
        "`{path}`: expected {expected} bytes, found {found}\nhint: {}",
        without(path)
    )]
    FileSize {
        /// The file, in the lake.
        path: String,
        /// Its bytes when it was written.
        expected: u64,
        /// Its bytes now.
        found: u64,
    },
    /// A file holds other bytes than it did.
    #[error(
        "`{path}`: expected bytes with the SHA-256 {expected}, found {found}\nhint: {}",
        without(path)
    )]
    FileBytes {
        /// The file, in the lake.
        path: String,
        /// The hash when it was written.
        expected: String,
        /// The hash now.
        found: String,
    },
    /// A file cannot be read to its end.
    #[error(
        "`{path}`: expected a Parquet file, found {found}\nhint: {}",
        without(path)
    )]
    FileUnreadable {
        /// The file, in the lake.
        path: String,
        /// What reading it said.
        found: String,
    },
    /// A file has fewer or more rows than its commit says.
    #[error(
        "`{path}`: expected {expected} rows, as its commit says, found {found}\nhint: {}",
        without(path)
    )]
    FileRows {
        /// The file, in the lake.
        path: String,
        /// As its commit says.
        expected: u64,
        /// Those that it has.
        found: u64,
    },
    /// Rows that a query for their time does not find.
    #[error(
        "`{path}`: expected times of its {} and within those that its commit says, found others\nhint: {OUR_BUG}",
        if is_of_minutes(path) { "month" } else { "day" }
    )]
    FileTimes {
        /// The file, in the lake.
        path: String,
    },
    /// Rows that do not say where they stood.
    #[error(
        "`{path}`: expected a source and an offset for each row, found {rows} without\nhint: {OUR_BUG}"
    )]
    Unplaced {
        /// The file, in the lake.
        path: String,
        /// Such rows.
        rows: u64,
    },
    /// Two rows for one byte of a source.
    #[error(
        "source `{source_id}`: expected one row for byte {offset}, found another in `{path}`\nhint: {OUR_BUG}"
    )]
    Twice {
        /// The source.
        source_id: String,
        /// The offset of the byte.
        offset: u64,
        /// The file of the second of them.
        path: String,
    },
    /// Rows of a source that is not known.
    #[error(
        "source `{source_id}`: expected an offset up to which it is read, found rows only\nhint: {OUR_BUG}"
    )]
    UnknownSource {
        /// The source.
        source_id: String,
    },
    /// A row behind the offset up to which its source is read: the next ingest will add it again.
    #[error(
        "source `{source_id}`: expected rows up to byte {offset}, to which it is read, found one that ends at {found}\nhint: {OUR_BUG}"
    )]
    Beyond {
        /// The source.
        source_id: String,
        /// To which it is read.
        offset: u64,
        /// Where its last row ends.
        found: u64,
    },
    /// Rows are missing, or there are too many.
    #[error(
        "source `{source_id}`: expected rows for {expected} of its bytes, found rows for {found}\nhint: {OUR_BUG}"
    )]
    Bytes {
        /// The source.
        source_id: String,
        /// Bytes that were written as rows, and not expired.
        expected: u64,
        /// Bytes in rows.
        found: u64,
    },
    /// A file of minutes has rows that Floodmark does not write so.
    #[error(
        "`{path}`: expected each minute and key once, in their order, with sums that fit each other, found others\nhint: {}",
        without(path)
    )]
    MinuteRows {
        /// The file, in the lake.
        path: String,
    },
    /// The minutes of a day do not add up to its lines.
    #[error(
        "`minutes` of {day}: expected a sum of `{column}` of {expected}, as counted from its lines, found {found}\nhint: {}",
        if found > expected { OUR_BUG.to_owned() } else { rebuild(day) }
    )]
    MinuteSums {
        /// The day, `2026-11-16`.
        day: String,
        /// The first column that differs.
        column: String,
        /// Its sum over the lines.
        expected: i64,
        /// Its sum over the minutes.
        found: i64,
    },
    /// The minutes of a day add up to its lines, and are yet not those of its lines.
    #[error(
        "`minutes` of {day}: expected `{column}` as counted from its lines, found other values\nhint: {}",
        rebuild(day)
    )]
    MinuteValues {
        /// The day, `2026-11-16`.
        day: String,
        /// The first column that differs.
        column: String,
    },
    /// Minutes count lines that are not in the lake.
    #[error(
        "source `{source_id}`: expected minutes that count it up to byte {expected}, to which it is read, found some that count it up to {found}\nhint: a commit of `lines` is lost; ingest the logs again: lines that are counted are not counted twice"
    )]
    CountedBeyond {
        /// The source.
        source_id: String,
        /// To which it is read.
        expected: u64,
        /// To which it is counted.
        found: u64,
    },
    /// The rows are too scattered to be told apart.
    #[error(
        "`{path}`: expected rows in the order of their logs, found too many stretches to keep in memory\nhint: rows of this lake were written by something else; whether they are there once was not checked"
    )]
    Scattered {
        /// The file at which it was given up.
        path: String,
    },
}

impl Problem {
    /// Whether rows of a file were not looked at, so that some are missing elsewhere.
    pub(super) fn hides_rows(&self) -> bool {
        matches!(
            self,
            Self::FileMissing { .. }
                | Self::FileSize { .. }
                | Self::FileBytes { .. }
                | Self::FileUnreadable { .. }
                | Self::Scattered { .. }
        )
    }
}

/// What no accident of a disk explains.
const OUR_BUG: &str =
    "this should not happen; please report it, with the versions of the lake that are affected";

/// What to do where a file of rows is lost or damaged.
fn without(path: &str) -> &'static str {
    match is_of_minutes(path) {
        true => {
            "`floodmark lake rebuild` counts its days anew from their lines; of days whose lines have expired it can only be brought back from a copy of the lake"
        }
        false => {
            "bring it back from a copy of the lake; if there is none, move the lake away and ingest the logs again: the lines of this file would not be read a second time"
        }
    }
}

/// What to do where a file of the log is lost or damaged, and there is no copy.
fn without_log(path: &str) -> &'static str {
    match is_of_minutes(path) {
        true => {
            "if there is none, move the folder `minutes` away: the next ingest counts anew the lines that have not expired"
        }
        false => "if there is none, move the lake away and ingest the logs again",
    }
}

fn rebuild(day: &str) -> String {
    format!("`floodmark lake rebuild {day}` counts them anew")
}

/// Whether a path in the lake is one of the table of minutes.
fn is_of_minutes(path: &str) -> bool {
    path.strip_prefix(MINUTES)
        .is_some_and(|rest| rest.starts_with('/'))
}

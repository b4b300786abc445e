//! What is wrong with a lake, and what to do.

/// Something that is wrong with a lake. Its text says where, what was expected, what was found; then, on a line of its own, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A commit of the log cannot be read.
    #[error(
        "`{path}`: expected a commit, one JSON action a line, found {found}\nhint: bring the file back from a copy of the lake; if there is none, move the lake away and ingest the logs again"
    )]
    Commit {
        /// The file, in the table.
        path: String,
        /// What it holds.
        found: String,
    },
    /// A commit is not there.
    #[error(
        "`_delta_log`: expected a commit of version {version}, found none\nhint: bring `{version:020}.json` back from a copy of the lake; if there is none, move the lake away and ingest the logs again"
    )]
    CommitMissing {
        /// Its version.
        version: u64,
    },
    /// The newest checkpoint cannot be read.
    #[error(
        "`{path}`: expected a checkpoint, found {found}\nhint: {}",
        if *.is_needed {
            "bring it back from a copy of the lake; if there is none, move the lake away and ingest the logs again"
        } else {
            "delete it and `_last_checkpoint`: all commits since the first are there, and say the same"
        }
    )]
    Checkpoint {
        /// The file, in the table.
        path: String,
        /// What it holds.
        found: String,
        /// Whether commits before it are gone, so that it alone says what they said.
        is_needed: bool,
    },
    /// The pointer to the newest checkpoint names none that is there.
    #[error(
        "`_delta_log/_last_checkpoint`: expected the version of a checkpoint, found {found}\nhint: delete it: readers find the newest checkpoint without it"
    )]
    LastCheckpoint {
        /// What it holds.
        found: String,
    },
    /// The log does not make a table.
    #[error(
        "`_delta_log`: expected the log of a lake, found {found}\nhint: bring the folder back from a copy of the lake; if there is none, move the lake away and ingest the logs again"
    )]
    Log {
        /// What reading it said.
        found: String,
    },
    /// A file is not there.
    #[error("`{path}`: expected a file of {bytes} bytes, found none\nhint: {LOST_FILE}")]
    FileMissing {
        /// The file, in the table.
        path: String,
        /// Its bytes when it was written.
        bytes: u64,
    },
    /// A file is shorter or longer than it was.
    #[error("`{path}`: expected {expected} bytes, found {found}\nhint: {LOST_FILE}")]
    FileSize {
        /// The file, in the table.
        path: String,
        /// Its bytes when it was written.
        expected: u64,
        /// Its bytes now.
        found: u64,
    },
    /// A file holds other bytes than it did.
    #[error(
        "`{path}`: expected bytes with the SHA-256 {expected}, found {found}\nhint: {LOST_FILE}"
    )]
    FileBytes {
        /// The file, in the table.
        path: String,
        /// The hash when it was written.
        expected: String,
        /// The hash now.
        found: String,
    },
    /// A file cannot be read to its end.
    #[error("`{path}`: expected a Parquet file, found {found}\nhint: {LOST_FILE}")]
    FileUnreadable {
        /// The file, in the table.
        path: String,
        /// What reading it said.
        found: String,
    },
    /// A file has fewer or more rows than its commit says.
    #[error(
        "`{path}`: expected {expected} rows, as its commit says, found {found}\nhint: {LOST_FILE}"
    )]
    FileRows {
        /// The file, in the table.
        path: String,
        /// As its commit says.
        expected: u64,
        /// Those that it has.
        found: u64,
    },
    /// Rows that a query for their time does not find.
    #[error(
        "`{path}`: expected times of its day and within those that its commit says, found others\nhint: {OUR_BUG}"
    )]
    FileTimes {
        /// The file, in the table.
        path: String,
    },
    /// Rows that do not say where they stood.
    #[error(
        "`{path}`: expected a source and an offset for each row, found {rows} without\nhint: {OUR_BUG}"
    )]
    Unplaced {
        /// The file, in the table.
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
    /// The rows are too scattered to be told apart.
    #[error(
        "`{path}`: expected rows in the order of their logs, found too many stretches to keep in memory\nhint: rows of this lake were written by something else; whether they are there once was not checked"
    )]
    Scattered {
        /// The file at which it was given up.
        path: String,
    },
}

/// A file that is lost or damaged.
const LOST_FILE: &str = "bring it back from a copy of the lake; if there is none, move the lake away and ingest the logs again: the lines of this file would not be read a second time";
/// What no accident of a disk explains.
const OUR_BUG: &str =
    "this should not happen; please report it, with the versions of the lake that are affected";

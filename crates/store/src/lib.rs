//! The lake: Parquet files, the Delta commits that make them a table, and the table that queries read.
//!
//! Start from [`Lake`]: [`Lake::load`] takes an [`floodmark_ingest::Intake`] to its end, and each commit holds rows
//! together with the offsets they reach in their sources ([`Lake::known_sources`]). Readers see whole commits only.
//! [`Lake::lines`] is the table at one version, [`Lake::minutes`] what was counted of it by minute. [`Lake::compact`],
//! [`Lake::expire`], [`Lake::clean`] and [`verify`] keep it whole.
//!
//! Absent on purpose: this crate plans no SQL and prints nothing.

mod bounds;
mod care;
mod commit;
mod day;
mod delta_log;
mod destination;
mod durable;
mod followed;
mod hashed;
mod lake;
mod load;
mod location;
mod minutes;
mod part;
mod part_file;
mod plain_footer;
mod positions;
#[cfg(feature = "s3")]
mod s3;
mod table;
mod text_chunk;
mod window;

use std::path::PathBuf;

pub use care::{
    Cleaned, CompactOptions, Compacted, Expiry, FilesVerified, OnClean, Overview, Problem,
    SourceRead, Verified, WhichDays, verify,
};
pub use followed::{Look, Looks};
pub use lake::Lake;
pub use load::LoadOptions;
pub use location::Location;
pub use minutes::{Merged, MinutesTable, Rebuilt, Refusal, Told};
#[cfg(feature = "s3")]
pub use s3::{S3Location, S3Options};
pub use table::{FilesScanned, LakeTable};

/// What can go wrong with a lake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lake's folder cannot be read.
    #[error("cannot open the lake in `{}`", path.display())]
    Open {
        /// The lake's folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the lake cannot be written. Nothing of the open batch is in the lake.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds something that is not a lake of ours, or a broken one.
    #[error("`{}` is not a readable lake", path.display())]
    NotALake {
        /// The lake's folder.
        path: PathBuf,
        /// What was found.
        source: Box<deltalake::DeltaTableError>,
    },
    /// A file of the transaction log cannot be read.
    #[error(
        "the lake's commit `{}` is damaged\nhint: restore it from a copy of the lake, or ingest the logs into another one with `--lake DIR`",
        path.display()
    )]
    DamagedCommit {
        /// The first such file.
        path: PathBuf,
        /// What was found.
        source: Box<deltalake::DeltaTableError>,
    },
    /// A file of rows is not as long as the transaction log says.
    #[error(
        "`{path}` is damaged: expected {expected} bytes, found {found}\nhint: restore it from a copy of the lake, or ingest the logs into another one with `--lake DIR`"
    )]
    DamagedFile {
        /// The file.
        path: String,
        /// Its bytes when it was committed.
        expected: u64,
        /// Its bytes now.
        found: u64,
    },
    /// The path cannot be a folder's.
    #[error("`{}` cannot be the folder of a lake", path.display())]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// The text does not name a place in S3.
    #[cfg(feature = "s3")]
    #[error(
        "expected `s3://BUCKET/PREFIX` with letters, digits, `-`, `_`, `.` and `=` in the prefix, found `{found}`"
    )]
    NotAnS3Location {
        /// The text given.
        found: String,
    },
    /// Two writers could commit the same version, and the rows of one would be lost.
    #[cfg(feature = "s3")]
    #[error(
        "the store of `{lake}` ignores the condition of a put (`If-None-Match: *`), which keeps writers apart\nhint: use a store that honours it, or a newer version of this one; the lake can be read here"
    )]
    NoConditionalPuts {
        /// The lake.
        lake: String,
    },
    /// Another process committed since this lake was read.
    #[error("another process adds lines of the same logs to the lake")]
    Conflict {
        /// What this load had committed before.
        committed: Box<floodmark_ingest::Tally>,
    },
    /// A lake that was opened to read has no table of minutes to change.
    #[error("the lake has no table `minutes` yet\nhint: the next `floodmark ingest` makes it")]
    NoMinutes,
    /// A text is no day.
    #[error("expected a day such as `2026-11-16`, found `{found}`")]
    NotADay {
        /// The text given.
        found: String,
    },
    /// Other processes committed again and again, and this one did not get through.
    #[error(
        "other processes were faster to commit {tries} times in a row\nhint: run it again when fewer write to the lake; what was committed stays, and nothing is added twice"
    )]
    Crowded {
        /// How often a commit was tried.
        tries: u32,
    },
    /// An offset in the lake's log cannot be read.
    #[error("the lake's log holds a position that cannot be read: `{app_id}`")]
    BadPosition {
        /// The application id.
        app_id: String,
    },
    /// A file of the lake does not hold what its commit says of it.
    #[error(
        "`{}` is damaged: found {found}\nhint: `floodmark lake verify` tells what is, and what to do",
        path.display()
    )]
    Damaged {
        /// The file, in the table.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// A file was used after it was finished: a bug of ours.
    #[error("`{}` is finished already", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// Threads could not be started.
    #[error("cannot start the ingest threads: {message}")]
    Threads {
        /// What the system said.
        message: String,
    },
    /// Reading or parsing the logs failed.
    #[error(transparent)]
    Ingest(#[from] floodmark_ingest::Error),
    /// The Delta log.
    #[error("the lake's transaction log")]
    Delta(#[source] Box<deltalake::DeltaTableError>),
    /// The Delta log, below deltalake.
    #[error("the lake's transaction log")]
    Kernel(#[source] Box<buoyant_kernel::Error>),
    /// Reading the lake's own files.
    #[error("cannot read the lake's files")]
    Read(#[from] datafusion::error::DataFusionError),
    /// A Parquet file.
    #[error("a Parquet file of the lake")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// An array could not be built: a bug of ours.
    #[error("cannot build a record batch")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl From<deltalake::DeltaTableError> for Error {
    fn from(error: deltalake::DeltaTableError) -> Self {
        Self::Delta(Box::new(error))
    }
}

impl From<buoyant_kernel::Error> for Error {
    fn from(error: buoyant_kernel::Error) -> Self {
        Self::Kernel(Box::new(error))
    }
}

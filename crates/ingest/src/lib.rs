//! Log lines to Arrow record batches, in parallel.
//!
//! Start from [`Intake`]: any number of threads pull blocks from one [`floodmark_source::Feed`] and get rows of one
//! [`LineSchema`] back, with a [`Tally`] in which `lines = requests + rejects + blank`. A text value is a view into
//! the block that was read, so a line's bytes are not copied on the way to a column.
//!
//! ```
//! use floodmark_ingest::LineSchema;
//! let schema = LineSchema::new(["remote_addr", "request", "status", "request_id"]);
//! assert!(schema.columns().iter().any(|column| column.name == "request_id"));
//! ```
//!
//! Absent on purpose: this crate writes no files and knows neither Delta Lake nor DataFusion.

mod batch;
mod client;
mod columns;
mod condition;
mod dictionary;
mod gap;
mod intake;
mod minutes;
mod nuls;
mod recipe;
mod relay;
mod rows;
mod scratch;
mod secrets;
mod tally;
mod texts;
mod value_set;
mod zone;

pub use client::Trust;
/// The version of the rules behind the columns `bot` and `bot_rule`.
pub use floodmark_traffic::row::RULES_VERSION;

pub use columns::{Column, ColumnType, LineSchema, Origin, Presence};
pub use condition::Condition;
pub use dictionary::Dictionary;
pub use gap::{Gap, UNREAD_END};
pub use intake::Intake;
pub use minutes::MinuteCounts;
pub use nuls::{NUL_BYTES, UTF_16};
pub use recipe::{LogSettings, Secrets};
pub use rows::{LINE_TOO_LONG, LineBatch};
pub use scratch::{Scratch, TextAs};
pub use secrets::{REDACTED, redact};
pub use tally::{FormatLines, REJECT_SAMPLES_MAX, RejectSample, Rejects, Tally};
pub use value_set::{NumberSet, TextSet, ValueSet};

/// What can go wrong on the way from a block to a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array could not be built: a bug of ours.
    #[error("cannot build a record batch")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The feed gave a file that no settings were given for: a bug of ours.
    #[error("no log settings for `{}`", path.display())]
    NoSettings {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A batch is not one of the table `minutes`.
    #[error("expected rows of the table `minutes`, found none of its column `{column}`")]
    NotMinutes {
        /// The first column that is missing or of another type.
        column: &'static str,
    },
    /// A sketch of the table `minutes` cannot be read.
    #[error(transparent)]
    Sketch(#[from] floodmark_traffic::Error),
    /// A trusted range is not one.
    #[error("expected an address range such as `192.0.2.0/24`, found `{found}`")]
    NotARange {
        /// The text given.
        found: String,
    },
}

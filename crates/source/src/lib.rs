//! Log sets and their files: what there is, which bytes of it are new, and blocks of whole lines with their offsets.
//!
//! Three steps: [`discover`] turns what the user named into [`LogFile`]s, and [`discover_sets`] what a server is known
//! to write; [`plan`] finds out, from bytes alone, which
//! source each belongs to and where its unread bytes begin; a [`Feed`] gives those bytes out to any number of threads
//! as [`Piece`]s and says how far each source has been given out. That is what has to be committed with the rows made
//! of them, and comes back into `plan` as [`KnownSource`]s next time.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # std::fs::write(folder.join("access.log"), "two\nthree\n")?;
//! # std::fs::write(folder.join("access.log.1"), "one\n")?;
//! use floodmark_source::{BlockOptions, DiscoverOptions, Feed, Piece, discover, plan};
//!
//! let found = discover(&[folder.display().to_string()], &DiscoverOptions::default())?;
//! let feed = Feed::new(plan(found.files, &[]), BlockOptions::default());
//! let mut lines = Vec::new();
//! while let Some(piece) = feed.next() {
//!     if let Piece::Lines(block) = piece {
//!         lines.extend(block.bytes);
//!     }
//! }
//! assert_eq!(lines, b"one\ntwo\nthree\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All offsets count decompressed bytes. Memory is constant however long a file or a line is. Nothing here parses a
//! line, maps a file into memory, or reads a clock. A live log is followed by doing all of it again; [`Follower`] tells
//! what has become of it since. A [`Snapshot`] holds on to what is
//! new at one moment, for who reads it more than once.

mod blocks;
mod content;
mod discover;
mod entry;
mod error;
mod feed;
mod follow;
mod gzip;
mod identity;
mod input;
mod ledger;
mod log_file;
mod logrotate;
mod plan;
mod sample;
mod seen;
mod snapshot;
mod sniff;

pub use blocks::{Block, BlockOptions, BlockReader, LastLine, LongLine, Piece};
pub use discover::{DiscoverOptions, Discovery, SkipReason, Skipped, discover, discover_sets};
pub use error::Error;
pub use feed::{Feed, Progress};
pub use follow::{Followed, Follower, Lost, Moment};
pub use identity::{ANCHOR_BYTES, KnownSource, SourceId, SourcePosition, anchor};
pub use log_file::{Compression, FileIdentity, LogFile, Rotation};
pub use logrotate::copytruncated;
pub use plan::{Outcome, Reading, Segment, plan};
pub use sample::{Extent, Sample, sample};
pub use seen::Seen;
pub use snapshot::Snapshot;

//! Care of a lake: small files put together, old days let go, bytes that nothing needs removed, everything checked.
//!
//! Whatever changes the table is one commit, built on the version it was planned on; of two writers one is refused and
//! plans again. Bytes are deleted later, by [`Lake::clean`](crate::Lake::clean) alone: a reader of an older version finds its files for a
//! day. So a crash at any moment leaves a whole version, and at worst files that nothing names.

mod clean;
mod compact;
mod expire;
mod files;
mod overview;
mod recode;
mod rewrite;
mod stored;
mod verify;

pub use clean::{Cleaned, OnClean};
pub use compact::{CompactOptions, Compacted, WhichDays};
pub use expire::Expiry;
pub(crate) use files::LakeFile;
pub use overview::{Overview, SourceRead};
pub(crate) use verify::damaged_commit;
pub use verify::{FilesVerified, Problem, Verified, verify};

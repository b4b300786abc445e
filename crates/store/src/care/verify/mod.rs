//! Everything a lake promises, looked at: its log, its files to the last page, and that rows tile their sources.
//!
//! A row says which bytes of which source it stands for. Each byte may be in one row only. Not every byte is in a row: blank lines that
//! end a block are in none, and expired lines are gone. So each commit says how many bytes of a source are in rows, and expiry takes
//! off what it removes: the rows of a source have to add up to just that, wherever in it they stand. Compaction changes nothing of it.

mod file;
mod log;
mod problem;
mod tiles;

use std::collections::{HashMap, HashSet};

use arrow::array::AsArray;
use buoyant_kernel::actions::LOG_REMOVE_SCHEMA;
use futures::TryStreamExt;
use object_store::path::Path;

pub(crate) use log::damaged_commit;
pub use problem::Problem;

use self::file::FileCheck;
use self::tiles::Tiles;
use super::clean::is_ours;
use super::files::LakeFile;
use crate::location::{LINES, Location, Root};
use crate::{Error, Lake};

/// Problems that are kept: a lake with more is beyond mending one by one.
const PROBLEMS_MAX: usize = 1_000;

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The version; `None` if there is no lake, or none that can be read.
    pub version: Option<u64>,
    /// Files of that version.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
    /// Sources.
    pub sources: u64,
    /// Bytes of sources that are read and in no row: blank lines, or expired.
    pub bytes_without_row: u64,
    /// Sources whose bytes in rows were never recorded, so that a missing row would not show.
    pub unrecorded_sources: u64,
    /// Files without a recorded hash, so that they were only read.
    pub unhashed_files: u64,
    /// Files that were replaced or expired, and wait for their deletion.
    pub waiting_files: u64,
    /// Bytes of them.
    pub waiting_bytes: u64,
    /// Files that no commit names: a crash leaves them, and they do no harm.
    pub orphans: u64,
    /// Bytes of them.
    pub orphan_bytes: u64,
    /// What is wrong; at most a thousand.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more_problems: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn found(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }
}

/// Verifies the lake at a place; one that is not there has nothing wrong with it.
///
/// Memory is that of a batch of rows and of the stretches of sources, whatever the lake holds.
///
/// # Errors
///
/// The place cannot be read at all. What is wrong with a lake is no error: see [`Verified::problems`].
pub async fn verify(at: impl Into<Location>) -> Result<Verified, Error> {
    let location = at.into();
    let root = Root::new(&location)?;
    let mut verified = Verified::default();
    if !root.has_log(LINES).await? {
        return Ok(verified);
    }
    let store = root.table(LINES)?.log_store().object_store(None);
    let listed = log::problems(&store).await;
    for problem in listed.map_err(deltalake::DeltaTableError::from)? {
        verified.found(problem);
    }
    match Lake::open(location).await {
        Ok(Some(lake)) => lake.verify_into(&mut verified).await?,
        Ok(None) => {}
        Err(Error::NotALake { source, .. }) if verified.is_clean() => {
            verified.found(Problem::Log {
                found: source.to_string(),
            });
        }
        // Said already, file by file.
        Err(Error::NotALake { .. } | Error::DamagedCommit { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(verified)
}

impl Lake {
    async fn verify_into(&self, verified: &mut Verified) -> Result<(), Error> {
        let store = self.store();
        let files = self.files().await?;
        let listed = self.listed(&files, verified).await?;
        verified.version = Some(self.version());
        verified.files = files.len() as u64;
        verified.bytes = files.iter().map(LakeFile::bytes).sum();
        let mut tiles = Tiles::default();
        let mut is_whole = true;
        for file in &files {
            let check = FileCheck {
                file,
                size: listed.get(&file.path()).copied(),
                store: &store,
                tiles: &mut tiles,
            };
            let checked = check.run().await;
            verified.rows += checked.rows;
            verified.unhashed_files += u64::from(file.sha256().is_none());
            is_whole &= checked.is_whole;
            for problem in checked.problems {
                verified.found(problem);
            }
        }
        self.sources_into(&tiles, is_whole, verified)
    }

    /// Sizes of all files that lie in the table's folder, and a count of those that this version does not need.
    async fn listed(
        &self,
        files: &[LakeFile],
        verified: &mut Verified,
    ) -> Result<HashMap<Path, u64>, Error> {
        let active: HashSet<Path> = files.iter().map(LakeFile::path).collect();
        let removed = self.removed()?;
        let mut sizes = HashMap::new();
        let store = self.store();
        let mut listing = store.list(None);
        while let Some(meta) = listing
            .try_next()
            .await
            .map_err(deltalake::DeltaTableError::from)?
        {
            if active.contains(&meta.location) {
                sizes.insert(meta.location, meta.size);
            } else if removed.contains(meta.location.as_ref()) {
                verified.waiting_files += 1;
                verified.waiting_bytes += meta.size;
            } else if is_ours(meta.location.as_ref()) {
                verified.orphans += 1;
                verified.orphan_bytes += meta.size;
            }
        }
        Ok(sizes)
    }

    /// The paths of files that the log says are removed.
    fn removed(&self) -> Result<HashSet<String>, Error> {
        let mut removed = HashSet::new();
        self.log().for_each_batch(&LOG_REMOVE_SCHEMA, |batch| {
            let removes = batch.column_by_name("remove");
            let paths = removes
                .and_then(|removes| removes.as_struct_opt()?.column_by_name("path"))
                .and_then(|paths| paths.as_string_opt::<i32>());
            removed.extend(paths.into_iter().flatten().flatten().map(str::to_owned));
        })?;
        Ok(removed)
    }

    /// Compares what the rows stand for with how far sources are read. Where files cannot be read, what is missing is no news.
    fn sources_into(
        &self,
        tiles: &Tiles,
        is_whole: bool,
        verified: &mut Verified,
    ) -> Result<(), Error> {
        let positions = self.positions()?;
        let in_rows = tiles.bytes();
        for source in in_rows.keys() {
            if positions.get(source).is_none() {
                verified.found(Problem::UnknownSource {
                    source_id: source.clone(),
                });
            }
        }
        for (source, position) in positions.iter() {
            let found = in_rows.get(source).copied().unwrap_or_default();
            let offset = position.known.offset;
            verified.sources += 1;
            verified.bytes_without_row += offset.saturating_sub(found);
            if let Some(end) = tiles.end(source).filter(|end| *end > offset) {
                verified.found(Problem::Beyond {
                    source_id: source.to_owned(),
                    offset,
                    found: end,
                });
            }
            match position.row_bytes {
                Some(expected) if is_whole && expected != found => {
                    verified.found(Problem::Bytes {
                        source_id: source.to_owned(),
                        expected,
                        found,
                    });
                }
                Some(_) => {}
                None => verified.unrecorded_sources += 1,
            }
        }
        Ok(())
    }
}

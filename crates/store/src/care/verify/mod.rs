//! Everything a lake promises, looked at: its logs, its files to the last page, that rows tile their sources, and that minutes count them.
//!
//! A row says which bytes of which source it stands for. Each byte may be in one row only. Not every byte is in a row: blank lines that
//! end a block are in none, and expired lines are gone. So each commit says how many bytes of a source are in rows, and expiry takes
//! off what it removes: the rows of a source have to add up to just that, wherever in it they stand. Compaction changes nothing of it.
//!
//! The minutes of a day have to be what counting its lines gives, to the byte of each sketch, where its lines are all there. Of days that
//! have expired there is nothing to compare with. Lines that are read and not counted yet, as a crash between the two commits leaves
//! them, are no problem: they are counted here as every reader counts them.

mod file;
mod line_rows;
mod log;
mod minute_rows;
mod problem;
mod tiles;

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;

use arrow::array::AsArray;
use buoyant_kernel::actions::LOG_REMOVE_SCHEMA;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use object_store::path::Path;

pub(crate) use log::damaged_commit;
pub use problem::Problem;

use self::file::{FileCheck, FileChecked, RowCheck};
use self::line_rows::LineRows;
use self::minute_rows::MinuteRows;
use self::tiles::Tiles;
use super::files::{LakeFile, LogTable};
use crate::day::Day;
use crate::location::{LINES, Location, MINUTES, Root};
use crate::minutes::Compared;
use crate::{Error, Lake};

/// Problems that are kept: a lake with more is beyond mending one by one.
const PROBLEMS_MAX: usize = 1_000;

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The version; `None` if there is no lake, or none that can be read.
    pub version: Option<u64>,
    /// The files of lines.
    pub lines: FilesVerified,
    /// The files of minutes.
    pub minutes: FilesVerified,
    /// Sources.
    pub sources: u64,
    /// Bytes of sources that are read and in no row: blank lines, or expired.
    pub bytes_without_row: u64,
    /// Sources whose bytes in rows were never recorded, so that a missing row would not show.
    pub unrecorded_sources: u64,
    /// Days whose minutes are what counting their lines gives.
    pub days_counted: u64,
    /// Days whose lines have expired, so that nothing tells what their minutes should be.
    pub days_expired: u64,
    /// Bytes of sources that are read and not counted by minute yet: the next ingest does that, and every reader until then.
    pub uncounted_bytes: u64,
    /// What is wrong; at most a thousand.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more_problems: u64,
}

/// What was looked at of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilesVerified {
    /// Files of its version.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
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

/// Verifies the lake at a place, `threads` files at once; one that is not there has nothing wrong with it. It runs on a runtime of as many threads.
///
/// Memory is that of a batch of rows a thread, of the stretches of sources, and of the minutes of a day, whatever the lake holds.
///
/// # Errors
///
/// The place cannot be read at all. What is wrong with a lake is no error: see [`Verified::problems`].
pub async fn verify(at: impl Into<Location>, threads: usize) -> Result<Verified, Error> {
    let location = at.into();
    let root = Root::new(&location)?;
    let mut verified = Verified::default();
    if !root.has_log(LINES).await? {
        return Ok(verified);
    }
    for table in [LINES, MINUTES] {
        if root.has_log(table).await? {
            let store = root.table(table)?.log_store().object_store(None);
            let problems = log::problems(&store, &format!("{table}/")).await;
            for problem in problems.map_err(deltalake::DeltaTableError::from)? {
                verified.found(problem);
            }
        }
    }
    let read = read_into(&mut verified, location, threads.max(1));
    match AssertUnwindSafe(read).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(Error::NotALake { source, .. })) if verified.is_clean() => {
            verified.found(Problem::Log {
                found: source.to_string(),
            });
        }
        // What the libraries cannot read, they may also panic at.
        Err(_) if verified.is_clean() => {
            verified.found(Problem::Log {
                found: "what no log has".to_owned(),
            });
        }
        // Said already, file by file.
        Ok(Err(Error::NotALake { .. } | Error::DamagedCommit { .. })) | Err(_) => {}
        Ok(Err(error)) => return Err(error),
    }
    Ok(verified)
}

/// Looks at all that the log of the lake leads to.
async fn read_into(
    verified: &mut Verified,
    location: Location,
    threads: usize,
) -> Result<(), Error> {
    match Lake::open(location).await? {
        Some(lake) => lake.verify_into(verified, threads).await,
        None => Ok(()),
    }
}

/// The partitions whose rows were not all read and found to be right.
type Unsound = BTreeSet<Day>;

impl Lake {
    async fn verify_into(&self, verified: &mut Verified, threads: usize) -> Result<(), Error> {
        verified.version = Some(self.version());
        let unsound_days = self.lines_into(verified, threads).await?;
        let unsound_months = self.minutes_into(verified, threads).await?;
        self.days_into(verified, &unsound_days, &unsound_months, threads)
            .await
    }

    async fn lines_into(&self, verified: &mut Verified, threads: usize) -> Result<Unsound, Error> {
        let table = self.line_table();
        let files = table.files().await?;
        table.files_into(&files, &mut verified.lines).await?;
        let (mut tiles, mut unsound) = (Tiles::default(), Unsound::new());
        let mut is_whole = true;
        let mut checks = table.checks::<LineRows>(files, threads);
        while let Some(checked) = checks.next().await {
            let mut problems = checked.problems;
            match tiles.merge(checked.check.tiles) {
                Ok(twice) => problems.extend(twice.into_iter().map(|(source_id, offset)| {
                    let path = checked.path.clone();
                    Problem::Twice {
                        source_id,
                        offset,
                        path,
                    }
                })),
                Err(_) => problems.push(Problem::Scattered { path: checked.path }),
            }
            verified.lines.rows += checked.rows;
            is_whole &= !problems.iter().any(Problem::hides_rows);
            if !problems.is_empty() {
                unsound.insert(checked.day);
            }
            problems
                .into_iter()
                .for_each(|problem| verified.found(problem));
        }
        self.sources_into(&tiles, is_whole, verified)?;
        Ok(unsound)
    }

    async fn minutes_into(
        &self,
        verified: &mut Verified,
        threads: usize,
    ) -> Result<Unsound, Error> {
        let mut unsound = Unsound::new();
        let Some(table) = self.minute_table() else {
            return Ok(unsound);
        };
        let files = table.files().await?;
        table.files_into(&files, &mut verified.minutes).await?;
        let mut checks = table.checks::<MinuteRows>(files, threads);
        while let Some(checked) = checks.next().await {
            verified.minutes.rows += checked.rows;
            for problem in checked.problems {
                unsound.insert(checked.day);
                verified.found(problem);
            }
        }
        Ok(unsound)
    }

    /// Compares the minutes of each day with its lines. Where files cannot be read, what is missing is no news.
    async fn days_into(
        &self,
        verified: &mut Verified,
        unsound_days: &Unsound,
        unsound_months: &Unsound,
        threads: usize,
    ) -> Result<(), Error> {
        for (source_id, read_to, counted_to) in self.counted_otherwise()? {
            match counted_to.checked_sub(read_to) {
                Some(_) => verified.found(Problem::CountedBeyond {
                    source_id,
                    expected: read_to,
                    found: counted_to,
                }),
                None => verified.uncounted_bytes += read_to - counted_to,
            }
        }
        let Some(comparison) = self.comparison(threads).await? else {
            return Ok(());
        };
        for day in comparison.days() {
            if unsound_days.contains(&day) || unsound_months.contains(&day.month()) {
                continue;
            }
            let name = day.text().unwrap_or_else(|| "no day".to_owned());
            match comparison.day(day).await? {
                None => {}
                Some(Compared::Equal) => verified.days_counted += 1,
                Some(Compared::Expired) => verified.days_expired += 1,
                Some(Compared::OtherSums {
                    column,
                    expected,
                    found,
                }) => verified.found(Problem::MinuteSums {
                    day: name,
                    column,
                    expected,
                    found,
                }),
                Some(Compared::OtherValues { column }) => {
                    verified.found(Problem::MinuteValues { day: name, column });
                }
            }
        }
        Ok(())
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

impl LogTable<'_> {
    /// Looks at all files, `threads` at once; what was seen of each comes in their order.
    fn checks<R>(
        self,
        files: Vec<LakeFile>,
        threads: usize,
    ) -> impl Stream<Item = FileChecked<R>> + Unpin
    where
        R: RowCheck + Default + Send + 'static,
    {
        let checks = files.into_iter().map(move |file| {
            let check = FileCheck::new(file, &self);
            async { tokio::spawn(check.run(R::default())).await }
        });
        // Tasks and not a pool of their own: a file in a bucket is mostly waited for.
        let checks = stream::iter(checks).buffered(threads);
        checks.map(|checked| checked.expect("a look at a file is not cancelled and has no panic"))
    }

    /// Counts the files of this version, and those in the table's folder that it does not need.
    async fn files_into(
        &self,
        files: &[LakeFile],
        verified: &mut FilesVerified,
    ) -> Result<(), Error> {
        verified.files = files.len() as u64;
        verified.bytes = files.iter().map(LakeFile::bytes).sum();
        let unhashed = files.iter().filter(|file| file.sha256().is_none());
        verified.unhashed_files = unhashed.count() as u64;
        let active: HashSet<Path> = files.iter().map(LakeFile::path).collect();
        let removed = self.removed()?;
        let store = self.store();
        let mut listing = store.list(None);
        while let Some(meta) = listing
            .try_next()
            .await
            .map_err(deltalake::DeltaTableError::from)?
        {
            if active.contains(&meta.location) {
                continue;
            } else if removed.contains(meta.location.as_ref()) {
                verified.waiting_files += 1;
                verified.waiting_bytes += meta.size;
            } else if self.is_ours(meta.location.as_ref()) {
                verified.orphans += 1;
                verified.orphan_bytes += meta.size;
            }
        }
        Ok(())
    }

    /// The paths of files that the log says are removed.
    fn removed(&self) -> Result<HashSet<String>, Error> {
        let mut removed = HashSet::new();
        self.log.for_each_batch(&LOG_REMOVE_SCHEMA, |batch| {
            let removes = batch.column_by_name("remove");
            let paths = removes
                .and_then(|removes| removes.as_struct_opt()?.column_by_name("path"))
                .and_then(|paths| paths.as_string_opt::<i32>());
            removed.extend(paths.into_iter().flatten().flatten().map(str::to_owned));
        })?;
        Ok(removed)
    }
}

//! The small files of a day put together, and of minutes those of a month.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;

use super::files::LakeFile;
use super::rewrite::rewrite;
use crate::commit::{CONFLICTS_MAX, add, keeping};
use crate::day::Day;
use crate::destination::Destination;
use crate::lake::{DATE, TIME};
use crate::minutes::Merged;
use crate::part::Written;
use crate::{Error, Lake};

/// Which days of lines and months of minutes are compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhichDays {
    /// All that have two small files.
    #[default]
    All,
    /// Those that have more small files than [`CompactOptions::small_files_max`], and of these only as many files as
    /// keep the work small: however often this is done, a row is rewritten a few times at most.
    Crowded,
}

/// How a lake is compacted.
#[derive(Debug, Clone)]
pub struct CompactOptions {
    /// Which days; default all.
    pub days: WhichDays,
    /// Files below this many bytes are small; default 32 MiB. Reading one costs so much more than opening it that larger ones
    /// gain nothing.
    pub small_bytes: u64,
    /// Small files of a day that are no crowd; default 16. A query that opens so many spends about as long on their footers as on being planned.
    pub small_files_max: usize,
    /// Bytes of files that become one, at most, and so about the size of the largest; default 256 MiB, which a reader
    /// of another kind still loads as a whole.
    pub file_bytes_max: u64,
    /// Threads that merge minutes; default 1.
    pub threads: usize,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self {
            days: WhichDays::default(),
            small_bytes: 32 << 20,
            small_files_max: 16,
            file_bytes_max: 256 << 20,
            threads: 1,
        }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Days with files that were put together.
    pub days: u64,
    /// Files that were, and their bytes.
    pub files_before: u64,
    /// Bytes of these.
    pub bytes_before: u64,
    /// Files that took their place.
    pub files_after: u64,
    /// Bytes of these.
    pub bytes_after: u64,
    /// Rows in them, the same before and after.
    pub rows: u64,
    /// The same of minutes.
    pub minutes: Merged,
}

impl Compacted {
    /// Whether anything was put together.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.days > 0 || self.minutes.months > 0
    }
}

/// Files that are to become one.
type Bin = Vec<LakeFile>;

impl Lake {
    /// Puts the small files of each day of lines together, a commit a day, and those of each month of minutes. The rows of lines stay as they
    /// are, those of minutes add up; the old files stay until [`Lake::clean`] removes them. `now_ms` is milliseconds since the epoch.
    ///
    /// Memory is that of one row group and its dictionaries, and of the minutes of a day, whatever the files hold.
    ///
    /// # Errors
    ///
    /// A file is damaged, or one cannot be written, or the commit failed. Days before it are compacted, and of the other table what can be.
    pub async fn compact(
        &mut self,
        options: &CompactOptions,
        now_ms: i64,
    ) -> Result<Compacted, Error> {
        let mut done = Compacted::default();
        let merged = self.merge_minutes(options).await;
        let days: Vec<Day> = self.bins(options).await?.into_keys().collect();
        for day in days {
            self.compact_day(day, options, now_ms, &mut done).await?;
        }
        done.minutes = merged?;
        Ok(done)
    }

    async fn compact_day(
        &mut self,
        day: Day,
        options: &CompactOptions,
        now_ms: i64,
        done: &mut Compacted,
    ) -> Result<(), Error> {
        let mut conflicts = 0;
        // Planned again at each attempt: what was to be put together may be gone.
        while let Some(bins) = self.bins(options).await?.remove(&day) {
            match self.put_together(&bins, now_ms).await {
                Ok(written) => {
                    let before = bins.iter().flatten();
                    done.days += 1;
                    done.files_before += before.clone().count() as u64;
                    done.bytes_before += before.map(LakeFile::bytes).sum::<u64>();
                    done.files_after += written.len() as u64;
                    done.bytes_after += written.iter().map(|file| file.bytes).sum::<u64>();
                    let rows = written.iter().map(|file| file.summary.rows as u64);
                    done.rows += rows.sum::<u64>();
                    return Ok(());
                }
                Err(Error::Conflict { .. }) if conflicts < CONFLICTS_MAX => conflicts += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What is to be put together at this version, by day.
    async fn bins(&self, options: &CompactOptions) -> Result<BTreeMap<Day, Vec<Bin>>, Error> {
        let mut days: BTreeMap<Day, Vec<LakeFile>> = BTreeMap::new();
        for file in self.files().await? {
            if file.bytes() < options.small_bytes {
                days.entry(file.day).or_default().push(file);
            }
        }
        let bins = days
            .into_iter()
            .map(|(day, files)| (day, bins(files, options)));
        Ok(bins.filter(|(_, bins)| !bins.is_empty()).collect())
    }

    /// Writes a file for each bin, and commits them in place of theirs.
    async fn put_together(&mut self, bins: &[Bin], now_ms: i64) -> Result<Vec<Written>, Error> {
        let destination = Arc::new(self.destination());
        let schema = self.schema().arrow();
        let store = self.store();
        let mut written = Vec::new();
        for bin in bins {
            match rewrite(bin, &store, &destination, &schema).await {
                Ok(file) => written.push(file),
                Err(error) => {
                    destination.discard(&written).await;
                    return Err(error);
                }
            }
        }
        destination.publish().await?;
        let replaced = self.replace(bins, &written, &destination, now_ms).await;
        replaced.map(|()| written)
    }

    /// Commits new files in place of others. What others commit meanwhile does no harm, as long as they leave the
    /// files that are replaced where they are.
    async fn replace(
        &mut self,
        bins: &[Bin],
        written: &[Written],
        destination: &Destination,
        now_ms: i64,
    ) -> Result<(), Error> {
        let removed = bins.iter().flatten();
        let removes = removed.map(|file| Action::Remove(file.remove(now_ms, false)));
        let adds = written.iter().map(|file| {
            Action::Add(Add {
                data_change: false,
                ..add(file, DATE, TIME)
            })
        });
        let actions: Vec<Action> = removes.chain(adds).collect();
        let target_size = written.iter().map(|file| file.bytes).max();
        for attempt in 0.. {
            let operation = DeltaOperation::Optimize {
                predicate: None,
                target_size: target_size
                    .and_then(|bytes| i64::try_from(bytes).ok())
                    .unwrap_or_default(),
            };
            let committed = self
                .commit_data(&keeping(actions.clone(), operation, Vec::new()))
                .await;
            let Err(Error::Conflict { committed }) = committed else {
                // After any other failure the commit may stand, so that its files must stay.
                return committed;
            };
            self.refresh()?;
            if attempt == CONFLICTS_MAX || !self.has(bins).await? {
                destination.discard(written).await;
                return Err(Error::Conflict { committed });
            }
        }
        unreachable!("the loop returns")
    }

    /// Whether all of the files are files of this version.
    async fn has(&self, bins: &[Bin]) -> Result<bool, Error> {
        let files = self.files().await?;
        let names: HashSet<&str> = files.iter().map(LakeFile::name).collect();
        let mut wanted = bins.iter().flatten();
        Ok(wanted.all(|file| names.contains(file.name())))
    }
}

/// Which of the small files of a day become one; they come by their earliest time, and so they stay.
fn bins(files: Vec<LakeFile>, options: &CompactOptions) -> Vec<Bin> {
    let largest = match options.days {
        WhichDays::All => u64::MAX,
        WhichDays::Crowded if files.len() <= options.small_files_max => return Vec::new(),
        WhichDays::Crowded => worthwhile(files.iter().map(LakeFile::bytes).collect()),
    };
    let mut bins: Vec<Bin> = Vec::new();
    let mut bytes = 0;
    for file in files.into_iter().filter(|file| file.bytes() <= largest) {
        bytes += file.bytes();
        match bins.last_mut() {
            Some(bin) if bytes <= options.file_bytes_max => bin.push(file),
            _ => {
                bytes = file.bytes();
                bins.push(vec![file]);
            }
        }
    }
    bins.retain(|bin| bin.len() > 1);
    bins
}

/// The size of the largest file that is no larger than all smaller ones together: rewriting these at least doubles the
/// file that a row is in, so that a row is rewritten as often as that goes until its file is no small one any more.
fn worthwhile(mut sizes: Vec<u64>) -> u64 {
    sizes.sort_unstable();
    let mut before = 0;
    let mut largest = 0;
    for size in sizes {
        if size <= before {
            largest = size;
        }
        before += size;
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_not_rewritten_for_a_few_bytes() {
        // One that grew large, and what came since.
        assert_eq!(worthwhile(vec![1_000, 10, 12, 11]), 12);
        assert_eq!(worthwhile(vec![30, 10, 12, 11]), 30);
        // A tiny one does not keep the others apart.
        assert_eq!(worthwhile(vec![100, 1, 90, 95]), 100);
        assert_eq!(worthwhile(vec![1, 2, 4, 8]), 0);
    }

    #[test]
    fn a_row_is_rewritten_a_few_times_at_most() {
        // A file of 80 KB a minute, for a day; the row that is followed is in the first.
        let (mut sizes, mut rewritten) = (Vec::new(), 0);
        let mut largest = 0;
        for _ in 0..1_440 {
            sizes.push(80_000);
            let small = || sizes.iter().copied().filter(|size| *size < 32 << 20);
            if small().count() <= 16 {
                continue;
            }
            let limit = worthwhile(small().collect());
            let merged: u64 = sizes.iter().filter(|size| **size <= limit).sum();
            rewritten += merged;
            sizes.retain(|size| *size > limit);
            sizes.push(merged);
            largest = largest.max(sizes.len());
        }
        assert_eq!(sizes.iter().sum::<u64>(), 1_440 * 80_000);
        assert!(largest <= 20, "{largest} files");
        assert!(
            rewritten < 6 * 1_440 * 80_000,
            "{rewritten} bytes rewritten"
        );
    }
}

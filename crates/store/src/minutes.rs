//! The table `minutes`: lines counted by minute, kept for good.
//!
//! Its rows are [`MinuteCounts`]; rows of equal minute and key add up, so it is written by appending. It is partitioned by month: five years
//! are some sixty files to open, where days would be two thousand; and a month is little enough to be written anew when its files are merged.
//!
//! Each commit carries, as application transactions, the offsets up to which the lines of each source are counted. It is made after the commit
//! of the lines. Where a crash came between the two, or another process is between them just now, or the lake had no such table before,
//! lines are ahead: rows at or beyond the counted offset of their source are counted from the table of lines, by the next ingest
//! ([`Lake::count_minutes`]) and by every reader ([`MinutesTable`]). A commit is refused unless it is built on the version that its offsets were
//! read from, so that nothing is counted twice.

mod compare;
mod files;
mod merge;
mod rebuild;
mod table;
mod uncounted;

use std::collections::{BTreeMap, BTreeSet};

use buoyant_kernel::engine::arrow_conversion::TryIntoKernel;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::{Action, StructField, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use floodmark_ingest::MinuteCounts;

use crate::commit::{CONFLICTS_MAX, add, reading};
use crate::day::Day;
use crate::location::MINUTES;
use crate::part::Written;
use crate::positions::{offset_transaction, offsets};
use crate::table::LakeTable;
use crate::{Error, Lake};
use files::MonthFiles;
use uncounted::Uncounted;

pub(crate) use compare::Compared;
pub use merge::Merged;
pub use rebuild::{Rebuilt, Refusal};
pub use table::{MinutesTable, Told};

/// The partition column: the first day of the month.
pub(crate) const MONTH: &str = "month";
/// The column of their times.
pub(crate) const MINUTE: &str = "minute";

/// Offsets of sources, by their ids.
pub(crate) type Offsets = BTreeMap<String, u64>;

/// The columns of the table, the partition column left out.
pub(crate) fn fields() -> Result<Vec<StructField>, Error> {
    let schema: StructType = MinuteCounts::schema().as_ref().try_into_kernel()?;
    Ok(schema.fields().cloned().collect())
}

impl Lake {
    /// The minutes as a table for queries, at this version: those counted, and at read time those of lines that are ahead.
    ///
    /// # Errors
    ///
    /// The tables' state cannot be read.
    pub async fn minutes(&self) -> Result<MinutesTable, Error> {
        Ok(MinutesTable::new(
            self.counted().await?,
            self.uncounted().await?,
            self.expired_to()?,
        ))
    }

    /// Counts the lines that are ahead of the table of minutes, in one commit. `threads` read them.
    ///
    /// # Errors
    ///
    /// The lake cannot be read or written, or others kept committing to it.
    pub async fn count_minutes(&mut self, threads: usize) -> Result<(), Error> {
        for _ in 0..CONFLICTS_MAX {
            let ahead = self.ahead()?;
            if ahead.is_empty() {
                return Ok(());
            }
            let mut read_to = self.read_to()?;
            read_to.retain(|id, _| ahead.contains_key(id));
            let uncounted = Uncounted::new(self.lines().await?, ahead);
            let destination = self.root.destination(MINUTES);
            let mut files = MonthFiles::new(&destination);
            let counted = uncounted.count_into(&mut files, &session(threads)).await;
            let files = files.finish(counted).await?;
            if self.commit_minutes(&files, &read_to).await? {
                return Ok(());
            }
            destination.discard(&files).await;
        }
        Err(Error::Conflict {
            committed: Box::default(),
        })
    }

    /// Adds what was counted of the lines that a commit brought, which begin at the offsets `from` and end at `to`.
    pub(crate) async fn add_minutes(
        &mut self,
        counts: &MinuteCounts,
        from: &Offsets,
        to: &Offsets,
        threads: usize,
    ) -> Result<(), Error> {
        let destination = self.root.destination(MINUTES);
        let mut files = MonthFiles::new(&destination);
        let written = counts.rows().map_err(Error::from);
        let written = written.and_then(|rows| files.write(&rows));
        let files = files.finish(written).await?;
        for _ in 0..CONFLICTS_MAX {
            let counted = self.counted_to()?;
            let is_where_we_began = |id: &String| counted.get(id) == from.get(id);
            if !to.keys().all(is_where_we_began) {
                // Another process met our lines, and has counted some of them.
                break;
            }
            if self.commit_minutes(&files, to).await? {
                return Ok(());
            }
        }
        destination.discard(&files).await;
        self.count_minutes(threads).await
    }

    /// Commits files of minutes and how far lines are counted in them; false, after a look at what others committed, if they were quicker.
    async fn commit_minutes(&mut self, files: &[Written], to: &Offsets) -> Result<bool, Error> {
        let adds = files
            .iter()
            .map(|file| Action::Add(add(file, MONTH, MINUTE)));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![MONTH.to_owned()]),
            predicate: None,
        };
        self.commit_to_minutes(adds.collect(), to, operation).await
    }

    async fn commit_to_minutes(
        &mut self,
        actions: Vec<Action>,
        to: &Offsets,
        operation: DeltaOperation,
    ) -> Result<bool, Error> {
        if actions.is_empty() && to.is_empty() {
            return Ok(true);
        }
        let offsets = to.iter();
        let offsets: Vec<Transaction> = offsets
            .map(|(id, offset)| offset_transaction(id, *offset))
            .collect();
        let Some(minutes) = &mut self.minutes else {
            return Err(Error::NoMinutes);
        };
        match minutes.commit(&reading(actions, operation, offsets)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => {
                minutes.refresh()?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The rows that are counted.
    async fn counted(&self) -> Result<Option<LakeTable>, Error> {
        let Some(minutes) = &self.minutes else {
            return Ok(None);
        };
        let (schema, store) = (MinuteCounts::schema(), self.root.files(MINUTES)?);
        let table = LakeTable::at(minutes, schema, (MONTH, MINUTE), store).await?;
        Ok(Some(table))
    }

    /// The lines that are ahead of them, if any.
    async fn uncounted(&self) -> Result<Option<Uncounted>, Error> {
        match self.ahead()? {
            ahead if ahead.is_empty() => Ok(None),
            ahead => Ok(Some(Uncounted::new(self.lines().await?, ahead))),
        }
    }

    /// Where the sources begin whose lines are ahead of the minutes: the offset up to which they are counted.
    fn ahead(&self) -> Result<Offsets, Error> {
        let counted = self.counted_to()?;
        let mut ahead = Offsets::new();
        for (id, read_to) in self.read_to()? {
            let counted_to = counted.get(&id).copied().unwrap_or_default();
            if counted_to < read_to {
                ahead.insert(id, counted_to);
            }
        }
        Ok(ahead)
    }

    /// The sources whose lines are not counted as far as they are read: how far they are read, and how far counted.
    pub(crate) fn counted_otherwise(&self) -> Result<Vec<(String, u64, u64)>, Error> {
        let read_to = self.read_to()?;
        let counted_to = self.counted_to()?;
        let of = |offsets: &Offsets, id: &str| offsets.get(id).copied().unwrap_or_default();
        let ids: BTreeSet<&String> = read_to.keys().chain(counted_to.keys()).collect();
        let sources = ids.into_iter();
        let sources = sources.map(|id| (id.clone(), of(&read_to, id), of(&counted_to, id)));
        Ok(sources
            .filter(|(_, read, counted)| read != counted)
            .collect())
    }

    /// How far the lines of each source are counted.
    fn counted_to(&self) -> Result<Offsets, Error> {
        match &self.minutes {
            Some(minutes) => offsets(minutes),
            None => Ok(Offsets::new()),
        }
    }

    /// How far each source is read.
    pub(crate) fn read_to(&self) -> Result<Offsets, Error> {
        let known = self.known_sources()?.into_iter();
        Ok(known
            .map(|known| (known.id.to_string(), known.offset))
            .collect())
    }
}

/// Something to read files with.
fn session(threads: usize) -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads.max(1)))
}

/// The first and the last day of a range of times, none for rows without a time.
fn days(range_us: Option<(i64, i64)>) -> Vec<Day> {
    let ends = range_us.map(|(first, last)| (Day::of(first).0, Day::of(last).0));
    match ends {
        Some((Some(first), Some(last))) => (first..=last).map(|day| Day(Some(day))).collect(),
        _ => vec![Day(None)],
    }
}

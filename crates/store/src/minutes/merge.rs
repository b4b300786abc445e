//! Small files of a month put together, as each commit brings one.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use deltalake::kernel::{Action, Remove};
use deltalake::protocol::DeltaOperation;
use floodmark_ingest::MinuteCounts;
use futures::TryStreamExt;

use super::files::MonthFiles;
use super::{MINUTE, MONTH, Offsets, days, session};
use crate::care::{CompactOptions, LakeFile as LogFile, WhichDays};
use crate::commit::add;
use crate::day::{Day, MICROSECONDS_A_DAY};
use crate::location::MINUTES;
use crate::part::Written;
use crate::table::{LakeFile, LakeTable};
use crate::{Error, Lake};

/// What a merge of minutes did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Months with files that were merged.
    pub months: u64,
    /// Files that were, and their bytes.
    pub files_before: u64,
    /// Bytes of these.
    pub bytes_before: u64,
    /// Rows in them.
    pub rows_before: u64,
    /// Files that took their place.
    pub files_after: u64,
    /// Bytes of these.
    pub bytes_after: u64,
    /// Rows in them: those of equal minute and key are added up.
    pub rows_after: u64,
}

impl Lake {
    /// Merges small files of each month, a commit a month. If another process commits meanwhile, the month is left for the next time.
    ///
    /// # Errors
    ///
    /// A file is damaged, or one cannot be written, or the commit failed.
    pub(crate) async fn merge_minutes(
        &mut self,
        options: &CompactOptions,
    ) -> Result<Merged, Error> {
        let mut done = Merged::default();
        let Some(files) = self.minute_table() else {
            return Ok(done);
        };
        let mut months: BTreeMap<Day, Vec<LogFile>> = BTreeMap::new();
        for file in files.files().await? {
            months.entry(file.day).or_default().push(file);
        }
        months.retain(|_, files| {
            *files = to_merge(std::mem::take(files), options);
            files.len() > 1
        });
        for files in months.into_values() {
            let Some(written) = self.merge_files(&files, options.threads).await? else {
                continue;
            };
            let (before, after) = (files.iter(), written.iter());
            done.months += 1;
            done.files_before += files.len() as u64;
            done.bytes_before += before.clone().map(LogFile::bytes).sum::<u64>();
            done.rows_before += before.map(|file| file.summary.rows as u64).sum::<u64>();
            done.files_after += written.len() as u64;
            done.bytes_after += after.clone().map(|file| file.bytes).sum::<u64>();
            done.rows_after += after.map(|file| file.summary.rows as u64).sum::<u64>();
        }
        Ok(done)
    }

    /// Merges files of a month into one; `None` if others were quicker to commit.
    async fn merge_files(
        &mut self,
        merged: &[LogFile],
        threads: usize,
    ) -> Result<Option<Vec<Written>>, Error> {
        let (Some(table), Some(log)) = (self.counted().await?, self.minute_table()) else {
            return Ok(None);
        };
        // A merge of other bytes than were written would hide that they are.
        for file in merged {
            let checked = file.check(log.store().as_ref()).await;
            checked.map_err(|flaw| file.damaged(flaw))?;
        }
        let is_merged = |file: &&LakeFile| merged.iter().any(|of| of.name() == file.relative);
        let merged: Vec<&LakeFile> = table.files.iter().filter(is_merged).collect();
        let session = session(threads);
        let destination = self.root.destination(MINUTES);
        let mut files = MonthFiles::new(&destination);
        let written = async {
            for day in days_of(&merged) {
                let rows = counted_of(&table, &merged, day, &session).await?;
                files.write(&rows.rows()?)?;
            }
            Ok(())
        };
        let written = written.await;
        let files = files.finish(written).await?;
        let removed = self.removals(&merged, false).await?;
        let adds = files.iter().map(|file| {
            let mut add = add(file, MONTH, MINUTE);
            add.data_change = false;
            Action::Add(add)
        });
        let actions = adds.chain(removed.into_iter().map(Action::Remove));
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: 0,
        };
        let actions = actions.collect();
        let is_committed = self
            .commit_to_minutes(actions, &Offsets::new(), operation)
            .await?;
        if !is_committed {
            destination.discard(&files).await;
        }
        Ok(is_committed.then_some(files))
    }

    /// What takes files out of the table of minutes.
    pub(super) async fn removals(
        &self,
        files: &[&LakeFile],
        data_change: bool,
    ) -> Result<Vec<Remove>, Error> {
        let Some(minutes) = &self.minutes else {
            return Err(Error::NoMinutes);
        };
        let is_removed = |path: &str| files.iter().any(|file| file.relative == path);
        let views = minutes.files().await?.into_iter();
        let removed = views.filter(|view| is_removed(&view.path()));
        Ok(removed
            .map(|view| view.remove_action(data_change))
            .collect())
    }
}

/// The files of a month to be merged. Of a crowd all but those at the top that are each larger than all smaller ones together, so that a
/// row is written anew some log(rows) times and not at each merge.
fn to_merge(mut files: Vec<LogFile>, options: &CompactOptions) -> Vec<LogFile> {
    match options.days {
        WhichDays::All => {
            files.retain(|file| file.bytes() < options.small_bytes);
            files
        }
        WhichDays::Crowded if files.len() <= options.small_files_max => Vec::new(),
        WhichDays::Crowded => {
            files.sort_unstable_by_key(|file| std::cmp::Reverse(file.bytes()));
            let mut rest: u64 = files.iter().map(LogFile::bytes).sum();
            let large = files.iter().take_while(|file| {
                rest -= file.bytes();
                file.bytes() > rest
            });
            let large = large.count();
            files.split_off(large)
        }
    }
}

/// The days that files have minutes of, in order.
pub(super) fn days_of(files: &[&LakeFile]) -> Vec<Day> {
    let mut all: Vec<Day> = files
        .iter()
        .flat_map(|file| days(file.time_range_us))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The rows of a day, those of equal minute and key added up.
pub(super) async fn counted_of(
    table: &LakeTable,
    files: &[&LakeFile],
    day: Day,
    session: &SessionContext,
) -> Result<MinuteCounts, Error> {
    let state = session.state();
    let of_day = files
        .iter()
        .filter(|file| days(file.time_range_us).contains(&day))
        .copied();
    let predicate = range(day).map(|range| table.predicate(&state, within(range)));
    let columns = (0..MinuteCounts::schema().fields().len()).collect();
    let plan = table.plan(&state, of_day, predicate.transpose()?, Some(columns), None)?;
    let mut counts = MinuteCounts::default();
    let mut rows = execute_stream(plan, session.task_ctx())?;
    while let Some(rows) = rows.try_next().await? {
        let minutes = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        let is_of_day = |minute: Option<i64>| minute.map_or(Day(None), Day::of) == day;
        let of_day: BooleanArray = minutes
            .iter()
            .map(|minute| Some(is_of_day(minute)))
            .collect();
        counts.add_rows(&filter_record_batch(&rows, &of_day)?)?;
    }
    Ok(counts)
}

/// The first moment of a day, and the first after it.
fn range(day: Day) -> Option<(i64, i64)> {
    let first = i64::from(day.0?).checked_mul(MICROSECONDS_A_DAY)?;
    Some((first, first.checked_add(MICROSECONDS_A_DAY)?))
}

fn within((first, end): (i64, i64)) -> Expr {
    let time = |us: i64| {
        lit(ScalarValue::TimestampMicrosecond(
            Some(us),
            Some("UTC".into()),
        ))
    };
    col(MINUTE)
        .gt_eq(time(first))
        .and(col(MINUTE).lt(time(end)))
}

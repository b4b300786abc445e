//! Small files of a month put together, as each commit brings one.

use std::collections::BTreeSet;

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
use crate::commit::add;
use crate::day::{Day, MICROSECONDS_A_DAY};
use crate::location::MINUTES;
use crate::table::{LakeFile, LakeTable};
use crate::{Error, Lake};

/// Files of a month that are left as they are: a question opens them all, and each merge writes some anew.
const MONTH_FILES_MAX: usize = 16;

impl Lake {
    /// Merges the files of months that have many. Nobody has to wait for it: if another process commits meanwhile, it is left
    /// for the next time.
    pub(super) async fn merge_minutes(&mut self, threads: usize) -> Result<(), Error> {
        let Some(table) = self.counted().await? else {
            return Ok(());
        };
        let months: BTreeSet<Day> = table.files.iter().map(|file| file.day).collect();
        for month in months {
            let of_month = table.files.iter().filter(|file| file.day == month);
            let merged = to_merge(of_month.collect());
            if !merged.is_empty() {
                self.merge_files(&table, &merged, &session(threads)).await?;
            }
        }
        Ok(())
    }

    async fn merge_files(
        &mut self,
        table: &LakeTable,
        merged: &[&LakeFile],
        session: &SessionContext,
    ) -> Result<(), Error> {
        let destination = self.root.destination(MINUTES);
        let mut files = MonthFiles::new(&destination);
        let written = async {
            for day in days_of(merged) {
                let rows = counted_of(table, merged, day, session).await?;
                files.write(&rows.rows()?)?;
            }
            Ok(())
        };
        let written = written.await;
        let files = files.finish(written).await?;
        let removed = self.removals(merged, false).await?;
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
        if !self
            .commit_to_minutes(actions, &Offsets::new(), operation)
            .await?
        {
            destination.discard(&files).await;
        }
        Ok(())
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

/// The files of a month to be merged: none of a few; else all but those at the top that are each larger than all smaller ones
/// together, so that a row is written anew some log(rows) times and not at each merge.
fn to_merge(mut files: Vec<&LakeFile>) -> Vec<&LakeFile> {
    if files.len() <= MONTH_FILES_MAX {
        return Vec::new();
    }
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.bytes));
    let mut rest: u64 = files.iter().map(|file| file.bytes).sum();
    let large = files.iter().take_while(|file| {
        rest -= file.bytes;
        file.bytes > rest
    });
    let large = large.count();
    files.split_off(large)
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

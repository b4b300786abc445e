//! Lines that are to be counted by minute, read from their table.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use datafusion::catalog::Session;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, col, lit, utils::disjunction};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use floodmark_ingest::MinuteCounts;
use futures::TryStreamExt;

use super::Offsets;
use super::files::MonthFiles;
use crate::Error;
use crate::day::Day;
use crate::table::LakeTable;

/// Conditions on more sources cost more than the row groups that they leave out.
const SOURCES_TOLD_MAX: usize = 64;

/// Lines of some sources, from an offset on.
#[derive(Debug)]
pub(super) struct Uncounted {
    lines: LakeTable,
    /// By source; those of others are counted.
    from: Arc<Offsets>,
}

impl Uncounted {
    pub(super) fn new(lines: LakeTable, from: Offsets) -> Self {
        Self {
            lines,
            from: Arc::new(from),
        }
    }

    /// The days of the lines, in order. They are counted one by one: what a day needs is what is in memory.
    pub(super) fn days(&self) -> Vec<Day> {
        let mut days: Vec<Day> = self.lines.files.iter().map(|file| file.day).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Counts a day.
    pub(super) fn day(
        &self,
        state: &dyn Session,
        day: Day,
    ) -> datafusion::error::Result<UncountedDay> {
        let files = self.lines.files.iter().filter(|file| file.day == day);
        let names = MinuteCounts::LINE_COLUMNS.iter().copied();
        let columns = self.lines.places(names.chain(["line_offset"]));
        let predicate = self.condition();
        let predicate = predicate
            .map(|condition| self.lines.predicate(state, condition))
            .transpose()?;
        Ok(UncountedDay {
            plan: self
                .lines
                .plan(state, files, predicate, Some(columns), None)?,
            from: Arc::clone(&self.from),
        })
    }

    /// Counts all days, and writes what was counted.
    pub(super) async fn count_into(
        &self,
        files: &mut MonthFiles<'_>,
        session: &SessionContext,
    ) -> Result<(), Error> {
        for day in self.days() {
            let day = self.day(&session.state(), day)?;
            let counts = day.count(session.task_ctx()).await?;
            files.write(&counts.rows()?)?;
        }
        Ok(())
    }

    fn condition(&self) -> Option<Expr> {
        if self.from.len() > SOURCES_TOLD_MAX {
            return None;
        }
        let sources = self.from.iter().map(|(source, offset)| {
            let is_source = col("source").eq(lit(source.as_str()));
            match i64::try_from(*offset) {
                Ok(offset @ 1..) => is_source.and(col("line_offset").gt_eq(lit(offset))),
                _ => is_source,
            }
        });
        disjunction(sources)
    }
}

/// The lines of one day, about to be read.
#[derive(Debug)]
pub(super) struct UncountedDay {
    plan: Arc<dyn ExecutionPlan>,
    from: Arc<Offsets>,
}

impl UncountedDay {
    pub(super) async fn count(
        &self,
        context: Arc<TaskContext>,
    ) -> datafusion::error::Result<MinuteCounts> {
        let mut counts = MinuteCounts::default();
        let mut rows = execute_stream(reset_plan_states(Arc::clone(&self.plan))?, context)?;
        while let Some(rows) = rows.try_next().await? {
            counts.add_lines(&filter_record_batch(&rows, &ahead(&rows, &self.from))?);
        }
        Ok(counts)
    }
}

/// Which rows are not counted yet.
fn ahead(rows: &RecordBatch, from: &Offsets) -> BooleanArray {
    let sources = rows.column_by_name("source");
    let sources = sources.and_then(|sources| sources.as_string_view_opt());
    let offsets = rows.column_by_name("line_offset");
    let offsets = offsets.and_then(|offsets| offsets.as_primitive_opt::<Int64Type>());
    let (Some(sources), Some(offsets)) = (sources, offsets) else {
        return BooleanArray::from(vec![false; rows.num_rows()]);
    };
    // Rows of a source follow one another.
    let mut last: Option<(&str, Option<u64>)> = None;
    let mut ahead = Vec::with_capacity(rows.num_rows());
    for (source, offset) in sources.iter().zip(offsets) {
        let from = source.and_then(|source| match last {
            Some((known, from)) if known == source => from,
            _ => from.get(source).copied(),
        });
        last = source.map(|source| (source, from));
        let offset = offset.map(i64::unsigned_abs);
        ahead.push(
            from.zip(offset)
                .is_some_and(|(from, offset)| offset >= from),
        );
    }
    ahead.into()
}

//! The table `minutes` as DataFusion reads it: what was counted, and what is counted while it is read.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::union::UnionExec;
use floodmark_ingest::MinuteCounts;
use futures::stream;

use super::MINUTE;
use super::uncounted::{Uncounted, UncountedDay};
use crate::day::Day;
use crate::table::{FilesScanned, LakeFile, LakeTable};
use crate::window::Window;

const MINUTE_US: i64 = 60_000_000;

/// The minutes of a lake at one version. A minute may have several rows of the same key, which add up.
#[derive(Debug)]
pub struct MinutesTable {
    schema: SchemaRef,
    counted: Option<LakeTable>,
    uncounted: Option<Uncounted>,
    /// Of the lines that were there once.
    expired_to: Option<Day>,
}

/// How far minutes tell what lines do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Microseconds since the epoch: from here on both count the same requests, and before there are no lines any more. `None`: there never
    /// were others.
    pub from_us: Option<i64>,
    /// Whether every request has a status class.
    pub all_have_class: bool,
}

impl MinutesTable {
    pub(super) fn new(
        counted: Option<LakeTable>,
        uncounted: Option<Uncounted>,
        expired_to: Option<Day>,
    ) -> Self {
        Self {
            schema: MinuteCounts::schema(),
            counted,
            uncounted,
            expired_to,
        }
    }

    /// How far the minutes tell what the lines of the lake do at this version. `None` where lines have to be read anyway: some are not counted
    /// yet, or some of a day have expired and others have not, or earlier ones are gone that nobody recorded.
    #[must_use]
    pub fn told_of(&self, lines: &LakeTable) -> Option<Told> {
        let counted = self.counted.as_ref().filter(|_| self.uncounted.is_none())?;
        if let Some(last) = self.expired_to {
            let has_remains = |file: &LakeFile| file.day.0.is_some() && file.day <= last;
            if lines.files.iter().any(has_remains) {
                return None;
            }
        } else if let Some((first_minute, _)) = counted.time_range_us() {
            let (first_line, _) = lines.time_range_us()?;
            if first_minute < first_line.div_euclid(MINUTE_US) * MINUTE_US {
                return None;
            }
        }
        Some(Told {
            from_us: self.expired_to.and_then(Day::end_us),
            all_have_class: counted.all_have_class(),
        })
    }

    /// Files counted over all scans so far.
    #[must_use]
    pub fn files_scanned(&self) -> FilesScanned {
        let counted = self.counted.as_ref();
        counted.map_or_else(FilesScanned::default, LakeTable::files_scanned)
    }
}

#[async_trait]
impl TableProvider for MinutesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(Window::support(MINUTE, filters))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // The month that files are kept by is no column.
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let mut plans = Vec::new();
        if let Some(counted) = &self.counted {
            plans.push(
                counted
                    .scan(state, Some(projection), filters, limit)
                    .await?,
            );
        }
        if let Some(uncounted) = &self.uncounted {
            let days = uncounted.days().into_iter();
            let rows = CountedNow {
                schema: self.schema(),
                days: days
                    .map(|day| uncounted.day(state, day).map(Arc::new))
                    .collect::<Result<_>>()?,
            };
            let window = Window::of(MINUTE, filters);
            let minute = self.schema.index_of(MINUTE)?;
            plans.push(window.cut(state, projection, minute, |columns| {
                let schema = self.schema();
                let rows: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(rows)];
                let rows =
                    StreamingTableExec::try_new(schema, rows, Some(&columns), [], false, None)?;
                Ok(Arc::new(rows))
            })?);
        }
        match plans.is_empty() {
            true => {
                let schema = Arc::new(self.schema.project(projection)?);
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            false => UnionExec::try_new(plans),
        }
    }
}

/// Lines that are counted as they are read, day by day.
#[derive(Debug)]
struct CountedNow {
    schema: SchemaRef,
    days: Vec<Arc<UncountedDay>>,
}

impl PartitionStream for CountedNow {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let days = self.days.clone().into_iter();
        let rows = stream::try_unfold((days, context), |(mut days, context)| async move {
            let Some(day) = days.next() else {
                return Ok::<Option<(RecordBatch, _)>, DataFusionError>(None);
            };
            let counts = day.count(Arc::clone(&context)).await?;
            let rows = counts
                .rows()
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(Some((rows, (days, context))))
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

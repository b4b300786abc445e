//! Raw logs as the table `minutes`: counted as they are read.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use floodmark_ingest::{MinuteCounts, Scratch, TextAs};
use futures::stream;
use tokio::task::JoinSet;

use crate::raw::{Pass, RawLines};

/// The table of minutes of raw logs: a row for each minute and key.
#[derive(Debug)]
pub(crate) struct RawMinutes {
    lines: Arc<RawLines>,
    schema: SchemaRef,
}

impl RawMinutes {
    pub(crate) fn new(lines: Arc<RawLines>) -> Self {
        Self {
            lines,
            schema: MinuteCounts::schema(),
        }
    }
}

#[async_trait]
impl TableProvider for RawMinutes {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = self.lines.schema_of(MinuteCounts::LINE_COLUMNS);
        let rows = Counting {
            schema: self.schema(),
            pass: Arc::new(self.lines.pass(columns, TextAs::Codes, Vec::new())),
            threads: state.config().target_partitions(),
        };
        let exec = StreamingTableExec::try_new(
            self.schema(),
            vec![Arc::new(rows)],
            projection,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(exec))
    }
}

/// One pass over the logs, its blocks shared by some threads.
#[derive(Debug)]
struct Counting {
    schema: SchemaRef,
    pass: Arc<Pass>,
    threads: usize,
}

impl PartitionStream for Counting {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (pass, threads) = (Arc::clone(&self.pass), self.threads);
        let rows = async move {
            let mut counting = JoinSet::new();
            for _ in 0..threads {
                counting.spawn(count(Arc::clone(&pass)));
            }
            let mut counts = MinuteCounts::default();
            while let Some(counted) = counting.join_next().await {
                counts.merge(counted.map_err(external)??);
            }
            counts.rows().map_err(external)
        };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream::once(rows),
        ))
    }
}

/// Counts blocks until none are left.
async fn count(pass: Arc<Pass>) -> Result<MinuteCounts> {
    let mut counts = MinuteCounts::default();
    let mut scratch = Scratch::default();
    // Counting a block takes milliseconds; others get their turn between blocks.
    while let Some(batch) = pass.next(&mut scratch)? {
        counts.add(&batch, &mut scratch);
        if scratch.is_crowded() {
            scratch.clear();
        }
        tokio::task::yield_now().await;
    }
    Ok(counts)
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

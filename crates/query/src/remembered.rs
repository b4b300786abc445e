//! A table whose rows are worked out once in a session.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::Expr;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

/// The rows of a plan, kept by the first query that runs it. Rows for which the session has no memory left are not kept, and the plan
/// runs again for each query.
#[derive(Debug)]
pub(crate) struct RememberedTable {
    plan: LogicalPlan,
    schema: SchemaRef,
    kept: Arc<OnceCell<Kept>>,
}

/// What became of the rows of the first run.
#[derive(Debug)]
enum Kept {
    Rows {
        batches: Vec<RecordBatch>,
        /// Holds their place in the session's memory.
        _memory: MemoryReservation,
    },
    TooLarge,
}

impl RememberedTable {
    pub(crate) fn new(plan: LogicalPlan) -> Self {
        Self {
            schema: Arc::clone(plan.schema().inner()),
            plan,
            kept: Arc::default(),
        }
    }
}

#[async_trait]
impl TableProvider for RememberedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = Rows {
            plan: state.create_physical_plan(&self.plan).await?,
            schema: Arc::clone(&self.schema),
            kept: Arc::clone(&self.kept),
        };
        let schema = Arc::clone(&self.schema);
        let exec = StreamingTableExec::try_new(
            schema,
            vec![Arc::new(rows)],
            projection,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(exec))
    }
}

/// The rows as one query reads them.
#[derive(Debug)]
struct Rows {
    plan: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    kept: Arc<OnceCell<Kept>>,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (plan, kept) = (Arc::clone(&self.plan), Arc::clone(&self.kept));
        let rows = async move {
            let first = || keep(Arc::clone(&plan), Arc::clone(&context));
            let rows: BoxStream<'static, Result<RecordBatch>> =
                match kept.get_or_try_init(first).await? {
                    Kept::Rows { batches, .. } => stream::iter(batches.clone()).map(Ok).boxed(),
                    Kept::TooLarge => execute_stream(reset_plan_states(plan)?, context)?.boxed(),
                };
            Ok::<_, DataFusionError>(rows)
        };
        let schema = Arc::clone(&self.schema);
        let rows = stream::once(rows)
            .try_flatten()
            .map(move |batch| typed(&batch?, &schema));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

/// Runs the plan, as long as its rows find room in the session's memory.
async fn keep(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Kept> {
    let memory = MemoryConsumer::new("remembered rows").register(context.memory_pool());
    let mut rows = execute_stream(plan, context)?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        if memory.try_grow(batch.get_array_memory_size()).is_err() {
            return Ok(Kept::TooLarge);
        }
        batches.push(batch);
    }
    Ok(Kept::Rows {
        batches,
        _memory: memory,
    })
}

/// The batch in the types that the table was announced with: planning may have turned one kind of text into another.
fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Asks twice for a remembered table of three rows, in a session with so much memory.
    async fn check(memory_bytes: usize, is_kept: bool) {
        let pool = Arc::new(GreedyMemoryPool::new(memory_bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc();
        let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.unwrap());
        let values = "SELECT * FROM (VALUES (1), (2), (3)) AS t (number)";
        let plan = context.state().create_logical_plan(values).await.unwrap();
        let table = Arc::new(RememberedTable::new(plan));
        context
            .register_table("numbers", Arc::clone(&table) as _)
            .unwrap();
        for _ in 0..2 {
            let answer = context.sql("SELECT number FROM numbers").await.unwrap();
            assert_eq!(answer.count().await.unwrap(), 3);
        }
        let kept = matches!(table.kept.get(), Some(Kept::Rows { .. }));
        assert_eq!(kept, is_kept);
    }

    #[tokio::test]
    async fn rows_are_kept_where_there_is_room() {
        check(1 << 20, true).await;
    }

    #[tokio::test]
    async fn rows_without_room_are_worked_out_again() {
        check(1, false).await;
    }
}

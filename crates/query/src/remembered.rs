//! A table whose rows are worked out once in a session.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, reset_plan_states};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream,
};
use datafusion::prelude::Expr;
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::functions::compacted;

/// The rows of a plan, kept by the first query that runs it. Rows for which the session has no memory left are not kept, and the plan
/// runs again for each query.
#[derive(Debug)]
pub(crate) struct RememberedTable {
    plan: LogicalPlan,
    schema: SchemaRef,
    /// Made for the first query: what each of them would open is opened once.
    planned: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    run: Arc<Mutex<Option<Run>>>,
}

/// The first run. It goes on by itself, whoever of those that wait for it looks: else two parts of one query could wait for each other.
type Run = Shared<BoxFuture<'static, Result<Arc<Kept>, Arc<DataFusionError>>>>;

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
            planned: Mutex::default(),
            run: Arc::default(),
        }
    }

    async fn planned(&self, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = || self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = planned().as_ref() {
            return Ok(Arc::clone(plan));
        }
        let plan = state.create_physical_plan(&self.plan).await?;
        Ok(Arc::clone(planned().get_or_insert(plan)))
    }

    /// What gives the rows.
    #[cfg(test)]
    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.plan
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
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        Ok(Arc::new(RememberedExec {
            plan: self.planned(state).await?,
            run: Arc::clone(&self.run),
            properties: properties(&Arc::new(self.schema.project(&projection)?)),
            projection,
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }
}

/// One stream of rows that come as they come.
fn properties(schema: &SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// The rows as one query reads them.
#[derive(Debug)]
struct RememberedExec {
    plan: Arc<dyn ExecutionPlan>,
    run: Arc<Mutex<Option<Run>>>,
    /// The columns that it reads.
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
    /// What the plan read, if it was this query that ran it.
    metrics: ExecutionPlanMetricsSet,
}

impl DisplayAs for RememberedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for RememberedExec {
    fn name(&self) -> &'static str {
        "RememberedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// None: the plan is run by whichever query is first, and once.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (run, plan) = (self.run(partition, &context), Arc::clone(&self.plan));
        let rows = async move {
            let rows: BoxStream<'static, Result<RecordBatch>> =
                match run.await.map_err(DataFusionError::Shared)?.as_ref() {
                    Kept::Rows { batches, .. } => stream::iter(batches.clone()).map(Ok).boxed(),
                    Kept::TooLarge => execute_stream(reset_plan_states(plan)?, context)?.boxed(),
                };
            Ok::<_, DataFusionError>(rows)
        };
        let (schema, projection) = (self.schema(), self.projection.clone());
        let rows = stream::once(rows)
            .try_flatten()
            .map(move |batch| own(&typed(&batch?.project(&projection)?, &schema)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

impl RememberedExec {
    /// The first run, which begins now if there is none, or if it failed.
    fn run(&self, partition: usize, context: &Arc<TaskContext>) -> Run {
        let mut known = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = known.as_ref();
        if let Some(run) = alive.filter(|run| !matches!(run.peek(), Some(Err(_)))) {
            return run.clone();
        }
        let bytes = MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition);
        let (plan, context) = (Arc::clone(&self.plan), Arc::clone(context));
        let task = SpawnedTask::spawn(async move {
            // A plan runs once, and this one may have, for a join that begins anew.
            let plan = reset_plan_states(plan)?;
            let rows = execute_stream(Arc::clone(&plan), Arc::clone(&context))?;
            let kept = keep(rows, &context).await;
            bytes.add(bytes_scanned(plan.as_ref()));
            Ok(Arc::new(kept?))
        });
        let run = async move {
            let ended = task.join().await;
            ended
                .unwrap_or_else(|lost| Err(DataFusionError::ExecutionJoin(Box::new(lost))))
                .map_err(Arc::new)
        };
        let run = run.boxed().shared();
        *known = Some(run.clone());
        run
    }
}

/// How much a plan that has run read from disk, in bytes.
pub(crate) fn bytes_scanned(plan: &dyn ExecutionPlan) -> usize {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.sum_by_name("bytes_scanned"))
        .map_or(0, |scanned| scanned.as_usize());
    let children = plan.children().into_iter();
    own + children
        .map(|child| bytes_scanned(child.as_ref()))
        .sum::<usize>()
}

/// Keeps the rows, as long as they find room in the session's memory.
async fn keep(mut rows: SendableRecordBatchStream, context: &TaskContext) -> Result<Kept> {
    let memory = MemoryConsumer::new("remembered rows").register(context.memory_pool());
    // Batches are often slices of one large array, which is there once.
    let mut counter = RecordBatchMemoryCounter::new();
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        if memory.try_grow(counter.count_batch(&batch)).is_err() {
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
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &rows,
    )?)
}

/// The rows in memory of their own. They are slices of large arrays, and each of those who keep them would count all of these for each slice.
fn own(batch: &RecordBatch) -> Result<RecordBatch> {
    let all = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
    let columns = batch.columns().iter().map(|column| {
        Ok(match column.as_string_view_opt() {
            Some(texts) => Arc::new(compacted(texts)) as ArrayRef,
            None => take(column, &all, None)?,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        batch.schema(),
        columns,
        &rows,
    )?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[test]
    fn a_slice_gets_memory_of_its_own() {
        let texts = (0..10_000).map(|row| Some(format!("a text of more than twelve bytes, {row}")));
        let texts: StringViewArray = texts.collect();
        let numbers = Int64Array::from_iter_values(0..10_000);
        let columns: [(&str, ArrayRef); 2] =
            [("text", Arc::new(texts)), ("number", Arc::new(numbers))];
        let slice = RecordBatch::try_from_iter(columns).unwrap().slice(5_000, 3);
        assert!(slice.get_array_memory_size() > 500_000);
        let own = own(&slice).unwrap();
        assert_eq!(own, slice);
        assert!(own.get_array_memory_size() < 20_000);
    }

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
        let run = table.run.lock().unwrap().clone().unwrap();
        let kept = matches!(run.await.unwrap().as_ref(), Kept::Rows { .. });
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

    /// A join may look at one side first and then wait for the other.
    #[tokio::test]
    async fn a_reader_that_does_not_look_keeps_nobody_waiting() {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        let values = "SELECT value FROM generate_series(1, 100000) WHERE value % 7 <> 5";
        let plan = context.state().create_logical_plan(values).await.unwrap();
        let table = Arc::new(RememberedTable::new(plan));
        context.register_table("numbers", table).unwrap();
        let rows = async || {
            let answer = context.sql("SELECT value FROM numbers").await.unwrap();
            answer.execute_stream().await.unwrap()
        };
        let mut first = rows().await;
        let looked = first.next().now_or_never();
        assert!(
            looked.is_none(),
            "the rows were there before they were made"
        );
        let second: Vec<RecordBatch> = rows().await.try_collect().await.unwrap();
        assert!(!second.is_empty());
    }
}

//! Joins that may begin anew on disk.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{replace_children_if_necessary, reset_plan_states};
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// Makes the left side of each nested loop join one that can be run twice.
///
/// Where there is no memory for that side, the join runs it again and writes it to disk. But what DataFusion divides between threads
/// can be run once, and panics at the second time.
#[derive(Debug)]
pub(crate) struct Restartable;

impl PhysicalOptimizerRule for Restartable {
    fn name(&self) -> &'static str {
        "restartable"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrap = |plan: Arc<dyn ExecutionPlan>| {
            let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else {
                return Ok(Transformed::no(plan));
            };
            let left = Arc::new(RestartableExec::new(Arc::clone(join.left())));
            let children = vec![left as _, Arc::clone(join.right())];
            Ok(Transformed::yes(replace_children_if_necessary(
                plan, children,
            )?))
        };
        plan.transform_up(wrap).data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rows of its input; from the second time on, those of a copy that has not run yet.
#[derive(Debug)]
struct RestartableExec {
    input: Arc<dyn ExecutionPlan>,
    has_run: AtomicBool,
}

impl RestartableExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            input,
            has_run: AtomicBool::new(false),
        }
    }
}

impl DisplayAs for RestartableExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for RestartableExec {
    fn name(&self) -> &'static str {
        "RestartableExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0))))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.has_run.swap(true, Ordering::Relaxed) {
            false => self.input.execute(partition, context),
            true => reset_plan_states(Arc::clone(&self.input))?.execute(partition, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[tokio::test]
    async fn a_side_without_room_is_run_again() {
        let pool = Arc::new(GreedyMemoryPool::new(6 << 20));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc();
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(runtime.unwrap())
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(Restartable))
            .build();
        // The left side is divided between threads, and its rows are twice what there is memory for.
        let statement = "SELECT l.a, r.value FROM (SELECT value AS a, value + 1 AS b, value + 2 AS c, value + 3 AS d, value + 4 AS e \
                         FROM generate_series(1, 300000) WHERE value % 7 <> 5) l \
                         JOIN generate_series(1, 20) r ON l.a + l.b + l.c + l.d + l.e < r.value";
        let answer = SessionContext::new_with_state(state).sql(statement).await;
        let rows = answer.unwrap().collect().await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
    }
}

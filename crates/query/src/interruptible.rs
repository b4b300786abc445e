//! Joins that can be ended.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// Operators that give many more rows than they take.
const MULTIPLY: &[&str] = &[
    "CrossJoinExec",
    "HashJoinExec",
    "NestedLoopJoinExec",
    "SortMergeJoinExec",
    "UnnestExec",
];

/// Has operators that multiply rows give way now and then, so that a query can be ended while it aggregates what they give.
///
/// DataFusion has the leaves of a plan give way, which is enough where each batch of rows comes from one of theirs. A cross join makes
/// thousands of one, and went on for half a minute after nobody listened any more.
#[derive(Debug)]
pub(crate) struct Interruptible;

impl PhysicalOptimizerRule for Interruptible {
    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrap = |plan: Arc<dyn ExecutionPlan>| match MULTIPLY.contains(&plan.name()) {
            true => Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _)),
            false => Ok(Transformed::no(plan)),
        };
        plan.transform_up(wrap).data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

//! `percentile_cont(share) WITHIN GROUP (ORDER BY value)`: DataFusion's own, and exact, which ends where nearly every row is a group of its own.
//!
//! Where a plan sees that grouping makes nothing fewer it hands rows on as they are, and DataFusion 55's function then panics, since it is
//! also given the share and the order, and expects the values alone. Here it is given these alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions_aggregate::percentile_cont::percentile_cont_udaf;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
};

pub(super) fn percentile_cont() -> AggregateUDF {
    AggregateUDF::from(PercentileCont(percentile_cont_udaf()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileCont(Arc<AggregateUDF>);

impl AggregateUDFImpl for PercentileCont {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.0.return_type(inputs)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.0.state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.0.accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.0.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let groups = self.0.create_groups_accumulator(arguments)?;
        Ok(Box::new(Groups(groups)))
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.0.simplify()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.0.supports_within_group_clause()
    }
}

/// The values of each group, as DataFusion keeps them.
struct Groups(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.0
            .update_batch(values, group_indices, opt_filter, total_num_groups)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.0.merge_batch(values, group_indices, total_num_groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.0.evaluate(emit_to)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&values[..1], opt_filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[tokio::test]
    async fn it_holds_where_each_row_is_a_group() {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        context.register_udaf(percentile_cont());
        // Keys in no order, which are handed on as they are after 100,000 rows of nearly as many.
        let statement = "SELECT count(*) FILTER (WHERE middle = key AND none IS NULL) \
             FROM (SELECT key, \
                          percentile_cont(0.5) WITHIN GROUP (ORDER BY key) AS middle, \
                          percentile_cont(0.5) WITHIN GROUP (ORDER BY key) FILTER (WHERE key < 0) AS none \
                   FROM (SELECT value * 7919 % 1000003 AS key FROM generate_series(1, 1000000)) \
                   GROUP BY key)";
        let answer = context.sql(statement).await.unwrap();
        let rows = answer.collect().await.unwrap();
        let right = rows[0].column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(right, 1_000_000);
    }
}

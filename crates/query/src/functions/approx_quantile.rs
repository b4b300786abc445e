//! `approx_quantile(value, share)`: a quantile of many groups at once.
//!
//! BIGINT, DOUBLE -> BIGINT or DOUBLE, DOUBLE -> DOUBLE, an aggregate: the smallest value that at least `share` of the values do not exceed,
//! with a relative error of at most 0.8 %; whole numbers below 128 are exact. NULLs and what is no number are left out; NULL of none. `share` is a
//! number from 0 to 1, the same for all rows. It takes a tenth of the time of `approx_percentile_cont` where there are half a million
//! groups, and some 16 bytes for each value that differs in its group. Wraps [`floodmark_traffic::quantile`].
//!
//! ```sql
//! SELECT path, approx_quantile(body_bytes_sent, 0.95) FROM requests GROUP BY 1
//! ```

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float64Array, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
    TypeSignature, Volatility,
};
use datafusion::physical_plan::expressions::Literal;
use floodmark_traffic::quantile::{Bucket, rank};

use crate::by_group::{ByGroup, Groups, Met, group_number};

pub(super) fn approx_quantile() -> AggregateUDF {
    AggregateUDF::from(ApproxQuantile {
        signature: Signature::one_of(
            vec![
                TypeSignature::Exact(vec![DataType::Int64, DataType::Float64]),
                TypeSignature::Exact(vec![DataType::Float64, DataType::Float64]),
            ],
            Volatility::Immutable,
        ),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ApproxQuantile {
    signature: Signature,
}

impl AggregateUDFImpl for ApproxQuantile {
    fn name(&self) -> &'static str {
        "approx_quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[counts]", arguments.name);
        Ok(vec![Arc::new(Field::new(name, DataType::BinaryView, true))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(Quantiles::new(&arguments)?)))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Quantiles::new(&arguments)?))
    }
}

/// The counts of all groups.
#[derive(Debug)]
struct Quantiles {
    share: f64,
    data_type: DataType,
    /// How often each bucket was met.
    counts: ByGroup<u64>,
}

impl Quantiles {
    fn new(arguments: &AccumulatorArgs<'_>) -> Result<Self> {
        let share = arguments
            .exprs
            .get(1)
            .and_then(|share| share.downcast_ref::<Literal>());
        let share = share
            .map(|share| share.value().cast_to(&DataType::Float64))
            .transpose()?;
        let Some(ScalarValue::Float64(Some(share))) = share else {
            return plan_err!(
                "`approx_quantile`: expected a share that is the same for all rows, such as 0.95"
            );
        };
        if !(0.0..=1.0).contains(&share) {
            return plan_err!("`approx_quantile`: expected a share from 0 to 1, found {share}");
        }
        Ok(Self {
            share,
            data_type: arguments.return_field.data_type().clone(),
            counts: ByGroup::new(),
        })
    }

    fn update(
        &mut self,
        values: &ArrayRef,
        group_of: impl Fn(usize) -> usize,
        passes: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let values = cast(values, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for row in 0..values.len() {
            if values.is_valid(row) && !values.value(row).is_nan() && passes(row) {
                let bucket = Bucket::of(values.value(row)).code();
                self.counts.add(group_number(group_of(row)), bucket, 1);
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &ArrayRef, group_of: impl Fn(usize) -> usize) {
        for (row, state) in states.as_binary_view().iter().enumerate() {
            let group = group_number(group_of(row));
            for (bucket, times) in decoded(state.unwrap_or_default()) {
                self.counts.add(group, bucket, times);
            }
        }
    }

    fn quantiles(&self, groups: &Groups<u64>) -> ArrayRef {
        let quantiles = groups.each().map(|buckets| {
            let wanted = rank(self.share, buckets.iter().map(|met| met.note).sum());
            let mut met = 0;
            let found = buckets.iter().find(|bucket| {
                met += bucket.note;
                met >= wanted
            });
            found.map(|met| Bucket::with_code(met.key).number())
        });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers below 128 are the floor of their bucket's number; larger ones are rounded anyway"
        )]
        match self.data_type {
            DataType::Int64 => Arc::new(
                quantiles
                    .map(|number| number.map(|number| number.floor() as i64))
                    .collect::<Int64Array>(),
            ),
            _ => Arc::new(quantiles.collect::<Float64Array>()),
        }
    }
}

/// The counts of a group: for each the bucket and how often, four and eight bytes.
fn encoded(counts: &[Met<u64>]) -> Vec<u8> {
    let bytes = counts
        .iter()
        .map(|count| [&count.key.to_le_bytes()[..], &count.note.to_le_bytes()].concat());
    bytes.flatten().collect()
}

fn decoded(bytes: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    let (counts, _) = bytes.as_chunks::<12>();
    counts.iter().map(|bytes| {
        let [a, b, c, d, times @ ..] = *bytes;
        (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(times))
    })
}

impl GroupsAccumulator for Quantiles {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.set_groups(total_num_groups);
        let passes =
            |row| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        self.update(&values[0], |row| group_indices[row], passes)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.counts.take(emit_to);
        Ok(self.quantiles(&groups))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.counts.take(emit_to);
        let states = groups.each().map(encoded);
        Ok(vec![Arc::new(BinaryViewArray::from_iter_values(states))])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.set_groups(total_num_groups);
        self.merge(&states[0], |row| group_indices[row]);
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut rows = Self {
            share: self.share,
            data_type: self.data_type.clone(),
            counts: ByGroup::new(),
        };
        let all: Vec<usize> = (0..values[0].len()).collect();
        rows.update_batch(values, &all, opt_filter, all.len())?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.counts.bytes()
    }
}

/// All rows as one group.
#[derive(Debug)]
struct OneGroup(Quantiles);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.counts.set_groups(1);
        self.0.update(&values[0], |_| 0, |_| true)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.counts.set_groups(1);
        let groups = self.0.counts.take(EmitTo::All);
        ScalarValue::try_from_array(&self.0.quantiles(&groups), 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.counts.set_groups(1);
        let groups = self.0.counts.take(EmitTo::All);
        Ok(vec![ScalarValue::BinaryView(Some(encoded(&groups.met)))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.counts.set_groups(1);
        self.0.merge(&states[0], |_| 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineOptions, RawLogs};

    async fn asked(threads: usize, statement: &str) -> Result<Vec<f64>, crate::Error> {
        use arrow::array::AsArray;
        use arrow::datatypes::Float64Type;

        let options = EngineOptions {
            threads,
            ..EngineOptions::default()
        };
        let engine = Engine::over_logs(&RawLogs { files: Vec::new() }, &options).await?;
        let answer = engine.sql(statement).await?;
        let column = answer.batches.iter().flat_map(|batch| {
            let numbers =
                arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Float64);
            let numbers = numbers.unwrap();
            let numbers = numbers.as_primitive::<Float64Type>().clone();
            (0..numbers.len()).map(move |row| {
                if arrow::array::Array::is_null(&numbers, row) {
                    f64::NAN
                } else {
                    numbers.value(row)
                }
            })
        });
        Ok(column.collect())
    }

    /// The twin: the exact quantile by DataFusion's own sort, `percentile_disc` as SQL has it.
    const EXACT: &str = "SELECT min(v) FROM (SELECT v, g, row_number() OVER (PARTITION BY g ORDER BY v) AS place, count(*) OVER (PARTITION BY g) AS n FROM t) \
                         WHERE place >= ceil(SHARE * n) GROUP BY g ORDER BY g";

    #[tokio::test]
    async fn it_is_near_the_exact_one_for_few_and_many_groups() {
        for groups in [1, 7, 20_000] {
            let t = format!(
                "WITH t AS (SELECT value % {groups} AS g, (value * 7919) % 100003 AS v FROM generate_series(1, 60000)) "
            );
            for share in ["0.0", "0.5", "0.95", "1.0"] {
                let exact = asked(1, &format!("{t}{}", EXACT.replace("SHARE", share)))
                    .await
                    .unwrap();
                for threads in [1, 3] {
                    let ours = format!(
                        "{t} SELECT approx_quantile(v, {share}) FROM t GROUP BY g ORDER BY g"
                    );
                    let found = asked(threads, &ours).await.unwrap();
                    assert_eq!(found.len(), exact.len());
                    for (found, exact) in found.iter().zip(&exact) {
                        assert!(
                            (found - exact).abs() <= exact / 128.0,
                            "{share}: {found}, not {exact}"
                        );
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_null_is_left_out_and_none_is_null() {
        let of = async |list: &str| {
            let statement = format!("SELECT approx_quantile(column1, 0.5) FROM (VALUES {list})");
            asked(2, &statement).await.unwrap()
        };
        assert_eq!(of("(3), (1), (NULL), (2)").await, [2.0]);
        assert!((of("(0.031), (0.020), (4.5)").await[0] - 0.031).abs() < 0.00025);
        assert!(of("(cast(NULL as double))").await[0].is_nan());
        let filtered = "SELECT approx_quantile(value, 1) FILTER (WHERE value < 50) FROM generate_series(1, 100)";
        assert_eq!(asked(2, filtered).await.unwrap(), [49.0]);
    }

    #[tokio::test]
    async fn a_share_that_is_none_is_refused() {
        for (share, expected) in [
            (
                "1.5",
                "`approx_quantile`: expected a share from 0 to 1, found 1.5",
            ),
            (
                "value",
                "`approx_quantile`: expected a share that is the same for all rows, such as 0.95",
            ),
        ] {
            let statement =
                format!("SELECT approx_quantile(value, {share}) FROM generate_series(1, 3)");
            let refused = format!("{:?}", asked(1, &statement).await.unwrap_err());
            assert!(refused.contains(expected), "{refused}");
        }
    }
}

//! `minute_tally(minute, is_probe, good, bad, shed, bad_clients)`: rows of minutes added up and judged.
//!
//! TIMESTAMP, BOOLEAN, BIGINT, BIGINT, BIGINT, BINARY -> STRUCT, an aggregate: how many minutes were `up`, `degraded`, `down` and `idle` (BIGINT), from the
//! first with a row to the last, `good` (DOUBLE), the sum of their good fractions, and `good_requests` and `bad_requests` (BIGINT), those of probes
//! left out. Rows without a minute are left out; other NULLs are 0, false or nobody. At most ten years at once. Wraps
//! [`floodmark_traffic::tally::Tally`].
//!
//! `queries/weekly.sql` shows it in use.

use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float64Array, Int64Array, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use floodmark_traffic::hyper_log_log::HyperLogLog;
use floodmark_traffic::tally::{Counted, States, Tally};

use super::scalar::time_type;
use super::sketch::failed;

const MINUTE_US: i64 = 60_000_000;

pub(super) fn minute_tally() -> AggregateUDF {
    let number = DataType::Int64;
    let inputs = vec![
        time_type(),
        DataType::Boolean,
        number.clone(),
        number.clone(),
        number,
        DataType::BinaryView,
    ];
    AggregateUDF::from(MinuteTally {
        signature: Signature::exact(inputs, Volatility::Immutable),
    })
}

fn output() -> Fields {
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    Fields::from(vec![
        count("up"),
        count("degraded"),
        count("down"),
        count("idle"),
        Field::new("good", DataType::Float64, true),
        count("good_requests"),
        count("bad_requests"),
    ])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MinuteTally {
    signature: Signature,
}

impl AggregateUDFImpl for MinuteTally {
    fn name(&self) -> &'static str {
        "minute_tally"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(output()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "tally");
        Ok(vec![Arc::new(Field::new(name, DataType::BinaryView, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneTally::default()))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Tallies::default()))
    }
}

/// The arguments of a batch.
struct Rows<'batch> {
    minutes: &'batch TimestampMicrosecondArray,
    is_probe: &'batch BooleanArray,
    good: &'batch Int64Array,
    bad: &'batch Int64Array,
    shed: &'batch Int64Array,
    bad_clients: &'batch BinaryViewArray,
}

impl<'batch> Rows<'batch> {
    fn of(values: &'batch [ArrayRef]) -> Self {
        Self {
            minutes: values[0].as_primitive::<TimestampMicrosecondType>(),
            is_probe: values[1].as_boolean(),
            good: values[2].as_primitive::<Int64Type>(),
            bad: values[3].as_primitive::<Int64Type>(),
            shed: values[4].as_primitive::<Int64Type>(),
            bad_clients: values[5].as_binary_view(),
        }
    }

    #[inline]
    fn add(&self, row: usize, tally: &mut Tally) -> Result<()> {
        if self.minutes.is_null(row) {
            return Ok(());
        }
        let minute = self.minutes.value(row).div_euclid(MINUTE_US);
        tally.add(&Counted {
            minute,
            is_probe: self.is_probe.is_valid(row) && self.is_probe.value(row),
            good: count(self.good, row),
            bad: count(self.bad, row),
            shed: count(self.shed, row),
        });
        if self.bad_clients.is_valid(row) {
            let clients = HyperLogLog::decode(self.bad_clients.value(row)).map_err(failed)?;
            tally.add_bad_clients(minute, &clients);
        }
        Ok(())
    }
}

#[inline]
fn count(counts: &Int64Array, row: usize) -> u64 {
    match counts.is_valid(row) {
        true => counts.value(row).max(0).unsigned_abs(),
        false => 0,
    }
}

fn judged(tallies: &[Tally]) -> Result<StructArray> {
    let states = tallies.iter().map(Tally::states);
    let states = states.collect::<Result<Vec<States>, _>>().map_err(failed)?;
    let count = |of: fn(&States) -> u64| -> ArrayRef {
        let counts = states.iter().map(of);
        let counts = counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let good = states.iter().map(|states| states.good);
    let columns: Vec<ArrayRef> = vec![
        count(|states| states.up),
        count(|states| states.degraded),
        count(|states| states.down),
        count(|states| states.idle),
        Arc::new(Float64Array::from_iter_values(good)),
        count(|states| states.good_requests),
        count(|states| states.bad_requests),
    ];
    Ok(StructArray::new(output(), columns, None))
}

/// All rows as one group.
#[derive(Debug, Default)]
struct OneTally(Tally);

impl Accumulator for OneTally {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = Rows::of(values);
        (0..rows.minutes.len()).try_for_each(|row| rows.add(row, &mut self.0))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let row = judged(std::slice::from_ref(&self.0))?;
        Ok(ScalarValue::Struct(Arc::new(row)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.memory_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let tally = std::mem::take(&mut self.0);
        Ok(vec![ScalarValue::BinaryView(Some(tally.encode()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary_view().iter().flatten() {
            self.0.merge(Tally::decode(state).map_err(failed)?);
        }
        Ok(())
    }
}

/// A tally for each group.
#[derive(Debug, Default)]
struct Tallies {
    groups: Vec<Tally>,
    /// Of all groups: asked for with each batch.
    memory_bytes: usize,
}

impl Tallies {
    /// Works on a group; its memory is counted anew.
    fn change(
        &mut self,
        group: usize,
        change: impl FnOnce(&mut Tally) -> Result<()>,
    ) -> Result<()> {
        let tally = &mut self.groups[group];
        let before = tally.memory_bytes();
        let changed = change(tally);
        self.memory_bytes += tally.memory_bytes();
        self.memory_bytes -= before;
        changed
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Tally> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.memory_bytes -= taken.iter().map(Tally::memory_bytes).sum::<usize>();
        taken
    }
}

impl GroupsAccumulator for Tallies {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Tally::default);
        let rows = Rows::of(values);
        let passes = |row: &usize| {
            opt_filter.is_none_or(|filter| filter.is_valid(*row) && filter.value(*row))
        };
        // Minutes are mostly in order, and so are groups of them.
        let mut next = 0;
        for group in group_indices.chunk_by(|one, other| one == other) {
            let of_group = next..next + group.len();
            next = of_group.end;
            self.change(group[0], |tally| {
                let mut of_group = of_group.filter(passes);
                of_group.try_for_each(|row| rows.add(row, tally))
            })?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(judged(&self.take(emit_to))?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.take(emit_to).into_iter().map(Tally::encode);
        Ok(vec![Arc::new(BinaryViewArray::from_iter_values(states))])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Tally::default);
        let states = values[0].as_binary_view().iter().zip(group_indices);
        for (state, &group) in states.filter_map(|(state, group)| Some((state?, group))) {
            let more = Tally::decode(state).map_err(failed)?;
            self.change(group, |tally| {
                tally.merge(more);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let each: Vec<usize> = (0..values[0].len()).collect();
        let mut rows = Self::default();
        rows.update_batch(values, &each, opt_filter, each.len())?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.groups.capacity() * size_of::<Tally>() + self.memory_bytes
    }
}

//! `visit(named_struct(…))`: what a visitor asked for, an aggregate.
//!
//! STRUCT -> BYTES: its requests in the order of time, 25 bytes each ([`floodmark_traffic::visit`]), for `visitor_class`,
//! `visit_minutes` and `visit_days`; empty for none. In: `time`, which must not be NULL, `path`, `bytes` (NULL as 0), `outcome` (NULL as neutral), and the flags
//! `asset`, `referred`, `refused`, `scans`, `robots_txt` (NULL as false). It is told what each of them means in [`floodmark_traffic::visit::Asked`].
//! What it gives may change with each build and is not to be kept.
//!
//! `queries/tables/visitors.sql` shows it in use.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeBinaryArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use floodmark_traffic::outcome::Outcome;
use floodmark_traffic::visit::{ASKED_BYTES, Asked, path_key};

use super::fields::Fields;
use super::scalar::{micros, whole};

pub(super) fn visit() -> AggregateUDF {
    AggregateUDF::from(Visit {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Visit {
    signature: Signature,
}

impl AggregateUDFImpl for Visit {
    fn name(&self) -> &'static str {
        "visit"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::LargeBinary)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[asked]", arguments.name);
        Ok(vec![Arc::new(Field::new(
            name,
            DataType::LargeBinary,
            true,
        ))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(Visits::default())))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Visits::default()))
    }
}

/// A request of a group.
#[derive(Debug, Clone, Copy)]
struct Entry {
    group: u32,
    asked: [u8; ASKED_BYTES],
}

/// The requests of all groups, as they came.
#[derive(Debug, Default)]
struct Visits {
    groups: usize,
    entries: Vec<Entry>,
}

impl Visits {
    fn update(
        &mut self,
        values: &ArrayRef,
        group_of: impl Fn(usize) -> usize,
        passes: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let requests = Requests::of(values)?;
        self.entries.reserve(values.len());
        for row in (0..values.len()).filter(|&row| passes(row)) {
            self.entries.push(Entry {
                group: group_number(group_of(row))?,
                asked: requests.asked(row).encoded(),
            });
        }
        Ok(())
    }

    fn merge(&mut self, states: &ArrayRef, group_of: impl Fn(usize) -> usize) -> Result<()> {
        let states: &LargeBinaryArray = states.as_binary();
        self.entries
            .reserve(states.value_data().len() / ASKED_BYTES);
        for (row, state) in states.iter().enumerate() {
            let group = group_number(group_of(row))?;
            let (requests, _) = state.unwrap_or_default().as_chunks();
            let entries = requests.iter().map(|&asked| Entry { group, asked });
            self.entries.extend(entries);
        }
        Ok(())
    }

    /// The requests of each of the groups that are asked for; groups behind them become the first.
    fn take(&mut self, emit_to: EmitTo) -> Taken {
        let taken = match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(count) => count,
        };
        let mut lengths = vec![0; taken];
        for entry in &self.entries {
            if let Some(length) = lengths.get_mut(entry.group as usize) {
                *length += 1;
            }
        }
        let mut places: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| Some(std::mem::replace(end, *end + length)))
            .collect();
        let mut asked = vec![[0; ASKED_BYTES]; lengths.iter().sum()];
        let end = u32::try_from(taken).unwrap_or(u32::MAX);
        self.entries.retain_mut(|entry| {
            if entry.group >= end {
                entry.group -= end;
                return true;
            }
            let place = &mut places[entry.group as usize];
            asked[*place] = entry.asked;
            *place += 1;
            false
        });
        self.groups -= taken;
        Taken { lengths, asked }
    }
}

/// The requests of some groups, one group's after the other's.
struct Taken {
    lengths: Vec<usize>,
    asked: Vec<[u8; ASKED_BYTES]>,
}

impl Taken {
    /// As they came.
    fn unsorted(self) -> LargeBinaryArray {
        let lengths = self.lengths.iter().map(|length| length * ASKED_BYTES);
        let offsets = OffsetBuffer::from_lengths(lengths);
        LargeBinaryArray::new(offsets, self.asked.into_flattened().into(), None)
    }

    /// Those of each group in the order of time, and of their bytes where that is the same.
    fn sorted(mut self) -> LargeBinaryArray {
        let time =
            |asked: &[u8; ASKED_BYTES]| asked.first_chunk().map(|&time| u64::from_be_bytes(time));
        let mut rest = self.asked.as_mut_slice();
        for &length in &self.lengths {
            let of_group = rest.split_off_mut(..length).unwrap_or_default();
            of_group.sort_unstable_by(|one, other| {
                time(one).cmp(&time(other)).then_with(|| one.cmp(other))
            });
        }
        self.unsorted()
    }
}

fn group_number(group: usize) -> Result<u32> {
    u32::try_from(group).or_else(|_| exec_err!("`visit`: expected at most four billion visitors"))
}

/// The fields of the requests in a batch.
struct Requests {
    times: TimestampMicrosecondArray,
    paths: StringViewArray,
    bytes: Int64Array,
    outcomes: StringViewArray,
    assets: Vec<bool>,
    referred: Vec<bool>,
    refused: Vec<bool>,
    scans: Vec<bool>,
    robots_txt: Vec<bool>,
}

impl Requests {
    fn of(values: &ArrayRef) -> Result<Self> {
        let fields = Fields::of("visit", values)?;
        let times = micros(fields.column("time")?)?;
        if times.null_count() > 0 {
            return exec_err!("function `visit`: expected a time in `time`, found NULL");
        }
        Ok(Self {
            times,
            paths: fields.texts("path")?,
            bytes: whole(fields.column("bytes")?)?,
            outcomes: fields.texts("outcome")?,
            assets: fields.flags("asset")?,
            referred: fields.flags("referred")?,
            refused: fields.flags("refused")?,
            scans: fields.flags("scans")?,
            robots_txt: fields.flags("robots_txt")?,
        })
    }

    fn asked(&self, row: usize) -> Asked {
        let path = self
            .paths
            .is_valid(row)
            .then(|| self.paths.value(row).as_bytes());
        let bytes = match self.bytes.is_valid(row) {
            true => u64::try_from(self.bytes.value(row)).unwrap_or(0),
            false => 0,
        };
        let outcome = self
            .outcomes
            .is_valid(row)
            .then(|| self.outcomes.value(row));
        Asked {
            time_us: self.times.value(row),
            path: path_key(path),
            bytes,
            outcome: outcome.and_then(Outcome::named).unwrap_or(Outcome::Neutral),
            asset: self.assets[row],
            referred: self.referred[row],
            refused: self.refused[row],
            scans: self.scans[row],
            robots_txt: self.robots_txt[row],
        }
    }
}

impl GroupsAccumulator for Visits {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        let passes =
            |row| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        self.update(&values[0], |row| group_indices[row], passes)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.take(emit_to).sorted()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.take(emit_to).unsorted())])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        self.merge(&states[0], |row| group_indices[row])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut rows = Self::default();
        let all: Vec<usize> = (0..values[0].len()).collect();
        rows.update_batch(values, &all, opt_filter, all.len())?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.entries.capacity() * size_of::<Entry>()
    }
}

/// All rows as one group.
#[derive(Debug)]
struct OneGroup(Visits);

impl OneGroup {
    fn take(&mut self) -> ScalarValue {
        self.0.groups = 1;
        ScalarValue::LargeBinary(Some(self.0.take(EmitTo::All).sorted().value(0).to_vec()))
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update(&values[0], |_| 0, |_| true)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.take())
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.take()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(&states[0], |_| 0)
    }
}

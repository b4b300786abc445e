//! The aggregate: texts of all groups in one table, and by group the numbers of those met in it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{and, cast, filter, is_not_null, prep_null_mask_filter, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::numbers::Numbers;
use crate::by_group::{ByGroup, group_number};

pub(super) fn count_distinct() -> AggregateUDF {
    AggregateUDF::from(CountDistinct {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountDistinct {
    signature: Signature,
}

impl AggregateUDFImpl for CountDistinct {
    fn name(&self) -> &'static str {
        "count_distinct"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[texts]", arguments.name);
        let list = DataType::List(item());
        Ok(vec![Arc::new(Field::new(name, list, false))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} without groups", arguments.name)
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Texts::new()))
    }
}

/// The texts of a state.
fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8View, false))
}

/// The texts of all groups.
struct Texts {
    numbers: Numbers,
    /// By number, the group that met it last: a log is in order of time, so mostly the next one too.
    last_group: Vec<u32>,
    met: ByGroup<()>,
    /// By group, what other threads have met in it.
    states: Vec<State>,
    /// What these hold.
    state_bytes: usize,
}

/// What is known of a group from the states of other threads.
#[derive(Clone)]
enum State {
    /// There was none.
    None,
    /// One, a row of these: its texts are different ones, so that nobody has to look at them.
    One(Arc<ListArray>, usize),
    /// Several, whose texts have their numbers.
    Numbered,
}

/// No group: there are never so many.
const NONE: u32 = u32::MAX;

impl Texts {
    fn new() -> Self {
        Self {
            numbers: Numbers::new(),
            last_group: Vec::new(),
            met: ByGroup::new(),
            states: Vec::new(),
            state_bytes: 0,
        }
    }

    /// Takes in texts, each of the group that `group_of` says of its row; of none if it says so.
    fn add(
        &mut self,
        texts: &ArrayRef,
        mut group_of: impl FnMut(usize) -> Option<u32>,
    ) -> Result<()> {
        let texts = cast(texts, &DataType::Utf8View)?;
        let numbers = self.numbers.of(&texts)?;
        self.last_group.resize(self.numbers.count(), NONE);
        for (row, number) in numbers.iter().enumerate() {
            // NULL is never met.
            if texts.is_valid(row)
                && let Some(group) = group_of(row)
            {
                let last_group = &mut self.last_group[*number as usize];
                if *last_group != group {
                    *last_group = group;
                    self.met.add(group, *number, ());
                }
            }
        }
        Ok(())
    }

    /// Takes in the texts of a state.
    fn add_state(&mut self, group: usize, texts: &ArrayRef) -> Result<()> {
        let group = group_number(group);
        for number in self.numbers.of_different(texts)? {
            self.met.add(group, number, ());
        }
        Ok(())
    }

    /// Takes in the one state of a group, as there is another.
    fn number(&mut self, group: usize) -> Result<()> {
        let state = std::mem::replace(&mut self.states[group], State::Numbered);
        match state {
            State::One(states, row) => self.add_state(group, &states.value(row)),
            State::None | State::Numbered => Ok(()),
        }
    }

    /// The states of the groups that are asked for; those behind them become the first.
    fn take_states(&mut self, emit_to: EmitTo) -> Vec<State> {
        let taken = match emit_to {
            EmitTo::All => self.states.len(),
            EmitTo::First(count) => count.min(self.states.len()),
        };
        self.states.drain(..taken).collect()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Texts").finish_non_exhaustive()
    }
}

impl GroupsAccumulator for Texts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.met.set_groups(total_num_groups);
        self.add(&values[0], |row| {
            let passes = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            passes.then(|| group_number(group_indices[row]))
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.met.take(emit_to);
        let mut states = self.take_states(emit_to).into_iter();
        let counts = groups.each().map(|met| match states.next() {
            Some(State::One(states, row)) => i64::from(states.value_length(row)),
            _ => i64::try_from(met.len()).unwrap_or(i64::MAX),
        });
        let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(counts));
        // Groups have other numbers now.
        self.last_group.fill(NONE);
        Ok(counts)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        for group in 0..self.states.len() {
            self.number(group)?;
        }
        self.take_states(emit_to);
        let groups = self.met.take(emit_to);
        let lengths = OffsetBuffer::from_lengths(groups.each().map(<[_]>::len));
        let numbers = groups.met.iter().map(|met| met.key);
        let numbers = UInt32Array::from_iter_values(numbers);
        let all = self.numbers.take();
        let texts = take(&all, &numbers, None)?;
        if matches!(emit_to, EmitTo::First(_)) {
            // In the same order they get the same numbers.
            self.numbers.of_different(&all)?;
        }
        self.last_group.fill(NONE);
        Ok(vec![Arc::new(ListArray::try_new(
            item(),
            lengths,
            texts,
            None,
        )?)])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.met.set_groups(total_num_groups);
        self.states.resize(total_num_groups, State::None);
        let states = Arc::new(states[0].as_list::<i32>().clone());
        self.state_bytes += size_of_val(states.values().as_string_view().views().as_ref());
        for (row, &group) in group_indices.iter().enumerate() {
            if matches!(self.states[group], State::None) {
                self.states[group] = State::One(Arc::clone(&states), row);
            } else {
                self.number(group)?;
                self.add_state(group, &states.value(row))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let texts = cast(&values[0], &DataType::Utf8View)?;
        let is_valid = is_not_null(&texts)?;
        let counts = match opt_filter {
            Some(passes) if passes.null_count() > 0 => {
                and(&is_valid, &prep_null_mask_filter(passes))?
            }
            Some(passes) => and(&is_valid, passes)?,
            None => is_valid,
        };
        let lengths = counts.values().iter().map(usize::from);
        Ok(vec![Arc::new(ListArray::try_new(
            item(),
            OffsetBuffer::from_lengths(lengths),
            filter(&texts, &counts)?,
            None,
        )?)])
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + self.numbers.bytes()
            + self.state_bytes
            + self.states.capacity() * size_of::<State>()
            + self.last_group.capacity() * size_of::<u32>()
            + self.met.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::StringViewArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    /// Rows of a group and a text each, by the place of a row; every seventh has none.
    fn rows(places: std::ops::Range<usize>, groups: usize) -> (Vec<usize>, Vec<Option<String>>) {
        let text = |place: usize| match place % 7 {
            0 => None,
            1 | 2 => Some(format!("{}", place * 31 % 50)),
            _ => Some(format!(
                "longer than what stands in a view, {}",
                place * 17 % 90
            )),
        };
        let group = |place: usize| (place * 13 / 5) % groups;
        (
            places.clone().map(group).collect(),
            places.map(text).collect(),
        )
    }

    fn array(texts: &[Option<String>]) -> ArrayRef {
        Arc::new(
            texts
                .iter()
                .map(Option::as_deref)
                .collect::<StringViewArray>(),
        )
    }

    fn counts(counts: &ArrayRef) -> Vec<usize> {
        let counts = counts.as_primitive::<Int64Type>().values().iter();
        counts
            .map(|count| usize::try_from(*count).unwrap())
            .collect()
    }

    fn expected(groups: &[usize], texts: &[Option<String>], count: usize) -> Vec<usize> {
        let mut met = vec![BTreeSet::new(); count];
        for (group, text) in groups.iter().zip(texts) {
            met[*group].extend(text);
        }
        met.iter().map(BTreeSet::len).collect()
    }

    /// What two threads hand to a third, in parts as a plan does that is short of memory, is what one thread counts.
    #[test]
    fn parts_add_up() {
        for groups in [1, 5, 40] {
            let (all_groups, all_texts) = rows(0..900, groups);
            let mut last = Texts::new();
            let mut merge = |states: &ArrayRef, of: &[usize]| {
                last.merge_batch(std::slice::from_ref(states), of, groups)
                    .unwrap();
            };
            for thread in [0..500, 500..900] {
                let (of, texts) = (&all_groups[thread.clone()], &all_texts[thread]);
                let mut one = Texts::new();
                let (early, late) = texts.split_at(200);
                let early = array(early);
                // Twice the same buffers: what is known by its place is that very text.
                one.update_batch(&[Arc::clone(&early)], &of[..200], None, groups)
                    .unwrap();
                one.update_batch(&[early], &of[..200], None, groups)
                    .unwrap();
                // The first group is handed on before the others, which then move up.
                let first = one.state(EmitTo::First(1)).unwrap();
                merge(&first[0], &[0]);
                let moved: Vec<usize> = of[200..]
                    .iter()
                    .map(|group| (group + groups - 1) % groups)
                    .collect();
                one.update_batch(&[array(late)], &moved, None, groups)
                    .unwrap();
                let rest = one.state(EmitTo::All).unwrap();
                let places: Vec<usize> = (0..groups).map(|place| (place + 1) % groups).collect();
                merge(&rest[0], &places);
            }
            let expected = expected(&all_groups, &all_texts, groups);
            let mut found = counts(&last.evaluate(EmitTo::First(groups / 2)).unwrap());
            found.extend(counts(&last.evaluate(EmitTo::All).unwrap()));
            assert_eq!(found, expected, "{groups} groups");
        }
    }

    #[test]
    fn rows_that_nobody_grouped_are_states_of_their_own() {
        let (groups, texts) = rows(0..300, 4);
        let passes: BooleanArray = (0..300)
            .map(|row| [Some(true), Some(false), None][row % 3])
            .collect();
        let states = Texts::new()
            .convert_to_state(&[array(&texts)], Some(&passes))
            .unwrap();
        let mut last = Texts::new();
        last.merge_batch(&states, &groups, 4).unwrap();
        let kept: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(row, text)| text.clone().filter(|_| row % 3 == 0))
            .collect();
        assert_eq!(
            counts(&last.evaluate(EmitTo::All).unwrap()),
            expected(&groups, &kept, 4)
        );
        assert!(last.size() > 0);
    }
}

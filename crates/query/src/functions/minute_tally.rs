//! `minute_tally(minute, is_probe, good, bad, shed, bad_clients)`: rows of minutes added up and judged.
//!
//! TIMESTAMP, BOOLEAN, BIGINT, BIGINT, BIGINT, BINARY -> STRUCT, an aggregate: how many minutes were `up`, `degraded`, `down` and `idle` (BIGINT), from the
//! first with a row to the last, and `good` (DOUBLE), the sum of their good fractions. Rows without a minute are left out; other NULLs are 0, false
//! or nobody. At most ten years at once. Wraps [`floodmark_traffic::tally::Tally`].
//!
//! `queries/weekly.sql` shows it in use.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use floodmark_traffic::hyper_log_log::HyperLogLog;
use floodmark_traffic::tally::{Counted, Tally};

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
    create_udaf(
        "minute_tally",
        inputs,
        Arc::new(DataType::Struct(output())),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(MinuteTally::default()))),
        Arc::new(vec![DataType::BinaryView]),
    )
}

fn output() -> Fields {
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    Fields::from(vec![
        count("up"),
        count("degraded"),
        count("down"),
        count("idle"),
        Field::new("good", DataType::Float64, true),
    ])
}

#[derive(Debug, Default)]
struct MinuteTally(Tally);

impl Accumulator for MinuteTally {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let minutes = values[0].as_primitive::<TimestampMicrosecondType>();
        let is_probe = values[1].as_boolean();
        let [good, bad, shed] = [2, 3, 4].map(|at| values[at].as_primitive::<Int64Type>());
        let bad_clients = values[5].as_binary_view();
        let count = |counts: &Int64Array, row: usize| match counts.is_valid(row) {
            true => counts.value(row).max(0).unsigned_abs(),
            false => 0,
        };
        for row in (0..minutes.len()).filter(|row| minutes.is_valid(*row)) {
            let minute = minutes.value(row).div_euclid(MINUTE_US);
            self.0.add(&Counted {
                minute,
                is_probe: is_probe.is_valid(row) && is_probe.value(row),
                good: count(good, row),
                bad: count(bad, row),
                shed: count(shed, row),
            });
            if bad_clients.is_valid(row) {
                let clients = HyperLogLog::decode(bad_clients.value(row)).map_err(failed)?;
                self.0.add_bad_clients(minute, &clients);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let states = self.0.states().map_err(failed)?;
        let count = |count: u64| -> ArrayRef {
            Arc::new(Int64Array::from(vec![
                i64::try_from(count).unwrap_or(i64::MAX),
            ]))
        };
        let columns: Vec<ArrayRef> = vec![
            count(states.up),
            count(states.degraded),
            count(states.down),
            count(states.idle),
            Arc::new(Float64Array::from(vec![states.good])),
        ];
        let row = StructArray::new(output(), columns, None);
        Ok(ScalarValue::Struct(Arc::new(row)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.memory_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::BinaryView(Some(self.0.encode()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary_view().iter().flatten() {
            self.0.merge(&Tally::decode(state).map_err(failed)?);
        }
        Ok(())
    }
}

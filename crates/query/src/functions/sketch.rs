//! The frame of functions of sketches: a column of bytes in, one sketch or a number for each out.

use std::fmt::Debug;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, AggregateUDF, ScalarUDF, Volatility, create_udaf};
use floodmark_traffic::Error;
use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::hyper_log_log::HyperLogLog;

use super::scalar::function;

/// A sketch that others can be added to.
pub(super) trait Sketch: Debug + Default + Send + Sync + 'static {
    fn read(bytes: &[u8]) -> Result<Self, Error>;
    fn add(&mut self, other: &Self);
    fn is_empty(&self) -> bool;
    fn count(&self) -> u64;
    fn bytes(&self) -> Vec<u8>;
}

macro_rules! sketches {
    ($($sketch:ty),*) => {$(
        impl Sketch for $sketch {
            fn read(bytes: &[u8]) -> Result<Self, Error> {
                Self::decode(bytes)
            }

            fn add(&mut self, other: &Self) {
                self.merge(other);
            }

            fn is_empty(&self) -> bool {
                self.is_empty()
            }

            fn count(&self) -> u64 {
                self.count()
            }

            fn bytes(&self) -> Vec<u8> {
                self.encode()
            }
        }
    )*};
}

sketches!(Histogram, HyperLogLog);

/// An aggregate that merges all sketches of a column: NULL of none.
pub(super) fn merge<S: Sketch>(name: &str) -> AggregateUDF {
    create_udaf(
        name,
        vec![DataType::BinaryView],
        Arc::new(DataType::BinaryView),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(Merged::<S>::default()))),
        Arc::new(vec![DataType::BinaryView]),
    )
}

/// A function that tells of each sketch how many values it counted.
pub(super) fn count<S: Sketch>(name: &str) -> ScalarUDF {
    function(
        name,
        vec![DataType::BinaryView],
        DataType::Int64,
        |values| {
            let count = |sketch: &S| i64::try_from(sketch.count()).unwrap_or(i64::MAX);
            let counts = read(&values[0]).map(|sketch| Ok(Some(count(&sketch?))));
            Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
        },
    )
}

/// The sketches of a column; of NULL one that counted nothing.
pub(super) fn read<S: Sketch>(column: &ArrayRef) -> impl Iterator<Item = Result<S>> {
    column.as_binary_view().iter().map(|bytes| match bytes {
        Some(bytes) => S::read(bytes).map_err(failed),
        None => Ok(S::default()),
    })
}

/// What a bad sketch is to DataFusion.
pub(super) fn failed(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[derive(Debug, Default)]
struct Merged<S>(S);

impl<S: Sketch> Merged<S> {
    fn value(&self) -> ScalarValue {
        let sketch = (!self.0.is_empty()).then(|| self.0.bytes());
        ScalarValue::BinaryView(sketch)
    }
}

impl<S: Sketch> Accumulator for Merged<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for bytes in values[0].as_binary_view().iter().flatten() {
            self.0.add(&S::read(bytes).map_err(failed)?);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value())
    }

    fn size(&self) -> usize {
        size_of_val(self) + SKETCH_BYTES
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// Memory of a sketch, about.
const SKETCH_BYTES: usize = 2 << 10;

//! The frame of functions of sketches: a column of bytes in, one sketch or a number for each out.

use std::fmt::Debug;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use floodmark_traffic::Error;

/// A sketch that others can be added to.
pub(super) trait Sketch: Debug + Default + Send + Sync + 'static {
    fn read(bytes: &[u8]) -> Result<Self, Error>;
    fn add(&mut self, other: &Self);
    fn is_empty(&self) -> bool;
    fn bytes(&self) -> Vec<u8>;
}

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

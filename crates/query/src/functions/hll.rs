//! `hll_merge(sketch)`, `hll_count(sketch)` and `hll_error(sketch)`: how many different clients, over minutes.
//!
//! BINARY -> BINARY, BIGINT and DOUBLE. The aggregate `hll_merge` puts sketches together, NULLs left out: a client of many minutes is one client.
//! It is NULL where nobody was counted, of whom `hll_count` is 0 and `hll_error` 0. `hll_count` is exact up to 64, where `hll_error` is 0;
//! beyond, `hll_error` is its standard error as a share of it: 0.023. Other bytes than those of Floodmark's sketches are an error. They wrap
//! [`floodmark_traffic::hyper_log_log`].
//!
//! ```sql
//! SELECT date_trunc('day', minute) AS day, hll_count(hll_merge(clients)) AS clients, hll_count(hll_merge(bad_clients)) AS that_met_errors
//! FROM minutes GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use floodmark_traffic::Error;
use floodmark_traffic::hyper_log_log::HyperLogLog;

use super::scalar::function;
use super::sketch::{self, Sketch, failed};

impl Sketch for HyperLogLog {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode(bytes)
    }

    fn add(&mut self, other: &Self) {
        self.merge(other);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn bytes(&self) -> Vec<u8> {
        self.encode()
    }
}

pub(super) fn hll_merge() -> AggregateUDF {
    sketch::merge::<HyperLogLog>("hll_merge")
}

pub(super) fn hll_count() -> ScalarUDF {
    let inputs = vec![DataType::BinaryView];
    function("hll_count", inputs, DataType::Int64, |values| {
        let count = |sketch: &HyperLogLog| i64::try_from(sketch.count()).unwrap_or(i64::MAX);
        let counts = sketches(&values[0]).map(|sketch| Ok(count(&sketch?)));
        let counts = counts.collect::<Result<Vec<i64>>>()?;
        Ok(Arc::new(Int64Array::from(counts)))
    })
}

pub(super) fn hll_error() -> ScalarUDF {
    let inputs = vec![DataType::BinaryView];
    function("hll_error", inputs, DataType::Float64, |values| {
        let errors = sketches(&values[0]).map(|sketch| Ok(sketch?.relative_error()));
        let errors = errors.collect::<Result<Vec<f64>>>()?;
        Ok(Arc::new(Float64Array::from(errors)))
    })
}

fn sketches(column: &ArrayRef) -> impl Iterator<Item = Result<HyperLogLog>> {
    column.as_binary_view().iter().map(|bytes| match bytes {
        Some(bytes) => HyperLogLog::decode(bytes).map_err(failed),
        None => Ok(HyperLogLog::default()),
    })
}

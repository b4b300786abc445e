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

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use floodmark_traffic::hyper_log_log::HyperLogLog;

use super::scalar::function;
use super::sketch;

pub(super) fn hll_merge() -> AggregateUDF {
    sketch::merge::<HyperLogLog>("hll_merge")
}

pub(super) fn hll_count() -> ScalarUDF {
    sketch::count::<HyperLogLog>("hll_count")
}

pub(super) fn hll_error() -> ScalarUDF {
    let inputs = vec![DataType::BinaryView];
    function("hll_error", inputs, DataType::Float64, |values| {
        let sketches = sketch::read::<HyperLogLog>(&values[0]);
        let errors = sketches.map(|sketch| Ok(Some(sketch?.relative_error())));
        Ok(Arc::new(errors.collect::<Result<Float64Array>>()?))
    })
}

//! `histogram_merge(histogram)`, `histogram_count(histogram)` and `histogram_quantile(histogram, share)`: how long requests took, over minutes.
//!
//! BINARY -> BINARY and BIGINT; BINARY, DOUBLE -> DOUBLE, in seconds as `request_time`. The aggregate `histogram_merge` adds histograms up,
//! NULLs left out, and is NULL where nothing was counted; of NULL `histogram_count` is 0 and a quantile NULL. A quantile is that of the
//! requests themselves with a relative error of at most 0.8 %: 0 is the quickest, 1 the slowest; a share outside is an error, as are other
//! bytes than those of Floodmark's histograms. They wrap [`floodmark_traffic::histogram`].
//!
//! ```sql
//! SELECT date_trunc('hour', minute) AS hour, histogram_quantile(histogram_merge(request_time_histogram), 0.95) AS p95
//! FROM minutes GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use floodmark_traffic::histogram::Histogram;

use super::scalar::function;
use super::sketch;

pub(super) fn histogram_merge() -> AggregateUDF {
    sketch::merge::<Histogram>("histogram_merge")
}

pub(super) fn histogram_count() -> ScalarUDF {
    sketch::count::<Histogram>("histogram_count")
}

pub(super) fn histogram_quantile() -> ScalarUDF {
    let inputs = vec![DataType::BinaryView, DataType::Float64];
    function("histogram_quantile", inputs, DataType::Float64, |values| {
        let shares = values[1].as_primitive::<Float64Type>();
        let rows = sketch::read::<Histogram>(&values[0]).zip(shares);
        let quantiles = rows.map(|(histogram, share)| match share {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                exec_err!(
                    "function `histogram_quantile`: expected a share from 0 to 1, found {share}"
                )
            }
            Some(share) => Ok(histogram?.quantile(share).map(|us| us / 1e6)),
            None => Ok(None),
        });
        Ok(Arc::new(quantiles.collect::<Result<Float64Array>>()?))
    })
}

//! `robust_z(value, median, mad, floor)`: how far a value lies from the median, in robust standard deviations.
//!
//! Four DOUBLE -> DOUBLE. `mad` is the median absolute deviation, `floor` the least deviation taken seriously (for counts the square
//! root of the median). NULL in, NULL out. Wraps [`floodmark_traffic::spike::robust_z`].
//!
//! ```sql
//! SELECT robust_z(90, 40, 4, sqrt(40))
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::spike;

use super::scalar::function;

pub(super) fn robust_z() -> ScalarUDF {
    function(
        "robust_z",
        vec![DataType::Float64; 4],
        DataType::Float64,
        |values| {
            let [value, median, mad, floor] =
                [0, 1, 2, 3].map(|index: usize| values[index].as_primitive::<Float64Type>());
            let rows = value.iter().zip(median).zip(mad.iter().zip(floor));
            let scores = rows.map(|((value, median), (mad, floor))| {
                Some(spike::robust_z(value?, median?, mad?, floor?))
            });
            Ok(Arc::new(scores.collect::<Float64Array>()))
        },
    )
}

//! `uptime_verdict(lower, upper, judged_share, target)`: whether a target was met.
//!
//! Four DOUBLE -> TEXT: `PASS`, `FAIL` or `UNDETERMINED`; NULL in, NULL out. `lower` and `upper` are the uptime with all that is unknown
//! taken as down and as up. Wraps [`floodmark_traffic::uptime::verdict`].
//!
//! ```sql
//! SELECT uptime_verdict(0.97, 0.99, 0.9, 0.95)
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::uptime::verdict;

use super::scalar::function;

pub(super) fn uptime_verdict() -> ScalarUDF {
    function(
        "uptime_verdict",
        vec![DataType::Float64; 4],
        DataType::Utf8View,
        |values| {
            let [lower, upper, share, target] =
                [0, 1, 2, 3].map(|index: usize| values[index].as_primitive::<Float64Type>());
            let rows = lower.iter().zip(upper).zip(share.iter().zip(target));
            let verdicts = rows.map(|((lower, upper), (share, target))| {
                Some(verdict(lower?, upper?, share?, target?).as_str())
            });
            Ok(Arc::new(verdicts.collect::<StringViewArray>()))
        },
    )
}

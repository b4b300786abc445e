//! `outcome(status, request_time, upstream_status)`: what one answer says of the site.
//!
//! INT, DOUBLE, TEXT -> TEXT: `good`, `bad`, `shed` or `neutral`, never NULL. A NULL `upstream_status` is one that is not logged, `-` one
//! that is logged and was absent; of a list (`502, 200 : 200`) the last counts. Wraps [`floodmark_traffic::outcome::outcome`].
//!
//! ```sql
//! SELECT outcome(status, request_time, upstream_status), count(*) FROM requests GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::outcome::{self, Upstream};

use super::scalar::function;

pub(super) fn outcome() -> ScalarUDF {
    let inputs = vec![DataType::Int64, DataType::Float64, DataType::Utf8View];
    function("outcome", inputs, DataType::Utf8View, |values| {
        let status = values[0].as_primitive::<Int64Type>().iter();
        let seconds = values[1].as_primitive::<Float64Type>();
        let rows = status.zip(seconds).zip(values[2].as_string_view());
        let outcomes = rows.map(|((status, seconds), upstream)| {
            let status = status.and_then(|status| i16::try_from(status).ok());
            Some(outcome::outcome(status, seconds, Upstream::last_of(upstream)).as_str())
        });
        Ok(Arc::new(outcomes.collect::<StringViewArray>()))
    })
}

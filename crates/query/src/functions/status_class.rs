//! `status_class(status)`: `1xx` to `5xx`.
//!
//! INT -> TEXT; NULL for NULL and for what is no status, see [`floodmark_traffic::path::status_class`], which it wraps.
//!
//! ```sql
//! SELECT status_class(status), count(*) FROM requests GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::path;

use super::scalar::function;

pub(super) fn status_class() -> ScalarUDF {
    function(
        "status_class",
        vec![DataType::Int64],
        DataType::Utf8View,
        |values| {
            let status = values[0].as_primitive::<Int64Type>().iter();
            let classes = status.map(|status| {
                path::status_class(status.and_then(|status| i16::try_from(status).ok()))
            });
            Ok(Arc::new(classes.collect::<StringViewArray>()))
        },
    )
}

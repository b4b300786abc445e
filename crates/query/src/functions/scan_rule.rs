//! `scan_rule(request_method, path, args, request)`: by which rule a request looks for weak spots.
//!
//! Four TEXT -> TEXT: `sensitive_path`, `probing_path`, `traversal`, `injection`, …; NULL for a harmless request. Any of the parts may be
//! NULL. A weak rule (`probing_path`) is given whether or not the request was refused. Wraps [`floodmark_traffic::scan::scan`].
//!
//! ```sql
//! SELECT scan_rule(request_method, path, args, request) AS rule, count(*) FROM requests GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::scan::scan;

use super::scalar::function;

pub(super) fn scan_rule() -> ScalarUDF {
    function(
        "scan_rule",
        vec![DataType::Utf8View; 4],
        DataType::Utf8View,
        |values| {
            let [method, path, args, request] =
                [0, 1, 2, 3].map(|index: usize| values[index].as_string_view());
            let rows = method.iter().zip(path).zip(args.iter().zip(request));
            let rules = rows.map(|((method, path), (args, request))| {
                scan(method, path, args, request).map(|scan| scan.rule)
            });
            Ok(Arc::new(rules.collect::<StringViewArray>()))
        },
    )
}

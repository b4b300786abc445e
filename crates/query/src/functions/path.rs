//! `path_template(path)` and `is_asset(path)`: what kind of thing was asked for.
//!
//! - TEXT -> TEXT: the path with its variable parts replaced, `/item/7` as `/item/{id}`.
//! - TEXT -> BOOLEAN: whether it is a style sheet, script, image, font or the like, by its ending; false for NULL.
//!
//! Wraps [`floodmark_traffic::path`].
//!
//! ```sql
//! SELECT path_template(path), count(*) FROM requests WHERE NOT is_asset(path) GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::path;

use super::scalar::function;

pub(super) fn path_template() -> ScalarUDF {
    function(
        "path_template",
        vec![DataType::Utf8View],
        DataType::Utf8View,
        |values| {
            let mut templates =
                StringViewBuilder::with_capacity(values[0].len()).with_deduplicate_strings();
            for found in values[0].as_string_view() {
                templates.append_option(found.map(path::path_template));
            }
            Ok(Arc::new(templates.finish()))
        },
    )
}

pub(super) fn is_asset() -> ScalarUDF {
    function(
        "is_asset",
        vec![DataType::Utf8View],
        DataType::Boolean,
        |values| {
            let assets = values[0]
                .as_string_view()
                .iter()
                .map(|found| Some(found.is_some_and(path::is_asset)));
            Ok(Arc::new(assets.collect::<BooleanArray>()))
        },
    )
}

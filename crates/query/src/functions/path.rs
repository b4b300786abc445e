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

use arrow::array::{Array, BooleanArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::path;

use super::scalar::function_of_text;

pub(super) fn path_template() -> ScalarUDF {
    function_of_text("path_template", DataType::Utf8View, |paths| {
        let mut templates =
            StringViewBuilder::with_capacity(paths.len()).with_deduplicate_strings();
        for path in paths {
            templates.append_option(path.map(path::path_template));
        }
        Ok(Arc::new(templates.finish()))
    })
}

pub(super) fn is_asset() -> ScalarUDF {
    function_of_text("is_asset", DataType::Boolean, |paths| {
        let assets = paths
            .iter()
            .map(|path| Some(path.is_some_and(path::is_asset)));
        Ok(Arc::new(assets.collect::<BooleanArray>()))
    })
}

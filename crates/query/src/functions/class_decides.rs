//! `class_decides(class)`: whether the requests of a class decide on errors and uptime.
//!
//! TEXT -> BOOLEAN: false for `scanner`, `flood` (shown, but they do not decide) and `probe` (counted apart); true for the other
//! classes, for an unknown one and for NULL. Wraps [`floodmark_traffic::session::Class::decides`].
//!
//! ```sql
//! SELECT class, class_decides(class) FROM visitors(now() - INTERVAL '1 day', now())
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::session::Class;

use super::scalar::function;

pub(super) fn class_decides() -> ScalarUDF {
    function(
        "class_decides",
        vec![DataType::Utf8View],
        DataType::Boolean,
        |values| {
            let silent: Vec<&str> = [Class::Scanner, Class::Flood, Class::Probe]
                .into_iter()
                .filter(|class| !class.decides())
                .map(Class::as_str)
                .collect();
            let decides = values[0]
                .as_string_view()
                .iter()
                .map(|class| Some(!class.is_some_and(|class| silent.contains(&class))));
            Ok(Arc::new(decides.collect::<BooleanArray>()))
        },
    )
}

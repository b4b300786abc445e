//! `browser_name(user_agent)` and `browser_version(user_agent)`: the browser that an agent claims to be.
//!
//! TEXT -> TEXT, BIGINT: its usual name, and the first number of its version; NULL for what is none or does not say, and for NULL. A bot that calls
//! itself a browser is one here. Wraps [`floodmark_traffic::browser::browser`].
//!
//! ```sql
//! SELECT browser_name(http_user_agent), browser_version(http_user_agent), count(*) FROM requests GROUP BY 1, 2
//! ```

use std::sync::Arc;

use arrow::array::{Int64Array, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::browser::browser;

use super::scalar::function_of_text;

pub(super) fn browser_name() -> ScalarUDF {
    function_of_text("browser_name", DataType::Utf8View, |agents| {
        let names = agents.iter().map(|agent| Some(browser(agent?)?.name));
        Ok(Arc::new(names.collect::<StringViewArray>()))
    })
}

pub(super) fn browser_version() -> ScalarUDF {
    function_of_text("browser_version", DataType::Int64, |agents| {
        let versions = agents.iter().map(|agent| browser(agent?)?.version);
        Ok(Arc::new(
            versions
                .map(|version| version.map(i64::from))
                .collect::<Int64Array>(),
        ))
    })
}

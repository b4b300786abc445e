//! `compact(text)`: the same text in memory of its own.
//!
//! TEXT -> TEXT; NULL stays NULL. Text of raw logs is a view into the block that was read. A sort or a join that keeps rows keeps
//! these blocks with them, and counts a block once for each column and batch that refers to it: some 25 times its size, so that
//! 30 MB of log pass a bound of 1 GB. No judgment is behind it.
//!
//! ```sql
//! SELECT *, row_number() OVER (PARTITION BY client ORDER BY time)
//! FROM (SELECT time, compact(client) AS client FROM requests)
//! ```

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::function;

pub(super) fn compact() -> ScalarUDF {
    function(
        "compact",
        vec![DataType::Utf8View],
        DataType::Utf8View,
        |values| Ok(Arc::new(compacted(values[0].as_string_view()))),
    )
}

/// The same texts, each once, in memory of their own.
pub(crate) fn compacted(texts: &StringViewArray) -> StringViewArray {
    let mut own = StringViewBuilder::with_capacity(texts.len()).with_deduplicate_strings();
    texts.iter().for_each(|text| own.append_option(text));
    own.finish()
}

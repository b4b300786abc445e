//! `is_exempt(client)` and `is_maintenance(time)`: what the owner of the site declares.
//!
//! - TEXT -> BOOLEAN: whether the client is vouched for; false for what is no address, and for NULL.
//! - TIMESTAMP -> BOOLEAN: whether the site was meant to be down; false for NULL.
//!
//! The declarations are the session's ([`Facts`]).
//!
//! ```sql
//! SELECT count(*) FROM requests WHERE is_exempt(client) AND NOT is_maintenance(time)
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{function, function_of_any, micros};
use crate::facts::Facts;

pub(super) fn is_exempt(facts: &Arc<Facts>) -> ScalarUDF {
    let facts = Arc::clone(facts);
    function(
        "is_exempt",
        vec![DataType::Utf8View],
        DataType::Boolean,
        move |values| {
            let clients = values[0].as_string_view().iter();
            let addresses = clients.map(|client| client.and_then(|client| client.parse().ok()));
            let judged =
                addresses.map(|client| Some(client.is_some_and(|client| facts.is_exempt(client))));
            Ok(Arc::new(judged.collect::<BooleanArray>()))
        },
    )
}

pub(super) fn is_maintenance(facts: &Arc<Facts>) -> ScalarUDF {
    let facts = Arc::clone(facts);
    function_of_any("is_maintenance", 1, DataType::Boolean, move |values| {
        let times = micros(&values[0])?;
        let judged = times
            .iter()
            .map(|time_us| Some(time_us.is_some_and(|time_us| facts.is_maintenance(time_us))));
        Ok(Arc::new(judged.collect::<BooleanArray>()))
    })
}

//! `claim(client, user_agent, time)`: whether an agent is whose it claims to be.
//!
//! TEXT, TEXT, TIMESTAMP -> STRUCT: `operator` (`googlebot`, …), `standing` (`verified`, `fake`, `unverified`) and `list_age_days` (how far
//! the list's making and `time` lie apart; NULL without a list). NULL where the agent claims to be nobody who publishes ranges, and for what
//! is no address. The lists are the session's; wraps [`floodmark_traffic::claims::standing`].
//!
//! ```sql
//! SELECT client, get_field(claim(client, http_user_agent, time), 'standing') FROM requests
//! ```

use std::sync::Arc;

use arrow::array::{Array, Float64Builder, StringViewBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::agent::Agents;

use super::scalar::{function_of_any, micros, texts};
use crate::facts::Facts;

pub(super) fn claim(facts: &Arc<Facts>) -> ScalarUDF {
    let facts = Arc::clone(facts);
    function_of_any("claim", 3, DataType::Struct(output()), move |values| {
        let (clients, agents, times) =
            (texts(&values[0])?, texts(&values[1])?, micros(&values[2])?);
        let mut operators = StringViewBuilder::with_capacity(clients.len());
        let mut standings = StringViewBuilder::with_capacity(clients.len());
        let mut ages = Float64Builder::with_capacity(clients.len());
        let mut claimed = Vec::with_capacity(clients.len());
        let mut known = Agents::default();
        for ((client, user_agent), time_us) in clients.iter().zip(&agents).zip(&times) {
            let mut claim = || {
                let name = known.of(user_agent?)?.name;
                facts.claim(client?.parse().ok()?, name, time_us?)
            };
            let claim = claim();
            claimed.push(claim.is_some());
            operators.append_option(claim.map(|claim| claim.operator));
            standings.append_option(claim.map(|claim| claim.standing.as_str()));
            ages.append_option(claim.and_then(|claim| claim.list_age_days));
        }
        let columns: Vec<Arc<dyn Array>> = vec![
            Arc::new(operators.finish()),
            Arc::new(standings.finish()),
            Arc::new(ages.finish()),
        ];
        let nulls = NullBuffer::from(claimed);
        Ok(Arc::new(StructArray::new(output(), columns, Some(nulls))))
    })
}

fn output() -> Fields {
    Fields::from(vec![
        Field::new("operator", DataType::Utf8View, true),
        Field::new("standing", DataType::Utf8View, true),
        Field::new("list_age_days", DataType::Float64, true),
    ])
}

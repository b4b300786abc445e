//! `bot(user_agent)` and `bot_name(user_agent)`: what an agent says of itself.
//!
//! TEXT -> TEXT: the kind (`search`, `ai`, `seo`, `monitor`, `probe`, `library`, `automation`, `scanner`, `feed`, `package`, …) and the
//! program's name; NULL for a browser, nothing known, or NULL. Wraps [`floodmark_traffic::agent::agent`].
//!
//! ```sql
//! SELECT bot(http_user_agent), bot_name(http_user_agent), count(*) FROM requests GROUP BY 1, 2
//! ```

use std::sync::Arc;

use arrow::array::StringViewArray;
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::agent::{Agent, agent};

use super::scalar::function_of_text;

pub(super) fn bot() -> ScalarUDF {
    of_agent("bot", |agent| agent.kind.as_str())
}

pub(super) fn bot_name() -> ScalarUDF {
    of_agent("bot_name", |agent| agent.name)
}

fn of_agent(name: &str, fact: fn(&Agent) -> &'static str) -> ScalarUDF {
    function_of_text(name, DataType::Utf8View, move |agents| {
        let facts = agents
            .iter()
            .map(|user_agent| agent(user_agent?).map(|agent| fact(&agent)));
        Ok(Arc::new(facts.collect::<StringViewArray>()))
    })
}

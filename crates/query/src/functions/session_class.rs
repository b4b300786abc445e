//! `session_class(named_struct(…))`: who a session was, by its behaviour.
//!
//! STRUCT -> STRUCT: `class` and `rule`, never NULL. The fields are those of [`SessionFeatures`]; `http_user_agent` stands for the agent.
//! Counts that are NULL are 0, `gap_cv` and `referer_share` that are NULL are unknown. Wraps
//! [`floodmark_traffic::session::class`].
//!
//! `queries/tables/visitors.sql` shows it in use.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder, StructArray};
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::agent::agent;
use floodmark_traffic::claims::Standing;
use floodmark_traffic::session::{SessionFeatures, class};

use super::fields::Fields;
use super::scalar::function_of_any;

pub(super) fn session_class() -> ScalarUDF {
    function_of_any("session_class", 1, DataType::Struct(output()), judge)
}

fn output() -> ArrowFields {
    ArrowFields::from(vec![
        Field::new("class", DataType::Utf8View, false),
        Field::new("rule", DataType::Utf8View, false),
    ])
}

fn judge(values: &[ArrayRef]) -> Result<ArrayRef> {
    let fields = Fields::of("session_class", &values[0])?;
    let agents = fields.texts("http_user_agent")?;
    let agent_missing = fields.flags("agent_missing")?;
    let standings = fields.texts("standing")?;
    let probe = fields.flags("probe")?;
    let exempt = fields.flags("exempt")?;
    let requests = fields.counts("requests")?;
    let pages = fields.counts("pages")?;
    let distinct_paths = fields.counts("distinct_paths")?;
    let errors_4xx = fields.counts("errors_4xx")?;
    let scanner_rows = fields.counts("scanner_rows")?;
    let robots_txt = fields.flags("robots_txt")?;
    let span_s = fields.reals("span_s")?;
    let gap_mean_s = fields.reals("gap_mean_s")?;
    let gap_cv = fields.reals("gap_cv")?;
    let pages_per_minute_max = fields.counts("pages_per_minute_max")?;
    let referer_share = fields.reals("referer_share")?;
    let agents_of_client = fields.counts("agents_of_client")?;
    let clients_in_prefix = fields.counts("clients_in_prefix")?;
    let prefix_pages_per_minute_max = fields.counts("prefix_pages_per_minute_max")?;
    let prefix_asset_share = fields.reals("prefix_asset_share")?;
    let shape_pages_per_minute_max = fields.counts("shape_pages_per_minute_max")?;
    let shape_clients = fields.counts("shape_clients")?;
    let shape_usual = fields.reals("shape_usual")?;
    let hidden = fields.flags("hidden")?;
    let real = |column: &arrow::array::Float64Array, row: usize| {
        column.is_valid(row).then(|| column.value(row))
    };

    let mut classes = StringViewBuilder::with_capacity(fields.rows());
    let mut rules = StringViewBuilder::with_capacity(fields.rows()).with_deduplicate_strings();
    for row in 0..fields.rows() {
        let user_agent = if agents.is_valid(row) {
            agents.value(row)
        } else {
            ""
        };
        let features = SessionFeatures {
            agent: agent(user_agent),
            standing: standings
                .is_valid(row)
                .then(|| Standing::named(standings.value(row)))
                .flatten(),
            agent_missing: agent_missing[row],
            probe: probe[row],
            exempt: exempt[row],
            requests: requests[row],
            pages: pages[row],
            assets: requests[row].saturating_sub(pages[row]),
            distinct_paths: distinct_paths[row],
            errors_4xx: errors_4xx[row],
            scanner_rows: scanner_rows[row],
            robots_txt: robots_txt[row],
            span_s: real(&span_s, row).unwrap_or(0.0),
            gap_mean_s: real(&gap_mean_s, row).unwrap_or(0.0),
            gap_cv: real(&gap_cv, row),
            pages_per_minute_max: pages_per_minute_max[row],
            referer_share: real(&referer_share, row),
            agents_of_client: agents_of_client[row],
            clients_in_prefix: clients_in_prefix[row],
            prefix_pages_per_minute_max: prefix_pages_per_minute_max[row],
            prefix_asset_share: real(&prefix_asset_share, row).unwrap_or(0.0),
            shape_pages_per_minute_max: shape_pages_per_minute_max[row],
            shape_clients: shape_clients[row],
            shape_usual: real(&shape_usual, row).unwrap_or(0.0),
            hidden: hidden[row],
        };
        let (class, rule) = class(&features);
        classes.append_value(class.as_str());
        rules.append_value(rule);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(classes.finish()), Arc::new(rules.finish())];
    Ok(Arc::new(StructArray::new(output(), columns, None)))
}

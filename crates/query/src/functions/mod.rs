//! SQL functions: each file wraps a judgment of `traffic` or reads one kind of value. They take and give values; what is counted
//! and joined is SQL's business.
//!
//! Functions of one row come first. Functions over a series are window functions that see their whole partition, in its order:
//! `error_spike`, `minute_state` and `visitor_class`. Aggregates merge what minutes hold: `histogram_merge`, `hll_merge` and
//! `minute_tally`; `approx_quantile` is for many groups,
//! `percentile_cont` is DataFusion's with a fault mended, and `visit` holds what each of many visitors asked for. A function of many values takes them in one `named_struct`, by name.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::facts::Facts;

mod approx_quantile;
mod binomial_tail;
mod bot;
mod browser;
mod claim;
mod class_decides;
mod compact;
mod date_trunc;
mod error_spike;
mod fields;
mod help;
mod histogram;
mod hll;
mod ip;
mod local_time;
mod minute_range;
mod minute_state;
mod minute_tally;
mod outcome;
mod path;
mod percentile_cont;
mod robust_z;
mod scalar;
mod scan_rule;
mod series;
mod sketch;
mod status_class;
mod uptime_verdict;
mod visit;
mod visit_days;
mod visit_minutes;
mod visitor_class;
mod vouched;

pub(crate) use compact::compacted;
pub use help::{FunctionHelp, functions};
pub(crate) use scalar::{function_of_text, time_type};

/// Makes every function known to a session.
pub(crate) fn register(context: &SessionContext, facts: &Arc<Facts>) {
    for function in [
        binomial_tail::binomial_tail(),
        bot::bot(),
        bot::bot_name(),
        browser::browser_name(),
        browser::browser_version(),
        claim::claim(facts),
        class_decides::class_decides(),
        compact::compact(),
        date_trunc::date_trunc(),
        histogram::histogram_count(),
        histogram::histogram_quantile(),
        hll::hll_count(),
        hll::hll_error(),
        ip::ip_in(),
        ip::ip_prefix(),
        ip::ip_neighbourhood(),
        ip::is_private(),
        local_time::iso_week(),
        local_time::week_start(),
        local_time::local_date(),
        local_time::local_hour(),
        minute_range::minute_range(),
        outcome::outcome(),
        path::path_template(),
        path::is_asset(),
        robust_z::robust_z(),
        scan_rule::scan_rule(),
        status_class::status_class(),
        uptime_verdict::uptime_verdict(),
        visit_days::visit_days(),
        visit_minutes::visit_minutes(),
        vouched::is_exempt(facts),
        vouched::is_maintenance(facts),
    ] {
        context.register_udf(function);
    }
    for function in [
        approx_quantile::approx_quantile(),
        histogram::histogram_merge(),
        hll::hll_merge(),
        minute_tally::minute_tally(),
        percentile_cont::percentile_cont(),
        visit::visit(),
    ] {
        context.register_udaf(function);
    }
    for function in [
        error_spike::error_spike(),
        minute_state::minute_state(),
        visitor_class::visitor_class(),
    ] {
        context.register_udwf(function);
    }
}

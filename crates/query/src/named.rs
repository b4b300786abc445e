//! The named queries that ship with Floodmark, and their parameters as literals.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::DateTime;

use crate::Error;
use crate::header::{NamedQuery, Param, ParamType};
use crate::suggest::nearest;

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../queries/", $name, ".sql")))),*]
    };
}

const FILES: &[(&str, &str)] = queries![
    "uptime",
    "weekly",
    "incidents",
    "burn_rate",
    "error_spikes",
    "errors_over_time",
    "spike_causes",
    "volume",
    "flood",
    "bots",
    "bot_kinds",
    "bot_evidence",
    "blocklist",
    "classes",
    "minutes",
    "pulse",
    "traffic",
    "servers",
    "hours",
    "latency_over_time",
    "latency",
    "status",
    "top_paths",
    "not_found",
    "assets",
    "referrers",
    "agents",
    "versions",
    "systems",
    "protocols",
    "tls",
    "cache",
    "upstreams",
    "top_clients",
    "remote_users",
    "slowest",
    "largest",
    "changes",
    "changed_paths",
    "sources",
    "rejects",
];

static QUERIES: LazyLock<Vec<NamedQuery>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, text)| {
            NamedQuery::parse(name, text).expect("a test reads every query of the queries folder")
        })
        .collect()
});

/// All named queries, in the order in which a report asks them.
#[must_use]
pub fn named_queries() -> &'static [NamedQuery] {
    &QUERIES
}

/// The named query of that name.
///
/// # Errors
///
/// There is none; the error has the nearest name.
pub fn named_query(name: &str) -> Result<&'static NamedQuery, Error> {
    QUERIES
        .iter()
        .find(|query| query.name == name)
        .ok_or_else(|| Error::unknown_query(name, QUERIES.iter().map(|query| query.name.as_str())))
}

/// What named queries are asked with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Start of the window, microseconds since the epoch, UTC.
    pub since_us: i64,
    /// End of the window, exclusive.
    pub until_us: i64,
    /// The share of uptime that a week is to reach, 0 to 1.
    pub target: f64,
    /// Where days and weeks begin.
    pub tz: chrono_tz::Tz,
    /// Values for parameters by name, over their defaults.
    pub parameters: BTreeMap<String, String>,
}

impl NamedQuery {
    /// The SQL with every `$parameter` replaced by its value as a literal, to be run by hand.
    ///
    /// # Errors
    ///
    /// A value that is not of its parameter's type, or a parameter that the query does not have.
    pub fn statement(&self, settings: &Settings) -> Result<String, Error> {
        for name in settings.parameters.keys() {
            if !self.params.iter().any(|param| param.name == *name) {
                return Err(Error::UnknownParameter {
                    query: self.name.clone(),
                    name: name.clone(),
                    near: nearest(name, self.params.iter().map(|param| param.name.as_str())),
                });
            }
        }
        let mut literals = BTreeMap::new();
        for param in &self.params {
            let given = settings.parameters.get(&param.name);
            let value = given.map_or_else(|| default_of(param, settings), Clone::clone);
            let literal = literal(param.param_type, &value).ok_or_else(|| Error::BadParameter {
                query: self.name.clone(),
                name: param.name.clone(),
                expected: param.param_type,
                found: value.clone(),
            })?;
            literals.insert(param.name.as_str(), literal);
        }
        fill(&self.sql, &literals).map_err(|name| Error::UndeclaredParameter {
            query: self.name.clone(),
            name: name.to_owned(),
        })
    }
}

fn default_of(param: &Param, settings: &Settings) -> String {
    match param.default.as_str() {
        "report.since" => timestamp_text(settings.since_us),
        "report.until" => timestamp_text(settings.until_us),
        "report.target" => settings.target.to_string(),
        "report.tz" => settings.tz.name().to_owned(),
        other => other.trim_matches('\'').to_owned(),
    }
}

fn timestamp_text(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn literal(param_type: ParamType, value: &str) -> Option<String> {
    match param_type {
        ParamType::Int => value.parse::<i64>().ok().map(|number| number.to_string()),
        ParamType::Float => value
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| format!("{number:?}")),
        ParamType::Text => Some(format!("'{}'", value.replace('\'', "''"))),
        ParamType::Timestamp => {
            let time = DateTime::parse_from_rfc3339(value).ok()?.to_utc();
            Some(format!(
                "to_timestamp_micros('{}')",
                time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
            ))
        }
    }
}

/// Replaces `$name` outside of quotes and comments; the error is a name that is not declared.
fn fill<'s>(sql: &'s str, literals: &BTreeMap<&str, String>) -> Result<String, &'s str> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'', '-']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let skipped = if let Some(quoted) = from.strip_prefix('\'') {
            quoted.find('\'').map_or(from.len(), |end| end + 2)
        } else if from.starts_with("--") {
            from.find('\n').unwrap_or(from.len())
        } else if let Some(named) = from.strip_prefix('$') {
            let end = named
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(named.len());
            let name = &named[..end];
            out.push_str(literals.get(name).ok_or(name)?);
            rest = &named[end..];
            continue;
        } else {
            1
        };
        out.push_str(&from[..skipped]);
        rest = &from[skipped..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::datasource::source_as_provider;
    use datafusion::execution::SessionState;
    use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

    use super::*;
    use crate::remembered::RememberedTable;
    use crate::{Engine, EngineOptions, RawLogs};

    fn settings(parameters: &[(&str, &str)]) -> Settings {
        Settings {
            since_us: 0,
            until_us: 60_000_000,
            target: 0.95,
            tz: chrono_tz::UTC,
            parameters: parameters
                .iter()
                .map(|&(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        }
    }

    fn query(sql: &str) -> NamedQuery {
        let header = "-- title: T\n-- question: Q\n-- param: since timestamp = report.since\n\
                      -- param: least int = 3\n-- param: who text = 'any'\n";
        NamedQuery::parse("q", &format!("{header}{sql}")).unwrap()
    }

    #[test]
    fn parameters_become_literals_outside_of_quotes_and_comments() {
        let sql = "SELECT '$least' -- $least\n, $least, $who, $since";
        assert_eq!(
            query(sql).statement(&settings(&[("who", "it's")])).unwrap(),
            "SELECT '$least' -- $least\n, 3, 'it''s', to_timestamp_micros('1970-01-01T00:00:00Z')"
        );
    }

    #[test]
    fn values_of_the_wrong_type_are_refused() {
        let error = query("SELECT $least")
            .statement(&settings(&[("least", "1; drop")]))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "query `q`: expected a value of type int for `least`, found `1; drop`"
        );
    }

    #[test]
    fn every_shipped_query_reads_and_fills() {
        for query in named_queries() {
            query.statement(&settings(&[])).unwrap();
        }
    }

    /// Aggregates of floats that are the same in whatever order rows come.
    const ORDERLESS: &[&str] = &[
        "count",
        "first_value",
        "last_value",
        "max",
        "median",
        "min",
        "percentile_cont",
    ];

    /// The aggregates of a plan and of the tables that it remembers, and whether one adds floats up: a sum of floats depends on the order
    /// of its rows.
    fn aggregates(state: &SessionState, plan: &LogicalPlan) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        let plan = state.optimize(plan).unwrap();
        let each_plan = |plan: &LogicalPlan| {
            if let LogicalPlan::TableScan(scan) = plan
                && let Ok(table) = source_as_provider(&scan.source)
                && let Some(table) = table.downcast_ref::<RememberedTable>()
            {
                found.extend(aggregates(state, table.plan()));
            }
            let inputs = plan.inputs();
            let is_float = |expr: &Expr| {
                let types = inputs.iter().map(|input| expr.get_type(input.schema()));
                types.flatten().any(|kind| kind.is_floating())
            };
            plan.apply_expressions(|expr| {
                expr.apply(|expr| {
                    let (name, args) = match expr {
                        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
                        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
                        _ => return Ok(TreeNodeRecursion::Continue),
                    };
                    let adds = args.iter().any(is_float) && !ORDERLESS.contains(&name);
                    found.push((expr.to_string(), adds));
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        };
        plan.apply_with_subqueries(each_plan).unwrap();
        found
    }

    #[tokio::test]
    async fn no_answer_depends_on_the_order_of_rows() {
        let logs = RawLogs { files: Vec::new() };
        let engine = Engine::over_logs(&logs, &EngineOptions::default()).await;
        let engine = engine.unwrap();
        let state = engine.context().state();
        let plan = async |statement: &str| {
            let plan = state.create_logical_plan(statement).await.unwrap();
            aggregates(&state, &plan)
        };
        // Those that need what only some logs have count and take the largest, as the others do.
        for query in named_queries() {
            if query.needs.iter().any(|variable| {
                let variable = variable.as_str();
                !["http_referer", "http_user_agent", "request_time"].contains(&variable)
            }) {
                continue;
            }
            let statement = query.statement(&settings(&[])).unwrap();
            for (aggregate, adds_floats) in plan(&statement).await {
                assert!(!adds_floats, "{}: {aggregate}", query.name);
            }
        }
        let uptime = named_query("uptime").unwrap().statement(&settings(&[]));
        let of_uptime = plan(&uptime.unwrap()).await;
        let is_of_visitors = |(aggregate, _): &(String, bool)| aggregate.starts_with("visit(");
        assert!(
            of_uptime.iter().any(is_of_visitors),
            "visitors() is not looked into"
        );
        let bad = plan("SELECT sum(request_time) FROM requests").await;
        assert!(bad.iter().any(|(_, adds_floats)| *adds_floats));
    }
}

//! Questions used as tables: `visitors(since, until)`, `judged_minutes(since, until)` and `judged_spikes(since, until, …)`.
//!
//! Each is a file of `queries/tables` with the header of a named query. It is planned once, with its parameters left open; a call puts
//! the arguments in their place. The rows of a call are worked out once in a session, as queries and reports use the same ones many times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::prelude::{Expr, SessionContext};

use crate::header::NamedQuery;
use crate::remembered::RememberedTable;

/// In the order in which they use one another.
const FILES: &[(&str, &str)] = &[
    (
        "visitors",
        include_str!("../../../queries/tables/visitors.sql"),
    ),
    (
        "judged_minutes",
        include_str!("../../../queries/tables/judged_minutes.sql"),
    ),
    (
        "judged_spikes",
        include_str!("../../../queries/tables/judged_spikes.sql"),
    ),
];

/// Makes the tables known to a session whose tables of requests are registered.
pub(crate) async fn register(context: &SessionContext) -> Result<()> {
    for (name, text) in FILES {
        let query =
            NamedQuery::parse(name, text).expect("a test reads every query of the queries folder");
        let plan = context.state().create_logical_plan(&query.sql).await?;
        context.register_udtf(
            name,
            Arc::new(QueryTable {
                query,
                plan,
                calls: Mutex::default(),
            }),
        );
    }
    Ok(())
}

#[derive(Debug)]
struct QueryTable {
    query: NamedQuery,
    plan: LogicalPlan,
    /// Remembered, by arguments.
    calls: Mutex<HashMap<Vec<String>, Arc<RememberedTable>>>,
}

impl TableFunctionImpl for QueryTable {
    fn call_with_args(
        &self,
        arguments: TableFunctionArgs<'_, '_>,
    ) -> Result<Arc<dyn TableProvider>> {
        let (expected, found) = (&self.query.params, arguments.exprs());
        if found.len() != expected.len() {
            let names: Vec<&str> = expected.iter().map(|param| param.name.as_str()).collect();
            return plan_err!(
                "`{}` takes {} arguments ({}), found {}",
                self.query.name,
                names.len(),
                names.join(", "),
                found.len()
            );
        }
        let values: HashMap<String, &Expr> = expected
            .iter()
            .map(|param| format!("${}", param.name))
            .zip(found)
            .collect();
        let call = found.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = calls.get(&call) {
            return Ok(Arc::clone(table) as _);
        }
        let plan = filled(&self.plan, &values)?;
        if !found.iter().all(is_fixed) {
            return Ok(Arc::new(ViewTable::new(plan, None)));
        }
        let table = Arc::new(RememberedTable::new(plan));
        calls.insert(call, Arc::clone(&table));
        Ok(table)
    }
}

/// Whether an argument means the same whenever it is read, as no call of `now()` does.
fn is_fixed(argument: &Expr) -> bool {
    let is_open = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::ScalarFunction(_) | Expr::Placeholder(_) | Expr::Column(_)
        ))
    };
    !argument.exists(is_open).unwrap_or(true)
}

/// The plan with its placeholders replaced, each output column keeping its name.
fn filled(plan: &LogicalPlan, values: &HashMap<String, &Expr>) -> Result<LogicalPlan> {
    let filled = plan.clone().transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| match &expr {
                Expr::Placeholder(placeholder) => match values.get(&placeholder.id) {
                    Some(&value) => Ok(Transformed::yes(value.clone())),
                    None => Ok(Transformed::no(expr)),
                },
                _ => Ok(Transformed::no(expr)),
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(filled.data)
}

//! Questions used as tables: `visitors(since, until)`, `judged_minutes(since, until)`, `judged_spikes(since, until, …)` and
//! `busy_minutes(since, until, …)`.
//!
//! Each is a file of `queries/tables` with the header of a named query. It is planned once, with its parameters left open; a call puts
//! the arguments in their place. The rows of a call are worked out once in a session, as queries and reports use the same ones many times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{TableType, ViewTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{Expr, SessionContext};

use crate::header::NamedQuery;
use crate::remembered::RememberedTable;

/// In the order in which they use one another.
const FILES: &[(&str, &str)] = &[
    (
        "busy_minutes",
        include_str!("../../../queries/tables/busy_minutes.sql"),
    ),
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
            Arc::new(QueryTable(Arc::new(Inner {
                query,
                plan,
                calls: Mutex::default(),
            }))),
        );
    }
    Ok(())
}

#[derive(Debug)]
struct QueryTable(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    query: NamedQuery,
    plan: LogicalPlan,
    /// By arguments.
    calls: Mutex<HashMap<Vec<String>, Arc<RememberedTable>>>,
}

impl TableFunctionImpl for QueryTable {
    fn call_with_args(
        &self,
        arguments: TableFunctionArgs<'_, '_>,
    ) -> Result<Arc<dyn TableProvider>> {
        let (expected, found) = (&self.0.query.params, arguments.exprs());
        if found.len() != expected.len() {
            let names: Vec<&str> = expected.iter().map(|param| param.name.as_str()).collect();
            return plan_err!(
                "`{}` takes {} arguments ({}), found {}",
                self.0.query.name,
                names.len(),
                names.join(", "),
                found.len()
            );
        }
        if found.iter().any(has_placeholder) {
            return Ok(Arc::new(OpenCall {
                table: Arc::clone(&self.0),
                arguments: found.to_vec(),
            }));
        }
        self.0.called(found)
    }
}

impl Inner {
    fn called(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let names = self.query.params.iter();
        let values: HashMap<String, &Expr> = names
            .map(|param| format!("${}", param.name))
            .zip(arguments)
            .collect();
        if !arguments.iter().all(is_fixed) {
            return Ok(Arc::new(ViewTable::new(filled(&self.plan, &values)?, None)));
        }
        let call: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = calls.get(&call) {
            return Ok(Arc::clone(table) as _);
        }
        let table = Arc::new(RememberedTable::new(filled(&self.plan, &values)?));
        calls.insert(call, Arc::clone(&table));
        Ok(table)
    }
}

/// A call in one of these files, whose arguments are parameters of the file: its rows are asked for once these are known.
#[derive(Debug)]
struct OpenCall {
    table: Arc<Inner>,
    arguments: Vec<Expr>,
}

impl OpenCall {
    fn closed(&self, values: &HashMap<String, &Expr>) -> Result<Arc<dyn TableProvider>> {
        let arguments = self.arguments.iter();
        let arguments = arguments.map(|argument| with_values(argument.clone(), values));
        self.table.called(&arguments.collect::<Result<Vec<_>>>()?)
    }
}

#[async_trait]
impl TableProvider for OpenCall {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table.plan.schema().inner())
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("`{}`: its parameters have no values", self.table.query.name)
    }
}

fn has_placeholder(argument: &Expr) -> bool {
    let found = argument.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_))));
    found.unwrap_or(true)
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
        if let LogicalPlan::TableScan(scan) = &node
            && let Ok(table) = source_as_provider(&scan.source)
            && let Some(call) = table.downcast_ref::<OpenCall>()
        {
            let source = provider_as_source(call.closed(values)?);
            return Ok(Transformed::yes(LogicalPlan::TableScan(TableScan {
                source,
                ..scan.clone()
            })));
        }
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = with_values(expr, values)?;
            Ok(Transformed::yes(name.restore(expr)))
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(filled.data)
}

fn with_values(expr: Expr, values: &HashMap<String, &Expr>) -> Result<Expr> {
    let filled = expr.transform_up(|expr| match &expr {
        Expr::Placeholder(placeholder) => match values.get(&placeholder.id) {
            Some(&value) => Ok(Transformed::yes(value.clone())),
            None => Ok(Transformed::no(expr)),
        },
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(filled.data)
}

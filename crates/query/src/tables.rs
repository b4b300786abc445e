//! Questions used as tables: `visitors(since, until)`, `judged_minutes(since, until)`, `judged_spikes(since, until, …)` and others.
//!
//! Each is a file of `queries/tables` with the header of a named query. It is planned once, with its parameters left open; a call puts
//! the arguments in their place. The rows of a call are worked out once in a session, as queries and reports use the same ones many times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::datasource::{TableType, ViewTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{Expr, SessionContext, lit};

use crate::functions::time_type;
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
        "deciding_requests",
        include_str!("../../../queries/tables/deciding_requests.sql"),
    ),
    (
        "error_counts",
        include_str!("../../../queries/tables/error_counts.sql"),
    ),
    (
        "judged_spikes",
        include_str!("../../../queries/tables/judged_spikes.sql"),
    ),
];

/// Whose rows depend on the requests between its arguments and on nothing else: from whenever before the first request on they are asked for, they
/// are the same.
const OF_REQUESTS_ALONE: &[&str] = &["visitors"];

/// Whose rows are too many to be kept: each query works them out.
const LARGE: &[&str] = &["deciding_requests"];

/// Makes the tables known to a session whose tables of requests are registered. Once `first_request_us` is known, calls that begin before it share
/// their rows.
pub(crate) async fn register(
    context: &SessionContext,
    first_request_us: &Arc<OnceLock<i64>>,
) -> Result<()> {
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
                first_request_us: Arc::clone(first_request_us),
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
    /// Microseconds since the epoch, once somebody looked.
    first_request_us: Arc<OnceLock<i64>>,
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
        Ok(match self.0.called(found)? {
            Call::Kept(table) => table,
            Call::Plan(plan) => Arc::new(ViewTable::new(plan, None)),
        })
    }
}

/// What a call stands for.
enum Call {
    /// Rows that are worked out once.
    Kept(Arc<RememberedTable>),
    /// A plan that becomes part of the query's own.
    Plan(LogicalPlan),
}

impl Inner {
    fn called(&self, arguments: &[Expr]) -> Result<Call> {
        let mut arguments = arguments.to_vec();
        if OF_REQUESTS_ALONE.contains(&self.query.name.as_str())
            && let Some(&first) = self.first_request_us.get()
            && time_us(&arguments[0])?.is_some_and(|since| since < first)
        {
            let first = ScalarValue::Int64(Some(first)).cast_to(&time_type())?;
            arguments[0] = lit(first);
        }
        let names = self.query.params.iter();
        let values: HashMap<String, &Expr> = names
            .map(|param| format!("${}", param.name))
            .zip(&arguments)
            .collect();
        let is_kept = !LARGE.contains(&self.query.name.as_str());
        if !is_kept || !arguments.iter().all(is_fixed) {
            return Ok(Call::Plan(filled(&self.plan, &values)?));
        }
        let call: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = calls.get(&call) {
            return Ok(Call::Kept(Arc::clone(table)));
        }
        let table = Arc::new(RememberedTable::new(filled(&self.plan, &values)?));
        calls.insert(call, Arc::clone(&table));
        Ok(Call::Kept(table))
    }
}

/// A call in one of these files, whose arguments are parameters of the file: its rows are asked for once these are known.
#[derive(Debug)]
struct OpenCall {
    table: Arc<Inner>,
    arguments: Vec<Expr>,
}

impl OpenCall {
    fn closed(&self, values: &HashMap<String, &Expr>) -> Result<Call> {
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

/// The time that an argument is, in microseconds since the epoch; `None` where it is not fixed.
fn time_us(argument: &Expr) -> Result<Option<i64>> {
    if !is_fixed(argument) {
        return Ok(None);
    }
    let simplifier = ExprSimplifier::new(SimplifyContext::default());
    let Expr::Literal(value, _) = simplifier.simplify(argument.clone())? else {
        return Ok(None);
    };
    match value.cast_to(&time_type())? {
        ScalarValue::TimestampMicrosecond(time_us, _) => Ok(time_us),
        _ => Ok(None),
    }
}

/// The plan with its placeholders replaced, each output column keeping its name.
fn filled(plan: &LogicalPlan, values: &HashMap<String, &Expr>) -> Result<LogicalPlan> {
    let filled = plan.clone().transform_up_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = &node
            && let Ok(table) = source_as_provider(&scan.source)
            && let Some(call) = table.downcast_ref::<OpenCall>()
        {
            return Ok(Transformed::yes(match call.closed(values)? {
                Call::Kept(table) => LogicalPlan::TableScan(TableScan {
                    source: provider_as_source(table),
                    ..scan.clone()
                }),
                Call::Plan(plan) => LogicalPlanBuilder::from(plan)
                    .alias(scan.table_name.clone())?
                    .build()?,
            }));
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

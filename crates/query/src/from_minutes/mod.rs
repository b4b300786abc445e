//! Questions to `requests` that `minutes` answer, put to `minutes`.
//!
//! Where a statement counts requests by the minute or by longer times, by server, layer or `bot`, and by class of status, the rows of minutes
//! have these counts: a hundredth of the rows to read. EXPLAIN shows `minutes` where that is done. The answer is the same to the last
//! request: where it would not be, as for one status, for a window that cuts a minute, or for days of which some lines have expired, the
//! lines are read.

mod asked;
mod statuses;
mod times;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::ExecutionProps;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Aggregate, Case, ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::create_physical_expr;

use crate::functions::time_type;
use asked::{Asked, Class, Count};
use statuses::Statuses;

/// Columns that both tables have, and that are one in a row of minutes.
const KEYS: &[&str] = &["server_name", "server_port", "layer", "bot"];

/// When a request came; the minute it came in.
const TIME: &str = "time";
const MINUTE: &str = "minute";
const MINUTES: &str = "minutes";

const STATUS: &str = "status";

/// Puts counts of minutes in place of requests, wherever they say the same.
#[derive(Debug)]
pub(crate) struct FromMinutes {
    /// What stands for `requests` in a plan whose types are settled.
    requests: LogicalPlan,
    /// The rows of `minutes` whose lines are there.
    minutes: LogicalPlan,
    all_have_class: bool,
}

/// Minutes whose lines are there: from a time on, in microseconds since the epoch, if others have expired.
pub(crate) fn minutes_with_lines(
    minutes: Arc<dyn TableProvider>,
    from_us: Option<i64>,
) -> Result<LogicalPlanBuilder> {
    let rows = LogicalPlanBuilder::scan(MINUTES, provider_as_source(minutes), None)?;
    let Some(from_us) = from_us else {
        return Ok(rows);
    };
    let from = ScalarValue::Int64(Some(from_us)).cast_to(&time_type())?;
    // Lines without a time never expire.
    let minute = column(MINUTE);
    rows.filter(minute.clone().gt_eq(lit(from)).or(minute.is_null()))
}

impl AnalyzerRule for FromMinutes {
    fn name(&self) -> &'static str {
        "from_minutes"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Aggregate(aggregate) = &plan else {
                return Ok(Transformed::no(plan));
            };
            let asked = Asked::of(aggregate, &self.requests, self.all_have_class)?;
            match asked {
                Some(asked) => Ok(Transformed::yes(self.answer(aggregate, asked)?)),
                None => Ok(Transformed::no(plan)),
            }
        })?;
        Ok(plan.data)
    }
}

impl FromMinutes {
    /// `requests` and `minutes` are the plans of the two tables; where `all_have_class`, each request has a status with a class.
    pub(crate) fn new(requests: LogicalPlan, minutes: LogicalPlan, all_have_class: bool) -> Self {
        // Statements may call the table what they like.
        let requests = match requests {
            LogicalPlan::SubqueryAlias(alias) => Arc::unwrap_or_clone(alias.input),
            requests => requests,
        };
        Self {
            requests,
            minutes,
            all_have_class,
        }
    }

    /// What gives the aggregate's rows out of minutes.
    fn answer(&self, aggregate: &Aggregate, asked: Asked) -> Result<LogicalPlan> {
        let Asked {
            mut conditions,
            statuses,
            mut groups,
            classes,
            counts,
        } = asked;
        // A group is there if one of its requests is.
        if statuses != Statuses::ALL {
            conditions.push(statuses.count().gt(lit(0_i64)));
        }
        let mut rows = LogicalPlanBuilder::from(self.minutes.clone());
        if let Some(condition) = conjunction(conditions) {
            rows = rows.filter(condition)?;
        }
        if let Some(class) = classes.first() {
            // Each row once for each class of which it has requests.
            rows = rows.cross_join(numbers(classes.len())?)?;
            rows =
                rows.filter(by_class(&classes, |class| class.statuses.count()).gt(lit(0_i64)))?;
            for (at, (place, _)) in class.values.iter().enumerate() {
                groups.push((
                    *place,
                    by_class(&classes, |class| lit(class.values[at].1.clone())),
                ));
            }
        }
        groups.sort_by_key(|(place, _)| *place);
        let groups = groups
            .into_iter()
            .map(|(place, group)| group.alias(group_name(place)));
        let sums = counts.iter().enumerate();
        let sums = sums.map(|(place, count)| count.sum(&classes).alias(sum_name(place)));
        let rows = rows.aggregate(groups.collect::<Vec<_>>(), sums.collect::<Vec<_>>())?;
        let groups = (0..aggregate.group_expr.len()).map(|place| column(&group_name(place)));
        let counts = counts.iter().enumerate().map(|(place, count)| {
            let sum = column(&sum_name(place));
            match count.is_zero_of_none {
                true => coalesce(vec![sum, lit(0_i64)]),
                false => sum,
            }
        });
        let outputs = groups.chain(counts).zip(aggregate.schema.iter());
        let outputs =
            outputs.map(|(output, (of, field))| output.alias_qualified(of.cloned(), field.name()));
        rows.project(outputs.collect::<Vec<_>>())?.build()
    }
}

impl Count {
    fn sum(&self, classes: &[Class]) -> Expr {
        let of_row = match classes {
            [] => self.of_row(Statuses::ALL),
            classes => by_class(classes, |class| self.of_row(class.statuses)),
        };
        Expr::AggregateFunction(AggregateFunction {
            func: sum_udaf(),
            params: AggregateFunctionParams {
                args: vec![of_row],
                distinct: false,
                filter: self.condition.clone().map(Box::new),
                order_by: Vec::new(),
                null_treatment: None,
            },
        })
    }

    /// What the requests of a row of minutes add that have one of these statuses.
    fn of_row(&self, among: Statuses) -> Expr {
        let adding = |add| among.and(Statuses::of(|kind| self.adds[kind] == add));
        let mut different: Vec<i64> = self.adds.iter().flatten().copied().collect();
        different.sort_unstable();
        different.dedup();
        let sums = different.into_iter().filter(|add| *add != 0).map(|add| {
            let count = adding(Some(add)).count();
            match add {
                1 => count,
                add => count * lit(add),
            }
        });
        let sum = sums
            .reduce(|sum, more| sum + more)
            .unwrap_or_else(|| lit(0_i64));
        if self.is_zero_of_none || adding(None) == Statuses::NONE {
            return sum;
        }
        let counted = among.and(Statuses::of(|kind| self.adds[kind].is_some()));
        let is_some = counted.count().gt(lit(0_i64));
        Expr::Case(Case::new(
            None,
            vec![(Box::new(is_some), Box::new(sum))],
            None,
        ))
    }
}

/// The number of a class, a row for each.
fn numbers(classes: usize) -> Result<LogicalPlan> {
    let numbers = (0_i64..).take(classes).map(|number| vec![lit(number)]);
    LogicalPlanBuilder::values(numbers.collect())?
        .project(vec![column("column1").alias(CLASS)])?
        .build()
}

const CLASS: &str = "class";

/// What is said of the class of a row.
fn by_class(classes: &[Class], of: impl Fn(&Class) -> Expr) -> Expr {
    let numbered = (0_i64..).zip(classes);
    let cases = numbered.map(|(number, class)| (Box::new(lit(number)), Box::new(of(class))));
    Expr::Case(Case::new(
        Some(Box::new(column(CLASS))),
        cases.collect(),
        None,
    ))
}

/// What an expression gives of these rows; `None` where it fails.
fn value(of: &Expr, rows: &RecordBatch) -> Option<ColumnarValue> {
    let schema = DFSchema::try_from(rows.schema()).ok()?;
    let props = ExecutionProps::new();
    let value = create_physical_expr(of, &schema, &props, &PhysicalPlanningContext::default());
    value.ok()?.evaluate(rows).ok()
}

fn column(name: &str) -> Expr {
    Expr::from(Column::from_name(name))
}

fn group_name(place: usize) -> String {
    format!("group{place}")
}

fn sum_name(place: usize) -> String {
    format!("sum{place}")
}

//! What an aggregate asks of `requests`, in terms of `minutes`.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Volatility};

use super::statuses::{self, KINDS, Statuses};
use super::times::{bounds_of_minutes, of_minutes};
use super::{KEYS, STATUS, TIME};

/// A question that minutes can answer. Its expressions are of columns of minutes.
pub(super) struct Asked {
    /// Rows of minutes that it is about.
    pub(super) conditions: Vec<Expr>,
    /// Requests of these that it is about.
    pub(super) statuses: Statuses,
    /// By place among the groups.
    pub(super) groups: Vec<(usize, Expr)>,
    /// Groups by status, if there are any.
    pub(super) classes: Vec<Class>,
    pub(super) counts: Vec<Count>,
}

/// Requests of some statuses, which are a group of their own.
pub(super) struct Class {
    /// What the expressions of status give of them, each with its place among the groups.
    pub(super) values: Vec<(usize, ScalarValue)>,
    pub(super) statuses: Statuses,
}

/// One of the aggregate's numbers.
pub(super) struct Count {
    /// What a request of each kind of status adds; `None` where it is not counted at all.
    pub(super) adds: [Option<i64>; KINDS],
    /// Rows of minutes that it is about.
    pub(super) condition: Option<Expr>,
    /// What it is where nothing was counted: 0 or NULL.
    pub(super) is_zero_of_none: bool,
}

/// What is known of all requests.
#[derive(Clone, Copy)]
struct Known {
    /// The statuses that occur.
    met: Statuses,
}

impl Asked {
    /// `None` where minutes do not tell. `requests` is what stands for the table in a plan; where `all_have_class`, each request has a status
    /// with a class.
    pub(super) fn of(
        aggregate: &Aggregate,
        requests: &LogicalPlan,
        all_have_class: bool,
    ) -> Result<Option<Self>> {
        let Some(view) = View::of(&aggregate.input, requests)? else {
            return Ok(None);
        };
        let known = Known {
            met: match all_have_class {
                true => Statuses::OF_CLASSES,
                false => Statuses::ALL,
            },
        };
        let Some(rows) = known.rows(view.conditions.clone())? else {
            return Ok(None);
        };
        let mut groups = Vec::new();
        let mut classes = Vec::new();
        for (place, group) in aggregate.group_expr.iter().enumerate() {
            match known.part(&view.expr(group)?, |group| group)? {
                Some(Part::OfMinutes(group)) => groups.push((place, group)),
                Some(Part::OfStatuses(values)) => classes.push((place, values)),
                None => return Ok(None),
            }
        }
        let mut counts = Vec::new();
        for count in &aggregate.aggr_expr {
            match known.count(&view.expr(count)?, rows.statuses)? {
                Some(count) => counts.push(count),
                None => return Ok(None),
            }
        }
        Ok(Some(Self {
            conditions: rows.conditions,
            statuses: rows.statuses,
            groups,
            classes: known.classes(&classes, rows.statuses)?,
            counts,
        }))
    }
}

/// Rows of minutes, and requests of them.
struct Rows {
    conditions: Vec<Expr>,
    statuses: Statuses,
}

/// What an expression is about.
enum Part {
    /// The same of minutes.
    OfMinutes(Expr),
    /// What it gives of each kind of status.
    OfStatuses(Vec<ScalarValue>),
}

impl Known {
    fn rows(self, conditions: Vec<Expr>) -> Result<Option<Rows>> {
        let mut rows = Rows {
            conditions: Vec::new(),
            statuses: Statuses::ALL,
        };
        for condition in conditions.into_iter().flat_map(split_conjunction_owned) {
            // One that is NULL does not hold.
            let whether = |condition| Expr::IsTrue(Box::new(condition));
            match self.part(&condition, whether)? {
                Some(Part::OfMinutes(condition)) => rows.conditions.push(condition),
                Some(Part::OfStatuses(values)) => {
                    let is_true = |kind: usize| values[kind] == ScalarValue::Boolean(Some(true));
                    rows.statuses = rows.statuses.and(Statuses::of(is_true));
                }
                None => return Ok(None),
            }
        }
        if rows.statuses == self.met {
            rows.statuses = Statuses::ALL;
        }
        Ok(Some(rows))
    }

    /// `None` where minutes do not tell. `of_status` is what is asked of an expression of nothing but a status.
    fn part(self, expr: &Expr, of_status: impl Fn(Expr) -> Expr) -> Result<Option<Part>> {
        if !is_same_each_time(expr)? {
            return Ok(None);
        }
        let columns = expr.column_refs();
        let is_among = |known: &[&str]| {
            let mut names = columns.iter().map(|column| column.name.as_str());
            names.all(|name| known.contains(&name))
        };
        if !columns.is_empty() && is_among(&[STATUS]) {
            let values = statuses::values(&of_status(expr.clone()), self.met)?;
            return Ok(values.map(Part::OfStatuses));
        }
        if !is_among(&[KEYS, &[TIME]].concat()) {
            return Ok(None);
        }
        let of_minutes = match bounds_of_minutes(expr)? {
            Some(bounds) => Some(bounds),
            None => of_minutes(expr)?,
        };
        Ok(of_minutes.map(Part::OfMinutes))
    }

    fn classes(
        self,
        groups: &[(usize, Vec<ScalarValue>)],
        statuses: Statuses,
    ) -> Result<Vec<Class>> {
        let mut classes: Vec<Class> = Vec::new();
        if groups.is_empty() {
            return Ok(classes);
        }
        let kinds = (0..KINDS).filter(|&kind| statuses.and(self.met).has(kind));
        for kind in kinds {
            let values = groups
                .iter()
                .map(|(place, values)| (*place, values[kind].clone()));
            let values: Vec<_> = values.collect();
            let only = Statuses::of(|other| other == kind);
            match classes.iter_mut().find(|class| class.values == values) {
                Some(class) => class.statuses = class.statuses.or(only),
                None => classes.push(Class {
                    values,
                    statuses: only,
                }),
            }
        }
        Ok(classes)
    }

    /// A count or a sum over requests with some statuses.
    fn count(self, count: &Expr, statuses: Statuses) -> Result<Option<Count>> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = count.clone().unalias()
        else {
            return Ok(None);
        };
        let is_plain = !params.distinct && params.order_by.is_empty();
        let [of] = params.args.as_slice() else {
            return Ok(None);
        };
        let is_zero_of_none = func.name() == "count";
        if !is_plain || !(is_zero_of_none || func.name() == "sum") {
            return Ok(None);
        }
        let conditions = params.filter.map(|condition| *condition);
        let Some(rows) = self.rows(conditions.into_iter().collect())? else {
            return Ok(None);
        };
        let values = match of {
            Expr::Literal(value, _) => vec![value.clone(); KINDS],
            of => match self.part(of, |of| of)? {
                Some(Part::OfStatuses(values)) => values,
                _ => return Ok(None),
            },
        };
        if !is_zero_of_none && !values[0].data_type().is_signed_integer() {
            return Ok(None);
        }
        let counted = statuses.and(rows.statuses);
        let mut adds = [None; KINDS];
        for (kind, add) in adds.iter_mut().enumerate() {
            let value = &values[kind];
            if counted.has(kind) && !value.is_null() {
                *add = match is_zero_of_none {
                    true => Some(1),
                    false => whole(value)?,
                };
            }
        }
        Ok(Some(Count {
            adds,
            condition: conjunction(rows.conditions),
            is_zero_of_none,
        }))
    }
}

fn whole(value: &ScalarValue) -> Result<Option<i64>> {
    match value.cast_to(&DataType::Int64)? {
        ScalarValue::Int64(value) => Ok(value),
        _ => Ok(None),
    }
}

/// Whether an expression looks at nothing but its columns.
fn is_same_each_time(expr: &Expr) -> Result<bool> {
    let looks_elsewhere = expr.exists(|expr| {
        Ok(match expr {
            Expr::ScalarFunction(function) => {
                function.func.signature().volatility != Volatility::Immutable
            }
            Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::ScalarSubquery(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::GroupingSet(_)
            | Expr::WindowFunction(_) => true,
            _ => false,
        })
    })?;
    Ok(!looks_elsewhere)
}

/// What lies between an aggregate and the table: conditions, and what its columns are called and made of.
struct View<'p> {
    schema: &'p DFSchema,
    /// By column, of columns of `requests`, which have no table before them.
    columns: Vec<Expr>,
    /// Likewise.
    conditions: Vec<Expr>,
}

impl<'p> View<'p> {
    /// `None` where there is more to it.
    fn of(plan: &'p LogicalPlan, requests: &LogicalPlan) -> Result<Option<Self>> {
        let schema: &DFSchema = plan.schema();
        let below = |plan: &'p LogicalPlan| Self::of(plan, requests);
        Ok(match plan {
            plan if plan == requests => {
                let names = schema.fields().iter().map(|field| field.name());
                Some(Self {
                    schema,
                    columns: names
                        .map(|name| Expr::from(Column::from_name(name)))
                        .collect(),
                    conditions: Vec::new(),
                })
            }
            LogicalPlan::SubqueryAlias(alias) => {
                below(&alias.input)?.map(|view| Self { schema, ..view })
            }
            LogicalPlan::Filter(filter) => match below(&filter.input)? {
                Some(mut view) => {
                    view.conditions.push(view.expr(&filter.predicate)?);
                    Some(Self { schema, ..view })
                }
                None => None,
            },
            LogicalPlan::Projection(projection) => match below(&projection.input)? {
                Some(view) => {
                    let columns = projection.expr.iter().map(|expr| view.expr(expr));
                    Some(Self {
                        schema,
                        columns: columns.collect::<Result<_>>()?,
                        conditions: view.conditions,
                    })
                }
                None => None,
            },
            _ => None,
        })
    }

    /// An expression over the plan, as one over the table.
    fn expr(&self, expr: &Expr) -> Result<Expr> {
        let expr = expr.clone().transform_up(|expr| match &expr {
            Expr::Column(column) => {
                let place = self.schema.index_of_column(column)?;
                Ok(Transformed::yes(self.columns[place].clone()))
            }
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(expr.data.unalias_nested().data)
    }
}

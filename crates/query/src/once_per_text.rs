//! Conditions on one text, asked once for each that differs.
//!
//! An agent or a referrer stands in thousands of rows of a batch, which `ILIKE '%bot%'` would search again and again. Where a condition is of one
//! column of texts and searches it, or calls a function, it becomes a function of that text, which looks at what is different.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Like, LogicalPlan, Operator, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::create_physical_expr;

use crate::functions::function_of_text;

/// Puts such functions in place of conditions.
#[derive(Debug)]
pub(crate) struct OncePerText;

impl AnalyzerRule for OncePerText {
    fn name(&self) -> &'static str {
        "once_per_text"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let asks = matches!(
                plan,
                LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)
            );
            if !asks {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let once = expr.transform_down(|expr| once(expr, &schema))?;
                Ok(once.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(plan.data)
    }
}

/// The condition as a function of its text, where it is one that is worth it.
fn once(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(text) = only_text(&expr, schema)? else {
        return Ok(Transformed::no(expr));
    };
    let is_condition = expr.get_type(schema)? == DataType::Boolean && expr.nullable(schema)?;
    if !is_condition || !is_dear(&expr)? {
        return Ok(Transformed::no(expr));
    }
    let texts = Schema::new(vec![Field::new(&text.name, DataType::Utf8View, true)]);
    let texts = Arc::new(texts);
    let of_text = expr.clone().transform_up(|expr| {
        Ok(match &expr {
            Expr::Column(column) => Transformed::yes(Expr::from(Column::from_name(&column.name))),
            _ => Transformed::no(expr),
        })
    })?;
    let condition = create_physical_expr(
        &of_text.data,
        &DFSchema::try_from(Arc::clone(&texts))?,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?;
    let name = format!("once_per_text[{}]", of_text.data.human_display());
    let judge = move |different: &StringViewArray| {
        let different: ArrayRef = Arc::new(different.clone());
        let rows = different.len();
        let batch = RecordBatch::try_new(Arc::clone(&texts), vec![different])?;
        condition.evaluate(&batch)?.into_array(rows)
    };
    // What is wrong with it, such as a pattern that cannot be read, DataFusion tells before it reads any row.
    if judge(&StringViewArray::from(vec![""])).is_err() {
        return Ok(Transformed::no(expr));
    }
    let once = function_of_text(&name, DataType::Boolean, judge);
    let once = once.call(vec![Expr::Column(text)]);
    Ok(Transformed::new(once, true, TreeNodeRecursion::Jump))
}

/// The one column of an expression, if it is of texts and nothing else is looked at.
fn only_text(expr: &Expr, schema: &DFSchema) -> Result<Option<Column>> {
    let columns = expr.column_refs();
    let mut columns = columns.into_iter();
    let (Some(column), None) = (columns.next(), columns.next()) else {
        return Ok(None);
    };
    let is_text = schema.field_from_column(column)?.data_type() == &DataType::Utf8View;
    let looks_elsewhere = expr.exists(|expr| {
        Ok(match expr {
            Expr::ScalarFunction(function) => {
                function.func.signature().volatility != Volatility::Immutable
            }
            Expr::Column(_)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::InList(_) => false,
            _ => true,
        })
    })?;
    Ok((is_text && !looks_elsewhere).then(|| column.clone()))
}

/// Whether it searches or calls something. A pattern that begins with a letter is left as it is: by that letter files are told apart.
fn is_dear(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(match expr {
            Expr::ScalarFunction(_) | Expr::SimilarTo(_) => true,
            Expr::Like(Like {
                pattern,
                case_insensitive,
                ..
            }) => *case_insensitive || begins_open(pattern),
            Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(
                op,
                Operator::RegexMatch
                    | Operator::RegexIMatch
                    | Operator::RegexNotMatch
                    | Operator::RegexNotIMatch
            ),
            _ => false,
        })
    })
}

fn begins_open(pattern: &Expr) -> bool {
    match pattern {
        Expr::Cast(cast) => begins_open(&cast.expr),
        Expr::Literal(text, _) => {
            let text = text.try_as_str().flatten().unwrap_or_default();
            text.starts_with(['%', '_'])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::{Engine, EngineOptions, RawLogs};

    /// Texts of which each stands in many rows or, of `b`, in few; some are NULL.
    const TEXTS: &str = "WITH t AS (SELECT value AS n, arrow_cast(CASE WHEN value % 7 = 0 THEN NULL ELSE 'Agent/' || (value % 90) || ' (Bot)' END, 'Utf8View') AS a,
        arrow_cast(nullif('/page/' || value, ''), 'Utf8View') AS b FROM generate_series(1, 20000))";

    async fn asked(statement: &str) -> String {
        let logs = RawLogs { files: Vec::new() };
        let engine = Engine::over_logs(&logs, &EngineOptions::default()).await;
        let answer = engine.unwrap().sql(statement).await;
        let answer = answer.unwrap_or_else(|error| panic!("{statement}: {error}"));
        pretty_format_batches(&answer.batches).unwrap().to_string()
    }

    /// `condition` is of a text `{}`; the same of two columns is left to DataFusion.
    #[track_caller]
    fn check(condition: &str, is_once: bool) {
        let checked = async {
            for (text, twin) in [("a", "a || substr(b, 1, 0)"), ("b", "b || left(b, n - n)")] {
                let counted = |text: &str| {
                    let condition = condition.replace("{}", &format!("({text})"));
                    format!(
                        "{TEXTS} SELECT {condition} AS holds, count(*) AS rows, count(*) FILTER (WHERE {condition}) AS held FROM t WHERE n < 15000 OR {condition} GROUP BY 1 ORDER BY 1"
                    )
                };
                let (statement, twin) = (counted(text), counted(twin));
                let is_in = |plan: String| plan.contains("once_per_text");
                let plan = asked(&format!("EXPLAIN {statement}")).await;
                assert_eq!(is_in(plan), is_once, "{statement}");
                assert!(!is_in(asked(&format!("EXPLAIN {twin}")).await));
                assert_eq!(asked(&statement).await, asked(&twin).await, "{statement}");
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(checked);
    }

    #[test]
    fn what_is_searched_is_searched_once() {
        for condition in [
            "{} ILIKE '%BOT%'",
            "{} NOT ILIKE 'agent/1%'",
            "{} LIKE '%2_ (%'",
            "{} ~ '[/](1|22) '",
            "{} !~* 'AGENT.*[0-4] '",
            "lower({}) LIKE 'agent/3%'",
            "length({}) > 14 AND {} <> 'x'",
            "strpos({}, '9') > 0",
        ] {
            check(condition, true);
        }
    }

    #[tokio::test]
    async fn a_pattern_that_cannot_be_read_is_told_before_rows_are() {
        let logs = RawLogs { files: Vec::new() };
        let engine = Engine::over_logs(&logs, &EngineOptions::default()).await;
        let statement = format!("{TEXTS} SELECT count(*) FROM t WHERE a ~ '('");
        let error = engine.unwrap().sql(&statement).await.unwrap_err();
        assert!(format!("{error:?}").contains("Invalid regex"), "{error:?}");
    }

    #[test]
    fn what_costs_nothing_is_left_as_it_is() {
        for condition in ["{} = 'Agent/1 (Bot)'", "{} LIKE 'Agent/1%'", "{} IS NULL"] {
            check(condition, false);
        }
    }
}

//! `count(DISTINCT text)` by groups, by an aggregate of our own.
//!
//! DataFusion groups by the group and the text first and counts afterwards, which takes each group's texts through a hash table of their
//! own, twice; and where a statement counts several columns so, a hash set for each group. Here each text is held once, whatever
//! groups it is met in, and a group holds the numbers of its texts. The answer is exact, in half of the time.

mod numbers;
mod texts;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

/// Puts the aggregate in place of DataFusion's, wherever there are groups and texts.
#[derive(Debug)]
pub(crate) struct DistinctTexts(Arc<AggregateUDF>);

impl DistinctTexts {
    pub(crate) fn new() -> Self {
        Self(Arc::new(texts::count_distinct()))
    }

    fn rewrite(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        let LogicalPlan::Aggregate(aggregate) = plan else {
            return Ok(Transformed::no(plan));
        };
        if aggregate.group_expr.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let schema = aggregate.input.schema();
        let is_ours = |function: &AggregateFunction| -> Result<bool> {
            let params = &function.params;
            let is_text = |text: &Expr| {
                let data_type = text.get_type(schema)?;
                Ok(matches!(
                    data_type,
                    DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                ))
            };
            match params.args.as_slice() {
                [text] if params.distinct && function.func.name() == "count" => is_text(text),
                _ => Ok(false),
            }
        };
        let mut has_changed = false;
        let counts = aggregate.aggr_expr.iter().map(|expr| {
            let name = names.save(expr);
            let ours = expr.clone().transform_up(|expr| match expr {
                Expr::AggregateFunction(function) if is_ours(&function)? => Ok(Transformed::yes(
                    Expr::AggregateFunction(AggregateFunction {
                        func: Arc::clone(&self.0),
                        params: AggregateFunctionParams {
                            distinct: false,
                            ..function.params
                        },
                    }),
                )),
                other => Ok(Transformed::no(other)),
            })?;
            has_changed |= ours.transformed;
            Ok(name.restore(ours.data))
        });
        let counts = counts.collect::<Result<Vec<_>>>()?;
        if !has_changed {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let ours = Aggregate::try_new(aggregate.input, aggregate.group_expr, counts)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(ours)))
    }
}

impl AnalyzerRule for DistinctTexts {
    fn name(&self) -> &'static str {
        "distinct_texts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| self.rewrite(plan))?;
        Ok(plan.data)
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::{Engine, EngineOptions, Error, RawLogs};

    async fn asked(threads: usize, memory_bytes: usize, statement: &str) -> Result<String, Error> {
        let options = EngineOptions {
            threads,
            memory_bytes,
            ..EngineOptions::default()
        };
        let engine = Engine::over_logs(&RawLogs { files: Vec::new() }, &options).await?;
        let answer = engine.sql(statement).await?;
        Ok(pretty_format_batches(&answer.batches)?.to_string())
    }

    /// Groups, and texts of which some are NULL, some short and some long.
    fn table(groups: u32) -> String {
        format!(
            "WITH t AS (SELECT value % {groups} AS g, CASE WHEN value % 11 = 0 THEN NULL WHEN value % 3 = 0 THEN 'a text too long to stand in a view, ' || ((value * 7919) % 1009)
             ELSE concat((value * 31) % 503) END AS a, concat(value % 13) AS b FROM generate_series(1, 60000))"
        )
    }

    #[tokio::test]
    async fn the_counts_are_those_of_different_texts() {
        for groups in [1, 7, 20_000] {
            let table = table(groups);
            // Each count by a plain GROUP BY.
            let twin = format!(
                "{table} SELECT x.g, x.n, y.big, z.b FROM (SELECT g, count(a) AS n FROM (SELECT DISTINCT g, a FROM t) GROUP BY g) x JOIN
                 (SELECT g, count(a) FILTER (WHERE length(a) > 12) AS big FROM (SELECT DISTINCT g, a FROM t) GROUP BY g) y ON x.g = y.g JOIN
                 (SELECT g, count(*) AS b FROM (SELECT DISTINCT g, b FROM t) GROUP BY g) z ON x.g = z.g ORDER BY x.g"
            );
            let expected = asked(1, 1 << 30, &twin).await.unwrap();
            assert_eq!(expected.lines().count(), groups as usize + 4);
            for threads in [1, 3] {
                let ours = format!(
                    "{table} SELECT g, count(DISTINCT a) AS n, count(DISTINCT a) FILTER (WHERE length(a) > 12) AS big, count(DISTINCT b) AS b FROM t GROUP BY g ORDER BY g"
                );
                let found = asked(threads, 1 << 30, &ours).await;
                assert_eq!(
                    found.unwrap(),
                    expected,
                    "{groups} groups, {threads} threads"
                );
            }
        }
    }

    #[tokio::test]
    async fn names_and_subqueries_stay_as_they_are() {
        let table = table(5);
        let statement = format!(
            "{table} SELECT g, count(DISTINCT a) FROM t WHERE g IN (SELECT g FROM t GROUP BY g HAVING count(DISTINCT a) > 0) GROUP BY g ORDER BY count(DISTINCT a), g LIMIT 1"
        );
        let found = asked(2, 1 << 30, &statement).await.unwrap();
        assert!(found.contains("count(DISTINCT t.a)"), "{found}");
        let plan = asked(2, 1 << 30, &format!("EXPLAIN {statement}")).await;
        let plan = plan.unwrap();
        assert!(plan.matches("count_distinct(t.a)").count() >= 2, "{plan}");
    }

    #[tokio::test]
    async fn what_has_no_groups_is_left_to_datafusion() {
        let statement = format!("{} SELECT count(DISTINCT a) AS n FROM t", table(5));
        let found = asked(2, 1 << 30, &statement).await.unwrap();
        assert!(found.contains("| 1512 |"), "{found}");
    }
}

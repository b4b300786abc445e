//! Conditions on the time of rows, which a table applies itself: a file that lies wholly inside of a window is read without looking at
//! its times.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExecBuilder;

/// What the rows of a table have to meet in their times; a row without a time meets it no more than SQL says.
#[derive(Debug)]
pub(crate) struct Window(Option<Expr>);

impl Window {
    /// The filters of a scan that ask of no column but `time`.
    pub(crate) fn of(time: &str, filters: &[Expr]) -> Self {
        let of_time = filters.iter().filter(|filter| is_of(time, filter));
        Self(conjunction(of_time.cloned()))
    }

    /// What a table with this column answers to [`TableProvider::supports_filters_pushdown`](datafusion::catalog::TableProvider).
    pub(crate) fn support(time: &str, filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
        let support = |filter: &&Expr| match is_of(time, filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        filters.iter().map(support).collect()
    }

    /// What rows outside of it meet; `None` if there are none.
    pub(crate) fn outside(&self) -> Option<Expr> {
        self.0.clone().map(|inside| Expr::Not(Box::new(inside)))
    }

    /// The rows inside of it, of what `read` gives of some columns; `time` is the place of their times.
    pub(crate) fn cut(
        self,
        state: &dyn Session,
        projection: &[usize],
        time: usize,
        read: impl FnOnce(Vec<usize>) -> Result<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(condition) = self.0 else {
            return read(projection.to_vec());
        };
        let mut columns = projection.to_vec();
        if !columns.contains(&time) {
            columns.push(time);
        }
        let rows = read(columns)?;
        let schema = DFSchema::try_from(rows.schema())?;
        let condition = state.create_physical_expr(condition, &schema)?;
        let asked = (0..projection.len()).collect();
        let inside = FilterExecBuilder::new(condition, rows).apply_projection(Some(asked))?;
        Ok(Arc::new(inside.build()?))
    }
}

fn is_of(time: &str, filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == time) && !filter.is_volatile()
}

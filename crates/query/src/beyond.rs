//! The tables of a lake together with what live logs hold beyond it.
//!
//! Each is a union that the optimizer takes apart: conditions, columns and limits reach both sides, so that the lake is pruned as it is
//! alone and of the logs no more is parsed than is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::prelude::{SessionContext, cast, col};
use floodmark_source::{KnownSource, Snapshot, SourceId};

/// Lines of both. Columns that one side lacks are NULL there; the day of a line, by which a lake is kept, is that of its time.
pub(crate) fn all_lines(
    context: &SessionContext,
    lake: Arc<dyn TableProvider>,
    beyond: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let beyond = context.read_table(beyond)?;
    let beyond = beyond.with_column("date", cast(col("time"), DataType::Date32))?;
    Ok(context.read_table(lake)?.union_by_name(beyond)?.into_view())
}

/// Minutes of both: their rows add up, as those of two commits do.
pub(crate) fn all_minutes(
    context: &SessionContext,
    lake: Arc<dyn TableProvider>,
    beyond: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let beyond = context.read_table(beyond)?;
    Ok(context.read_table(lake)?.union(beyond)?.into_view())
}

/// All sources, each with where it ends.
pub(crate) fn all_sources(known: Vec<KnownSource>, beyond: &Snapshot) -> BTreeMap<SourceId, u64> {
    let known = known.into_iter().map(|known| (known.id, known.offset));
    known.chain(beyond.ends()).collect()
}

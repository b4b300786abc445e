//! Rows of minutes: each minute and key once, with sketches that can be read.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use floodmark_ingest::MinuteCounts;
use parquet::errors::ParquetError;

use super::Problem;
use super::file::RowCheck;

/// The rows of a file. Taken apart and written again they are the same, to the byte of each sketch: they are in the order of their minutes and
/// keys, each is there once, and their sums fit each other.
#[derive(Debug, Default)]
pub(super) struct MinuteRows {
    /// The last one: the next has to be behind it.
    last: Option<RecordBatch>,
    is_other: bool,
}

impl RowCheck for MinuteRows {
    fn look(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let rows = concat_batches(rows.schema_ref(), self.last.iter().chain([rows]))?;
        let external = |error: floodmark_ingest::Error| ParquetError::External(Box::new(error));
        let mut counts = MinuteCounts::default();
        counts.add_rows(&rows).map_err(external)?;
        let again = counts.rows().map_err(external)?;
        self.is_other |= again.columns() != rows.columns();
        self.last = rows
            .num_rows()
            .checked_sub(1)
            .map(|last| rows.slice(last, 1));
        Ok(())
    }

    fn problems(&mut self, path: &str) -> Vec<Problem> {
        let path = path.to_owned();
        let problem = self.is_other.then_some(Problem::MinuteRows { path });
        problem.into_iter().collect()
    }
}

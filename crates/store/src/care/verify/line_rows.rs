//! Rows of lines: where each stood in its log.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::errors::ParquetError;

use super::Problem;
use super::file::RowCheck;
use super::tiles::{Refused, Tiles};

/// The rows of a file, put where they stood.
#[derive(Debug, Default)]
pub(super) struct LineRows {
    pub(super) tiles: Tiles,
    /// Rows that follow each other and are not in `tiles` yet.
    run: Option<Run>,
    /// How many rows do not say where they stood.
    unplaced: u64,
    /// Bytes that are there twice, by source and offset.
    twice: Vec<(String, u64)>,
    is_scattered: bool,
}

/// Rows that follow each other in one source.
#[derive(Debug, Clone)]
struct Run {
    source: String,
    start: u64,
    end: u64,
}

impl RowCheck for LineRows {
    fn look(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let column = |name: &str, as_type: &DataType| {
            let column = rows.schema_ref().index_of(name)?;
            cast(rows.column(column), as_type)
        };
        let sources = column("source", &DataType::Utf8View)?;
        let offsets = column("line_offset", &DataType::Int64)?;
        let bytes = column("line_bytes", &DataType::Int64)?;
        let places = sources
            .as_string_view()
            .iter()
            .zip(offsets.as_primitive::<Int64Type>())
            .zip(bytes.as_primitive::<Int64Type>());
        for ((source, offset), bytes) in places {
            match (source, offset, bytes) {
                // It stands for none, or, as a gap, for nobody knows how many.
                (Some(_), Some(_), None | Some(0)) => {}
                (Some(source), Some(offset), Some(bytes)) => {
                    self.place(source, offset.unsigned_abs(), bytes.unsigned_abs());
                }
                _ => self.unplaced += 1,
            }
        }
        Ok(())
    }

    fn problems(&mut self, path: &str) -> Vec<Problem> {
        self.lay();
        let path = || path.to_owned();
        let twice = std::mem::take(&mut self.twice).into_iter();
        let mut problems: Vec<Problem> = twice
            .map(|(source_id, offset)| Problem::Twice {
                source_id,
                offset,
                path: path(),
            })
            .collect();
        if self.unplaced > 0 {
            let rows = self.unplaced;
            problems.push(Problem::Unplaced { path: path(), rows });
        }
        if self.is_scattered {
            problems.push(Problem::Scattered { path: path() });
        }
        problems
    }
}

impl LineRows {
    fn place(&mut self, source: &str, start: u64, bytes: u64) {
        match &mut self.run {
            Some(run) if run.end == start && run.source == source => run.end += bytes,
            _ => {
                self.lay();
                self.run = Some(Run {
                    source: source.to_owned(),
                    start,
                    end: start + bytes,
                });
            }
        }
    }

    fn lay(&mut self) {
        let Some(run) = self.run.take() else {
            return;
        };
        match self.tiles.add(&run.source, run.start, run.end) {
            Ok(()) => {}
            Err(Refused::Taken(offset)) => self.twice.push((run.source, offset)),
            Err(Refused::Scattered) => self.is_scattered = true,
        }
    }
}

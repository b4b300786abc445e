//! One file, from its size to its last row.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::errors::ParquetError;

use super::Problem;
use super::tiles::{Refused, Tiles};
use crate::care::files::{LakeFile, sha256};
use crate::care::stored::StoredFile;

/// A file to look at, and where its rows are put together with those of others.
pub(super) struct FileCheck<'v> {
    pub(super) file: &'v LakeFile,
    /// The size that it has; `None` if it is not there.
    pub(super) size: Option<u64>,
    pub(super) store: &'v Arc<dyn ObjectStore>,
    pub(super) tiles: &'v mut Tiles,
}

/// What was seen of a file.
#[derive(Debug, Default)]
pub(super) struct FileChecked {
    pub(super) rows: u64,
    pub(super) problems: Vec<Problem>,
    /// Whether all of its rows were read and have their place.
    pub(super) is_whole: bool,
}

/// Rows that follow each other in one source.
#[derive(Debug, Clone)]
struct Run {
    source: String,
    start: u64,
    end: u64,
}

impl FileCheck<'_> {
    pub(super) async fn run(mut self) -> FileChecked {
        let mut checked = FileChecked::default();
        if let Err(problem) = self.bytes().await {
            checked.problems.push(problem);
            return checked;
        }
        if let Err(error) = self.rows(&mut checked).await {
            checked.problems.push(Problem::FileUnreadable {
                path: self.path(),
                found: error.to_string(),
            });
            return checked;
        }
        let is_scattered = |problem: &Problem| matches!(problem, Problem::Scattered { .. });
        checked.is_whole = !checked.problems.iter().any(is_scattered);
        let expected = self.file.summary.rows as u64;
        if checked.rows != expected {
            checked.problems.push(Problem::FileRows {
                path: self.path(),
                expected,
                found: checked.rows,
            });
        }
        checked
    }

    fn path(&self) -> String {
        self.file.name().to_owned()
    }

    /// Whether the bytes are those that were written. Other bytes are not read any further: a reader of Parquet takes what a
    /// flipped bit makes of a page for granted.
    async fn bytes(&self) -> Result<(), Problem> {
        let (path, expected) = (self.path(), self.file.bytes());
        let Some(found) = self.size else {
            let bytes = expected;
            return Err(Problem::FileMissing { path, bytes });
        };
        if found != expected {
            return Err(Problem::FileSize {
                path,
                expected,
                found,
            });
        }
        let Some(expected) = self.file.sha256() else {
            return Ok(());
        };
        match sha256(self.store.as_ref(), &self.file.path()).await {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(Problem::FileBytes {
                path,
                expected: expected.to_owned(),
                found,
            }),
            Err(error) => Err(Problem::FileUnreadable {
                path,
                found: error.to_string(),
            }),
        }
    }

    /// Reads all columns to the last page.
    async fn rows(&mut self, checked: &mut FileChecked) -> Result<(), ParquetError> {
        let stored = StoredFile::new(self.store, self.file.path(), self.file.bytes());
        let footer = stored.footer().await?;
        let (mut run, mut unplaced, mut are_times_right) = (None, 0, true);
        for group in 0..footer.metadata().num_row_groups() {
            let mut batches = stored.row_group(&footer, group)?;
            while let Some(rows) = batches.try_next().await? {
                checked.rows += rows.num_rows() as u64;
                unplaced += self.place(&rows, &mut run, checked)?;
                are_times_right &= self.has_times_of(&rows);
            }
        }
        self.lay(run, checked);
        if unplaced > 0 {
            checked.problems.push(Problem::Unplaced {
                path: self.path(),
                rows: unplaced,
            });
        }
        if !are_times_right {
            checked
                .problems
                .push(Problem::FileTimes { path: self.path() });
        }
        Ok(())
    }

    /// Puts the rows where they stood; gives how many do not say where.
    fn place(
        &mut self,
        rows: &RecordBatch,
        run: &mut Option<Run>,
        checked: &mut FileChecked,
    ) -> Result<u64, ParquetError> {
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
        let mut unplaced = 0;
        for ((source, offset), bytes) in places {
            let (Some(source), Some(offset), Some(bytes)) = (source, offset, bytes) else {
                unplaced += 1;
                continue;
            };
            let (start, bytes) = (offset.unsigned_abs(), bytes.unsigned_abs());
            match run {
                // It stands for none.
                _ if bytes == 0 => {}
                Some(run) if run.end == start && run.source == source => run.end += bytes,
                _ => {
                    let next = Run {
                        source: source.to_owned(),
                        start,
                        end: start + bytes,
                    };
                    let before = run.replace(next);
                    self.lay(before, checked);
                }
            }
        }
        Ok(unplaced)
    }

    fn lay(&mut self, run: Option<Run>, checked: &mut FileChecked) {
        let Some(run) = run else {
            return;
        };
        let path = self.path();
        match self.tiles.add(&run.source, run.start, run.end) {
            Ok(()) => {}
            Err(Refused::Taken(offset)) => checked.problems.push(Problem::Twice {
                source_id: run.source,
                offset,
                path,
            }),
            Err(Refused::Scattered) => {
                if checked.problems.is_empty() {
                    checked.problems.push(Problem::Scattered { path });
                }
            }
        }
    }

    /// Whether the times are of the file's day, and within those that its commit says.
    fn has_times_of(&self, rows: &RecordBatch) -> bool {
        let times = rows
            .column_by_name("time")
            .and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let Some(times) = times else {
            return false;
        };
        let Some(range) = min(times).zip(max(times)) else {
            return self.file.day.0.is_none();
        };
        let told = self.file.summary.time_range_us;
        let is_told = told.is_some_and(|told| told.0 <= range.0 && range.1 <= told.1);
        let is_of_day = self.file.day.holds(range.0) && self.file.day.holds(range.1);
        is_told && is_of_day && times.null_count() == 0
    }
}

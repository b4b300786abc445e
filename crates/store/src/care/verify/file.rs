//! One file, from its size to its last row.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::errors::ParquetError;

use super::Problem;
use crate::care::files::{Flaw, LakeFile, LogTable};
use crate::care::stored::StoredFile;
use crate::day::Day;

/// A file to look at.
#[derive(Debug)]
pub(super) struct FileCheck {
    file: LakeFile,
    /// In the lake.
    path: String,
    store: Arc<dyn ObjectStore>,
    /// The column of its times.
    time: &'static str,
    /// The partition of the rows of a day.
    partition_of: fn(Day) -> Day,
}

/// What is looked at in rows, batch by batch in their order.
pub(super) trait RowCheck {
    fn look(&mut self, rows: &RecordBatch) -> Result<(), ParquetError>;

    /// What is wrong with all that was seen of the file at `path`.
    fn problems(&mut self, path: &str) -> Vec<Problem>;
}

/// What was seen of a file.
#[derive(Debug)]
pub(super) struct FileChecked<R> {
    /// In the lake.
    pub(super) path: String,
    /// What it is partitioned by.
    pub(super) day: Day,
    pub(super) rows: u64,
    pub(super) check: R,
    pub(super) problems: Vec<Problem>,
}

impl FileCheck {
    pub(super) fn new(file: LakeFile, table: &LogTable<'_>) -> Self {
        Self {
            path: format!("{}/{}", table.name, file.name()),
            file,
            store: table.store(),
            time: table.time,
            partition_of: table.partition_of,
        }
    }

    /// Looks at the bytes and, if they are those that were written, at all columns of all rows. Other bytes are not read any further:
    /// a reader of Parquet takes what a flipped bit makes of a page for granted.
    pub(super) async fn run<R: RowCheck>(self, check: R) -> FileChecked<R> {
        let mut checked = FileChecked {
            path: self.path.clone(),
            day: self.file.day,
            rows: 0,
            check,
            problems: Vec::new(),
        };
        if let Err(flaw) = self.file.check(self.store.as_ref()).await {
            checked.problems.push(self.problem(flaw));
            return checked;
        }
        if let Err(error) = self.rows(&mut checked).await {
            let found = error.to_string();
            checked
                .problems
                .push(self.problem(Flaw::Unreadable { found }));
            return checked;
        }
        checked.problems.extend(checked.check.problems(&self.path));
        let expected = self.file.summary.rows as u64;
        if checked.rows != expected {
            checked.problems.push(Problem::FileRows {
                path: self.path,
                expected,
                found: checked.rows,
            });
        }
        checked
    }

    fn problem(&self, flaw: Flaw) -> Problem {
        let (path, bytes) = (self.path.clone(), self.file.bytes());
        match flaw {
            Flaw::Missing => Problem::FileMissing { path, bytes },
            Flaw::Size { found } => Problem::FileSize {
                path,
                expected: bytes,
                found,
            },
            Flaw::Bytes { expected, found } => Problem::FileBytes {
                path,
                expected,
                found,
            },
            Flaw::Unreadable { found } => Problem::FileUnreadable { path, found },
        }
    }

    /// Reads all columns to the last page.
    async fn rows<R: RowCheck>(&self, checked: &mut FileChecked<R>) -> Result<(), ParquetError> {
        let stored = StoredFile::new(&self.store, self.file.path(), self.file.bytes());
        let footer = stored.footer().await?;
        let mut are_times_right = true;
        for group in 0..footer.metadata().num_row_groups() {
            let mut batches = stored.row_group(&footer, group)?;
            while let Some(rows) = batches.try_next().await? {
                checked.rows += rows.num_rows() as u64;
                checked.check.look(&rows)?;
                are_times_right &= self.has_times_of(&rows);
            }
        }
        if !are_times_right {
            let path = self.path.clone();
            checked.problems.push(Problem::FileTimes { path });
        }
        Ok(())
    }

    /// Whether the times are of the file's partition, and within those that its commit says.
    fn has_times_of(&self, rows: &RecordBatch) -> bool {
        let times = rows
            .column_by_name(self.time)
            .and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let Some(times) = times else {
            return false;
        };
        let Some(range) = min(times).zip(max(times)) else {
            return self.file.day.0.is_none();
        };
        let told = self.file.summary.time_range_us;
        let is_told = told.is_some_and(|told| told.0 <= range.0 && range.1 <= told.1);
        let is_of = |time_us: i64| (self.partition_of)(Day::of(time_us)) == self.file.day;
        is_told && is_of(range.0) && is_of(range.1) && times.null_count() == 0
    }
}

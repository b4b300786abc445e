//! Old days let go.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::DeltaOperation;
use futures::TryStreamExt;

use super::files::LakeFile;
use super::stored::StoredFile;
use crate::commit::{CONFLICTS_MAX, keeping};
use crate::day::Day;
use crate::lake::DATE;
use crate::part::{RowBytes, add_bytes};
use crate::{Error, Lake};

/// The application transaction whose version is the last day that was let go of, in days since the epoch. It tells days whose lines have
/// expired from days whose lines are lost.
const EXPIRED: &str = "floodmark-expired";

/// What goes, or went, and what stays.
#[derive(Debug, Default)]
pub struct Expiry {
    /// First and last day that goes, `2026-11-16`; `None` if none does.
    pub days: Option<(String, String)>,
    /// Files that go.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
    /// Files that stay.
    pub kept_files: u64,
    /// Bytes of them.
    pub kept_bytes: u64,
    /// Rows in them.
    pub kept_rows: u64,
    /// First and last day that stays.
    pub kept_days: Option<(String, String)>,
    /// What is wrong with files that should have gone: [`Error::Damaged`], by day. Their days stay whole, since nobody can tell how much of
    /// which source would go.
    pub damaged: Vec<(String, Error)>,
}

impl Lake {
    /// What [`Lake::expire`] would take out of the lake.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    pub async fn expirable(&self, before_us: i64) -> Result<Expiry, Error> {
        let (gone, kept) = self.split_at(before_us).await?;
        Ok(Expiry::of(&gone, &kept))
    }

    /// Takes the days that end at or before a time, microseconds since the epoch, out of the lake, by one commit. A day that the time
    /// lies in stays whole, and so do rows without a time and days with a damaged file. `now_ms` is milliseconds since the epoch.
    ///
    /// Lines that are ahead of the minutes are counted first. The offsets of sources stay, so that no line is read again. The old files stay until [`Lake::clean`] removes them.
    ///
    /// # Errors
    ///
    /// Lines that are not counted yet cannot be read, or the commit failed.
    pub async fn expire(&mut self, before_us: i64, now_ms: i64) -> Result<Expiry, Error> {
        // What is not counted by then never will be.
        self.count_minutes(1).await?;
        let mut read: HashMap<String, RowBytes> = HashMap::new();
        for attempt in 0.. {
            let (mut gone, mut kept) = self.split_at(before_us).await?;
            let mut damaged = BTreeMap::new();
            for file in &gone {
                if read.contains_key(file.name()) {
                    continue;
                }
                match self.row_bytes(file).await {
                    Ok(row_bytes) => drop(read.insert(file.name().to_owned(), row_bytes)),
                    Err(error @ Error::Damaged { .. }) => drop(damaged.insert(file.day, error)),
                    Err(error) => return Err(error),
                }
            }
            let of_damaged = gone.extract_if(.., |file| damaged.contains_key(&file.day));
            drop(kept.splice(..0, of_damaged));
            let expiry = Expiry {
                damaged: damaged
                    .into_iter()
                    .map(|(day, error)| (day.text().unwrap_or_default(), error))
                    .collect(),
                ..Expiry::of(&gone, &kept)
            };
            let Some((_, last)) = &expiry.days else {
                return Ok(expiry);
            };
            let mut row_bytes = RowBytes::new();
            for file in &gone {
                add_bytes(&mut row_bytes, &read[file.name()]);
            }
            let mut transactions = self.positions()?.expire(&row_bytes);
            let last_day = gone.last().map(|file| file.day).max(self.expired_to()?);
            if let Some(Day(Some(days))) = last_day {
                transactions.push(Transaction::new(EXPIRED, days.into()));
            }
            let removes = gone
                .iter()
                .map(|file| Action::Remove(file.remove(now_ms, true)));
            let operation = DeltaOperation::Delete {
                predicate: Some(format!("{DATE} <= '{last}'")),
            };
            let data = keeping(removes.collect(), operation, transactions);
            match self.commit_data(&data).await {
                Ok(()) => return Ok(expiry),
                Err(Error::Conflict { .. }) if attempt < CONFLICTS_MAX => self.refresh()?,
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop returns")
    }

    /// The last day that was let go of; `None` if that was never recorded.
    pub(crate) fn expired_to(&self) -> Result<Option<Day>, Error> {
        let days = self.log().transactions()?.get(EXPIRED);
        let days = days.and_then(|days| i32::try_from(*days).ok());
        Ok(days.map(|days| Day(Some(days))))
    }

    /// Files whose day ends at or before a time, and the others.
    async fn split_at(&self, before_us: i64) -> Result<(Vec<LakeFile>, Vec<LakeFile>), Error> {
        let files = self.files().await?;
        let is_over = |file: &LakeFile| file.day.end_us().is_some_and(|end| end <= before_us);
        Ok(files.into_iter().partition(is_over))
    }

    /// How many bytes of which source the rows of a file stand for.
    async fn row_bytes(&self, file: &LakeFile) -> Result<RowBytes, Error> {
        let checked = file.check(self.store().as_ref()).await;
        checked.map_err(|flaw| file.damaged(flaw))?;
        let damaged = |error: parquet::errors::ParquetError| file.damaged(error);
        let stored = StoredFile::new(&self.store(), file.path(), file.bytes());
        let footer = stored.footer().await.map_err(damaged)?;
        let mut batches = stored.columns(&footer, &["source", "line_bytes"])?;
        let mut sum = RowBytes::new();
        while let Some(rows) = batches.try_next().await.map_err(damaged)? {
            add_rows(&mut sum, &rows)?;
        }
        Ok(sum)
    }
}

fn add_rows(sum: &mut RowBytes, rows: &RecordBatch) -> Result<(), Error> {
    let column = |name: &str, as_type: &DataType| {
        let column = rows.schema_ref().index_of(name)?;
        arrow::compute::cast(rows.column(column), as_type)
    };
    let sources = column("source", &DataType::Utf8View)?;
    let bytes = column("line_bytes", &DataType::Int64)?;
    let rows = sources.as_string_view().iter();
    for (source, bytes) in rows.zip(bytes.as_primitive::<Int64Type>()) {
        let (Some(source), Some(bytes)) = (source, bytes) else {
            continue;
        };
        match sum.get_mut(source) {
            Some(sum) => *sum += bytes.unsigned_abs(),
            None => drop(sum.insert(source.to_owned(), bytes.unsigned_abs())),
        }
    }
    Ok(())
}

impl Expiry {
    fn of(gone: &[LakeFile], kept: &[LakeFile]) -> Self {
        let (files, bytes, rows) = totals(gone);
        let (kept_files, kept_bytes, kept_rows) = totals(kept);
        Self {
            days: ends(gone),
            files,
            bytes,
            rows,
            kept_files,
            kept_bytes,
            kept_rows,
            kept_days: ends(kept),
            damaged: Vec::new(),
        }
    }
}

fn totals(files: &[LakeFile]) -> (u64, u64, u64) {
    let bytes = files.iter().map(LakeFile::bytes).sum();
    let rows = files.iter().map(|file| file.summary.rows as u64).sum();
    (files.len() as u64, bytes, rows)
}

/// First and last day of files in order.
fn ends(files: &[LakeFile]) -> Option<(String, String)> {
    let mut days = files.iter().filter_map(|file| file.day.text());
    let first = days.next()?;
    let last = days.next_back().unwrap_or_else(|| first.clone());
    Some((first, last))
}

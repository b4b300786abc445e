//! Files of minutes as they are written: one a month.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufWriter;
use std::ops::Range;
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use floodmark_ingest::MinuteCounts;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{MINUTE, MONTH};
use crate::Error;
use crate::day::Day;
use crate::destination::Destination;
use crate::hashed::Hashed;
use crate::part::{STATUS_NONE, Summary, Written, cannot_write};
use crate::part_file::PartFile;

/// Rows of a row group: some days of a small site, so that a question about a day reads little of its month.
const ROW_GROUP_ROWS_MAX: usize = 32_768;

/// Columns whose bytes have no order worth keeping, and do not repeat.
const SKETCHES: &[&str] = &["request_time_histogram", "clients", "bad_clients"];

/// Columns of a few small values, which codes and runs make as small as they need be: zstd would take another 2.5 % off the file, but what it
/// costs to read a column is, where a row group is small, the making of its decoder.
const PLAIN: &[&str] = &[
    "log_set",
    "server_name",
    "server_port",
    "layer",
    "bot",
    "total",
    "good",
    "bad",
    "shed",
    "neutral",
];

fn writer_properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_column_dictionary_enabled(ColumnPath::from(MINUTE), false)
        .set_column_encoding(ColumnPath::from(MINUTE), Encoding::DELTA_BINARY_PACKED)
        .set_created_by(concat!("floodmark ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in SKETCHES {
        let column = ColumnPath::from(*column);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    for column in PLAIN {
        properties =
            properties.set_column_compression(ColumnPath::from(*column), Compression::UNCOMPRESSED);
    }
    properties.build()
}

/// Files that are being written, by the first day of their month.
pub(super) struct MonthFiles<'d> {
    destination: &'d Destination,
    open: BTreeMap<Day, MonthFile>,
}

struct MonthFile {
    relative: String,
    path: PathBuf,
    writer: ArrowWriter<BufWriter<Hashed<PartFile>>>,
    summary: Summary,
}

impl<'d> MonthFiles<'d> {
    pub(super) fn new(destination: &'d Destination) -> Self {
        Self {
            destination,
            open: BTreeMap::new(),
        }
    }

    /// Appends rows in the order of their minutes; what is written one after another is best in that order too.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        for (month, range) in by_month(rows) {
            let rows = rows.slice(range.start, range.len());
            self.file(month)?.write(&rows)?;
        }
        Ok(())
    }

    fn file(&mut self, month: Day) -> Result<&mut MonthFile, Error> {
        if !self.open.contains_key(&month) {
            let file = MonthFile::create(self.destination, month)?;
            self.open.insert(month, file);
        }
        Ok(self.open.get_mut(&month).expect("inserted above"))
    }

    /// The files, complete and where they are to be; none of them where `written` says that something failed, or where this does.
    pub(super) async fn finish(self, written: Result<(), Error>) -> Result<Vec<Written>, Error> {
        let destination = self.destination;
        if let Err(error) = written {
            self.discard();
            return Err(error);
        }
        let paths = self.paths();
        let open = self.open.into_iter();
        let finished = open.map(|(month, file)| file.finish(destination, month));
        let finished: Result<Vec<Written>, Error> = finished.collect();
        if finished.is_err() {
            remove(&paths);
        } else {
            destination.publish().await?;
        }
        finished
    }

    /// Drops what was written.
    pub(super) fn discard(self) {
        remove(&self.paths());
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.open.values().map(|file| file.path.clone()).collect()
    }
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        // One that stays is an orphan and harmless: readers list files from the log.
        let _ = fs::remove_file(path);
    }
}

impl MonthFile {
    fn create(destination: &Destination, month: Day) -> Result<Self, Error> {
        let name = uuid::Uuid::new_v4();
        let relative = format!("{MONTH}={}/part-{name}.parquet", month.directory());
        let (path, file) = destination.create(&relative)?;
        let (schema, properties) = (MinuteCounts::schema(), Some(writer_properties()));
        Ok(Self {
            relative,
            path,
            writer: ArrowWriter::try_new(BufWriter::new(Hashed::new(file)), schema, properties)?,
            summary: Summary::default(),
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let written = self.writer.write(rows);
        written.map_err(|error| cannot_write(&self.path, error))?;
        let minutes = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        self.summary.rows += rows.num_rows();
        self.summary.time_nulls += minutes.null_count();
        for minute in minutes.iter().flatten() {
            let (first, last) = self.summary.time_range_us.unwrap_or((minute, minute));
            self.summary.time_range_us = Some((first.min(minute), last.max(minute)));
        }
        let without_class = rows.column_by_name(STATUS_NONE);
        let most = without_class.and_then(|counts| max(counts.as_primitive::<Int64Type>()));
        self.summary.status_none_max = self.summary.status_none_max.max(most);
        Ok(())
    }

    fn finish(mut self, destination: &Destination, month: Day) -> Result<Written, Error> {
        let finished = self.writer.finish();
        finished.map_err(|error| cannot_write(&self.path, error))?;
        let place = (self.relative, self.path);
        let hashed = self.writer.inner_mut().get_mut();
        Written::kept(destination, month, place, hashed, self.summary)
    }
}

/// The rows of each month: where they begin and end.
fn by_month(rows: &RecordBatch) -> Vec<(Day, Range<usize>)> {
    let minutes = rows.column(0).as_primitive::<TimestampMicrosecondType>();
    let mut months: Vec<(Day, Range<usize>)> = Vec::new();
    let mut last = None;
    for (row, minute) in minutes.iter().enumerate() {
        let day = minute.map_or(Day(None), Day::of);
        if last == Some(day) {
            continue;
        }
        last = Some(day);
        let month = day.month();
        match months.last_mut() {
            Some((known, _)) if *known == month => {}
            Some((_, range)) => {
                range.end = row;
                months.push((month, row..row));
            }
            None => months.push((month, row..row)),
        }
    }
    if let Some((_, range)) = months.last_mut() {
        range.end = minutes.len();
    }
    months
}

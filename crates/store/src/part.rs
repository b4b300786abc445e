//! One Parquet file of one day, made of row groups that threads encode on their own.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, UInt32Type};
use floodmark_ingest::Scratch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescPtr, SchemaDescriptor};
use zstd::bulk::Compressor;

use crate::Error;
use crate::day::Day;
use crate::destination::Destination;
use crate::hashed::Hashed;
use crate::part_file::PartFile;
use crate::text_chunk::{Encoded, TextChunk, compressor};

/// Columns that hardly repeat or only grow: differences are smaller than a dictionary, and cheaper to make.
const DELTA_ENCODED: &[&str] = &["time", "line_offset", "line_bytes"];
/// Numbers whose dictionary would cost more to make than it saves: few bytes when compressed, or too many values.
const PLAIN: &[&str] = &["status", "body_bytes_sent", "bytes_sent", "request_length"];

/// Rows that the encoder takes at once.
const WRITE_BATCH_ROWS: usize = 8_192;

/// A row group is full at this many rows: below it dictionaries repeat, above it a reader skips less.
const ROW_GROUP_ROWS_MAX: usize = 1_000_000;

/// The settings of every Parquet file of the lake, for all columns but text: those are [`TextChunk`]s.
///
/// Text has no minima and maxima but where it has few values: rows come in the order of time, so that they would rule
/// out little, and finding them costs a tenth of an ingest.
pub(crate) fn writer_properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_write_batch_size(WRITE_BATCH_ROWS)
        .set_created_by(concat!("floodmark ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in DELTA_ENCODED {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(*column), false)
            .set_column_encoding(ColumnPath::from(*column), Encoding::DELTA_BINARY_PACKED);
    }
    for column in PLAIN {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    properties.build()
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Part {
    destination: Arc<Destination>,
    day: Day,
    path: PathBuf,
    relative: String,
    writer: Mutex<Option<SerializedFileWriter<BufWriter<Hashed<PartFile>>>>>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    descr: SchemaDescPtr,
    summary: Mutex<Summary>,
}

/// The column of minutes that counts requests whose status has no class.
pub(crate) const STATUS_NONE: &str = "status_none";

/// What the Delta log says of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) rows: usize,
    pub(crate) time_nulls: usize,
    pub(crate) time_range_us: Option<(i64, i64)>,
    /// Of minutes: the most requests without a status class in any row; `None` where nobody looked, as of lines.
    pub(crate) status_none_max: Option<i64>,
    /// Bytes of log that the rows stand for, by source. Known while a file is written; the Delta log does not say it.
    pub(crate) row_bytes: RowBytes,
}

/// Bytes of log in rows, by source.
pub(crate) type RowBytes = BTreeMap<String, u64>;

/// A file that is complete and kept.
#[derive(Debug)]
pub(crate) struct Written {
    /// What it is partitioned by: its day, or the first day of its month.
    pub(crate) day: Day,
    pub(crate) path: PathBuf,
    pub(crate) relative: String,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
    /// The SHA-256 of its bytes, in hex digits.
    pub(crate) sha256: String,
    pub(crate) summary: Summary,
}

impl Written {
    /// Gives a file that is complete to its destination, by its path in the table and its path for messages.
    pub(crate) fn kept(
        destination: &Destination,
        day: Day,
        (relative, path): (String, PathBuf),
        hashed: &mut Hashed<PartFile>,
        summary: Summary,
    ) -> Result<Self, Error> {
        let sha256 = hashed.sha256();
        let cannot = |source| Error::Write {
            path: path.clone(),
            source,
        };
        let file = hashed.get_mut().opened().map_err(cannot)?;
        destination.keep(&relative, &path, file)?;
        let metadata = file.metadata().map_err(cannot)?;
        let modified_ms = metadata
            .modified()
            .ok()
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or_default();
        Ok(Self {
            day,
            path,
            relative,
            bytes: metadata.len(),
            modified_ms,
            sha256,
            summary,
        })
    }
}

impl Part {
    pub(crate) fn create(
        destination: &Arc<Destination>,
        day: Day,
        schema: &SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, Error> {
        let relative = format!(
            "date={}/part-{}.parquet",
            day.directory(),
            uuid::Uuid::new_v4()
        );
        let (path, file) = destination.create(&relative)?;
        let file = BufWriter::new(Hashed::new(file));
        let writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        let descr = Arc::new(writer.schema_descr().clone());
        Ok(Self {
            destination: Arc::clone(destination),
            day,
            path,
            relative,
            writer: Mutex::new(Some(writer)),
            factory,
            schema: Arc::clone(schema),
            descr,
            summary: Mutex::default(),
        })
    }

    /// An empty row group; `twins` are as in [`LineBatch::twins`](floodmark_ingest::LineBatch).
    pub(crate) fn row_group(&self, twins: Option<(usize, usize)>) -> Result<RowGroup, Error> {
        let writers = self.factory.create_column_writers(0)?.into_iter();
        let fields = self.schema.fields().iter();
        Ok(RowGroup {
            texts: fields.clone().map(|_| TextChunk::default()).collect(),
            others: fields
                .zip(writers)
                .map(|(field, writer)| (field.data_type() != &DataType::Utf8View).then_some(writer))
                .collect(),
            twins,
            summary: Summary::default(),
        })
    }

    /// Appends a row group that is complete; `encoder` is what it was written with.
    pub(crate) fn append(&self, group: RowGroup, encoder: &mut Encoder) -> Result<(), Error> {
        if group.summary.rows == 0 {
            return Ok(());
        }
        let summary = group.summary.clone();
        let chunks = group.encoded(&self.descr, encoder)?;
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out, so that after a failure no other thread meets a writer in the middle of a row group.
        let Some(mut writer) = slot.take() else {
            return Err(Error::Closed {
                path: self.path.clone(),
            });
        };
        let appended = (|| {
            let mut row_group = writer.next_row_group()?;
            for chunk in chunks {
                match chunk {
                    Chunk::Text(text) => row_group.append_column(&text.bytes, text.close)?,
                    Chunk::Other(other) => other.append_to_row_group(&mut row_group)?,
                }
            }
            row_group.close()
        })();
        appended.map_err(|error| self.cannot_write(error))?;
        let rested = writer.inner_mut().get_mut().get_mut().rest();
        rested.map_err(|source| self.cannot(source))?;
        *slot = Some(writer);
        let mut total = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        total.add(&summary);
        Ok(())
    }

    /// Writes the footer and gives the file to its destination.
    pub(crate) fn finish(self) -> Result<Written, Error> {
        let mut writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut writer) = writer.take() else {
            return Err(Error::Closed {
                path: self.path.clone(),
            });
        };
        // Not `into_inner`, which turns the error of a last write into text.
        writer.finish().map_err(|error| self.cannot_write(error))?;
        let summary = self
            .summary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let hashed = writer.inner_mut().get_mut();
        let place = (self.relative, self.path);
        Written::kept(&self.destination, self.day, place, hashed, summary)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn cannot(&self, source: std::io::Error) -> Error {
        Error::Write {
            path: self.path.clone(),
            source,
        }
    }

    fn cannot_write(&self, error: ParquetError) -> Error {
        cannot_write(&self.path, error)
    }
}

/// A failed write inside the Parquet writer as the plain file error that it is.
pub(crate) fn cannot_write(path: &Path, error: ParquetError) -> Error {
    if let ParquetError::External(inner) = error {
        return match inner.downcast::<std::io::Error>() {
            Ok(source) => Error::Write {
                path: path.to_owned(),
                source: *source,
            },
            Err(other) => Error::Parquet(ParquetError::External(other)),
        };
    }
    Error::Parquet(error)
}

/// A row group that one thread encodes.
pub(crate) struct RowGroup {
    /// By column; those of other columns and of the first twin stay empty.
    texts: Vec<TextChunk>,
    /// By column, where it is no text.
    others: Vec<Option<ArrowColumnWriter>>,
    twins: Option<(usize, usize)>,
    summary: Summary,
}

/// One column, encoded.
enum Chunk {
    Text(Encoded),
    Other(ArrowColumnChunk),
}

/// What a thread encodes with: the dictionaries of its codes, and a compressor.
pub(crate) struct Encoder {
    pub(crate) scratch: Scratch,
    compressor: Compressor<'static>,
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            scratch: Scratch::default(),
            compressor: compressor().map_err(ParquetError::from)?,
        })
    }
}

impl RowGroup {
    /// Encodes rows of a batch that has these twins.
    pub(crate) fn write(
        &mut self,
        part: &Part,
        rows: &RecordBatch,
        encoder: &mut Encoder,
    ) -> Result<(), Error> {
        for (at, array) in rows.columns().iter().enumerate() {
            if let Some(writer) = &mut self.others[at] {
                for leaf in compute_leaves(part.schema.field(at), array)? {
                    writer.write(&leaf)?;
                }
            } else if self.text_of(at) == at {
                let dictionary = encoder.scratch.dictionary(at);
                self.texts[at].write(array, dictionary, &mut encoder.compressor)?;
            }
        }
        self.summary.add(&Summary::of(rows, &encoder.scratch));
        Ok(())
    }

    /// The column that holds the texts of this one.
    fn text_of(&self, at: usize) -> usize {
        match self.twins {
            Some((twin, of)) if twin == at => of,
            _ => at,
        }
    }

    fn encoded(
        mut self,
        descr: &SchemaDescriptor,
        encoder: &mut Encoder,
    ) -> Result<Vec<Chunk>, Error> {
        let compressor = &mut encoder.compressor;
        for chunk in &mut self.texts {
            chunk.finish(compressor)?;
        }
        let others = std::mem::take(&mut self.others).into_iter().enumerate();
        others
            .map(|(at, other)| {
                if let Some(writer) = other {
                    return Ok(Chunk::Other(writer.close()?));
                }
                let of = self.text_of(at);
                let dictionary = encoder.scratch.dictionary(of);
                let text = self.texts[of].encoded(dictionary, &descr.column(at), compressor)?;
                Ok(Chunk::Text(text))
            })
            .collect()
    }

    /// Whether a batch with these twins belongs into this row group.
    pub(crate) fn takes(&self, twins: Option<(usize, usize)>) -> bool {
        self.twins == twins
    }

    /// Whether it has all rows that it is to have, or encoded bytes.
    pub(crate) fn is_full(&self, bytes_max: usize) -> bool {
        self.summary.rows >= ROW_GROUP_ROWS_MAX || self.memory_bytes() >= bytes_max
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let texts = self.texts.iter().map(TextChunk::memory_bytes);
        let others = self.others.iter().flatten();
        texts.sum::<usize>() + others.map(ArrowColumnWriter::memory_size).sum::<usize>()
    }
}

impl Summary {
    fn of(rows: &RecordBatch, scratch: &Scratch) -> Self {
        let times = rows
            .column_by_name("time")
            .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>());
        Self {
            rows: rows.num_rows(),
            time_nulls: times.map_or(rows.num_rows(), Array::null_count),
            time_range_us: times.and_then(|times| Some((min(times)?, max(times)?))),
            status_none_max: None,
            row_bytes: row_bytes(rows, scratch).unwrap_or_default(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.time_nulls += other.time_nulls;
        self.time_range_us = match (self.time_range_us, other.time_range_us) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (range, None) | (None, range) => range,
        };
        add_bytes(&mut self.row_bytes, &other.row_bytes);
    }
}

/// Adds to the bytes of each source.
pub(crate) fn add_bytes(sum: &mut RowBytes, more: &RowBytes) {
    for (source, bytes) in more {
        *sum.entry(source.clone()).or_default() += bytes;
    }
}

/// How many bytes of which source the rows stand for; their sources are codes.
fn row_bytes(rows: &RecordBatch, scratch: &Scratch) -> Option<RowBytes> {
    let (at, _) = rows.schema_ref().column_with_name("source")?;
    let sources = rows.column(at).as_primitive_opt::<UInt32Type>()?;
    let bytes = rows.column_by_name("line_bytes")?;
    let bytes = bytes.as_primitive_opt::<Int64Type>()?;
    let mut sum = RowBytes::new();
    let mut row = 0;
    for run in sources.values().chunk_by(|one, next| one == next) {
        let run_bytes: i64 = bytes.values()[row..row + run.len()].iter().sum();
        let source = String::from_utf8_lossy(scratch.dictionary(at).text(run[0]));
        *sum.entry(source.into_owned()).or_default() += run_bytes.unsigned_abs();
        row += run.len();
    }
    Some(sum)
}

impl Summary {
    /// As a Delta `add` action has it, of a table whose times are in `column`. Its times are whole milliseconds, so they are widened to them.
    pub(crate) fn to_delta(&self, column: &str) -> serde_json::Value {
        let mut stats = serde_json::json!({
            "numRecords": self.rows,
            "nullCount": { column: self.time_nulls },
        });
        if let Some((first, last)) = self.time_range_us {
            let text = |ms: i64| {
                arrow::temporal_conversions::timestamp_ms_to_datetime(ms)
                    .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
            };
            stats["minValues"] = serde_json::json!({ column: text(first.div_euclid(1000)) });
            let last_ms = last.div_euclid(1000) + i64::from(last.rem_euclid(1000) != 0);
            stats["maxValues"] = serde_json::json!({ column: text(last_ms) });
        }
        if let Some(most) = self.status_none_max {
            stats["maxValues"][STATUS_NONE] = most.into();
        }
        stats
    }

    /// Reads [`Summary::to_delta`]; what is missing there is unknown here.
    pub(crate) fn from_delta(stats: &str, column: &str) -> Self {
        let stats: serde_json::Value = serde_json::from_str(stats).unwrap_or_default();
        let count = |value: &serde_json::Value| {
            value
                .as_u64()
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or_default()
        };
        let time = |value: &serde_json::Value| {
            let text = value[column].as_str()?;
            arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text)
                .ok()
                .map(|ns| ns.div_euclid(1000))
        };
        Self {
            rows: count(&stats["numRecords"]),
            time_nulls: count(&stats["nullCount"][column]),
            time_range_us: time(&stats["minValues"]).zip(time(&stats["maxValues"])),
            status_none_max: stats["maxValues"][STATUS_NONE].as_i64(),
            row_bytes: RowBytes::new(),
        }
    }
}

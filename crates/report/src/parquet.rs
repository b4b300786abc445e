//! Any answer as a Parquet file.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::Error;

/// Writes an answer batch by batch, with its types: [`ParquetWriter::rows`] for each, then [`ParquetWriter::end`].
///
/// Text is as it stands in the table, as nothing in a Parquet file moves a cursor. Pages are compressed by zstd.
pub struct ParquetWriter<W: Write + Send> {
    inner: ArrowWriter<W>,
}

impl<W: Write + Send> std::fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetWriter").finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file with columns of this schema.
    ///
    /// # Errors
    ///
    /// The output fails, or a type has no place in Parquet.
    pub fn new(out: W, schema: &SchemaRef) -> Result<Self, Error> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .build();
        let inner = ArrowWriter::try_new(out, schema.clone(), Some(properties));
        Ok(Self {
            inner: inner.map_err(explained)?,
        })
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    ///
    /// The output fails.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.inner.write(batch).map_err(explained)
    }

    /// Writes what waits, and the end.
    ///
    /// # Errors
    ///
    /// The output fails.
    pub fn end(self) -> Result<(), Error> {
        let mut out = self.inner.into_inner().map_err(explained)?;
        Ok(out.flush()?)
    }
}

/// A closed pipe stays one.
fn explained(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(cause) => Error::from(*cause),
            Err(cause) => Error::Parquet(ParquetError::External(cause)),
        },
        other => Error::Parquet(other),
    }
}

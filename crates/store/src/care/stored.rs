//! A Parquet file where it lies: on the local disk or in a bucket.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Rows of a batch: as many as are encoded at once.
const BATCH_ROWS: usize = 8_192;

/// A file of a store, read in ranges.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl StoredFile {
    /// `bytes` is its size.
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, path: Path, bytes: u64) -> Self {
        Self {
            store: Arc::clone(store),
            path,
            bytes,
        }
    }

    /// What its footer says. Texts and bytes are views.
    ///
    /// The Arrow schema that writers put into footers is not read: arrow-ipc 59 panics at some that a flipped bit makes.
    pub(crate) async fn footer(&self) -> Result<ArrowReaderMetadata> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::load_async(&mut self.clone(), options).await?;
        let fields: Fields = footer.schema().fields().iter().map(viewed).collect();
        with_schema(&footer, Arc::new(Schema::new(fields)))
    }

    /// The rows of one row group, in order, with all columns.
    pub(crate) fn row_group(
        &self,
        footer: &ArrowReaderMetadata,
        group: usize,
    ) -> Result<ParquetRecordBatchStream<Self>> {
        ParquetRecordBatchStreamBuilder::new_with_metadata(self.clone(), footer.clone())
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()
    }

    /// All rows in order, with the columns of these names that it has.
    pub(crate) fn columns(
        &self,
        footer: &ArrowReaderMetadata,
        names: &[&str],
    ) -> Result<ParquetRecordBatchStream<Self>> {
        let schema = footer.metadata().file_metadata().schema_descr();
        let wanted = ProjectionMask::columns(schema, names.iter().copied());
        ParquetRecordBatchStreamBuilder::new_with_metadata(self.clone(), footer.clone())
            .with_projection(wanted)
            .with_batch_size(BATCH_ROWS)
            .build()
    }
}

/// A field whose texts and bytes are views.
fn viewed(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) => DataType::List(viewed(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The same footer, read as columns of other types.
pub(crate) fn with_schema(
    footer: &ArrowReaderMetadata,
    schema: SchemaRef,
) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let read = self.store.get_range(&self.path, range).await;
            read.map_err(external)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let read = self.store.get_ranges(&self.path, &ranges).await;
            read.map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new();
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

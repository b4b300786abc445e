//! Rows of a Parquet file as a row group takes them: text as codes into the dictionaries of whoever writes.
//!
//! A file's own dictionaries are read as they are, so that a text is looked up once a row group and not once a row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StringArray, UInt32Array,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use floodmark_ingest::{Dictionary, Scratch};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::RowGroupMetaData;

use super::stored::with_schema;
use crate::Error;

/// Values after which a column shows whether they repeat.
const VALUES_TO_TELL: usize = 65_536;

/// From batches of files to batches of one table, whose text is codes.
#[derive(Debug)]
pub(crate) struct Recoder {
    schema: SchemaRef,
    columns: Vec<Recoding>,
}

/// What is known of one text column.
#[derive(Debug, Default)]
struct Recoding {
    /// The dictionary of the file that was met last, and the codes of its texts.
    texts: Option<StringArray>,
    codes: Vec<u32>,
    /// Values since the dictionary of the writer was empty.
    values: usize,
    /// Whether most values are new ones, so that codes only cost.
    is_sparse: bool,
}

impl Recoder {
    /// For the columns of a table.
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        Self {
            schema: Arc::clone(schema),
            columns: schema
                .fields()
                .iter()
                .map(|_| Recoding::default())
                .collect(),
        }
    }

    /// How a row group is to be read: texts by the file's dictionary where it has one and codes are of use.
    pub(crate) fn reads(
        &self,
        footer: &ArrowReaderMetadata,
        group: &RowGroupMetaData,
    ) -> Result<ArrowReaderMetadata, Error> {
        let coded = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let fields = footer.schema().fields().iter().zip(group.columns());
        let fields: Vec<Field> = fields
            .map(|(field, chunk)| {
                let is_coded = field.data_type() == &DataType::Utf8View
                    && chunk.dictionary_page_offset().is_some()
                    && !self.is_sparse(field.name());
                match is_coded {
                    true => field.as_ref().clone().with_data_type(coded.clone()),
                    false => field.as_ref().clone(),
                }
            })
            .collect();
        Ok(with_schema(footer, Arc::new(Schema::new(fields)))?)
    }

    fn is_sparse(&self, column: &str) -> bool {
        let at = self.schema.index_of(column);
        at.is_ok_and(|at| self.columns[at].is_sparse)
    }

    /// The rows with all columns of the table, in its order.
    pub(crate) fn recode(
        &mut self,
        rows: &RecordBatch,
        scratch: &mut Scratch,
    ) -> Result<RecordBatch, Error> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (at, field) in self.schema.fields().iter().enumerate() {
            columns.push(match rows.column_by_name(field.name()) {
                None => new_null_array(field.data_type(), rows.num_rows()),
                Some(array) => match array.as_any_dictionary_opt() {
                    Some(_) => {
                        self.columns[at].recode(array.as_dictionary(), scratch.dictionary_mut(at))
                    }
                    None => cast(array, field.data_type())?,
                },
            });
        }
        let fields: Vec<Field> = self
            .schema
            .fields()
            .iter()
            .zip(&columns)
            .map(|(field, array)| {
                field
                    .as_ref()
                    .clone()
                    .with_data_type(array.data_type().clone())
            })
            .collect();
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// The writer's dictionaries were cleared: codes mean nothing any more.
    pub(crate) fn forget(&mut self) {
        for column in &mut self.columns {
            *column = Recoding {
                is_sparse: column.is_sparse,
                ..Recoding::default()
            };
        }
    }
}

impl Recoding {
    fn recode(
        &mut self,
        array: &DictionaryArray<UInt32Type>,
        dictionary: &mut Dictionary,
    ) -> ArrayRef {
        let texts: &StringArray = array.values().as_string();
        if !self
            .texts
            .as_ref()
            .is_some_and(|known| is_same(known, texts))
        {
            self.codes.clear();
            let codes = texts.iter().map(|text| dictionary.add(text.unwrap_or("")));
            self.codes.extend(codes);
            self.texts = Some(texts.clone());
        }
        let keys = array.keys();
        self.values += keys.len() - keys.null_count();
        self.is_sparse |= self.values >= VALUES_TO_TELL && dictionary.len() * 2 > self.values;
        // A key under NULL may be anything.
        let code_of = |&key: &u32| self.codes.get(key as usize).copied().unwrap_or_default();
        let codes = keys.values().iter().map(code_of).collect();
        Arc::new(UInt32Array::new(codes, keys.nulls().cloned()))
    }
}

/// Whether two arrays are the same memory: that of one dictionary, which batches of a row group share.
fn is_same(one: &StringArray, other: &StringArray) -> bool {
    one.values().as_ptr() == other.values().as_ptr()
        && one.len() == other.len()
        && one.values().len() == other.values().len()
}

//! One block of lines as a record batch.

use std::sync::Arc;

use arrow::array::ByteView;
use arrow::array::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    RecordBatch, RecordBatchOptions, StringViewArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;

use crate::Error;
use crate::columns::{Column, ColumnType};

/// Text columns are views: a value that needs no change points into the block, others into one side buffer.
const BLOCK_BUFFER: u32 = 0;
const SIDE_BUFFER: u32 = 1;
/// Arrow's views hold values up to this length in themselves.
const INLINE_BYTES_MAX: usize = 12;

/// The growing array of one column.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Text(TextBuilder),
    Status(Int16Builder),
    Small(Int32Builder),
    Count(Int64Builder),
    Seconds(Float64Builder),
    Time(TimestampMicrosecondBuilder),
    Flag(BooleanBuilder),
}

impl ColumnBuilder {
    pub(crate) fn new(column: &Column, rows: usize) -> Self {
        match column.column_type {
            ColumnType::Text => Self::Text(TextBuilder::with_capacity(rows)),
            ColumnType::Status => Self::Status(Int16Builder::with_capacity(rows)),
            ColumnType::Small => Self::Small(Int32Builder::with_capacity(rows)),
            ColumnType::Count => Self::Count(Int64Builder::with_capacity(rows)),
            ColumnType::Seconds | ColumnType::SecondsList => {
                Self::Seconds(Float64Builder::with_capacity(rows))
            }
            ColumnType::Time => {
                Self::Time(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
            ColumnType::Flag => Self::Flag(BooleanBuilder::with_capacity(rows)),
        }
    }

    pub(crate) fn null(&mut self) {
        match self {
            Self::Text(builder) => builder.null(),
            Self::Status(builder) => builder.append_null(),
            Self::Small(builder) => builder.append_null(),
            Self::Count(builder) => builder.append_null(),
            Self::Seconds(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Flag(builder) => builder.append_null(),
        }
    }

    fn finish(self, block: &Buffer) -> Result<ArrayRef, Error> {
        Ok(match self {
            Self::Text(builder) => Arc::new(builder.finish(block)?),
            Self::Status(mut builder) => Arc::new(builder.finish()),
            Self::Small(mut builder) => Arc::new(builder.finish()),
            Self::Count(mut builder) => Arc::new(builder.finish()),
            Self::Seconds(mut builder) => Arc::new(builder.finish()),
            Self::Time(mut builder) => Arc::new(builder.finish()),
            Self::Flag(mut builder) => Arc::new(builder.finish()),
        })
    }
}

/// A text column: views into the block and into a side buffer.
#[derive(Debug)]
pub(crate) struct TextBuilder {
    views: Vec<u128>,
    side: Vec<u8>,
    few: Vec<(String, u128)>,
    nulls: NullBufferBuilder,
}

impl TextBuilder {
    fn with_capacity(rows: usize) -> Self {
        Self {
            views: Vec::with_capacity(rows),
            side: Vec::new(),
            few: Vec::new(),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    pub(crate) fn null(&mut self) {
        self.views.push(0);
        self.nulls.append_null();
    }

    /// A value that lies in the block at `offset`.
    pub(crate) fn borrowed(&mut self, value: &[u8], offset: usize) {
        self.view(value, BLOCK_BUFFER, offset);
    }

    /// A value that does not lie in the block.
    pub(crate) fn owned(&mut self, value: &str) {
        let offset = self.side.len();
        if value.len() > INLINE_BYTES_MAX {
            self.side.extend_from_slice(value.as_bytes());
        }
        self.view(value.as_bytes(), SIDE_BUFFER, offset);
    }

    /// A value out of a few that stand in many rows: copied the first time only.
    pub(crate) fn one_of_few(&mut self, value: &str) {
        let known = self.few.iter().find(|(few, _)| few == value);
        let view = match known {
            Some(&(_, view)) => view,
            None => {
                let view = make_view(value.as_bytes(), SIDE_BUFFER, self.side.len());
                if value.len() > INLINE_BYTES_MAX {
                    self.side.extend_from_slice(value.as_bytes());
                }
                self.few.push((value.to_owned(), view));
                view
            }
        };
        self.views.push(view);
        self.nulls.append_non_null();
    }

    fn view(&mut self, value: &[u8], buffer: u32, offset: usize) {
        self.views.push(make_view(value, buffer, offset));
        self.nulls.append_non_null();
    }

    fn finish(mut self, block: &Buffer) -> Result<StringViewArray, Error> {
        let buffers: Vec<Buffer> = if self.side.is_empty() {
            vec![block.clone()]
        } else {
            vec![block.clone(), Buffer::from_vec(self.side)]
        };
        Ok(StringViewArray::try_new(
            ScalarBuffer::from(self.views),
            buffers,
            self.nulls.finish(),
        )?)
    }
}

/// Arrow's 16-byte view: length, then the value itself or its first four bytes, buffer and offset.
fn make_view(value: &[u8], buffer: u32, offset: usize) -> u128 {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if value.len() <= INLINE_BYTES_MAX {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..4 + value.len()].copy_from_slice(value);
        return u128::from_le_bytes(bytes);
    }
    ByteView::new(length, &value[..4])
        .with_buffer_index(buffer)
        .with_offset(u32::try_from(offset).unwrap_or(u32::MAX))
        .into()
}

/// Finishes all columns into one batch.
pub(crate) fn finish(
    schema: &SchemaRef,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    block: &Buffer,
) -> Result<RecordBatch, Error> {
    let arrays = builders
        .into_iter()
        .map(|builder| builder.finish(block))
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        arrays,
        &options,
    )?)
}

//! One block of lines as a record batch.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, ByteView, Float64Builder, Int16Builder, Int32Array,
    Int32Builder, Int64Array, Int64Builder, NullBufferBuilder, RecordBatch, RecordBatchOptions,
    StringViewArray, TimestampMicrosecondBuilder, UInt32Array, new_null_array,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema, SchemaRef};

use crate::Error;
use crate::columns::{Column, ColumnType, Origin};
use crate::dictionary::{Dictionary, Logged};
use crate::scratch::{Scratch, TextAs};
use crate::texts::{Field, Texts};

/// A view whose value needs no change points into the block, others into one side buffer.
const BLOCK_BUFFER: u32 = 0;
const SIDE_BUFFER: u32 = 1;
/// Arrow's views hold values up to this length in themselves.
const INLINE_BYTES_MAX: usize = 12;

/// The growing array of one column.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Text(TextBuilder),
    Usual(UsualBuilder),
    /// The source of the block, which all of its rows share.
    Source,
    Status(Int16Builder),
    Small(Int32Builder),
    Count(Int64Builder),
    Seconds(Float64Builder),
    Time(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    pub(crate) fn new(column: &Column, rows: usize) -> Self {
        match column.column_type {
            ColumnType::Text if column.origin == Origin::Source => Self::Source,
            ColumnType::Text => Self::Text(TextBuilder::Views(ViewBuilder::with_capacity(rows))),
            ColumnType::Status => Self::Status(Int16Builder::with_capacity(rows)),
            ColumnType::Small => Self::Small(Int32Builder::with_capacity(rows)),
            ColumnType::Count => Self::Count(Int64Builder::with_capacity(rows)),
            ColumnType::Seconds | ColumnType::SecondsList => {
                Self::Seconds(Float64Builder::with_capacity(rows))
            }
            ColumnType::Time => {
                Self::Time(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
            ColumnType::Flag => Self::Usual(UsualBuilder::new(ColumnType::Flag, Value::Null)),
        }
    }

    pub(crate) fn null(&mut self) {
        match self {
            Self::Text(builder) => builder.null(),
            Self::Usual(_) | Self::Source => {}
            Self::Status(builder) => builder.append_null(),
            Self::Small(builder) => builder.append_null(),
            Self::Count(builder) => builder.append_null(),
            Self::Seconds(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
        }
    }

    /// The array, and the dictionary that its codes are of.
    fn finish(self, block: &Block<'_>, dictionary: &mut Dictionary) -> Result<ArrayRef, Error> {
        Ok(match self {
            Self::Text(TextBuilder::Views(builder)) => builder.finish(block)?,
            Self::Text(TextBuilder::Codes(builder)) => {
                let (codes, filled) = builder.finish();
                *dictionary = filled;
                Arc::new(codes)
            }
            Self::Usual(builder) => builder.finish(block, dictionary)?,
            Self::Source => same(block.source, block, dictionary)?,
            Self::Status(mut builder) => Arc::new(builder.finish()),
            Self::Small(mut builder) => Arc::new(builder.finish()),
            Self::Count(mut builder) => Arc::new(builder.finish()),
            Self::Seconds(mut builder) => Arc::new(builder.finish()),
            Self::Time(mut builder) => Arc::new(builder.finish()),
        })
    }
}

/// One value, and where a column holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(Cow<'static, str>),
    Small(i32),
    Count(i64),
    Flag(bool),
}

/// A column with one value in all rows but a few: building those alone is what makes wide tables cheap.
#[derive(Debug)]
pub(crate) struct UsualBuilder {
    column_type: ColumnType,
    usual: Value,
    others: Vec<(usize, Value)>,
}

impl UsualBuilder {
    pub(crate) fn new(column_type: ColumnType, usual: Value) -> Self {
        Self {
            column_type,
            usual,
            others: Vec::new(),
        }
    }

    /// Another value at `row`; rows come in order.
    pub(crate) fn at(&mut self, row: usize, value: Value) {
        self.others.push((row, value));
    }

    fn finish(self, block: &Block<'_>, dictionary: &mut Dictionary) -> Result<ArrayRef, Error> {
        let rows = block.rows;
        let data_type = self.column_type.arrow();
        match &self.usual {
            Value::Null if self.others.is_empty() => return Ok(new_null_array(&data_type, rows)),
            Value::Text(text) if self.others.is_empty() => return same(text, block, dictionary),
            _ => {}
        }
        let mut others = self.others.iter().peekable();
        let values = (0..rows).map(|row| match others.next_if(|(other, _)| *other == row) {
            Some((_, value)) => value,
            None => &self.usual,
        });
        Ok(match self.column_type {
            ColumnType::Text => {
                let texts = values.map(|value| match value {
                    Value::Text(text) => Some(text.as_ref()),
                    _ => None,
                });
                match (block.text_as, &self.usual) {
                    (TextAs::Codes, Value::Text(_)) => Arc::new(UInt32Array::from_iter(
                        texts.map(|text| Some(dictionary.add(text?))),
                    )),
                    _ => Arc::new(StringViewArray::from_iter(texts)),
                }
            }
            ColumnType::Small => Arc::new(Int32Array::from_iter(values.map(|value| match value {
                Value::Small(number) => Some(*number),
                _ => None,
            }))),
            ColumnType::Count => Arc::new(Int64Array::from_iter(values.map(|value| match value {
                Value::Count(number) => Some(*number),
                _ => None,
            }))),
            ColumnType::Flag => {
                Arc::new(BooleanArray::from_iter(values.map(|value| match value {
                    Value::Flag(flag) => Some(*flag),
                    _ => None,
                })))
            }
            _ => new_null_array(&data_type, rows),
        })
    }
}

/// A growing text column.
#[derive(Debug)]
pub(crate) enum TextBuilder {
    Views(ViewBuilder),
    Codes(CodeBuilder),
}

impl TextBuilder {
    pub(crate) fn null(&mut self) {
        match self {
            Self::Views(builder) => builder.null(),
            Self::Codes(builder) => builder.null(),
        }
    }

    /// Values of the block, one a row, with `absent` or NULL for those that are missing. Gives `take` their codes, where they
    /// have one.
    pub(crate) fn logged(
        &mut self,
        values: &[Option<&[u8]>],
        absent: Option<&'static str>,
        texts: &Texts<'_>,
        field: Field,
        mut take: impl FnMut(Option<Logged>),
    ) {
        match self {
            Self::Codes(builder) if !texts.is_foreign => {
                builder.logged(values, absent, |raw| texts.converted(raw, field), take);
            }
            _ => {
                for raw in values {
                    take(match (raw, absent) {
                        (Some(raw), _) => self.one_logged(raw, texts, field),
                        (None, Some(absent)) => {
                            self.one_of_few(absent);
                            None
                        }
                        (None, None) => {
                            self.null();
                            None
                        }
                    });
                }
            }
        }
    }

    /// A value of the block; gives its code if it has one.
    pub(crate) fn one_logged(
        &mut self,
        raw: &[u8],
        texts: &Texts<'_>,
        field: Field,
    ) -> Option<Logged> {
        if let Some(text) = texts.foreign(raw, field) {
            return Some(self.foreign(&text));
        }
        match self {
            Self::Views(builder) => {
                match texts.converted(raw, field) {
                    None => builder.borrowed(raw, texts.offset(raw)),
                    Some(text) => builder.owned(&text),
                }
                None
            }
            Self::Codes(builder) => {
                let logged = builder
                    .dictionary
                    .code(raw, |raw| texts.converted(raw, field));
                builder.push(logged.code);
                Some(logged)
            }
        }
    }

    /// The text of a value whose bytes stand for another text elsewhere in the column.
    fn foreign(&mut self, text: &str) -> Logged {
        let code = match self {
            Self::Views(builder) => {
                builder.owned(text);
                0
            }
            Self::Codes(builder) => {
                let code = builder.dictionary.converted(text);
                builder.push(code);
                code
            }
        };
        Logged {
            code,
            is_text: false,
        }
    }

    /// A value that does not lie in the block.
    pub(crate) fn owned(&mut self, value: &str) {
        match self {
            Self::Views(builder) => builder.owned(value),
            Self::Codes(builder) => {
                let code = builder.dictionary.add(value);
                builder.push(code);
            }
        }
    }

    /// A value out of a few that stand in many rows.
    pub(crate) fn one_of_few(&mut self, value: &'static str) {
        match self {
            Self::Views(builder) => builder.one_of_few(value),
            Self::Codes(builder) => builder.one_of_few(value),
        }
    }
}

/// A text column as codes into a dictionary, which is taken from the thread's [`Scratch`] while the column grows.
#[derive(Debug)]
pub(crate) struct CodeBuilder {
    dictionary: Dictionary,
    codes: Vec<u32>,
    nulls: NullBufferBuilder,
    few: Vec<(&'static str, u32)>,
}

impl CodeBuilder {
    pub(crate) fn new(dictionary: Dictionary, rows: usize) -> Self {
        Self {
            dictionary,
            codes: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
            few: Vec::new(),
        }
    }

    fn null(&mut self) {
        self.codes.push(0);
        self.nulls.append_null();
    }

    fn push(&mut self, code: u32) {
        self.codes.push(code);
        self.nulls.append_non_null();
    }

    fn logged(
        &mut self,
        values: &[Option<&[u8]>],
        absent: Option<&'static str>,
        text_of: impl Fn(&[u8]) -> Option<String>,
        mut take: impl FnMut(Option<Logged>),
    ) {
        let are_all_there = values.iter().all(Option::is_some);
        let absent = absent.filter(|_| !are_all_there);
        let absent = absent.map(|value| self.few_code(value));
        let Self {
            dictionary, codes, ..
        } = self;
        dictionary.codes(values, text_of, |logged| {
            codes.push(logged.map_or(absent.unwrap_or(0), |logged| logged.code));
            take(logged);
        });
        match are_all_there || absent.is_some() {
            true => self.nulls.append_n_non_nulls(values.len()),
            false => {
                let are_there = values.iter().map(Option::is_some);
                are_there.for_each(|is_there| self.nulls.append(is_there));
            }
        }
    }

    fn one_of_few(&mut self, value: &'static str) {
        let code = self.few_code(value);
        self.push(code);
    }

    fn few_code(&mut self, value: &'static str) -> u32 {
        let known = self.few.iter().find(|(few, _)| std::ptr::eq(*few, value));
        match known {
            Some(&(_, code)) => code,
            None => {
                let code = self.dictionary.add(value);
                self.few.push((value, code));
                code
            }
        }
    }

    fn finish(mut self) -> (UInt32Array, Dictionary) {
        let codes = UInt32Array::new(self.codes.into(), self.nulls.finish());
        (codes, self.dictionary)
    }
}

/// A text column: views into the block and into a side buffer.
///
/// Most columns of a block hold one value or none in every row; they are counted and not built.
#[derive(Debug)]
pub(crate) struct ViewBuilder {
    run: Run,
    views: Vec<u128>,
    side: Vec<u8>,
    few: Vec<(&'static str, u128)>,
    nulls: NullBufferBuilder,
    rows_expected: usize,
}

/// How the column begins, until it holds different values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Run {
    Nulls(usize),
    Same(&'static str, usize),
    Over,
}

impl ViewBuilder {
    fn with_capacity(rows: usize) -> Self {
        Self {
            run: Run::Nulls(0),
            views: Vec::new(),
            side: Vec::new(),
            few: Vec::new(),
            nulls: NullBufferBuilder::new(rows),
            rows_expected: rows,
        }
    }

    pub(crate) fn null(&mut self) {
        if let Run::Nulls(rows) = &mut self.run {
            *rows += 1;
            return;
        }
        self.end_run();
        self.views.push(0);
        self.nulls.append_null();
    }

    /// A value that lies in the block at `offset`.
    pub(crate) fn borrowed(&mut self, value: &[u8], offset: usize) {
        self.end_run();
        self.push(make_view(value, BLOCK_BUFFER, offset));
    }

    /// A value that does not lie in the block.
    pub(crate) fn owned(&mut self, value: &str) {
        self.end_run();
        let view = self.kept(value);
        self.push(view);
    }

    /// A value out of a few that stand in many rows.
    pub(crate) fn one_of_few(&mut self, value: &'static str) {
        match &mut self.run {
            Run::Nulls(0) => self.run = Run::Same(value, 1),
            Run::Same(same, rows) if *same == value => *rows += 1,
            Run::Over => self.push_one_of_few(value),
            _ => {
                self.end_run();
                self.push_one_of_few(value);
            }
        }
    }

    fn push_one_of_few(&mut self, value: &'static str) {
        let known = self.few.iter().find(|(few, _)| std::ptr::eq(*few, value));
        let view = match known {
            Some(&(_, view)) => view,
            None => {
                let view = self.kept(value);
                self.few.push((value, view));
                view
            }
        };
        self.push(view);
    }

    /// Copies a value into the side buffer, if it does not fit into its view.
    fn kept(&mut self, value: &str) -> u128 {
        let offset = self.side.len();
        if value.len() > INLINE_BYTES_MAX {
            self.side.extend_from_slice(value.as_bytes());
        }
        make_view(value.as_bytes(), SIDE_BUFFER, offset)
    }

    fn push(&mut self, view: u128) {
        self.views.push(view);
        self.nulls.append_non_null();
    }

    /// Writes the rows of the run out, as a different value follows.
    fn end_run(&mut self) {
        if self.run == Run::Over {
            return;
        }
        self.views.reserve(self.rows_expected);
        match std::mem::replace(&mut self.run, Run::Over) {
            Run::Over => {}
            Run::Nulls(rows) => {
                self.views.resize(rows, 0);
                self.nulls.append_n_nulls(rows);
            }
            Run::Same(value, rows) => {
                let view = self.kept(value);
                self.few.push((value, view));
                self.views.resize(rows, view);
                self.nulls.append_n_non_nulls(rows);
            }
        }
    }

    fn finish(mut self, block: &Block<'_>) -> Result<ArrayRef, Error> {
        match self.run {
            Run::Nulls(rows) => return Ok(new_null_array(&DataType::Utf8View, rows)),
            Run::Same(value, rows) => return same_view(value, rows),
            Run::Over => {}
        }
        let mut buffers = vec![block.bytes.clone()];
        if !self.side.is_empty() {
            buffers.push(Buffer::from_vec(self.side));
        }
        let (views, nulls) = (ScalarBuffer::from(self.views), self.nulls.finish());
        Ok(match block.text_as {
            TextAs::Views => Arc::new(StringViewArray::try_new(views, buffers, nulls)?),
            // An encoder takes bytes, and does not ask again whether they are UTF-8.
            TextAs::Codes => Arc::new(BinaryViewArray::try_new(views, buffers, nulls)?),
        })
    }
}

/// One value in every row of the block.
fn same(value: &str, block: &Block<'_>, dictionary: &mut Dictionary) -> Result<ArrayRef, Error> {
    match block.text_as {
        TextAs::Views => same_view(value, block.rows),
        TextAs::Codes => Ok(Arc::new(UInt32Array::from_value(
            dictionary.add(value),
            block.rows,
        ))),
    }
}

fn same_view(value: &str, rows: usize) -> Result<ArrayRef, Error> {
    let one = StringViewArray::from_iter_values([value]);
    Ok(take(&one, &UInt32Array::from(vec![0; rows]), None)?)
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

/// What the columns of a batch lean on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'block> {
    pub(crate) bytes: &'block Buffer,
    pub(crate) source: &'block str,
    pub(crate) rows: usize,
    pub(crate) text_as: TextAs,
}

/// Finishes all columns into one batch; `twins` are a column that was left empty and the one that it equals.
pub(crate) fn finish(
    schema: &SchemaRef,
    builders: Vec<ColumnBuilder>,
    block: &Block<'_>,
    twins: Option<(usize, usize)>,
    scratch: &mut Scratch,
) -> Result<RecordBatch, Error> {
    let mut arrays = builders
        .into_iter()
        .zip(&mut scratch.dictionaries)
        .map(|(builder, dictionary)| builder.finish(block, dictionary))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some((empty, equal)) = twins {
        arrays[empty] = Arc::clone(&arrays[equal]);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
    let schema = match block.text_as {
        TextAs::Views => Arc::clone(schema),
        TextAs::Codes => as_given(schema, &arrays),
    };
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

/// The schema with the types of the arrays: text may be codes.
pub(crate) fn as_given(schema: &Schema, arrays: &[ArrayRef]) -> SchemaRef {
    let fields = schema.fields().iter().zip(arrays).map(|(field, array)| {
        if field.data_type() == array.data_type() {
            Arc::clone(field)
        } else {
            Arc::new(ArrowField::new(
                field.name(),
                array.data_type().clone(),
                true,
            ))
        }
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

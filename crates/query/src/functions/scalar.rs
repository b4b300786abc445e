//! The frame of a function of one row: names, types, and arrays in place of scalars.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{HashMap, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, SimpleScalarUDF, Volatility};

/// A function whose arguments are coerced to `inputs`; the closure sees arrays of these types and of one length.
pub(super) fn function(
    name: &str,
    inputs: Vec<DataType>,
    output: DataType,
    judge: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = Signature::exact(inputs, Volatility::Immutable);
    with_signature(name, signature, output, move |values| {
        judge(&ColumnarValue::values_to_arrays(values)?)
    })
}

/// A function of one text, which is asked once for each that differs in a batch where texts repeat, as those of a lake do: they are
/// views of one dictionary.
pub(crate) fn function_of_text(
    name: &str,
    output: DataType,
    judge: impl Fn(&StringViewArray) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    function(name, vec![DataType::Utf8View], output, move |values| {
        let texts = values[0].as_string_view();
        let Some(repeats) = Repeats::of(texts) else {
            return judge(texts);
        };
        let distinct = take(texts, &repeats.first_rows, None)?;
        let judged = judge(distinct.as_string_view())?;
        Ok(take(&judged, &repeats.of_row, None)?)
    })
}

/// Which rows have the same text.
struct Repeats {
    /// A row of each text.
    first_rows: UInt32Array,
    /// Which of these a row is like.
    of_row: UInt32Array,
}

/// So many rows show whether texts repeat.
const TRIED_ROWS: usize = 2_048;

impl Repeats {
    /// `None` where most texts differ.
    fn of(texts: &StringViewArray) -> Option<Self> {
        let mut known: HashMap<Option<u128>, u32> = HashMap::new();
        let mut first_rows = Vec::new();
        let mut of_row = Vec::with_capacity(texts.len());
        for (row, &view) in texts.views().iter().enumerate() {
            if row == TRIED_ROWS && known.len() * 2 > row {
                return None;
            }
            let next = u32::try_from(known.len()).ok()?;
            let text = texts.is_valid(row).then_some(view);
            of_row.push(*known.entry(text).or_insert_with(|| {
                first_rows.push(u32::try_from(row).unwrap_or(u32::MAX));
                next
            }));
        }
        Some(Self {
            first_rows: first_rows.into(),
            of_row: of_row.into(),
        })
    }
}

/// A function that takes `count` arguments of any type, as times and structs come, and casts them by itself.
pub(super) fn function_of_any(
    name: &str,
    count: usize,
    output: DataType,
    judge: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    function_of_values(name, count, output, move |values| {
        judge(&ColumnarValue::values_to_arrays(values)?)
    })
}

/// The same of arguments as they come, where one value for all rows is worth telling from one for each.
pub(super) fn function_of_values(
    name: &str,
    count: usize,
    output: DataType,
    judge: impl Fn(&[ColumnarValue]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = Signature::any(count, Volatility::Immutable);
    with_signature(name, signature, output, judge)
}

fn with_signature(
    name: &str,
    signature: Signature,
    output: DataType,
    judge: impl Fn(&[ColumnarValue]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let judge = move |values: &[ColumnarValue]| Ok(ColumnarValue::Array(judge(values)?));
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(
        name,
        signature,
        output,
        Arc::new(judge),
    ))
}

/// Microseconds since the epoch, UTC.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A point in time of any type as microseconds since the epoch; without a zone it is UTC.
pub(super) fn micros(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    Ok(cast(array, &time_type())?
        .as_primitive::<TimestampMicrosecondType>()
        .clone())
}

/// Text of any type.
pub(super) fn texts(array: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(array, &DataType::Utf8View)?.as_string_view().clone())
}

/// Whole numbers of any type.
pub(super) fn whole(array: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(array, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// True, false or NULL.
pub(super) fn flags(array: &ArrayRef) -> Result<BooleanArray> {
    Ok(cast(array, &DataType::Boolean)?.as_boolean().clone())
}

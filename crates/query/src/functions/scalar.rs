//! The frame of a function of one row: names, types, and arrays in place of scalars.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;
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
pub(super) fn time_type() -> DataType {
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

/// Numbers of any type.
pub(super) fn reals(array: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(array, &DataType::Float64)?
        .as_primitive::<Float64Type>()
        .clone())
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

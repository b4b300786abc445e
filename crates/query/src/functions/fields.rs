//! The named values of a `named_struct`, each as the type that a judgment wants.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, StringViewArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::common::{DataFusionError, Result, exec_err};

use super::scalar::{flags, micros, texts, whole};

/// The fields of a function's one argument.
pub(super) struct Fields<'a> {
    function: &'static str,
    values: &'a StructArray,
}

impl<'a> Fields<'a> {
    pub(super) fn of(function: &'static str, argument: &'a ArrayRef) -> Result<Self> {
        match argument.as_struct_opt() {
            Some(values) => Ok(Self { function, values }),
            None => exec_err!(
                "function `{function}`: expected a `named_struct(…)`, found {}",
                argument.data_type()
            ),
        }
    }

    /// A field as it is.
    pub(super) fn column(&self, name: &str) -> Result<&'a ArrayRef> {
        self.values.column_by_name(name).ok_or_else(|| {
            DataFusionError::Execution(format!(
                "function `{}`: expected a field `{name}` in its struct, found none",
                self.function
            ))
        })
    }

    /// Counts, NULL as 0; more than a `u32` holds is its largest value.
    pub(super) fn counts(&self, name: &str) -> Result<Vec<u32>> {
        let values = whole(self.column(name)?)?;
        Ok(values
            .iter()
            .map(|value| value.map_or(0, |value| u32::try_from(value.max(0)).unwrap_or(u32::MAX)))
            .collect())
    }

    pub(super) fn texts(&self, name: &str) -> Result<StringViewArray> {
        texts(self.column(name)?)
    }

    /// Flags, NULL as false.
    pub(super) fn flags(&self, name: &str) -> Result<Vec<bool>> {
        let values: BooleanArray = flags(self.column(name)?)?;
        Ok(values.iter().map(|value| value == Some(true)).collect())
    }

    /// Times, which must not be NULL, as minutes since the epoch.
    pub(super) fn minutes(&self, name: &str) -> Result<Vec<i64>> {
        let values: TimestampMicrosecondArray = micros(self.column(name)?)?;
        if values.null_count() > 0 {
            return exec_err!(
                "function `{}`: expected a time in `{name}`, found NULL",
                self.function
            );
        }
        Ok(values
            .values()
            .iter()
            .map(|micros| micros.div_euclid(60_000_000))
            .collect())
    }
}

//! `date_trunc(unit, time)`: DataFusion's own, by plain division where the time is in UTC, as all of Floodmark's are.
//!
//! DataFusion 55 asks the calendar for every hour and day in a named zone, UTC too, which takes three times as long as all else in a
//! count by hour.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::functions::datetime::date_trunc as of_datafusion;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

pub(super) fn date_trunc() -> ScalarUDF {
    ScalarUDF::from(DateTrunc(of_datafusion()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc(Arc<ScalarUDF>);

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.0.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.0.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = match arguments.args.get_mut(1) {
            Some(ColumnarValue::Array(times)) => without_utc(times),
            _ => None,
        };
        let truncated = self.0.invoke_with_args(arguments)?;
        Ok(match (zone, truncated) {
            (Some(zone), ColumnarValue::Array(times)) => {
                let times = times.as_primitive::<TimestampMicrosecondType>().clone();
                ColumnarValue::Array(Arc::new(times.with_timezone(zone)))
            }
            (_, truncated) => truncated,
        })
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.0.output_ordering(inputs)
    }
}

/// Makes times in UTC times in no zone, which are the same numbers, and gives the zone; leaves others as they are.
fn without_utc(times: &mut ArrayRef) -> Option<Arc<str>> {
    let utc = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    let zone = utc.timezone().filter(|zone| *zone == "UTC")?;
    let zone = Arc::from(zone);
    *times = Arc::new(utc.clone().with_timezone_opt(None::<Arc<str>>));
    Some(zone)
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::{Engine, EngineOptions, RawLogs};

    #[tokio::test]
    async fn it_is_that_of_datafusion_in_every_unit() {
        let (logs, options) = (RawLogs { files: Vec::new() }, EngineOptions::default());
        let engine = Engine::over_logs(&logs, &options).await.unwrap();
        // Also before 1970. Nanoseconds go to DataFusion as they are.
        let times = "SELECT arrow_cast(value * 9876543210123, 'Timestamp(Microsecond, Some(\"UTC\"))') AS time FROM generate_series(-90, 90)";
        let units = "year quarter month week day hour minute second millisecond microsecond";
        for unit in units.split(' ') {
            let ours = format!("SELECT date_trunc('{unit}', time) AS t FROM ({times})");
            let twin = format!(
                "SELECT arrow_cast(date_trunc('{unit}', arrow_cast(time, 'Timestamp(Nanosecond, Some(\"UTC\"))')), 'Timestamp(Microsecond, Some(\"UTC\"))') AS t FROM ({times})"
            );
            let ours = engine.sql(&ours).await.unwrap().batches;
            let twin = engine.sql(&twin).await.unwrap().batches;
            let ours = pretty_format_batches(&ours).unwrap().to_string();
            assert_eq!(
                ours,
                pretty_format_batches(&twin).unwrap().to_string(),
                "{unit}"
            );
            assert_eq!(ours.lines().count(), 185);
        }
    }
}

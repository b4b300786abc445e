//! `minute_range(since, until)`: every minute of a window, for `unnest`.
//!
//! TIMESTAMP, TIMESTAMP -> TIMESTAMP[]: the minute that holds `since` and all that begin before `until`, UTC. NULL in, NULL out; a window
//! of more than ten years is an error.
//!
//! ```sql
//! SELECT unnest(minute_range(now() - INTERVAL '1 hour', now())) AS minute
//! ```

use std::sync::Arc;

use arrow::array::{ListBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{function_of_any, micros, time_type};

const MINUTE_US: i64 = 60_000_000;
/// Ten years: 42 MB. A longer window is a slip of the pen.
const MINUTES_MAX: i64 = 10 * 366 * 24 * 60;

pub(super) fn minute_range() -> ScalarUDF {
    let item = Arc::new(Field::new_list_field(time_type(), true));
    let output = DataType::List(Arc::clone(&item));
    function_of_any("minute_range", 2, output, move |values| {
        let (since, until) = (micros(&values[0])?, micros(&values[1])?);
        let minutes = TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let mut ranges = ListBuilder::new(minutes).with_field(Arc::clone(&item));
        for range in since.iter().zip(&until) {
            let (Some(since), Some(until)) = range else {
                ranges.append(false);
                continue;
            };
            let first = since.div_euclid(MINUTE_US);
            let end = until.saturating_add(MINUTE_US - 1).div_euclid(MINUTE_US);
            if end.saturating_sub(first) > MINUTES_MAX {
                return exec_err!(
                    "expected a window of at most ten years, found {} minutes\nhint: give a later `since`",
                    end - first
                );
            }
            for minute in first..end {
                ranges.values().append_value(minute * MINUTE_US);
            }
            ranges.append(true);
        }
        Ok(Arc::new(ranges.finish()))
    })
}

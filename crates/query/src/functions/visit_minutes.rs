//! `visit_minutes(visit)`: a visit minute by minute.
//!
//! BYTES -> LIST of STRUCT: `minute`, `first` and `last` (request in it), `requests`, `pages` (requests for no asset), `good`, `bad`, `shed`,
//! `bytes` (of bodies), in the order of time; minutes without a request have none. NULL is empty. The argument is what `visit` gives. Wraps
//! [`floodmark_traffic::visit::minutes`].
//!
//! `queries/tables/judged_minutes.sql` shows it in use.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::visit::{VisitMinute, asked, minutes};

use super::scalar::{function, time_type};

const MINUTE_US: i64 = 60_000_000;

pub(super) fn visit_minutes() -> ScalarUDF {
    let item = Arc::new(Field::new("item", DataType::Struct(fields()), false));
    let output = DataType::List(Arc::clone(&item));
    function(
        "visit_minutes",
        vec![DataType::LargeBinary],
        output,
        move |values| {
            let visits = cast(&values[0], &DataType::LargeBinary)?;
            let visits = visits.as_binary::<i64>();
            let mut all: Vec<VisitMinute> = Vec::new();
            let mut lengths = Vec::with_capacity(visits.len());
            for visit in visits {
                let visit: Vec<_> = asked(visit.unwrap_or_default()).collect();
                let minutes = minutes(&visit);
                lengths.push(minutes.len());
                all.extend(minutes);
            }
            let offsets = OffsetBuffer::from_lengths(lengths);
            let list = ListArray::try_new(Arc::clone(&item), offsets, written(&all)?, None)?;
            Ok(Arc::new(list))
        },
    )
}

fn fields() -> Fields {
    let time = |name| Field::new(name, time_type(), false);
    let count = |name| Field::new(name, DataType::Int64, false);
    Fields::from(vec![
        time("minute"),
        time("first"),
        time("last"),
        count("requests"),
        count("pages"),
        count("good"),
        count("bad"),
        count("shed"),
        count("bytes"),
    ])
}

fn written(minutes: &[VisitMinute]) -> Result<ArrayRef> {
    let time = |of: fn(&VisitMinute) -> i64| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(minutes.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    let count = |of: fn(&VisitMinute) -> u32| -> ArrayRef {
        let counts = minutes.iter().map(|minute| i64::from(of(minute)));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let bytes = minutes.iter().map(|minute| minute.bytes);
    let bytes = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let columns = vec![
        time(|minute| minute.minute * MINUTE_US),
        time(|minute| minute.first_us),
        time(|minute| minute.last_us),
        count(|minute| minute.requests),
        count(|minute| minute.pages),
        count(|minute| minute.good),
        count(|minute| minute.bad),
        count(|minute| minute.shed),
        Arc::new(Int64Array::from_iter_values(bytes)) as ArrayRef,
    ];
    Ok(Arc::new(StructArray::try_new(fields(), columns, None)?))
}

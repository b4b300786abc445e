//! `binomial_tail(k, n, p)`: how likely so many bad requests are by chance.
//!
//! BIGINT, BIGINT, DOUBLE -> DOUBLE: the chance of at least `k` bad among `n` when each is bad with chance `p`. NULL in, NULL out;
//! negative counts are taken as 0. Wraps [`floodmark_traffic::beta::binomial_tail`].
//!
//! ```sql
//! SELECT binomial_tail(5, 20, 0.005)
//! ```

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::beta;

use super::scalar::function;

pub(super) fn binomial_tail() -> ScalarUDF {
    let inputs = vec![DataType::Int64, DataType::Int64, DataType::Float64];
    function("binomial_tail", inputs, DataType::Float64, |values| {
        let (bad, all) = (
            values[0].as_primitive::<Int64Type>(),
            values[1].as_primitive::<Int64Type>(),
        );
        let chance = values[2].as_primitive::<Float64Type>();
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let rows = bad.iter().zip(all).zip(chance);
        let tails = rows.map(|((k, n), p)| Some(beta::binomial_tail(count(k?), count(n?), p?)));
        Ok(Arc::new(tails.collect::<Float64Array>()))
    })
}

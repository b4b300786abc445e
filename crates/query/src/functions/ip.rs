//! `ip_in(addr, cidr)`, `ip_prefix(addr, bits)`, `ip_neighbourhood(addr)` and `is_private(addr)`: addresses and their ranges.
//!
//! - TEXT, TEXT -> BOOLEAN: whether the address lies in the range; NULL for what is no address; an error for what is no range.
//! - TEXT, BIGINT -> TEXT: the range of that many bits around the address, such as `192.0.2.0/24`.
//! - TEXT -> TEXT: its /24 (IPv4) or /64 (IPv6), what one customer or machine hall usually has.
//! - TEXT -> BOOLEAN: whether it is not of the public internet; false for what is no address.
//!
//! NULL in, NULL out. Wraps [`floodmark_traffic::prefix`].
//!
//! ```sql
//! SELECT ip_prefix(client, 16), count(*) FROM requests WHERE NOT ip_in(client, '192.0.2.0/24') GROUP BY 1
//! ```

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use floodmark_traffic::prefix;

use super::scalar::{function, function_of_text};

pub(super) fn ip_in() -> ScalarUDF {
    function(
        "ip_in",
        vec![DataType::Utf8View; 2],
        DataType::Boolean,
        |values| {
            let rows = values[0]
                .as_string_view()
                .iter()
                .zip(values[1].as_string_view());
            let judged = rows.map(|row| match row {
                (Some(addr), Some(cidr)) => prefix::ip_in(addr, cidr)
                    .map_err(|error| DataFusionError::External(Box::new(error))),
                _ => Ok(None),
            });
            Ok(Arc::new(judged.collect::<Result<BooleanArray>>()?))
        },
    )
}

pub(super) fn ip_prefix() -> ScalarUDF {
    function(
        "ip_prefix",
        vec![DataType::Utf8View, DataType::Int64],
        DataType::Utf8View,
        |values| {
            let rows = values[0]
                .as_string_view()
                .iter()
                .zip(values[1].as_primitive::<Int64Type>());
            let mut ranges =
                StringViewBuilder::with_capacity(values[0].len()).with_deduplicate_strings();
            for (addr, bits) in rows {
                ranges.append_option(
                    addr.zip(bits.and_then(|bits| u8::try_from(bits).ok()))
                        .and_then(|(addr, bits)| prefix::ip_prefix(addr, bits)),
                );
            }
            Ok(Arc::new(ranges.finish()))
        },
    )
}

pub(super) fn is_private() -> ScalarUDF {
    function_of_text("is_private", DataType::Boolean, |addrs| {
        let judged = addrs.iter().map(|addr| {
            let addr = addr.and_then(|addr| addr.parse().ok());
            Some(addr.is_some_and(prefix::private))
        });
        Ok(Arc::new(judged.collect::<BooleanArray>()))
    })
}

pub(super) fn ip_neighbourhood() -> ScalarUDF {
    function_of_text("ip_neighbourhood", DataType::Utf8View, |addrs| {
        let mut ranges = StringViewBuilder::with_capacity(addrs.len()).with_deduplicate_strings();
        for addr in addrs {
            ranges.append_option(
                addr.and_then(|addr| addr.parse().ok())
                    .map(|addr| prefix::neighbourhood(addr).to_string()),
            );
        }
        Ok(Arc::new(ranges.finish()))
    })
}

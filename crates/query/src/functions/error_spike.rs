//! `error_spike(named_struct(…)) OVER (PARTITION BY series ORDER BY minute)`: which minutes have too many errors.
//!
//! STRUCT -> STRUCT, over one series (a server, or a path of it), each minute at most once. In: `minute`, `bad` and `n` (requests that
//! decide), `top_client` and `bad_of_top_client` (who got most of the errors), and the same in each row: `live_series` (series judged side
//! by side), `k_min` (errors) and `n_min` (requests in a window). Out: `start`, `end` (exclusive), `opened` (when it was clear), `baseline`, `single_client`; all NULL
//! outside of spikes. Wraps [`floodmark_traffic::spike::spikes`].
//!
//! `queries/error_spikes.sql` shows it in use.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Float64Builder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::Result;
use datafusion::logical_expr::WindowUDF;
use floodmark_traffic::spike::{Spike, SpikeOptions, SpikePoint, spikes};

use super::fields::Fields;
use super::scalar::time_type;
use super::series;

const MINUTE_US: i64 = 60_000_000;

pub(super) fn error_spike() -> WindowUDF {
    series::function("error_spike", 1, DataType::Struct(output()), judge)
}

fn output() -> ArrowFields {
    ArrowFields::from(vec![
        Field::new("start", time_type(), true),
        Field::new("end", time_type(), true),
        Field::new("opened", time_type(), true),
        Field::new("baseline", DataType::Float64, true),
        Field::new("single_client", DataType::Boolean, true),
    ])
}

fn judge(values: &[ArrayRef]) -> Result<ArrayRef> {
    let fields = Fields::of("error_spike", &values[0])?;
    let points = points(&fields)?;
    let first = |name: &str| {
        Ok::<_, datafusion::common::DataFusionError>(
            fields.counts(name)?.first().copied().unwrap_or(0),
        )
    };
    let options = SpikeOptions {
        k_min: first("k_min")?.into(),
        n_min: first("n_min")?.into(),
        live_series: first("live_series")?,
        ..SpikeOptions::default()
    };
    Ok(written(&points, &spikes(&points, &options)))
}

fn points(fields: &Fields<'_>) -> Result<Vec<SpikePoint>> {
    let minutes = fields.minutes("minute")?;
    let (bad, n, of_top) = (
        fields.counts("bad")?,
        fields.counts("n")?,
        fields.counts("bad_of_top_client")?,
    );
    let clients = fields.texts("top_client")?;
    Ok((0..minutes.len())
        .map(|row| SpikePoint {
            minute: minutes[row],
            bad: bad[row],
            n: n[row],
            bad_of_top_client: of_top[row],
            top_client: if clients.is_valid(row) {
                client_hash(clients.value(row))
            } else {
                0
            },
        })
        .collect())
}

// 0 stands for an unknown client.
fn client_hash(client: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    hasher.finish().max(1)
}

fn written(points: &[SpikePoint], spikes: &[Spike]) -> ArrayRef {
    let time = || TimestampMicrosecondBuilder::with_capacity(points.len()).with_timezone("UTC");
    let (mut start, mut end, mut opened) = (time(), time(), time());
    let mut baseline = Float64Builder::with_capacity(points.len());
    let mut single_client = BooleanBuilder::with_capacity(points.len());
    for point in points {
        let at = spikes.partition_point(|spike| spike.end <= point.minute);
        let spike = spikes.get(at).filter(|spike| spike.start <= point.minute);
        start.append_option(spike.map(|spike| spike.start * MINUTE_US));
        end.append_option(spike.map(|spike| spike.end * MINUTE_US));
        // The minute is over before it is judged.
        opened.append_option(spike.map(|spike| (spike.opened + 1) * MINUTE_US));
        baseline.append_option(spike.map(|spike| spike.p0));
        single_client.append_option(spike.map(|spike| spike.single_client));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(start.finish()),
        Arc::new(end.finish()),
        Arc::new(opened.finish()),
        Arc::new(baseline.finish()),
        Arc::new(single_client.finish()),
    ];
    Arc::new(StructArray::new(output(), columns, None))
}

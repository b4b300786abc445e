//! `error_spike(named_struct(…)) OVER (ORDER BY whole, server_name, path, minute)`: which minutes have too many errors.
//!
//! STRUCT -> STRUCT, over all series that may have a spike, one after the other, each minute of a series at most once. In: the series
//! (`server_name`, `path`, `whole`: not 0 for all paths of a server), `minute`, `bad` and `n` (requests that decide), `top_client` and
//! `bad_of_top_client` (who got most of the errors), and the same in each row `k_min` (errors), `n_min` (requests in a window) and `live` (how many series
//! are judged side by side, those without errors enough included, which need no rows). Out: `start`, `end`
//! (exclusive), `opened` (when it was clear), `baseline`, `single_client`; all NULL outside of spikes. Wraps [`floodmark_traffic::spike::spikes`].
//!
//! `queries/tables/judged_spikes.sql` shows it in use.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Float64Builder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::{DataFusionError, Result};
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
    let series = series_of(&fields)?;
    let first = |name: &str| Ok::<_, DataFusionError>(fields.counts(name)?.first().copied());
    let options = SpikeOptions {
        k_min: first("k_min")?.unwrap_or(0).into(),
        n_min: first("n_min")?.unwrap_or(0).into(),
        live_series: first("live")?.unwrap_or(1),
        ..SpikeOptions::default()
    };
    let mut written = Written::of(points.len());
    for rows in series {
        let points = &points[rows];
        // Only a series with errors enough can have a spike.
        let bad: u64 = points.iter().map(|point| u64::from(point.bad)).sum();
        let spikes = match bad >= options.k_min {
            true => spikes(points, &options),
            false => Vec::new(),
        };
        written.append(points, &spikes);
    }
    Ok(written.finish())
}

/// The rows of each series.
fn series_of(fields: &Fields<'_>) -> Result<Vec<Range<usize>>> {
    let (servers, paths) = (fields.texts("server_name")?, fields.texts("path")?);
    let whole = fields.counts("whole")?;
    let series = servers.iter().zip(&paths).zip(&whole);
    let series: Vec<_> = series.collect();
    let mut end = 0;
    let lengths = series.chunk_by(|one, next| one == next).map(<[_]>::len);
    let ranges = lengths.map(|length| {
        let start = end;
        end += length;
        start..end
    });
    Ok(ranges.collect())
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

/// The answers, row by row.
struct Written {
    start: TimestampMicrosecondBuilder,
    end: TimestampMicrosecondBuilder,
    opened: TimestampMicrosecondBuilder,
    baseline: Float64Builder,
    single_client: BooleanBuilder,
}

impl Written {
    fn of(rows: usize) -> Self {
        let time = || TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
        Self {
            start: time(),
            end: time(),
            opened: time(),
            baseline: Float64Builder::with_capacity(rows),
            single_client: BooleanBuilder::with_capacity(rows),
        }
    }

    fn append(&mut self, points: &[SpikePoint], spikes: &[Spike]) {
        for point in points {
            let at = spikes.partition_point(|spike| spike.end <= point.minute);
            let spike = spikes.get(at).filter(|spike| spike.start <= point.minute);
            self.start
                .append_option(spike.map(|spike| spike.start * MINUTE_US));
            self.end
                .append_option(spike.map(|spike| spike.end * MINUTE_US));
            // The minute is over before it is judged.
            self.opened
                .append_option(spike.map(|spike| (spike.opened + 1) * MINUTE_US));
            self.baseline.append_option(spike.map(|spike| spike.p0));
            self.single_client
                .append_option(spike.map(|spike| spike.single_client));
        }
    }

    fn finish(mut self) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.start.finish()),
            Arc::new(self.end.finish()),
            Arc::new(self.opened.finish()),
            Arc::new(self.baseline.finish()),
            Arc::new(self.single_client.finish()),
        ];
        Arc::new(StructArray::new(output(), columns, None))
    }
}

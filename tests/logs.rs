//! Logs as the tests ask about them: raw, straight through the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::record_batch::RecordBatch;
use floodmark_format::CompiledFormat;
use floodmark_ingest::{LogSettings, Secrets, Trust};
use floodmark_query::{Answer, Engine, EngineOptions, RawLogs, Settings};
use floodmark_source::{DiscoverOptions, discover};

/// The format of simulated logs.
pub(crate) const TIMED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time "$upstream_status""#;

/// The engine over the logs of a folder, or over one file.
pub(crate) async fn engine(logs: &Path, format: &str) -> Engine {
    engine_with(logs, format, &EngineOptions::default()).await
}

/// The same, with options.
pub(crate) async fn engine_with(logs: &Path, format: &str, options: &EngineOptions) -> Engine {
    engine_of(logs, settings(format), options).await
}

/// How lines of a format are read.
pub(crate) fn settings(format: &str) -> LogSettings {
    LogSettings {
        format: CompiledFormat::compile(format).unwrap(),
        further: Vec::new(),
        server_port: 443,
        server_name: None,
        trust: Trust::default(),
        secrets: Secrets::Redact,
    }
}

/// The same, over lines that are read in any way.
pub(crate) async fn engine_of(
    logs: &Path,
    settings: LogSettings,
    options: &EngineOptions,
) -> Engine {
    let found = discover(
        &[logs.to_str().unwrap().to_owned()],
        &DiscoverOptions::default(),
    )
    .unwrap();
    let settings = Arc::new(settings);
    let files = found
        .files
        .into_iter()
        .map(|file| (file, Arc::clone(&settings)))
        .collect();
    Engine::over_logs(&RawLogs { files }, options)
        .await
        .unwrap()
}

/// Settings for a window, in RFC 3339.
pub(crate) fn window(since: &str, until: &str) -> Settings {
    Settings {
        since_us: micros(since),
        until_us: micros(until),
        target: 0.95,
        tz: chrono_tz::UTC,
        parameters: BTreeMap::new(),
    }
}

/// Microseconds since the epoch of a time in RFC 3339.
pub(crate) fn micros(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time)
        .unwrap()
        .timestamp_micros()
}

/// One column of an answer, over all batches, as another type.
fn column(answer: &Answer, name: &str, data_type: &DataType) -> Vec<ArrayRef> {
    let of = |batch: &RecordBatch| {
        cast(
            batch
                .column_by_name(name)
                .unwrap_or_else(|| panic!("no column {name}")),
            data_type,
        )
        .unwrap()
    };
    answer.batches.iter().map(of).collect()
}

/// A column as text; a time is RFC 3339 with its zone.
pub(crate) fn texts(answer: &Answer, name: &str) -> Vec<Option<String>> {
    let arrays = column(answer, name, &DataType::Utf8);
    let values = arrays.iter().flat_map(|array| {
        array
            .as_string::<i32>()
            .iter()
            .map(|value| value.map(str::to_owned))
    });
    values.collect()
}

/// A column as whole numbers, NULL as 0.
pub(crate) fn counts(answer: &Answer, name: &str) -> Vec<i64> {
    let arrays = column(answer, name, &DataType::Int64);
    arrays
        .iter()
        .flat_map(|array| {
            array
                .as_primitive::<Int64Type>()
                .iter()
                .map(Option::unwrap_or_default)
        })
        .collect()
}

/// A column of times as microseconds since the epoch, NULL as 0.
pub(crate) fn times(answer: &Answer, name: &str) -> Vec<i64> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let arrays = column(answer, name, &micros);
    let whole = arrays
        .iter()
        .map(|array| cast(array, &DataType::Int64).unwrap());
    whole
        .flat_map(|array| {
            array
                .as_primitive::<Int64Type>()
                .iter()
                .map(Option::unwrap_or_default)
                .collect::<Vec<_>>()
        })
        .collect()
}

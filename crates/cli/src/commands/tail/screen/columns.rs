//! The columns of a batch of lines that the screen looks at.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float64Type, Int16Type, Int64Type, TimestampMicrosecondType,
};
use floodmark_traffic::path::status_hundreds;

use super::counts::Dimension;

/// Those that are counted and shown; of `kind` all but requests are left out where it is there.
pub(super) const NAMES: [&str; 15] = [
    "kind",
    "time",
    "client",
    "request_method",
    "path",
    "args",
    "server_protocol",
    "status",
    "body_bytes_sent",
    "http_referer",
    "http_user_agent",
    "request_time",
    "upstream_addr",
    "upstream_status",
    "bot",
];

/// The columns of a batch.
#[derive(Debug)]
pub(super) struct Columns<'batch> {
    time: Option<&'batch PrimitiveArray<TimestampMicrosecondType>>,
    status: Option<&'batch PrimitiveArray<Int16Type>>,
    bytes: Option<&'batch PrimitiveArray<Int64Type>>,
    request_time: Option<&'batch PrimitiveArray<Float64Type>>,
    kind: Texts<'batch>,
    client: Texts<'batch>,
    method: Texts<'batch>,
    path: Texts<'batch>,
    args: Texts<'batch>,
    protocol: Texts<'batch>,
    referer: Texts<'batch>,
    agent: Texts<'batch>,
    upstream_addr: Texts<'batch>,
    upstream_status: Texts<'batch>,
    bot: Texts<'batch>,
}

/// One request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row<'batch> {
    /// Microseconds since the epoch.
    pub(super) time_us: Option<i64>,
    pub(super) client: Option<&'batch str>,
    pub(super) method: Option<&'batch str>,
    pub(super) path: Option<&'batch str>,
    pub(super) args: Option<&'batch str>,
    pub(super) protocol: Option<&'batch str>,
    pub(super) status: Option<i16>,
    pub(super) bytes: u64,
    pub(super) referer: Option<&'batch str>,
    pub(super) agent: Option<&'batch str>,
    pub(super) request_time_us: Option<u64>,
    pub(super) upstream_addr: Option<&'batch str>,
    pub(super) upstream_status: Option<&'batch str>,
    pub(super) bot: Option<&'batch str>,
}

impl<'batch> Row<'batch> {
    /// The first digit of the status.
    pub(super) fn hundreds(&self) -> Option<u8> {
        self.status.and_then(status_hundreds)
    }

    /// What the request counts under.
    pub(super) fn key(&self, dimension: Dimension) -> Option<&'batch str> {
        match dimension {
            Dimension::Paths => self.path,
            Dimension::Clients => self.client,
            Dimension::Agents => self.agent,
            Dimension::Upstreams => self.upstream_addr,
        }
    }
}

impl<'batch> Columns<'batch> {
    pub(super) fn new(rows: &'batch RecordBatch) -> Self {
        let texts = |name| Texts::of(rows.column_by_name(name));
        Self {
            time: numbers(rows, "time"),
            status: numbers(rows, "status"),
            bytes: numbers(rows, "body_bytes_sent"),
            request_time: numbers(rows, "request_time"),
            kind: texts("kind"),
            client: texts("client"),
            method: texts("request_method"),
            path: texts("path"),
            args: texts("args"),
            protocol: texts("server_protocol"),
            referer: texts("http_referer"),
            agent: texts("http_user_agent"),
            upstream_addr: texts("upstream_addr"),
            upstream_status: texts("upstream_status"),
            bot: texts("bot"),
        }
    }

    /// The request of a row; `None` if it is none.
    pub(super) fn row(&self, row: usize) -> Option<Row<'_>> {
        let bytes = number(self.bytes, row).and_then(|bytes| u64::try_from(bytes).ok());
        let request = Row {
            time_us: number(self.time, row),
            client: self.client.value(row),
            method: self.method.value(row),
            path: self.path.value(row),
            args: self.args.value(row),
            protocol: self.protocol.value(row),
            status: number(self.status, row),
            bytes: bytes.unwrap_or_default(),
            referer: self.referer.value(row),
            agent: self.agent.value(row),
            request_time_us: number(self.request_time, row).and_then(whole_us),
            upstream_addr: self.upstream_addr.value(row),
            upstream_status: self.upstream_status.value(row),
            bot: self.bot.value(row),
        };
        self.kind
            .value(row)
            .is_none_or(|kind| kind == "request")
            .then_some(request)
    }
}

/// A text column, whatever its encoding.
#[derive(Debug)]
struct Texts<'batch>(Option<Cow<'batch, StringViewArray>>);

impl<'batch> Texts<'batch> {
    fn of(column: Option<&'batch ArrayRef>) -> Self {
        Self(column.and_then(|column| match column.as_string_view_opt() {
            Some(texts) => Some(Cow::Borrowed(texts)),
            None => {
                let texts = cast(column, &DataType::Utf8View).ok()?;
                Some(Cow::Owned(texts.as_string_view_opt()?.clone()))
            }
        }))
    }

    fn value(&self, row: usize) -> Option<&str> {
        let texts = self.0.as_deref()?;
        texts.is_valid(row).then(|| texts.value(row))
    }
}

fn numbers<'batch, T: ArrowPrimitiveType>(
    rows: &'batch RecordBatch,
    name: &str,
) -> Option<&'batch PrimitiveArray<T>> {
    rows.column_by_name(name)?.as_primitive_opt()
}

fn number<T: ArrowPrimitiveType>(
    column: Option<&PrimitiveArray<T>>,
    row: usize,
) -> Option<T::Native> {
    let column = column?;
    column.is_valid(row).then(|| column.value(row))
}

/// Whole microseconds, as `minutes` counts them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be positive and finite; `as` saturates"
)]
fn whole_us(seconds: f64) -> Option<u64> {
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1e6).round() as u64)
}

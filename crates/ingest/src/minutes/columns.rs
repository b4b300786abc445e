//! The columns of lines that are counted, as codes or as text.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Float64Array, Int16Array, Int32Array, Int64Array,
    PrimitiveArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt32Type,
};
use floodmark_traffic::hyper_log_log::hash;
use floodmark_traffic::outcome::{Outcome, Upstream, outcome_by};
use hashbrown::HashMap;

use super::{Key, log_set};
use crate::dictionary::Dictionary;

pub(super) const NAMES: &[&str] = &[
    "kind",
    "time",
    "source",
    "server_name",
    "server_port",
    "layer",
    "bot",
    "status",
    "request_time",
    "upstream_status",
    "body_bytes_sent",
    "bytes_sent",
    "client",
    "http_user_agent",
];

/// The code of NULL.
const NONE: u32 = u32::MAX;

/// What keys are made of: texts and the port.
const PARTS: usize = 6;

/// What tells one key from another: equal codes are equal values within a batch.
pub(super) type Codes = [u32; PARTS];

/// A batch of lines.
pub(super) struct Lines<'batch> {
    pub(super) rows: usize,
    kind: Text<'batch>,
    source: Text<'batch>,
    server_name: Text<'batch>,
    layer: Text<'batch>,
    bot: Text<'batch>,
    server_port: Option<&'batch Int32Array>,
    /// Of all of these, those that are not the same in every row.
    codes: Vec<Cow<'batch, [u32]>>,
    time: Option<&'batch TimestampMicrosecondArray>,
    status: Option<&'batch Int16Array>,
    request_time: Option<&'batch Float64Array>,
    upstream_status: Text<'batch>,
    body_bytes_sent: Option<&'batch Int64Array>,
    bytes_sent: Option<&'batch Int64Array>,
    client: Text<'batch>,
    /// By row; 0 for none.
    clients: Vec<u32>,
    agent: Text<'batch>,
}

/// What is counted of one request.
pub(super) struct Line {
    pub(super) status: Option<i16>,
    pub(super) outcome: Outcome,
    pub(super) bytes: u64,
    pub(super) request_time_us: Option<u64>,
    /// The hash of the client, 0 for none.
    pub(super) client: u32,
}

/// One request of a probe.
pub(super) struct ProbeLine<'batch> {
    pub(super) client: Option<&'batch [u8]>,
    pub(super) agent: Option<&'batch [u8]>,
    pub(super) second: i64,
}

impl<'batch> Lines<'batch> {
    /// `dictionary` has the texts of columns that are codes; that of the clients is hashed.
    pub(super) fn new(
        batch: &'batch RecordBatch,
        dictionary: &dyn Fn(&str) -> Option<&'batch Dictionary>,
    ) -> Self {
        let rows = batch.num_rows();
        let text = |name| Text::of(batch.column_by_name(name), dictionary(name));
        let keys = ["kind", "source", "server_name", "layer", "bot"].map(text);
        let [kind, source, server_name, layer, bot] = keys;
        let client = text("client");
        let server_port = numbers::<Int32Type>(batch, "server_port");
        let ports = server_port.map(|ports| {
            let code = |port: Option<i32>| port.and_then(|port| u32::try_from(port).ok());
            ports
                .iter()
                .map(|port| code(port).unwrap_or(NONE))
                .collect()
        });
        let codes = keys.map(|text| text.codes(rows)).into_iter().chain(ports);
        Self {
            rows,
            kind,
            source,
            server_name,
            layer,
            bot,
            codes: codes.filter(|codes| is_varied(codes)).collect(),
            server_port,
            time: numbers::<TimestampMicrosecondType>(batch, "time"),
            status: numbers::<Int16Type>(batch, "status"),
            request_time: numbers::<Float64Type>(batch, "request_time"),
            upstream_status: text("upstream_status"),
            body_bytes_sent: numbers::<Int64Type>(batch, "body_bytes_sent"),
            bytes_sent: numbers::<Int64Type>(batch, "bytes_sent"),
            client,
            clients: client.hashes(rows),
            agent: text("http_user_agent"),
        }
    }

    /// Whether a row may have another key than the one before it.
    #[inline]
    pub(super) fn begins_key(&self, row: usize) -> bool {
        row == 0 || self.codes.iter().any(|codes| codes[row] != codes[row - 1])
    }

    pub(super) fn codes(&self, row: usize) -> Codes {
        let mut of_row = [NONE; PARTS];
        for (code, codes) in of_row.iter_mut().zip(&self.codes) {
            *code = codes[row];
        }
        of_row
    }

    pub(super) fn is_request(&self, row: usize) -> bool {
        self.kind.at(row) == Some(b"request")
    }

    pub(super) fn key(&self, row: usize) -> Key {
        Key {
            log_set: self.source.owned(row).as_deref().map(log_set),
            server_name: self.server_name.owned(row),
            server_port: value(self.server_port, row),
            layer: self.layer.owned(row),
            bot: self.bot.owned(row),
        }
    }

    #[inline]
    pub(super) fn time_us(&self, row: usize) -> Option<i64> {
        value(self.time, row)
    }

    #[inline]
    pub(super) fn line(&self, row: usize) -> Line {
        let status = value(self.status, row);
        let request_time = value(self.request_time, row);
        let bytes = value(self.body_bytes_sent, row).or_else(|| value(self.bytes_sent, row));
        Line {
            status,
            outcome: outcome_by(status, request_time, || {
                Upstream::last_of(self.upstream_status.owned(row).as_deref())
            }),
            bytes: bytes.map_or(0, |bytes| bytes.max(0).unsigned_abs()),
            request_time_us: request_time.map(microseconds),
            client: self.clients[row],
        }
    }

    pub(super) fn probe(&self, row: usize, time_us: i64) -> ProbeLine<'batch> {
        ProbeLine {
            client: self.client.at(row),
            agent: self.agent.at(row),
            second: time_us.div_euclid(1_000_000),
        }
    }
}

/// Whether the codes of a column tell anything apart.
fn is_varied(codes: &[u32]) -> bool {
    codes
        .first()
        .is_some_and(|first| codes.iter().any(|code| code != first))
}

/// Whole microseconds: `request_time` has 3 decimals where Nginx writes it, and 6 at most.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts saturate; negative and infinite times are not logged"
)]
fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

fn numbers<'batch, T: ArrowPrimitiveType>(
    batch: &'batch RecordBatch,
    name: &str,
) -> Option<&'batch PrimitiveArray<T>> {
    let numbers = batch.column_by_name(name)?.as_primitive_opt::<T>()?;
    (numbers.null_count() < numbers.len()).then_some(numbers)
}

#[inline]
fn value<T: ArrowPrimitiveType>(
    numbers: Option<&PrimitiveArray<T>>,
    row: usize,
) -> Option<T::Native> {
    numbers
        .filter(|numbers| numbers.is_valid(row))
        .map(|numbers| numbers.value(row))
}

/// A column of text in one of the forms that batches have it in.
#[derive(Clone, Copy)]
enum Text<'batch> {
    Codes(&'batch UInt32Array, &'batch Dictionary),
    Views(&'batch StringViewArray),
    /// UTF-8, unchecked.
    Bytes(&'batch BinaryViewArray),
    /// NULL in every row.
    Nulls,
}

impl<'batch> Text<'batch> {
    fn of(array: Option<&'batch ArrayRef>, dictionary: Option<&'batch Dictionary>) -> Self {
        let Some(array) = array.filter(|array| array.null_count() < array.len()) else {
            return Self::Nulls;
        };
        if let Some(codes) = array.as_primitive_opt::<UInt32Type>()
            && let Some(dictionary) = dictionary
        {
            return Self::Codes(codes, dictionary);
        }
        match (array.as_string_view_opt(), array.as_binary_view_opt()) {
            (Some(texts), _) => Self::Views(texts),
            (_, Some(texts)) => Self::Bytes(texts),
            _ => Self::Nulls,
        }
    }

    fn at(self, row: usize) -> Option<&'batch [u8]> {
        match self {
            Self::Codes(codes, dictionary) => codes
                .is_valid(row)
                .then(|| dictionary.text(codes.value(row))),
            Self::Views(texts) => texts.is_valid(row).then(|| texts.value(row).as_bytes()),
            Self::Bytes(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Nulls => None,
        }
    }

    fn owned(self, row: usize) -> Option<String> {
        let text = self.at(row)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// A code for each row: [`NONE`] for NULL; empty where all are that.
    fn codes(self, rows: usize) -> Cow<'batch, [u32]> {
        match self {
            Self::Codes(codes, _) if codes.null_count() == 0 => Cow::Borrowed(codes.values()),
            Self::Codes(codes, _) => codes.iter().map(|code| code.unwrap_or(NONE)).collect(),
            Self::Nulls => Cow::Borrowed(&[]),
            _ => self.numbered(rows),
        }
    }

    /// Codes made up for texts that have none.
    fn numbered(self, rows: usize) -> Cow<'batch, [u32]> {
        let mut numbers: HashMap<&[u8], u32> = HashMap::new();
        let mut last: Option<(&[u8], u32)> = None;
        let number = |row: usize| {
            let Some(text) = self.at(row) else {
                return NONE;
            };
            if let Some((_, number)) = last.filter(|(known, _)| *known == text) {
                return number;
            }
            let next = u32::try_from(numbers.len()).unwrap_or(NONE);
            let number = *numbers.entry(text).or_insert(next);
            last = Some((text, number));
            number
        };
        (0..rows).map(number).collect()
    }

    /// The hash of each row's text, 0 for NULL.
    fn hashes(self, rows: usize) -> Vec<u32> {
        match self {
            Self::Codes(codes, dictionary) if codes.null_count() == 0 => {
                let (codes, hashes) = (codes.values().iter(), dictionary.hashes());
                codes.map(|code| hashes[*code as usize]).collect()
            }
            Self::Codes(codes, dictionary) => {
                let hash = |code: u32| dictionary.hashes()[code as usize];
                codes.iter().map(|code| code.map_or(0, hash)).collect()
            }
            Self::Nulls => vec![0; rows],
            _ => (0..rows).map(|row| self.at(row).map_or(0, hash)).collect(),
        }
    }
}

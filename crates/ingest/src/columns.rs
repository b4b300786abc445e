//! The one table of columns: name, type, unit and the Nginx variable each is filled from.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// How a column is stored; [`ColumnType::arrow`] gives the Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// UTF-8 text, as a view into the block it was read from.
    Text,
    /// A status code, `i16`.
    Status,
    /// A port or another small number, `i32`.
    Small,
    /// Counts and bytes, `i64`.
    Count,
    /// Seconds, `f64`.
    Seconds,
    /// Seconds summed over a list of upstream tries, `f64`.
    SecondsList,
    /// Microseconds since the epoch, UTC.
    Time,
    /// True or false.
    Flag,
}

impl ColumnType {
    /// The Arrow type of the column.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Status => DataType::Int16,
            Self::Small => DataType::Int32,
            Self::Count => DataType::Int64,
            Self::Seconds | Self::SecondsList => DataType::Float64,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Flag => DataType::Boolean,
        }
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// `request`, `reject` or `gap`.
    Kind,
    /// The time of the event; of a reject, that of the nearest earlier good line; of a gap, until when nothing was lost.
    Time,
    /// The address all judgments use: `remote_addr`, or the right-most untrusted of `http_x_forwarded_for`.
    Client,
    /// A part of `$request`.
    Method,
    /// The target before its first `?`.
    Path,
    /// The target after its first `?`.
    Args,
    /// `HTTP/…`.
    Protocol,
    /// The whole request line, only if it could not be split.
    Request,
    /// The Nginx variable of the column's own name.
    Variable,
    /// The log's `$server_name`, else the one given for the whole log.
    ServerName,
    /// The log's `$server_port`, else the one given for the whole log.
    ServerPort,
    /// `balancer`, `edge` or `app`.
    Layer,
    /// What the row alone shows: `probe`, `declared`, `scanner` or `none`.
    Bot,
    /// The rule that decided `bot`; NULL for `none` by no rule. Each commit of a lake names the version of
    /// the rules.
    BotRule,
    /// The source's id.
    Source,
    /// Offset of the line's first byte in its source, blank lines before it included.
    LineOffset,
    /// Bytes of the line with its newline and the blank lines before it.
    LineBytes,
    /// Blank lines directly before the line.
    BlankBefore,
    /// Whether `time` was taken from a neighbouring line.
    TimeInferred,
    /// Why a line was rejected, or is lost.
    Reason,
    /// A rejected line as it was read.
    Raw,
    /// Of a gap: from when on nothing is lost.
    Until,
}

/// When a column is part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// In every lake and every log.
    Always,
    /// Once a format logs the variable.
    WhereLogged,
}

/// One column of `lines`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// The column's name; that of the Nginx variable where there is one.
    pub name: String,
    /// How it is stored.
    pub column_type: ColumnType,
    /// What fills it.
    pub origin: Origin,
}

impl Column {
    /// The Arrow field; every column is nullable.
    #[must_use]
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.column_type.arrow(), true)
    }

    fn text_of(variable: &str) -> Self {
        Self {
            name: variable.to_owned(),
            column_type: ColumnType::Text,
            origin: Origin::Variable,
        }
    }

    /// The column of the given name, as the table of columns types it; unknown names are text.
    #[must_use]
    pub fn named(name: &str) -> Self {
        TABLE.iter().find(|(known, ..)| *known == name).map_or_else(
            || Self::text_of(name),
            |&(name, column_type, origin, _)| Self {
                name: name.to_owned(),
                column_type,
                origin,
            },
        )
    }
}

type Row = (&'static str, ColumnType, Origin, Presence);

use ColumnType::{Count, Flag, Seconds, SecondsList, Small, Status, Text, Time};
use Presence::{Always, WhereLogged};

/// The order is the order of the table's columns; columns of other variables follow. Always there are the columns
/// that named queries read, so that a query runs on any log; a variable that is not logged is NULL in them.
const TABLE: &[Row] = &[
    ("kind", Text, Origin::Kind, Always),
    ("time", Time, Origin::Time, Always),
    ("client", Text, Origin::Client, Always),
    ("remote_addr", Text, Origin::Variable, Always),
    ("remote_user", Text, Origin::Variable, Always),
    ("request_method", Text, Origin::Method, Always),
    ("path", Text, Origin::Path, Always),
    ("args", Text, Origin::Args, Always),
    ("server_protocol", Text, Origin::Protocol, Always),
    ("status", Status, Origin::Variable, Always),
    ("body_bytes_sent", Count, Origin::Variable, Always),
    ("http_referer", Text, Origin::Variable, Always),
    ("http_user_agent", Text, Origin::Variable, Always),
    ("request", Text, Origin::Request, Always),
    ("http_x_forwarded_for", Text, Origin::Variable, WhereLogged),
    ("host", Text, Origin::Variable, WhereLogged),
    ("server_name", Text, Origin::ServerName, Always),
    ("server_port", Small, Origin::ServerPort, Always),
    ("scheme", Text, Origin::Variable, WhereLogged),
    ("bytes_sent", Count, Origin::Variable, WhereLogged),
    ("request_length", Count, Origin::Variable, WhereLogged),
    ("request_time", Seconds, Origin::Variable, Always),
    ("request_id", Text, Origin::Variable, WhereLogged),
    ("ssl_protocol", Text, Origin::Variable, WhereLogged),
    ("ssl_cipher", Text, Origin::Variable, WhereLogged),
    ("upstream_addr", Text, Origin::Variable, WhereLogged),
    ("upstream_status", Text, Origin::Variable, Always),
    (
        "upstream_connect_time",
        SecondsList,
        Origin::Variable,
        WhereLogged,
    ),
    (
        "upstream_header_time",
        SecondsList,
        Origin::Variable,
        WhereLogged,
    ),
    (
        "upstream_response_time",
        SecondsList,
        Origin::Variable,
        WhereLogged,
    ),
    ("upstream_cache_status", Text, Origin::Variable, WhereLogged),
    ("connection", Count, Origin::Variable, WhereLogged),
    ("connection_requests", Count, Origin::Variable, WhereLogged),
    ("gzip_ratio", Seconds, Origin::Variable, WhereLogged),
    ("pipe", Text, Origin::Variable, WhereLogged),
    ("layer", Text, Origin::Layer, Always),
    ("bot", Text, Origin::Bot, Always),
    ("bot_rule", Text, Origin::BotRule, Always),
    ("source", Text, Origin::Source, Always),
    ("line_offset", Count, Origin::LineOffset, Always),
    ("line_bytes", Count, Origin::LineBytes, Always),
    ("blank_before", Count, Origin::BlankBefore, Always),
    ("time_inferred", Flag, Origin::TimeInferred, Always),
    ("reason", Text, Origin::Reason, Always),
    ("raw", Text, Origin::Raw, Always),
    ("until", Time, Origin::Until, Always),
];

/// The columns of a table of lines, in order: those always there, those any of the formats logs, then other
/// variables by their own names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSchema {
    columns: Vec<Column>,
}

/// Request parts and times are columns of other names, or none of their own.
const TAKEN_APART: &[&str] = &[
    "request",
    "request_uri",
    "uri",
    "query_string",
    "is_args",
    "time_local",
    "time_iso8601",
    "msec",
];

impl LineSchema {
    /// The schema for logs whose formats log the given variables (names without `$`).
    pub fn new<'v>(variables: impl IntoIterator<Item = &'v str>) -> Self {
        let logged: Vec<&str> = variables.into_iter().collect();
        let mut columns: Vec<Column> = TABLE
            .iter()
            .filter(|(name, _, _, presence)| *presence == Always || logged.contains(name))
            .map(|(name, ..)| Column::named(name))
            .collect();
        for variable in logged {
            let apart = TAKEN_APART.contains(&variable);
            if !apart && !columns.iter().any(|column| column.name == variable) {
                columns.push(Column::named(variable));
            }
        }
        Self { columns }
    }

    /// This schema with the columns of `names` that it does not have yet, as an older lake has them.
    #[must_use]
    pub fn with_columns<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        for name in names {
            if !self.columns.iter().any(|column| column.name == name) {
                self.columns.push(Column::named(name));
            }
        }
        self
    }

    /// The columns in table order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The Arrow schema of all columns.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().map(Column::field).collect::<Vec<_>>(),
        ))
    }

    /// The schema with only the columns at `indices`, in that order.
    #[must_use]
    pub fn project(&self, indices: &[usize]) -> Self {
        Self {
            columns: indices
                .iter()
                .map(|&index| self.columns[index].clone())
                .collect(),
        }
    }
}

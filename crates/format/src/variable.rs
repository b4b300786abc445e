//! What is known of each variable: the shape of its value, its unit, and what is logged when there is none.

use crate::number;

/// A variable of a format, in the order of its first appearance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Nginx's name, without `$`; a name of the writer's own where Nginx has none for the same thing.
    pub name: String,
    /// What its values look like.
    pub kind: Kind,
    /// What its numbers count.
    pub unit: Unit,
    /// What is logged when there is no value.
    pub absent: Absent,
}

impl Variable {
    /// The variable of this Nginx name; one that is not known is [`Kind::Text`].
    pub(crate) fn named(name: &str) -> Self {
        let (kind, unit, absent) = properties(name);
        Self {
            name: name.to_owned(),
            kind,
            unit,
            absent,
        }
    }

    /// The same with another unit: a time that its writer logs in milliseconds, say.
    pub(crate) fn in_unit(name: &str, unit: Unit) -> Self {
        Self {
            unit,
            ..Self::named(name)
        }
    }

    /// A variable of another writer's own.
    pub(crate) fn own(name: &str, kind: Kind, unit: Unit) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            unit,
            absent: Absent::Hyphen,
        }
    }

    /// Whether a client chooses its value, as far as the name tells.
    pub(crate) fn is_from_client(&self) -> bool {
        let name = self.name.as_str();
        matches!(
            name,
            "remote_user" | "args" | "query_string" | "request" | "request_body"
        ) || ["http_", "cookie_", "arg_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    }

    /// A duration in seconds, whichever unit it is logged in: the sum of a list of them. `None` if it is no number.
    ///
    /// Reads [`Kind::Decimal`] too, whose numbers have no unit.
    pub fn read_seconds(&self, raw: &[u8]) -> Option<f64> {
        let decimals = self.unit.decimals();
        match self.kind {
            Kind::SecondsList => number::seconds_list_of(raw, decimals),
            _ => number::seconds_of(raw, decimals),
        }
    }
}

/// What the values of a variable look like, and so which function reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Anything, spaces included.
    Text,
    /// One word, without spaces: a scheme, a cipher, a server name.
    Word,
    /// One letter or sign: `$pipe`, `$is_args`.
    Mark,
    /// An IPv4 or IPv6 address, `unix:`, or a host name, as NCSA logs have.
    Address,
    /// A count or a size in bytes: [`integer`](crate::integer).
    Integer,
    /// [`port`](crate::port).
    Port,
    /// [`status`](crate::status).
    Status,
    /// Statuses of several upstreams: [`status`](crate::status) gives the last.
    StatusList,
    /// A duration: [`Variable::read_seconds`].
    Seconds,
    /// A plain decimal number without a unit: [`seconds`](crate::seconds) reads it too.
    Decimal,
    /// Durations that are to be added up: [`Variable::read_seconds`].
    SecondsList,
    /// Counts or sizes at several upstreams.
    IntegerList,
    /// Words of several upstreams: `, ` between tries, ` : ` between groups.
    List,
    /// When: [`Hit::time_us`](crate::Hit::time_us) is what the most exact of them says.
    Time,
    /// The request line; [`Hit::request`](crate::Hit::request) has its parts.
    Request,
}

impl Kind {
    /// Whether a value may have several items, one for each upstream that was asked.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Self::StatusList | Self::SecondsList | Self::IntegerList | Self::List
        )
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Things, or nothing at all: text has no unit.
    One,
    /// Bytes.
    Bytes,
    /// Seconds, as Nginx logs all durations.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
    /// Billionths of a second.
    Nanoseconds,
    /// Days.
    Days,
}

impl Unit {
    /// Decimals to shift a number by to make seconds of it.
    fn decimals(self) -> usize {
        match self {
            Self::Milliseconds => 3,
            Self::Microseconds => 6,
            Self::Nanoseconds => 9,
            Self::One | Self::Bytes | Self::Seconds | Self::Days => 0,
        }
    }

    /// The unit whose numbers have to be divided by `divisor` to be seconds.
    pub(crate) fn of_divisor(divisor: &str) -> Option<Self> {
        Some(match divisor {
            "1000" => Self::Milliseconds,
            "1000000" => Self::Microseconds,
            "1000000000" => Self::Nanoseconds,
            _ => return None,
        })
    }

    /// What numbers of this unit have to be divided by to be seconds, if it is not 1.
    pub(crate) fn divisor(self) -> Option<&'static str> {
        match self {
            Self::Milliseconds => Some("1000"),
            Self::Microseconds => Some("1000000"),
            Self::Nanoseconds => Some("1000000000"),
            Self::One | Self::Bytes | Self::Seconds | Self::Days => None,
        }
    }
}

/// What is logged, with `escape=default`, when there is no value. With the other two that is always nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absent {
    /// There always is one.
    Never,
    /// `-`.
    Hyphen,
    /// Nothing: Nginx sets the variable to an empty text.
    Nothing,
}

fn properties(name: &str) -> (Kind, Unit, Absent) {
    let row = TABLE.iter().find(|(.., names)| names.contains(&name));
    // A header, cookie, argument or claim, whatever its name, and any variable that is not Nginx's, is text that
    // may hold anything.
    row.map_or(
        (Kind::Text, Unit::One, Absent::Hyphen),
        |&(kind, unit, absent, _)| (kind, unit, absent),
    )
}

type Row = (Kind, Unit, Absent, &'static [&'static str]);

use Absent::{Hyphen, Never, Nothing};
use Kind::{
    Address, Decimal, Integer, IntegerList, List, Mark, Port, Request, Seconds, SecondsList,
    Status, StatusList, Text, Time, Word,
};

/// The variables of Nginx's modules whose values are more than text, and the text whose absence is not `-`.
///
/// Text that a client sends is [`Kind::Text`] even where it should be a number or a word (`$content_length`,
/// `$ssl_server_name`): what Nginx does not check may hold anything, and a line must not be lost by it. So are the
/// families `$http_…`, `$sent_http_…`, `$sent_trailer_…`, `$upstream_http_…`, `$upstream_trailer_…`,
/// `$upstream_cookie_…`, `$cookie_…`, `$arg_…`, `$geoip2_…`, `$jwt_claim_…` and `$jwt_header_…`.
const TABLE: &[Row] = &[
    // The request and its time.
    (Request, Unit::One, Hyphen, &["request"]),
    (
        Time,
        Unit::One,
        Never,
        &["time_local", "time_iso8601", "msec"],
    ),
    (Status, Unit::One, Never, &["status"]),
    (
        Word,
        Unit::One,
        Hyphen,
        &[
            "request_method",
            "server_protocol",
            "scheme",
            "host",
            "request_id",
        ],
    ),
    (Mark, Unit::One, Never, &["pipe"]),
    (Mark, Unit::One, Nothing, &["is_args", "is_request_port"]),
    (
        Word,
        Unit::One,
        Nothing,
        &[
            "hostname",
            "server_name",
            "https",
            "http2",
            "http3",
            "quic",
            "spdy",
            "request_completion",
            "nginx_version",
            "limit_rate",
        ],
    ),
    (
        Integer,
        Unit::Bytes,
        Hyphen,
        &[
            "body_bytes_sent",
            "bytes_sent",
            "bytes_received",
            "request_length",
        ],
    ),
    (
        Seconds,
        Unit::Seconds,
        Hyphen,
        &["request_time", "connection_time"],
    ),
    // The connection.
    (
        Address,
        Unit::One,
        Hyphen,
        &["remote_addr", "realip_remote_addr", "server_addr"],
    ),
    (
        Address,
        Unit::One,
        Nothing,
        &["proxy_protocol_addr", "proxy_protocol_server_addr"],
    ),
    (
        Port,
        Unit::One,
        Hyphen,
        &["server_port", "remote_port", "realip_remote_port"],
    ),
    (
        Port,
        Unit::One,
        Nothing,
        &[
            "proxy_protocol_port",
            "proxy_protocol_server_port",
            "request_port",
        ],
    ),
    (
        Integer,
        Unit::One,
        Hyphen,
        &[
            "connection",
            "connection_requests",
            "pid",
            "tcpinfo_snd_cwnd",
        ],
    ),
    (
        Integer,
        Unit::Microseconds,
        Hyphen,
        &["tcpinfo_rtt", "tcpinfo_rttvar"],
    ),
    (Integer, Unit::Bytes, Hyphen, &["tcpinfo_rcv_space"]),
    // stub_status.
    (
        Integer,
        Unit::One,
        Hyphen,
        &[
            "connections_active",
            "connections_reading",
            "connections_waiting",
            "connections_writing",
        ],
    ),
    // upstream and proxy, which grpc, fastcgi, uwsgi and scgi share.
    (List, Unit::One, Hyphen, &["upstream_addr"]),
    (StatusList, Unit::One, Hyphen, &["upstream_status"]),
    (
        SecondsList,
        Unit::Seconds,
        Hyphen,
        &[
            "upstream_connect_time",
            "upstream_first_byte_time",
            "upstream_header_time",
            "upstream_queue_time",
            "upstream_response_time",
            "upstream_session_time",
        ],
    ),
    (
        IntegerList,
        Unit::Bytes,
        Hyphen,
        &[
            "upstream_bytes_received",
            "upstream_bytes_sent",
            "upstream_response_length",
        ],
    ),
    (
        Word,
        Unit::One,
        Hyphen,
        &[
            "upstream_cache_status",
            "upstream_last_server_name",
            "proxy_host",
        ],
    ),
    (
        Integer,
        Unit::Seconds,
        Hyphen,
        &["upstream_cache_age", "upstream_cache_max_age"],
    ),
    (Port, Unit::One, Hyphen, &["proxy_port"]),
    // ssl.
    (
        Word,
        Unit::One,
        Hyphen,
        &[
            "ssl_alpn_protocol",
            "ssl_cipher",
            "ssl_ciphers",
            "ssl_client_escaped_cert",
            "ssl_client_fingerprint",
            "ssl_client_serial",
            "ssl_client_sigalg",
            "ssl_curve",
            "ssl_curves",
            "ssl_early_data",
            "ssl_protocol",
            "ssl_session_id",
            "ssl_session_reused",
            "ssl_sigalg",
        ],
    ),
    (Integer, Unit::Days, Hyphen, &["ssl_client_v_remain"]),
    // gzip, limit_conn, limit_req, geoip.
    (Decimal, Unit::One, Hyphen, &["gzip_ratio"]),
    (
        Word,
        Unit::One,
        Hyphen,
        &[
            "limit_conn_status",
            "limit_req_status",
            "geoip_country_code",
            "geoip_country_code3",
            "geoip_city_continent_code",
            "geoip_city_country_code",
            "geoip_city_country_code3",
            "geoip_latitude",
            "geoip_longitude",
        ],
    ),
    (
        Integer,
        Unit::One,
        Hyphen,
        &["geoip_area_code", "geoip_dma_code"],
    ),
    // auth_request, auth_jwt, secure_link, otel.
    (
        Word,
        Unit::One,
        Hyphen,
        &[
            "jwt_payload",
            "secure_link_expires",
            "otel_trace_id",
            "otel_span_id",
            "otel_parent_id",
        ],
    ),
    (
        Text,
        Unit::One,
        Nothing,
        &["secure_link", "otel_parent_sampled"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice_in_the_table() {
        let mut names: Vec<_> = TABLE.iter().flat_map(|(.., names)| *names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_a_client_sends_is_text() {
        for name in [
            "http_user_agent",
            "http_content_length",
            "sent_http_location",
            "cookie_a",
            "arg_b",
            "remote_user",
            "ssl_server_name",
            "content_length",
            "my_own",
        ] {
            assert_eq!(Variable::named(name).kind, Kind::Text, "{name}");
        }
    }

    #[track_caller]
    fn check_seconds(unit: Unit, raw: &str, expected: Option<f64>) {
        let variable = Variable::in_unit("request_time", unit);
        assert_eq!(variable.read_seconds(raw.as_bytes()), expected, "{raw}");
    }

    #[test]
    fn durations_are_seconds_in_every_unit() {
        check_seconds(Unit::Seconds, "0.052", Some(0.052));
        check_seconds(Unit::Milliseconds, "52", Some(0.052));
        check_seconds(Unit::Milliseconds, "52.5", Some(0.0525));
        check_seconds(Unit::Microseconds, "52000", Some(0.052));
        check_seconds(Unit::Nanoseconds, "52000000", Some(0.052));
        check_seconds(Unit::Microseconds, "-1", None);
        check_seconds(Unit::Microseconds, "0, 1", None);
    }

    #[test]
    fn lists_of_durations_add_up() {
        let variable = Variable::named("upstream_response_time");
        assert!(variable.kind.is_list());
        assert_eq!(variable.read_seconds(b"0.1, - : 0.2"), Some(0.3));
    }
}

//! What is known of each Nginx variable: the shape of its value.

/// A variable of a format, in the order of its first appearance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Nginx's name, without `$`.
    pub name: String,
    /// What its values look like.
    pub kind: Kind,
}

impl Variable {
    /// The variable of this name; one that is not known is [`Kind::Text`].
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind_of(name),
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
    /// [`seconds`](crate::seconds).
    Seconds,
    /// A plain decimal number without a unit: [`seconds`](crate::seconds) reads it too.
    Decimal,
    /// Seconds at several upstreams: [`seconds_list`](crate::seconds_list) adds them up.
    SecondsList,
    /// Words of several upstreams: `, ` between tries, ` : ` between groups.
    List,
    /// `$time_local`, `$time_iso8601` or `$msec`; [`Hit::time_us`](crate::Hit::time_us) is what they say.
    Time,
    /// The request line; [`Hit::request`](crate::Hit::request) has its parts.
    Request,
}

fn kind_of(name: &str) -> Kind {
    KINDS
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map_or(Kind::Text, |(kind, _)| *kind)
}

/// Text that a client sends (headers, `$remote_user`, `$uri`) is not listed: it may hold anything.
const KINDS: &[(Kind, &[&str])] = &[
    (Kind::Request, &["request"]),
    (Kind::Time, &["time_local", "time_iso8601", "msec"]),
    (Kind::Status, &["status"]),
    (Kind::StatusList, &["upstream_status"]),
    (
        Kind::Address,
        &[
            "remote_addr",
            "realip_remote_addr",
            "proxy_protocol_addr",
            "proxy_protocol_server_addr",
            "server_addr",
        ],
    ),
    (
        Kind::Port,
        &[
            "server_port",
            "remote_port",
            "realip_remote_port",
            "proxy_protocol_port",
            "proxy_protocol_server_port",
        ],
    ),
    (
        Kind::Integer,
        &[
            "body_bytes_sent",
            "bytes_sent",
            "bytes_received",
            "request_length",
            "connection",
            "connection_requests",
            "connections_active",
            "connections_reading",
            "connections_waiting",
            "connections_writing",
            "pid",
            "tcpinfo_rtt",
            "tcpinfo_rttvar",
            "tcpinfo_snd_cwnd",
            "tcpinfo_rcv_space",
        ],
    ),
    (Kind::Seconds, &["request_time", "connection_time"]),
    (Kind::Decimal, &["gzip_ratio"]),
    (
        Kind::SecondsList,
        &[
            "upstream_connect_time",
            "upstream_header_time",
            "upstream_response_time",
            "upstream_queue_time",
        ],
    ),
    (
        Kind::List,
        &[
            "upstream_addr",
            "upstream_bytes_received",
            "upstream_bytes_sent",
            "upstream_response_length",
        ],
    ),
    (
        Kind::Word,
        &[
            "request_method",
            "server_protocol",
            "scheme",
            "host",
            "hostname",
            "server_name",
            "request_id",
            "ssl_protocol",
            "ssl_cipher",
            "ssl_curve",
            "ssl_session_id",
            "ssl_session_reused",
            "upstream_cache_status",
            "http2",
            "http3",
            "https",
            "nginx_version",
            "pipe",
        ],
    ),
];

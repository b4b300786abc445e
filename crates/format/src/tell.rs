//! What a value can be told by, where nobody says which variable it is.

use crate::number;
use crate::request::RequestParts;
use crate::time;

pub(crate) type Test = fn(&[u8]) -> bool;

/// Any time from 2000 to 2100. Numbers outside count something else.
pub(crate) fn is_time(value: &[u8]) -> bool {
    const PLAUSIBLE_US: std::ops::Range<i64> = 946_684_800_000_000..4_102_444_800_000_000;
    value.len() >= 10 && time::any(value).is_some_and(|time_us| PLAUSIBLE_US.contains(&time_us))
}

/// A request line with its method and its protocol.
pub(crate) fn is_request(value: &[u8]) -> bool {
    let parts = RequestParts::split(value);
    parts.method.is_some() && parts.protocol.is_some()
}

/// An IP address, with a port or not.
pub(crate) fn is_address(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| {
        text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
    })
}

/// An IP address with a port, or a socket's path, of one upstream after the other.
pub(crate) fn are_upstreams(value: &[u8]) -> bool {
    number::list_items(value).all(|item| {
        item.starts_with(b"unix:")
            || std::str::from_utf8(item)
                .is_ok_and(|text| text.parse::<std::net::SocketAddr>().is_ok())
    })
}

/// Addresses with commas between, as proxies hand them on; some write `unknown` for one.
pub(crate) fn is_address_list(value: &[u8]) -> bool {
    let mut items = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.all(|item| {
        let is_address_byte = |byte: &u8| byte.is_ascii_hexdigit() || b".:[]%".contains(byte);
        item == b"unknown"
            || (item.iter().any(|byte| matches!(byte, b'.' | b':'))
                && item.iter().all(is_address_byte))
    })
}

pub(crate) fn is_method(value: &[u8]) -> bool {
    matches!(
        value,
        b"GET" | b"HEAD" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"OPTIONS"
    )
}

pub(crate) fn is_protocol(value: &[u8]) -> bool {
    value.starts_with(b"HTTP/")
}

pub(crate) fn is_target(value: &[u8]) -> bool {
    value.first() == Some(&b'/')
}

pub(crate) fn is_status(value: &[u8]) -> bool {
    number::status(value).is_some_and(|status| (100..600).contains(&status) && value.len() == 3)
}

pub(crate) fn is_browser(value: &[u8]) -> bool {
    value.starts_with(b"Mozilla/")
}

pub(crate) fn is_url(value: &[u8]) -> bool {
    value.starts_with(b"https://") || value.starts_with(b"http://")
}

pub(crate) fn is_integer(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

/// Seconds as Nginx writes all durations: with three decimals.
pub(crate) fn is_duration(value: &[u8]) -> bool {
    let (whole, decimals) = value.split_at(value.len().saturating_sub(4));
    is_integer(whole) && decimals[0] == b'.' && is_integer(&decimals[1..])
}

/// Such durations, of one upstream after the other.
pub(crate) fn are_durations(value: &[u8]) -> bool {
    number::list_items(value).all(is_duration)
}

/// Digits, with a point among them or not.
pub(crate) fn is_decimal(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    value.first().is_some_and(u8::is_ascii_digit) && value.iter().all(is_part)
}

/// What `$request_id` is.
pub(crate) fn is_request_id(value: &[u8]) -> bool {
    value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit)
}

pub(crate) fn is_tls(value: &[u8]) -> bool {
    value.starts_with(b"TLSv1") || value == b"SSLv3"
}

/// OpenSSL's name of a cipher suite.
pub(crate) fn is_cipher(value: &[u8]) -> bool {
    value.starts_with(b"TLS_")
        || value.starts_with(b"ECDHE-")
        || value.starts_with(b"DHE-")
        || value.starts_with(b"AES")
}

pub(crate) fn is_cache_status(value: &[u8]) -> bool {
    matches!(
        value,
        b"HIT" | b"MISS" | b"BYPASS" | b"EXPIRED" | b"STALE" | b"UPDATING" | b"REVALIDATED"
    )
}

/// `$pipe`: whether the request was pipelined.
pub(crate) fn is_pipe(value: &[u8]) -> bool {
    matches!(value, b"p" | b".")
}

/// The name of a host, with a point in it.
pub(crate) fn is_domain(value: &[u8]) -> bool {
    let mut labels = value.split(|byte| *byte == b'.');
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let is_top = |label: &[u8]| label.len() > 1 && label.iter().all(u8::is_ascii_alphabetic);
    labels.next_back().is_some_and(is_top) && value.contains(&b'.') && labels.all(is_label)
}

/// Names of columns that are not filled from a variable.
const RESERVED: &[&str] = &[
    "kind",
    "time",
    "client",
    "path",
    "layer",
    "bot",
    "bot_rule",
    "source",
    "line_offset",
    "line_bytes",
    "blank_before",
    "time_inferred",
    "reason",
    "raw",
    "extra",
    "date",
];

/// A variable's name for a key or label of the log's own: its letters and digits, told apart from what the tables have
/// and from what `is_taken`.
pub(crate) fn own_name(key: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = crate::percent::name_of("", key);
    if name.is_empty()
        || name.starts_with(|first: char| first.is_ascii_digit())
        || RESERVED.contains(&name.as_str())
        || is_taken(&name)
    {
        name.insert_str(0, "log_");
    }
    while is_taken(&name) {
        name.push('_');
    }
    name
}

//! Random values of variables, as hostile as a client can make them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::writer::{LogFormat, Values};

/// Bytes of a header: anything, and often what matters to a parser.
pub(crate) fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = select(vec![
        "\"",
        "\\",
        "\" ",
        "\\\"",
        "] \"",
        " [",
        "-",
        " - ",
        "?",
        ":",
        "\x16\x03",
        "\u{7f}",
        "ж",
        "\u{202e}",
        "\n",
        "\r",
        ", ",
        "\",\"",
        "\":\"",
        "}",
        "{",
        "|",
        "\t",
        " 200 ",
        " 200 5 ",
        "0.001",
        "\\x22",
        "\\x5C",
        "\\u0022",
        "[01/Jan/2024:00:00:00 +0000]",
        "2024-01-01T00:00:00+00:00",
        "1704067200.000",
        " [01/Jan/2024:00:00:00 +0000] \"GET /forged HTTP/1.1\" 200 1 \"-\" \"-\"",
        " [01/Jan/2024:00:00:00 +0000] \\x22GET /forged HTTP/1.1\\x22 200 1",
        "GET / HTTP/1.1",
        "192.0.2.9 - -",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        2 => "[a-z]{1,5}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A request line; now and then none.
fn request() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => hostile_bytes().prop_map(|target| [b"GET /", target.as_slice(), b" HTTP/1.1"].concat()),
        1 => hostile_bytes(),
    ]
}

/// One word: no space, and nothing that Nginx would refuse in a host name.
fn word() -> impl Strategy<Value = Vec<u8>> {
    "[-a-zA-Z0-9._]{1,12}".prop_map(String::into_bytes)
}

/// `$time_local`, `$time_iso8601` and `$msec` of one moment in one zone.
#[derive(Debug, Clone)]
struct Times {
    local: String,
    iso8601: String,
    msec: String,
}

fn times() -> impl Strategy<Value = Times> {
    let date = (1970..10_000_u32, 0..12_usize, 1..=28_u32);
    let clock = (0..24_u32, 0..60_u32, 0..60_u32);
    let zone = (any::<bool>(), 0..15_u32, select(vec![0_u32, 15, 30, 45]));
    let msec = (0..4_000_000_000_u64, 0..1_000_u32);
    (date, clock, zone, msec).prop_map(
        |((year, month, day), (hour, minute, second), (is_east, hours, minutes), (s, ms))| {
            const MONTHS: [&str; 12] = [
                "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
            ];
            let sign = if is_east { '+' } else { '-' };
            let name = MONTHS[month];
            let month = month + 1;
            let clock = format!("{hour:02}:{minute:02}:{second:02}");
            Times {
                local: format!("{day:02}/{name}/{year}:{clock} {sign}{hours:02}{minutes:02}"),
                iso8601: format!("{year}-{month:02}-{day:02}T{clock}{sign}{hours:02}:{minutes:02}"),
                msec: format!("{s}.{ms:03}"),
            }
        },
    )
}

fn upstreams(item: &'static [&'static str]) -> BoxedStrategy<Option<Vec<u8>>> {
    let separated = (select(vec![", ", " : "]), select(item));
    let list = (select(item), vec(separated, 0..3)).prop_map(|(first, more)| {
        let more: Vec<String> = more
            .into_iter()
            .map(|(separator, item)| format!("{separator}{item}"))
            .collect();
        Some(format!("{first}{}", more.concat()).into_bytes())
    });
    prop_oneof![3 => list, 1 => Just(None)].boxed()
}

/// What Nginx may know of one variable.
fn value(name: &str) -> BoxedStrategy<Option<Vec<u8>>> {
    let text = |text: String| Some(text.into_bytes());
    match name {
        "status" => (0..1_000_u32)
            .prop_map(move |status| text(format!("{status:03}")))
            .boxed(),
        "body_bytes_sent" | "bytes_sent" | "request_length" | "connection" => any::<u64>()
            .prop_map(move |bytes| text(bytes.to_string()))
            .boxed(),
        "server_port" | "remote_port" => any::<u16>()
            .prop_map(move |port| text(port.to_string()))
            .boxed(),
        "request_time" => (0..100_000_u32)
            .prop_map(move |ms| text(format!("{}.{:03}", ms / 1_000, ms % 1_000)))
            .boxed(),
        "gzip_ratio" => select(vec![None, Some("3.14"), Some("1.00")])
            .prop_map(|ratio| ratio.map(|ratio| ratio.as_bytes().to_vec()))
            .boxed(),
        "server_protocol" => select(vec![
            None,
            Some("HTTP/1.0"),
            Some("HTTP/1.1"),
            Some("HTTP/2.0"),
            // A version that Nginx does not know.
            Some(""),
        ])
        .prop_map(|protocol| protocol.map(|protocol| protocol.as_bytes().to_vec()))
        .boxed(),
        "remote_addr" => select(vec![
            "192.0.2.7",
            "2001:db8::1",
            "::ffff:203.0.113.9",
            "unix:",
        ])
        .prop_map(move |address| text(address.to_owned()))
        .boxed(),
        "upstream_addr" => upstreams(&[
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "unix:/run/a.sock",
            "backend",
        ]),
        "upstream_status" => upstreams(&["200", "502", "-"]),
        "upstream_response_time" | "upstream_connect_time" => upstreams(&["0.000", "12.345", "-"]),
        // Nginx's configuration names it, not a client.
        "proxy_upstream_name" | "proxy_alternative_upstream_name" => {
            proptest::option::weighted(0.8, word()).boxed()
        }
        "host" | "scheme" | "request_id" | "ssl_cipher" | "request_method" => {
            word().prop_map(Some).boxed()
        }
        "request_uri" => {
            let uri = hostile_bytes().prop_map(|target| [b"/", target.as_slice()].concat());
            proptest::option::weighted(0.9, uri).boxed()
        }
        "request" => proptest::option::weighted(0.95, request()).boxed(),
        _ => proptest::option::weighted(0.8, hostile_bytes()).boxed(),
    }
}

/// Values for all variables of a format.
pub(crate) fn values(format: &LogFormat) -> impl Strategy<Value = Values> + use<> {
    let mut names: Vec<String> = format.names().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    let all: Vec<_> = names.iter().map(|name| value(name)).collect();
    (times(), all).prop_map(move |(times, all)| {
        let mut values = Values::new();
        for (name, value) in names.iter().zip(all) {
            let value = match name.as_str() {
                "time_local" => Some(times.local.clone().into_bytes()),
                "time_iso8601" => Some(times.iso8601.clone().into_bytes()),
                "msec" => Some(times.msec.clone().into_bytes()),
                _ => value,
            };
            values.extend(value.map(|value| (name.clone(), value)));
        }
        values
    })
}

/// Format texts with a line that Nginx wrote in each.
pub(crate) fn written(text: &str) -> impl Strategy<Value = (Values, Vec<u8>)> + use<> {
    let format = LogFormat::read(text).expect("a format");
    values(&format).prop_map(move |values| {
        let line = format.write_line(&values);
        (values, line)
    })
}

/// Variables of all forms.
const NAMES: &[&str] = &[
    "remote_addr",
    "remote_user",
    "time_local",
    "time_iso8601",
    "msec",
    "request",
    "status",
    "body_bytes_sent",
    "request_time",
    "gzip_ratio",
    "upstream_addr",
    "upstream_response_time",
    "host",
    "scheme",
    "server_protocol",
    "server_port",
    "http_a",
    "http_b",
];

/// A format text in which what a client sends stands in quotes: between spaces, or as an object.
pub(crate) fn quoted_format() -> impl Strategy<Value = String> {
    let fields = vec((select(NAMES), any::<bool>()), 1..10);
    (any::<bool>(), fields).prop_map(|(is_object, mut fields)| {
        fields.sort();
        fields.dedup_by_key(|(name, _)| *name);
        let fields = fields.into_iter().map(|(name, in_quotes)| {
            let is_text = matches!(name, "remote_user" | "request") || name.starts_with("http_");
            let quote = if in_quotes || is_text { "\"" } else { "" };
            let key = if is_object {
                format!("\"{name}\":")
            } else {
                String::new()
            };
            format!("{key}{quote}${name}{quote}")
        });
        let fields: Vec<String> = fields.collect();
        if is_object {
            format!("escape=json {{{}}}", fields.join(","))
        } else {
            fields.join(" ")
        }
    })
}

/// A format text of any variables with any literals between.
pub(crate) fn any_format() -> impl Strategy<Value = String> {
    // None that addresses, hosts or lists hold: where another one looks as good, host names taken for addresses and lists
    // taken for one another let the parser go wrong.
    const LITERALS: &[&str] = &[
        " ", " ", " ", "\" \"", " \"", "\" ", "\"", " [", "] ", "] \"", "|", " - ", "\t", ";",
        " rt=",
    ];
    let escape = select(vec!["", "", "", "escape=json ", "escape=none "]);
    let fields = vec((select(NAMES), select(LITERALS)), 1..7);
    (escape, select(LITERALS), fields, any::<bool>()).prop_map(|(escape, head, fields, is_open)| {
        let mut text = format!("{escape}{}", if is_open { "" } else { head });
        let last = fields.len() - 1;
        for (index, (name, literal)) in fields.into_iter().enumerate() {
            // FIXME: lists should be told apart by what their items look like; in `$upstream_response_time, $upstream_addr`
            // and `$upstream_response_time:$upstream_addr` the first one takes too much.
            let ends_a_list = literal.starts_with([' ', '"']);
            let literal = match name.strip_prefix("upstream_") {
                Some(_) if !ends_a_list => " ",
                _ => literal,
            };
            let literal = if index == last && is_open {
                ""
            } else {
                literal
            };
            text.push_str(&format!("${name}{literal}"));
        }
        text
    })
}

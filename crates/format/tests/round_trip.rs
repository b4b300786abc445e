//! Lines written by Nginx's rules, from values that are known, are read back as those values.

use floodmark_format::{CompiledFormat, Escape, unescape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What Nginx knows of one variable: its bytes, or that there is none.
type Value = Option<Vec<u8>>;

/// One field of a format: the variable, whether it stands in quotes, and its value.
#[derive(Debug, Clone)]
struct Field {
    variable: String,
    in_quotes: bool,
    value: Value,
}

/// `ngx_http_log_escape` and `ngx_escape_json`, byte by byte.
fn write_value(escape: Escape, value: &Value, line: &mut Vec<u8>) {
    let Some(bytes) = value else {
        if escape == Escape::Default {
            line.push(b'-');
        }
        return;
    };
    for &byte in bytes {
        match (escape, byte) {
            (Escape::Default, 0..0x20 | b'"' | b'\\' | 0x7F..) => {
                line.extend(format!("\\x{byte:02X}").bytes())
            }
            (Escape::Json, b'"' | b'\\') => line.extend([b'\\', byte]),
            (Escape::Json, b'\n') => line.extend(br"\n"),
            (Escape::Json, b'\r') => line.extend(br"\r"),
            (Escape::Json, b'\t') => line.extend(br"\t"),
            (Escape::Json, 0x08) => line.extend(br"\b"),
            (Escape::Json, 0x0C) => line.extend(br"\f"),
            (Escape::Json, 0..0x20) => line.extend(format!("\\u{byte:04X}").bytes()),
            _ => line.push(byte),
        }
    }
}

/// The one text of these bytes, found by trying each length of a UTF-8 character.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let character = (1..=4)
            .filter_map(|length| std::str::from_utf8(bytes.get(at..at + length)?).ok())
            .find(|text| text.chars().count() == 1 && *text != "\\");
        match character {
            Some(character) => text.push_str(character),
            None => text.push_str(&format!("\\x{:02X}", bytes[at])),
        }
        at += character.map_or(1, str::len);
    }
    text
}

fn check(escape: Escape, format: &str, line: &[u8], fields: &[Field]) -> Result<(), TestCaseError> {
    let format = CompiledFormat::compile(format).expect("a format");
    let hit = match format.parse(line) {
        Ok(hit) => hit,
        Err(error) => {
            let line = String::from_utf8_lossy(line);
            return Err(TestCaseError::fail(format!(
                "{line}\n{}\n{}",
                format.text(),
                error.render(&format, line.as_bytes())
            )));
        }
    };
    for (slot, field) in fields.iter().enumerate() {
        prop_assert_eq!(&format.variables()[slot].name, &field.variable);
        let found = hit.values[slot];
        let mut expected = field.value.clone();
        if escape == Escape::Default && expected.as_deref() == Some(b"-") {
            // Nginx logs both alike.
            expected = None;
        }
        if escape == Escape::Json && expected.is_none() && field.variable.starts_with("http_") {
            expected = Some(Vec::new());
        }
        let mut written = Vec::new();
        write_value(escape, &expected, &mut written);
        prop_assert_eq!(
            found,
            expected.as_ref().map(|_| written.as_slice()),
            "${}",
            field.variable
        );
        let text = found.map(|raw| unescape(escape, raw).into_owned());
        prop_assert_eq!(
            text,
            expected.as_deref().map(text_of),
            "${}",
            field.variable
        );
    }
    Ok(())
}

/// Bytes of a header: anything, and often what matters to a parser.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
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
        "\x16\x03",
        "ж",
        "\n",
        ", ",
        "\",\"",
        "}",
        "{",
        "\\x22",
        "[01/Jan/2024:00:00:00 +0000]",
        "[01/Jan/2024:00:00:00 +0000] \"GET /forged HTTP/1.1\" 200 1 \"-\" \"-\"",
        "GET / HTTP/1.1",
    ]);
    let piece = prop_oneof![
        pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6)
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = Value> {
    proptest::option::weighted(0.8, hostile_bytes())
}

fn typed() -> impl Strategy<Value = (String, Value)> {
    let some = |text: &str| Some(text.as_bytes().to_vec());
    prop_oneof![
        (0..1000_u32).prop_map(|status| (
            "status".to_owned(),
            Some(format!("{status:03}").into_bytes())
        )),
        any::<u64>().prop_map(|bytes| (
            "bytes_sent".to_owned(),
            Some(bytes.to_string().into_bytes())
        )),
        (0..100_000_u32).prop_map(|ms| {
            (
                "request_time".to_owned(),
                Some(format!("{}.{:03}", ms / 1000, ms % 1000).into_bytes()),
            )
        }),
        select(vec!["0.001", "0.001, 0.002", "-, 0.1 : 0.250", "-, -"])
            .prop_map(move |times| ("upstream_response_time".to_owned(), some(times))),
        Just(("upstream_addr".to_owned(), None)),
        select(vec![
            "192.0.2.1:80, 192.0.2.2:80",
            "unix:/run/a.sock : [2001:db8::1]:80"
        ])
        .prop_map(move |upstreams| ("upstream_addr".to_owned(), some(upstreams))),
        select(vec!["192.0.2.7", "2001:db8::1", "unix:"])
            .prop_map(move |address| ("remote_addr".to_owned(), some(address))),
        select(vec!["https", "http"]).prop_map(move |scheme| ("scheme".to_owned(), some(scheme))),
        Just(("gzip_ratio".to_owned(), None)),
        Just(("time_local".to_owned(), some("10/Jun/2024:06:13:21 +0000"))),
        Just(("msec".to_owned(), some("1718000001.250"))),
    ]
}

/// Fields of a format, no variable twice; text in quotes, the rest with or without.
fn fields() -> impl Strategy<Value = Vec<Field>> {
    let text = header().prop_map(|value| (String::new(), value));
    vec((prop_oneof![text, typed()], any::<bool>()), 1..12).prop_map(|drawn| {
        let mut fields: Vec<Field> = Vec::new();
        for (index, ((variable, value), in_quotes)) in drawn.into_iter().enumerate() {
            let is_text = variable.is_empty();
            let variable = if is_text {
                format!("http_{index}")
            } else {
                variable
            };
            if fields.iter().all(|field| field.variable != variable) {
                fields.push(Field {
                    variable,
                    in_quotes: in_quotes || is_text,
                    value,
                });
            }
        }
        fields
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_between_spaces_and_quotes(fields in fields()) {
        let (mut format, mut line) = (String::new(), Vec::new());
        for (index, field) in fields.iter().enumerate() {
            let quote = if field.in_quotes { "\"" } else { "" };
            let space = if index == 0 { "" } else { " " };
            format.push_str(&format!("{space}{quote}${}{quote}", field.variable));
            line.extend(format!("{space}{quote}").bytes());
            write_value(Escape::Default, &field.value, &mut line);
            line.extend(quote.bytes());
        }
        check(Escape::Default, &format, &line, &fields)?;
    }

    #[test]
    fn fields_of_an_object(fields in fields()) {
        let (mut format, mut line) = ("escape=json {".to_owned(), b"{".to_vec());
        for (index, field) in fields.iter().enumerate() {
            let quote = if field.in_quotes { "\"" } else { "" };
            let comma = if index == 0 { "" } else { "," };
            format.push_str(&format!("{comma}\"k{index}\":{quote}${}{quote}", field.variable));
            line.extend(format!("{comma}\"k{index}\":{quote}").bytes());
            write_value(Escape::Json, &field.value, &mut line);
            line.extend(quote.bytes());
        }
        format.push('}');
        line.push(b'}');
        check(Escape::Json, &format, &line, &fields)?;
    }

    #[test]
    fn combined_with_a_forging_user(user in header(), target in hostile_bytes(), referer in header(), agent in header()) {
        let field = |variable: &str, value: Value| Field { variable: variable.to_owned(), in_quotes: false, value };
        let fields = [
            field("remote_addr", Some(b"203.0.113.9".to_vec())),
            field("remote_user", user),
            field("time_local", Some(b"10/Jun/2024:06:13:21 +0000".to_vec())),
            field("request", Some([b"GET /", target.as_slice(), b" HTTP/1.1"].concat())),
            field("status", Some(b"401".to_vec())),
            field("body_bytes_sent", Some(b"0".to_vec())),
            field("http_referer", referer),
            field("http_user_agent", agent),
        ];
        let mut line = Vec::new();
        let between: [&[u8]; 8] = [b"", b" - ", b" [", b"] \"", b"\" ", b" ", b" \"", b"\" \""];
        for (literal, field) in between.iter().zip(&fields) {
            line.extend(*literal);
            write_value(Escape::Default, &field.value, &mut line);
        }
        line.push(b'"');
        let format = CompiledFormat::preset("combined").expect("a format");
        check(Escape::Default, format.text(), &line, &fields)?;
        let hit = format.parse(&line).expect("a line that fits");
        prop_assert_eq!(hit.time_us, Some(1_718_000_001_000_000));
        prop_assert_eq!(hit.request.method, Some(&b"GET"[..]));
        prop_assert_eq!(hit.request.protocol, Some(&b"HTTP/1.1"[..]));
    }

    #[test]
    fn a_value_has_one_text_in_every_escape(bytes in hostile_bytes()) {
        for escape in [Escape::Default, Escape::Json, Escape::None] {
            let mut raw = Vec::new();
            write_value(escape, &Some(bytes.clone()), &mut raw);
            prop_assert_eq!(unescape(escape, &raw), text_of(&bytes), "escape={}", escape);
        }
    }
}

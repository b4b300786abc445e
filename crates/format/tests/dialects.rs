//! Formats that are not Nginx's: any text of theirs and any line, and lines as their writers write them.

use floodmark_format::{CompiledFormat, Hit, unescape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const BALANCER: &str = r#"https 2024-06-10T06:13:21.25Z app/shop/1 192.0.2.7:4711 10.0.0.1:80 0.001 0.250 0.002 200 200 34 366 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/8" - - arn "Root=1" "www.example.com" "-" 10 2024-06-10T06:13:20.9Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1 "-" "-" "-""#;

/// Where the fields of [`BALANCER`] end.
fn field_ends() -> Vec<usize> {
    let mut in_quotes = false;
    let spaces = BALANCER.bytes().enumerate().filter(|(_, byte)| {
        in_quotes ^= *byte == b'"';
        *byte == b' ' && !in_quotes
    });
    spaces.map(|(at, _)| at).chain([BALANCER.len()]).collect()
}

#[test]
fn a_balancer_line_may_end_after_any_field_from_the_17th_on() {
    let format = CompiledFormat::preset("alb").expect("a format");
    let whole = format.parse(BALANCER.as_bytes()).expect("a whole line");
    let ends = field_ends();
    assert_eq!(ends.len(), 33);
    for (index, end) in ends.iter().enumerate() {
        let parsed = format.parse(&BALANCER.as_bytes()[..*end]);
        if index < 16 {
            assert!(parsed.is_err(), "{} fields", index + 1);
            continue;
        }
        let hit = parsed.unwrap_or_else(|error| panic!("{} fields: {error}", index + 1));
        assert_eq!(hit.request, whole.request);
        for (part, all) in hit.values.iter().zip(&whole.values) {
            assert!(part == all || part.is_none());
        }
    }
}

/// As mod_log_config's `ap_escape_logitem` does.
fn write_apache(bytes: &[u8], line: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b'\n' => line.extend(br"\n"),
            b'\r' => line.extend(br"\r"),
            b'\t' => line.extend(br"\t"),
            0x08 => line.extend(br"\b"),
            0x0B => line.extend(br"\v"),
            0..0x20 | 0x7F.. => line.extend(format!("\\x{byte:02x}").bytes()),
            _ => line.push(byte),
        }
    }
}

/// As Tomcat does with a header, each byte of which is a character to it.
fn write_tomcat(bytes: &[u8], line: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b'\n' => line.extend(br"\n"),
            b'\r' => line.extend(br"\r"),
            b'\t' => line.extend(br"\t"),
            0x0C => line.extend(br"\f"),
            0..0x20 | 0x7F.. => line.extend(format!("\\u{byte:04x}").bytes()),
            _ => line.push(byte),
        }
    }
}

/// Bytes as Nginx logs them with `escape=default`: the text that all formats agree on.
fn write_nginx(bytes: &[u8], line: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            0..0x20 | b'"' | b'\\' | 0x7F.. => line.extend(format!("\\x{byte:02X}").bytes()),
            _ => line.push(byte),
        }
    }
}

fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(vec![
            "\"", "\\", "\" \"", "\\\"", " ", "ж", "\t", "\n", "-", "\\x22", "\\u0022"
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn agent(format: &CompiledFormat, line: &[u8]) -> Option<String> {
    let slot = format
        .variables()
        .iter()
        .position(|variable| variable.name == "http_user_agent")?;
    let hit = match format.parse(line) {
        Ok(hit) => hit,
        Err(error) => panic!("{}", error.render(format, line)),
    };
    Some(unescape(format.escape(), hit.values[slot]?).into_owned())
}

fn any_format() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "%h",
        "%a",
        "%l",
        "%u",
        "%t",
        "%r",
        "%s",
        "%>s",
        "%<s",
        "%b",
        "%D",
        "%T",
        "%{ms}T",
        "%U",
        "%q",
        "%m",
        "%H",
        "%X",
        "%v",
        "%p",
        "%{X}i",
        "%{Y}o",
        "%{sec}t",
        "%{%F}t",
        "%{%T}t",
        "%{msec_frac}t",
        "%{HH:mm}t",
        "%{begin:yyyy-MM-dd}t",
        "%%",
        "%",
        "%{",
        "}",
        "\"",
        "\\\"",
        "\\t",
        " ",
        " ",
        "[",
        "]",
        "-",
        "ж",
        "pattern=\"",
        "status=",
        "a=b",
        "/1000",
        ",",
        "x=y.z",
    ]);
    let family = select(vec![
        "apache ",
        "tomcat ",
        "tomcat9 ",
        "json ",
        "ltsv ",
        "LogFormat \"",
        "",
    ]);
    (family, vec(piece, 0..10)).prop_map(|(family, pieces)| family.to_owned() + &pieces.concat())
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "192.0.2.7",
        "-",
        " ",
        " ",
        "\"",
        "[10/Jun/2024:06:13:21 +0000]",
        "GET /a?b HTTP/1.1",
        "200",
        "12",
        "0.5",
        "2024-06-10",
        "06:13:21",
        "\t",
        "a:",
        "{",
        "}",
        "\"a\":",
        "[",
        "]",
        "?",
        "ж",
        ":",
    ]);
    let pieces = vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![pieces, vec(any::<u8>(), 0..100)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_line(text in any_format(), line in any_line()) {
        let Ok(format) = CompiledFormat::named(&text) else {
            return Ok(());
        };
        let again = CompiledFormat::compile(format.text()).expect("the text of a format");
        prop_assert_eq!(again.text(), format.text());
        prop_assert_eq!(again.variables(), format.variables());
        prop_assert_eq!(again.layer(), format.layer());
        let mut hit = Hit::default();
        match format.parse_into(&line, &mut hit) {
            Ok(()) => {
                let inside = line.as_ptr_range();
                for (variable, value) in format.variables().iter().zip(&hit.values) {
                    if let Some(value) = value {
                        let value = value.as_ptr_range();
                        prop_assert!(inside.start <= value.start && value.end <= inside.end);
                    }
                    let seconds = value.and_then(|raw| variable.read_seconds(raw));
                    prop_assert!(seconds.is_none_or(f64::is_finite));
                }
            }
            Err(error) => {
                prop_assert!(!error.render(&format, &line).is_empty());
                prop_assert!(usize::try_from(error.offset).expect("an offset") <= line.len());
            }
        }
    }

    #[test]
    fn a_value_has_one_text_whoever_wrote_it(bytes in hostile_bytes()) {
        let head = br#"192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 5 "-" ""#;
        let line = |write: fn(&[u8], &mut Vec<u8>)| {
            let mut line = head.to_vec();
            write(&bytes, &mut line);
            line.push(b'"');
            line
        };
        let preset = |name| CompiledFormat::preset(name).expect("a format");
        let nginx = agent(&preset("combined"), &line(write_nginx));
        let apache = agent(&preset("apache_combined"), &line(write_apache));
        let tomcat = CompiledFormat::named("tomcat combined").expect("a format");
        prop_assert_eq!(&apache, &nginx);
        prop_assert_eq!(&agent(&tomcat, &line(write_tomcat)), &nginx);
        let mut json = br#"{"host":"192.0.2.7","time":"[10/Jun/2024:06:13:21 +0000]","statusCode":"200","requestHeaders": {"User-Agent":""#.to_vec();
        write_tomcat(&bytes, &mut json);
        json.extend(br#""}}"#);
        prop_assert_eq!(&agent(&preset("tomcat_json"), &json), &nginx);
    }

    #[test]
    fn a_duration_is_the_same_in_every_unit(us in 0..100_000_000_000_u64) {
        let read = |format: &str, logged: String| {
            let format = CompiledFormat::named(format).expect("a format");
            let line = format!("192.0.2.7 {logged}");
            let hit = format.parse(line.as_bytes()).expect("a line that fits");
            format.variables()[1].read_seconds(hit.values[1]?)
        };
        let seconds = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let expected = seconds.parse::<f64>().ok();
        prop_assert_eq!(read("apache %h %D", us.to_string()), expected);
        prop_assert_eq!(read("$remote_addr $request_time", seconds), expected);
    }
}

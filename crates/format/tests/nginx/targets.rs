//! What is done with foreign bytes, by the fuzzer and by the test that replays what it found.

use floodmark_format::{
    CompiledFormat, Escape, Hit, NginxConf, integer, port, seconds, seconds_list, status, unescape,
};

use crate::agreement::{comes_back, compare};
use crate::formats::UNFORGEABLE;
use crate::reference::{Reference, text_of_written, written_length};
use crate::writer::{LogFormat, Values, bytes_of, text_of, write_value};

/// What is done with the bytes; panics at what must not be.
pub(crate) type Target = fn(&[u8]);

/// By the name of the fuzz target, which is that of its corpus.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("line", line),
    ("written", written),
    ("any_format", any_format),
    ("detect", detect),
    ("json", json),
    ("nginx_conf", nginx_conf),
    ("unescape", unescape_any),
];

/// The slow parser is as slow as a line is long, squared.
const REFERENCE_BYTES_MAX: usize = 600;

/// A letter that says which of the formats of the field, and a line in it, which the reference reads too.
fn line(data: &[u8]) {
    let [letter, line @ ..] = data else { return };
    let index = usize::from(letter.wrapping_sub(b'a'));
    let Some(text) = UNFORGEABLE.get(index) else {
        return;
    };
    if line.contains(&b'\n') || line.len() > REFERENCE_BYTES_MAX {
        return;
    }
    let format = CompiledFormat::compile(text).expect("a format");
    let reference = Reference::new(&format).expect("a format of Nginx's");
    if let Err(disagreement) = compare(&format, &reference, line) {
        panic!("{disagreement}");
    }
}

/// A letter that says which of the formats of the field, and a client's values, one a line: they have to come back.
fn written(data: &[u8]) {
    let [letter, clients @ ..] = data else { return };
    let index = usize::from(letter.wrapping_sub(b'a'));
    let Some(text) = UNFORGEABLE.get(index) else {
        return;
    };
    let format = CompiledFormat::compile(text).expect("a format");
    let writer = LogFormat::read(text).expect("a format");
    let mut clients = clients.split(|byte| *byte == b'\n');
    let mut values = Values::new();
    for name in writer.names() {
        let value = match name {
            "time_local" => Some(&b"10/Jun/2024:06:13:21 +0000"[..]),
            "time_iso8601" => Some(&b"2024-06-10T06:13:21+00:00"[..]),
            "msec" => Some(&b"1718000001.250"[..]),
            "remote_addr" => Some(&b"2001:db8::1"[..]),
            "status" => Some(&b"404"[..]),
            "host" | "scheme" | "request_id" => Some(&b"word"[..]),
            "request_uri" => Some(&b"/a?b"[..]),
            "remote_user" | "request" | "t_size" => clients.next(),
            _ if name.starts_with("http_") => clients.next(),
            _ if name.starts_with("upstream_") => Some(&b"0.001, 0.002 : 0.003"[..]),
            _ if name.starts_with("proxy_") => None,
            _ => Some(&b"5"[..]),
        };
        values.extend(value.map(|value| (name.to_owned(), value.to_vec())));
    }
    let line = writer.write_line(&values);
    if let Err(what) = comes_back(&format, &values, &line) {
        panic!("{what}");
    }
}

/// A preset's name or a format's text, and a line in it.
fn any_format(data: &[u8]) {
    let (text, line) = split_at_newline(data);
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    match CompiledFormat::named(text) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(format) => {
            let again = CompiledFormat::named(format.text()).expect("its own text");
            assert_eq!(again.text(), format.text());
            parse(&format, line);
        }
    }
}

/// A log's first lines.
fn detect(data: &[u8]) {
    if let Some(found) = CompiledFormat::detect(data) {
        assert!(0 < found.matched && found.matched <= found.lines);
        for line in data.split(|byte| *byte == b'\n') {
            parse(&found.format, line);
        }
    }
}

/// A line that may be a JSON object: where it is one, a value is what the object says.
fn json(data: &[u8]) {
    let format = CompiledFormat::preset("json").expect("a preset");
    let Some(hit) = parse(&format, data) else {
        return;
    };
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(data) else {
        return;
    };
    let said: Vec<String> = object.values().map(text_in_json).collect();
    for (variable, raw) in format.variables().iter().zip(hit.values) {
        let Some(text) = raw.map(|raw| unescape(Escape::Json, raw)) else {
            continue;
        };
        // Of two keys that are the same, one is not in the object any more.
        let is_twice = data.iter().filter(|byte| **byte == b':').count() > object.len();
        // The digits of a number are kept in a row, and not in the object.
        let is_number = text.parse::<f64>().is_ok();
        let is_said = said.iter().any(|said| *said == text);
        assert!(
            is_said || is_twice || is_number,
            "${} says {text:?}",
            variable.name
        );
    }
}

/// The text that a row has for a value of an object.
fn text_in_json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text_of(text.as_bytes()),
        other => other.to_string(),
    }
}

/// The text of an nginx.conf.
fn nginx_conf(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match NginxConf::parse(text) {
        Err(error) => assert!(is_printable(&error.to_string())),
        Ok(conf) => {
            let logs = conf.logs(None);
            let formats = logs.iter().flat_map(|log| &log.formats);
            for text in formats.filter_map(|format| format.text.as_deref()) {
                if let Err(error) = CompiledFormat::compile(text) {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}

/// A letter that says how, and a value, escaped; then the same bytes as what has to be escaped.
fn unescape_any(data: &[u8]) {
    let [letter, raw @ ..] = data else { return };
    let escape = match letter {
        b'd' => Escape::Default,
        b'j' => Escape::Json,
        b'n' => Escape::None,
        _ => return,
    };
    let text = unescape(escape, raw);
    assert_eq!(text_of(&bytes_of(&text)), text, "a text stands for itself");
    if written_length(escape, raw) == raw.len() {
        assert_eq!(text, text_of_written(escape, raw));
    }
    let mut written = Vec::new();
    write_value(escape, Some(raw), &mut written);
    assert_eq!(unescape(escape, &written), text_of(raw));

    assert!(status(raw).is_none_or(|status| (0..1_000).contains(&status)));
    assert!(port(raw).is_none_or(|port| (0..=65_535).contains(&port)));
    assert!(integer(raw).is_none_or(|integer| integer >= 0));
    assert!(seconds(raw).is_none_or(f64::is_finite));
    assert!(seconds_list(raw).is_none_or(f64::is_finite));
}

fn split_at_newline(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(newline) => (&data[..newline], &data[newline + 1..]),
        None => (data, b""),
    }
}

/// Parses a line. What is read lies in it, and what is told of it can be printed.
fn parse<'line>(format: &CompiledFormat, line: &'line [u8]) -> Option<Hit<'line>> {
    let mut hit = Hit::default();
    if let Err(error) = format.parse_into(line, &mut hit) {
        assert!(usize::try_from(error.offset).expect("an offset") <= line.len());
        assert!(is_printable(&error.render(format, line)));
        return None;
    }
    let inside = line.as_ptr_range();
    let parts = &hit.request;
    let parts = [
        parts.method,
        parts.path,
        parts.args,
        parts.protocol,
        parts.whole,
    ];
    for value in hit.values.iter().chain(&parts).flatten() {
        let value = value.as_ptr_range();
        assert!(value.is_empty() || (inside.start <= value.start && value.end <= inside.end));
    }
    assert_eq!(hit.values.len(), format.variables().len());
    Some(hit)
}

fn is_printable(message: &str) -> bool {
    !message.is_empty() && !message.contains(|letter: char| letter.is_control() && letter != '\n')
}

//! Foreign bytes and foreign formats: nothing panics, and what is read lies in the line.

use floodmark_format::{
    CompiledFormat, Escape, Hit, integer, port, seconds, seconds_list, status, unescape,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const LINES: &[&str] = &[
    r#"192.0.2.7 - a b [10/Jun/2024:06:13:21 +0000] "GET /a?b HTTP/1.1" 200 512 "-" "x\x22y" "203.0.113.9""#,
    r#"www.example.com:443 192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "" 400 0 "-" "-""#,
    r#"{"time":"2024-06-10T06:13:21Z","status":200,"urt":,"request":"GET / HTTP/1.1","a":[{"b":"\""}]}"#,
];

/// A line, some of whose bytes are replaced, inserted or cut off.
fn damaged_line() -> impl Strategy<Value = Vec<u8>> {
    let damage = (
        any::<prop::sample::Index>(),
        prop_oneof![any::<u8>(), select(b"\"\\ []{}:,-0\r".to_vec())],
        0..3_u8,
    );
    (select(LINES), vec(damage, 0..6)).prop_map(|(line, damages)| {
        let mut line = line.as_bytes().to_vec();
        for (place, byte, way) in damages {
            let at = place.index(line.len() + 1);
            match way {
                0 if at < line.len() => line[at] = byte,
                1 => line.insert(at, byte),
                _ => line.truncate(at),
            }
        }
        line
    })
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![damaged_line(), vec(any::<u8>(), 0..200)]
}

/// A format text: pieces of formats in any order, and now and then anything.
fn any_format() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "$remote_addr",
        "$remote_user",
        "$time_local",
        "$time_iso8601",
        "$msec",
        "$request",
        "$status",
        "$request_time",
        "$upstream_addr",
        "$upstream_response_time",
        "$host",
        "$server_port",
        "$request_uri",
        "$http_a",
        "${http_b}",
        " ",
        " ",
        "\"",
        "\" \"",
        " [",
        "] ",
        "-",
        ",",
        ", ",
        " : ",
        "|",
        "{",
        "}",
        "escape=json ",
        "escape=none ",
        "'",
        "\\",
        "$",
        "ж",
    ]);
    vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

fn check(format: &CompiledFormat, line: &[u8]) -> Result<(), TestCaseError> {
    let mut hit = Hit::default();
    match format.parse_into(line, &mut hit) {
        Ok(()) => {
            prop_assert_eq!(hit.values.len(), format.variables().len());
            for value in hit.values.iter().flatten() {
                let inside = line.as_ptr_range();
                let value = value.as_ptr_range();
                prop_assert!(inside.start <= value.start && value.end <= inside.end);
            }
        }
        Err(error) => {
            prop_assert!(usize::try_from(error.offset).expect("an offset") <= line.len());
            let message = error.render(format, line);
            prop_assert!(
                !message.contains(|character: char| character.is_control() && character != '\n'),
                "{}",
                message
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_by_each_preset(line in any_line()) {
        for name in CompiledFormat::preset_names() {
            check(&CompiledFormat::preset(name).expect("a format"), &line)?;
        }
    }

    #[test]
    fn any_line_by_any_format(format in any_format(), line in any_line()) {
        if let Ok(format) = CompiledFormat::named(&format) {
            check(&format, &line)?;
            let again = CompiledFormat::compile(format.text()).expect("a format");
            prop_assert_eq!(again.text(), format.text());
            prop_assert_eq!(again.variables(), format.variables());
        }
    }

    #[test]
    fn any_text_as_a_format(format in any::<String>()) {
        if let Err(error) = CompiledFormat::named(&format) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_sample_is_looked_at(lines in vec(any_line(), 0..5)) {
        let sample = lines.join(&b'\n');
        if let Some(found) = CompiledFormat::detect(&sample) {
            prop_assert!(0 < found.matched && found.matched <= found.lines);
        }
    }

    #[test]
    fn any_bytes_as_a_value(raw in vec(any::<u8>(), 0..40)) {
        for escape in [Escape::Default, Escape::Json, Escape::None] {
            // What is undone once has no bare backslash left but those that say `\xHH`.
            let text = unescape(escape, &raw);
            for (at, _) in text.match_indices('\\') {
                prop_assert!(text[at..].starts_with("\\x"), "{}", text);
            }
        }
        prop_assert!(status(&raw).is_none_or(|status| (0..1000).contains(&status)));
        prop_assert!(port(&raw).is_none_or(|port| (0..=65_535).contains(&port)));
        prop_assert!(integer(&raw).is_none_or(|integer| integer >= 0));
        prop_assert!(seconds(&raw).is_none_or(f64::is_finite));
        prop_assert!(seconds_list(&raw).is_none_or(f64::is_finite));
    }

    #[test]
    fn integers_agree_with_the_standard_library(number in any::<u64>()) {
        let text = number.to_string();
        prop_assert_eq!(integer(text.as_bytes()), text.parse::<i64>().ok());
    }

    #[test]
    fn seconds_agree_with_the_standard_library(ms in 0..10_000_000_000_u64) {
        let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
        prop_assert_eq!(seconds(text.as_bytes()), text.parse::<f64>().ok());
    }
}

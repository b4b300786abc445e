//! The parser against the reference: lines that Nginx wrote, and what becomes of them when they are damaged.

use floodmark_format::{CompiledFormat, Escape, unescape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::agreement::{Verdict, comes_back, compare};
use crate::formats::UNFORGEABLE;
use crate::reference::Reference;
use crate::values::{any_format, hostile_bytes, quoted_format, written};
use crate::writer::{Values, bytes_of, text_of, write_value};

fn compiled(text: &str) -> (CompiledFormat, Reference) {
    let format = CompiledFormat::compile(text).expect("a format");
    let reference = Reference::new(&format).expect("a format of Nginx's");
    (format, reference)
}

fn agree(text: &str, line: &[u8]) -> Result<Verdict, TestCaseError> {
    let (format, reference) = compiled(text);
    compare(&format, &reference, line).map_err(TestCaseError::fail)
}

fn check_values(text: &str, values: &Values, line: &[u8]) -> Result<(), TestCaseError> {
    let (format, _) = compiled(text);
    comes_back(&format, values, line).map_err(TestCaseError::fail)
}

fn in_any(texts: &'static [&'static str]) -> impl Strategy<Value = (String, Values, Vec<u8>)> {
    select(texts).prop_flat_map(|text| in_format(text.to_owned()))
}

fn in_format(text: String) -> impl Strategy<Value = (String, Values, Vec<u8>)> {
    written(&text).prop_map(move |(values, line)| (text.clone(), values, line))
}

fn any_written() -> impl Strategy<Value = (String, Values, Vec<u8>)> {
    // A text is taken as it stands only if no spaces or quotes around it could mean something else.
    let is_plain =
        |text: &String| CompiledFormat::compile(text).is_ok_and(|format| format.text() == text);
    any_format()
        .prop_filter("a format that can be split", is_plain)
        .prop_flat_map(in_format)
}

/// A line with bytes changed, left out, put in, doubled, or cut off.
fn damaged(
    line: Vec<u8>,
    damages: Vec<(prop::sample::Index, prop::sample::Index, u8, u8)>,
) -> Vec<u8> {
    let mut line = line;
    for (place, other, way, byte) in damages {
        let (from, to) = (place.index(line.len() + 1), other.index(line.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match way {
            0 if from < line.len() => line[from] = byte,
            1 => line.insert(from, byte),
            2 => drop(line.drain(from..to)),
            3 => line.truncate(to),
            4 => {
                let part = line[from..to].to_vec();
                line.splice(to..to, part);
            }
            _ if from < line.len() => line[from] ^= 1 << (byte & 7),
            _ => {}
        }
    }
    line
}

fn damages() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, u8, u8)>> {
    let byte = prop_oneof![select(b"\"\" \\[]-:,|0\r{}".to_vec()), any::<u8>()];
    vec(
        (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            0..6_u8,
            byte,
        ),
        1..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_nginx_wrote_comes_back_whatever_a_client_sent((text, values, line) in in_any(UNFORGEABLE)) {
        let verdict = agree(&text, &line)?;
        prop_assert!(matches!(verdict, Verdict::Read { .. }), "{:?}", verdict);
        check_values(&text, &values, &line)?;
    }

    #[test]
    fn what_nginx_wrote_in_quotes_comes_back((text, values, line) in quoted_format().prop_flat_map(in_format)) {
        let verdict = agree(&text, &line)?;
        prop_assert!(matches!(verdict, Verdict::Read { .. }), "{:?}", verdict);
        check_values(&text, &values, &line)?;
    }

    #[test]
    fn a_value_has_one_text_in_every_escape(bytes in hostile_bytes()) {
        for escape in [Escape::Default, Escape::Json, Escape::None] {
            let mut raw = Vec::new();
            write_value(escape, Some(&bytes), &mut raw);
            let text = unescape(escape, &raw);
            prop_assert_eq!(&text, &text_of(&bytes), "escape={}", escape);
            prop_assert_eq!(bytes_of(&text), bytes.clone(), "escape={}", escape);
        }
    }

    #[test]
    fn a_damaged_line_is_read_alike_or_by_neither((text, _, line) in in_any(UNFORGEABLE), damages in damages()) {
        agree(&text, &damaged(line, damages))?;
    }

    #[test]
    fn what_nginx_wrote_in_any_format((text, values, line) in any_written()) {
        // Raw bytes at the ends of a line can look like an editor's, a carriage return or a byte order mark, or like a hole in a file.
        let is_trimmed = line.ends_with(b"\r") || line.starts_with(b"\xEF\xBB\xBF") || line.starts_with(b"\0");
        if agree(&text, &line)? == (Verdict::Read { ways: 1 }) && !is_trimmed {
            check_values(&text, &values, &line)?;
        }
    }
}

//! The report for machines, and JSON text that is safe to print.

use std::fmt::Write;

use serde::Serialize;

use crate::model::{Report, Verdict};
use crate::text::is_hidden;

/// Version of the JSON report's shape; a field that is renamed, removed or changes its meaning makes a new one.
const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct Document<'report> {
    schema: u32,
    verdict: Verdict,
    #[serde(flatten)]
    report: &'report Report,
}

impl Report {
    /// The report as JSON, indented, keys in a fixed order, times in RFC 3339 UTC; the pictures' minutes are left out.
    ///
    /// Control, C1, bidirectional and invisible characters are `\u` escapes, so that it may be printed.
    #[must_use]
    pub fn json(&self) -> String {
        let document = Document {
            schema: SCHEMA,
            verdict: self.verdict(),
            report: self,
        };
        let text = serde_json::to_string_pretty(&document)
            .expect("numbers, text, lists and named fields have a JSON form");
        printable(text) + "\n"
    }
}

/// A string as JSON, quotes included.
pub(crate) fn text(text: &str) -> String {
    printable(serde_json::to_string(text).expect("a string has a JSON form"))
}

/// JSON whose hidden characters are escaped. serde_json escapes those below U+0020 alone, and outside of strings writes no other
/// than the line feeds of its layout.
fn printable(json: String) -> String {
    let is_unsafe = |c: char| c != '\n' && is_hidden(c);
    if !json.chars().any(is_unsafe) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_printable_and_read_back_unchanged() {
        let hostile = "/a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{e0041}\"\\\n/straße";
        let printed = text(hostile);
        assert_eq!(
            printed,
            r#""/a\u001b[2J\u009b31m\u007f\u202e\udb40\udc41\"\\\n/straße""#
        );
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), hostile);
    }
}

//! How a log escapes text (`escape=` of `log_format`), and undoing it.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;

/// How values are escaped in a log: the `escape=` parameter of `log_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escape {
    /// `\xHH` for bytes below 0x20, `"`, `\` and from 0x7F; a missing value is `-`.
    /// Apache's `\"`, `\\`, `\n`, `\t` and their like are understood too.
    #[default]
    Default,
    /// JSON string escapes; a missing value is empty.
    Json,
    /// Nothing is escaped, so a client can forge lines; a missing value is empty.
    None,
    /// As Tomcat does: `\"`, `\\`, `\n` and their like, `\uXXXX` for all that is not printable ASCII; a missing value is
    /// `-`. Tomcat takes each byte of a header for a character, so `\u0000` to `\u00ff` are bytes.
    Tomcat,
}

impl Escape {
    /// The word after `escape=`; `tomcat` stands in no `log_format`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Json => "json",
            Self::None => "none",
            Self::Tomcat => "tomcat",
        }
    }

    /// Whether no value holds this byte as it is, so that it parts fields for certain.
    pub(crate) fn hides(self, byte: u8) -> bool {
        match self {
            Self::Default | Self::Tomcat => !(0x20..0x7F).contains(&byte),
            Self::Json => byte < 0x20,
            Self::None => false,
        }
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The text that `raw` stands for in a log with this `escape`.
///
/// Escapes are undone once. Two things stay `\xHH` (upper case), so that the result is valid UTF-8 and no two
/// values have the same text: a backslash (`\x5C`) and bytes that are not valid UTF-8. So a value has one text,
/// whichever `escape` it was logged with. Borrows when there is nothing to undo.
///
/// ```
/// use floodmark_format::{Escape, unescape};
///
/// assert_eq!(unescape(Escape::Default, br"say \x22\xD0\x96\x22 \xFF \x5Cx41"), r#"say "Ж" \xFF \x5Cx41"#);
/// assert_eq!(unescape(Escape::Json, br#"say \"\u0416\" \\x41"#), r#"say "Ж" \x5Cx41"#);
/// ```
pub fn unescape(escape: Escape, raw: &[u8]) -> Cow<'_, str> {
    if memchr(b'\\', raw).is_none() {
        if let Ok(text) = std::str::from_utf8(raw) {
            return Cow::Borrowed(text);
        }
        return Cow::Owned(canonical(raw));
    }
    Cow::Owned(match escape {
        Escape::Default => canonical(&undo(raw, default_escape)),
        Escape::Json => canonical(&undo(raw, json_escape)),
        Escape::None => canonical(raw),
        Escape::Tomcat => canonical(&undo(raw, tomcat_escape)),
    })
}

/// Replaces each escape that `decode` knows (given what follows the backslash, it pushes the bytes meant and
/// returns how many it consumed); an unknown one is a plain backslash.
fn undo(raw: &[u8], decode: fn(&[u8], &mut Vec<u8>) -> usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let consumed = decode(rest, &mut bytes);
        if consumed == 0 {
            bytes.push(b'\\');
        }
        rest = &rest[consumed..];
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn default_escape(after: &[u8], bytes: &mut Vec<u8>) -> usize {
    if let [b'x', high, low, ..] = after {
        if let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) {
            bytes.push(high << 4 | low);
            return 3;
        }
        return 0;
    }
    // Apache's own: ap_escape_logitem writes these and nothing else with one letter.
    let byte = match after.first() {
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'b') => 0x08,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 0x0B,
        _ => return 0,
    };
    bytes.push(byte);
    1
}

fn json_escape(after: &[u8], bytes: &mut Vec<u8>) -> usize {
    let byte = match after.first() {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return json_code_point(after, bytes),
        _ => return 0,
    };
    bytes.push(byte);
    1
}

fn tomcat_escape(after: &[u8], bytes: &mut Vec<u8>) -> usize {
    if let Some(unit) = utf16_unit(after)
        && let Ok(byte) = u8::try_from(unit)
    {
        bytes.push(byte);
        return 5;
    }
    json_escape(after, bytes)
}

/// `uXXXX`, or a surrogate pair `uXXXX\uXXXX`; a lone surrogate is no text and stays as it is.
fn json_code_point(after: &[u8], bytes: &mut Vec<u8>) -> usize {
    let Some(unit) = utf16_unit(after) else {
        return 0;
    };
    let (code, consumed) = match unit {
        0xD800..0xDC00 => match after
            .get(5..)
            .and_then(|rest| rest.strip_prefix(br"\"))
            .and_then(utf16_unit)
        {
            Some(low @ 0xDC00..0xE000) => (0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 11),
            _ => return 0,
        },
        _ => (unit, 5),
    };
    let Some(character) = char::from_u32(code) else {
        return 0;
    };
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    consumed
}

fn utf16_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | u32::from(hex_digit(*digit)?))
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// The one text of these bytes: valid UTF-8 as it is, backslashes and other bytes as `\xHH`.
fn canonical(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some(at) = memchr(b'\\', valid.as_bytes()) {
            text.push_str(&valid[..at]);
            text.push_str(r"\x5C");
            valid = &valid[at + 1..];
        }
        text.push_str(valid);
        for &byte in chunk.invalid() {
            push_hex(&mut text, byte);
        }
    }
    text
}

/// Appends `\xHH`, as Nginx writes a byte it does not log as it is.
pub(crate) fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push_str(r"\x");
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(escape: Escape, raw: &[u8], expected: &str) {
        assert_eq!(unescape(escape, raw), expected);
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(
            unescape(Escape::Default, "Ж plain".as_bytes()),
            Cow::Borrowed("Ж plain")
        ));
    }

    #[test]
    fn default_escapes_become_utf8() {
        check(Escape::Default, br"\xD0\x96\x0A\x7F", "Ж\n\u{7f}");
    }

    #[test]
    fn bytes_that_are_no_utf8_stay_escaped() {
        check(Escape::Default, br"\xD0 \xff \x80", r"\xD0 \xFF \x80");
        check(Escape::None, b"\xD0 \xFF", r"\xD0 \xFF");
        check(Escape::Json, b"\xD0\\n", "\\xD0\n");
    }

    #[test]
    fn a_backslash_has_one_text_in_every_escape() {
        check(Escape::Default, br"a\x5Cx41", r"a\x5Cx41");
        check(Escape::Json, br"a\\x41", r"a\x5Cx41");
        check(Escape::None, br"a\x41", r"a\x5Cx41");
    }

    #[test]
    fn undone_once_only() {
        check(Escape::Default, br"\x5Cx22", r"\x5Cx22");
    }

    #[test]
    fn apache_escapes_are_undone() {
        check(Escape::Default, br#"a\"b\\c\td"#, "a\"b\\x5Cc\td");
    }

    #[test]
    fn cut_or_unknown_escapes_are_plain_backslashes() {
        check(Escape::Default, br"\x4", r"\x5Cx4");
        check(Escape::Default, br"\xZZ\q\", r"\x5CxZZ\x5Cq\x5C");
        check(
            Escape::Json,
            br"\u12\ud800\ud800\u0041\",
            r"\x5Cu12\x5Cud800\x5Cud800A\x5C",
        );
    }

    #[test]
    fn tomcat_escapes_bytes_as_characters() {
        check(
            Escape::Tomcat,
            br#"\"\u00d0\u0096\" \n\u0416 \u00ff \\"#,
            "\"Ж\" \nЖ \\xFF \\x5C",
        );
    }

    #[test]
    fn json_surrogate_pairs_become_one_character() {
        check(Escape::Json, br"\ud83d\ude00\u0016", "😀\u{16}");
    }
}

//! Writes a line as Nginx does (`ngx_http_log_module`), byte by byte, from values that are known.
//!
//! Stands alone, so that other test binaries can take it in by its path.

use std::collections::BTreeMap;

use floodmark_format::Escape;

/// The bytes of variables by name; a variable that is not here is one that Nginx does not find.
pub(crate) type Values = BTreeMap<String, Vec<u8>>;

/// A `log_format` in its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFormat {
    pub(crate) escape: Escape,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    /// The name, without `$`.
    Variable(String),
}

impl LogFormat {
    /// Reads `escape=… ` and what stands in `log_format` after it, its quotes taken off. `None` if that is no format.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (escape, text) = match text.strip_prefix("escape=") {
            None => (Escape::Default, text),
            Some(rest) => match rest.split_once(' ')? {
                ("default", text) => (Escape::Default, text),
                ("json", text) => (Escape::Json, text),
                ("none", text) => (Escape::None, text),
                _ => return None,
            },
        };
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text.as_bytes();
        while let [byte, after @ ..] = rest {
            if *byte != b'$' {
                literal.push(*byte);
                rest = after;
                continue;
            }
            let in_braces = after.first() == Some(&b'{');
            let name_at = usize::from(in_braces);
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            let length = after[name_at..].iter().take_while(is_name).count();
            let end = name_at + length;
            if length == 0 || (in_braces && after.get(end) != Some(&b'}')) {
                return None;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let name = String::from_utf8_lossy(&after[name_at..end]).into_owned();
            pieces.push(Piece::Variable(name));
            rest = &after[end + name_at..];
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Some(Self { escape, pieces })
    }

    /// The names of its variables, as often as they appear.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The line that Nginx writes, without its newline.
    pub(crate) fn write_line(&self, values: &Values) -> Vec<u8> {
        let mut line = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => line.extend_from_slice(literal),
                Piece::Variable(name) => {
                    write_value(self.escape, values.get(name).map(Vec::as_slice), &mut line);
                }
            }
        }
        line
    }
}

/// `ngx_http_log_variable`, `ngx_http_log_json_variable` and `ngx_http_log_unescaped_variable`.
pub(crate) fn write_value(escape: Escape, value: Option<&[u8]>, line: &mut Vec<u8>) {
    match value {
        None if escape == Escape::Default => line.push(b'-'),
        None => {}
        Some(bytes) => {
            for &byte in bytes {
                write_byte(escape, byte, line);
            }
        }
    }
}

fn write_byte(escape: Escape, byte: u8, line: &mut Vec<u8>) {
    match (escape, byte) {
        (Escape::Default, 0..0x20 | b'"' | b'\\' | 0x7F..) => {
            line.extend(format!("\\x{byte:02X}").bytes());
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

/// The text that a row has for these bytes: characters as they are, a backslash and what is no UTF-8 as `\xHH`.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        // By trying each length that a character can have.
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

/// The bytes that a row's text stands for; undoes [`text_of`].
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        (bytes, rest) = match after {
            [b'x', high, low, after @ ..] if *byte == b'\\' => {
                let digit = |byte: u8| char::from(byte).to_digit(16).expect("`\\xHH`");
                let value = digit(*high) * 16 + digit(*low);
                bytes.push(u8::try_from(value).expect("two digits"));
                (bytes, after)
            }
            _ => {
                bytes.push(*byte);
                (bytes, after)
            }
        };
    }
    bytes
}

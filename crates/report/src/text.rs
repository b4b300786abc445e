//! Text as people read it: control characters made visible, numbers, shares, sizes and stretches of time.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How text is laid out for a terminal or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns; [`usize::MAX`] for an output that is no terminal: nothing is cut.
    pub width: usize,
    /// Colours by ANSI sequences; without them, words and symbols say the same.
    pub color: bool,
}

impl Style {
    /// Without colours, and never cut: for a file or a pipe.
    pub const PLAIN: Self = Self {
        width: usize::MAX,
        color: false,
    };

    /// `text` in `tone`.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
        };
        if self.color && !code.is_empty() && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What a piece of text says by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
}

/// Makes control, C1, bidirectional and invisible format characters visible: `\x1B` below U+0080, `\u{202E}` above.
///
/// A terminal would obey them and a page would reorder or hide text around them. Everything else, a backslash included, stays.
pub fn escape_control(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let _infallible = match c {
            c if !is_hidden(c) => {
                escaped.push(c);
                Ok(())
            }
            c if c.is_ascii() => write!(escaped, "\\x{:02X}", u32::from(c)),
            c => write!(escaped, "\\u{{{:04X}}}", u32::from(c)),
        };
    }
    Cow::Owned(escaped)
}

/// Whether a character acts on its surroundings instead of being seen.
pub(crate) fn is_hidden(c: char) -> bool {
    match c {
        ' '..='~' => false,
        c if c.is_control() => true,
        // Line and paragraph separators, bidirectional marks, embeddings, overrides and isolates, invisible operators.
        '\u{061C}'
        | '\u{180E}'
        | '\u{200B}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' => true,
        // Byte order mark, interlinear annotation, tags.
        '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' => true,
        _ => false,
    }
}

/// Columns that a terminal gives to `text`.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width_max` columns, its end replaced by `…` where it is longer.
pub(crate) fn cut(text: &str, width_max: usize) -> Cow<'_, str> {
    if width_max == usize::MAX || width(text) <= width_max {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns + 1 > width_max {
            break;
        }
        used += columns;
        kept.push(c);
    }
    if width_max > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Words of `text` in lines of at most `width_max` columns; a longer word has a line of its own and is cut.
pub(crate) fn wrap(text: &str, width_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line).saturating_add(1 + width(word)) <= width_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, width_max).into_owned()),
        }
    }
    lines
}

/// A share of so many columns as a bar, a single stroke for the least of it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of at most 1 times a width"
)]
pub(crate) fn bar(share: f64, columns: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (columns * 8) as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// `48310` as `48,310`.
pub(crate) fn count(number: i64) -> String {
    grouped(&number.to_string())
}

/// Digits with a comma between thousands; a sign in front stays.
pub(crate) fn grouped(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share as a percentage with two decimals, rounded down, so that only the whole is ever `100.00%` and a missed target never
/// looks met.
pub(crate) fn percent_down(share: f64) -> String {
    // The addend undoes the error of the multiplication, 0.9999 × 10,000 = 9998.999…, and is far below what is shown.
    format!("{:.2}%", (share * 10_000.0 + 1e-6).floor() / 100.0)
}

/// A share as a percentage with one decimal, `<0.1%` where that would hide that there is some.
pub(crate) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.001 {
        "<0.1%".to_owned()
    } else {
        format!("{:.1}%", share * 100.0)
    }
}

/// A target as it was given: `95%`, `99.95%`.
pub(crate) fn percent_target(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number of bytes, in units of 1000, rounded down: `1.2 MB`.
pub(crate) fn bytes(bytes: i64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    let mut scale = 1_i128;
    while i128::from(bytes) >= scale * 1000 && unit + 1 < UNITS.len() {
        scale *= 1000;
        unit += 1;
    }
    let tenths = i128::from(bytes) * 10 / scale;
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{}.{} {}", tenths / 10, tenths.abs() % 10, UNITS[unit])
    }
}

/// A stretch of minutes: `29 min`, `2 h 05 min`, `3 d 4 h`.
pub(crate) fn minutes(minutes: i64) -> String {
    match minutes {
        ..60 => format!("{minutes} min"),
        60..1440 => format!("{} h {:02} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// `1 outage`, `2 outages`.
pub(crate) fn plural(number: i64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", count(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_c1_bidi_and_invisible_characters_become_visible() {
        assert_eq!(
            escape_control("/a\x1b[2J\r\n\tb\x7f"),
            r"/a\x1B[2J\x0D\x0A\x09b\x7F"
        );
        assert_eq!(escape_control("\u{9b}31m"), r"\u{009B}31m");
        assert_eq!(
            escape_control("\u{202e}fdp\u{2066}\u{200b}\u{feff}\u{e0041}"),
            r"\u{202E}fdp\u{2066}\u{200B}\u{FEFF}\u{E0041}"
        );
    }

    #[test]
    fn readable_text_is_borrowed_unchanged() {
        assert!(matches!(
            escape_control(r"/straße/\x5C/漢字/👩‍💻"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 3), "ab…");
        assert_eq!(cut("abcdef", 0), "");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            ["0", "999", "1000", "-1234567"].map(grouped),
            ["0", "999", "1,000", "-1,234,567"]
        );
        assert_eq!(
            [0, 999, 1000, 1_250_000, 999_960, i64::MAX].map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.2 MB", "999.9 kB", "9.2 EB"]
        );
        assert_eq!(
            [5, 60, 125, 4560].map(minutes),
            ["5 min", "1 h 00 min", "2 h 05 min", "3 d 4 h"]
        );
    }

    #[test]
    fn a_share_below_the_target_never_looks_like_the_target() {
        assert_eq!(
            [0.949_999, 0.95, 0.9999, 0.999_999, 1.0].map(percent_down),
            ["94.99%", "95.00%", "99.99%", "99.99%", "100.00%"]
        );
        assert_eq!(
            [0.95, 0.9995, 1.0].map(percent_target),
            ["95%", "99.95%", "100%"]
        );
        assert_eq!([0.0, 0.0004, 0.25].map(percent), ["0.0%", "<0.1%", "25.0%"]);
    }
}

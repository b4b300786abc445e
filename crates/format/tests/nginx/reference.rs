//! A second parser, slow and plain, to hold the first one against.
//!
//! It knows what Nginx can write for each variable and tries every place where a value could end, byte by byte, with no
//! regard to speed. So it can say what a fast parser cannot: in how many ways Nginx could have written a line. A line
//! that could be written in one way only leaves nothing to choose; of several, the rule in [`Line::choose`] picks one.
//!
//! What a variable holds is taken from the public [`Kind`]; how a line divides is worked out here alone.

use std::collections::HashMap;
use std::net::IpAddr;

use floodmark_format::{CompiledFormat, Escape, Kind};

use crate::writer::{LogFormat, Piece, text_of};

/// A variable of the format, and the literal after it.
#[derive(Debug)]
struct Field {
    slot: usize,
    form: Form,
    after: Vec<u8>,
}

/// What Nginx can write for a variable that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    TimeLocal,
    TimeIso8601,
    Msec,
    Status,
    Digits,
    Decimal,
    List,
    Address,
    Protocol,
    Word,
    /// Nginx answers a target that does not begin with a slash before it has a URI.
    Uri,
    Text,
}

/// A format for the slow parser.
#[derive(Debug)]
pub(crate) struct Reference {
    escape: Escape,
    head: Vec<u8>,
    fields: Vec<Field>,
    slots: usize,
    clock: Option<Form>,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// In how many ways Nginx could have written the line.
    pub(crate) ways: u64,
    pub(crate) time_us: Option<i64>,
    /// By slot, as logged. `None` as in [`Hit::values`](floodmark_format::Hit::values).
    pub(crate) values: Vec<Option<Vec<u8>>>,
}

impl Reference {
    /// `None` if the format has a variable of a kind that is not known here, or a text that only quotes keep apart from
    /// another.
    pub(crate) fn new(format: &CompiledFormat) -> Option<Self> {
        let is_plain =
            |text: &LogFormat| text.escape == format.escape() && !format.text().starts_with('\'');
        let text = LogFormat::read(format.text()).filter(is_plain)?;
        let mut reference = Self {
            escape: text.escape,
            head: Vec::new(),
            fields: Vec::new(),
            slots: format.variables().len(),
            clock: None,
        };
        for piece in &text.pieces {
            match (piece, reference.fields.last_mut()) {
                (Piece::Literal(literal), Some(field)) => field.after.clone_from(literal),
                (Piece::Literal(literal), None) => reference.head.clone_from(literal),
                (Piece::Variable(name), _) => {
                    let slot = format
                        .variables()
                        .iter()
                        .position(|variable| variable.name == *name)?;
                    reference.fields.push(Field {
                        slot,
                        form: Form::of(format.variables()[slot].kind, name)?,
                        after: Vec::new(),
                    });
                }
            }
        }
        let has = |form| reference.fields.iter().any(|field| field.form == form);
        reference.clock = [Form::Msec, Form::TimeIso8601, Form::TimeLocal]
            .into_iter()
            .find(|form| has(*form));
        Some(reference)
    }

    /// Reads a line; `None` if Nginx cannot have written it in this format.
    pub(crate) fn read(&self, line: &[u8]) -> Option<Reading> {
        let mut line = Line {
            reference: self,
            bytes: line,
            ways: HashMap::new(),
        };
        let start = self.head.len();
        if !line.bytes.starts_with(&self.head) || line.ways_from(0, start) == 0 {
            return None;
        }
        Some(line.choose(start))
    }

    /// Whether these values, with the literals between, are the line: all of another server's that can be said. A
    /// variable that appears twice has one value, and nothing is known of the second place.
    pub(crate) fn is_tiled(&self, line: &[u8], values: &[Option<&[u8]>]) -> bool {
        let missing: &[u8] = match self.escape {
            Escape::Default => b"-",
            _ => b"",
        };
        let mut tiles = self.head.clone();
        for (index, field) in self.fields.iter().enumerate() {
            if self.fields[..index]
                .iter()
                .any(|before| before.slot == field.slot)
            {
                return line.starts_with(&tiles);
            }
            tiles.extend_from_slice(values[field.slot].unwrap_or(missing));
            tiles.extend_from_slice(&field.after);
        }
        tiles == line
    }

    /// Whether two fields that may hold anything have only such literals between as they may hold too: what is the one's
    /// and what is the other's, nothing in the line can tell.
    pub(crate) fn is_open(&self) -> bool {
        (0..self.fields.len()).any(|index| !self.is_plain(index) && !self.is_fenced(index))
    }

    /// Whether values of a field go on only as far as its form does, so that no client can put anything between.
    fn is_plain(&self, index: usize) -> bool {
        let field = &self.fields[index];
        let next = field.after.first().copied();
        match (field.form, next) {
            (Form::Text | Form::Uri, _) => false,
            (Form::Word, Some(b'"')) if self.escape != Escape::None => true,
            (Form::Word | Form::Address | Form::Protocol, None) => index + 1 == self.fields.len(),
            (Form::Address, Some(next)) => !is_in_address(next),
            (Form::Protocol, Some(next)) => !is_in_protocol(next),
            (Form::Word, Some(next)) => matches!(next, b' ' | b'"'),
            (Form::List, Some(next)) => {
                let is_separator = [&b", "[..], b" : "]
                    .iter()
                    .any(|separator| field.after.starts_with(separator));
                // A text that begins with a colon looks like another group.
                let is_before_text = field.after == b" "
                    && self
                        .fields
                        .get(index + 1)
                        .is_some_and(|next| next.form == Form::Text);
                matches!(next, b' ' | b',' | b'"') && !is_separator && !is_before_text
            }
            _ => true,
        }
    }

    /// Whether all fields between this one and the next quote that no client can write, or the line's end, are plain.
    fn is_fenced(&self, index: usize) -> bool {
        let ends_at_quote =
            |field: &Field| self.escape != Escape::None && field.after.contains(&b'"');
        let fence = self.fields[index..]
            .iter()
            .position(ends_at_quote)
            .map_or(self.fields.len() - 1, |distance| index + distance);
        (index + 1..=fence).all(|index| self.is_plain(index))
    }
}

/// A line that is being divided.
struct Line<'a> {
    reference: &'a Reference,
    bytes: &'a [u8],
    /// In how many ways the fields from the first one on can be what the line has from the second one on.
    ways: HashMap<(usize, usize), u64>,
}

impl Line<'_> {
    fn ways_from(&mut self, index: usize, at: usize) -> u64 {
        if index == self.reference.fields.len() {
            return u64::from(at == self.bytes.len());
        }
        if let Some(known) = self.ways.get(&(index, at)) {
            return *known;
        }
        let ways = self
            .ends(index, at)
            .into_iter()
            .map(|(_, ways)| ways)
            .fold(0_u64, u64::saturating_add);
        self.ways.insert((index, at), ways);
        ways
    }

    /// Where the field's value at `at` can end, and in how many ways the line can go on from there.
    fn ends(&mut self, index: usize, at: usize) -> Vec<(usize, u64)> {
        let reference = self.reference;
        let (field, escape) = (&reference.fields[index], reference.escape);
        let mut ends = Vec::new();
        let mut end = at;
        loop {
            if self.bytes[end..].starts_with(&field.after)
                && field.form.allows(escape, &self.bytes[at..end])
            {
                let ways = self.ways_from(index + 1, end + field.after.len());
                ends.push((end, ways));
            }
            match written_byte(escape, &self.bytes[end..]) {
                Some((length, _)) => end += length,
                None => break,
            }
        }
        ends.retain(|(_, ways)| *ways > 0);
        ends
    }

    /// Of several ways, from left to right: a value ends at the last place possible if it is plain itself, or if all that
    /// follows up to a quote or the line's end is, for a client may have forged what lies before but not that. Else it
    /// ends at the first.
    fn choose(&mut self, start: usize) -> Reading {
        let mut reading = Reading {
            ways: self.ways_from(0, start),
            time_us: None,
            values: vec![None; self.reference.slots],
        };
        let mut is_filled = vec![false; self.reference.slots];
        let mut at = start;
        for (index, field) in self.reference.fields.iter().enumerate() {
            let ends = self.ends(index, at);
            let goes_far = self.reference.is_plain(index) || self.reference.is_fenced(index);
            let end = if goes_far { ends.last() } else { ends.first() };
            let (end, _) = *end.expect("a way that was counted");
            let raw = &self.bytes[at..end];
            if !std::mem::replace(&mut is_filled[field.slot], true) {
                reading.values[field.slot] = field
                    .form
                    .value(self.reference.escape, raw)
                    .map(<[u8]>::to_vec);
                if Some(field.form) == self.reference.clock {
                    reading.time_us = field.form.time_us(raw);
                }
            }
            at = end + field.after.len();
        }
        reading
    }
}

impl Form {
    fn of(kind: Kind, name: &str) -> Option<Self> {
        Some(match (kind, name) {
            (Kind::Time, "time_local") => Self::TimeLocal,
            (Kind::Time, "time_iso8601") => Self::TimeIso8601,
            (Kind::Time, "msec") => Self::Msec,
            (Kind::Status, _) => Self::Status,
            (Kind::Integer | Kind::Port, _) => Self::Digits,
            (Kind::Seconds | Kind::Decimal, _) => Self::Decimal,
            (Kind::List | Kind::StatusList | Kind::SecondsList, _) => Self::List,
            (Kind::Address, _) => Self::Address,
            (Kind::Word, "server_protocol") => Self::Protocol,
            (Kind::Word, _) => Self::Word,
            (Kind::Text, "request_uri" | "uri" | "document_uri") => Self::Uri,
            (Kind::Text | Kind::Request, _) => Self::Text,
            _ => return None,
        })
    }

    /// Whether Nginx can have written this for such a variable, found or not.
    fn allows(self, escape: Escape, raw: &[u8]) -> bool {
        let is_missing = match escape {
            Escape::Default => raw == b"-",
            _ => raw.is_empty(),
        };
        match self {
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec => self.time_us(raw).is_some(),
            Self::Status => is_missing || is_status(raw),
            Self::Digits => is_missing || is_digits(raw),
            Self::Decimal => is_missing || is_decimal(raw),
            Self::List => is_missing || is_list(raw),
            Self::Address => is_missing || is_address(raw),
            Self::Protocol => is_missing || raw.iter().copied().all(is_in_protocol),
            // A colon alone is what stands between two groups of upstreams.
            Self::Word => raw != b":" && !raw.iter().any(|byte| matches!(byte, b' ' | b'"')),
            Self::Uri => is_missing || raw.starts_with(b"/"),
            Self::Text => true,
        }
    }

    /// The value, if there is one.
    fn value(self, escape: Escape, raw: &[u8]) -> Option<&[u8]> {
        let is_missing = match escape {
            Escape::Default => raw == b"-",
            // Text that is not there and text that is empty look alike.
            _ => {
                raw.is_empty()
                    && !matches!(self, Self::Text | Self::Uri | Self::Word | Self::Protocol)
            }
        };
        (!is_missing).then_some(raw)
    }

    fn time_us(self, raw: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(raw).ok()?;
        match self {
            Self::TimeLocal => local_us(text),
            Self::TimeIso8601 => iso8601_us(text),
            Self::Msec => msec_us(text),
            _ => None,
        }
    }
}

/// One byte of a value as Nginx writes it at the start of `rest`: the length of what it wrote, and the byte.
fn written_byte(escape: Escape, rest: &[u8]) -> Option<(usize, u8)> {
    let first = *rest.first()?;
    match (escape, first) {
        (Escape::None, _) => Some((1, first)),
        (Escape::Default, b'\\') => {
            let byte = upper_hex(rest.strip_prefix(br"\x")?.get(..2)?)?;
            matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7F..).then_some((4, byte))
        }
        (Escape::Default, 0..0x20 | b'"' | 0x7F..) => None,
        (Escape::Json, b'\\') => match rest.get(1)? {
            byte @ (b'"' | b'\\') => Some((2, *byte)),
            b'n' => Some((2, b'\n')),
            b'r' => Some((2, b'\r')),
            b't' => Some((2, b'\t')),
            b'b' => Some((2, 0x08)),
            b'f' => Some((2, 0x0C)),
            _ => {
                let byte = upper_hex(rest.strip_prefix(br"\u00")?.get(..2)?)?;
                let has_letter = matches!(byte, b'\n' | b'\r' | b'\t' | 0x08 | 0x0C);
                (byte < 0x20 && !has_letter).then_some((6, byte))
            }
        },
        (Escape::Json, 0..0x20 | b'"') => None,
        _ => Some((1, first)),
    }
}

/// How much of `raw` Nginx can have written as a value.
pub(crate) fn written_length(escape: Escape, raw: &[u8]) -> usize {
    let mut at = 0;
    while let Some((length, _)) = written_byte(escape, &raw[at..]) {
        at += length;
    }
    at
}

/// The text of a value that Nginx wrote, its escapes undone.
pub(crate) fn text_of_written(escape: Escape, raw: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw;
    while let Some((length, byte)) = written_byte(escape, rest) {
        bytes.push(byte);
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "Nginx writes no such value");
    text_of(&bytes)
}

fn upper_hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_upper = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    u8::from_str_radix(text, 16)
        .ok()
        .filter(|_| digits.iter().all(is_upper))
}

fn is_digits(raw: &[u8]) -> bool {
    !raw.is_empty() && raw.iter().all(u8::is_ascii_digit)
}

fn is_decimal(raw: &[u8]) -> bool {
    match raw.iter().position(|byte| *byte == b'.') {
        Some(point) => is_digits(&raw[..point]) && is_digits(&raw[point + 1..]),
        None => is_digits(raw),
    }
}

fn is_status(raw: &[u8]) -> bool {
    raw.len() == 3 && is_digits(raw)
}

/// One item, or several with `, ` or ` : ` between.
fn is_list(raw: &[u8]) -> bool {
    let is_end = |byte: &u8| matches!(byte, b' ' | b',' | b'"');
    let (item, rest) = raw.split_at(raw.iter().position(is_end).unwrap_or(raw.len()));
    let next = rest
        .strip_prefix(b", ")
        .or_else(|| rest.strip_prefix(b" : "));
    !item.is_empty() && item != b":" && (rest.is_empty() || next.is_some_and(is_list))
}

fn is_address(raw: &[u8]) -> bool {
    let text = std::str::from_utf8(raw).unwrap_or_default();
    text == "unix:" || text.parse::<IpAddr>().is_ok()
}

/// Nginx writes a name and a version.
fn is_in_protocol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.')
}

fn is_in_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".:-_%[]".contains(&byte)
}

/// `10/Jun/2024:06:13:21 +0330`
fn local_us(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_once(':')?;
    let (clock, zone) = rest.split_once(' ')?;
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let date = [number(year, 4)?, month, number(day, 2)?];
    let minutes = [number(zone.get(1..3)?, 2)?, number(zone.get(3..)?, 2)?];
    time_us(date, clock, &zone[..1], minutes)
}

/// `2024-06-10T06:13:21+03:30`
fn iso8601_us(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let (clock, zone) = (rest.get(..8)?, rest.get(8..)?);
    let [year, month, day] = parts(date, '-', [4, 2, 2])?;
    let minutes = parts(zone.get(1..)?, ':', [2, 2])?;
    time_us([year, month, day], clock, zone.get(..1)?, minutes)
}

/// `1718000001.250`
fn msec_us(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.')?;
    let ms = number(fraction, 3)?;
    let seconds = seconds
        .parse::<i64>()
        .ok()
        .filter(|_| is_digits(seconds.as_bytes()))?;
    (seconds < seconds_before_year(10_000)).then(|| seconds * 1_000_000 + ms * 1_000)
}

fn time_us(date: [i64; 3], clock: &str, sign: &str, zone: [i64; 2]) -> Option<i64> {
    let [year, month, day] = date;
    let [hour, minute, second] = parts(clock, ':', [2, 2, 2])?;
    let days_in = |month| match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_date = (1..=12).contains(&month) && (1..=days_in(month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 || zone[0] > 23 || zone[1] > 59 {
        return None;
    }
    let days = (1..month).map(days_in).sum::<i64>() + day - 1;
    let east = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let seconds = seconds_before_year(year) + ((days * 24 + hour) * 60 + minute) * 60 + second
        - east * (zone[0] * 60 + zone[1]) * 60;
    (seconds_before_year(0)..seconds_before_year(10_000))
        .contains(&seconds)
        .then_some(seconds * 1_000_000)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// From the epoch to the start of a year, counted year by year.
fn seconds_before_year(year: i64) -> i64 {
    let days_in = |year| if is_leap(year) { 366 } else { 365 };
    let days = (1970..year).map(days_in).sum::<i64>() - (year..1970).map(days_in).sum::<i64>();
    days * 86_400
}

/// Numbers of these widths with a separator between.
fn parts<const COUNT: usize>(
    text: &str,
    separator: char,
    widths: [usize; COUNT],
) -> Option<[i64; COUNT]> {
    let found: Vec<i64> = text
        .split(separator)
        .zip(widths)
        .map(|(part, width)| number(part, width))
        .collect::<Option<_>>()?;
    let is_whole = text.split(separator).count() == COUNT;
    found.try_into().ok().filter(|_| is_whole)
}

fn number(text: &str, width: usize) -> Option<i64> {
    let is_number = text.len() == width && is_digits(text.as_bytes());
    text.parse().ok().filter(|_| is_number)
}

//! The plan of a format: for each variable, how its end is found.

use memchr::{memchr, memrchr};

use crate::error::FormatError;
use crate::escape::Escape;
use crate::template::{Piece, Template};
use crate::time;
use crate::variable::{Kind, Variable};

/// More would be no log format; and slots are `u16`.
const VARIABLES_MAX: usize = 1_000;

/// The longest host name of RFC 1035. A bound, since a search tries addresses at many places of a hostile line.
const ADDRESS_BYTES_MAX: usize = 255;

/// The longest list of upstreams, for the same reason; some hundred tries.
const LIST_BYTES_MAX: usize = 4_096;

/// A format as a literal to start with and a step per variable.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) head: Box<[u8]>,
    pub(crate) steps: Vec<Step>,
    pub(crate) variables: Vec<Variable>,
}

/// A variable and the literal after it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) slot: u16,
    /// Whether the value goes into the slot: not if the variable has appeared before.
    pub(crate) is_first: bool,
    /// Whether this is the variable that says when.
    pub(crate) is_clock: bool,
    pub(crate) shape: Shape,
    pub(crate) missing: Missing,
    pub(crate) end: End,
    pub(crate) after: Box<[u8]>,
}

/// How a value that is not there is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// `-`, with `escape=default`.
    Hyphen,
    /// Nothing, with the other two.
    Empty,
}

/// Where a value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After the longest text of its shape.
    Munch,
    /// At the first bare quote.
    Quote,
    /// At the end of the line.
    Line,
    /// So many bytes before the first bare quote: what is between has a fixed width.
    BeforeQuote { distance: usize },
    /// At the first literal that is followed by what the next fields look like.
    First { before_quote: bool },
    /// At the last such literal.
    Last { before_quote: bool },
}

/// The text that a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    TimeLocal,
    TimeIso8601,
    Msec,
    Status,
    Digits,
    Decimal,
    List,
    Address,
    Word,
    Text,
}

impl Plan {
    pub(crate) fn new(template: &Template) -> Result<Self, FormatError> {
        let mut plan = Self {
            head: Box::default(),
            steps: Vec::new(),
            variables: Vec::new(),
        };
        for piece in &template.pieces {
            match piece {
                Piece::Literal(literal) => plan.push_literal(literal.as_bytes()),
                Piece::Variable(name) => plan.push_variable(name, template.escape)?,
            }
        }
        if plan.steps.is_empty() {
            return Err(FormatError::NoVariable {
                text: template.text(),
            });
        }
        plan.choose_clock();
        plan.find_ends(template.escape)?;
        Ok(plan)
    }

    fn push_literal(&mut self, literal: &[u8]) {
        match self.steps.last_mut() {
            Some(step) => step.after = literal.into(),
            None => self.head = literal.into(),
        }
    }

    fn push_variable(&mut self, name: &str, escape: Escape) -> Result<(), FormatError> {
        let known = self
            .variables
            .iter()
            .position(|variable| variable.name == name);
        let index = known.unwrap_or(self.variables.len());
        if known.is_none() {
            self.variables.push(Variable::named(name));
        }
        let slot = u16::try_from(index)
            .ok()
            .filter(|_| index < VARIABLES_MAX)
            .ok_or(FormatError::TooManyVariables {
                found: index + 1,
                max: VARIABLES_MAX,
            })?;
        self.steps.push(Step {
            slot,
            is_first: known.is_none(),
            is_clock: false,
            shape: Shape::of(&self.variables[index]),
            missing: if escape == Escape::Default {
                Missing::Hyphen
            } else {
                Missing::Empty
            },
            end: End::Munch,
            after: Box::default(),
        });
        Ok(())
    }

    /// Of several times the most exact one counts.
    fn choose_clock(&mut self) {
        let exactness = |shape| {
            [Shape::TimeLocal, Shape::TimeIso8601, Shape::Msec]
                .iter()
                .position(|time| *time == shape)
        };
        let clock = self
            .steps
            .iter_mut()
            .filter(|step| step.is_first)
            .max_by_key(|step| exactness(step.shape));
        if let Some(step) = clock {
            step.is_clock = exactness(step.shape).is_some();
        }
    }

    fn find_ends(&mut self, escape: Escape) -> Result<(), FormatError> {
        // From the last to the first: an end depends on the ends after it.
        for index in (0..self.steps.len()).rev() {
            let (before, following) = self.steps.split_at_mut(index + 1);
            let step = &mut before[index];
            step.end = step.find_end(following, escape);
            let searched = matches!(step.end, End::First { .. } | End::Last { .. });
            if let Some(next) = following
                .first()
                .filter(|_| searched && step.after.is_empty())
            {
                let (left, right) = (
                    &self.variables[usize::from(step.slot)],
                    &self.variables[usize::from(next.slot)],
                );
                if !begins_with_slash(right) {
                    return Err(FormatError::NotSeparated {
                        left: left.name.clone(),
                        right: right.name.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// `$host$request_uri` is told apart by the slash.
fn begins_with_slash(variable: &Variable) -> bool {
    matches!(
        variable.name.as_str(),
        "request_uri" | "uri" | "document_uri"
    )
}

impl Step {
    fn find_end(&self, following: &[Self], escape: Escape) -> End {
        let is_last = following.is_empty();
        let quoted = escape != Escape::None;
        match (self.shape, self.after.first()) {
            (Shape::Text | Shape::Word, Some(b'"')) if quoted => return End::Quote,
            (Shape::Text, None) if is_last => return End::Line,
            (Shape::Text, _) => {}
            (Shape::List, Some(b',' | b' '))
                if self.after.starts_with(b", ") || self.after.starts_with(b" : ") => {}
            (Shape::Address | Shape::Word | Shape::List, Some(&next))
                if self.shape.allows(next) => {}
            (Shape::Address | Shape::Word, None) if !is_last => {}
            _ => return End::Munch,
        }
        // With quotes escaped, no value reaches over the format's next quote.
        let before_quote = quoted
            && std::iter::once(self)
                .chain(following)
                .any(|step| step.after.contains(&b'"'));
        if before_quote && let Some(distance) = self.distance_to_quote(following) {
            return End::BeforeQuote { distance };
        }
        if self.is_anchored(following, before_quote) {
            End::Last { before_quote }
        } else {
            End::First { before_quote }
        }
    }

    /// Bytes from this value's end to the next quote of the format, if all between has a fixed width.
    fn distance_to_quote(&self, following: &[Self]) -> Option<usize> {
        let mut distance = 0;
        let mut after = &self.after;
        for step in following.iter().map(Some).chain([None]) {
            if let Some(quote) = memchr(b'"', after) {
                return (self.shape == Shape::Text).then_some(distance + quote);
            }
            let step = step.filter(|step| step.shape == Shape::TimeLocal)?;
            distance += after.len() + time::TIME_LOCAL_BYTES;
            after = &step.after;
        }
        None
    }

    /// Whether all up to the next quote, or to the end of the line, is recognised by its shape. What lies before it
    /// may be forged, but not what follows: so the last place that fits is the right one.
    fn is_anchored(&self, following: &[Self], before_quote: bool) -> bool {
        let ends_at_quote = |step: &Self| before_quote && step.after.contains(&b'"');
        if ends_at_quote(self) {
            return true;
        }
        for step in following {
            if !step.is_recognised() {
                return false;
            }
            if ends_at_quote(step) {
                return true;
            }
        }
        true
    }

    /// Whether the value's end is known from its shape alone.
    fn is_recognised(&self) -> bool {
        self.end == End::Munch || (self.end == End::Quote && self.shape == Shape::Word)
    }

    /// The value's end in `line`, by searching; `at` is its start.
    pub(crate) fn search(&self, following: &[Self], line: &[u8], at: usize) -> Option<usize> {
        let (before_quote, from_the_end) = match self.end {
            End::First { before_quote } => (before_quote, false),
            End::Last { before_quote } => (before_quote, true),
            End::BeforeQuote { distance } => {
                return bare_quote(line, at)?
                    .checked_sub(distance)
                    .filter(|end| *end >= at);
            }
            End::Munch | End::Quote | End::Line => return None,
        };
        let mut end_max = if before_quote {
            bare_quote(line, at)?
        } else {
            line.len()
        };
        if self.shape != Shape::Text {
            end_max = end_max.min(at + self.shape.munch(&line[at..], self.missing)?);
        }
        let first_byte = self.after.first().copied().unwrap_or(b'/');
        let ends_at = |end: &usize| {
            line[*end..].starts_with(&self.after) && fits(following, line, *end + self.after.len())
        };
        let places = &line[at..line.len().min(end_max + 1)];
        let found = if from_the_end {
            let next = |end: usize| memrchr(first_byte, &places[..end]);
            std::iter::successors(next(places.len()), |end| next(*end))
                .map(|end| at + end)
                .find(ends_at)
        } else {
            let next = |from: usize| memchr(first_byte, &places[from..]).map(|found| from + found);
            std::iter::successors(next(0), |end| next(*end + 1))
                .map(|end| at + end)
                .find(ends_at)
        };
        found.or_else(|| self.end_before_missing(following, line, at, end_max))
    }

    /// The value's end where the URI right after it is missing, as it is of a request that Nginx could not read: what
    /// Nginx writes for that has no slash. `end_max` is where both end.
    #[cold]
    fn end_before_missing(
        &self,
        following: &[Self],
        line: &[u8],
        at: usize,
        end_max: usize,
    ) -> Option<usize> {
        let uri = following.first().filter(|_| self.after.is_empty())?;
        let both = &line[at..end_max];
        let value = if uri.missing == Missing::Empty {
            both
        } else {
            both.strip_suffix(b"-")?
        };
        line[end_max..]
            .starts_with(&uri.after)
            .then_some(at + value.len())
    }

    /// The value's end in `line` at a bare quote; `at` is its start.
    ///
    /// A bare quote always ends a value of Nginx's. Other writers leave bare quotes inside, so where the literal
    /// does not follow the value goes on, unless a space or a comma does: that is the end of a field, of another format.
    pub(crate) fn quote(&self, following: &[Self], line: &[u8], at: usize) -> Option<usize> {
        let mut from = at;
        // A writer that does not escape backslashes may end a value with one.
        let mut escaped = None;
        while let Some(found) = memchr(b'"', &line[from..]) {
            let quote = from + found;
            let is_escaped = is_escaped(&line[at..quote]);
            let is_end = starts_with(&line[quote..], &self.after)
                && may_go_on(following, line, quote + self.after.len());
            if is_end && !is_escaped {
                return Some(quote);
            }
            if is_end {
                escaped = escaped.or(Some(quote));
            } else if !is_escaped && matches!(line.get(quote + 1), Some(b' ' | b',') | None) {
                return escaped.or(Some(quote));
            }
            from = quote + 1;
        }
        escaped
    }
}

/// Whether `line` from `at` on can be what `steps` read, up to the first one of them whose value may be anything.
fn fits(steps: &[Step], line: &[u8], mut at: usize) -> bool {
    for step in steps {
        if !step.is_recognised() {
            return true;
        }
        let Some(length) = step.shape.munch(&line[at..], step.missing) else {
            return false;
        };
        at += length;
        if !line[at..].starts_with(&step.after) {
            return false;
        }
        at += step.after.len();
    }
    at == line.len()
}

/// Whether the next value can begin at `at`, by its first byte.
fn may_go_on(following: &[Step], line: &[u8], at: usize) -> bool {
    match following.first() {
        Some(next) => {
            next.missing == Missing::Empty
                || line
                    .get(at)
                    .is_none_or(|byte| next.shape.may_start_with(*byte))
        }
        None => at == line.len(),
    }
}

/// Where the first quote is that no backslash escapes.
fn bare_quote(line: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let quote = from + memchr(b'"', &line[from..])?;
        if !is_escaped(&line[at..quote]) {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// Whether an odd number of backslashes stands before a byte.
pub(crate) fn is_escaped(before: &[u8]) -> bool {
    before.last() == Some(&b'\\')
        && before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count()
            % 2
            == 1
}

/// As `slice::starts_with`, which calls `memcmp`; most literals are one to three bytes.
pub(crate) fn starts_with(bytes: &[u8], literal: &[u8]) -> bool {
    match (literal, bytes) {
        ([], _) => true,
        ([a], [x, ..]) => a == x,
        ([a, b], [x, y, ..]) => a == x && b == y,
        ([a, b, c], [x, y, z, ..]) => a == x && b == y && c == z,
        _ => bytes.starts_with(literal),
    }
}

impl Shape {
    fn of(variable: &Variable) -> Self {
        match (variable.kind, variable.name.as_str()) {
            (Kind::Time, "time_iso8601") => Self::TimeIso8601,
            (Kind::Time, "msec") => Self::Msec,
            (Kind::Time, _) => Self::TimeLocal,
            (Kind::Status, _) => Self::Status,
            (Kind::Integer | Kind::Port, _) => Self::Digits,
            (Kind::Seconds | Kind::Decimal, _) => Self::Decimal,
            (Kind::StatusList | Kind::SecondsList | Kind::List, _) => Self::List,
            (Kind::Address, _) => Self::Address,
            (Kind::Word, _) => Self::Word,
            (Kind::Text | Kind::Request, _) => Self::Text,
        }
    }

    /// The length of the longest text of this shape that `rest` begins with; `None` if there is none.
    pub(crate) fn munch(self, rest: &[u8], missing: Missing) -> Option<usize> {
        match self {
            Self::Status => match rest {
                [a, b, c, ..] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() => {
                    Some(3)
                }
                _ => missing.length(rest),
            },
            Self::Digits | Self::Decimal | Self::List | Self::Address => {
                let length = match self {
                    Self::Digits => leading(rest, |byte| byte.is_ascii_digit()),
                    Self::Decimal => leading(rest, |byte| byte.is_ascii_digit() || byte == b'.'),
                    Self::List => list(&rest[..rest.len().min(LIST_BYTES_MAX)]),
                    _ => word(&rest[..rest.len().min(ADDRESS_BYTES_MAX)], |byte| {
                        IN_ADDRESS[usize::from(byte)]
                    }),
                };
                if length == 0 {
                    missing.length(rest)
                } else {
                    Some(length)
                }
            }
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec => {
                self.time(rest).map(|(length, _)| length)
            }
            Self::Word => Some(word(rest, |byte| Self::Word.allows(byte))),
            Self::Text => Some(rest.len()),
        }
    }

    /// The length of the time that `rest` begins with, and the time in microseconds.
    pub(crate) fn time(self, rest: &[u8]) -> Option<(usize, i64)> {
        match self {
            Self::TimeLocal => {
                let text = rest.get(..time::TIME_LOCAL_BYTES)?;
                Some((text.len(), time::time_local(text)?))
            }
            Self::TimeIso8601 => time::time_iso8601_at(rest),
            Self::Msec => {
                let length = leading(rest, |byte| byte.is_ascii_digit() || byte == b'.');
                Some((length, time::msec(&rest[..length])?))
            }
            _ => None,
        }
    }

    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::TimeLocal | Self::TimeIso8601 | Self::Msec)
    }

    /// Whether a value may hold this byte, for the shapes that are runs of bytes.
    fn allows(self, byte: u8) -> bool {
        match self {
            Self::Address => IN_ADDRESS[usize::from(byte)],
            Self::List => !matches!(byte, b' ' | b',' | b'"'),
            _ => !matches!(byte, b' ' | b'"'),
        }
    }

    fn may_start_with(self, byte: u8) -> bool {
        match self {
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec => byte.is_ascii_digit(),
            Self::Status | Self::Digits | Self::Decimal => byte.is_ascii_digit() || byte == b'-',
            Self::Address | Self::List => self.allows(byte),
            Self::Word | Self::Text => true,
        }
    }
}

impl Missing {
    /// The length of a missing value at the start of `rest`.
    fn length(self, rest: &[u8]) -> Option<usize> {
        match self {
            Self::Hyphen => (rest.first() == Some(&b'-')).then_some(1),
            Self::Empty => Some(0),
        }
    }
}

/// The bytes of addresses, with a zone or in brackets, and of host names.
const IN_ADDRESS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b':' | b'-' | b'_' | b'%' | b'[' | b']');
        byte += 1;
    }
    table
};

/// How many bytes of `rest`, from the first on, are allowed.
#[inline]
fn leading(rest: &[u8], allows: impl Fn(u8) -> bool) -> usize {
    rest.iter()
        .position(|byte| !allows(*byte))
        .unwrap_or(rest.len())
}

/// The length of an upstream list: words with `, ` or ` : ` between.
fn list(rest: &[u8]) -> usize {
    let mut length = list_item(rest);
    while length > 0 {
        let separator = match &rest[length..] {
            [b',', b' ', ..] => 2,
            [b' ', b':', b' ', ..] => 3,
            _ => break,
        };
        match list_item(&rest[length + separator..]) {
            0 => break,
            item => length += separator + item,
        }
    }
    length
}

fn list_item(rest: &[u8]) -> usize {
    word(rest, |byte| Shape::List.allows(byte))
}

/// As [`leading`], but a colon alone is no word: it is what stands between two groups of upstreams.
#[inline]
fn word(rest: &[u8], allows: impl Fn(u8) -> bool) -> usize {
    let length = leading(rest, allows);
    if rest[..length] == *b":" { 0 } else { length }
}

//! The plan of a format: for each variable, how its end is found.

use std::net::IpAddr;

use memchr::{memchr, memchr2, memrchr};

use crate::error::FormatError;
use crate::escape::Escape;
use crate::layout::{Field, Layout, Part};
use crate::run::Run;
use crate::time;
use crate::time_pattern::TimePattern;
use crate::variable::{Absent, Kind, Variable};

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
    /// Steps that every line has; it may end after any later one.
    pub(crate) required: usize,
    pub(crate) sum: Option<Sum>,
}

/// A variable whose value is all that stands between two others, both included, as none of them is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) slot: u16,
    pub(crate) first: u16,
    pub(crate) last: u16,
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
    /// What few steps have; in a box, so that the others are small.
    pub(crate) special: Option<Box<Special>>,
}

/// How a value is read that its shape alone does not say.
#[derive(Debug, Clone)]
pub(crate) enum Special {
    /// Of [`Shape::Pattern`].
    Pattern(TimePattern),
    /// Nothing parts the value from the next, so it takes no more than Nginx writes of it.
    Tight,
    /// Nothing parts several values; their text is found as one, and divided.
    Run(Run),
}

/// How a value that is not there is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// `-`, with `escape=default`.
    Hyphen,
    /// Nothing, with the other two.
    Empty,
    /// Nothing, or `-`.
    Either,
    /// `-1`, or `-`.
    MinusOne,
    /// It always is: `-` is a value.
    Never,
}

/// Where a value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After the longest text of its shape.
    Munch,
    /// At the first bare quote.
    Quote,
    /// At the first byte that no value holds, since it would be escaped.
    Byte(u8),
    /// At the end of the line.
    Line,
    /// So many bytes before the first bare quote: what is between has a fixed width.
    BeforeQuote { distance: usize },
    /// At the first literal that is followed by what the next fields look like; `is_fenced` if they show, as Nginx writes them, what
    /// is the last one.
    First { before_quote: bool, is_fenced: bool },
    /// At the last such literal.
    Last { before_quote: bool },
}

/// The text that a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    TimeLocal,
    TimeIso8601,
    Msec,
    /// A time by a pattern.
    Pattern,
    Status,
    Digits,
    Decimal,
    Mark,
    List,
    Address,
    /// Letters, a slash and a version: `HTTP/1.1`; Apache writes `INCLUDED` too.
    Protocol,
    Word,
    /// What was asked for, as Nginx passes it on: it begins with a slash, or is Apache's `*`.
    Target,
    Text,
}

impl Plan {
    /// Fails on variables that cannot be told apart, and on more than a format may have.
    pub(crate) fn new(layout: &Layout) -> Result<Self, FormatError> {
        let mut plan = Self {
            head: Box::default(),
            steps: Vec::new(),
            variables: Vec::new(),
            required: usize::MAX,
            sum: None,
        };
        for part in &layout.parts {
            match part {
                Part::Literal(literal) => plan.push_literal(literal.as_bytes()),
                Part::Field(field) => plan.push_field(field, layout.escape)?,
            }
        }
        plan.choose_clock();
        plan.fold_runs()?;
        plan.find_ends(layout.escape);
        Ok(plan)
    }

    fn push_literal(&mut self, literal: &[u8]) {
        match self.steps.last_mut() {
            Some(step) => step.after = literal.into(),
            None => self.head = literal.into(),
        }
    }

    fn push_field(&mut self, field: &Field, escape: Escape) -> Result<(), FormatError> {
        let known = self
            .variables
            .iter()
            .position(|variable| variable.name == field.variable.name);
        let index = known.unwrap_or(self.variables.len());
        if known.is_none() {
            self.variables.push(field.variable.clone());
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
            shape: Shape::of(field),
            missing: field
                .missing
                .unwrap_or(match (escape, field.variable.absent) {
                    (Escape::Json | Escape::None, _) => Missing::Empty,
                    (_, Absent::Nothing) => Missing::Either,
                    (_, Absent::Hyphen | Absent::Never) => Missing::Hyphen,
                }),
            end: End::Munch,
            after: Box::default(),
            special: field
                .time
                .clone()
                .map(|time| Box::new(Special::Pattern(time))),
        });
        Ok(())
    }

    /// Makes the variable `sum` of the values from the first to the last of these fields.
    pub(crate) fn set_sum(&mut self, sum: &str, [first, last]: [&str; 2]) {
        let slot = |name: &str| {
            let found = self
                .variables
                .iter()
                .position(|variable| variable.name == name)?;
            u16::try_from(found).ok()
        };
        self.sum = slot(sum)
            .zip(slot(first))
            .zip(slot(last))
            .map(|((slot, first), last)| Sum { slot, first, last });
    }

    /// Of several times the most exact one counts.
    fn choose_clock(&mut self) {
        let clock = self
            .steps
            .iter_mut()
            .filter(|step| step.is_first)
            .max_by_key(|step| step.exactness());
        if let Some(step) = clock {
            step.is_clock = step.exactness().is_some();
        }
    }

    fn find_ends(&mut self, escape: Escape) {
        // From the last to the first: an end depends on the ends after it.
        for index in (0..self.steps.len()).rev() {
            let (before, following) = self.steps.split_at_mut(index + 1);
            let step = &mut before[index];
            step.end = step.find_end(following, escape);
        }
    }
}

impl Step {
    fn exactness(&self) -> Option<usize> {
        match self.shape {
            Shape::TimeLocal => Some(0),
            Shape::TimeIso8601 => Some(1),
            Shape::Msec => Some(2),
            Shape::Pattern => {
                let pattern = self.pattern().filter(|pattern| pattern.is_whole())?;
                Some(if pattern.has_fraction() { 2 } else { 0 })
            }
            _ => None,
        }
    }

    fn find_end(&self, following: &[Self], escape: Escape) -> End {
        let is_last = following.is_empty();
        let quoted = escape != Escape::None;
        match (self.shape, self.after.first()) {
            (Shape::Text | Shape::Target | Shape::Word | Shape::List, Some(&next))
                if escape.hides(next) =>
            {
                return End::Byte(next);
            }
            (Shape::Text | Shape::Target | Shape::Word, Some(b'"')) if quoted => return End::Quote,
            (Shape::Text | Shape::Target, None) if is_last => return End::Line,
            (Shape::Text | Shape::Target, _) => {}
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
        let is_anchored = |view| self.is_anchored(following, before_quote, view);
        if is_anchored(View::Lenient) {
            End::Last { before_quote }
        } else {
            let is_fenced = is_anchored(View::Strict);
            End::First {
                before_quote,
                is_fenced,
            }
        }
    }

    /// Bytes from this value's end to the next quote of the format, if all between has a fixed width.
    fn distance_to_quote(&self, following: &[Self]) -> Option<usize> {
        let mut distance = 0;
        let mut after = &self.after;
        for step in following.iter().map(Some).chain([None]) {
            if let Some(quote) = memchr(b'"', after) {
                return self.shape.is_text().then_some(distance + quote);
            }
            let step = step.filter(|step| step.shape == Shape::TimeLocal)?;
            distance += after.len() + time::TIME_LOCAL_BYTES;
            after = &step.after;
        }
        None
    }

    /// Whether all up to the next quote, or to the end of the line, is recognised by its shape. What lies before it
    /// may be forged, but not what follows: so the last place that fits is the right one.
    fn is_anchored(&self, following: &[Self], before_quote: bool, view: View) -> bool {
        let ends_at_quote = |step: &Self| before_quote && step.after.contains(&b'"');
        if ends_at_quote(self) {
            return true;
        }
        for step in following {
            if !step.is_recognised(view) {
                return false;
            }
            if ends_at_quote(step) {
                return true;
            }
        }
        true
    }

    /// Whether the value's end is known from its shape alone.
    fn is_recognised(&self, view: View) -> bool {
        self.run().is_none()
            && (self.end == End::Munch
                || (self.end == End::Quote && self.shape == Shape::Word)
                || (view == View::Strict && self.shape == Shape::Target))
    }

    /// The length of what is recognised at the start of `rest`.
    fn recognise(&self, rest: &[u8], view: View) -> Option<usize> {
        if view == View::Strict && self.shape == Shape::Target {
            let word = leading(rest, |byte| !matches!(byte, b' ' | b'"'));
            return match rest.first() {
                Some(b'/') => Some(word),
                _ => self.missing.length(rest),
            };
        }
        let length = self.munch(rest)?;
        let is_as_written = view == View::Lenient
            || self.shape != Shape::Address
            || self.missing.length(&rest[..length]) == Some(length)
            || is_number_address(&rest[..length]);
        is_as_written.then_some(length)
    }

    /// Whether a client that puts something like the following fields into this one is believed: its end is sought
    /// from the front, and nothing that a client cannot write stands there.
    pub(crate) fn is_open(&self) -> bool {
        let is_unfenced = matches!(
            self.end,
            End::First {
                is_fenced: false,
                ..
            }
        );
        self.shape == Shape::Text && is_unfenced
    }

    pub(crate) fn pattern(&self) -> Option<&TimePattern> {
        match self.special.as_deref() {
            Some(Special::Pattern(pattern)) => Some(pattern),
            _ => None,
        }
    }

    pub(crate) fn run(&self) -> Option<&Run> {
        match self.special.as_deref() {
            Some(Special::Run(run)) => Some(run),
            _ => None,
        }
    }

    /// The length of the longest value that `rest` begins with; `None` if there is none.
    #[inline]
    pub(crate) fn munch(&self, rest: &[u8]) -> Option<usize> {
        match self.special.as_deref() {
            None => self.shape.munch(rest, self.missing),
            Some(special) => self.munch_special(special, rest),
        }
    }

    #[cold]
    fn munch_special(&self, special: &Special, rest: &[u8]) -> Option<usize> {
        match special {
            Special::Pattern(pattern) => pattern
                .munch(rest)
                .or_else(|| self.missing.length(rest).filter(|_| !self.is_clock)),
            Special::Tight => self.tight(rest),
            Special::Run(_) => self.shape.munch(rest, self.missing),
        }
    }

    /// The length of the time that `rest` begins with, and the time in microseconds.
    #[inline]
    pub(crate) fn time(&self, rest: &[u8]) -> Option<(usize, i64)> {
        match self.special.as_deref() {
            None => self.shape.time(rest),
            Some(special) => self.time_special(special, rest),
        }
    }

    #[cold]
    fn time_special(&self, special: &Special, rest: &[u8]) -> Option<(usize, i64)> {
        match special {
            Special::Pattern(pattern) => pattern.read(rest),
            Special::Tight => self.shape.time(&rest[..self.tight(rest)?]),
            Special::Run(_) => None,
        }
    }

    /// The value's end in `line`, by searching; `at` is its start.
    pub(crate) fn search(&self, following: &[Self], line: &[u8], at: usize) -> Option<usize> {
        let (before_quote, anchored_in) = match self.end {
            End::First {
                before_quote,
                is_fenced,
            } => (before_quote, is_fenced.then_some(View::Strict)),
            End::Last { before_quote } => (before_quote, Some(View::Lenient)),
            End::BeforeQuote { distance } => {
                return bare_quote(line, at)?
                    .checked_sub(distance)
                    .filter(|end| *end >= at);
            }
            End::Byte(byte) => return memchr(byte, &line[at..]).map(|length| at + length),
            End::Munch | End::Quote | End::Line => return None,
        };
        let mut end_max = if before_quote {
            bare_quote(line, at)?
        } else {
            line.len()
        };
        if !self.shape.is_text() {
            end_max = end_max.min(at + self.munch(&line[at..])?);
        }
        let first_byte = *self.after.first()?;
        let places = &line[at..line.len().min(end_max + 1)];
        let end = |view: View, from_the_end: bool| {
            let ends_at = |end: &usize| {
                let behind = *end + self.after.len();
                line[*end..].starts_with(&self.after) && fits(following, line, behind, view)
            };
            if from_the_end {
                let next = |end: usize| memrchr(first_byte, &places[..end]);
                std::iter::successors(next(places.len()), |end| next(*end))
                    .map(|end| at + end)
                    .find(ends_at)
            } else {
                let next =
                    |from: usize| memchr(first_byte, &places[from..]).map(|found| from + found);
                std::iter::successors(next(0), |end| next(*end + 1))
                    .map(|end| at + end)
                    .find(ends_at)
            }
        };
        // What a client sent is neither an address nor a target as long as there is what Nginx writes for one.
        let is_last = anchored_in == Some(View::Lenient);
        if following
            .iter()
            .any(|step| matches!(step.shape, Shape::Address | Shape::Target))
        {
            end(View::Strict, anchored_in.is_some()).or_else(|| end(View::Lenient, is_last))
        } else {
            end(View::Lenient, is_last)
        }
    }

    /// The value's end in `line` at a bare quote; `at` is its start.
    ///
    /// A bare quote always ends a value of Nginx's. Other writers leave bare quotes inside, so where the literal
    /// does not follow the value goes on, unless a space or a comma does: that is the end of a field, of another format.
    pub(crate) fn quote(&self, following: &[Self], line: &[u8], at: usize) -> Option<usize> {
        let mut from = at;
        // A writer that does not escape backslashes may end a value with one.
        let mut escaped = None;
        while let Some(found) = find_quote(&line[from..]) {
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

/// Whether `line` from `at` on can be what `steps` read, up to the first one of them whose end its shape does not tell.
fn fits(steps: &[Step], line: &[u8], mut at: usize, view: View) -> bool {
    for step in steps {
        if !step.is_recognised(view) {
            return true;
        }
        let Some(length) = step.recognise(&line[at..], view) else {
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

/// What is taken for an address and a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// What Nginx writes: an IP address or `unix:`; one word that begins with a slash (up to version 1.21 there might be spaces in it).
    Strict,
    /// A host name too, as Apache and NCSA logs have; anything.
    Lenient,
}

fn is_number_address(value: &[u8]) -> bool {
    value == b"unix:" || std::str::from_utf8(value).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// Whether the next value can begin at `at`, by its first byte.
fn may_go_on(following: &[Step], line: &[u8], at: usize) -> bool {
    match following.first() {
        Some(next) => {
            matches!(next.missing, Missing::Empty | Missing::Either)
                || line
                    .get(at)
                    .is_none_or(|byte| next.shape.may_start_with(*byte))
        }
        None => at == line.len(),
    }
}

/// Where the first quote is. Quotes are near, so that a call of `memchr`, by a pointer to what the processor has, takes as long as
/// its search: this one is compiled into its caller.
#[inline]
fn find_quote(text: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(quote) = memchr::arch::x86_64::sse2::memchr::One::new(b'"') {
        return quote.find(text);
    }
    memchr(b'"', text)
}

/// Where the first quote is that no backslash escapes.
fn bare_quote(line: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let quote = from + find_quote(&line[from..])?;
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
    fn of(field: &Field) -> Self {
        let variable = &field.variable;
        match (variable.kind, variable.name.as_str()) {
            (Kind::Time, _) if field.time.is_some() => Self::Pattern,
            (Kind::Time, "time_iso8601") => Self::TimeIso8601,
            (Kind::Time, "msec") => Self::Msec,
            (Kind::Time, _) => Self::TimeLocal,
            (Kind::Status, _) => Self::Status,
            (Kind::Integer | Kind::Port, _) => Self::Digits,
            (Kind::Seconds | Kind::Decimal, _) => Self::Decimal,
            (Kind::Mark, _) => Self::Mark,
            (Kind::StatusList | Kind::SecondsList | Kind::IntegerList | Kind::List, _) => {
                Self::List
            }
            (Kind::Address, _) => Self::Address,
            (Kind::Word, "server_protocol") => Self::Protocol,
            (Kind::Word, _) => Self::Word,
            (Kind::Text, "request_uri" | "uri" | "document_uri") => Self::Target,
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
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec | Self::Pattern => {
                self.time(rest).map(|(length, _)| length)
            }
            Self::Mark => match rest.first() {
                Some(b'p' | b'.' | b'?' | b':' | b'X' | b'+') => Some(1),
                Some(b'-') if missing == Missing::Never => Some(1),
                _ => missing.length(rest),
            },
            Self::Word => {
                // As `allows` says, and a colon alone is no word.
                let length = memchr2(b' ', b'"', rest).unwrap_or(rest.len());
                Some(if rest[..length] == *b":" { 0 } else { length })
            }
            // Nginx writes nothing for a version that it does not know.
            Self::Protocol => Some(match protocol(rest) {
                0 => usize::from(rest.first() == Some(&b'-')),
                length => length,
            }),
            Self::Target | Self::Text => Some(rest.len()),
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

    /// Whether spaces may be inside, and nothing but what follows says where it ends.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Target | Self::Text)
    }

    pub(crate) fn is_time(self) -> bool {
        matches!(
            self,
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec | Self::Pattern
        )
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
            Self::Protocol
            | Self::Word
            | Self::Target
            | Self::Text
            | Self::Mark
            | Self::Pattern => true,
        }
    }
}

impl Missing {
    /// The length of a missing value at the start of `rest`.
    pub(crate) fn length(self, rest: &[u8]) -> Option<usize> {
        match self {
            Self::Hyphen => (rest.first() == Some(&b'-')).then_some(1),
            Self::Empty => Some(0),
            Self::Either => Some(usize::from(rest.first() == Some(&b'-'))),
            Self::MinusOne => match rest {
                [b'-', b'1', ..] => Some(2),
                [b'-', ..] => Some(1),
                _ => None,
            },
            Self::Never => None,
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

/// The length of a protocol with its version.
fn protocol(rest: &[u8]) -> usize {
    let name = leading(rest, |byte| byte.is_ascii_alphabetic());
    match &rest[name..] {
        [b'/', version @ ..] if name > 0 => {
            name + 1 + leading(version, |byte| byte.is_ascii_digit() || byte == b'.')
        }
        _ => name,
    }
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

//! Formats of `%` directives: what Apache's `LogFormat` and Tomcat's `AccessLogValve` have in common.

use crate::error::FormatError;
use crate::layout::{Field, Layout, Part};
use crate::time_pattern::TimePattern;
use crate::variable::{Absent, Kind, Unit, Variable};

/// One `%` directive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directive<'text> {
    /// Where its `%` is.
    pub(crate) byte_offset: usize,
    /// `>` or `<`.
    pub(crate) modifier: Option<char>,
    /// What stands in braces.
    pub(crate) argument: Option<&'text str>,
    /// The letter, and of Apache's `%^ti` and its like all of them.
    pub(crate) letter: &'text str,
}

/// Text, and directives in it.
#[derive(Debug)]
pub(crate) enum Token<'text> {
    Literal(&'text str),
    Directive(Directive<'text>),
}

/// Reads a text with directives.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FormatError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        if percent > 0 {
            tokens.push(Token::Literal(&rest[..percent]));
        }
        let byte_offset = text.len() - rest.len() + percent;
        if let Some(after) = rest[percent..].strip_prefix("%%") {
            tokens.push(Token::Literal("%"));
            rest = after;
            continue;
        }
        let (directive, after) = directive(&rest[percent + 1..], byte_offset).ok_or_else(|| {
            FormatError::BadDirective {
                byte_offset,
                found: text[byte_offset..].chars().take(12).collect(),
            }
        })?;
        tokens.push(Token::Directive(directive));
        rest = after;
    }
    if !rest.is_empty() {
        tokens.push(Token::Literal(rest));
    }
    Ok(tokens)
}

/// `[!]status,status`, `<` or `>`, `{argument}` in any order, and the letter.
fn directive(text: &str, byte_offset: usize) -> Option<(Directive<'_>, &str)> {
    let (mut modifier, mut argument, mut rest) = (None, None, text);
    loop {
        match rest.chars().next()? {
            // With a list of statuses a value is `-` for the others, as any missing one.
            '!' | ',' | '0'..='9' => rest = &rest[1..],
            sign @ ('<' | '>') => {
                modifier = Some(sign);
                rest = &rest[1..];
            }
            '{' => {
                let end = rest.find('}')?;
                argument = Some(&rest[1..end]);
                rest = &rest[end + 1..];
            }
            first => {
                let length = match first {
                    '^' => 3,
                    _ => first.len_utf8(),
                };
                let directive = Directive {
                    byte_offset,
                    modifier,
                    argument,
                    letter: rest.get(..length)?,
                };
                return Some((directive, &rest[length..]));
            }
        }
    }
}

/// What a directive writes.
pub(crate) enum Written {
    Field(Field),
    /// A time by a pattern, which what follows may complete.
    Time {
        pattern: TimePattern,
        is_end: bool,
    },
    /// `$time_local` in brackets.
    BracketedTime,
    /// `?` and the arguments, or nothing.
    Query,
}

impl From<Variable> for Written {
    fn from(variable: Variable) -> Self {
        Self::Field(variable.into())
    }
}

/// Puts together what a writer logs.
#[derive(Debug, Default)]
pub(crate) struct LayoutBuilder {
    parts: Vec<Part>,
    /// The pattern of the part before last, or of the last, if a time can be completed.
    has_clock: bool,
    odd_times: usize,
}

impl LayoutBuilder {
    pub(crate) fn literal(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Literal(literal)) => literal.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
    }

    pub(crate) fn push(&mut self, written: Written) {
        match written {
            Written::Field(field) => self.parts.push(Part::Field(field)),
            Written::Time { pattern, is_end } => self.time(pattern, is_end),
            Written::BracketedTime => {
                self.literal("[");
                self.parts
                    .push(Part::Field(Variable::named("time_local").into()));
                self.literal("]");
            }
            Written::Query => {
                for name in ["is_args", "args"] {
                    let variable = Variable {
                        absent: Absent::Nothing,
                        ..Variable::named(name)
                    };
                    self.parts.push(Part::Field(Field {
                        missing: Some(crate::step::Missing::Empty),
                        ..variable.into()
                    }));
                }
            }
        }
    }

    /// A time; one that says a part only is joined with the one just before it.
    fn time(&mut self, pattern: TimePattern, is_end: bool) {
        let is_whole = pattern.is_whole();
        let (before, literal) = match self.parts.as_mut_slice() {
            [.., Part::Field(before), Part::Literal(literal)] => (before, literal.as_str()),
            [.., Part::Field(before)] => (before, ""),
            _ => return self.new_time(pattern, is_end),
        };
        match &mut before.time {
            Some(known) if !(known.is_whole() && is_whole) => {
                known.join(literal.as_bytes(), &pattern);
                if !literal.is_empty() {
                    self.parts.pop();
                }
                self.name_joined(is_end);
            }
            _ => self.new_time(pattern, is_end),
        }
    }

    fn new_time(&mut self, pattern: TimePattern, is_end: bool) {
        self.odd_times += 1;
        let variable = Variable::own(
            &format!("time_part_{}", self.odd_times),
            Kind::Time,
            Unit::One,
        );
        self.parts.push(Part::Field(Field {
            time: Some(pattern),
            ..variable.into()
        }));
        self.name_joined(is_end);
    }

    /// The first whole time is the event's; another is what it is called in the directive.
    fn name_joined(&mut self, is_end: bool) {
        let Some(Part::Field(field)) = self.parts.last_mut() else {
            return;
        };
        let is_whole = field.time.as_ref().is_some_and(TimePattern::is_whole);
        if !is_whole || !field.variable.name.starts_with("time_part") {
            return;
        }
        let name = match (self.has_clock, is_end) {
            (false, _) => "time_local",
            (true, false) => "time_begin",
            (true, true) => "time_end",
        };
        self.has_clock = true;
        name.clone_into(&mut field.variable.name);
    }

    pub(crate) fn finish(self, escape: crate::escape::Escape) -> Layout {
        let mut layout = Layout {
            escape,
            parts: self.parts,
        };
        name_apart(&mut layout);
        layout
    }
}

/// Of several durations of the request the finest is `request_time`; the others are called by their unit.
fn name_apart(layout: &mut Layout) {
    let rank = |unit: Unit| match unit {
        Unit::Nanoseconds => 3,
        Unit::Microseconds => 2,
        Unit::Milliseconds => 1,
        _ => 0,
    };
    let fields = || layout.parts.iter();
    let finest = fields()
        .filter_map(|part| match part {
            Part::Field(field) if field.variable.name == "request_time" => {
                Some(field.variable.unit)
            }
            _ => None,
        })
        .max_by_key(|unit| rank(*unit));
    for part in &mut layout.parts {
        if let Part::Field(field) = part
            && field.variable.name == "request_time"
            && Some(field.variable.unit) != finest
        {
            field.variable.name = match field.variable.unit {
                Unit::Microseconds => "request_time_us".to_owned(),
                Unit::Milliseconds => "request_time_ms".to_owned(),
                _ => "request_time_s".to_owned(),
            };
        }
    }
}

/// `User-Agent` after `http_`: lower case, with underscores.
pub(crate) fn name_of(prefix: &str, argument: &str) -> String {
    let plain = argument.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte.to_ascii_lowercase())
        } else {
            '_'
        }
    });
    prefix.chars().chain(plain).collect()
}

/// Text of a header, cookie, note or the like, by its name.
pub(crate) fn text_of(prefix: &str, argument: &str) -> Variable {
    Variable::named(&name_of(prefix, argument))
}

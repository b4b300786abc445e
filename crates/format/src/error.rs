//! What can be wrong with a format, and with a line.

use std::fmt;

use crate::escape::push_hex;
use crate::format::CompiledFormat;

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Neither a preset's name nor a text with a `$variable`.
    #[error(
        "no log format is named `{name}`{}\nhint: formats are {}, or the text of a `log_format` with its `$variables`, of `apache` or `tomcat` with its `%` directives after that word",
        did_you_mean(suggestion.as_deref()),
        backticked(CompiledFormat::preset_names())
    )]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The preset's name nearest to it, if one is near.
        suggestion: Option<String>,
    },
    /// A format text without a variable.
    #[error(
        "expected a `$variable` in the log format, found only the text `{text}`\nhint: give what stands in `log_format`; in a shell put it in single quotes"
    )]
    NoVariable {
        /// The format text.
        text: String,
    },
    /// `%` directives, which Apache and Tomcat give different meanings.
    #[error(
        "expected `apache` or `tomcat` before a log format with `%`, found `{text}`\nhint: write `apache {text}` or `tomcat {text}`; up to version 9 of Tomcat, whose `%D` is milliseconds, `tomcat9 {text}`"
    )]
    WhosePercent {
        /// The format text.
        text: String,
    },
    /// A format with `%` directives that has none.
    #[error(
        "expected `%` directives in the log format, found only the text `{text}`\nhint: give what stands in `LogFormat` or in the valve's `pattern`"
    )]
    NoDirective {
        /// The format text.
        text: String,
    },
    /// A `%` that no directive follows.
    #[error(
        "byte {byte_offset} of the log format: expected a directive after `%`, found `{found}`\nhint: write `%h`, `%{{Name}}i`, or `%%` for the sign itself"
    )]
    BadDirective {
        /// Where the `%` is, from 0.
        byte_offset: usize,
        /// The text there.
        found: String,
    },
    /// A directive that its writer does not have.
    #[error(
        "byte {byte_offset} of the log format: {writer} has no directive `{found}`\nhint: see the documentation of its log format; a `%` sign itself is `%%`"
    )]
    UnknownDirective {
        /// Whose format it is.
        writer: &'static str,
        /// Where the `%` is, from 0.
        byte_offset: usize,
        /// The directive.
        found: String,
    },
    /// What is no `variable=key`.
    #[error(
        "expected `variable=key` after `json` or `ltsv`, found `{found}`\nhint: such as `json status=resp.code,request_time=latency_ms/1000`; a key with spaces stands in double quotes"
    )]
    BadKey {
        /// The text there.
        found: String,
    },
    /// A `$` that no name follows.
    #[error(
        "byte {byte_offset} of the log format: expected a variable's name after `$`, found `{found}`\nhint: write `$name` or `${{name}}`"
    )]
    BadVariable {
        /// Where the `$` is, from 0.
        byte_offset: usize,
        /// The text there.
        found: String,
    },
    /// `escape=` with something that Nginx does not know.
    #[error("expected `escape=default`, `escape=json` or `escape=none`, found `escape={found}`")]
    UnknownEscape {
        /// The word after `escape=`.
        found: String,
    },
    /// Two variables with nothing between that tells where one ends.
    #[error(
        "nothing in the log format separates `${left}` from `${right}`\nhint: such a log cannot be split; put a space or quotes between the two in `log_format`"
    )]
    NotSeparated {
        /// The variable that has no end.
        left: String,
        /// The one after it.
        right: String,
    },
    /// More variables than a format may have.
    #[error("the log format has {found} variables; at most {max} are read")]
    TooManyVariables {
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |suggestion| {
        format!("; did you mean `{suggestion}`?")
    })
}

fn backticked(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Why a line does not fit a format: small and `Copy`, since a log may hold nothing but such lines.
/// [`LineError::render`] makes the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", kind.reason())]
pub struct LineError {
    /// What is wrong.
    pub kind: LineErrorKind,
    /// The slot of the variable concerned; see [`CompiledFormat::variables`].
    pub field: u16,
    /// Where in the line, in bytes from 0.
    pub offset: u32,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LineErrorKind {
    /// No time, or one that does not exist.
    BadTime,
    /// Not 3 digits.
    BadStatus,
    /// Not a number where one has to be.
    BadNumber,
    /// Not an address or a host name.
    NotAnAddress,
    /// The text that ends a field is not there.
    MissingLiteral,
    /// The line ends inside the format.
    CutShort,
    /// The line goes on after the format's end.
    TrailingBytes,
    /// Not a JSON object.
    NotJson,
    /// Not a label and a value.
    NotLabelled,
}

impl LineErrorKind {
    /// A stable word for tallies and tables.
    pub fn reason(self) -> &'static str {
        match self {
            Self::BadTime => "bad_time",
            Self::BadStatus => "bad_status",
            Self::BadNumber => "bad_number",
            Self::NotAnAddress => "not_an_address",
            Self::MissingLiteral => "missing_literal",
            Self::CutShort => "cut_short",
            Self::TrailingBytes => "trailing_bytes",
            Self::NotJson => "not_json",
            Self::NotLabelled => "not_labelled",
        }
    }
}

impl fmt::Display for LineErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl LineError {
    /// The message for people, without the place (`edge.log:1042:63: `), which is the caller's to say: what was
    /// expected, what `line` has there, and a hint on a line of its own. Safe to print.
    pub fn render(&self, format: &CompiledFormat, line: &[u8]) -> String {
        let at = usize::try_from(self.offset)
            .unwrap_or(usize::MAX)
            .min(line.len());
        let expected = match self.kind {
            LineErrorKind::BadTime => "a time".to_owned(),
            LineErrorKind::BadStatus => "a status of 3 digits".to_owned(),
            LineErrorKind::BadNumber => "a number".to_owned(),
            LineErrorKind::NotAnAddress => "an address or a host name".to_owned(),
            LineErrorKind::MissingLiteral => {
                format!("`{}`", printable(format.literal_after(self.field)))
            }
            LineErrorKind::CutShort => "the rest of the line".to_owned(),
            LineErrorKind::TrailingBytes => "the end of the line".to_owned(),
            LineErrorKind::NotJson => "a JSON object".to_owned(),
            LineErrorKind::NotLabelled => "`label:value`".to_owned(),
        };
        let found = match &line[at..] {
            [] => "the end of the line".to_owned(),
            rest => format!("`{}`", excerpt(rest)),
        };
        let name = format.name();
        let field = match format.variables().get(usize::from(self.field)) {
            Some(variable) => format!(
                "`${}`, field {} of format `{name}`",
                variable.name,
                self.field + 1
            ),
            None => format!("format `{name}`"),
        };
        let hint = match self.kind {
            LineErrorKind::CutShort => {
                "the line may have been cut when the disk was full or Nginx was killed"
            }
            _ => {
                "the line may have been written with another `log_format`; name it with `--format`"
            }
        };
        format!("expected {expected} ({field}), found {found}\nhint: {hint}")
    }
}

/// The word at the start of `rest`, or a little more, fit to print.
fn excerpt(rest: &[u8]) -> String {
    const BYTES_MAX: usize = 24;
    let word = rest
        .iter()
        .position(|byte| *byte == b' ')
        .filter(|end| *end > 0)
        .unwrap_or(rest.len());
    if word <= BYTES_MAX {
        printable(&rest[..word])
    } else {
        printable(&rest[..BYTES_MAX]) + "…"
    }
}

/// ASCII that prints as it is, the rest as `\xHH`.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            0x20..0x7F => text.push(char::from(byte)),
            _ => push_hex(&mut text, byte),
        }
    }
    text
}

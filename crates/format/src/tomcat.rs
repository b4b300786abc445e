//! Tomcat's `AccessLogValve`, which is modelled on Apache's log but is not the same.

use crate::apache::{connection_status, moment};
use crate::error::FormatError;
use crate::escape::Escape;
use crate::layout::Layout;
use crate::percent::{Directive, LayoutBuilder, Token, Written, text_of, tokens};
use crate::time_pattern::TimePattern;
use crate::variable::{Kind, Unit, Variable};

/// What `%D` and `%T` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Up to 9: milliseconds, and seconds with three decimals.
    Nine,
    /// From 10 on: microseconds, and whole seconds.
    Ten,
}

/// A valve's `pattern`, alone or as the attribute that it is in server.xml, to what it writes.
pub(crate) fn layout(text: &str, version: Version) -> Result<Layout, FormatError> {
    let pattern = &pattern_alone(text);
    let mut builder = LayoutBuilder::default();
    for token in &tokens(pattern)? {
        match token {
            Token::Literal(literal) => builder.literal(literal),
            Token::Directive(directive) => {
                let written =
                    written(directive, version).ok_or_else(|| FormatError::UnknownDirective {
                        writer: "Tomcat",
                        byte_offset: directive.byte_offset,
                        found: directive.text(),
                    })?;
                builder.push(written);
            }
        }
    }
    Ok(builder.finish(Escape::Tomcat))
}

fn pattern_alone(text: &str) -> String {
    let text = text.trim();
    let attribute = text.find("pattern=").and_then(|at| {
        let value = &text[at + "pattern=".len()..];
        let quote = value
            .chars()
            .next()
            .filter(|quote| "\"'".contains(*quote))?;
        let inside = &value[1..];
        Some(&inside[..inside.find(quote)?])
    });
    let pattern = match attribute {
        Some(value) => [
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&#9;", "\t"),
            ("&amp;", "&"),
        ]
        .iter()
        .fold(value.to_owned(), |value, (entity, character)| {
            value.replace(entity, character)
        }),
        None => text.to_owned(),
    };
    match pattern.as_str() {
        "common" => COMMON.to_owned(),
        "combined" => format!(r#"{COMMON} "%{{Referer}}i" "%{{User-Agent}}i""#),
        _ => pattern,
    }
}

const COMMON: &str = r#"%h %l %u %t "%r" %s %b"#;

fn written(directive: &Directive<'_>, version: Version) -> Option<Written> {
    let argument = directive.argument.unwrap_or_default();
    let named = |name: &str| Some(Variable::named(name).into());
    let own = |name: &str, kind| Some(Variable::own(name, kind, Unit::One).into());
    match (directive.letter, argument) {
        ("a", "peer") => named("realip_remote_addr"),
        ("a" | "h", _) => named("remote_addr"),
        ("A", _) => named("server_addr"),
        ("b" | "B", _) => named("body_bytes_sent"),
        ("c", name) => Some(text_of("cookie_", name).into()),
        ("D" | "T", unit) => {
            let unit = duration_unit(directive.letter, unit, version)?;
            Some(Variable::in_unit("request_time", unit).into())
        }
        // Until the first byte of the answer, in milliseconds in all versions.
        ("F", _) => {
            let unit = Unit::Milliseconds;
            Some(Variable::own("first_byte_time", Kind::Seconds, unit).into())
        }
        ("H", _) => named("server_protocol"),
        ("i", name) => Some(text_of("http_", name).into()),
        ("I", _) => own("thread_name", Kind::Text),
        ("l", _) => own("remote_logname", Kind::Word),
        ("L", _) => own("connection_id", Kind::Word),
        ("m", _) => named("request_method"),
        ("o", name) => Some(text_of("sent_http_", name).into()),
        ("p", "remote") => named("remote_port"),
        ("p", _) => named("server_port"),
        ("q", _) => Some(Written::Query),
        ("r", "") => named("request"),
        ("r", name) => Some(text_of("request_", name).into()),
        ("s", "") => named("status"),
        ("s", name) => Some(text_of("session_", name).into()),
        ("S", _) => own("session_id", Kind::Word),
        ("t", format) => time(format),
        ("u", _) => named("remote_user"),
        ("U", _) => named("uri"),
        ("v", _) => named("host"),
        ("X", _) => Some(connection_status()),
        _ => None,
    }
}

fn duration_unit(letter: &str, argument: &str, version: Version) -> Option<Unit> {
    Some(match (letter, argument, version) {
        ("D", _, Version::Ten) => Unit::Microseconds,
        ("D", _, Version::Nine) => Unit::Milliseconds,
        (_, "" | "s" | "fracsec", _) => Unit::Seconds,
        (_, "ms", _) => Unit::Milliseconds,
        (_, "us", _) => Unit::Microseconds,
        (_, "ns", _) => Unit::Nanoseconds,
        _ => return None,
    })
}

fn time(format: &str) -> Option<Written> {
    let (is_end, format) = moment(format);
    if format.is_empty() {
        return Some(Written::BracketedTime);
    }
    let pattern = TimePattern::tomcat(format)?;
    Some(Written::Time { pattern, is_end })
}

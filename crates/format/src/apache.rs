//! Apache's `LogFormat`: mod_log_config, with what mod_logio and mod_ssl add to it.

use crate::error::FormatError;
use crate::escape::Escape;
use crate::layout::{Field, Layout};
use crate::percent::{Directive, LayoutBuilder, Token, Written, text_of, tokens};
use crate::step::Missing;
use crate::time_pattern::TimePattern;
use crate::variable::{Kind, Unit, Variable};

/// The text of a `LogFormat` or `CustomLog` line, or the text alone, to what it writes.
pub(crate) fn layout(text: &str) -> Result<Layout, FormatError> {
    let text = &text_alone(text);
    let tokens = tokens(text)?;
    let has_final_status = tokens.iter().any(|token| {
        matches!(token, Token::Directive(directive) if directive.letter == "s" && directive.modifier == Some('>'))
    });
    let mut builder = LayoutBuilder::default();
    for token in &tokens {
        match token {
            Token::Literal(literal) => builder.literal(literal),
            Token::Directive(directive) => {
                let written = written(directive, has_final_status).ok_or_else(|| {
                    FormatError::UnknownDirective {
                        writer: "Apache",
                        byte_offset: directive.byte_offset,
                        found: directive.text(),
                    }
                })?;
                builder.push(written);
            }
        }
    }
    Ok(builder.finish(Escape::Default))
}

/// A directive's format string, with its escapes undone; the name that may follow it is left off.
fn text_alone(text: &str) -> String {
    let text = text.trim();
    let is_directive = |name: &str| {
        text.get(..name.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(name))
    };
    let quoted = if is_directive("LogFormat ") || is_directive("CustomLog ") {
        text.find('"').map(|start| &text[start..])
    } else {
        Some(text)
    };
    let quoted = quoted.unwrap_or(text);
    let body = quoted_body(quoted).unwrap_or(quoted);
    let mut plain = String::with_capacity(body.len());
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some(other @ ('"' | '\\' | '\'')) => plain.push(other),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// What stands between the first quote and its match, if quotes inside are escaped or a name follows.
fn quoted_body(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = inside.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    })?;
    let after = &inside[end + 1..];
    let is_name = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-=!.".contains(&byte))
    };
    // A text may itself begin with a quote: `"%r" %s`.
    (inside[..end].contains('%') && after.split_ascii_whitespace().all(is_name))
        .then(|| &inside[..end])
}

impl Directive<'_> {
    /// As it stands in the format.
    pub(crate) fn text(&self) -> String {
        let argument = self.argument.map(|argument| format!("{{{argument}}}"));
        let modifier = self.modifier.map(String::from);
        format!(
            "%{}{}{}",
            modifier.unwrap_or_default(),
            argument.unwrap_or_default(),
            self.letter
        )
    }
}

fn written(directive: &Directive<'_>, has_final_status: bool) -> Option<Written> {
    let argument = directive.argument.unwrap_or_default();
    let named = |name: &str| Some(Variable::named(name).into());
    match (directive.letter, argument) {
        ("a", "c") => named("realip_remote_addr"),
        ("a" | "h", _) => named("remote_addr"),
        ("A", _) => named("server_addr"),
        ("b" | "B", _) => named("body_bytes_sent"),
        ("C", name) => Some(text_of("cookie_", name).into()),
        ("D", _) => Some(Variable::in_unit("request_time", Unit::Microseconds).into()),
        ("e", "UNIQUE_ID") => named("request_id"),
        ("e", name) => Some(text_of("env_", name).into()),
        ("f", _) => named("request_filename"),
        ("H", _) => named("server_protocol"),
        ("i", name) => Some(text_of("http_", name).into()),
        ("I", _) => named("request_length"),
        ("k", _) => Some(Variable::own("keepalive_requests", Kind::Integer, Unit::One).into()),
        ("l", _) => Some(Variable::own("remote_logname", Kind::Word, Unit::One).into()),
        ("L", _) => Some(Variable::own("request_log_id", Kind::Word, Unit::One).into()),
        ("m", _) => named("request_method"),
        ("n", name) => Some(text_of("note_", name).into()),
        ("o", name) => Some(text_of("sent_http_", name).into()),
        ("O", _) => named("bytes_sent"),
        ("p", "remote") => named("remote_port"),
        ("p", _) => named("server_port"),
        ("P", "tid" | "hextid") => Some(Variable::own("tid", Kind::Word, Unit::One).into()),
        ("P", _) => named("pid"),
        ("q", _) => Some(Written::Query),
        ("r", _) => named("request"),
        ("R", _) => Some(Variable::own("handler", Kind::Text, Unit::One).into()),
        ("s", _) if has_final_status && directive.modifier != Some('>') => {
            Some(Variable::own("original_status", Kind::Status, Unit::One).into())
        }
        ("s", _) => named("status"),
        ("S", _) => Some(Variable::own("bytes_transferred", Kind::Integer, Unit::Bytes).into()),
        ("t", format) => time(format),
        ("T", unit) => Some(Variable::in_unit("request_time", duration_unit(unit)?).into()),
        ("u", _) => named("remote_user"),
        ("U", _) => named("uri"),
        ("v", _) => named("server_name"),
        ("V", _) => named("host"),
        ("x", "SSL_PROTOCOL") => named("ssl_protocol"),
        ("x", "SSL_CIPHER") => named("ssl_cipher"),
        ("x" | "c", name) => Some(text_of("", name).into()),
        ("X", _) => Some(connection_status()),
        ("^FB", _) => {
            let kind = Kind::Seconds;
            Some(Variable::own("first_byte_time", kind, Unit::Microseconds).into())
        }
        ("^ti", name) => Some(text_of("trailer_", name).into()),
        ("^to", name) => Some(text_of("sent_trailer_", name).into()),
        _ => None,
    }
}

fn duration_unit(argument: &str) -> Option<Unit> {
    Some(match argument {
        "" | "s" => Unit::Seconds,
        "ms" => Unit::Milliseconds,
        "us" => Unit::Microseconds,
        _ => return None,
    })
}

/// `X` for aborted, `+` for kept alive, `-` for closed: here `-` says something.
pub(crate) fn connection_status() -> Written {
    Written::Field(Field {
        missing: Some(Missing::Never),
        ..Variable::own("connection_status", Kind::Mark, Unit::One).into()
    })
}

fn time(format: &str) -> Option<Written> {
    let (is_end, format) = moment(format);
    if format.is_empty() {
        return Some(Written::BracketedTime);
    }
    let pattern = TimePattern::apache(format)?;
    Some(Written::Time { pattern, is_end })
}

/// Whether a time is the request's end, and its format without the word that says so.
pub(crate) fn moment(format: &str) -> (bool, &str) {
    for (word, is_end) in [("begin", false), ("end", true)] {
        if let Some(rest) = format.strip_prefix(word) {
            if rest.is_empty() {
                return (is_end, rest);
            }
            if let Some(rest) = rest.strip_prefix(':') {
                return (is_end, rest);
            }
        }
    }
    (false, format)
}

//! Reads a `log_format` text into literals and variables.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{all_consuming, opt, value};
use nom::multi::{fold_many0, many1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use crate::error::FormatError;
use crate::escape::Escape;

/// A `log_format` in its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) escape: Escape,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    /// The name, without `$`.
    Variable(String),
}

impl Template {
    /// Reads a format text: optionally `escape=… `, then literals with `$name` or `${name}` between, as they stand
    /// or in the quoted pieces of an nginx.conf.
    pub(crate) fn read(text: &str) -> Result<Self, FormatError> {
        let (text, escape) = match escape_prefix(text) {
            Ok((rest, word)) => (rest, escape_named(word)?),
            Err(_) => (text, Escape::Default),
        };
        let joined = quoted_pieces(text.trim());
        let text = joined.as_deref().unwrap_or(text);
        Ok(Self {
            escape,
            pieces: pieces(text)?,
        })
    }

    /// The same format, written in one way only: as it stands, or in quotes if it would be taken for something else.
    pub(crate) fn text(&self) -> String {
        let prefix = match self.escape {
            Escape::Default => String::new(),
            escape => format!("escape={escape} "),
        };
        let body = self.body();
        let plain = format!("{prefix}{body}");
        if Self::read(&plain).as_ref() == Ok(self) {
            return plain;
        }
        format!(
            "{prefix}'{}'",
            body.replace('\\', r"\\").replace('\'', r"\'")
        )
    }

    fn body(&self) -> String {
        let mut text = String::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            match (piece, self.pieces.get(index + 1)) {
                (Piece::Literal(literal), _) => text.push_str(literal),
                (Piece::Variable(name), Some(Piece::Literal(next)))
                    if next.starts_with(is_name_char) =>
                {
                    text.push_str(&format!("${{{name}}}"));
                }
                (Piece::Variable(name), _) => text.push_str(&format!("${name}")),
            }
        }
        text
    }
}

fn escape_prefix(text: &str) -> IResult<&str, &str> {
    delimited(
        (multispace0, tag("escape=")),
        is_not(" \t\r\n"),
        multispace0,
    )
    .parse(text)
}

fn escape_named(word: &str) -> Result<Escape, FormatError> {
    match word {
        "default" => Ok(Escape::Default),
        "json" => Ok(Escape::Json),
        "none" => Ok(Escape::None),
        _ => Err(FormatError::UnknownEscape {
            found: word.to_owned(),
        }),
    }
}

/// `'…' '…'` of an nginx.conf, joined; `None` if the text is no such thing. A text may itself begin with `"`, so
/// double quotes count only if a quote is escaped between them.
fn quoted_pieces(text: &str) -> Option<String> {
    let quoted = text.starts_with('\'') || (text.starts_with('"') && text.contains(r#"\""#));
    if !quoted {
        return None;
    }
    let piece = terminated(alt((quoted_by('\''), quoted_by('"'))), multispace0);
    let (_, pieces) = all_consuming(terminated(many1(piece), opt((char(';'), multispace0))))
        .parse(text)
        .ok()?;
    Some(pieces.concat())
}

fn quoted_by<'text>(
    quote: char,
) -> impl Parser<&'text str, Output = String, Error = nom::error::Error<&'text str>> {
    let stop = if quote == '\'' { r"'\" } else { r#""\"# };
    // Nginx undoes these in a quoted parameter and leaves any other backslash as it is.
    let escaped = preceded(
        char('\\'),
        alt((
            value("'", char('\'')),
            value("\"", char('"')),
            value("\\", char('\\')),
            value("\t", char('t')),
            value("\r", char('r')),
            value("\n", char('n')),
        )),
    );
    let content = fold_many0(
        alt((is_not(stop), escaped, tag("\\"))),
        String::new,
        |mut joined, part: &str| {
            joined.push_str(part);
            joined
        },
    );
    delimited(char(quote), content, char(quote))
}

fn pieces(text: &str) -> Result<Vec<Piece>, FormatError> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (after, piece) =
            alt((variable, literal))
                .parse(rest)
                .map_err(|_| FormatError::BadVariable {
                    byte_offset: text.len() - rest.len(),
                    found: rest.chars().take(12).collect(),
                })?;
        pieces.push(piece);
        rest = after;
    }
    Ok(pieces)
}

fn variable(text: &str) -> IResult<&str, Piece> {
    let name = || take_while1(is_name_char);
    let braced = delimited(tag("${"), name(), char('}'));
    alt((braced, preceded(char('$'), name())))
        .map(|name: &str| Piece::Variable(name.to_owned()))
        .parse(text)
}

fn literal(text: &str) -> IResult<&str, Piece> {
    is_not("$")
        .map(|literal: &str| Piece::Literal(literal.to_owned()))
        .parse(text)
}

fn is_name_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let template = Template::read(text).expect("a format");
        assert_eq!(template.text(), canonical);
        assert_eq!(Template::read(canonical).expect("a format"), template);
    }

    #[test]
    fn braces_are_kept_only_where_needed() {
        check("${a}-${b}c $d", "$a-${b}c $d");
    }

    #[test]
    fn escape_is_read_and_kept() {
        check("escape=json {\"a\":\"$a\"}", "escape=json {\"a\":\"$a\"}");
        check("escape=default $a $b", "$a $b");
    }

    #[test]
    fn pieces_of_an_nginx_conf_are_joined() {
        check(
            "'$remote_addr - [$time_local] '\n    '\"$request\" $status';",
            "$remote_addr - [$time_local] \"$request\" $status",
        );
        check(
            "escape=json '{\"a\":\"$a\",'\n'\"b\":\"$b\"}'",
            "escape=json {\"a\":\"$a\",\"b\":\"$b\"}",
        );
        check(r#""$a \"$b\"""#, r#"$a "$b""#);
        check(r"'it\'s \q $a'", r"it's \q $a");
    }

    #[test]
    fn a_text_that_begins_with_a_quote_is_taken_as_it_stands() {
        check(r#""$a" "$b""#, r#""$a" "$b""#);
    }

    #[test]
    fn a_text_that_would_be_taken_for_something_else_stays_in_quotes() {
        check("'escape=json $a'", "'escape=json $a'");
        check(r"'\'$a\' \'$b\''", r"'\'$a\' \'$b\''");
    }

    #[test]
    fn a_dollar_without_a_name_is_pointed_at() {
        let error = Template::read("$a ${b $c").expect_err("no format");
        assert!(
            matches!(error, FormatError::BadVariable { byte_offset: 3, .. }),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_escape_is_named() {
        let error = Template::read("escape=xml $a").expect_err("no format");
        assert!(
            matches!(error, FormatError::UnknownEscape { ref found } if found == "xml"),
            "{error}"
        );
    }
}

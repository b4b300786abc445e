//! The grammar of an nginx.conf: words, quotes, comments and blocks, as `ngx_conf_read_token` of `ngx_conf_file.c` has it.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag};
use nom::character::complete::{anychar, char, multispace1, one_of};
use nom::combinator::{opt, peek, recognize, value};
use nom::multi::{fold_many0, fold_many1, many0_count};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::lua;
use super::{ConfError, Origin};

/// A directive, the head of a block, or the end of one.
pub(super) struct Statement {
    /// The line in which it begins, from 1.
    line_number: usize,
    /// Its words, unquoted; of the end of a block none.
    words: Vec<String>,
    pub(super) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `;`
    Semicolon,
    /// `{`
    Opening,
    /// `}`
    Closing,
}

impl Statement {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Its words with single spaces between them, at most so many that they fit into a message.
    pub(super) fn head(&self) -> String {
        excerpt(&self.words.join(" "))
    }
}

/// Goes through the text of one file statement by statement.
pub(super) struct Reader<'text> {
    file: &'text str,
    text: &'text str,
    rest: &'text str,
    /// An offset in `text`, and how many newlines stand before it.
    counted: (usize, usize),
}

impl<'text> Reader<'text> {
    pub(super) fn new(file: &'text str, text: &'text str) -> Self {
        // Editors of another world put it there; it is no part of the first word.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            file,
            text,
            rest: text,
            counted: (0, 0),
        }
    }

    /// The next statement; `None` at the end. `open` is the head of the block it stands in.
    pub(super) fn statement(
        &mut self,
        open: Option<&Statement>,
    ) -> Result<Option<Statement>, ConfError> {
        self.take(blanks);
        let line_number = self.line_number();
        let mut words: Vec<String> = Vec::new();
        loop {
            self.take(blanks);
            let expected = |what: &str| match words.first() {
                Some(name) => format!("`;` or `{{` at the end of `{}`", excerpt(name)),
                None => what.to_owned(),
            };
            let end = match self.rest.chars().next() {
                None if words.is_empty() && open.is_none() => return Ok(None),
                None => {
                    let closing = open.map_or_else(String::new, |head| {
                        let name = excerpt(head.name());
                        format!("the `}}` of `{name}` in line {}", head.line_number)
                    });
                    return Err(self.error_here(expected(&closing)));
                }
                Some('}') if words.is_empty() && open.is_some() => End::Closing,
                Some('}') => {
                    return Err(self.error_here(expected("a directive, since no block is open")));
                }
                Some(';' | '{') if words.is_empty() => {
                    return Err(self.error_here("a directive's name".to_owned()));
                }
                Some(';') => End::Semicolon,
                Some('{') => End::Opening,
                Some(quote @ ('"' | '\'')) => {
                    let word = self
                        .take(|text| quoted_by(quote).parse(text))
                        .ok_or_else(|| {
                            self.error_here(format!(
                                "a closing `{quote}` for the quote that begins here"
                            ))
                        })?;
                    words.push(word);
                    if self.take(after_quote).is_none() {
                        return Err(
                            self.error_here("a space or `;` after a closing quote".to_owned())
                        );
                    }
                    continue;
                }
                Some(_) => {
                    let word = self.take(bare_word);
                    words.push(word.ok_or_else(|| self.error_here("a word".to_owned()))?);
                    continue;
                }
            };
            self.take(anychar);
            return Ok(Some(Statement {
                line_number,
                words,
                end,
            }));
        }
    }

    /// Passes over a block of Lua, up to the `}` that closes it.
    pub(super) fn pass_lua(&mut self, head: &Statement) -> Result<(), ConfError> {
        let Some(end) = lua::block_end(self.rest) else {
            return Err(ConfError {
                file: self.file.to_owned(),
                line_number: head.line_number,
                expected: format!("the `}}` of `{}`", excerpt(head.name())),
                found: "the end of the file".to_owned(),
            });
        };
        self.rest = &self.rest[end..];
        Ok(())
    }

    pub(super) fn origin(&self, statement: &Statement) -> Origin {
        Origin {
            file: self.file.to_owned(),
            line_number: statement.line_number,
        }
    }

    /// What the parser reads here; `None`, and nothing taken, if it cannot.
    fn take<T>(&mut self, parser: impl Fn(&'text str) -> IResult<&'text str, T>) -> Option<T> {
        let (rest, value) = parser(self.rest).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Of the place that is read next.
    fn line_number(&mut self) -> usize {
        let (from, newlines) = self.counted;
        let here = self.text.len() - self.rest.len();
        let newlines =
            newlines + memchr::memchr_iter(b'\n', &self.text.as_bytes()[from..here]).count();
        self.counted = (here, newlines);
        newlines + 1
    }

    fn error_here(&mut self, expected: String) -> ConfError {
        ConfError {
            file: self.file.to_owned(),
            line_number: self.line_number(),
            expected,
            found: match self.rest.lines().next() {
                None | Some("") => "the end of the file".to_owned(),
                Some(line) => format!("`{}`", excerpt(line)),
            },
        }
    }

    pub(super) fn missing(&self, statement: &Statement, expected: &str) -> ConfError {
        ConfError {
            file: self.file.to_owned(),
            line_number: statement.line_number,
            expected: format!("{expected} in `{}`", statement.name()),
            found: "`;`".to_owned(),
        }
    }

    pub(super) fn unexpected(
        &self,
        statement: &Statement,
        expected: &str,
        word: &str,
    ) -> ConfError {
        // A path, perhaps: more of it than of a line is needed to find what is meant.
        const CHARS_MAX: usize = 200;
        ConfError {
            found: format!("`{}`", printable(word, CHARS_MAX)),
            ..self.missing(statement, expected)
        }
    }
}

/// The beginning of `text`, fit to print.
fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 24;
    printable(text, CHARS_MAX)
}

fn printable(text: &str, chars_max: usize) -> String {
    let mut excerpt = String::new();
    for character in text.chars().take(chars_max) {
        match character {
            '"' | '\'' | '\\' => excerpt.push(character),
            _ => excerpt.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(chars_max).is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// White space and comments.
fn blanks(text: &str) -> IResult<&str, ()> {
    let comment = recognize((char('#'), opt(is_not("\n"))));
    many0_count(alt((multispace1, comment)))
        .map(|_| ())
        .parse(text)
}

fn quoted_by<'text>(
    quote: char,
) -> impl Parser<&'text str, Output = String, Error = nom::error::Error<&'text str>> {
    let stop = if quote == '\'' { r"'\" } else { r#""\"# };
    let content = fold_many0(
        alt((is_not(stop), escaped)),
        String::new,
        |mut word, part| {
            word.push_str(part);
            word
        },
    );
    delimited(char(quote), content, char(quote))
}

/// What Nginx wants after a closing quote; `)` belongs to an `if` and begins the next word.
fn after_quote(text: &str) -> IResult<&str, char> {
    peek(one_of(" \t\r\n;{)")).parse(text)
}

/// A word without quotes around it. One within it is a letter like any other, and so are `#` and `}`.
fn bare_word(text: &str) -> IResult<&str, String> {
    let part = alt((is_not(" \t\r\n;{\\$"), escaped, tag("${"), tag("$")));
    fold_many1(part, String::new, |mut word, part: &str| {
        word.push_str(part);
        word
    })
    .parse(text)
}

/// A backslash and what it stands before: Nginx undoes it before these and leaves it before anything else.
fn escaped(text: &str) -> IResult<&str, &str> {
    let undone = preceded(
        char('\\'),
        alt((
            tag("'"),
            tag("\""),
            tag("\\"),
            value("\t", char('t')),
            value("\r", char('r')),
            value("\n", char('n')),
        )),
    );
    alt((undone, recognize((char('\\'), anychar)))).parse(text)
}

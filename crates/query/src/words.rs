//! The words of a statement, and where they stand: for what has to be known of it before it is planned, or while it is typed.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, Whitespace,
};

/// Words that mean something by themselves in a question.
pub const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CURRENT",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "RANGE",
    "RECURSIVE",
    "RIGHT",
    "ROW",
    "ROWS",
    "SELECT",
    "SIMILAR",
    "TABLE",
    "THEN",
    "TIMESTAMP",
    "TO",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// One of [`KEYWORDS`], not in quotes.
    Keyword,
    /// The name of a table, a column or a function, with its quotes if it has any.
    Name,
    /// A number.
    Number,
    /// A text, with its quotes.
    Text,
    /// A comment.
    Comment,
    /// Blanks, tabs and line ends.
    Space,
    /// An operator, a bracket, a comma and the like.
    Symbol,
    /// From here on it cannot be told, as a quote or comment does not end.
    Unfinished,
}

/// A word of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'sql> {
    /// As it is written.
    pub text: &'sql str,
    /// Where it begins, in bytes from the start of the statement.
    pub offset: usize,
    /// What it is.
    pub kind: WordKind,
}

impl Word<'_> {
    /// Whether it is this keyword, in capitals or not.
    #[must_use]
    pub fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == WordKind::Keyword && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this symbol.
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == WordKind::Symbol && self.text == symbol
    }
}

/// All words of a statement, or of several; together they are the whole text.
///
/// ```
/// use floodmark_query::{WordKind, words};
/// let found = words("SELECT 'a;b' -- c");
/// assert_eq!(found[0].kind, WordKind::Keyword);
/// assert_eq!((found[2].text, found[2].kind), ("'a;b'", WordKind::Text));
/// ```
#[must_use]
pub fn words(sql: &str) -> Vec<Word<'_>> {
    let mut tokens = Vec::new();
    let read = Tokenizer::new(&GenericDialect {}, sql)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens);
    let mut places = Places::of(sql);
    let starts: Vec<usize> = tokens
        .iter()
        .map(|token| places.offset(token.span.start))
        .collect();
    let finished = match (&read, tokens.last()) {
        (Ok(()), _) | (_, None) => sql.len(),
        (Err(_), Some(last)) => places.offset(last.span.end),
    };
    let ends = starts.iter().skip(1).copied().chain([finished]);
    let mut words: Vec<Word<'_>> = tokens
        .iter()
        .zip(starts.iter().zip(ends))
        .filter_map(|(token, (&start, end))| {
            let text = sql.get(start..end).filter(|text| !text.is_empty())?;
            Some(Word {
                text,
                offset: start,
                kind: kind(token, text),
            })
        })
        .collect();
    if read.is_err() {
        let offset = words.last().map_or(0, |last| last.offset + last.text.len());
        words.extend(sql.get(offset..).map(|text| Word {
            text,
            offset,
            kind: WordKind::Unfinished,
        }));
    }
    words
}

fn kind(token: &TokenWithSpan, text: &str) -> WordKind {
    match &token.token {
        Token::Word(word) => {
            let is_keyword = KEYWORDS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(text));
            match word.quote_style.is_none() && is_keyword {
                true => WordKind::Keyword,
                false => WordKind::Name,
            }
        }
        Token::Number(..) => WordKind::Number,
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => WordKind::Comment,
        Token::Whitespace(_) => WordKind::Space,
        _ if text.contains('\'') || text.starts_with('$') && text.len() > 1 => WordKind::Text,
        _ => WordKind::Symbol,
    }
}

/// Offsets of places that are asked for in ascending order.
struct Places<'sql> {
    chars: std::str::CharIndices<'sql>,
    line: u64,
    column: u64,
}

impl<'sql> Places<'sql> {
    fn of(sql: &'sql str) -> Self {
        Self {
            chars: sql.char_indices(),
            line: 1,
            column: 1,
        }
    }

    fn offset(&mut self, place: Location) -> usize {
        while (self.line, self.column) < (place.line, place.column) {
            match self.chars.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.chars.offset()
    }
}

/// A place of a statement as people count: line and column from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte.
    #[must_use]
    pub fn of(sql: &str, offset: usize) -> Self {
        let before = sql.get(..offset).unwrap_or(sql);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The statements of a text, without the `;` between them. What holds nothing but blanks and comments is none.
#[must_use]
pub fn statements(text: &str) -> Vec<&str> {
    let words = words(text);
    let mut found = Vec::new();
    for part in words.split(|word| word.is_symbol(";")) {
        let says = |word: &&Word<'_>| !matches!(word.kind, WordKind::Space | WordKind::Comment);
        let (Some(first), Some(last)) = (part.iter().find(says), part.iter().rev().find(says))
        else {
            continue;
        };
        found.extend(text.get(first.offset..last.offset + last.text.len()));
    }
    found
}

/// Whether what was typed ends with a `;` that ends a statement.
#[must_use]
pub fn is_ended(text: &str) -> bool {
    let words = words(text);
    let mut said = words
        .iter()
        .rev()
        .filter(|word| !matches!(word.kind, WordKind::Space | WordKind::Comment));
    said.next().is_some_and(|last| last.is_symbol(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &[(&str, WordKind)]) {
        let found = words(sql);
        let whole: String = found.iter().map(|word| word.text).collect();
        assert_eq!(whole, sql);
        let found: Vec<(&str, WordKind)> = found
            .iter()
            .filter(|word| word.kind != WordKind::Space)
            .map(|word| (word.text, word.kind))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_are_told_apart() {
        use WordKind::{Comment, Keyword, Name, Number, Symbol, Text};
        check(
            "select path, 1.5 from\n\"a b\" where x>='ä''ö' -- end",
            &[
                ("select", Keyword),
                ("path", Name),
                (",", Symbol),
                ("1.5", Number),
                ("from", Keyword),
                ("\"a b\"", Name),
                ("where", Keyword),
                ("x", Name),
                (">=", Symbol),
                ("'ä''ö'", Text),
                ("-- end", Comment),
            ],
        );
    }

    #[test]
    fn what_does_not_end_is_the_rest() {
        use WordKind::{Keyword, Name, Symbol, Unfinished};
        check(
            "select 'it; is",
            &[("select", Keyword), ("'it; is", Unfinished)],
        );
        check("a /* b\n c", &[("a", Name), ("/* b\n c", Unfinished)]);
        check("", &[]);
        check("\r\n;\t", &[(";", Symbol)]);
    }

    #[test]
    fn statements_end_with_a_semicolon_outside_of_quotes() {
        assert_eq!(
            statements("-- one\nselect ';' ; ;select 2 -- ; two\n; select 3"),
            ["select ';'", "select 2", "select 3"]
        );
        assert_eq!(statements(" -- nothing; \n"), [""; 0]);
        assert!(is_ended("select 1; -- so"));
        assert!(!is_ended("select ';"));
        assert!(!is_ended("select 1 -- ;"));
    }

    #[test]
    fn places_are_counted_in_characters() {
        let place = |offset| Place::of("ä b\nc d", offset).to_string();
        assert_eq!(
            [place(0), place(3), place(5), place(7)],
            ["1:1", "1:3", "2:1", "2:3"]
        );
    }
}

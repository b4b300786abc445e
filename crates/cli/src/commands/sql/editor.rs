//! The line that is typed: completed, coloured, and ended by a `;`.

use std::borrow::Cow;

use floodmark_query::{KEYWORDS, Vocabulary, Word, WordKind, functions, is_ended, words};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::command;

/// What helps to type.
pub(super) struct Editor {
    pub(super) vocabulary: Vocabulary,
    /// Names of queries.
    pub(super) queries: Vec<String>,
    pub(super) has_color: bool,
}

impl Helper for Editor {}

impl Hinter for Editor {
    type Hint = String;
}

impl Validator for Editor {
    /// A line is taken at its end if it is a command, blank, or ends a statement; and wherever an empty line follows it.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

fn is_whole(input: &str) -> bool {
    let text = input.trim();
    text.is_empty() || text.starts_with('\\') || is_ended(text) || input.ends_with("\n")
}

impl Highlighter for Editor {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.has_color || line.starts_with('\\') {
            return Cow::Borrowed(line);
        }
        let colored = words(line).into_iter().map(|word| match color(&word) {
            Some(color) => Cow::Owned(format!("\x1b[{color}m{}\x1b[0m", word.text)),
            None => Cow::Borrowed(word.text),
        });
        Cow::Owned(colored.collect())
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.has_color && kind != CmdKind::MoveCursor
    }
}

/// The parameters of `SGR` for a word.
fn color(word: &Word<'_>) -> Option<&'static str> {
    match word.kind {
        WordKind::Keyword => Some("1"),
        WordKind::Text | WordKind::Unfinished => Some("32"),
        WordKind::Number => Some("36"),
        WordKind::Comment => Some("2"),
        WordKind::Name if functions().iter().any(|help| help.is_about(word.text)) => Some("35"),
        WordKind::Name | WordKind::Symbol | WordKind::Space => None,
    }
}

impl Completer for Editor {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.candidates(line.get(..at).unwrap_or(line), line))
    }
}

impl Editor {
    /// Where the word begins that is typed, and what it may become. `before` is what stands before the cursor.
    fn candidates(&self, before: &str, line: &str) -> (usize, Vec<Pair>) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_part(*c))
            .last()
            .map_or(before.len(), |(at, _)| at);
        let typed = &before[start..];
        if line.starts_with('\\') {
            return self.of_command(before, start, typed);
        }
        let said: Vec<Word<'_>> = words(&before[..start])
            .into_iter()
            .filter(|word| !matches!(word.kind, WordKind::Space | WordKind::Comment))
            .collect();
        // Within a text or a comment nobody wants a column.
        if said
            .last()
            .is_some_and(|word| word.kind == WordKind::Unfinished)
        {
            return (start, Vec::new());
        }
        let mut found = Vec::new();
        match &said[..] {
            [.., table, dot] if dot.is_symbol(".") => {
                let columns = self.columns_of(|name| name.eq_ignore_ascii_case(table.text));
                found.extend(matching(columns, typed));
            }
            [.., last] if last.is_keyword("FROM") || last.is_keyword("JOIN") => {
                found.extend(matching(self.tables(), typed));
            }
            _ => {
                let all = words(line);
                let is_named = |name: &str| {
                    let mut names = all.iter().filter(|word| word.kind == WordKind::Name);
                    names.any(|word| word.text.eq_ignore_ascii_case(name))
                };
                let names_some = self.tables().any(is_named);
                let columns = self.columns_of(|name| !names_some || is_named(name));
                found.extend(matching(columns, typed));
                if !typed.is_empty() {
                    found.extend(matching(self.tables(), typed));
                    let calls =
                        matching(self.vocabulary.functions.iter().map(String::as_str), typed);
                    found.extend(calls.map(|name| format!("{name}(")));
                    let is_upper = typed.chars().any(char::is_uppercase);
                    let keywords = matching(KEYWORDS.iter().copied(), typed);
                    found.extend(keywords.map(|keyword| match is_upper {
                        true => keyword,
                        false => keyword.to_ascii_lowercase(),
                    }));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        (start, found.into_iter().map(same).collect())
    }

    fn of_command(&self, before: &str, start: usize, typed: &str) -> (usize, Vec<Pair>) {
        let mut said = before[..start].split_whitespace();
        let found: Vec<String> = match (said.next(), said.next()) {
            (None | Some(r"\"), None) => {
                let names = command::names().filter(|name| name.starts_with(before));
                return (0, names.map(|name| same(name.to_owned())).collect());
            }
            (Some(r"\d"), None) => matching(self.tables(), typed).collect(),
            (Some(r"\df"), None) => {
                let calls = functions().iter().flat_map(|help| help.calls.iter());
                let names = calls.filter_map(|call| call.split('(').next());
                matching(names, typed).collect()
            }
            (Some(r"\query"), None) => {
                matching(self.queries.iter().map(String::as_str), typed).collect()
            }
            (Some(r"\o"), None) => {
                let names = ["table", "record", "csv", "tsv", "json", "jsonl", "md"];
                matching(names.into_iter(), typed).collect()
            }
            _ => Vec::new(),
        };
        (start, found.into_iter().map(same).collect())
    }

    fn tables(&self) -> impl Iterator<Item = &str> {
        self.vocabulary.tables.iter().map(|(name, _)| name.as_str())
    }

    fn columns_of(&self, is_wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let tables = self.vocabulary.tables.iter();
        let tables = tables.filter(move |(name, _)| is_wanted(name));
        tables.flat_map(|(_, columns)| columns.iter().map(|(name, _)| name.as_str()))
    }
}

/// The names that begin with what was typed, in capitals or not.
fn matching<'n>(names: impl Iterator<Item = &'n str>, typed: &str) -> impl Iterator<Item = String> {
    let begins = move |name: &&str| {
        let head = name.get(..typed.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(typed))
    };
    names.filter(begins).map(str::to_owned)
}

fn same(name: String) -> Pair {
    Pair {
        display: name.clone(),
        replacement: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor() -> Editor {
        let column = |name: &str| (name.to_owned(), "text".to_owned());
        Editor {
            vocabulary: Vocabulary {
                tables: vec![
                    (
                        "requests".to_owned(),
                        ["status", "path", "time"].map(column).to_vec(),
                    ),
                    (
                        "rejects".to_owned(),
                        ["reason", "raw", "time"].map(column).to_vec(),
                    ),
                ],
                functions: ["status_class", "sum"].map(str::to_owned).to_vec(),
            },
            queries: ["errors", "error_spikes"].map(str::to_owned).to_vec(),
            has_color: true,
        }
    }

    /// What the word before the `|` may become.
    #[track_caller]
    fn check(typed: &str, expected: &[&str]) {
        let (before, after) = typed.split_once('|').unwrap();
        let (start, found) = editor().candidates(before, &format!("{before}{after}"));
        let found: Vec<String> = found
            .into_iter()
            .map(|pair| format!("{}{}", &before[..start], pair.replacement))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_that_fit_are_offered() {
        check("select sta|", &["select status", "select status_class("]);
        check("SEL|", &["SELECT"]);
        check("sel|", &["select"]);
        check(
            "select * from re|",
            &["select * from rejects", "select * from requests"],
        );
        check(
            "select r| from rejects",
            &[
                "select range",
                "select raw",
                "select reason",
                "select recursive",
                "select rejects",
                "select requests",
                "select right",
                "select row",
                "select rows",
            ],
        );
        check(
            "select rejects.r|",
            &["select rejects.raw", "select rejects.reason"],
        );
        check("select 'sta|", &[]);
        check("select ä|", &[]);
    }

    #[test]
    fn commands_are_offered() {
        check(r"\d|", &[r"\d", r"\df", r"\dq"]);
        check(r"\d re|", &[r"\d requests", r"\d rejects"]);
        check(r"\df ip_p|", &[r"\df ip_prefix"]);
        check(r"\query error_|", &[r"\query error_spikes"]);
        check(r"\o js|", &[r"\o json", r"\o jsonl"]);
    }

    #[test]
    fn a_statement_ends_with_a_semicolon_or_an_empty_line() {
        for whole in [
            "",
            r"\d requests",
            "select 1;",
            "select 1 -- one\n; ",
            "select 1\n",
        ] {
            assert!(is_whole(whole), "{whole:?}");
        }
        for part in ["select 1", "select ';", "select 1 -- ;"] {
            assert!(!is_whole(part), "{part:?}");
        }
    }

    #[test]
    fn colours_change_no_text() {
        let line = "select status_class(status), 'ä', 1 -- x";
        let colored = editor().highlight(line, 0).into_owned();
        assert_eq!(
            colored,
            "\x1b[1mselect\x1b[0m \x1b[35mstatus_class\x1b[0m(status), \x1b[32m'ä'\x1b[0m, \x1b[36m1\x1b[0m \x1b[2m-- x\x1b[0m"
        );
    }
}

//! What is typed at the prompt and is no statement: it begins with a `\`.

use anyhow::{Result, anyhow, bail};
use clap::{Parser, ValueEnum};
use floodmark_query::{FunctionHelp, Vocabulary, functions};

use crate::args::{Output, QueryArgs};

/// What a person wants of the prompt.
#[derive(Debug)]
pub(super) enum Command {
    Help,
    Quit,
    /// The tables, or the columns of one.
    Describe(Option<String>),
    /// The functions, or the help of one.
    Functions(Option<String>),
    Queries,
    Query(Box<QueryArgs>),
    /// How rows are written from now on.
    Output(Output),
    /// Each row on lines of its own, or not any more.
    Expand,
    /// The last statement in an editor.
    Edit,
}

/// Each command, its arguments, and what it does.
const COMMANDS: &[(&str, &str, &str)] = &[
    (r"\d", "[TABLE]", "tables, or the columns of one"),
    (
        r"\df",
        "[FUNCTION]",
        "Floodmark's own functions, or what one is for",
    ),
    (r"\dq", "", "named queries"),
    (
        r"\query",
        "NAME [OPTION…]",
        "run a named query, with the options of `floodmark query`",
    ),
    (r"\e", "", "the last statement in $VISUAL or $EDITOR"),
    (r"\x", "", "each row on lines of its own, or not any more"),
    (
        r"\o",
        "FORMAT",
        "write rows as table, record, csv, tsv, json, jsonl or md",
    ),
    (r"\?", "", "this help"),
    (r"\q", "", "end; so does Ctrl-D"),
];

/// The names of all commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, ..)| *name)
}

/// The options of a named query, as on the command line.
#[derive(Debug, Parser)]
#[command(name = r"\query", no_binary_name = true, disable_help_flag = true)]
struct Query {
    #[command(flatten)]
    args: QueryArgs,
}

impl Command {
    /// Reads a line that begins with a `\`.
    pub(super) fn read(line: &str) -> Result<Self> {
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        let name = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let argument = || match rest[..] {
            [] => Ok(None),
            [one] => Ok(Some(one.to_owned())),
            _ => Err(anyhow!(
                "`{name}`: expected at most one word, found {}",
                rest.len()
            )),
        };
        Ok(match name {
            r"\?" | r"\h" | r"\help" => Self::Help,
            r"\q" | r"\quit" => Self::Quit,
            r"\d" | r"\dt" => Self::Describe(argument()?),
            r"\df" => Self::Functions(argument()?),
            r"\dq" => Self::Queries,
            r"\e" => Self::Edit,
            r"\x" => Self::Expand,
            r"\query" if rest.is_empty() => Self::Queries,
            r"\query" => {
                let read = Query::try_parse_from(&rest);
                Self::Query(Box::new(read.map_err(|error| anyhow!(told(&error)))?.args))
            }
            r"\o" => {
                let format = argument()?.unwrap_or_default();
                match Output::from_str(&format, true) {
                    Ok(output) if output != Output::Parquet => Self::Output(output),
                    _ => bail!(
                        r"`\o`: expected `table`, `record`, `csv`, `tsv`, `json`, `jsonl` or `md`, found `{format}`"
                    ),
                }
            }
            _ => bail!("no command `{name}`\nhint: `\\?` lists them"),
        })
    }
}

/// What clap says, without its usage.
fn told(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

pub(super) fn help() -> String {
    let lines = COMMANDS.iter().map(|(name, arguments, does)| {
        let call = format!("{name} {arguments}");
        format!("  {call:24}{does}\n")
    });
    let keys = "  Tab completes, Ctrl-R looks through what was asked before, Ctrl-C ends a question, a statement ends with `;`\n";
    lines.chain([keys.to_owned()]).collect()
}

/// Tables with the number of their columns.
pub(super) fn tables(vocabulary: &Vocabulary) -> String {
    let lines = vocabulary.tables.iter().map(|(name, columns)| {
        let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        format!("  {name:10} {}\n", columns.join(", "))
    });
    lines.collect()
}

/// The columns of a table.
pub(super) fn columns(vocabulary: &Vocabulary, table: &str) -> Result<String> {
    let mut tables = vocabulary.tables.iter();
    let found = tables.find(|(name, _)| name.eq_ignore_ascii_case(table));
    let Some((_, columns)) = found else {
        bail!("no table `{table}`\nhint: `\\d` lists them");
    };
    let width = columns
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let lines = columns
        .iter()
        .map(|(name, kind)| format!("  {name:width$}  {kind}\n"));
    Ok(lines.collect())
}

/// Floodmark's own functions, a line each.
pub(super) fn list_of_functions() -> String {
    let lines = functions().iter().map(|help| {
        let calls = help.calls.join(", ");
        format!("{calls}\n    {}\n", help.summary)
    });
    lines.collect()
}

/// What a function is for.
pub(super) fn function(name: &str) -> Result<String> {
    let Some(FunctionHelp {
        calls,
        summary,
        text,
        example,
    }) = functions().iter().find(|help| help.is_about(name))
    else {
        bail!("no function `{name}` of Floodmark's own\nhint: `\\df` lists them");
    };
    let example = example.as_ref().map(|sql| format!("\n{sql};\n"));
    Ok(format!(
        "{}\n    {summary}\n\n{text}\n{}",
        calls.join(", "),
        example.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let read = Command::read(line);
        let shown = match read {
            Ok(command) => format!("{command:?}"),
            Err(error) => format!("{error}"),
        };
        assert!(shown.starts_with(expected), "{shown}");
    }

    #[test]
    fn commands_are_read() {
        check(r"\d", "Describe(None)");
        check(r"\d requests;", r#"Describe(Some("requests"))"#);
        check(r"\o JSON", "Output(Json)");
        check(
            r"\query bots --since 24h -p people=1",
            "Query(QueryArgs { name: Some(\"bots\")",
        );
        check(r"\q", "Quit");
    }

    #[test]
    fn what_is_no_command_is_said() {
        check(r"\foo", "no command `\\foo`");
        check(r"\o parquet", "`\\o`: expected `table`");
        check(r"\d a b", "`\\d`: expected at most one word, found 2");
        check(
            r"\query bots --sinse 1h",
            "unexpected argument '--sinse' found",
        );
    }

    #[test]
    fn help_names_each_command() {
        for name in names() {
            assert!(help().contains(name), "{name}");
        }
    }
}

//! What can go wrong with a query, said so that it can be mended.

use std::time::Duration;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::header::ParamType;
use crate::suggest::{did_you_mean, nearest};
use crate::words::{Place, WordKind, words};

/// What can go wrong with a query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such named query.
    #[error("no query `{name}`{}\nhint: `floodmark query` lists them", did_you_mean(near.as_ref()))]
    UnknownQuery {
        /// The name given.
        name: String,
        /// The nearest known name.
        near: Option<String>,
    },
    /// A named query has no such parameter.
    #[error("query `{query}` has no parameter `{name}`{}", did_you_mean(near.as_ref()))]
    UnknownParameter {
        /// The query.
        query: String,
        /// The name given.
        name: String,
        /// The nearest known name.
        near: Option<String>,
    },
    /// A value that is not of its parameter's type.
    #[error("query `{query}`: expected a value of type {expected} for `{name}`, found `{found}`")]
    BadParameter {
        /// The query.
        query: String,
        /// The parameter.
        name: String,
        /// Its type.
        expected: ParamType,
        /// The value given.
        found: String,
    },
    /// The SQL of a named query uses a parameter that its header does not have.
    #[error("query `{query}` uses `${name}`, which its header does not declare")]
    UndeclaredParameter {
        /// The query.
        query: String,
        /// The name used.
        name: String,
    },
    /// A named query is about a variable that no log has.
    #[error(
        "query `{query}` needs `${variable}`, which no log has\nhint: add it to `log_format` in nginx.conf"
    )]
    NotLogged {
        /// The query.
        query: String,
        /// The variable, without `$`.
        variable: String,
    },
    /// A named query failed.
    #[error("query `{query}`: {source}")]
    InQuery {
        /// The query.
        query: String,
        /// Why.
        source: Box<Error>,
    },
    /// A column that is not there.
    #[error("{}no column `{name}`{}{}", at(*place), in_table(table.as_ref()), did_you_mean(near.as_ref()))]
    NoColumn {
        /// Where it is asked for.
        place: Option<Place>,
        /// The name used.
        name: String,
        /// Where it was looked for, if in one table.
        table: Option<String>,
        /// The nearest known name.
        near: Option<String>,
    },
    /// A table that is not there.
    #[error("{}no table `{name}`{}\nhint: the tables are `requests`, `rejects`, `gaps`, `minutes` and `sources`", at(*place), did_you_mean(near.as_ref()))]
    NoTable {
        /// Where it is asked for.
        place: Option<Place>,
        /// The name used.
        name: String,
        /// The nearest known name.
        near: Option<String>,
    },
    /// A function that is not there.
    #[error("{}no function `{name}`{}\nhint: `floodmark sql --functions` lists Floodmark's own", at(*place), did_you_mean(near.as_ref()))]
    NoFunction {
        /// Where it is called.
        place: Option<Place>,
        /// The name used.
        name: String,
        /// The nearest known name.
        near: Option<String>,
    },
    /// The statement is not SQL.
    #[error("cannot read the statement: {message}")]
    Syntax {
        /// Where and what.
        message: String,
    },
    /// There is nothing to run.
    #[error("expected a statement, found none")]
    NoStatement,
    /// There is more than one statement.
    #[error("expected one statement, found several\nhint: put a `;` between them")]
    SeveralStatements,
    /// The statement would change something.
    #[error(
        "only questions are answered here, found `{found}`\nhint: a statement begins with `SELECT`, `WITH`, `VALUES` or `EXPLAIN`"
    )]
    NotAQuestion {
        /// What was refused.
        found: String,
    },
    /// What is to be true or false of a row is neither.
    #[error(
        "`{condition}`: expected a condition such as `status >= 500`, found a value of type {found}"
    )]
    NotACondition {
        /// What was given.
        condition: String,
        /// Its type.
        found: String,
    },
    /// The statement is too long to plan.
    #[error("a statement may have {bytes_max} bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Something is nested so deep, or so often put together, that planning it would take too long.
    #[error(
        "{place}: expected at most {most} {what}, found more\nhint: `IN (…)` takes any number of values, and `WITH` gives parts of a question names"
    )]
    TooMany {
        /// Where it gets too many.
        place: Place,
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// The query ran longer than it may.
    #[error("the query was ended after {} s", after.as_secs())]
    TimedOut {
        /// The bound.
        after: Duration,
    },
    /// The query needs more memory than it may have, and there is nothing more to be put on disk.
    #[error(
        "the query needs more memory than it may have: {message}\nhint: `--memory 4G` gives it more; fewer groups, a join on equal columns or a shorter time need less"
    )]
    OutOfMemory {
        /// What was asked for by what, as DataFusion says it.
        message: String,
    },
    /// The statement does not make sense, as DataFusion says it.
    #[error("{message}")]
    Plan {
        /// What was said.
        message: String,
    },
    /// Planning or running failed.
    #[error("the query failed")]
    DataFusion(#[from] DataFusionError),
    /// Reading the lake failed.
    #[error(transparent)]
    Store(#[from] floodmark_store::Error),
    /// A value could not be converted: a bug of ours.
    #[error("cannot convert a column")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// The place of an error, where it is known.
fn at(place: Option<Place>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}

/// Where a name is used first in a statement.
fn place_of(sql: &str, name: &str) -> Option<Place> {
    let words = words(sql);
    let is_it = |text: &str| {
        let bare = text.trim_matches('"');
        bare == name || (bare == text && bare.eq_ignore_ascii_case(name))
    };
    let mut uses = words
        .iter()
        .filter(|word| {
            matches!(
                word.kind,
                WordKind::Name | WordKind::Text | WordKind::Keyword
            )
        })
        .filter(|word| is_it(word.text) || word.text.trim_matches('\'') == name);
    let first = uses.next()?;
    Some(Place::of(sql, first.offset))
}

fn in_table(table: Option<&String>) -> String {
    table.map_or_else(String::new, |table| format!(" in `{table}`"))
}

impl Error {
    /// There is no such query among those that are known.
    pub fn unknown_query<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Self {
        Self::UnknownQuery {
            name: name.to_owned(),
            near: nearest(name, known),
        }
    }

    /// The error of a query that runs.
    pub(crate) fn of_run(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => Self::OutOfMemory {
                message: message.clone(),
            },
            _ => Self::DataFusion(error),
        }
    }

    /// The error of a statement, with what was meant where that can be guessed.
    pub(crate) fn of_statement(error: DataFusionError, sql: &str, tables: &[&str]) -> Self {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound {
                    field,
                    valid_fields,
                } => {
                    let mut relations: Vec<String> = valid_fields
                        .iter()
                        .filter_map(|valid| Some(valid.relation.as_ref()?.table().to_owned()))
                        .collect();
                    relations.dedup();
                    Self::NoColumn {
                        place: place_of(sql, &field.name),
                        name: field.name.clone(),
                        near: nearest(
                            &field.name,
                            valid_fields.iter().map(|valid| valid.name.as_str()),
                        ),
                        table: if relations.len() == 1 {
                            relations.pop()
                        } else {
                            None
                        },
                    }
                }
                other => Self::Plan {
                    message: other.to_string(),
                },
            },
            DataFusionError::SQL(parser, _) => {
                let message = parser.to_string();
                let message = placed(message.trim_start_matches("sql parser error: "));
                Self::Syntax { message }
            }
            DataFusionError::Plan(message) => match missing_table(message) {
                Some(name) => Self::NoTable {
                    place: place_of(sql, &name),
                    near: nearest(&name, tables.iter().copied()),
                    name,
                },
                None => match missing_function(message) {
                    Some((name, suggestion)) => Self::NoFunction {
                        place: place_of(sql, name),
                        near: nearest(name, suggestion.into_iter()),
                        name: name.to_owned(),
                    },
                    None => Self::of_plan(message),
                },
            },
            DataFusionError::NotImplemented(message)
                if message.contains("single SQL statement") =>
            {
                Self::SeveralStatements
            }
            DataFusionError::NotImplemented(message) => Self::Plan {
                message: message.clone(),
            },
            DataFusionError::ArrowError(error, _) => Self::Plan {
                message: error.to_string(),
            },
            _ => match mismatch(&error.to_string()) {
                Some(message) => Self::Plan { message },
                None => Self::DataFusion(error),
            },
        }
    }

    fn of_plan(message: &str) -> Self {
        if let Some(message) = mismatch(message) {
            return Self::Plan { message };
        }
        match message.split_once(" not supported: ") {
            Some(("DDL" | "DML" | "Statement", found)) => Self::NotAQuestion {
                found: found.to_owned(),
            },
            _ if message.starts_with("No SQL statements") => Self::NoStatement,
            _ => Self::Plan {
                message: message.to_owned(),
            },
        }
    }
}

/// The name in `table 'catalog.schema.name' not found`.
fn missing_table(message: &str) -> Option<String> {
    let quoted = message
        .strip_prefix("table '")?
        .split_once("' not found")?
        .0;
    // A file's name may hold dots of its own.
    quoted.splitn(3, '.').nth(2).map(str::to_owned)
}

/// The name in `Invalid function 'name'.` and the one that DataFusion suggests.
fn missing_function(message: &str) -> Option<(&str, Option<&str>)> {
    let (name, rest) = message
        .strip_prefix("Invalid function '")?
        .split_once('\'')?;
    let suggestion = rest
        .split_once("Did you mean '")
        .and_then(|(_, rest)| rest.split_once('\''));
    Some((name, suggestion.map(|(name, _)| name)))
}

/// The one sentence that matters where no signature of a function fits its arguments.
fn mismatch(message: &str) -> Option<String> {
    let (_, call) =
        message.split_once("No function matches the given name and argument types '")?;
    let (call, _) = call.split_once('\'')?;
    Some(format!(
        "no function takes `{call}`\nhint: `arrow_cast` and `cast` change a type, and `describe requests` shows those of columns"
    ))
}

/// `line:column: expected …, found …`, where the parser says `Expected: …, found: … at Line: …, Column: …`.
fn placed(message: &str) -> String {
    let (text, place) = message.split_once(" at Line: ").unwrap_or((message, ""));
    let place = match place.split_once(", Column: ") {
        Some((line, column)) => format!("{line}:{column}: "),
        None => String::new(),
    };
    let text = match text
        .strip_prefix("Expected: ")
        .and_then(|text| text.split_once(", found: "))
    {
        Some((expected, "EOF")) => format!("expected {expected}, found the end"),
        Some((expected, found)) => format!("expected {expected}, found `{found}`"),
        None => text.to_owned(),
    };
    format!("{place}{text}")
}

//! What can go wrong between an answer and a page.

/// Why a report could not be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A named query of the report failed.
    #[error("query `{query}` of the report failed")]
    Query {
        /// The named query.
        query: String,
        /// What the engine said.
        source: floodmark_query::Error,
    },
    /// A named query gave no column of this name.
    #[error(
        "query `{query}`: expected a column `{column}`, found {found}\nhint: the query's file was changed; the report needs its columns as they were"
    )]
    Column {
        /// The named query.
        query: String,
        /// The column that the report reads.
        column: &'static str,
        /// The columns that were there, in backticks.
        found: String,
    },
    /// A value is none of those that the report knows.
    #[error("query `{query}`: column `{column}`, row {row}: expected {expected}, found `{found}`")]
    Value {
        /// The named query.
        query: String,
        /// The column that the report reads.
        column: &'static str,
        /// Row within its batch, from 1.
        row: usize,
        /// What it should be.
        expected: &'static str,
        /// What it is; `NULL` if it is missing.
        found: String,
    },
    /// The page's template failed.
    #[error("cannot draw the HTML page")]
    Template(#[from] minijinja::Error),
    /// A value of an answer cannot be drawn.
    #[error("cannot draw a value of column `{column}`")]
    Cell {
        /// The answer's column.
        column: String,
        /// Arrow's word.
        source: arrow::error::ArrowError,
    },
    /// The answer is nothing to draw.
    #[error(
        "expected {expected}, found {found}\nhint: a chart has a name, a time or a number in its first column and a number in the next"
    )]
    NoChart {
        /// What a chart needs.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The answer has a type that Parquet does not know, or could not be encoded.
    #[error("cannot write the answer as Parquet")]
    Parquet(#[source] parquet::errors::ParquetError),
    /// The answer could not be written; a closed pipe is [`std::io::ErrorKind::BrokenPipe`].
    #[error("cannot write the answer")]
    Write(#[from] std::io::Error),
}

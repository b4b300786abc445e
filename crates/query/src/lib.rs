//! The DataFusion session: tables, functions, named queries and their bounds.
//!
//! Start from [`Engine`]: over a lake ([`Engine::over_lake`]), also with what live logs hold beyond it ([`Engine::over_lake_and`]), or straight over raw logs ([`Engine::over_logs`]), the
//! same tables and functions answer the same SQL. [`NamedQuery`] is one insight, a file of the `queries` folder.
//!
//! Absent on purpose: this crate writes no Parquet and prints nothing.

mod beyond;
mod bounds;
mod by_group;
mod distinct;
mod engine;
mod error;
mod facts;
mod filter;
mod from_minutes;
mod functions;
mod header;
mod interruptible;
mod named;
mod once_per_text;
mod raw;
mod raw_condition;
mod raw_minutes;
mod raw_span;
mod remembered;
mod restartable;
mod suggest;
mod tables;
mod words;

pub use engine::{Answer, Engine, EngineOptions, Running, Vocabulary};
pub use error::Error;
pub use facts::{FactError, Facts, Maintenance, RangeList, maintenance, ranges};
pub use filter::RowFilter;
pub use functions::{FunctionHelp, functions};
pub use header::{Chart, ChartKind, HeaderError, NamedQuery, Param, ParamType};
pub use named::{Settings, named_queries, named_query};
pub use raw::{Beyond, RawLogs, Seen};
pub use words::{KEYWORDS, Place, Word, WordKind, is_ended, statements, words};

//! The commands, each from its checked plan to its output.

mod answer;
mod explain;
mod ingest;
mod inspect;
mod lake;
mod lake_info;
mod lists;
mod query;
mod rebuild;
mod report;
mod shell;
mod simulate;
mod sql;
mod tail;
mod temporary;

pub(crate) use ingest::ingest;
pub(crate) use inspect::inspect;
pub(crate) use lake::lake;
pub(crate) use lists::lists;
pub(crate) use query::query;
pub(crate) use report::report;
pub(crate) use shell::{completions, man};
pub(crate) use simulate::simulate;
pub(crate) use sql::sql;
pub(crate) use tail::tail;

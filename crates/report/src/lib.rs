//! Named-query results to HTML, Markdown, JSON and terminal text.
//!
//! Start from [`build`], which asks an engine the report's named queries and returns a [`Report`] of plain structs, and from
//! [`Report::terminal`], [`Report::html`], [`Report::markdown`] and [`Report::json`], which draw it. Any other answer is written by
//! [`write_answer`]. A report depends on its rows and settings alone: drawn twice, it is the same to the byte.
//!
//! Log bytes are hostile: whatever is drawn goes through [`escape_control`], HTML is escaped by its template engine, and a CSV
//! cell that would start a formula is quoted.
//!
//! ```
//! use floodmark_report::escape_control;
//!
//! assert_eq!(escape_control("/a\u{1b}[2J\u{202e}gpj.exe"), r"/a\x1B[2J\u{202E}gpj.exe");
//! ```
//!
//! Absent on purpose: where the output goes, the clock, the local time zone and the terminal are the caller's business.

mod answer;
mod calendar;
mod cell;
mod charts;
mod drawing;
mod error;
mod grid;
mod html;
mod index;
mod json;
mod markdown;
mod model;
mod page;
mod panel;
mod parquet;
mod rows;
mod share;
mod terminal;
mod text;
mod time;
mod timeline;
mod words;

pub use answer::{AnswerWriter, TableFormat, write_answer};
pub use drawing::{Drawing, DrawingKind, DrawingOptions};
pub use error::Error;
pub use index::{PastReport, index_page};
pub use model::{
    Bot, Class, Incident, IncidentKind, LineCounts, Minute, Query, Report, Spike, State, Traffic,
    Verdict, Week,
};
pub use panel::{Panel, Value};
pub use parquet::ParquetWriter;
pub use rows::{Options, build};
pub use text::{Style, escape_control};
pub use time::TimeUs;

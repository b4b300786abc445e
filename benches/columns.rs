//! A log file in the page cache to Arrow columns, all of the table's, on one thread; nothing is written.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::sync::Arc;

use floodmark_ingest::{Intake, LineSchema, Scratch, TextAs};
use floodmark_source::{BlockOptions, Feed, plan};

#[path = "log_file.rs"]
mod log_file;
#[path = "log_lines.rs"]
mod log_lines;
#[path = "rounds.rs"]
mod rounds;

fn main() {
    let log = log_file::LogInFolder::new();
    let whole = LineSchema::new(log.variables());
    let status = whole.project(&[status_at(&whole)]);
    let none = whole.project(&[]);
    for (name, schema, text_as) in [
        ("columns/combined/all as codes", &whole, TextAs::Codes),
        ("columns/combined/all as views", &whole, TextAs::Views),
        ("columns/combined/status", &status, TextAs::Views),
        ("columns/combined/none", &none, TextAs::Views),
    ] {
        let work = || read(&log, schema, text_as);
        println!("{}", rounds::best(name, log.bytes(), work));
    }
}

fn status_at(schema: &LineSchema) -> usize {
    let mut columns = schema.columns().iter();
    columns
        .position(|column| column.name == "status")
        .expect("a column of every table")
}

/// Reads the log into batches; returns the lines seen.
fn read(log: &log_file::LogInFolder, schema: &LineSchema, text_as: TextAs) -> usize {
    let feed = Arc::new(Feed::new(plan(log.files(), &[]), BlockOptions::default()));
    let intake = Intake::new(feed, &log.settings(), schema.clone(), text_as);
    let mut scratch = Scratch::default();
    let mut lines = 0;
    while let Some(batch) = intake.next(&mut scratch).expect("a log that can be read") {
        lines += usize::try_from(batch.tally.lines).expect("lines of a block");
        black_box(batch.rows);
        if scratch.is_crowded() {
            scratch.clear();
        }
    }
    lines
}

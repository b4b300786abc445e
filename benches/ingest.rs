//! A log file in the page cache to a durable lake, on one thread and on two.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use floodmark_ingest::{Intake, LineSchema, TextAs};
use floodmark_source::{BlockOptions, Feed, plan};
use floodmark_store::{Lake, LoadOptions};

#[path = "log_file.rs"]
mod log_file;
#[path = "log_lines.rs"]
mod log_lines;
#[path = "rounds.rs"]
mod rounds;

fn main() {
    let log = log_file::LogInFolder::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    for (name, threads) in [
        ("ingest/combined/1 thread", 1),
        ("ingest/combined/2 threads", 2),
    ] {
        let work = || runtime.block_on(ingest(&log, threads));
        println!("{}", rounds::best(name, log.bytes(), work));
    }
}

/// Ingests the log into a new lake; returns the lines seen.
async fn ingest(log: &log_file::LogInFolder, threads: usize) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut lake = Lake::open_or_create(folder.path())
        .await
        .expect("a new lake");
    let feed = Arc::new(Feed::new(plan(log.files(), &[]), BlockOptions::default()));
    let schema = LineSchema::new(log.variables());
    let intake = Intake::new(feed, &log.settings(), schema, TextAs::Codes);
    let options = LoadOptions {
        threads,
        ..LoadOptions::default()
    };
    let never = AtomicBool::new(false);
    let tally = lake
        .load(&intake, &options, &never, &|_| {})
        .await
        .expect("a log that is read");
    usize::try_from(tally.lines).expect("lines of the log")
}

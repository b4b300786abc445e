//! Parsing alone: every line of a log in memory to typed values that are thrown away.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;

use floodmark_format::{CompiledFormat, Hit, integer, status};

#[path = "log_lines.rs"]
mod log_lines;
#[path = "rounds.rs"]
mod rounds;

fn main() {
    let log = log_lines::combined(rounds::LOG_BYTES, rounds::SEED);
    println!(
        "{}",
        rounds::best("newlines/combined/memchr", log.len(), || {
            memchr::memchr_iter(b'\n', &log).count()
        })
    );
    println!(
        "{}",
        rounds::best("parse/combined/typed", log.len(), || parse(
            &CompiledFormat::preset("combined"),
            &log
        ))
    );
    // The same lines by a text: what a format without a name costs.
    let text =
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $rest"#;
    println!(
        "{}",
        rounds::best("parse/custom/typed", log.len(), || parse(
            &CompiledFormat::compile(text).ok(),
            &log
        ))
    );
}

/// Parses each line and reads its numbers; returns the lines seen.
fn parse(format: &Option<CompiledFormat>, log: &[u8]) -> usize {
    let format = format.as_ref().expect("a format that compiles");
    let slot = |name: &str| {
        format
            .variables()
            .iter()
            .position(|variable| variable.name == name)
            .expect("a variable of the format")
    };
    let (status_slot, bytes_slot) = (slot("status"), slot("body_bytes_sent"));
    let mut hit = Hit::default();
    let mut start = 0;
    let mut lines = 0;
    for newline in memchr::memchr_iter(b'\n', log) {
        lines += 1;
        if format.parse_into(&log[start..newline], &mut hit).is_ok() {
            black_box(hit.values[status_slot].and_then(status));
            black_box(hit.values[bytes_slot].and_then(integer));
            black_box(&hit);
        }
        start = newline + 1;
    }
    lines
}

//! The speed of light for everything that reads a log: counting its newlines in memory.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "log_lines.rs"]
mod log_lines;
#[path = "rounds.rs"]
mod rounds;

fn main() {
    let log = log_lines::combined(rounds::LOG_BYTES, rounds::SEED);
    let round = rounds::best("newlines/combined/memchr", log.len(), || {
        memchr::memchr_iter(b'\n', &log).count()
    });
    println!("{round}");
}

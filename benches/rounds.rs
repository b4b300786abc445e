//! Runs a piece of work a few times and says what it cost in CPU time.

use std::fmt;

use cpu_time::ProcessTime;

/// The size of the log that is read.
pub(crate) const LOG_BYTES: usize = 100_000_000;

/// The seed of that log.
pub(crate) const SEED: u64 = 1;

const ROUNDS: usize = 7;

/// What a piece of work took in its best round: the others were disturbed.
pub(crate) struct Round {
    name: &'static str,
    bytes: usize,
    lines: usize,
    cpu_s: f64,
}

/// Does `work`, which returns how many lines it read, several times over.
pub(crate) fn best(name: &'static str, bytes: usize, mut work: impl FnMut() -> usize) -> Round {
    let mut best = Round {
        name,
        bytes,
        lines: 0,
        cpu_s: f64::INFINITY,
    };
    for _ in 0..ROUNDS {
        let start = ProcessTime::now();
        best.lines = std::hint::black_box(work());
        best.cpu_s = best.cpu_s.min(start.elapsed().as_secs_f64());
    }
    best
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, lines) = (self.bytes as f64, self.lines as f64);
        write!(
            f,
            "{:<28} {:>7.3} CPU s   {:>6.3} CPU s/GB   {:>7.0} MB/s   {:>6.2} M lines/s   {:>4.0} ns a line   {:.0} B a line",
            self.name,
            self.cpu_s,
            self.cpu_s / bytes * 1e9,
            bytes / self.cpu_s / 1e6,
            lines / self.cpu_s / 1e6,
            self.cpu_s / lines * 1e9,
            bytes / lines,
        )
    }
}

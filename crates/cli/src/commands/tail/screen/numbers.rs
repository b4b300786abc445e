//! Numbers as they are read at a glance.

use crate::say::number;

/// `1,204/s`, `3.4/s`, `0.02/s`.
pub(super) fn rate(per_second: f64) -> String {
    let digits = match per_second {
        rate if rate >= 99.5 || rate == 0.0 => return format!("{}/s", number(whole(rate))),
        rate if rate >= 1.0 => 1,
        _ => 2,
    };
    format!("{per_second:.digits$}/s")
}

/// `12.3 %`, `1.2 %`, `0.12 %`, `0 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "0 %".to_owned(),
        small if small < 0.01 => "<0.01 %".to_owned(),
        small if small < 0.995 => format!("{small:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// `0.8 ms`, `12 ms`, `1.20 s`.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.0 => "0 ms".to_owned(),
        short if short < 0.009_95 => format!("{:.1} ms", short * 1e3),
        short if short < 0.9995 => format!("{:.0} ms", short * 1e3),
        long if long < 99.5 => format!("{long:.2} s"),
        long => format!("{long:.0} s"),
    }
}

/// `512 B`, `1.2 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut size = super::counts::real(bytes) / 1e3;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1e3;
        unit += 1;
    }
    let digits = usize::from(size < 9.95);
    format!("{size:.digits$} {}", UNITS[unit])
}

/// `8 s`, `3 min`, `2 h 5 min`.
pub(super) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds if seconds < 3_600 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive and far below 2^64"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(
            [1_204.4, 99.5, 12.34, 0.0167, 0.0].map(rate),
            ["1,204/s", "100/s", "12.3/s", "0.02/s", "0/s"]
        );
        assert_eq!(
            [0.5, 0.0999, 0.0012, 0.000_01, 0.0].map(percent),
            ["50.0 %", "10.0 %", "0.12 %", "<0.01 %", "0 %"]
        );
        assert_eq!(
            [0.0008, 0.012, 1.2, 120.0, 0.0].map(seconds),
            ["0.8 ms", "12 ms", "1.20 s", "120 s", "0 ms"]
        );
        assert_eq!(
            [0, 999, 1_234, 999_700, 12_345_678].map(bytes),
            ["0 B", "999 B", "1.2 kB", "1.0 MB", "12 MB"]
        );
        assert_eq!(
            [-1, 59, 60, 7_500].map(span),
            ["0 s", "59 s", "1 min", "2 h 5 min"]
        );
    }
}

//! NUL bytes in lines: no server writes them, but they get into logs.
//!
//! A log that was truncated under a server that does not open it for appending goes on at the old offset, and the hole
//! before reads as NULs; a power failure leaves blocks of them. Tools of other systems write UTF-16.

use memchr::memchr;

/// The reject reason of a line that holds NUL bytes anywhere but before it.
pub const NUL_BYTES: &str = "nul_bytes";

/// The reject reason of a line of UTF-16.
pub const UTF_16: &str = "utf_16";

/// Why a line with NULs that no format reads is none, as a word and as a person reads it.
pub(crate) fn explained(line: &[u8]) -> Option<(&'static str, String)> {
    memchr(0, line)?;
    let nuls = line.iter().filter(|byte| **byte == 0).count();
    // In UTF-16 every other byte of a text in Latin letters is NUL; a run of NULs has as many at odd places as at even ones.
    let odd = line.iter().skip(1).step_by(2).filter(|byte| **byte == 0);
    let odd = odd.count();
    let alternating = odd.max(nuls - odd);
    if alternating * 10 >= nuls * 9 && nuls * 5 >= line.len() * 2 && line.len() >= 8 {
        let message = "looks like UTF-16: about every other byte is NUL\n\
             hint: convert it to UTF-8 first, such as with `iconv -f UTF-16 -t UTF-8`";
        return Some((UTF_16, message.to_owned()));
    }
    let message = format!(
        "expected text, found NUL bytes ({nuls} of {})\n\
         hint: the log was truncated under a server that writes on at its old offset, or a write was lost",
        line.len()
    );
    Some((NUL_BYTES, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: Option<&str>) {
        assert_eq!(explained(line).map(|(reason, _)| reason), expected);
    }

    #[test]
    fn lines_with_nuls_are_told_apart() {
        check(b"192.0.2.1 - -", None);
        check(b"", None);
        check(b"1\x009\x002\x00.\x000\x00.\x00", Some(UTF_16));
        check(b"\x001\x009\x002\x00.\x000\x00.", Some(UTF_16));
        check(b"192.0.2.1 - - [10/J\0\0\0\0\0 200 5", Some(NUL_BYTES));
        check(b"192.0.2.1 - -\0\0\0\0\0\0\0\0\0\0\0\0\0", Some(NUL_BYTES));
        check(&[0; 100], Some(NUL_BYTES));
        check(b"\0", Some(NUL_BYTES));
    }
}

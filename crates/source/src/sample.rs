//! The first lines of a log, for a look at their format.

use std::io::Read;

use memchr::memrchr;

use crate::input::{Input, Opened, read_error};
use crate::{Compression, Error, LogFile};

/// The first decompressed bytes of a log, `bytes_max` at most. Of a longer log they end with the last newline among
/// them, so there are none if its first line is longer than that.
///
/// Empty for a pipe or standard input: what was read of it could not be read again. A compressed file that is
/// truncated or damaged gives the whole lines before that; reading it will say what is wrong.
///
/// # Errors
///
/// A file that is gone, is another one by now, or may not be read.
pub fn sample(file: &LogFile, bytes_max: usize) -> Result<Vec<u8>, Error> {
    if file.is_stream() {
        return Ok(Vec::new());
    }
    // One byte more tells whether the log is longer.
    let wanted = (bytes_max as u64).saturating_add(1);
    let mut sample = Vec::new();
    let is_damaged = match Input::Path.open(file)? {
        Opened::Plain(plain, _) => {
            let read = plain.take(wanted).read_to_end(&mut sample);
            read.map_err(|source| read_error(file, Compression::Plain, 0, source))?;
            false
        }
        Opened::Stream(decoded) => decoded
            .reader
            .take(wanted)
            .read_to_end(&mut sample)
            .is_err(),
    };
    if is_damaged || sample.len() > bytes_max {
        sample.truncate(bytes_max);
        sample.truncate(memrchr(b'\n', &sample).map_or(0, |newline| newline + 1));
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;
    use crate::{DiscoverOptions, discover};

    const LINES: &[u8] = b"one\ntwo\nthree\n";

    /// What a file with these bytes gives.
    #[track_caller]
    fn check(bytes: &[u8], bytes_max: usize, expected: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs::write(&path, bytes).unwrap();
        let found = discover(&[path.display().to_string()], &DiscoverOptions::default()).unwrap();
        let sample = sample(&found.files[0], bytes_max).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&sample),
            String::from_utf8_lossy(expected)
        );
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_longer_log_is_cut_after_a_newline() {
        check(LINES, 8, b"one\ntwo\n");
        check(LINES, 9, b"one\ntwo\n");
        check(LINES, 13, b"one\ntwo\n");
        check(LINES, 3, b"");
        check(LINES, 0, b"");
    }

    #[test]
    fn a_log_that_fits_is_given_whole() {
        check(LINES, 14, LINES);
        check(LINES, usize::MAX, LINES);
        check(b"one\ntw", 6, b"one\ntw");
        check(b"", 10, b"");
    }

    #[test]
    fn compressed_logs_are_decompressed() {
        check(&gzip(LINES), 9, b"one\ntwo\n");
        check(&zstd::encode_all(LINES, 1).unwrap(), 100, LINES);
        let members = [gzip(b"one\n"), gzip(b"two\n")].concat();
        check(&members, 100, b"one\ntwo\n");
    }

    #[test]
    fn a_truncated_file_gives_the_whole_lines_before() {
        let members = [gzip(b"one\ntw"), gzip(b"o\nthree\n")].concat();
        check(&members[..members.len() - 12], 100, b"one\ntwo\n");
    }

    #[test]
    fn a_stream_gives_nothing() {
        let found = discover(&["-".to_owned()], &DiscoverOptions::default()).unwrap();
        assert_eq!(sample(&found.files[0], 100).unwrap(), b"");
    }

    #[test]
    fn a_file_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs::write(&path, LINES).unwrap();
        let found = discover(&[path.display().to_string()], &DiscoverOptions::default()).unwrap();
        fs::remove_file(&path).unwrap();
        let error = sample(&found.files[0], 100).unwrap_err();
        assert!(matches!(error, Error::Vanished { .. }), "{error}");
    }
}

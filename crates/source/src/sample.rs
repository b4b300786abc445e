//! Some lines of a log, for a look at their format.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use memchr::{memchr, memrchr};

use crate::input::{Input, Opened, read_error};
use crate::{Compression, Error, LogFile};

/// Whole lines of a log, as far as its last line is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The lines, those of the beginning first.
    pub bytes: Vec<u8>,
    /// How they were chosen.
    pub extent: Extent,
    /// Where the lines of each place begin in `bytes`, if there is more than one.
    pub place_starts: Vec<usize>,
}

impl Sample {
    /// The lines of each place.
    pub fn places(&self) -> impl Iterator<Item = &[u8]> {
        let later = || self.place_starts.iter().skip(1).copied();
        let ends = later().chain([self.bytes.len()]);
        let starts = std::iter::once(0).chain(later());
        starts.zip(ends).map(|(start, end)| &self.bytes[start..end])
    }
}

/// What part of a log a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// Its beginning.
    Head,
    /// Its beginning, its end, and places at equal distances in between: so many in all.
    Places(usize),
}

/// Some decompressed lines of a log, `bytes_max` bytes at most: all of a short one; of a longer one lines of so many
/// `places`, or the first lines if it is compressed, as what lies before a place would have to be decompressed too.
/// A place without a whole line gives none.
///
/// Empty for a pipe or standard input: what was read of it could not be read again. A compressed file that is
/// truncated or damaged gives the whole lines before that; reading it will say what is wrong.
///
/// # Errors
///
/// A file that is gone, is another one by now, or may not be read.
pub fn sample(file: &LogFile, bytes_max: usize, places: usize) -> Result<Sample, Error> {
    if file.is_stream() {
        return Ok(Sample::default());
    }
    match Input::Path.open(file)? {
        Opened::Plain(plain, length) => {
            let read = if length > bytes_max as u64 && places > 1 {
                at_places(&plain, length, bytes_max / places, places)
            } else {
                head(plain, bytes_max)
            };
            read.map_err(|source| read_error(file, Compression::Plain, 0, source))
        }
        Opened::Stream(decoded) => {
            let mut damaged = Vec::new();
            let mut reader = decoded.reader.take(one_more(bytes_max));
            // What was decompressed before an error is kept.
            Ok(match reader.read_to_end(&mut damaged) {
                Ok(_) => cut(damaged, bytes_max),
                Err(_) => {
                    damaged.truncate(bytes_max);
                    cut_after_newline(&mut damaged);
                    Sample {
                        bytes: damaged,
                        extent: Extent::Head,
                        place_starts: Vec::new(),
                    }
                }
            })
        }
    }
}

fn head(reader: impl Read, bytes_max: usize) -> io::Result<Sample> {
    let mut bytes = Vec::new();
    reader.take(one_more(bytes_max)).read_to_end(&mut bytes)?;
    Ok(cut(bytes, bytes_max))
}

/// One byte more tells whether the log is longer.
fn one_more(bytes_max: usize) -> u64 {
    (bytes_max as u64).saturating_add(1)
}

fn cut(mut bytes: Vec<u8>, bytes_max: usize) -> Sample {
    let is_longer = bytes.len() > bytes_max;
    if is_longer {
        bytes.truncate(bytes_max);
        cut_after_newline(&mut bytes);
    }
    Sample {
        bytes,
        extent: if is_longer {
            Extent::Head
        } else {
            Extent::Whole
        },
        place_starts: Vec::new(),
    }
}

fn cut_after_newline(bytes: &mut Vec<u8>) {
    bytes.truncate(memrchr(b'\n', bytes).map_or(0, |newline| newline + 1));
}

/// The whole lines of windows of `window` bytes, the first at the beginning and the last at the end.
fn at_places(file: &File, length: u64, window: usize, places: usize) -> io::Result<Sample> {
    let mut sample = Vec::new();
    let mut place_starts = Vec::with_capacity(places);
    let mut bytes = Vec::with_capacity(window);
    let last = length.saturating_sub(window as u64);
    for place in 0..places as u64 {
        let start = last / (places as u64 - 1) * place;
        // So that the last window ends with the file, whatever the division has left over.
        let start = if place == places as u64 - 1 {
            last
        } else {
            start
        };
        bytes.resize(window, 0);
        let read = read_up_to(file, &mut bytes, start)?;
        bytes.truncate(read);
        cut_after_newline(&mut bytes);
        let first_line = match place {
            0 => 0,
            _ => memchr(b'\n', &bytes).map_or(bytes.len(), |newline| newline + 1),
        };
        place_starts.push(sample.len());
        sample.extend_from_slice(&bytes[first_line..]);
    }
    Ok(Sample {
        bytes: sample,
        extent: Extent::Places(places),
        place_starts,
    })
}

/// Reads at an offset until `bytes` are full or the file ends, as one that was just truncated does.
fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
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
        let sample = sample(&found.files[0], bytes_max, 1).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&sample.bytes),
            String::from_utf8_lossy(expected)
        );
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The sample of a log with so many lines of 8 bytes.
    fn of_lines(lines: usize, compressed: bool, bytes_max: usize, places: usize) -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let text: String = (0..lines).map(|line| format!("{line:07}\n")).collect();
        let bytes = if compressed {
            gzip(text.as_bytes())
        } else {
            text.into_bytes()
        };
        fs::write(&path, bytes).unwrap();
        let found = discover(&[path.display().to_string()], &DiscoverOptions::default()).unwrap();
        sample(&found.files[0], bytes_max, places).unwrap()
    }

    #[test]
    fn a_longer_log_is_looked_at_in_many_places() {
        let sample = of_lines(1_000, false, 64, 4);
        assert_eq!(sample.extent, Extent::Places(4));
        // A window of two lines begins inside a line, but for the first and the last.
        assert_eq!(
            String::from_utf8_lossy(&sample.bytes),
            "0000000\n0000001\n0000333\n0000666\n0000999\n"
        );
        let places: Vec<usize> = sample.places().map(<[u8]>::len).collect();
        assert_eq!(places, [16, 8, 8, 8]);
        let sample = of_lines(10, false, 79, 8);
        assert_eq!(sample.bytes, b"0000000\n0000009\n");
        let places: Vec<usize> = sample.places().map(<[u8]>::len).collect();
        assert_eq!(places, [8, 0, 0, 0, 0, 0, 0, 8]);
    }

    #[test]
    fn a_compressed_log_is_looked_at_in_front() {
        let sample = of_lines(1_000, true, 24, 4);
        assert_eq!(sample.extent, Extent::Head);
        assert_eq!(sample.bytes, b"0000000\n0000001\n0000002\n");
        assert_eq!(sample.places().collect::<Vec<_>>(), [&sample.bytes[..]]);
        assert_eq!(of_lines(3, true, 24, 4).extent, Extent::Whole);
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
        assert_eq!(sample(&found.files[0], 100, 4).unwrap(), Sample::default());
    }

    #[test]
    fn a_file_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs::write(&path, LINES).unwrap();
        let found = discover(&[path.display().to_string()], &DiscoverOptions::default()).unwrap();
        fs::remove_file(&path).unwrap();
        let error = sample(&found.files[0], 100, 4).unwrap_err();
        assert!(matches!(error, Error::Vanished { .. }), "{error}");
    }
}

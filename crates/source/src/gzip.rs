//! gzip as log files have it: many members one after the other, zeros after the last.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Bytes decoded per call at most. When a call meets a damaged place, what it decoded before it is lost.
const DECODE_BYTES: usize = 32 << 10;

/// Decodes all members. Zeros after the last one (tapes, preallocated files) are its end.
pub(crate) struct Members<R> {
    state: State<R>,
}

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    Between(R),
    Done,
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            state: State::Between(reader),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = out.len().min(DECODE_BYTES);
        let out = &mut out[..bytes];
        loop {
            // An error leaves `Done`: nothing after a damaged place can be trusted.
            match std::mem::replace(&mut self.state, State::Done) {
                State::Inside(mut decoder) => match decoder.read(out)? {
                    0 if !out.is_empty() => self.state = State::Between(decoder.into_inner()),
                    bytes => {
                        self.state = State::Inside(decoder);
                        return Ok(bytes);
                    }
                },
                State::Between(mut reader) => {
                    if skip_zeros(&mut reader)? {
                        return Ok(0);
                    }
                    self.state = State::Inside(Box::new(GzDecoder::new(reader)));
                }
                State::Done => return Ok(0),
            }
        }
    }
}

/// Returns whether that was the end of the file.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(true);
        }
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == buffer.len();
        reader.consume(zeros);
        if !all {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn member(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[track_caller]
    fn check(file: &[u8], expected: &[u8], end: Result<(), io::ErrorKind>) {
        let mut decoded = Vec::new();
        let result = Members::new(file).read_to_end(&mut decoded);
        assert_eq!(decoded, expected);
        assert_eq!(result.map(drop).map_err(|error| error.kind()), end);
    }

    #[test]
    fn members_follow_one_another() {
        check(
            &[member(b"one\n"), member(b""), member(b"two\n")].concat(),
            b"one\ntwo\n",
            Ok(()),
        );
    }

    #[test]
    fn zeros_after_the_last_member_are_its_end() {
        check(&[member(b"one\n"), vec![0; 700]].concat(), b"one\n", Ok(()));
    }

    #[test]
    fn garbage_after_a_member_is_an_error_after_its_lines() {
        check(
            &[member(b"one\n"), b"garbage garbage".to_vec()].concat(),
            b"one\n",
            Err(io::ErrorKind::InvalidInput),
        );
    }

    #[test]
    fn a_cut_stream_is_an_early_end_wherever_it_is_cut() {
        let file = member(b"one\ntwo\n");
        for cut in 1..file.len() {
            let mut decoded = Vec::new();
            let error = Members::new(&file[..cut])
                .read_to_end(&mut decoded)
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut file = member(b"one\n");
        let at = file.len() - 6;
        file[at] ^= 1;
        check(&file, b"one\n", Err(io::ErrorKind::InvalidInput));
    }
}

//! A file that is hashed while it is written, so that nobody has to read it again for that.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// A writer that knows the SHA-256 of what went through it.
#[derive(Debug)]
pub(crate) struct Hashed<W> {
    inner: W,
    hasher: Sha256,
}

impl<W> Hashed<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The hash of all bytes so far, as `sha256sum` prints it.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_what_was_written() {
        let mut file = Hashed::new(Vec::new());
        for part in [&b"hello"[..], b" ", b"world"] {
            file.write_all(part).unwrap();
        }
        assert_eq!(file.get_mut(), b"hello world");
        assert_eq!(
            file.sha256(),
            "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
        );
    }
}

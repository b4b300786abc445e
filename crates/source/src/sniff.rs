//! What a file holds, by its first bytes; names are not trusted.

use crate::Compression;

/// Bytes of a file that are looked at; also what a caller gets to judge whether they parse.
pub(crate) const HEAD_BYTES: usize = 1024;

pub(crate) fn compression(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        // A frame, or a skippable frame as parallel compressors write it first.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        _ => Compression::Plain,
    }
}

/// What decompressed bytes are, if they are not text.
pub(crate) fn not_text(head: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\x7fELF", "an ELF program"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"%PDF-", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ\x00", "xz data"),
        (b"\x04\x22\x4d\x18", "lz4 data"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(name);
    }
    // Letters alone could be a host name, so more than the three of bzip2's magic.
    if let [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] = head {
        return Some("bzip2 data");
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    // A run of NULs is what a crash or a truncation under an open file leaves in a log, so one or two
    // are text; Nginx escapes every other control byte.
    let nul_runs = head
        .chunk_by(|a, b| (*a == 0) == (*b == 0))
        .filter(|run| run[0] == 0)
        .count();
    let control = head
        .iter()
        .filter(|byte| matches!(byte, 1..=8 | 14..=26 | 28..=31))
        .count();
    if nul_runs > 2 && is_utf_16(head) {
        return Some("UTF-16 text");
    }
    (nul_runs > 2 || control * 10 > head.len()).then_some("binary data")
}

/// Whether nearly every other byte is NUL, as of Latin letters in UTF-16 without a mark.
fn is_utf_16(head: &[u8]) -> bool {
    let nuls = |first: usize| {
        let bytes = head.iter().skip(first).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (nuls(0), nuls(1));
    let (most, least) = (even.max(odd), even.min(odd));
    most * 5 >= head.len() * 2 && least * 50 <= head.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_run_before_and_after_lines_is_text() {
        let mut head = vec![0; 300];
        head.extend_from_slice(b"192.0.2.1 - - [x] \"GET / HTTP/1.1\" 200 1\n\0\0\0");
        assert_eq!(not_text(&head), None);
    }

    #[test]
    fn scattered_nuls_and_control_bytes_are_binary() {
        assert_eq!(not_text(b"a\0\0\0c\0d\0e\0\0f\0"), Some("binary data"));
        assert_eq!(not_text(b"\x01\x02\x03\x04abcdef"), Some("binary data"));
    }

    #[test]
    fn utf_16_needs_no_mark() {
        let latin = |text: &str, big: bool| -> Vec<u8> {
            text.bytes()
                .flat_map(|byte| if big { [0, byte] } else { [byte, 0] })
                .collect()
        };
        for big in [false, true] {
            let head = latin("192.0.2.1 - - [10/Jun/2024:06:13:21 +0000]\n", big);
            assert_eq!(not_text(&head), Some("UTF-16 text"));
        }
        assert_eq!(not_text(b"\xff\xfe1\x00"), Some("UTF-16 text"));
    }

    #[test]
    fn raw_utf_8_and_no_bytes_are_text() {
        assert_eq!(not_text("GET /grüße".as_bytes()), None);
        assert_eq!(not_text(b""), None);
    }

    #[test]
    fn compression_is_told_by_magic_bytes() {
        assert_eq!(compression(b"\x1f\x8b\x08"), Compression::Gzip);
        assert_eq!(compression(b"\x28\xb5\x2f\xfd\x00"), Compression::Zstd);
        assert_eq!(compression(b"\x5a\x2a\x4d\x18"), Compression::Zstd);
        assert_eq!(compression(b"192.0.2.1"), Compression::Plain);
        assert_eq!(compression(b"\x1f"), Compression::Plain);
    }
}

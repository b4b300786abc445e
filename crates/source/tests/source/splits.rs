//! What a file gives, however it is cut and compressed; and by the fuzzer, of any bytes.

use std::io::Write;

use floodmark_source::{
    BlockOptions, DiscoverOptions, Error, Feed, LastLine, Piece, Progress, anchor, discover, plan,
};

/// What is done with the bytes; panics at what must not be.
pub(crate) type Target = fn(&[u8]);

/// By the name of the fuzz target, which is that of its corpus.
pub(crate) const TARGETS: &[(&str, Target)] = &[("blocks", blocks), ("compressed", compressed)];

/// Two bytes for the sizes of a block and of a line, one for where to cut the file in two gzip members, and the file: it
/// has to give the same lines plain and compressed.
fn blocks(data: &[u8]) {
    let [block, line, cut, plain @ ..] = data else {
        return;
    };
    let options = BlockOptions {
        block_bytes: usize::from(*block),
        // A line without a byte is none.
        line_bytes_max: usize::from(*line).max(1),
        last_line: LastLine::Take,
    };
    if !is_log(plain) {
        return;
    }
    let (left, right) = plain.split_at(usize::from(*cut).min(plain.len()));
    let members = [gzip(left), gzip(right)].concat();
    let expected = naive(plain, options);
    for file in [plain, &members, &zstd(plain)] {
        assert_eq!(read(file, plain, options), expected);
    }
    let waiting = BlockOptions {
        last_line: LastLine::Wait,
        ..options
    };
    assert_eq!(read(plain, plain, waiting), naive(plain, waiting));
}

/// A file as it lies on disk, plain, compressed, or damaged: what it gives are whole lines that follow each other.
fn compressed(file: &[u8]) {
    // A file that is no text is refused.
    let Ok((_folder, feed)) = try_feed_of(file, BlockOptions::default()) else {
        return;
    };
    let mut offset = 0;
    while let Some(piece) = feed.next() {
        match piece {
            Piece::Lines(block) => {
                assert_eq!(block.source_offset, offset);
                assert!(!block.bytes.is_empty());
                offset += block.bytes.len() as u64;
            }
            Piece::LongLine(line) => {
                assert_eq!(line.source_offset, offset);
                offset += line.line_bytes;
            }
        }
        let positions = feed.positions();
        assert!(positions.iter().all(|position| position.offset == offset));
    }
    for (_, error) in feed.take_failures() {
        assert!(!error.to_string().is_empty());
    }
}

/// Whether a file is a plain log, and nothing that a magic number makes something else.
fn is_log(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, b'\n' | b'\r' | b' ' | b'a'..=b'z');
    !bytes.is_empty() && bytes.iter().all(is_text) && !bytes.windows(5).any(|word| word == b"ustar")
}

pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    zstd::encode_all(bytes.as_ref(), 1).unwrap()
}

/// A line at its offset: its bytes, or its length and head where it is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    Line(u64, Vec<u8>),
    Long(u64, u64, Vec<u8>),
}

/// The lines of a file, by going through them one by one.
pub(crate) fn naive(bytes: &[u8], options: BlockOptions) -> Vec<Given> {
    let mut offset = 0;
    let mut given = Vec::new();
    for mut line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_terminated = line.ends_with(b"\n");
        // NULs in front of what would be too long are a piece of their own.
        let hole = line.iter().take_while(|byte| **byte == 0).count();
        let is_long = line.len() - usize::from(is_terminated) > options.line_bytes_max;
        if is_long && hole > 0 && (hole < line.len() || options.last_line == LastLine::Take) {
            given.push(Given::Long(offset, hole as u64, vec![0; hole.min(1024)]));
            offset += hole as u64;
            line = &line[hole..];
            if line.is_empty() {
                continue;
            }
        }
        if !is_terminated && options.last_line == LastLine::Wait {
            break;
        }
        let line_bytes = line.len() as u64;
        if line.len() - usize::from(is_terminated) > options.line_bytes_max {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            given.push(Given::Long(
                offset,
                line_bytes,
                text[..text.len().min(1024)].to_vec(),
            ));
        } else {
            given.push(Given::Line(offset, line.to_vec()));
        }
        offset += line_bytes;
    }
    given
}

/// A feed of one file that holds these bytes, and the folder it is in.
pub(crate) fn feed_of(bytes: &[u8], options: BlockOptions) -> (tempfile::TempDir, Feed) {
    try_feed_of(bytes, options).unwrap()
}

fn try_feed_of(bytes: &[u8], options: BlockOptions) -> Result<(tempfile::TempDir, Feed), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, bytes).unwrap();
    let found = discover(&[path.display().to_string()], &DiscoverOptions::default())?;
    Ok((folder, Feed::new(plan(found.files, &[]), options)))
}

/// The lines of a piece, and the offset at which it ends.
pub(crate) fn give(piece: Piece, given: &mut Vec<Given>) -> u64 {
    match piece {
        Piece::Lines(block) => {
            let mut offset = block.source_offset;
            for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
                given.push(Given::Line(offset, line.to_vec()));
                offset += line.len() as u64;
            }
            offset
        }
        Piece::LongLine(line) => {
            given.push(Given::Long(line.source_offset, line.line_bytes, line.head));
            line.source_offset + line.line_bytes
        }
    }
}

/// Reads a file; `plain` is what it holds. After each piece the position has to be that of the lines given.
pub(crate) fn read(file: &[u8], plain: &[u8], options: BlockOptions) -> Vec<Given> {
    let (_folder, feed) = feed_of(file, options);
    let mut given = Vec::new();
    while let Some(piece) = feed.next() {
        if let Piece::Lines(block) = &piece {
            assert!(block.bytes.len() <= options.block_bytes.max(options.line_bytes_max + 1));
            assert_eq!(block.file_offset, block.source_offset);
        }
        let end = give(piece, &mut given);
        let [position] = &feed.positions()[..] else {
            panic!("one source")
        };
        assert_eq!(position.offset, end);
        assert_eq!(
            position.anchor,
            anchor(&plain[..usize::try_from(end).unwrap()])
        );
    }
    assert!(feed.take_failures().is_empty());
    let Progress { done, total } = feed.progress();
    assert_eq!((done, total), (file.len() as u64, Some(file.len() as u64)));
    given
}

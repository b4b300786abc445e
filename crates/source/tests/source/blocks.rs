//! Whole lines at their offsets, however a file is cut and compressed.

use std::sync::Arc;

use crate::world::{gzip, zstd};
use floodmark_source::{
    BlockOptions, DiscoverOptions, Feed, LastLine, Piece, Progress, anchor, discover, plan,
};
use proptest::prelude::*;

/// A line at its offset: its bytes, or its length and head where it is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Line(u64, Vec<u8>),
    Long(u64, u64, Vec<u8>),
}

fn naive(bytes: &[u8], options: BlockOptions) -> Vec<Given> {
    let mut offset = 0;
    let mut given = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_terminated = line.ends_with(b"\n");
        if !is_terminated && options.last_line == LastLine::Wait {
            break;
        }
        let line_bytes = line.len() as u64;
        if line.len() - usize::from(is_terminated) > options.line_bytes_max {
            let text = line
                .strip_suffix(
                    b"
",
                )
                .unwrap_or(line);
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

fn feed_of(bytes: &[u8], options: BlockOptions) -> (tempfile::TempDir, Feed) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, bytes).unwrap();
    let found = discover(&[path.display().to_string()], &DiscoverOptions::default()).unwrap();
    (folder, Feed::new(plan(found.files, &[]), options))
}

/// Reads a file; `plain` is what it holds. After each piece the position has to be that of the lines given.
fn read(file: &[u8], plain: &[u8], options: BlockOptions) -> Vec<Given> {
    let (_folder, feed) = feed_of(file, options);
    let mut given = Vec::new();
    while let Some(piece) = feed.next() {
        let end = match piece {
            Piece::Lines(block) => {
                assert!(block.bytes.len() <= options.block_bytes.max(options.line_bytes_max + 1));
                assert_eq!(block.file_offset, block.source_offset);
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
        };
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

fn line() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => b'a'..=b'z', 1 => Just(b'\r'), 1 => Just(0), 1 => Just(b' ')];
    prop_oneof![
        10 => prop::collection::vec(byte, 0..90).prop_map(|mut line| { line.push(b'\n'); line }),
        1 => (0..9_000_usize).prop_map(|length| { let mut line = vec![b'x'; length]; line.push(b'\n'); line }),
        1 => Just(b"\n".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_and_compression_gives_the_same_lines(
        lines in prop::collection::vec(line(), 0..60),
        is_terminated in any::<bool>(),
        block_bytes in 1..3_000_usize,
        line_bytes_max in 1..3_000_usize,
        waits in any::<bool>(),
        members in 1..9_usize,
    ) {
        let mut plain = [b"a line that no one takes for binary data\n".repeat(26), lines.concat()].concat();
        if !is_terminated {
            plain.extend_from_slice(b"unterminated");
        }
        let last_line = if waits { LastLine::Wait } else { LastLine::Take };
        let options = BlockOptions { block_bytes, line_bytes_max, last_line };
        prop_assert_eq!(read(&plain, &plain, options), naive(&plain, options));

        // Compressed files are final.
        let expected = naive(&plain, BlockOptions { last_line: LastLine::Take, ..options });
        let chunks: Vec<&[u8]> = plain.chunks(plain.len() / members + 1).collect();
        let gz = chunks.iter().map(gzip).collect::<Vec<_>>().concat();
        prop_assert_eq!(&read(&gz, &plain, options), &expected);
        let zst = chunks.iter().map(zstd).collect::<Vec<_>>().concat();
        prop_assert_eq!(&read(&zst, &plain, options), &expected);
    }
}

#[test]
fn a_line_longer_than_any_buffer_is_one_piece_with_its_true_length() {
    let options = BlockOptions::default();
    let long = 40 << 20;
    let mut plain = b"before\n".to_vec();
    plain.resize(plain.len() + long, b'x');
    plain.extend_from_slice(b"\nafter\n");
    for file in [plain.clone(), gzip(&plain)] {
        assert_eq!(
            read(&file, &plain, options),
            [
                Given::Line(0, b"before\n".to_vec()),
                Given::Long(7, long as u64 + 1, vec![b'x'; 1024]),
                Given::Line(long as u64 + 8, b"after\n".to_vec()),
            ]
        );
    }
}

#[test]
fn a_line_of_the_longest_length_is_a_line_and_one_byte_more_is_too_long() {
    let options = BlockOptions {
        block_bytes: 1,
        line_bytes_max: 10,
        last_line: LastLine::Take,
    };
    for plain in [
        "0123456789\n",
        "0123456789",
        "0123456789\r\n",
        "0123456789a\n",
        "0123456789a",
    ] {
        assert_eq!(
            read(plain.as_bytes(), plain.as_bytes(), options),
            naive(plain.as_bytes(), options)
        );
    }
}

#[test]
fn an_unterminated_line_that_waits_is_told() {
    let options = BlockOptions {
        last_line: LastLine::Wait,
        ..BlockOptions::default()
    };
    let (_folder, feed) = feed_of(b"one\ntwo", options);
    assert!(matches!(feed.next(), Some(Piece::Lines(block)) if block.bytes == b"one\n"));
    assert_eq!(feed.next(), None);
    let pending: Vec<u64> = feed.pending().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(pending, [3]);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_keeps_its_last_line_back() {
    let options = BlockOptions {
        block_bytes: 8,
        line_bytes_max: 7,
        last_line: LastLine::Take,
    };
    let (folder, feed) = feed_of(b"one\ntwo\nthree\nfour\n", options);
    let path = folder.path().join("access.log");
    assert!(matches!(feed.next(), Some(Piece::Lines(block)) if block.bytes == b"one\ntwo\n"));
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(10)
        .unwrap();
    assert_eq!(feed.next(), None);
    let [(_, error)] = &feed.take_failures()[..] else {
        panic!("one failure")
    };
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` became shorter while it was read: expected 19 bytes, found 10\n\
             hint: if logrotate is running (`copytruncate`), run the command again",
            path.display()
        )
    );
    assert_eq!(feed.positions()[0].offset, 8);
}

#[test]
fn a_file_that_is_replaced_before_it_is_read_is_not_read() {
    let (folder, feed) = feed_of(b"one\n", BlockOptions::default());
    let path = folder.path().join("access.log");
    std::fs::write(folder.path().join("new"), b"two\n").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(feed.next(), None);
    let [(_, error)] = &feed.take_failures()[..] else {
        panic!("one failure")
    };
    assert_eq!(
        error.to_string(),
        format!(
            "cannot read log source `{}`: it is another file than a moment ago\n\
             hint: if logrotate is running, run the command again",
            path.display()
        )
    );
    assert!(feed.positions().is_empty());
}

#[test]
fn threads_share_a_feed_and_get_each_line_once() {
    let plain: Vec<u8> = (0..50_000)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect();
    let options = BlockOptions {
        block_bytes: 1 << 12,
        line_bytes_max: 100,
        last_line: LastLine::Take,
    };
    let (_folder, feed) = feed_of(&plain, options);
    let feed = Arc::new(feed);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let feed = Arc::clone(&feed);
            std::thread::spawn(move || {
                let mut blocks = Vec::new();
                while let Some(Piece::Lines(block)) = feed.next() {
                    blocks.push((block.source_offset, block.bytes));
                }
                blocks
            })
        })
        .collect();
    let mut blocks: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    blocks.sort();
    let together: Vec<u8> = blocks.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(together, plain);
}

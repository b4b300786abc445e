//! Whole lines at their offsets, however a file is cut and compressed.

use floodmark_source::{BlockOptions, LastLine, Piece};
use proptest::prelude::*;

use crate::splits::{Given, feed_of, give, gzip, naive, read, zstd};
use crate::world::World;

fn line() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => b'a'..=b'z', 1 => Just(b'\r'), 1 => Just(0), 1 => Just(b' ')];
    prop_oneof![
        10 => prop::collection::vec(byte, 0..90).prop_map(|mut line| { line.push(b'\n'); line }),
        1 => (0..9_000_usize).prop_map(|length| { let mut line = vec![b'x'; length]; line.push(b'\n'); line }),
        1 => Just(b"\n".to_vec()),
        1 => (0..9_000_usize, 0..90_usize).prop_map(|(hole, length)| {
            let mut line = vec![0; hole];
            line.resize(hole + length, b'x');
            line.push(b'\n');
            line
        }),
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
fn a_hole_in_front_of_a_line_is_a_piece_of_its_own() {
    let options = BlockOptions::default();
    let hole = 5 << 20;
    let plain = [b"before\n".to_vec(), vec![0; hole], b"after\n".to_vec()].concat();
    for file in [plain.clone(), gzip(&plain)] {
        assert_eq!(
            read(&file, &plain, options),
            [
                Given::Line(0, b"before\n".to_vec()),
                Given::Long(7, hole as u64, vec![0; 1024]),
                Given::Line(hole as u64 + 7, b"after\n".to_vec()),
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

/// Lines of all lengths up to one that is too long for most sizes of a line, a blank one, and one without its newline.
const LOG: &[u8] = b"one\ntwo two\n\nthree three three\r\na line that is longer than the others are\n\n\nfour\nfive";

#[test]
fn every_size_of_block_and_line_gives_the_same_lines() {
    let files = [LOG.to_vec(), gzip(LOG), zstd(LOG)];
    for block_bytes in 1..=LOG.len() + 1 {
        for line_bytes_max in [1, 7, 41, LOG.len()] {
            let options = BlockOptions {
                block_bytes,
                line_bytes_max,
                last_line: LastLine::Take,
            };
            for file in &files {
                assert_eq!(read(file, LOG, options), naive(LOG, options), "{options:?}");
            }
        }
    }
}

#[test]
fn every_cut_of_a_compressed_file_into_two_gives_the_same_lines() {
    let options = BlockOptions {
        block_bytes: 16,
        line_bytes_max: 20,
        last_line: LastLine::Take,
    };
    for cut in 0..=LOG.len() {
        let (left, right) = LOG.split_at(cut);
        for file in [[gzip(left), gzip(right)], [zstd(left), zstd(right)]] {
            let given = read(&file.concat(), LOG, options);
            assert_eq!(given, naive(LOG, options), "cut at {cut}");
        }
    }
}

#[test]
fn every_cut_of_a_growing_log_into_two_runs_gives_the_same_lines() {
    let whole = [LOG, b"\n"].concat();
    for cut in 0..=whole.len() {
        let mut world = World::new();
        world.write("access.log", &whole[..cut]);
        let mut lines = world.ingest(&["access.log"]).lines;
        world.append("access.log", &whole[cut..]);
        lines.extend(world.ingest(&["access.log"]).lines);
        let given: Vec<Given> = lines
            .into_iter()
            .map(|(_, offset, text)| Given::Line(offset, [text.as_bytes(), b"\n"].concat()))
            .collect();
        assert_eq!(
            given,
            naive(&whole, BlockOptions::default()),
            "cut at {cut}"
        );
        world.write("access.log.2.gz", gzip(&whole));
        assert_eq!(world.ingest(&["access.log.2.gz"]).lines, [], "cut at {cut}");
    }
}

/// What threads that share a feed get together, in order of offsets.
fn read_by(threads: usize, file: &[u8], options: BlockOptions) -> Vec<Given> {
    let (_folder, feed) = feed_of(file, options);
    let mut given = std::thread::scope(|scope| {
        let read = || {
            let mut given = Vec::new();
            while let Some(piece) = feed.next() {
                give(piece, &mut given);
            }
            given
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        let given = threads.into_iter().map(|thread| thread.join().unwrap());
        given.flatten().collect::<Vec<_>>()
    });
    given.sort_by_key(|line| match line {
        Given::Line(offset, _) | Given::Long(offset, ..) => *offset,
    });
    given
}

#[test]
fn one_thread_and_many_get_each_line_once() {
    let plain: Vec<u8> = (0..20_000)
        .flat_map(|n| format!("line {n}{}\n", "x".repeat(n % 120)).into_bytes())
        .collect();
    let options = BlockOptions {
        block_bytes: 1 << 12,
        line_bytes_max: 100,
        last_line: LastLine::Take,
    };
    let expected = naive(&plain, options);
    for file in [plain.clone(), gzip(&plain), zstd(&plain)] {
        for threads in [1, 2, 7] {
            assert_eq!(read_by(threads, &file, options), expected);
        }
    }
}

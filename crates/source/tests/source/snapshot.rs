//! What is new of logs, copied at one moment.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use floodmark_source::{
    BlockOptions, DiscoverOptions, Error, Feed, KnownSource, LogFile, Piece, Snapshot, discover,
    plan,
};

fn found(folder: &Path) -> Vec<LogFile> {
    let folder = [folder.display().to_string()];
    discover(&folder, &DiscoverOptions::default())
        .unwrap()
        .files
}

/// All bytes of a feed, and where it ended.
fn read(feed: &Feed) -> (Vec<u8>, Vec<KnownSource>) {
    let mut bytes = Vec::new();
    while let Some(piece) = feed.next() {
        match piece {
            Piece::Lines(block) => bytes.extend(block.bytes),
            Piece::LongLine(line) => bytes.extend(line.head),
        }
    }
    assert!(feed.take_failures().is_empty());
    let positions = feed.positions().into_iter().map(KnownSource::from);
    (bytes, positions.collect())
}

/// Reads a folder's logs to their present end.
fn known(folder: &Path) -> Vec<KnownSource> {
    read(&Feed::new(
        plan(found(folder), &[]),
        BlockOptions::default(),
    ))
    .1
}

fn append(path: &Path, text: &str) {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn it_stays_as_it_was_and_ends_where_reading_on_would() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    append(&log, "one\ntwo\n");
    let before = known(folder.path());
    // Compressed with more lines, and gone on in a new file.
    let rotated = File::create(folder.path().join("access.log.1.gz")).unwrap();
    let mut gzip = GzEncoder::new(rotated, Compression::fast());
    gzip.write_all(b"one\ntwo\nthree\n").unwrap();
    gzip.finish().unwrap();
    fs::write(&log, "four\nfive\nsi").unwrap();
    let snapshot = Snapshot::take(&found(folder.path()), &before).unwrap();
    assert_eq!((snapshot.lines(), snapshot.is_empty()), (3, false));
    append(&log, "x\nseven\n");
    let (expected, positions) = read(&Feed::new(
        plan(found(folder.path()), &before),
        BlockOptions::default(),
    ));
    assert_eq!(expected, b"three\nfour\nfive\nsix\nseven\n");
    folder.close().unwrap();
    for _ in 0..2 {
        let (bytes, _) = read(&Feed::new(snapshot.readings(), BlockOptions::default()));
        assert_eq!(bytes, b"three\nfour\nfive\n");
    }
    let mut ends: Vec<(String, u64)> = snapshot
        .ends()
        .into_iter()
        .map(|(source, end)| (source.to_string(), end))
        .collect();
    ends.sort();
    let mut later: Vec<(String, u64)> = positions
        .into_iter()
        .map(|position| (position.id.to_string(), position.offset))
        .collect();
    later.sort();
    let expected = later.into_iter().map(|(source, end)| match end {
        20 => (source, 10),
        _ => (source, end),
    });
    assert_eq!(ends, expected.collect::<Vec<_>>());
}

#[test]
fn its_anchors_are_those_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    append(&log, &"a line of the log\n".repeat(1_000));
    let before = known(folder.path());
    append(&log, "one more\n");
    let snapshot = Snapshot::take(&found(folder.path()), &before).unwrap();
    let (_, of_copy) = read(&Feed::new(snapshot.readings(), BlockOptions::default()));
    assert_eq!(of_copy, known(folder.path()));
}

#[test]
fn a_file_that_was_moved_is_to_be_looked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    append(&log, "one\n");
    let files = found(folder.path());
    fs::rename(&log, folder.path().join("access.log.1")).unwrap();
    let error = Snapshot::take(&files, &[]).unwrap_err();
    assert!(matches!(error, Error::Vanished { .. }), "{error}");
    assert!(error.is_of_a_moment());
    append(&log, "two\n");
    let error = Snapshot::take(&files, &[]).unwrap_err();
    assert!(matches!(error, Error::Replaced { .. }), "{error}");
    assert!(error.is_of_a_moment());
}

#[test]
fn a_damaged_file_gives_its_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(b"one\ntwo\nthree\n").unwrap();
    let bytes = gzip.finish().unwrap();
    fs::write(
        folder.path().join("access.log.1.gz"),
        &bytes[..bytes.len() - 11],
    )
    .unwrap();
    let snapshot = Snapshot::take(&found(folder.path()), &[]).unwrap();
    assert!(
        matches!(snapshot.failures(), [(_, Error::Truncated { .. })]),
        "{:?}",
        snapshot.failures()
    );
    let (bytes, _) = read(&Feed::new(snapshot.readings(), BlockOptions::default()));
    assert_eq!(bytes, b"one\ntwo\n");
    assert_eq!(snapshot.lines(), 2);
}

//! Compressed logs: cut anywhere, padded, in many parts, and far smaller than what is in them.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use floodmark_source::{
    BlockOptions, DiscoverOptions, Feed, KnownSource, LastLine, Piece, discover, plan,
};

use super::{Truth, is_whole};
use crate::bad_input::{MEMORY_MAX_KIB, memory_peak};
use crate::command::{Place, combined, end, wait_for};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The new bytes of a log, given what is known, which goes on from there; and how many files could not be read.
fn read(path: &Path, known: &mut Vec<KnownSource>) -> (Vec<u8>, usize) {
    let options = BlockOptions {
        last_line: LastLine::Wait,
        ..BlockOptions::default()
    };
    let logs = [path.display().to_string()];
    let Ok(found) = discover(&logs, &DiscoverOptions::default()) else {
        return (Vec::new(), 1);
    };
    let feed = Feed::new(plan(found.files, known), options);
    let mut lines = Vec::new();
    while let Some(piece) = feed.next() {
        match piece {
            Piece::Lines(block) => lines.extend(block.bytes),
            Piece::LongLine(line) => panic!("{line:?}"),
        }
    }
    known.extend(feed.positions().into_iter().map(KnownSource::from));
    (lines, feed.take_failures().len())
}

#[test]
fn cut_at_each_byte_and_then_whole() {
    let log = combined(0, 6);
    // In two parts, of which the second begins within a line.
    let (one, two) = log.split_at(log.len() / 2);
    let file = [gzip(one), gzip(two)].concat();
    let place = Place::new();
    for cut in 0..file.len() {
        let mut known = Vec::new();
        let path = place.write("access.log.1.gz", &file[..cut]);
        let (mut lines, failures) = read(&path, &mut known);
        let is_between = cut == gzip(one).len();
        assert_eq!(
            failures,
            usize::from(cut > 0 && !is_between),
            "cut at {cut}"
        );
        // Cut between its parts it is a whole file, whose last line is taken as it is.
        let is_whole_lines = lines.is_empty() || lines.ends_with(b"\n");
        assert!(is_whole_lines || is_between, "cut at {cut}");
        fs::write(&path, &file).unwrap();
        let (more, failures) = read(&path, &mut known);
        lines.extend(more);
        assert_eq!((lines == log, failures), (true, 0), "cut at {cut}");
    }
}

#[test]
fn padded_and_in_many_parts() {
    let place = Place::new();
    let log = combined(0, 1_000);
    let parts: Vec<u8> = log.chunks(4_099).flat_map(gzip).collect();
    place.write("access.log.1.gz", [&parts[..], &[0; 5_000]].concat());
    assert_eq!(
        place.floodmark(&["ingest", "-q", "access.log.1.gz"]).code,
        0
    );
    Truth::of(&[("access.log", &log)]).check(&place, &[]);
}

/// Decompressed bytes of a bomb.
const BOMB_BYTES: usize = 256 << 20;

/// Ingests parts of 1 MiB over and over; gives what is said, having checked the memory that it took.
#[track_caller]
fn explode(part: &[u8]) -> String {
    let place = Place::new();
    let bomb = gzip(part).repeat(BOMB_BYTES / part.len());
    assert!(bomb.len() < BOMB_BYTES / 50);
    place.write("access.log.1.gz", [gzip(&combined(0, 10)), bomb].concat());
    let child = place
        .command(&["ingest", "--threads", "2", "access.log.1.gz"])
        .spawn()
        .unwrap();
    let mut peak = 0;
    wait_for("end of the run", || {
        let now = memory_peak(child.id());
        peak = peak.max(now.unwrap_or_default());
        now.is_none().then_some(())
    });
    let run = end(child);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(peak > 0 && peak < MEMORY_MAX_KIB, "{peak} KiB");
    is_whole(&place, &[]);
    run.stderr
}

#[test]
fn a_bomb_of_one_line() {
    let said = explode(&vec![b'x'; 1 << 20]);
    assert!(
        said.contains("11 lines = 10 requests + 1 reject + 0 blank\n"),
        "{said}"
    );
}

#[test]
fn a_bomb_of_blank_lines() {
    let said = explode(&vec![b'\n'; 1 << 20]);
    let lines = format!("{} blank\n", BOMB_BYTES);
    assert!(said.replace(',', "").contains(&lines), "{said}");
}

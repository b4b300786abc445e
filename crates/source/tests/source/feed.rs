//! Many threads and many files.

use std::fs::{self, File};
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use floodmark_source::{BlockOptions, DiscoverOptions, Error, Feed, Piece, discover, plan};

use crate::splits::gzip;
use crate::world::lines;

fn feed(paths: &[std::path::PathBuf], options: BlockOptions) -> Feed {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let found = discover(&paths, &DiscoverOptions::default()).unwrap();
    Feed::new(plan(found.files, &[]), options)
}

fn text(piece: &Piece) -> String {
    match piece {
        Piece::Lines(block) => String::from_utf8(block.bytes.clone()).unwrap(),
        Piece::LongLine(line) => panic!("{line:?}"),
    }
}

#[test]
fn while_one_thread_waits_for_a_pipe_another_reads_the_next_file() {
    let folder = tempfile::tempdir().unwrap();
    let [pipe, file] = ["pipe", "file"].map(|name| folder.path().join(name));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::write(&file, "of the file\n").unwrap();
    let (seen, is_seen) = mpsc::channel();
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || {
            let mut pipe = File::create(pipe).unwrap();
            // More than is looked at before anything is read, and less than a block.
            pipe.write_all(lines("pipe", 0, 20_000).as_bytes()).unwrap();
            // A bound, so that a feed that reads one file after the other fails and does not hang.
            let was_seen = is_seen.recv_timeout(Duration::from_secs(60)).is_ok();
            pipe.write_all(b"and more\n").unwrap();
            was_seen
        })
    };
    let feed = feed(&[pipe, file], BlockOptions::default());
    let read = |seen: mpsc::Sender<()>| {
        let mut given = Vec::new();
        while let Some(piece) = feed.next() {
            let text = text(&piece);
            if text.contains("of the file") {
                // Nobody listens any more where it came too late.
                let _ = seen.send(());
            }
            given.push(text);
        }
        given
    };
    let given = std::thread::scope(|scope| {
        let other = scope.spawn(|| read(seen.clone()));
        let mut given = read(seen.clone());
        given.extend(other.join().unwrap());
        given.sort();
        given.concat()
    });
    assert!(writer.join().unwrap(), "the file was read after the pipe");
    let of_pipe = lines("pipe", 0, 20_000);
    assert_eq!(given, format!("of the file\n{of_pipe}and more\n"));
}

#[test]
fn the_pieces_of_each_source_come_in_order_to_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..6).map(|n| format!("{n}.log.gz")).collect();
    let paths: Vec<_> = names.iter().map(|name| folder.path().join(name)).collect();
    for (name, path) in names.iter().zip(&paths) {
        fs::write(path, gzip(lines(name, 0, 3_000))).unwrap();
    }
    let options = BlockOptions {
        block_bytes: 4_096,
        line_bytes_max: 1_000,
        ..BlockOptions::default()
    };
    let feed = feed(&paths, options);
    let order = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let note = |piece: &Piece| match piece {
                    Piece::Lines(block) => order.lock().unwrap().push((
                        block.source.clone(),
                        block.source_offset,
                        block.bytes.len() as u64,
                    )),
                    Piece::LongLine(line) => panic!("{line:?}"),
                };
                while feed.next_in_order(note).is_some() {}
            });
        }
    });
    let order = order.into_inner().unwrap();
    let positions = feed.positions();
    assert_eq!(positions.len(), names.len());
    for position in positions {
        let mut end = 0;
        for (_, offset, bytes) in order
            .iter()
            .filter(|(source, ..)| *source == position.source)
        {
            assert_eq!(*offset, end);
            end += bytes;
        }
        assert_eq!(position.offset, end);
    }
}

/// A log that is cut and written anew, as copytruncate does, after it was looked at and after so many of its blocks were read.
#[track_caller]
fn check_cut(blocks: usize) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    fs::write(&log, lines("old", 0, 100)).unwrap();
    let options = BlockOptions {
        block_bytes: 700,
        line_bytes_max: 600,
        ..BlockOptions::default()
    };
    let feed = feed(std::slice::from_ref(&log), options);
    let old: String = (0..blocks).map(|_| text(&feed.next().unwrap())).collect();
    assert!(lines("old", 0, 100).starts_with(&old));
    fs::write(&log, lines("new", 0, 200)).unwrap();
    assert_eq!(feed.next(), None);
    let failures = feed.take_failures();
    assert!(
        matches!(&failures[..], [(_, Error::Replaced { .. })]),
        "{failures:?}"
    );
    let reached: Vec<u64> = feed
        .positions()
        .iter()
        .map(|position| position.offset)
        .collect();
    let expected = if blocks == 0 {
        vec![]
    } else {
        vec![old.len() as u64]
    };
    assert_eq!(reached, expected);
}

#[test]
fn what_was_cut_after_a_look_is_not_taken_for_what_it_was() {
    check_cut(0);
    check_cut(1);
    check_cut(3);
}

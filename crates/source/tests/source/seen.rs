//! Files that have not changed since they were read stay closed, and nothing else does.

use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use floodmark_source::{
    BlockOptions, DiscoverOptions, Feed, KnownSource, LastLine, Outcome, Seen, discover, plan,
};

use crate::world::{World, lines};

/// A time long after all files here were written.
fn later() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1 << 40)
}

/// A folder, what a lake knows of its logs, and what is remembered of them, as text.
struct Memory {
    world: World,
    known: Vec<KnownSource>,
    text: String,
}

impl Memory {
    fn new() -> Self {
        Self {
            world: World::new(),
            known: Vec::new(),
            text: String::new(),
        }
    }

    /// Reads files as far as they are new; gives those that were not opened, and how many bytes were new.
    fn ingest(&mut self, names: &[&str], now: SystemTime) -> (Vec<String>, usize) {
        let mut seen = Seen::parse(&self.text, &self.known);
        let logs: Vec<String> = names
            .iter()
            .map(|name| self.world.path(name).display().to_string())
            .collect();
        let options = DiscoverOptions {
            seen: Some(&seen),
            ..DiscoverOptions::default()
        };
        let found = discover(&logs, &options).unwrap();
        let closed = found.files.iter().filter(|file| file.unchanged.is_some());
        let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let closed: Vec<String> = closed.map(|file| name(&file.path)).collect();
        let readings = plan(found.files, &self.known);
        for reading in &readings {
            let is_closed = closed.contains(&name(&reading.file.path));
            assert!(!is_closed || matches!(reading.outcome, Outcome::NothingNew { .. }));
        }
        let options = BlockOptions {
            last_line: LastLine::Wait,
            ..BlockOptions::default()
        };
        let feed = Feed::new(readings, options);
        let mut bytes = 0;
        while let Some(piece) = feed.next() {
            match piece {
                floodmark_source::Piece::Lines(block) => bytes += block.bytes.len(),
                floodmark_source::Piece::LongLine(line) => panic!("{line:?}"),
            }
        }
        for position in feed.positions() {
            self.known.retain(|known| known.id != position.source);
            self.known.push(position.into());
        }
        let ended = feed.ended();
        let ended: Vec<_> = ended
            .iter()
            .map(|(file, ends_at)| (&**file, ends_at.clone()))
            .collect();
        seen.remember(&ended, now);
        self.text = seen.to_text();
        (closed, bytes)
    }

    #[track_caller]
    fn check(&mut self, names: &[&str], closed: &[&str], bytes: usize) {
        let (found, new) = self.ingest(names, later());
        assert_eq!(
            (found, new),
            (closed.iter().map(|&name| name.to_owned()).collect(), bytes)
        );
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Two files of one log that were read.
fn read() -> Memory {
    let mut memory = Memory::new();
    memory.world.write("access.log", lines("new", 0, 10));
    memory
        .world
        .write("access.log.1.gz", gzip(&lines("old", 0, 10)));
    let bytes = lines("new", 0, 10).len() + lines("old", 0, 10).len();
    memory.check(&["access.log", "access.log.1.gz"], &[], bytes);
    memory
}

#[test]
fn files_that_did_not_change_are_not_opened() {
    let mut memory = read();
    let both = ["access.log.1.gz", "access.log"];
    memory.check(&both, &both, 0);
    memory.check(&["access.log"], &["access.log"], 0);
    memory.check(&both, &both, 0);
}

#[test]
fn what_is_appended_is_read_and_the_rest_stays_closed() {
    let mut memory = read();
    let both = ["access.log.1.gz", "access.log"];
    memory.world.append("access.log", lines("new", 10, 12));
    memory.check(&both, &both[..1], lines("new", 10, 12).len());
    memory.check(&both, &both, 0);
}

#[test]
fn half_a_line_keeps_a_file_open() {
    let mut memory = read();
    memory.world.append("access.log", "half a line");
    memory.check(&["access.log"], &[], 0);
    memory.check(&["access.log"], &[], 0);
    memory.world.append("access.log", ", whole\n");
    memory.check(&["access.log"], &[], "half a line, whole\n".len());
    memory.check(&["access.log"], &["access.log"], 0);
}

/// Gives a file other bytes of the same length and its old times.
fn replace(memory: &Memory, name: &str, by: &str, bytes: &[u8]) {
    let times = fs::metadata(memory.world.path(name)).unwrap();
    assert_eq!(times.len(), bytes.len() as u64);
    memory.world.write(by, bytes);
    let modified = times.modified().unwrap();
    let file = fs::File::options()
        .write(true)
        .open(memory.world.path(by))
        .unwrap();
    file.set_modified(modified).unwrap();
    drop(file);
    if by != name {
        fs::rename(memory.world.path(by), memory.world.path(name)).unwrap();
    }
}

#[test]
fn another_file_of_equal_size_and_time_is_read() {
    for by in ["access.log", "other"] {
        let mut memory = read();
        let (old, other) = (lines("new", 0, 10), lines("two", 0, 10));
        assert_eq!(old[old.len() - 8..], other[other.len() - 8..]);
        replace(&memory, "access.log", by, other.as_bytes());
        memory.check(&["access.log"], &[], other.len());
    }
}

#[test]
fn a_renamed_file_is_known_by_its_bytes() {
    let mut memory = read();
    let path = |name| memory.world.path(name);
    fs::rename(path("access.log.1.gz"), path("access.log.2.gz")).unwrap();
    memory.check(&["access.log.2.gz"], &[], 0);
    memory.check(&["access.log.2.gz"], &["access.log.2.gz"], 0);
}

#[test]
fn what_the_lake_does_not_know_is_read() {
    let mut memory = read();
    let both = ["access.log.1.gz", "access.log"];
    let bytes = lines("new", 0, 10).len() + lines("old", 0, 10).len();
    // Another lake, or an older copy of it.
    let known = std::mem::take(&mut memory.known);
    memory.check(&both, &[], bytes);
    memory.known = known;
    memory.known[0].offset -= 1;
    let (closed, _) = memory.ingest(&both, later());
    assert_eq!(closed.len(), 1);
}

#[test]
fn a_file_that_changed_a_moment_ago_is_not_remembered() {
    let mut memory = Memory::new();
    memory.world.write("access.log", lines("new", 0, 10));
    let changed = fs::metadata(memory.world.path("access.log"))
        .unwrap()
        .modified()
        .unwrap();
    memory.ingest(&["access.log"], changed + Duration::from_secs(1));
    let (closed, _) = memory.ingest(&["access.log"], changed + Duration::from_secs(3));
    assert_eq!(closed, [""; 0]);
    let (closed, _) = memory.ingest(&["access.log"], changed);
    assert_eq!(closed, ["access.log"]);
}

#[test]
fn damaged_memory_is_forgotten() {
    let memory = read();
    let whole = Seen::parse(&memory.text, &memory.known);
    assert_eq!(whole.to_text(), memory.text);
    assert_ne!(whole, Seen::default());
    for at in 0..memory.text.len() {
        let mut damaged = memory.text.clone().into_bytes();
        damaged[at] ^= 1;
        let damaged = String::from_utf8(damaged).unwrap();
        assert_eq!(
            Seen::parse(&damaged, &memory.known),
            Seen::default(),
            "byte {at}"
        );
        assert_eq!(
            Seen::parse(&memory.text[..at], &memory.known),
            Seen::default(),
            "cut at {at}"
        );
    }
}

#[test]
fn lakes_have_memories_of_their_own() {
    assert_ne!(Seen::file_name("/a"), Seen::file_name("/b"));
    assert_eq!(Seen::file_name("/a"), Seen::file_name("/a"));
}

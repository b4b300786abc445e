//! A folder of logs, and what has been read of them so far.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use floodmark_source::{
    BlockOptions, DiscoverOptions, Feed, KnownSource, LastLine, Outcome, Piece, SourceId, discover,
    plan,
};

/// Logs in a folder, and the known sources that a lake would hold.
pub(crate) struct World {
    folder: tempfile::TempDir,
    known: BTreeMap<SourceId, KnownSource>,
    pub(crate) last_line: LastLine,
}

/// What one run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// Each file's name and outcome, in reading order.
    pub(crate) outcomes: Vec<String>,
    /// Each line with the source and offset it was given at.
    pub(crate) lines: Vec<(String, u64, String)>,
    pub(crate) failures: Vec<String>,
}

impl Run {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.lines
            .iter()
            .map(|(_, _, text)| text.as_str())
            .collect()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            known: BTreeMap::new(),
            last_line: LastLine::Wait,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn known(&self) -> Vec<KnownSource> {
        self.known.values().cloned().collect()
    }

    /// Reads what is new in these files, or what can be, and remembers it.
    pub(crate) fn ingest(&mut self, names: &[&str]) -> Run {
        let logs: Vec<String> = names
            .iter()
            .map(|name| self.path(name).display().to_string())
            .collect();
        let found = discover(&logs, &DiscoverOptions::default()).unwrap();
        let readings = plan(found.files, &self.known());
        let mut run = Run::default();
        for reading in &readings {
            let name = self.name(&reading.file.path);
            let adopted = reading
                .adopted_by()
                .map(|set| format!(", of {set}"))
                .unwrap_or_default();
            run.outcomes.push(format!(
                "{name}: {}{adopted}",
                self.outcome(&reading.outcome)
            ));
        }
        let options = BlockOptions {
            block_bytes: 700,
            line_bytes_max: 600,
            last_line: self.last_line,
        };
        let feed = Feed::new(readings, options);
        while let Some(piece) = feed.next() {
            let Piece::Lines(block) = piece else {
                panic!("no line is that long")
            };
            let mut offset = block.source_offset;
            for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
                let text = String::from_utf8_lossy(line)
                    .trim_end_matches('\n')
                    .to_owned();
                run.lines.push((block.source.to_string(), offset, text));
                offset += line.len() as u64;
            }
        }
        for position in feed.positions() {
            let before = self
                .known
                .insert(position.source.clone(), position.clone().into());
            assert!(
                before.is_none_or(|before| before.offset <= position.offset),
                "never back"
            );
        }
        for (path, error) in feed.take_failures() {
            let message = error
                .to_string()
                .replace(&path.display().to_string(), &self.name(&path));
            run.failures.push(message);
        }
        run
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.folder.path())
            .unwrap()
            .display()
            .to_string()
    }

    fn outcome(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::New => "new".to_owned(),
            Outcome::Continues { already } => format!("continues at {already}"),
            Outcome::NothingNew { already } => format!("nothing new in {already}"),
            Outcome::OlderCopy { known, found, .. } => format!("older copy, {found} of {known}"),
            Outcome::Shrunk { known, found, .. } => format!("shrunk from {known} to {found}"),
            Outcome::DuplicateOf(path) => format!("same as {}", self.name(path)),
            Outcome::Empty => "empty".to_owned(),
            Outcome::Failed(_) => "failed".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// Lines `from..to` of a log whose lines all differ.
pub(crate) fn lines(name: &str, from: usize, to: usize) -> String {
    (from..to)
        .map(|n| format!("{name} {n:07} 192.0.2.{}\n", n % 250))
        .collect()
}

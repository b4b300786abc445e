//! A log that is followed through whatever rotation and its follower's death do to it, against a model of what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use floodmark_source::{
    BlockOptions, DiscoverOptions, Feed, Follower, KnownSource, LastLine, Moment, Outcome, Piece,
    Reading, SourceId, discover, plan,
};
use proptest::prelude::*;

const LOG: &str = "access.log";
/// Rotated files that are kept apart; later ones are numbered on.
const NAMES_MAX: usize = 40;
/// More than the time after which what is missing is lost.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What happens to a log.
#[derive(Debug, Clone)]
enum Step {
    /// The server writes lines.
    Append(usize),
    /// And the beginning of another one.
    AppendPart,
    /// The file is renamed, the server writes some more into it, and then opens a new one.
    RenameCreate {
        late: usize,
        has_same_head: bool,
    },
    CopyTruncate,
    /// The file is cut without a copy, and written anew.
    TruncateRegrow(usize),
    /// The file is deleted and made anew, most often with the same inode.
    DeleteCreate,
    /// The newest rotated file is compressed.
    Gzip,
    /// Two compressed files, one after the other, become one.
    GzipConcat,
    /// A rotated file is deleted.
    Delete(usize),
    Look,
    /// The follower dies after so many blocks, before they are committed, and starts again.
    Kill(usize),
    /// It is asked to end after so many blocks, commits them, and starts again.
    Stop(usize),
    /// The files are read as a batch, by somebody who does not follow them.
    IngestBatch,
    /// The oldest rows of each source go, one in so many; how far it is read stays.
    Expire(usize),
    /// Somebody sets the clock, by so many seconds.
    SetClock(i64),
    /// The log is a symbolic link, which stands for a new file now; the server writes some more into the old one until it is told.
    SymlinkSwitch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..30).prop_map(Step::Append),
        1 => Just(Step::AppendPart),
        3 => (0_usize..4, prop::bool::weighted(0.2))
            .prop_map(|(late, has_same_head)| Step::RenameCreate { late, has_same_head }),
        2 => Just(Step::CopyTruncate),
        1 => (0_usize..40).prop_map(Step::TruncateRegrow),
        1 => Just(Step::DeleteCreate),
        2 => Just(Step::Gzip),
        1 => Just(Step::GzipConcat),
        1 => (0_usize..6).prop_map(Step::Delete),
        6 => Just(Step::Look),
        1 => (0_usize..4).prop_map(Step::Kill),
        1 => (0_usize..4).prop_map(Step::Stop),
        1 => Just(Step::IngestBatch),
        1 => (1_usize..4).prop_map(Step::Expire),
        1 => (-100_000_i64..100_000).prop_map(Step::SetClock),
    ]
}

/// What happens to a log that is a symbolic link.
fn step_of_link() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..30).prop_map(Step::Append),
        1 => Just(Step::AppendPart),
        3 => (0_usize..4).prop_map(Step::SymlinkSwitch),
        6 => Just(Step::Look),
        1 => (0_usize..4).prop_map(Step::Kill),
        1 => (0_usize..4).prop_map(Step::Stop),
        1 => (1_usize..4).prop_map(Step::Expire),
        1 => (-100_000_i64..100_000).prop_map(Step::SetClock),
    ]
}

/// Complete lines that one file held, whatever it is called now, by their numbers.
#[derive(Debug, Clone, Default)]
struct Lines {
    numbers: Vec<usize>,
    /// Whether the lake knows that they were in the log, and not that no more can come.
    is_followed: bool,
}

/// What the log's folder holds, what was written, and what has become of it.
struct Model {
    folder: tempfile::TempDir,
    /// By number.
    texts: Vec<String>,
    files: BTreeMap<String, Lines>,
    /// What the server has written of a line that is not complete.
    part: Option<usize>,
    /// Lines in files that were deleted or cut, or were taken for others.
    destroyed: BTreeSet<usize>,
    /// Files that were followed when they were destroyed; and those of them with lines that were in no row.
    gaps_at_most: usize,
    gaps_at_least: usize,
    lake: Lake,
    follower: Follower,
    now: Moment,
    /// How often the link was switched.
    switches: usize,
}

/// What a lake holds: all of it changes at once.
#[derive(Debug, Clone, Default)]
struct Lake {
    known: BTreeMap<SourceId, KnownSource>,
    live: BTreeMap<SourceId, i64>,
    /// By source, the offset of each row and its text.
    rows: BTreeMap<SourceId, BTreeMap<u64, String>>,
    /// Rows that were let go of.
    expired: BTreeMap<SourceId, BTreeMap<u64, String>>,
    gaps: Vec<SourceId>,
}

impl Lake {
    fn count(&self, text: &str) -> usize {
        let rows = self.rows.values().chain(self.expired.values());
        let rows = rows.flat_map(BTreeMap::values);
        rows.filter(|row| *row == text).count()
    }

    /// Rows follow each other in their source.
    fn check_tiles(&self) {
        for (source, rows) in &self.rows {
            let ends = rows.iter().map(|(offset, text)| offset + text.len() as u64);
            for (end, next) in ends.zip(rows.keys().skip(1)) {
                assert_eq!(end, *next, "{source}");
            }
        }
    }
}

/// How far a run gets.
#[derive(Clone, Copy)]
enum Ends {
    Whole,
    Killed(usize),
    Stopped(usize),
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join(LOG)).unwrap();
        Self {
            folder,
            texts: Vec::new(),
            files: BTreeMap::from([(LOG.to_owned(), Lines::default())]),
            part: None,
            destroyed: BTreeSet::new(),
            gaps_at_most: 0,
            gaps_at_least: 0,
            lake: Lake::default(),
            follower: Follower::default(),
            now: Moment {
                time_us: 1_000_000_000_000,
                running: Duration::ZERO,
            },
            switches: 0,
        }
    }

    /// The log is a link.
    fn of_link() -> Self {
        let model = Self::new();
        fs::rename(model.path(LOG), model.path("of-0.log")).unwrap();
        std::os::unix::fs::symlink("of-0.log", model.path(LOG)).unwrap();
        model
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let mut options = fs::OpenOptions::new();
        let file = options.append(true).create(true).open(self.path(name));
        file.unwrap().write_all(bytes).unwrap();
    }

    /// A new line; its text is that of `same_as`, if any.
    fn line(&mut self, same_as: Option<usize>) -> usize {
        let number = self.texts.len();
        let text = match same_as {
            Some(other) => self.texts[other].clone(),
            None => format!("{number:06} {}\n", "x".repeat(number * 7 % 60)),
        };
        self.texts.push(text);
        number
    }

    fn put(&mut self, name: &str, number: usize) {
        self.write(name, self.texts[number].clone().as_bytes());
        self.files.get_mut(name).unwrap().numbers.push(number);
    }

    fn append(&mut self, name: &str, lines: usize) {
        for _ in 0..lines {
            let number = self.line(None);
            self.put(name, number);
        }
    }

    /// The rest of a line that was begun.
    fn complete(&mut self) {
        if let Some(number) = self.part.take() {
            let text = self.texts[number].clone();
            self.write(LOG, &text.as_bytes()[text.len() / 2..]);
            self.files.get_mut(LOG).unwrap().numbers.push(number);
        }
    }

    /// A line that was begun, and whose file is gone.
    fn forget_part(&mut self) {
        if let Some(number) = self.part.take() {
            self.destroyed.insert(number);
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
        let lines = self.files.remove(from).unwrap();
        self.files.insert(to.to_owned(), lines);
    }

    /// Each rotated file gets the next number.
    fn shift(&mut self) {
        for number in (1..NAMES_MAX).rev() {
            for end in ["", ".gz"] {
                let name = |number: usize| format!("{LOG}.{number}{end}");
                if self.files.contains_key(&name(number)) {
                    self.rename(&name(number), &name(number + 1));
                }
            }
        }
    }

    fn destroy(&mut self, name: &str) {
        let lines = self.files.remove(name).unwrap();
        if lines.is_followed {
            // Of lines with the same text it is not known which are the rows; and those taken for others are known to be lost.
            let is_unread = |number: &usize| {
                self.lake.count(&self.texts[*number]) == 0 && !self.destroyed.contains(number)
            };
            self.gaps_at_most += 1;
            self.gaps_at_least += usize::from(lines.numbers.iter().any(is_unread));
        }
        self.destroyed.extend(lines.numbers);
    }

    /// Of lines with the same text the first ones are taken to be the rows.
    fn is_row(&self, number: usize) -> bool {
        let text = &self.texts[number];
        let before = self.texts[..=number].iter();
        self.lake.count(text) >= before.filter(|other| *other == text).count()
    }

    fn head(&self, name: &str) -> Option<&String> {
        let first = self.files[name].numbers.first();
        first.map(|&number| &self.texts[number])
    }

    fn plain(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(name)).unwrap();
        MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn gzip(&self, name: &str, bytes: &[u8]) {
        let file = File::create(self.path(name)).unwrap();
        let mut gzip = GzEncoder::new(file, Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap();
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append(lines) => {
                self.complete();
                self.append(LOG, lines);
            }
            Step::AppendPart => {
                self.complete();
                let number = self.line(None);
                let text = self.texts[number].clone();
                self.write(LOG, &text.as_bytes()[..text.len() / 2]);
                self.part = Some(number);
            }
            Step::RenameCreate {
                late,
                has_same_head,
            } => {
                self.complete();
                // One line alone is the beginning of whatever begins with it, so that there are two of each.
                let head = self.files[LOG].numbers.first().copied();
                let head = head.filter(|_| self.files[LOG].numbers.len() > 1);
                self.shift();
                let rotated = format!("{LOG}.1");
                self.rename(LOG, &rotated);
                self.append(&rotated, late);
                File::create(self.path(LOG)).unwrap();
                self.files.insert(LOG.to_owned(), Lines::default());
                if has_same_head && head.is_some() {
                    let number = self.line(head);
                    self.put(LOG, number);
                    self.append(LOG, 1);
                }
            }
            Step::CopyTruncate => {
                self.complete();
                self.shift();
                let rotated = format!("{LOG}.1");
                fs::copy(self.path(LOG), self.path(&rotated)).unwrap();
                let lines = self.files.insert(LOG.to_owned(), Lines::default());
                self.files.insert(rotated, lines.unwrap());
                File::create(self.path(LOG)).unwrap();
            }
            Step::TruncateRegrow(lines) => {
                self.forget_part();
                self.destroy(LOG);
                File::create(self.path(LOG)).unwrap();
                self.files.insert(LOG.to_owned(), Lines::default());
                self.append(LOG, lines);
            }
            Step::DeleteCreate => {
                self.forget_part();
                self.destroy(LOG);
                fs::remove_file(self.path(LOG)).unwrap();
                File::create(self.path(LOG)).unwrap();
                self.files.insert(LOG.to_owned(), Lines::default());
            }
            Step::Gzip => {
                let is_plain = |name: &&String| **name != LOG && !name.ends_with(".gz");
                if let Some(name) = self.files.keys().find(is_plain).cloned() {
                    let compressed = format!("{name}.gz");
                    self.gzip(&compressed, &fs::read(self.path(&name)).unwrap());
                    fs::remove_file(self.path(&name)).unwrap();
                    let lines = self.files.remove(&name).unwrap();
                    self.files.insert(compressed, lines);
                }
            }
            Step::GzipConcat => {
                // The older one, whose number is higher by one, comes first. Where both begin with the same line, the second is taken
                // for the beginning of the first, again.
                let pair = (1..NAMES_MAX)
                    .map(|number| [number, number + 1].map(|number| format!("{LOG}.{number}.gz")))
                    .find(|pair| pair.iter().all(|name| self.files.contains_key(name)))
                    .filter(|[new, old]| self.head(new) != self.head(old));
                if let Some([new, old]) = &pair {
                    let bytes = [self.plain(old), self.plain(new)].concat();
                    fs::remove_file(self.path(old)).unwrap();
                    self.gzip(new, &bytes);
                    let mut lines = self.files.remove(old).unwrap();
                    let more = self.files.remove(new).unwrap();
                    lines.numbers.extend(more.numbers);
                    // Each of the two that is followed may be lost on its own later.
                    self.gaps_at_most += usize::from(lines.is_followed && more.is_followed);
                    lines.is_followed |= more.is_followed;
                    self.files.insert(new.clone(), lines);
                }
            }
            Step::Delete(which) => {
                let rotated = self.files.keys().filter(|name| *name != LOG);
                if let Some(name) = rotated.clone().nth(which).cloned() {
                    self.destroy(&name);
                    fs::remove_file(self.path(&name)).unwrap();
                }
            }
            Step::Look => self.look(Ends::Whole),
            Step::Kill(blocks) => self.look(Ends::Killed(blocks)),
            Step::Stop(blocks) => self.look(Ends::Stopped(blocks)),
            Step::IngestBatch => self.ingest(),
            Step::Expire(one_in) => self.lake.expire(one_in),
            Step::SetClock(by_s) => self.now.time_us += by_s * 1_000_000,
            Step::SymlinkSwitch(late) => self.switch(late),
        }
        self.lake.check_tiles();
    }

    /// Lines are the link's own in the model, whatever file it stands for.
    fn switch(&mut self, late: usize) {
        self.complete();
        let target = |number: usize| format!("of-{number}.log");
        let old = target(self.switches);
        self.switches += 1;
        let new = target(self.switches);
        File::create(self.path(&new)).unwrap();
        std::os::unix::fs::symlink(&new, self.path("next")).unwrap();
        fs::rename(self.path("next"), self.path(LOG)).unwrap();
        let lines = self.files.insert(LOG.to_owned(), Lines::default());
        self.files.insert(old.clone(), lines.unwrap());
        self.append(&old, late);
    }

    /// The follower will not know what the link stood for: if it has not read all of that, its end is lost.
    fn forget_earlier(&mut self) {
        let earlier: Vec<String> = self
            .files
            .keys()
            .filter(|name| *name != LOG)
            .cloned()
            .collect();
        for name in earlier {
            let lines = self.files[&name].clone();
            let unread = lines.numbers.iter().filter(|&&number| !self.is_row(number));
            self.destroyed.extend(unread.copied().collect::<Vec<_>>());
            self.gaps_at_most += usize::from(lines.is_followed);
            self.files.get_mut(&name).unwrap().is_followed = false;
        }
    }

    /// A look of the follower, to be committed with what it read.
    fn look(&mut self, ends: Ends) {
        self.now.time_us += 2_000_000;
        self.now.running += LOOK_EVERY;
        let logs = self
            .follower
            .with_earlier(&[self.path(LOG).display().to_string()]);
        let options = DiscoverOptions {
            with_rotated: true,
            ..DiscoverOptions::default()
        };
        let known: Vec<KnownSource> = self.lake.known.values().cloned().collect();
        let readings = plan(discover(&logs, &options).unwrap().files, &known);
        self.mistake(&readings);
        let followed = self.follower.look(&readings, &self.lake.live, self.now);
        let quiet: Vec<String> = self
            .files
            .iter()
            .filter(|(name, lines)| {
                *name != LOG && lines.numbers.iter().all(|&number| self.is_row(number))
            })
            .map(|(name, _)| name.clone())
            .collect();
        let mut lake = self.lake.clone();
        let feed = Feed::new(readings, block_options());
        let blocks = match ends {
            Ends::Whole => usize::MAX,
            Ends::Killed(blocks) | Ends::Stopped(blocks) => blocks,
        };
        lake.read(&feed, blocks);
        if let Ends::Killed(_) = ends {
            self.follower = Follower::default();
            return;
        }
        let lost = followed.lost.iter().map(|lost| lost.source.clone());
        lake.gaps.extend(lost.clone());
        for over in followed.ended.iter().cloned().chain(lost) {
            lake.live.remove(&over);
        }
        for name in quiet {
            self.files.get_mut(&name).unwrap().is_followed = false;
        }
        if let Ends::Whole = ends {
            for source in &followed.live {
                lake.live.insert(source.clone(), self.now.time_us);
            }
            let lines = self.files.get_mut(LOG).unwrap();
            lines.is_followed = !lines.numbers.is_empty();
            self.follower.committed(&followed, self.now.time_us);
        } else {
            self.follower = Follower::default();
        }
        self.lake = lake;
    }

    /// A file that is shorter than what was read of a source with its first line, of which no other file is told to hold all, is taken for an older
    /// copy, or for that source, shrunk. Where it is neither, its lines are lost.
    fn mistake(&mut self, readings: &[Reading]) {
        for reading in readings {
            let has_shrunk = matches!(reading.outcome, Outcome::Shrunk { .. });
            if !has_shrunk && !matches!(reading.outcome, Outcome::OlderCopy { .. }) {
                continue;
            }
            let name = reading.file.path.file_name().unwrap().to_str().unwrap();
            self.gaps_at_most += usize::from(has_shrunk);
            self.destroyed.extend(&self.files[name].numbers);
        }
    }

    fn ingest(&mut self) {
        let known: Vec<KnownSource> = self.lake.known.values().cloned().collect();
        let logs = [self.folder.path().display().to_string()];
        let found = discover(&logs, &DiscoverOptions::default()).unwrap();
        let readings = plan(found.files, &known);
        self.mistake(&readings);
        self.lake
            .read(&Feed::new(readings, block_options()), usize::MAX);
    }

    /// Nothing of what could be read is missing, and nothing is there twice.
    fn check(&self) {
        let written: BTreeSet<&String> = self.texts.iter().collect();
        for text in written {
            let of_text = |number: &&usize| self.texts[**number] == *text;
            let numbers: Vec<usize> = (0..self.texts.len()).collect();
            let times = numbers.iter().filter(of_text).count();
            let destroyed = self.destroyed.iter().filter(of_text).count();
            let rows = self.lake.count(text);
            assert!(
                rows <= times && rows + destroyed >= times,
                "{text:?}: {rows} rows of {times} lines, {destroyed} of them destroyed"
            );
        }
        let gaps = self.lake.gaps.len();
        let (least, most) = (self.gaps_at_least, self.gaps_at_most);
        assert!(
            least <= gaps && gaps <= most,
            "{least} to {most} gaps, found {gaps}"
        );
    }
}

impl Lake {
    fn expire(&mut self, one_in: usize) {
        for (source, rows) in &mut self.rows {
            let expired = self.expired.entry(source.clone()).or_default();
            for _ in 0..rows.len() / one_in {
                expired.extend(rows.pop_first());
            }
        }
    }

    fn read(&mut self, feed: &Feed, blocks: usize) {
        for _ in 0..blocks {
            let Some(piece) = feed.next() else {
                break;
            };
            let Piece::Lines(block) = piece else {
                panic!("no line is that long");
            };
            let mut offset = block.source_offset;
            for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
                let text = String::from_utf8(line.to_vec()).unwrap();
                let source = &block.source;
                let expired = self.expired.get(source);
                assert!(
                    !expired.is_some_and(|rows| rows.contains_key(&offset)),
                    "{source} at {offset} was expired"
                );
                let rows = self.rows.entry(source.clone()).or_default();
                let twice = rows.insert(offset, text);
                assert_eq!(twice, None, "at {offset} of {source}");
                offset += line.len() as u64;
            }
        }
        assert!(feed.take_failures().is_empty());
        for position in feed.positions() {
            let before = self
                .known
                .insert(position.source.clone(), position.clone().into());
            assert!(
                before.is_none_or(|before| before.offset <= position.offset),
                "never back"
            );
        }
    }
}

fn block_options() -> BlockOptions {
    BlockOptions {
        block_bytes: 700,
        line_bytes_max: 600,
        last_line: LastLine::Wait,
    }
}

fn follows(steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        model.take(step);
    }
    model.complete();
    for _ in 0..3 {
        model.take(&Step::Look);
    }
    model.check();
}

#[test]
fn the_beginning_of_a_line_is_no_source_yet() {
    follows(&[Step::AppendPart, Step::Look]);
}

#[test]
fn a_log_that_begins_with_the_line_of_one_that_is_there_still() {
    let rotated = |has_same_head| Step::RenameCreate {
        late: 0,
        has_same_head,
    };
    follows(&[Step::Append(7), Step::Look, rotated(true), rotated(false)]);
    follows(&[Step::Append(7), Step::Look, rotated(true), Step::Look]);
}

/// Like [`follows`], of a link whose earlier files nobody touches.
fn follows_link(steps: &[Step]) {
    let mut model = Model::of_link();
    for step in steps {
        match step {
            // What no look has found under the link is not known to have been the log.
            Step::SymlinkSwitch(_) => model.take(&Step::Look),
            // What the link stood for before is forgotten.
            Step::Kill(_) | Step::Stop(_) => model.forget_earlier(),
            _ => {}
        }
        model.take(step);
    }
    model.complete();
    for _ in 0..3 {
        model.take(&Step::Look);
    }
    model.check();
}

#[test]
fn a_concatenation_with_the_first_line_of_a_log_that_is_there() {
    let rotated = |late, has_same_head| Step::RenameCreate {
        late,
        has_same_head,
    };
    follows(&[
        rotated(1, false),
        Step::Look,
        Step::TruncateRegrow(2),
        rotated(0, true),
        Step::Gzip,
        Step::Gzip,
        Step::Append(1),
        Step::GzipConcat,
    ]);
}

proptest! {
    // 256 sequences, or as many as `PROPTEST_CASES` says.
    #[test]
    fn each_line_is_one_row_or_its_loss_is_a_gap(steps in prop::collection::vec(step(), 1..40)) {
        follows(&steps);
    }

    #[test]
    fn a_link_that_is_switched_loses_nothing(steps in prop::collection::vec(step_of_link(), 1..40)) {
        follows_link(&steps);
    }
}

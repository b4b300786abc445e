//! New lines, a moment after they were written.
//!
//! It reads as `ingest` does, by the same plan, from where the lake was when its lines were counted; only that it commits nothing and keeps the
//! positions to itself. So a line is on the screen once, through rotation, truncation and whatever else happens to a log. Compressed files are left
//! to the lake: they would have to be read from their beginning.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use arrow::array::RecordBatch;
use floodmark_ingest::{Intake, LineSchema, LogSettings, Scratch, Tally, TextAs};
use floodmark_source::{
    BlockOptions, Compression, Feed, KnownSource, LastLine, LogFile, plan as plan_readings,
};

use super::super::changes::Changes;
use super::columns;
use crate::logs::{Logs, Reads};
use crate::memory::Memory;
use crate::plan::Plan;

/// Formats are told anew when a log whose beginning decided has twice as many bytes; a longer one has shown enough.
const YOUNG_BYTES: u64 = 64 << 10;

/// Reads what is new in logs.
#[derive(Debug)]
pub(super) struct Reader {
    plan: Plan,
    logs: Vec<String>,
    known: Vec<KnownSource>,
    changes: Changes,
    files: HashMap<PathBuf, Told>,
    /// Those that a server writes.
    live: BTreeSet<PathBuf>,
    /// Whether all columns are read, or only those that are shown.
    columns: Which,
    /// What is being read.
    intake: Option<Intake>,
    scratch: Scratch,
    /// What became of the lines read.
    tally: Tally,
    rejected_before: u64,
    /// How often a log was found to be another file than before, or cut.
    pub(super) rotations: u64,
}

/// Which columns are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Shown,
    /// A condition may name any.
    All,
}

/// A file, and how it is read.
#[derive(Debug)]
struct Told {
    file: LogFile,
    settings: Arc<LogSettings>,
}

impl Reader {
    /// Reads on from positions of the lake.
    pub(super) fn new(
        plan: Plan,
        logs: Vec<String>,
        known: Vec<KnownSource>,
        columns: Which,
    ) -> Self {
        let mut changes = Changes::default();
        changes.forget();
        Self {
            plan,
            logs,
            known,
            changes,
            files: HashMap::new(),
            live: BTreeSet::new(),
            columns,
            intake: None,
            scratch: Scratch::default(),
            tally: Tally::default(),
            rejected_before: 0,
            rotations: 0,
        }
    }

    /// Goes on counting rejects and rotations where another reader ends.
    pub(super) fn goes_on_for(&mut self, before: Self) {
        self.rotations = before.rotations;
        self.rejected_before = before.rejected();
    }

    /// Lines that were rejected, of those read.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected_before + self.tally.rejected()
    }

    /// Where files are whose writes are worth a look.
    pub(super) fn folders(&self) -> &BTreeSet<PathBuf> {
        self.changes.folders()
    }

    /// Looks at formats anew at the next change: a server may write another one.
    pub(super) fn forget_formats(&mut self) {
        self.files.clear();
    }

    /// Some of the new rows; `None` when all have been read for now.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.intake.is_none() {
            self.intake = self.look()?;
        }
        let Some(intake) = &self.intake else {
            return Ok(None);
        };
        if let Some(batch) = intake.next(&mut self.scratch)? {
            self.tally.add(batch.tally);
            return Ok(Some(batch.rows));
        }
        for position in intake.feed().positions() {
            let reached = KnownSource::from(position);
            match self.known.iter_mut().find(|known| known.id == reached.id) {
                Some(known) => *known = reached,
                None => self.known.push(reached),
            }
        }
        // Named by the pass that feeds the lake.
        drop(intake.feed().take_failures());
        self.intake = None;
        Ok(None)
    }

    /// Opens what has grown since it was looked at.
    fn look(&mut self) -> Result<Option<Intake>> {
        let Some(changed) = self.changes.since(&self.logs) else {
            return Ok(None);
        };
        self.changes.look(&self.logs);
        let grown = changed.only_grown.filter(|grown| {
            let is_told = |(path, bytes): &(PathBuf, u64)| {
                let told = self.files.get(path);
                told.is_some_and(|told| !told.is_young(*bytes))
            };
            grown.iter().all(is_told)
        });
        let files = match grown {
            Some(grown) => {
                let told = grown.iter().filter_map(|(path, _)| self.files.get(path));
                told.map(|told| told.file.clone()).collect()
            }
            None => {
                let is_live = |path: &PathBuf| self.live.contains(path);
                self.rotations += u64::from(changed.replaced.iter().any(is_live));
                self.find()?
            }
        };
        Ok(self.open(files))
    }

    /// Finds the logs and what rotation left beside them.
    fn find(&mut self) -> Result<Vec<LogFile>> {
        let reads = Reads::Once {
            stop: Arc::new(AtomicBool::new(false)),
            seen: Memory::of(&self.plan, &self.known).seen,
            with_rotated: true,
        };
        let logs = Logs::find(&self.plan, &self.logs, &reads);
        let logs = logs.inspect_err(|_| self.changes.forget())?;
        let all = || {
            logs.files
                .iter()
                .map(|(file, _)| file)
                .chain(&logs.unchanged)
        };
        let live = all().filter(|file| file.is_live());
        self.live.extend(live.map(|file| file.path.clone()));
        self.changes
            .watch(all().map(|file| file.path.clone()).collect());
        self.changes.look(&self.logs);
        let plain = logs.files.into_iter();
        let plain = plain.filter(|(file, _)| file.compression == Compression::Plain);
        let told = plain.map(|(file, settings)| (file.path.clone(), Told { file, settings }));
        self.files = told.collect();
        Ok(self.files.values().map(|told| told.file.clone()).collect())
    }

    fn open(&self, files: Vec<LogFile>) -> Option<Intake> {
        if files.is_empty() {
            return None;
        }
        let settings: HashMap<PathBuf, Arc<LogSettings>> = files
            .iter()
            .filter_map(|file| {
                Some((
                    file.path.clone(),
                    Arc::clone(&self.files.get(&file.path)?.settings),
                ))
            })
            .collect();
        let variables = settings.values().flat_map(|settings| settings.variables());
        let schema = LineSchema::new(variables);
        let schema = match self.columns {
            Which::All => schema,
            Which::Shown => {
                let columns = schema.columns().iter().enumerate();
                let shown =
                    columns.filter(|(_, column)| columns::NAMES.contains(&column.name.as_str()));
                let shown: Vec<usize> = shown.map(|(at, _)| at).collect();
                schema.project(&shown)
            }
        };
        let options = BlockOptions {
            last_line: LastLine::Wait,
            ..BlockOptions::default()
        };
        let feed = Feed::new(plan_readings(files, &self.known), options);
        Some(Intake::new(
            Arc::new(feed),
            &settings,
            schema,
            TextAs::Views,
        ))
    }
}

impl Told {
    /// Whether so little of it was there when its format was told that more may tell better.
    fn is_young(&self, bytes: u64) -> bool {
        let told_by = self.file.disk_bytes.unwrap_or_default();
        told_by < YOUNG_BYTES && bytes >= 2 * told_by
    }
}

//! From an intake to durable commits: threads parse and encode, one commit takes rows and offsets together.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deltalake::kernel::Transaction;
use floodmark_ingest::{Intake, LineBatch, LineSchema, MinuteCounts, Tally};
use floodmark_source::KnownSource;
use rayon::ThreadPool;

use crate::Error;
use crate::bounds::Bounds;
use crate::day::{Day, by_day};
use crate::destination::Destination;
use crate::followed::Look;
use crate::lake::Lake;
use crate::minutes::Offsets;
use crate::part::{Encoder, Part, RowBytes, RowGroup, Written, add_bytes, writer_properties};
use crate::positions::Positions;

/// How a load is carried out.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Threads that parse and encode; default 1.
    pub threads: usize,
    /// Bytes of log in one commit, decompressed; default 1 GiB. More makes fewer files, less repeats less after a crash.
    pub commit_bytes: u64,
    /// Bytes that the threads hold in all, about; default 1 GiB. Where it is little for so many threads, fewer are used.
    pub memory_bytes: usize,
    /// The look at logs that are followed which the load is part of; default none.
    pub look: Option<Look>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            commit_bytes: 1 << 30,
            memory_bytes: 1 << 30,
            look: None,
        }
    }
}

/// Days whose row groups a thread keeps open; logs are nearly in order, so few are needed.
const OPEN_DAYS_MAX: usize = 8;

/// How often a batch is committed anew over commits of others. Each time at least one of them got through, so that many
/// in a row mean a lake with dozens of writers.
const COMMITS_MAX: u32 = 100;
/// The longest wait before the second of these; it doubles from one to the next.
const COMMIT_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// How often it doubles: up to a third of a second.
const DOUBLINGS_MAX: u32 = 6;

impl Lake {
    /// Reads an intake to its end into the lake. Each commit holds rows and the offsets they reach.
    ///
    /// `stop` ends the load early after the blocks at hand, with a commit of what is whole. `progress` is called with
    /// the tally so far after each block, from any thread.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if another process committed lines of one of these logs meanwhile: nothing of the open batch
    /// was written, and the logs are to be planned again from [`Lake::known_sources`]. [`Error::Crowded`] if there were
    /// too many commits of other logs. Any other error likewise leaves whole commits only.
    pub async fn load(
        &mut self,
        intake: &Intake,
        options: &LoadOptions,
        stop: &AtomicBool,
        progress: &(dyn Fn(&Tally) + Sync),
    ) -> Result<Tally, Error> {
        let mut positions = self.positions()?;
        let version = self.version();
        self.widen(intake.schema()).await?;
        // New columns may be committed on top of what others committed since the logs were planned.
        if self.version() != version && !self.positions()?.reads_as(&positions) {
            return Err(Error::Conflict {
                committed: Box::default(),
            });
        }
        self.count_minutes(options.threads).await?;
        let bounds = Bounds::of(options);
        let pool = pool(bounds.threads)?;
        let mut total = Tally::default();
        let mut counted_to: Offsets = self.read_to()?;
        let look = options.look.as_ref();
        let mut notes: Vec<Transaction> = look.into_iter().flat_map(Look::before).collect();
        loop {
            let destination = Arc::new(self.destination());
            let batch = Batch::new(&destination, intake, (options.commit_bytes, bounds), stop);
            let outcome = batch.fill(&pool, &|tally| {
                let mut sum = total.clone();
                sum.add(tally);
                progress(&sum);
            });
            let Filled {
                files,
                minutes,
                tally,
                drained,
            } = outcome?;
            let read_to: Vec<KnownSource> = intake
                .feed()
                .positions()
                .into_iter()
                .map(KnownSource::from)
                .collect();
            let is_whole = drained && !stop.load(Ordering::Relaxed);
            if is_whole {
                notes.extend(look.into_iter().flat_map(Look::after));
            }
            let is_due = is_whole && look.is_some_and(|look| look.is_due);
            if !files.is_empty() || positions.is_behind(&read_to) || is_due {
                destination.publish().await?;
                let schema = intake.schema();
                match self
                    .commit_batch((&files, &notes), &read_to, &mut positions, schema)
                    .await
                {
                    Ok(()) => {}
                    Err(error @ (Error::Conflict { .. } | Error::Crowded { .. })) => {
                        destination.discard(&files).await;
                        let committed = Box::new(total);
                        return Err(match error {
                            Error::Conflict { .. } => Error::Conflict { committed },
                            other => other,
                        });
                    }
                    // The commit may stand although something after it failed, so that its files must stay.
                    Err(error) => return Err(error),
                }
                notes.clear();
                total.add(tally);
                let to: Offsets = read_to
                    .iter()
                    .map(|known| (known.id.to_string(), known.offset))
                    .filter(|(id, offset)| counted_to.get(id) != Some(offset))
                    .collect();
                let counted = match to.is_empty() {
                    true => Ok(()),
                    false => {
                        self.add_minutes(&minutes, &counted_to, &to, options.threads)
                            .await
                    }
                };
                match counted {
                    Err(Error::Conflict { .. }) => {
                        let committed = Box::new(total);
                        return Err(Error::Conflict { committed });
                    }
                    counted => counted?,
                }
                counted_to.extend(to);
            } else {
                total.add(tally);
            }
            if drained || stop.load(Ordering::Relaxed) {
                return Ok(total);
            }
        }
    }
}

impl Lake {
    /// One commit of files and notes and of how far sources are read now, `positions` before and after.
    ///
    /// Others may commit in between, as long as they add nothing to a source that begins with the line that one of the
    /// batch's sources begins with: then it is as if the batch had been first.
    async fn commit_batch(
        &mut self,
        (files, notes): (&[Written], &[Transaction]),
        read_to: &[KnownSource],
        positions: &mut Positions,
        schema: &LineSchema,
    ) -> Result<(), Error> {
        let mut row_bytes = RowBytes::new();
        for file in files {
            add_bytes(&mut row_bytes, &file.summary.row_bytes);
        }
        let is_read = |known: &&KnownSource| positions.is_behind(std::slice::from_ref(*known));
        let first_lines = read_to.iter().filter(is_read);
        let first_lines: HashSet<u64> = first_lines.map(|known| known.id.first_line()).collect();
        for tries in 0..COMMITS_MAX {
            let mut advanced = positions.clone();
            let mut transactions = advanced.advance(read_to.iter().cloned(), &row_bytes);
            transactions.extend_from_slice(notes);
            match self.commit(files, transactions).await {
                Ok(()) => {
                    *positions = advanced;
                    return Ok(());
                }
                Err(error @ Error::Conflict { .. }) => {
                    tokio::time::sleep(wait_before_try(tries)).await;
                    self.refresh()?;
                    let newer = self.positions()?;
                    let is_same_log =
                        |known: &KnownSource| first_lines.contains(&known.id.first_line());
                    let is_theirs = newer.changed_since(positions).any(is_same_log);
                    if is_theirs || !self.has_columns(schema) {
                        return Err(error);
                    }
                    *positions = newer;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Crowded { tries: COMMITS_MAX })
    }
}

/// The threads that parse and encode, the same ones from commit to commit: each new one would take memory of its own.
fn pool(threads: usize) -> Result<ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("ingest-{index}"))
        .build()
        .map_err(|error| Error::Threads {
            message: error.to_string(),
        })
}

/// A random wait, so that writers that met once do not meet again.
fn wait_before_try(tries: u32) -> Duration {
    let longest = COMMIT_AGAIN_AFTER * 2_u32.pow(tries.min(DOUBLINGS_MAX));
    let (dice, _) = uuid::Uuid::new_v4().as_u64_pair();
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(dice % micros)
}

/// Files of a batch that is dropped: no commit names them, so they may go.
fn remove<'p>(paths: impl Iterator<Item = &'p std::path::Path>) {
    for path in paths {
        // One that stays is an orphan and harmless: readers list files from the log.
        let _ = fs::remove_file(path);
    }
}

/// The rows of one commit, in files.
struct Filled {
    files: Vec<Written>,
    minutes: MinuteCounts,
    tally: Tally,
    /// Whether the intake is at its end.
    drained: bool,
}

/// The rows of one commit on their way into files.
struct Batch<'b> {
    intake: &'b Intake,
    destination: &'b Arc<Destination>,
    bytes: AtomicU64,
    bytes_max: u64,
    bounds: Bounds,
    stop: &'b AtomicBool,
    drained: AtomicBool,
    failed: AtomicBool,
    parts: Mutex<BTreeMap<Day, Arc<Part>>>,
    tally: Mutex<Tally>,
    minutes: Mutex<MinuteCounts>,
    has_many_minutes: AtomicBool,
}

impl<'b> Batch<'b> {
    fn new(
        destination: &'b Arc<Destination>,
        intake: &'b Intake,
        (bytes_max, bounds): (u64, Bounds),
        stop: &'b AtomicBool,
    ) -> Self {
        Self {
            intake,
            destination,
            bytes: AtomicU64::new(0),
            bytes_max,
            bounds,
            stop,
            drained: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            parts: Mutex::default(),
            tally: Mutex::default(),
            minutes: Mutex::default(),
            has_many_minutes: AtomicBool::new(false),
        }
    }

    /// Fills the batch on the threads of a pool.
    fn fill(self, pool: &ThreadPool, progress: &(dyn Fn(Tally) + Sync)) -> Result<Filled, Error> {
        let worked = self.run_threads(pool, progress);
        let parts = self
            .parts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let paths: Vec<_> = parts.values().map(|part| part.path().to_owned()).collect();
        let finished = worked.and_then(|()| {
            parts
                .into_values()
                .map(|part| match Arc::try_unwrap(part) {
                    Ok(part) => part.finish(),
                    Err(part) => Err(Error::Closed {
                        path: part.path().to_owned(),
                    }),
                })
                .collect::<Result<Vec<_>, _>>()
        });
        match finished {
            Ok(files) => {
                let tally = self.tally.into_inner();
                let minutes = self.minutes.into_inner();
                Ok(Filled {
                    files,
                    minutes: minutes.unwrap_or_else(PoisonError::into_inner),
                    tally: tally.unwrap_or_else(PoisonError::into_inner),
                    drained: self.drained.into_inner(),
                })
            }
            Err(error) => {
                remove(paths.iter().map(std::path::PathBuf::as_path));
                Err(error)
            }
        }
    }

    fn run_threads(
        &self,
        pool: &ThreadPool,
        progress: &(dyn Fn(Tally) + Sync),
    ) -> Result<(), Error> {
        let results = pool.broadcast(|_| self.work(progress));
        let errors = results.into_iter().filter_map(Result::err);
        // A file that one thread could not write is closed to the others: that is not what went wrong.
        let first = errors.min_by_key(|error| matches!(error, Error::Closed { .. }));
        first.map_or(Ok(()), Err)
    }

    /// One thread: takes blocks, parses them and encodes their rows into row groups of its own.
    fn work(&self, progress: &(dyn Fn(Tally) + Sync)) -> Result<(), Error> {
        let worked = (|| {
            let mut worker = Worker {
                batch: self,
                open: Vec::new(),
                encoder: Encoder::new()?,
                minutes: MinuteCounts::default(),
            };
            while !self.is_over() {
                let scratch = &mut worker.encoder.scratch;
                let Some(batch) = self.intake.next(scratch)? else {
                    self.drained.store(true, Ordering::Relaxed);
                    break;
                };
                let tally = worker.write(batch)?;
                self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
                let mut sum = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
                sum.add(tally);
                let so_far = sum.clone();
                drop(sum);
                progress(so_far);
            }
            worker.close()?;
            let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
            minutes.merge(worker.minutes);
            Ok(())
        })();
        if worked.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        worked
    }

    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
            || self.stop.load(Ordering::Relaxed)
            || self.bytes.load(Ordering::Relaxed) >= self.bytes_max
            || self.has_many_minutes.load(Ordering::Relaxed)
    }

    fn part(&self, day: Day) -> Result<Arc<Part>, Error> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.get(&day) {
            return Ok(Arc::clone(part));
        }
        let part = Part::create(
            self.destination,
            day,
            self.intake.arrow_schema(),
            writer_properties(),
        )?;
        let part = Arc::new(part);
        parts.insert(day, Arc::clone(&part));
        Ok(part)
    }
}

/// The row groups a thread has open, the latest used last, what it encodes them with, and what it has counted.
struct Worker<'b> {
    batch: &'b Batch<'b>,
    open: Vec<(Day, Arc<Part>, RowGroup)>,
    encoder: Encoder,
    minutes: MinuteCounts,
}

impl Worker<'_> {
    fn write(&mut self, batch: LineBatch) -> Result<Tally, Error> {
        self.minutes.add(&batch, &mut self.encoder.scratch);
        if self.minutes.len() >= self.batch.bounds.minute_rows {
            self.batch.has_many_minutes.store(true, Ordering::Relaxed);
        }
        let LineBatch { rows, twins, tally } = batch;
        for (day, rows) in by_day(rows)? {
            let (part, mut group) = self.take_open(day, twins)?;
            group.write(&part, &rows, &mut self.encoder)?;
            if group.is_full(self.batch.bounds.group_bytes) {
                part.append(group, &mut self.encoder)?;
            } else {
                self.open.push((day, part, group));
            }
            while self.open.len() > 1 && self.is_crowded() {
                let (_, part, group) = self.open.remove(0);
                part.append(group, &mut self.encoder)?;
            }
        }
        if self.encoder.scratch.memory_bytes() >= self.batch.bounds.dictionary_bytes {
            self.close()?;
            self.encoder.scratch.clear();
        }
        Ok(tally)
    }

    /// The open row group of a day that such rows fit into, or a new one.
    fn take_open(
        &mut self,
        day: Day,
        twins: Option<(usize, usize)>,
    ) -> Result<(Arc<Part>, RowGroup), Error> {
        if let Some(at) = self.open.iter().position(|(open, ..)| *open == day) {
            let (_, part, group) = self.open.remove(at);
            if group.takes(twins) {
                return Ok((part, group));
            }
            part.append(group, &mut self.encoder)?;
        }
        let part = self.batch.part(day)?;
        let group = part.row_group(twins)?;
        Ok((part, group))
    }

    fn is_crowded(&self) -> bool {
        let bytes: usize = self
            .open
            .iter()
            .map(|(.., group)| group.memory_bytes())
            .sum();
        self.open.len() > OPEN_DAYS_MAX || bytes > self.batch.bounds.group_bytes
    }

    fn close(&mut self) -> Result<(), Error> {
        for (_, part, group) in self.open.drain(..) {
            part.append(group, &mut self.encoder)?;
        }
        Ok(())
    }
}

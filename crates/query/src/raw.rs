//! Raw logs as the table `lines`: parsed as they are read, only the columns that a query needs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use floodmark_ingest::{
    Condition, Intake, LineBatch, LineSchema, LogSettings, NumberSet, Scratch, Tally, TextAs,
};
use floodmark_source::{BlockOptions, Feed, LastLine, LogFile, Reading, Snapshot, plan};
use floodmark_store::FilesScanned;

use crate::raw_condition::condition;
use crate::raw_span::within;

/// Logs to query where they lie.
#[derive(Debug, Clone)]
pub struct RawLogs {
    /// The files, each with how its lines are read.
    pub files: Vec<(LogFile, Arc<LogSettings>)>,
}

/// What live logs hold beyond a lake.
#[derive(Debug, Clone)]
pub struct Beyond {
    /// The lines.
    pub snapshot: Arc<Snapshot>,
    /// How the lines of each file are read.
    pub settings: HashMap<PathBuf, Arc<LogSettings>>,
}

/// About as many lines as a batch of the engine has rows: text points into its block, and a batch that is a small
/// part of a large block would count for all of it in sorts and joins.
const BLOCK_BYTES: usize = 1 << 20;

/// The table of raw lines.
#[derive(Debug)]
pub(crate) struct RawLines {
    bytes: Bytes,
    settings: HashMap<PathBuf, Arc<LogSettings>>,
    schema: LineSchema,
    arrow_schema: SchemaRef,
    seen: Arc<Mutex<Seen>>,
    /// Lines read by all passes.
    lines_read: Arc<AtomicU64>,
    /// Files of all passes, and those of them that hold lines of the times asked for.
    files_scanned: Arc<Mutex<FilesScanned>>,
}

/// What is read at each scan.
#[derive(Debug, Clone)]
enum Bytes {
    /// All of some files, as they are then.
    Files(Vec<LogFile>),
    Snapshot(Arc<Snapshot>),
}

impl Bytes {
    fn readings(&self) -> Vec<Reading> {
        match self {
            Self::Files(files) => plan(files.clone(), &[]),
            Self::Snapshot(snapshot) => snapshot.readings(),
        }
    }
}

/// What the first scan that read everything found, for the account of lines.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// What became of the lines.
    pub tally: Tally,
    /// Files that could not be read to their end, each with its reason.
    pub failures: Vec<(PathBuf, String)>,
    complete: bool,
}

impl RawLines {
    pub(crate) fn new(logs: &RawLogs) -> Self {
        let settings = logs.files.iter().map(|(_, settings)| settings);
        let schema = LineSchema::new(settings.flat_map(|settings| settings.variables()));
        let files = logs.files.iter().map(|(file, _)| file.clone());
        let settings = logs.files.iter();
        let settings = settings.map(|(file, settings)| (file.path.clone(), Arc::clone(settings)));
        Self::over(Bytes::Files(files.collect()), settings.collect(), schema)
    }

    pub(crate) fn beyond(beyond: &Beyond) -> Self {
        let settings = beyond.settings.values();
        let mut variables: Vec<&str> = settings.flat_map(|settings| settings.variables()).collect();
        // As a lake has them that they come to.
        variables.sort_unstable();
        let schema = LineSchema::new(variables);
        let snapshot = Arc::clone(&beyond.snapshot);
        Self::over(Bytes::Snapshot(snapshot), beyond.settings.clone(), schema)
    }

    fn over(
        bytes: Bytes,
        settings: HashMap<PathBuf, Arc<LogSettings>>,
        schema: LineSchema,
    ) -> Self {
        Self {
            bytes,
            arrow_schema: schema.arrow(),
            schema,
            settings,
            seen: Arc::default(),
            lines_read: Arc::default(),
            files_scanned: Arc::default(),
        }
    }

    /// Files of all passes until now, and how many were read or are being read.
    pub(crate) fn files_scanned(&self) -> FilesScanned {
        let files = self.files_scanned.lock();
        *files.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines read by all passes until now.
    pub(crate) fn lines_read(&self) -> u64 {
        self.lines_read.load(Ordering::Relaxed)
    }

    /// What there is to read, looked at anew.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        self.bytes.readings()
    }

    /// A pass over the logs, for columns of those rows that meet all conditions.
    pub(crate) fn pass(
        &self,
        schema: LineSchema,
        text_as: TextAs,
        conditions: Vec<Condition>,
    ) -> Pass {
        Pass {
            bytes: self.bytes.clone(),
            settings: self.settings.clone(),
            schema,
            text_as,
            conditions,
            intake: OnceLock::new(),
            seen: Arc::clone(&self.seen),
            lines_read: Arc::clone(&self.lines_read),
            files_scanned: Arc::clone(&self.files_scanned),
            so_far: Mutex::default(),
        }
    }

    /// Of some columns, those that the logs have.
    pub(crate) fn schema_of(&self, names: &[&str]) -> LineSchema {
        let columns = self.schema.columns().iter().enumerate();
        let wanted = columns.filter(|(_, column)| names.contains(&column.name.as_str()));
        let places: Vec<usize> = wanted.map(|(at, _)| at).collect();
        self.schema.project(&places)
    }

    /// The account of the first scan that read all logs; `None` if none has.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.complete.then(|| seen.clone())
    }
}

#[async_trait]
impl TableProvider for RawLines {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.arrow_schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// A line that does not meet them becomes no row.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match condition(filter, &self.schema) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(indices) => self.schema.project(indices),
            None => self.schema.clone(),
        };
        let arrow_schema = schema.arrow();
        let conditions = filters
            .iter()
            .filter_map(|filter| condition(filter, &self.schema));
        let pass = Arc::new(self.pass(schema, TextAs::Views, conditions.collect()));
        let partitions = (0..state.config().target_partitions())
            .map(|_| {
                let (pass, schema) = (Arc::clone(&pass), Arc::clone(&arrow_schema));
                Arc::new(RawPartition { pass, schema }) as Arc<dyn PartitionStream>
            })
            .collect();
        let exec = StreamingTableExec::try_new(arrow_schema, partitions, None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// One pass over the logs, shared by the partitions of a scan.
#[derive(Debug)]
pub(crate) struct Pass {
    bytes: Bytes,
    settings: HashMap<PathBuf, Arc<LogSettings>>,
    schema: LineSchema,
    text_as: TextAs,
    conditions: Vec<Condition>,
    intake: OnceLock<Intake>,
    seen: Arc<Mutex<Seen>>,
    lines_read: Arc<AtomicU64>,
    files_scanned: Arc<Mutex<FilesScanned>>,
    so_far: Mutex<SoFar>,
}

/// What a pass has met until now.
#[derive(Debug, Default, Clone)]
struct SoFar {
    tally: Tally,
    failures: Vec<(PathBuf, String)>,
}

impl Pass {
    /// Opened by the first partition that runs, so that a plan that is only explained opens nothing.
    fn intake(&self) -> &Intake {
        self.intake.get_or_init(|| {
            let options = BlockOptions {
                block_bytes: BLOCK_BYTES,
                last_line: LastLine::Take,
                ..BlockOptions::default()
            };
            let feed = Arc::new(Feed::new(self.readings(), options));
            let schema = self.schema.clone();
            Intake::of_lines(feed, &self.settings, schema, self.text_as, &self.conditions)
        })
    }

    /// What is to be read for the conditions.
    fn readings(&self) -> Vec<Reading> {
        let all = self.bytes.readings();
        let files = all.len();
        let times = self.conditions.iter().filter_map(Condition::times_us);
        let times: Vec<&NumberSet> = times.collect();
        let readings = match self.bytes {
            Bytes::Files(_) if !times.is_empty() => within(all, &self.settings, &times),
            _ => all,
        };
        let scanned = self.files_scanned.lock();
        let mut scanned = scanned.unwrap_or_else(PoisonError::into_inner);
        *scanned = scanned.and(FilesScanned {
            all: files,
            opened: readings.len(),
        });
        readings
    }

    /// The next block; what became of its lines is in the account.
    pub(crate) fn next(&self, scratch: &mut Scratch) -> Result<Option<LineBatch>> {
        let intake = self.intake();
        let external = |error| DataFusionError::External(Box::new(error));
        let Some(batch) = intake.next(scratch).map_err(external)? else {
            self.end(intake);
            return Ok(None);
        };
        self.lines_read
            .fetch_add(batch.tally.lines, Ordering::Relaxed);
        self.so_far
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tally
            .add(batch.tally.clone());
        Ok(Some(batch))
    }

    /// The last partition to get here has all of the tally.
    fn end(&self, intake: &Intake) {
        let failures = intake.feed().take_failures().into_iter();
        let failures = failures.map(|(path, error)| (path, error.to_string()));
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.failures.extend(failures);
        let SoFar { tally, failures } = so_far.clone();
        drop(so_far);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.complete || tally.lines > seen.tally.lines {
            *seen = Seen {
                tally,
                failures,
                complete: true,
            };
        }
    }
}

#[derive(Debug)]
struct RawPartition {
    pass: Arc<Pass>,
    schema: SchemaRef,
}

impl PartitionStream for RawPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let pass = Arc::clone(&self.pass);
        let batches = futures::stream::try_unfold(
            (pass, Scratch::default()),
            |(pass, mut scratch)| async move {
                // Parsing a block takes milliseconds; others get their turn between blocks.
                tokio::task::yield_now().await;
                let batch = pass.next(&mut scratch)?;
                Ok(batch.map(|batch| (batch.rows, (pass, scratch))))
            },
        );
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

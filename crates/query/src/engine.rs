//! One DataFusion session over a lake or over raw logs.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::prelude::{Expr, SQLOptions, SessionConfig, SessionContext, col, lit};
use floodmark_source::SourceId;
use floodmark_store::{FilesScanned, Lake, LakeTable, MinutesTable};
use futures::TryStreamExt;

use crate::Error;
use crate::beyond::{all_lines, all_minutes, all_sources};
use crate::facts::Facts;
use crate::functions;
use crate::named::{Settings, named_query};
use crate::raw::{Beyond, RawLines, RawLogs, Seen};
use crate::raw_minutes::RawMinutes;
use crate::tables;

/// How queries run.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Threads; default 1.
    pub threads: usize,
    /// Memory for sorts, joins and groups, in bytes, before they spill to disk; default 1 GiB.
    pub memory_bytes: usize,
    /// A query that runs longer is ended; default none.
    pub timeout: Option<Duration>,
    /// Whether a call of `visitors()` or `judged_minutes()` is worked out once and its rows are kept, as far as memory allows: for a
    /// report, which asks for the same a dozen times. Default no: one query alone is planned as a whole.
    pub remembers_tables: bool,
    /// What is known beyond the logs; default nothing.
    pub facts: Arc<Facts>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            memory_bytes: 1 << 30,
            timeout: None,
            remembers_tables: false,
            facts: Arc::default(),
        }
    }
}

/// A longer statement is not read: planning time grows with it, and no question is that long.
const STATEMENT_BYTES_MAX: usize = 64 << 10;

/// Rows for a request: what a person asks about. The bookkeeping of lines is left out.
const NOT_OF_REQUESTS: &[&str] = &["kind", "reason", "raw", "time_inferred", "until", "date"];

/// The lines of a view of `lines`, by kind.
const REJECT_COLUMNS: &[&str] = &[
    "time",
    "time_inferred",
    "source",
    "line_offset",
    "line_bytes",
    "blank_before",
    "reason",
    "raw",
];
const GAP_COLUMNS: &[&str] = &[
    "time",
    "until",
    "source",
    "line_offset",
    "line_bytes",
    "reason",
];

/// Tables `requests`, `rejects`, `gaps`, `minutes` and `sources`, and what SQL may do with them.
pub struct Engine {
    context: SessionContext,
    lines: Lines,
    timeout: Option<Duration>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine {{ {:?} }}", self.lines)
    }
}

#[derive(Debug)]
enum Lines {
    Lake(Arc<LakeTable>, Arc<MinutesTable>),
    LakeAnd(Arc<LakeTable>, Arc<MinutesTable>, Arc<RawLines>),
    Raw(Arc<RawLines>),
}

/// The rows of an answer, and the statement that gave them.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
    /// The SQL, parameters filled in.
    pub sql: String,
}

impl Answer {
    /// Rows of all batches.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// An answer whose rows are still coming.
pub struct Running {
    /// Its columns.
    pub schema: SchemaRef,
    stream: SendableRecordBatchStream,
    plan: Arc<dyn ExecutionPlan>,
    until: Option<tokio::time::Instant>,
    timeout: Option<Duration>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Running {{ {} }}",
            displayable(self.plan.as_ref()).one_line()
        )
    }
}

impl Running {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    ///
    /// The query failed, or ran longer than it may.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let next = self.stream.try_next();
        match self.until {
            Some(until) => match tokio::time::timeout_at(until, next).await {
                Ok(batch) => Ok(batch?),
                Err(_) => Err(Error::TimedOut {
                    after: self.timeout.unwrap_or_default(),
                }),
            },
            None => Ok(next.await?),
        }
    }

    /// Bytes of Parquet read so far.
    #[must_use]
    pub fn bytes_scanned(&self) -> usize {
        bytes_scanned(self.plan.as_ref())
    }
}

fn bytes_scanned(plan: &dyn ExecutionPlan) -> usize {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.sum_by_name("bytes_scanned"))
        .map_or(0, |value| value.as_usize());
    own + plan
        .children()
        .iter()
        .map(|child| bytes_scanned(child.as_ref()))
        .sum::<usize>()
}

impl Engine {
    /// A session over a lake at its present version.
    ///
    /// # Errors
    ///
    /// The lake's state cannot be read.
    pub async fn over_lake(lake: &Lake, options: &EngineOptions) -> Result<Self, Error> {
        let table = Arc::new(lake.lines().await?);
        let minutes = Arc::new(lake.minutes().await?);
        let known = lake.known_sources()?.into_iter();
        let sources = source_rows(lake, known.map(|known| (known.id, known.offset)))?;
        let context = context(options)?;
        context.register_table("lines", Arc::clone(&table) as _)?;
        context.register_table("minutes", Arc::clone(&minutes) as _)?;
        Self::with_views(context, Lines::Lake(table, minutes), options, &sources).await
    }

    /// A session over a lake at its present version and what live logs hold beyond that version.
    ///
    /// # Errors
    ///
    /// The lake's state cannot be read.
    pub async fn over_lake_and(
        lake: &Lake,
        beyond: &Beyond,
        options: &EngineOptions,
    ) -> Result<Self, Error> {
        let table = Arc::new(lake.lines().await?);
        let minutes = Arc::new(lake.minutes().await?);
        let raw = Arc::new(RawLines::beyond(beyond));
        let sources = all_sources(lake.known_sources()?, &beyond.snapshot);
        let sources = source_rows(lake, sources)?;
        let context = context(options)?;
        let lines = all_lines(&context, Arc::clone(&table) as _, Arc::clone(&raw) as _)?;
        context.register_table("lines", lines)?;
        let counted = Arc::new(RawMinutes::new(Arc::clone(&raw)));
        let all = all_minutes(&context, Arc::clone(&minutes) as _, counted)?;
        context.register_table("minutes", all)?;
        let lines = Lines::LakeAnd(table, minutes, raw);
        Self::with_views(context, lines, options, &sources).await
    }

    /// A session over raw logs, without a lake.
    ///
    /// # Errors
    ///
    /// The logs cannot be opened.
    pub async fn over_logs(logs: &RawLogs, options: &EngineOptions) -> Result<Self, Error> {
        let table = Arc::new(RawLines::new(logs));
        let sources: Vec<SourceRow> = table
            .readings()
            .into_iter()
            .filter_map(|reading| reading.segment)
            .map(|segment| SourceRow {
                source: segment.source.to_string(),
                line_offset: 0,
                seen_us: None,
            })
            .collect();
        let context = context(options)?;
        context.register_table("lines", Arc::clone(&table) as _)?;
        let minutes = RawMinutes::new(Arc::clone(&table));
        context.register_table("minutes", Arc::new(minutes))?;
        Self::with_views(context, Lines::Raw(table), options, &sources).await
    }

    async fn with_views(
        context: SessionContext,
        lines: Lines,
        options: &EngineOptions,
        sources: &[SourceRow],
    ) -> Result<Self, Error> {
        functions::register(&context, &options.facts);
        let table = context.table("lines").await?;
        let of_kind = |kind: &str| table.clone().filter(col("kind").eq(lit(kind)));
        // Raw logs hold no gaps, so that nobody has to read them to find none.
        let gaps = match &lines {
            Lines::LakeAnd(lake, ..) => {
                let lake = context.read_table(Arc::clone(lake) as _)?;
                lake.filter(col("kind").eq(lit("gap")))?
            }
            Lines::Lake(..) | Lines::Raw(_) => of_kind("gap")?,
        };
        let names = |wanted: &[&str]| wanted.iter().map(|name| col(*name)).collect::<Vec<Expr>>();
        let columns: Vec<Expr> = table
            .schema()
            .fields()
            .iter()
            .filter(|field| !NOT_OF_REQUESTS.contains(&field.name().as_str()))
            .map(|field| col(field.name()))
            .collect();
        let views = [
            ("requests", of_kind("request")?.select(columns)?),
            ("rejects", of_kind("reject")?.select(names(REJECT_COLUMNS))?),
            ("gaps", gaps.select(names(GAP_COLUMNS))?),
        ];
        for (name, view) in views {
            let schema = Arc::clone(view.schema().inner());
            let table: Arc<dyn TableProvider> = match &lines {
                Lines::Raw(_) if name == "gaps" => Arc::new(EmptyTable::new(schema)),
                _ => view.into_view(),
            };
            context.register_table(name, table)?;
        }
        context.register_table("sources", Arc::new(sources_table(sources)?))?;
        tables::register(&context, options.remembers_tables).await?;
        Ok(Self {
            context,
            lines,
            timeout: options.timeout,
        })
    }

    /// Starts a statement. Only questions are asked: nothing that defines, changes, copies or sets is run.
    ///
    /// # Errors
    ///
    /// The statement cannot be read, names what is not there, or is not a question.
    pub async fn start(&self, statement: &str) -> Result<Running, Error> {
        if statement.len() > STATEMENT_BYTES_MAX {
            return Err(Error::TooLong {
                bytes: statement.len(),
                bytes_max: STATEMENT_BYTES_MAX,
            });
        }
        if let Some(word) = refused(statement) {
            return Err(Error::NotAQuestion {
                found: word.to_owned(),
            });
        }
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let planned = self.context.sql_with_options(statement, read_only).await;
        let frame = planned.map_err(|error| self.explained(error))?;
        let schema = Arc::clone(frame.schema().inner());
        let plan = frame
            .create_physical_plan()
            .await
            .map_err(|error| self.explained(error))?;
        let stream = execute_stream(Arc::clone(&plan), self.context.task_ctx())?;
        let until = self
            .timeout
            .map(|timeout| tokio::time::Instant::now() + timeout);
        Ok(Running {
            schema,
            stream,
            plan,
            until,
            timeout: self.timeout,
        })
    }

    /// Runs a statement to its end.
    ///
    /// # Errors
    ///
    /// As [`Engine::start`], or the query failed.
    pub async fn sql(&self, statement: &str) -> Result<Answer, Error> {
        let mut running = self.start(statement).await?;
        let mut batches = Vec::new();
        while let Some(batch) = running.next().await? {
            batches.push(batch);
        }
        Ok(Answer {
            schema: running.schema,
            batches,
            sql: statement.to_owned(),
        })
    }

    /// Runs a named query.
    ///
    /// # Errors
    ///
    /// There is no such query or parameter, or it failed.
    pub async fn query(&self, name: &str, settings: &Settings) -> Result<Answer, Error> {
        let statement = named_query(name)?.statement(settings)?;
        self.sql(&statement).await.map_err(|error| Error::InQuery {
            query: name.to_owned(),
            source: Box::new(error),
        })
    }

    /// Times of the first and the last request, microseconds since the epoch; `None` without requests.
    ///
    /// # Errors
    ///
    /// The query failed.
    pub async fn time_range(&self) -> Result<Option<(i64, i64)>, Error> {
        let answer = self
            .sql("SELECT min(time), max(time) FROM requests")
            .await?;
        let Some(batch) = answer.batches.first().filter(|batch| batch.num_rows() == 1) else {
            return Ok(None);
        };
        let end = |column: usize| -> Result<Option<i64>, Error> {
            let micros = cast(
                batch.column(column),
                &DataType::Timestamp(TimeUnit::Microsecond, None),
            )?;
            let micros = cast(&micros, &DataType::Int64)?;
            let micros = micros.as_primitive::<Int64Type>();
            Ok(micros.is_valid(0).then(|| micros.value(0)))
        };
        Ok(end(0)?.zip(end(1)?))
    }

    /// What became of the lines of raw logs, also of those beyond a lake, once a query has read all of them; `None` over a lake alone.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        match &self.lines {
            Lines::Raw(table) | Lines::LakeAnd(.., table) => table.seen(),
            Lines::Lake(..) => None,
        }
    }

    /// Files of the lake looked at by the queries so far; `None` over raw logs.
    #[must_use]
    pub fn files_scanned(&self) -> Option<FilesScanned> {
        match &self.lines {
            Lines::Lake(lines, minutes) | Lines::LakeAnd(lines, minutes, _) => {
                Some(lines.files_scanned().and(minutes.files_scanned()))
            }
            Lines::Raw(_) => None,
        }
    }

    /// The session, for tests and tools that know DataFusion.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    fn explained(&self, error: datafusion::error::DataFusionError) -> Error {
        let tables = ["requests", "rejects", "gaps", "minutes", "sources", "lines"];
        Error::of_statement(error, &tables)
    }
}

fn context(options: &EngineOptions) -> Result<SessionContext, Error> {
    // Not the fair pool: it gives each of a plan's sorts an equal part, and a named query has ten in a row that rest in turn.
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default())
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_information_schema(true);
    config.options_mut().execution.parquet.pushdown_filters = true;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The first word of a statement that is plainly no question, so that it is refused by name, and before what else is
/// wrong with it. What begins otherwise is refused by its plan.
fn refused(statement: &str) -> Option<&str> {
    const REFUSED: &[&str] = &[
        "ALTER", "ANALYZE", "BEGIN", "COMMIT", "COPY", "CREATE", "DELETE", "DROP", "INSERT",
        "MERGE", "RESET", "SET", "START", "TRUNCATE", "UPDATE", "USE",
    ];
    let word = statement
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()?;
    REFUSED
        .iter()
        .any(|refused| refused.eq_ignore_ascii_case(word))
        .then_some(word)
}

/// A row of the table `sources`.
struct SourceRow {
    source: String,
    /// Up to where it is read.
    line_offset: u64,
    /// Until when its log was looked at, microseconds since the epoch; `None` if nobody follows it.
    seen_us: Option<i64>,
}

/// Sources of a lake, each with where it ends.
fn source_rows(
    lake: &Lake,
    sources: impl IntoIterator<Item = (SourceId, u64)>,
) -> Result<Vec<SourceRow>, Error> {
    let looks = lake.looks()?;
    let sources = sources.into_iter();
    let rows = sources.map(|(source, line_offset)| SourceRow {
        seen_us: looks.seen.get(source.log_set()).copied(),
        source: source.to_string(),
        line_offset,
    });
    Ok(rows.collect())
}

fn sources_table(sources: &[SourceRow]) -> Result<MemTable, Error> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, false),
        Field::new("line_offset", DataType::Int64, false),
        Field::new("seen", time, true),
    ]));
    let names = sources.iter().map(|row| &row.source);
    let offsets = sources.iter().map(|row| row.line_offset);
    let offsets = offsets.map(|offset| i64::try_from(offset).unwrap_or(i64::MAX));
    let seen: TimestampMicrosecondArray = sources.iter().map(|row| row.seen_us).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(names)),
        Arc::new(Int64Array::from_iter_values(offsets)),
        Arc::new(seen.with_timezone("UTC")),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(MemTable::try_new(schema, vec![vec![batch]])?)
}

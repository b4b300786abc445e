//! One DataFusion session over a lake or over raw logs.

use std::sync::{Arc, OnceLock};
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

use crate::beyond::{all_lines, all_minutes, all_sources};
use crate::distinct::DistinctTexts;
use crate::facts::Facts;
use crate::from_minutes::{FromMinutes, minutes_with_lines};
use crate::header::NamedQuery;
use crate::interruptible::Interruptible;
use crate::named::{Settings, named_query};
use crate::once_per_text::OncePerText;
use crate::raw::{Beyond, RawLines, RawLogs, Seen};
use crate::raw_minutes::RawMinutes;
use crate::remembered::bytes_scanned;
use crate::restartable::Restartable;
use crate::{Error, bounds, functions, tables};

/// How queries run.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Threads; default 1.
    pub threads: usize,
    /// Memory for sorts, joins and groups, in bytes, before they spill to disk; default 1 GiB.
    pub memory_bytes: usize,
    /// A query that runs longer is ended; default none.
    pub timeout: Option<Duration>,
    /// What is known beyond the logs; default nothing.
    pub facts: Arc<Facts>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            memory_bytes: 1 << 30,
            timeout: None,
            facts: Arc::default(),
        }
    }
}

/// What SQL may ask.
const TABLES: &[&str] = &["requests", "rejects", "gaps", "minutes", "sources", "lines"];

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
    /// Microseconds since the epoch, once somebody looked.
    first_request_us: Arc<OnceLock<i64>>,
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
    deadline: Deadline,
}

/// When a statement is ended.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    timeout: Option<Duration>,
    until: Option<tokio::time::Instant>,
}

impl Deadline {
    fn after(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            until: timeout.map(|timeout| tokio::time::Instant::now() + timeout),
        }
    }

    async fn before<T>(self, work: impl Future<Output = T>) -> Result<T, Error> {
        let Some(until) = self.until else {
            return Ok(work.await);
        };
        let done = tokio::time::timeout_at(until, work).await;
        done.map_err(|_| Error::TimedOut {
            after: self.timeout.unwrap_or_default(),
        })
    }
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
        let next = self.deadline.before(self.stream.try_next()).await?;
        next.map_err(Error::of_run)
    }

    /// Bytes of Parquet read so far.
    #[must_use]
    pub fn bytes_scanned(&self) -> usize {
        bytes_scanned(self.plan.as_ref())
    }
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
        if let Some(rule) = from_minutes(&context, &lines).await? {
            context.add_analyzer_rule(Arc::new(rule));
        }
        let first_request_us = Arc::default();
        tables::register(&context, &first_request_us).await?;
        Ok(Self {
            context,
            lines,
            timeout: options.timeout,
            first_request_us,
        })
    }

    /// Starts a statement. Only questions are asked: nothing that defines, changes, copies or sets is run.
    ///
    /// # Errors
    ///
    /// The statement cannot be read, names what is not there, or is not a question.
    pub async fn start(&self, statement: &str) -> Result<Running, Error> {
        bounds::check(statement)?;
        if let Some(word) = refused(statement) {
            return Err(Error::NotAQuestion {
                found: word.to_owned(),
            });
        }
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let deadline = Deadline::after(self.timeout);
        // A task of its own: a plan gives way to nothing until it is made, and whoever waits for it may have waited long enough.
        let (context, text) = (self.context.clone(), statement.to_owned());
        let planning = tokio::spawn(async move {
            let frame = context.sql_with_options(&text, read_only).await?;
            let schema = Arc::clone(frame.schema().inner());
            Ok((schema, frame.create_physical_plan().await?))
        });
        let planned = deadline.before(planning).await?;
        let planned = planned.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (schema, plan) = planned.map_err(|error| self.explained(error, statement))?;
        let stream = execute_stream(Arc::clone(&plan), self.context.task_ctx())?;
        Ok(Running {
            schema,
            stream,
            plan,
            deadline,
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

    /// Runs a named query that ships with Floodmark.
    ///
    /// # Errors
    ///
    /// There is no such query or parameter, or it failed.
    pub async fn query(&self, name: &str, settings: &Settings) -> Result<Answer, Error> {
        self.ask(named_query(name)?, settings).await
    }

    /// Runs a named query, which may be one's own.
    ///
    /// # Errors
    ///
    /// As [`Engine::statement`], or it failed.
    pub async fn ask(&self, query: &NamedQuery, settings: &Settings) -> Result<Answer, Error> {
        let statement = self.statement(query, settings).await?;
        self.sql(&statement).await.map_err(|error| Error::InQuery {
            query: query.name.clone(),
            source: Box::new(error),
        })
    }

    /// The SQL of a named query, if it can be asked here.
    ///
    /// # Errors
    ///
    /// No log has a variable that it needs, or there is no such parameter.
    pub async fn statement(
        &self,
        query: &NamedQuery,
        settings: &Settings,
    ) -> Result<String, Error> {
        let requests = self.context.table("requests").await?;
        let is_lacking = |variable: &&String| {
            let schema = requests.schema();
            !schema.has_column_with_unqualified_name(variable.as_str())
        };
        if let Some(variable) = query.needs.iter().find(is_lacking) {
            return Err(Error::NotLogged {
                query: query.name.clone(),
                variable: variable.clone(),
            });
        }
        query.statement(settings)
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
        let range = end(0)?.zip(end(1)?);
        if let Some((first, _)) = range {
            self.first_request_us.get_or_init(|| first);
        }
        Ok(range)
    }

    /// What became of the lines of raw logs, also of those beyond a lake, once a query has read all of them; `None` over a lake alone.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        match &self.lines {
            Lines::Raw(table) | Lines::LakeAnd(.., table) => table.seen(),
            Lines::Lake(..) => None,
        }
    }

    /// Files of the lake, or raw logs, that the queries so far were about; opened are those that times do not rule out.
    #[must_use]
    pub fn files_scanned(&self) -> FilesScanned {
        match &self.lines {
            Lines::Lake(lines, minutes) | Lines::LakeAnd(lines, minutes, _) => {
                lines.files_scanned().and(minutes.files_scanned())
            }
            Lines::Raw(lines) => lines.files_scanned(),
        }
    }

    /// Lines of raw logs read so far by all statements; 0 over a lake alone.
    #[must_use]
    pub fn lines_read(&self) -> u64 {
        match &self.lines {
            Lines::Raw(table) | Lines::LakeAnd(.., table) => table.lines_read(),
            Lines::Lake(..) => 0,
        }
    }

    /// What a statement may name.
    ///
    /// # Errors
    ///
    /// The columns of a table cannot be worked out: a bug of ours.
    pub async fn vocabulary(&self) -> Result<Vocabulary, Error> {
        let mut tables = Vec::new();
        for name in TABLES {
            let table = self.context.table_provider(*name).await?;
            let columns = table.schema();
            let columns = columns.fields().iter();
            let columns = columns.map(|field| (field.name().clone(), type_name(field.data_type())));
            tables.push(((*name).to_owned(), columns.collect()));
        }
        let state = self.context.state();
        let names = state.scalar_functions().keys();
        let names = names.chain(state.aggregate_functions().keys());
        let names = names.chain(state.window_functions().keys());
        let mut functions: Vec<String> = names.cloned().collect();
        functions.sort_unstable();
        functions.dedup();
        Ok(Vocabulary { tables, functions })
    }

    /// The session, for tests and tools that know DataFusion.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    fn explained(&self, error: datafusion::error::DataFusionError, statement: &str) -> Error {
        Error::of_statement(error, statement, TABLES)
    }
}

/// What a statement may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Each table with its columns and their types, as SQL calls them.
    pub tables: Vec<(String, Vec<(String, String)>)>,
    /// Functions, those of SQL included, in alphabetical order.
    pub functions: Vec<String>,
}

/// What SQL calls a type; that it is a dictionary or a view is nobody's business.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Binary | DataType::BinaryView => "bytes".to_owned(),
        other => other.to_string().to_ascii_lowercase(),
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
        // The larger side of a join is not sorted out by its texts first; the smaller one is held once either way.
        .with_repartition_joins(false)
        .with_information_schema(true);
    config.options_mut().execution.parquet.pushdown_filters = true;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_analyzer_rule(Arc::new(DistinctTexts::new()))
        .with_analyzer_rule(Arc::new(OncePerText))
        .with_physical_optimizer_rule(Arc::new(Restartable))
        .with_physical_optimizer_rule(Arc::new(Interruptible))
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The rule that puts minutes in place of requests, where there are minutes that are counted.
async fn from_minutes(
    context: &SessionContext,
    lines: &Lines,
) -> Result<Option<FromMinutes>, Error> {
    let (Lines::Lake(table, minutes) | Lines::LakeAnd(table, minutes, _)) = lines else {
        return Ok(None);
    };
    let Some(told) = minutes.told_of(table) else {
        return Ok(None);
    };
    let mut rows = minutes_with_lines(Arc::clone(minutes) as _, told.from_us)?;
    let mut all_have_class = told.all_have_class;
    if let Lines::LakeAnd(_, _, raw) = lines {
        let counted = Arc::new(RawMinutes::new(Arc::clone(raw)));
        rows = rows.union(minutes_with_lines(counted, None)?.build()?)?;
        all_have_class = false;
    }
    let state = context.state();
    let requests = context.table("requests").await?.into_unoptimized_plan();
    let requests =
        state
            .analyzer()
            .execute_and_check(requests, state.config_options(), |_, _| {})?;
    let minutes = rows.alias("minutes")?.build()?;
    Ok(Some(FromMinutes::new(requests, minutes, all_have_class)))
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

//! A table of a lake at one version, as DataFusion reads it.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, BooleanArray, Date32Array, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, DataFusionError, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use crate::Error;
use crate::day::Day;
use crate::delta_log::DeltaLog;
use crate::location::FileStore;
use crate::part::Summary;
use crate::plain_footer::PlainFooters;
use crate::window::Window;

/// Files of a query, counted over all its scans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilesScanned {
    /// Files of the table.
    pub all: usize,
    /// Files opened, or rather not ruled out by their day and times.
    pub opened: usize,
}

impl FilesScanned {
    /// These files and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            opened: self.opened + other.opened,
        }
    }
}

/// A table: its files from the Delta log, never from a folder.
#[derive(Debug)]
pub struct LakeTable {
    schema: SchemaRef,
    file_schema: SchemaRef,
    /// The column that it is partitioned by, a date; the last of the schema.
    partition: &'static str,
    /// The column whose least and greatest values the Delta log has for each file.
    time: &'static str,
    store: FileStore,
    pub(crate) files: Vec<LakeFile>,
    scanned: Mutex<FilesScanned>,
}

#[derive(Debug)]
pub(crate) struct LakeFile {
    /// In the store.
    path: String,
    /// In the table.
    pub(crate) relative: String,
    pub(crate) bytes: u64,
    /// The value of the partition column.
    pub(crate) day: Day,
    rows: usize,
    time_nulls: usize,
    pub(crate) time_range_us: Option<(i64, i64)>,
    status_none_max: Option<i64>,
}

impl LakeTable {
    pub(crate) async fn at(
        log: &DeltaLog,
        file_schema: SchemaRef,
        (partition, time): (&'static str, &'static str),
        store: FileStore,
    ) -> Result<Self, Error> {
        let day = Arc::new(Field::new(partition, DataType::Date32, true));
        let fields: Vec<_> = file_schema.fields().iter().cloned().chain([day]).collect();
        let files = log.files().await?;
        let files = files
            .iter()
            .map(|file| {
                let summary = file
                    .stats()
                    .map(|stats| Summary::from_delta(&stats, time))
                    .unwrap_or_default();
                let day = file.partition_values_map().remove(partition).flatten();
                LakeFile {
                    path: format!("{}/{}", store.prefix, file.path()),
                    relative: file.path().into_owned(),
                    bytes: u64::try_from(file.size()).unwrap_or_default(),
                    day: Day::of_partition(day.as_deref()),
                    rows: summary.rows,
                    time_nulls: summary.time_nulls,
                    time_range_us: summary.time_range_us,
                    status_none_max: summary.status_none_max,
                }
            })
            .collect();
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            file_schema,
            partition,
            time,
            store,
            files,
            scanned: Mutex::default(),
        })
    }

    /// Files counted over all scans so far.
    #[must_use]
    pub fn files_scanned(&self) -> FilesScanned {
        *self.scanned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Earliest and latest time of any row, microseconds since the epoch, widened to whole milliseconds.
    #[must_use]
    pub fn time_range_us(&self) -> Option<(i64, i64)> {
        self.files
            .iter()
            .filter_map(|file| file.time_range_us)
            .reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))
    }

    /// Of minutes: whether the Delta log says of each file that every request in it has a status class.
    pub(crate) fn all_have_class(&self) -> bool {
        let mut files = self.files.iter();
        files.all(|file| file.status_none_max == Some(0))
    }

    /// Which files can hold rows that pass the filters.
    fn keep(&self, state: &dyn Session, filters: &[Expr]) -> datafusion::error::Result<Vec<bool>> {
        let Some(filter) = conjunction(filters.to_vec()) else {
            return Ok(vec![true; self.files.len()]);
        };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = state.create_physical_expr(filter, &schema)?;
        PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.schema))
            .try_build(filter)?
            .prune(self)
    }
}

impl LakeTable {
    /// Which files have no row outside of a window.
    fn are_inside(
        &self,
        state: &dyn Session,
        window: &Window,
    ) -> datafusion::error::Result<Vec<bool>> {
        let Some(outside) = window.outside() else {
            return Ok(vec![true; self.files.len()]);
        };
        let has_outside = self.keep(state, &[outside])?.into_iter();
        let files = self.files.iter().zip(has_outside);
        Ok(files
            .map(|(file, has_outside)| !has_outside && file.time_nulls == 0)
            .collect())
    }
}

impl LakeFile {
    /// Makes sure that a file on the local disk is as long as the log says: a cut one is named before it is read.
    fn check_length(&self) -> datafusion::error::Result<()> {
        // One that is gone is told by the reader.
        let found = fs::metadata(&self.path).map_or(self.bytes, |found| found.len());
        if found == self.bytes {
            return Ok(());
        }
        Err(DataFusionError::External(Box::new(Error::DamagedFile {
            path: self.path.clone(),
            expected: self.bytes,
            found,
        })))
    }
}

impl PruningStatistics for LakeTable {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(first, _)| first)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(_, last)| last)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(
            self.files.iter().map(|file| file.rows as u64),
        )))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

impl LakeTable {
    fn bounds(&self, column: &Column, end: impl Fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        match column.name.as_str() {
            name if name == self.time => {
                let times = self.files.iter().map(|file| file.time_range_us.map(&end));
                Some(Arc::new(
                    times
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                ))
            }
            name if name == self.partition => Some(Arc::new(
                self.files
                    .iter()
                    .map(|file| file.day.0)
                    .collect::<Date32Array>(),
            )),
            _ => None,
        }
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(Window::support(self.time, filters))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let keep = self.keep(state, filters)?;
        {
            let mut scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
            scanned.all += self.files.len();
            scanned.opened += keep.iter().filter(|keep| **keep).count();
        }
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let window = Window::of(self.time, filters);
        let is_inside = self.are_inside(state, &window)?;
        let files = self.files.iter().zip(is_inside).zip(&keep);
        let files = files.filter_map(|(file, keep)| keep.then_some(file));
        let (inside, others): (Vec<_>, Vec<_>) = files.partition(|(_, is_inside)| *is_inside);
        let plan = |files: &[(&LakeFile, bool)], columns, limit| {
            let files = files.iter().map(|(file, _)| *file);
            self.plan(state, files, None, Some(columns), limit)
        };
        // A scan of no files has no partition, and what sorts its rows asks for one.
        if others.is_empty() && inside.is_empty() {
            let schema = Arc::new(self.schema.project(projection)?);
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        if others.is_empty() {
            return plan(&inside, projection.clone(), limit);
        }
        let time = self.schema.index_of(self.time)?;
        let cut = window.cut(state, projection, time, |columns| {
            plan(&others, columns, None)
        })?;
        match inside.is_empty() {
            true => Ok(cut),
            false => UnionExec::try_new(vec![plan(&inside, projection.clone(), limit)?, cut]),
        }
    }
}

impl LakeTable {
    /// Reads some of the files; row groups are left out in which the predicate holds for no row.
    pub(crate) fn plan<'f>(
        &'f self,
        state: &dyn Session,
        files: impl Iterator<Item = &'f LakeFile>,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let files: Vec<&LakeFile> = files.collect();
        if self.store.url == ObjectStoreUrl::local_filesystem() {
            files.iter().try_for_each(|file| file.check_length())?;
        }
        let files: Vec<PartitionedFile> = files
            .into_iter()
            .map(|file| {
                let mut partitioned = PartitionedFile::new(file.path.clone(), file.bytes);
                partitioned.partition_values = vec![ScalarValue::Date32(file.day.0)];
                partitioned
            })
            .collect();
        let day = Arc::new(Field::new(self.partition, DataType::Date32, true));
        let table_schema = TableSchema::builder(Arc::clone(&self.file_schema))
            .with_table_partition_cols(vec![day])
            .build();
        let options = state.table_options().parquet.clone();
        let runtime = state.runtime_env();
        let client = &self.store.client;
        runtime.register_object_store(self.store.url.as_ref(), Arc::clone(client));
        // A report asks a dozen questions of the same files: their footers are read once.
        let reader = CachedParquetFileReaderFactory::new(
            Arc::clone(client),
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let mut source = ParquetSource::new(table_schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(PlainFooters(reader)));
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let partitions = state.config().target_partitions();
        let config = FileScanConfigBuilder::new(self.store.url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(partitions))
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// A condition on rows of the table, as [`LakeTable::plan`] takes it.
    pub(crate) fn predicate(
        &self,
        state: &dyn Session,
        condition: Expr,
    ) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        state.create_physical_expr(condition, &schema)
    }

    /// The places of columns, those that the table has.
    pub(crate) fn places<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<usize> {
        names
            .filter_map(|name| self.schema.index_of(name).ok())
            .collect()
    }
}

//! The transaction log of one Delta table, at one version.
//!
//! deltalake's own `DeltaTable` reads the statistics of all files when it is opened and twice more at each commit: of
//! ten thousand files that is a quarter of a second for a writer who adds a few lines. So the log is read by the kernel
//! below it: the last checkpoint and the commits after it, and of those only what is asked for.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use buoyant_kernel::actions::LOG_TXN_SCHEMA;
use buoyant_kernel::committer::FileSystemCommitter;
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use buoyant_kernel::schema::SchemaRef;
use buoyant_kernel::{Engine, Snapshot};
use deltalake::kernel::transaction::CommitData;
use deltalake::kernel::{LogicalFileView, Snapshot as LazySnapshot, StructField};
use deltalake::logstore::{CommitOrBytes, LogStoreRef};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::ObjectStore;

use crate::Error;
use crate::commit::commit_error;
use crate::positions::transactions_in;

/// Commits from one checkpoint to the next, where the table does not say: each writer reads those after the last one.
const CHECKPOINT_INTERVAL: u64 = 10;

/// The log of a table.
#[derive(Debug)]
pub(crate) struct DeltaLog {
    /// Where it is; never loaded.
    table: DeltaTable,
    version: u64,
    /// Of this version, or of one that only commits made here came after: they change neither columns nor properties.
    snapshot: Arc<Snapshot>,
    /// The application transactions at this version, once they were asked for.
    transactions: OnceLock<HashMap<String, i64>>,
    /// Whether a commit made here ended in a checkpoint.
    has_made_checkpoint: bool,
}

impl DeltaLog {
    /// The newest version of a table that is not loaded; `None` if it has none.
    pub(crate) fn open(table: DeltaTable) -> Result<Option<Self>, DeltaTableError> {
        let log_store = table.log_store();
        let engine = log_store.engine(None);
        let built = Snapshot::builder_for(log_store.root_url().as_str()).build(engine.as_ref());
        match built {
            Ok(snapshot) => Ok(Some(Self {
                table,
                version: snapshot.version(),
                snapshot,
                transactions: OnceLock::new(),
                has_made_checkpoint: false,
            })),
            // The kernel has no other word for it, and deltalake tells it so too.
            Err(error) if error.to_string().contains("No files in log segment") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether a commit made here ended in a checkpoint. It is one in ten, and whoever made it looks after the files too.
    pub(crate) fn has_made_checkpoint(&self) -> bool {
        self.has_made_checkpoint
    }

    /// The names of the table's columns, the partition column among them.
    pub(crate) fn columns(&self) -> Vec<String> {
        let schema = self.snapshot.schema();
        schema.fields().map(|field| field.name().clone()).collect()
    }

    /// Goes on to the newest version.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        let newest = Snapshot::builder_from(Arc::clone(&self.snapshot));
        self.snapshot = newest.build(self.engine().as_ref())?;
        self.version = self.snapshot.version();
        self.transactions = OnceLock::new();
        Ok(())
    }

    /// The kernel's view of this version.
    fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        if self.snapshot.version() == self.version {
            return Ok(Arc::clone(&self.snapshot));
        }
        let builder = Snapshot::builder_from(Arc::clone(&self.snapshot)).at_version(self.version);
        Ok(builder.build(self.engine().as_ref())?)
    }

    /// The newest number of each application transaction.
    pub(crate) fn transactions(&self) -> Result<&HashMap<String, i64>, Error> {
        if let Some(transactions) = self.transactions.get() {
            return Ok(transactions);
        }
        let mut transactions = HashMap::new();
        self.for_each_batch(&LOG_TXN_SCHEMA, |batch| {
            for (app_id, version) in transactions_in(batch) {
                transactions.entry(app_id).or_insert(version);
            }
        })?;
        Ok(self.transactions.get_or_init(|| transactions))
    }

    /// Shows the actions up to this version that `schema` asks for; those of newer commits come first.
    pub(crate) fn for_each_batch(
        &self,
        schema: &SchemaRef,
        mut show: impl FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let engine = self.engine();
        for batch in self
            .snapshot()?
            .log_segment()
            .read_actions(engine.as_ref(), schema.clone())?
        {
            let batch = ArrowEngineData::try_from_engine_data(batch?.actions)?;
            show(batch.record_batch());
        }
        Ok(())
    }

    /// The files at this version.
    pub(crate) async fn files(&self) -> Result<Vec<LogicalFileView>, Error> {
        let log_store = self.log_store();
        let snapshot = LazySnapshot::try_new(log_store.as_ref(), Some(self.version())).await?;
        let files = snapshot.file_views(log_store.as_ref(), None);
        Ok(files.try_collect().await?)
    }

    /// This version as deltalake's operations take it.
    pub(crate) async fn loaded(&self) -> Result<DeltaTable, Error> {
        let mut table = self.table.clone();
        table.load_version(self.version()).await?;
        Ok(table)
    }

    /// Adds columns, by a commit of its own on this version or a later one.
    pub(crate) async fn add_columns(&mut self, columns: Vec<StructField>) -> Result<(), Error> {
        let added = self.loaded().await?.add_columns().with_fields(columns);
        added.await.map_err(commit_error)?;
        self.refresh()
    }

    /// Commits on this version: if anyone committed since, nothing is written.
    pub(crate) async fn commit(&mut self, data: &CommitData) -> Result<(), Error> {
        let engine = self.engine();
        // Fails on a table that asks of its writers what is not known here.
        Arc::clone(&self.snapshot)
            .transaction(Box::new(FileSystemCommitter::new()), engine.as_ref())?;
        let version = self.version() + 1;
        let entry = data.get_bytes().map_err(DeltaTableError::from)?;
        let entry = CommitOrBytes::LogBytes(entry);
        let log_store = self.log_store();
        let written = log_store.write_commit_entry(version, entry, uuid::Uuid::new_v4());
        written.await.map_err(|error| commit_error(error.into()))?;
        // Not the newest version: what others committed meanwhile was not planned with. Nor is it read: what it says is known.
        self.version = version;
        if let Some(transactions) = self.transactions.get_mut() {
            let committed = data.app_transactions.iter();
            transactions.extend(committed.map(|of| (of.app_id.clone(), of.version)));
        }
        let interval = self.snapshot.table_properties().checkpoint_interval;
        let interval = interval.map_or(CHECKPOINT_INTERVAL, u64::from);
        if (version + 1).is_multiple_of(interval) {
            self.snapshot()?.checkpoint(engine.as_ref(), None)?;
            self.has_made_checkpoint = true;
        }
        Ok(())
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.table.log_store()
    }

    /// The store of the table's files, by their paths in the table.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log_store().object_store(None)
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.log_store().engine(None)
    }
}

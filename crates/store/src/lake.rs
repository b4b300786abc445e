//! The lake: a place with the Delta table `lines`.

use std::collections::HashMap;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, StructField, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use floodmark_ingest::{Column, ColumnType, LineSchema, RULES_VERSION};
use floodmark_source::KnownSource;

use crate::Error;
use crate::destination::Destination;
use crate::location::{LINES, Location, Root};
use crate::part::Written;
use crate::positions::Positions;
use crate::table::LinesTable;

/// The partition column: the UTC day of the event.
pub(crate) const DATE: &str = "date";

/// The tag of a file in the Delta log that holds the SHA-256 of its bytes, in hex digits.
pub(crate) const SHA256: &str = "floodmark.sha256";

/// An open lake at one version.
#[derive(Debug)]
pub struct Lake {
    root: Root,
    table: DeltaTable,
}

impl Lake {
    /// Opens the lake at a place, such as the path of a folder; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// The place cannot be read, or what is in it is not a lake.
    pub async fn open(at: impl Into<Location>) -> Result<Option<Self>, Error> {
        let root = Root::new(&at.into())?;
        let table = loaded(&root).await?;
        Ok(table.map(|table| Self { root, table }))
    }

    /// Opens the lake at a place to write to it; it is made first if there is none.
    ///
    /// # Errors
    ///
    /// As [`Lake::open`], or the place cannot be written, or cannot keep two writers apart.
    pub async fn open_or_create(at: impl Into<Location>) -> Result<Self, Error> {
        let root = Root::new(&at.into())?;
        let table = match loaded(&root).await? {
            Some(table) => table,
            None => created(&root).await?,
        };
        let lake = Self { root, table };
        #[cfg(feature = "s3")]
        lake.root.check_commits(lake.version()).await?;
        Ok(lake)
    }

    /// The version of the table of lines.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    /// Looks for newer commits of others.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        Ok(self.table.update_state().await?)
    }

    /// All sources of the lake with the offset each is read to, in one pass over the log.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn known_sources(&self) -> Result<Vec<KnownSource>, Error> {
        let positions = self.positions()?;
        Ok(positions
            .iter()
            .map(|(_, position)| position.known.clone())
            .collect())
    }

    /// How far each source is read at this version, in one pass over the log.
    pub(crate) fn positions(&self) -> Result<Positions, Error> {
        Positions::of(&self.table)
    }

    /// The table's columns, the partition column left out.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    pub fn schema(&self) -> Result<LineSchema, Error> {
        let schema = self.table.snapshot()?.schema();
        let names: Vec<String> = schema
            .fields()
            .map(|field| field.name().clone())
            .filter(|name| name != DATE)
            .collect();
        Ok(LineSchema::new([]).with_columns(names.iter().map(String::as_str)))
    }

    /// Adds the columns of `wanted` that the table does not have, by a commit of its own.
    ///
    /// # Errors
    ///
    /// The commit failed.
    pub async fn widen(&mut self, wanted: &LineSchema) -> Result<(), Error> {
        let have = self.schema()?;
        let missing: Vec<StructField> = wanted
            .columns()
            .iter()
            .filter(|column| !have.columns().contains(column))
            .map(delta_field)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let widened = self.table.clone().add_columns().with_fields(missing).await;
        self.table = widened.map_err(commit_error)?;
        Ok(())
    }

    /// The lines as a table for queries, at this version.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    pub async fn lines(&self) -> Result<LinesTable, Error> {
        LinesTable::at(&self.table, self.schema()?, self.root.files()?).await
    }

    /// Where a batch of new files of the table goes.
    pub(crate) fn destination(&self) -> Destination {
        self.root.destination()
    }

    pub(crate) fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// One commit of files and of the offsets up to which their sources are read.
    pub(crate) async fn commit(
        &mut self,
        files: &[Written],
        positions: Vec<Transaction>,
    ) -> Result<(), Error> {
        let actions = files.iter().map(|file| Action::Add(file.add()));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DATE.to_owned()]),
            predicate: None,
        };
        let properties = CommitProperties::default()
            .with_application_transactions(positions)
            .with_metadata([("floodmark.botRules".to_owned(), RULES_VERSION.into())]);
        self.commit_actions(actions.collect(), operation, properties)
            .await
    }

    /// Built on the version this lake was opened at: if anyone committed since, nothing is written.
    pub(crate) async fn commit_actions(
        &mut self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        properties: CommitProperties,
    ) -> Result<(), Error> {
        let properties = properties
            .with_max_retries(0)
            // Old log files are cleaned by whoever cares for the lake, not by each writer.
            .with_cleanup_expired_logs(Some(false));
        let snapshot = self.table.snapshot()?.clone();
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.table.log_store(), operation)
            .await;
        let committed = committed.map_err(commit_error)?;
        // Not the newest version: what others committed meanwhile was not planned with.
        self.table.state = Some(committed.snapshot());
        Ok(())
    }
}

fn commit_error(error: DeltaTableError) -> Error {
    match error {
        DeltaTableError::Transaction { source } if is_conflict(&source) => Error::Conflict {
            committed: Box::default(),
        },
        other => other.into(),
    }
}

fn is_conflict(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::MaxCommitAttempts(_)
            | TransactionError::CommitConflict(_)
            | TransactionError::VersionAlreadyExists(_)
    )
}

/// The table of lines at its newest version; `None` if there is none yet.
async fn loaded(root: &Root) -> Result<Option<DeltaTable>, Error> {
    if !root.has_log().await? {
        return Ok(None);
    }
    let mut table = root.table()?;
    match table.load().await {
        Ok(()) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(source) => Err(Error::NotALake {
            path: root.path(),
            source: Box::new(source),
        }),
    }
}

async fn created(root: &Root) -> Result<DeltaTable, Error> {
    root.prepare()?;
    let fields = LineSchema::new([])
        .columns()
        .iter()
        .map(delta_field)
        .collect::<Vec<_>>();
    let date = StructField::nullable(DATE, deltalake::kernel::DataType::DATE);
    let created = root
        .table()?
        .create()
        .with_table_name(LINES)
        .with_columns(fields.into_iter().chain([date]))
        .with_partition_columns([DATE])
        .with_configuration([(
            "delta.deletedFileRetentionDuration".to_owned(),
            Some("interval 24 hours".to_owned()),
        )])
        .await;
    match created {
        Ok(table) => Ok(table),
        // Another process may have made it a moment ago.
        Err(source) => loaded(root).await?.ok_or_else(|| source.into()),
    }
}

fn delta_field(column: &Column) -> StructField {
    use deltalake::kernel::DataType;
    let data_type = match column.column_type {
        ColumnType::Text => DataType::STRING,
        ColumnType::Status => DataType::SHORT,
        ColumnType::Small => DataType::INTEGER,
        ColumnType::Count => DataType::LONG,
        ColumnType::Seconds | ColumnType::SecondsList => DataType::DOUBLE,
        ColumnType::Time => DataType::TIMESTAMP,
        ColumnType::Flag => DataType::BOOLEAN,
    };
    StructField::nullable(&column.name, data_type)
}

impl Written {
    /// As new rows of the table.
    pub(crate) fn add(&self) -> Add {
        Add {
            path: self.relative.clone(),
            partition_values: HashMap::from([(DATE.to_owned(), self.day.text())]),
            size: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            modification_time: self.modified_ms,
            data_change: true,
            stats: Some(self.summary.to_delta().to_string()),
            tags: Some(HashMap::from([(
                SHA256.to_owned(),
                Some(self.sha256.clone()),
            )])),
            ..Add::default()
        }
    }
}

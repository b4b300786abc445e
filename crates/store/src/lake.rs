//! The lake: a place with the Delta tables `lines` and `minutes`.

use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{Action, StructField, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use floodmark_ingest::{Column, ColumnType, LineSchema};
use floodmark_source::KnownSource;

use crate::Error;
use crate::care::damaged_commit;
use crate::commit::{add, commit, commit_error, reading};
use crate::destination::Destination;
use crate::location::{LINES, Location, MINUTES, Root};
use crate::minutes;
use crate::part::Written;
use crate::positions::Positions;
use crate::table::LakeTable;

/// The partition column of lines: the UTC day of the event.
pub(crate) const DATE: &str = "date";
/// The column of their times.
pub(crate) const TIME: &str = "time";

/// An open lake at one version.
#[derive(Debug)]
pub struct Lake {
    pub(crate) root: Root,
    table: DeltaTable,
    /// `None` in a lake that was written before it had minutes.
    pub(crate) minutes: Option<DeltaTable>,
}

impl Lake {
    /// Opens the lake at a place, such as the path of a folder; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// The place cannot be read, or what is in it is not a lake.
    pub async fn open(at: impl Into<Location>) -> Result<Option<Self>, Error> {
        let root = Root::new(&at.into())?;
        // Minutes first: what they have not counted of the lines read after them is counted at read time.
        let minutes = loaded(&root, MINUTES).await?;
        let table = loaded(&root, LINES).await?;
        Ok(table.map(|table| Self {
            root,
            table,
            minutes,
        }))
    }

    /// Opens the lake at a place to write to it; it is made first if there is none.
    ///
    /// # Errors
    ///
    /// As [`Lake::open`], or the place cannot be written, or cannot keep two writers apart.
    pub async fn open_or_create(at: impl Into<Location>) -> Result<Self, Error> {
        let at = at.into();
        let mut lake = match Self::open(at.clone()).await? {
            Some(lake) => lake,
            None => {
                let root = Root::new(&at)?;
                let table = created(&root, LINES, line_fields(), DATE).await?;
                Self {
                    root,
                    table,
                    minutes: None,
                }
            }
        };
        lake.ready_to_write().await?;
        Ok(lake)
    }

    /// Makes sure that a lake that was opened can be written to.
    ///
    /// # Errors
    ///
    /// Its place cannot be written, or cannot keep two writers apart.
    pub async fn ready_to_write(&mut self) -> Result<(), Error> {
        if self.minutes.is_none() {
            let minutes = created(&self.root, MINUTES, minutes::fields()?, minutes::MONTH).await?;
            self.minutes = Some(minutes);
        }
        #[cfg(feature = "s3")]
        self.root.check_commits(self.version()).await?;
        Ok(())
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
        if let Some(minutes) = &mut self.minutes {
            minutes.update_state().await?;
        }
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
        let missing = self.missing_columns(wanted)?;
        if missing.is_empty() {
            return Ok(());
        }
        let widened = self.table.clone().add_columns().with_fields(missing).await;
        self.table = widened.map_err(commit_error)?;
        Ok(())
    }

    /// Whether the table has all columns of `wanted`.
    pub(crate) fn has_columns(&self, wanted: &LineSchema) -> Result<bool, Error> {
        Ok(self.missing_columns(wanted)?.is_empty())
    }

    fn missing_columns(&self, wanted: &LineSchema) -> Result<Vec<StructField>, Error> {
        let have = self.schema()?;
        let wanted = wanted.columns().iter();
        let missing = wanted.filter(|column| !have.columns().contains(column));
        Ok(missing.map(delta_field).collect())
    }

    /// The lines as a table for queries, at this version.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    pub async fn lines(&self) -> Result<LakeTable, Error> {
        let (schema, store) = (self.schema()?.arrow(), self.root.files(LINES)?);
        LakeTable::at(&self.table, schema, (DATE, TIME), store).await
    }

    /// Where a batch of new files of lines goes.
    pub(crate) fn destination(&self) -> Destination {
        self.root.destination(LINES)
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
        let actions = files.iter().map(|file| Action::Add(add(file, DATE, TIME)));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DATE.to_owned()]),
            predicate: None,
        };
        self.commit_actions(actions.collect(), operation, reading(positions))
            .await
    }

    /// Built on the version this lake was opened at: if anyone committed since, nothing is written.
    pub(crate) async fn commit_actions(
        &mut self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        properties: CommitProperties,
    ) -> Result<(), Error> {
        commit(&mut self.table, actions, operation, properties).await
    }
}

/// A table at its newest version; `None` if there is none yet.
async fn loaded(root: &Root, name: &str) -> Result<Option<DeltaTable>, Error> {
    if !root.has_log(name).await? {
        return Ok(None);
    }
    let mut table = root.table(name)?;
    match table.load().await {
        Ok(()) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(source) => {
            let source = Box::new(source);
            let path = root.path();
            let damaged = damaged_commit(&table.log_store().object_store(None)).await;
            Err(match damaged {
                Some(commit) => Error::DamagedCommit {
                    path: path.join(name).join(commit),
                    source,
                },
                None => Error::NotALake { path, source },
            })
        }
    }
}

/// A new table, partitioned by a column of days.
async fn created(
    root: &Root,
    name: &str,
    fields: Vec<StructField>,
    partition: &str,
) -> Result<DeltaTable, Error> {
    root.prepare(name)?;
    let day = StructField::nullable(partition, deltalake::kernel::DataType::DATE);
    let created = root
        .table(name)?
        .create()
        .with_table_name(name)
        .with_columns(fields.into_iter().chain([day]))
        .with_partition_columns([partition])
        .with_configuration([(
            "delta.deletedFileRetentionDuration".to_owned(),
            Some("interval 24 hours".to_owned()),
        )])
        .await;
    match created {
        Ok(table) => Ok(table),
        // Another process may have made it a moment ago.
        Err(source) => loaded(root, name).await?.ok_or_else(|| source.into()),
    }
}

fn line_fields() -> Vec<StructField> {
    let schema = LineSchema::new([]);
    schema.columns().iter().map(delta_field).collect()
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

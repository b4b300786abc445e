//! The lake: a place with the Delta tables `lines` and `minutes`.

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::CommitData;
use deltalake::kernel::{Action, StructField, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use floodmark_ingest::{Column, ColumnType, LineSchema};
use floodmark_source::KnownSource;

use crate::Error;
use crate::care::damaged_commit;
use crate::commit::{add, reading};
use crate::delta_log::DeltaLog;
use crate::destination::Destination;
use crate::followed::Looks;
use crate::location::{LINES, Location, MINUTES, Root};
use crate::minutes;
use crate::part::Written;
use crate::positions::Positions;
use crate::table::LakeTable;

/// The partition column of lines: the UTC day of the event.
pub(crate) const DATE: &str = "date";
/// Commits after which the log is shortened at the latest.
const CLEANED_EVERY: u64 = 1_000;
/// The column of their times.
pub(crate) const TIME: &str = "time";

/// An open lake at one version.
#[derive(Debug)]
pub struct Lake {
    pub(crate) root: Root,
    log: DeltaLog,
    /// `None` in a lake that was written before it had minutes.
    pub(crate) minutes: Option<DeltaLog>,
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
        let minutes = opened(&root, MINUTES).await?;
        let log = opened(&root, LINES).await?;
        Ok(log.map(|log| Self { root, log, minutes }))
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
                let log = created(&root, LINES, line_fields(), DATE).await?;
                Self {
                    root,
                    log,
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
        self.log.version()
    }

    /// Whether this process, by what it committed, is the one in ten that looks after the small files.
    #[must_use]
    pub fn is_to_compact(&self) -> bool {
        let mut logs = self.minutes.iter().chain([&self.log]);
        logs.any(DeltaLog::has_made_checkpoint)
    }

    /// Whether this process, by what it committed, is to see to it that the log stays short although no files were to be merged: looks
    /// at a quiet log are commits without files.
    #[must_use]
    pub fn is_to_clean(&self) -> bool {
        let mut logs = self.minutes.iter().chain([&self.log]);
        logs.any(|log| {
            log.has_made_checkpoint() && (log.version() + 1).is_multiple_of(CLEANED_EVERY)
        })
    }

    /// Looks for newer commits of others.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn refresh(&mut self) -> Result<(), Error> {
        if let Some(minutes) = &mut self.minutes {
            minutes.refresh()?;
        }
        self.log.refresh()
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

    /// The logs that are followed into the lake.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn looks(&self) -> Result<Looks, Error> {
        Looks::of(&self.log)
    }

    /// How far each source is read at this version, in one pass over the log.
    pub(crate) fn positions(&self) -> Result<Positions, Error> {
        Positions::of(&self.log)
    }

    /// The table's columns, the partition column left out.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    #[must_use]
    pub fn schema(&self) -> LineSchema {
        let names = self.log.columns();
        let names = names.iter().map(String::as_str);
        LineSchema::new([]).with_columns(names.filter(|name| *name != DATE))
    }

    /// Adds the columns of `wanted` that the table does not have, by a commit of its own.
    ///
    /// # Errors
    ///
    /// The commit failed.
    pub async fn widen(&mut self, wanted: &LineSchema) -> Result<(), Error> {
        let missing = self.missing_columns(wanted);
        if missing.is_empty() {
            return Ok(());
        }
        self.log.add_columns(missing).await
    }

    /// Whether the table has all columns of `wanted`.
    pub(crate) fn has_columns(&self, wanted: &LineSchema) -> bool {
        self.missing_columns(wanted).is_empty()
    }

    fn missing_columns(&self, wanted: &LineSchema) -> Vec<StructField> {
        let have = self.schema();
        let wanted = wanted.columns().iter();
        let missing = wanted.filter(|column| !have.columns().contains(column));
        missing.map(delta_field).collect()
    }

    /// The lines as a table for queries, at this version.
    ///
    /// # Errors
    ///
    /// The table's state cannot be read.
    pub async fn lines(&self) -> Result<LakeTable, Error> {
        let (schema, store) = (self.schema().arrow(), self.root.files(LINES)?);
        LakeTable::at(&self.log, schema, (DATE, TIME), store).await
    }

    /// Where a batch of new files of lines goes.
    pub(crate) fn destination(&self) -> Destination {
        self.root.destination(LINES)
    }

    pub(crate) fn log(&self) -> &DeltaLog {
        &self.log
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
        self.commit_data(&reading(actions.collect(), operation, positions))
            .await
    }

    /// Built on the version this lake was opened at: if anyone committed since, nothing is written.
    pub(crate) async fn commit_data(&mut self, data: &CommitData) -> Result<(), Error> {
        self.log.commit(data).await
    }
}

/// The log of a table at its newest version; `None` if there is none yet.
async fn opened(root: &Root, name: &str) -> Result<Option<DeltaLog>, Error> {
    if !root.has_log(name).await? {
        return Ok(None);
    }
    let table = root.table(name)?;
    let store = table.log_store().object_store(None);
    match DeltaLog::open(table) {
        Ok(log) => Ok(log),
        Err(source) => {
            let source = Box::new(source);
            let path = root.path();
            Err(match damaged_commit(&store).await {
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
) -> Result<DeltaLog, Error> {
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
    match (created, opened(root, name).await?) {
        // Another process may have made it a moment ago.
        (_, Some(log)) => Ok(log),
        (Err(error), None) => Err(error.into()),
        (Ok(_), None) => Err(DeltaTableError::NotATable(root.path().display().to_string()).into()),
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

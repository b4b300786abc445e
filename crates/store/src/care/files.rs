//! The files of a lake at one version.

use std::fmt;
use std::sync::Arc;

use deltalake::kernel::{Add, Remove};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use crate::commit::SHA256;
use crate::day::Day;
use crate::delta_log::DeltaLog;
use crate::hashed::hex;
use crate::lake::{DATE, TIME};
use crate::location::{LINES, MINUTES};
use crate::minutes::{MINUTE, MONTH};
use crate::part::Summary;
use crate::{Error, Lake};

/// A file as the Delta log names it.
#[derive(Debug, Clone)]
pub(crate) struct LakeFile {
    add: Add,
    /// What it is partitioned by: its day, or the first day of its month.
    pub(crate) day: Day,
    pub(crate) summary: Summary,
}

/// A table of a lake as its log has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogTable<'lake> {
    /// Its folder in the lake.
    pub(crate) name: &'static str,
    pub(crate) log: &'lake DeltaLog,
    /// The column that it is partitioned by, a date.
    partition: &'static str,
    /// The column of its times.
    pub(crate) time: &'static str,
    /// The partition of the rows of a day.
    pub(crate) partition_of: fn(Day) -> Day,
}

impl Lake {
    /// The table of lines.
    pub(crate) fn line_table(&self) -> LogTable<'_> {
        LogTable {
            name: LINES,
            log: self.log(),
            partition: DATE,
            time: TIME,
            partition_of: |day| day,
        }
    }

    /// The table of minutes, if the lake has it.
    pub(crate) fn minute_table(&self) -> Option<LogTable<'_>> {
        Some(LogTable {
            name: MINUTES,
            log: self.minutes.as_ref()?,
            partition: MONTH,
            time: MINUTE,
            partition_of: Day::month,
        })
    }

    /// All tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = LogTable<'_>> {
        [self.line_table()].into_iter().chain(self.minute_table())
    }

    /// The files of lines of this version, by day and then by their earliest time.
    pub(crate) async fn files(&self) -> Result<Vec<LakeFile>, Error> {
        self.line_table().files().await
    }

    /// The store of the files of lines, by their paths in the table.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.line_table().store()
    }
}

impl LogTable<'_> {
    /// Its files, by partition and then by their earliest time.
    pub(crate) async fn files(&self) -> Result<Vec<LakeFile>, Error> {
        let views = self.log.files().await?;
        let files = views.iter().map(|view| {
            #[expect(deprecated, reason = "nothing else tells the tags of a file")]
            let add = view.add_action();
            LakeFile::of(add, self.partition, self.time)
        });
        let mut files: Vec<LakeFile> = files.collect();
        files.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(files)
    }

    /// Where its files are, by their paths in it.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.store()
    }

    /// Whether a file is one that this crate writes into it: whatever else lies in the folder is not ours to delete.
    pub(crate) fn is_ours(&self, path: &str) -> bool {
        path.starts_with(self.partition) && path.ends_with(".parquet")
    }
}

impl LakeFile {
    fn of(add: Add, partition: &str, time: &str) -> Self {
        let day = add.partition_values.get(partition).cloned().flatten();
        Self {
            day: Day::of_partition(day.as_deref()),
            summary: add
                .stats
                .as_deref()
                .map(|stats| Summary::from_delta(stats, time))
                .unwrap_or_default(),
            add,
        }
    }

    fn order(&self) -> impl Ord {
        (self.day, self.summary.time_range_us, self.add.path.clone())
    }

    /// Its name in the table.
    pub(crate) fn name(&self) -> &str {
        &self.add.path
    }

    pub(crate) fn path(&self) -> Path {
        Path::parse(&self.add.path).unwrap_or_else(|_| Path::from(self.add.path.as_str()))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.add.size.unsigned_abs()
    }

    /// The SHA-256 of its bytes in hex digits, if whoever wrote it recorded that.
    pub(crate) fn sha256(&self) -> Option<&str> {
        self.add.tags.as_ref()?.get(SHA256)?.as_deref()
    }

    /// Its removal. Rows that are in another file of the same commit do not change the data.
    pub(crate) fn remove(&self, now_ms: i64, data_change: bool) -> Remove {
        Remove {
            path: self.add.path.clone(),
            data_change,
            deletion_timestamp: Some(now_ms),
            extended_file_metadata: Some(true),
            partition_values: Some(self.add.partition_values.clone()),
            size: Some(self.add.size),
            tags: self.add.tags.clone(),
            ..Remove::default()
        }
    }
}

/// A file that does not hold what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    Missing,
    Size { found: u64 },
    Bytes { expected: String, found: String },
    Unreadable { found: String },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no file"),
            Self::Size { found } => write!(f, "{found} bytes"),
            Self::Bytes { found, .. } => write!(f, "other bytes (SHA-256 {found})"),
            Self::Unreadable { found } => f.write_str(found),
        }
    }
}

impl LakeFile {
    /// Makes sure that a file's bytes are those that were written, as far as that was recorded.
    pub(crate) async fn check(&self, store: &dyn ObjectStore) -> Result<(), Flaw> {
        let unreadable = |error: object_store::Error| Flaw::Unreadable {
            found: error.to_string(),
        };
        let found = match store.head(&self.path()).await {
            Ok(meta) => meta.size,
            Err(object_store::Error::NotFound { .. }) => return Err(Flaw::Missing),
            Err(error) => return Err(unreadable(error)),
        };
        if found != self.bytes() {
            return Err(Flaw::Size { found });
        }
        let Some(expected) = self.sha256() else {
            return Ok(());
        };
        let found = sha256(store, &self.path()).await.map_err(unreadable)?;
        match found == expected {
            true => Ok(()),
            false => Err(Flaw::Bytes {
                expected: expected.to_owned(),
                found,
            }),
        }
    }

    /// The error that says what is wrong with it.
    pub(crate) fn damaged(&self, found: impl fmt::Display) -> Error {
        Error::Damaged {
            path: self.name().into(),
            found: found.to_string(),
        }
    }
}

/// The SHA-256 of what a store holds under a name, in hex digits.
async fn sha256(store: &dyn ObjectStore, path: &Path) -> object_store::Result<String> {
    let mut hasher = Sha256::new();
    let mut bytes = store.get(path).await?.into_stream();
    while let Some(part) = bytes.try_next().await? {
        hasher.update(&part);
    }
    Ok(hex(&hasher.finalize()))
}

//! Bytes that nothing needs any more.
//!
//! Which files they are is told by deltalake's vacuum. They are deleted here, without the two commits that it would make for that:
//! each commit sends those who ingest at that time back to where they began.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::Duration;
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::table::config::TablePropertiesExt;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::files::LogTable;
use crate::{Error, Lake};

/// A file that no commit names is left alone for so long: a writer may be about to name it, and none takes an hour.
const ORPHANS_STAY: Duration = Duration::days(7);

/// What [`Lake::clean`] does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnClean {
    /// Only counts it.
    Count,
    /// Deletes it.
    Delete,
}

/// What is deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files that were replaced or expired more than `delta.deletedFileRetentionDuration` ago, and such as no commit has named
    /// for a week.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files of the log that a checkpoint stands for, of versions whose files may be deleted. Not counted, if nothing is deleted.
    pub log_files: u64,
}

impl Lake {
    /// Deletes the bytes that no version of the last day needs, and what crashes left more than a week ago; then writes a checkpoint, so that
    /// the log is short, and drops what it stands for after the same time. `now_ms` is milliseconds since the epoch.
    ///
    /// No rows change, and no commit is made.
    ///
    /// # Errors
    ///
    /// The folder or the log cannot be read, or something cannot be deleted.
    pub async fn clean(&self, now_ms: i64, on_clean: OnClean) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        for table in self.tables() {
            table.clean(now_ms, on_clean, &mut cleaned).await?;
        }
        Ok(cleaned)
    }
}

impl LogTable<'_> {
    async fn clean(
        &self,
        now_ms: i64,
        on_clean: OnClean,
        cleaned: &mut Cleaned,
    ) -> Result<(), Error> {
        let store = self.store();
        let mut unneeded = Vec::new();
        for path in self.unneeded(now_ms).await? {
            // What an earlier run deleted is still in the log.
            match store.head(&path).await {
                Ok(meta) => {
                    cleaned.files += 1;
                    cleaned.bytes += meta.size;
                    unneeded.push(path);
                }
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(deltalake::DeltaTableError::from(error).into()),
            }
        }
        if on_clean == OnClean::Delete {
            delete(&store, unneeded).await?;
            cleaned.log_files += self.shorten_log(now_ms).await?;
        }
        Ok(())
    }

    /// Files removed long enough ago, and old files that were never named.
    async fn unneeded(&self, now_ms: i64) -> Result<HashSet<Path>, Error> {
        let clock = Arc::new(Now(now_ms));
        let table = self.log.loaded().await?;
        let vacuum = || {
            let table = table.clone();
            table.vacuum().with_dry_run(true).with_clock(clock.clone())
        };
        let (_, removed) = vacuum().await?;
        let (_, orphans) = vacuum()
            .with_mode(VacuumMode::Full)
            .with_retention_period(ORPHANS_STAY)
            .await?;
        let paths = removed.files_deleted.into_iter();
        Ok(paths
            .chain(orphans.files_deleted)
            .filter(|path| self.is_ours(path))
            .map(|path| Path::parse(&path).unwrap_or_else(|_| Path::from(path)))
            .collect())
    }

    /// Writes a checkpoint, and deletes log files of versions that nobody can read any more.
    async fn shorten_log(&self, now_ms: i64) -> Result<u64, Error> {
        let table = self.log.loaded().await?;
        create_checkpoint(&table, None).await?;
        // A version whose files are gone is of no use to anyone, and a log that is followed brings thousands a day.
        let kept = table.snapshot()?.table_config();
        let kept = kept
            .log_retention_duration()
            .min(kept.deleted_file_retention_duration());
        let kept_ms = i64::try_from(kept.as_millis());
        let before_ms = now_ms.saturating_sub(kept_ms.unwrap_or(i64::MAX));
        let log_store = self.log.log_store();
        let version = self.log.version();
        let deleted =
            cleanup_expired_logs_for(version, log_store.as_ref(), before_ms, None).await?;
        Ok(deleted as u64)
    }
}

async fn delete(store: &Arc<dyn ObjectStore>, paths: Vec<Path>) -> Result<(), Error> {
    let mut deleted = store.delete_stream(stream::iter(paths).map(Ok).boxed());
    loop {
        match deleted.try_next().await {
            Ok(None) => return Ok(()),
            // Another may have deleted it just now.
            Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(deltalake::DeltaTableError::from(error).into()),
        }
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct Now(i64);

impl Clock for Now {
    fn current_timestamp_millis(&self) -> i64 {
        self.0
    }
}

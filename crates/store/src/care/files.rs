//! The files of a lake at one version.

use std::sync::Arc;

use deltalake::kernel::{Add, Remove};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use crate::commit::SHA256;
use crate::day::Day;
use crate::hashed::hex;
use crate::lake::{DATE, TIME};
use crate::part::Summary;
use crate::{Error, Lake};

/// A file as the Delta log names it.
#[derive(Debug, Clone)]
pub(crate) struct LakeFile {
    add: Add,
    pub(crate) day: Day,
    pub(crate) summary: Summary,
}

impl Lake {
    /// The files of this version, by day and then by their earliest time.
    pub(crate) async fn files(&self) -> Result<Vec<LakeFile>, Error> {
        let views = self.log().files().await?;
        let files = views.iter().map(|view| {
            #[expect(deprecated, reason = "nothing else tells the tags of a file")]
            let add = view.add_action();
            LakeFile::of(add)
        });
        let mut files: Vec<LakeFile> = files.collect();
        files.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(files)
    }

    /// The store of the table's files, by their paths in the table.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log().store()
    }
}

impl LakeFile {
    fn of(add: Add) -> Self {
        let day = add.partition_values.get(DATE).cloned().flatten();
        Self {
            day: Day::of_partition(day.as_deref()),
            summary: add
                .stats
                .as_deref()
                .map(|stats| Summary::from_delta(stats, TIME))
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

/// The SHA-256 of what a store holds under a name, in hex digits.
pub(crate) async fn sha256(store: &dyn ObjectStore, path: &Path) -> object_store::Result<String> {
    let mut hasher = Sha256::new();
    let mut bytes = store.get(path).await?.into_stream();
    while let Some(part) = bytes.try_next().await? {
        hasher.update(&part);
    }
    Ok(hex(&hasher.finalize()))
}

//! Where a lake is, and its root once it is open.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use url::Url;

use crate::Error;
use crate::destination::Destination;
use crate::durable::{DurableLocal, create_folders, sync_folder};
#[cfg(feature = "s3")]
use crate::s3::{Bucket, S3Location};

/// The table of lines inside the lake.
pub(crate) const LINES: &str = "lines";
/// The table of minutes inside the lake.
pub(crate) const MINUTES: &str = "minutes";

/// Where a lake is, or is to be.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder; a relative one is relative to the working folder.
    Folder(PathBuf),
    /// A prefix in a bucket of S3, or of a store that speaks its protocol.
    #[cfg(feature = "s3")]
    S3(S3Location),
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            #[cfg(feature = "s3")]
            Self::S3(location) => location.fmt(f),
        }
    }
}

/// A location that can be read and written from anywhere: an absolute folder, or a bucket with a client.
#[derive(Debug)]
pub(crate) enum Root {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Bucket),
}

impl Root {
    pub(crate) fn new(location: &Location) -> Result<Self, Error> {
        match location {
            // The lake's store and its queries need a path that holds from anywhere.
            Location::Folder(folder) => {
                std::path::absolute(folder)
                    .map(Self::Folder)
                    .map_err(|source| Error::Open {
                        path: folder.clone(),
                        source,
                    })
            }
            #[cfg(feature = "s3")]
            Location::S3(location) => Bucket::new(location).map(Self::Bucket),
        }
    }

    /// The root in a message.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.to_string().into(),
        }
    }

    /// Whether there is a Delta log for a table; one that cannot be looked for is an error.
    pub(crate) async fn has_log(&self, table: &str) -> Result<bool, Error> {
        let cannot = |source| Error::Open {
            path: self.path(),
            source,
        };
        match self {
            Self::Folder(folder) => match fs::read_dir(folder.join(table).join("_delta_log")) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(cannot(error)),
            },
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.has_log(table).await.map_err(cannot),
        }
    }

    /// Makes the place where a table will be, if it needs one.
    pub(crate) fn prepare(&self, table: &str) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => {
                let log = folder.join(table).join("_delta_log");
                // A run that was killed may have made folders and not synced their names. What others made may not be
                // ours to open.
                let sync = |folder| match sync_folder(folder) {
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
                    other => other,
                };
                create_folders(&log)
                    .and_then(|()| log.ancestors().skip(1).take(3).try_for_each(sync))
                    .map_err(|source| Error::Write {
                        path: folder.clone(),
                        source,
                    })
            }
            // A bucket has no folders.
            #[cfg(feature = "s3")]
            Self::Bucket(_) => Ok(()),
        }
    }

    /// A table, not read yet.
    pub(crate) fn table(&self, table: &str) -> Result<DeltaTable, Error> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(table);
                let url =
                    Url::from_directory_path(&path).map_err(|()| Error::NotAFolder { path })?;
                Ok(DeltaTableBuilder::from_url(url.clone())?
                    .with_storage_backend(Arc::new(local_disk()?), url)
                    .build()?)
            }
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.table(table),
        }
    }

    /// Makes sure that of two writers of a version only one can win; the table of lines is there, at `version`.
    #[cfg(feature = "s3")]
    pub(crate) async fn check_commits(&self, version: u64) -> Result<(), Error> {
        match self {
            // A link to a name that is taken fails on every file system.
            Self::Folder(_) => Ok(()),
            Self::Bucket(bucket) => bucket.check_commits(LINES, version).await,
        }
    }

    /// Where a batch of new files of a table goes.
    pub(crate) fn destination(&self, table: &str) -> Destination {
        match self {
            Self::Folder(folder) => Destination::Folder {
                table: folder.join(table),
                begun: Arc::default(),
            },
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => Destination::Bucket(bucket.staging(table)),
        }
    }

    /// Where queries find the files of a table.
    pub(crate) fn files(&self, table: &str) -> Result<FileStore, Error> {
        match self {
            Self::Folder(folder) => Ok(FileStore {
                url: ObjectStoreUrl::local_filesystem(),
                prefix: folder.join(table).display().to_string(),
                client: Arc::new(local_disk()?),
            }),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.files(table),
        }
    }
}

fn local_disk() -> Result<DurableLocal, Error> {
    Ok(DurableLocal::new(PathBuf::from("/")).map_err(DeltaTableError::from)?)
}

/// The object store that holds a table's files, as a query's plan names it.
#[derive(Debug)]
pub(crate) struct FileStore {
    pub(crate) url: ObjectStoreUrl,
    /// Of the paths of files, without a slash at its end.
    pub(crate) prefix: String,
    /// To be made known to a session under `url`.
    pub(crate) client: Arc<dyn ObjectStore>,
}

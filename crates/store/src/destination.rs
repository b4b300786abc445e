//! Where the files of a batch are written, and how they come to stay.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::Error;
use crate::durable::{create_folders, sync_folder};
use crate::part::Written;
use crate::part_file::PartFile;
#[cfg(feature = "s3")]
use crate::s3::Staging;

/// The place of the files of one batch: each is created, written, kept, and at last published with all others just
/// before the commit that names them.
#[derive(Debug)]
pub(crate) enum Destination {
    /// The table's folder: files have their names from the start, and are on the disk once they are kept.
    Folder {
        /// The folder.
        table: PathBuf,
        /// How many files of the batch were begun.
        begun: Arc<AtomicUsize>,
    },
    /// A bucket: files wait on the local disk until they are published.
    #[cfg(feature = "s3")]
    Bucket(Staging),
}

impl Destination {
    /// A new file to write for the path `relative` in the table, with its local path for messages.
    pub(crate) fn create(&self, relative: &str) -> Result<(PathBuf, PartFile), Error> {
        match self {
            Self::Folder { table, begun } => {
                let path = table.join(relative);
                let created = create_folders(path.parent().unwrap_or(table))
                    .and_then(|()| PartFile::create(path.clone(), begun));
                match created {
                    Ok(file) => Ok((path, file)),
                    Err(source) => Err(Error::Write { path, source }),
                }
            }
            #[cfg(feature = "s3")]
            Self::Bucket(staging) => {
                let (path, file) = staging.create()?;
                Ok((path.clone(), PartFile::unnamed(path, file)))
            }
        }
    }

    /// Takes a file that is complete; `relative` and `path` are those of [`Destination::create`].
    pub(crate) fn keep(&self, relative: &str, path: &Path, file: &File) -> Result<(), Error> {
        let kept = match self {
            Self::Folder { table, .. } => file
                .sync_all()
                .and_then(|()| sync_folder(table.join(relative).parent().unwrap_or(table))),
            // Not synced: a local file is of no use after a crash, what counts is the upload.
            #[cfg(feature = "s3")]
            Self::Bucket(staging) => staging.keep(relative, file),
        };
        kept.map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Brings all files to where readers will look for them. If that fails, none of them is left there.
    pub(crate) async fn publish(&self) -> Result<(), Error> {
        match self {
            // The folder of a day may have been made by a run that was killed before it could sync its name.
            Self::Folder { table, .. } => sync_folder(table).map_err(|source| Error::Write {
                path: table.clone(),
                source,
            }),
            #[cfg(feature = "s3")]
            Self::Bucket(staging) => staging.upload().await,
        }
    }

    /// Removes the files of a batch that no commit names. One that stays is an orphan and harmless: readers list
    /// files from the log.
    pub(crate) async fn discard(&self, files: &[Written]) {
        match self {
            Self::Folder { .. } => {
                for file in files {
                    let _ = fs::remove_file(&file.path);
                }
            }
            #[cfg(feature = "s3")]
            Self::Bucket(staging) => {
                let relatives = files.iter().map(|file| file.relative.as_str());
                staging.remove(relatives).await;
            }
        }
    }
}

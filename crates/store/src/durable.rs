//! An object store on a local disk whose puts are on the disk when they return.
//!
//! object_store's own local store does not sync, so a commit could vanish with the power although it was reported.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The local file system under one folder; see the module.
#[derive(Debug)]
pub(crate) struct DurableLocal {
    inner: LocalFileSystem,
    root: PathBuf,
}

impl DurableLocal {
    pub(crate) fn new(root: PathBuf) -> Result<Self> {
        Ok(Self {
            inner: LocalFileSystem::new_with_prefix(&root)?,
            root,
        })
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let target = self.inner.path_to_filesystem(location)?;
        put(&target, &payload, &options.mode).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                object_store::Error::AlreadyExists {
                    path: location.to_string(),
                    source: Box::new(source),
                }
            } else {
                object_store::Error::Generic {
                    store: "durable local",
                    source: Box::new(source),
                }
            }
        })?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Temporary file, sync, link under the final name, sync of the folder: the name never shows half a file.
fn put(target: &FsPath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    let folder = target.parent().unwrap_or(FsPath::new("/"));
    create_folders(folder)?;
    let temporary = folder.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = write_and_place(&temporary, target, payload, mode);
    // After a link the temporary name is one too many; after a failure it is all there is.
    let removed = fs::remove_file(&temporary);
    written?;
    if *mode == PutMode::Create {
        removed?;
    }
    sync_folder(folder)
}

fn write_and_place(
    temporary: &FsPath,
    target: &FsPath,
    payload: &PutPayload,
    mode: &PutMode,
) -> io::Result<()> {
    let mut file = File::create_new(temporary)?;
    for part in payload {
        file.write_all(part)?;
    }
    file.sync_all()?;
    match mode {
        PutMode::Create => fs::hard_link(temporary, target),
        PutMode::Overwrite => fs::rename(temporary, target),
        PutMode::Update(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
    }
}

/// Creates a folder with its parents, each synced into its own parent, for the owner alone.
pub(crate) fn create_folders(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(FsPath::new("/"));
    create_folders(parent)?;
    match create_private(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(parent)
}

fn create_private(folder: &FsPath) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    #[tokio::test]
    async fn a_name_that_is_taken_is_refused_and_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new(folder.path().to_owned()).unwrap();
        let path = Path::from("_delta_log/00000000000000000000.json");
        let create = || PutOptions {
            mode: PutMode::Create,
            ..Default::default()
        };
        store.put_opts(&path, "one".into(), create()).await.unwrap();
        let again = store.put_opts(&path, "two".into(), create()).await;
        assert!(matches!(
            again,
            Err(object_store::Error::AlreadyExists { .. })
        ));
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(&bytes[..], b"one");
        assert_eq!(
            fs::read_dir(folder.path().join("_delta_log"))
                .unwrap()
                .count(),
            1
        );
    }
}
